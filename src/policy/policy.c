#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ups2000/error.h>

#include "policy/policy_impl.h"
#include "policy/record.h"

/* --- from and to the record ---------------------------------------------------------------------------- */

static enum saved_host host_state(const struct policy *p)
{
	if (!p->host_asked)
		return HOST_NONE;
	if (p->host_failed)
		return HOST_FAILED;
	return p->host_accepted ? HOST_ACCEPTED : HOST_ASKED;
}

static void record_commands(const struct policy *p, struct record *r)
{
	const struct policy_stage *stage;

	if (p->state != POLICY_STAGES || p->stage >= p->config.n_stages)
		return;
	stage = &p->config.stages[p->stage];
	snprintf(r->stage, sizeof(r->stage), "%s", stage->name);
	for (size_t i = 0; i < stage->n_commands; i++) {
		if (p->commands[i].state == CMD_TODO)
			continue;
		snprintf(r->commands[r->n_commands].name, RECORD_NAME_MAX, "%s",
			 stage->commands[i].name);
		r->commands[r->n_commands].ended = p->commands[i].state == CMD_ENDED;
		r->commands[r->n_commands].until_us = p->commands[i].until_us;
		r->n_commands++;
	}
}

static unsigned spent_of(const struct ups *u)
{
	unsigned spent = 0;

	for (unsigned i = 0; i < POLICY_CONDITIONS; i++)
		spent |= u->cond[i].spent ? 1u << i : 0;
	return spent;
}

static void record_fill(const struct policy *p, struct record *r)
{
	memset(r, 0, sizeof(*r));
	memcpy(r->boot, p->boot, sizeof(r->boot));
	memcpy(r->sequence, p->sequence, sizeof(r->sequence));
	memcpy(r->cause, p->cause, sizeof(r->cause));
	memcpy(r->operator_text, p->operator_text, sizeof(r->operator_text));
	r->serial = p->serial;
	r->state = p->state;
	r->since_us = p->since_us;
	r->announced_us = p->announced_us;
	r->operator_asked = p->operator_asked;
	r->operator_us = p->operator_us;
	record_commands(p, r);
	r->host = host_state(p);
	r->host_tries = p->host_tries;
	r->host_us = p->host_us;
	for_each_ups_of (p, u) {
		snprintf(r->ups[r->n_ups].name, RECORD_NAME_MAX, "%s", ups_config(p, u)->name);
		r->ups[r->n_ups].ups = u->kept;
		r->ups[r->n_ups++].ups.spent = spent_of(u);
	}
	for (size_t i = 0; i < p->config.n_wake; i++) {
		if (!p->wake[i].pending)
			continue;
		snprintf(r->wake[r->n_wake].name, RECORD_NAME_MAX, "%s", p->config.wake[i].name);
		r->wake[r->n_wake++].wake = p->wake[i];
	}
}

size_t policy_record(const struct policy *p, char *out, size_t size)
{
	struct record *record = malloc(sizeof(*record));
	size_t len;

	if (!record)
		return 0;
	record_fill(p, record);
	len = record_print(record, out, size);
	free(record);
	return len;
}

static struct ups *find_ups(struct policy *p, const char *name)
{
	for_each_ups (p, u)
		if (!strcmp(ups_config(p, u)->name, name))
			return u;
	return NULL;
}

static void restore_wakes(struct policy *p, const struct record *r)
{
	for (size_t i = 0; i < r->n_wake; i++)
		for (size_t k = 0; k < p->config.n_wake; k++)
			if (!strcmp(p->config.wake[k].name, r->wake[i].name))
				p->wake[k] = r->wake[i].wake;
}

static void restore_spent(struct ups *u, unsigned spent, int64_t now_us)
{
	for (unsigned i = 0; i < POLICY_CONDITIONS; i++)
		if (spent & 1u << i)
			u->cond[i] = (struct cond){ .true_us = now_us, .spent = true };
}

static void restore_ups(struct policy *p, const struct record *r, int64_t now_us)
{
	for (size_t i = 0; i < r->n_ups; i++) {
		struct ups *u = find_ups(p, r->ups[i].name);

		if (!u)
			continue;
		u->kept = r->ups[i].ups;
		u->kept.outage_us = sooner(u->kept.outage_us, now_us);
		restore_spent(u, u->kept.spent, now_us);
		if (u->kept.fsd)
			act(p, POLICY_FSD_SET, (int)ups_index(p, u));
	}
}

