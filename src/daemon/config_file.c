#include "daemon/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>
#include <sys/stat.h>

#include "daemon/config_build.h"
#include "daemon/config_check.h"
#include "daemon/config_text.h"
#include "util/nearest.h"
#include "util/util.h"

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_LIST };

/*
 * Every key there is. libconfuse reads all values as text; what they must look like is here, so
 * that one bad value does not hide the next and each message says what would be right.
 */
static const struct key {
	const char *section; /* "" = outside of sections */
	const char *name;
	enum key_type type;
	long min, max; /* KEY_NUMBER */
	check_fn check;
} keys[] = {
	{ "", "state-dir", KEY_TEXT, 0, 0, check_directory },
	{ "", "runtime-dir", KEY_TEXT, 0, 0, check_directory },
	{ "", "socket", KEY_TEXT, 0, 0, check_directory },
	{ "", "run-as", KEY_TEXT, 0, 0, check_run_as },

	{ "ups", "port", KEY_TEXT, 0, 0, check_port },
	{ "ups", "baud", KEY_TEXT, 0, 0, check_baud },
	{ "ups", "unit-id", KEY_NUMBER, 1, 247, NULL },
	{ "ups", "number", KEY_NUMBER, 1, 4, NULL },
	{ "ups", "serial", KEY_TEXT, 0, 0, check_serial },
	{ "ups", "alias", KEY_LIST, 0, 0, check_ups_name },
	{ "ups", "desc", KEY_TEXT, 0, 0, check_text },
	{ "ups", "control", KEY_TEXT, 0, 0, check_bool },
	{ "ups", "status-interval", KEY_NUMBER, 0, 5000, NULL },
	{ "ups", "delay-shutdown", KEY_NUMBER, 6, 5940, NULL },
	{ "ups", "delay-start", KEY_NUMBER, 60, 5940, NULL },
	{ "ups", "delay-reboot", KEY_NUMBER, 6, 5940, NULL },
	{ "ups", "battery-date", KEY_TEXT, 0, 0, check_text },
	{ "ups", "id", KEY_TEXT, 0, 0, check_text },
	{ "ups", "override", KEY_LIST, 0, 0, check_assignment },
	{ "ups", "default", KEY_LIST, 0, 0, check_assignment },
	{ "ups", "ignorelb", KEY_TEXT, 0, 0, check_bool },
	{ "ups", "battery-charge-low", KEY_NUMBER, 0, 100, NULL },
	{ "ups", "battery-runtime-low", KEY_NUMBER, 0, 86400, NULL },
	{ "ups", "cal-during-test", KEY_TEXT, 0, 0, check_bool },

	{ "nut", "listen", KEY_LIST, 0, 0, check_listen },
	{ "nut", "max-connections", KEY_NUMBER, 1, 100000, NULL },
	{ "nut", "tracking-delay", KEY_NUMBER, 1, 604800, NULL },

	{ "nut", "starttls", KEY_TEXT, 0, 0, check_bool },
	{ "nut", "require-tls", KEY_TEXT, 0, 0, check_require_tls },
	{ "nut", "connections-per-address", KEY_NUMBER, 0, 100000, NULL },
	{ "nut", "failed-logins", KEY_NUMBER, 0, 1000, NULL },

	{ "tls", "certificate", KEY_TEXT, 0, 0, check_directory },
	{ "tls", "key", KEY_TEXT, 0, 0, check_directory },

	{ "access", "connect", KEY_LIST, 0, 0, check_network },
	{ "access", "login", KEY_LIST, 0, 0, check_network },
	{ "access", "set", KEY_LIST, 0, 0, check_network },
	{ "access", "instcmd", KEY_LIST, 0, 0, check_network },
	{ "access", "fsd", KEY_LIST, 0, 0, check_network },

	{ "http", "listen", KEY_LIST, 0, 0, check_http_listen },
	{ "http", "names", KEY_LIST, 0, 0, check_host_name },
	{ "http", "read-without-login", KEY_LIST, 0, 0, check_network },
	{ "http", "max-connections", KEY_NUMBER, 1, 100000, NULL },
	{ "http", "connections-per-address", KEY_NUMBER, 0, 100000, NULL },
	{ "http", "failed-logins", KEY_NUMBER, 0, 1000, NULL },

	{ "user", "password", KEY_TEXT, 0, 0, check_password },
	{ "user", "actions", KEY_LIST, 0, 0, check_action },
	{ "user", "instcmds", KEY_LIST, 0, 0, check_instcmd },
	{ "user", "upsmon", KEY_TEXT, 0, 0, check_upsmon },
	{ "user", "networks", KEY_LIST, 0, 0, check_network },
	{ "user", "weak", KEY_TEXT, 0, 0, check_bool },

	{ "notify", "type", KEY_TEXT, 0, 0, check_notify_type },
	{ "notify", "events", KEY_LIST, 0, 0, check_event_kind },
	{ "notify", "severity", KEY_TEXT, 0, 0, check_severity },
	{ "notify", "ups", KEY_LIST, 0, 0, check_ups_name },
	{ "notify", "command", KEY_LIST, 0, 0, check_command_word },
	{ "notify", "timeout", KEY_NUMBER, 1, 600, NULL },
	{ "notify", "hold-off", KEY_NUMBER, 0, 3600, NULL },
	{ "notify", "blips", KEY_TEXT, 0, 0, check_bool },
	{ "notify", "remind", KEY_NUMBER, 60, 604800, NULL },
	{ "notify", "expire", KEY_NUMBER, 60, 2592000, NULL },
	{ "notify", "to", KEY_LIST, 0, 0, check_mail_address },
	{ "notify", "from", KEY_TEXT, 0, 0, check_mail_address },
	{ "notify", "smtp", KEY_TEXT, 0, 0, check_smtp_url },
	{ "notify", "user", KEY_TEXT, 0, 0, check_secret },
	{ "notify", "password", KEY_TEXT, 0, 0, check_secret },
	{ "notify", "url", KEY_TEXT, 0, 0, check_http_url },
	{ "notify", "token", KEY_TEXT, 0, 0, check_secret },
	{ "notify", "secret", KEY_TEXT, 0, 0, check_secret },
	{ "notify", "header", KEY_LIST, 0, 0, check_http_header },
	{ "notify", "ca-file", KEY_TEXT, 0, 0, check_directory },

	{ "history", "enabled", KEY_TEXT, 0, 0, check_bool },
	{ "history", "path", KEY_TEXT, 0, 0, check_directory },
	{ "history", "keep-raw", KEY_NUMBER, 1, 168, NULL },
	{ "history", "keep-minute", KEY_NUMBER, 2, 3660, NULL },
	{ "history", "keep-quarter", KEY_NUMBER, 2, 36600, NULL },
	{ "history", "max-size", KEY_NUMBER, 5, 100000, NULL },

	{ "shutdown", "ups", KEY_LIST, 0, 0, check_ups_name },
	{ "shutdown", "minimum-supplies", KEY_NUMBER, 1, 64, NULL },
	{ "shutdown", "on-battery", KEY_NUMBER, 0, 86400, NULL },
	{ "shutdown", "charge-below", KEY_NUMBER, 0, 100, NULL },
	{ "shutdown", "runtime-below", KEY_NUMBER, 0, 86400, NULL },
	{ "shutdown", "low-battery", KEY_TEXT, 0, 0, check_bool },
	{ "shutdown", "temperature-above", KEY_NUMBER, 0, 100, NULL },
	{ "shutdown", "alarms", KEY_LIST, 0, 0, check_alarm },
	{ "shutdown", "lost-on-battery", KEY_NUMBER, 0, 86400, NULL },
	{ "shutdown", "warning", KEY_NUMBER, 0, 3600, NULL },
	{ "shutdown", "mains-stable", KEY_NUMBER, 0, 3600, NULL },
	{ "shutdown", "secondaries-wait", KEY_NUMBER, 0, 3600, NULL },
	{ "shutdown", "own-logins", KEY_NUMBER, 0, 16, NULL },
	{ "shutdown", "final-delay", KEY_NUMBER, 0, 600, NULL },
	{ "shutdown", "ups-off", KEY_TEXT, 0, 0, check_ups_off },
	{ "shutdown", "on-fsd", KEY_TEXT, 0, 0, check_on_fsd },
	{ "shutdown", "this-host", KEY_TEXT, 0, 0, check_bool },
	{ "shutdown", "host-shutdown-time", KEY_NUMBER, 6, 5940, NULL },
	{ "shutdown", "arm-early", KEY_TEXT, 0, 0, check_bool },
	{ "shutdown", "method", KEY_TEXT, 0, 0, check_host_way },
	{ "shutdown", "command", KEY_LIST, 0, 0, check_text },

	{ "feed", "supplies", KEY_NUMBER, 0, 8, NULL },
	{ "feed", "on-battery", KEY_NUMBER, 0, 86400, NULL },
	{ "feed", "charge-below", KEY_NUMBER, 0, 100, NULL },
	{ "feed", "runtime-below", KEY_NUMBER, 0, 86400, NULL },
	{ "feed", "low-battery", KEY_TEXT, 0, 0, check_bool },
	{ "feed", "temperature-above", KEY_NUMBER, 0, 100, NULL },
	{ "feed", "alarms", KEY_LIST, 0, 0, check_alarm },
	{ "feed", "lost-on-battery", KEY_NUMBER, 0, 86400, NULL },
	{ "feed", "ups-off", KEY_TEXT, 0, 0, check_ups_off },

	{ "task", "run", KEY_LIST, 0, 0, check_text },
	{ "task", "timeout", KEY_NUMBER, 1, 3600, NULL },
	{ "task", "stage", KEY_NUMBER, 1, 32, NULL },

	{ "wake", "mac", KEY_TEXT, 0, 0, check_mac },
	{ "wake", "password", KEY_TEXT, 0, 0, check_secure_on },
	{ "wake", "broadcast", KEY_TEXT, 0, 0, check_address },
	{ "wake", "interface", KEY_TEXT, 0, 0, check_text },
	{ "wake", "ups", KEY_TEXT, 0, 0, check_ups_name },
	{ "wake", "charge-above", KEY_NUMBER, 0, 100, NULL },
	{ "wake", "after", KEY_NUMBER, 0, 86400, NULL },
	{ "wake", "retry", KEY_NUMBER, 5, 3600, NULL },
	{ "wake", "tries", KEY_NUMBER, 1, 100, NULL },
	{ "wake", "seen", KEY_TEXT, 0, 0, check_seen },

	{ "log", "target", KEY_TEXT, 0, 0, check_log_target },
	{ "log", "level", KEY_TEXT, 0, 0, check_log_level },
};

