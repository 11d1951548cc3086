#include "history/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "history/ask.h"
#include "util/util.h"

static const int64_t T0 = INT64_C(1767225600); /* 2026-01-01T00:00:00Z */

struct fixture {
	char dir[32], path[64];
	struct store *store;
	int64_t ups;
};

static struct store *open_store(struct fixture *f)
{
	enum store_result result;
	char error[256] = "";

	f->store = store_open(f->path, &result, error, sizeof(error));
	if (!f->store)
		print_message("%s\n", error);
	assert_non_null(f->store);
	return f->store;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/u2k-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/history.db", f->dir);
	open_store(f);
	f->ups = store_ups(f->store, "rack");
	assert_true(f->ups > 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	struct fixture *f = *state;
	char path[80];

	store_close(f->store, true);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, parts[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* One chunk of 4 s with a voltage that held for its whole length. */
static void put_chunk(struct fixture *f, int64_t t_s, double volts)
{
	struct pack_chunk chunk = { 0 };
	uint8_t data[PACK_CHUNK_MAX];

	chunk.series[0] = (struct pack_series){ 1, 40, { { 0, pack_int(0, volts) } } };
	assert_int_equal(
		store_put_chunk(f->store, f->ups, t_s * 1000, data, pack_chunk(&chunk, data)),
		STORE_OK);
}

static void put_hours(struct fixture *f, int64_t from_s, int64_t to_s, double volts)
{
	assert_int_equal(store_begin(f->store), STORE_OK);
	for (int64_t t = from_s; t < to_s; t += 4)
		put_chunk(f, t, volts);
	assert_int_equal(store_commit(f->store), STORE_OK);
}

static void roll_up(struct fixture *f, int64_t now_s)
{
	bool more = true;

	while (more) {
		assert_int_equal(store_begin(f->store), STORE_OK);
		assert_int_equal(store_roll_up(f->store, now_s, &more), STORE_OK);
		assert_int_equal(store_commit(f->store), STORE_OK);
	}
}

static int64_t count(struct fixture *f, const char *sql)
{
	sqlite3_stmt *s;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(store_handle(f->store), sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static json_t *chart(struct fixture *f, int64_t from_s, int64_t to_s, unsigned points)
{
	struct record_query query = { .kind = RECORD_HISTORY,
				      .ups = "rack",
				      .qty = U2K_QTY_INPUT_VOLTAGE,
				      .from_us = from_s * U2K_SEC,
				      .to_us = to_s * U2K_SEC,
				      .points = points };
	char *text = NULL;
	json_t *json;

	assert_int_equal(ask_run(store_handle(f->store), &query, &text), 200);
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	free(text);
	return json;
}

/* What the point at that time says; not known: -1. column 1 min, 2 mean, 3 max. */
static double point(const json_t *json, int64_t t_s, size_t column)
{
	const json_t *at, *value;
	size_t i;

	json_array_foreach(json_object_get(json, "points"), i, at)
	{
		if (json_integer_value(json_array_get(at, 0)) != t_s)
			continue;
		value = json_array_get(at, column);
		return json_is_null(value) ? -1 : json_number_value(value);
	}
	fail_msg("no point at %lld", (long long)t_s);
	return 0;
}

#define assert_near(a, b) assert_true((a) > (b)-0.051 && (a) < (b) + 0.051)

static void test_readings_come_back(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	put_hours(f, T0 + 100, T0 + 200, 230);
	put_hours(f, T0 + 220, T0 + 300, 231.5);
	json = chart(f, T0 + 90, T0 + 310, 22); /* 10 s each */
	assert_int_equal(json_integer_value(json_object_get(json, "step_s")), 10);
	assert_int_equal(json_integer_value(json_object_get(json, "resolution_s")), 1);
	assert_near(point(json, T0 + 90, 2), -1);
	assert_near(point(json, T0 + 100, 2), 230);
	assert_near(point(json, T0 + 190, 3), 230);
	assert_near(point(json, T0 + 200, 2), -1); /* nothing is drawn across a gap */
	assert_near(point(json, T0 + 210, 2), -1);
	assert_near(point(json, T0 + 220, 2), 231.5);
	assert_near(point(json, T0 + 300, 2), -1);
	json_decref(json);

	json = chart(f, T0, T0 + 600, 1);
	assert_near(point(json, T0, 1), 230);
	assert_near(point(json, T0, 2), (230 * 100 + 231.5 * 80) / 180);
	assert_near(point(json, T0, 3), 231.5);
	json_decref(json);
}

static void test_roll_up(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	put_hours(f, T0, T0 + 3600, 230);
	put_hours(f, T0 + 3600, T0 + 5400, 220);
	put_hours(f, T0 + 5400, T0 + 7200, 240);
	roll_up(f, T0 + 7200); /* the second hour is not settled yet */
	assert_int_equal(count(f, "SELECT minute_until FROM ups"), T0 + 3600);
	roll_up(f, T0 + 7300);
	assert_int_equal(count(f, "SELECT minute_until FROM ups"), T0 + 7200);
	assert_int_equal(count(f, "SELECT count(*) FROM block WHERE tier = 1"), 2);
	assert_int_equal(count(f, "SELECT count(*) FROM block WHERE tier = 2"), 0);

	/* from minutes alone */
	sqlite3_exec(store_handle(f->store), "DELETE FROM raw", NULL, NULL, NULL);
	json = chart(f, T0, T0 + 7200, 120);
	assert_int_equal(json_integer_value(json_object_get(json, "resolution_s")), 60);
	assert_near(point(json, T0, 2), 230);
	assert_near(point(json, T0 + 3540, 2), 230);
	assert_near(point(json, T0 + 3600, 2), 220);
	assert_near(point(json, T0 + 7140, 2), 240);
	json_decref(json);

	/* a day later: from quarters alone */
	roll_up(f, T0 + DAY_S + 3700);
	assert_int_equal(count(f, "SELECT quarter_until FROM ups"), T0 + DAY_S);
	sqlite3_exec(store_handle(f->store), "DELETE FROM block WHERE tier = 1", NULL, NULL, NULL);
	json = chart(f, T0, T0 + DAY_S, 24);
	assert_int_equal(json_integer_value(json_object_get(json, "resolution_s")), 900);
	assert_near(point(json, T0, 2), 230);
	assert_near(point(json, T0 + 3600, 1), 220);
	assert_near(point(json, T0 + 3600, 2), 230);
	assert_near(point(json, T0 + 3600, 3), 240);
	assert_near(point(json, T0 + 7200, 2), -1);
	json_decref(json);
}

/* Finer than what is kept: the same value over the points it covers, and it is said. */
static void test_finer_than_kept(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	put_hours(f, T0, T0 + 3600, 230);
	roll_up(f, T0 + 3700);
	sqlite3_exec(store_handle(f->store), "DELETE FROM raw", NULL, NULL, NULL);
	json = chart(f, T0, T0 + 300, 30);
	assert_int_equal(json_integer_value(json_object_get(json, "resolution_s")), 60);
	for (int i = 0; i < 30; i++)
		assert_near(point(json, T0 + 10 * i, 2), 230);
	json_decref(json);
}

/* Each part from the tier that has it: quarters, minutes, chunks. */
static void test_tiers_join(void **state)
{
	struct fixture *f = *state;
	int64_t now = T0 + 2 * DAY_S + 7200;
	struct store_limits limits = { 1, 2, 3650, UINT64_C(1) << 40 };
	json_t *json;

	put_hours(f, T0, now, 230);
	roll_up(f, now);
	assert_int_equal(store_begin(f->store), STORE_OK);
	for (int i = 0; i < 40; i++)
		assert_int_equal(store_prune(f->store, &limits, now + DAY_S / 2, true), STORE_OK);
	assert_int_equal(store_commit(f->store), STORE_OK);
	assert_int_equal(count(f, "SELECT min(t) FROM block WHERE tier = 1"),
			 T0 + DAY_S / 2 + 7200);
	assert_int_equal(count(f, "SELECT min(t_ms) / 1000 FROM raw"), now - 3600);
	json = chart(f, T0, now, 5000);
	for (int64_t t = T0; t + 60 < now; t += 36)
		if (t % 36 == 0)
			assert_near(point(json, T0 + (t - T0) / 36 * 36, 2), 230);
	json_decref(json);
}

static void test_clock_set_back(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	put_hours(f, T0, T0 + 7200, 230);
	roll_up(f, T0 + 7300);
	put_hours(f, T0 + 600, T0 + 1200, 240); /* the same ten minutes, lived again */
	assert_int_equal(count(f, "SELECT minute_until FROM ups"), T0);
	assert_int_equal(count(f, "SELECT count(*) FROM raw"), 1800 + 150);
	roll_up(f, T0 + 7300);
	json = chart(f, T0, T0 + 7200, 120);
	assert_near(point(json, T0 + 540, 3), 230);
	assert_near(point(json, T0 + 600, 1), 230);
	assert_near(point(json, T0 + 600, 2), 235);
	assert_near(point(json, T0 + 600, 3), 240);
	json_decref(json);
}

/* What was rolled up survives that its source is gone when an hour is rolled up again. */
static void test_roll_up_keeps_what_it_cannot_make_again(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	put_hours(f, T0, T0 + 3600, 230);
	roll_up(f, T0 + 3700);
	sqlite3_exec(store_handle(f->store), "DELETE FROM raw", NULL, NULL, NULL);
	put_hours(f, T0 + 1800, T0 + 1860, 250);
	roll_up(f, T0 + 3700);
	json = chart(f, T0, T0 + 3600, 60);
	assert_near(point(json, T0, 2), 230);
	assert_near(point(json, T0 + 1800, 2), 250);
	assert_near(point(json, T0 + 1860, 2), 230);
	json_decref(json);
}

/* Unless the clock can be trusted, age deletes nothing. */
static void test_prune(void **state)
{
	struct fixture *f = *state;
	struct store_limits limits = { 1, 2, 3, UINT64_C(1) << 40 };
	int64_t later = T0 + 100 * (int64_t)DAY_S;

	put_hours(f, T0, T0 + 3600, 230);
	assert_int_equal(store_prune(f->store, &limits, later, true), STORE_OK);
	assert_int_equal(count(f, "SELECT count(*) FROM raw"), 900); /* not rolled up yet */
	roll_up(f, later);
	assert_int_equal(store_prune(f->store, &limits, later, false), STORE_OK);
	assert_int_equal(count(f, "SELECT count(*) FROM raw"), 900);
	assert_int_equal(store_prune(f->store, &limits, later, true), STORE_OK);
	assert_int_equal(count(f, "SELECT count(*) FROM raw"), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM block"), 0);
}

static void test_size_has_a_limit(void **state)
{
	struct fixture *f = *state;
	struct store_limits limits = { 24, 3660, 36600, UINT64_C(1) << 40 };
	uint64_t before;
	char sql[400];

	snprintf(sql, sizeof(sql),
		 "WITH RECURSIVE hour(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM hour LIMIT 480),"
		 " q(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM q LIMIT 14)"
		 " INSERT INTO block SELECT 1, 1, q.n, %lld + hour.n * 3600, zeroblob(300)"
		 " FROM hour, q",
		 (long long)T0);
	assert_int_equal(sqlite3_exec(store_handle(f->store), sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_prune(f->store, &limits, T0 + 20 * DAY_S, true), STORE_OK);
	before = store_bytes(f->store);
	assert_true(before > 2000000);
	assert_int_equal(count(f, "SELECT min(t) FROM block"), T0);
	limits.max_bytes = before / 2;
	for (int i = 0; i < 20; i++)
		assert_int_equal(store_prune(f->store, &limits, T0 + 20 * DAY_S, true), STORE_OK);
	assert_true(store_bytes(f->store) <= before / 2);
	assert_true(store_bytes(f->store) > before / 4);	/* no more than needed */
	assert_true(count(f, "SELECT min(t) FROM block") > T0); /* the oldest went */
	assert_int_equal(count(f, "SELECT max(t) FROM block"), T0 + 479 * HOUR_S);
}

static void test_totals(void **state)
{
	struct fixture *f = *state;
	const struct history_totals in = { .since_us = 1,
					   .output_mj = UINT64_C(3153600000000),
					   .battery_mj = 3,
					   .measured_ms = 4,
					   .gap_ms = 5,
					   .on_battery_ms = 6,
					   .outages = 7,
					   .last_outage_us = 8,
					   .last_outage_end_us = 9 };
	struct history_totals out;
	int64_t saved;

	assert_false(store_get_totals(f->store, "rack", &out, &saved)); /* nothing counted yet */
	assert_int_equal(store_put_totals(f->store, f->ups, &in, 1234), STORE_OK);
	store_close(f->store, true);
	open_store(f);
	assert_true(store_get_totals(f->store, "rack", &out, &saved));
	assert_memory_equal(&in, &out, sizeof(in));
	assert_int_equal(saved, 1234);
	assert_false(store_get_totals(f->store, "other", &out, &saved));
}

static json_t *ask(struct fixture *f, enum record_kind kind, unsigned limit, uint64_t before)
{
	struct record_query query = { .kind = kind,
				      .to_us = (T0 + DAY_S) * U2K_SEC,
				      .now_us = (T0 + 500) * U2K_SEC,
				      .limit = limit,
				      .before = before };
	char *text = NULL;
	json_t *json;

	assert_int_equal(ask_run(store_handle(f->store), &query, &text), 200);
	json = json_loads(text, 0, NULL);
	free(text);
	return json;
}

static void put_event(struct fixture *f, uint64_t id, int64_t t_s, const char *ups,
		      const char *kind)
{
	struct store_event event = {
		id, t_s * U2K_SEC, ups, kind, "info", "Something.", "{\"a\":1}"
	};

	assert_int_equal(store_put_event(f->store, &event), STORE_OK);
}

/* Field by field: what pads a struct may be anything. */
static void assert_same_outage(const struct outage *a, const struct outage *b)
{
	assert_int_equal(a->start_us, b->start_us);
	assert_int_equal(a->end_us, b->end_us);
	assert_int_equal(a->seen_us, b->seen_us);
	assert_int_equal(a->unseen_ms, b->unseen_ms);
	assert_near(a->start_charge, b->start_charge);
	assert_near(a->lowest_charge, b->lowest_charge);
	assert_near(a->lowest_voltage, b->lowest_voltage);
	assert_near(a->lowest_runtime_s, b->lowest_runtime_s);
	assert_true(a->low_battery == b->low_battery);
	assert_int_equal(a->energy_mj, b->energy_mj);
}

static void test_outages(void **state)
{
	struct fixture *f = *state;
	struct outage open = { .start_us = (T0 + 100) * U2K_SEC,
			       .unseen_ms = 1500,
			       .start_charge = 100,
			       .lowest_charge = 62,
			       .lowest_voltage = 74.5,
			       .lowest_runtime_s = -1,
			       .low_battery = true,
			       .energy_mj = 123456 },
		      found;
	json_t *json, *row;

	put_event(f, 1, T0 + 99, "rack", "command");	 /* before it */
	put_event(f, 2, T0 + 100, "rack", "on-battery"); /* nobody did that */
	put_event(f, 3, T0 + 110, "rack", "command");
	put_event(f, 4, T0 + 120, NULL, "shutdown-host");
	put_event(f, 5, T0 + 130, "other", "command");
	assert_int_equal(store_put_outage(f->store, f->ups, &open), STORE_OK);
	assert_true(store_get_open_outage(f->store, "rack", &found));
	assert_same_outage(&open, &found);

	json = ask(f, RECORD_OUTAGES, 100, 0);
	row = json_array_get(json_object_get(json, "outages"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "ups")), "rack");
	assert_string_equal(json_string_value(json_object_get(row, "start")),
			    "2026-01-01T00:01:40.000Z");
	assert_true(json_is_null(json_object_get(row, "end")));
	assert_near(json_number_value(json_object_get(row, "duration_s")), 400);
	assert_near(json_number_value(json_object_get(row, "unseen_s")), 1.5);
	assert_near(json_number_value(json_object_get(row, "depth_percent")), 38);
	assert_near(json_number_value(json_object_get(row, "lowest_voltage")), 74.5);
	assert_true(json_is_null(json_object_get(row, "lowest_runtime_s")));
	assert_true(json_is_true(json_object_get(row, "low_battery")));
	assert_near(json_number_value(json_object_get(row, "energy_j")), 123.456);
	row = json_object_get(row, "actions");
	assert_int_equal(json_array_size(row), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(row, 0), "id")), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(row, 1), "id")), 4);
	json_decref(json);

	open.end_us = (T0 + 200) * U2K_SEC;
	assert_int_equal(store_put_outage(f->store, f->ups, &open), STORE_OK);
	assert_false(store_get_open_outage(f->store, "rack", &found));
	assert_int_equal(count(f, "SELECT count(*) FROM outage"), 1);
}

static void test_log(void **state)
{
	struct fixture *f = *state;
	json_t *json, *list;

	for (uint64_t id = 1; id <= 10; id++)
		put_event(f, id, T0 + (int64_t)id, id % 2 ? "rack" : NULL, "x");
	put_event(f, 5, T0, "other", "y"); /* an id is written once */
	json = ask(f, RECORD_LOG, 3, 8);
	list = json_object_get(json, "events");
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 7);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 2), "id")), 5);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 2), "kind")),
			    "x");
	assert_true(json_is_object(json_object_get(json_array_get(list, 0), "facts")));
	json_decref(json);
	assert_int_equal(store_last_event(f->store), 10);
}

