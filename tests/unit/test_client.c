#include <ups2000/client.h>

#include "lib/journal.h"
#include "sim/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A client of the library and a simulated UPS on the other end of the wire, in virtual time. */
struct bench {
	struct u2k_client *client;
	struct sim_server ups;
	int64_t now;
	size_t longest_request;
};

static void bench_open(struct bench *b, const struct u2k_client_config *config)
{
	struct sim_server_options line;
	struct sim_options device;

	*b = (struct bench){ .now = 1000000 };
	sim_server_options_default(&line);
	sim_options_default(&device);
	sim_server_init(&b->ups, b->now, &line, &device);
	assert_int_equal(u2k_client_new(config, b->now, &b->client), 0);
	u2k_client_link(b->client, true, b->now);
}

/* Until the time is over or done() says so. */
static bool run(struct bench *b, double seconds, bool (*done)(struct bench *))
{
	int64_t until = b->now + (int64_t)(seconds * 1e6);
	uint8_t buf[U2K_FRAME_MAX];

	for (;;) {
		int64_t next = until, other;
		size_t n;

		while ((n = u2k_client_take(b->client, buf, sizeof(buf), b->now)) > 0) {
			sim_server_receive(&b->ups, b->now, buf, n);
			if (n > b->longest_request)
				b->longest_request = n;
		}
		while ((n = sim_server_send(&b->ups, b->now, buf, sizeof(buf))) > 0)
			u2k_client_feed(b->client, buf, n, b->now);
		if (done && done(b))
			return true;
		if (b->now >= until)
			return false;
		other = u2k_client_deadline(b->client, b->now);
		if (other < next)
			next = other;
		other = sim_server_next_us(&b->ups);
		if (other < next)
			next = other;
		b->now = next > b->now ? next : b->now + 1;
	}
}

static bool is_identified(struct bench *b)
{
	return u2k_client_snapshot(b->client)->comm == U2K_COMM_OK &&
	       u2k_client_snapshot(b->client)->gate == U2K_GATE_OPEN;
}

static bool sees_outage(struct bench *b)
{
	return u2k_client_snapshot(b->client)->flags & U2K_OB;
}

static const struct u2k_client_config commanding = { .control = true, .status_interval_ms = 100 };

static void test_reads(void **state)
{
	struct bench b;
	const struct u2k_snapshot *ups;
	int64_t out;

	(void)state;
	bench_open(&b, &commanding);
	assert_true(run(&b, 20, is_identified));
	ups = u2k_client_snapshot(b.client);
	assert_string_equal(ups->identity.esn, "21022900000000000001");
	assert_true(ups->flags & U2K_OL);
	assert_true(u2k_client_changes(b.client) & U2K_CHANGED_COMM);
	assert_int_equal(u2k_client_changes(b.client), 0);
	assert_false(u2k_client_is_broken(b.client));

	run(&b, 5, NULL);
	out = b.now;
	sim_device_mains(&b.ups.dev, false, 0, 0);
	assert_true(run(&b, 5, sees_outage));
	assert_true(b.now - out < 1000000);
	assert_true(u2k_client_changes(b.client) & U2K_CHANGED_FLAGS);

	u2k_client_link(b.client, false, b.now);
	run(&b, 15, NULL);
	assert_int_equal(u2k_client_snapshot(b.client)->comm, U2K_COMM_CLOSED);
	u2k_client_free(b.client);
}

/* An owner that keeps the journal; goes on. */
static bool keep_journal(struct bench *b)
{
	char journal[U2K_JOURNAL_MAX];

	if (u2k_client_journal(b->client, journal))
		u2k_client_journal_kept(b->client, true);
	return false;
}

static struct u2k_end ended;

static bool has_ended(struct bench *b)
{
	keep_journal(b);
	return u2k_client_outcome(b->client, &ended);
}

