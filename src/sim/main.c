#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <event2/event.h>

#include "sim/bus.h"
#include "sim/capture.h"
#include "sim/command.h"
#include "sim/control.h"
#include "sim/pty.h"
#include "sim/scenario.h"
#include "sim/server.h"
#include "sim/tcp.h"
#include "sim/units.h"
#include "util/util.h"

enum { ERR_MAX = 512, FAULTS_MAX = 32, CHUNK = 512 };

struct program {
	struct bus **lines;
	size_t n_lines;
	struct tcp **ports;		 /* two places per line: Modbus TCP, RTU over TCP */
	struct sim_server **units, *srv; /* all of them; srv: the first */
	struct sim_world world;
	struct pty pty;
	bool has_pty, unplugged;
	struct bus_ear ear; /* of the pty */
	struct scenario *scenario;
	struct control *control;
	struct event_base *base;
	struct event *timer, *readable, *clients, *terminate[2];
};

struct settings {
	struct sim_options device;
	struct sim_server_options line;
	const char *link, *control, *scenario, *tcp, *rtu_tcp;
	struct units units;
	struct sim_capture *capture;
	unsigned n_lines;
	const char *faults[FAULTS_MAX];
	size_t n_faults;
	double speed;
};

static const char usage[] =
	"Usage: ups2000-sim [OPTION]...\n"
	"A Huawei UPS2000 in software, on a pseudo-terminal.\n"
	"\n"
	"  --link PATH       symbolic link to the pseudo-terminal\n"
	"  --control SOCKET  unix socket that takes commands; \"help\" lists them\n"
	"  --model NAME      model in its identification (UPS2000A)\n"
	"  --firmware V      firmware in its identification (V2R1C1SPC50)\n"
	"  --rating 1|2|3    kVA (1)\n"
	"  --esn S           serial number (21022900000000000001)\n"
	"  --unit-id LIST    Modbus unit ids on the line, \"1,2,5-8\"; \"3/2\": UPS number 2 behind 3 (1)\n"
	"  --units N         that many unit ids on each line\n"
	"  --lines N         that many lines, with TCP ports in a row (1)\n"
	"  --tcp [ADDR:]PORT      a Modbus TCP gateway in front of the line; 0: a free port\n"
	"  --rtu-tcp [ADDR:]PORT  a serial device server in front of it\n"
	"  --number N        N of the register addresses 10000 x N, 1 to 4 (1)\n"
	"  --load PERCENT    load, 0 to 300 (30)\n"
	"  --scenario FILE   lines of \"+SECONDS COMMAND\" to run\n"
	"  --speed X         how much faster the UPS lives than the line (1)\n"
	"  --pace on|off     9600 baud and the time the UPS thinks, or at once (on)\n"
	"  --seed N          of all that is random (1)\n"
	"  --play FILE       answer what the UPS of a capture answered, not as the model does\n"
	"  --dialect NAME[=NUMBER],...  what the device does differently\n"
	"  --fault 'NAME ...'  what goes wrong; may be repeated\n"
	"  --help, --version\n"
	"\n"
	"docs/simulator.md describes commands, dialects and faults.\n";

/* The loop */

static void on_heard(void *user, const uint8_t *data, size_t len)
{
	struct program *p = user;

	pty_write(&p->pty, data, len);
}

static int64_t step_us(const struct program *p)
{
	const struct scenario *s = p->scenario;
	int64_t device_us;

	if (!s || s->next == s->n)
		return SIM_NEVER;
	device_us = s->steps[s->next].at_us - p->srv->dev0_us;
	return p->srv->line0_us + (int64_t)((double)device_us / p->srv->speed);
}

