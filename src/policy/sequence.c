#include <stdio.h>
#include <string.h>

#include "policy/policy_impl.h"

/*
 * The sequence. Every state has one function that does what is due in it and returns when to look
 * again; enter() is the only place that assigns the state.
 */

/* --- beginning ---------------------------------------------------------------------------------------- */

static const char *const reasons[POLICY_CONDITIONS] = {
	[POLICY_COND_ON_BATTERY] = "on battery for too long",
	[POLICY_COND_CHARGE] = "the battery's charge is too low",
	[POLICY_COND_RUNTIME] = "the time left on battery is too short",
	[POLICY_COND_LOW_BATTERY] = "the battery is low",
	[POLICY_COND_TEMPERATURE] = "it is too hot",
	[POLICY_COND_ALARM] = "an alarm",
	[POLICY_COND_LOST] = "it was on battery and is not heard of any more",
	[POLICY_COND_FSD] = "a NUT client set FSD",
};

static void find_cause(struct policy *p)
{
	int by;

	if (watch_host_due(p, &by) == NEVER)
		return;
	if (by < 0)
		snprintf(p->cause, sizeof(p->cause), "%s", p->operator_text);
	else
		snprintf(p->cause, sizeof(p->cause), "%s: %s", p->config.ups[by].name,
			 reasons[p->ups[by].due_by]);
}

/* Which UPSes the sequence is about: those that no longer count or soon will not. */
static bool is_doomed(const struct policy *p, const struct ups *u, bool by_operator, int64_t now_us)
{
	return ups_config(p, u)->supplies && (by_operator || u->due_us <= now_us || u->kept.outage);
}

static void doom(struct policy *p, struct ups *u, int64_t now_us)
{
	struct saved_ups *kept = &u->kept;

	kept->ended = false;
	kept->off = OFF_NONE;
	kept->off_us = 0;
	/* also for one that is left to run empty */
	kept->start = ups_end(p, u) == POLICY_END_STAYOFF ? START_NONE : START_WANTED;
	u->start_tries = 0;
	u->start_retry_us = 0;
	u->off_tries = 0;
	u->off_retry_us = 0;
	fsd_latch(p, u, now_us);
	kept->seen_off = false;
	kept->fsd_us = now_us;
	act(p, POLICY_FSD_SET, (int)ups_index(p, u));
}

static void announce(struct policy *p, int64_t now_us)
{
	int by;
	bool by_operator = watch_host_due(p, &by) <= now_us && by < 0;

	find_cause(p);
	snprintf(p->sequence, sizeof(p->sequence), "%016llx-%llu", (unsigned long long)p->random,
		 (unsigned long long)p->serial);
	p->announced_us = now_us;
	p->operator_asked = false;
	p->host_asked = false;
	p->host_accepted = false;
	p->host_failed = false;
	p->host_tries = 0;
	p->host_us = 0;
	p->stage = 0;
	memset(p->commands, 0, sizeof(p->commands));
	say(p, by, "shutdown-announced", "alert", "Forced shutdown is announced (%s).", p->cause);
	for_each_ups (p, u) {
		u->kept.doomed = is_doomed(p, u, by_operator, now_us);
		if (u->kept.doomed)
			doom(p, u, now_us);
	}
}

static void over(struct policy *p)
{
	if (p->host_asked)
		act(p, POLICY_HOST_RELEASE, -1);
	p->host_asked = false;
	say(p, -1, "shutdown-over", "info", "The forced shutdown is over (%s).", p->cause);
	wake_begin(p);
	for_each_ups (p, u) {
		if (u->kept.doomed && !u->kept.seen_off)
			say(p, (int)ups_index(p, u), "shutdown-over", "warning",
			    "UPS %s was not off: what halted on it has to be woken.",
			    ups_name(p, u));
		u->kept.doomed = false;
		u->kept.fsd_runs = false;
		for (int i = 0; i < POLICY_CONDITIONS; i++)
			u->cond[i].spent = u->cond[i].true_us != 0;
	}
	p->sequence[0] = '\0';
	p->cause[0] = '\0';
}

