#include "site.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/rng.h"
#include "util/util.h"

#define S ((int64_t)1000000)

/* Time goes on in steps of this; the policy's own deadlines come between. */
enum { STEP_US = 500000 };

void site_say(struct site *site, const char *format, ...)
{
	char text[400];
	va_list args;

	if (!site->trace)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	site->trace(site, text);
}

static uint32_t below(struct site *site, uint32_t n)
{
	return rng_below(&site->rng, n);
}

static bool chance(struct site *site, unsigned percent)
{
	return below(site, 100) < percent;
}

static int64_t seconds(struct site *site, double least, double most)
{
	return (int64_t)((least + rng_unit(&site->rng) * (most - least)) * 1e6);
}

/* --- the hub's part: logins, FSD, orders ----------------------------------------------------------------- */

static bool daemon_up(const struct site *site)
{
	return site->policy != NULL;
}

static void drain(struct site *site);

static void tell_logins(struct site *site)
{
	for (unsigned u = 0; daemon_up(site) && u < site->n_ups; u++) {
		unsigned n = 0, old = 0;

		for (unsigned i = 1; i < site->n_hosts; i++) {
			const struct host *h = &site->host[i];

			if (!h->logged_in || !h->ups[u])
				continue;
			n++;
			old += site->fsd[u] && (h->login_us <= site->truth[u].fsd_us ||
						h->login_us <= site->daemon_us + 60 * S);
		}
		policy_logins(site->policy, u, n, old, site->now_us);
		drain(site);
	}
}

static void order(struct site *site, unsigned u, bool setting, const char *name, unsigned delay_s,
		  uint64_t *token)
{
	char value[24];

	snprintf(value, sizeof(value), "%u", delay_s);
	*token = 0;
	*token = rig_order(&site->rig[u], setting, name, setting ? "yes" : value)->token;
}

static void order_done(struct rig *rig, struct rig_order *done, void *user)
{
	struct site *site = user;
	unsigned u = (unsigned)(rig - site->rig);

	site_say(site, "   %s: %s %s: %s", site->ups_config[u].name, done->name,
		 u2k_outcome_text(done->outcome), done->text);
}

/* What has ended since is told; not from within the session's own call. */
static void tell_order(struct site *site, unsigned u, enum policy_do what, uint64_t *token)
{
	const struct rig_order *o = &site->rig[u].orders[*token % RIG_ORDERS_MAX];

	if (!*token || o->outcome == U2K_PENDING)
		return;
	*token = 0;
	policy_ups_done(site->policy, u, what, o->outcome, o->text, site->now_us);
	drain(site);
}

/* --- what the policy wants done ----------------------------------------------------------------------------- */

static void keep(struct site *site)
{
	static char text[POLICY_RECORD_MAX];
	bool ok = !site->state_full || !site->runtime_full;

	if (site->disk_hangs) {
		site->saving = true;
		return;
	}
	if (!policy_record(site->policy, text, sizeof(text)))
		abort();
	if (!site->state_full)
		memcpy(site->state_record, text, sizeof(text));
	if (!site->runtime_full)
		memcpy(site->runtime_record, text, sizeof(text));
	policy_saved(site->policy, ok, site->now_us);
}

static void run_command(struct site *site, const struct policy_action *a)
{
	int64_t *done_us = &site->command_us[a->stage][a->command];

	switch (site->command_outcome[a->stage][a->command]) {
	case WORKS:
	case FAILS:
		*done_us = site->now_us + seconds(site, 0, a->timeout_s);
		break;
	case HANGS:
		*done_us = INT64_MAX;
		break;
	}
}

