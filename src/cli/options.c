#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "util/nearest.h"
#include "util/util.h"

/* What only setup knows. */
enum {
	OPT_SETUP = OPT_PORT | OPT_NAME | OPT_PASSWORD_FILE | OPT_SERVE | OPT_SHUT_DOWN |
		    OPT_OUTPUT | OPT_FORCE | OPT_FROM_NUT,
};

static const char default_socket[] = "/run/ups2000/ups2000.sock";

const struct verb verbs[] = {
	{ "status", "[UPS]", "how a UPS is", 0, 0, 1, cmd_status,
	  "Without a name, every UPS is shown. Exit code 75 if the data is not fresh.\n" },
	{ "watch", "[UPS]", "the same, live, until q or Ctrl-C", 0, 0, 1, cmd_watch,
	  "Without a name and with several UPSes, an overview; Tab goes through them.\n"
	  "Not on a terminal, it prints a line whenever something changes; with --json, a JSON\n"
	  "object per line.\n" },
	{ "list", "", "all UPSes, a line each", 0, 0, 0, cmd_list, "" },
	{ "get", "[UPS] [VAR...]", "variables under the names NUT uses", 0, 0, 64, cmd_get,
	  "One variable prints its value alone. Without any, all are printed.\n" },
	{ "events", "[UPS]", "what happened", OPT_FOLLOW | OPT_SINCE | OPT_LINES, 0, 1, cmd_events,
	  "  -f, --follow       go on with new events as they happen\n"
	  "      --from WHEN    only from then on: 30s, 10m, 2h, 7d ago, or 2026-01-31 12:00\n"
	  "  -n, --limit N      only the last N (50 without --from)\n"
	  "--since and --lines are the same as --from and --limit.\n" },
	{ "history", "[UPS] [QUANTITY]", "what was measured, as a chart, a table or data",
	  OPT_SINCE | OPT_TO | OPT_POINTS | OPT_CSV | OPT_TABLE, 0, 2, cmd_history,
	  "Without a quantity, an overview with energy; with one, a chart on a terminal, else a table.\n"
	  "      --from WHEN   30s, 10m, 2h, 7d ago, or 2026-01-31 12:00 (a day before --to)\n"
	  "      --to WHEN     likewise (now)\n"
	  "      --points N    how many, 1 to 5000\n"
	  "      --table       a table on a terminal too\n"
	  "      --csv         comma-separated values, times as seconds since 1970\n" },
	{ "outages", "[UPS]", "when the mains failed, and what it took", OPT_SINCE | OPT_LINES, 0,
	  1, cmd_outages,
	  "      --from WHEN   only from then on: 7d ago, or 2026-01-31 12:00\n"
	  "  -n, --limit N     only the last N (20)\n" },
	{ "tests", "[UPS]", "battery tests and their results", OPT_SINCE | OPT_LINES, 0, 1,
	  cmd_tests,
	  "      --from WHEN   only from then on: 7d ago, or 2026-01-31 12:00\n"
	  "  -n, --limit N     only the last N (20); their discharge curves with --json\n" },
	{ "run", "[UPS] COMMAND [VALUE]", "give a command and wait for what comes of it",
	  OPT_CONFIRM | OPT_NO_WAIT | OPT_DRY_RUN, 1, 3, cmd_run,
	  "      --confirm[=UPS]  do not ask before a command that may cost the load its power\n"
	  "      --no-wait        do not wait for the outcome\n"
	  "      --dry-run        print the steps it would take, and send nothing\n"
	  "\"ups2000 run [UPS] help\" lists the commands of a UPS and what they do to the load.\n" },
	{ "set", "[UPS] VAR VALUE", "change a setting and wait for what comes of it", OPT_NO_WAIT,
	  2, 3, cmd_set, "      --no-wait        do not wait for the outcome\n" },
	{ "prove", "[UPS] return", "switch the load off and see it come back, on this very UPS",
	  OPT_CONFIRM, 1, 2, cmd_prove,
	  "Which way of switching off with return a unit obeys, no source settles: this tries it.\n"
	  "The load loses its power for a minute or more. Use a lamp as the load.\n"
	  "      --confirm[=UPS]  do not ask\n" },
	{ "notify", "[list|test] [TARGET]", "who is notified; send a test", 0, 0, 2, cmd_notify,
	  "list       what waits for each target, and what came of the last attempt\n"
	  "test       send a test to all of them, or to one, and wait for what comes of it\n" },
	{ "scan", "", "which serial ports there are, and which UPS is on them",
	  OPT_YES | OPT_UNIT_ID | OPT_NUMBER | OPT_BAUD, 0, 0, cmd_scan,
	  "  -y, --yes         identify what is on each port without asking first\n"
	  "      --unit-id N   Modbus unit id, 1 to 247 (1)\n"
	  "      --number N    UPS number behind it, 1 to 4 (1)\n"
	  "      --baud N      speed of the ports (9600)\n"
	  "Needs no daemon. Nothing is sent to a port before you agreed, and nothing is written.\n" },
	{ "probe", "PORT|URL", "look at one UPS without a daemon, only reading",
	  OPT_UNIT_ID | OPT_NUMBER | OPT_BAUD | OPT_RECORD | OPT_HIDE | OPT_DIFF | OPT_WAIT, 1, 1,
	  cmd_probe,
	  "      --unit-id N    Modbus unit id, 1 to 247 (1)\n"
	  "      --number N     UPS number behind it, 1 to 4 (1)\n"
	  "      --baud N       speed of the port (9600)\n"
	  "      --record FILE  write what went over the line, to send or to play again\n"
	  "      --hide-serial  with --record: zeros for the serial number\n"
	  "      --diff         read, let you do something at the panel, read again, and show what\n"
	  "                     changed\n"
	  "      --wait SECONDS with --diff: wait so long instead of asking\n" },
	{ "setup", "", "find the UPS and write the daemon's configuration",
	  OPT_YES | OPT_UNIT_ID | OPT_NUMBER | OPT_BAUD | OPT_DRY_RUN | OPT_SETUP, 0, 0, cmd_setup,
	  "Finds the UPS, asks before it talks to a port, and only reads.\n"
	  "      --port PORT|URL        the UPS is there; do not look elsewhere\n"
	  "      --unit-id N, --number N, --baud N   as for \"probe\"\n"
	  "      --name NAME            of the UPS, for NUT clients (ups)\n"
	  "      --password-file FILE   password of the user \"admin\", its first line\n"
	  "      --serve                let other hosts watch it\n"
	  "      --shut-down            shut this host down before the battery is empty\n"
	  "      --from-nut[=DIR]       take over NUT's configuration (/etc/nut) instead, and say\n"
	  "                             line by line what became of it\n"
	  "  -o, --output FILE          write there (/etc/ups2000/ups2000.conf); - shows it\n"
	  "      --force                replace a configuration; the old one is kept as FILE.old\n"
	  "      --dry-run              show what would be written\n"
	  "  -y, --yes                  ask nothing: look at all ports, take what is not given above\n"
	  "                             as it is in brackets\n" },
	/* for the shells' completion scripts; '_': people need not know it */
	{ "_complete", "-- [WORD...]", "what may stand next", 0, 0, SIZE_MAX, cmd_complete, "" },
	{ "policy", "[simulate]", "when hosts go down, and how it stands", OPT_SIMULATE, 0, 1,
	  cmd_policy,
	  "Each condition with its present value; what comes next, and when. Exit code 1 while a\n"
	  "forced shutdown is under way.\n"
	  "simulate: plays an outage against the configuration on a virtual clock. It needs no\n"
	  "daemon and touches nothing. Exit code 1 if the battery is empty before this host is down.\n"
	  "      --config FILE     the configuration (/etc/ups2000/ups2000.conf)\n"
	  "      --outage TIME     the mains are away so long: 90s, 10m, 2h, forever (1h)\n"
	  "      --charge PERCENT  of the battery when they fail (100)\n"
	  "      --runtime TIME    on battery from then until it is empty (20m)\n"
	  "      --load PERCENT    of the load that this runtime is for (100)\n"
	  "      --low PERCENT     at this charge the UPS says \"battery low\" (20)\n"
	  "      --secondaries N   NUT clients logged in (0)\n"
	  "      --leave TIME      they log out so long after FSD; forever: never (10s)\n"
	  "      --ups NAME        only the mains of this UPS fail\n" },
	{ "shutdown", "", "shut hosts down in order, as after an outage",
	  OPT_REASON | OPT_CANCEL | OPT_CONFIRM, 0, 0, cmd_shutdown,
	  "Secondaries leave, tasks run, this host goes down, the UPS switches off and on again.\n"
	  "      --reason TEXT  for the log and for people\n"
	  "      --cancel       take it back, as long as FSD is not announced\n"
	  "      --confirm      do not ask\n" },
	{ "drill", "[TASK...]", "rehearse an outage: what would happen, and whether it can",
	  OPT_CONFIRM, 0, 32, cmd_drill,
	  "Nothing is written to the UPS and no FSD is announced. Tasks that are named really run, with\n"
	  "UPS2000_DRILL=1 in their environment.\n"
	  "      --confirm      do not ask before running them\n" },
	{ "fsd", "set|clear [UPS]", "announce a forced shutdown to NUT clients, or take it back",
	  OPT_CONFIRM, 1, 2, cmd_fsd,
	  "Set: every upsmon that watches the UPS shuts its host down. Clear: they may start again.\n"
	  "      --confirm[=UPS]  do not ask\n" },
	{ "help", "[VERB]", "this, or more about a verb", 0, 0, 1, cmd_help, "" },
	{ "version", "", "the version", 0, 0, 0, cmd_version, "" },
};
const size_t n_verbs = ARRAY_SIZE(verbs);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

