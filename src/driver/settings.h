#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct args;
struct config;

/*
 * What the driver is to do: ups.conf's global keys, its section, the command line and NUT's
 * environment variables, taken together. The UPS itself is described by a struct config, as the
 * daemon's is.
 */
struct settings {
	char *driver; /* own base name: driver.name, and part of the names of socket and PID file */
	char *section;	       /* name of the UPS */
	struct config *config; /* with that one UPS */
	char *state_path;      /* directory of the socket and of what is kept */
	char *socket_path, *pid_path;
	char *chroot, *user, *group; /* NULL: not given */
	unsigned debug;
	bool quiet;
	bool allow_killpower;
	bool offdelay_given;
	char **sdcommands; /* commands -k tries; empty: shutdown.default */
	size_t n_sdcommands;
};

/** Base name of the own executable; to free. "ups2000-nut" if the system does not tell. */
char *settings_own_name(const char *argv0);

/**
 * Read everything.
 *
 * @say  called with a sentence for each warning (fatal = false) and for the error
 *
 * Returns NULL after a fatal message.
 */
typedef void (*settings_say_cb)(void *user, bool fatal, const char *text);
struct settings *settings_load(const char *driver, const struct args *args, settings_say_cb say,
			       void *user);
/** Without ups.conf: only where a running instance's socket and PID file are. */
struct settings *settings_paths(const char *driver, const struct args *args);
void settings_free(struct settings *settings);

/** The keys of a section that are this driver's own, a line of help each. */
void settings_print_keys(FILE *out);
/** -L: VALUE name "text" or FLAG name "text". */
void settings_print_list(FILE *out);
