#include <stdio.h>

#include "policy/policy_impl.h"

/* How it stands, for people and programs that watch. */

static int64_t plus(int64_t at_us, unsigned seconds)
{
	return at_us == NEVER ? NEVER : at_us + seconds * SEC;
}

static unsigned stage_longest_s(const struct policy_stage *stage)
{
	unsigned all = 0, longest = 0;

	for (size_t i = 0; i < stage->n_commands; i++) {
		all += stage->commands[i].timeout_s;
		if (stage->commands[i].timeout_s > longest)
			longest = stage->commands[i].timeout_s;
	}
	return stage->parallel ? longest : all;
}

unsigned path_s(const struct policy *p, enum policy_state from)
{
	unsigned s = 0;

	if (from <= POLICY_ANNOUNCED)
		s += p->config.hostsync_s;
	for (size_t i = from == POLICY_STAGES ? p->stage : 0;
	     from <= POLICY_STAGES && i < p->config.n_stages; i++)
		s += stage_longest_s(&p->config.stages[i]);
	if (from <= POLICY_FINAL_DELAY)
		s += p->config.final_delay_s;
	return s;
}

static int64_t host_down(const struct policy *p, int64_t fsd_us)
{
	switch (p->state) {
	case POLICY_NORMAL:
	case POLICY_ON_BATTERY:
	case POLICY_WARNING:
	case POLICY_COMING_BACK:
		return plus(fsd_us, path_s(p, POLICY_ANNOUNCED));
	case POLICY_ANNOUNCED:
	case POLICY_STAGES:
	case POLICY_FINAL_DELAY:
		return plus(p->since_us, path_s(p, p->state));
	case POLICY_HOST:
	case POLICY_SWITCHING_OFF:
		return p->since_us;
	case POLICY_OFF:
	case POLICY_STATES:
		break;
	}
	return NEVER;
}

#define next_is(state, at, ...)                                                                    \
	(view->has_next = true, view->next = (state), view->next_us = (at),                        \
	 snprintf(view->next_text, sizeof(view->next_text), __VA_ARGS__))

static const char *down(const struct policy *p)
{
	return p->config.host == POLICY_HOST_SHUTDOWN ? "this host is asked to shut down"
						      : "the UPS is switched off";
}

static enum policy_state after_stages(const struct policy *p)
{
	return p->config.host == POLICY_HOST_SHUTDOWN ? POLICY_HOST : POLICY_SWITCHING_OFF;
}

static void look_ahead(const struct policy *p, struct policy_view *view, int64_t fsd_us)
{
	switch (p->state) {
	case POLICY_NORMAL:
	case POLICY_ON_BATTERY:
		if (fsd_us != NEVER)
			next_is(POLICY_WARNING, fsd_us - p->config.warning_s * SEC,
				"A forced shutdown is warned of");
		break;
	case POLICY_WARNING:
		next_is(POLICY_ANNOUNCED, fsd_us,
			"Forced shutdown is announced, unless the mains return");
		break;
	case POLICY_ANNOUNCED:
		next_is(p->config.n_stages ? POLICY_STAGES : POLICY_FINAL_DELAY,
			plus(p->announced_us, p->config.hostsync_s), "Secondaries have left");
		break;
	case POLICY_STAGES:
		next_is(p->stage + 1 < p->config.n_stages ? POLICY_STAGES : POLICY_FINAL_DELAY,
			p->stage < p->config.n_stages
				? plus(p->since_us, stage_longest_s(&p->config.stages[p->stage]))
				: p->since_us,
			"The commands of stage %.100s have ended",
			p->stage < p->config.n_stages ? p->config.stages[p->stage].name : "-");
		break;
	case POLICY_FINAL_DELAY:
		next_is(after_stages(p), plus(p->since_us, p->config.final_delay_s), "Now %s",
			down(p));
		break;
	case POLICY_HOST:
		next_is(POLICY_SWITCHING_OFF,
			plus(p->host_asked ? p->host_us : p->since_us,
			     p->config.host_shutdown_time_s),
			"This host has halted, the UPS is switched off");
		break;
	case POLICY_SWITCHING_OFF:
		next_is(POLICY_OFF, NEVER, "The output of the UPS goes off");
		break;
	case POLICY_OFF:
		next_is(POLICY_COMING_BACK, NEVER, "The output of the UPS comes back");
		break;
	case POLICY_COMING_BACK:
		next_is(POLICY_NORMAL, NEVER, "All hosts are back and FSD is cleared");
		break;
	case POLICY_STATES:
		break;
	}
}

