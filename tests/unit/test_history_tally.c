#include "history/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "util/util.h"

static const int64_t WALL0 = INT64_C(1767225600) * 1000000;

/* A UPS in virtual time: now runs, the wall clock may be set. */
struct world {
	struct tally tally;
	struct u2k_snapshot snap;
	int64_t now_us, wall_us;
	unsigned what; /* TALLY_* so far */
};

static void put(struct world *w, enum u2k_qty qty, double value)
{
	w->snap.qty[qty] = (struct u2k_value){ value, w->now_us, U2K_VALID };
}

static void world_init(struct world *w, const struct history_totals *totals)
{
	memset(w, 0, sizeof(*w));
	w->now_us = 5000 * U2K_SEC;
	w->wall_us = WALL0;
	w->snap.comm = U2K_COMM_OK;
	w->snap.flags = U2K_OL;
	tally_init(&w->tally, totals, w->wall_us);
}

/* Seconds pass, with a reading and a status each; watts < 0: nothing comes. */
static void pass(struct world *w, int seconds, double watts)
{
	for (int i = 0; i < seconds; i++) {
		w->now_us += U2K_SEC;
		w->wall_us += U2K_SEC;
		if (watts >= 0) {
			put(w, U2K_QTY_OUTPUT_REALPOWER, watts);
			w->snap.status_at_us = w->now_us;
			w->snap.alarms.at_us = w->now_us;
			put(w, U2K_QTY_BATTERY_VOLTAGE, 80 - i * 0.1);
		}
		w->what |= tally_look(&w->tally, &w->snap, w->now_us, w->wall_us);
	}
}

static void test_energy_is_the_trapezoid(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	pass(&w, 11, 500); /* 10 s between 11 readings */
	assert_int_equal(w.tally.totals.output_mj, 5000 * 1000);
	assert_int_equal(w.tally.totals.measured_ms, 10000);
	pass(&w, 1, 700); /* 1 s from 500 to 700 W: 600 J */
	assert_int_equal(w.tally.totals.output_mj, 5600 * 1000);
	assert_int_equal(w.tally.totals.battery_mj, 0);
	assert_int_equal(w.tally.totals.gap_ms, 0);
}

static void test_gaps_are_counted_not_bridged(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	pass(&w, 11, 500);
	w.snap.comm = U2K_COMM_SILENT;
	pass(&w, 100, -1);
	assert_int_equal(w.tally.totals.output_mj, 5000 * 1000);
	assert_int_equal(w.tally.totals.gap_ms, 100000);
	w.snap.comm = U2K_COMM_OK;
	pass(&w, 11, 500);
	assert_int_equal(w.tally.totals.output_mj, 10000 * 1000);
	assert_int_equal(w.tally.totals.measured_ms, 20000);
	assert_int_equal(w.tally.totals.gap_ms, 101000); /* up to the first reading again */

	/* the device says that the value is invalid */
	w.snap.qty[U2K_QTY_OUTPUT_REALPOWER].validity = U2K_INVALID;
	w.now_us += 5 * U2K_SEC;
	tally_look(&w.tally, &w.snap, w.now_us, w.wall_us);
	pass(&w, 2, 500);
	assert_int_equal(w.tally.totals.output_mj, 10500 * 1000);

	/* readings stop coming, nothing else is wrong: bridged up to 30 s, not beyond */
	w.now_us += 28 * U2K_SEC;
	pass(&w, 1, 500);
	assert_int_equal(w.tally.totals.output_mj, 25000 * 1000);
	w.now_us += 31 * U2K_SEC;
	pass(&w, 1, 500);
	assert_int_equal(w.tally.totals.output_mj, 25000 * 1000);
}

static void test_every_moment_is_measured_or_gap(void **state)
{
	struct world w;
	unsigned seed = 7;
	int64_t began, all;

	(void)state;
	world_init(&w, NULL);
	tally_look(&w.tally, &w.snap, w.now_us, w.wall_us);
	began = w.now_us;
	for (int i = 0; i < 2000; i++) {
		seed = seed * 1103515245 + 12345;
		w.snap.comm = seed >> 16 & 3 ? U2K_COMM_OK : U2K_COMM_SILENT;
		pass(&w, (int)(seed >> 20 & 15), seed >> 18 & 3 ? 300 : -1);
	}
	w.snap.comm = U2K_COMM_SILENT;
	pass(&w, 40, -1);
	all = (int64_t)(w.tally.totals.measured_ms + w.tally.totals.gap_ms);
	assert_in_range(all, (w.now_us - began) / 1000 - 2, (w.now_us - began) / 1000 + 2);
}

