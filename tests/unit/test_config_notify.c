#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "util/util.h"

/* The sections notify of the configuration. */

struct said {
	unsigned fatal, warnings;
	char text[4096];
};

static void say(void *user, bool fatal, const char *text)
{
	struct said *said = user;
	size_t len = strlen(said->text);

	fatal ? said->fatal++ : said->warnings++;
	snprintf(said->text + len, sizeof(said->text) - len, "%s\n", text);
}

/* section is in line 2 of test.conf. */
static struct config *load(const char *section, struct said *said)
{
	char *text = xasprintf("ups rack { port = /dev/x }\n%s\n", section);
	FILE *file = fmemopen(text, strlen(text), "r");
	struct config *config;

	memset(said, 0, sizeof(*said));
	config = config_load_fp(file, "test.conf", say, said);
	fclose(file);
	free(text);
	return config;
}

static void test_everything(void **state)
{
	static const char text[] =
		"notify \"tom\" {\n"
		"	type = mail  to = {\"tom@example.org\", \"Ann <ann@example.org>\"}\n"
		"	from = \"ups@example.org\"  smtp = \"smtps://mail.example.org\"\n"
		"	user = ups  password = \"a \\\"b\\\"\"\n"
		"	events = {\"on-battery\", \"on-line\"}  ups = {\"rack\"}\n"
		"	timeout = 20  hold-off = 0  blips = no  remind = 3600  expire = 600\n"
		"}\n"
		"notify \"log\" { command = {\"/usr/bin/logger\", \"-t\", \"ups\", \"{text}\"} }\n"
		"notify \"hook\" { type = webhook url = \"https://example.org/x?y=z\"\n"
		"	header = {\"Authorization: Bearer 1\"} secret = s severity = alert }\n"
		"notify \"n\" { type = ntfy url = \"https://ntfy.sh/t\" token = t }\n"
		"notify \"g\" { type = gotify url = \"http://10.0.0.1:80\" token = t }\n";
	struct said said;
	struct config *config = load(text, &said);
	const struct notify_target *t;

	(void)state;
	if (!config || said.warnings)
		fail_msg("%s", said.text);
	assert_int_equal(config->n_targets, 5);
	t = &config->targets[0];
	assert_string_equal(t->name, "tom");
	assert_int_equal(t->type, TARGET_MAIL);
	assert_int_equal(t->n_to, 2);
	assert_string_equal(t->to[1], "Ann <ann@example.org>");
	assert_string_equal(t->from, "ups@example.org");
	assert_string_equal(t->smtp, "smtps://mail.example.org");
	assert_string_equal(t->password, "a \"b\"");
	assert_int_equal(t->n_events, 2);
	assert_string_equal(t->ups[0], "rack");
	assert_int_equal(t->rank, 0);
	assert_int_equal(t->timeout_s, 20);
	assert_int_equal(t->hold_off_s, 0);
	assert_false(t->blips);
	assert_int_equal(t->remind_s, 3600);
	assert_int_equal(t->expire_s, 600);
	t = &config->targets[1];
	assert_int_equal(t->type, TARGET_COMMAND);
	assert_int_equal(t->n_command, 4);
	assert_int_equal(t->rank, 1);
	assert_int_equal(t->timeout_s, 30);
	assert_int_equal(t->hold_off_s, 5);
	assert_int_equal(t->expire_s, 86400);
	assert_int_equal(t->remind_s, 0);
	assert_true(t->blips);
	t = &config->targets[2];
	assert_int_equal(t->type, TARGET_WEBHOOK);
	assert_int_equal(t->rank, 2);
	assert_string_equal(t->headers[0], "Authorization: Bearer 1");
	assert_string_equal(t->secret, "s");
	assert_int_equal(config->targets[3].type, TARGET_NTFY);
	assert_int_equal(config->targets[4].type, TARGET_GOTIFY);
	config_free(config);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "notify { command = {\"/x\"} }", "test.conf:2: missing title" },
		{ "notify a { }", "says neither type nor command" },
		{ "notify a { type = pigeon }", "command, mail, webhook, ntfy or gotify" },
		{ "notify a { type = command }", "Add command" },
		{ "notify a { type = mail }", "Add to" },
		{ "notify a { type = webhook }", "Add url" },
		{ "notify a { type = ntfy }", "Add url" },
		{ "notify a { type = gotify url = \"https://x\" }", "token" },
		{ "notify a { command = {\"logger\"} }", "no path of a program" },
		{ "notify a { command = {\"/bin/sh\", \"-c\", \"echo {text}\"} }",
		  "stands inside of a word" },
		{ "notify a { command = {\"/x\"} url = \"https://x/\" }",
		  "test.conf:2: url belongs to type webhook, ntfy, gotify" },
		{ "notify a { type = ntfy url = \"ftp://x\" }", "https://HOST" },
		{ "notify a { type = ntfy url = \"https://\" }", "https://HOST" },
		{ "notify a { type = ntfy url = \"https://a b\" }", "https://HOST" },
		{ "notify a { type = mail to = {\"tom\"} }", "no mail address" },
		{ "notify a { type = mail to = {\"a@b, c@d\"} }", "no mail address" },
		{ "notify a { type = mail to = {\"a@b\\nBcc: c@d\"} }", "no mail address" },
		{ "notify a { type = mail to = {\"a@b\"} smtp = \"mail\" }", "no mail server" },
		{ "notify a { type = mail to = {\"a@b\"} smtp = \"smtp://x\" }", "Add from" },
		{ "notify a { type = mail to = {\"a@b\"} user = u }", "belong together" },
		{ "notify a { type = mail to = {\"a@b\"} user = u password = p }", "Add smtp" },
		{ "notify a { type = mail to = {\"a@b\"} from = \"c@d\" smtp = \"smtp://x\" "
		  "command = {\"/x\"} }",
		  "smtp or to a command" },
		{ "notify a { type = webhook url = \"http://x\" header = {\"x\"} }", "no header" },
		{ "notify a { type = webhook url = \"http://x\" header = {\"X: a\\nY: b\"} }",
		  "no header" },
		{ "notify a { type = webhook url = \"http://x\" secret = \"\" }",
		  "secret: it is empty" },
		{ "notify a { command = {\"/x\"} events = {\"On Battery\"} }", "is no event" },
		{ "notify a { command = {\"/x\"} severity = loud }", "info, warning or alert" },
		{ "notify a { command = {\"/x\"} ups = {\"nonesuch\"} }", "there is no ups" },
		{ "notify a { command = {\"/x\"} timeout = 0 }", "timeout" },
		{ "notify a { command = {\"/x\"} hold-off = 3601 }", "hold-off" },
		{ "notify a { command = {\"/x\"} remind = 59 }", "remind" },
		{ "notify a { command = {\"/x\"} expire = 59 }", "expire" },
		{ "notify a { command = {\"/x\"} comand = 1 }", "Did you mean \"command\"" },
		{ "notify \"a b\" { command = {\"/x\"} }", "is no name" },
		{ "notify a { command = {\"/x\"} }\nnotify a { command = {\"/y\"} }",
		  "test.conf:3: found duplicate title" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct said said;
		struct config *config = load(rows[i].text, &said);

		if (config)
			fail_msg("row %zu is taken: %s", i, rows[i].text);
		if (!strstr(said.text, rows[i].message) || !strstr(said.text, "test.conf:"))
			fail_msg("row %zu: %s\nsays: %s", i, rows[i].text, said.text);
	}
}