static void test_battery_test(void **state)
{
	struct fixture *f = *state;
	struct curve_point curve[] = { { 0, 273, 100, 240 }, { 1, 251, -1, -1 } };
	struct test test = { .start_us = (T0 + 10) * U2K_SEC,
			     .start_charge = 100,
			     .lowest_charge = 99,
			     .lowest_voltage = 25.1,
			     .curve = curve,
			     .n_curve = 2 };
	json_t *json, *row;

	assert_int_equal(store_put_test(f->store, f->ups, &test), STORE_OK);
	json = ask(f, RECORD_TESTS, 10, 0);
	row = json_array_get(json_object_get(json, "tests"), 0);
	assert_true(json_is_null(json_object_get(row, "result")));
	row = json_object_get(row, "curve");
	assert_int_equal(json_array_size(row), 2);
	assert_near(json_number_value(json_array_get(json_array_get(row, 0), 1)), 27.3);
	assert_true(json_is_null(json_array_get(json_array_get(row, 1), 3)));
	json_decref(json);

	/* the daemon ended before the test did */
	assert_int_equal(store_end_tests(f->store), STORE_OK);
	json = ask(f, RECORD_TESTS, 10, 0);
	row = json_array_get(json_object_get(json, "tests"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "result")), "interrupted");
	json_decref(json);
}