enum {
	LONG_JSON = 256,
	LONG_NO_COLOR,
	LONG_NO_INPUT,
	LONG_SINCE,
	LONG_TO,
	LONG_POINTS,
	LONG_CSV,
	LONG_TABLE,
	LONG_CONFIRM,
	LONG_NO_WAIT,
	LONG_DRY_RUN,
	LONG_UNIT_ID,
	LONG_NUMBER,
	LONG_BAUD,
	LONG_RECORD,
	LONG_HIDE,
	LONG_DIFF,
	LONG_WAIT,
	LONG_PORT,
	LONG_NAME,
	LONG_PASSWORD_FILE,
	LONG_SERVE,
	LONG_SHUT_DOWN,
	LONG_FORCE,
	LONG_FROM_NUT,
	LONG_REASON,
	LONG_CANCEL,
	LONG_SIMULATE, /* and one for each SIMULATE_* */
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, LONG_JSON },
	{ "no-color", no_argument, NULL, LONG_NO_COLOR },
	{ "no-input", no_argument, NULL, LONG_NO_INPUT },
	{ "follow", no_argument, NULL, 'f' },
	{ "since", required_argument, NULL, LONG_SINCE },
	{ "from", required_argument, NULL, LONG_SINCE },
	{ "to", required_argument, NULL, LONG_TO },
	{ "points", required_argument, NULL, LONG_POINTS },
	{ "csv", no_argument, NULL, LONG_CSV },
	{ "table", no_argument, NULL, LONG_TABLE },
	{ "lines", required_argument, NULL, 'n' },
	{ "limit", required_argument, NULL, 'n' },
	{ "confirm", optional_argument, NULL, LONG_CONFIRM },
	{ "no-wait", no_argument, NULL, LONG_NO_WAIT },
	{ "dry-run", no_argument, NULL, LONG_DRY_RUN },
	{ "yes", no_argument, NULL, 'y' },
	{ "unit-id", required_argument, NULL, LONG_UNIT_ID },
	{ "number", required_argument, NULL, LONG_NUMBER },
	{ "baud", required_argument, NULL, LONG_BAUD },
	{ "record", required_argument, NULL, LONG_RECORD },
	{ "hide-serial", no_argument, NULL, LONG_HIDE },
	{ "diff", no_argument, NULL, LONG_DIFF },
	{ "wait", required_argument, NULL, LONG_WAIT },
	{ "port", required_argument, NULL, LONG_PORT },
	{ "name", required_argument, NULL, LONG_NAME },
	{ "password-file", required_argument, NULL, LONG_PASSWORD_FILE },
	{ "serve", no_argument, NULL, LONG_SERVE },
	{ "shut-down", no_argument, NULL, LONG_SHUT_DOWN },
	{ "output", required_argument, NULL, 'o' },
	{ "force", no_argument, NULL, LONG_FORCE },
	{ "from-nut", optional_argument, NULL, LONG_FROM_NUT },
	{ "reason", required_argument, NULL, LONG_REASON },
	{ "cancel", no_argument, NULL, LONG_CANCEL },
	{ "outage", required_argument, NULL, LONG_SIMULATE + SIMULATE_OUTAGE },
	{ "charge", required_argument, NULL, LONG_SIMULATE + SIMULATE_CHARGE },
	{ "runtime", required_argument, NULL, LONG_SIMULATE + SIMULATE_RUNTIME },
	{ "load", required_argument, NULL, LONG_SIMULATE + SIMULATE_LOAD },
	{ "low", required_argument, NULL, LONG_SIMULATE + SIMULATE_LOW },
	{ "secondaries", required_argument, NULL, LONG_SIMULATE + SIMULATE_SECONDARIES },
	{ "leave", required_argument, NULL, LONG_SIMULATE + SIMULATE_LEAVE },
	{ "ups", required_argument, NULL, LONG_SIMULATE + SIMULATE_UPS },
	{ "config", required_argument, NULL, LONG_SIMULATE + SIMULATE_CONFIG },
	{ 0 },
};

