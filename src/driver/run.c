#include "driver/run.h"

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/config.h"
#include "daemon/devices.h"
#include "daemon/hub.h"
#include "daemon/killpower.h"
#include "daemon/sd_notify.h"
#include "daemon/privileges.h"
#include "driver/args.h"
#include "driver/background.h"
#include "driver/instance.h"
#include "driver/server.h"
#include "driver/settings.h"
#include "nut/store.h"
#include "util/util.h"

#define LOG_PART "driver"
#include "util/log.h"

enum {
	FIRST_DATA_MS = 5000, /* whoever started us waits so long for data, then we go on without */
	TICK_MS = 100,
	DUMP_MS = 30000,      /* the same for -d, which gives up */
	FAREWELL_TICKS = 10,  /* for the last answers to go out */
	KILLPOWER_ASK_S = 55, /* of KILLPOWER_TOTAL_S, for an instance that runs */
};

static const char DEFAULT_USER[] = "nut";

struct driver {
	const char *name; /* own base name */
	const struct args *args;
	struct settings *settings;
	struct background background;
	gid_t socket_gid;
	struct event_base *base;
	struct hub *hub;
	struct devices *devices;
	struct hub_ups *ups;
	struct server *server;
	struct killpower *killpower;
	struct event *signals[5], *tick, *watchdog;
	int64_t started_us;
	bool ready;	   /* whoever started us was told */
	unsigned farewell; /* ticks since leaving began, 0 = not leaving */
	unsigned updates;  /* -d: how many were seen */
	int64_t update_us;
	bool no_file; /* ups.conf is not good: only another instance can be asked */
	bool off;     /* -k: the output was seen off */
};

static const struct timeval tick_time = { 0, TICK_MS * 1000 };

static void say_stderr(void *user, bool fatal, const char *text)
{
	fprintf(stderr, "%s: %s%s\n", (const char *)user, fatal ? "" : "warning: ", text);
}

static void say_log(void *user, bool fatal, const char *text)
{
	(void)user;
	log_write(fatal ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, LOG_PART, "%s", text);
}

static void open_log(const struct driver *d, enum log_target target)
{
	const struct settings *s = d->settings;

	log_open(d->name, target,
		 s->debug   ? LOG_LEVEL_DEBUG
		 : s->quiet ? LOG_LEVEL_WARNING
			    : LOG_LEVEL_INFO);
}

/* --- leaving ------------------------------------------------------------------------------------ */

static void leave(void *user)
{
	struct driver *d = user;

	if (d->farewell)
		return;
	d->farewell = 1;
	if (d->tick)
		event_add(d->tick, &tick_time);
	if (d->server)
		server_set_state(d->server, "cleanup.exit");
	notify_send("STOPPING=1\nSTATUS=Stopping");
}

static void on_stop(evutil_socket_t signal, short what, void *user)
{
	struct driver *d = user;

	(void)what;
	log_info("%s: stopping", strsignal((int)signal));
	leave(d);
	event_base_loopbreak(d->base);
}

/* --- reload --------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* What a running process cannot take over. */
static bool needs_restart(const struct settings *old, const struct settings *now)
{
	return !same_text(old->state_path, now->state_path) ||
	       !same_text(old->chroot, now->chroot) || !same_text(old->user, now->user) ||
	       !same_text(old->group, now->group) || !same_text(old->pid_path, now->pid_path) ||
	       old->config->ups[0].delay_shutdown != now->config->ups[0].delay_shutdown ||
	       old->config->ups[0].delay_start != now->config->ups[0].delay_start ||
	       old->config->ups[0].delay_reboot != now->config->ups[0].delay_reboot;
}

static void adopt(struct driver *d, struct settings *settings)
{
	devices_apply(d->devices, settings->config);
	settings_free(d->settings);
	d->settings = settings;
	server_allow_killpower(d->server, settings->allow_killpower);
}

