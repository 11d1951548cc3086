#include "driver/settings_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/config.h"
#include "util/nearest.h"
#include "link/link.h"
#include "util/util.h"

enum { DELAY_MAX = 5940 };

static void put_flag(struct loader *l, const char *name)
{
	char *full = xasprintf("driver.flag.%s", name);

	settings__put(l->ups, &l->ups->defaults, &l->ups->n_defaults, full, "enabled");
	free(full);
}

static bool number(struct loader *l, const char *key, const char *value, long min, long max,
		   unsigned *out)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (end == value || *end || errno || n < min || n > max) {
		settings__say(l, true, "%s: %s = %s: it takes a whole number from %ld to %ld",
			      l->where, key, value, min, max);
		return false;
	}
	*out = (unsigned)n;
	return true;
}

static bool truth(struct loader *l, const char *key, const char *value, bool *out)
{
	static const char *const yes[] = { "yes", "true", "on", "1", "enabled" };
	static const char *const no[] = { "no", "false", "off", "0", "disabled" };

	if (!value) {
		*out = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
			*out = strcasecmp(value, yes[i]) == 0;
			return true;
		}
	}
	settings__say(l, true, "%s: %s = %s: it takes yes or no", l->where, key, value);
	return false;
}

/* --- keys -------------------------------------------------------------------------------------- */

/* What a key does with its value (NULL: a flag). */
typedef void (*take_fn)(struct loader *l, const char *key, const char *value);

/* The UPS counts in steps; files written for the stock driver may hold anything. */
static void take_delay(struct loader *l, const char *key, const char *value)
{
	bool start = strcasecmp(key, "ondelay") == 0;
	unsigned step = start ? 60 : 6, n, rounded;

	if (!number(l, key, value, 0, DELAY_MAX, &n))
		return;
	rounded = n ? (n + step - 1) / step * step : step;
	if (rounded != n)
		settings__say(l, false,
			      "%s: %s = %u: the UPS counts in steps of %u s; %u s is used",
			      l->where, key, n, step, rounded);
	if (start)
		l->ups->delay_start = rounded;
	else if (strcasecmp(key, "rebootdelay") == 0)
		l->ups->delay_reboot = rounded;
	else
		l->ups->delay_shutdown = rounded;
	if (strcasecmp(key, "offdelay") == 0)
		l->settings->offdelay_given = true;
}

static void take_port(struct loader *l, const char *key, const char *value)
{
	(void)key;
	settings__replace(&l->ups->port, value);
}

static void take_desc(struct loader *l, const char *key, const char *value)
{
	(void)key;
	settings__replace(&l->ups->desc, value);
}

static void take_serial(struct loader *l, const char *key, const char *value)
{
	(void)key;
	settings__replace(&l->ups->serial, value);
}

static void take_baud(struct loader *l, const char *key, const char *value)
{
	unsigned n;

	if (!number(l, key, value, 0, 1000000, &n))
		return;
	if (link_baud_ok(n))
		l->ups->baud = n;
	else
		settings__say(
			l, true,
			"%s: %s = %s: the UPS uses 9600; other possible ones are 1200, 2400 ... "
			"115200",
			l->where, key, value);
}

static void take_unit_id(struct loader *l, const char *key, const char *value)
{
	number(l, key, value, 1, 247, &l->ups->unit_id);
}

static void take_number(struct loader *l, const char *key, const char *value)
{
	number(l, key, value, 1, 4, &l->ups->number);
}

static void take_interval(struct loader *l, const char *key, const char *value)
{
	number(l, key, value, 0, 60000, &l->ups->status_interval_ms);
}

static void take_control(struct loader *l, const char *key, const char *value)
{
	truth(l, key, value, &l->ups->control);
}

static void take_cal(struct loader *l, const char *key, const char *value)
{
	truth(l, key, value, &l->ups->vars.cal_for_test);
}

static void take_date(struct loader *l, const char *key, const char *value)
{
	(void)key;
	l->ups->vars.battery_date = settings__keep(l->ups, value);
}

static void take_id(struct loader *l, const char *key, const char *value)
{
	(void)key;
	l->ups->vars.id = settings__keep(l->ups, value);
}

static void take_ignorelb(struct loader *l, const char *key, const char *value)
{
	truth(l, key, value, &l->ups->vars.ignorelb);
}

static void take_poll(struct loader *l, const char *key, const char *value)
{
	unsigned n;

	if (number(l, key, value, 1, 86400, &n))
		l->poll = value;
}