/* Options of some verbs only, and how people know them. */
static const struct {
	int option;
	const char *name;
} special[] = {
	{ OPT_FOLLOW, "--follow" },
	{ OPT_SINCE, "--since" },
	{ OPT_SINCE, "--from" },
	{ OPT_LINES, "--limit" },
	{ OPT_TO, "--to" },
	{ OPT_POINTS, "--points" },
	{ OPT_CSV, "--csv" },
	{ OPT_TABLE, "--table" },
	{ OPT_LINES, "--lines" },
	{ OPT_CONFIRM, "--confirm" },
	{ OPT_NO_WAIT, "--no-wait" },
	{ OPT_YES, "--yes" },
	{ OPT_UNIT_ID, "--unit-id" },
	{ OPT_NUMBER, "--number" },
	{ OPT_BAUD, "--baud" },
	{ OPT_RECORD, "--record" },
	{ OPT_HIDE, "--hide-serial" },
	{ OPT_DIFF, "--diff" },
	{ OPT_WAIT, "--wait" },
	{ OPT_DRY_RUN, "--dry-run" },
	{ OPT_PORT, "--port" },
	{ OPT_NAME, "--name" },
	{ OPT_SERVE, "--serve" },
	{ OPT_SHUT_DOWN, "--shut-down" },
	{ OPT_OUTPUT, "--output" },
	{ OPT_FORCE, "--force" },
	{ OPT_FROM_NUT, "--from-nut" },
	{ OPT_PASSWORD_FILE, "--password-file" },
	{ OPT_REASON, "--reason" },
	{ OPT_CANCEL, "--cancel" },
	{ OPT_SIMULATE, "--outage" },
	{ OPT_SIMULATE, "--charge" },
	{ OPT_SIMULATE, "--runtime" },
	{ OPT_SIMULATE, "--load" },
	{ OPT_SIMULATE, "--low" },
	{ OPT_SIMULATE, "--secondaries" },
	{ OPT_SIMULATE, "--leave" },
	{ OPT_SIMULATE, "--ups" },
	{ OPT_SIMULATE, "--config" },
};