/* ---- files that are not what they should be ---- */

static void refuse(struct fixture *f, enum store_result expected, const char *words)
{
	enum store_result result;
	char error[256] = "";

	assert_null(store_open(f->path, &result, error, sizeof(error)));
	print_message("%s\n", error);
	assert_int_equal(result, expected);
	assert_non_null(strstr(error, words));
}

static void change(struct fixture *f, const char *sql)
{
	assert_int_equal(sqlite3_exec(store_handle(f->store), sql, NULL, NULL, NULL), SQLITE_OK);
	store_close(f->store, true);
	f->store = NULL;
}

static void test_newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;

	change(f, "PRAGMA user_version = 1000");
	refuse(f, STORE_REFUSED, "later version");
}

static void test_foreign_database_is_refused(void **state)
{
	struct fixture *f = *state;

	change(f, "PRAGMA application_id = 7");
	refuse(f, STORE_REFUSED, "another program");
}

static void test_garbage_is_damage(void **state)
{
	struct fixture *f = *state;
	int fd;

	put_hours(f, T0, T0 + 3600, 230);
	store_close(f->store, true);
	f->store = NULL;
	fd = open(f->path, O_WRONLY);
	for (int i = 0; i < 100; i++)
		assert_int_equal(pwrite(fd, "garbage.", 8, i * 8), 8);
	close(fd);
	refuse(f, STORE_DAMAGED, "not a database");
}

