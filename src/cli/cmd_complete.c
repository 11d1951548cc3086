#include "cli/cli.h"

#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/ask.h"
#include "cli/client.h"
#include "util/util.h"

/*
 * What may stand next on a command line, a candidate per line, for the shells' completion scripts
 * (completions/): verbs and options from their tables, names of UPSes, commands and variables from
 * the daemon. Never says why it knows nothing: there is a half-written line on the screen.
 */
struct line {
	struct cli *cli;
	char **words; /* behind "ups2000"; the last one is being written */
	size_t n;
	const char *current;
	const struct verb *verb; /* NULL: not yet */
	const char *args[16];	 /* behind the verb, without options */
	size_t n_args;
};

/* Tells the script to offer files. */
static const char files[] = ":files";

static void offer(const struct line *line, const char *word)
{
	if (!strncmp(word, line->current, strlen(line->current)))
		puts(word);
}

/* A GET to the daemon; NULL if there is no good answer. */
static json_t *get(const struct line *line, const char *target)
{
	struct client_answer answer;
	json_t *json;

	if (client_request(line->cli->socket, "GET", target, NULL, &answer) != CLIENT_OK)
		return NULL;
	json = answer.status == 200 ? json_loadb(answer.body, answer.len, 0, NULL) : NULL;
	free(answer.body);
	if (json)
		ask_clean(json);
	return json;
}

static json_t *ups_list(const struct line *line)
{
	return get(line, "/api/v1/ups");
}

/* The UPS the line is about: the first argument if it is one, else the only one. To free. */
static char *meant_ups(const struct line *line, bool *named)
{
	json_t *answer = ups_list(line), *list = json_object_get(answer, "ups"), *ups;
	char *name = NULL;
	size_t i;

	*named = false;
	json_array_foreach(list, i, ups)
	{
		const char *this = json_string_value(json_object_get(ups, "name"));

		if (this && line->n_args && !strcmp(this, line->args[0])) {
			*named = true;
			name = xstrdup(this);
		}
	}
	if (!name && json_array_size(list) == 1)
		name = xstrdup(json_string_value(json_object_get(json_array_get(list, 0), "name")));
	json_decref(answer);
	return name;
}

/* The names in a list of the API. */
static void offer_names(const struct line *line, const char *path, const char *key)
{
	json_t *answer = get(line, path), *object;
	size_t i;

	json_array_foreach(json_object_get(answer, key), i, object)
	{
		const char *name = json_string_value(json_object_get(object, "name"));

		if (name)
			offer(line, name);
	}
	json_decref(answer);
}

/* Names of an array of objects, or keys of an object, below a UPS. */
static void offer_of_ups(const struct line *line, const char *ups, const char *what)
{
	char *escaped = ask_escape(ups);
	char *target = xasprintf("/api/v1/ups/%s/%s", escaped, what);
	json_t *answer = get(line, target), *list = json_object_get(answer, what), *value;
	const char *key;
	size_t i;

	json_object_foreach(list, key, value) offer(line, key);
	json_array_foreach(list, i, value)
	{
		const char *name = json_string_value(json_object_get(value, "name"));

		if (name)
			offer(line, name);
	}
	json_decref(answer);
	free(target);
	free(escaped);
}

static void offer_ports(const struct line *line)
{
	static const char *const patterns[] = { "/dev/serial/by-path/*", "/dev/ttyUSB*",
						"/dev/ttyACM*", "/dev/ttyS*" };

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		glob_t found;

		if (!glob(patterns[i], 0, NULL, &found))
			for (size_t k = 0; k < found.gl_pathc; k++)
				offer(line, found.gl_pathv[k]);
		globfree(&found);
	}
	offer(line, "tcp://");
	offer(line, "rtu+tcp://");
}

static void offer_verbs(const struct line *line)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (*verbs[i].name != '_')
			offer(line, verbs[i].name);
}

