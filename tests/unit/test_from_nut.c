/* NUT's configuration taken over: what becomes of each line. */
#include "setup/from_nut.h"

#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/config.h"
#include "nut/lexer.h"
#include "setup/draft.h"
#include "setup/password.h"
#include "util/util.h"

static const char *const names[] = { "ups.conf", "upsd.conf", "upsd.users", "upsmon.conf",
				     "nut.conf" };

struct files {
	const char *text[ARRAY_SIZE(names)]; /* NULL: not there */
};

#define PLAIN "[u]\ndriver = huawei-ups2000\nport = /dev/x\n"

/*
 * report: "FILE:LINE fate;" for all lines but those of PLAIN; conf: lines of the configuration that
 * must be there, passwords aside. Expected values: NUT's manual pages and docs/configuration.md.
 */
static const struct {
	const char *what;
	struct files files;
	const char *report;
	const char *conf[6];
} good[] = {
	{ "the least", { { PLAIN } }, "", { "ups \"u\" {", "port = \"/dev/x\"" } },
	{ "our own driver's name",
	  { { "[u]\ndriver = ups2000\nport = /dev/x\n" } },
	  "",
	  { "ups \"u\" {" } },
	{ "delays as they are",
	  { { PLAIN "offdelay = 60\nondelay=180\n" } },
	  "ups.conf:4 taken;ups.conf:5 taken;",
	  { "delay-shutdown = 60", "delay-start = 180" } },
	{ "delays the UPS cannot count",
	  { { PLAIN "offdelay = 61\nrebootdelay = 0\n" } },
	  "ups.conf:4 changed;ups.conf:5 changed;",
	  { "delay-shutdown = 66", "delay-reboot = 6" } },
	{ "a delay that is none",
	  { { PLAIN "offdelay = soon\n" } },
	  "ups.conf:4 left out;",
	  { 0 } },
	{ "quotes",
	  { { PLAIN "desc = \"a \\\"b\\\" ${HOME} \\\\\"\n" } },
	  "ups.conf:4 taken;",
	  { "desc = \"a \\\"b\\\" \\${HOME} \\\\\"" } },
	{ "variables",
	  { { PLAIN "override.battery.charge.low = 30\ndefault.ups.mfr = H\n" } },
	  "ups.conf:4 taken;ups.conf:5 taken;",
	  { "override = {\"battery.charge.low=30\"}", "default = {\"ups.mfr=H\"}" } },
	{ "a status made up",
	  { { PLAIN "override.ups.status = OL\n" } },
	  "ups.conf:4 left out;",
	  { 0 } },
	{ "a flag and what it needs",
	  { { PLAIN "ignorelb\noverride.battery.charge.low = 30\n" } },
	  "ups.conf:4 taken;ups.conf:5 taken;",
	  { "ignorelb = yes" } },
	{ "no LB at all", { { PLAIN "ignorelb\n" } }, "ups.conf:4 left out;", { 0 } },
	{ "yes and no", { { PLAIN "control = no\n" } }, "ups.conf:4 taken;", { "control = no" } },
	{ "a setting nobody knows", { { PLAIN "foo = 1\n" } }, "ups.conf:4 left out;", { 0 } },
	{ "for NUT's programs",
	  { { "maxretry = 3\n" PLAIN "pollinterval = 2\n" } },
	  "ups.conf:1 not needed;ups.conf:5 not needed;",
	  { 0 } },
	{ "another kind of UPS beside it",
	  { { PLAIN "[b]\ndriver = usbhid-ups\nport = auto\n" } },
	  "ups.conf:5 left out;",
	  { 0 } },
	{ "addresses",
	  { { PLAIN, "LISTEN 192.0.2.1\nLISTEN ::1 3494\nLISTEN ups.example 1\n" } },
	  "upsd.conf:1 taken;upsd.conf:2 taken;upsd.conf:3 taken;",
	  { "listen = {\"192.0.2.1:3493\", \"[::1]:3494\", \"ups.example:1\"}" } },
	{ "a bad address",
	  { { PLAIN, "LISTEN 192.0.2.1 99999\nLISTEN\n" } },
	  "upsd.conf:1 left out;upsd.conf:2 left out;",
	  { 0 } },
	{ "numbers of upsd",
	  { { PLAIN, "MAXCONN 100\nTRACKINGDELAY 60\nMAXCONN x\nMAXAGE 15\n" } },
	  "upsd.conf:1 taken;upsd.conf:2 taken;upsd.conf:3 left out;upsd.conf:4 not needed;",
	  { "max-connections = 100", "tracking-delay = 60" } },
	{ "certificates",
	  { { PLAIN, "CERTFILE /etc/c.pem\nCERTPATH /etc/nss\nCERTIDENT a b\n" } },
	  "upsd.conf:1 taken;upsd.conf:2 left out;upsd.conf:3 left out;",
	  { "certificate = \"/etc/c.pem\"" } },
	{ "a user",
	  { { PLAIN, NULL, "[a]\npassword = p\nactions = SET FSD\ninstcmds = ALL\n" } },
	  "upsd.users:2 changed;upsd.users:3 taken;upsd.users:3 taken;upsd.users:4 taken;",
	  { "user \"a\" {", "actions = {\"SET\", \"FSD\"}", "instcmds = {\"ALL\"}" } },
	{ "upsmon's old word",
	  { { PLAIN, NULL, "[m]\npassword = p\nupsmon master\n" } },
	  "upsd.users:2 changed;upsd.users:3 taken;",
	  { "upsmon = primary" } },
	{ "upsmon with an equals sign",
	  { { PLAIN, NULL, "[m]\npassword = p\nupsmon = slave\n" } },
	  "upsd.users:2 changed;upsd.users:3 taken;",
	  { "upsmon = secondary" } },
	{ "no password",
	  { { PLAIN, NULL, "[m]\nupsmon secondary\n" } },
	  "upsd.users:2 taken;",
	  { "user \"m\" {" } },
	{ "an empty password",
	  { { PLAIN, NULL, "[m]\npassword = \"\"\n" } },
	  "upsd.users:2 left out;",
	  { 0 } },
	{ "the same user twice",
	  { { PLAIN, NULL, "[m]\npassword = p\n[m]\npassword = q\n" } },
	  "upsd.users:2 changed;upsd.users:3 left out;upsd.users:4 left out;",
	  { 0 } },
	{ "words nobody knows",
	  { { PLAIN, NULL, "[m]\nactions = FLY\nallowfrom = x\nupsmon boss\n" } },
	  "upsd.users:2 left out;upsd.users:3 left out;upsd.users:4 left out;",
	  { 0 } },
	{ "upsmon watches it",
	  { { PLAIN, NULL, "[m]\npassword = p\n",
	      "MONITOR u@localhost 1 m p master\nMONITOR u@[::1]:3493 1 m p slave\n" } },
	  "upsd.users:2 changed;upsmon.conf:1 not needed;upsmon.conf:2 not needed;",
	  { 0 } },
	{ "upsmon watches what is not here",
	  { { PLAIN, NULL, NULL,
	      "MONITOR x@localhost 1 m p master\nMONITOR u@far 1 m p slave\n"
	      "MONITOR u 1 m p slave\nMONITOR\n" } },
	  "upsmon.conf:1 left out;upsmon.conf:2 not needed;upsmon.conf:3 left out;"
	  "upsmon.conf:4 left out;",
	  { 0 } },
	{ "NUT's start scripts",
	  { { PLAIN, NULL, NULL, NULL, "MODE=netserver\n" } },
	  "nut.conf:1 not needed;",
	  { 0 } },
};

