#include "cli/cli.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "cli/ask.h"
#include "util/nearest.h"
#include "util/util.h"

enum { ASK_AGAIN_MS = 200, COMMANDS_MAX = 64 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- the outcome ---- */

static const struct {
	const char *outcome;
	int code;
} outcomes[] = {
	{ "verified", EXIT_OK },
	{ "refused", EXIT_REFUSED },
	{ "failed", EXIT_FAILED },
};

/* The exit code of an order that has ended, -1 while it is pending. */
static int ended(const json_t *order)
{
	const char *outcome = string_of(order, "outcome");

	for (size_t i = 0; outcome && i < ARRAY_SIZE(outcomes); i++)
		if (!strcmp(outcome, outcomes[i].outcome))
			return outcomes[i].code;
	return -1;
}

static void tell_outcome(const struct cli *cli, const json_t *order)
{
	const char *outcome = string_of(order, "outcome");
	const char *message = string_of(order, "message");

	if (cli->json) {
		ask_print(cli, order);
		return;
	}
	if (ended(order) == EXIT_OK)
		printf("%s: %s%s%s\n", string_of(order, "name"), outcome, message ? ": " : "",
		       message ? message : "");
	else
		complain("%s: %s%s%s", string_of(order, "name"), outcome ? outcome : "?",
			 message ? ": " : "", message ? message : "");
}

static int left_running(const struct cli *cli, const json_t *order)
{
	if (cli->json)
		ask_print(cli, order);
	complain("%s goes on without us; what comes of it is an event", string_of(order, "name"));
	advise("\"ups2000 events --follow\" tells");
	return EXIT_UNSURE;
}

static int wait_for(struct cli *cli, json_t **order)
{
	char *id = xstrdup(string_of(*order, "id"));
	char *told = xstrdup("");
	int code;

	while ((code = ended(*order)) < 0 && !interrupted) {
		const char *message = string_of(*order, "message");
		json_t *next;

		if (message && strcmp(message, told) != 0 && !cli->json) {
			fprintf(stderr, "  %s\n", message);
			free(told);
			told = xstrdup(message);
		}
		poll(NULL, 0, ASK_AGAIN_MS);
		if (interrupted)
			break;
		code = askf(cli, &next, "/api/v1/orders/%s", id ? id : "");
		if (code) {
			advise("the command may still go on; \"ups2000 events\" tells later");
			goto out;
		}
		json_decref(*order);
		*order = next;
	}
	if (code < 0)
		code = left_running(cli, *order);
	else
		tell_outcome(cli, *order);
out:
	free(told);
	free(id);
	return code;
}

/* POST and see it through. Takes body. */
static int give(struct cli *cli, const char *ups, const char *collection, json_t *body)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	char *escaped = ask_escape(ups);
	char *target = xasprintf("/api/v1/ups/%s/%s", escaped, collection);
	json_t *answer;
	int status, code;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	code = ask_post(cli, target, body, &status, &answer);
	free(target);
	free(escaped);
	json_decref(body);
	if (code)
		return code;
	if (status >= 300) {
		json_t *order = json_object_get(answer, "order");

		if (order)
			tell_outcome(cli, order);
		code = order ? ended(order) : ask_problem(status, answer);
		if (order && status == 404)
			code = EXIT_UNKNOWN;
	} else if (!cli->no_wait || ended(answer) >= 0) {
		code = wait_for(cli, &answer);
	} else {
		if (cli->json)
			ask_print(cli, answer);
		else
			printf("%s: given, order %s\n", string_of(answer, "name"),
			       string_of(answer, "id"));
		code = EXIT_UNSURE;
	}
	json_decref(answer);
	return code;
}

/* ---- asking first ---- */

/* "412 W (35 %) of load", or nothing if it is not known. */
static void load_words(struct cli *cli, const char *ups, char *out, size_t size)
{
	char *escaped = ask_escape(ups);
	json_t *snapshot, *quantities, *watts, *percent;

	out[0] = '\0';
	if (askf(cli, &snapshot, "/api/v1/ups/%s", escaped) == EXIT_OK) {
		quantities = json_object_get(snapshot, "quantities");
		watts = json_object_get(json_object_get(quantities, "output.realpower"), "value");
		percent = json_object_get(json_object_get(quantities, "ups.load"), "value");
		if (json_is_number(watts) && json_is_number(percent))
			snprintf(out, size, " The load is %.0f W (%.0f %%) now.",
				 json_number_value(watts), json_number_value(percent));
		json_decref(snapshot);
	}
	free(escaped);
}

