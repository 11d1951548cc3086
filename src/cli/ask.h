#pragma once

#include <jansson.h>
#include "cli/client.h"

struct cli;

/*
 * Requests for the commands. What goes wrong is told on standard error, with what to do about it;
 * the return value is EXIT_OK or the exit code to leave with.
 */

/** GET a JSON object. Unless cli->json, its strings are made safe for a terminal. */
int ask(struct cli *cli, const char *target, json_t **answer);
int askf(struct cli *cli, json_t **answer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** The same, and says nothing if it does not work: NULL then. */
json_t *ask_quietly(struct cli *cli, const char *target);

/** POST an object. status and answer are those of the server, also for a refusal. */
int ask_post(struct cli *cli, const char *target, json_t *body, int *status, json_t **answer);

/** Tell what kept us from the daemon. Returns the exit code. */
int ask_explain(const struct cli *cli, enum client_error error);

/** Tell a problem+json answer. Returns the exit code for its status. */
int ask_problem(int status, json_t *problem);

/**
 * The name of the UPS meant by a command line: the first argument if it names a UPS (then it is
 * taken from cli->args), else the only UPS there is.
 *
 * @required  further arguments the verb needs; decides whether the first one must be a name
 *
 * Returns EXIT_OK and a name to free(), or an exit code after telling why.
 */
int ask_ups(struct cli *cli, size_t required, char **name);

/** A name in a path: escaped; free() it. */
char *ask_escape(const char *name);

/** Replace control characters in all strings: they must not reach a terminal. */
void ask_clean(json_t *json);

/** Print as JSON, indented for people if standard output is a terminal. */
void ask_print(const struct cli *cli, const json_t *json);
