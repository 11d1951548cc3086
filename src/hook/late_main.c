#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hook/late.h"
#include "util/util.h"

#define LOG_PART "late"
#include "util/log.h"

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "runtime-dir", required_argument, NULL, 'r' },
	{ "state-dir", required_argument, NULL, 's' },
	{ "nut-dir", required_argument, NULL, 'n' },
	{ "nut-hook", required_argument, NULL, 'k' },
	{ "reboot-with", required_argument, NULL, 'b' },
	{ "seconds", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: ups2000-late [OPTION...] poweroff|halt|reboot|kexec\n"
	"The last step of a shutdown: switches UPSes off, if ups2000d's shutdown or NUT's upsmon on\n"
	"this host asked for it in this boot. Installed as /lib/systemd/system-shutdown/ups2000.\n"
	"\n"
	"  --config FILE       configuration (default /etc/ups2000/ups2000.conf)\n"
	"  --runtime-dir DIR   where ups2000d leaves its notes (default /run/ups2000)\n"
	"  --state-dir DIR     where ups2000d keeps its journals (default /var/lib/ups2000)\n"
	"  --nut-dir DIR       NUT's configuration (default /etc/nut)\n"
	"  --nut-hook FILE     NUT's own hook\n"
	"  --seconds N         for all of it, 1 to 75 (default 75)\n"
	"  --reboot-with FILE  run this program where the host would be rebooted\n"
	"\n"
	"Exit codes: 0 nothing to do, or seen off; 1 not seen off; 64 wrong command line.\n";

/* systemd gives /dev/null: what happens now is for the console. */
static void speak_to_console(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) == 0 && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
		return;
	fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int usage(void)
{
	fputs("ups2000-late: see ups2000-late --help\n", stderr);
	return 64;
}

static bool is_action(const char *word)
{
	static const char *const words[] = { "poweroff", "halt", "reboot", "kexec" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct late_options options = {
		.config = "/etc/ups2000/ups2000.conf",
		.runtime_dir = "/run/ups2000",
		.state_dir = "/var/lib/ups2000",
		.nut_dir = "/etc/nut",
		.nut_hook = "/lib/systemd/system-shutdown/nutshutdown",
		.seconds = LATE_SECONDS,
	};
	unsigned seconds;
	char end;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			options.config = optarg;
			break;
		case 'r':
			options.runtime_dir = optarg;
			break;
		case 's':
			options.state_dir = optarg;
			break;
		case 'n':
			options.nut_dir = optarg;
			break;
		case 'k':
			options.nut_hook = optarg;
			break;
		case 'b':
			options.reboot_with = optarg;
			break;
		case 't':
			if (sscanf(optarg, "%u%c", &seconds, &end) != 1 || seconds < 1 ||
			    seconds > LATE_SECONDS)
				return usage();
			options.seconds = seconds;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'v':
			puts("ups2000-late " U2K_VERSION);
			return 0;
		default:
			return usage();
		}
	}
	if (argc - optind != 1 || !is_action(argv[optind]))
		return usage();
	options.action = argv[optind];
	speak_to_console();
	log_open("ups2000", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	return late_run(&options);
}
