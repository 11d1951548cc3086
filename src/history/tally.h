#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/pack.h"
#include "history/totals.h"

/*
 * What follows from one snapshot after the other: energy, time on battery, outages, battery tests.
 * Pure: snapshots and times go in. Deltas come from the monotonic clock of the snapshots; the wall
 * clock only says when things were.
 *
 * Energy is the trapezoid over valid readings of the output power. Between two readings that are
 * further apart than TALLY_CHAIN_US, or with lost contact or an invalid reading between them,
 * nothing is counted: that time is a gap.
 */
#define TALLY_CHAIN_US (30 * U2K_SEC)
/* A status is good for that long, as everywhere in the daemon. */
#define TALLY_STATUS_US (10 * U2K_SEC)

struct outage {
	int64_t start_us, end_us; /* wall clock; end 0: still on battery */
	int64_t seen_us;	  /* monotonic; of the newest status that belongs to it */
	uint64_t unseen_ms;	  /* of it without data */
	double start_charge, lowest_charge, lowest_voltage, lowest_runtime_s; /* < 0: not known */
	bool low_battery;
	uint64_t energy_mj;
};

enum test_result { TEST_RUNS, TEST_PASSED, TEST_FAILED, TEST_INTERRUPTED };

struct test {
	int64_t start_us, end_us; /* wall clock; end 0: it runs */
	int64_t begun_us;	  /* monotonic */
	int64_t ended_us;	  /* monotonic; 0: it runs */
	enum test_result result;
	const char *reason; /* static; NULL: none */
	double start_charge, lowest_charge, lowest_voltage;
	uint64_t energy_mj;
	uint32_t alarms_before;	   /* alarms that stood when it began */
	struct curve_point *curve; /* PACK_CURVE_POINTS of them while it runs, else NULL */
	size_t n_curve;
	int32_t spacing_s; /* at least, between points */
};

enum {
	TALLY_OUTAGE_BEGAN = 1 << 0,
	TALLY_OUTAGE_ENDED = 1 << 1,
	TALLY_TEST_BEGAN = 1 << 2,
	TALLY_TEST_ENDED = 1 << 3, /* with its result */
};

struct tally {
	struct history_totals totals;
	uint64_t output_uj, battery_uj;		     /* remainders below 1 mJ */
	uint64_t measured_us, gap_us, on_battery_us; /* remainders below 1 ms */

	int64_t accounted_us; /* monotonic: what came before is measured or gap; 0 = not begun */
	bool chained;	      /* the reading at power_at_us may be joined to the next */
	double power_w;
	int64_t power_at_us;

	int64_t status_at_us; /* of the newest status seen; 0 = none */
	bool on_battery;      /* by that status */

	bool in_outage;
	struct outage outage; /* the present one, or the last */
	bool in_test;	      /* from its begin to its result */
	struct test test;
};

/** wall_us: when counting began, if totals have not begun before. */
void tally_init(struct tally *tally, const struct history_totals *totals, int64_t wall_us);
void tally_close(struct tally *tally);

/** An outage that was open when the daemon ended; gap_ms passed since then. */
void tally_resume(struct tally *tally, const struct outage *outage, uint64_t gap_ms);
/** Time without a daemon: nothing was counted. */
void tally_gap(struct tally *tally, uint64_t gap_ms);

/**
 * A snapshot came, or a moment passed without one (the last is given again).
 *
 * @now_us, wall_us  the same moment on both clocks
 *
 * Returns TALLY_* of what began or ended.
 */
unsigned tally_look(struct tally *tally, const struct u2k_snapshot *snap, int64_t now_us,
		    int64_t wall_us);

/** Nobody will look any more: what is open ends now. */
unsigned tally_end(struct tally *tally, int64_t wall_us);

/**
 * The output's active power from what the UPS tells, W; negative: not known.
 *
 * The register moves in steps of 100 W, too coarse for small loads. The load is finer: a tenth of a
 * percent. On three published readings it fits percent of rated watts, at 0.8 W per VA, better than
 * percent of VA (docs/history.md), but not well enough to be trusted alone. So below 300 W the load
 * decides, within what the register allows: 50 W less (if it rounds) to 100 W more (if it cuts off).
 */
double tally_power(const struct u2k_snapshot *snap);
