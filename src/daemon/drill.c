#include "daemon/shutdown_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"
#include "util/util.h"
#include <ups2000/error.h>

/*
 * A rehearsal: the policy of this configuration lives through an outage on a clock of its own, with
 * every wait at its longest. What it would do is told, not done.
 */

enum { STEPS_MAX = 2000, LONGEST_S = 2 * 86400 };

struct drill {
	const struct shutdown *shutdown;
	struct policy *policy;
	int64_t began_us, now_us;
	drill_cb cb;
	void *user;
	bool over;
	struct {
		unsigned stage, command;
		int64_t due_us; /* 0 = it does not run */
	} running[POLICY_COMMANDS_MAX];
};

static void say(struct drill *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct drill *d, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	d->cb(d->user, (double)(d->now_us - d->began_us) / 1e6, text);
}

static void say_hook(struct drill *d)
{
	const struct policy_config *plan = &d->shutdown->config->shutdown.policy;

	for (unsigned i = 0; i < plan->n_ups; i++) {
		enum policy_end end = policy_hook_end(d->policy, i);

		if (end != POLICY_END_NOTHING)
			say(d, "Late in the shutdown the hook switches %s off; it %s.",
			    plan->ups[i].name,
			    end == POLICY_END_RETURN ? "comes back with the mains" : "stays off");
	}
}

static void note_running(struct drill *d, const struct policy_action *a)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(d->running) && d->running[i].due_us)
		i++;
	if (i == ARRAY_SIZE(d->running))
		return;
	d->running[i].stage = a->stage;
	d->running[i].command = a->command;
	d->running[i].due_us = d->now_us + a->timeout_s * U2K_SEC;
}

/* Each takes all the time it has, and ends well. */
static void end_running(struct drill *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(d->running); i++) {
		if (!d->running[i].due_us || d->running[i].due_us > d->now_us)
			continue;
		d->running[i].due_us = 0;
		policy_command_done(d->policy, d->running[i].stage, d->running[i].command, true,
				    NULL, d->now_us);
	}
}

static void pretend(struct drill *d, const struct policy_action *a)
{
	const struct shutdown *s = d->shutdown;
	const struct hub_ups *ups = a->ups < 0 ? NULL : shutdown__ups(s, (size_t)a->ups);
	const char *name = ups ? ups->name : "?";

	switch (a->what) {
	case POLICY_EVENT:
		say(d, "%s", a->text);
		break;
	case POLICY_FSD_SET:
		say(d, "FSD is shown for %s; %u NUT client%s logged in now.", name,
		    ups ? ups->logins : 0, ups && ups->logins == 1 ? " is" : "s are");
		break;
	case POLICY_VERIFY_START:
		say(d, "%s is set to start by itself when the mains return (1044 = 1).", name);
		policy_ups_done(d->policy, (unsigned)a->ups, a->what, U2K_VERIFIED, NULL,
				d->now_us);
		break;
	case POLICY_SWITCH_OFF:
		say(d, "%s is told to switch off in %u s.", name, a->delay_s);
		policy_ups_done(d->policy, (unsigned)a->ups, a->what, U2K_VERIFIED, NULL,
				d->now_us);
		d->over = true;
		break;
	case POLICY_RUN:
		say(d, "Task %s runs, for at most %u s.",
		    s->config->shutdown.policy.stages[a->stage].commands[a->command].name,
		    a->timeout_s);
		note_running(d, a);
		break;
	case POLICY_HOST_DOWN:
		say_hook(d);
		policy_host_done(d->policy, true, NULL, d->now_us);
		d->over = !s->config->shutdown.policy.early_arming;
		break;
	case POLICY_SAVE:
		policy_saved(d->policy, true, d->now_us);
		break;
	case POLICY_KILL:
	case POLICY_FSD_CLEAR:
	case POLICY_HOST_RELEASE:
	case POLICY_WAKE:
		break;
	}
}

/* All UPSes that feed this host: on battery, and the battery low. */
static void fail_all(struct drill *d)
{
	const struct policy_config *plan = &d->shutdown->config->shutdown.policy;

	for (unsigned i = 0; i < plan->n_ups; i++) {
		const struct hub_ups *ups = shutdown__ups(d->shutdown, i);
		struct u2k_snapshot snap = ups ? ups->snap : (struct u2k_snapshot){ 0 };

		if (plan->ups[i].supplies) {
			snap.flags = U2K_OB | U2K_LB | U2K_DISCHRG;
			snap.qty[U2K_QTY_BATTERY_CHARGE].value = 5;
			snap.qty[U2K_QTY_BATTERY_CHARGE].validity = U2K_VALID;
			snap.qty[U2K_QTY_BATTERY_RUNTIME].value = 30;
			snap.qty[U2K_QTY_BATTERY_RUNTIME].validity = U2K_VALID;
		}
		policy_ups(d->policy, i, &snap, true, d->now_us);
		policy_logins(d->policy, i, ups ? ups->logins : 0, ups ? ups->logins : 0,
			      d->now_us);
	}
}

