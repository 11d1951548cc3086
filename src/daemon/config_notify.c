#include "daemon/config_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_check.h"
#include "util/nearest.h"
#include "notify/kinds.h"
#include "notify/message.h"
#include "notify/target.h"
#include "util/util.h"

/* The sections notify "NAME" { }. */

#define BAD(...)                                                                                   \
	do {                                                                                       \
		snprintf(why, size, __VA_ARGS__);                                                  \
		return false;                                                                      \
	} while (0)

/* --- values ------------------------------------------------------------------------------------ */

static int type_of(const char *value)
{
	for (unsigned i = 0; target_type_name(i); i++)
		if (strcmp(value, target_type_name(i)) == 0)
			return (int)i;
	return -1;
}

bool check_notify_type(const char *value, char *why, size_t size)
{
	if (type_of(value) < 0)
		BAD("\"%.40s\" is not known here. Use command, mail, webhook, ntfy or gotify",
		    value);
	return true;
}

bool check_severity(const char *value, char *why, size_t size)
{
	if (strcmp(value, "info") != 0 && message_rank(value) == 0)
		BAD("\"%.40s\" is no severity. Use info, warning or alert", value);
	return true;
}

bool check_event_kind(const char *value, char *why, size_t size)
{
	size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyz-");

	if (!len || value[len] || len > 63)
		BAD("\"%.64s\" is no event. Write a word like on-battery; `ups2000 events --json` shows "
		    "them as \"kind\"",
		    value);
	return true;
}

static bool is_visible(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	return true;
}

bool check_command_word(const char *value, char *why, size_t size)
{
	static const char *const names[] = { "{text}", "{ups}", "{kind}", "{severity}", "{type}" };

	if (!is_visible(value))
		BAD("a word holds a control character. Take it away");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strstr(value, names[i]) && strcmp(value, names[i]) != 0)
			BAD("%s stands inside of a word. Make it a word of its own, or use the "
			    "environment ($UPS2000_TEXT)",
			    names[i]);
	return true;
}

static bool has_begin(const char *value, const char *begin)
{
	size_t len = strlen(begin);

	return strncmp(value, begin, len) == 0 && value[len] && !strchr("/:?#", value[len]);
}

bool check_http_url(const char *value, char *why, size_t size)
{
	if (!is_visible(value) || strchr(value, ' ') ||
	    !(has_begin(value, "https://") || has_begin(value, "http://")))
		BAD("this is no address of a web service. Write https://HOST/PATH");
	return true;
}

bool check_smtp_url(const char *value, char *why, size_t size)
{
	if (!is_visible(value) || strchr(value, ' ') ||
	    !(has_begin(value, "smtps://") || has_begin(value, "smtp://")))
		BAD("\"%.64s\" is no mail server. Write smtps://HOST (port 465) or smtp://HOST:587",
		    value);
	return true;
}

bool check_mail_address(const char *value, char *why, size_t size)
{
	const char *at = strchr(value, '@');
	bool good = is_visible(value) && at && at > value && at[1];

	for (const char *p = value; good && *p; p++)
		good = !((unsigned char)*p >= 0x80 || *p == ',' || *p == ';');
	if (!good)
		BAD("\"%.64s\" is no mail address. Write one like tom@example.org or "
		    "Tom <tom@example.org>, in ASCII",
		    value);
	return true;
}

bool check_secret(const char *value, char *why, size_t size)
{
	if (!*value || strlen(value) > 1024 || !is_visible(value))
		BAD("it is empty, too long or holds a control character. Give 1 to 1024 printable "
		    "characters");
	return true;
}

bool check_http_header(const char *value, char *why, size_t size)
{
	size_t len =
		strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	if (!len || value[len] != ':' || !is_visible(value) || strlen(value) > 1024)
		BAD("this is no header. Write \"NAME: VALUE\"");
	return true;
}

/* --- sections ---------------------------------------------------------------------------------- */

enum {
	COMMAND = 1 << TARGET_COMMAND,
	MAIL = 1 << TARGET_MAIL,
	WEBHOOK = 1 << TARGET_WEBHOOK,
	NTFY = 1 << TARGET_NTFY,
	GOTIFY = 1 << TARGET_GOTIFY,
	CURL = WEBHOOK | NTFY | GOTIFY,
	ALL = COMMAND | MAIL | CURL,
};