static int reload(void *user, bool or_error, bool or_exit)
{
	struct driver *d = user;
	struct settings *settings;

	if (d->killpower) {
		log_warning("no reload while the UPS is being switched off");
		return TRACKING_FAILED;
	}
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_us());
	settings = settings_load(d->name, d->args, say_log, NULL);
	if (!settings) {
		log_error("ups.conf is not good: what was read before stays in force");
		notify_send("READY=1");
		return TRACKING_FAILED;
	}
	if (needs_restart(d->settings, settings) && (or_error || or_exit)) {
		log_warning("ups.conf asks for something only a restart can do%s",
			    or_exit ? ": ending" : "");
		settings_free(settings);
		notify_send("READY=1");
		if (or_exit)
			leave(d);
		return or_exit ? TRACKING_DONE : TRACKING_FAILED;
	}
	if (needs_restart(d->settings, settings))
		log_warning(
			"another user, group, chroot, statepath or delay takes effect at the next "
			"start only");
	adopt(d, settings);
	log_info("ups.conf was read again");
	notify_send("READY=1\nSTATUS=Serving %s", settings->section);
	return TRACKING_DONE;
}

static void on_reload(evutil_socket_t signal, short what, void *user)
{
	(void)what;
	reload(user, false, signal == SIGUSR1);
}

static int set_debug(void *user, unsigned level)
{
	struct driver *d = user;

	d->settings->debug = level;
	open_log(d, d->args->where == ARGS_BACKGROUND ? LOG_TARGET_SYSLOG : LOG_TARGET_AUTO);
	return TRACKING_DONE;
}

/* --- killpower ------------------------------------------------------------------------------------ */

static void instance_killed(void *user, bool off)
{
	struct driver *d = user;

	killpower_free(d->killpower);
	d->killpower = NULL;
	server_killpower_done(d->server, off);
	if (off)
		leave(d);
	else
		server_set_state(d->server, "quiet");
}

static struct killpower *make_killpower(struct driver *d, unsigned seconds, killpower_cb cb)
{
	struct killpower_config config = {
		.commands = d->settings->sdcommands,
		.n_commands = d->settings->n_sdcommands,
		.delay_given = d->settings->offdelay_given,
		.from = "driver",
	};

	return killpower_new(d->ups, &config, seconds, cb, d);
}

static void start_killpower(void *user)
{
	struct driver *d = user;

	server_set_state(d->server, "fsd.killpower");
	d->killpower = make_killpower(d, KILLPOWER_ASK_S - 2, instance_killed);
}

static void alone_killed(void *user, bool off)
{
	struct driver *d = user;

	d->off = off;
	event_base_loopbreak(d->base);
}

/* --- the loop -------------------------------------------------------------------------------------- */

static void say_ready(struct driver *d)
{
	d->ready = true;
	if (!d->ups->snap.first_status_us)
		log_warning("no data from the UPS at %s yet: serving DATASTALE and trying on",
			    d->settings->config->ups[0].port);
	notify_send("READY=1\nSTATUS=Serving %s", d->settings->section);
	if (d->background.fd < 0)
		return;
	open_log(d, LOG_TARGET_SYSLOG);
	background_ready(&d->background);
}

static bool waited(const struct driver *d)
{
	return clock_us() - d->started_us > FIRST_DATA_MS * U2K_MSEC;
}

static void show_state(struct driver *d)
{
	bool ok = hub_avail(d->ups) == HUB_OK;

	if (d->killpower || d->farewell || !d->ready)
		return;
	server_set_state(d->server, ok				   ? "quiet"
				    : d->ups->snap.first_status_us ? "reconnect.trying"
								   : "init.device");
}

static void on_tick(evutil_socket_t fd, short what, void *user)
{
	struct driver *d = user;

	(void)fd;
	(void)what;
	if (d->farewell) {
		if (d->farewell++ > FAREWELL_TICKS || server_drained(d->server))
			event_base_loopbreak(d->base);
		return;
	}
	if (d->update_us || waited(d)) {
		say_ready(d);
		show_state(d);
		event_del(d->tick);
	}
}

/* -d: who asks for data does not wait for ever. */
static void on_dump_tick(evutil_socket_t fd, short what, void *user)
{
	struct driver *d = user;

	(void)fd;
	(void)what;
	if (d->update_us || clock_us() - d->started_us < DUMP_MS * U2K_MSEC)
		return;
	log_error("no data from the UPS at %s in %d s", d->settings->config->ups[0].port,
		  DUMP_MS / 1000);
	event_base_loopbreak(d->base);
}

/* The first data are complete when one of each kind of read is there. */
static bool complete(const struct u2k_snapshot *snap)
{
	return snap->first_status_us && snap->identity.known && snap->alarms.at_us &&
	       snap->qty[U2K_QTY_BATTERY_CHARGE].validity != U2K_UNKNOWN &&
	       snap->qty[U2K_QTY_INPUT_VOLTAGE].validity != U2K_UNKNOWN &&
	       snap->qty[U2K_QTY_RATED_POWER].validity != U2K_UNKNOWN &&
	       snap->qty[U2K_QTY_AUTO_START].validity != U2K_UNKNOWN;
}

