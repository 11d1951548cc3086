#include "history/tally.h"

#include <stdlib.h>
#include <string.h>

#include "ups/alarms.h"
#include "util/util.h"

static const double RATED_FACTOR = 0.8; /* W per VA of the rating */
static const double COARSE_W = 300;
static const int64_t TEST_VERDICT_US = 15 * U2K_SEC; /* to wait for alarms that follow a test */

static bool valid(const struct u2k_snapshot *snap, enum u2k_qty qty)
{
	return snap->qty[qty].validity == U2K_VALID;
}

static double value_or_unknown(const struct u2k_snapshot *snap, enum u2k_qty qty)
{
	return valid(snap, qty) ? snap->qty[qty].value : -1;
}

double tally_power(const struct u2k_snapshot *snap)
{
	double watts = value_or_unknown(snap, U2K_QTY_OUTPUT_REALPOWER);
	double finer;

	if (watts < 0)
		return -1;
	if (watts >= COARSE_W || !valid(snap, U2K_QTY_LOAD) || !valid(snap, U2K_QTY_RATED_POWER))
		return watts;
	if (valid(snap, U2K_QTY_OUTPUT_SOURCE) &&
	    snap->qty[U2K_QTY_OUTPUT_SOURCE].value == U2K_SOURCE_NONE)
		return watts;
	finer = snap->qty[U2K_QTY_LOAD].value / 100 * snap->qty[U2K_QTY_RATED_POWER].value *
		RATED_FACTOR;
	if (finer < watts - 50)
		return watts - 50;
	return finer > watts + 100 ? watts + 100 : finer;
}

/* ---- energy ---- */

/* Whole units move on, the rest waits. */
static void carry(uint64_t *remainder, uint64_t *total)
{
	*total += *remainder / 1000;
	*remainder %= 1000;
}

static void add_time(uint64_t *remainder, uint64_t *total, int64_t us)
{
	if (us <= 0)
		return;
	*remainder += (uint64_t)us;
	carry(remainder, total);
}

static void add_energy(struct tally *t, double joules)
{
	uint64_t uj = joules > 0 ? (uint64_t)(joules * 1e6) : 0;
	uint64_t before = t->totals.output_mj;

	t->output_uj += uj;
	carry(&t->output_uj, &t->totals.output_mj);
	if (t->on_battery) {
		t->battery_uj += uj;
		carry(&t->battery_uj, &t->totals.battery_mj);
	}
	if (t->in_outage)
		t->outage.energy_mj += t->totals.output_mj - before;
	if (t->in_test && !t->test.ended_us)
		t->test.energy_mj += t->totals.output_mj - before;
}

static void account_gap(struct tally *t, int64_t until_us)
{
	add_time(&t->gap_us, &t->totals.gap_ms, until_us - t->accounted_us);
	if (until_us > t->accounted_us)
		t->accounted_us = until_us;
}

static void look_at_power(struct tally *t, const struct u2k_snapshot *snap, int64_t now_us)
{
	const struct u2k_value *power = &snap->qty[U2K_QTY_OUTPUT_REALPOWER];
	double watts = tally_power(snap);
	int64_t at = power->at_us;

	if (!t->accounted_us)
		t->accounted_us = now_us;
	if (watts < 0 || snap->comm != U2K_COMM_OK) {
		t->chained = false;
	} else if (at > t->power_at_us) {
		int64_t dt = at - t->power_at_us;

		if (t->chained && dt <= TALLY_CHAIN_US && t->power_at_us >= t->accounted_us) {
			add_energy(t, (t->power_w + watts) / 2 * ((double)dt / 1e6));
			add_time(&t->measured_us, &t->totals.measured_ms, dt);
			t->accounted_us = at;
		} else {
			account_gap(t, at);
		}
		t->chained = at >= t->accounted_us;
		t->power_w = watts;
		t->power_at_us = at;
	}
	if (!t->chained || now_us - t->power_at_us > TALLY_CHAIN_US) {
		t->chained = false;
		account_gap(t, now_us);
	}
}

/* ---- outages ---- */

static bool is_outage(const struct u2k_snapshot *snap)
{
	unsigned bits = valid(snap, U2K_QTY_STATUS_BITS)
				? (unsigned)snap->qty[U2K_QTY_STATUS_BITS].value
				: 0;

	if (snap->flags & U2K_OB)
		return true;
	/* the battery is exhausted, the output off, the mains still out: not over yet */
	return snap->flags & U2K_OFF && bits & U2K_BIT_MAINS_ABNORMAL;
}