static const struct {
	const char *what;
	struct files files;
	const char *error; /* part of it */
} bad[] = {
	{ "no ups.conf", { { NULL } }, "ups.conf: cannot be opened" },
	{ "empty", { { "" } }, "none of its 0 sections" },
	{ "other UPSes only",
	  { { "[b]\ndriver = usbhid-ups\nport = auto\n" } },
	  "none of its 1 sections" },
	{ "no driver", { { "[u]\nport = /dev/x\n" } }, "ups.conf:2: section [u] has no driver" },
	{ "no port", { { "[u]\ndriver = huawei-ups2000\n" } }, "section [u] has no port" },
	{ "port auto",
	  { { "[u]\ndriver = huawei-ups2000\nport = auto\n" } },
	  "ups.conf:3: port \"auto\"" },
	{ "a name NUT clients cannot send",
	  { { "[a/b]\ndriver = ups2000\nport = /dev/x\n" } },
	  "ups.conf:2: \"a/b\" cannot be the name" },
	{ "an open quote", { { PLAIN "desc = \"a\n" } }, "ups.conf:4: a quote is opened here" },
	{ "two values", { { PLAIN "desc = a b\n" } }, "ups.conf:4: desc has more than one value" },
	{ "an open quote in users",
	  { { PLAIN, NULL, "[a]\npassword = \"p\n" } },
	  "upsd.users:2: a quote is opened here" },
	{ "an open bracket", { { PLAIN, NULL, "[a\n" } }, "upsd.users:1: \"[a\" opens no section" },
	{ "a password without a value",
	  { { PLAIN, NULL, "[a]\npassword =\n" } },
	  "upsd.users:2: password has no value" },
};