static int ask_person(struct cli *cli, const char *ups, const char *command, const char *effect)
{
	char load[64], answer[160];

	load_words(cli, ups, load, sizeof(load));
	fprintf(stderr, "%s %s.%s\nType the name of the UPS (%s) to go on: ", command, effect, load,
		ups);
	if (!fgets(answer, sizeof(answer), stdin))
		answer[0] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	if (!strcasecmp(answer, ups))
		return EXIT_OK;
	complain("not confirmed: nothing was sent");
	return EXIT_REFUSED;
}

static int confirm(struct cli *cli, const char *ups, const json_t *command)
{
	const char *name = string_of(command, "name");
	const char *effect = string_of(command, "effect");

	if (!json_is_true(json_object_get(command, "confirm")))
		return EXIT_OK;
	if (cli->confirm && cli->confirm_name && strcasecmp(cli->confirm_name, ups) != 0) {
		complain("--confirm=%s, but the command is for %s: nothing was sent",
			 cli->confirm_name, ups);
		return EXIT_REFUSED;
	}
	if (cli->confirm)
		return EXIT_OK;
	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && !cli->no_input)
		return ask_person(cli, ups, name, effect ? effect : "may cost the load its power");
	complain("%s %s: nothing was sent", name, effect ? effect : "may cost the load its power");
	advise("if that is meant, give --confirm=%s", ups);
	return EXIT_REFUSED;
}

/* ---- run ---- */

static const json_t *find_command(const json_t *list, const char *name)
{
	const json_t *command;
	size_t i;

	json_array_foreach(
		list, i, command) if (string_of(command, "name") &&
				      !strcasecmp(string_of(command, "name"), name)) return command;
	return NULL;
}

static int unknown_command(const char *ups, const json_t *list, const char *name)
{
	const char *names[COMMANDS_MAX];
	const json_t *command;
	const char *near;
	size_t n = 0, i;

	json_array_foreach(list, i, command) if (n < COMMANDS_MAX && string_of(command, "name"))
		names[n++] = string_of(command, "name");
	near = nearest(name, names, n);
	complain("%s has no command \"%s\"%s%s%s", ups, name, near ? "; did you mean \"" : "",
		 near ? near : "", near ? "\"?" : "");
	advise("\"ups2000 run %s help\" lists them", ups);
	return EXIT_UNKNOWN;
}

static int list_commands(const struct cli *cli, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "commands");
	const char *reason = string_of(answer, "reason");
	const json_t *command;
	size_t i;

	if (cli->json) {
		ask_print(cli, answer);
		return EXIT_OK;
	}
	json_array_foreach(list, i, command)
	{
		const char *effect = string_of(command, "effect");
		const char *description = string_of(command, "description");

		printf("%-26s %s%s\n", string_of(command, "name"),
		       effect	     ? effect
		       : description ? description
				     : "",
		       json_is_true(json_object_get(command, "confirm")) ? " (asks first)" : "");
	}
	if (json_array_size(list) == 0)
		printf("There are no commands.\n");
	if (reason)
		printf("Commands are closed now: %s.\n", reason);
	return EXIT_OK;
}

static int list_steps(const struct cli *cli, const json_t *command)
{
	const json_t *steps = json_object_get(command, "steps"), *step;
	size_t i;

	if (cli->json) {
		ask_print(cli, steps);
		return EXIT_OK;
	}
	json_array_foreach(steps, i, step) printf(
		"%2zu. %s\n", i + 1, json_string_value(step) ? json_string_value(step) : "?");
	return EXIT_OK;
}

static int run_command(struct cli *cli, const char *ups, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "commands");
	const char *reason = string_of(answer, "reason");
	const json_t *command;
	json_t *body;
	int code;

	if (!strcmp(cli->args[0], "help"))
		return list_commands(cli, answer);
	command = find_command(list, cli->args[0]);
	if (!command)
		return unknown_command(ups, list, cli->args[0]);
	if (cli->dry_run)
		return list_steps(cli, command);
	if (!json_is_true(json_object_get(answer, "open"))) {
		complain("%s refused: %s: nothing was sent", cli->args[0],
			 reason ? reason : "commands are closed");
		return EXIT_REFUSED;
	}
	code = confirm(cli, ups, command);
	if (code)
		return code;
	body = json_pack("{s:s}", "command", string_of(command, "name"));
	if (cli->n_args > 1)
		json_object_set_new(body, "value", json_string(cli->args[1]));
	return give(cli, ups, "commands", body);
}