/* The root unit: one request, one shutdown; the same id again is the same request. */
static void host_down(struct site *site, const struct policy_action *a)
{
	struct host *own = &site->host[0];

	if (site->host_outcome == FAILS) {
		policy_host_done(site->policy, false, "no rights", site->now_us);
		return;
	}
	for (unsigned u = 0; u < site->n_ups; u++)
		site->token[u] = policy_hook_end(site->policy, u) == POLICY_END_RETURN;
	site->has_token = true;
	if (strcmp(site->request, a->sequence) != 0 && own->state == HOST_RUNS) {
		snprintf(site->request, sizeof(site->request), "%s", a->sequence);
		if (site->host_outcome == WORKS) {
			own->state = HOST_HALTING;
			own->until_us = site->now_us + own->halt_us;
			site->stop_us = site->now_us + seconds(site, 0.2, 5);
			if (site->config.early_arming) /* it finishes arming first */
				site->stop_us = own->until_us;
		}
	}
	policy_host_done(site->policy, true, NULL, site->now_us);
}

static void wake(struct site *site, unsigned i)
{
	struct host *h = &site->host[i + 1];

	if (h->state != HOST_HALTED || h->deaf || chance(site, 30))
		return;
	h->state = HOST_BOOTS;
	h->until_us = site->now_us + seconds(site, 15, 90);
	site->woken++;
}

static void do_action(struct site *site, const struct policy_action *a)
{
	static const char *const words[] = { "event",	   "FSD set", "FSD clear", "verify start",
					     "switch off", "run",     "kill",	   "host down",
					     "release",	   "wake",    "save" };
	unsigned u = a->ups < 0 ? 0 : (unsigned)a->ups;

	if (a->what != POLICY_SAVE)
		site_say(site, "=> %s %s%s%s: %s", words[a->what],
			 a->ups < 0 ? "" : site->ups_config[u].name, a->event ? " " : "",
			 a->event ? a->event : "", a->text);
	site_watch_action(site, a);
	switch (a->what) {
	case POLICY_EVENT:
		site->cancelled += !strcmp(a->event, "shutdown-cancelled");
		break;
	case POLICY_FSD_SET:
		site->fsd[u] = true;
		break;
	case POLICY_FSD_CLEAR:
		site->fsd[u] = false;
		break;
	case POLICY_VERIFY_START:
		order(site, u, true, "ups.start.auto", 0, &site->verify[u]);
		break;
	case POLICY_SWITCH_OFF:
		order(site, u, false, "shutdown.return", a->delay_s, &site->off[u]);
		break;
	case POLICY_RUN:
		run_command(site, a);
		break;
	case POLICY_KILL:
		site->command_us[a->stage][a->command] = 0;
		break;
	case POLICY_HOST_DOWN:
		host_down(site, a);
		break;
	case POLICY_HOST_RELEASE:
		site->has_token = false;
		break;
	case POLICY_WAKE:
		wake(site, a->host);
		break;
	case POLICY_SAVE:
		keep(site);
		break;
	}
}

/* --- the daemon ---------------------------------------------------------------------------------------------- */

static void start_session(struct site *site, unsigned u, bool same_boot)
{
	struct rig *rig = &site->rig[u];

	if (rig->session)
		return;
	rig_start(rig, same_boot);
	if (site->unplugged_us[u])
		rig_link(rig, false);
}

static void end_session(struct site *site, unsigned u)
{
	rig_kill(&site->rig[u]);
	site->verify[u] = 0;
	site->off[u] = 0;
}

static void kill_daemon(struct site *site, int64_t back_us)
{
	if (!daemon_up(site))
		return;
	site_say(site, "## the daemon ends");
	/* what nothing can be done about: no place to keep a step; no one left to arm the UPS */
	site->stale = site->stale || site->disk_hangs || (site->state_full && site->runtime_full);
	site->owed = site->owed || site->stale ||
		     (site->config.early_arming && site->host[0].state == HOST_HALTING &&
		      site->now_us < site->stop_us);
	policy_free(site->policy);
	site->policy = NULL;
	site->saving = false;
	site->daemon_us = back_us;
	memset(site->command_us, 0, sizeof(site->command_us));
	for (unsigned u = 0; u < site->n_ups; u++) {
		end_session(site, u);
		site->fsd[u] = false;
	}
	for (unsigned i = 0; i < site->n_hosts; i++)
		site->host[i].logged_in = false;
}