static void test_counting_goes_on_after_a_restart(void **state)
{
	struct history_totals before;
	struct world w;

	(void)state;
	world_init(&w, NULL);
	pass(&w, 11, 500);
	before = w.tally.totals;
	world_init(&w, &before);
	tally_gap(&w.tally, 7000);
	assert_true(w.tally.totals.since_us == WALL0);
	pass(&w, 11, 500);
	assert_int_equal(w.tally.totals.output_mj, 10000 * 1000);
	assert_in_range(w.tally.totals.gap_ms, 7000, 8000);
}

static void test_wall_clock_does_not_count(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	pass(&w, 6, 500);
	w.wall_us -= 86400 * U2K_SEC;
	pass(&w, 5, 500);
	w.wall_us += 2 * 86400 * U2K_SEC;
	pass(&w, 5, 500);
	assert_int_equal(w.tally.totals.output_mj, 7500 * 1000);
	assert_int_equal(w.tally.totals.gap_ms, 0);
}

/* What docs/history.md says of published readings: A, B, C of the reference. */
static void test_small_loads(void **state)
{
	static const struct {
		double watts, load, rating, power;
	} rows[] = {
		{ 100, 7.0, 3000, 168 }, /* within the step: the load decides */
		{ 0, 17.0, 1000, 100 },	 /* beyond it: as far as the step allows */
		{ 0, 6.0, 1000, 48 },	  { 0, 0, 1000, 0 },
		{ 200, 2.0, 3000, 150 },  { 300, 2.0, 3000, 300 }, /* large enough: as it stands */
		{ 800, 30.4, 3000, 800 }, { 200, -1, 3000, 200 },  /* load not known */
		{ 200, 9.0, -1, 200 },	  { -1, 9.0, 3000, -1 },
	};
	struct u2k_snapshot snap;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct {
			enum u2k_qty qty;
			double value;
		} set[] = { { U2K_QTY_OUTPUT_REALPOWER, rows[i].watts },
			    { U2K_QTY_LOAD, rows[i].load },
			    { U2K_QTY_RATED_POWER, rows[i].rating } };

		memset(&snap, 0, sizeof(snap));
		for (size_t s = 0; s < ARRAY_SIZE(set); s++)
			if (set[s].value >= 0)
				snap.qty[set[s].qty] =
					(struct u2k_value){ set[s].value, 1, U2K_VALID };
		assert_int_equal((int)(tally_power(&snap) * 100), (int)(rows[i].power * 100));
	}
}

static void test_an_outage(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	put(&w, U2K_QTY_BATTERY_CHARGE, 100);
	pass(&w, 10, 500);
	assert_int_equal(w.what, 0);
	w.snap.flags = U2K_OB | U2K_DISCHRG;
	pass(&w, 1, 500);
	assert_int_equal(w.what, TALLY_OUTAGE_BEGAN);
	assert_int_equal(w.tally.totals.outages, 1);
	assert_true(w.tally.totals.last_outage_us == WALL0 + 11 * U2K_SEC);
	put(&w, U2K_QTY_BATTERY_CHARGE, 60);
	put(&w, U2K_QTY_BATTERY_RUNTIME, 300);
	pass(&w, 50, 500);
	put(&w, U2K_QTY_BATTERY_CHARGE, 40);
	w.snap.flags |= U2K_LB;
	pass(&w, 9, 500);
	put(&w, U2K_QTY_BATTERY_CHARGE, 45);
	w.snap.flags = U2K_OL | U2K_CHRG;
	pass(&w, 1, 500);
	assert_int_equal(w.what, TALLY_OUTAGE_BEGAN | TALLY_OUTAGE_ENDED);
	assert_true(w.tally.outage.start_us == WALL0 + 11 * U2K_SEC);
	assert_true(w.tally.outage.end_us == WALL0 + 71 * U2K_SEC);
	assert_true(w.tally.totals.last_outage_end_us == w.tally.outage.end_us);
	assert_int_equal((int)w.tally.outage.start_charge, 100);
	assert_int_equal((int)w.tally.outage.lowest_charge, 40);
	assert_int_equal((int)w.tally.outage.lowest_runtime_s, 300);
	assert_int_equal((int)(w.tally.outage.lowest_voltage * 10 + 0.5), 751);
	assert_true(w.tally.outage.low_battery);
	assert_int_equal(w.tally.outage.unseen_ms, 0);
	assert_int_equal(w.tally.totals.on_battery_ms, 60000);
	/* 59 or 60 s at 500 W: power and status are not read at the same moment */
	assert_in_range(w.tally.outage.energy_mj, 29500 * 1000, 30000 * 1000);
	assert_in_range(w.tally.totals.battery_mj, 29500 * 1000, 30000 * 1000);
}

