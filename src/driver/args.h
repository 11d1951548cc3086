#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A NUT driver's command line (docs/man/ups2000-nut.8). */
enum args_job {
	ARGS_RUN,
	ARGS_KILLPOWER, /* -k */
	ARGS_DUMP,	/* -d n */
	ARGS_TELL,	/* -c command */
	ARGS_VERSION,
	ARGS_HELP,
	ARGS_LIST, /* -L */
};

enum args_where {
	ARGS_BACKGROUND,
	ARGS_FOREGROUND,
	ARGS_FOREGROUND_PID, /* -FF: with a PID file */
};

struct args {
	enum args_job job;
	enum args_where where;
	const char *section; /* of -a or -s */
	bool no_file;	     /* -s: nothing is read from ups.conf */
	const char **extra;  /* -x, in order: "key=value" or "flag" */
	size_t n_extra;
	unsigned debug;	  /* how often -D was given */
	unsigned updates; /* -d */
	const char *poll; /* -i */
	bool quiet;
	const char *chroot, *user, *group;
	const char *tell; /* -c: reload ... */
	long pid;	  /* -P, 0 = not given */
};

/**
 * Take the command line. Strings are borrowed from argv; args_close() frees the rest.
 *
 * Returns false after a message on stderr.
 */
bool args_parse(struct args *args, int argc, char **argv);
void args_close(struct args *args);
void args_help(const char *program);
