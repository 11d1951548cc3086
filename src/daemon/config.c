#include "daemon/config_build.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/config_check.h"
#include "util/log.h"
#include "util/util.h"

/* Does this host have the loopback address of IPv6? */
static bool has_loopback6(void)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has;

	if (fd < 0)
		return false;
	has = bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)) == 0;
	close(fd);
	return has;
}

static void add_text(char ***list, size_t *n, const char *text)
{
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = xstrdup(text);
}

static void free_texts(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static void listen_on_loopback(char ***list, size_t *n, unsigned port)
{
	char where[32];

	snprintf(where, sizeof(where), "127.0.0.1:%u", port);
	add_text(list, n, where);
	snprintf(where, sizeof(where), "[::1]:%u", port);
	if (has_loopback6())
		add_text(list, n, where);
}

static void http_on_loopback(struct config *config)
{
	listen_on_loopback(&config->http_listen, &config->n_http_listen, 8493);
}

static void http_open_to_loopback(struct config *config)
{
	char why[256];

	networks_add(&config->http_open, "loopback", why, sizeof(why));
}

void config__defaults(struct config *config)
{
	config->nut_max_connections = 16384;
	config->nut_tracking_delay = 3600;
	config->nut_starttls = true;
	config->nut_per_address = 100;
	config->nut_failed_logins = 10;
	config->http_max_connections = 2048;
	config->http_per_address = 100;
	config->http_failed_logins = 10;
	config->history = true;
	config->history_raw = 24;
	config->history_minute = 90;
	config->history_quarter = 3653; /* ten years */
	config->history_max = 100;
	config->log_target = LOG_TARGET_AUTO;
	config->log_level = LOG_LEVEL_INFO;
}

static struct config_ups *add_ups(struct config *config, const char *name)
{
	struct config_ups *ups;

	config->ups = xrealloc(config->ups, (config->n_ups + 1) * sizeof(*config->ups));
	ups = &config->ups[config->n_ups++];
	config_ups_init(ups);
	ups->name = xstrdup(name);
	return ups;
}

struct config *config_default(const char *port)
{
	struct config *config = xcalloc(1, sizeof(*config));

	config__defaults(config);
	listen_on_loopback(&config->nut_listen, &config->n_nut_listen, 3493);
	http_on_loopback(config);
	http_open_to_loopback(config);
	add_ups(config, "ups")->port = xstrdup(port);
	config__no_shutdown(config);
	return config;
}

/* Text of a key, or NULL if it is not given. */
static const char *text_of(cfg_t *section, const char *key)
{
	return cfg_size(section, key) ? cfg_getstr(section, key) : NULL;
}

static void get_text(cfg_t *section, const char *key, char **out)
{
	const char *text = text_of(section, key);

	if (text) {
		free(*out);
		*out = xstrdup(text);
	}
}

static void get_number(cfg_t *section, const char *key, unsigned *out)
{
	const char *text = text_of(section, key);

	if (text)
		*out = (unsigned)value_number(text);
}

static void get_threshold(cfg_t *section, const char *key, double *out)
{
	const char *text = text_of(section, key);

	if (text)
		*out = (double)value_number(text);
}

static void get_bool(cfg_t *section, const char *key, bool *out)
{
	const char *text = text_of(section, key);

	if (text)
		*out = value_bool(text);
}

static void get_list(cfg_t *section, const char *key, char ***list, size_t *n)
{
	for (unsigned i = 0; i < cfg_size(section, key); i++)
		add_text(list, n, cfg_getnstr(section, key, i));
}

static char *keep_text(struct config_ups *ups, const char *text)
{
	add_text(&ups->texts, &ups->n_texts, text);
	return ups->texts[ups->n_texts - 1];
}

/* "variable = value" list into name and value. */
static void get_assignments(struct config_ups *ups, cfg_t *section, const char *key,
			    struct nut_override **list, size_t *n)
{
	size_t count = cfg_size(section, key);

	*list = count ? xcalloc(count, sizeof(**list)) : NULL;
	for (unsigned i = 0; i < count; i++) {
		char *name = keep_text(ups, cfg_getnstr(section, key, i));
		char *value = strchr(name, '=');
		char *end = value;

		if (!value)
			continue; /* was reported */
		*value++ = '\0';
		while (end > name && end[-1] == ' ')
			*--end = '\0';
		value += strspn(value, " ");
		(*list)[(*n)++] = (struct nut_override){ name, value };
	}
}

/* Stock NUT takes the thresholds of ignorelb from these two variables, overridden or defaulted. */
static void thresholds_from_overrides(struct config_ups *ups, const struct nut_override *list,
				      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double *threshold = NULL;

		if (strcasecmp(list[i].name, "battery.charge.low") == 0)
			threshold = &ups->vars.battery_charge_low;
		else if (strcasecmp(list[i].name, "battery.runtime.low") == 0)
			threshold = &ups->vars.battery_runtime_low;
		if (threshold && *threshold < 0)
			*threshold = strtod(list[i].value, NULL);
	}
}

