#pragma once

#include <stdbool.h>
#include <stddef.h>

struct cli;

/*
 * Questions to a person, on standard error, answered on standard input. Nobody is asked with
 * --no-input, with --yes, or where standard input is no terminal: then the given answer holds.
 */

/** True if somebody can be asked. */
bool prompt_possible(const struct cli *cli);

/** A line of text; the empty line means otherwise. To free; NULL at the end of the input. */
char *prompt_text(const struct cli *cli, const char *question, const char *otherwise);

/** Yes or no; the empty line, and what is neither, means otherwise. */
bool prompt_yes(const struct cli *cli, const char *question, bool otherwise);

/** A line that is not shown while it is typed. To free after wiping; NULL at the end. */
char *prompt_secret(const struct cli *cli, const char *question);
