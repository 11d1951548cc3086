#include <math.h>

#include "policy/policy_impl.h"

/*
 * From what a UPS says to when it can no longer be relied on. A condition that was true stays so
 * while nothing is heard: a cable that falls out must not look like mains.
 */

static bool value(const struct u2k_snapshot *snap, enum u2k_qty qty, double *out)
{
	const struct u2k_value *v = &snap->qty[qty];

	if (v->validity != U2K_VALID || !isfinite(v->value))
		return false;
	*out = v->value;
	return true;
}

/*
 * The UPS's own estimate jumps with the load and is optimistic to the end. So it is smoothed, and
 * while on battery the time left is never believed to grow, but for the first moments: one strange
 * reading at the beginning must not count for the whole outage.
 */
static void watch_runtime(struct ups *u, double reading, int64_t now_us)
{
	double dt = (double)(now_us - u->runtime_us) / 1e6;
	double part = 1 - exp(-dt / RUNTIME_TAU_S);

	if (!u->has_runtime) {
		u->runtime_smooth = reading;
		u->runtime_began_us = now_us;
	}
	if (u->has_runtime)
		u->runtime_smooth += (reading - u->runtime_smooth) * part;
	if (now_us - u->runtime_began_us < RUNTIME_TAU_S * SEC)
		u->runtime = u->runtime_smooth;
	else
		u->runtime = fmin(u->runtime, u->runtime_smooth);
	u->has_runtime = true;
	u->runtime_us = now_us;
}

void watch_snapshot(struct ups *u, const struct u2k_snapshot *snap, int64_t now_us)
{
	double reading;

	u->known = true;
	u->ever = true;
	u->flags = snap->flags;
	u->heard_us = now_us;
	u->seen_us = now_us;
	u->alarms = snap->alarms.at_us ? snap->alarms.active : 0;
	u->has_charge = value(snap, U2K_QTY_BATTERY_CHARGE, &u->charge);
	u->has_temperature = value(snap, U2K_QTY_TEMPERATURE, &u->temperature);
	if (!(u->flags & U2K_OL))
		u->ol_us = 0;
	else if (!u->ol_us)
		u->ol_us = now_us;
	if (u->flags & U2K_OB && value(snap, U2K_QTY_BATTERY_RUNTIME, &reading))
		watch_runtime(u, reading, now_us);
}

void watch_silence(struct ups *u)
{
	u->known = false;
	u->ol_us = 0;
}

bool watch_output_on(const struct ups *u)
{
	return u->known && !(u->flags & U2K_OFF) && u->flags & (U2K_OL | U2K_OB | U2K_BYPASS);
}

bool watch_online(const struct ups *u, int64_t now_us, int64_t for_us)
{
	return u->known && u->ol_us && now_us - u->ol_us >= for_us;
}

/* --- outage ---------------------------------------------------------------------------------------- */

static int64_t watch_outage(struct policy *p, struct ups *u, int64_t now_us)
{
	int64_t stable_us = p->config.mains_stable_s * SEC;

	if (u->known && u->flags & U2K_OB && !u->kept.outage) {
		u->kept.outage = true;
		u->kept.outage_us = now_us;
		save(p, now_us);
	}
	if (u->kept.outage && u->known && u->kept.mains == !!(u->flags & U2K_OB)) {
		u->kept.mains = !(u->flags & U2K_OB);
		save(p, now_us);
	}
	if (!u->kept.outage || !u->known || !u->ol_us)
		return NEVER;
	if (!watch_online(u, now_us, stable_us))
		return u->ol_us + stable_us;
	u->kept.outage = false;
	u->kept.outage_us = 0;
	u->kept.mains = false;
	u->has_runtime = false;
	save(p, now_us);
	return NEVER;
}

/* --- conditions ------------------------------------------------------------------------------------- */

enum verdict { NO, YES, AS_BEFORE };

static enum verdict verdict(bool readable, bool holds)
{
	return readable ? (holds ? YES : NO) : AS_BEFORE;
}

/* For those that are about a battery in use. */
static enum verdict on_battery(const struct ups *u, enum verdict then)
{
	if (!u->known)
		return AS_BEFORE;
	return u->flags & U2K_OB ? then : NO;
}

static enum verdict judge(const struct policy *p, const struct ups *u, enum policy_condition c)
{
	const struct policy_conditions *when = &ups_config(p, u)->when;