static void print_values(const struct driver *d)
{
	const struct nut_store *store = d->ups->store;

	for (size_t i = 0; i < nut_store_count(store); i++)
		printf("%s: %s\n", nut_store_at(store, i)->name, nut_store_at(store, i)->value);
	fflush(stdout);
}

static void on_changed(void *front, struct hub_ups *ups, uint64_t mask)
{
	struct driver *d = front;
	const struct u2k_snapshot *snap = &ups->snap;

	(void)mask;
	if (d->server)
		show_state(d);
	/* a unit that refuses a register is never complete */
	if (!complete(snap) && !(snap->first_status_us && waited(d)))
		return;
	if (snap->status_at_us <= d->update_us)
		return;
	d->update_us = snap->status_at_us;
	if (d->args->job == ARGS_DUMP && ++d->updates == d->args->updates) {
		print_values(d);
		event_base_loopbreak(d->base);
	}
}

static const struct hub_front front = { .name = "run", .changed = on_changed };

static void on_watchdog(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	(void)user;
	notify_send("WATCHDOG=1");
}

static void add_signals(struct driver *d)
{
	static const struct {
		int signal;
		event_callback_fn cb;
	} rows[] = { { SIGTERM, on_stop },
		     { SIGINT, on_stop },
		     { SIGQUIT, on_stop },
		     { SIGHUP, on_reload },
		     { SIGUSR1, on_reload } };
	size_t n = d->server ? ARRAY_SIZE(rows) : 3;

	for (size_t i = 0; i < n; i++) {
		d->signals[i] = evsignal_new(d->base, rows[i].signal, rows[i].cb, d);
		evsignal_add(d->signals[i], NULL);
	}
}

static struct event *every(struct driver *d, int64_t us, event_callback_fn cb)
{
	struct timeval tv = { (time_t)(us / U2K_SEC), (suseconds_t)(us % U2K_SEC) };
	struct event *event = event_new(d->base, -1, EV_PERSIST, cb, d);

	event_add(event, &tv);
	return event;
}

static bool open_hub(struct driver *d)
{
	d->base = event_base_new();
	if (!d->base) {
		log_error("no event loop: %s", strerror(errno));
		return false;
	}
	d->hub = hub_new(d->base);
	d->devices = devices_new(d->hub, d->settings->state_path);
	d->started_us = clock_us();
	hub_attach(d->hub, &front, d);
	devices_apply(d->devices, d->settings->config);
	d->ups = hub_ups_at(d->hub, 0);
	return true;
}

static void close_hub(struct driver *d)
{
	if (!d->base)
		return;
	killpower_free(d->killpower);
	server_free(d->server);
	for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->tick)
		event_free(d->tick);
	if (d->watchdog)
		event_free(d->watchdog);
	hub_detach(d->hub, d);
	devices_free(d->devices);
	hub_free(d->hub);
	event_base_free(d->base);
	libevent_global_shutdown();
}

/* --- the user ---------------------------------------------------------------------------------------- */

static bool become_user(const struct driver *d, bool must)
{
	const struct settings *s = d->settings;
	const char *user = s->user ? s->user : DEFAULT_USER;
	struct privileges privileges;
	char error[512];

	if (geteuid() != 0)
		return true;
	if (!s->user && !getpwnam(user)) {
		log_warning("there is no user \"%s\": staying root", user);
		return true;
	}
	if (privileges_choose(&privileges, user, NULL, error, sizeof(error)) &&
	    privileges_drop(&privileges, error, sizeof(error)))
		return true;
	if (must)
		log_error("%s", error);
	else
		log_warning("%s", error);
	return !must;
}

/* As root the socket is given to NUT's group all the same, so that upsd can use it. */
static gid_t group_of_socket(const struct settings *s)
{
	const char *name = s->group ? s->group : geteuid() == 0 ? DEFAULT_USER : NULL;
	const struct group *group = name ? getgrnam(name) : NULL;

	if (s->group && !group)
		log_warning("there is no group \"%s\": the socket keeps its own", name);
	return group ? group->gr_gid : (gid_t)-1;
}