static const struct {
	const char *key;
	unsigned types; /* that know it */
	size_t at;
} texts[] = {
	{ "from", MAIL, offsetof(struct notify_target, from) },
	{ "smtp", MAIL, offsetof(struct notify_target, smtp) },
	{ "user", MAIL, offsetof(struct notify_target, user) },
	{ "password", MAIL, offsetof(struct notify_target, password) },
	{ "url", CURL, offsetof(struct notify_target, url) },
	{ "token", NTFY | GOTIFY, offsetof(struct notify_target, token) },
	{ "secret", WEBHOOK, offsetof(struct notify_target, secret) },
	{ "ca-file", MAIL | CURL, offsetof(struct notify_target, ca_file) },
};

static const struct {
	const char *key;
	unsigned types;
	size_t at, n_at;
} lists[] = {
	{ "events", ALL, offsetof(struct notify_target, events),
	  offsetof(struct notify_target, n_events) },
	{ "ups", ALL, offsetof(struct notify_target, ups), offsetof(struct notify_target, n_ups) },
	{ "command", COMMAND | MAIL, offsetof(struct notify_target, command),
	  offsetof(struct notify_target, n_command) },
	{ "to", MAIL, offsetof(struct notify_target, to), offsetof(struct notify_target, n_to) },
	{ "header", WEBHOOK, offsetof(struct notify_target, headers),
	  offsetof(struct notify_target, n_headers) },
};

static const struct {
	const char *key;
	size_t at;
} numbers[] = {
	{ "timeout", offsetof(struct notify_target, timeout_s) },
	{ "hold-off", offsetof(struct notify_target, hold_off_s) },
	{ "remind", offsetof(struct notify_target, remind_s) },
	{ "expire", offsetof(struct notify_target, expire_s) },
};

static void check_type(const struct notify_target *target, const cfg_t *section, const char *key,
		       unsigned types)
{
	char known[128] = "";

	if (types & 1u << target->type)
		return;
	for (unsigned i = 0; target_type_name(i); i++)
		if (types & 1u << i)
			snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
				 *known ? ", " : "", target_type_name(i));
	config__say(true, config__line(section, key, 0),
		    "%s belongs to type %s, and this is type %s. Take it away, or change the type",
		    key, known, target_type_name(target->type));
}

static void read_values(struct notify_target *target, cfg_t *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!cfg_size(section, texts[i].key))
			continue;
		*(char **)((char *)target + texts[i].at) =
			xstrdup(cfg_getstr(section, texts[i].key));
		check_type(target, section, texts[i].key, texts[i].types);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		size_t n = cfg_size(section, lists[i].key);
		char **list = n ? xcalloc(n, sizeof(*list)) : NULL;

		for (unsigned k = 0; k < n; k++)
			list[k] = xstrdup(cfg_getnstr(section, lists[i].key, k));
		*(char ***)((char *)target + lists[i].at) = list;
		*(size_t *)((char *)target + lists[i].n_at) = n;
		if (n)
			check_type(target, section, lists[i].key, lists[i].types);
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (cfg_size(section, numbers[i].key))
			*(unsigned *)((char *)target + numbers[i].at) =
				(unsigned)value_number(cfg_getstr(section, numbers[i].key));
}

static void need(const struct notify_target *target, const cfg_t *section, bool there,
		 const char *what)
{
	if (!there)
		config__say(true, config__line(section, NULL, 0),
			    "notify \"%s\" of type %s has nothing to send to. Add %s", target->name,
			    target_type_name(target->type), what);
}