static void run_scenario(struct program *p)
{
	while (step_us(p) <= clock_us()) {
		const struct scenario_step *step = &p->scenario->steps[p->scenario->next++];
		char *reply = NULL;
		size_t size;
		FILE *out = open_memstream(&reply, &size);

		if (!out)
			return;
		if (sim_command(&p->world, clock_us(), step->command, out)) {
			fclose(out);
			fprintf(stderr, "%s:%u: %s", p->scenario->path, step->line, reply);
		} else {
			fclose(out);
		}
		free(reply);
	}
}

static void schedule(struct program *p)
{
	int64_t wait = step_us(p) - clock_us();
	struct timeval tv;

	if (step_us(p) == SIM_NEVER)
		return;
	if (wait > INT64_C(1000000000))
		wait = INT64_C(1000000000);
	if (wait < 0)
		wait = 0;
	tv.tv_sec = (time_t)(wait / 1000000);
	tv.tv_usec = (suseconds_t)(wait % 1000000);
	event_add(p->timer, &tv);
}

static void run(void *user)
{
	struct program *p = user;

	run_scenario(p);
	for (size_t i = 0; i < p->n_lines; i++)
		bus_run(p->lines[i]);
	schedule(p);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	(void)fd, (void)what;
	run(user);
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct program *p = user;
	uint8_t in[CHUNK];
	size_t n = pty_read(&p->pty, in, sizeof(in));

	(void)fd, (void)what;
	if (n)
		bus_send(p->lines[0], in, n);
}

static void on_clients(evutil_socket_t fd, short what, void *user)
{
	struct program *p = user;

	(void)fd, (void)what;
	pty_look(&p->pty);
}

static void on_signal(evutil_socket_t fd, short what, void *user)
{
	struct program *p = user;

	(void)fd, (void)what;
	event_base_loopbreak(p->base);
}

/* What commands ask of the program */

static void listen_pty(struct program *p)
{
	p->readable = event_new(p->base, p->pty.master, EV_READ | EV_PERSIST, on_readable, p);
	event_add(p->readable, NULL);
	if (p->pty.watch < 0)
		return;
	p->clients = event_new(p->base, p->pty.watch, EV_READ | EV_PERSIST, on_clients, p);
	event_add(p->clients, NULL);
}

static void unlisten_pty(struct program *p)
{
	if (p->readable)
		event_free(p->readable);
	if (p->clients)
		event_free(p->clients);
	p->readable = p->clients = NULL;
}

static bool plugged(const struct program *p)
{
	return p->has_pty ? pty_plugged(&p->pty) : !p->unplugged;
}

static int do_unplug(void *user)
{
	struct program *p = user;

	if (!plugged(p))
		return -1;
	p->unplugged = true;
	for (size_t i = 0; i < 2 * p->n_lines; i++)
		if (p->ports[i])
			tcp_unplug(p->ports[i]);
	if (p->has_pty) {
		unlisten_pty(p);
		pty_unplug(&p->pty);
	}
	return 0;
}

static int do_replug(void *user)
{
	struct program *p = user;
	char err[ERR_MAX];

	if (plugged(p))
		return -1;
	for (size_t i = 0; i < 2 * p->n_lines; i++)
		if (p->ports[i] && tcp_replug(p->ports[i]))
			return -1;
	p->unplugged = false;
	if (!p->has_pty)
		return 0;
	if (pty_plug(&p->pty, err, sizeof(err))) {
		fprintf(stderr, "ups2000-sim: %s\n", err);
		return -1;
	}
	listen_pty(p);
	return 0;
}

static void do_quit(void *user)
{
	struct program *p = user;
	static const struct timeval soon = { 0, 0 };

	event_base_loopexit(p->base, &soon); /* after the reply is written */
}

static const char *port_path(void *user)
{
	const struct program *p = user;

	return !plugged(p) ? NULL : p->has_pty ? p->pty.path : "tcp";
}

/* The command line */

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list args;

	fputs("ups2000-sim: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see ups2000-sim --help\n", stderr);
	exit(2);
}

