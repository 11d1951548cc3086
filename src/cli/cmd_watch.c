#include "cli/cli.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cli/ask.h"
#include "cli/live.h"
#include "cli/page.h"
#include "cli/term.h"
#include "cli/view.h"
#include "cli/when.h"
#include "util/util.h"

static const int64_t RETRY_US = 1000000;
static const int64_t REDRAW_US = 1000000; /* ages move on */
static const int64_t AT_MOST_US = 50000;  /* a redraw per 50 ms, however much happens */

enum { OVERVIEW = -1 };

struct watch {
	struct cli *cli;
	struct live live;
	struct client_stream *stream; /* NULL: the daemon is gone */
	char *only;		      /* the UPS named on the command line, or NULL */
	int shown;		      /* index into live.ups, or OVERVIEW */
	int64_t retry_us, drawn_us;
	bool changed;
};

static volatile sig_atomic_t got_quit, got_resize, got_stop;

static void on_signal(int signal)
{
	if (signal == SIGWINCH)
		got_resize = 1;
	else if (signal == SIGTSTP)
		got_stop = 1;
	else
		got_quit = 1;
}

/* Signals come only while we wait, so none is lost between looking and waiting. */
static void catch_signals(sigset_t *waiting)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaction(signals[i], &action, NULL);
		sigaddset(&blocked, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, waiting);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigdelset(waiting, signals[i]);
}

static void wait_for(struct watch *watch, bool keys, const sigset_t *waiting, int64_t until_us)
{
	int64_t left_us = until_us - clock_us();
	struct timespec limit = { 0 };
	struct pollfd fds[3] = {
		{ .fd = watch->stream ? client_stream_fd(watch->stream) : -1, .events = POLLIN },
		{ .fd = keys ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = keys ? -1 : STDOUT_FILENO, .events = 0 }, /* gone with its reader */
	};

	if (left_us > 0) {
		limit.tv_sec = left_us / 1000000;
		limit.tv_nsec = left_us % 1000000 * 1000;
	}
	if (ppoll(fds, 3, &limit, waiting) > 0 &&
	    ((fds[1].revents | fds[2].revents) & (POLLERR | POLLNVAL | POLLHUP)))
		got_quit = 1;
}

/* ---- the stream ---- */