/* The word people know a long option by, in a buffer that lives on. */
static const char *dashed(const struct option *option)
{
	static char names[ARRAY_SIZE(long_options)][32];
	char *name = names[option - long_options];

	snprintf(name, sizeof(names[0]), "--%s", option->name);
	return name;
}

static unsigned special_bit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (!strcmp(special[i].name, name))
			return (unsigned)special[i].option;
	return 0;
}

size_t options_of(const struct verb *verb, const char **names, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; long_options[i].name && n < max; i++) {
		unsigned bit = special_bit(dashed(&long_options[i]));

		if (!bit || (verb && verb->options & bit))
			names[n++] = dashed(&long_options[i]);
	}
	return n;
}

bool options_take_value(const char *option)
{
	for (size_t i = 0; long_options[i].name; i++) {
		if (long_options[i].has_arg != required_argument)
			continue;
		if (!strcmp(dashed(&long_options[i]), option))
			return true;
		if (option[0] == '-' && option[1] == long_options[i].val && !option[2])
			return true;
	}
	return false;
}

struct seen {
	bool help, version;
	unsigned options; /* OPT_* */
};

static int usage_error(void)
{
	advise("\"ups2000 help\" tells what there is");
	return EXIT_USAGE;
}

static void wrong_option(const char *word)
{
	const char *value = strchr(word, '=');

	if (strncmp(word, "--", 2) != 0)
		complain("there is no option -%c", optopt);
	else if (value && optopt)
		complain("%.*s takes no value", (int)(value - word), word);
	else
		complain("there is no option %s", word);
}

