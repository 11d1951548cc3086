#include "history/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/hub.h"
#include "history/jobs.h"
#include "util/files.h"
#include "util/util.h"

#define LOG_PART "history"
#include "util/log.h"

enum { RECENT_EVENTS = 200 };

static const int64_t RETRY_US = 2 * U2K_SEC, RETRY_MAX_US = 60 * U2K_SEC;
static const int64_t ROLL_UP_US = 60 * U2K_SEC;
static const int64_t PRUNE_US = 600 * U2K_SEC;
/* A clock that was set is believed after so long: until then age deletes nothing. */
static const int64_t STEADY_US = 3600 * U2K_SEC;
/* A disk that damages every database is not to be filled with damaged ones. */
static const int64_t ASIDE_US = 600 * U2K_SEC;

struct writer {
	char *path;
	const struct writer_ops *ops;
	void *user;
	int told_fd; /* the loop is to look at state, aside */
	struct event *told;

	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t wake;  /* for the thread */
	pthread_cond_t ready; /* past is there, or will not be */
	struct jobs jobs;
	bool woken, stop;
	bool opened;	 /* the first attempt is over: past is there, or will not be in time */
	bool past_early; /* it was there in time */
	bool past_taken; /* the loop goes on from past: what it counts includes it */
	struct store_limits limits;
	struct past past;
	enum writer_state state;
	char text[320];
	char aside[512], aside_text[320]; /* "" = nothing to tell */
	unsigned generation;

	/* the thread's */
	struct store *store;
	bool past_read;
	uint64_t offset; /* of event ids, if the loop does not go on from those in the database */
	uint64_t last_event;
	unsigned failures; /* in a row */
	int64_t retry_us, roll_up_us, prune_us, aside_us;
	int64_t clock_offset_us, steady_since_us;
	enum writer_state loop_state; /* the loop's: last told */
};

/* ---- what the loop is told ---- */

static void tell(struct writer *w)
{
	uint64_t one = 1;

	if (write(w->told_fd, &one, sizeof(one)) < 0) {
		/* the counter is full: it is told already */
	}
}

static void set_state(struct writer *w, enum writer_state state, const char *text)
{
	pthread_mutex_lock(&w->lock);
	w->state = state;
	snprintf(w->text, sizeof(w->text), "%s", text ? text : "");
	pthread_mutex_unlock(&w->lock);
	tell(w);
}

