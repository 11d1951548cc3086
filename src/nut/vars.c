#include "nut/vars.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Text of one value while it is built. Appends whole pieces only, so that nothing is cut in half. */
struct text {
	char s[NUT_VALUE_MAX + 1];
	size_t len;
};

static bool __attribute__((format(printf, 2, 3))) put(struct text *t, const char *format, ...)
{
	size_t room = sizeof(t->s) - t->len;
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(t->s + t->len, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		t->s[t->len] = '\0';
		return false;
	}
	t->len += (size_t)n;
	return true;
}

/*
 * A text of the device, or of a table, as clients can read it: printable ASCII without # \ ", which
 * some clients do not unescape, and without blanks around it.
 */
static const char *clean(const char *from, char *to, size_t size)
{
	size_t n = 0;

	while (*from == ' ')
		from++;
	for (; *from && n + 1 < size; from++) {
		unsigned char c = (unsigned char)*from;

		if ((c & 0xc0) == 0x80)
			continue; /* the rest of a UTF-8 character */
		to[n++] = c < 0x20 || c > 0x7e || strchr("#\\\"", c) ? '?' : (char)c;
	}
	while (n && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
	return to;
}

/* An unset serial number looks like "", "0000000000", "----" or a word. */
static bool is_placeholder(const char *s)
{
	static const char *const words[] = { "N/A",	  "none",	"null",
					     "unknown",	  "default",	"undefined",
					     "123456789", "1234567890", "0123456789" };
	char first = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(s, words[i]))
			return true;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s))
			continue;
		if (first && *s != first)
			return false;
		first = *s;
	}
	return true;
}

static bool get_number(const struct u2k_snapshot *snap, enum u2k_qty qty, double *out)
{
	const struct u2k_value *v = &snap->qty[qty];

	if (v->validity != U2K_VALID || !isfinite(v->value))
		return false;
	*out = v->value;
	return true;
}

/* ---- ups.status ---- */

static const char *find_override(const struct nut_override *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(list[i].name, name))
			return list[i].value;
	return NULL;
}

/* A threshold as NUT users write it: override.X, the key of its own, default.X; < 0 if none. */
static double threshold(const struct nut_vars_config *config, const char *name, double own)
{
	const char *s = find_override(config->overrides, config->n_overrides, name);

	if (!s && own < 0)
		s = find_override(config->defaults, config->n_defaults, name);
	return s ? strtod(s, NULL) : own;
}

/*
 * As NUT: the thresholds count with ignorelb only, and then the device's own bit does not. Unlike
 * NUT: while neither value behind a threshold can be read, the device's bit counts after all;
 * a battery register that turns invalid must not hide an empty battery.
 */
static bool battery_low(const struct nut_vars_config *config, const struct u2k_snapshot *snap)
{
	bool device = snap->flags & U2K_LB;
	if (!config->ignorelb)
		return device;

	double charge_low = threshold(config, "battery.charge.low", config->battery_charge_low);
	double runtime_low = threshold(config, "battery.runtime.low", config->battery_runtime_low);
	bool blind = charge_low >= 0 || runtime_low >= 0;
	double value;

	if (charge_low >= 0 && get_number(snap, U2K_QTY_BATTERY_CHARGE, &value)) {
		blind = false;
		if (value < charge_low)
			return true;
	}
	if (runtime_low >= 0 && get_number(snap, U2K_QTY_BATTERY_RUNTIME, &value)) {
		blind = false;
		if (value < runtime_low)
			return true;
	}
	return blind && device;
}

/* In the order of the stock driver. A bit that is not here has no NUT word (U2K_FAULT). */
static const struct {
	unsigned flag;
	const char *word;
} status_words[] = {
	{ U2K_ALARM, "ALARM" },	    { U2K_OL, "OL" },	 { U2K_OB, "OB" },
	{ U2K_BYPASS, "BYPASS" },   { U2K_OFF, "OFF" },	 { U2K_ECO, "ECO" },
	{ U2K_LB, "LB" },	    { U2K_TEST, "CAL" }, { U2K_CHRG, "CHRG" },
	{ U2K_DISCHRG, "DISCHRG" }, { U2K_RB, "RB" },	 { U2K_OVER, "OVER" },
};

