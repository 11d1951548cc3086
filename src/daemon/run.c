#include "daemon/run.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "daemon/certificates.h"
#include "daemon/config.h"
#include "daemon/config_text.h"
#include "daemon/devices.h"
#include "daemon/helper.h"
#include "daemon/hub.h"
#include "daemon/latch.h"
#include "daemon/priority.h"
#include "daemon/privileges.h"
#include "daemon/runtime_dir.h"
#include "daemon/sd_notify.h"
#include "daemon/shutdown.h"
#include "front/http/front.h"
#include "front/nut/server.h"
#include "notify/notifier.h"
#include "history/history.h"
#include "tls/tls.h"
#include "util/util.h"

#define LOG_PART "daemon"
#include "util/log.h"

struct daemon {
	const struct options *options;
	struct config *config;
	struct event_base *base;
	struct hub *hub;
	struct nut_server *nut;
	struct http_front *http;
	struct auth *auth;
	struct devices *devices;
	struct latch *latch;
	struct notifier *notifier;
	struct history *history;
	struct helper *helper; /* NULL: none */
	struct shutdown *shutdown;
	struct certificates *certificates;
	struct runtime_dir runtime_dir;
	struct event *term, *interrupt, *hangup, *watchdog;
	bool on_time;
};

static void say_log(void *user, bool fatal, const char *text)
{
	(void)user;
	log_write(fatal ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "config", "%s", text);
}

static void say_plain(void *user, bool fatal, const char *text)
{
	(void)user;
	fprintf(stderr, "%s%s\n", fatal ? "" : "warning: ", text);
}

static void replace(char **text, const char *with)
{
	if (!with)
		return;
	free(*text);
	*text = xstrdup(with);
}

static void replace_list(char ***list, size_t *n, const char *const *with, size_t n_with)
{
	for (size_t i = 0; i < *n; i++)
		free((*list)[i]);
	free(*list);
	*list = xcalloc(n_with + 1, sizeof(**list));
	*n = n_with;
	for (size_t i = 0; i < n_with; i++)
		(*list)[i] = xstrdup(with[i]);
}

/* The file, or what stands for it, with the command line's word before it. */
static struct config *load_config(const struct options *options, config_message_cb say)
{
	struct config *config;

	if (options->port)
		config = config_default(options->port);
	else
		config = config_load(options->config ? options->config : DEFAULT_CONFIG, say, NULL);
	if (!config)
		return NULL;

	if (options->n_listen)
		replace_list(&config->nut_listen, &config->n_nut_listen, options->listen,
			     options->n_listen);
	if (options->n_http)
		replace_list(&config->http_listen, &config->n_http_listen, options->http,
			     strcmp(options->http[0], "none") == 0 ? 0 : options->n_http);
	replace(&config->state_dir, options->state_dir);
	replace(&config->runtime_dir, options->runtime_dir);
	replace(&config->socket, options->socket);
	if (options->user) {
		replace(&config->run_as_user, options->user);
		free(config->run_as_group);
		config->run_as_group = xstrdup(options->group);
	}
	if (options->log_level >= 0)
		config->log_level = options->log_level;
	if (options->log_target >= 0)
		config->log_target = options->log_target;
	if (!config->runtime_dir)
		config->runtime_dir = runtime_dir_default();
	if (!config->state_dir)
		config->state_dir = state_dir_default();
	if (!config->socket)
		config->socket = xasprintf("%s/ups2000.sock", config->runtime_dir);
	if (!config->history_path)
		config->history_path = xasprintf("%s/history.db", config->state_dir);
	return config;
}

int run_configured(const struct options *options)
{
	const char *path = options->config ? options->config : DEFAULT_CONFIG;
	FILE *file = options->port ? NULL : fopen(path, "re");
	bool nothing;

	if (!file)
		return !options->port && errno == ENOENT ? EXIT_RUNTIME : EXIT_GOOD;
	nothing = config_text_says_nothing(file);
	fclose(file);
	if (nothing)
		printf("%s says nothing yet: ups2000 setup writes it\n", path);
	return nothing ? EXIT_RUNTIME : EXIT_GOOD;
}

int run_check(const struct options *options)
{
	struct config *config = load_config(options, say_plain);
	char error[512];

	if (!config)
		return EXIT_RUNTIME;
	if (!certificates_check(config, error, sizeof(error))) {
		say_plain(NULL, true, error);
		config_free(config);
		return EXIT_RUNTIME;
	}
	printf("%s: good: %zu UPS%s, %zu user%s\n", config->path ? config->path : "command line",
	       config->n_ups, config->n_ups == 1 ? "" : "es", config->n_users,
	       config->n_users == 1 ? "" : "s");
	config_free(config);
	return EXIT_GOOD;
}