static void lower(double *lowest, double value)
{
	if (value >= 0 && (*lowest < 0 || value < *lowest))
		*lowest = value;
}

static void follow_outage(struct outage *o, const struct u2k_snapshot *snap)
{
	lower(&o->lowest_charge, value_or_unknown(snap, U2K_QTY_BATTERY_CHARGE));
	lower(&o->lowest_voltage, value_or_unknown(snap, U2K_QTY_BATTERY_VOLTAGE));
	lower(&o->lowest_runtime_s, value_or_unknown(snap, U2K_QTY_BATTERY_RUNTIME));
	o->low_battery = o->low_battery || snap->flags & U2K_LB;
}

static unsigned look_at_outage(struct tally *t, const struct u2k_snapshot *snap, int64_t wall_us)
{
	struct outage *o = &t->outage;
	int64_t at = snap->status_at_us;

	if (t->in_outage && o->seen_us && at - o->seen_us > TALLY_STATUS_US)
		o->unseen_ms += (uint64_t)(at - o->seen_us) / 1000;
	if (is_outage(snap)) {
		bool began = !t->in_outage && snap->flags & U2K_OB;

		if (began) {
			double charge = value_or_unknown(snap, U2K_QTY_BATTERY_CHARGE);

			*o = (struct outage){ .start_us = wall_us,
					      .start_charge = charge,
					      .lowest_charge = charge,
					      .lowest_voltage = -1,
					      .lowest_runtime_s = -1 };
			t->in_outage = true;
			t->totals.outages++;
			t->totals.last_outage_us = wall_us;
			t->totals.last_outage_end_us = 0;
		}
		if (t->in_outage) {
			follow_outage(o, snap);
			o->seen_us = at;
		}
		return began ? TALLY_OUTAGE_BEGAN : 0;
	}
	if (!t->in_outage)
		return 0;
	t->in_outage = false;
	/* the clock may have been set back meanwhile: an outage has no negative length */
	o->end_us = wall_us > o->start_us ? wall_us : o->start_us;
	t->totals.last_outage_end_us = o->end_us;
	return TALLY_OUTAGE_ENDED;
}

/* ---- battery tests ---- */

/* Battery alarms: 29/1 (needs maintenance), 26/1 (under-voltage), 22/1 (disconnected). */
static uint32_t battery_alarms(const struct u2k_snapshot *snap)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++) {
		const struct u2k_alarm_desc *desc = u2k_alarm_desc(i);

		if (desc->id == 29 || desc->id == 26 || desc->id == 22)
			mask |= UINT32_C(1) << i;
	}
	return snap->alarms.active & mask;
}

/* Full: every second point goes, and from now on half as many come. */
static void thin_out(struct test *test)
{
	for (size_t i = 0; i < test->n_curve / 2; i++)
		test->curve[i] = test->curve[2 * i];
	test->n_curve /= 2;
	test->spacing_s *= 2;
}

static void follow_curve(struct test *test, const struct u2k_snapshot *snap)
{
	const struct u2k_value *volts = &snap->qty[U2K_QTY_BATTERY_VOLTAGE];
	int32_t second = (int32_t)((volts->at_us - test->begun_us) / U2K_SEC);
	double watts = tally_power(snap);
	struct curve_point point;

	if (volts->validity != U2K_VALID || volts->at_us < test->begun_us)
		return;
	if (test->n_curve && second < test->curve[test->n_curve - 1].second + test->spacing_s)
		return;
	if (test->n_curve == PACK_CURVE_POINTS)
		thin_out(test);
	point = (struct curve_point){
		.second = second,
		.decivolts = (int32_t)(volts->value * 10 + 0.5),
		.charge = (int32_t)value_or_unknown(snap, U2K_QTY_BATTERY_CHARGE),
		.watts = watts < 0 ? -1 : (int32_t)(watts + 0.5),
	};
	test->curve[test->n_curve++] = point;
}

static void begin_test(struct tally *t, const struct u2k_snapshot *snap, int64_t wall_us)
{
	double charge = value_or_unknown(snap, U2K_QTY_BATTERY_CHARGE);
	struct curve_point *curve = t->test.curve;

	if (!curve)
		curve = xcalloc(PACK_CURVE_POINTS, sizeof(*curve));
	t->test = (struct test){ .start_us = wall_us,
				 .begun_us = snap->status_at_us,
				 .start_charge = charge,
				 .lowest_charge = charge,
				 .lowest_voltage = -1,
				 .alarms_before = battery_alarms(snap),
				 .curve = curve,
				 .spacing_s = 1 };
	t->in_test = true;
}

