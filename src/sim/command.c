#include "sim/command.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/report.h"
#include "sim/server.h"
#include "ups2000/error.h"
#include "util/util.h"

enum { WORDS_MAX = 16, LINE_MAX_BYTES = 512, TEXT_MAX = 256 };

struct call {
	struct sim_world *world;
	struct sim_server *srv;
	struct sim_device *dev;
	int64_t now_us;
	FILE *out;
	const char *rest; /* of the line, behind the command's name */
	size_t n;	  /* words behind the name */
	char *arg[WORDS_MAX];
};

static int fail(struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct call *c, const char *format, ...)
{
	va_list args;

	fputs("error: ", c->out);
	va_start(args, format);
	vfprintf(c->out, format, args);
	va_end(args);
	fputc('\n', c->out);
	return U2K_EINVAL;
}

static int ok(struct call *c)
{
	fputs("ok\n", c->out);
	return 0;
}

static bool number(const char *text, double min, double max, double *out)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < min || value > max)
		return false;
	*out = value;
	return true;
}

static bool integer(const char *text, long min, long max, long *out)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 0);
	if (errno || end == text || *end || value < min || value > max)
		return false;
	*out = value;
	return true;
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* on 1, off 0, else -1 */
static int on_off(const char *word)
{
	return is(word, "on") ? 1 : is(word, "off") ? 0 : -1;
}

static int cmd_get(struct call *c)
{
	const char *port = c->world->port ? c->world->port(c->world->user) : NULL;

	fputs("ok ", c->out);
	report_state(c->srv, port, c->out);
	fputc('\n', c->out);
	return 0;
}

static int cmd_log(struct call *c)
{
	fputs("ok ", c->out);
	report_log(c->srv, c->out);
	fputc('\n', c->out);
	return 0;
}

static int cmd_writes(struct call *c)
{
	fputs("ok ", c->out);
	report_writes(c->srv, c->out);
	fputc('\n', c->out);
	return 0;
}

static int cmd_mains(struct call *c)
{
	double volts = c->dev->mains_volts, hz = c->dev->mains_hz;
	int on = on_off(c->arg[0]);

	if (on < 0 && !number(c->arg[0], 0, 400, &volts))
		return fail(c, "mains \"%s\": must be on, off or 0 to 400 volts", c->arg[0]);
	if (c->n > 1 && !number(c->arg[1], 0, 100, &hz))
		return fail(c, "mains frequency \"%s\": must be 0 to 100 Hz", c->arg[1]);
	sim_device_mains(c->dev, on != 0, volts, hz);
	return ok(c);
}

static int cmd_load(struct call *c)
{
	double percent;

	if (!number(c->arg[0], 0, 300, &percent))
		return fail(c, "load \"%s\": must be 0 to 300 percent", c->arg[0]);
	sim_device_load(c->dev, percent);
	return ok(c);
}

static int cmd_temperature(struct call *c)
{
	double celsius;

	if (!number(c->arg[0], -50, 150, &celsius))
		return fail(c, "temperature \"%s\": must be -50 to 150 degrees Celsius", c->arg[0]);
	sim_device_temperature(c->dev, celsius);
	return ok(c);
}

static int cmd_battery(struct call *c)
{
	char text[32];
	double percent;
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", c->arg[0]);

	if (c->n == 2 && is(c->arg[0], "worn") && on_off(c->arg[1]) >= 0) {
		sim_device_battery_worn(c->dev, on_off(c->arg[1]));
		return ok(c);
	}
	if (c->n == 1 && (is(text, "plug") || is(text, "unplug"))) {
		sim_device_battery_plug(c->dev, is(text, "plug"));
		return ok(c);
	}
	if (len && len < sizeof(text) && text[len - 1] == '%')
		text[len - 1] = '\0';
	if (c->n != 1 || !number(text, 0, 100, &percent))
		return fail(c, "battery \"%s\": must be 0%% to 100%%, plug, unplug or worn on|off",
			    c->arg[0]);
	sim_device_battery_charge(c->dev, percent);
	return ok(c);
}

static int cmd_bypass(struct call *c)
{
	if (!is(c->arg[0], "ok") && !is(c->arg[0], "bad"))
		return fail(c, "bypass \"%s\": must be ok or bad", c->arg[0]);
	sim_device_bypass(c->dev, is(c->arg[0], "bad"));
	return ok(c);
}

static int cmd_alarm(struct call *c)
{
	int on = on_off(c->arg[1]);

	if (on < 0 && !is(c->arg[1], "auto"))
		return fail(c, "alarm %s \"%s\": must be on, off or auto", c->arg[0], c->arg[1]);
	if (sim_device_alarm(c->dev, c->arg[0], on))
		return fail(c, "unknown alarm \"%s\": must be ID/CAUSE, \"help alarm\" lists them",
			    c->arg[0]);
	return ok(c);
}