static struct nut_server_config nut_config(const struct config *config, struct auth *auth)
{
	return (struct nut_server_config){
		.listen = config->nut_listen,
		.n_listen = config->n_nut_listen,
		.max_connections = config->nut_max_connections,
		.users = config->users,
		.n_users = config->n_users,
		.tracking_delay = config->nut_tracking_delay,
		.access = &config->access,
		.require_tls = config->nut_require_tls,
		.per_address = config->nut_per_address,
		.failed_logins = config->nut_failed_logins,
		.auth = auth,
	};
}

static struct http_front_config http_config(const struct config *config)
{
	return (struct http_front_config){
		.listen = config->http_listen,
		.n_listen = config->n_http_listen,
		.names = config->http_names,
		.n_names = config->n_http_names,
		.open = &config->http_open,
		.users = config->users,
		.n_users = config->n_users,
		.access = &config->access,
		.max_connections = config->http_max_connections,
		.per_address = config->http_per_address,
		.failed_logins = config->http_failed_logins,
	};
}

static struct history_config history_config(const struct config *config)
{
	return (struct history_config){
		.path = config->history_path,
		.raw_hours = config->history_raw,
		.minute_days = config->history_minute,
		.quarter_days = config->history_quarter,
		.max_mb = config->history_max,
		.n_ups = (unsigned)config->n_ups,
	};
}

static void stop_cb(evutil_socket_t signal, short what, void *data)
{
	struct daemon *daemon = data;

	(void)what;
	log_info("%s: stopping", strsignal((int)signal));
	notify_send("STOPPING=1\nSTATUS=Stopping");
	event_base_loopbreak(daemon->base);
}

static void watchdog_cb(evutil_socket_t fd, short what, void *data)
{
	struct daemon *daemon = data;
	bool on_time = devices_on_time(daemon->devices);

	(void)fd;
	(void)what;
	if (on_time != daemon->on_time) /* once for each time */
		log_write(on_time ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, LOG_PART, "%s",
			  on_time ? "everything is done in time again"
				  : "a UPS is not read in time; the service manager's watchdog "
				    "gets no sign of life until it is");
	daemon->on_time = on_time;
	if (on_time)
		notify_send("WATCHDOG=1");
}

static void say_ready(const struct daemon *daemon)
{
	size_t n = daemon->config->n_ups;

	notify_send("READY=1\nSTATUS=Serving %zu UPS%s", n, n == 1 ? "" : "es");
}

/* Who shuts this host down when the time comes: without systemd, a process that keeps root. */
static bool wants_helper(const struct config *config)
{
	const struct config_shutdown *shutdown = &config->shutdown;

	if (!shutdown->given || shutdown->policy.host != POLICY_HOST_SHUTDOWN)
		return false;
	if (shutdown->way == CONFIG_HOST_AUTO)
		return geteuid() == 0 && access("/run/systemd/system", F_OK) != 0;
	return shutdown->way == CONFIG_HOST_HELPER;
}

/* What a running daemon cannot change. */
static void warn_fixed(const struct config *old, const struct config *now)
{
	static const char words[] = "takes effect at the next start only";

	if (strcmp(old->socket, now->socket) != 0 ||
	    strcmp(old->runtime_dir, now->runtime_dir) != 0)
		log_warning("another socket or runtime-dir %s", words);
	if (strcmp(old->state_dir, now->state_dir) != 0)
		log_warning("another state-dir %s", words);
	if (old->history != now->history || strcmp(old->history_path, now->history_path) != 0)
		log_warning("history on or off, or at another path, %s", words);
	if (strcmp(old->run_as_user ? old->run_as_user : "",
		   now->run_as_user ? now->run_as_user : "") != 0)
		log_warning("another run-as %s", words);
}

static bool wants_https(const struct config *config)
{
	for (size_t i = 0; i < config->n_http_listen; i++)
		if (strncmp(config->http_listen[i], "https://", 8) == 0)
			return true;
	return false;
}

static void certificates_ready(void *user, struct tls *tls)
{
	struct daemon *daemon = user;

	if (daemon->config->nut_starttls && (tls || !nut_server_has_tls(daemon->nut)))
		nut_server_set_tls(daemon->nut, tls);
	if (wants_https(daemon->config) && (tls || !http_front_has_tls(daemon->http)))
		http_front_set_tls(daemon->http, tls);
	tls_unref(tls);
}

static void want_tls(void *user)
{
	struct daemon *daemon = user;

	certificates_read(daemon->certificates, daemon->config);
}

