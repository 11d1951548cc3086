#include "site.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/util.h"

#define S ((int64_t)1000000)

/*
 * What must hold, from the devices' and hosts' own point of view (docs/control.md, sections 4 to 6):
 * the policy is asked nothing here but what it wants done.
 */

/* The daemon reads once a second, and this site moves in steps of half of one. */
static const int64_t slack_us = 4 * S;

void site_fail(struct site *site, const char *format, ...)
{
	va_list args;

	if (site->failed)
		return;
	site->failed = true;
	site->failed_us = site->now_us;
	va_start(args, format);
	vsnprintf(site->failure, sizeof(site->failure), format, args);
	va_end(args);
	site_say(site, "!! %s", site->failure);
}

/* --- what really is ------------------------------------------------------------------------------------ */

static bool heard(const struct site *site, unsigned u)
{
	const struct rig *rig = &site->rig[u];

	return site->policy && rig->session && rig->up && rig_snap(rig)->comm == U2K_COMM_OK;
}

/* Also in the seconds after the mains are back, until the inverter is on them again. */
static bool on_battery(const struct sim_device *dev)
{
	return dev->source == SIM_SOURCE_BATTERY;
}

static void hear(struct site *site, unsigned u)
{
	struct truth *t = &site->truth[u];
	const struct sim_device *dev = &site->rig[u].srv.dev;
	int64_t stable_us = site->config.mains_stable_s * S;

	if (!heard(site, u)) {
		t->mains_us = 0;
		return;
	}
	t->heard_us = site->now_us;
	if (!on_battery(dev)) {
		if (!t->mains_us && sim_device_mains_good(dev))
			t->mains_us = site->now_us;
		if (t->mains_us && site->now_us - t->mains_us > stable_us + slack_us)
			t->outage_us = 0;
		return;
	}
	t->mains_us = 0;
	t->battery_us = site->now_us;
	if (!t->outage_us) {
		t->outage_us = site->now_us;
		t->least_charge = 100;
		t->least_runtime = 1e9;
		t->low = false;
	}
	if (sim_device_charge(dev) < t->least_charge)
		t->least_charge = sim_device_charge(dev);
	if (rig_peek(&site->rig[u], 2004) < t->least_runtime)
		t->least_runtime = rig_peek(&site->rig[u], 2004);
	t->low = t->low || dev->low;
}

static bool host_powered(const struct site *site, const struct host *h)
{
	for (unsigned u = 0; u < site->n_ups; u++)
		if (h->ups[u] && site->rig[u].srv.dev.source != SIM_SOURCE_OFF)
			return true;
	return false;
}

/* The output went off, and not because the battery was empty. */
static void check_switched_off(struct site *site, unsigned u)
{
	struct truth *t = &site->truth[u];
	const struct host *own = &site->host[0];

	if (!*site->last_sequence || !t->doomed) {
		site_fail(site, "UPS %s was switched off, and no sequence was about it",
			  site->ups_config[u].name);
		return;
	}
	/* what was armed fires unless a daemon is there to take it back */
	if (site->boots != site->last_boot && site->policy &&
	    site->now_us > site->daemon_us + 8 * S)
		site_fail(site, "UPS %s was switched off by a sequence from before the boot",
			  site->ups_config[u].name);
	if (t->switched++ && !site->owed)
		site_fail(site, "UPS %s was switched off twice in one sequence",
			  site->ups_config[u].name);
	if (own->ups[u] && own->state == HOST_RUNS && !host_powered(site, own) &&
	    !(site->config.early_arming && site->host_outcome == HANGS))
		site_fail(site, "UPS %s was switched off under the running host",
			  site->ups_config[u].name);
}

