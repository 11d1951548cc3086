#include "daemon/shutdown_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"
#include "util/util.h"

#define LOG_PART "shutdown"
#include "util/log.h"

static const char USER[] = "ups2000d", FROM[] = "shutdown";

/* --- orders to the UPS --------------------------------------------------------------------------- */

static char *order_of(struct feed *feed, enum policy_do what)
{
	return what == POLICY_VERIFY_START ? feed->verify : feed->switch_off;
}

static void give_order(struct shutdown *s, const struct policy_action *action,
		       enum hub_order_kind kind, const char *name, const char *value)
{
	struct hub_ups *ups = shutdown__ups(s, (size_t)action->ups);
	const struct hub_order *order;

	if (!ups) {
		policy_ups_done(s->policy, (unsigned)action->ups, action->what, U2K_REFUSED,
				"it is no longer in the configuration", clock_us());
		return;
	}
	order = hub_order(ups, kind, name, value, USER, FROM);
	memcpy(order_of(&s->feeds[action->ups], action->what), order->id, sizeof(order->id));
}

/* The UPS counts in steps of six seconds. */
static void switch_off(struct shutdown *s, const struct policy_action *action)
{
	unsigned delay = (action->delay_s + 5) / 6 * 6;
	char value[16];

	snprintf(value, sizeof(value), "%u", delay < 6 ? 6 : delay > 5940 ? 5940 : delay);
	give_order(s, action, HUB_ORDER_COMMAND,
		   action->end == POLICY_END_STAYOFF ? "shutdown.stayoff" : "shutdown.return",
		   value);
}

static bool look_at_order(struct shutdown *s, unsigned i, enum policy_do what)
{
	char *id = order_of(&s->feeds[i], what);
	const struct hub_order *order = *id ? hub_order_find(s->hub, id) : NULL;

	if (!*id)
		return false;
	if (order && order->outcome == U2K_PENDING)
		return true;
	*id = '\0';
	policy_ups_done(s->policy, i, what, order ? order->outcome : U2K_FAILED,
			order ? order->message : "its outcome was forgotten", clock_us());
	shutdown__poke(s);
	return false;
}

bool shutdown__look(struct shutdown *s)
{
	bool more = shutdown__host_look(s);

	for (unsigned i = 0; i < s->config->shutdown.policy.n_ups; i++) {
		more = look_at_order(s, i, POLICY_VERIFY_START) || more;
		more = look_at_order(s, i, POLICY_SWITCH_OFF) || more;
	}
	return more;
}

/* --- commands -------------------------------------------------------------------------------------- */

/* The task of a stage's command: they stand in the same order. */
static struct task *task_of(struct shutdown *s, unsigned stage, unsigned command)
{
	for (size_t i = 0; i < s->n_tasks; i++)
		if (s->tasks[i].stage == stage && s->tasks[i].command == command)
			return &s->tasks[i];
	return NULL;
}

static void on_ended(void *user, const char *text)
{
	struct task *task = user;
	struct shutdown *s = task->shutdown;

	process_free(task->process);
	task->process = NULL;
	policy_command_done(s->policy, task->stage, task->command, !text, text, clock_us());
	shutdown__poke(s);
}

static void run_task(struct shutdown *s, const struct policy_action *action)
{
	struct task *task = task_of(s, action->stage, action->command);
	const struct config_task *config;
	struct policy_view view;
	char *facts[6];
	char why[128];

	if (!task)
		return;
	config = &s->config->shutdown.tasks[task - s->tasks];
	policy_look(s->policy, &view, clock_us());
	facts[0] = xasprintf("UPS2000_TASK=%s", config->name);
	facts[1] = xasprintf("UPS2000_SEQUENCE=%s", action->sequence);
	facts[2] = xasprintf("UPS2000_CAUSE=%s", view.cause);
	facts[3] = xasprintf("UPS2000_STATE=%s", policy_state_name(view.state));
	facts[4] = xasprintf("UPS2000_TIMEOUT=%u", action->timeout_s);
	facts[5] = NULL;
	task->process = process_start(hub_base(s->hub), config->run, facts, on_ended, task, why,
				      sizeof(why));
	for (size_t i = 0; facts[i]; i++)
		free(facts[i]);
	if (!task->process)
		policy_command_done(s->policy, action->stage, action->command, false, why,
				    clock_us());
}

