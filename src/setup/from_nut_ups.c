#include "setup/from_nut_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/config_check.h"
#include "nut/ups_conf.h"
#include "util/util.h"

enum { DELAY_MAX = 5940 };

/* A setting of one section, and where it goes. */
struct place {
	struct take *t;
	struct draft_section *section;
	const struct ups_conf_section *from;
	const struct ups_conf_entry *entry;
	char setting[256];
};

struct row;
typedef void (*place_fn)(const struct place *p, const struct row *row);

struct row {
	const char *key; /* "-" and "_" are the same in it */
	place_fn take;	 /* NULL: not needed, for the reason in what */
	const char *as;	 /* key of ups2000.conf */
	check_fn check;
	const char *what;
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

static const struct ups_conf_entry *find_entry(const struct ups_conf_section *section,
					       const char *key)
{
	for (size_t i = section->n_entries; i > 0; i--)
		if (same_key(section->entries[i - 1].key, key))
			return &section->entries[i - 1];
	return NULL;
}

static void say(const struct place *p, enum from_nut_fate fate, const char *what)
{
	from_nut__say(p->t, p->entry->line, p->setting, fate, "%s", what);
}

static void put(const struct place *p, const struct row *row, const char *value)
{
	draft_set(p->section, row->as, value);
	say(p, FROM_NUT_TAKEN, row->as);
}

/* As it is, under its key here. */
static void take_value(const struct place *p, const struct row *row)
{
	char why[512];

	if (!row->check(p->entry->value, why, sizeof(why))) {
		say(p, FROM_NUT_LEFT, why);
		return;
	}
	put(p, row, p->entry->value);
}

static void take_port(const struct place *p, const struct row *row)
{
	const struct from_nut *job = p->t->job;
	char *better = job->port ? job->port(job->user, p->entry->value) : NULL;

	if (!better || strcmp(better, p->entry->value) == 0) {
		take_value(p, row);
	} else {
		draft_set(p->section, "port", better);
		from_nut__say(p->t, p->entry->line, p->setting, FROM_NUT_CHANGED,
			      "port = \"%s\", a name that stays with the socket", better);
	}
	free(better);
}

static void take_number(const struct place *p, const struct row *row)
{
	static const struct {
		const char *as;
		long min, max;
	} ranges[] = {
		{ "unit-id", 1, 247 },
		{ "number", 1, 4 },
		{ "status-interval", 0, 5000 },
	};
	char why[512] = "";
	bool good = false;

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (strcmp(ranges[i].as, row->as) == 0)
			good = check_number(p->entry->value, ranges[i].min, ranges[i].max, why,
					    sizeof(why));
	if (!good) {
		say(p, FROM_NUT_LEFT, why);
		return;
	}
	put(p, row, p->entry->value);
}

/* A flag, or yes and no. */
static void take_truth(const struct place *p, const struct row *row)
{
	const char *value = p->entry->value ? p->entry->value : "yes";
	char why[512];

	if (!check_bool(value, why, sizeof(why))) {
		say(p, FROM_NUT_LEFT, why);
		return;
	}
	put(p, row, value_bool(value) ? "yes" : "no");
}

/* Without a threshold nothing would ever say that the battery is low. */
static void take_ignorelb(const struct place *p, const struct row *row)
{
	static const char *const thresholds[] = {
		"override.battery.charge.low",
		"override.battery.runtime.low",
		"default.battery.charge.low",
		"default.battery.runtime.low",
	};

	for (size_t i = 0; i < ARRAY_SIZE(thresholds); i++) {
		if (!find_entry(p->from, thresholds[i]))
			continue;
		take_truth(p, row);
		return;
	}
	say(p, FROM_NUT_LEFT,
	    "nothing would say that the battery is low: it needs override.battery.charge.low or "
	    "override.battery.runtime.low");
}

/* The UPS counts in steps: ondelay in minutes, the others in tenths of one. */
static void take_delay(const struct place *p, const struct row *row)
{
	long step = strcmp(row->as, "delay-start") == 0 ? 60 : 6, n, rounded;
	char why[512], text[16];

	if (!check_number(p->entry->value, 0, DELAY_MAX, why, sizeof(why))) {
		say(p, FROM_NUT_LEFT, why);
		return;
	}
	n = value_number(p->entry->value);
	rounded = n ? (n + step - 1) / step * step : step;
	snprintf(text, sizeof(text), "%ld", rounded);
	draft_set(p->section, row->as, text);
	if (rounded == n)
		from_nut__say(p->t, p->entry->line, p->setting, FROM_NUT_TAKEN, "%s", row->as);
	else
		from_nut__say(p->t, p->entry->line, p->setting, FROM_NUT_CHANGED,
			      "%s = %ld: the UPS counts in steps of %ld s", row->as, rounded, step);
}

static const struct row rows[] = {
	{ "driver", NULL, NULL, NULL, "ups2000d reads the UPS itself" },
	{ "port", take_port, "port", check_port, NULL },
	{ "desc", take_value, "desc", check_text, NULL },
	{ "serial", take_value, "serial", check_serial, NULL },
	{ "baud", take_value, "baud", check_baud, NULL },
	{ "battery-date", take_value, "battery-date", check_text, NULL },
	{ "id", take_value, "id", check_text, NULL },
	{ "unit-id", take_number, "unit-id", NULL, NULL },
	{ "number", take_number, "number", NULL, NULL },
	{ "status-interval", take_number, "status-interval", NULL, NULL },
	{ "control", take_truth, "control", NULL, NULL },
	{ "ignorelb", take_ignorelb, "ignorelb", NULL, NULL },
	{ "cal-during-test", take_truth, "cal-during-test", NULL, NULL },
	{ "offdelay", take_delay, "delay-shutdown", NULL, NULL },
	{ "ondelay", take_delay, "delay-start", NULL, NULL },
	{ "rebootdelay", take_delay, "delay-reboot", NULL, NULL },

	{ "pollinterval", NULL, NULL, NULL, "the status is read several times a second" },
	{ "pollfreq", NULL, NULL, NULL, "the status is read several times a second" },
	{ "synchronous", NULL, NULL, NULL, "there is no driver process to wait for" },
	{ "maxretry", NULL, NULL, NULL, "an absent UPS is waited for, without end" },
	{ "retrydelay", NULL, NULL, NULL, "an absent UPS is waited for, without end" },
	{ "maxstartdelay", NULL, NULL, NULL, "an absent UPS is waited for, without end" },
	{ "nolock", NULL, NULL, NULL,
	  "the port is always locked: two readers would disturb each other" },
	{ "user", NULL, NULL, NULL, "ups2000d runs as its own user (run-as)" },
	{ "group", NULL, NULL, NULL, "ups2000d runs as its own user (run-as)" },
	{ "chroot", NULL, NULL, NULL, "its systemd unit confines ups2000d more than that" },
	{ "debug_min", NULL, NULL, NULL, "log { level = debug } when it is needed" },
	{ "driverpath", NULL, NULL, NULL, "there are no driver programs" },
	{ "statepath", NULL, NULL, NULL, "there are no driver sockets" },
	{ "sdorder", NULL, NULL, NULL, "the shutdown section and docs/shutdown.md take its place" },
	{ "sdcommands", NULL, NULL, NULL,
	  "the shutdown section and docs/shutdown.md take its place" },
	{ "allow_killpower", NULL, NULL, NULL,
	  "the shutdown section and docs/shutdown.md take its place" },
	{ "sddelay", NULL, NULL, NULL, "delay-shutdown takes its place" },
	{ "usb_set_altinterface", NULL, NULL, NULL, "it is for USB HID UPSes" },
	{ "LIBUSB_DEBUG", NULL, NULL, NULL, "it is for USB HID UPSes" },
};

static const struct row *find_row(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (same_key(rows[i].key, key))
			return &rows[i];
	return NULL;
}

/* override.X and default.X; false if it is neither. */
static bool take_variable(const struct place *p)
{
	const char *key = p->entry->key, *value = p->entry->value;
	bool fixed = strncasecmp(key, "override.", 9) == 0;
	char *assignment, why[512];

	if (!fixed && strncasecmp(key, "default.", 8) != 0)
		return false;
	if (!value) {
		say(p, FROM_NUT_LEFT, "it has no value");
		return true;
	}
	assignment = xasprintf("%s=%s", strchr(key, '.') + 1, value);
	if (check_assignment(assignment, why, sizeof(why))) {
		draft_add(p->section, fixed ? "override" : "default", assignment);
		from_nut__say(p->t, p->entry->line, p->setting, FROM_NUT_TAKEN, "%s",
			      fixed ? "override" : "default");
	} else {
		say(p, FROM_NUT_LEFT, why);
	}
	free(assignment);
	return true;
}

static void take_entry(struct take *t, struct draft_section *section,
		       const struct ups_conf_section *from, const struct ups_conf_entry *entry)
{
	struct place p = { t, section, from, entry, "" };
	const struct row *row = find_row(entry->key);

	snprintf(p.setting, sizeof(p.setting), entry->value ? "%s = %s" : "%s", entry->key,
		 entry->value);
	if (take_variable(&p))
		return;
	if (!row)
		say(&p, FROM_NUT_LEFT, "no such setting here; see ups2000.conf(5)");
	else if (!row->take)
		say(&p, FROM_NUT_NOT_NEEDED, row->what);
	else if (!entry->value && row->take != take_truth && row->take != take_ignorelb)
		say(&p, FROM_NUT_LEFT, "it has no value");
	else
		row->take(&p, row);
}

static bool is_ours(const char *driver)
{
	return strcmp(driver, "huawei-ups2000") == 0 || strcmp(driver, "ups2000") == 0 ||
	       strcmp(driver, "ups2000-nut") == 0;
}

static void leave_section(struct take *t, const struct ups_conf_section *section,
			  const struct ups_conf_entry *driver)
{
	char *setting = xasprintf("[%s], its %zu settings", section->name, section->n_entries);

	from_nut__say(t, driver->line, setting, FROM_NUT_LEFT,
		      "driver %s is for another kind of UPS: it stays with NUT", driver->value);
	free(setting);
	t->others = xrealloc(t->others, (t->n_others + 1) * sizeof(*t->others));
	t->others[t->n_others++] = xstrdup(section->name);
	t->found->other_upses++;
}

static bool take_section(struct take *t, const struct ups_conf_section *section)
{
	const struct ups_conf_entry *driver = find_entry(section, "driver");
	const struct ups_conf_entry *port = find_entry(section, "port");
	int line = section->n_entries ? section->entries[0].line : 0;
	struct draft_section *made;
	char why[512];

	if (!driver || !driver->value)
		return from_nut__fail(t, line,
				      "section [%.64s] has no driver. Add: driver = huawei-ups2000",
				      section->name);
	if (!is_ours(driver->value)) {
		leave_section(t, section, driver);
		return true;
	}
	if (!check_ups_name(section->name, why, sizeof(why)))
		return from_nut__fail(t, line, "%s", why);
	if (!port || !port->value)
		return from_nut__fail(t, line, "section [%s] has no port. Add: port = /dev/ttyUSB0",
				      section->name);
	if (!check_port(port->value, why, sizeof(why)))
		return from_nut__fail(t, port->line, "%s", why);
	made = draft_section(t->draft, "ups", section->name);
	for (size_t i = 0; i < section->n_entries; i++)
		take_entry(t, made, section, &section->entries[i]);
	return true;
}

static void take_globals(struct take *t, const struct ups_conf_section *globals)
{
	for (size_t i = 0; i < globals->n_entries; i++) {
		const struct ups_conf_entry *entry = &globals->entries[i];
		const struct row *row = find_row(entry->key);
		char setting[256];

		snprintf(setting, sizeof(setting), entry->value ? "%s = %s" : "%s", entry->key,
			 entry->value);
		from_nut__say(t, entry->line, setting, FROM_NUT_NOT_NEEDED, "%s",
			      row && !row->take ? row->what : "it is for NUT's driver programs");
	}
}

bool from_nut__ups_conf(struct take *t)
{
	struct ups_conf *conf;
	bool good = true;
	FILE *file = fopen(t->path, "re");

	if (!file)
		return from_nut__fail(
			t, 0,
			"cannot be opened: %s. Name the directory that holds ups.conf: "
			"--from-nut=DIR%s",
			strerror(errno), errno == EACCES ? ", and run as root" : "");
	conf = ups_conf_load_fp(file, t->path, t->error, t->error_size);
	fclose(file);
	if (!conf)
		return false;
	take_globals(t, &conf->sections[0]);
	for (size_t i = 1; i < conf->n_sections && good; i++)
		good = take_section(t, &conf->sections[i]);
	if (good && !draft_count(t->draft, "ups"))
		good = from_nut__fail(t, 0,
				      "none of its %zu sections is for a UPS2000 (driver = "
				      "huawei-ups2000 or ups2000). Run \"ups2000 setup\" without "
				      "--from-nut to find one",
				      conf->n_sections - 1);
	ups_conf_free(conf);
	return good;
}