static void look_at_output(struct site *site, unsigned u)
{
	struct truth *t = &site->truth[u];
	const struct sim_device *dev = &site->rig[u].srv.dev;
	bool on = dev->source != SIM_SOURCE_OFF;

	if (!sim_device_mains_good(dev)) {
		t->good_us = 0;
		t->bad_us = site->now_us;
	} else if (!t->good_us) {
		t->good_us = site->now_us;
	}
	t->fsd_off = t->fsd_off || !on;
	t->off_us = on ? t->off_us : site->now_us;
	if (on == t->on)
		return;
	t->on = on;
	site_say(site, "## the output of %s goes %s (%.0f %%)", site->ups_config[u].name,
		 on ? "on" : "off", sim_device_charge(dev));
	if (!on && sim_device_charge(dev) > 0.01)
		check_switched_off(site, u);
}

/* Once announced, it goes on: nothing may hold it up for longer than its parts may last. */
static void check_progress(struct site *site)
{
	unsigned longest = site->config.hostsync_s + site->config.final_delay_s + 30;

	for (unsigned i = 0; i < site->config.n_stages; i++)
		for (unsigned k = 0; k < site->stages[i].n_commands; k++)
			longest += site->commands[i][k].timeout_s + 4;
	longest += 20 * (site->restarts - site->last_restarts);
	if (!site->policy || site->state < POLICY_ANNOUNCED || site->state > POLICY_FINAL_DELAY)
		return;
	site->busy_us += S / 2;
	if (site->busy_us > longest * S)
		site_fail(site, "the sequence is in state %s after %.0f s of work",
			  policy_state_name(site->state), (double)site->busy_us / 1e6);
}

void site_watch(struct site *site)
{
	for (unsigned u = 0; u < site->n_ups; u++) {
		hear(site, u);
		look_at_output(site, u);
		if (site->rig[u].stuck)
			site_fail(site, "the session of %s spins", site->ups_config[u].name);
	}
	check_progress(site);
}

/* --- whether there was a reason -------------------------------------------------------------------------- */

static bool truly_failed(const struct site *site, unsigned u)
{
	const struct truth *t = &site->truth[u];
	const struct policy_conditions *when = &site->ups_config[u].when;

	if (!t->outage_us || t->battery_us < t->heard_us - slack_us)
		return false;
	if (when->on_battery_s && site->now_us - t->outage_us >= when->on_battery_s * S - slack_us)
		return true;
	if (when->charge_percent > 0 && t->least_charge < when->charge_percent + 1)
		return true;
	if (when->runtime_s && t->least_runtime < when->runtime_s)
		return true;
	if (when->low_battery && t->low)
		return true;
	return when->lost_s && !heard(site, u) &&
	       site->now_us - t->heard_us >= when->lost_s * S - S;
}

static bool no_help(const struct site *site, unsigned u)
{
	const struct truth *t = &site->truth[u];

	return !t->on || t->fsd_off || (!heard(site, u) && t->outage_us);
}

static void check_reason(struct site *site)
{
	unsigned left = 0;
	bool failed = false;

	if (!site->config.enabled)
		site_fail(site, "a sequence without a shutdown section");
	if (site->asked)
		return;
	for (unsigned u = 0; u < site->n_ups; u++) {
		bool fails = truly_failed(site, u);

		failed = failed || fails;
		left += !fails && !no_help(site, u);
	}
	if (!failed)
		site_fail(site, "forced shutdown, and no condition was true");
	else if (left >= site->config.minimum_supplies)
		site_fail(site, "forced shutdown, and %u supplies were left", left);
}

/* --- what the policy wants done ----------------------------------------------------------------------------- */

static void new_sequence(struct site *site, const struct policy_action *a)
{
	if (!site->stale) /* else it may believe in an outage that is over */
		check_reason(site);
	snprintf(site->last_sequence, sizeof(site->last_sequence), "%s", a->sequence);
	site->last_boot = site->boots;
	site->last_restarts = site->restarts;
	site->announced_us = site->now_us;
	site->busy_us = 0;
	site->sequences++;
	site->n_ran = 0;
	site->told_ups = false;
	site->told_hosts = false;
	site->gave_up = false;
	site->asked = false;
	for (unsigned u = 0; u < site->n_ups; u++) {
		site->truth[u].doomed = false;
		site->truth[u].switched = 0;
	}
}