static bool enter_chroot(const struct driver *d)
{
	const char *root = d->settings->chroot;

	if (!root)
		return true;
	tzset();
	if (chroot(root) == 0 && chdir("/") == 0)
		return true;
	log_error("chroot to %s is not possible: %s", root, strerror(errno));
	return false;
}

/* --- jobs -------------------------------------------------------------------------------------------- */

/* All that looks into user databases or waits for others: before the fork, which sheds its memory. */
static bool prepare(struct driver *d)
{
	const struct settings *s = d->settings;
	char error[512];

	if (!enter_chroot(d) || !become_user(d, true))
		return false;
	d->socket_gid = group_of_socket(s);
	if (access(s->state_path, X_OK) < 0) {
		log_error(
			"the state path %s cannot be used: %s. Create it for the user this runs as, or "
			"name another in NUT_STATEPATH",
			s->state_path, strerror(errno));
		return false;
	}
	if (instance_end(s->socket_path, s->pid_path, d->name, error, sizeof(error)))
		return true;
	log_error("%s", error);
	return false;
}

static void say_where(const struct driver *d)
{
	const struct settings *s = d->settings;

	log_debug("port %s, state path %s, PID file %s, user id %ld", s->config->ups[0].port,
		  s->state_path, s->pid_path, (long)geteuid());
}

static bool start_serving(struct driver *d)
{
	static const struct server_ops ops = { reload, set_debug, leave, start_killpower };
	const struct settings *s = d->settings;
	bool with_pid = d->args->where != ARGS_FOREGROUND;
	int64_t watchdog_us = notify_watchdog_us();
	char error[512];

	say_where(d);
	if (with_pid && !instance_write_pid(s->pid_path, error, sizeof(error))) {
		log_error("%s", error);
		return false;
	}
	if (!open_hub(d))
		return false;
	d->server = server_new(d->ups, &ops, d);
	server_allow_killpower(d->server, s->allow_killpower);
	if (!server_listen(d->server, s->socket_path, d->socket_gid, error, sizeof(error))) {
		log_error("%s", error);
		return false;
	}
	add_signals(d);
	d->tick = every(d, TICK_MS * U2K_MSEC, on_tick);
	if (watchdog_us)
		d->watchdog = every(d, watchdog_us, on_watchdog);
	return true;
}

static void remove_pid(const struct driver *d)
{
	FILE *file = fopen(d->settings->pid_path, "re");
	long pid = 0;

	if (!file)
		return;
	if (fscanf(file, "%ld", &pid) == 1 && pid == (long)getpid())
		unlink(d->settings->pid_path);
	fclose(file);
}

