#include "policy/play.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ups2000/error.h>

#define S ((int64_t)1000000)

enum {
	BEGIN_S = 60,	    /* all is calm before the mains fail */
	HOOK_S = 6,	    /* from the late hook's order to the output going off */
	START_S = 10,	    /* from mains to output, for a UPS that was off */
	AFTER_S = 7200,	    /* looked at no longer than this after the mains are back */
	RECHARGE_S = 18000, /* from empty to full */
};

struct play_ups {
	double charge;
	bool mains, on, fsd;
	int64_t off_due_us, on_due_us;
	unsigned logins;
	int64_t leave_us;
};

struct play {
	const struct policy_config *config;
	const struct play_options *options;
	play_cb line;
	void *user;
	struct play_result *result;
	struct policy *policy;
	char record[POLICY_RECORD_MAX];
	int64_t now_us, fail_us, back_us;
	struct play_ups ups[POLICY_UPS_MAX];
	int64_t command_us[POLICY_STAGES_MAX][POLICY_COMMANDS_MAX];
	bool hook[POLICY_UPS_MAX];
	int64_t halt_us; /* this host has halted then; 0 = it was not asked */
	int64_t hook_us; /* the UPS goes off then */
	int64_t boot_us; /* the daemon runs again then */
	bool host_up, second_boot, warned;
};

void play_options_default(struct play_options *options)
{
	*options = (struct play_options){
		.outage_s = 3600,
		.charge_percent = 100,
		.runtime_s = 1200,
		.load_percent = 100,
		.low_percent = 20,
		.leave_s = 10,
		.command_part = 1,
		.boot_s = 60,
		.ups = -1,
	};
}

static double at_s(const struct play *p)
{
	return (double)(p->now_us - p->fail_us) / 1e6;
}

static void tell(struct play *p, int ups, const char *event, const char *severity,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));
static void tell(struct play *p, int ups, const char *event, const char *severity,
		 const char *format, ...)
{
	char text[POLICY_TEXT_MAX];
	struct play_line line = { at_s(p), event, severity, ups, text };
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	p->line(p->user, &line);
}

static const char *name_of(const struct play *p, unsigned ups)
{
	return p->config->ups[ups].name;
}

/* --- what the policy wants done ------------------------------------------------------------------- */

static void host_down(struct play *p)
{
	p->result->host_s = at_s(p);
	p->halt_us = p->now_us + p->config->host_shutdown_time_s * S;
	for (unsigned u = 0; u < p->config->n_ups; u++)
		p->hook[u] = policy_hook_end(p->policy, u) != POLICY_END_NOTHING;
	policy_host_done(p->policy, true, NULL, p->now_us);
}

static void fsd(struct play *p, unsigned ups)
{
	p->ups[ups].fsd = true;
	if (isnan(p->result->fsd_s))
		p->result->fsd_s = at_s(p);
	if (isfinite(p->options->leave_s))
		p->ups[ups].leave_us = p->now_us + (int64_t)(p->options->leave_s * 1e6);
}

static void fsd_gone(struct play *p, const struct policy_action *a)
{
	p->ups[a->ups].fsd = false;
	p->result->fsd_cleared = true;
	tell(p, a->ups, "fsd-cleared", "info", "FSD is cleared: %s.", a->text);
}

static void run_command(struct play *p, const struct policy_action *a)
{
	tell(p, -1, "command", "info", "Command %s of stage %s runs.", a->text,
	     p->config->stages[a->stage].name);
	p->command_us[a->stage][a->command] =
		p->now_us + (int64_t)(p->options->command_part * a->timeout_s * 1e6) - S / 10;
}