static void check_fsd_set(struct site *site, const struct policy_action *a)
{
	struct truth *t = &site->truth[a->ups];

	if (*a->sequence && strcmp(a->sequence, site->last_sequence) != 0)
		new_sequence(site, a);
	if (*a->sequence && !t->doomed) {
		t->doomed = true;
		t->was_on = t->on;
		t->fsd_us = site->now_us;
		/* found again: it was latched by a daemon that died before it could say so */
		t->fsd_off = site->now_us == site->daemon_us && t->off_us &&
			     site->now_us - t->off_us < 120 * S;
	}
}

static void check_fsd_clear(struct site *site, const struct policy_action *a)
{
	const struct truth *t = &site->truth[a->ups];
	bool cycled = t->fsd_off && t->on;
	struct policy_view view;

	if (site->owed || cycled)
		return;
	if (!t->good_us || site->now_us - t->good_us < 60 * S - slack_us)
		site_fail(site, "FSD of %s is cleared, and the mains were not back for 60 s",
			  site->ups_config[a->ups].name);
	for (unsigned i = 1; i < site->n_hosts; i++)
		if (site->host[i].ups[a->ups] && site->host[i].logged_in &&
		    site->host[i].login_us <= t->fsd_us && site->fsd[a->ups])
			site_fail(site, "FSD of %s is cleared, and %s has not left",
				  site->ups_config[a->ups].name, site->host[i].name);
	policy_look(site->policy, &view, site->now_us);
	if (policy_state_forced(view.state) && view.state < POLICY_HOST)
		site_fail(site, "FSD of %s is cleared in the middle of the sequence",
			  site->ups_config[a->ups].name);
}

static void check_run(struct site *site, const struct policy_action *a)
{
	struct ran *ran = &site->ran[site->n_ran % SITE_RUNS];

	for (unsigned i = 0; i < site->n_ran && i < SITE_RUNS && !site->owed; i++)
		if (site->ran[i].stage == a->stage && site->ran[i].command == a->command)
			site_fail(site, "command %u of stage %u runs twice", a->command, a->stage);
	if (strcmp(a->sequence, site->last_sequence) != 0)
		site_fail(site, "a command runs outside of a sequence");
	*ran = (struct ran){ .stage = a->stage, .command = a->command };
	site->n_ran++;
}

static void check_host_down(struct site *site, const struct policy_action *a)
{
	if (!*a->sequence || strcmp(a->sequence, site->last_sequence) != 0)
		site_fail(site, "the host is told to shut down outside of a sequence");
	if (site->boots != site->last_boot)
		site_fail(site, "the host is told to shut down by a sequence from before its boot");
	if (site->config.host != POLICY_HOST_SHUTDOWN)
		site_fail(site, "the host is told to shut down, and is not to be");
}

static void check_switch_off(struct site *site, const struct policy_action *a)
{
	if (site->config.host == POLICY_HOST_SHUTDOWN && !site->config.early_arming)
		site_fail(site, "the daemon switches off what the late hook should");
	if (!*a->sequence || strcmp(a->sequence, site->last_sequence) != 0 ||
	    site->boots != site->last_boot)
		site_fail(site, "UPS %s is told to switch off outside of a sequence",
			  site->ups_config[a->ups].name);
	if (site->truth[a->ups].switched)
		site_fail(site, "UPS %s is told to switch off again",
			  site->ups_config[a->ups].name);
	if (site->ups_config[a->ups].end == POLICY_END_NOTHING)
		site_fail(site, "UPS %s is told to switch off, and nothing was to be done to it",
			  site->ups_config[a->ups].name);
}

