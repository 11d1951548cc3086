#include "cli/ask.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "cli/cli.h"
#include "util/nearest.h"
#include "util/util.h"

void complain(const char *format, ...)
{
	va_list args;

	fputs("ups2000: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void advise(const char *format, ...)
{
	va_list args;

	fputs("  ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void explain_permission(const char *path)
{
	struct stat st;
	const struct group *group = stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;

	complain("no permission to use %s", path);
	if (group && st.st_gid != 0)
		advise("its group is \"%s\": run \"sudo adduser $USER %s\" and log in again, or use "
		       "sudo",
		       group->gr_name, group->gr_name);
	else
		advise("try again with sudo");
}

int ask_explain(const struct cli *cli, enum client_error error)
{
	int saved = errno;

	switch (error) {
	case CLIENT_OK:
		return EXIT_OK;
	case CLIENT_NO_SOCKET:
		complain("cannot reach the daemon: there is no socket %s", cli->socket);
		advise("is ups2000d running? \"systemctl status ups2000d\" tells; if its socket is "
		       "elsewhere, use --socket PATH");
		return EXIT_UNREACHABLE;
	case CLIENT_REFUSED:
		complain("cannot reach the daemon: nobody answers on %s", cli->socket);
		advise("ups2000d has ended without removing its socket; start it again");
		return EXIT_UNREACHABLE;
	case CLIENT_PERMISSION:
		explain_permission(cli->socket);
		return EXIT_REFUSED;
	case CLIENT_BAD_PATH:
		complain("\"%s\" cannot be the daemon's socket", cli->socket);
		advise("give the path of a unix socket, at most 107 characters, with --socket PATH");
		return EXIT_USAGE;
	case CLIENT_TIMEOUT:
		complain("the daemon does not answer on %s within 10 s", cli->socket);
		advise("it may hang: see its log, \"journalctl -u ups2000d\"");
		return EXIT_UNREACHABLE;
	case CLIENT_CLOSED:
		complain("the daemon closed the connection in the middle of its answer");
		advise("it may have ended: see its log, \"journalctl -u ups2000d\"");
		return EXIT_UNREACHABLE;
	case CLIENT_PROTOCOL:
		complain("what answers on %s does not speak as ups2000d does", cli->socket);
		advise("give the path of ups2000d's socket with --socket PATH");
		return EXIT_SOFTWARE;
	case CLIENT_SYSTEM:
		break;
	}
	complain("cannot reach the daemon on %s: %s", cli->socket, strerror(saved));
	return EXIT_UNREACHABLE;
}

static int status_exit(int status)
{
	switch (status) {
	case 404:
		return EXIT_UNKNOWN;
	case 401:
	case 403:
	case 409:
	case 422:
		return EXIT_REFUSED;
	case 502:
		return EXIT_FAILED;
	case 503:
		return EXIT_TEMPORARY;
	default:
		return EXIT_SOFTWARE;
	}
}

int ask_problem(int status, json_t *problem)
{
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	if (detail)
		complain("%s", detail);
	else
		complain("the daemon answered with status %d", status);
	return status_exit(status);
}

static bool has_control(const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];

		if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0))
			return true;
	}
	return false;
}

static void clean_string(json_t *json)
{
	char *copy;

	if (!has_control(json_string_value(json)))
		return;
	copy = xstrdup(json_string_value(json));
	for (char *p = copy; *p; p++) {
		unsigned char c = (unsigned char)*p, next = (unsigned char)p[1];

		if (c < 0x20 || c == 0x7f)
			*p = '?';
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0) /* C1, in UTF-8 */
			p[0] = p[1] = '?';
	}
	json_string_set(json, copy);
	free(copy);
}

void ask_clean(json_t *json)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(json))
		clean_string(json);
	json_object_foreach(json, key, value) ask_clean(value);
	json_array_foreach(json, i, value) ask_clean(value);
}

/* Status and JSON object of one request. */
static int request(struct cli *cli, const char *method, const char *target, const char *body,
		   int *status, json_t **json)
{
	struct client_answer answer;
	enum client_error error = client_request(cli->socket, method, target, body, &answer);

	if (error)
		return ask_explain(cli, error);
	*json = json_loadb(answer.body, answer.len, 0, NULL);
	free(answer.body);
	*status = answer.status;
	if (!json_is_object(*json)) {
		json_decref(*json);
		return ask_explain(cli, CLIENT_PROTOCOL);
	}
	if (!cli->json)
		ask_clean(*json);
	return EXIT_OK;
}

int ask(struct cli *cli, const char *target, json_t **answer)
{
	int status;
	int code = request(cli, "GET", target, NULL, &status, answer);

	if (code)
		return code;
	if (status == 200)
		return EXIT_OK;
	code = ask_problem(status, *answer);
	json_decref(*answer);
	return code;
}