static void act(struct play *p, const struct policy_action *a)
{
	switch (a->what) {
	case POLICY_EVENT:
		p->warned = p->warned || !strcmp(a->event, "shutdown-warning");
		tell(p, a->ups, a->event, a->severity, "%s", a->text);
		break;
	case POLICY_FSD_SET:
		fsd(p, (unsigned)a->ups);
		break;
	case POLICY_FSD_CLEAR:
		fsd_gone(p, a);
		break;
	case POLICY_VERIFY_START:
		policy_ups_done(p->policy, (unsigned)a->ups, a->what, U2K_VERIFIED, NULL,
				p->now_us);
		break;
	case POLICY_SWITCH_OFF:
		tell(p, a->ups, "switch-off", "warning", "UPS %s is told to switch off in %u s.",
		     name_of(p, (unsigned)a->ups), a->delay_s);
		p->ups[a->ups].off_due_us = p->now_us + a->delay_s * S;
		break;
	case POLICY_RUN:
		run_command(p, a);
		break;
	case POLICY_KILL:
		p->command_us[a->stage][a->command] = 0;
		break;
	case POLICY_HOST_DOWN:
		host_down(p);
		break;
	case POLICY_WAKE:
		tell(p, -1, "wake", "info", "Host %s is woken.", p->config->wake[a->host].name);
		policy_host_up(p->policy, a->host, p->now_us);
		break;
	case POLICY_SAVE:
		policy_record(p->policy, p->record, sizeof(p->record));
		policy_saved(p->policy, true, p->now_us);
		break;
	case POLICY_HOST_RELEASE:
		break;
	}
}

static void drain(struct play *p)
{
	struct policy_action action;

	while (p->policy && policy_next(p->policy, &action))
		act(p, &action);
}

/* --- the world -------------------------------------------------------------------------------------- */

static double drain_s(const struct play *p)
{
	const struct play_options *o = p->options;

	return o->runtime_s / pow(o->load_percent / 100, 1.2);
}

static void output(struct play *p, unsigned u, bool on, const char *why)
{
	p->ups[u].on = on;
	p->ups[u].off_due_us = 0;
	tell(p, (int)u, on ? "output-on" : "output-off", on ? "info" : "warning",
	     "The output of UPS %s goes %s%s.", name_of(p, u), on ? "on" : "off", why);
	if (!on && isnan(p->result->off_s))
		p->result->off_s = at_s(p);
	if (on)
		p->result->on_s = at_s(p);
}

static void mains(struct play *p, unsigned u, bool on)
{
	p->ups[u].mains = on;
	tell(p, (int)u, on ? "mains-on" : "mains-off", on ? "info" : "warning",
	     "The mains of UPS %s %s.", name_of(p, u), on ? "are back" : "fail");
	if (on && !p->ups[u].on)
		p->ups[u].on_due_us = p->now_us + START_S * S;
}

static void battery_moves(struct play *p, struct play_ups *u, double dt_s)
{
	const struct play_options *o = p->options;

	if (u->mains)
		u->charge = fmin(100, u->charge + 100 * dt_s / RECHARGE_S);
	else if (u->on)
		u->charge = fmax(0, u->charge - o->charge_percent * dt_s / drain_s(p));
}

static void ups_runs(struct play *p, unsigned i, double dt_s)
{
	struct play_ups *u = &p->ups[i];
	bool fails = p->options->ups < 0 || (unsigned)p->options->ups == i;
	bool away = fails && p->now_us >= p->fail_us && p->now_us < p->back_us;

	battery_moves(p, u, dt_s);
	if (u->mains == away)
		mains(p, i, !away);
	if (u->on && !u->mains && u->charge <= 0)
		output(p, i, false, ": its battery is empty");
	if (u->on && u->off_due_us && p->now_us >= u->off_due_us) {
		output(p, i, false, "");
		u->on_due_us = u->mains ? p->now_us + 60 * S : 0;
	}
	if (!u->on && u->mains && u->on_due_us && p->now_us >= u->on_due_us &&
	    p->config->ups[i].end != POLICY_END_STAYOFF)
		output(p, i, true, "");
	if (u->leave_us && p->now_us >= u->leave_us && u->logins) {
		tell(p, (int)i, "secondaries", "info", "%u secondaries of UPS %s have left.",
		     u->logins, name_of(p, i));
		u->logins = 0;
	}
}