static void test_commands(void **state)
{
	struct u2k_news news;
	bool progress = false;
	struct bench b;
	int order;

	(void)state;
	bench_open(&b, &commanding);
	assert_true(run(&b, 20, is_identified));

	order = u2k_client_command(b.client, "beeper.disable", NULL, b.now);
	assert_true(order > 0);
	assert_true(run(&b, 60, has_ended));
	assert_int_equal(ended.order, order);
	assert_int_equal(ended.outcome, U2K_VERIFIED);
	assert_true(ended.text[0]);
	assert_int_equal(b.ups.dev.muted, 1);
	while (u2k_client_news(b.client, &news))
		progress |= news.order == order && !strcmp(news.kind, "progress");
	assert_true(progress);

	assert_int_equal(u2k_client_command(b.client, "load.explode", NULL, b.now), order + 1);
	assert_true(run(&b, 60, has_ended));
	assert_int_equal(ended.order, order + 1);
	assert_int_equal(ended.outcome, U2K_REFUSED);
	assert_int_equal(ended.error, U2K_ENOTSUP);
	assert_false(u2k_client_outcome(b.client, &ended));

	assert_int_equal(u2k_client_set(b.client, "ups.delay.shutdown", "120", b.now), order + 2);
	assert_true(run(&b, 60, has_ended));
	assert_int_equal(ended.outcome, U2K_VERIFIED);
	assert_int_equal(u2k_client_set(b.client, "ups.delay.shutdown", "121", b.now), order + 3);
	assert_true(run(&b, 60, has_ended));
	assert_int_equal(ended.outcome, U2K_REFUSED);
	assert_int_equal(ended.error, U2K_EINVAL);
	u2k_client_free(b.client);
}

static void test_switchoff_counts_down(void **state)
{
	struct bench b;
	int64_t due = -1;

	(void)state;
	bench_open(&b, &commanding);
	assert_true(run(&b, 20, is_identified));
	assert_false(u2k_client_pending(b.client, b.now, NULL));
	assert_true(u2k_client_command(b.client, "shutdown.return", NULL, b.now) > 0);
	run(&b, 20, keep_journal);
	assert_true(u2k_client_pending(b.client, b.now, &due));
	assert_in_range(due, 20, 60);
	assert_true(u2k_client_command(b.client, "shutdown.stop", NULL, b.now) > 0);
	run(&b, 20, keep_journal);
	assert_false(u2k_client_pending(b.client, b.now, NULL));
	u2k_client_free(b.client);
}

static void test_orders_are_counted(void **state)
{
	struct u2k_end end;
	struct bench b;

	(void)state;
	bench_open(&b, &commanding);
	for (int i = 1; i <= U2K_ORDERS_MAX; i++)
		assert_int_equal(u2k_client_command(b.client, "no.such", NULL, b.now), i);
	assert_int_equal(u2k_client_command(b.client, "no.such", NULL, b.now), U2K_EBUSY);
	assert_true(u2k_client_outcome(b.client, &end));
	assert_int_equal(end.order, 1);
	assert_int_equal(u2k_client_command(b.client, "no.such", NULL, b.now), U2K_ORDERS_MAX + 1);
	assert_int_equal(u2k_client_command(b.client, "", NULL, b.now), U2K_EINVAL);
	assert_int_equal(u2k_client_command(b.client, NULL, NULL, b.now), U2K_EINVAL);
	assert_int_equal(u2k_client_set(b.client, "ups.delay.start", NULL, b.now), U2K_EINVAL);
	u2k_client_free(b.client);
}

static void test_only_reads(void **state)
{
	struct u2k_client_config config = { .control = false };
	struct bench b;

	(void)state;
	bench_open(&b, &config);
	assert_int_equal(u2k_client_command(b.client, "beeper.disable", NULL, b.now), U2K_ENOTSUP);
	run(&b, 20, NULL);
	assert_int_equal(u2k_client_snapshot(b.client)->gate, U2K_GATE_CONFIG);
	assert_int_equal(b.ups.count.writes_single + b.ups.count.writes_multiple, 0);
	assert_true(b.ups.count.reads > 0);
	u2k_client_free(b.client);
}