static void start_daemon(struct site *site)
{
	bool same_boot = site->daemon_boot == site->boots;
	char boot[POLICY_ID_MAX];
	struct policy_start start = {
		.boot = boot,
		.records = { site->state_record, site->runtime_record },
		.random = rng_next(&site->rng),
	};

	snprintf(boot, sizeof(boot), "boot-%u", site->boots);
	site_say(site, "## the daemon starts in %s", boot);
	site->restarts++;
	site->daemon_us = site->now_us;
	for (unsigned u = 0; u < site->n_ups; u++)
		start_session(site, u, same_boot);
	site->daemon_boot = site->boots;
	site->policy = policy_new(&site->config, &start, site->now_us);
	if (!site->policy)
		abort();
	drain(site);
}

/* --- trouble, right where it hurts: at the entry of a state -------------------------------------------------- */

static void flicker(struct site *site)
{
	unsigned u = below(site, site->n_ups);

	site_say(site, "## the mains of %s flicker", site->ups_config[u].name);
	site->mains[u] = !site->mains[u];
	sim_device_mains(&site->rig[u].srv.dev, site->mains[u], 220, 50);
	site->mains_at_us[u] =
		site->now_us + (chance(site, 50) ? seconds(site, 0.3, 8) : seconds(site, 8, 400));
}

static void unplug(struct site *site)
{
	unsigned u = below(site, site->n_ups);

	if (site->unplugged_us[u])
		return;
	site_say(site, "## the cable of %s falls out", site->ups_config[u].name);
	site->unplugs++;
	site->unplugged_us[u] =
		site->now_us + (chance(site, 50) ? seconds(site, 1, 20) : seconds(site, 20, 300));
	rig_link(&site->rig[u], false);
}

static void disk(struct site *site)
{
	site->disks++;
	site->state_full = chance(site, 70);
	site->runtime_full = chance(site, 30);
	site->disk_hangs = chance(site, 30);
	site->disk_us = site->now_us + seconds(site, 5, 300);
	site_say(site, "## disk:%s%s%s", site->state_full ? " state is read-only" : "",
		 site->runtime_full ? " runtime is full" : "", site->disk_hangs ? " hangs" : "");
}

static void reboot(struct site *site)
{
	struct host *own = &site->host[0];

	if (own->state != HOST_RUNS)
		return;
	site_say(site, "## the daemon's host is reset");
	site->reboots++;
	kill_daemon(site, 0);
	own->state = HOST_BOOTS;
	own->until_us = site->now_us + seconds(site, 15, 90);
}

static void lose_records(struct site *site)
{
	site_say(site, "## the daemon is killed and what it kept is gone");
	kill_daemon(site, site->now_us + seconds(site, 0.5, 20));
	site->state_record[0] = '\0';
	site->runtime_record[0] = '\0';
	site->owed = true;
}

static void stranger_sets_fsd(struct site *site)
{
	/* without the right to do so: the server says ACCESS-DENIED, the policy never hears of it */
	site_say(site, "## a client without rights tries FSD");
}

static void something(struct site *site)
{
	unsigned what = below(site, 100);

	if (what < 30) {
		site->kills++;
		kill_daemon(site, site->now_us + (chance(site, 70) ? seconds(site, 0.1, 5)
								   : seconds(site, 5, 90)));
	} else if (what < 50) {
		flicker(site);
	} else if (what < 70) {
		unplug(site);
	} else if (what < 85) {
		disk(site);
	} else if (what < 90) {
		lose_records(site);
	} else if (what < 95) {
		reboot(site);
	} else {
		stranger_sets_fsd(site);
	}
}