static bool powered(const struct play *p)
{
	for (unsigned u = 0; u < p->config->n_ups; u++)
		if (p->config->ups[u].supplies && p->ups[u].on)
			return true;
	return p->config->host == POLICY_HOST_NONE; /* it hangs on something else */
}

static double least_charge(const struct play *p)
{
	double least = 100;

	for (unsigned u = 0; u < p->config->n_ups; u++)
		if (p->config->ups[u].supplies)
			least = fmin(least, p->ups[u].charge);
	return least;
}

static void end_daemon(struct play *p)
{
	policy_free(p->policy);
	p->policy = NULL;
}

static int start_daemon(struct play *p)
{
	struct policy_start start = {
		.boot = p->second_boot ? "2" : "1",
		.records = { p->record, NULL },
		.random = 1,
	};

	p->policy = policy_new(p->config, &start, p->now_us);
	return p->policy ? 0 : U2K_ENOMEM;
}

static void hook_runs(struct play *p)
{
	p->hook_us = 0;
	for (unsigned u = 0; u < p->config->n_ups; u++)
		if (p->hook[u] && p->ups[u].on && !p->config->early_arming) {
			output(p, u, false, ", by the late hook");
			p->ups[u].on_due_us = p->ups[u].mains ? p->now_us + 60 * S : 0;
		}
}

static int host_runs(struct play *p)
{
	if (p->host_up && !powered(p)) {
		tell(p, -1, "host-cut", "alert", "This host loses its power while it runs.");
		p->result->end = PLAY_CUT;
		p->host_up = false;
		p->halt_us = 0;
		end_daemon(p);
	}
	if (p->host_up && p->halt_us && p->now_us >= p->halt_us) {
		p->host_up = false;
		p->result->halted_s = at_s(p);
		p->result->left_percent = least_charge(p);
		p->hook_us = p->now_us + HOOK_S * S;
		tell(p, -1, "host-halted", "warning", "This host has halted, at the latest.");
		end_daemon(p);
	}
	if (p->hook_us && p->now_us >= p->hook_us)
		hook_runs(p);
	if (!p->host_up && !p->hook_us && powered(p) && !p->boot_us && isfinite(p->result->on_s)) {
		p->boot_us = p->now_us + (int64_t)(p->options->boot_s * 1e6);
		tell(p, -1, "host-boots", "info", "This host has power again and starts.");
	}
	if (!p->host_up && p->boot_us && p->now_us >= p->boot_us) {
		p->host_up = true;
		p->second_boot = true;
		p->boot_us = 0;
		p->halt_us = 0;
		p->result->back_s = at_s(p);
		tell(p, -1, "host-up", "info", "This host runs again.");
		return start_daemon(p);
	}
	return 0;
}

/* --- what the daemon sees ---------------------------------------------------------------------------- */

static void see(struct play *p, unsigned i)
{
	const struct play_ups *u = &p->ups[i];
	struct u2k_snapshot snap = { .comm = U2K_COMM_OK };

	snap.flags = !u->on ? U2K_OFF : u->mains ? U2K_OL : U2K_OB;
	if (!u->mains && u->charge <= p->options->low_percent)
		snap.flags |= U2K_LB;
	snap.qty[U2K_QTY_BATTERY_CHARGE] = (struct u2k_value){ u->charge, p->now_us, U2K_VALID };
	snap.qty[U2K_QTY_BATTERY_RUNTIME] =
		(struct u2k_value){ u->charge * drain_s(p) / p->options->charge_percent, p->now_us,
				    U2K_VALID };
	policy_logins(p->policy, i, u->logins, u->fsd ? u->logins : 0, p->now_us);
	/* a UPS that is off and without mains is silent */
	policy_ups(p->policy, i, &snap, u->on || u->mains, p->now_us);
	drain(p);
}