static void test_a_flat_battery_is_still_the_outage(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	pass(&w, 5, 500);
	w.snap.flags = U2K_OB;
	pass(&w, 5, 500);
	w.snap.flags = U2K_OFF;
	put(&w, U2K_QTY_STATUS_BITS, U2K_BIT_MAINS_ABNORMAL);
	pass(&w, 5, 0);
	assert_int_equal(w.what, TALLY_OUTAGE_BEGAN);
	put(&w, U2K_QTY_STATUS_BITS, 0);
	pass(&w, 1, 0);
	assert_int_equal(w.what, TALLY_OUTAGE_BEGAN | TALLY_OUTAGE_ENDED);

	/* switched off with the mains out, without having been on battery: none */
	w.what = 0;
	put(&w, U2K_QTY_STATUS_BITS, U2K_BIT_MAINS_ABNORMAL);
	pass(&w, 5, 0);
	assert_int_equal(w.what, 0);
}

static void test_an_outage_over_a_restart(void **state)
{
	struct outage open = { .start_us = WALL0 - 100 * U2K_SEC,
			       .start_charge = 100,
			       .lowest_charge = 80,
			       .lowest_voltage = 75,
			       .lowest_runtime_s = -1,
			       .energy_mj = 1000 };
	struct history_totals totals = { .since_us = 1, .outages = 4 };
	struct world w;

	(void)state;
	world_init(&w, &totals);
	tally_resume(&w.tally, &open, 30000);
	pass(&w, 5, -1); /* nothing is known yet: it is neither over nor another one */
	assert_int_equal(w.what, 0);
	w.snap.flags = U2K_OB;
	pass(&w, 5, 500);
	assert_int_equal(w.what, 0);
	assert_int_equal(w.tally.totals.outages, 4);
	w.snap.flags = U2K_OL;
	pass(&w, 1, 500);
	assert_int_equal(w.what, TALLY_OUTAGE_ENDED);
	assert_true(w.tally.outage.start_us == open.start_us);
	assert_int_equal(w.tally.outage.unseen_ms, 30000);
	assert_true(w.tally.outage.energy_mj > 1000);
	assert_int_equal((int)w.tally.outage.lowest_charge, 80);

	/* it ended while nobody looked */
	world_init(&w, &totals);
	tally_resume(&w.tally, &open, 30000);
	pass(&w, 1, 500);
	assert_int_equal(w.what, TALLY_OUTAGE_ENDED);
}

static void test_unseen_part_of_an_outage(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	w.snap.flags = U2K_OB;
	pass(&w, 5, 500);
	w.snap.comm = U2K_COMM_SILENT;
	pass(&w, 60, -1);
	w.snap.comm = U2K_COMM_OK;
	pass(&w, 5, 500);
	assert_int_equal(w.tally.outage.unseen_ms, 61000);
	assert_int_equal(w.tally.totals.on_battery_ms, 8000);
	assert_int_equal(w.tally.totals.outages, 1);
}

