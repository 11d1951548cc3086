#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "cli/ask.h"
#include "util/util.h"

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int shutdown_confirm(const struct cli *cli, const char *what, const char *word)
{
	char typed[160];

	if (cli->confirm && cli->confirm_name && strcasecmp(cli->confirm_name, word) != 0) {
		complain("--confirm=%s, but it is \"%s\" that counts: nothing was done",
			 cli->confirm_name, word);
		return EXIT_REFUSED;
	}
	if (cli->confirm)
		return EXIT_OK;
	if (cli->no_input || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		complain("%s: nothing was done", what);
		advise("if that is meant, give --confirm");
		return EXIT_REFUSED;
	}
	fprintf(stderr, "%s.\nType \"%s\" to go on: ", what, word);
	if (!fgets(typed, sizeof(typed), stdin))
		typed[0] = '\0';
	typed[strcspn(typed, "\n")] = '\0';
	if (!strcasecmp(typed, word))
		return EXIT_OK;
	complain("not confirmed: nothing was done");
	return EXIT_REFUSED;
}

/* POST and say how it stands. Takes body. */
static int post(struct cli *cli, const char *target, json_t *body)
{
	const char *text, *cause;
	json_t *policy;
	int status;
	int code = ask_post(cli, target, body, &status, &policy);

	json_decref(body);
	if (code)
		return code;
	text = string_of(policy, "text");
	cause = string_of(policy, "cause");
	if (status != 200)
		code = ask_problem(status, policy);
	else if (cli->json)
		ask_print(cli, policy);
	else if (text)
		printf("%s%s%s%s\n", text, cause ? " (" : "", cause ? cause : "", cause ? ")" : "");
	json_decref(policy);
	return code;
}

int cmd_shutdown(struct cli *cli)
{
	json_t *policy, *body;
	int code = ask(cli, "/api/v1/policy", &policy);
	bool enabled;

	if (code)
		return code;
	enabled = json_is_true(json_object_get(policy, "enabled"));
	json_decref(policy);
	if (!enabled) {
		complain("the configuration has no section \"shutdown\": nothing was done");
		advise("see ups2000.conf(5)");
		return EXIT_REFUSED;
	}
	if (!cli->cancel) {
		code = shutdown_confirm(
			cli,
			"This shuts down every host that hangs on the UPS, this one last, and "
			"switches the UPS off",
			"shut down");
		if (code)
			return code;
	}
	body = json_pack("{s:s}", "action", cli->cancel ? "cancel" : "begin");
	if (cli->reason)
		json_object_set_new(body, "reason", json_string(cli->reason));
	code = post(cli, "/api/v1/shutdown", body);
	if (code == EXIT_OK && !cli->cancel && !cli->json)
		advise("\"ups2000 watch\" shows it, \"ups2000 shutdown --cancel\" takes it back until "
		       "FSD is announced");
	return code;
}

int cmd_fsd(struct cli *cli)
{
	const char *action = cli->args[0];
	bool set = !strcmp(action, "set");
	char *ups, *what;
	int code;

	if (!set && strcmp(action, "clear") != 0) {
		complain("\"%s\" is neither \"set\" nor \"clear\"", action);
		advise("ups2000 fsd set|clear [UPS]");
		return EXIT_USAGE;
	}
	cli->args++;
	cli->n_args--;
	code = ask_ups(cli, 0, &ups);
	if (code)
		return code;
	if (cli->n_args) {
		complain("\"%s\" is one word too many", cli->args[0]);
		free(ups);
		return EXIT_USAGE;
	}
	if (set) {
		what = xasprintf("Every host whose upsmon watches %s shuts down", ups);
		code = shutdown_confirm(cli, what, ups);
		free(what);
	}
	if (code == EXIT_OK)
		code = post(cli, "/api/v1/fsd",
			    json_pack("{s:s, s:s}", "action", action, "ups", ups));
	free(ups);
	return code;
}