static int serve(struct driver *d)
{
	int rc = EXIT_FAILURE;

	if (!prepare(d))
		return EXIT_FAILURE;
	if (d->args->where == ARGS_BACKGROUND && !background_start(&d->background)) {
		log_error("cannot go to the background: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	if (start_serving(d)) {
		log_info("%s " U2K_VERSION " serves [%s] at %s", d->name, d->settings->section,
			 d->settings->socket_path);
		event_base_dispatch(d->base);
		rc = EXIT_SUCCESS;
	}
	close_hub(d);
	remove_pid(d);
	return rc;
}

/* -d: no socket, no PID file, no other instance. */
static int dump(struct driver *d)
{
	int rc = EXIT_FAILURE;

	if (!enter_chroot(d) || !become_user(d, true) || !open_hub(d))
		return EXIT_FAILURE;
	add_signals(d);
	d->tick = every(d, TICK_MS * U2K_MSEC, on_dump_tick);
	event_base_dispatch(d->base);
	if (d->updates >= d->args->updates)
		rc = EXIT_SUCCESS;
	close_hub(d);
	return rc;
}

/*
 * -k: late in a shutdown. Nothing but the line is needed: no state path, no user, no log. Root
 * stays root unless a user was named on the command line.
 */
static int kill_power(struct driver *d)
{
	const struct settings *s = d->settings;
	int64_t until = clock_us() + KILLPOWER_TOTAL_S * U2K_SEC;
	char error[512];
	unsigned left;

	if (!enter_chroot(d))
		return EXIT_FAILURE;
	if (instance_ask(s->socket_path, "SET driver.flag.allow_killpower \"1\"", 2) == 0) {
		log_info("asking the running driver to switch the UPS off");
		if (instance_ask(s->socket_path, "INSTCMD driver.killpower", KILLPOWER_ASK_S) ==
		    0) {
			log_info("the output is off");
			return EXIT_SUCCESS;
		}
		log_warning("the running driver did not do it: taking over");
	}
	if (d->no_file) {
		log_error(
			"no driver runs that could be asked, and ups.conf does not tell where the UPS "
			"is: the output stays on");
		return EXIT_FAILURE;
	}
	if (!instance_end(s->socket_path, s->pid_path, d->name, error, sizeof(error)))
		log_warning("%s; trying all the same", error);
	if (d->args->user)
		become_user(d, false);
	left = (unsigned)((until - clock_us()) / U2K_SEC);
	if (left > KILLPOWER_TOTAL_S || !open_hub(d))
		return EXIT_FAILURE;
	add_signals(d);
	d->killpower = make_killpower(d, left, alone_killed);
	event_base_dispatch(d->base);
	close_hub(d);
	return d->off ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int tell_by_signal(struct driver *d, long pid)
{
	int signal = strcmp(d->args->tell, "exit") == 0	    ? SIGTERM
		     : strcmp(d->args->tell, "reload") == 0 ? SIGHUP
							    : SIGUSR1;

	if (kill((pid_t)pid, signal) == 0)
		return EXIT_SUCCESS;
	log_error("process %ld cannot be told: %s", pid, strerror(errno));
	return EXIT_FAILURE;
}

static int tell(struct driver *d)
{
	const struct settings *s = d->settings;
	const char *word = d->args->tell;
	char line[64];
	long pid;
	int code;

	if (d->args->pid)
		return tell_by_signal(d, d->args->pid);
	if (strcmp(word, "reload-or-restart") == 0)
		word = "reload-or-exit";
	snprintf(line, sizeof(line), "INSTCMD driver.%s", word);
	code = instance_ask(s->socket_path, line, 10);
	if (code >= 0)
		return code;
	pid = instance_pid(s->pid_path, d->name);
	if (pid)
		return tell_by_signal(d, pid);
	log_error("no running driver for [%s] was found: nothing answers at %s, and %s names none",
		  s->section, s->socket_path, s->pid_path);
	return EXIT_FAILURE;
}

static unsigned debug_level_from_environment(void)
{
	const char *text = getenv("NUT_DEBUG_LEVEL");
	long level = text ? atol(text) : 0;

	return level > 0 && level <= 100 ? (unsigned)level : 0;
}

static int do_job(struct driver *d)
{
	switch (d->args->job) {
	case ARGS_RUN:
		return serve(d);
	case ARGS_KILLPOWER:
		return kill_power(d);
	case ARGS_DUMP:
		return dump(d);
	case ARGS_TELL:
		return tell(d);
	case ARGS_VERSION:
	case ARGS_HELP:
	case ARGS_LIST:
		break;
	}
	return EXIT_FAILURE;
}

static int with_settings(const char *name, const struct args *args)
{
	struct driver d = { .name = name, .args = args, .background = { -1 } };
	char *prefix = xstrdup(name);
	int rc;

	d.settings = settings_load(name, args, say_stderr, prefix);
	free(prefix);
	/* a running instance can be told whatever became of the file */
	d.no_file = !d.settings && (args->job == ARGS_TELL || args->job == ARGS_KILLPOWER);
	if (d.no_file)
		d.settings = settings_paths(name, args);
	if (!d.settings)
		return EXIT_FAILURE;
	if (!d.settings->debug)
		d.settings->debug = debug_level_from_environment();
	open_log(&d, LOG_TARGET_AUTO);
	signal(SIGPIPE, SIG_IGN);
	rc = do_job(&d);
	settings_free(d.settings);
	return rc;
}

int driver_run(int argc, char **argv)
{
	char *name = settings_own_name(argv[0]);
	struct args args;
	int rc = EXIT_SUCCESS;

	mallopt(M_ARENA_MAX, 1); /* the writing thread needs no heap of its own */
	if (!args_parse(&args, argc, argv)) {
		args_close(&args);
		free(name);
		return EXIT_FAILURE;
	}
	if (args.job == ARGS_VERSION)
		printf("Network UPS Tools - Huawei UPS2000 (1-3 kVA) driver %s (ups2000 %s)\n",
		       U2K_VERSION, U2K_VERSION);
	else if (args.job == ARGS_HELP)
		args_help(name);
	else if (args.job == ARGS_LIST)
		settings_print_list(stdout);
	else
		rc = with_settings(name, &args);
	args_close(&args);
	free(name);
	return rc;
}