int cmd_run(struct cli *cli)
{
	char *name, *escaped;
	json_t *answer;
	int code = ask_ups(cli, 1, &name);

	if (code)
		return code;
	if (cli->n_args < 1 || cli->n_args > 2) {
		complain("too %s words: ups2000 run %s", cli->n_args < 1 ? "few" : "many",
			 cli->verb->args);
		free(name);
		return EXIT_USAGE;
	}
	escaped = ask_escape(name);
	code = askf(cli, &answer, "/api/v1/ups/%s/commands", escaped);
	free(escaped);
	if (code == EXIT_OK) {
		code = run_command(cli, name, answer);
		json_decref(answer);
	}
	free(name);
	return code;
}

/* ---- prove ---- */

enum { BACK_MS = 1000, BACK_TRIES = 600 };

/* The words of ups.status, "" while they are not known. */
static bool is_online(struct cli *cli, const char *ups)
{
	char *escaped = ask_escape(ups);
	json_t *answer;
	const char *status;
	bool online = false;

	if (askf(cli, &answer, "/api/v1/ups/%s/variables", escaped) == EXIT_OK) {
		status = string_of(json_object_get(answer, "variables"), "ups.status");
		online = status && strstr(status, "OL") && !strstr(status, "OFF") &&
			 !strstr(status, "BYPASS");
		json_decref(answer);
	}
	free(escaped);
	return online;
}

static int wait_until_back(struct cli *cli, const char *ups)
{
	fprintf(stderr, "  the output is off; waiting until it is back\n");
	for (int i = 0; i < BACK_TRIES && !interrupted; i++) {
		if (is_online(cli, ups)) {
			printf("proved: %s switched its load off and on again by itself, %d s later\n",
			       ups, i * BACK_MS / 1000);
			return EXIT_OK;
		}
		poll(NULL, 0, BACK_MS);
	}
	complain("the output of %s has not come back", ups);
	advise("\"ups2000 status %s\" tells how it is; \"ups2000 run %s load.on\" switches it on",
	       ups, ups);
	return interrupted ? EXIT_UNSURE : EXIT_FAILED;
}

static int prove_return(struct cli *cli, const char *ups)
{
	json_t *command = json_pack(
		"{s:s, s:s, s:b}", "name", "prove return", "effect",
		"switches the output off now and waits until it is back: the load loses its power for "
		"a minute or more",
		"confirm", 1);
	int code;

	if (!is_online(cli, ups)) {
		complain("%s is not plainly on mains: nothing was sent", ups);
		json_decref(command);
		return EXIT_REFUSED;
	}
	code = confirm(cli, ups, command);
	json_decref(command);
	if (code)
		return code;
	code = give(cli, ups, "commands",
		    json_pack("{s:s, s:s}", "command", "shutdown.return", "value", "6"));
	return code ? code : wait_until_back(cli, ups);
}

int cmd_prove(struct cli *cli)
{
	char *name;
	int code = ask_ups(cli, 1, &name);

	if (code)
		return code;
	if (cli->n_args != 1 || strcmp(cli->args[0], "return") != 0) {
		complain("there is only: ups2000 prove %s", cli->verb->args);
		code = EXIT_USAGE;
	} else {
		code = prove_return(cli, name);
	}
	free(name);
	return code;
}

/* ---- set ---- */

int cmd_set(struct cli *cli)
{
	json_t *value, *body;
	char *name;
	int code = ask_ups(cli, 2, &name);

	if (code)
		return code;
	if (cli->n_args != 2) {
		complain("too %s words: ups2000 set %s", cli->n_args < 2 ? "few" : "many",
			 cli->verb->args);
		free(name);
		return EXIT_USAGE;
	}
	value = json_string(cli->args[1]);
	if (!value) {
		complain("the value is not UTF-8 text");
		free(name);
		return EXIT_USAGE;
	}
	body = json_pack("{s:s, s:o}", "name", cli->args[0], "value", value);
	code = give(cli, name, "settings", body ? body : json_object());
	free(name);
	return code;
}
