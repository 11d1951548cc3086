#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/hub.h"

/*
 * What was counted of a UPS since counting began, over restarts. In memory: reading it costs
 * nothing. The counters only ever grow, unless their database was lost (since_us is newer then).
 */
struct history_totals {
	int64_t since_us;	    /* wall clock, when counting began */
	uint64_t output_mj;	    /* energy given to the load, mJ */
	uint64_t battery_mj;	    /* of it while on battery */
	uint64_t measured_ms;	    /* time over which energy was counted */
	uint64_t gap_ms;	    /* time of which nothing is known: nothing was counted */
	uint64_t on_battery_ms;	    /* seen on battery (not in self-tests) */
	uint64_t outages;	    /* begun, the present one included */
	int64_t last_outage_us;	    /* wall clock, start of the newest; 0 = none yet */
	int64_t last_outage_end_us; /* wall clock; 0 = none yet or still on battery */
};

/** The totals of a UPS, or NULL if none are kept. Borrowed until the loop goes on. */
static inline const struct history_totals *history_totals(const struct hub_ups *ups)
{
	return ups->totals;
}