static char dir[] = "/tmp/from-nut-XXXXXX";

static void write_files(const struct files *files)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = xasprintf("%s/%s", dir, names[i]);

		unlink(path);
		if (files->text[i]) {
			FILE *file = fopen(path, "w");

			assert_non_null(file);
			fputs(files->text[i], file);
			assert_int_equal(fclose(file), 0);
		}
		free(path);
	}
}

/* All lines but driver and port: every row has them. */
static void note(void *user, const struct from_nut_line *line)
{
	char *report = user;
	const char *name = strrchr(line->path, '/') + 1;

	assert_true(*line->what);
	assert_null(strstr(line->setting, "secret"));
	if (!strcmp(name, "ups.conf") &&
	    (!strncmp(line->setting, "driver ", 7) || !strncmp(line->setting, "port ", 5)))
		return;
	sprintf(report + strlen(report), "%s:%d %s;", name, line->line,
		from_nut_fate_text(line->fate));
}

static void complain(void *user, bool fatal, const char *text)
{
	(void)user;
	if (fatal)
		fail_msg("the daemon does not take it: %s", text);
}

/* What was made must be a configuration. */
static struct config *load(const char *text)
{
	char *copy = xstrdup(text);
	FILE *file = fmemopen(copy, strlen(copy), "r");
	struct config *config = config_load_fp(file, "made", complain, NULL);

	fclose(file);
	free(copy);
	assert_non_null(config);
	return config;
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char report[4096] = "", error[512] = "";
		struct from_nut job = { .dir = dir, .say = note, .user = report };
		struct from_nut_found found;
		struct draft draft;
		char *text;

		write_files(&good[i].files);
		draft_init(&draft);
		if (!from_nut(&job, &draft, &found, error, sizeof(error)))
			fail_msg("%s: %s", good[i].what, error);
		if (strcmp(report, good[i].report) != 0)
			fail_msg("%s: %s, not %s", good[i].what, report, good[i].report);
		text = draft_print(&draft, "made by a test");
		for (size_t k = 0; k < ARRAY_SIZE(good[i].conf) && good[i].conf[k]; k++)
			if (!strstr(text, good[i].conf[k]))
				fail_msg("%s: no \"%s\" in\n%s", good[i].what, good[i].conf[k],
					 text);
		config_free(load(text));
		free(text);
		draft_close(&draft);
	}
}

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char report[4096] = "", error[512] = "";
		struct from_nut job = { .dir = dir, .say = note, .user = report };
		struct from_nut_found found;
		struct draft draft;

		write_files(&bad[i].files);
		draft_init(&draft);
		if (from_nut(&job, &draft, &found, error, sizeof(error)))
			fail_msg("%s: taken", bad[i].what);
		if (!strstr(error, bad[i].error))
			fail_msg("%s: \"%s\", not \"%s\"", bad[i].what, error, bad[i].error);
		draft_close(&draft);
	}
}

