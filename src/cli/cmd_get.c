#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/ask.h"
#include "util/nearest.h"
#include "util/util.h"

static void unknown_variable(const char *ups, const json_t *variables, const char *arg, bool first)
{
	size_t n = 0;
	const char **names = xcalloc(json_object_size(variables) + 1, sizeof(*names));
	const char *near, *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)variables, key, value) names[n++] = key;
	near = nearest(arg, names, n);
	if (first && !strchr(arg, '.'))
		complain("there is neither a UPS nor a variable \"%s\"", arg);
	else
		complain("%s has no variable \"%s\"%s%s%s", ups, arg,
			 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	advise("\"ups2000 get %s\" lists what there is now", ups);
	free(names);
}

/* The variables asked for, as an object of their own; NULL after a complaint. */
static json_t *pick(struct cli *cli, const char *ups, const json_t *variables, bool named)
{
	json_t *picked = json_object();

	for (size_t i = 0; i < cli->n_args; i++) {
		json_t *value = json_object_get(variables, cli->args[i]);

		if (!value) {
			unknown_variable(ups, variables, cli->args[i], i == 0 && !named);
			json_decref(picked);
			return NULL;
		}
		json_object_set(picked, cli->args[i], value);
	}
	return picked;
}

static void print_all(const json_t *variables)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)variables, key, value)
		printf("%s: %s\n", key, json_string_value(value) ? json_string_value(value) : "");
}

static int print(struct cli *cli, const char *ups, const json_t *answer, bool named)
{
	const json_t *variables = json_object_get(answer, "variables");
	const char *availability = json_string_value(json_object_get(answer, "availability"));
	json_t *picked = NULL;

	if (cli->n_args > 0) {
		picked = pick(cli, ups, variables, named);
		if (!picked)
			return EXIT_UNKNOWN;
		variables = picked;
	}
	if (cli->json)
		ask_print(cli, variables);
	else if (cli->n_args == 1)
		printf("%s\n", json_string_value(json_object_get(variables, cli->args[0])));
	else
		print_all(variables);
	json_decref(picked);
	if (availability && !strcmp(availability, "fresh"))
		return EXIT_OK;
	complain("%s: the data is not fresh (%s)", ups, availability ? availability : "?");
	return EXIT_TEMPORARY;
}

int cmd_get(struct cli *cli)
{
	size_t before = cli->n_args;
	json_t *answer;
	char *name, *escaped;
	int code = ask_ups(cli, 0, &name);

	if (code)
		return code;
	escaped = ask_escape(name);
	code = askf(cli, &answer, "/api/v1/ups/%s/variables", escaped);
	free(escaped);
	if (code == EXIT_OK) {
		code = print(cli, name, answer, cli->n_args != before);
		json_decref(answer);
	}
	free(name);
	return code;
}