bool shutdown_drill(const struct shutdown *s, drill_cb cb, void *user)
{
	struct policy_start start = { .boot = "drill" };
	struct drill d = { .shutdown = s, .cb = cb, .user = user };
	struct policy_action action;

	if (!s->config->shutdown.given)
		return false;
	d.began_us = d.now_us = 3600 * U2K_SEC;
	d.policy = policy_new(&s->config->shutdown.policy, &start, d.began_us - 1800 * U2K_SEC);
	if (!d.policy)
		abort(); /* out of memory: as xmalloc() */
	for (unsigned step = 0; step < STEPS_MAX && !d.over; step++) {
		int64_t due_us;

		end_running(&d);
		fail_all(&d);
		policy_run(d.policy, d.now_us);
		while (!d.over && policy_next(d.policy, &action))
			pretend(&d, &action);
		due_us = policy_deadline(d.policy);
		if (due_us == INT64_MAX || due_us - d.began_us > LONGEST_S * U2K_SEC)
			break;
		if (due_us > d.now_us)
			d.now_us = due_us;
	}
	if (!d.over)
		say(&d, "The sequence does not get further.");
	policy_free(d.policy);
	return true;
}

/* --- a task that really runs ------------------------------------------------------------------------ */

struct trial {
	struct shutdown *shutdown;
	char *task;
	struct process *process;
	struct event *timer;
};

static void free_trial(struct trial *trial)
{
	process_free(trial->process);
	event_free(trial->timer);
	free(trial->task);
	free(trial);
}

void shutdown__drop_trial(struct shutdown *s)
{
	if (s->trial)
		free_trial(s->trial);
	s->trial = NULL;
}

static void on_trial_end(void *user, const char *text)
{
	struct trial *trial = user;
	struct shutdown *s = trial->shutdown;

	hub_event(s->hub, "drill", text ? "warning" : "info", NULL, NULL, "Drill: task %s %s.",
		  trial->task, text ? text : "ended well");
	snprintf(s->tried.text, sizeof(s->tried.text), "%s", text ? text : "ended well");
	s->tried.good = !text;
	shutdown__drop_trial(s);
}

static void on_trial_late(evutil_socket_t fd, short what, void *user)
{
	const struct trial *trial = user;

	(void)fd;
	(void)what;
	process_end(trial->process);
}

int shutdown_try_task(struct shutdown *s, const char *name, char *text)
{
	const struct config_task *task = NULL;
	char drill[] = "UPS2000_DRILL=1", why[128];
	char *facts[3] = { drill, NULL, NULL };
	struct timeval limit = { 0 };
	struct trial *trial;

	for (size_t i = 0; i < s->config->shutdown.n_tasks; i++)
		if (strcmp(s->config->shutdown.tasks[i].name, name) == 0)
			task = &s->config->shutdown.tasks[i];
	if (!task) {
		snprintf(text, POLICY_TEXT_MAX, "There is no task \"%.64s\".", name);
		return U2K_EINVAL;
	}
	if (s->trial) {
		snprintf(text, POLICY_TEXT_MAX, "Task %.64s is being tried.", s->trial->task);
		return U2K_EREFUSED;
	}
	trial = xcalloc(1, sizeof(*trial));
	trial->shutdown = s;
	trial->task = xstrdup(name);
	trial->timer = evtimer_new(hub_base(s->hub), on_trial_late, trial);
	facts[1] = xasprintf("UPS2000_TASK=%s", name);
	trial->process = process_start(hub_base(s->hub), task->run, facts, on_trial_end, trial, why,
				       sizeof(why));
	free(facts[1]);
	if (!trial->process) {
		snprintf(text, POLICY_TEXT_MAX, "Task %.64s cannot be started: %.100s.", name, why);
		free_trial(trial);
		return U2K_EREFUSED;
	}
	limit.tv_sec = task->timeout_s;
	evtimer_add(trial->timer, &limit);
	snprintf(s->tried.task, sizeof(s->tried.task), "%s", name);
	s->trial = trial;
	return 0;
}

bool shutdown_tried(const struct shutdown *s, const char **task, bool *running, bool *good,
		    const char **text)
{
	if (!*s->tried.task)
		return false;
	*task = s->tried.task;
	*running = s->trial != NULL;
	*good = s->tried.good;
	*text = s->tried.text;
	return true;
}