static unsigned shown_flags(const struct nut_vars_config *config, const struct u2k_snapshot *snap)
{
	unsigned flags = snap->flags & ~(unsigned)(U2K_LB | U2K_TEST | U2K_FAULT);

	if (battery_low(config, snap))
		flags |= U2K_LB;
	if (config->cal_for_test)
		flags |= snap->flags & U2K_TEST;
	if (flags & U2K_OB)
		flags &= ~(unsigned)U2K_CHRG;
	return flags;
}

static void put_status(struct text *t, const struct nut_vars_config *config,
		       const struct u2k_snapshot *snap)
{
	unsigned flags = shown_flags(config, snap);

	for (size_t i = 0; i < ARRAY_SIZE(status_words); i++)
		if (flags & status_words[i].flag)
			put(t, "%s%s", t->len ? " " : "", status_words[i].word);
	if (!(flags & (U2K_OL | U2K_OB | U2K_BYPASS | U2K_OFF)))
		put(t, "%sWAIT", t->len ? " " : "");
}

size_t nut_vars_status(const struct nut_vars_config *config, const struct u2k_snapshot *snap,
		       char *out, size_t size)
{
	struct text t = { .len = 0 };

	if (snap->status_at_us)
		put_status(&t, config, snap);
	if (!size)
		return 0;

	size_t n = t.len < size ? t.len : size - 1;
	memcpy(out, t.s, n);
	out[n] = '\0';
	return n;
}

/* ---- the table ---- */

struct row;

/* Writes the value into t; false if there is none now. snap is NULL for rows of CONFIG alone. */
typedef bool (*row_fn)(const struct row *row, const struct nut_vars_config *config,
		       const struct u2k_snapshot *snap, struct text *t);

struct row {
	const char *name;
	row_fn get;
	uint64_t deps;	  /* which bits of a mask make it change */
	enum u2k_qty qty; /* number, choice, charger: the quantity */
	int decimals;	  /* number */
	double factor;	  /* number: times this */
	const char *text; /* constant: the text; choice: "word for 0/word for 1" */
	size_t field;	  /* identity, configured_*: offset in its struct */
};

#define CONFIG ((uint64_t)1 << 63)
#define Q(q) U2K_CHANGED_QTY(q)

static bool status(const struct row *row, const struct nut_vars_config *config,
		   const struct u2k_snapshot *snap, struct text *t)
{
	(void)row;
	if (!snap->status_at_us)
		return false;
	put_status(t, config, snap);
	return true;
}

/*
 * Unknown bits are told whether or not they count as ALARM; that is for state.c to say.
 * One alarm in brackets, or "[and N more]" in the end: a value holds 255 characters.
 */
struct alarm_list {
	struct text *t;
	unsigned left_out;
};

