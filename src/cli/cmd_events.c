#include "cli/cli.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/term.h"
#include "cli/view.h"
#include "cli/when.h"
#include "util/util.h"

enum { DEFAULT_LINES = 50, PAGE = 1000, RETRY_MS = 1000 };

struct events {
	struct cli *cli;
	char *filter;	 /* "&ups=rack" or "" */
	char cursor[64]; /* where to go on */
};

static void print_event(struct events *events, const json_t *event)
{
	unsigned columns, rows;
	struct page page;

	if (events->cli->json) {
		json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
		putchar('\n');
		return;
	}
	term_size(&columns, &rows);
	page_init(&page, events->cli->color, events->cli->utf8, columns);
	view_event(&page, event, true, true);
	fputs(page.text, stdout);
	page_close(&page);
}

static int64_t time_of(const json_t *event)
{
	const char *time = json_string_value(json_object_get(event, "time"));
	int64_t wall;

	return time && when_parse_utc(time, &wall) ? wall : INT64_MAX;
}

static json_int_t id_of(const json_t *event)
{
	return json_integer_value(json_object_get(event, "id"));
}

/*
 * What the daemon no longer has at hand, from its stored log: before the events in list, until there
 * are enough. Without a history there is no more, and that is no error.
 */
static void add_stored(struct events *events, json_t *list, size_t wanted, int64_t since_us)
{
	json_int_t before = json_array_size(list) ? id_of(json_array_get(list, 0)) : 0;
	size_t had = SIZE_MAX;

	while (json_array_size(list) < wanted && json_array_size(list) != had &&
	       (!json_array_size(list) || time_of(json_array_get(list, 0)) >= since_us)) {
		size_t missing = wanted - json_array_size(list), i;
		char *target = xasprintf(
			"/api/v1/log?limit=%zu&before=%lld%s", missing < PAGE ? missing : PAGE,
			before > 0 ? (long long)before : (long long)INT64_MAX, events->filter);
		json_t *answer = ask_quietly(events->cli, target), *event;

		free(target);
		had = json_array_size(list);
		json_array_foreach(json_object_get(answer, "events"), i, event)
		{
			json_array_insert(list, 0, event);
			before = id_of(event);
		}
		json_decref(answer);
	}
}

static int print_past(struct events *events, int64_t since_us)
{
	size_t lines = events->cli->lines, n, i;
	json_t *answer, *list;
	const char *cursor;
	int code;

	if (!lines)
		lines = events->cli->since ? 100000 : DEFAULT_LINES;
	code = askf(events->cli, &answer, "/api/v1/events?limit=%zu%s", lines < PAGE ? lines : PAGE,
		    events->filter);
	if (code)
		return code;
	cursor = json_string_value(json_object_get(answer, "cursor"));
	snprintf(events->cursor, sizeof(events->cursor), "%s",
		 cursor && strlen(cursor) < sizeof(events->cursor) ? cursor : "0");
	list = json_object_get(answer, "events");
	if (json_is_array(list))
		add_stored(events, list, lines, since_us);
	n = json_array_size(list);
	for (i = 0; i < n; i++)
		if (time_of(json_array_get(list, i)) >= since_us)
			print_event(events, json_array_get(list, i));
	json_decref(answer);
	return EXIT_OK;
}

static void stream_event(const char *type, const char *id, const char *data, void *user)
{
	struct events *events = user;
	json_t *event = json_loads(data, 0, NULL);

	if (event && !strcmp(type, "event")) {
		if (!events->cli->json)
			ask_clean(event);
		print_event(events, event);
		if (*id && strspn(id, "0123456789abcdef-") == strlen(id))
			snprintf(events->cursor, sizeof(events->cursor), "%s", id);
	}
	json_decref(event);
}

/* Until the stream ends, or standard output does. */
static enum client_error follow_stream(struct events *events, struct client_stream *stream)
{
	struct pollfd fds[2] = { { .fd = client_stream_fd(stream), .events = POLLIN },
				 { .fd = STDOUT_FILENO, .events = 0 } };
	enum client_error error = CLIENT_OK;

	while (!error) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents & (POLLERR | POLLNVAL))
			exit(EXIT_OK); /* nobody reads us any more */
		error = client_stream_read(stream, stream_event, events);
		fflush(stdout);
	}
	return error;
}

static int follow(struct events *events)
{
	bool told = false;

	for (;;) {
		struct client_stream *stream;
		char *target = xasprintf("/api/v1/events?snapshots=0&after=%s%s", events->cursor,
					 events->filter);
		int status = 0;
		enum client_error error =
			client_stream_open(events->cli->socket, target, &stream, &status);

		free(target);
		if (!error && status != 200) {
			client_stream_close(stream);
			return ask_problem(status, NULL);
		}
		if (!error) {
			told = false;
			follow_stream(events, stream);
			client_stream_close(stream);
		}
		if (!told)
			complain("the daemon has gone; waiting for it to come back");
		told = true;
		poll(NULL, 0, RETRY_MS);
	}
}

int cmd_events(struct cli *cli)
{
	struct events events = { .cli = cli };
	int64_t since_us = 0;
	char *name = NULL;
	int code;

	if (cli->since && !when_parse_since(cli->since, wall_us(), &since_us)) {
		complain("--from cannot be \"%s\"", cli->since);
		advise("give how long ago (30s, 10m, 2h, 7d) or a time (2026-01-31 12:00)");
		return EXIT_USAGE;
	}
	if (cli->n_args > 0) {
		char *escaped;

		code = ask_ups(cli, 0, &name);
		if (code)
			return code;
		escaped = ask_escape(name);
		events.filter = xasprintf("&ups=%s", escaped);
		free(escaped);
	} else {
		events.filter = xstrdup("");
	}
	code = print_past(&events, since_us);
	fflush(stdout);
	if (code == EXIT_OK && cli->follow)
		code = follow(&events);
	free(events.filter);
	free(name);
	return code;
}
