#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The command line of ups2000d. What it says goes before the configuration file. */
struct options {
	const char *config; /* NULL: the default file if it exists */
	const char *port;   /* run without a file for the UPS at this port */
	const char **listen;
	size_t n_listen;
	const char **http; /* --http; "none" */
	size_t n_http;
	const char *state_dir, *runtime_dir, *socket;
	char *user, *group;
	int log_level, log_target; /* -1 = not given */
	bool check, configured;
};

extern const char DEFAULT_CONFIG[];

/**
 * Read the command line.
 *
 * Returns -1 to go on, else the exit code: --help and --version were answered, or a wrong word was
 * complained about on stderr.
 */
int options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);
