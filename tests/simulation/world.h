#pragma once

/*
 * A random life of one UPS and its daemon. schedule.c decides what happens when, invariants.c
 * watches that nothing untrue or unsafe comes of it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "rig.h"

enum {
	HIST_SOURCE,  /* 1024 */
	HIST_STARTUP, /* 1028 */
	HIST_BITS,    /* 1043 */
	HIST_AUTO,    /* 1044 */
	HIST_OPTION,  /* 1045 */
	HIST_MUTED,   /* 1046 */
	HIST_COUNT,
	HIST_VALUES = 256,
};

enum { WISH_UNKNOWN = -1 };

struct world {
	struct rig rig;
	uint64_t seed, rng;

	/* when something ends; 0 = it is not under way */
	int64_t mains_back_us, faults_off_us, link_up_us, start_us, plug_us, bypass_good_us,
		journal_ok_us, person_us;
	bool same_boot;
	int64_t disturbed_us; /* until then the line, the daemon or the device was not itself */
	int64_t charge_set_us;
	int64_t journal_bad_us; /* the journal could not be kept until then */
	int wish_auto, wish_option;
	char dialect[200];
	unsigned outages, orders, kills;

	/* when the device last had each value in each register */
	int64_t held_us[HIST_COUNT][HIST_VALUES];
	uint16_t now[HIST_COUNT];
	int64_t test_us, no_test_us, mains_bad_us, mains_good_us, bypass_good_seen_us, inverter_us;
	int64_t pair_due_us, off_due_us; /* before the present event */
	uint32_t offs;
	int64_t board_alive_us; /* since when; 0 = it is not */

	bool failed;
	int64_t failed_us;
	char failure[400];
};

/** Begin a life; the same seed gives the same life. */
void world_init(struct world *world, uint64_t seed);
/** Let it go on for that long, or until an invariant breaks. Returns true if all held. */
bool world_live(struct world *world, double seconds);
/** Let all that is under way end well, and look whether everything is in order. */
bool world_end(struct world *world);

/* invariants.c */
void watch_init(struct world *world);
void watch_end(struct world *world);
void watch_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