static double number(const char *option, const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < min || value > max)
		die("--%s %s: must be a number from %g to %g", option, text, min, max);
	return value;
}

static int whole(const char *option, const char *text, int min, int max)
{
	double value = number(option, text, min, max);

	if (value != floor(value))
		die("--%s %s: must be a whole number", option, text);
	return (int)value;
}

/* Text goes into the identification, where ';' ends a value. */
static void text(const char *option, const char *value, char *out, size_t size)
{
	if (strlen(value) >= size)
		die("--%s %s: longer than %zu characters", option, value, size - 1);
	for (const char *p = value; *p; p++)
		if (*p == ';' || *p < ' ' || *p > '~')
			die("--%s: must be plain ASCII without ';'", option);
	snprintf(out, size, "%s", value);
}

static void dialects(struct sim_options *opt, const char *list)
{
	char *copy = xstrdup(list), *save = NULL, err[ERR_MAX];

	for (char *w = strtok_r(copy, ", ", &save); w; w = strtok_r(NULL, ", ", &save))
		if (sim_dialect_set(&opt->dialect, w, 1, err, sizeof(err)))
			die("--dialect: %s", err);
	free(copy);
}

static void check_fault(struct settings *s, const char *value)
{
	struct sim_faults faults;
	char err[ERR_MAX];

	sim_faults_init(&faults, 0);
	if (sim_faults_set(&faults, value, err, sizeof(err)))
		die("--fault: %s", err);
	if (s->n_faults == FAULTS_MAX)
		die("--fault: more than %d of them", FAULTS_MAX);
	s->faults[s->n_faults++] = value;
}

static void unit_list(struct settings *s, const char *value)
{
	char err[ERR_MAX];

	if (units_parse(&s->units, value, err, sizeof(err)))
		die("--unit-id %s", err);
}

static void unit_count(struct settings *s, unsigned n)
{
	unsigned first = s->units.list[0].unit_id;

	if (first + n - 1 > 247)
		die("--units %u: unit ids end at 247", n);
	for (s->units.n = 0; s->units.n < n; s->units.n++)
		s->units.list[s->units.n] = (struct unit){ (uint8_t)(first + s->units.n), 0 };
}

static void play(struct settings *s, const char *path)
{
	char err[ERR_MAX];

	sim_capture_close(s->capture);
	s->capture = sim_capture_open(path, err, sizeof(err));
	if (!s->capture)
		die("--play %s", err);
	s->units.n = 1;
	s->units.list[0] = (struct unit){ sim_capture_unit_id(s->capture), 0 };
	s->line.answer = sim_capture_answer;
	s->line.answer_user = s->capture;
}

static void set_option(struct settings *s, const char *name, const char *value)
{
	if (strcmp(name, "link") == 0)
		s->link = value;
	else if (strcmp(name, "control") == 0)
		s->control = value;
	else if (strcmp(name, "model") == 0)
		text(name, value, s->device.model, sizeof(s->device.model));
	else if (strcmp(name, "firmware") == 0)
		text(name, value, s->device.firmware, sizeof(s->device.firmware));
	else if (strcmp(name, "esn") == 0)
		text(name, value, s->device.esn, sizeof(s->device.esn));
	else if (strcmp(name, "rating") == 0)
		s->device.rating = whole(name, value, 1, 3);
	else if (strcmp(name, "unit-id") == 0)
		unit_list(s, value);
	else if (strcmp(name, "units") == 0)
		unit_count(s, (unsigned)whole(name, value, 1, UNITS_MAX));
	else if (strcmp(name, "lines") == 0)
		s->n_lines = (unsigned)whole(name, value, 1, 4000);
	else if (strcmp(name, "tcp") == 0)
		s->tcp = value;
	else if (strcmp(name, "rtu-tcp") == 0)
		s->rtu_tcp = value;
	else if (strcmp(name, "number") == 0)
		s->device.number = whole(name, value, 1, 4);
	else if (strcmp(name, "load") == 0)
		s->device.load_percent = number(name, value, 0, 300);
	else if (strcmp(name, "scenario") == 0)
		s->scenario = value;
	else if (strcmp(name, "speed") == 0)
		s->speed = number(name, value, 0.001, 100000);
	else if (strcmp(name, "seed") == 0)
		s->device.seed = s->line.seed = (uint64_t)number(name, value, 0, 9e15);
	else if (strcmp(name, "play") == 0)
		play(s, value);
	else if (strcmp(name, "dialect") == 0)
		dialects(&s->device, value);
	else if (strcmp(name, "fault") == 0)
		check_fault(s, value);
	else if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		die("--pace %s: must be on or off", value);
	else
		s->line.pace = strcmp(value, "on") == 0;
}