static void build_ups(struct config *config, cfg_t *section)
{
	struct config_ups *ups = add_ups(config, section->title);
	const char *text;
	char why[512];

	if (!check_ups_name(ups->name, why, sizeof(why)))
		config__say(true, config__line(section, NULL, 0), "%s", why);

	get_text(section, "port", &ups->port);
	if (!ups->port) {
		config__say(true, config__line(section, NULL, 0),
			    "ups \"%s\" has no port. Add port = \"/dev/ttyUSB0\"", ups->name);
		ups->port = xstrdup("");
	}
	get_number(section, "baud", &ups->baud);
	get_number(section, "unit-id", &ups->unit_id);
	get_number(section, "number", &ups->number);
	get_text(section, "serial", &ups->serial);
	get_list(section, "alias", &ups->aliases, &ups->n_aliases);
	get_text(section, "desc", &ups->desc);
	get_bool(section, "control", &ups->control);
	get_number(section, "status-interval", &ups->status_interval_ms);
	get_number(section, "delay-shutdown", &ups->delay_shutdown);
	get_number(section, "delay-start", &ups->delay_start);
	get_number(section, "delay-reboot", &ups->delay_reboot);

	if ((text = text_of(section, "battery-date")))
		ups->vars.battery_date = keep_text(ups, text);
	if ((text = text_of(section, "id")))
		ups->vars.id = keep_text(ups, text);
	get_assignments(ups, section, "override", &ups->overrides, &ups->n_overrides);
	get_assignments(ups, section, "default", &ups->defaults, &ups->n_defaults);
	ups->vars.overrides = ups->overrides;
	ups->vars.n_overrides = ups->n_overrides;
	ups->vars.defaults = ups->defaults;
	ups->vars.n_defaults = ups->n_defaults;
	get_bool(section, "ignorelb", &ups->vars.ignorelb);
	get_bool(section, "cal-during-test", &ups->vars.cal_for_test);
	get_threshold(section, "battery-charge-low", &ups->vars.battery_charge_low);
	get_threshold(section, "battery-runtime-low", &ups->vars.battery_runtime_low);
	thresholds_from_overrides(ups, ups->overrides, ups->n_overrides);
	thresholds_from_overrides(ups, ups->defaults, ups->n_defaults);

	if (ups->vars.ignorelb && ups->vars.battery_charge_low < 0 &&
	    ups->vars.battery_runtime_low < 0)
		config__say(
			true, config__line(section, "ignorelb", 0),
			"ups \"%s\" ignores the low battery signal of the UPS and has nothing instead. "
			"Add battery-charge-low or battery-runtime-low, or take ignorelb away",
			ups->name);
}

static void get_networks(cfg_t *section, const char *key, struct networks *set)
{
	char why[512];

	for (unsigned i = 0; i < cfg_size(section, key); i++)
		networks_add(set, cfg_getnstr(section, key, i), why, sizeof(why));
}