static void test_damage_inside_is_found(void **state)
{
	struct fixture *f = *state;
	char page[4096];
	int fd;

	put_hours(f, T0, T0 + 3600, 230);
	store_close(f->store, false); /* as after a crash: the next one looks */
	fd = open(f->path, O_WRONLY);
	memset(page, 0xa5, sizeof(page));
	for (int i = 12; i < 20; i++)
		assert_int_equal(pwrite(fd, page, sizeof(page), i * 4096), sizeof(page));
	close(fd);
	open_store(f);
	assert_true(store_was_cut_off(f->store));
	assert_int_equal(store_check(f->store), STORE_DAMAGED);
}

static void test_lost_table_is_damage(void **state)
{
	struct fixture *f = *state;
	struct history_totals totals = { 0 };

	assert_int_equal(sqlite3_exec(store_handle(f->store), "DROP TABLE ups", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(store_put_totals(f->store, 1, &totals, 0), STORE_DAMAGED);
	assert_true(strlen(store_error(f->store)) > 0);
}

static void test_bad_blobs_cost_only_themselves(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	put_hours(f, T0, T0 + 3600, 230);
	sqlite3_exec(store_handle(f->store),
		     "UPDATE raw SET data = x'ff00ff' WHERE t_ms % 60000 < 4000", NULL, NULL, NULL);
	roll_up(f, T0 + 3700);
	sqlite3_exec(store_handle(f->store), "DELETE FROM raw", NULL, NULL, NULL);
	json = chart(f, T0, T0 + 3600, 60);
	assert_near(point(json, T0 + 1200, 2), 230);
	json_decref(json);
	sqlite3_exec(store_handle(f->store), "UPDATE block SET data = 'text'", NULL, NULL, NULL);
	json = chart(f, T0, T0 + 3600, 60);
	assert_near(point(json, T0 + 1200, 2), -1);
	json_decref(json);
	roll_up(f, T0 + DAY_S + 3700);
}

static void test_unknown_ups_and_quantity(void **state)
{
	struct fixture *f = *state;
	struct record_query query = { .kind = RECORD_HISTORY,
				      .ups = "nobody",
				      .qty = U2K_QTY_LOAD,
				      .to_us = U2K_SEC,
				      .points = 1 };
	char *text = NULL;

	/* configured, but nothing was recorded yet */
	assert_int_equal(ask_run(store_handle(f->store), &query, &text), 200);
	assert_non_null(strstr(text, "[0,null,null,null]"));
	free(text);
	query.qty = U2K_QTY_STARTUP;
	assert_int_equal(ask_run(store_handle(f->store), &query, &text), 400);
	assert_non_null(strstr(text, "not recorded"));
	free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_readings_come_back),
		TEST(test_roll_up),
		TEST(test_finer_than_kept),
		TEST(test_tiers_join),
		TEST(test_clock_set_back),
		TEST(test_roll_up_keeps_what_it_cannot_make_again),
		TEST(test_prune),
		TEST(test_size_has_a_limit),
		TEST(test_totals),
		TEST(test_outages),
		TEST(test_log),
		TEST(test_battery_test),
		TEST(test_newer_schema_is_refused),
		TEST(test_foreign_database_is_refused),
		TEST(test_garbage_is_damage),
		TEST(test_damage_inside_is_found),
		TEST(test_lost_table_is_damage),
		TEST(test_bad_blobs_cost_only_themselves),
		TEST(test_unknown_ups_and_quantity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
