#include <stdio.h>

#include "policy/policy_impl.h"

/*
 * The UPS: that it will start by itself is made sure when FSD is announced; it is switched off from
 * here only where no late hook does it.
 */

static void off_failed(struct policy *p, struct ups *u, const char *why, int64_t now_us)
{
	u->kept.off = OFF_FAILED;
	say(p, (int)ups_index(p, u), "shutdown-failed", "alert",
	    "UPS %s could not be switched off: %.120s. What hangs on it does not start again by "
	    "itself.",
	    ups_name(p, u), why);
	save(p, now_us);
}

/* The UPS counts in tenths of a minute. */
static unsigned whole_steps(unsigned delay_s)
{
	unsigned steps = (delay_s + 5) / 6;

	return 6 * (steps ? steps : 1);
}

static void order_off(struct policy *p, struct ups *u)
{
	struct policy_action *action = act(p, POLICY_SWITCH_OFF, (int)ups_index(p, u));

	action->end = ups_end(p, u);
	action->delay_s = whole_steps(p->config.host_shutdown_time_s);
	u->off_version = 0;
	u->off_tries++;
}

static int64_t off_give_up_us(const struct policy *p, const struct ups *u)
{
	int64_t from = u->kept.off_us > p->since_us ? u->kept.off_us : p->since_us;

	return from + (OFF_WAIT_S + p->config.host_shutdown_time_s) * SEC;
}

static int64_t off_wanted_step(struct policy *p, struct ups *u, int64_t now_us)
{
	if (now_us >= off_give_up_us(p, u) || u->off_tries >= OFF_TRIES) {
		off_failed(p, u,
			   u->known ? "its order was refused to the end" : "it is not heard of",
			   now_us);
		return NEVER;
	}
	if (!u->known || now_us < u->off_retry_us)
		return sooner(off_give_up_us(p, u),
			      u->off_retry_us > now_us ? u->off_retry_us : NEVER);
	save(p, now_us);
	u->kept.off = OFF_ORDERED;
	u->kept.off_us = now_us;
	u->off_version = p->version;
	return now_us;
}

/*
 * Ordered once, never twice: a daemon that was killed may not know whether its order was heard, and a
 * second one could come when everything runs again.
 */
static int64_t off_ordered_step(struct policy *p, struct ups *u, int64_t now_us)
{
	if (u->off_version) {
		if (!kept(p, u->off_version, now_us))
			return kept_due(p);
		order_off(p, u);
	}
	if (now_us < off_give_up_us(p, u))
		return off_give_up_us(p, u);
	off_failed(p, u, "it was told to, and is still on", now_us);
	return NEVER;
}

static int64_t off_step(struct policy *p, struct ups *u, int64_t now_us)
{
	if (u->kept.seen_off)
		return NEVER;
	switch (u->kept.off) {
	case OFF_WANTED:
		return off_wanted_step(p, u, now_us);
	case OFF_ORDERED:
	case OFF_VERIFIED:
		return off_ordered_step(p, u, now_us);
	case OFF_NONE:
	case OFF_FAILED:
		break;
	}
	return NEVER;
}

int64_t switching_off_step(struct policy *p, int64_t now_us)
{
	int64_t next = NEVER;

	for_each_ups (p, u)
		if (u->kept.doomed && !u->kept.ended)
			next = sooner(next, off_step(p, u, now_us));
	return next;
}

int64_t start_step(struct policy *p, struct ups *u, int64_t now_us)
{
	if (u->kept.start != START_WANTED || !u->kept.doomed)
		return NEVER;
	if (u->start_tries >= START_TRIES) {
		u->kept.start = START_FAILED;
		say(p, (int)ups_index(p, u), "shutdown-no-start", "alert",
		    "UPS %s does not confirm that it starts by itself when the mains return.",
		    ups_name(p, u));
		return NEVER;
	}
	if (!u->known || u->kept.seen_off)
		return NEVER;
	if (now_us < u->start_retry_us)
		return u->start_retry_us;
	act(p, POLICY_VERIFY_START, (int)ups_index(p, u));
	u->start_tries++;
	u->start_retry_us = now_us + OFF_WAIT_S * SEC; /* its outcome brings it forward */
	return u->start_retry_us;
}

static void start_done(struct policy *p, struct ups *u, bool good, int64_t now_us)
{
	if (u->kept.start != START_WANTED)
		return;
	if (good)
		u->kept.start = START_DONE;
	else
		u->start_retry_us = now_us + RETRY_S * SEC / 5;
	save(p, now_us);
}

static void off_done(struct policy *p, struct ups *u, enum u2k_outcome outcome, const char *text,
		     int64_t now_us)
{
	if (u->kept.off != OFF_ORDERED)
		return;
	if (outcome == U2K_VERIFIED) {
		u->kept.off = OFF_VERIFIED;
	} else if (outcome == U2K_REFUSED) { /* nothing was written */
		u->kept.off = OFF_WANTED;
		u->off_retry_us = now_us + RETRY_S * SEC;
	} else {
		off_failed(p, u, text ? text : "it did not obey", now_us);
	}
	save(p, now_us);
}

void policy_ups_done(struct policy *p, unsigned ups, enum policy_do what, enum u2k_outcome outcome,
		     const char *text, int64_t now_us)
{
	p->now_us = now_us;
	if (ups >= p->config.n_ups || !p->ups[ups].kept.doomed)
		return;
	if (what == POLICY_VERIFY_START)
		start_done(p, &p->ups[ups], outcome == U2K_VERIFIED, now_us);
	else if (what == POLICY_SWITCH_OFF)
		off_done(p, &p->ups[ups], outcome, text, now_us);
	policy_run(p, now_us);
}