static void switch_off_begin(struct policy *p)
{
	for_each_ups (p, u)
		if (u->kept.doomed && ups_end(p, u) != POLICY_END_NOTHING)
			u->kept.off = OFF_WANTED;
}

/*
 * Before the host goes, and its daemon with it: what nobody will be able to say afterwards. Said again
 * by a daemon that was restarted here, since what its predecessor had to say may have died with it.
 */
void say_what_may_stay_down(struct policy *p)
{
	bool host = p->config.host == POLICY_HOST_SHUTDOWN;

	for_each_ups (p, u) {
		enum policy_end end = ups_end(p, u);
		const char *name = ups_name(p, u), *text = NULL;

		if (!u->kept.doomed && ups_config(p, u)->supplies && host)
			text = "keeps its output on: what has halted on it stays down until "
			       "it is woken.";
		else if (u->kept.doomed && end == POLICY_END_NOTHING)
			text = "is not switched off: if the mains return before its battery "
			       "is empty, what has halted stays down until it is woken.";
		else if (u->kept.doomed && p->config.early_arming && host)
			text = "is armed while this host goes down: nobody sees any more "
			       "whether it obeys. If it does not, what has halted stays down until "
			       "it is woken.";
		if (text)
			say(p, (int)ups_index(p, u), "shutdown-kept-on", "alert", "UPS %s %s", name,
			    text);
		if (u->kept.doomed &&
		    (u->kept.start == START_WANTED || u->kept.start == START_FAILED))
			say(p, (int)ups_index(p, u), "shutdown-no-start", "alert",
			    "It was not seen that UPS %s starts by itself when the mains return; "
			    "it may stay off.",
			    name);
	}
}

static void report(struct policy *p, enum policy_state from)
{
	switch (p->state) {
	case POLICY_NORMAL:
	case POLICY_ON_BATTERY:
		if (from == POLICY_WARNING)
			say(p, -1, "shutdown-cancelled", "warning",
			    "The shutdown is called off: its reason is gone.");
		break;
	case POLICY_WARNING:
		find_cause(p);
		say(p, -1, "shutdown-warning", "alert", "A forced shutdown is about to begin (%s).",
		    p->cause);
		break;
	case POLICY_STAGES:
	case POLICY_FINAL_DELAY:
	case POLICY_HOST:
	case POLICY_SWITCHING_OFF:
	case POLICY_OFF:
		say(p, -1, "shutdown-step", "warning", "%s.", policy_state_text(p->state));
		break;
	case POLICY_ANNOUNCED:
	case POLICY_COMING_BACK:
	case POLICY_STATES:
		break;
	}
}

/* The only place that assigns p->state. */
void enter(struct policy *p, enum policy_state next, int64_t now_us)
{
	enum policy_state from = p->state;

	p->state = next;
	p->since_us = now_us;
	save(p, now_us);
	report(p, from);
	switch (next) {
	case POLICY_ANNOUNCED:
		announce(p, now_us);
		break;
	case POLICY_HOST:
		say_what_may_stay_down(p);
		break;
	case POLICY_SWITCHING_OFF:
		if (from != POLICY_HOST)
			say_what_may_stay_down(p);
		switch_off_begin(p);
		break;
	case POLICY_COMING_BACK:
		if (from >= POLICY_ANNOUNCED)
			over(p);
		break;
	case POLICY_NORMAL:
	case POLICY_ON_BATTERY:
		p->cause[0] = '\0';
		break;
	case POLICY_WARNING:
	case POLICY_STAGES:
	case POLICY_FINAL_DELAY:
	case POLICY_OFF:
	case POLICY_STATES:
		break;
	}
}

/* --- before the point of no return ------------------------------------------------------------------ */