static void __attribute__((format(printf, 2, 3)))
put_alarm(struct alarm_list *list, const char *format, ...)
{
	enum { RESERVE = sizeof(" [and 999 more]") };
	char item[128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(item, sizeof(item), format, ap);
	va_end(ap);

	char cleaned[sizeof(item)];
	clean(item, cleaned, sizeof(cleaned));
	if (list->left_out || list->t->len + strlen(cleaned) + 3 + RESERVE > NUT_VALUE_MAX)
		list->left_out++;
	else
		put(list->t, "%s[%s]", list->t->len ? " " : "", cleaned);
}

static bool alarms(const struct row *row, const struct nut_vars_config *config,
		   const struct u2k_snapshot *snap, struct text *t)
{
	enum { FIRST_REGISTER = 40156 };
	struct alarm_list list = { .t = t };

	(void)row;
	(void)config;
	if (!snap->status_at_us)
		return false;

	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++) {
		const struct u2k_alarm_desc *d = u2k_alarm_desc(i);

		if (snap->alarms_shown & (uint32_t)1 << i)
			put_alarm(&list, "(%u/%u) %s", d->id, d->cause, d->name);
	}
	for (unsigned i = 0; i < U2K_ALARM_REGS; i++)
		for (unsigned bit = 0; bit < 16; bit++)
			if (snap->alarms.unknown[i] & 1U << bit)
				put_alarm(&list, "unknown alarm register %u bit %u",
					  FIRST_REGISTER + i, bit);
	if (snap->flags & U2K_FAULT)
		put_alarm(&list, "UPS internal fault");
	if (list.left_out)
		put(t, " [and %u more]", list.left_out);
	if (!t->len && snap->flags & U2K_ALARM)
		put(t, "[unspecified alarm]");
	return t->len;
}

static bool number(const struct row *row, const struct nut_vars_config *config,
		   const struct u2k_snapshot *snap, struct text *t)
{
	double value;

	(void)config;
	if (!get_number(snap, row->qty, &value))
		return false;
	return put(t, "%.*f", row->decimals, value * row->factor);
}

/* 0 and 1 as words; the device has no other value for these. */
static bool choice(const struct row *row, const struct nut_vars_config *config,
		   const struct u2k_snapshot *snap, struct text *t)
{
	const char *slash = strchr(row->text, '/');
	double value;

	(void)config;
	if (!get_number(snap, row->qty, &value) || (value != 0 && value != 1))
		return false;
	return value == 0 ? put(t, "%.*s", (int)(slash - row->text), row->text)
			  : put(t, "%s", slash + 1);
}

static bool charger(const struct row *row, const struct nut_vars_config *config,
		    const struct u2k_snapshot *snap, struct text *t)
{
	static const char *const words[] = {
		[U2K_BATTERY_RESTING] = "resting",
		[U2K_BATTERY_FLOAT] = "charging",
		[U2K_BATTERY_EQUALISING] = "charging",
		[U2K_BATTERY_DISCHARGING] = "discharging",
	};
	double value;

	(void)config;
	if (!get_number(snap, row->qty, &value) || value < 0 || value >= ARRAY_SIZE(words))
		return false;

	const char *word = words[(size_t)value];
	return word && put(t, "%s", word);
}

static bool mode(const struct row *row, const struct nut_vars_config *config,
		 const struct u2k_snapshot *snap, struct text *t)
{
	(void)row;
	(void)config;
	if (!snap->status_at_us || snap->flags & U2K_OFF)
		return false;
	if (snap->flags & U2K_BYPASS)
		return put(t, "bypass");
	return snap->flags & (U2K_OL | U2K_OB) && put(t, "online");
}

static bool buzzwords(const struct row *row, const struct nut_vars_config *config,
		      const struct u2k_snapshot *snap, struct text *t)
{
	(void)row;
	(void)config;
	return snap->status_at_us && snap->flags & U2K_ECO && put(t, "vendor:huawei:ECO");
}

/* Seconds, or -1 while nothing runs; no value while no register behind it is known. */
static bool timer_shutdown(const struct row *row, const struct nut_vars_config *config,
			   const struct u2k_snapshot *snap, struct text *t)
{
	double restart = 0, off = 0;
	bool has_restart = get_number(snap, U2K_QTY_RESTART_OFF, &restart);
	bool has_off = get_number(snap, U2K_QTY_OFF_TIMER, &off);

	(void)row;
	(void)config;
	if (!has_restart && !has_off)
		return false;
	if (restart <= 0 && off <= 0)
		return put(t, "-1");
	if (restart <= 0 || (off > 0 && off < restart))
		restart = off;
	return put(t, "%.0f", restart);
}