static void state_changed(struct site *site)
{
	struct policy_view view;

	if (!daemon_up(site))
		return;
	policy_look(site->policy, &view, site->now_us);
	if (view.state == site->state && !strcmp(view.sequence, site->sequence))
		return;
	site_say(site, "-- %s", policy_state_name(view.state));
	site->state = view.state;
	snprintf(site->sequence, sizeof(site->sequence), "%s", view.sequence);
	if (!site->quiet && site->now_us > site->t0_us && chance(site, site->trouble))
		something(site);
}

/* Between any two actions the daemon may die. */
static void drain(struct site *site)
{
	struct policy_action action;

	while (daemon_up(site) && policy_next(site->policy, &action)) {
		do_action(site, &action);
		if (!site->quiet && daemon_up(site) && site->state >= POLICY_WARNING &&
		    action.what != POLICY_EVENT && chance(site, site->trouble / 8)) {
			site->kills++;
			kill_daemon(site, site->now_us + seconds(site, 0.1, 5));
		}
	}
}

/* --- hosts ----------------------------------------------------------------------------------------------------- */

static bool output_on(const struct site *site, unsigned u)
{
	return site->rig[u].srv.dev.source != SIM_SOURCE_OFF;
}

static bool powered(const struct site *site, const struct host *h)
{
	bool any = false;

	for (unsigned u = 0; u < site->n_ups; u++) {
		any = any || h->ups[u];
		if (h->ups[u] && output_on(site, u))
			return true;
	}
	return !any; /* it hangs on something else */
}

static void go_dark(struct site *site, struct host *h)
{
	site_say(site, "## %s loses its power%s", h->name,
		 h->state == HOST_RUNS ? " while it runs" : "");
	h->cut += h->state == HOST_RUNS;
	if (h == &site->host[0]) {
		kill_daemon(site, 0);
		for (unsigned u = 0; u < site->n_ups; u++)
			end_session(site, u);
		site->hook = 0;
	}
	h->state = HOST_DARK;
	h->logged_in = false;
	h->leave_us = 0;
}

static void boot(struct site *site, struct host *h)
{
	h->state = HOST_BOOTS;
	h->until_us = site->now_us + seconds(site, 15, 90);
}

/* /run is new, so are the boot id and what hooks find. */
static void booted(struct site *site, struct host *h)
{
	site_say(site, "## %s runs", h->name);
	h->state = HOST_RUNS;
	h->leave_us = 0;
	h->poll_us = site->now_us + seconds(site, 1, 6);
	if (h != &site->host[0])
		return;
	site->boots++;
	site->runtime_record[0] = '\0';
	site->request[0] = '\0';
	site->has_token = false;
	site->stop_us = 0;
	for (unsigned u = 0; u < site->n_ups; u++)
		end_session(site, u);
	site->daemon_us = site->now_us + seconds(site, 1, 10);
}

/* --- the late hook ------------------------------------------------------------------------------------------------ */

enum { HOOK_S = 75 };

static void hook_begin(struct site *site)
{
	struct host *own = &site->host[0];

	kill_daemon(site, 0);
	own->state = HOST_HALTED;
	if (!site->has_token || site->config.early_arming)
		return;
	site_say(site, "## the late hook runs");
	own->state = HOST_HOOK;
	own->until_us = site->now_us + HOOK_S * S;
	for (unsigned u = 0; u < site->n_ups; u++) {
		site->hook_ordered[u] = false;
		if (site->token[u])
			start_session(site, u, true);
	}
}