static void daemon_runs(struct play *p)
{
	for (unsigned i = 0; p->policy && i < p->config->n_ups; i++)
		see(p, i);
	for (unsigned s = 0; p->policy && s < p->config->n_stages; s++)
		for (unsigned c = 0; c < p->config->stages[s].n_commands; c++)
			if (p->command_us[s][c] && p->now_us >= p->command_us[s][c]) {
				p->command_us[s][c] = 0;
				policy_command_done(p->policy, s, c, true, NULL, p->now_us);
				drain(p);
			}
	if (p->policy)
		policy_run(p->policy, p->now_us);
	drain(p);
}

static bool is_over(const struct play *p)
{
	struct policy_view view;

	if (p->now_us > p->fail_us + (int64_t)86400 * S)
		return true; /* the mains stay away, and nothing changes any more */
	if (!p->policy)
		return p->now_us > p->back_us + AFTER_S * S;
	policy_look(p->policy, &view, p->now_us);
	if (p->now_us < p->back_us + 2 * S)
		return false;
	return view.state == POLICY_NORMAL || p->now_us > p->back_us + AFTER_S * S;
}

static int64_t next_time(const struct play *p)
{
	int64_t next = p->now_us + S;

	if (p->policy && policy_deadline(p->policy) < next)
		next = policy_deadline(p->policy);
	for (unsigned s = 0; s < p->config->n_stages; s++)
		for (unsigned c = 0; c < p->config->stages[s].n_commands; c++)
			if (p->command_us[s][c] && p->command_us[s][c] < next)
				next = p->command_us[s][c];
	return next > p->now_us ? next : p->now_us + S / 100;
}

static int live(struct play *p)
{
	int error = start_daemon(p);

	while (!error && !is_over(p)) {
		int64_t next = next_time(p);
		double dt_s = (double)(next - p->now_us) / 1e6;

		p->now_us = next;
		for (unsigned i = 0; i < p->config->n_ups; i++)
			ups_runs(p, i, dt_s);
		error = host_runs(p);
		daemon_runs(p);
	}
	return error;
}

static bool good(const struct policy_config *config, const struct play_options *o)
{
	return o->outage_s >= 0 && o->charge_percent > 0 && o->charge_percent <= 100 &&
	       o->runtime_s >= 1 && o->runtime_s <= 86400 && o->load_percent >= 1 &&
	       o->load_percent <= 1000 && o->low_percent >= 0 && o->low_percent <= 100 &&
	       o->leave_s >= 0 && o->command_part >= 0 && o->command_part <= 1 && o->boot_s >= 0 &&
	       o->boot_s <= 86400 && o->secondaries <= 10000 && o->ups >= -1 &&
	       o->ups < (int)config->n_ups;
}

int policy_play(const struct policy_config *config, const struct play_options *options,
		play_cb line, void *user, struct play_result *result)
{
	struct play *p;
	int error;

	if (!good(config, options))
		return U2K_EINVAL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return U2K_ENOMEM;
	*result = (struct play_result){ PLAY_NOTHING, (double)NAN, (double)NAN,
					(double)NAN,  (double)NAN, (double)NAN,
					(double)NAN,  (double)NAN, false };
	p->config = config;
	p->options = options;
	p->line = line;
	p->user = user;
	p->result = result;
	p->now_us = 1000 * S;
	p->fail_us = p->now_us + BEGIN_S * S;
	p->back_us = options->outage_s > 86400 * 365
			     ? INT64_MAX / 2
			     : p->fail_us + (int64_t)(options->outage_s * 1e6);
	p->host_up = true;
	for (unsigned i = 0; i < config->n_ups; i++)
		p->ups[i] = (struct play_ups){ .charge = options->charge_percent,
					       .mains = true,
					       .on = true,
					       .logins = options->secondaries };
	error = live(p);
	end_daemon(p);
	if (result->end != PLAY_CUT && isfinite(result->fsd_s))
		result->end = PLAY_DOWN;
	else if (result->end != PLAY_CUT && p->warned)
		result->end = PLAY_CALLED_OFF;
	free(p);
	return error;
}