static bool timer_reboot(const struct row *row, const struct nut_vars_config *config,
			 const struct u2k_snapshot *snap, struct text *t)
{
	double off;

	(void)row;
	(void)config;
	if (!get_number(snap, U2K_QTY_RESTART_OFF, &off))
		return false;
	return off > 0 ? put(t, "%.0f", off) : put(t, "-1");
}

/* NUT counts from now, 1048 from the moment of switching off. */
static bool timer_start(const struct row *row, const struct nut_vars_config *config,
			const struct u2k_snapshot *snap, struct text *t)
{
	double off = 0, on;

	(void)row;
	(void)config;
	get_number(snap, U2K_QTY_RESTART_OFF, &off);
	if (!get_number(snap, U2K_QTY_RESTART_ON, &on))
		return false;
	return on > 0 ? put(t, "%.0f", on + (off > 0 ? off : 0)) : put(t, "-1");
}

static bool identity(const struct row *row, const struct nut_vars_config *config,
		     const struct u2k_snapshot *snap, struct text *t)
{
	char cleaned[64];

	(void)config;
	clean((const char *)&snap->identity + row->field, cleaned, sizeof(cleaned));
	return *cleaned && put(t, "%s", cleaned);
}

static bool serial(const struct row *row, const struct nut_vars_config *config,
		   const struct u2k_snapshot *snap, struct text *t)
{
	char cleaned[64];

	(void)row;
	(void)config;
	clean(snap->identity.esn, cleaned, sizeof(cleaned));
	return !is_placeholder(cleaned) && put(t, "%s", cleaned);
}

static bool constant(const struct row *row, const struct nut_vars_config *config,
		     const struct u2k_snapshot *snap, struct text *t)
{
	(void)config;
	(void)snap;
	return put(t, "%s", row->text);
}

static bool configured_text(const struct row *row, const struct nut_vars_config *config,
			    const struct u2k_snapshot *snap, struct text *t)
{
	const char *s;

	(void)snap;
	memcpy(&s, (const char *)config + row->field, sizeof(s));
	return s && *s && put(t, "%.*s", NUT_VALUE_MAX, s);
}

static bool configured_number(const struct row *row, const struct nut_vars_config *config,
			      const struct u2k_snapshot *snap, struct text *t)
{
	double value;

	(void)snap;
	memcpy(&value, (const char *)config + row->field, sizeof(value));
	return value >= 0 && put(t, "%.10g", value);
}

static bool configured_flag(const struct row *row, const struct nut_vars_config *config,
			    const struct u2k_snapshot *snap, struct text *t)
{
	bool on;

	(void)snap;
	memcpy(&on, (const char *)config + row->field, sizeof(on));
	return on && put(t, "enabled");
}

#define NUMBER(n, q, digits)                                                                       \
	{                                                                                          \
		.name = (n), .get = number, .deps = Q(q), .qty = (q), .decimals = (digits),        \
		.factor = 1                                                                        \
	}
#define CHOICE(n, q, words)                                                                        \
	{                                                                                          \
		.name = (n), .get = choice, .deps = Q(q), .qty = (q), .text = (words)              \
	}
#define IDENTITY(n, f)                                                                             \
	{                                                                                          \
		.name = (n), .get = identity, .deps = U2K_CHANGED_IDENTITY,                        \
		.field = offsetof(struct u2k_identity, f)                                          \
	}
#define SERIAL(n)                                                                                  \
	{                                                                                          \
		.name = (n), .get = serial, .deps = U2K_CHANGED_IDENTITY                           \
	}
#define CONSTANT(n, t)                                                                             \
	{                                                                                          \
		.name = (n), .get = constant, .deps = CONFIG, .text = (t)                          \
	}
#define CONFIGURED(n, kind, f)                                                                     \
	{                                                                                          \
		.name = (n), .get = (kind), .deps = CONFIG,                                        \
		.field = offsetof(struct nut_vars_config, f)                                       \
	}

enum { ROW_ALARM, ROW_STATUS, ROW_OTHERS };