static void hook_run(struct site *site)
{
	struct host *own = &site->host[0];
	bool mains = true, off = true;

	for (unsigned u = 0; u < site->n_ups; u++) {
		if (!site->token[u] || !site->rig[u].session)
			continue;
		off = off && !output_on(site, u);
		mains = mains && sim_device_mains_good(&site->rig[u].srv.dev);
		if (site->hook_ordered[u] || rig_snap(&site->rig[u])->gate != U2K_GATE_OPEN)
			continue;
		site->hook_ordered[u] = true;
		order(site, u, false, "shutdown.return", 6, &site->hook);
	}
	if (!off && site->now_us < own->until_us)
		return;
	for (unsigned u = 0; u < site->n_ups; u++)
		end_session(site, u);
	own->state = HOST_HALTED;
	if (off)
		return;
	site_say(site, "## the hook says on the console that the UPS was not seen off");
	site->told_ups = true;
	site->told_hosts = true;
	if (mains)
		boot(site, own);
}

/* --- a host's time -------------------------------------------------------------------------------------------------- */

static void own_host_run(struct site *site, struct host *h)
{
	if (h->state == HOST_HALTING && site->now_us >= h->until_us)
		hook_begin(site);
	else if (h->state == HOST_HOOK)
		hook_run(site);
}

/* What stock upsmon does as a secondary. */
static void secondary_run(struct site *site, struct host *h)
{
	bool fsd = false;

	if (h->state == HOST_HALTING && site->now_us >= h->until_us) {
		site_say(site, "## %s has halted", h->name);
		h->state = HOST_HALTED;
	}
	if (h->state != HOST_RUNS)
		return;
	if (h->leave_us && site->now_us >= h->leave_us) {
		site_say(site, "## %s leaves", h->name);
		h->logged_in = false;
		h->state = HOST_HALTING;
		h->until_us = site->now_us + h->halt_us;
		return;
	}
	if (!daemon_up(site) || site->now_us < h->poll_us)
		return;
	h->poll_us = site->now_us + 5 * S;
	if (!h->logged_in) {
		h->logged_in = true;
		h->login_us = site->now_us;
	}
	for (unsigned u = 0; u < site->n_ups; u++)
		fsd = fsd || (h->ups[u] && site->fsd[u]);
	if (fsd && !h->stubborn && !h->leave_us)
		h->leave_us = site->now_us + 5 * S;
}

static void hosts_run(struct site *site)
{
	for (unsigned i = 0; i < site->n_hosts; i++) {
		struct host *h = &site->host[i];

		if (h->state != HOST_DARK && !powered(site, h))
			go_dark(site, h);
		else if (h->state == HOST_DARK && powered(site, h))
			boot(site, h);
		else if (h->state == HOST_BOOTS && site->now_us >= h->until_us)
			booted(site, h);
		if (i)
			secondary_run(site, h);
		else
			own_host_run(site, h);
		if (i && daemon_up(site) && h->logged_in) {
			policy_host_up(site->policy, i - 1, site->now_us);
			drain(site);
		}
	}
}

/* --- time ------------------------------------------------------------------------------------------------------------ */

static void daemon_run(struct site *site)
{
	const struct host *own = &site->host[0];
	bool may = own->state == HOST_RUNS ||
		   (own->state == HOST_HALTING && site->now_us < site->stop_us);

	if (!daemon_up(site)) {
		if (own->state == HOST_RUNS && site->now_us >= site->daemon_us)
			start_daemon(site);
		return;
	}
	if (!may) {
		kill_daemon(site, 0);
		return;
	}
	for (unsigned u = 0; daemon_up(site) && u < site->n_ups; u++) {
		const struct u2k_snapshot *snap = rig_snap(&site->rig[u]);

		policy_ups(site->policy, u, snap, snap->comm == U2K_COMM_OK, site->now_us);
		drain(site);
		if (daemon_up(site))
			tell_order(site, u, POLICY_VERIFY_START, &site->verify[u]);
		if (daemon_up(site))
			tell_order(site, u, POLICY_SWITCH_OFF, &site->off[u]);
	}
	for (unsigned i = 0; i < SITE_STAGES * SITE_COMMANDS && daemon_up(site); i++) {
		int64_t *done_us = &site->command_us[i / SITE_COMMANDS][i % SITE_COMMANDS];

		if (!*done_us || site->now_us < *done_us)
			continue;
		*done_us = 0;
		policy_command_done(site->policy, i / SITE_COMMANDS, i % SITE_COMMANDS,
				    site->command_outcome[i / SITE_COMMANDS][i % SITE_COMMANDS] ==
					    WORKS,
				    "exit status 1", site->now_us);
		drain(site);
	}
	if (daemon_up(site))
		tell_logins(site);
	if (daemon_up(site)) {
		policy_run(site->policy, site->now_us);
		drain(site);
	}
}