/* Pairs that appliances insist on or that are tried first; and any name that is its password. */
static bool is_known_pair(const struct config_user *user)
{
	static const char *const pairs[][2] = {
		{ "monuser", "secret" }, /* Synology */
		{ "admin", "123456" },	 /* QNAP */
		{ "admin", "password" },   { "admin", "secret" },   { "upsmon", "pass" },
		{ "upsmon", "password" },  { "upsmon", "secret" },  { "monuser", "pass" },
		{ "monuser", "password" }, { "monuser", "mypass" }, { "root", "password" },
	};

	if (!user->plain)
		return false;
	if (strcasecmp(user->name, user->password) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (strcmp(user->name, pairs[i][0]) == 0 &&
		    strcmp(user->password, pairs[i][1]) == 0)
			return true;
	return false;
}

/*
 * A password that everybody knows protects nothing: such a user is good in named networks only. One
 * that is not declared as weak works on this host until then.
 */
static void check_weak_user(struct config_user *user, int line)
{
	static const unsigned harmless = CONFIG_ACTION_LOGIN;
	bool powers = (user->actions & ~harmless) || user->n_instcmds;
	char why[512];

	if (user->weak && !user->networks.n)
		config__say(true, line,
			    "user \"%s\" is weak and good everywhere. Name its networks, like "
			    "networks = {\"192.168.1.20\"}",
			    user->name);
	if (user->weak && powers)
		config__say(true, line,
			    "user \"%s\" is weak: it may log in (upsmon = secondary) and nothing "
			    "else. Give these rights to another user",
			    user->name);
	if (user->weak || !is_known_pair(user))
		return;
	if (!user->networks.n) {
		config__say(false, line,
			    "user \"%s\" has a password that everybody knows: it is refused from "
			    "other hosts. Choose another, or name its networks, like "
			    "networks = {\"192.168.1.20\"}",
			    user->name);
		networks_add(&user->networks, "loopback", why, sizeof(why));
	} else if (powers) {
		config__say(
			false, line,
			"user \"%s\" has a password that everybody knows and may do more than log "
			"in. Give these rights to another user",
			user->name);
	}
	user->weak = true;
}

static void build_user(struct config *config, cfg_t *section)
{
	struct config_user *user;
	const char *upsmon = text_of(section, "upsmon");
	int line = config__line(section, NULL, 0);
	char why[512];

	config->users = xrealloc(config->users, (config->n_users + 1) * sizeof(*config->users));
	user = &config->users[config->n_users++];
	memset(user, 0, sizeof(*user));
	user->name = xstrdup(section->title);
	get_text(section, "password", &user->password);
	user->plain = user->password && !value_is_hash(user->password);
	for (unsigned i = 0; i < cfg_size(section, "actions"); i++)
		user->actions |= value_action(cfg_getnstr(section, "actions", i));
	if (upsmon)
		user->actions |= value_upsmon(upsmon);
	get_list(section, "instcmds", &user->instcmds, &user->n_instcmds);
	get_networks(section, "networks", &user->networks);
	get_bool(section, "weak", &user->weak);
	check_weak_user(user, line);

	if (!check_user_name(user->name, why, sizeof(why)))
		config__say(true, line, "%s", why);
	if (!user->password)
		config__say(false, line,
			    "user \"%s\" has no password and can never pass. Add password",
			    user->name);
	/* upsmon sends both words raw. */
	if (upsmon &&
	    (strpbrk(user->name, " #\\=\"") || (user->plain && strpbrk(user->password, " #\\=\""))))
		config__say(
			false, line,
			"upsmon cannot send a name or password with a blank, '#', '\\', '=' or '\"'. "
			"Choose others for user \"%s\"",
			user->name);
}

static bool has_name(const struct config_ups *ups, const char *name)
{
	if (strcasecmp(ups->name, name) == 0)
		return true;
	for (size_t i = 0; i < ups->n_aliases; i++)
		if (strcasecmp(ups->aliases[i], name) == 0)
			return true;
	return false;
}

/* The nth UPS against those before it. */
static void check_ups_against_others(const struct config *config, cfg_t *root, size_t n)
{
	const struct config_ups *ups = &config->ups[n];
	cfg_t *section = cfg_getnsec(root, "ups", (unsigned)n);

	for (size_t i = 0; i < ups->n_aliases; i++)
		for (size_t j = 0; j <= i; j++)
			if (strcasecmp(ups->aliases[i], j < i ? ups->aliases[j] : ups->name) == 0)
				config__say(
					true, config__line(section, "alias", i),
					"alias \"%s\" is a name of ups \"%s\" already. Take it away",
					ups->aliases[i], ups->name);

	for (size_t o = 0; o < n; o++) {
		const struct config_ups *other = &config->ups[o];

		if (has_name(other, ups->name))
			config__say(
				true, config__line(section, NULL, 0),
				"the name \"%s\" belongs to ups \"%s\" already (case does not count). "
				"Choose another",
				ups->name, other->name);
		for (size_t i = 0; i < ups->n_aliases; i++)
			if (has_name(other, ups->aliases[i]))
				config__say(
					true, config__line(section, "alias", i),
					"alias \"%s\" of ups \"%s\" belongs to ups \"%s\" already. "
					"Choose another",
					ups->aliases[i], ups->name, other->name);
		if (strcmp(ups->port, other->port) != 0 || !*ups->port)
			continue;
		if (ups->unit_id == other->unit_id && ups->number == other->number)
			config__say(
				true, config__line(section, "port", 0),
				"ups \"%s\" is the same device as ups \"%s\": port %s, unit-id %u, "
				"number %u. Give it its own port or unit-id",
				ups->name, other->name, ups->port, ups->unit_id, ups->number);
		if (ups->baud != other->baud)
			config__say(
				true, config__line(section, "baud", 0),
				"ups \"%s\" and ups \"%s\" share port %s but not its baud. Make them "
				"equal",
				ups->name, other->name, ups->port);
	}
}

static void check_twice(const cfg_t *section, char *const *listen, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(listen[i], listen[j]) == 0)
				config__say(true, config__line(section, "listen", i),
					    "listen address %s stands here twice. Keep one",
					    listen[i]);
}