static void kill_task(struct shutdown *s, const struct policy_action *action)
{
	struct task *task = task_of(s, action->stage, action->command);

	if (task && task->process)
		process_end(task->process);
}

void shutdown__make_tasks(struct shutdown *s)
{
	const struct policy_config *plan = &s->config->shutdown.policy;

	s->tasks = xcalloc(s->config->shutdown.n_tasks + 1, sizeof(*s->tasks));
	s->n_tasks = 0;
	for (unsigned stage = 0; stage < plan->n_stages; stage++)
		for (unsigned c = 0; c < plan->stages[stage].n_commands; c++)
			s->tasks[s->n_tasks++] = (struct task){ s, stage, c, NULL };
}

void shutdown__free_tasks(struct task *tasks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		process_free(tasks[i].process);
	free(tasks);
}

void shutdown__move_tasks(struct shutdown *s, const struct config *old, struct task *tasks,
			  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < s->n_tasks && tasks[i].process; j++) {
			if (strcmp(old->shutdown.tasks[i].name,
				   s->config->shutdown.tasks[j].name) != 0)
				continue;
			s->tasks[j].process = tasks[i].process;
			process_move(s->tasks[j].process, &s->tasks[j]);
			tasks[i].process = NULL;
		}
	}
	shutdown__free_tasks(tasks, n);
}

/* --- all of it --------------------------------------------------------------------------------------- */

static void set_fsd(struct shutdown *s, const struct policy_action *action)
{
	struct hub_ups *ups = shutdown__ups(s, (size_t)action->ups);

	if (!ups)
		return;
	s->setting_fsd = true;
	hub_fsd_set(ups, USER, FROM);
	s->setting_fsd = false;
}

static void clear_fsd(struct shutdown *s, const struct policy_action *action)
{
	struct hub_ups *ups = shutdown__ups(s, (size_t)action->ups);
	char why[POLICY_TEXT_MAX];
	size_t len;

	snprintf(why, sizeof(why), "%s", action->text);
	len = strlen(why);
	if (len && why[len - 1] == '.')
		why[len - 1] = '\0';
	if (ups)
		hub_fsd_clear(ups, why);
}

void shutdown__do(struct shutdown *s, const struct policy_action *action)
{
	const struct hub_ups *ups = action->ups < 0 ? NULL : shutdown__ups(s, (size_t)action->ups);

	switch (action->what) {
	case POLICY_EVENT:
		hub_event(s->hub, action->event, action->severity, ups ? ups->name : NULL, NULL,
			  "%s", action->text);
		break;
	case POLICY_FSD_SET:
		set_fsd(s, action);
		break;
	case POLICY_FSD_CLEAR:
		clear_fsd(s, action);
		break;
	case POLICY_VERIFY_START:
		give_order(s, action, HUB_ORDER_SET, "ups.start.auto", "yes");
		break;
	case POLICY_SWITCH_OFF:
		switch_off(s, action);
		break;
	case POLICY_RUN:
		run_task(s, action);
		break;
	case POLICY_KILL:
		kill_task(s, action);
		break;
	case POLICY_HOST_DOWN:
		shutdown__host_down(s, action);
		break;
	case POLICY_HOST_RELEASE:
		shutdown__host_release(s);
		break;
	case POLICY_WAKE:
		shutdown__wake(s, action);
		break;
	case POLICY_SAVE: /* shutdown.c does it */
		break;
	}
}