static void take_synchronous(struct loader *l, const char *key, const char *value)
{
	bool on;

	if (value && strcasecmp(value, "auto") == 0)
		l->synchronous = "auto";
	else if (truth(l, key, value, &on))
		l->synchronous = on ? "yes" : "no";
}

static void take_killpower(struct loader *l, const char *key, const char *value)
{
	truth(l, key, value, &l->settings->allow_killpower);
}

static void take_debug(struct loader *l, const char *key, const char *value)
{
	unsigned n;

	if (number(l, key, value, 0, 100, &n) && n > l->settings->debug)
		l->settings->debug = n;
}

static void take_user(struct loader *l, const char *key, const char *value)
{
	(void)key;
	settings__replace(&l->settings->user, value);
}

static void take_group(struct loader *l, const char *key, const char *value)
{
	(void)key;
	settings__replace(&l->settings->group, value);
}

static void take_chroot(struct loader *l, const char *key, const char *value)
{
	(void)key;
	settings__replace(&l->settings->chroot, value);
}

static void take_sdcommands(struct loader *l, const char *key, const char *value)
{
	struct settings *s = l->settings;
	char *words = xstrdup(value), *rest = words, *word;

	(void)key;
	for (size_t i = 0; i < s->n_sdcommands; i++)
		free(s->sdcommands[i]);
	s->n_sdcommands = 0;
	while ((word = strtok_r(rest, ", \t", &rest))) {
		s->sdcommands =
			xrealloc(s->sdcommands, (s->n_sdcommands + 1) * sizeof(*s->sdcommands));
		s->sdcommands[s->n_sdcommands++] = xstrdup(word);
	}
	free(words);
}

enum {
	GLOBAL = 1,
	IN_SECTION = 2,
	FLAG = 4,
	VALUE = 8,
	OWN = 16,
	HIDDEN = 32 /* not shown as driver.parameter or driver.flag, or always */
};

/* All keys; "-" and "_" are the same in them. */
static const struct key_row {
	const char *key;
	unsigned how;
	take_fn take; /* NULL: accepted, for others or without effect here */
	const char *help;
} keys[] = {
	{ "offdelay", IN_SECTION | VALUE | OWN, take_delay,
	  "Seconds until the output goes off, 6 to 5940 in steps of 6 (default 60)" },
	{ "rebootdelay", IN_SECTION | VALUE | OWN, take_delay,
	  "The same for shutdown.reboot.graceful (default 60)" },
	{ "ondelay", IN_SECTION | VALUE | OWN, take_delay,
	  "Seconds off before on again, 60 to 5940 in steps of 60 (default 60)" },
	{ "serial", IN_SECTION | VALUE | OWN, take_serial,
	  "Serial number (ESN) the UPS must have to be commanded" },
	{ "baud", IN_SECTION | VALUE | OWN, take_baud, "Speed of the line (default 9600)" },
	{ "unit-id", IN_SECTION | VALUE | OWN, take_unit_id,
	  "Modbus address, 1 to 247 (default 1)" },
	{ "number", IN_SECTION | VALUE | OWN, take_number,
	  "Number of the UPS behind it; others than 1 are only read (default 1)" },
	{ "control", IN_SECTION | FLAG | VALUE | OWN, take_control,
	  "no: only monitor, never command (default yes)" },
	{ "status-interval", IN_SECTION | VALUE | OWN, take_interval,
	  "Milliseconds between two status reads; 0: as fast as the line allows (default 100)" },
	{ "battery-date", IN_SECTION | VALUE | OWN, take_date, "Shown as battery.date" },
	{ "id", IN_SECTION | VALUE | OWN, take_id, "Shown as ups.id" },
	{ "cal-during-test", IN_SECTION | FLAG | VALUE | OWN, take_cal,
	  "Show CAL while a battery test runs (some upsmon versions halt hosts on it)" },

	{ "port", IN_SECTION | VALUE | HIDDEN, take_port, NULL },
	{ "desc", IN_SECTION | VALUE | HIDDEN, take_desc, NULL },
	{ "driver", IN_SECTION | VALUE | HIDDEN, NULL, NULL },
	{ "ignorelb", IN_SECTION | FLAG, take_ignorelb, NULL },
	{ "pollinterval", GLOBAL | IN_SECTION | VALUE | HIDDEN, take_poll, NULL },
	{ "synchronous", GLOBAL | IN_SECTION | FLAG | VALUE | HIDDEN, take_synchronous, NULL },
	{ "allow_killpower", IN_SECTION | FLAG | VALUE | HIDDEN, take_killpower, NULL },
	{ "sdcommands", IN_SECTION | VALUE, take_sdcommands, NULL },
	{ "debug_min", GLOBAL | IN_SECTION | VALUE, take_debug, NULL },
	{ "user", GLOBAL | IN_SECTION | VALUE, take_user, NULL },
	{ "group", GLOBAL | IN_SECTION | VALUE, take_group, NULL },
	{ "chroot", GLOBAL | VALUE, take_chroot, NULL },
	{ "nolock", IN_SECTION | FLAG, NULL, NULL },
	{ "sdorder", IN_SECTION | VALUE, NULL, NULL },
	{ "sddelay", IN_SECTION | VALUE, NULL, NULL },
	{ "maxstartdelay", GLOBAL | IN_SECTION | VALUE, NULL, NULL },
	{ "maxretry", GLOBAL | IN_SECTION | VALUE, NULL, NULL },
	{ "retrydelay", GLOBAL | IN_SECTION | VALUE, NULL, NULL },
	{ "usb_set_altinterface", IN_SECTION | FLAG | VALUE, NULL, NULL },
	{ "LIBUSB_DEBUG", GLOBAL | IN_SECTION | VALUE, NULL, NULL },
};

