#include <stdio.h>
#include <string.h>

#include <ups2000/error.h>

#include "policy/policy_impl.h"

/*
 * The way back: when an FSD may be cleared, and which hosts are to be woken. Both outlive the sequence
 * and the daemon, neither outlives its reason.
 */

/* --- FSD ------------------------------------------------------------------------------------------------ */

void fsd_latch(struct policy *p, struct ups *u, int64_t now_us)
{
	if (!u->kept.fsd) {
		u->kept.fsd = true;
		u->kept.fsd_us = now_us;
		u->kept.seen_off = false;
	}
	save(p, now_us);
}

void fsd_clear(struct policy *p, struct ups *u, const char *why, int64_t now_us)
{
	struct policy_action *action = act(p, POLICY_FSD_CLEAR, (int)ups_index(p, u));

	snprintf(action->text, sizeof(action->text), "%s", why);
	u->kept.fsd = false;
	u->kept.fsd_runs = false;
	u->kept.fsd_us = 0;
	u->kept.ended = u->kept.doomed;
	save(p, now_us);
}

/* Whether an FSD may go now: the sequence has nothing more to do that needs it. */
static bool fsd_may_go(const struct policy *p, const struct ups *u)
{
	return idle(p->state) || p->state >= POLICY_HOST || !u->kept.doomed;
}

static int64_t fsd_of(struct policy *p, struct ups *u, int64_t now_us)
{
	int64_t clear_us;

	if (u->known && u->flags & U2K_OFF && !u->kept.seen_off) {
		u->kept.seen_off = true;
		save(p, now_us);
	}
	if (!fsd_may_go(p, u))
		return NEVER;
	if (u->kept.seen_off && watch_output_on(u)) {
		fsd_clear(p, u, "the output was off and is on again", now_us);
		return NEVER;
	}
	if (u->kept.seen_off || !u->known || !u->ol_us || !steps_over(p, u))
		return NEVER;
	clear_us = (u->ol_us > u->kept.fsd_us ? u->ol_us : u->kept.fsd_us) + MAINS_CLEAR_S * SEC;
	if (now_us < clear_us)
		return clear_us;
	if (u->kept.doomed && !u->kept.ended) { /* though FSD may have to stay for a while */
		u->kept.ended = true;
		save(p, now_us);
	}
	if (u->old)
		return NEVER;
	fsd_clear(p, u, "the mains are back and all who saw it have left", now_us);
	return NEVER;
}

int64_t fsd_step(struct policy *p, int64_t now_us)
{
	int64_t next = NEVER;

	for_each_ups (p, u)
		if (u->kept.fsd)
			next = sooner(next, fsd_of(p, u, now_us));
	return next;
}

void policy_fsd(struct policy *p, unsigned ups, const struct policy_who *who, int64_t now_us)
{
	struct ups *u = &p->ups[ups];

	(void)who; /* who latched it said so already */
	if (ups >= p->config.n_ups)
		return;
	fsd_latch(p, u, now_us);
	if (p->config.enabled && p->config.on_fsd == POLICY_FSD_RUN && idle(p->state))
		u->kept.fsd_runs = true;
	policy_run(p, now_us);
}

void policy_fsd_found(struct policy *p, unsigned ups, int64_t now_us)
{
	if (ups >= p->config.n_ups || p->ups[ups].kept.fsd)
		return;
	fsd_latch(p, &p->ups[ups], now_us);
	policy_run(p, now_us);
}

int policy_fsd_clear(struct policy *p, unsigned ups, const struct policy_who *who, int64_t now_us,
		     char *text)
{
	struct ups *u = &p->ups[ups];
	char why[POLICY_TEXT_MAX];

	if (ups >= p->config.n_ups || !u->kept.fsd) {
		snprintf(text, POLICY_TEXT_MAX, "No FSD is set there.");
		return U2K_EREFUSED;
	}
	if (u->kept.doomed && !steps_over(p, u)) {
		snprintf(text, POLICY_TEXT_MAX,
			 "A forced shutdown is under way and is finished first: %s.",
			 policy_state_text(p->state));
		return U2K_EREFUSED;
	}
	snprintf(why, sizeof(why), "asked for by %.60s from %.60s",
		 who->user && *who->user ? who->user : "someone",
		 who->from && *who->from ? who->from : "this host");
	fsd_clear(p, u, why, now_us);
	policy_run(p, now_us);
	return 0;
}

/* --- hosts to wake -------------------------------------------------------------------------------------- */

