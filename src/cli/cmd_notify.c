#include "cli/cli.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/term.h"
#include "cli/when.h"
#include "util/util.h"

enum { ASK_AGAIN_MS = 200, WAIT_MAX_S = 620, NAME_COLUMNS = 16, TYPE_COLUMNS = 10 };

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void show_last(struct page *page, const json_t *last)
{
	bool ok = json_is_true(json_object_get(last, "ok"));
	char when[32] = "";
	int64_t wall;

	if (!json_is_object(last)) {
		page_add(page, "nothing was sent yet");
		return;
	}
	if (when_parse_utc(string_of(last, "time"), &wall))
		when_local(when, sizeof(when), wall, true);
	page_tone(page, ok ? TONE_GOOD : TONE_BAD, "%s", ok ? "ok" : "failed");
	page_add(page, " %s: %s", when, string_of(last, "text"));
}

static void show_waiting(struct page *page, const json_t *target)
{
	json_int_t waiting = number_of(target, "waiting");
	const json_t *next = json_object_get(target, "next_attempt_s");
	char in[32];

	if (!waiting)
		return;
	page_add(page, "\n");
	page_pad_to(page, NAME_COLUMNS + TYPE_COLUMNS);
	page_tone(page, TONE_WARN, "%lld wait%s", (long long)waiting, waiting == 1 ? "s" : "");
	if (json_is_true(json_object_get(target, "sending"))) {
		page_add(page, ", being sent");
	} else if (json_is_integer(next)) {
		when_duration(in, sizeof(in), (double)json_integer_value(next));
		page_add(page, ", next attempt in %s", in);
	}
}

static void show_target(struct page *page, const json_t *target)
{
	page_tone(page, TONE_BOLD, "%s", string_of(target, "name"));
	page_pad_to(page, NAME_COLUMNS);
	page_add(page, "%s", string_of(target, "type"));
	page_pad_to(page, NAME_COLUMNS + TYPE_COLUMNS);
	show_last(page, json_object_get(target, "last"));
	show_waiting(page, target);
	page_add(page, "\n");
}

static int list(struct cli *cli)
{
	unsigned columns, rows;
	struct page page;
	json_t *answer, *targets, *target;
	size_t i;
	int code = ask(cli, "/api/v1/notify", &answer);

	if (code)
		return code;
	targets = json_object_get(answer, "targets");
	if (cli->json) {
		ask_print(cli, answer);
	} else if (!json_array_size(targets)) {
		printf("Nobody is notified: the configuration has no section notify.\n");
	} else {
		term_size(&columns, &rows);
		page_init(&page, cli->color, cli->utf8, columns);
		json_array_foreach(targets, i, target) show_target(&page, target);
		fputs(page.text, stdout);
		page_close(&page);
	}
	json_decref(answer);
	return EXIT_OK;
}

/* Start a test. */
static int post_test(struct cli *cli, const char *path)
{
	char *target = xasprintf("%s/test", path);
	json_t *body = json_object(), *answer;
	int status, code = ask_post(cli, target, body, &status, &answer);

	free(target);
	json_decref(body);
	if (code)
		return code;
	if (status >= 300)
		code = ask_problem(status, answer);
	json_decref(answer);
	return code;
}

/* Until it is known what came of it. */
static int wait_for_test(struct cli *cli, const char *path, json_t **answer)
{
	for (unsigned waited_ms = 0; waited_ms < WAIT_MAX_S * 1000u; waited_ms += ASK_AGAIN_MS) {
		int code = ask(cli, path, answer);

		if (code)
			return code;
		if (strcmp(string_of(json_object_get(*answer, "test"), "state"), "running") != 0)
			return EXIT_OK;
		json_decref(*answer);
		poll(NULL, 0, ASK_AGAIN_MS);
	}
	complain("no result within %d s", WAIT_MAX_S);
	advise("\"ups2000 notify list\" tells later");
	return EXIT_UNSURE;
}

/* One target. Returns an exit code. */
static int test_one(struct cli *cli, const char *name)
{
	char *escaped = ask_escape(name);
	char *path = xasprintf("/api/v1/notify/%s", escaped);
	const json_t *test;
	json_t *answer;
	bool good;
	int code = post_test(cli, path);

	if (!code)
		code = wait_for_test(cli, path, &answer);
	free(path);
	free(escaped);
	if (code)
		return code;
	test = json_object_get(answer, "test");
	good = strcmp(string_of(test, "state"), "delivered") == 0;
	if (cli->json)
		ask_print(cli, answer);
	else if (good)
		printf("%s: delivered (%s)\n", name, string_of(test, "text"));
	else
		complain("%s: failed: %s", name, string_of(test, "text"));
	json_decref(answer);
	return good ? EXIT_OK : EXIT_FAILED;
}

static int test_all(struct cli *cli)
{
	json_t *answer, *target;
	size_t i;
	int code = ask(cli, "/api/v1/notify", &answer);

	if (code)
		return code;
	if (!json_array_size(json_object_get(answer, "targets"))) {
		complain("nobody is notified: the configuration has no section notify");
		code = EXIT_UNKNOWN;
	}
	json_array_foreach(json_object_get(answer, "targets"), i, target)
	{
		int result = test_one(cli, string_of(target, "name"));

		code = code ? code : result;
	}
	json_decref(answer);
	return code;
}

int cmd_notify(struct cli *cli)
{
	const char *what = cli->n_args ? cli->args[0] : "list";

	if (strcmp(what, "test") == 0)
		return cli->n_args > 1 ? test_one(cli, cli->args[1]) : test_all(cli);
	if (strcmp(what, "list") == 0 && cli->n_args < 2)
		return list(cli);
	complain("notify cannot \"%s\"", cli->n_args > 1 ? cli->args[1] : what);
	advise("\"ups2000 notify list\" shows what waits, \"ups2000 notify test [NAME]\" sends a test");
	return EXIT_USAGE;
}