/* An empty list is not the same as none. */
static bool is_given(cfg_t *section, const char *key)
{
	return cfg_getopt(section, key)->flags & CFGF_MODIFIED;
}

/* TLS, or this host only. */
static bool is_private(const char *listen)
{
	return strncmp(listen, "https://", 8) == 0 || strncmp(listen, "127.", 4) == 0 ||
	       strncmp(listen, "[::1]:", 6) == 0 || strncasecmp(listen, "localhost:", 10) == 0;
}

static void build_http(struct config *config, cfg_t *http)
{
	get_list(http, "listen", &config->http_listen, &config->n_http_listen);
	if (!is_given(http, "listen"))
		http_on_loopback(config);
	check_twice(http, config->http_listen, config->n_http_listen);
	get_list(http, "names", &config->http_names, &config->n_http_names);
	get_networks(http, "read-without-login", &config->http_open);
	if (!is_given(http, "read-without-login"))
		http_open_to_loopback(config);
	get_number(http, "max-connections", &config->http_max_connections);
	get_number(http, "connections-per-address", &config->http_per_address);
	get_number(http, "failed-logins", &config->http_failed_logins);
	for (size_t i = 0; i < config->n_http_listen; i++)
		if (!is_private(config->http_listen[i]))
			config__say(false, config__line(http, "listen", i),
				    "%s speaks to other hosts in clear, passwords included. Write "
				    "\"https://%s\", unless a proxy on the way encrypts",
				    config->http_listen[i], config->http_listen[i]);
}

static void build_tls(struct config *config, cfg_t *nut, cfg_t *tls)
{
	const char *text = text_of(nut, "require-tls");

	get_text(tls, "certificate", &config->tls_certificate);
	get_text(tls, "key", &config->tls_key);
	if (config->tls_key && !config->tls_certificate)
		config__say(true, config__line(tls, "key", 0),
			    "a key alone is of no use. Add certificate");
	get_bool(nut, "starttls", &config->nut_starttls);
	if (text)
		config->nut_require_tls = (enum config_require_tls)value_require_tls(text);
	if (config->nut_require_tls != CONFIG_TLS_OPTIONAL && !config->nut_starttls)
		config__say(
			true, config__line(nut, "require-tls", 0),
			"TLS is required, but starttls = no switches it off. Take one of them away");
}