json_t *ask_quietly(struct cli *cli, const char *target)
{
	struct client_answer answer;
	json_t *json;

	if (client_request(cli->socket, "GET", target, NULL, &answer) != CLIENT_OK)
		return NULL;
	json = answer.status == 200 ? json_loadb(answer.body, answer.len, 0, NULL) : NULL;
	free(answer.body);
	if (json && !cli->json)
		ask_clean(json);
	return json;
}

int askf(struct cli *cli, json_t **answer, const char *format, ...)
{
	va_list args;
	char *target;
	int code;

	va_start(args, format);
	target = xvasprintf(format, args);
	va_end(args);
	code = ask(cli, target, answer);
	free(target);
	return code;
}

int ask_post(struct cli *cli, const char *target, json_t *body, int *status, json_t **answer)
{
	char *text = json_dumps(body, JSON_COMPACT);
	int code;

	if (!text) {
		complain("the value is not UTF-8 text");
		return EXIT_USAGE;
	}
	code = request(cli, "POST", target, text, status, answer);
	free(text);
	return code;
}

char *ask_escape(const char *name)
{
	char *out = xmalloc(3 * strlen(name) + 1);
	size_t used = 0;

	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (isalnum(c) || strchr("-_.~", c))
			out[used++] = (char)c;
		else
			used += (size_t)sprintf(out + used, "%%%02X", c);
	}
	out[used] = '\0';
	return out;
}

void ask_print(const struct cli *cli, const json_t *json)
{
	json_dumpf(json, stdout,
		   (cli->tty ? JSON_INDENT(2) : JSON_COMPACT) | JSON_REAL_PRECISION(10));
	putchar('\n');
}

/* ---- which UPS ---- */

enum { NAMES_MAX = 64 };

/* The canonical name if arg names this UPS. */
static const char *named(json_t *ups, const char *arg)
{
	const char *name = json_string_value(json_object_get(ups, "name"));
	json_t *alias;
	size_t i;

	if (!name)
		return NULL;
	if (!strcasecmp(name, arg))
		return name;
	json_array_foreach(json_object_get(ups, "aliases"), i,
			   alias) if (json_is_string(alias) &&
				      !strcasecmp(json_string_value(alias), arg)) return name;
	return NULL;
}

static void unknown_ups(json_t *list, const char *arg)
{
	const char *names[NAMES_MAX];
	size_t n = 0, i;
	json_t *ups;
	const char *near;

	json_array_foreach(list, i, ups) if (n < NAMES_MAX && json_object_get(ups, "name"))
		names[n++] = json_string_value(json_object_get(ups, "name"));
	near = nearest(arg, names, n);
	complain("there is no UPS \"%s\"%s%s%s", arg, near ? "; did you mean \"" : "",
		 near ? near : "", near ? "\"?" : "");
	advise("\"ups2000 list\" shows what there is");
}

static void take_argument(struct cli *cli)
{
	cli->args++;
	cli->n_args--;
}

static int choose(struct cli *cli, json_t *list, size_t required, char **name)
{
	size_t n = json_array_size(list), i;
	json_t *ups;

	if (n == 0) {
		complain("the daemon has no UPS configured");
		advise("add an ups section to its configuration; see ups2000.conf(5)");
		return EXIT_UNKNOWN;
	}
	json_array_foreach(list, i, ups)
	{
		const char *found = cli->n_args > 0 ? named(ups, cli->args[0]) : NULL;

		if (!found)
			continue;
		take_argument(cli);
		*name = xstrdup(found);
		return EXIT_OK;
	}
	/* names of variables and commands have dots: such a first word was not meant as a UPS */
	if (n > 1 && (cli->n_args <= required || strchr(cli->args[0], '.'))) {
		complain("there are %zu UPSes: say which one", n);
		advise("ups2000 %s %s; \"ups2000 list\" shows them", cli->verb->name,
		       cli->verb->args);
		return EXIT_USAGE;
	}
	/* a name was given if there are more words than needed */
	if (n > 1 || (cli->n_args > required && cli->verb->max_args == required + 1)) {
		unknown_ups(list, cli->args[0]);
		return EXIT_UNKNOWN;
	}
	*name = xstrdup(json_string_value(json_object_get(json_array_get(list, 0), "name")));
	return EXIT_OK;
}

int ask_ups(struct cli *cli, size_t required, char **name)
{
	json_t *answer;
	int code = ask(cli, "/api/v1/ups", &answer);

	if (code)
		return code;
	code = choose(cli, json_object_get(answer, "ups"), required, name);
	json_decref(answer);
	return code;
}