static void restore_command(struct policy *p, struct command *command, const char *name, bool ended,
			    int64_t until_us, bool reload)
{
	command->until_us = until_us;
	if (ended)
		command->state = CMD_ENDED;
	else if (reload)
		command->state = until_us ? CMD_RUNNING : CMD_TODO;
	else {
		command->state = CMD_ENDED; /* it may have run: so it does not run again */
		say(p, -1, "shutdown-command", "warning",
		    "This daemon was restarted; what became of command %s was not heard.", name);
	}
}

static void restore_stage(struct policy *p, const struct record *r, bool reload)
{
	const struct policy_stage *stage;

	if (r->state != POLICY_STAGES)
		return;
	for (p->stage = 0; p->stage < p->config.n_stages; p->stage++)
		if (!strcmp(p->config.stages[p->stage].name, r->stage))
			break;
	if (p->stage == p->config.n_stages)
		return; /* it is no longer configured: the steps after the stages follow */
	stage = &p->config.stages[p->stage];
	for (size_t i = 0; i < r->n_commands; i++)
		for (size_t k = 0; k < stage->n_commands; k++)
			if (!strcmp(stage->commands[k].name, r->commands[i].name))
				restore_command(p, &p->commands[k], r->commands[i].name,
						r->commands[i].ended, r->commands[i].until_us,
						reload);
}

static void restore_host(struct policy *p, const struct record *r)
{
	p->host_asked = r->host != HOST_NONE;
	p->host_accepted = r->host == HOST_ACCEPTED;
	p->host_failed = r->host == HOST_FAILED;
	/* Not heard of: it is asked once more, for the same sequence. */
	p->host_tries = r->host == HOST_ASKED && r->host_tries >= HOST_TRIES ? HOST_TRIES - 1
									     : r->host_tries;
	p->host_us = r->host_us;
}

/* What the daemon before had to say may have died with it: rather twice than never. */
static void say_again(struct policy *p)
{
	if (p->state == POLICY_HOST || p->state == POLICY_SWITCHING_OFF)
		say_what_may_stay_down(p);
	if (p->state == POLICY_HOST && p->host_failed)
		say(p, -1, "shutdown-failed", "alert", "This host could not be shut down.");
	for_each_ups (p, u)
		if (policy_state_forced(p->state) && u->kept.doomed && u->kept.off == OFF_FAILED)
			say(p, (int)ups_index(p, u), "shutdown-failed", "alert",
			    "UPS %s could not be switched off.", ups_name(p, u));
}

/* The same boot: as if nothing had been. */
static void go_on(struct policy *p, const struct record *r, bool reload, int64_t now_us)
{
	memcpy(p->sequence, r->sequence, sizeof(p->sequence));
	memcpy(p->cause, r->cause, sizeof(p->cause));
	memcpy(p->operator_text, r->operator_text, sizeof(p->operator_text));
	p->state = r->state;
	p->since_us = sooner(r->since_us, now_us);
	p->announced_us = sooner(r->announced_us, now_us);
	p->operator_asked = r->operator_asked;
	p->operator_us = sooner(r->operator_us, now_us);
	restore_ups(p, r, now_us);
	restore_stage(p, r, reload);
	restore_host(p, r);
	restore_wakes(p, r);
	if (!reload)
		say_again(p);
	if (!reload && policy_state_forced(p->state))
		say(p, -1, "shutdown-step", "warning",
		    "This daemon was restarted in a forced shutdown and goes on with it: %s.",
		    policy_state_text(p->state));
}

/* What was hot or in alarm before the boot led to a sequence already. */
static const unsigned spent_by_boot = 1u << POLICY_COND_TEMPERATURE | 1u << POLICY_COND_ALARM;

/*
 * A record of this boot that says less than happened since: no disk took what followed, or the daemon
 * was away for minutes. What it tells of would be over by now, and must not begin when everything may
 * run again.
 */