static void offer_options(const struct line *line)
{
	const char *names[64];
	size_t n = options_of(line->verb, names, ARRAY_SIZE(names));

	for (size_t i = 0; i < n; i++)
		offer(line, names[i]);
}

/* The nth word that a verb's usage names, without brackets: "UPS" of "[UPS] VAR VALUE". */
static bool usage_word(const struct verb *verb, size_t nth, char *out, size_t size)
{
	char *copy = xstrdup(verb->args), *rest = copy, *word;
	bool found = false;

	for (size_t i = 0; (word = strtok_r(rest, " []", &rest)); i++) {
		bool last = i == nth || (i < nth && strstr(word, "..."));

		if (!last)
			continue;
		snprintf(out, size, "%.*s", (int)strcspn(word, "."), word);
		found = true;
		break;
	}
	free(copy);
	return found;
}

/* Which words a usage knows, and what can stand there. */
static void offer_word(const struct line *line, const char *usage, const char *ups)
{
	if (!strcmp(usage, "UPS"))
		offer_names(line, "/api/v1/ups", "ups");
	else if (!strcmp(usage, "TARGET"))
		offer_names(line, "/api/v1/notify", "targets");
	else if (!strcmp(usage, "VERB"))
		offer_verbs(line);
	else if (strstr(usage, "PORT"))
		offer_ports(line);
	else if (!strcmp(usage, "COMMAND") && ups) {
		offer(line, "help");
		offer_of_ups(line, ups, "commands");
	} else if (!strcmp(usage, "VAR") && ups)
		offer_of_ups(line, ups,
			     !strcmp(line->verb->name, "set") ? "settings" : "variables");
	else if (strchr("abcdefghijklmnopqrstuvwxyz", *usage))
		for (char *rest = strdupa(usage), *word; (word = strtok_r(rest, "|", &rest));)
			offer(line, word);
}

static void offer_arguments(const struct line *line)
{
	char usage[64];
	bool optional_ups = !strncmp(line->verb->args, "[UPS]", 5), named;
	char *ups = meant_ups(line, &named);
	/* with the name left out, the words move up by one */
	size_t at = line->n_args + (optional_ups && !named && line->n_args ? 1 : 0);

	if (usage_word(line->verb, at, usage, sizeof(usage)))
		offer_word(line, usage, ups);
	if (optional_ups && !line->n_args && usage_word(line->verb, 1, usage, sizeof(usage)))
		offer_word(line, usage, ups);
	free(ups);
}

/* Verb and arguments of the words before the last. */
static void read_words(struct line *line)
{
	for (size_t i = 0; i + 1 < line->n; i++) {
		const char *word = line->words[i];

		if (*word == '-') {
			if (options_take_value(word) && !strchr(word, '='))
				i++;
		} else if (!line->verb) {
			line->verb = verb_find(word);
			if (!line->verb)
				return;
		} else if (line->n_args < ARRAY_SIZE(line->args)) {
			line->args[line->n_args++] = word;
		}
	}
}

/* The value of the option before; true if there was one that takes a value. */
static bool offer_value(const struct line *line)
{
	const char *option = line->n > 1 ? line->words[line->n - 2] : "";

	if (*option != '-' || strchr(option, '=') || !options_take_value(option))
		return false;
	if (!strcmp(option, "--port"))
		offer_ports(line);
	else
		puts(files); /* where a number is wanted, no file will fit */
	return true;
}

int cmd_complete(struct cli *cli)
{
	struct line line = { .cli = cli, .words = cli->args, .n = cli->n_args, .current = "" };

	if (line.n)
		line.current = line.words[line.n - 1];
	read_words(&line);
	if (offer_value(&line))
		return EXIT_OK;
	if (*line.current == '-')
		offer_options(&line);
	else if (line.verb)
		offer_arguments(&line);
	else if (line.n < 2 || *line.words[0] == '-')
		offer_verbs(&line);
	return EXIT_OK;
}