static void troubles_end(struct site *site)
{
	for (unsigned u = 0; u < site->n_ups; u++) {
		if (site->mains_at_us[u] && site->now_us >= site->mains_at_us[u]) {
			site->mains_at_us[u] = 0;
			site->mains[u] = !site->mains[u];
			site_say(site, "## %s: mains %s", site->ups_config[u].name,
				 site->mains[u] ? "back" : "off");
			sim_device_mains(&site->rig[u].srv.dev, site->mains[u], 220, 50);
			if (!site->mains[u])
				site->mains_at_us[u] = site->now_us + seconds(site, 1, 400);
		}
		if (site->unplugged_us[u] && site->now_us >= site->unplugged_us[u]) {
			site->unplugged_us[u] = 0;
			site_say(site, "## the cable of %s is back", site->ups_config[u].name);
			rig_link(&site->rig[u], true);
		}
	}
	if (site->disk_us && site->now_us >= site->disk_us) {
		site_say(site, "## the disks are well");
		site->disk_us = 0;
		site->state_full = false;
		site->runtime_full = false;
		site->disk_hangs = false;
		if (site->saving && daemon_up(site)) {
			site->saving = false;
			keep(site);
			drain(site);
		}
	}
}

static void pass(struct site *site, int64_t for_us)
{
	int64_t until = site->now_us + for_us;

	while (!site->failed && site->now_us < until) {
		int64_t next = site->now_us + STEP_US;

		if (daemon_up(site) && policy_deadline(site->policy) < next)
			next = policy_deadline(site->policy);
		site->now_us = next > site->now_us ? next : site->now_us + 1000;
		for (unsigned u = 0; u < site->n_ups; u++)
			rig_run_until(&site->rig[u], site->now_us);
		troubles_end(site);
		site_watch(site);
		hosts_run(site);
		daemon_run(site);
		state_changed(site);
	}
}

/* --- a life ------------------------------------------------------------------------------------------------------------ */

static void choose_conditions(struct site *site, struct policy_conditions *when)
{
	policy_conditions_default(when);
	if (chance(site, 40))
		when->on_battery_s = 10 + below(site, 200);
	if (chance(site, 30))
		when->charge_percent = below(site, 80);
	if (chance(site, 30))
		when->runtime_s = below(site, 400);
	if (chance(site, 20))
		when->low_battery = false;
	if (chance(site, 30))
		when->lost_s = chance(site, 30) ? 0 : 15 + below(site, 60);
}