static void print_json(const char *type, json_t *data)
{
	json_t *line = json_pack("{s:s, s:O}", "type", type, "data", data);

	json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

static void stream_event(const char *type, const char *id, const char *text, void *user)
{
	struct watch *watch = user;
	json_t *data = json_loads(text, 0, NULL);

	(void)id;
	if (!json_is_object(data)) {
		json_decref(data);
		return;
	}
	if (watch->cli->json) {
		print_json(type, data);
	} else {
		ask_clean(data);
		live_take(&watch->live, type, data, clock_us());
		watch->changed = true;
	}
	json_decref(data);
}

/* The last events, and from there on the stream: nothing in between is lost. */
static enum client_error connect_stream(struct watch *watch, int *status)
{
	char *filter, *target;
	enum client_error error;
	char cursor[64] = "";

	filter = watch->only ? ask_escape(watch->only) : xstrdup("");
	target = xasprintf("/api/v1/events?limit=%d%s%s", LIVE_EVENTS_MAX, *filter ? "&ups=" : "",
			   filter);
	if (!watch->cli->json) {
		struct client_answer answer;
		json_t *list, *event;
		size_t i;

		error = client_request(watch->cli->socket, "GET", target, NULL, &answer);
		if (error)
			goto out;
		list = json_loadb(answer.body, answer.len, 0, NULL);
		free(answer.body);
		ask_clean(list);
		live_restart(&watch->live);
		json_array_foreach(json_object_get(list, "events"), i, event)
			live_take(&watch->live, "event", event, clock_us());
		if (json_is_string(json_object_get(list, "cursor")))
			snprintf(cursor, sizeof(cursor), "%s",
				 json_string_value(json_object_get(list, "cursor")));
		json_decref(list);
	}
	free(target);
	target = xasprintf("/api/v1/events?%s%s%s%s%s", *cursor ? "after=" : "", cursor,
			   *cursor && *filter ? "&" : "", *filter ? "ups=" : "", filter);
	error = client_stream_open(watch->cli->socket, target, &watch->stream, status);
	if (error)
		watch->stream = NULL;
out:
	free(target);
	free(filter);
	return error;
}

static void lose_stream(struct watch *watch)
{
	client_stream_close(watch->stream);
	watch->stream = NULL;
	watch->retry_us = clock_us() + RETRY_US;
	watch->changed = true;
}

static void serve_stream(struct watch *watch)
{
	int status;

	if (watch->stream) {
		if (client_stream_read(watch->stream, stream_event, watch) != CLIENT_OK)
			lose_stream(watch);
	} else if (clock_us() >= watch->retry_us) {
		watch->retry_us = clock_us() + RETRY_US;
		if (connect_stream(watch, &status) == CLIENT_OK && status != 200)
			lose_stream(watch);
	}
}

/* ---- the screen ---- */

static void draw_head(struct page *page, const struct watch *watch)
{
	char now[32];

	when_local(now, sizeof(now), wall_us(), true);
	if (watch->stream)
		page_tone(page, TONE_DIM, "%s\n\n", now);
	else
		page_tone(page, TONE_BAD, "%s  lost the daemon; trying again\n\n", now);
}

static void draw_overview(struct page *page, const struct watch *watch)
{
	draw_head(page, watch);
	view_list_head(page);
	for (size_t i = 0; i < watch->live.n; i++) {
		const struct live_ups *ups = &watch->live.ups[i];

		view_list_line(page, ups->snapshot, (double)(clock_us() - ups->at_us) / 1e6);
	}
	if (watch->live.n == 0)
		page_add(page, "No UPS is configured.\n");
}

static unsigned count_lines(const struct page *page)
{
	unsigned n = 0;

	for (const char *p = page->text; *p; p++)
		n += *p == '\n';
	return n;
}

/* The newest events, as many as there are rows left. */
static void draw_events(struct page *page, const struct watch *watch, const char *name,
			unsigned rows)
{
	const json_t *fit[LIVE_EVENTS_MAX];
	unsigned used = count_lines(page) + 1; /* and the line of keys */
	size_t n = 0;

	if (used + 2 > rows)
		return;
	for (size_t i = watch->live.n_events; i > 0 && n + used + 1 < rows; i--) {
		const json_t *event = watch->live.events[i - 1];
		const char *ups = json_string_value(json_object_get(event, "ups"));

		if (!name || (ups && !strcmp(ups, name)))
			fit[n++] = event;
	}
	if (n > 0)
		page_add(page, "\n");
	while (n > 0)
		view_event(page, fit[--n], false, !name);
}

static void draw_ups(struct page *page, const struct watch *watch, const struct live_ups *ups,
		     unsigned rows)
{
	double since_s = (double)(clock_us() - ups->at_us) / 1e6;

	view_ups(page, ups->snapshot, since_s, !watch->stream, false);
	if (count_lines(page) < rows)
		return;
	page_clear(page);
	view_ups(page, ups->snapshot, since_s, !watch->stream, true);
}

static void draw_page(struct page *page, const struct watch *watch, unsigned rows)
{
	const struct live_ups *ups = NULL;

	if (watch->shown >= 0 && (size_t)watch->shown < watch->live.n)
		ups = &watch->live.ups[watch->shown];
	if (ups)
		draw_ups(page, watch, ups, rows);
	else
		draw_overview(page, watch);
	draw_events(page, watch, ups ? ups->name : NULL, rows);
}

/* Line by line in place, cut to the screen; what stood there before is overwritten. */
static void draw(struct watch *watch)
{
	static const char keys_one[] = "q quit", keys_many[] = "Tab next UPS   a all   q quit";
	unsigned columns, rows;
	struct page page, out;
	char *line;

	term_size(&columns, &rows);
	page_init(&page, watch->cli->color, watch->cli->utf8, columns);
	page_init(&out, watch->cli->color, watch->cli->utf8, columns);
	draw_page(&page, watch, rows);
	page_add(&out, "\033[H");
	line = page.text;
	for (unsigned row = 1; row < rows; row++) {
		size_t len = strcspn(line, "\n");
		size_t fits = term_cut(line, len, columns);

		/* at the right edge, clearing the rest would clear the last character */
		page_add(&out, "%.*s\033[0m%s\r\n", (int)fits, line,
			 term_width(line, fits) < columns ? "\033[K" : "");
		line += len + (line[len] == '\n');
	}
	page_tone(&out, TONE_DIM, "%.*s", (int)columns, watch->live.n > 1 ? keys_many : keys_one);
	page_add(&out, "\033[K");
	fwrite(out.text, 1, out.len, stdout);
	fflush(stdout);
	page_close(&out);
	page_close(&page);
	watch->drawn_us = clock_us();
	watch->changed = false;
}

static void take_keys(struct watch *watch)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	for (ssize_t i = 0; i < n; i++) {
		int many = (int)watch->live.n;

		if (keys[i] == 'q' || keys[i] == 'Q')
			got_quit = 1;
		else if (keys[i] == '\t' && many > 1)
			watch->shown = (watch->shown + 1) % many;
		else if (keys[i] == 'a' && many > 1)
			watch->shown = OVERVIEW;
		watch->changed = true;
	}
}