static void on_told(evutil_socket_t fd, short what, void *data)
{
	struct writer *w = data;
	char text[320], aside[512], aside_text[320];
	enum writer_state state;
	uint64_t count;

	(void)what;
	if (read((int)fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&w->lock);
	state = w->state;
	memcpy(text, w->text, sizeof(text));
	memcpy(aside, w->aside, sizeof(aside));
	memcpy(aside_text, w->aside_text, sizeof(aside_text));
	w->aside[0] = '\0';
	pthread_mutex_unlock(&w->lock);
	if (*aside)
		w->ops->damaged(w->user, aside_text, aside);
	if (state != w->loop_state) {
		w->loop_state = state;
		w->ops->state(w->user, state, text);
	}
}

/* ---- the past ---- */

static void keep_event(void *user, const struct store_event *event)
{
	struct past *past = user;
	struct past_event *e = &past->events[past->n_events++];

	*e = (struct past_event){ .id = event->id,
				  .wall_us = event->wall_us,
				  .ups = xstrdup(event->ups),
				  .kind = xstrdup(event->kind),
				  .severity = xstrdup(event->severity),
				  .text = xstrdup(event->text),
				  .facts = xstrdup(event->facts) };
}

static void keep_ups(void *user, const char *name)
{
	struct writer *w = user;
	struct past *past = &w->past;
	struct past_ups ups = { 0 };

	if (!store_get_totals(w->store, name, &ups.totals, &ups.saved_us))
		return;
	ups.name = xstrdup(name);
	ups.in_outage = store_get_open_outage(w->store, name, &ups.outage);
	past->upses = xrealloc(past->upses, (past->n_upses + 1) * sizeof(*past->upses));
	past->upses[past->n_upses++] = ups;
}

/* Nobody looks at w->past before it is ready. */
static void read_past(struct writer *w)
{
	struct past *past = &w->past;

	w->past_read = true;
	past->log_id = store_log_id(w->store);
	past->last_event = w->last_event;
	store_each_ups(w->store, keep_ups, w);
	past->events = xcalloc(RECENT_EVENTS, sizeof(*past->events));
	store_recent_events(w->store, RECENT_EVENTS, keep_event, past);
}

void writer_forget_past(struct writer *w)
{
	for (size_t i = 0; i < w->past.n_upses; i++)
		free(w->past.upses[i].name);
	for (size_t i = 0; i < w->past.n_events; i++) {
		free(w->past.events[i].ups);
		free(w->past.events[i].kind);
		free(w->past.events[i].severity);
		free(w->past.events[i].text);
		free(w->past.events[i].facts);
	}
	free(w->past.upses);
	free(w->past.events);
	memset(&w->past, 0, sizeof(w->past));
}

static void say_ready(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->past_early = w->past_early || (!w->opened && w->past_read);
	w->opened = true;
	pthread_cond_broadcast(&w->ready);
	pthread_mutex_unlock(&w->lock);
}

const struct past *writer_past(struct writer *w, int64_t patience_us)
{
	struct timespec until;
	bool there;

	if (!w->running)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(patience_us / U2K_SEC);
	pthread_mutex_lock(&w->lock);
	while (!w->opened)
		if (pthread_cond_timedwait(&w->ready, &w->lock, &until) == ETIMEDOUT)
			break;
	there = w->past_early;
	w->past_taken = there;
	pthread_mutex_unlock(&w->lock);
	return there ? &w->past : NULL;
}

/* ---- the database ---- */

static void close_store(struct writer *w, bool clean)
{
	store_close(w->store, clean);
	w->store = NULL;
}

static void failed(struct writer *w, const char *text)
{
	int64_t wait = RETRY_US << (w->failures < 5 ? w->failures : 5);

	w->failures++;
	w->retry_us = clock_us() + (wait < RETRY_MAX_US ? wait : RETRY_MAX_US);
	log_debug("attempt %u failed: %s", w->failures, text);
	if (w->failures >= 2) /* once may be somebody else's lock */
		set_state(w, WRITER_FAILS, text);
}

/* Rename it, with what belongs to it, and say so. */
static void set_aside(struct writer *w, const char *why)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	char aside[480], stamp[32];
	time_t now = (time_t)(wall_us() / U2K_SEC);
	struct tm tm = { 0 };
	int64_t clock = clock_us();

	if (w->aside_us && clock - w->aside_us < ASIDE_US) {
		failed(w, "the database was damaged again; the disk may be failing");
		return;
	}
	w->aside_us = clock;
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	snprintf(aside, sizeof(aside), "%s.damaged-%s", w->path, stamp);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char *from = xasprintf("%s%s", w->path, parts[i]);
		char *to = xasprintf("%s%s", aside, parts[i]);

		if (rename(from, to) < 0 && errno != ENOENT)
			log_warning("%s cannot be set aside: %s", from, strerror(errno));
		free(from);
		free(to);
	}
	pthread_mutex_lock(&w->lock);
	snprintf(w->aside, sizeof(w->aside), "%s", aside);
	snprintf(w->aside_text, sizeof(w->aside_text), "%s", why);
	w->generation++;
	pthread_mutex_unlock(&w->lock);
	tell(w);
	w->failures = 0;
	w->retry_us = 0;
}

static void dispose(struct writer *w, enum store_result result, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text), "%s", why);
	if (w->store)
		close_store(w, false);
	switch (result) {
	case STORE_OK:
	case STORE_TROUBLE:
		failed(w, text);
		break;
	case STORE_DAMAGED:
		set_aside(w, text);
		break;
	case STORE_REFUSED:
		set_state(w, WRITER_REFUSED, text);
		break;
	}
}

static bool open_store(struct writer *w)
{
	enum store_result result;
	char error[256];

	w->store = store_open(w->path, &result, error, sizeof(error));
	if (!w->store) {
		dispose(w, result, error);
		return false;
	}
	pthread_mutex_lock(&w->lock);
	w->generation++;
	pthread_mutex_unlock(&w->lock);
	w->last_event = store_last_event(w->store);
	store_end_tests(w->store);
	if (w->past_read)
		return true;
	read_past(w);
	if (!store_was_cut_off(w->store))
		return true;
	say_ready(w); /* to look for damage takes longer; nobody waits for it */
	result = store_check(w->store);
	if (result == STORE_OK)
		return true;
	dispose(w, result, store_error(w->store));
	return false;
}

/*
 * The loop counts from nothing if it could not wait for what was there: then that is added here,
 * so that no counter ever falls.
 */
static enum store_result write_totals(struct writer *w, const struct job *job)
{
	int64_t ups = store_ups(w->store, job->ups);
	struct history_totals totals = job->u.totals.totals;
	bool taken;