/* docs/nut-variables.md says the same in words. */
static const struct row rows[] = {
	[ROW_ALARM] = { .name = "ups.alarm",
			.get = alarms,
			.deps = U2K_CHANGED_FLAGS | U2K_CHANGED_ALARMS },
	[ROW_STATUS] = { .name = "ups.status",
			 .get = status,
			 .deps = U2K_CHANGED_FLAGS | Q(U2K_QTY_OUTPUT_SOURCE) |
				 Q(U2K_QTY_BATTERY_CHARGE) | Q(U2K_QTY_BATTERY_RUNTIME) },
	NUMBER("input.voltage", U2K_QTY_INPUT_VOLTAGE, 1),
	NUMBER("input.frequency", U2K_QTY_INPUT_FREQUENCY, 1),
	NUMBER("input.bypass.voltage", U2K_QTY_BYPASS_VOLTAGE, 1),
	NUMBER("input.bypass.frequency", U2K_QTY_BYPASS_FREQUENCY, 1),
	NUMBER("input.phases", U2K_QTY_INPUT_PHASES, 0),
	NUMBER("output.voltage", U2K_QTY_OUTPUT_VOLTAGE, 1),
	NUMBER("output.current", U2K_QTY_OUTPUT_CURRENT, 1),
	NUMBER("output.frequency", U2K_QTY_OUTPUT_FREQUENCY, 1),
	NUMBER("output.realpower", U2K_QTY_OUTPUT_REALPOWER, 1),
	NUMBER("output.power", U2K_QTY_OUTPUT_POWER, 1),
	NUMBER("output.phases", U2K_QTY_OUTPUT_PHASES, 0),
	NUMBER("ups.realpower", U2K_QTY_OUTPUT_REALPOWER, 1),
	NUMBER("ups.power", U2K_QTY_OUTPUT_POWER, 1),
	NUMBER("ups.power.nominal", U2K_QTY_RATED_POWER, 0),
	NUMBER("ups.load", U2K_QTY_LOAD, 1),
	NUMBER("ups.temperature", U2K_QTY_TEMPERATURE, 1),
	NUMBER("battery.voltage", U2K_QTY_BATTERY_VOLTAGE, 1),
	{ .name = "battery.voltage.nominal",
	  .get = number,
	  .deps = Q(U2K_QTY_BATTERY_BLOCKS),
	  .qty = U2K_QTY_BATTERY_BLOCKS,
	  .factor = 12 },
	NUMBER("battery.charge", U2K_QTY_BATTERY_CHARGE, 1),
	NUMBER("battery.runtime", U2K_QTY_BATTERY_RUNTIME, 0),
	NUMBER("battery.packs", U2K_QTY_BATTERY_BLOCKS, 0),
	NUMBER("battery.capacity", U2K_QTY_BATTERY_CAPACITY, 0),
	{ .name = "battery.charger.status",
	  .get = charger,
	  .deps = Q(U2K_QTY_BATTERY_STATE),
	  .qty = U2K_QTY_BATTERY_STATE },
	CHOICE("ups.start.auto", U2K_QTY_AUTO_START, "no/yes"),
	CHOICE("ups.beeper.status", U2K_QTY_BEEPER_MUTED, "enabled/disabled"),
	{ .name = "ups.mode", .get = mode, .deps = U2K_CHANGED_FLAGS | Q(U2K_QTY_OUTPUT_SOURCE) },
	{ .name = "experimental.ups.mode.buzzwords", .get = buzzwords, .deps = U2K_CHANGED_FLAGS },
	{ .name = "ups.timer.shutdown",
	  .get = timer_shutdown,
	  .deps = Q(U2K_QTY_RESTART_OFF) | Q(U2K_QTY_OFF_TIMER) },
	{ .name = "ups.timer.start",
	  .get = timer_start,
	  .deps = Q(U2K_QTY_RESTART_OFF) | Q(U2K_QTY_RESTART_ON) },
	{ .name = "ups.timer.reboot", .get = timer_reboot, .deps = Q(U2K_QTY_RESTART_OFF) },
	IDENTITY("device.model", model),
	IDENTITY("ups.model", model),
	SERIAL("device.serial"),
	SERIAL("ups.serial"),
	IDENTITY("ups.firmware", firmware),
	IDENTITY("ups.firmware.aux", protocol),
	CONSTANT("device.mfr", "Huawei"),
	CONSTANT("ups.mfr", "Huawei"),
	CONSTANT("device.type", "ups"),
	CONSTANT("ups.type", "online"),
	CONSTANT("driver.name", "ups2000"),
	CONSTANT("driver.version", U2K_VERSION),
	CONSTANT("driver.version.internal", U2K_VERSION),
	CONFIGURED("driver.flag.ignorelb", configured_flag, ignorelb),
	CONFIGURED("battery.date", configured_text, battery_date),
	CONFIGURED("ups.id", configured_text, id),
	CONFIGURED("battery.charge.low", configured_number, battery_charge_low),
	CONFIGURED("battery.runtime.low", configured_number, battery_runtime_low),
};