static const struct section {
	const char *name;
	const char *unserved; /* what is missing, for sections of a later version; else NULL */
	cfg_flag_t flags;
} sections[] = {
	{ "ups", NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES },
	{ "user", NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES },
	{ "notify", NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES },
	{ "nut", NULL, CFGF_NONE },
	{ "http", NULL, CFGF_NONE },
	{ "tls", NULL, CFGF_NONE },
	{ "access", NULL, CFGF_NONE },
	{ "log", NULL, CFGF_NONE },
	{ "history", NULL, CFGF_NONE },
	{ "shutdown", NULL, CFGF_NONE },
	{ "feed", NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES },
	{ "task", NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES },
	{ "wake", NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES },
	{ "mqtt", "nothing is published", CFGF_KEYSTRVAL },
	{ "snmp", "no agent runs", CFGF_KEYSTRVAL },
};

enum { OPTS_MAX = ARRAY_SIZE(keys) + ARRAY_SIZE(sections) + 2 };

/*
 * libconfuse creates sections without titles together with the section around them and notes the
 * line then: the line of this one is where its parent was opened. Nobody can mistype its name.
 */
static const char OPENED[] = "(opened)";

/* Where each value stood. */
struct note {
	const cfg_t *section;
	const char *key;
	size_t index;
	int line;
};