static bool hangs_on(const struct policy_wake *config, unsigned ups)
{
	return config->ups < 0 || (unsigned)config->ups == ups;
}

void wake_begin(struct policy *p)
{
	for (size_t i = 0; i < p->config.n_wake; i++)
		for_each_ups (p, u)
			if (u->kept.doomed && hangs_on(&p->config.wake[i], ups_index(p, u)))
				p->wake[i] = (struct saved_wake){ .pending = true };
}

unsigned wake_pending(const struct policy *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->config.n_wake; i++)
		n += p->wake[i].pending;
	return n;
}

struct power {
	bool mains, charged;
	int64_t since_us, stable_us;
};

/* What a host hangs on, as one. */
static struct power power_of(const struct policy *p, const struct policy_wake *config,
			     int64_t now_us)
{
	struct power power = { true, true, 0, NEVER };
	int64_t stable_us = p->config.mains_stable_s * SEC;

	for_each_ups_of (p, u) {
		if (!hangs_on(config, (unsigned)(u - p->ups)))
			continue;
		if (u->kept.fsd) { /* who is woken now would shut down again */
			power.mains = false;
			power.stable_us = NEVER;
			continue;
		}
		if (!watch_online(u, now_us, stable_us)) {
			power.mains = false;
			power.stable_us = u->known && u->ol_us ? u->ol_us + stable_us : NEVER;
		}
		if (config->min_charge_percent > 0 &&
		    (!u->has_charge || u->charge < config->min_charge_percent))
			power.charged = false;
		power.since_us = u->ol_us > power.since_us ? u->ol_us : power.since_us;
	}
	return power;
}

/* Nobody could have seen it: neither an alarm nor a success. */
static void wake_done(struct policy *p, unsigned i, int64_t now_us)
{
	p->wake[i].pending = false;
	say(p, -1, "wake", "warning",
	    "Host %s was woken; nobody looks whether it is up (it has no \"seen\").",
	    p->config.wake[i].name);
	save(p, now_us);
}

static void wake_give_up(struct policy *p, unsigned i, const char *why, int64_t now_us)
{
	p->wake[i].pending = false;
	say(p, -1, "wake-failed", "alert", "Host %s is not up again: %s.", p->config.wake[i].name,
	    why);
	save(p, now_us);
}

static int64_t wake_of(struct policy *p, unsigned i, int64_t now_us)
{
	const struct policy_wake *config = &p->config.wake[i];
	struct saved_wake *wake = &p->wake[i];
	struct power power = power_of(p, config, now_us);

	if (!power.mains) {
		wake->next_us = 0; /* the stagger begins anew with the mains */
		return power.stable_us;
	}
	if (!wake->next_us) /* one that got its last packet is given its time to boot */
		wake->next_us =
			now_us +
			(wake->tries < config->tries ? config->after_s : config->retry_s) * SEC;
	if (now_us < wake->next_us)
		return wake->next_us;
	if (wake->tries >= config->tries) {
		if (config->unseen)
			wake_done(p, i, now_us);
		else
			wake_give_up(p, i, "it does not answer to being woken", now_us);
		return NEVER;
	}
	if (!power.charged) {
		int64_t until = power.since_us + WAKE_CHARGE_WAIT_S * SEC;

		if (now_us < until)
			return until;
		wake_give_up(p, i, "the battery's charge has not come back, so it was not woken",
			     now_us);
		return NEVER;
	}
	act(p, POLICY_WAKE, -1)->host = i;
	wake->tries++;
	wake->next_us = now_us + config->retry_s * SEC;
	save(p, now_us);
	return wake->next_us;
}

int64_t wake_step(struct policy *p, int64_t now_us)
{
	int64_t next = NEVER;

	if (!idle(p->state))
		return NEVER;
	for (unsigned i = 0; i < p->config.n_wake; i++)
		if (p->wake[i].pending)
			next = sooner(next, wake_of(p, i, now_us));
	return next;
}

bool policy_host_awaited(const struct policy *p, unsigned host)
{
	/* before the first packet it may just not have halted yet */
	return host < p->config.n_wake && p->wake[host].pending && p->wake[host].tries;
}

void policy_host_up(struct policy *p, unsigned host, int64_t now_us)
{
	if (!policy_host_awaited(p, host))
		return;
	p->wake[host].pending = false;
	say(p, -1, "wake", "info", "Host %s is up again.", p->config.wake[host].name);
	save(p, now_us);
	policy_run(p, now_us);
}
