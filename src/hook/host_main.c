#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hook/host.h"
#include "util/util.h"

#define LOG_PART "host"
#include "util/log.h"

static const struct option long_options[] = {
	{ "runtime-dir", required_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: ups2000-host [--runtime-dir DIR] [-- COMMAND [ARG...]]\n"
	"Takes ups2000d's request to shut this host down, if there is one of this boot, and runs\n"
	"COMMAND (default: \"systemctl poweroff\", without systemd \"shutdown -P now\"). Runs as root;\n"
	"started by ups2000-host.path.\n"
	"\n"
	"  --runtime-dir DIR   where ups2000d leaves its requests (default /run/ups2000)\n"
	"\n"
	"Exit codes: 0 done, or there was no request; 1 a bad request; else the command's.\n";

static int usage(void)
{
	fputs("ups2000-host: see ups2000-host --help\n", stderr);
	return 64;
}

int main(int argc, char **argv)
{
	const char *dir = "/run/ups2000";
	char *const *command;
	struct note note;
	struct stat st;
	char why[256] = "";
	int c, rc;

	while ((c = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		switch (c) {
		case 'r':
			dir = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'v':
			puts("ups2000-host " U2K_VERSION);
			return 0;
		default:
			return usage();
		}
	}
	log_open("ups2000-host", LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	if (stat(dir, &st) < 0 || !host_take(dir, st.st_uid, &note, why, sizeof(why))) {
		if (!*why)
			return 0;
		log_error("%s/%s: %s: it is removed and nothing is done", dir, NOTE_REQUEST, why);
		return 1;
	}
	log_warning("shutting this host down: %s", note.reason);
	command = optind < argc ? argv + optind : host_default_command(note.action);
	rc = host_run(command);
	if (rc != 0)
		log_error("%s ended with %d: this host is not shut down", command[0], rc);
	return rc;
}