static bool parse_number(const char *option, const char *text, unsigned min, unsigned max,
			 unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < min || n > max) {
		complain("%s needs a number from %u to %u, not \"%s\"", option, min, max, text);
		return false;
	}
	*out = (unsigned)n;
	return true;
}

static bool take_option(struct cli *cli, struct seen *seen, int option)
{
	switch (option) {
	case 'h':
		seen->help = true;
		return true;
	case 'V':
		seen->version = true;
		return true;
	case 's':
		cli->socket = optarg;
		return true;
	case LONG_JSON:
		cli->json = true;
		return true;
	case LONG_NO_COLOR:
		cli->color = false;
		return true;
	case LONG_NO_INPUT:
		cli->no_input = true;
		return true;
	case 'f':
		seen->options |= OPT_FOLLOW;
		cli->follow = true;
		return true;
	case LONG_SINCE:
		seen->options |= OPT_SINCE;
		cli->since = optarg;
		return true;
	case LONG_TO:
		seen->options |= OPT_TO;
		cli->to = optarg;
		return true;
	case LONG_POINTS:
		seen->options |= OPT_POINTS;
		return parse_number("--points", optarg, 1, 5000, &cli->points);
	case LONG_CSV:
		seen->options |= OPT_CSV;
		cli->csv = true;
		return true;
	case LONG_TABLE:
		seen->options |= OPT_TABLE;
		cli->table = true;
		return true;
	case 'n':
		seen->options |= OPT_LINES;
		return parse_number("--lines", optarg, 1, 100000, &cli->lines);
	case LONG_CONFIRM:
		seen->options |= OPT_CONFIRM;
		cli->confirm = true;
		cli->confirm_name = optarg;
		return true;
	case LONG_NO_WAIT:
		seen->options |= OPT_NO_WAIT;
		cli->no_wait = true;
		return true;
	case LONG_DRY_RUN:
		seen->options |= OPT_DRY_RUN;
		cli->dry_run = true;
		return true;
	case 'y':
		seen->options |= OPT_YES;
		cli->yes = true;
		return true;
	case LONG_UNIT_ID:
		seen->options |= OPT_UNIT_ID;
		return parse_number("--unit-id", optarg, 1, 247, &cli->unit_id);
	case LONG_NUMBER:
		seen->options |= OPT_NUMBER;
		return parse_number("--number", optarg, 1, 4, &cli->number);
	case LONG_BAUD:
		seen->options |= OPT_BAUD;
		return parse_number("--baud", optarg, 1200, 115200, &cli->baud);
	case LONG_RECORD:
		seen->options |= OPT_RECORD;
		cli->record = optarg;
		return true;
	case LONG_HIDE:
		seen->options |= OPT_HIDE;
		cli->hide_serial = true;
		return true;
	case LONG_DIFF:
		seen->options |= OPT_DIFF;
		cli->diff = true;
		return true;
	case LONG_WAIT:
		seen->options |= OPT_WAIT;
		return parse_number("--wait", optarg, 1, 86400, &cli->wait_s);
	case LONG_PORT:
		seen->options |= OPT_PORT;
		cli->port = optarg;
		return true;
	case LONG_NAME:
		seen->options |= OPT_NAME;
		cli->name = optarg;
		return true;
	case LONG_PASSWORD_FILE:
		seen->options |= OPT_PASSWORD_FILE;
		cli->password_file = optarg;
		return true;
	case LONG_SERVE:
		seen->options |= OPT_SERVE;
		cli->serve = true;
		return true;
	case LONG_SHUT_DOWN:
		seen->options |= OPT_SHUT_DOWN;
		cli->shut_down = true;
		return true;
	case 'o':
		seen->options |= OPT_OUTPUT;
		cli->output = optarg;
		return true;
	case LONG_FORCE:
		seen->options |= OPT_FORCE;
		cli->force = true;
		return true;
	case LONG_REASON:
		seen->options |= OPT_REASON;
		cli->reason = optarg;
		return true;
	case LONG_CANCEL:
		seen->options |= OPT_CANCEL;
		cli->cancel = true;
		return true;
	case LONG_FROM_NUT:
		seen->options |= OPT_FROM_NUT;
		cli->from_nut = optarg ? optarg : "/etc/nut";
		return true;
	default:
		if (option < LONG_SIMULATE || option >= LONG_SIMULATE + SIMULATE_OPTIONS)
			return false;
		seen->options |= OPT_SIMULATE;
		cli->simulate[option - LONG_SIMULATE] = optarg;
		return true;
	}
}