/* What is being read: libconfuse's callbacks carry no pointer of ours (nor can its lexer nest). */
static struct {
	config_message_cb say;
	void *user;
	const char *path;
	char last[1024]; /* the last message: the same is not said twice */
	bool fatal;
	struct note *notes;
	size_t n_notes;
	int opened[ARRAY_SIZE(sections)]; /* line where a section was last seen */
} load;

void config__say(bool fatal, int line, const char *format, ...)
{
	char text[1024];
	size_t len;
	va_list args;

	if (line > 0)
		len = (size_t)snprintf(text, sizeof(text), "%.400s:%d: ", load.path, line);
	else
		len = (size_t)snprintf(text, sizeof(text), "%.400s: ", load.path);
	va_start(args, format);
	vsnprintf(text + len, sizeof(text) - len - 1, format, args);
	va_end(args);
	if (text[strlen(text) - 1] != '?')
		strcat(text, ".");

	load.fatal = load.fatal || fatal;
	if (strcmp(text, load.last) == 0)
		return;
	memcpy(load.last, text, sizeof(text));
	if (load.say)
		load.say(load.user, fatal, text);
}

static const struct note *find_note(const cfg_t *section, const char *key, size_t index)
{
	for (size_t i = load.n_notes; i > 0; i--) {
		const struct note *note = &load.notes[i - 1];

		if (note->section == section && note->index == index && strcmp(note->key, key) == 0)
			return note;
	}
	return NULL;
}