/* At the start. False: it does not work, and must. */
static bool start_tls(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	char error[512];

	daemon->certificates = certificates_new(daemon->base, certificates_ready, daemon);
	if (!config->nut_starttls && !wants_https(config))
		return true;
	if (certificates_look(daemon->certificates, config, error, sizeof(error))) {
		if (config->nut_starttls)
			nut_server_offer_tls(daemon->nut, want_tls, daemon);
		if (wants_https(config))
			want_tls(daemon);
		return true;
	}
	if (config->nut_require_tls == CONFIG_TLS_OPTIONAL) {
		log_error("%s. TLS is off", error);
		return true;
	}
	log_error("%s. TLS is required (require-tls), so nothing can be served", error);
	return false;
}

/* Who notifies nobody has no queue on disk either. */
static void apply_notify(struct daemon *daemon, const struct config *config)
{
	if (!daemon->notifier && config->n_targets)
		daemon->notifier = notifier_new(daemon->hub, config->state_dir);
	if (daemon->notifier)
		notifier_apply(daemon->notifier, config->targets, config->n_targets);
}

/*
 * A configuration leaves many freed pieces behind, among what stays: hundreds of kB with hundreds of
 * UPSes, which malloc() would keep resident until the next one.
 */
static void give_back_memory(void)
{
	malloc_trim(0);
}

static void reload(struct daemon *daemon)
{
	struct config *config = load_config(daemon->options, say_log);
	struct nut_server_config nut;
	struct http_front_config http;
	char error[512];

	if (!config) {
		log_error("the configuration is not good: the old one stays in force");
		return;
	}
	warn_fixed(daemon->config, config);
	if (wants_helper(config) && !daemon->helper)
		log_warning(
			"shutting this host down needs a process that keeps root, which takes a "
			"restart: until then it will not be shut down");
	log_open("ups2000d", (enum log_target)config->log_target,
		 (enum log_level)config->log_level);
	nut = nut_config(config, daemon->auth);
	if (!nut_server_configure(daemon->nut, &nut, error, sizeof(error)))
		log_error("%s", error);
	http = http_config(config);
	http_front_configure(daemon->http, &http);
	if (daemon->history) {
		struct history_config history = history_config(config);

		history_configure(daemon->history, &history);
	}
	devices_apply(daemon->devices, config);
	apply_notify(daemon, config);
	shutdown_apply(daemon->shutdown, config);
	config_free(daemon->config);
	daemon->config = config;
	if (config->nut_starttls || wants_https(config))
		certificates_read(daemon->certificates, config);
	if (!config->nut_starttls)
		nut_server_set_tls(daemon->nut, NULL);
	if (!wants_https(config))
		http_front_set_tls(daemon->http, NULL);
	log_info("configuration read again: %zu UPS%s", config->n_ups,
		 config->n_ups == 1 ? "" : "es");
}

static void reload_cb(evutil_socket_t signal, short what, void *data)
{
	struct daemon *daemon = data;

	(void)signal;
	(void)what;
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_us());
	reload(daemon);
	give_back_memory();
	say_ready(daemon);
}

static void say_listening(const struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->config->n_nut_listen; i++) {
		const char *where = daemon->config->nut_listen[i];
		const char *colon = strrchr(where, ':');
		unsigned port = nut_server_port(daemon->nut, i);

		if (port) /* else a name that is being looked up */
			log_info("NUT clients are served on %.*s:%u", (int)(colon - where), where,
				 port);
	}
	log_info("the local API is at %s", daemon->config->socket);
}

static int add_signals(struct daemon *daemon)
{
	int64_t due_us = notify_watchdog_us();

	daemon->term = evsignal_new(daemon->base, SIGTERM, stop_cb, daemon);
	daemon->interrupt = evsignal_new(daemon->base, SIGINT, stop_cb, daemon);
	daemon->hangup = evsignal_new(daemon->base, SIGHUP, reload_cb, daemon);
	if (evsignal_add(daemon->term, NULL) < 0 || evsignal_add(daemon->interrupt, NULL) < 0 ||
	    evsignal_add(daemon->hangup, NULL) < 0)
		return -1;
	if (due_us) {
		struct timeval tv;

		due_us /= 2; /* one sign of life may be left out: the host slept, say */
		tv = (struct timeval){ (time_t)(due_us / 1000000),
				       (suseconds_t)(due_us % 1000000) };
		daemon->on_time = true;
		daemon->watchdog = event_new(daemon->base, -1, EV_PERSIST, watchdog_cb, daemon);
		event_add(daemon->watchdog, &tv);
	}
	return 0;
}

