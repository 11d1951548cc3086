#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/policy_simulate.h"

/* Exit codes; documented in docs/cli.md and ups2000(1). Only 0 is success. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* the command was tried and failed */
	EXIT_UNSURE = 3,	/* given, its outcome not awaited */
	EXIT_USAGE = 64,	/* the command line is wrong */
	EXIT_UNKNOWN = 66,	/* no such UPS, variable, command */
	EXIT_UNREACHABLE = 69,	/* the daemon does not answer, the port is not there */
	EXIT_SOFTWARE = 70,	/* the daemon's answer makes no sense */
	EXIT_TEMPORARY = 75,	/* no fresh data, the UPS is silent; try again */
	EXIT_REFUSED = 77,	/* refused, or no permission */
	EXIT_INTERRUPTED = 130, /* Ctrl-C ended it before its end */
};

/* Options that not every verb has. */
enum {
	OPT_FOLLOW = 1 << 0,
	OPT_SINCE = 1 << 1,
	OPT_LINES = 1 << 2,
	OPT_CONFIRM = 1 << 3,
	OPT_NO_WAIT = 1 << 4,
	OPT_YES = 1 << 5,
	OPT_UNIT_ID = 1 << 6,
	OPT_NUMBER = 1 << 7,
	OPT_BAUD = 1 << 8,
	OPT_RECORD = 1 << 9,
	OPT_HIDE = 1 << 10,
	OPT_DIFF = 1 << 11,
	OPT_WAIT = 1 << 12,
	OPT_DRY_RUN = 1 << 13,
	OPT_SIMULATE = 1 << 16, /* any of them */
	OPT_REASON = 1 << 21,
	OPT_CANCEL = 1 << 22,
	OPT_TO = 1 << 19,
	OPT_POINTS = 1 << 20,
	OPT_CSV = 1 << 17,
	OPT_TABLE = 1 << 18,
	OPT_FROM_NUT = 1 << 23,
	OPT_PORT = 1 << 24,
	OPT_NAME = 1 << 25,
	OPT_PASSWORD_FILE = 1 << 26,
	OPT_SERVE = 1 << 27,
	OPT_SHUT_DOWN = 1 << 28,
	OPT_OUTPUT = 1 << 29,
	OPT_FORCE = 1 << 30,
};

struct cli {
	const struct verb *verb;
	const char *socket;
	bool json, color;
	bool utf8, tty, smart; /* of standard output; smart: knows escape sequences */
	bool no_input;
	bool follow, no_wait, confirm, dry_run;
	const char *confirm_name; /* NULL: --confirm alone */
	const char *since;
	unsigned lines; /* 0 = not given */
	const char *to;
	unsigned points; /* 0 = not given */
	bool csv, table;
	bool yes, diff, hide_serial;
	unsigned unit_id, number, baud, wait_s; /* 0 = not given */
	const char *record;
	const char *simulate[SIMULATE_OPTIONS]; /* NULL = not given */
	const char *reason;			/* NULL = not given */
	bool cancel;
	const char *port, *name, *password_file, *output; /* setup's; NULL = not given */
	const char *from_nut;				  /* directory; NULL = not asked for */
	bool serve, shut_down, force;
	char **args; /* behind the verb */
	size_t n_args;
};

struct verb {
	const char *name;
	const char *args; /* "[UPS]" */
	const char *what; /* one line */
	unsigned options; /* OPT_* it knows besides the common ones */
	size_t min_args, max_args;
	int (*run)(struct cli *cli);
	const char *more; /* for "help VERB" */
};

extern const struct verb verbs[];
extern const size_t n_verbs;
const struct verb *verb_find(const char *name);

/** Read the command line. Returns -1 to go on, else the exit code to leave with. */
int options_parse(struct cli *cli, int argc, char **argv);

/** Names ("--json") of the options a verb knows (NULL: of the common ones). Returns how many. */
size_t options_of(const struct verb *verb, const char **names, size_t max);
/** Whether this option ("--socket", "-s") needs a word of its own behind it. */
bool options_take_value(const char *option);

/** "ups2000: TEXT" on standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** A line below it: what to do next. */
void advise(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** A person types the word, or --confirm was given; else EXIT_REFUSED after telling. */
int shutdown_confirm(const struct cli *cli, const char *what, const char *word);

int cmd_status(struct cli *cli);
int cmd_watch(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_get(struct cli *cli);
int cmd_events(struct cli *cli);
int cmd_history(struct cli *cli);
int cmd_outages(struct cli *cli);
int cmd_tests(struct cli *cli);
int cmd_run(struct cli *cli);
int cmd_set(struct cli *cli);
int cmd_prove(struct cli *cli);
int cmd_scan(struct cli *cli);
int cmd_probe(struct cli *cli);
int cmd_setup(struct cli *cli);
int cmd_complete(struct cli *cli);
int cmd_notify(struct cli *cli);
int cmd_policy(struct cli *cli);
int cmd_shutdown(struct cli *cli);
int cmd_fsd(struct cli *cli);
int cmd_drill(struct cli *cli);
int cmd_help(struct cli *cli);
int cmd_version(struct cli *cli);