static int check_verb(struct cli *cli, const struct seen *seen)
{
	const char *names[ARRAY_SIZE(verbs)];
	const char *near;

	cli->verb = verb_find(cli->args[0]);
	if (!cli->verb) {
		size_t n = 0;

		for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
			if (*verbs[i].name != '_')
				names[n++] = verbs[i].name;
		near = nearest(cli->args[0], names, n);
		complain("there is no command \"%s\"%s%s%s", cli->args[0],
			 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		return usage_error();
	}
	cli->args++;
	cli->n_args--;
	if (seen->help)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		if (!(seen->options & ~cli->verb->options & (unsigned)special[i].option))
			continue;
		complain("%s does not belong to \"%s\"", special[i].name, cli->verb->name);
		advise("\"ups2000 help %s\" tells what does", cli->verb->name);
		return EXIT_USAGE;
	}
	if (cli->n_args < cli->verb->min_args || cli->n_args > cli->verb->max_args) {
		complain("too %s words: ups2000 %s %s",
			 cli->n_args < cli->verb->min_args ? "few" : "many", cli->verb->name,
			 cli->verb->args);
		advise("\"ups2000 help %s\" tells more", cli->verb->name);
		return EXIT_USAGE;
	}
	return -1;
}

int options_parse(struct cli *cli, int argc, char **argv)
{
	const char *socket = getenv("UPS2000_SOCKET");
	struct seen seen = { 0 };
	int option;

	cli->socket = socket && *socket ? socket : default_socket;
	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":hVs:fn:yo:", long_options, NULL)) != -1) {
		if (option == ':') {
			complain("%s needs a value", argv[optind - 1]);
			return usage_error();
		}
		if (option == '?') {
			wrong_option(argv[optind - 1]);
			return usage_error();
		}
		if (!take_option(cli, &seen, option))
			return EXIT_USAGE;
	}
	cli->args = argv + optind;
	cli->n_args = (size_t)(argc - optind);
	if (seen.version)
		return cmd_version(cli);
	if (cli->n_args == 0) {
		if (seen.help)
			return cmd_help(cli);
		fputs("Usage: ups2000 VERB [UPS] [OPTION...]\n\n"
		      "  ups2000 status        how the UPS is\n"
		      "  ups2000 watch         the same, live\n\n"
		      "\"ups2000 help\" tells more.\n",
		      stderr);
		return EXIT_USAGE;
	}
	option = check_verb(cli, &seen);
	if (option < 0 && seen.help) {
		static char *name[1];

		name[0] = (char *)(uintptr_t)cli->verb->name;
		cli->args = name;
		cli->n_args = 1;
		return cmd_help(cli);
	}
	return option;
}