int config__line(const cfg_t *section, const char *key, size_t index)
{
	const struct note *note = key ? find_note(section, key, index) : NULL;

	if (note)
		return note->line;
	for (cfg_opt_t *opt = section->opts; opt->name; opt++)
		if (strcmp(opt->name, OPENED) == 0 && opt->nvalues)
			return opt->values[0]->section->line;
	return section->line;
}

static const char *section_name(const cfg_t *section)
{
	return section->name && strcmp(section->name, "root") != 0 ? section->name : "";
}

static const struct key *find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* libconfuse took over a value: check it now, while the line is known. Returns 0: go on reading. */
static int value_cb(cfg_t *section, cfg_opt_t *opt)
{
	const struct key *key = find_key(section_name(section), opt->name);
	size_t index = opt->nvalues ? opt->nvalues - 1 : 0;
	const char *value = opt->nvalues ? opt->values[index]->string : NULL;
	const struct note *before;
	char why[512];
	bool good;

	if (!key || !value)
		return 0;
	before = find_note(section, key->name, index);
	if (before && key->type != KEY_LIST)
		config__say(true, section->line,
			    "%s is given twice, first in line %d. Keep one of them", key->name,
			    before->line);
	load.notes = xrealloc(load.notes, (load.n_notes + 1) * sizeof(*load.notes));
	load.notes[load.n_notes++] = (struct note){ section, key->name, index, section->line };

	if (key->type == KEY_NUMBER)
		good = check_number(value, key->min, key->max, why, sizeof(why));
	else
		good = key->check(value, why, sizeof(why));
	if (!good)
		config__say(true, section->line, "%s: %s", key->name, why);
	return 0;
}

/* A section that this version does not serve was read. */
static int unserved_cb(cfg_t *root, cfg_opt_t *opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (strcmp(sections[i].name, opt->name) == 0)
			config__say(
				false, root->line,
				"the section %s is understood but not served by this version: %s",
				opt->name, sections[i].unserved);
	return 0;
}

/* A section was read: an empty one is one, too. */
static int opened_cb(cfg_t *root, cfg_opt_t *opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (strcmp(sections[i].name, opt->name) == 0)
			load.opened[i] = root->line > 0 ? root->line : 1;
	return 0;
}

int config__section_line(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (strcmp(sections[i].name, name) == 0)
			return load.opened[i];
	return 0;
}

static bool is_unserved(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (strcmp(sections[i].name, name) == 0)
			return sections[i].unserved;
	return false;
}

