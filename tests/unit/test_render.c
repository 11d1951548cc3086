#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>

#include "notify/message.h"
#include "notify/render.h"
#include "notify/target.h"
#include "util/util.h"

/* What is run for a message, and what its end means. */

static char id[] = "00000000-0000-4000-8000-000000000042";

static struct message usual(void)
{
	struct message m = {
		.count = 2,
		.wall_us = INT64_C(1700000000) * 1000000, /* 2023-11-14 22:13:20 UTC, a Tuesday */
		.start_us = INT64_C(1699999990) * 1000000,
		.state = MESSAGE_OPEN,
		.kind = (char *)(uintptr_t) "on-battery",
		.severity = (char *)(uintptr_t) "alert",
		.ups = (char *)(uintptr_t) "rack",
		.text = (char *)(uintptr_t) "On battery: the mains failed (87 % charged).",
		.values =
			(char *)(uintptr_t) "{\"ups.status\":\"OB DISCHRG\",\"battery.charge\":\"87\"}",
	};

	memcpy(m.id, id, sizeof(id));
	return m;
}

static struct notify_target target_of(enum target_type type)
{
	struct notify_target target;

	target_init(&target);
	target.name = xstrdup("it");
	target.type = type;
	return target;
}

static void add_word(char ***list, size_t *n, const char *word)
{
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = xstrdup(word);
}

static bool has_env(const struct job *job, const char *want)
{
	for (size_t i = 0; i < job->n_env; i++)
		if (strcmp(job->env[i], want) == 0)
			return true;
	return false;
}