	if (!ups)
		return STORE_TROUBLE;
	pthread_mutex_lock(&w->lock);
	taken = w->past_taken;
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; !taken && i < w->past.n_upses; i++) {
		const struct history_totals *base = &w->past.upses[i].totals;

		if (strcmp(w->past.upses[i].name, job->ups) != 0)
			continue;
		totals.since_us = base->since_us;
		totals.output_mj += base->output_mj;
		totals.battery_mj += base->battery_mj;
		totals.measured_ms += base->measured_ms;
		totals.gap_ms += base->gap_ms;
		totals.on_battery_ms += base->on_battery_ms;
		totals.outages += base->outages;
	}
	return store_put_totals(w->store, ups, &totals, job->u.totals.wall_us);
}

/* All that waits, in one transaction. */
static enum store_result write_jobs(struct writer *w, const struct jobs *jobs)
{
	enum store_result result = store_begin(w->store);
	uint64_t offset = w->offset, last = w->last_event;
	const struct job *job;

	TAILQ_FOREACH (job, &jobs->list, queue) {
		if (result != STORE_OK)
			return result;
		if (job->kind == JOB_TOTALS) {
			result = write_totals(w, job);
			continue;
		}
		if (job->kind == JOB_EVENT) {
			if (job->u.event.id + offset <= last)
				offset = last + 1 - job->u.event.id;
			last = job->u.event.id + offset;
		}
		result = job_apply(w->store, job, offset);
	}
	if (result == STORE_OK)
		result = store_commit(w->store);
	if (result == STORE_OK) {
		w->offset = offset;
		w->last_event = last;
	}
	return result;
}

static bool clock_is_steady(struct writer *w, int64_t now_us)
{
	int64_t offset = wall_us() - now_us;

	if (!w->steady_since_us || llabs(offset - w->clock_offset_us) > 5 * U2K_SEC)
		w->steady_since_us = now_us;
	w->clock_offset_us = offset;
	return now_us - w->steady_since_us >= STEADY_US;
}

static enum store_result tidy(struct writer *w)
{
	int64_t now = clock_us(), wall_s = wall_us() / U2K_SEC;
	bool steady = clock_is_steady(w, now), more = false;
	enum store_result result;
	struct store_limits limits;

	if (now < w->roll_up_us)
		return STORE_OK;
	pthread_mutex_lock(&w->lock);
	limits = w->limits;
	pthread_mutex_unlock(&w->lock);
	result = store_begin(w->store);
	if (result == STORE_OK)
		result = store_roll_up(w->store, wall_s, &more);
	if (result == STORE_OK && now >= w->prune_us)
		result = store_prune(w->store, &limits, wall_s, steady);
	if (result == STORE_OK)
		result = store_commit(w->store);
	if (result != STORE_OK)
		return result;
	if (now >= w->prune_us)
		w->prune_us = now + PRUNE_US;
	w->roll_up_us = now + (more ? U2K_SEC : ROLL_UP_US);
	return STORE_OK;
}

static void write_round(struct writer *w, struct jobs *taken)
{
	enum store_result result;

	if (!w->store && clock_us() < w->retry_us)
		return;
	if (w->store && !store_is_there(w->store)) {
		log_warning("%s has gone; it is made anew", w->path);
		close_store(w, false);
	}
	if (w->store && !store_has_head(w->store)) {
		dispose(w, STORE_DAMAGED, "it was written over");
		return;
	}
	if (!w->store && !open_store(w))
		return;
	result = write_jobs(w, taken);
	if (result != STORE_OK) {
		char why[256];

		snprintf(why, sizeof(why), "%s", store_error(w->store));
		store_rollback(w->store);
		dispose(w, result, why);
		return;
	}
	jobs_close(taken);
	if (w->failures || w->state != WRITER_WRITES) {
		w->failures = 0;
		set_state(w, WRITER_WRITES, NULL);
	}
	result = tidy(w);
	if (result != STORE_OK) {
		store_rollback(w->store);
		dispose(w, result, store_error(w->store));
	}
}

/* Locked. Until there is something to do, or a second chance for what failed. */
static void wait_for_work(struct writer *w)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 5;
	while (!w->woken && !w->stop)
		if (pthread_cond_timedwait(&w->wake, &w->lock, &until) == ETIMEDOUT)
			break;
	w->woken = false;
}