static bool is_stale(const struct policy *p, const struct record *r, int64_t now_us)
{
	if (r->state >= POLICY_ANNOUNCED && r->state <= POLICY_FINAL_DELAY)
		return now_us > r->since_us + (path_s(p, r->state) + START_WAIT_S + STALE_S) * SEC;
	return r->state == POLICY_HOST && r->host == HOST_ASKED &&
	       now_us > r->host_us + (HOST_ANSWER_S + STALE_S) * SEC;
}

/* Another boot: looked at, never continued. */
static void judge(struct policy *p, const struct record *r, int64_t now_us)
{
	bool forced = r->state >= POLICY_ANNOUNCED && r->state <= POLICY_OFF;

	for (size_t i = 0; i < r->n_ups; i++) {
		struct ups *u = find_ups(p, r->ups[i].name);

		if (!u)
			continue;
		u->kept.doomed = r->ups[i].ups.doomed;
		if (forced && u->kept.doomed && ups_end(p, u) != POLICY_END_STAYOFF &&
		    r->ups[i].ups.start != START_DONE)
			say(p, (int)ups_index(p, u), "shutdown-no-start", "alert",
			    "It was not seen that UPS %s starts by itself when the mains return; it "
			    "may go off and stay off.",
			    ups_name(p, u));
		restore_spent(u,
			      u->kept.doomed ? spent_by_boot : r->ups[i].ups.spent & spent_by_boot,
			      now_us);
	}
	if (forced) {
		wake_begin(p);
		say(p, -1, "shutdown-found", "warning",
		    "A forced shutdown from before (%.120s) is found. It is over, nothing of it is "
		    "continued; what has halted and kept its power has to be woken.",
		    r->cause);
	} else {
		restore_wakes(p, r);
	}
	for_each_ups (p, u)
		u->kept.doomed = false;
	for (size_t i = 0; i < p->config.n_wake; i++)
		p->wake[i].next_us = 0; /* another clock */
	if (wake_pending(p))
		enter(p, POLICY_COMING_BACK, now_us);
}

/* --- life ------------------------------------------------------------------------------------------------ */

static void restore(struct policy *p, const struct policy_start *start, int64_t now_us)
{
	struct record *records = calloc(2, sizeof(*records)), *best = NULL;
	bool here = false;

	if (!records)
		return;
	for (int i = 0; i < 2; i++) {
		const char *text = start->records[i];
		struct record *r = &records[i];
		bool same;

		if (!text || !record_parse(text, strlen(text), r))
			continue;
		same = !strcmp(r->boot, p->boot);
		if (!best || same > here || (same == here && r->serial > best->serial)) {
			best = r;
			here = same;
		}
	}
	if (best) {
		p->serial = best->serial;
		if (here && !is_stale(p, best, now_us))
			go_on(p, best, start->reload, now_us);
		else
			judge(p, best, now_us);
		save(p, now_us);
	}
	free(records);
}

struct policy *policy_new(const struct policy_config *config, const struct policy_start *start,
			  int64_t now_us)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (policy_config_copy(&p->config, config) || !actions_init(p)) {
		policy_free(p);
		return NULL;
	}
	snprintf(p->boot, sizeof(p->boot), "%s", start->boot && *start->boot ? start->boot : "-");
	p->random = start->random;
	p->since_us = now_us;
	p->now_us = now_us;
	p->due_us = NEVER;
	p->settle_us = start->reload ? now_us : now_us + SETTLE_S * SEC;
	p->logins_us = start->reload ? now_us : now_us + RECONNECT_S * SEC;
	for_each_ups (p, u) {
		u->heard_us = now_us;
		u->due_us = NEVER;
	}
	restore(p, start, now_us);
	policy_run(p, now_us);
	return p;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	policy_config_free(&p->config);
	free(p->actions);
	free(p);
}

/* --- what happens ----------------------------------------------------------------------------------------- */

/*
 * After a sleep nothing that was seen before it counts, nor does the silence meanwhile. What lasts by
 * itself, like the time on battery, counts once the UPS was heard again.
 */
static void look_for_sleep(struct policy *p, int64_t now_us)
{
	if (p->due_us == NEVER || now_us <= p->due_us + SLEPT_S * SEC)
		return;
	p->due_us = now_us;
	p->settle_us = now_us + SETTLE_S * SEC;
	for_each_ups (p, u) {
		watch_silence(u);
		u->ever = false;
		u->heard_us = now_us;
	}
}