static void need(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void test_command(void **state)
{
	static const char *const words[] = { "/x",    "{text}", "{type}",    "-v",
					     "{ups}", "{kind}", "{severity}" };
	static const char *const want[] = {
		"/x",	  "On battery: the mains failed (87 % charged).",
		"ONBATT", "-v",
		"rack",	  "on-battery",
		"alert"
	};
	struct notify_target target = target_of(TARGET_COMMAND);
	struct message m = usual();
	struct job job;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		add_word(&target.command, &target.n_command, words[i]);
	render(&job, &target, &m, 3, 7);
	assert_int_equal(job.n_args, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_string_equal(job.args[i], want[i]);
	assert_null(job.args[ARRAY_SIZE(want)]);
	assert_true(has_env(&job, "NOTIFYTYPE=ONBATT"));
	assert_true(has_env(&job, "UPSNAME=rack"));
	assert_true(has_env(&job, "UPS2000_KIND=on-battery"));
	assert_true(has_env(&job, "UPS2000_STATE=open"));
	assert_true(has_env(&job, "UPS2000_COUNT=2"));
	assert_true(has_env(&job, "UPS2000_TIME=2023-11-14T22:13:20Z"));
	assert_true(has_env(&job, "UPS2000_TIME_S=1700000000"));
	assert_true(has_env(&job, "UPS2000_START_S=1699999990"));
	assert_true(has_env(&job, "UPS2000_ATTEMPT=3"));
	assert_true(has_env(&job, "UPS2000_LATE_S=7"));
	assert_true(has_env(&job, "UPS2000_BATTERY_CHARGE=87"));
	assert_true(has_env(&job, "UPS2000_UPS_STATUS=OB DISCHRG"));
	assert_null(job.config);
	job_clear(&job);

	m.ups = NULL;
	m.values = NULL;
	render(&job, &target, &m, 1, 0);
	assert_true(has_env(&job, "UPSNAME="));
	job_clear(&job);
	target_close(&target);
}

static void test_mail(void **state)
{
	struct notify_target target = target_of(TARGET_MAIL);
	struct message m = usual();
	struct job job;
	char *body;

	(void)state;
	add_word(&target.to, &target.n_to, "tom@example.org");
	add_word(&target.to, &target.n_to, "Ann <ann@example.org>");
	render(&job, &target, &m, 1, 0);
	assert_string_equal(job.args[0], "/usr/sbin/sendmail");
	assert_string_equal(job.args[1], "-t");
	assert_string_equal(job.args[2], "-i");
	assert_int_equal(job.n_args, 3);
	need(job.input, "Date: Tue, 14 Nov 2023 22:13:20 +0000\n");
	need(job.input, "To: tom@example.org,\n Ann <ann@example.org>\n");
	need(job.input, "Subject: ALERT rack: On battery: the mains failed (");
	need(job.input, "Message-ID: <00000000-0000-4000-8000-000000000042@");
	need(job.input, "Auto-Submitted: auto-generated\n");
	need(job.input, "From: ups2000@");
	body = strstr(job.input, "\n\n");
	assert_non_null(body);
	need(body, "On battery: the mains failed (87 % charged).\n");
	need(body, "battery.charge");
	assert_null(strstr(job.input, "In-Reply-To"));
	job_clear(&job);

	/* its end belongs to it; what is late says so; other scripts are encoded */
	memcpy(m.thread, "11111111-0000-4000-8000-000000000042", sizeof(m.thread));
	m.text = (char *)(uintptr_t) "Gr\xc3\xbc\xc3\x9f Gott.";
	render(&job, &target, &m, 1, 600);
	need(job.input, "\nIn-Reply-To: <11111111-0000-4000-8000-000000000042@");
	need(job.input, "\nSubject: =?UTF-8?B?");
	need(job.input, "2023-11-14T22:13:20Z");
	for (const char *p = job.input; p < strstr(job.input, "\n\n"); p++)
		assert_true((unsigned char)*p < 0x80);
	job_clear(&job);
	target_close(&target);
}

static void test_smtp(void **state)
{
	struct notify_target target = target_of(TARGET_MAIL);
	struct message m = usual();
	struct job job;

	(void)state;
	add_word(&target.to, &target.n_to, "Ann <ann@example.org>");
	target.from = xstrdup("UPS <ups@example.org>");
	target.smtp = xstrdup("smtp://mail:587");
	target.user = xstrdup("ups");
	target.password = xstrdup("pa\"ss\\word");
	render(&job, &target, &m, 1, 0);
	need(job.config, "url = \"smtp://mail:587\"\n");
	need(job.config, "mail-from = \"ups@example.org\"\n");
	need(job.config, "mail-rcpt = \"ann@example.org\"\n");
	need(job.config, "user = \"ups:pa\\\"ss\\\\word\"\n");
	need(job.config, "ssl-reqd\n");
	need(job.config, "proto = \"=smtp,smtps\"\n");
	for (size_t i = 0; i < job.n_args; i++)
		assert_null(strstr(job.args[i], "pa\""));
	for (size_t i = 0; i < job.n_env; i++)
		assert_null(strstr(job.env[i], "pa\""));
	assert_string_equal(job.args[1], "--disable"); /* counts only there */
	job_clear(&job);
	target_close(&target);
}

static void test_webhook(void **state)
{
	struct notify_target target = target_of(TARGET_WEBHOOK);
	struct message m = usual();
	struct job job;
	json_t *body;

	(void)state;
	target.url = xstrdup("https://example.org/x");
	/* RFC 4231 has no such text; that this is HMAC-SHA256 is proven with curl's receiver */
	target.secret = xstrdup("key");
	add_word(&target.headers, &target.n_headers, "X-Mine: 1");
	render(&job, &target, &m, 1, 0);
	body = json_loads(job.input, 0, NULL);
	assert_non_null(body);
	assert_string_equal(json_string_value(json_object_get(body, "ups")), "rack");
	assert_string_equal(json_string_value(json_object_get(body, "kind")), "on-battery");
	assert_string_equal(json_string_value(json_object_get(body, "state")), "open");
	assert_string_equal(json_string_value(json_object_get(body, "time")),
			    "2023-11-14T22:13:20Z");
	assert_int_equal(json_integer_value(json_object_get(body, "count")), 2);
	assert_true(json_is_object(json_object_get(body, "values")));
	assert_true(json_is_null(json_object_get(body, "facts")));
	json_decref(body);
	need(job.config, "url = \"https://example.org/x\"\n");
	need(job.config, "header = \"X-Mine: 1\"\n");
	need(job.config, "header = \"X-UPS2000-Signature: sha256=");
	need(job.config, "header = \"Idempotency-Key: 00000000-");
	need(job.config, "max-time = 30\n");
	assert_null(strstr(job.config, "key\""));
	job_clear(&job);
	target_close(&target);
}

static void test_ntfy_and_gotify(void **state)
{
	struct notify_target ntfy = target_of(TARGET_NTFY), gotify = target_of(TARGET_GOTIFY);
	struct message m = usual();
	struct job job;
	json_t *body;

	(void)state;
	ntfy.url = xstrdup("https://ntfy.sh/topic");
	ntfy.token = xstrdup("tk_x");
	render(&job, &ntfy, &m, 1, 0);
	assert_string_equal(job.input, m.text);
	need(job.config, "header = \"Title: ALERT rack: On battery: the mains failed\"\n");
	need(job.config, "header = \"Priority: 5\"\n");
	need(job.config, "header = \"Authorization: Bearer tk_x\"\n");
	job_clear(&job);

	gotify.url = xstrdup("https://gotify.example.org/");
	gotify.token = xstrdup("A.x");
	render(&job, &gotify, &m, 1, 0);
	need(job.config, "url = \"https://gotify.example.org/message\"\n");
	need(job.config, "header = \"X-Gotify-Key: A.x\"\n");
	body = json_loads(job.input, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(body, "priority")), 9);
	assert_string_equal(json_string_value(json_object_get(body, "message")), m.text);
	need(json_string_value(json_object_get(body, "title")), "ALERT rack: ");
	json_decref(body);
	job_clear(&job);
	target_close(&ntfy);
	target_close(&gotify);
}

static void test_judge(void **state)
{
	static const struct {
		enum target_type type;
		struct run_end end;
		enum queue_result result;
		const char *why;
	} rows[] = {
		{ TARGET_COMMAND, { false, 0, 0, "" }, QUEUE_DELIVERED, "done" },
		{ TARGET_COMMAND,
		  { false, 0, 1 << 8, "x\nno such user\n\n" },
		  QUEUE_AGAIN,
		  "exit code 1: no such user" },
		{ TARGET_COMMAND, { false, 0, 65 << 8, "" }, QUEUE_GIVEN_UP, "exit code 65" },
		{ TARGET_COMMAND, { false, 0, 9, "" }, QUEUE_AGAIN, "signal 9" },
		{ TARGET_COMMAND, { false, 0, 1 << 8, "caf\xe9\n" }, QUEUE_AGAIN, "caf?" },
		{ TARGET_COMMAND, { true, 0, 15, "" }, QUEUE_AGAIN, "not done within 30 s" },
		{ TARGET_COMMAND,
		  { false, ENOENT, 0, "" },
		  QUEUE_AGAIN,
		  "sendmail cannot be run: No such file" },
		{ TARGET_WEBHOOK, { false, 0, 0, "\nHTTP 204\n" }, QUEUE_DELIVERED, "HTTP 204" },
		{ TARGET_WEBHOOK, { false, 0, 0, "\nHTTP 302\n" }, QUEUE_AGAIN, "HTTP 302" },
		{ TARGET_WEBHOOK, { false, 0, 0, "\nHTTP 500\n" }, QUEUE_AGAIN, "HTTP 500" },
		{ TARGET_WEBHOOK, { false, 0, 0, "\nHTTP 410\n" }, QUEUE_GIVEN_UP, "gone" },
		{ TARGET_WEBHOOK, { false, 0, 0, "" }, QUEUE_AGAIN, "HTTP 0" },
		{ TARGET_WEBHOOK,
		  { false, 0, 6 << 8, "curl: (6) Could not resolve host: x\n\nHTTP 000\n" },
		  QUEUE_AGAIN,
		  "Could not resolve host: x" },
		{ TARGET_WEBHOOK, { false, 0, 65 << 8, "" }, QUEUE_AGAIN, "exit code 65" },
		{ TARGET_MAIL, { false, 0, 75 << 8, "" }, QUEUE_AGAIN, "exit code 75" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct notify_target target = target_of(rows[i].type);
		char why[256] = "";

		if (render_judge(&target, &rows[i].end, why, sizeof(why)) != rows[i].result)
			fail_msg("row %zu", i);
		need(why, rows[i].why);
		target_close(&target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command), cmocka_unit_test(test_mail),
		cmocka_unit_test(test_smtp),	cmocka_unit_test(test_webhook),
		cmocka_unit_test(test_judge),	cmocka_unit_test(test_ntfy_and_gotify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