static void *writer_main(void *data)
{
	struct writer *w = data;
	struct jobs taken;
	bool stop = false;

	jobs_init(&taken);
	while (w->state != WRITER_REFUSED) {
		write_round(w, &taken);
		say_ready(w);
		pthread_mutex_lock(&w->lock);
		jobs_put_back(&w->jobs, &taken);
		if (stop) {
			pthread_mutex_unlock(&w->lock);
			break;
		}
		wait_for_work(w);
		stop = w->stop;
		if (stop)
			w->retry_us = 0; /* one more try */
		jobs_move(&taken, &w->jobs);
		pthread_mutex_unlock(&w->lock);
	}
	say_ready(w);
	if (w->store)
		close_store(w, w->failures == 0);
	return NULL;
}

/* ---- life ---- */

struct writer *writer_new(struct event_base *base, const char *path,
			  const struct store_limits *limits, const struct writer_ops *ops,
			  void *user)
{
	struct writer *w = xcalloc(1, sizeof(*w));
	pthread_condattr_t attr;

	w->path = xstrdup(path);
	w->limits = *limits;
	w->ops = ops;
	w->user = user;
	jobs_init(&w->jobs);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->ready, &attr);
	pthread_condattr_destroy(&attr);
	w->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->told_fd >= 0) {
		w->told = event_new(base, w->told_fd, EV_READ | EV_PERSIST, on_told, w);
		event_add(w->told, NULL);
		w->running = thread_start(&w->thread, writer_main, w);
	}
	if (!w->running)
		log_error("no thread for the history: nothing is recorded");
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	if (w->running) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->wake);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	writer_forget_past(w);
	jobs_close(&w->jobs);
	if (w->told)
		event_free(w->told);
	if (w->told_fd >= 0)
		close(w->told_fd);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->ready);
	pthread_mutex_destroy(&w->lock);
	free(w->path);
	free(w);
}

void writer_limit(struct writer *w, const struct store_limits *limits)
{
	pthread_mutex_lock(&w->lock);
	w->limits = *limits;
	pthread_mutex_unlock(&w->lock);
}

/* ---- the queue ---- */

static struct job *job_new(enum job_kind kind, const char *ups)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->kind = kind;
	job->ups = xstrdup(ups);
	return job;
}

static void add(struct writer *w, struct job *job)
{
	pthread_mutex_lock(&w->lock);
	if (w->running && w->state != WRITER_REFUSED)
		jobs_add(&w->jobs, job);
	else
		job_free(job);
	pthread_mutex_unlock(&w->lock);
}

void writer_put_chunk(struct writer *w, const char *ups, int64_t start_ms, const uint8_t *data,
		      size_t len)
{
	struct job *job = job_new(JOB_CHUNK, ups);

	job->u.chunk.start_ms = start_ms;
	job->u.chunk.data = xmalloc(len);
	memcpy(job->u.chunk.data, data, len);
	job->u.chunk.len = len;
	add(w, job);
}

void writer_put_totals(struct writer *w, const char *ups, const struct history_totals *totals,
		       int64_t wall)
{
	struct job *job = job_new(JOB_TOTALS, ups);

	job->u.totals.totals = *totals;
	job->u.totals.wall_us = wall;
	add(w, job);
}

void writer_put_outage(struct writer *w, const char *ups, const struct outage *outage)
{
	struct job *job = job_new(JOB_OUTAGE, ups);

	job->u.outage = *outage;
	add(w, job);
}

void writer_put_test(struct writer *w, const char *ups, const struct test *test)
{
	struct job *job = job_new(JOB_TEST, ups);

	job->u.test = *test;
	job->u.test.curve = xcalloc(test->n_curve + 1, sizeof(*test->curve));
	if (test->n_curve)
		memcpy(job->u.test.curve, test->curve, test->n_curve * sizeof(*test->curve));
	add(w, job);
}

void writer_put_event(struct writer *w, const struct hub_event *event)
{
	struct job *job = job_new(JOB_EVENT, event->ups);

	job->u.event.id = event->id;
	job->u.event.wall_us = event->wall_us;
	job->u.event.kind = xstrdup(event->kind);
	job->u.event.severity = xstrdup(event->severity);
	job->u.event.text = xstrdup(event->text);
	job->u.event.facts = xstrdup(event->facts);
	add(w, job);
	writer_wake(w);
}

void writer_wake(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->woken = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

unsigned writer_generation(struct writer *w)
{
	unsigned generation;

	pthread_mutex_lock(&w->lock);
	generation = w->generation;
	pthread_mutex_unlock(&w->lock);
	return generation;
}

uint64_t writer_dropped(struct writer *w)
{
	uint64_t dropped;

	pthread_mutex_lock(&w->lock);
	dropped = w->jobs.dropped;
	pthread_mutex_unlock(&w->lock);
	return dropped;
}