static unsigned end_test(struct tally *t, enum test_result result, const char *reason)
{
	t->test.result = result;
	t->test.reason = reason;
	t->in_test = false;
	return TALLY_TEST_ENDED;
}

static void stop_test(struct test *test, int64_t at_us, int64_t wall_us)
{
	test->ended_us = at_us;
	test->end_us = wall_us > test->start_us ? wall_us : test->start_us;
}

static unsigned look_at_test(struct tally *t, const struct u2k_snapshot *snap, bool news,
			     int64_t now_us, int64_t wall_us)
{
	struct test *test = &t->test;
	uint32_t alarms;

	if (!t->in_test) {
		if (!news || !(snap->flags & U2K_TEST))
			return 0;
		begin_test(t, snap, wall_us);
		follow_curve(test, snap);
		return TALLY_TEST_BEGAN;
	}
	if (!test->ended_us) {
		if (now_us - t->status_at_us > TALLY_STATUS_US) {
			stop_test(test, now_us, wall_us);
			return end_test(t, TEST_INTERRUPTED, "contact with the UPS was lost");
		}
		if (news && snap->flags & U2K_OB) {
			stop_test(test, snap->status_at_us, wall_us);
			return end_test(t, TEST_INTERRUPTED, "the mains failed");
		}
		lower(&test->lowest_charge, value_or_unknown(snap, U2K_QTY_BATTERY_CHARGE));
		lower(&test->lowest_voltage, value_or_unknown(snap, U2K_QTY_BATTERY_VOLTAGE));
		follow_curve(test, snap);
		if (news && !(snap->flags & U2K_TEST))
			stop_test(test, snap->status_at_us, wall_us);
		return 0;
	}
	/* it is over; the UPS may take a moment to raise what it found */
	alarms = battery_alarms(snap);
	if (alarms & ~test->alarms_before)
		return end_test(t, TEST_FAILED, "the UPS raised a battery alarm");
	if (now_us - test->ended_us < TEST_VERDICT_US || snap->alarms.at_us < test->ended_us)
		return now_us - test->ended_us < 4 * TEST_VERDICT_US
			       ? 0
			       : end_test(t, TEST_INTERRUPTED,
					  "the alarms could not be read afterwards");
	if (alarms)
		return end_test(t, TEST_FAILED, "a battery alarm stands since before the test");
	return end_test(t, TEST_PASSED, "no battery alarm followed");
}

/* ---- all of it ---- */

void tally_init(struct tally *tally, const struct history_totals *totals, int64_t wall_us)
{
	memset(tally, 0, sizeof(*tally));
	if (totals)
		tally->totals = *totals;
	if (!tally->totals.since_us)
		tally->totals.since_us = wall_us;
}

void tally_close(struct tally *tally)
{
	free(tally->test.curve);
	tally->test.curve = NULL;
	tally->in_test = false;
}

void tally_gap(struct tally *tally, uint64_t gap_ms)
{
	tally->totals.gap_ms += gap_ms;
}

void tally_resume(struct tally *tally, const struct outage *outage, uint64_t gap_ms)
{
	tally->outage = *outage;
	tally->outage.seen_us = 0;
	tally->outage.unseen_ms += gap_ms;
	tally->in_outage = true;
}

unsigned tally_look(struct tally *t, const struct u2k_snapshot *snap, int64_t now_us,
		    int64_t wall_us)
{
	bool news = snap->status_at_us > t->status_at_us;
	unsigned what = 0;

	look_at_power(t, snap, now_us);
	if (news) {
		int64_t dt = snap->status_at_us - t->status_at_us;

		if (t->on_battery && t->status_at_us && dt <= TALLY_STATUS_US)
			add_time(&t->on_battery_us, &t->totals.on_battery_ms, dt);
		what |= look_at_outage(t, snap, wall_us);
		t->on_battery = snap->flags & U2K_OB;
		t->status_at_us = snap->status_at_us;
	}
	what |= look_at_test(t, snap, news, now_us, wall_us);
	return what;
}

unsigned tally_end(struct tally *t, int64_t wall_us)
{
	unsigned what = 0;

	if (t->in_outage) {
		t->in_outage = false;
		t->outage.end_us = wall_us > t->outage.start_us ? wall_us : t->outage.start_us;
		t->totals.last_outage_end_us = t->outage.end_us;
		what |= TALLY_OUTAGE_ENDED;
	}
	if (t->in_test) {
		if (!t->test.ended_us)
			stop_test(&t->test, t->status_at_us, wall_us);
		what |= end_test(t, TEST_INTERRUPTED, "the UPS was taken out of the configuration");
	}
	return what;
}