static bool same_key(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		char x = *a == '_' ? '-' : *a, y = *b == '_' ? '-' : *b;

		if (strncasecmp(&x, &y, 1) != 0)
			return false;
	}
	return *a == *b;
}

static void unknown_key(struct loader *l, const char *key)
{
	const char *words[ARRAY_SIZE(keys)], *near;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		words[i] = keys[i].key;
	near = nearest(key, words, ARRAY_SIZE(words));
	settings__say(l, true, "%s: \"%s\" is no key of this driver%s%s%s", l->where, key,
		      near ? ". Do you mean " : "; -h lists them", near ? near : "",
		      near ? "?" : "");
}

static bool is_variable(const char *name)
{
	size_t len = strlen(name);

	return len && len <= NUT_NAME_MAX - 1 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

/* default.X and override.X; true if it is one of them. */
static bool take_variable(struct loader *l, const char *key, const char *value)
{
	bool fixed = strncasecmp(key, "override.", 9) == 0;
	const char *name;

	if (!fixed && strncasecmp(key, "default.", 8) != 0)
		return false;
	name = strchr(key, '.') + 1;
	if (!value)
		settings__say(l, true, "%s: %s needs a value: %s = ...", l->where, key, key);
	else if (!is_variable(name))
		settings__say(
			l, true,
			"%s: \"%s\" cannot be a variable's name; letters, digits, '.', '_' and "
			"'-' are possible",
			l->where, name);
	else if (fixed)
		settings__put(l->ups, &l->ups->overrides, &l->ups->n_overrides, name, value);
	else
		settings__put(l->ups, &l->ups->defaults, &l->ups->n_defaults, name, value);
	return true;
}

void settings__entry(struct loader *l, const char *key, const char *value)
{
	const struct key_row *row = NULL;

	if (l->section && take_variable(l, key, value))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys) && !row; i++)
		if (same_key(key, keys[i].key))
			row = &keys[i];
	if (!l->section) {
		/* what upsdrvctl and other drivers read there is not ours to judge */
		if (row && row->how & GLOBAL && row->take && (value || row->how & FLAG))
			row->take(l, row->key, value);
		return;
	}
	if (!row || !(row->how & IN_SECTION)) {
		unknown_key(l, key);
		return;
	}
	if (!value && !(row->how & FLAG)) {
		settings__say(l, true, "%s: %s needs a value: %s = ...", l->where, row->key,
			      row->key);
		return;
	}
	if (value && !(row->how & VALUE)) {
		settings__say(l, true,
			      "%s: %s is a flag: it stands alone on its line, without \"= %s\"",
			      l->where, row->key, value);
		return;
	}
	if (row->take)
		row->take(l, row->key, value);
	if (row->how & HIDDEN)
		return;
	if (value)
		settings__parameter(l, key, value);
	else
		put_flag(l, key);
}

void settings_print_keys(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].how & OWN)
			fprintf(out, "  %-16s %s\n", keys[i].key, keys[i].help);
}

void settings_print_list(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].how & OWN)
			fprintf(out, "%s %s \"%s\"\n", keys[i].how & VALUE ? "VALUE" : "FLAG",
				keys[i].key, keys[i].help);
}
