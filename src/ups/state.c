#include "ups/state.h"

#include <stdbool.h>

#include "ups/alarms.h"

enum { SOURCE_OLD_US = 1000000 };

/* Input voltages at which the rectifier may be expected to run on the mains. */
static const double input_low = 80, input_high = 300;

void state_init(struct state *state)
{
	*state = (struct state){ .source = -1 };
}

static bool valid(const struct u2k_snapshot *snap, enum u2k_qty qty)
{
	return snap->qty[qty].validity == U2K_VALID;
}

static unsigned bits_of(const struct u2k_snapshot *snap)
{
	return valid(snap, U2K_QTY_STATUS_BITS) ? (unsigned)snap->qty[U2K_QTY_STATUS_BITS].value
						: 0;
}

static bool input_in_range(const struct u2k_snapshot *snap)
{
	double volts = snap->qty[U2K_QTY_INPUT_VOLTAGE].value;

	return valid(snap, U2K_QTY_INPUT_VOLTAGE) && volts >= input_low && volts <= input_high;
}

static unsigned source_flags(enum u2k_source source, bool mains_abnormal)
{
	switch (source) {
	case U2K_SOURCE_NONE:
		return U2K_OFF;
	case U2K_SOURCE_BYPASS:
		return U2K_BYPASS | (mains_abnormal ? 0 : U2K_OL);
	case U2K_SOURCE_MAINS:
		return U2K_OL;
	case U2K_SOURCE_ECO:
		return U2K_OL | U2K_ECO;
	case U2K_SOURCE_BATTERY:
	case U2K_SOURCE_BATTERY_ECO:
		return U2K_OB;
	case U2K_SOURCE_COMBINED:
		return mains_abnormal ? U2K_OB : U2K_OL;
	}
	return 0;
}

/* The battery's state counts only if it was read after the last change of the output source. */
static unsigned battery_flags(const struct state *state, const struct u2k_snapshot *snap,
			      unsigned flags)
{
	const struct u2k_value *battery = &snap->qty[U2K_QTY_BATTERY_STATE];

	if (battery->validity != U2K_VALID || battery->at_us < state->source_since_us)
		return 0;
	switch ((enum u2k_battery)battery->value) {
	case U2K_BATTERY_FLOAT:
	case U2K_BATTERY_EQUALISING:
		return flags & U2K_OB ? 0 : U2K_CHRG;
	case U2K_BATTERY_DISCHARGING:
		return U2K_DISCHRG;
	case U2K_BATTERY_NONE:
	case U2K_BATTERY_IDLE:
	case U2K_BATTERY_RESTING:
		break;
	}
	return 0;
}

/* The source could not be read for a while (or is one that no list knows), the bits could. */
static bool source_is_old(const struct u2k_snapshot *snap)
{
	return valid(snap, U2K_QTY_STATUS_BITS) &&
	       snap->qty[U2K_QTY_STATUS_BITS].at_us - snap->qty[U2K_QTY_OUTPUT_SOURCE].at_us >
		       SOURCE_OLD_US;
}

static uint32_t judge_alarms(struct state *state, const struct u2k_snapshot *snap, bool outage)
{
	uint32_t input = snap->alarms.active & alarms_bypass_input();

	if (outage)
		state->bypass_shown = 0;
	else if (snap->alarms.at_us < state->mains_since_us)
		state->bypass_shown = 0; /* read before the mains were back */
	else if (snap->alarms.at_us < snap->status_at_us)
		state->bypass_shown = input;
	else
		state->bypass_shown &= input; /* the status to judge them by is still to come */

	return (snap->alarms.active & ~alarms_bypass_input()) | state->bypass_shown;
}

void state_derive(struct state *state, struct u2k_snapshot *snap)
{
	const struct u2k_value *source = &snap->qty[U2K_QTY_OUTPUT_SOURCE];
	unsigned bits = bits_of(snap);
	bool mains_abnormal = bits & U2K_BIT_MAINS_ABNORMAL;
	bool test_on_mains = (bits & U2K_BIT_SELF_TEST) && !mains_abnormal && input_in_range(snap);
	unsigned flags = 0;
	bool outage;

	if (source->validity == U2K_VALID) {
		if (source->value != state->source) {
			state->source = source->value;
			state->source_since_us = source->at_us;
		}
		flags = source_flags((enum u2k_source)source->value, mains_abnormal);
		if (mains_abnormal && flags & U2K_OL && source_is_old(snap))
			flags = (flags & ~(unsigned)(U2K_OL | U2K_ECO)) | U2K_OB;
	} else if (valid(snap, U2K_QTY_STATUS_BITS)) {
		flags = mains_abnormal ? U2K_OB : U2K_OL;
	}

	if (bits & U2K_BIT_SELF_TEST)
		flags |= U2K_TEST;
	if (bits & U2K_BIT_FAULT)
		flags |= U2K_FAULT;
	if (test_on_mains && flags & (U2K_OB | U2K_OL) && !(flags & U2K_BYPASS))
		flags = (flags & ~(unsigned)U2K_OB) | U2K_OL | U2K_DISCHRG;
	else
		flags |= battery_flags(state, snap, flags);
	if (bits & U2K_BIT_BATTERY_LOW && !test_on_mains)
		flags |= U2K_LB;

	outage = flags & U2K_OB || (mains_abnormal && !(flags & U2K_BYPASS));
	if (outage)
		state->mains_since_us = 0;
	else if (!state->mains_since_us)
		state->mains_since_us = snap->status_at_us;

	snap->alarms_shown = judge_alarms(state, snap, outage);
	if (snap->alarms_shown || flags & U2K_FAULT)
		flags |= U2K_ALARM;
	if (snap->alarms.active >> ALARM_REPLACE_BATTERY & 1)
		flags |= U2K_RB;
	if (snap->alarms.active & alarms_overload())
		flags |= U2K_OVER;
	snap->flags = flags;
}
