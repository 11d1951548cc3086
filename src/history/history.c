#include "history/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "daemon/hub.h"
#include "daemon/records.h"
#include "history/chunk.h"
#include "history/reader.h"
#include "history/tally.h"
#include "history/writer.h"
#include "util/util.h"

#define LOG_PART "history"
#include "util/log.h"

/* A kill -9 costs what was counted since the last round: less than 5 s. */
enum { TICKS_PER_ROUND = 4 };

static const int64_t PATIENCE_US = 3 * U2K_SEC;
static const int64_t GAP_MAX_US = INT64_C(86400) * 3650 * U2K_SEC;

struct record {
	struct record *next;
	struct hub_ups *ups;
	char *name;
	struct tally tally;
	struct chunk chunk;
};

struct history {
	struct hub *hub;
	struct writer *writer;
	struct reader *reader;
	struct event *tick;
	unsigned ticks;
	bool failed;		 /* that history cannot be written was the last word */
	const struct past *past; /* of before this run; or NULL */
	struct record *records;
};

/* ---- what the writer tells ---- */

static void state_changed(void *user, enum writer_state state, const char *text)
{
	struct history *h = user;

	switch (state) {
	case WRITER_STARTS:
		break;
	case WRITER_WRITES:
		if (h->failed)
			hub_event(h->hub, "history-works", "info", NULL, NULL,
				  "History can be written again.");
		h->failed = false;
		break;
	case WRITER_FAILS:
		h->failed = true;
		hub_event(
			h->hub, "history-fails", "warning", NULL, NULL,
			"History cannot be written: %s. All else goes on; what happens now may be "
			"missing in it.",
			text);
		break;
	case WRITER_REFUSED:
		hub_event(h->hub, "history-refused", "warning", NULL, NULL,
			  "The history database is left alone: %s. Nothing is recorded.", text);
		break;
	}
}

static void damaged(void *user, const char *text, const char *aside)
{
	struct history *h = user;

	hub_event(h->hub, "history-damaged", "warning", NULL, NULL,
		  "The history database was damaged (%s). It is set aside as %s, and a new one is "
		  "begun.",
		  text, aside);
}

static const struct writer_ops writer_ops = { state_changed, damaged };

/* ---- one UPS ---- */

static const struct past_ups *past_of(const struct history *h, const char *name)
{
	for (size_t i = 0; h->past && i < h->past->n_upses; i++)
		if (strcmp(h->past->upses[i].name, name) == 0)
			return &h->past->upses[i];
	return NULL;
}

static struct record *record_new(struct history *h, struct hub_ups *ups)
{
	struct record *r = xcalloc(1, sizeof(*r));
	const struct past_ups *past = past_of(h, ups->name);
	int64_t wall = wall_us();

	r->ups = ups;
	r->name = xstrdup(ups->name);
	tally_init(&r->tally, past ? &past->totals : NULL, wall);
	chunk_init(&r->chunk);
	if (past) {
		/* what the clock says: it may have been set meanwhile, but nothing else knows */
		int64_t away = wall - past->saved_us;
		uint64_t gap_ms = away > 0 && away < GAP_MAX_US ? (uint64_t)away / 1000 : 0;

		tally_gap(&r->tally, gap_ms);
		if (past->in_outage)
			tally_resume(&r->tally, &past->outage, gap_ms);
	}
	ups->totals = &r->tally.totals;
	r->next = h->records;
	h->records = r;
	return r;
}

static struct record *record_of(struct history *h, struct hub_ups *ups)
{
	for (struct record *r = h->records; r; r = r->next)
		if (r->ups == ups)
			return r;
	return record_new(h, ups);
}

static const char *const results[] = {
	[TEST_RUNS] = "runs",
	[TEST_PASSED] = "passed",
	[TEST_FAILED] = "failed",
	[TEST_INTERRUPTED] = "was interrupted",
};

static void tell_test(struct history *h, const struct record *r)
{
	const struct test *t = &r->tally.test;

	hub_event(h->hub, "test-result", t->result == TEST_FAILED ? "alert" : "info", r->name, NULL,
		  "The battery self-test %s: %s.", results[t->result], t->reason);
}

static void follow(struct history *h, struct record *r)
{
	int64_t wall = wall_us();
	unsigned what = tally_look(&r->tally, &r->ups->snap, clock_us(), wall);

	if (what & (TALLY_OUTAGE_BEGAN | TALLY_OUTAGE_ENDED)) {
		writer_put_outage(h->writer, r->name, &r->tally.outage);
		writer_put_totals(h->writer, r->name, &r->tally.totals, wall);
	}
	if (what & (TALLY_TEST_BEGAN | TALLY_TEST_ENDED))
		writer_put_test(h->writer, r->name, &r->tally.test);
	if (what)
		writer_wake(h->writer);
	if (what & TALLY_TEST_ENDED)
		tell_test(h, r);
}

