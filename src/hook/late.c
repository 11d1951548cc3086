#include "hook/late.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/reboot.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "daemon/config.h"
#include "daemon/devices.h"
#include "daemon/hub.h"
#include "daemon/killpower.h"
#include "hook/host.h"
#include "hook/late_ask.h"
#include "hook/late_nut.h"
#include "hook/note.h"
#include "util/util.h"
#include <ups2000/ups.h>

#define LOG_PART "late"
#include "util/log.h"

enum { ASK_S = 40, LET_GO_MS = 3000 };

struct target {
	struct late *late;
	struct config_ups *config; /* borrowed */
	bool stay_off;
	bool off;	     /* seen */
	bool mains_are_back; /* it could not be done, and the mains are there */
	struct killpower *killpower;
};

struct late {
	const struct late_options *options;
	struct config *config;
	struct event_base *base;
	struct hub *hub;
	struct target targets[NOTE_UPS_MAX];
	size_t n_targets, running;
	int64_t until_us;
};

static void say(void *user, bool fatal, const char *text)
{
	(void)user;
	log_write(fatal ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG, "config", "%s", text);
}

/* --- what is to be done ------------------------------------------------------------------------ */

static struct config_ups *find_ups(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_ups; i++) {
		struct config_ups *ups = &config->ups[i];

		if (strcasecmp(ups->name, name) == 0)
			return ups;
		for (size_t a = 0; a < ups->n_aliases; a++)
			if (strcasecmp(ups->aliases[a], name) == 0)
				return ups;
	}
	return NULL;
}

static void add_target(struct late *late, const char *name, bool stay_off)
{
	struct config_ups *ups = find_ups(late->config, name);

	for (size_t i = 0; i < late->n_targets; i++)
		if (late->targets[i].config == ups)
			return;
	if (ups && ups->control)
		late->targets[late->n_targets++] =
			(struct target){ .late = late, .config = ups, .stay_off = stay_off };
	else
		log_error("\"%s\" is to be switched off, but %s names no such UPS%s", name,
			  late->config->path, ups ? " that may be commanded" : "");
}

static bool names(const struct note *note, const struct config *config, const char *name)
{
	const struct config_ups *ups = find_ups((struct config *)(uintptr_t)config, name);

	for (size_t i = 0; ups && i < note->n_ups; i++)
		if (strcasecmp(note->ups[i].name, ups->name) == 0)
			return true;
	return false;
}

/* upsmon says that it is done, and our daemon knew of a forced shutdown in this boot. */
static void targets_of_nut(struct late *late, const struct late_nut *nut)
{
	struct note fsd;
	char why[256];

	if (!note_read(late->options->runtime_dir, NOTE_FSD, (uid_t)-1, &fsd, why, sizeof(why))) {
		log_warning("upsmon left its POWERDOWNFLAG, but no forced shutdown of this boot is "
			    "known%s%s: nothing is switched off",
			    *why ? ": " : "", why);
		return;
	}
	for (size_t i = 0; i < nut->primary.n_ups; i++)
		if (names(&fsd, late->config, nut->primary.ups[i].name))
			add_target(late, nut->primary.ups[i].name, false);
}

/* Does the way this host goes down call for switching off? */
static bool fits(const char *action, enum note_action asked)
{
	if (strcmp(action, "reboot") == 0)
		return asked == NOTE_REBOOT;
	return strcmp(action, "poweroff") == 0 || strcmp(action, "halt") == 0;
}

/* Fills targets; none: nothing to do. */
static void find_targets(struct late *late)
{
	const struct late_options *o = late->options;
	struct late_nut nut;
	struct note note;
	char why[256];
	bool have;

	late_nut_look(&nut, o->nut_dir, o->nut_hook);
	if (nut.flag && nut.drives) {
		log_info("NUT has a driver for a UPS2000 here and switches it off itself");
		return;
	}
	have = note_read(o->runtime_dir, NOTE_TAKEN, (uid_t)-1, &note, why, sizeof(why));
	if (!have && *why)
		log_warning("%s/%s: %s: it is not followed", o->runtime_dir, NOTE_TAKEN, why);
	if (have && !fits(o->action, note.action)) {
		log_info("this is a %s, which the shutdown did not ask for: the output stays on",
			 o->action);
		return;
	}
	if (!have && (!nut.flag || !fits(o->action, NOTE_POWEROFF)))
		return;
	late->config = config_load(o->config, say, NULL);
	if (!late->config) {
		log_error("without a configuration no UPS can be switched off");
		return;
	}
	if (have)
		log_info("%s", note.reason);
	for (size_t i = 0; have && i < note.n_ups; i++)
		add_target(late, note.ups[i].name, note.ups[i].stay_off);
	if (!have)
		targets_of_nut(late, &nut);
}

/* --- doing it -------------------------------------------------------------------------------------- */

