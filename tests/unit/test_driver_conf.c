/* ups.conf: NUT's grammar, and what this driver makes of it. */
#include "nut/ups_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/config.h"
#include "driver/args.h"
#include "driver/settings.h"
#include "util/util.h"

/* --- the grammar ------------------------------------------------------------------------------- */

/* out: "section:key=value;" with "key!" for a flag. Expected values: docs/nut-driver.md. */
static const struct {
	const char *what, *in, *out;
} good[] = {
	{ "empty", "", "" },
	{ "global and section", "a = 1\n[u]\nb = 2\n", ":a=1;u:b=2;" },
	{ "no blanks around =", "[u]\na=1\n", "u:a=1;" },
	{ "flag", "[u]\nignorelb\n", "u:ignorelb!;" },
	{ "quotes", "[u]\ndesc = \"a b\"\n", "u:desc=a b;" },
	{ "escaped quote and #", "[u]\nd = \"a\\\"b\\#c\"\n", "u:d=a\"b#c;" },
	{ "comments", "# x = 1\n[u] # two\na = 1 # three\n", "u:a=1;" },
	{ "no newline at the end", "[u]\na = 1", "u:a=1;" },
	{ "CR LF", "[u]\r\na = 1\r\n", "u:a=1;" },
	{ "a section twice is one", "[u]\na = 1\n[v]\n[u]\nb = 2\n", "u:a=1;u:b=2;" },
	{ "sections with case", "[u]\na = 1\n[U]\na = 2\n", "u:a=1;U:a=2;" },
	{ "empty value in quotes", "[u]\na = \"\"\n", "u:a=;" },
	{ "joined lines", "[u]\na = \\\n1\n", "u:a=1;" },
	{ "other programs' global words", "LISTEN a b\n[u]\na = 1\n", "u:a=1;" },
};

static void show(const struct ups_conf *conf, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < conf->n_sections; i++) {
		const struct ups_conf_section *section = &conf->sections[i];

		for (size_t e = 0; e < section->n_entries; e++) {
			const struct ups_conf_entry *entry = &section->entries[e];

			used += (size_t)snprintf(out + used, size - used, "%s:%s%s%s;",
						 section->name ? section->name : "", entry->key,
						 entry->value ? "=" : "!",
						 entry->value ? entry->value : "");
		}
	}
}

static struct ups_conf *parse(const char *text, char *error, size_t size)
{
	FILE *file = tmpfile();
	struct ups_conf *conf;

	assert_non_null(file);
	fputs(text, file);
	rewind(file);
	conf = ups_conf_load_fp(file, "ups.conf", error, size);
	fclose(file);
	return conf;
}

static void test_good_files(void **state)
{
	char error[512], out[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct ups_conf *conf = parse(good[i].in, error, sizeof(error));

		print_message("%s\n", good[i].what);
		assert_non_null(conf);
		show(conf, out, sizeof(out));
		assert_string_equal(out, good[i].out);
		ups_conf_free(conf);
	}
}

static const struct {
	const char *what, *in, *error;
} bad[] = {
	{ "open quote", "[u]\n\na = \"b\n", "ups.conf:3: a quote is opened here" },
	{ "no bracket", "[u\n", "ups.conf:1: \"[u\" opens no section" },
	{ "empty name", "x = 1\n[]\n", "ups.conf:2: \"[]\" opens no section" },
	{ "no value", "[u]\na =\n", "ups.conf:2: a has no value" },
	{ "two values", "[u]\na = b c\n", "ups.conf:2: a has more than one value" },
	{ "no =", "[u]\na b\n", "ups.conf:2: \"a b\" is neither" },
};

static void test_bad_files(void **state)
{
	char error[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		print_message("%s\n", bad[i].what);
		assert_null(parse(bad[i].in, error, sizeof(error)));
		if (!strstr(error, bad[i].error))
			fail_msg("%s", error);
	}
}

/* --- settings ------------------------------------------------------------------------------------ */

static char directory[] = "/tmp/test_driver_conf.XXXXXX";

struct said {
	unsigned warnings, errors;
	char last[512];
};

static void say(void *user, bool fatal, const char *text)
{
	struct said *said = user;

	if (fatal)
		said->errors++;
	else
		said->warnings++;
	snprintf(said->last, sizeof(said->last), "%s", text);
}

static struct settings *load(const char *text, const char *x, struct said *said)
{
	char *path = xasprintf("%s/ups.conf", directory);
	FILE *file = fopen(path, "w");
	struct args args = { .section = "u", .extra = &x, .n_extra = x ? 1 : 0 };

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(path);
	memset(said, 0, sizeof(*said));
	return settings_load("ups2000", &args, say, said);
}

#define U "[u]\ndriver = ups2000\nport = /dev/x\n"

static void test_delays(void **state)
{
	static const struct {
		const char *line;
		unsigned off, on, reboot, warnings; /* off = 0: refused */
	} rows[] = {
		{ "", 60, 60, 60, 0 },
		{ "offdelay = 6\n", 6, 60, 60, 0 },
		{ "offdelay = 20\n", 24, 60, 60, 1 },
		{ "offdelay = 0\n", 6, 60, 60, 1 },
		{ "offdelay = 5940\n", 5940, 60, 60, 0 },
		{ "offdelay = 5941\n", 0, 0, 0, 0 },
		{ "offdelay = -6\n", 0, 0, 0, 0 },
		{ "offdelay = 6x\n", 0, 0, 0, 0 },
		{ "offdelay = \"\"\n", 0, 0, 0, 0 },
		{ "ondelay = 61\n", 60, 120, 60, 1 },
		{ "ondelay = 1\n", 60, 60, 60, 1 },
		{ "rebootdelay = 7\n", 60, 60, 12, 1 },
	};
	struct said said;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xasprintf(U "%s", rows[i].line);
		struct settings *s = load(text, NULL, &said);

		print_message("%s", *rows[i].line ? rows[i].line : "nothing\n");
		assert_int_equal(!s, !rows[i].off);
		if (s) {
			assert_int_equal(s->config->ups[0].delay_shutdown, rows[i].off);
			assert_int_equal(s->config->ups[0].delay_start, rows[i].on);
			assert_int_equal(s->config->ups[0].delay_reboot, rows[i].reboot);
		}
		assert_int_equal(said.warnings, rows[i].warnings);
		settings_free(s);
		free(text);
	}
}