static void close_chunk(struct history *h, struct record *r)
{
	uint8_t data[PACK_CHUNK_MAX];
	int64_t start_ms;
	size_t len = chunk_close(&r->chunk, &r->ups->snap, clock_us(), wall_us(), &start_ms, data);

	if (len)
		writer_put_chunk(h->writer, r->name, start_ms, data, len);
}

static void write_round(struct history *h, struct record *r)
{
	close_chunk(h, r);
	writer_put_totals(h->writer, r->name, &r->tally.totals, wall_us());
	if (r->tally.in_outage)
		writer_put_outage(h->writer, r->name, &r->tally.outage);
	if (r->tally.in_test)
		writer_put_test(h->writer, r->name, &r->tally.test);
}

static void record_free(struct history *h, struct record *r)
{
	struct record **link = &h->records;

	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	r->ups->totals = NULL;
	tally_close(&r->tally);
	free(r->name);
	free(r);
}

/* ---- what the hub tells ---- */

static void changed(void *data, struct hub_ups *ups, uint64_t mask)
{
	struct history *h = data;
	struct record *r = record_of(h, ups);

	(void)mask;
	chunk_look(&r->chunk, &ups->snap, clock_us(), wall_us());
	follow(h, r);
}

static void event(void *data, const struct hub_event *hub_event)
{
	struct history *h = data;

	writer_put_event(h->writer, hub_event);
}

static void ups_removed(void *data, struct hub_ups *ups)
{
	struct history *h = data;
	struct record *r = record_of(h, ups);
	unsigned what = tally_end(&r->tally, wall_us());

	write_round(h, r);
	if (what & TALLY_OUTAGE_ENDED)
		writer_put_outage(h->writer, r->name, &r->tally.outage);
	if (what & TALLY_TEST_ENDED)
		writer_put_test(h->writer, r->name, &r->tally.test);
	record_free(h, r);
}

static const struct hub_front hub_ops = {
	.name = "history",
	.changed = changed,
	.event = event,
	.ups_removed = ups_removed,
};

static void write_all(struct history *h)
{
	for (struct record *r = h->records; r; r = r->next)
		write_round(h, r);
	writer_wake(h->writer);
}

static void tick_cb(evutil_socket_t fd, short what, void *data)
{
	struct history *h = data;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < hub_ups_count(h->hub); i++)
		follow(h, record_of(h, hub_ups_at(h->hub, i)));
	if (++h->ticks % TICKS_PER_ROUND == 0)
		write_all(h);
}

static void ask(void *keeper, const struct record_query *query, record_cb cb, void *user)
{
	struct history *h = keeper;

	reader_ask(h->reader, query, cb, user);
}

/* ---- life ---- */

static struct store_limits limits_of(const struct history_config *config)
{
	unsigned n = config->n_ups ? config->n_ups : 1;

	return (struct store_limits){
		.raw_hours = config->raw_hours,
		.minute_days = config->minute_days,
		.quarter_days = config->quarter_days,
		.max_bytes = (uint64_t)config->max_mb * 1000000 * n,
	};
}

static void restore_events(struct hub *hub, const struct past *past)
{
	hub_set_run(past->log_id);
	for (size_t i = 0; i < past->n_events; i++) {
		const struct past_event *e = &past->events[i];

		hub_event_restore(hub, e->id, e->wall_us, e->kind, e->severity, e->ups, e->text,
				  e->facts);
	}
	hub_events_continue(hub, past->last_event);
}

struct history *history_new(struct hub *hub, const struct history_config *config)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct store_limits limits = limits_of(config);
	struct history *h = xcalloc(1, sizeof(*h));

	h->hub = hub;
	h->writer = writer_new(hub_base(hub), config->path, &limits, &writer_ops, h);
	h->past = writer_past(h->writer, PATIENCE_US);
	if (h->past)
		restore_events(hub, h->past);
	h->reader = reader_new(hub_base(hub), config->path, h->writer);
	h->tick = event_new(hub_base(hub), -1, EV_PERSIST, tick_cb, h);
	event_add(h->tick, &second);
	hub_attach(hub, &hub_ops, h);
	hub_set_records(hub, ask, h);
	return h;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	hub_set_records(h->hub, NULL, NULL);
	hub_detach(h->hub, h);
	event_free(h->tick);
	reader_free(h->reader);
	write_all(h);
	while (h->records)
		record_free(h, h->records);
	writer_free(h->writer);
	free(h);
}

void history_configure(struct history *h, const struct history_config *config)
{
	struct store_limits limits = limits_of(config);

	writer_limit(h->writer, &limits);
}