static void say_unknown_key(const cfg_t *section, const char *key)
{
	const char *in = section_name(section);
	const char *words[OPTS_MAX];
	char known[512] = "";
	const char *dot = strchr(key, '.');
	const char *near;
	size_t n = 0;

	if (is_unserved(in))
		return; /* it takes any key: libconfuse goes on */
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].section, in) == 0)
			words[n++] = keys[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(sections) && !*in; i++)
		words[n++] = sections[i].name;
	near = nearest(key, words, n);

	if (dot && (strncmp(key, "override.", 9) == 0 || strncmp(key, "default.", 8) == 0)) {
		config__say(true, section->line,
			    "unknown key \"%.64s\". Write %.*s = {\"%.64s=VALUE\"}", key,
			    (int)(dot - key), key, dot + 1);
		return;
	}
	if (near) {
		config__say(true, section->line, "unknown key \"%.64s\"%s%s. Did you mean \"%s\"?",
			    key, *in ? " in section " : "", in, near);
		return;
	}
	for (size_t i = 0; i < n; i++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
			 i ? ", " : "", words[i]);
	config__say(true, section->line, "unknown key \"%.64s\"%s%s. Known are: %s", key,
		    *in ? " in section " : "", in, known);
}

/* What would be right, for what libconfuse itself finds wrong. */
static const struct {
	const char *begins, *remedy;
} remedies[] = {
	{ "missing equal sign", "Write KEY = VALUE" },
	{ "missing title", "Write a name behind it, like: ups \"rack\" { ... }" },
	{ "missing opening brace", "Write { behind it and } at its end" },
	{ "unexpected closing brace", "Take it away, or open its section first" },
	{ "premature end of file", "A closing brace or a value is missing" },
	{ "found duplicate title", "Give each section its own name" },
	{ "attempt to append", "Use = instead of +=" },
	{ "unexpected token", "Put a value with blanks, commas, braces or '#' into \"quotes\"" },
	{ "unterminated", "Close it with a quote" },
};

static void parse_error_cb(cfg_t *cfg, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void parse_error_cb(cfg_t *cfg, const char *format, va_list args)
{
	static const char unknown[] = "no such option '";
	char text[512];
	const char *remedy = "See ups2000.conf(5)";
	size_t len;

	vsnprintf(text, sizeof(text), format, args);
	len = strlen(text);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	if (strncmp(text, unknown, strlen(unknown)) == 0 && text[len - 1] == '\'') {
		text[len - 1] = '\0';
		say_unknown_key(cfg, text + strlen(unknown));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if (strncmp(text, remedies[i].begins, strlen(remedies[i].begins)) == 0)
			remedy = remedies[i].remedy;
	config__say(true, cfg->line, "%s. %s", text, remedy);
}

/* The schema in libconfuse's form. Fills opts up to its end mark. */
static void add_keys(cfg_opt_t *opts, const char *section)
{
	size_t n = 0;
	static cfg_opt_t none[] = { CFG_END() };
	cfg_opt_t opened = CFG_SEC(OPENED, none, CFGF_NONE);
	cfg_opt_t end = CFG_END();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cfg_opt_t text = CFG_STR(keys[i].name, NULL, CFGF_NODEFAULT);
		cfg_opt_t list = CFG_STR_LIST(keys[i].name, NULL, CFGF_NODEFAULT);

		if (strcmp(keys[i].section, section) != 0)
			continue;
		opts[n] = keys[i].type == KEY_LIST ? list : text;
		opts[n++].validcb = value_cb;
	}
	if (*section)
		opts[n++] = opened;
	opts[n] = end;
}

static cfg_t *make_parser(void)
{
	static cfg_opt_t subopts[ARRAY_SIZE(sections)][OPTS_MAX];
	cfg_opt_t opts[OPTS_MAX];
	cfg_opt_t end = CFG_END();
	size_t n = 0;
	cfg_t *cfg;

	add_keys(opts, "");
	while (opts[n].name)
		n++;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		cfg_opt_t section = CFG_SEC(sections[i].name, subopts[i], sections[i].flags);

		if (sections[i].unserved)
			subopts[i][0] = end;
		else
			add_keys(subopts[i], sections[i].name);
		opts[n] = section;
		opts[n++].validcb = sections[i].unserved ? unserved_cb : opened_cb;
	}
	opts[n] = end;

	cfg = cfg_init(opts, CFGF_NONE);
	if (!cfg)
		abort(); /* out of memory: as xmalloc() */
	cfg_set_error_function(cfg, parse_error_cb);
	return cfg;
}

