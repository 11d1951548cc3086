#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_impl.h"

/*
 * What is to be done waits in a ring. Steps are few and each comes once, so that the ring has room for
 * all of them; events give way when somebody does not fetch them.
 */

static size_t commands_of(const struct policy_config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_stages; i++)
		n += config->stages[i].n_commands;
	return n;
}

bool actions_init(struct policy *p)
{
	p->room = EVENTS_MAX + 16 + 16 * p->config.n_ups + 2 * commands_of(&p->config) +
		  4 * p->config.n_wake;
	p->actions = calloc(p->room, sizeof(*p->actions));
	return p->actions != NULL;
}

struct policy_action *act(struct policy *p, enum policy_do what, int ups)
{
	struct policy_action *action;

	if (p->n_actions == p->room) { /* nobody fetches: the oldest is the least true */
		p->first_action = (p->first_action + 1) % p->room;
		p->n_actions--;
	}
	action = &p->actions[(p->first_action + p->n_actions++) % p->room];
	*action = (struct policy_action){ .what = what, .ups = ups };
	memcpy(action->sequence, p->sequence, sizeof(action->sequence));
	return action;
}

void say(struct policy *p, int ups, const char *event, const char *severity, const char *format,
	 ...)
{
	struct policy_action *action;
	va_list args;

	if (p->n_actions >= p->room - p->room / 4) /* kept free for what must be done */
		return;
	action = act(p, POLICY_EVENT, ups);
	action->event = event;
	action->severity = severity;
	va_start(args, format);
	vsnprintf(action->text, sizeof(action->text), format, args);
	va_end(args);
}

/* --- the record -------------------------------------------------------------------------------------- */

void save(struct policy *p, int64_t now_us)
{
	p->version++;
	p->serial++;
	p->dirty_us = now_us;
	p->save_retry_us = now_us;
}

bool kept(const struct policy *p, uint64_t version, int64_t now_us)
{
	return p->saved_version >= version || now_us >= kept_due(p);
}

int64_t kept_due(const struct policy *p)
{
	return p->dirty_us + SAVE_WAIT_S * SEC;
}

/* A disk that hangs: what was being written counts as not written. */
int64_t save_step(struct policy *p, int64_t now_us)
{
	if (p->saving && now_us >= p->saving_us + SAVE_HUNG_S * SEC)
		policy_saved(p, false, now_us);
	if (p->saving)
		return p->saving_us + SAVE_HUNG_S * SEC;
	return p->unsaved && p->save_retry_us > now_us ? p->save_retry_us : NEVER;
}

void policy_saved(struct policy *p, bool ok, int64_t now_us)
{
	if (!p->saving)
		return;
	p->saving = false;
	p->saved_version = p->out_version; /* or there is no use in waiting for it */
	if (!ok) {
		if (!p->unsaved)
			say(p, -1, "shutdown-unsaved", "alert",
			    "What the shutdown sequence needs to survive a restart cannot be "
			    "written; the sequence itself goes on.");
		p->out_version = 0;
		p->save_retry_us = now_us + RETRY_S * SEC;
	} else if (p->unsaved) {
		say(p, -1, "shutdown-saved", "info",
		    "The state of the shutdown sequence can be written again.");
	}
	p->unsaved = !ok;
	policy_run(p, now_us);
}

static bool save_wanted(const struct policy *p)
{
	return !p->saving && p->out_version < p->version &&
	       (!p->unsaved || p->now_us >= p->save_retry_us);
}

bool policy_next(struct policy *p, struct policy_action *action)
{
	if (save_wanted(p)) {
		/* before whatever waits: a step is written down before it is taken */
		p->saving = true;
		p->saving_us = p->now_us;
		p->out_version = p->version;
		*action = (struct policy_action){ .what = POLICY_SAVE, .ups = -1 };
		memcpy(action->sequence, p->sequence, sizeof(action->sequence));
		p->due_us = sooner(p->due_us, p->saving_us + SAVE_HUNG_S * SEC);
		return true;
	}
	if (!p->n_actions)
		return false;
	*action = p->actions[p->first_action];
	p->first_action = (p->first_action + 1) % p->room;
	p->n_actions--;
	return true;
}