static void choose_config(struct site *site)
{
	struct policy_config *c = &site->config;

	policy_config_default(c);
	c->enabled = chance(site, 95);
	c->ups = site->ups_config;
	c->n_ups = site->n_ups;
	c->stages = site->stages;
	c->n_stages = below(site, SITE_STAGES + 1);
	c->wake = site->wake;
	c->n_wake = chance(site, 70) ? site->n_hosts - 1 : 0;
	c->minimum_supplies = site->n_ups == 2 && chance(site, 30) ? 2 : 1;
	c->warning_s = chance(site, 20) ? 0 : below(site, 30);
	c->mains_stable_s = below(site, 10);
	c->hostsync_s = 15 + below(site, 45);
	c->final_delay_s = below(site, 8);
	c->host_shutdown_time_s = 60;
	c->host = chance(site, 25) ? POLICY_HOST_NONE : POLICY_HOST_SHUTDOWN;
	c->early_arming = c->host == POLICY_HOST_SHUTDOWN && chance(site, 25);
	c->on_fsd = chance(site, 30) ? POLICY_FSD_RUN : POLICY_FSD_LATCH;
	for (unsigned u = 0; u < site->n_ups; u++) {
		static const char *const names[SITE_UPSES] = { "rack", "desk" };

		site->ups_config[u].name = names[u];
		site->ups_config[u].supplies = 1;
		site->ups_config[u].end = chance(site, 90) ? POLICY_END_RETURN : POLICY_END_NOTHING;
		choose_conditions(site, &site->ups_config[u].when);
	}
	for (unsigned i = 0; i < SITE_STAGES; i++) {
		static const char *const names[SITE_STAGES][SITE_COMMANDS] = { { "vms", "jails" },
									       { "nas", "san" } };

		for (unsigned k = 0; k < SITE_COMMANDS; k++) {
			site->commands[i][k] =
				(struct policy_command){ names[i][k], 5 + below(site, 40) };
			site->command_outcome[i][k] = (enum outcome)(chance(site, 70)	? WORKS
								     : chance(site, 50) ? FAILS
											: HANGS);
		}
		site->stages[i] =
			(struct policy_stage){ names[i][0], chance(site, 50), site->commands[i],
					       1 + below(site, SITE_COMMANDS) };
	}
	site->host_outcome = (enum outcome)(chance(site, 85)   ? WORKS
					    : chance(site, 50) ? FAILS
							       : HANGS);
}

static void choose_hosts(struct site *site)
{
	static const char *const names[SITE_HOSTS] = { "server", "nas", "vm1", "vm2" };

	for (unsigned i = 0; i < site->n_hosts; i++) {
		struct host *h = &site->host[i];

		h->name = names[i];
		h->halt_us = seconds(site, 5, 50);
		h->stubborn = i && chance(site, 12);
		h->deaf = chance(site, 10);
		for (unsigned u = 0; u < site->n_ups; u++)
			h->ups[u] = i ? site->n_ups == 1 || u == i % 2
				      : site->config.host == POLICY_HOST_SHUTDOWN;
		if (i)
			site->wake[i - 1] = (struct policy_wake){
				.name = h->name,
				.ups = site->n_ups == 1 ? -1 : (int)(i % 2),
				.min_charge_percent = chance(site, 50) ? 0 : 2,
				.after_s = below(site, 60),
				.retry_s = 60 + below(site, 30),
				.tries = 3 + below(site, 3),
			};
	}
}

/* A unit that cannot do all, sometimes. Only those that still obey 1044: see docs/protocol.md. */
static void choose_unit(struct site *site, struct sim_options *device)
{
	static const char *const words[] = { "fc10-silent", "fc10-refused", "pair-refused",
					     "busy=3",	    "old-value-ms", "no-cancel",
					     "ack-only",    "pair-only" };
	char err[200];

	sim_options_default(device);
	device->load_percent = 30 + below(site, 60);
	if (chance(site, 25))
		sim_dialect_set(&device->dialect, words[below(site, ARRAY_SIZE(words))], true, err,
				sizeof(err));
}

void site_init(struct site *site, uint64_t seed)
{
	void (*trace)(const struct site *site, const char *text) = site->trace;

	memset(site, 0, sizeof(*site));
	site->trace = trace;
	site->seed = seed;
	site->rng = rng_mix(seed * 0x9e3779b97f4a7c15u + 77);
	site->n_ups = chance(site, 25) ? 2 : 1;
	site->n_hosts = 1 + below(site, SITE_HOSTS);
	site->trouble = chance(site, 20) ? 0 : 10 + below(site, 50);
	choose_config(site);
	choose_hosts(site);
	for (unsigned u = 0; u < site->n_ups; u++) {
		struct sim_options device;
		struct rig *rig = &site->rig[u];

		choose_unit(site, &device);
		rig_init_device(rig, seed + u, &device);
		rig->done = order_done;
		rig->user = site;
		rig->config.status_interval_us = S;
		rig->srv.dev.autostart = chance(site, 50);
		sim_device_battery_worn(&rig->srv.dev, chance(site, 70));
		site->mains[u] = true;
		site->truth[u].on = true;
	}
	site->now_us = site->rig[0].now_us;
	site->boots = 1;
	site->t0_us = site->now_us + 20 * S;
	start_daemon(site);
}