/* What a client sends must still be right, whatever is in it; and nobody else's word may be. */
static void test_passwords(void **state)
{
	static const char *const passwords[] = { "secret", "secret \\\"#=", "$secret",
						 "${secret}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(passwords); i++) {
		char report[4096] = "", error[512] = "", quoted[64], users[128];
		struct files files = { { PLAIN, NULL, users } };
		struct from_nut job = { .dir = dir, .say = note, .user = report };
		struct crypt_data *data = xcalloc(1, sizeof(*data));
		struct from_nut_found found;
		struct config *config;
		struct draft draft;
		char *text;

		nut_escape(quoted, sizeof(quoted), passwords[i]);
		snprintf(users, sizeof(users), "[a]\npassword = \"%s\"\n", quoted);
		write_files(&files);
		draft_init(&draft);
		if (!from_nut(&job, &draft, &found, error, sizeof(error)))
			fail_msg("%s: %s", passwords[i], error);
		text = draft_print(&draft, "");
		assert_null(strstr(text, "secret"));
		config = load(text);
		assert_int_equal(config->n_users, 1);
		assert_string_equal(config->users[0].name, "a");
		assert_false(config->users[0].plain);
		assert_string_equal(crypt_r(passwords[i], config->users[0].password, data),
				    config->users[0].password);
		assert_string_not_equal(crypt_r("other", config->users[0].password, data),
					config->users[0].password);
		config_free(config);
		free(text);
		free(data);
		draft_close(&draft);
	}
}

static char *by_path(void *user, const char *port)
{
	(void)user;
	return strcmp(port, "/dev/x") ? NULL : xstrdup("/dev/serial/by-path/x");
}

static void test_better_port(void **state)
{
	struct files files = { { PLAIN } };
	char report[4096] = "", error[512];
	struct from_nut job = { .dir = dir, .port = by_path, .say = note, .user = report };
	struct from_nut_found found;
	struct draft draft;

	(void)state;
	write_files(&files);
	draft_init(&draft);
	assert_true(from_nut(&job, &draft, &found, error, sizeof(error)));
	assert_string_equal(draft_get(draft_find(&draft, "ups", "u"), "port"),
			    "/dev/serial/by-path/x");
	draft_close(&draft);
}

static void test_found(void **state)
{
	struct files files = { { PLAIN "[b]\ndriver = snmp-ups\nport = x\n", NULL,
				 "[m]\npassword = p\n",
				 "MONITOR u@localhost 1 m p primary\nNOTIFYCMD /bin/true\n" } };
	char report[4096] = "", error[512];
	struct from_nut job = { .dir = dir, .say = note, .user = report };
	struct from_nut_found found;
	struct draft draft;

	(void)state;
	write_files(&files);
	draft_init(&draft);
	assert_true(from_nut(&job, &draft, &found, error, sizeof(error)));
	assert_int_equal(found.other_upses, 1);
	assert_true(found.upsmon_here && found.upsmon_primary && found.notifies);
	draft_close(&draft);
}

static void test_made_up(void **state)
{
	char a[PASSWORD_MADE_MAX], b[PASSWORD_MADE_MAX];

	(void)state;
	password_make(a);
	password_make(b);
	assert_int_equal(strlen(a), PASSWORD_MADE_MAX - 1);
	assert_string_not_equal(a, b);
	assert_null(strpbrk(a, "0Oo1lI2Z\"#\\= "));
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const struct files none;

	(void)state;
	write_files(&none);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_passwords), cmocka_unit_test(test_better_port),
		cmocka_unit_test(test_found),	  cmocka_unit_test(test_made_up),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