static void killed(void *user, bool off)
{
	struct target *target = user;
	struct late *late = target->late;
	struct hub_ups *ups = hub_find(late->hub, target->config->name);
	unsigned flags = ups ? ups->snap.flags : 0;

	target->off = off;
	target->mains_are_back = !off && ups && hub_avail(ups) == HUB_OK && (flags & U2K_OL) &&
				 !(flags & (U2K_OB | U2K_OFF));
	killpower_free(target->killpower);
	target->killpower = NULL;
	if (--late->running == 0)
		event_base_loopbreak(late->base);
}

/* A configuration with nothing but the UPSes that are still on; they stay late->config's. */
static struct config left_over(const struct late *late)
{
	struct config config = *late->config;

	config.ups = xcalloc(late->n_targets, sizeof(*config.ups));
	config.n_ups = 0;
	for (size_t i = 0; i < late->n_targets; i++)
		if (!late->targets[i].off)
			config.ups[config.n_ups++] = *late->targets[i].config;
	return config;
}

/* With the engine, on the line itself. */
static void take_over(struct late *late)
{
	struct config config = left_over(late);
	int64_t left_us = late->until_us - clock_us();
	struct devices *devices;

	late->base = event_base_new();
	if (!late->base || left_us < U2K_SEC) {
		log_error("%s", late->base ? "out of time" : "no event loop");
		free(config.ups);
		return;
	}
	late->hub = hub_new(late->base);
	devices = devices_new(late->hub, late->options->state_dir ? late->options->state_dir
								  : config.state_dir);
	devices_apply(devices, &config);
	for (size_t i = 0; i < late->n_targets; i++) {
		struct target *target = &late->targets[i];
		struct killpower_config kill = {
			.delay_given = target->config->delay_shutdown != 60,
			.stay_off = target->stay_off,
			.from = "late hook",
		};

		if (target->off)
			continue;
		late->running++;
		target->killpower = killpower_new(hub_find(late->hub, target->config->name), &kill,
						  (unsigned)(left_us / U2K_SEC), killed, target);
	}
	event_base_dispatch(late->base);
	devices_free(devices);
	hub_free(late->hub);
	event_base_free(late->base);
	free(config.ups);
}

/* A daemon that still runs does it; one that cannot is ended, since it holds the line. */
static void ask_instance(struct late *late)
{
	const struct late_options *o = late->options;
	char *socket = late->config->socket ? xstrdup(late->config->socket)
					    : xasprintf("%s/ups2000.sock", o->runtime_dir);
	struct late_ask ask[NOTE_UPS_MAX];
	size_t done = 0;

	for (size_t i = 0; i < late->n_targets; i++)
		ask[i] = (struct late_ask){
			.ups = late->targets[i].config->name,
			.command =
				late->targets[i].stay_off ? "shutdown.stayoff" : "shutdown.default",
			.value = late->targets[i].config->delay_shutdown != 60 ? NULL : "6",
		};
	if (late_ask(socket, ask, late->n_targets, ASK_S)) {
		for (size_t i = 0; i < late->n_targets; i++) {
			late->targets[i].off = ask[i].off;
			done += ask[i].off;
		}
		if (done < late->n_targets) {
			log_warning("the running daemon did not do it: taking over");
			late_ask_end(o->runtime_dir, LET_GO_MS);
		}
	}
	free(socket);
}

static void reboot_instead(const struct late_options *o)
{
	char *program, *command[2];

	log_warning("the mains are back and the UPS cannot cycle its output: rebooting instead of "
		    "halting, so that this host comes back");
	if (o->reboot_with) {
		program = xstrdup(o->reboot_with);
		command[0] = program;
		command[1] = NULL;
		host_run(command);
		free(program);
		return;
	}
	sync();
	if (reboot(RB_AUTOBOOT) < 0)
		log_error("reboot: %s", strerror(errno));
}

static int outcome(const struct late *late)
{
	const struct late_options *o = late->options;
	bool all = true, reboots = false;

	for (size_t i = 0; i < late->n_targets; i++) {
		const struct target *target = &late->targets[i];

		all = all && target->off;
		reboots = reboots || (target->mains_are_back && !target->stay_off);
		if (target->off)
			log_info("%s: the output is off", target->config->name);
		else
			log_error("%s: the output was not seen off", target->config->name);
	}
	if (!all && reboots && strcmp(o->action, "reboot") != 0)
		reboot_instead(o);
	return all ? 0 : 1;
}

int late_run(const struct late_options *options)
{
	struct late late = { .options = options };
	int rc = 0;

	if (strcmp(options->action, "kexec") == 0)
		return 0;
	late.until_us = clock_us() + options->seconds * U2K_SEC;
	signal(SIGPIPE, SIG_IGN);
	find_targets(&late);
	if (late.n_targets) {
		bool all = true;

		log_info("switching %zu UPS%s off", late.n_targets,
			 late.n_targets == 1 ? "" : "es");
		ask_instance(&late);
		for (size_t i = 0; i < late.n_targets; i++)
			all = all && late.targets[i].off;
		if (!all)
			take_over(&late);
		rc = outcome(&late);
	}
	config_free(late.config);
	return rc;
}