static void outage(struct site *site)
{
	unsigned first = below(site, site->n_ups);
	bool all = site->n_ups == 1 || chance(site, 70);

	site->outages++;
	for (unsigned u = 0; u < site->n_ups; u++) {
		if (!all && u != first)
			continue;
		if (site->mains[u]) {
			site->mains[u] = false;
			site_say(site, "## %s: mains off", site->ups_config[u].name);
			sim_device_mains(&site->rig[u].srv.dev, false, 0, 50);
		}
		site->mains_at_us[u] = site->now_us + (chance(site, 40) ? seconds(site, 5, 120)
									: seconds(site, 120, 700));
	}
}

static void person_asks(struct site *site)
{
	static const struct policy_who who = { "admin", "127.0.0.1", NULL };
	char text[POLICY_TEXT_MAX];
	unsigned u = below(site, site->n_ups);

	if (!daemon_up(site))
		return;
	if (chance(site, 50)) {
		site_say(site, "## a person asks for a shutdown");
		if (!policy_operator(site->policy, &who, site->now_us, text))
			site->asked = true;
	} else {
		site_say(site, "## a client with rights sets FSD on %s", site->ups_config[u].name);
		if (!site->fsd[u]) {
			site->truth[u].fsd_us = site->now_us;
			site->truth[u].fsd_off = false;
		}
		site->fsd[u] = true;
		site->by_hand = true;
		site->told_hosts = true; /* who sets FSD knows that hosts go down by it */
		site->asked = site->asked || site->config.on_fsd == POLICY_FSD_RUN;
		policy_fsd(site->policy, u, &who, site->now_us);
	}
	drain(site);
	if (daemon_up(site) && site->asked && chance(site, 20)) {
		if (!policy_operator_cancel(site->policy, &who, site->now_us, text))
			site_say(site, "## ... and takes it back");
		drain(site);
	}
}

static void peace(struct site *site)
{
	site->quiet = true;
	site_say(site, "## nothing more goes wrong");
	for (unsigned u = 0; u < site->n_ups; u++) {
		site->mains_at_us[u] = site->mains[u] ? 0 : site->now_us;
		site->unplugged_us[u] = site->unplugged_us[u] ? site->now_us : 0;
	}
	site->disk_us = site->disk_us ? site->now_us : 0;
}

static bool all_well(const struct site *site)
{
	for (unsigned u = 0; u < site->n_ups; u++)
		if (!output_on(site, u) || site->fsd[u])
			return false;
	for (unsigned i = 0; i < site->n_hosts; i++)
		if (site->host[i].state != HOST_RUNS)
			return false;
	return daemon_up(site) && site->state == POLICY_NORMAL;
}

bool site_live(struct site *site)
{
	unsigned n = 1 + below(site, 2);

	pass(site, 25 * S);
	while (n-- && !site->failed) {
		if (chance(site, 12))
			person_asks(site);
		else
			outage(site);
		pass(site, seconds(site, 300, 900));
	}
	peace(site);
	for (unsigned i = 0; i < 15 && !site->failed; i++) {
		bool well = all_well(site);

		pass(site, 100 * S);
		if (well && all_well(site))
			break;
	}
	if (!site->failed)
		site_watch_end(site);
	return !site->failed;
}

void site_close(struct site *site)
{
	policy_free(site->policy);
	site->policy = NULL;
	for (unsigned u = 0; u < site->n_ups; u++)
		rig_close(&site->rig[u]);
}