/* A request that nobody fetched is lost like one that nobody answered, and no other replaces it. */
static void test_owner_that_sleeps(void **state)
{
	struct u2k_client_config config = { 0 };
	uint8_t buf[U2K_FRAME_MAX];
	struct u2k_client *client;

	(void)state;
	assert_int_equal(u2k_client_new(&config, 1, &client), 0);
	assert_int_equal(u2k_client_take(client, buf, sizeof(buf), 1), 0);
	u2k_client_link(client, true, 1);
	assert_int_equal(u2k_client_take(client, buf, 3, 10000000), 0); /* too small */
	assert_int_equal(u2k_client_deadline(client, 10000000), 10000000);
	assert_true(u2k_client_take(client, buf, sizeof(buf), 20000000) > 0);
	for (int64_t now = 30000000; now < 90000000; now += 1000000)
		while (u2k_client_take(client, buf, sizeof(buf), now))
			;
	assert_int_equal(u2k_client_snapshot(client)->comm, U2K_COMM_SILENT);
	u2k_client_free(client);
	u2k_client_free(NULL);
}

static void test_bad_configurations(void **state)
{
	static const struct {
		const char *what;
		struct u2k_client_config config;
	} rows[] = {
		{ "framing", { .framing = (enum u2k_framing)7 } },
		{ "unit id", { .unit_id = 248 } },
		{ "number", { .number = 5 } },
		{ "baud", { .baud = 1 } },
		{ "interval", { .status_interval_ms = 5001 } },
		{ "shutdown delay, too long", { .shutdown_delay_s = 5946 } },
		{ "shutdown delay, odd", { .shutdown_delay_s = 7 } },
		{ "start delay", { .start_delay_s = 61 } },
		{ "reboot delay", { .reboot_delay_s = 5 } },
		{ "serial", { .serial = "0123456789012345678901234567890123456789" } },
		{ "journal", { .journal = "what?" } },
	};
	struct u2k_client *client = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(u2k_client_new(&rows[i].config, 1, &client), U2K_EINVAL);
		assert_null(client);
	}
}

static void test_journal(void **state)
{
	const struct engine_journal full = {
		.esn = "2102 29/x",
		.owed_auto_start = true,
		.auto_start = 1,
		.owed_bypass = true,
		.bypass = 0,
		.proven = STAGE_SINGLES,
		.pending = true,
		.pending_kind = 2,
		.pending_stage = STAGE_PAIR,
		.pending_due_us = 123456789012345,
		.pending_delay_s = 60,
		.pending_on_s = 120,
	};
	const struct engine_journal empty = { 0 };
	static const char *const bad[] = {
		"",
		"ups2000 2 0 -1 -1 -1 0 0 0 0 x\n",
		"ups2000 1 0 -1 -1 -1 0 0 0 x\n",
		"ups2000 1 9 -1 -1 -1 0 0 0 0 x\n",
		"ups2000 1 0 2 -1 -1 0 0 0 0 x\n",
		"ups2000 1 0 -1 -2 -1 0 0 0 0 x\n",
		"ups2000 1 0 -1 -1 4 0 0 0 0 x\n",
		"ups2000 1 0 -1 -1 -1 0 -5 0 0 x\n",
		"ups2000 1 0 -1 -1 -1 0 0 5941 0 x\n",
		"ups2000 1 0 -1 -1 -1 0 0 0 0",
		"ups2000 1 0 -1 -1 -1 0 0 0 0 x\ny\n",
		"ups2000 1 0 -1 -1 -1 0 0 0 0 0123456789012345678901234567890123456789\n",
	};
	struct engine_journal read;
	char text[U2K_JOURNAL_MAX];

	(void)state;
	journal_print(&full, text);
	assert_true(journal_parse(text, &read));
	assert_string_equal(read.esn, full.esn);
	assert_true(read.owed_auto_start && read.auto_start == 1);
	assert_true(read.owed_bypass && read.bypass == 0);
	assert_int_equal(read.proven, STAGE_SINGLES);
	assert_true(read.pending && read.pending_kind == 2 && read.pending_stage == STAGE_PAIR);
	assert_int_equal(read.pending_due_us, 123456789012345);
	assert_int_equal(read.pending_delay_s, 60);
	assert_int_equal(read.pending_on_s, 120);

	journal_print(&empty, text);
	assert_true(journal_parse(text, &read));
	assert_false(read.owed_auto_start || read.owed_bypass || read.pending || read.esn[0]);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(journal_parse(bad[i], &read));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_switchoff_counts_down),
		cmocka_unit_test(test_orders_are_counted),
		cmocka_unit_test(test_only_reads),
		cmocka_unit_test(test_owner_that_sleeps),
		cmocka_unit_test(test_bad_configurations),
		cmocka_unit_test(test_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
