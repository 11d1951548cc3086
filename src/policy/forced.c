#include <stdio.h>
#include <string.h>

#include "policy/policy_impl.h"

/* From FSD's announcement to the last seconds: who leaves, and which commands run. */

static bool secondaries_left(const struct policy *p)
{
	for_each_ups_of (p, u)
		if (u->kept.doomed && u->logins > p->config.own_logins)
			return false;
	return true;
}

static void say_who_stays(struct policy *p)
{
	for_each_ups (p, u)
		if (u->kept.doomed && u->logins > p->config.own_logins)
			say(p, (int)ups_index(p, u), "shutdown-secondaries", "warning",
			    "%u NUT clients of UPS %s have not left within %u s; the shutdown goes "
			    "on without them.",
			    u->logins - p->config.own_logins, ups_name(p, u), p->config.hostsync_s);
}

int64_t announced_step(struct policy *p, int64_t now_us)
{
	int64_t until = p->announced_us + p->config.hostsync_s * SEC;

	if (now_us < until) {
		if (!secondaries_left(p))
			return until;
		/* After a start they are still on their way to this daemon. */
		if (now_us < p->logins_us)
			return sooner(p->logins_us, until);
	} else {
		say_who_stays(p);
	}
	enter(p, p->config.n_stages ? POLICY_STAGES : POLICY_FINAL_DELAY, now_us);
	return NEVER;
}

static void begin_command(struct policy *p, struct command *command, int64_t now_us)
{
	save(p, now_us); /* written down before it is run: it must not run twice */
	command->state = CMD_BEGUN;
	command->version = p->version;
}

static void run_command(struct policy *p, unsigned i, int64_t now_us)
{
	const struct policy_command *config = &p->config.stages[p->stage].commands[i];
	struct policy_action *action = act(p, POLICY_RUN, -1);

	p->commands[i].state = CMD_RUNNING;
	p->commands[i].until_us = now_us + config->timeout_s * SEC;
	action->stage = p->stage;
	action->command = i;
	action->timeout_s = config->timeout_s;
	snprintf(action->text, sizeof(action->text), "%s", config->name);
}

static void stop_command(struct policy *p, unsigned i)
{
	struct policy_action *action = act(p, POLICY_KILL, -1);
	const struct policy_command *config = &p->config.stages[p->stage].commands[i];

	p->commands[i].state = CMD_ENDED;
	action->stage = p->stage;
	action->command = i;
	say(p, -1, "shutdown-command", "alert",
	    "Command %s did not end within %u s; the shutdown goes on.", config->name,
	    config->timeout_s);
}

/* One command's turn; returns when to look again, and NEVER once it has ended. */
static int64_t command_step(struct policy *p, unsigned i, int64_t now_us)
{
	struct command *command = &p->commands[i];

	if (command->state == CMD_TODO)
		begin_command(p, command, now_us);
	if (command->state == CMD_BEGUN) {
		if (!kept(p, command->version, now_us))
			return kept_due(p);
		run_command(p, i, now_us);
	}
	if (command->state == CMD_RUNNING && now_us >= command->until_us)
		stop_command(p, i);
	return command->state == CMD_RUNNING ? command->until_us : NEVER;
}

int64_t stages_step(struct policy *p, int64_t now_us)
{
	const struct policy_stage *stage;
	int64_t next = NEVER;
	bool ended = true;

	if (p->stage >= p->config.n_stages) { /* after a reload there may be fewer */
		enter(p, POLICY_FINAL_DELAY, now_us);
		return NEVER;
	}
	stage = &p->config.stages[p->stage];
	for (unsigned i = 0; i < stage->n_commands && (ended || stage->parallel); i++) {
		next = sooner(next, command_step(p, i, now_us));
		ended = ended && p->commands[i].state == CMD_ENDED;
	}
	if (!ended)
		return next;
	memset(p->commands, 0, sizeof(p->commands));
	p->stage++;
	if (p->stage < p->config.n_stages)
		enter(p, POLICY_STAGES, now_us);
	else
		enter(p, POLICY_FINAL_DELAY, now_us);
	return now_us;
}

static bool start_open(const struct policy *p)
{
	for_each_ups_of (p, u)
		if (u->kept.doomed && u->kept.start == START_WANTED)
			return true;
	return false;
}

int64_t final_delay_step(struct policy *p, int64_t now_us)
{
	int64_t due = p->since_us + p->config.final_delay_s * SEC;
	int64_t start_due = p->announced_us + START_WAIT_S * SEC;

	if (now_us < due)
		return due;
	if (start_open(p) && now_us < start_due)
		return start_due;
	enter(p, p->config.host == POLICY_HOST_SHUTDOWN ? POLICY_HOST : POLICY_SWITCHING_OFF,
	      now_us);
	return NEVER;
}

void policy_command_done(struct policy *p, unsigned stage, unsigned command, bool ok,
			 const char *text, int64_t now_us)
{
	p->now_us = now_us;
	if (p->state != POLICY_STAGES || stage != p->stage || stage >= p->config.n_stages ||
	    command >= p->config.stages[stage].n_commands ||
	    p->commands[command].state != CMD_RUNNING)
		return;
	p->commands[command].state = CMD_ENDED;
	save(p, now_us);
	if (!ok)
		say(p, -1, "shutdown-command", "alert", "Command %s failed: %.150s",
		    p->config.stages[stage].commands[command].name,
		    text ? text : "it did not say why.");
	policy_run(p, now_us);
}