/* ---- the store ---- */

/* A variable without a row: it came from the configuration, and goes with it. */
struct extra {
	char *name, *value;
	bool wanted;
};

struct nut_vars {
	struct nut_vars_config config;
	struct nut_store *store;
	bool reconfigured;			/* the next update computes everything */
	bool fixed[ARRAY_SIZE(rows)];		/* override.X */
	const char *fallback[ARRAY_SIZE(rows)]; /* default.X, or NULL */
	struct extra *extras;
	size_t n_extras;
};

static void update_row(struct nut_vars *vars, size_t i, const struct u2k_snapshot *snap)
{
	const struct row *row = &rows[i];
	struct text t = { .len = 0 };

	if (vars->fixed[i])
		return;
	if (row->get(row, &vars->config, snap, &t))
		nut_store_set(vars->store, row->name, t.s);
	else if (vars->fallback[i])
		nut_store_set(vars->store, row->name, vars->fallback[i]);
	else
		nut_store_del(vars->store, row->name);
}

void nut_vars_update(struct nut_vars *vars, const struct u2k_snapshot *snap, uint64_t mask)
{
	if (vars->reconfigured)
		mask = UINT64_MAX;
	vars->reconfigured = false;

	/* ALARM is never seen without ups.alarm, and nothing else delays the status. */
	if (mask & (rows[ROW_STATUS].deps | rows[ROW_ALARM].deps)) {
		bool alarm = snap->flags & U2K_ALARM;

		update_row(vars, alarm ? ROW_ALARM : ROW_STATUS, snap);
		update_row(vars, alarm ? ROW_STATUS : ROW_ALARM, snap);
	}
	for (size_t i = ROW_OTHERS; i < ARRAY_SIZE(rows); i++)
		if (mask & rows[i].deps)
			update_row(vars, i, snap);
}

static size_t find_row(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(rows) && strcasecmp(rows[i].name, name) != 0)
		i++;
	return i;
}

static void set_extra(struct nut_vars *vars, const char *name, const char *value)
{
	nut_store_set(vars->store, name, value);
	for (size_t i = 0; i < vars->n_extras; i++) {
		struct extra *e = &vars->extras[i];

		if (strcasecmp(e->name, name) != 0)
			continue;
		char *copy = strdup(value);
		if (copy) {
			free(e->value);
			e->value = copy;
		}
		e->wanted = true;
		return;
	}

	struct extra *more = realloc(vars->extras, (vars->n_extras + 1) * sizeof(*more));
	if (!more)
		return;
	vars->extras = more;
	more += vars->n_extras;
	*more = (struct extra){ strdup(name), strdup(value), true };
	if (!more->name || !more->value) {
		free(more->name);
		free(more->value);
		return;
	}
	vars->n_extras++;
}