	switch (c) {
	case POLICY_COND_ON_BATTERY:
		if (!when->on_battery_s || !u->kept.outage)
			return NO;
		return u->known ? (u->flags & U2K_OB ? YES : NO) : AS_BEFORE;
	case POLICY_COND_CHARGE:
		if (!(when->charge_percent > 0))
			return NO;
		return on_battery(u, verdict(u->has_charge, u->charge < when->charge_percent));
	case POLICY_COND_RUNTIME:
		if (!when->runtime_s)
			return NO;
		return on_battery(u, verdict(u->has_runtime, u->runtime < when->runtime_s));
	case POLICY_COND_LOW_BATTERY:
		return when->low_battery ? on_battery(u, verdict(true, u->flags & U2K_LB)) : NO;
	case POLICY_COND_TEMPERATURE:
		if (!(when->temperature_c > 0))
			return NO;
		return verdict(u->known && u->has_temperature,
			       u->temperature > when->temperature_c);
	case POLICY_COND_ALARM:
		return when->alarms ? verdict(u->known, u->alarms & when->alarms) : NO;
	case POLICY_COND_LOST:
		return when->lost_s && !u->known && u->kept.outage && !u->kept.mains ? YES : NO;
	case POLICY_COND_FSD:
		return u->kept.fsd_runs ? YES : NO;
	case POLICY_CONDITIONS:
		break;
	}
	return NO;
}

/* From when a condition began to hold until it counts. */
static int64_t patience(const struct policy *p, const struct ups *u, enum policy_condition c)
{
	unsigned warning = p->config.warning_s;

	switch (c) {
	case POLICY_COND_CHARGE:
	case POLICY_COND_RUNTIME:
		return warning * SEC;
	case POLICY_COND_TEMPERATURE:
	case POLICY_COND_ALARM:
		return (warning > POLICY_HOLD_S ? warning : POLICY_HOLD_S) * SEC;
	case POLICY_COND_LOST:
		return ups_config(p, u)->when.lost_s * SEC;
	case POLICY_COND_ON_BATTERY:
	case POLICY_COND_LOW_BATTERY:
	case POLICY_COND_FSD:
	case POLICY_CONDITIONS:
		break;
	}
	return 0;
}

int64_t watch_due(const struct policy *p, const struct ups *u, enum policy_condition c)
{
	const struct cond *cond = &u->cond[c];

	if (!cond->true_us || cond->spent)
		return NEVER;
	if (c == POLICY_COND_ON_BATTERY) {
		/* it cannot be seen any more whether the time is over: "lost" is for that */
		int64_t due = u->kept.outage_us + ups_config(p, u)->when.on_battery_s * SEC;

		return u->known || due <= u->seen_us ? due : NEVER;
	}
	if (c == POLICY_COND_LOST)
		return u->heard_us + patience(p, u, c);
	return cond->true_us + patience(p, u, c);
}

/* What has to hold for a while must be seen to. */
static bool must_be_seen(enum policy_condition c)
{
	return c == POLICY_COND_TEMPERATURE || c == POLICY_COND_ALARM;
}

static void update(struct policy *p, struct ups *u, enum policy_condition c, int64_t now_us)
{
	struct cond *cond = &u->cond[c];

	switch (judge(p, u, c)) {
	case NO:
		*cond = (struct cond){ 0 };
		break;
	case YES:
		if (!cond->true_us)
			cond->true_us = now_us;
		break;
	case AS_BEFORE:
		if (must_be_seen(c) && cond->true_us && u->seen_us < watch_due(p, u, c))
			cond->true_us = 0;
		break;
	}
}

int64_t watch_ups(struct policy *p, struct ups *u, int64_t now_us)
{
	int64_t next = watch_outage(p, u, now_us);

	u->due_us = NEVER;
	for (int i = 0; i < POLICY_CONDITIONS; i++) {
		enum policy_condition c = (enum policy_condition)i;
		int64_t due;

		update(p, u, c, now_us);
		due = watch_due(p, u, c);
		if (due < u->due_us) {
			u->due_us = due;
			u->due_by = c;
		}
	}
	return next;
}

/* --- the host ---------------------------------------------------------------------------------------- */

/* It feeds nothing now, or might not: that is no reason to go down, but no help either. */
static bool no_help(const struct ups *u)
{
	return u->flags & U2K_OFF || (!u->known && u->kept.outage);
}

unsigned watch_left(const struct policy *p, int64_t at_us)
{
	unsigned left = 0;

	for (size_t i = 0; i < p->config.n_ups; i++)
		if (p->ups[i].due_us > at_us && !no_help(&p->ups[i]))
			left += p->config.ups[i].supplies;
	return left;
}

/* Right after the start a UPS that has said nothing yet must not count as gone. */
static bool settling(const struct policy *p)
{
	for_each_ups_of (p, u)
		if (!u->ever && ups_config(p, u)->supplies && p->now_us < p->settle_us)
			return true;
	return false;
}

int64_t watch_host_due(const struct policy *p, int *by)
{
	int64_t best = NEVER;

	*by = -1;
	if (!p->config.enabled)
		return NEVER;
	for (size_t i = 0; i < p->config.n_ups; i++) {
		int64_t due = p->ups[i].due_us;

		if (due >= best || !p->config.ups[i].supplies ||
		    watch_left(p, due) >= p->config.minimum_supplies)
			continue;
		best = due;
		*by = (int)i;
	}
	if (best < p->settle_us && settling(p))
		best = p->settle_us;
	if (p->operator_asked && p->operator_us + p->config.warning_s * SEC < best) {
		best = p->operator_us + p->config.warning_s * SEC;
		*by = -1;
	}
	return best;
}
