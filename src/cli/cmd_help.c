#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const char head[] =
	"Usage: ups2000 VERB [UPS] [OPTION...]\n"
	"Talks to ups2000d about the UPSes it looks after. With one UPS its name may be left out.\n\n";

static const char common[] =
	"\nOptions, anywhere on the line:\n"
	"  -s, --socket PATH  the daemon's socket (else $UPS2000_SOCKET, else\n"
	"                     /run/ups2000/ups2000.sock)\n"
	"      --json         JSON instead of text for people\n"
	"      --no-color     no colours (also: NO_COLOR, TERM=dumb)\n"
	"      --no-input     never ask anything\n"
	"  -h, --help         this, or with a verb more about it\n"
	"  -V, --version      the version\n"
	"\nExit codes: 0 done; 1 failed; 3 given but not awaited; 64 wrong usage; 66 no such UPS,\n"
	"variable or command; 69 daemon or port not reachable; 75 no fresh data; 77 refused.\n";

static int help_verb(const char *name)
{
	const struct verb *verb = verb_find(name);

	if (!verb) {
		complain("there is no command \"%s\"", name);
		advise("\"ups2000 help\" lists them");
		return EXIT_USAGE;
	}
	printf("Usage: ups2000 %s %s\n\n%s: %s.\n%s%s", verb->name, verb->args, verb->name,
	       verb->what, *verb->more ? "\n" : "", verb->more);
	fputs(common, stdout);
	return EXIT_OK;
}

int cmd_help(struct cli *cli)
{
	if (cli->n_args == 1)
		return help_verb(cli->args[0]);
	fputs(head, stdout);
	for (size_t i = 0; i < n_verbs; i++) {
		char usage[64];

		if (*verbs[i].name == '_')
			continue;
		snprintf(usage, sizeof(usage), "%s %s", verbs[i].name, verbs[i].args);
		printf("  %-27s %s\n", usage, verbs[i].what);
	}
	fputs(common, stdout);
	return EXIT_OK;
}

int cmd_version(struct cli *cli)
{
	if (cli->json)
		printf("{\"version\":\"%s\"}\n", U2K_VERSION);
	else
		printf("ups2000 %s\n", U2K_VERSION);
	return EXIT_OK;
}