static int cmd_reg(struct call *c)
{
	uint16_t value;
	long base, poke;

	if (!integer(c->arg[0], 0, 65535, &base))
		return fail(c, "register \"%s\": must be a base address without 10000 x N, as 1024",
			    c->arg[0]);
	if (c->n == 1) {
		bool known = sim_device_peek(c->dev, (uint16_t)base, &value);

		fprintf(c->out, "ok %u%s\n", value, known ? "" : " undefined");
		return 0;
	}
	if (is(c->arg[1], "auto")) {
		sim_device_unforce(c->dev, (uint16_t)base);
		return ok(c);
	}
	if (!integer(c->arg[1], -32768, 65535, &poke))
		return fail(c, "register %ld \"%s\": must be -32768 to 65535 or auto", base,
			    c->arg[1]);
	if (!sim_device_force(c->dev, (uint16_t)base, (uint16_t)poke))
		return fail(c, "%d registers are forced; give some back with \"reg BASE auto\"",
			    SIM_FORCED_MAX);
	return ok(c);
}

static int cmd_fault(struct call *c)
{
	char err[TEXT_MAX];

	if (sim_faults_set(&c->srv->faults, c->rest, err, sizeof(err)))
		return fail(c, "%s", err);
	return ok(c);
}

static int set_mute(struct call *c, const char *fault)
{
	char err[TEXT_MAX];

	sim_faults_set(&c->srv->faults, fault, err, sizeof(err));
	return ok(c);
}

static int cmd_mute(struct call *c)
{
	return set_mute(c, "mute");
}

static int cmd_unmute(struct call *c)
{
	c->srv->locked = false;
	return set_mute(c, "mute off");
}

static int cmd_dialect(struct call *c)
{
	int on = c->n > 1 ? on_off(c->arg[1]) : 1;
	char err[TEXT_MAX];

	if (on < 0)
		return fail(c, "dialect %s \"%s\": must be on or off", c->arg[0], c->arg[1]);
	if (sim_dialect_set(&c->dev->dialect, c->arg[0], on, err, sizeof(err)))
		return fail(c, "%s", err);
	return ok(c);
}

static int cmd_panel(struct call *c)
{
	if (c->n == 1 && is(c->arg[0], "on"))
		sim_device_panel_on(c->dev);
	else if (c->n == 1 && is(c->arg[0], "off"))
		sim_device_panel_off(c->dev);
	else if (c->n == 1 && is(c->arg[0], "mute"))
		sim_device_panel_mute(c->dev);
	else if (c->n == 1 && is(c->arg[0], "clear"))
		sim_device_panel_clear(c->dev);
	else if (c->n == 2 && is(c->arg[0], "eco") && on_off(c->arg[1]) >= 0)
		sim_device_panel_eco(c->dev, on_off(c->arg[1]));
	else
		return fail(c, "panel \"%s\": must be on, off, mute, clear, eco on or eco off",
			    c->rest);
	return ok(c);
}

static int cmd_speed(struct call *c)
{
	double speed;

	if (!number(c->arg[0], 0.001, 100000, &speed))
		return fail(c, "speed \"%s\": must be 0.001 to 100000", c->arg[0]);
	sim_server_speed(c->srv, c->now_us, speed);
	return ok(c);
}

static int cmd_unplug(struct call *c)
{
	if (!c->world->unplug || c->world->unplug(c->world->user))
		return fail(c, "there is nothing to unplug; \"replug\" makes a new port");
	sim_server_cut(c->srv);
	return ok(c);
}

static int cmd_replug(struct call *c)
{
	if (!c->world->replug || c->world->replug(c->world->user))
		return fail(c, "the port is there or cannot be made; \"unplug\" removes it");
	if (c->world->port)
		fprintf(c->out, "ok %s\n", c->world->port(c->world->user));
	else
		ok(c);
	return 0;
}

static int cmd_quit(struct call *c)
{
	if (!c->world->quit)
		return fail(c, "there is no program to end");
	c->world->quit(c->world->user);
	return ok(c);
}

static int cmd_help(struct call *c);