static void test_clock_set_back_in_an_outage(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	w.snap.flags = U2K_OB;
	pass(&w, 5, 500);
	w.wall_us -= 3600 * U2K_SEC;
	w.snap.flags = U2K_OL;
	pass(&w, 1, 500);
	assert_true(w.tally.outage.end_us >= w.tally.outage.start_us);
}

static void begin_test(struct world *w)
{
	world_init(w, NULL);
	put(w, U2K_QTY_BATTERY_CHARGE, 100);
	pass(w, 5, 500);
	w->snap.flags = U2K_OL | U2K_TEST | U2K_DISCHRG;
	pass(w, 10, 500);
	assert_int_equal(w->what, TALLY_TEST_BEGAN);
}

static void test_battery_tests(void **state)
{
	const uint32_t maintenance = UINT32_C(1) << 4; /* 29/1 */
	struct world w;

	(void)state;
	begin_test(&w);
	assert_int_equal(w.tally.test.n_curve, 10);
	assert_int_equal(w.tally.test.curve[0].decivolts, 800);
	assert_int_equal(w.tally.test.curve[9].second, 9);
	assert_int_equal(w.tally.test.curve[9].watts, 500);
	w.snap.flags = U2K_OL;
	pass(&w, 5, 500);
	assert_int_equal(w.what, TALLY_TEST_BEGAN); /* no verdict yet */
	pass(&w, 15, 500);
	assert_int_equal(w.what, TALLY_TEST_BEGAN | TALLY_TEST_ENDED);
	assert_int_equal(w.tally.test.result, TEST_PASSED);
	assert_true(w.tally.test.end_us == w.tally.test.start_us + 10 * U2K_SEC);
	assert_int_equal(w.tally.totals.outages, 0);
	tally_close(&w.tally);

	begin_test(&w);
	w.snap.flags = U2K_OL;
	pass(&w, 2, 500);
	w.snap.alarms.active = maintenance;
	pass(&w, 1, 500);
	assert_int_equal(w.tally.test.result, TEST_FAILED);
	tally_close(&w.tally);

	begin_test(&w);
	w.snap.flags = U2K_OB;
	pass(&w, 1, 500);
	assert_int_equal(w.tally.test.result, TEST_INTERRUPTED);
	assert_int_equal(w.what, TALLY_TEST_BEGAN | TALLY_TEST_ENDED | TALLY_OUTAGE_BEGAN);
	tally_close(&w.tally);

	begin_test(&w);
	w.snap.comm = U2K_COMM_SILENT;
	pass(&w, 12, -1);
	assert_int_equal(w.tally.test.result, TEST_INTERRUPTED);
	tally_close(&w.tally);

	begin_test(&w);
	assert_int_equal(tally_end(&w.tally, w.wall_us), TALLY_TEST_ENDED);
	tally_close(&w.tally);
}

static void test_a_long_curve_is_thinned(void **state)
{
	struct world w;
	const struct test *t = &w.tally.test;

	(void)state;
	begin_test(&w);
	pass(&w, 3000, 500);
	assert_true(t->n_curve <= PACK_CURVE_POINTS && t->n_curve > PACK_CURVE_POINTS / 4);
	assert_int_equal(t->curve[0].second, 0);
	for (size_t i = 1; i < t->n_curve; i++)
		assert_true(t->curve[i].second > t->curve[i - 1].second);
	assert_true(t->curve[t->n_curve - 1].second > 2990);
	tally_close(&w.tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_energy_is_the_trapezoid),
		cmocka_unit_test(test_gaps_are_counted_not_bridged),
		cmocka_unit_test(test_every_moment_is_measured_or_gap),
		cmocka_unit_test(test_counting_goes_on_after_a_restart),
		cmocka_unit_test(test_wall_clock_does_not_count),
		cmocka_unit_test(test_small_loads),
		cmocka_unit_test(test_an_outage),
		cmocka_unit_test(test_a_flat_battery_is_still_the_outage),
		cmocka_unit_test(test_an_outage_over_a_restart),
		cmocka_unit_test(test_unseen_part_of_an_outage),
		cmocka_unit_test(test_clock_set_back_in_an_outage),
		cmocka_unit_test(test_battery_tests),
		cmocka_unit_test(test_a_long_curve_is_thinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