static void test_too_many(void **state)
{
	char *text = xstrdup("");
	struct said said;

	(void)state;
	for (int i = 0; i <= TARGETS_MAX; i++) {
		char *longer = xasprintf("%snotify n%d { command = {\"/x\"} }\n", text, i);

		free(text);
		text = longer;
	}
	assert_null(load(text, &said));
	assert_non_null(strstr(said.text, "more than 32 notify sections"));
	free(text);
}

static void test_unknown_event(void **state)
{
	struct said said;
	struct config *config =
		load("notify a { command = {\"/x\"} events = {\"on-batery\"} }", &said);

	(void)state;
	assert_non_null(config);
	assert_int_equal(said.warnings, 1);
	assert_non_null(strstr(said.text, "Did you mean \"on-battery\"?"));
	config_free(config);
}

/* Tokens are nobody else's business. */
static void test_file_mode(void **state)
{
	static const struct {
		const char *section;
		mode_t mode;
		bool good;
	} rows[] = {
		{ "type = ntfy url = \"https://x/\" token = t", 0644, false },
		{ "type = ntfy url = \"https://x/\" token = t", 0640, true },
		{ "type = ntfy url = \"https://x/\"", 0644, true },
		{ "type = webhook url = \"https://x/\" header = {\"A: b\"}", 0604, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char path[] = "/tmp/u2k-config-XXXXXX";
		int fd = mkstemp(path);
		struct said said = { 0 };
		struct config *config;

		assert_true(fd >= 0);
		dprintf(fd, "ups a { port = /dev/x }\nnotify a { %s }\n", rows[i].section);
		assert_int_equal(fchmod(fd, rows[i].mode), 0);
		close(fd);
		config = config_load(path, say, &said);
		unlink(path);
		if ((config != NULL) != rows[i].good)
			fail_msg("row %zu: %s", i, said.text);
		config_free(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything), cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_too_many),   cmocka_unit_test(test_unknown_event),
		cmocka_unit_test(test_file_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