static void take_overrides(struct nut_vars *vars)
{
	for (size_t i = 0; i < vars->config.n_overrides; i++) {
		const struct nut_override *o = &vars->config.overrides[i];
		size_t row = find_row(o->name);

		if (row == ARRAY_SIZE(rows)) {
			set_extra(vars, o->name, o->value);
			continue;
		}
		vars->fixed[row] = true;
		nut_store_set(vars->store, rows[row].name, o->value);
	}
}

static struct extra *find_extra(struct nut_vars *vars, const char *name)
{
	for (size_t i = 0; i < vars->n_extras; i++)
		if (!strcasecmp(vars->extras[i].name, name))
			return &vars->extras[i];
	return NULL;
}

static void take_defaults(struct nut_vars *vars)
{
	for (size_t i = 0; i < vars->config.n_defaults; i++) {
		const struct nut_override *o = &vars->config.defaults[i];
		size_t row = find_row(o->name);

		if (row < ARRAY_SIZE(rows)) {
			vars->fallback[row] = o->value;
			if (!nut_store_find(vars->store, rows[row].name))
				nut_store_set(vars->store, rows[row].name, o->value);
			continue;
		}

		/* Somebody else's variable: only while that one has not set it. */
		struct extra *ours = find_extra(vars, o->name);
		const char *now = nut_store_get(vars->store, o->name);
		if (ours && ours->wanted)
			continue; /* overridden */
		if (!now || (ours && !strcmp(now, ours->value)))
			set_extra(vars, o->name, o->value);
	}
}

static void take_parameters(struct nut_vars *vars)
{
	for (size_t i = 0; i < vars->config.n_parameters; i++) {
		const struct nut_override *p = &vars->config.parameters[i];
		char name[NUT_NAME_MAX + 1];
		int n = snprintf(name, sizeof(name), "driver.parameter.%s", p->name);

		if (n > 0 && (size_t)n < sizeof(name) &&
		    !find_override(vars->config.overrides, vars->config.n_overrides, name))
			set_extra(vars, name, p->value);
	}
}

/* What an earlier configuration brought and this one does not, unless it was changed since. */
static void drop_extras(struct nut_vars *vars)
{
	size_t kept = 0;

	for (size_t i = 0; i < vars->n_extras; i++) {
		struct extra *e = &vars->extras[i];

		if (e->wanted) {
			vars->extras[kept++] = *e;
			continue;
		}
		const char *now = nut_store_get(vars->store, e->name);
		if (now && !strcmp(now, e->value))
			nut_store_del(vars->store, e->name);
		free(e->name);
		free(e->value);
	}
	vars->n_extras = kept;
}

void nut_vars_configure(struct nut_vars *vars, const struct nut_vars_config *config)
{
	vars->config = *config;
	memset(vars->fixed, 0, sizeof(vars->fixed));
	memset(vars->fallback, 0, sizeof(vars->fallback));
	for (size_t i = 0; i < vars->n_extras; i++)
		vars->extras[i].wanted = false;

	take_overrides(vars);
	take_parameters(vars);
	take_defaults(vars);
	drop_extras(vars);
	for (size_t i = ROW_OTHERS; i < ARRAY_SIZE(rows); i++)
		if (rows[i].deps == CONFIG)
			update_row(vars, i, NULL);
	vars->reconfigured = true;
}

struct nut_vars *nut_vars_new(const struct nut_vars_config *config, struct nut_store *store)
{
	struct nut_vars *vars = calloc(1, sizeof(*vars));

	if (!vars)
		return NULL;
	vars->store = store;
	nut_vars_configure(vars, config);
	return vars;
}

void nut_vars_free(struct nut_vars *vars)
{
	if (!vars)
		return;
	for (size_t i = 0; i < vars->n_extras; i++) {
		free(vars->extras[i].name);
		free(vars->extras[i].value);
	}
	free(vars->extras);
	free(vars);
}