static bool any_outage(const struct policy *p)
{
	for_each_ups_of (p, u)
		if (u->kept.outage)
			return true;
	return false;
}

void policy_run(struct policy *p, int64_t now_us)
{
	enum { ROUNDS = 100 };
	int64_t next = now_us;

	look_for_sleep(p, now_us);
	p->now_us = now_us;
	for (int i = 0; i < ROUNDS && next <= now_us; i++) {
		enum policy_state state = p->state;

		next = save_step(p, now_us);
		for_each_ups (p, u)
			next = sooner(next, watch_ups(p, u, now_us));
		next = sooner(next, sequence_step(p, now_us));
		next = sooner(next, fsd_step(p, now_us));
		next = sooner(next, wake_step(p, now_us));
		if (p->state != state)
			next = now_us;
	}
	if (any_outage(p))
		next = sooner(next, now_us + WATCH_S * SEC);
	p->due_us = next > now_us ? next : now_us + SEC / 10;
}

int64_t policy_deadline(const struct policy *p)
{
	return p->due_us;
}

void policy_ups(struct policy *p, unsigned ups, const struct u2k_snapshot *snap, bool fresh,
		int64_t now_us)
{
	if (ups >= p->config.n_ups)
		return;
	look_for_sleep(p, now_us);
	if (fresh)
		watch_snapshot(&p->ups[ups], snap, now_us);
	else
		watch_silence(&p->ups[ups]);
	policy_run(p, now_us);
}

/* The output came back unseen, and with it a host that now finds FSD. */
static void say_relapse(struct policy *p, struct ups *u, unsigned logins)
{
	if (u->kept.fsd && u->kept.seen_off && logins > u->logins)
		say(p, (int)ups_index(p, u), "shutdown-relapse", "alert",
		    "A NUT client has logged in to UPS %s while forced shutdown is still announced: "
		    "it shuts down again and has to be woken later.",
		    ups_name(p, u));
}

void policy_logins(struct policy *p, unsigned ups, unsigned logins, unsigned old, int64_t now_us)
{
	if (ups >= p->config.n_ups)
		return;
	say_relapse(p, &p->ups[ups], logins);
	p->ups[ups].logins = logins;
	p->ups[ups].old = old;
	policy_run(p, now_us);
}

static const char *word(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}

int policy_operator(struct policy *p, const struct policy_who *who, int64_t now_us, char *text)
{
	if (!p->config.enabled) {
		snprintf(text, POLICY_TEXT_MAX,
			 "There is no shutdown section in the configuration, so no host is shut "
			 "down.");
		return U2K_EREFUSED;
	}
	if (!idle(p->state) || p->operator_asked) {
		snprintf(text, POLICY_TEXT_MAX, "A shutdown is under way already.");
		return U2K_EREFUSED;
	}
	snprintf(p->operator_text, sizeof(p->operator_text),
		 "asked for by %.40s from %.40s%s%.120s", word(who->user, "someone"),
		 word(who->from, "this host"), who->reason && *who->reason ? ": " : "",
		 word(who->reason, ""));
	p->operator_asked = true;
	p->operator_us = now_us;
	save(p, now_us);
	policy_run(p, now_us);
	return 0;
}

int policy_operator_cancel(struct policy *p, const struct policy_who *who, int64_t now_us,
			   char *text)
{
	if (!idle(p->state)) {
		snprintf(text, POLICY_TEXT_MAX,
			 "Forced shutdown is announced, hosts are going down: it is finished.");
		return U2K_EREFUSED;
	}
	if (!p->operator_asked) {
		snprintf(text, POLICY_TEXT_MAX, "Nobody asked for a shutdown.");
		return U2K_EREFUSED;
	}
	p->operator_asked = false;
	say(p, -1, "shutdown-cancelled", "warning",
	    "The shutdown is taken back by %.60s from %.60s.", word(who->user, "someone"),
	    word(who->from, "this host"));
	save(p, now_us);
	policy_run(p, now_us);
	return 0;
}

enum policy_end policy_hook_end(const struct policy *p, unsigned ups)
{
	if (ups >= p->config.n_ups || !p->ups[ups].kept.doomed || p->config.early_arming)
		return POLICY_END_NOTHING;
	return p->config.ups[ups].end;
}
