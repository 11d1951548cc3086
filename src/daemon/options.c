#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_check.h"
#include "util/nearest.h"
#include "daemon/run.h"
#include "util/util.h"

const char DEFAULT_CONFIG[] = "/etc/ups2000/ups2000.conf";

enum {
	OPT_CONFIG = 256,
	OPT_PORT,
	OPT_LISTEN,
	OPT_HTTP,
	OPT_STATE,
	OPT_RUNTIME,
	OPT_SOCKET,
	OPT_USER,
	OPT_LEVEL,
	OPT_TARGET,
	OPT_CHECK,
	OPT_CONFIGURED,
	OPT_VERSION,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "http", required_argument, NULL, OPT_HTTP },
	{ "state-dir", required_argument, NULL, OPT_STATE },
	{ "runtime-dir", required_argument, NULL, OPT_RUNTIME },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "user", required_argument, NULL, OPT_USER },
	{ "log-level", required_argument, NULL, OPT_LEVEL },
	{ "log-target", required_argument, NULL, OPT_TARGET },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "configured", no_argument, NULL, OPT_CONFIGURED },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: ups2000d [--config FILE | --port PORT] [OPTION...]\n"
	"Reads Huawei UPS2000 power supplies and serves them to NUT clients.\n"
	"\n"
	"  --config FILE       configuration (default /etc/ups2000/ups2000.conf)\n"
	"  --port PORT         no file: serve the UPS at this serial port as \"ups\"\n"
	"  --check-config      say whether the configuration is good, and end\n"
	"  --configured        end with 1 if there is none or it is all comments, else with 0\n"
	"  --listen ADDR:PORT  serve NUT clients here; may be repeated; port 0: any\n"
	"  --http ADDR:PORT    serve the page and the API here; may be repeated; or: none\n"
	"  --runtime-dir DIR   for the local socket (default /run/ups2000)\n"
	"  --state-dir DIR     for what is kept (default /var/lib/ups2000)\n"
	"  --socket PATH       the local socket (default DIR/ups2000.sock)\n"
	"  --user NAME[:GROUP] run as this user when started as root\n"
	"  --log-level LEVEL   error, warning, info or debug\n"
	"  --log-target TO     auto, stderr or syslog\n"
	"  --version, --help   print that, and end\n"
	"\n"
	"Stays in the foreground. SIGHUP reads the configuration again, SIGTERM ends.\n"
	"Exit codes: 0 good, 1 cannot run, 64 wrong command line, 78 bad configuration.\n"
	"More: ups2000d(8), ups2000.conf(5)\n";

static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int complain(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	fprintf(stderr, "ups2000d: %s%s See ups2000d --help.\n", text,
		text[strlen(text) - 1] == '?' ? "" : ".");
	free(text);
	return EXIT_USAGE;
}

static int complain_unknown(const char *typed)
{
	const char *names[ARRAY_SIZE(long_options)];
	const char *near = NULL;
	size_t n = 0;

	while (long_options[n].name) {
		names[n] = long_options[n].name;
		n++;
	}
	if (strncmp(typed, "--", 2) == 0) {
		char *word = xasprintf("%.*s", (int)strcspn(typed + 2, "="), typed + 2);

		near = nearest(word, names, n);
		free(word);
	}
	if (near)
		return complain("unknown option %s; did you mean --%s?", typed, near);
	return complain("unknown option %s", typed);
}

static bool take(struct options *options, int option)
{
	switch (option) {
	case OPT_CONFIG:
		options->config = optarg;
		return true;
	case OPT_PORT:
		options->port = optarg;
		return true;
	case OPT_LISTEN:
		options->listen = xrealloc(options->listen,
					   (options->n_listen + 1) * sizeof(*options->listen));
		options->listen[options->n_listen++] = optarg;
		return true;
	case OPT_HTTP:
		options->http =
			xrealloc(options->http, (options->n_http + 1) * sizeof(*options->http));
		options->http[options->n_http++] = optarg;
		return true;
	case OPT_STATE:
		options->state_dir = optarg;
		return true;
	case OPT_RUNTIME:
		options->runtime_dir = optarg;
		return true;
	case OPT_SOCKET:
		options->socket = optarg;
		return true;
	case OPT_USER:
		free(options->user);
		free(options->group);
		options->user = xasprintf("%.*s", (int)strcspn(optarg, ":"), optarg);
		options->group = strchr(optarg, ':') ? xstrdup(strchr(optarg, ':') + 1) : NULL;
		return true;
	case OPT_LEVEL:
		options->log_level = value_log_level(optarg);
		return true;
	case OPT_TARGET:
		options->log_target = value_log_target(optarg);
		return true;
	case OPT_CHECK:
		options->check = true;
		return true;
	case OPT_CONFIGURED:
		options->configured = true;
		return true;
	default:
		return false;
	}
}

static bool check_http_or_none(const char *value, char *why, size_t size)
{
	return strcmp(value, "none") == 0 || check_http_listen(value, why, size);
}

/* What the values of options must look like. */
static const struct {
	int option;
	check_fn check;
} checks[] = {
	{ OPT_PORT, check_port },	  { OPT_LISTEN, check_listen },
	{ OPT_HTTP, check_http_or_none }, { OPT_LEVEL, check_log_level },
	{ OPT_TARGET, check_log_target },
};

int options_parse(struct options *options, int argc, char **argv)
{
	int option, index = 0;
	char why[512];

	memset(options, 0, sizeof(*options));
	options->log_level = -1;
	options->log_target = -1;
	opterr = 0;
	optind = 1;
	while (optind < argc) {
		const char *typed = argv[optind];

		option = getopt_long(argc, argv, "+:h", long_options, &index);
		if (option == -1)
			break;
		if (option == OPT_HELP || option == 'h') {
			fputs(help, stdout);
			return EXIT_GOOD;
		}
		if (option == OPT_VERSION) {
			puts("ups2000d " U2K_VERSION);
			return EXIT_GOOD;
		}
		if (option == ':')
			return complain("%s needs a value", typed);
		for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
			if (checks[i].option == option &&
			    !checks[i].check(optarg, why, sizeof(why)))
				return complain("--%s: %s", long_options[index].name, why);
		if (!take(options, option))
			return complain_unknown(typed);
	}
	if (optind < argc)
		return complain("\"%s\" is one word too many; options begin with --", argv[optind]);
	if (options->config && options->port)
		return complain("--config and --port exclude each other; choose one");
	return -1;
}

void options_free(struct options *options)
{
	free(options->listen);
	free(options->http);
	free(options->user);
	free(options->group);
}