static const char *listed(const struct nut_override *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].value;
	return NULL;
}

static const char *shown(const struct settings *s, const char *name)
{
	const struct config_ups *ups = &s->config->ups[0];

	return listed(ups->defaults, ups->n_defaults, name);
}

static void test_what_is_shown(void **state)
{
	struct said said;
	struct settings *s =
		load("pollinterval = 5\n" U "nolock\nsdorder = 0\nbattery-date = 2024-01\n"
		     "override.battery.charge.low = 30\ndefault.ups.id = den\n",
		     NULL, &said);

	(void)state;
	assert_non_null(s);
	assert_string_equal(shown(s, "driver.parameter.port"), "/dev/x");
	assert_string_equal(shown(s, "driver.parameter.pollinterval"), "5");
	assert_string_equal(shown(s, "driver.parameter.synchronous"), "auto");
	assert_string_equal(shown(s, "driver.parameter.sdorder"), "0");
	assert_string_equal(shown(s, "driver.flag.nolock"), "enabled");
	assert_string_equal(shown(s, "ups.id"), "den");
	assert_null(shown(s, "driver.parameter.override.battery.charge.low"));
	assert_string_equal(s->config->ups[0].vars.battery_date, "2024-01");
	assert_string_equal(
		listed(s->config->ups[0].overrides, s->config->ups[0].n_overrides, "driver.name"),
		"ups2000");
	settings_free(s);
}

static void test_command_line_comes_first(void **state)
{
	struct said said;
	struct settings *s = load(U "offdelay = 12\n", "offdelay=18", &said);

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->config->ups[0].delay_shutdown, 18);
	assert_string_equal(shown(s, "driver.parameter.offdelay"), "18");
	settings_free(s);
}

static void test_settings(void **state)
{
	static const struct {
		const char *line;
		bool good;
	} rows[] = {
		{ "ignorelb\noverride.battery.charge.low = 20\n", true },
		{ "sdcommands = \"shutdown.return, load.off\"\n", true },
		{ "unit_id = 3\n", true },
		{ "unit-id = 0\n", false },
		{ "baud = 19200\n", true },
		{ "baud = 12345\n", false },
		{ "synchronous = yes\n", true },
		{ "synchronous = maybe\n", false },
		{ "control = no\n", true },
		{ "override. = 1\n", false },
		{ "override.a/b = 1\n", false },
		{ "default.x\n", false },
		{ "maxstartdelay = 10\n", true },
		{ "chroot = /x\n", false }, /* a global key */
		{ "usb = 1\n", false },
	};
	struct said said;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xasprintf(U "%s", rows[i].line);
		struct settings *s = load(text, NULL, &said);

		print_message("%s", rows[i].line);
		assert_int_equal(s != NULL, rows[i].good);
		assert_int_equal(said.errors, rows[i].good ? 0 : 1);
		settings_free(s);
		free(text);
	}
}

static void test_ignorelb_alone_is_not_obeyed(void **state)
{
	struct said said;
	struct settings *s = load(U "ignorelb\n", NULL, &said);

	(void)state;
	assert_non_null(s);
	assert_false(s->config->ups[0].vars.ignorelb);
	assert_int_equal(said.warnings, 1);
	settings_free(s);
}

static void test_paths(void **state)
{
	struct said said;
	struct settings *s;

	(void)state;
	unsetenv("NUT_STATEPATH");
	unsetenv("NUT_ALTPIDPATH");
	s = load("statepath = /from/file\n" U, NULL, &said);
	assert_string_equal(s->socket_path, "/from/file/ups2000-u");
	assert_string_equal(s->pid_path, "/from/file/ups2000-u.pid");
	settings_free(s);
	setenv("NUT_STATEPATH", "/from/env", 1);
	s = load("statepath = /from/file\n" U, NULL, &said);
	assert_string_equal(s->socket_path, "/from/env/ups2000-u");
	assert_string_equal(s->pid_path, "/from/env/ups2000-u.pid");
	settings_free(s);
	setenv("NUT_ALTPIDPATH", "/pid", 1);
	s = load(U, NULL, &said);
	assert_string_equal(s->pid_path, "/pid/ups2000-u.pid");
	settings_free(s);
	/* longer than a socket's name can be */
	setenv("NUT_STATEPATH",
	       "/0123456789012345678901234567890123456789012345678901234567890123456789"
	       "0123456789012345678901234567890123456789",
	       1);
	assert_null(load(U, NULL, &said));
	unsetenv("NUT_STATEPATH");
	unsetenv("NUT_ALTPIDPATH");
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	return setenv("NUT_CONFPATH", directory, 1);
}

static int teardown(void **state)
{
	char *path = xasprintf("%s/ups.conf", directory);

	(void)state;
	unlink(path);
	free(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_files),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_what_is_shown),
		cmocka_unit_test(test_command_line_comes_first),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_ignorelb_alone_is_not_obeyed),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