void policy_look(const struct policy *p, struct policy_view *view, int64_t now_us)
{
	int by;
	int64_t fsd_us = watch_host_due(p, &by);

	*view = (struct policy_view){
		.state = p->state,
		.since_us = p->since_us,
		.sequence = p->sequence,
		.cause = p->cause,
		.minimum_supplies = p->config.minimum_supplies,
		.next_us = NEVER,
		.host_down_us = host_down(p, fsd_us),
		.waking = wake_pending(p),
		.unsaved = p->unsaved,
	};
	for (size_t i = 0; i < p->config.n_ups; i++)
		view->supplies += p->config.ups[i].supplies;
	view->supplies_left = watch_left(p, now_us);
	look_ahead(p, view, fsd_us);
}

static void look_condition(const struct policy *p, const struct ups *u, enum policy_condition c,
			   struct policy_condition_view *view, int64_t now_us)
{
	const struct policy_conditions *when = &ups_config(p, u)->when;
	const struct {
		bool used, has_now;
		double now, limit;
	} rows[POLICY_CONDITIONS] = {
		[POLICY_COND_ON_BATTERY] = { when->on_battery_s, u->kept.outage,
					     (double)(now_us - u->kept.outage_us) / 1e6,
					     when->on_battery_s },
		[POLICY_COND_CHARGE] = { when->charge_percent > 0, u->known && u->has_charge,
					 u->charge, when->charge_percent },
		[POLICY_COND_RUNTIME] = { when->runtime_s, u->known && u->has_runtime, u->runtime,
					  when->runtime_s },
		[POLICY_COND_LOW_BATTERY] = { when->low_battery, u->known,
					      u->flags & U2K_LB ? 1 : 0, 0 },
		[POLICY_COND_TEMPERATURE] = { when->temperature_c > 0,
					      u->known && u->has_temperature, u->temperature,
					      when->temperature_c },
		[POLICY_COND_ALARM] = { when->alarms, u->known, u->alarms & when->alarms ? 1 : 0,
					0 },
		[POLICY_COND_LOST] = { when->lost_s, !u->known,
				       (double)(now_us - u->heard_us) / 1e6, when->lost_s },
		[POLICY_COND_FSD] = { p->config.on_fsd == POLICY_FSD_RUN, true, u->kept.fsd ? 1 : 0,
				      0 },
	};

	*view = (struct policy_condition_view){
		.used = rows[c].used && p->config.enabled,
		.holds = u->cond[c].true_us &&
			 (c != POLICY_COND_ON_BATTERY || watch_due(p, u, c) <= now_us),
		.has_now = rows[c].has_now,
		.now = rows[c].has_now ? rows[c].now : 0,
		.limit = rows[c].limit,
		.due_us = watch_due(p, u, c),
	};
}

void policy_look_ups(const struct policy *p, unsigned ups, struct policy_ups_view *view,
		     int64_t now_us)
{
	const struct ups *u = &p->ups[ups];

	*view = (struct policy_ups_view){
		.known = u->known,
		.on_battery = u->kept.outage,
		.failed = u->due_us <= now_us,
		.doomed = u->kept.doomed,
		.fsd = u->kept.fsd,
		.logins = u->logins,
		.on_battery_us = u->kept.outage ? u->kept.outage_us : 0,
	};
	for (int i = 0; i < POLICY_CONDITIONS; i++)
		look_condition(p, u, (enum policy_condition)i, &view->when[i], now_us);
}
