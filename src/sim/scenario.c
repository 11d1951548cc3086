#include "sim/scenario.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/server.h"
#include "util/util.h"

static int pretend(void *user)
{
	(void)user;
	return 0;
}

static void pretend_quit(void *user)
{
	(void)user;
}

/* The reply's text if the command is wrong, else NULL. Freed by the caller. */
static char *try_command(struct sim_server *srv, const char *command)
{
	struct sim_world world = {
		.srv = srv, .unplug = pretend, .replug = pretend, .quit = pretend_quit
	};
	char *reply = NULL;
	size_t size;
	FILE *out = open_memstream(&reply, &size);
	int status;

	if (!out)
		return xstrdup("error: out of memory\n");
	status = sim_command(&world, srv->now_us, command, out);
	fclose(out);
	if (status)
		return reply;
	free(reply);
	return NULL;
}

static void add(struct scenario *s, int64_t at_us, unsigned line, const char *command)
{
	s->steps = xrealloc(s->steps, (s->n + 1) * sizeof(*s->steps));
	s->steps[s->n++] = (struct scenario_step){ at_us, line, xstrdup(command) };
}

/* One line. Returns what is wrong, NULL if nothing; freed by the caller. */
static char *take_line(struct scenario *s, unsigned line, char *text, struct sim_server *srv)
{
	int64_t last = s->n ? s->steps[s->n - 1].at_us : 0;
	char *end, *error;
	double seconds;

	text[strcspn(text, "\r\n")] = '\0';
	text += strspn(text, " \t");
	if (!*text || *text == '#')
		return NULL;
	seconds = *text == '+' ? strtod(text + 1, &end) : -1;
	if (seconds < 0 || !isfinite(seconds) || seconds > 1e9 || end == text + 1 ||
	    (*end != ' ' && *end != '\t'))
		return xasprintf("\"%.60s\": must be \"+SECONDS COMMAND\", as \"+10 mains off\"",
				 text);
	end += strspn(end, " \t");
	error = try_command(srv, end);
	if (error) {
		error[strcspn(error, "\n")] = '\0';
		return error;
	}
	add(s, last + (int64_t)(seconds * 1e6), line, end);
	return NULL;
}

static char *read_lines(struct scenario *s, FILE *in, const struct sim_options *device)
{
	struct sim_server_options opt;
	struct sim_server *srv = xcalloc(1, sizeof(*srv));
	char *text = NULL, *error = NULL;
	size_t size = 0;

	sim_server_options_default(&opt);
	sim_server_init(srv, 0, &opt, device);
	for (unsigned line = 1; !error && getline(&text, &size, in) >= 0; line++) {
		char *wrong = take_line(s, line, text, srv);

		if (wrong)
			error = xasprintf("%s:%u: %s", s->path, line, wrong);
		free(wrong);
	}
	free(text);
	free(srv);
	return error;
}

struct scenario *scenario_load(const char *path, const struct sim_options *device, char *err,
			       size_t err_size)
{
	FILE *in = fopen(path, "re");
	struct scenario *s;
	char *error;

	if (!in) {
		snprintf(err, err_size, "%s: %s", path, strerror(errno));
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->path = xstrdup(path);
	error = read_lines(s, in, device);
	fclose(in);
	if (!error)
		return s;
	snprintf(err, err_size, "%s", error);
	free(error);
	scenario_free(s);
	return NULL;
}

void scenario_free(struct scenario *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->steps[i].command);
	free(s->steps);
	free(s->path);
	free(s);
}
