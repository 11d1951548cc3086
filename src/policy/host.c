#include <stdio.h>

#include "policy/policy_impl.h"

/*
 * This host: asked to go down, asked again where that failed. The request carries the sequence's id,
 * so that asking twice for the same is asking once.
 */

static void ask_host(struct policy *p, int64_t now_us)
{
	struct policy_action *action = act(p, POLICY_HOST_DOWN, -1);

	snprintf(action->text, sizeof(action->text), "Forced shutdown (%.200s).", p->cause);
	p->host_asked = true;
	p->host_tries++;
	p->host_us = now_us;
	p->host_retry_us = now_us + HOST_ANSWER_S * SEC;
	save(p, now_us);
}

static void host_refused(struct policy *p, const char *why, int64_t now_us)
{
	p->host_failed = p->host_tries >= HOST_TRIES;
	p->host_us = now_us;
	p->host_retry_us = now_us + RETRY_S * SEC;
	say(p, -1, "shutdown-failed", "alert", "This host could not be shut down: %.150s; %s", why,
	    p->host_failed ? "do it by hand, now." : "it is tried again.");
	save(p, now_us);
}

void policy_host_done(struct policy *p, bool accepted, const char *text, int64_t now_us)
{
	if (p->state != POLICY_HOST || p->host_accepted || p->host_failed || !p->host_asked)
		return;
	if (accepted) {
		p->host_accepted = true;
		p->host_us = now_us;
		save(p, now_us);
	} else {
		host_refused(p, text ? text : "the request was not accepted", now_us);
	}
	policy_run(p, now_us);
}

static int64_t host_wait_step(struct policy *p, int64_t now_us)
{
	int64_t hung_us = p->host_us + (p->config.host_shutdown_time_s + HOST_HUNG_S) * SEC;

	if (p->config.early_arming) {
		enter(p, POLICY_SWITCHING_OFF, now_us);
		return NEVER;
	}
	if (now_us < hung_us)
		return hung_us;
	say(p, -1, "shutdown-failed", "alert",
	    "This host was asked to shut down and still runs. Look at it, now.");
	p->host_failed = true;
	save(p, now_us);
	return NEVER;
}

int64_t host_step(struct policy *p, int64_t now_us)
{
	if (p->host_failed)
		return NEVER;
	if (p->host_accepted)
		return host_wait_step(p, now_us);
	if (p->host_asked && now_us < p->host_retry_us)
		return p->host_retry_us;
	if (p->host_tries >= HOST_TRIES)
		host_refused(p, "nobody answers the request", now_us);
	else
		ask_host(p, now_us);
	return p->host_failed ? NEVER : p->host_retry_us;
}