bool any_owed(const struct policy *p)
{
	for_each_ups_of (p, u)
		if (u->kept.fsd)
			return true;
	return wake_pending(p) > 0;
}

static bool any_trouble(const struct policy *p)
{
	for_each_ups_of (p, u)
		if (u->kept.outage || u->due_us != NEVER)
			return true;
	return false;
}

/* The mains are there, but not for long enough to believe in them. */
static bool mains_flicker(const struct policy *p)
{
	for_each_ups_of (p, u)
		if (u->kept.outage && u->known && u->ol_us && ups_config(p, u)->supplies)
			return true;
	return false;
}

static enum policy_state quiet_state(const struct policy *p)
{
	if (p->config.enabled && (any_trouble(p) || p->operator_asked))
		return POLICY_ON_BATTERY;
	return any_owed(p) ? POLICY_COMING_BACK : POLICY_NORMAL;
}

static int64_t watch_step(struct policy *p, int64_t now_us)
{
	int by;
	int64_t due = watch_host_due(p, &by);
	int64_t warn = due == NEVER ? NEVER : due - p->config.warning_s * SEC;
	enum policy_state next = quiet_state(p);

	if (due <= now_us) {
		enter(p, POLICY_ANNOUNCED, now_us);
		return NEVER;
	}
	if (warn <= now_us || (p->state == POLICY_WARNING && mains_flicker(p)))
		next = POLICY_WARNING;
	if (next != p->state)
		enter(p, next, now_us);
	return p->state == POLICY_WARNING ? due : warn;
}

/* --- its end ------------------------------------------------------------------------------------------ */

bool steps_over(const struct policy *p, const struct ups *u)
{
	if (idle(p->state) || p->state == POLICY_OFF || !u->kept.doomed)
		return true;
	if (p->state == POLICY_HOST)
		return p->host_failed;
	if (p->state == POLICY_SWITCHING_OFF)
		return u->kept.off == OFF_NONE || u->kept.off == OFF_FAILED;
	return false;
}

static bool all_off(const struct policy *p)
{
	bool any = false;

	for_each_ups_of (p, u) {
		if (!u->kept.doomed || ups_end(p, u) == POLICY_END_NOTHING)
			continue;
		if (!u->kept.seen_off)
			return false;
		any = true;
	}
	return any;
}

static bool all_ended(const struct policy *p)
{
	for_each_ups_of (p, u)
		if (u->kept.doomed && !u->kept.ended)
			return false;
	return true;
}

/* UPSes off, and on again; or the mains back where nothing could be switched off. */
static void end_step(struct policy *p, int64_t now_us)
{
	if (p->state < POLICY_HOST || p->state == POLICY_COMING_BACK)
		return;
	if (all_ended(p))
		enter(p, POLICY_COMING_BACK, now_us);
	else if (p->state != POLICY_OFF && all_off(p))
		enter(p, POLICY_OFF, now_us);
}

static int64_t no_step(struct policy *p, int64_t now_us)
{
	(void)p;
	(void)now_us;
	return NEVER;
}

int64_t sequence_step(struct policy *p, int64_t now_us)
{
	static int64_t (*const steps[POLICY_STATES])(struct policy * p, int64_t now_us) = {
		[POLICY_NORMAL] = watch_step,  [POLICY_ON_BATTERY] = watch_step,
		[POLICY_WARNING] = watch_step, [POLICY_ANNOUNCED] = announced_step,
		[POLICY_STAGES] = stages_step, [POLICY_FINAL_DELAY] = final_delay_step,
		[POLICY_HOST] = host_step,     [POLICY_SWITCHING_OFF] = switching_off_step,
		[POLICY_OFF] = no_step,	       [POLICY_COMING_BACK] = watch_step,
	};
	int64_t next = steps[p->state](p, now_us);

	if (policy_state_forced(p->state))
		for_each_ups (p, u)
			next = sooner(next, start_step(p, u, now_us));
	end_step(p, now_us);
	return next;
}
