#pragma once

#include <stdint.h>

#include <ups2000/ups.h>

/* What deriving the status has to remember between two reads. */
struct state {
	double source;		 /* last output source, < 0 = none yet */
	int64_t source_since_us; /* when the first status that showed it was asked for */
	int64_t mains_since_us;	 /* the same for "not on battery, mains normal" */
	uint32_t bypass_shown;	 /* bypass-input alarms that count at present */
};

void state_init(struct state *state);

/**
 * Derive flags and alarms_shown from the quantities and alarms of the snapshot.
 *
 * A self-test is not an outage: with the test bit set, mains normal (bit 7) and the input voltage in
 * range the flags are OL, TEST, DISCHRG without LB, whatever the output source says (control rules,
 * section 3). Bypass-input alarms do not count while the mains are out, and are judged only against
 * a status that was read after them (section 6).
 */
void state_derive(struct state *state, struct u2k_snapshot *snap);
