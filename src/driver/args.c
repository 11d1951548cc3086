#include "driver/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/settings.h"
#include "util/util.h"

static const char help[] =
	"Usage: %s (-a SECTION | -s NAME -x port=PORT) [OPTION...]\n"
	"Huawei UPS2000 (1-3 kVA) driver for Network UPS Tools.\n"
	"\n"
	"  -a SECTION     take the section of this name from ups.conf\n"
	"  -s NAME        take no file; name everything by -x\n"
	"  -x KEY=VALUE   a key as in ups.conf (a flag: -x KEY); after -a it comes before the file\n"
	"  -i SECONDS     pollinterval; kept for compatibility, status is read all the time\n"
	"  -k             switch the UPS off (for the end of a shutdown), and end\n"
	"  -d N           print \"name: value\" lines after N updates, and end\n"
	"  -c COMMAND     tell the running driver: reload, reload-or-error, reload-or-exit, exit\n"
	"  -P PID         with -c: the process to tell\n"
	"  -D             more messages (repeatable); stays in the foreground\n"
	"  -F, -FF        stay in the foreground; -FF with a PID file\n"
	"  -B             go to the background in spite of -D\n"
	"  -q             fewer messages\n"
	"  -r DIR         chroot\n"
	"  -u USER        run as this user when started as root\n"
	"  -g GROUP       let this group use the socket\n"
	"  -L             list the keys of this driver; -V version; -h this help\n"
	"\n"
	"Keys of this driver (ups.conf or -x):\n";

void args_help(const char *program)
{
	printf(help, program);
	settings_print_keys(stdout);
}

static bool take_number(const char *text, long min, long max, char option, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	if (end == text || *end || errno || *out < min || *out > max) {
		fprintf(stderr, "-%c takes a number from %ld to %ld, not \"%s\"\n", option, min,
			max, text);
		return false;
	}
	return true;
}

static bool take_tell(struct args *args, const char *word)
{
	static const char *const words[] = { "reload", "reload-or-error", "reload-or-exit",
					     "reload-or-restart", "exit" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		args->job = ARGS_TELL;
		args->tell = words[i];
		return true;
	}
	fprintf(stderr,
		"-c takes reload, reload-or-error, reload-or-exit, reload-or-restart or exit, not "
		"\"%s\"\n",
		word);
	return false;
}

static bool take_option(struct args *args, int option, unsigned *foreground, bool *background)
{
	long n;

	switch (option) {
	case 'a':
	case 's':
		if (args->section) {
			fprintf(stderr, "-a and -s: one UPS only, \"%s\" or \"%s\"\n",
				args->section, optarg);
			return false;
		}
		args->section = optarg;
		args->no_file = option == 's';
		return true;
	case 'x':
		args->extra = xrealloc(args->extra, (args->n_extra + 1) * sizeof(*args->extra));
		args->extra[args->n_extra++] = optarg;
		return true;
	case 'd':
		if (!take_number(optarg, 1, 1000000, 'd', &n))
			return false;
		args->updates = (unsigned)n;
		args->job = ARGS_DUMP;
		return true;
	case 'P':
		return take_number(optarg, 1, 4194304, 'P', &args->pid);
	case 'i':
		args->poll = optarg;
		return take_number(optarg, 1, 86400, 'i', &n);
	case 'k':
		args->job = ARGS_KILLPOWER;
		return true;
	case 'c':
		return take_tell(args, optarg);
	case 'D':
		args->debug++;
		return true;
	case 'F':
		++*foreground;
		return true;
	case 'B':
		*background = true;
		return true;
	case 'q':
		args->quiet = true;
		return true;
	case 'r':
		args->chroot = optarg;
		return true;
	case 'u':
		args->user = optarg;
		return true;
	case 'g':
		args->group = optarg;
		return true;
	case 'V':
		args->job = ARGS_VERSION;
		return true;
	case 'h':
		args->job = ARGS_HELP;
		return true;
	case 'L':
		args->job = ARGS_LIST;
		return true;
	default:
		return false; /* getopt said why */
	}
}

bool args_parse(struct args *args, int argc, char **argv)
{
	unsigned foreground = 0;
	bool background = false;
	int option;

	*args = (struct args){ 0 };
	optind = 1;
	while ((option = getopt(argc, argv, "+a:s:x:d:P:i:kc:DFBqr:u:g:VhL")) != -1) {
		if (!take_option(args, option, &foreground, &background)) {
			fprintf(stderr, "%s -h tells the options\n", argv[0]);
			return false;
		}
	}
	if (args->job == ARGS_VERSION || args->job == ARGS_HELP || args->job == ARGS_LIST)
		return true;
	if (optind < argc) {
		fprintf(stderr, "\"%s\" is not understood; %s -h tells the options\n", argv[optind],
			argv[0]);
		return false;
	}
	if (!args->section) {
		fprintf(stderr, "Which UPS? Give -a SECTION (of ups.conf), or -s NAME and "
				"-x port=PORT\n");
		return false;
	}
	if (foreground && background) {
		fprintf(stderr, "-F and -B exclude each other\n");
		return false;
	}
	if (foreground)
		args->where = foreground > 1 ? ARGS_FOREGROUND_PID : ARGS_FOREGROUND;
	else if (args->debug && !background)
		args->where = ARGS_FOREGROUND;
	return true;
}

void args_close(struct args *args)
{
	free(args->extra);
}
