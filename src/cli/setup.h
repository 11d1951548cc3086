#pragma once

#include <stdbool.h>
#include <stddef.h>

struct cli;

/* What the files of "ups2000 setup" share. */

/** Where the configuration goes: --output, else /etc/ups2000/ups2000.conf. "-" is standard output. */
const char *setup_output(const struct cli *cli);

/**
 * Whether a configuration may be put there: nothing is there, or only comments, or --force.
 * Returns EXIT_OK, or an exit code after telling why not.
 */
int setup_may_write(const struct cli *cli);

/**
 * Check the text as the daemon would and put it in place as a whole; a configuration that was there
 * is kept as PATH.old. With --dry-run, or "-", it is printed.
 *
 * Returns EXIT_OK, or an exit code after telling what is wrong; then nothing was changed.
 */
int setup_write(const struct cli *cli, const char *text);

/** setup --from-nut */
int setup_from_nut(struct cli *cli);

/** What to do now. */
void setup_advise_start(const struct cli *cli);
