#pragma once

#include <jansson.h>
#include <stdbool.h>
#include "probe/survey.h"
#include "probe/wire.h"

struct cli;

/* What scan and probe share. */

/** Where sysfs and device nodes are: $UPS2000_SYSFS, $UPS2000_DEV (for tests), else NULL. */
const char *probe_sysfs(void);
const char *probe_dev(void);

/**
 * Open a port; if it cannot be, tell why and what to do.
 *
 * Returns NULL and the exit code to leave with in *code; EXIT_OK there if it is open.
 */
struct wire *probe_open(const struct cli *cli, const char *port, struct capture *record, int *code);

/** Unit id, number and speed of the command line, or their defaults; progress on a terminal. */
struct survey_config probe_config(const struct cli *cli);
/** Take the line of progress away. */
void probe_progress_end(void);

/** The section of ups2000.conf for a UPS at a port; free() it. */
char *probe_conf(const char *port, const struct survey *survey);

/** Two lines for people: who it is, and whether it can be commanded. */
void probe_tell_ups(const struct survey *survey);

/** Tell people, or as JSON. */
void probe_text(const struct cli *cli, const char *port, const struct survey *survey);
json_t *probe_json(const char *port, const struct survey *survey);
json_t *probe_identity_json(const struct u2k_identity *identity);

/** --diff: read, wait, read again. Returns the exit code. */
int probe_diff(struct cli *cli, const char *port, struct wire *wire,
	       const struct survey_config *config);