/* Ctrl-Z: give the screen back, sleep, take it again. */
static void stop(struct watch *watch)
{
	got_stop = 0;
	term_leave();
	raise(SIGSTOP);
	term_enter();
	watch->changed = true;
}

static int watch_screen(struct watch *watch, const sigset_t *waiting)
{
	if (!term_enter()) {
		complain("cannot control this terminal");
		return EXIT_FAILED;
	}
	atexit(term_leave);
	while (!got_quit) {
		int64_t due = watch->drawn_us + (watch->changed ? AT_MOST_US : REDRAW_US);

		if (watch->live.n == 1)
			watch->shown = 0;
		else if (watch->shown >= (int)watch->live.n)
			watch->shown = OVERVIEW;
		if (got_resize || clock_us() >= due) {
			got_resize = 0;
			draw(watch);
			due = watch->drawn_us + REDRAW_US;
		}
		wait_for(watch, true, waiting, due);
		if (got_stop)
			stop(watch);
		take_keys(watch);
		serve_stream(watch);
	}
	term_leave();
	return EXIT_OK;
}

/* ---- without a screen ---- */

/* What a line tells, without the time: a new line is printed when this changes. */
static char *line_of(const struct live_ups *ups)
{
	struct page page;
	const char *nut =
		json_string_value(json_object_get(json_object_get(ups->snapshot, "status"), "nut"));
	char *text;

	page_init(&page, false, false, 80);
	view_list_line(&page, ups->snapshot, 0);
	page.text[strcspn(page.text, "\n")] = '\0';
	text = xasprintf("%s  %s", page.text, nut ? nut : "-");
	page_close(&page);
	return text;
}

static void print_changes(struct watch *watch, char *told[LIVE_UPS_MAX])
{
	char now[32];

	when_local(now, sizeof(now), wall_us(), true);
	for (size_t i = 0; i < watch->live.n; i++) {
		char *line = line_of(&watch->live.ups[i]);

		if (!told[i] || strcmp(told[i], line) != 0) {
			printf("%s  %s\n", now, line);
			free(told[i]);
			told[i] = line;
		} else {
			free(line);
		}
	}
	fflush(stdout);
}

static int watch_lines(struct watch *watch, const sigset_t *waiting)
{
	char *told[LIVE_UPS_MAX] = { NULL };
	bool had_stream = true;

	while (!got_quit && !ferror(stdout)) {
		if (!watch->cli->json)
			print_changes(watch, told);
		wait_for(watch, false, waiting, clock_us() + REDRAW_US);
		serve_stream(watch);
		if (had_stream && !watch->stream)
			complain("the daemon has gone; waiting for it to come back");
		had_stream = watch->stream != NULL;
	}
	for (size_t i = 0; i < LIVE_UPS_MAX; i++)
		free(told[i]);
	return EXIT_OK;
}

int cmd_watch(struct cli *cli)
{
	struct watch watch = { .cli = cli, .shown = OVERVIEW, .changed = true };
	enum client_error error;
	sigset_t waiting;
	int code, status = 200;

	live_init(&watch.live);
	if (cli->n_args > 0) {
		code = ask_ups(cli, 0, &watch.only);
		if (code)
			return code;
	}
	error = connect_stream(&watch, &status);
	if (error || status != 200) {
		code = error ? ask_explain(cli, error) : ask_problem(status, NULL);
		goto out;
	}
	catch_signals(&waiting);
	if (cli->tty && cli->smart && !cli->json && isatty(STDIN_FILENO))
		code = watch_screen(&watch, &waiting);
	else
		code = watch_lines(&watch, &waiting);
out:
	client_stream_close(watch.stream);
	live_close(&watch.live);
	free(watch.only);
	return code;
}