static void check_wake(struct site *site, const struct policy_action *a)
{
	const struct host *h = &site->host[a->host + 1];

	for (unsigned u = 0; u < site->n_ups; u++)
		if (h->ups[u] && site->now_us - site->truth[u].bad_us <
					 site->config.mains_stable_s * S - slack_us)
			site_fail(site, "%s is woken while its UPS has no mains", h->name);
}

static void note_event(struct site *site, const struct policy_action *a)
{
	static const struct {
		const char *event;
		bool ups, hosts;
	} rows[] = {
		{ "shutdown-failed", true, true },   { "shutdown-no-start", true, true },
		{ "shutdown-over", false, true },    { "shutdown-found", false, true },
		{ "shutdown-kept-on", false, true }, { "shutdown-relapse", false, true },
		{ "wake-failed", false, true },
	};

	site->gave_up = site->gave_up || !strcmp(a->event, "wake-failed");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].event, a->event) != 0 || !strcmp(a->severity, "info"))
			continue;
		site->told_ups = site->told_ups || rows[i].ups;
		site->told_hosts = site->told_hosts || rows[i].hosts;
	}
}

void site_watch_action(struct site *site, const struct policy_action *a)
{
	switch (a->what) {
	case POLICY_EVENT:
		note_event(site, a);
		break;
	case POLICY_FSD_SET:
		check_fsd_set(site, a);
		break;
	case POLICY_FSD_CLEAR:
		check_fsd_clear(site, a);
		break;
	case POLICY_RUN:
		check_run(site, a);
		break;
	case POLICY_HOST_DOWN:
		check_host_down(site, a);
		break;
	case POLICY_SWITCH_OFF:
		check_switch_off(site, a);
		break;
	case POLICY_WAKE:
		check_wake(site, a);
		break;
	case POLICY_VERIFY_START:
	case POLICY_KILL:
	case POLICY_HOST_RELEASE:
	case POLICY_SAVE:
		break;
	}
	if (!site->config.enabled && a->what != POLICY_SAVE && a->what != POLICY_FSD_SET &&
	    a->what != POLICY_FSD_CLEAR && a->what != POLICY_EVENT)
		site_fail(site, "something is done without a shutdown section");
}

/* --- the end ------------------------------------------------------------------------------------------------- */

static bool who_saw_it_stays(const struct site *site, unsigned u)
{
	for (unsigned i = 1; i < site->n_hosts; i++)
		if (site->host[i].ups[u] && site->host[i].stubborn &&
		    site->host[i].state == HOST_RUNS)
			return true;
	return false;
}

void site_watch_end(struct site *site)
{
	bool loose = false;

	for (unsigned u = 0; u < site->n_ups; u++) {
		const struct truth *t = &site->truth[u];

		if (!t->on && t->doomed && t->was_on && !site->told_ups && !site->owed)
			site_fail(site, "UPS %s is off, the mains are back, and nobody was told",
				  site->ups_config[u].name);
		if (site->fsd[u] && t->on && !who_saw_it_stays(site, u))
			site_fail(site, "UPS %s still shows FSD", site->ups_config[u].name);
		loose = loose || !t->on || site->fsd[u];
	}
	for (unsigned i = 0; i < site->n_hosts; i++) {
		const struct host *h = &site->host[i];

		if (h->state == HOST_RUNS || h->state == HOST_BOOTS || site->owed)
			continue;
		if (site->policy && i && i <= site->config.n_wake && h->state == HOST_HALTED &&
		    !h->deaf && site->truth[h->ups[0] ? 0 : 1].doomed && !site->gave_up &&
		    !site->by_hand && !site->fsd[h->ups[0] ? 0 : 1])
			site_fail(site, "%s has halted and was not woken", h->name);
		if (!site->told_hosts && site->sequences && h->state != HOST_DARK)
			site_fail(site, "%s is down, the mains are back, and nobody was told",
				  h->name);
	}
	if (site->policy && !loose && site->state != POLICY_NORMAL && !site->failed)
		site_fail(site, "all is well, and the policy is in state %s",
			  policy_state_name(site->state));
}
