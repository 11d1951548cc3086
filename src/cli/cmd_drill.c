#include "cli/cli.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/ask.h"
#include "util/util.h"

enum { LOOK_MS = 200 };

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void check(bool good, const char *what, const char *remedy)
{
	printf("%s %s", good ? "  ok  " : "  !!  ", what);
	if (!good)
		printf(": %s", remedy);
	printf("\n");
}

/* What can be seen from here without doing anything. Returns how much is wrong. */
static unsigned look_around(const json_t *policy)
{
	static const char hook[] = "/lib/systemd/system-shutdown/ups2000";
	static const char unit[] = "/etc/systemd/system/multi-user.target.wants/ups2000-host.path";
	bool systemd = access("/run/systemd/system", F_OK) == 0;
	const json_t *list = json_object_get(policy, "ups"), *ups;
	unsigned wrong = 0;
	bool good;
	size_t i;

	printf("\nWhat it needs\n");
	json_array_foreach(list, i, ups)
	{
		char *what = xasprintf("%s is read", string_of(ups, "name"));

		good = json_is_true(json_object_get(ups, "known"));
		wrong += !good;
		check(good, what, "it gives no fresh data; see \"ups2000 status\"");
		free(what);
	}
	if (!json_is_true(json_object_get(policy, "this_host")))
		return wrong;
	if (systemd) {
		good = access(unit, F_OK) == 0;
		wrong += !good;
		check(good, "ups2000-host.path is enabled",
		      "systemctl enable --now ups2000-host.path");
	}
	good = access(hook, X_OK) == 0;
	wrong += !good;
	check(good, "the late hook is in place", hook);
	return wrong;
}

/* Runs one task and waits for its end. */
static int run_task(struct cli *cli, const char *name)
{
	json_t *body = json_pack("{s:s}", "task", name), *answer;
	const json_t *task;
	const char *state;
	int status, code = ask_post(cli, "/api/v1/drill", body, &status, &answer);

	json_decref(body);
	if (code)
		return code;
	if (status != 200) {
		code = ask_problem(status, answer);
		json_decref(answer);
		return code;
	}
	for (;;) {
		task = json_object_get(answer, "task");
		state = string_of(task, "state");
		if (!state || strcmp(state, "running") != 0)
			break;
		json_decref(answer);
		poll(NULL, 0, LOOK_MS);
		code = ask(cli, "/api/v1/drill", &answer);
		if (code)
			return code;
	}
	code = state && !strcmp(state, "ended") ? EXIT_OK : EXIT_FAILED;
	check(code == EXIT_OK, name, string_of(task, "text") ? string_of(task, "text") : "?");
	json_decref(answer);
	return code;
}

static int run_tasks(struct cli *cli)
{
	int code = shutdown_confirm(cli, "The tasks that are named really run", "run"), worst;

	if (code)
		return code;
	printf("\nTasks, for real\n");
	worst = EXIT_OK;
	for (size_t i = 0; i < cli->n_args; i++) {
		code = run_task(cli, cli->args[i]);
		worst = code ? code : worst;
	}
	return worst;
}

int cmd_drill(struct cli *cli)
{
	json_t *drill, *policy, *step;
	unsigned wrong = 0;
	size_t i;
	int code = ask(cli, "/api/v1/drill", &drill);

	if (code)
		return code;
	if (cli->json) {
		ask_print(cli, drill);
		json_decref(drill);
		return cli->n_args ? run_tasks(cli) : EXIT_OK;
	}
	printf("If the mains failed and the battery were low, at the latest\n");
	json_array_foreach(json_object_get(drill, "steps"), i, step)
		printf("%6.0f s  %s\n", json_number_value(json_object_get(step, "at_s")),
		       string_of(step, "text"));
	json_decref(drill);
	code = ask(cli, "/api/v1/policy", &policy);
	if (code)
		return code;
	wrong = look_around(policy);
	json_decref(policy);
	code = cli->n_args ? run_tasks(cli) : EXIT_OK;
	if (wrong)
		complain("%u thing%s would keep it from working", wrong, wrong == 1 ? "" : "s");
	return code ? code : wrong ? EXIT_FAILED : EXIT_OK;
}