/* Everything that needs root comes first; ports are opened as the user the daemon runs as. */
static int start(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct nut_server_config nut;
	struct http_front_config http = http_config(config);
	struct privileges privileges;
	char error[512];

	if (!privileges_choose(&privileges, config->run_as_user, config->run_as_group, error,
			       sizeof(error))) {
		log_error("%s", error);
		return EXIT_CONFIG;
	}
	if (runtime_dir_open(&daemon->runtime_dir, config->runtime_dir, privileges.uid,
			     privileges.gid, error, sizeof(error)) < 0)
		goto fail;
	if (wants_helper(config)) {
		daemon->helper = helper_start(config->runtime_dir, config->shutdown.command,
					      privileges.uid, error, sizeof(error));
		if (!daemon->helper)
			goto fail;
	}
	if (directory_make(config->state_dir, privileges.uid, privileges.gid) < 0)
		log_warning(
			"the state directory %s cannot be created: %s; nothing is kept over a restart",
			config->state_dir, strerror(errno));

	daemon->auth = auth_new(daemon->base);
	nut = nut_config(config, daemon->auth);
	daemon->nut = nut_server_new(daemon->hub, &nut, error, sizeof(error));
	if (!daemon->nut) {
		log_error(
			"%s; is upsd or another ups2000d running? Other addresses: listen in section "
			"nut, or --listen",
			error);
		return EXIT_RUNTIME;
	}
	daemon->http = http_front_new(daemon->hub, daemon->auth, NULL, error, sizeof(error));
	if (!daemon->http)
		goto fail;
	http_front_configure(daemon->http, &http);
	if (!privileges_drop(&privileges, error, sizeof(error)))
		goto fail;
	if (!start_tls(daemon))
		return EXIT_RUNTIME;
	if (!http_front_local(daemon->http, config->socket, error, sizeof(error)))
		goto fail;
	if (add_signals(daemon) < 0) {
		snprintf(error, sizeof(error), "signals cannot be handled: %s", strerror(errno));
		goto fail;
	}
	if (config->history) {
		struct history_config history = history_config(config);

		/* before anything happens that it should know of */
		daemon->history = history_new(daemon->hub, &history);
	}
	daemon->devices = devices_new(daemon->hub, config->state_dir);
	daemon->latch = latch_new(daemon->hub, devices_keep(daemon->devices), config->runtime_dir);
	apply_notify(daemon, config); /* hears of all that follows */
	devices_apply(daemon->devices, config);
	latch_restore(daemon->latch); /* before the loop: nobody was answered yet */
	daemon->shutdown = shutdown_new(daemon->hub, devices_keep(daemon->devices),
					config->runtime_dir, daemon->helper, config);
	return EXIT_GOOD;
fail:
	log_error("%s", error);
	return EXIT_RUNTIME;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

/* In the reverse order of start(). */
static void stop(struct daemon *daemon)
{
	free_event(daemon->watchdog);
	free_event(daemon->hangup);
	free_event(daemon->interrupt);
	free_event(daemon->term);
	certificates_free(daemon->certificates);
	notifier_free(daemon->notifier); /* clients wait for its last words; better than refused */
	http_front_free(daemon->http);
	if (daemon->nut)
		nut_server_free(daemon->nut);
	auth_free(daemon->auth);
	shutdown_free(daemon->shutdown);
	latch_free(daemon->latch);
	history_free(daemon->history); /* before the UPSes go: they were not taken away */
	helper_free(daemon->helper);
	devices_free(daemon->devices);
	hub_free(daemon->hub);
	event_base_free(daemon->base);
	runtime_dir_close(&daemon->runtime_dir);
	config_free(daemon->config);
	libevent_global_shutdown();
}

/*
 * One heap for all threads: they allocate little. Large blocks stay outside of it for ever: left to
 * itself, malloc() takes them from the heap once the first was freed, from among small ones that stay.
 */
static void set_up_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

int run(const struct options *options)
{
	struct daemon daemon = { .options = options, .runtime_dir = { .lock_fd = -1 } };
	int rc;

	set_up_memory();
	log_open("ups2000d",
		 options->log_target < 0 ? LOG_TARGET_AUTO : (enum log_target)options->log_target,
		 options->log_level < 0 ? LOG_LEVEL_INFO : (enum log_level)options->log_level);
	daemon.config = load_config(options, say_log);
	if (!daemon.config)
		return EXIT_CONFIG;
	log_open("ups2000d", (enum log_target)daemon.config->log_target,
		 (enum log_level)daemon.config->log_level);
	signal(SIGPIPE, SIG_IGN);
	umask(027);

	daemon.base = priority_base_new();
	if (!daemon.base) {
		log_error("no event loop: %s", strerror(errno));
		config_free(daemon.config);
		return EXIT_RUNTIME;
	}
	daemon.hub = hub_new(daemon.base);
	rc = start(&daemon);
	if (rc == EXIT_GOOD) {
		give_back_memory();
		say_listening(&daemon);
		say_ready(&daemon);
		log_info("ups2000d " U2K_VERSION " is ready");
		event_base_dispatch(daemon.base);
	}
	stop(&daemon);
	return rc;
}