static void check_needs(const struct notify_target *target, const cfg_t *section)
{
	switch (target->type) {
	case TARGET_COMMAND:
		need(target, section, target->n_command > 0, "command = {\"/path/to/program\"}");
		break;
	case TARGET_MAIL:
		need(target, section, target->n_to > 0, "to = {\"tom@example.org\"}");
		break;
	case TARGET_WEBHOOK:
		need(target, section, target->url, "url = \"https://HOST/PATH\"");
		break;
	case TARGET_NTFY:
		need(target, section, target->url, "url = \"https://ntfy.sh/TOPIC\"");
		break;
	case TARGET_GOTIFY:
		need(target, section, target->url && target->token,
		     "url = \"https://HOST\" and token = \"...\"");
		break;
	}
	if (target->n_command && *target->command[0] != '/')
		config__say(true, config__line(section, "command", 0),
			    "\"%.64s\" is no path of a program. Write it in full, like "
			    "\"/usr/local/bin/tell\"; there is no shell",
			    target->command[0]);
	if (target->smtp && target->n_command)
		config__say(true, config__line(section, "command", 0),
			    "a mail goes to smtp or to a command. Take one of them away");
	if (target->smtp && !target->from)
		config__say(true, config__line(section, "smtp", 0),
			    "a mail server wants a sender. Add from = \"ups@example.org\"");
	if ((target->user || target->password) && !(target->user && target->password))
		config__say(true, config__line(section, target->user ? "user" : "password", 0),
			    "user and password belong together. Give both or none");
	if (target->user && !target->smtp)
		config__say(true, config__line(section, "user", 0),
			    "user is for a mail server. Add smtp = \"smtps://HOST\"");
}

/* A kind that no row knows may come from a device or a later part: said, not refused. */
static void check_kinds(const struct notify_target *target, const cfg_t *section)
{
	const char *names[128];
	size_t n = 0;

	while (n < ARRAY_SIZE(names) && kind_at(n)) {
		names[n] = kind_at(n)->name;
		n++;
	}
	for (size_t i = 0; i < target->n_events; i++) {
		const char *near;

		if (kind_find(target->events[i]))
			continue;
		near = nearest(target->events[i], names, n);
		config__say(false, config__line(section, "events", i),
			    "there is no event \"%s\" in this version%s%s%s", target->events[i],
			    near ? ". Did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
}

static void check_ups(const struct config *config, const struct notify_target *target,
		      const cfg_t *section)
{
	for (size_t i = 0; i < target->n_ups; i++) {
		size_t u = 0;

		while (u < config->n_ups && strcmp(config->ups[u].name, target->ups[i]) != 0)
			u++;
		if (u == config->n_ups)
			config__say(true, config__line(section, "ups", i),
				    "there is no ups \"%s\". Name one that has a section",
				    target->ups[i]);
	}
}

static void build_target(struct config *config, cfg_t *section)
{
	struct notify_target *target;
	const char *word;
	char why[512];

	config->targets = xrealloc(config->targets, (config->n_targets + 1) * sizeof(*target));
	target = &config->targets[config->n_targets++];
	target_init(target);
	target->name = xstrdup(section->title);
	if (!check_ups_name(target->name, why, sizeof(why)))
		config__say(true, config__line(section, NULL, 0),
			    "\"%.64s\" is no name. Use letters, digits, '-', '_' and '.'",
			    target->name);
	if (cfg_size(section, "type")) {
		int type = type_of(cfg_getstr(section, "type"));

		target->type = type < 0 ? TARGET_COMMAND : (enum target_type)type;
	} else if (!cfg_size(section, "command")) {
		config__say(
			true, config__line(section, NULL, 0),
			"notify \"%s\" says neither type nor command. Add one, like type = mail",
			target->name);
		return;
	}
	read_values(target, section);
	/* who lists kinds wants them, however mild */
	word = cfg_size(section, "severity") ? cfg_getstr(section, "severity")
	       : target->n_events	     ? "info"
					     : "warning";
	target->rank = message_rank(word);
	if (cfg_size(section, "blips"))
		target->blips = value_bool(cfg_getstr(section, "blips"));
	check_needs(target, section);
	check_kinds(target, section);
	check_ups(config, target, section);
}

void config__build_notify(struct config *config, cfg_t *root)
{
	size_t n = cfg_size(root, "notify");

	if (n > TARGETS_MAX)
		config__say(true, config__line(cfg_getnsec(root, "notify", TARGETS_MAX), NULL, 0),
			    "there are more than %d notify sections. Let a command do the rest",
			    TARGETS_MAX);
	for (unsigned i = 0; i < n && i < TARGETS_MAX; i++)
		build_target(config, cfg_getnsec(root, "notify", i));
}

void config__close_notify(struct config *config)
{
	for (size_t i = 0; i < config->n_targets; i++)
		target_close(&config->targets[i]);
	free(config->targets);
}