static const struct verb {
	const char *name;
	size_t min, max; /* words behind it */
	int (*run)(struct call *c);
	const char *usage;
} verbs[] = {
	{ "help", 0, 1, cmd_help, "help [COMMAND]" },
	{ "get", 0, 0, cmd_get, "get" },
	{ "mains", 1, 2, cmd_mains, "mains on|off|VOLTS [HZ]" },
	{ "load", 1, 1, cmd_load, "load PERCENT" },
	{ "battery", 1, 2, cmd_battery, "battery CHARGE%|plug|unplug|worn on|worn off" },
	{ "bypass", 1, 1, cmd_bypass, "bypass ok|bad" },
	{ "alarm", 2, 2, cmd_alarm, "alarm ID/CAUSE on|off|auto" },
	{ "reg", 1, 2, cmd_reg, "reg BASE [VALUE|auto]" },
	{ "temperature", 1, 1, cmd_temperature, "temperature CELSIUS" },
	{ "fault", 1, WORDS_MAX, cmd_fault,
	  "fault NAME [always|once|xCOUNT|PROBABILITY|off] [KEY=VALUE ...] | fault off" },
	{ "dialect", 1, 2, cmd_dialect, "dialect NAME[=NUMBER] [on|off]" },
	{ "panel", 1, 2, cmd_panel, "panel on|off|mute|clear|eco on|eco off" },
	{ "unplug", 0, 0, cmd_unplug, "unplug" },
	{ "replug", 0, 0, cmd_replug, "replug" },
	{ "mute", 0, 0, cmd_mute, "mute" },
	{ "unmute", 0, 0, cmd_unmute, "unmute" },
	{ "log", 0, 0, cmd_log, "log" },
	{ "writes", 0, 0, cmd_writes, "writes" },
	{ "speed", 1, 1, cmd_speed, "speed FACTOR" },
	{ "quit", 0, 0, cmd_quit, "quit" },
};

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (is(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static void help_names(struct call *c, const char *topic)
{
	if (is(topic, "fault"))
		for (int i = 0; i < SIM_FAULT_COUNT; i++)
			fprintf(c->out, "; %s: %s", sim_fault_name((enum sim_fault_kind)i),
				sim_fault_help((enum sim_fault_kind)i));
	if (is(topic, "dialect"))
		for (size_t i = 0; i < sim_dialect_count(); i++)
			fprintf(c->out, "; %s: %s", sim_dialect_name(i), sim_dialect_help(i));
	if (is(topic, "alarm"))
		for (size_t i = 0; i < sim_alarm_count(); i++)
			fprintf(c->out, "; %s", sim_alarm_name(i));
}

static int cmd_help(struct call *c)
{
	const struct verb *v = c->n ? find(c->arg[0]) : NULL;

	if (c->n && !v)
		return fail(c, "unknown command \"%s\"; \"help\" lists them", c->arg[0]);
	fputs("ok ", c->out);
	if (v) {
		fputs(v->usage, c->out);
		help_names(c, v->name);
	}
	for (size_t i = 0; !v && i < ARRAY_SIZE(verbs); i++)
		fprintf(c->out, "%s%s", i ? "; " : "", verbs[i].usage);
	fputc('\n', c->out);
	return 0;
}

/* "unit N COMMAND" is for the N-th UPS. Returns the command, NULL after an error. */
static const char *select_unit(struct call *c, const char *line)
{
	size_t n_units = c->world->units ? c->world->n_units : 1;
	char *end;
	unsigned long n;

	if (strncmp(line, "unit ", 5) != 0)
		return line;
	n = strtoul(line + 5, &end, 10);
	if (end == line + 5 || *end != ' ' || n < 1 || n > n_units) {
		fail(c, "\"%.20s\": must be unit N COMMAND, N from 1 to %zu", line, n_units);
		return NULL;
	}
	if (c->world->units)
		c->srv = c->world->units[n - 1];
	return end + 1;
}

int sim_command(struct sim_world *world, int64_t now_us, const char *line, FILE *out)
{
	struct call c = { .world = world, .srv = world->srv, .now_us = now_us, .out = out };
	char copy[LINE_MAX_BYTES], *save = NULL, *name;
	const struct verb *v;

	line = select_unit(&c, line);
	if (!line)
		return U2K_EINVAL;
	c.dev = &c.srv->dev;
	if ((size_t)snprintf(copy, sizeof(copy), "%s", line) >= sizeof(copy))
		return fail(&c, "a command has at most %d bytes", LINE_MAX_BYTES - 1);
	name = strtok_r(copy, " \t\r", &save);
	if (!name)
		return fail(&c, "empty command; \"help\" lists them");
	v = find(name);
	if (!v)
		return fail(&c, "unknown command \"%.40s\"; \"help\" lists them", name);
	c.rest = line + (size_t)(name - copy) + strlen(name);
	for (char *word; (word = strtok_r(NULL, " \t\r", &save));) {
		if (c.n == WORDS_MAX)
			return fail(&c, "too many words; usage: %s", v->usage);
		c.arg[c.n++] = word;
	}
	if (c.n < v->min || c.n > v->max)
		return fail(&c, "usage: %s", v->usage);
	sim_server_advance(c.srv, now_us);
	return v->run(&c);
}