static void parse(struct settings *s, int argc, char **argv)
{
	static const char *const names[] = {
		"link",	  "control", "model",	 "firmware", "rating",	"esn",	"unit-id",
		"number", "load",    "scenario", "speed",    "pace",	"seed", "dialect",
		"fault",  "units",   "lines",	 "tcp",	     "rtu-tcp", "play",
	};
	struct option options[ARRAY_SIZE(names) + 3] = { { 0 } };
	int c, which = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		options[i] = (struct option){ names[i], required_argument, NULL, 'o' };
	options[ARRAY_SIZE(names)] = (struct option){ "help", no_argument, NULL, 'h' };
	options[ARRAY_SIZE(names) + 1] = (struct option){ "version", no_argument, NULL, 'v' };
	while ((c = getopt_long(argc, argv, "", options, &which)) != -1) {
		switch (c) {
		case 'o':
			set_option(s, names[which], optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'v':
			puts("ups2000-sim " U2K_VERSION);
			exit(0);
		default: /* getopt has said what is wrong */
			fputs("See ups2000-sim --help\n", stderr);
			exit(2);
		}
	}
	if (optind < argc)
		die("unexpected \"%s\"", argv[optind]);
}

/* The n-th UPS of all, as the k-th of its line. */
static struct sim_server *make_unit(struct program *p, const struct settings *s, size_t n, size_t k)
{
	struct sim_server *srv = xcalloc(1, sizeof(*srv));
	struct sim_options device = s->device;
	struct sim_server_options line = s->line;
	char err[ERR_MAX];

	units_apply(&s->units, k, n, &line, &device);
	line.whole = s->tcp && !s->rtu_tcp && !s->link;
	sim_server_init(srv, clock_us(), &line, &device);
	sim_server_speed(srv, clock_us(), s->speed);
	for (size_t i = 0; i < s->n_faults; i++)
		sim_faults_set(&srv->faults, s->faults[i], err, sizeof(err));
	p->units[n] = srv;
	return srv;
}

static void build(struct program *p, const struct settings *s)
{
	size_t n = 0;
	char err[ERR_MAX];

	p->n_lines = s->n_lines;
	p->lines = xcalloc(p->n_lines, sizeof(struct bus *));
	p->ports = xcalloc(2 * p->n_lines, sizeof(struct tcp *));
	p->units = xcalloc(p->n_lines * s->units.n, sizeof(struct sim_server *));
	for (size_t i = 0; i < p->n_lines; i++) {
		p->lines[i] = bus_new(p->base);
		for (size_t k = 0; k < s->units.n; k++, n++)
			bus_add(p->lines[i], make_unit(p, s, n, k));
	}
	p->srv = p->units[0];
	p->world = (struct sim_world){ .srv = p->srv,
				       .units = p->units,
				       .n_units = n,
				       .unplug = do_unplug,
				       .replug = do_replug,
				       .quit = do_quit,
				       .port = port_path,
				       .user = p };
	if (s->scenario) {
		p->scenario = scenario_load(s->scenario, &s->device, err, sizeof(err));
		if (!p->scenario)
			die("%s", err);
	}
}

/* A line of thousands needs as many descriptors. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_ports(struct program *p, const struct settings *s, char *err, size_t err_size)
{
	for (size_t i = 0; i < p->n_lines; i++) {
		struct tcp **ports = &p->ports[2 * i];

		if (s->tcp && !(ports[0] = tcp_new(p->base, p->lines[i], true, s->tcp, (unsigned)i,
						   err, err_size)))
			return -1;
		if (s->rtu_tcp && !(ports[1] = tcp_new(p->base, p->lines[i], false, s->rtu_tcp,
						       (unsigned)i, err, err_size)))
			return -1;
	}
	p->has_pty = s->link || (!s->tcp && !s->rtu_tcp);
	if (!p->has_pty)
		return 0;
	if (pty_plug(&p->pty, err, err_size))
		return -1;
	p->ear = (struct bus_ear){ .heard = on_heard, .user = p };
	bus_listen(p->lines[0], &p->ear);
	listen_pty(p);
	return 0;
}

static void say_hello(const struct program *p, const struct settings *s)
{
	char ids[UNITS_TEXT];

	printf("ups2000-sim: %s %d kVA, unit id %s", s->device.model, s->device.rating,
	       units_text(&s->units, ids, sizeof(ids)));
	if (p->n_lines > 1)
		printf(", %zu lines", p->n_lines);
	if (p->has_pty)
		printf(", port %s", p->pty.path);
	if (s->link)
		printf(", link %s", s->link);
	if (p->ports[0])
		printf(", tcp %u", tcp_port(p->ports[0]));
	if (p->ports[1])
		printf(", rtu+tcp %u", tcp_port(p->ports[1]));
	if (s->control)
		printf(", control %s", s->control);
	putchar('\n');
	fflush(stdout);
}

static void make_loop(struct program *p)
{
	struct event_config *config = event_config_new();

	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	p->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!p->base)
		die("no event loop to be had");
	p->timer = event_new(p->base, -1, 0, on_timer, p);
	p->terminate[0] = evsignal_new(p->base, SIGTERM, on_signal, p);
	p->terminate[1] = evsignal_new(p->base, SIGINT, on_signal, p);
	event_add(p->terminate[0], NULL);
	event_add(p->terminate[1], NULL);
}

static void tear_down(struct program *p)
{
	control_free(p->control);
	unlisten_pty(p);
	pty_unplug(&p->pty);
	for (size_t i = 0; i < 2 * p->n_lines; i++)
		tcp_free(p->ports[i]);
	for (size_t i = 0; i < p->n_lines; i++)
		bus_free(p->lines[i]);
	free(p->ports);
	free(p->lines);
	free(p->units);
	event_free(p->timer);
	event_free(p->terminate[0]);
	event_free(p->terminate[1]);
	event_base_free(p->base);
	scenario_free(p->scenario);
}

int main(int argc, char **argv)
{
	struct settings s = { .speed = 1, .n_lines = 1, .units = { .list = { { 1, 0 } }, .n = 1 } };
	struct program p = { 0 };
	char err[ERR_MAX];

	sim_options_default(&s.device);
	sim_server_options_default(&s.line);
	parse(&s, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	raise_limits();
	make_loop(&p);
	build(&p, &s);
	pty_init(&p.pty, s.link);
	if (open_ports(&p, &s, err, sizeof(err)))
		goto failed;
	if (s.control) {
		p.control = control_new(p.base, s.control, &p.world, run, &p, err, sizeof(err));
		if (!p.control)
			goto failed;
	}
	say_hello(&p, &s);
	run(&p);
	event_base_dispatch(p.base);
	tear_down(&p);
	sim_capture_close(s.capture);
	return 0;

failed:
	fprintf(stderr, "ups2000-sim: %s\n", err);
	tear_down(&p);
	sim_capture_close(s.capture);
	return 1;
}