struct config *config_load_fp(FILE *file, const char *path, config_message_cb say, void *user)
{
	struct config *config;
	cfg_t *cfg;
	char why[256];
	char *text;
	int line;

	memset(&load, 0, sizeof(load));
	load.say = say;
	load.user = user;
	load.path = path;

	text = config_text_read(file, &line, why, sizeof(why));
	if (!text) {
		config__say(true, line, "%s", why);
		return NULL;
	}
	config_text_blank_comments(text);

	config = xcalloc(1, sizeof(*config));
	config->path = xstrdup(path);
	config__defaults(config);
	cfg = make_parser();
	if (cfg_parse_buf(cfg, text) != CFG_SUCCESS) {
		if (!load.fatal)
			config__say(true, cfg->line,
				    "cannot be read from here on. See ups2000.conf(5)");
	} else {
		line = config_text_unclosed(text);
		if (line)
			config__say(true, line, "the brace { is never closed. Add } where it ends");
		config__build(config, cfg);
	}
	cfg_free(cfg);
	explicit_bzero(text, strlen(text)); /* it may hold passwords */
	free(text);
	free(load.notes);
	load.notes = NULL;

	if (!load.fatal)
		return config;
	config_free(config);
	return NULL;
}

/* Passwords in a file that others can read are no secret. */
static void check_mode(struct config *config, mode_t mode)
{
	bool plain = false, hashed = false;

	for (size_t i = 0; i < config->n_users; i++) {
		plain = plain || config->users[i].plain;
		hashed = hashed || (config->users[i].password && !config->users[i].plain);
	}
	for (size_t i = 0; i < config->n_targets; i++) {
		const struct notify_target *target = &config->targets[i];

		if ((target->password || target->token || target->secret || target->n_headers) &&
		    (mode & 07))
			config__say(true, 0,
				    "holds the secrets of notify \"%s\" and everyone can read it "
				    "(mode %04o). `chmod o-rwx` it",
				    target->name, (unsigned)mode & 07777);
	}
	if (plain && (mode & 077))
		config__say(true, 0,
			    "holds a plain password and others can read it (mode %04o). Replace "
			    "it by a hash (`mkpasswd -m yescrypt`), or `chmod 600` the file",
			    (unsigned)mode & 07777);
	else if (plain)
		config__say(false, 0,
			    "holds a plain password. A hash is safer: `mkpasswd -m yescrypt`");
	else if (hashed && (mode & 07))
		config__say(false, 0,
			    "holds password hashes and everyone can read it (mode %04o). Better "
			    "`chmod o-rwx` it",
			    (unsigned)mode & 07777);
}

struct config *config_load(const char *path, config_message_cb say, void *user)
{
	FILE *file = fopen(path, "re");
	struct config *config;
	struct stat st;

	memset(&load, 0, sizeof(load));
	load.say = say;
	load.user = user;
	load.path = path;
	if (!file || fstat(fileno(file), &st) < 0) {
		config__say(true, 0, "cannot be opened: %s. %s", strerror(errno),
			    errno == EACCES ? "Give its group read permission, or run as root"
					    : "Name a file with --config, or a port with --port");
		if (file)
			fclose(file);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		config__say(true, 0, "is not a file. Name a file with --config");
		fclose(file);
		return NULL;
	}
	config = config_load_fp(file, path, say, user);
	fclose(file);
	if (!config)
		return NULL;
	check_mode(config, st.st_mode);
	if (!load.fatal)
		return config;
	config_free(config);
	return NULL;
}