static void build_access(struct config_access *access, cfg_t *section)
{
	get_networks(section, "connect", &access->connect);
	get_networks(section, "login", &access->login);
	get_networks(section, "set", &access->set);
	get_networks(section, "instcmd", &access->instcmd);
	get_networks(section, "fsd", &access->fsd);
}

void config__build(struct config *config, cfg_t *root)
{
	cfg_t *nut = cfg_getsec(root, "nut");
	cfg_t *http = cfg_getsec(root, "http");
	cfg_t *history = cfg_getsec(root, "history");
	cfg_t *log = cfg_getsec(root, "log");
	const char *text;

	for (unsigned i = 0; i < cfg_size(root, "ups"); i++)
		build_ups(config, cfg_getnsec(root, "ups", i));
	for (size_t i = 0; i < config->n_ups; i++)
		check_ups_against_others(config, root, i);
	for (unsigned i = 0; i < cfg_size(root, "user"); i++)
		build_user(config, cfg_getnsec(root, "user", i));
	if (config->n_ups == 0)
		config__say(true, 0, "names no UPS. Add: ups \"ups\" { port = \"/dev/ttyUSB0\" }");

	get_list(nut, "listen", &config->nut_listen, &config->n_nut_listen);
	config->nut_listen_given = config->n_nut_listen > 0;
	if (!config->nut_listen_given)
		listen_on_loopback(&config->nut_listen, &config->n_nut_listen, 3493);
	check_twice(nut, config->nut_listen, config->n_nut_listen);
	get_number(nut, "max-connections", &config->nut_max_connections);
	get_number(nut, "tracking-delay", &config->nut_tracking_delay);
	get_number(nut, "connections-per-address", &config->nut_per_address);
	get_number(nut, "failed-logins", &config->nut_failed_logins);
	build_tls(config, nut, cfg_getsec(root, "tls"));
	build_access(&config->access, cfg_getsec(root, "access"));

	build_http(config, http);

	config__build_notify(config, root);
	get_text(root, "state-dir", &config->state_dir);
	get_text(root, "runtime-dir", &config->runtime_dir);
	get_text(root, "socket", &config->socket);
	if ((text = text_of(root, "run-as"))) {
		const char *colon = strchr(text, ':');

		config->run_as_user =
			colon ? xasprintf("%.*s", (int)(colon - text), text) : xstrdup(text);
		config->run_as_group = colon ? xstrdup(colon + 1) : NULL;
	}
	get_bool(history, "enabled", &config->history);
	get_text(history, "path", &config->history_path);
	get_number(history, "keep-raw", &config->history_raw);
	get_number(history, "keep-minute", &config->history_minute);
	get_number(history, "keep-quarter", &config->history_quarter);
	get_number(history, "max-size", &config->history_max);
	if ((text = text_of(log, "target")))
		config->log_target = value_log_target(text);
	if ((text = text_of(log, "level")))
		config->log_level = value_log_level(text);
	config__build_shutdown(config, root);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_ups; i++)
		config_ups_close(&config->ups[i]);
	free(config->ups);
	for (size_t i = 0; i < config->n_users; i++) {
		free(config->users[i].name);
		if (config->users[i].password)
			explicit_bzero(config->users[i].password,
				       strlen(config->users[i].password));
		free(config->users[i].password);
		free_texts(config->users[i].instcmds, config->users[i].n_instcmds);
		networks_close(&config->users[i].networks);
	}
	free(config->users);
	free_texts(config->nut_listen, config->n_nut_listen);
	free_texts(config->http_listen, config->n_http_listen);
	free_texts(config->http_names, config->n_http_names);
	networks_close(&config->http_open);
	config__close_notify(config);
	networks_close(&config->access.connect);
	networks_close(&config->access.login);
	networks_close(&config->access.set);
	networks_close(&config->access.instcmd);
	networks_close(&config->access.fsd);
	free(config->tls_certificate);
	free(config->tls_key);
	free(config->path);
	free(config->socket);
	free(config->state_dir);
	free(config->runtime_dir);
	free(config->history_path);
	free(config->run_as_user);
	free(config->run_as_group);
	config__close_shutdown(&config->shutdown);
	free(config);
}
