#include "front/http/front.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include "daemon/records.h"
#include "front/http/guard.h"
#include "front/http/local.h"
#include "unit/made_hub.h"

static const int64_t PATIENCE_US = 20 * U2K_SEC;

struct fixture {
	char dir[32], path[64];
	struct event_base *base;
	struct hub *hub;
	struct hub_ups *rack;
	struct http_front *front;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	char error[256];

	strcpy(f->dir, "/tmp/u2k-http-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/api.sock", f->dir);
	f->base = event_base_new();
	f->hub = hub_new(f->base);
	f->rack = made_ups(f->hub, "rack", NULL, NULL);
	f->front = http_front_new(f->hub, NULL, f->path, error, sizeof(error));
	assert_non_null(f->front);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_front_free(f->front);
	assert_int_equal(access(f->path, F_OK), -1);
	hub_free(f->hub);
	event_base_loop(f->base, EVLOOP_NONBLOCK); /* bufferevents end in the loop */
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 0);
	event_base_free(f->base);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int dial(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void turn(struct event_base *base)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* What a client has received so far. */
struct client {
	int fd;
	bool ended;
	size_t len;
	char text[1 << 20];
};

static void receive(struct client *client)
{
	ssize_t n = recv(client->fd, client->text + client->len,
			 sizeof(client->text) - 1 - client->len, MSG_DONTWAIT);

	if (n > 0)
		client->len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		client->ended = true;
	client->text[client->len] = '\0';
}

static struct client *client_new(const struct fixture *f, const char *request)
{
	struct client *client = xcalloc(1, sizeof(*client));

	client->fd = dial(f->path);
	assert_int_equal(send(client->fd, request, strlen(request), MSG_NOSIGNAL),
			 (ssize_t)strlen(request));
	return client;
}

static void client_free(struct client *client)
{
	close(client->fd);
	free(client);
}

/* Until the text is there (NULL: until the connection ends). */
static void await(struct fixture *f, struct client *client, const char *text)
{
	int64_t deadline = clock_us() + PATIENCE_US;

	while (text ? !strstr(client->text, text) : !client->ended) {
		if (clock_us() > deadline)
			fail_msg("no \"%s\" in \"%.2000s\"", text ? text : "end", client->text);
		assert_false(text && client->ended);
		turn(f->base);
		receive(client);
	}
}

static void still_serves(struct fixture *f)
{
	struct client *client = client_new(f, "GET /api/v1/health HTTP/1.0\r\n\r\n");

	await(f, client, "\"status\":\"ok\"");
	client_free(client);
}

static void test_requests(void **state)
{
	static const struct {
		const char *request, *answer; /* part of it */
	} rows[] = {
		{ "GET /api/v1/ups/rack HTTP/1.0\r\n\r\n", "\"name\":\"rack\"" },
		{ "GET /api/v1/ups/rack HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		  "200 OK" },
		{ "GET /api/v1/ups HTTP/1.0\r\n\r\n", "Content-Type: application/json" },
		{ "GET /api/v1/ups HTTP/1.0\r\n\r\n", "Cache-Control: no-store" },
		{ "GET /api/v1/no HTTP/1.0\r\n\r\n", "application/problem+json" },
		{ "DELETE /api/v1/ups HTTP/1.0\r\n\r\n", "Allow: GET, HEAD" },
		{ "HEAD /api/v1/ups HTTP/1.0\r\n\r\n", "200 OK" },
		{ "HEAD /api/v1/events HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n", "200 OK" },
		{ "POST /api/v1/ups/rack/commands HTTP/1.0\r\nContent-Type: application/json\r\n"
		  "Content-Length: 22\r\n\r\n{\"command\":\"load.off\"}",
		  "commands are not available" },
		{ "nonsense\r\n\r\n", "400 Bad Request" },
		{ "GET\r\n\r\n", "400 Bad Request" },
		{ "\x16\x03\x01\x02\r\n\r\n", "400 Bad Request" },
		{ "POST /api/v1/ups/rack/commands HTTP/1.0\r\nContent-Length: 1000000000\r\n\r\n",
		  "413" },
		{ "POST /api/v1/ups/rack/commands HTTP/1.0\r\nContent-Length: -1\r\n\r\n", "400" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client *client = client_new(f, rows[i].request);

		print_message("%.60s\n", rows[i].request);
		await(f, client, rows[i].answer);
		client_free(client);
		still_serves(f);
	}
}

static void test_header_bomb(void **state)
{
	struct fixture *f = *state;
	struct client *client = client_new(f, "GET / HTTP/1.1\r\nX: ");
	char block[4096];
	int64_t deadline = clock_us() + PATIENCE_US;

	memset(block, 'x', sizeof(block));
	for (size_t sent = 0; !client->ended; turn(f->base)) {
		ssize_t n = send(client->fd, block, sizeof(block), MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		receive(client);
		assert_true(sent < 1 << 20);
		assert_true(clock_us() < deadline);
		if (n < 0 && errno == EPIPE)
			break;
	}
	client_free(client);
	still_serves(f);
}

static void test_connection_is_kept(void **state)
{
	struct fixture *f = *state;
	struct client *client = client_new(f, "GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n");
	static const char again[] = "GET /api/v1/ups/rack/settings HTTP/1.1\r\nHost: x\r\n\r\n";

	await(f, client, "\"version\"");
	assert_true(send(client->fd, again, strlen(again), MSG_NOSIGNAL) > 0);
	await(f, client, "\"settings\"");
	client_free(client);
}

static void test_too_many_connections(void **state)
{
	enum { MANY = 300 };
	struct fixture *f = *state;
	int fds[MANY];
	struct client *client;

	for (int i = 0; i < MANY; i++) {
		fds[i] = dial(f->path);
		turn(f->base);
	}
	client = client_new(f, "GET /api/v1/health HTTP/1.0\r\n\r\n");
	await(f, client, "503 Service Unavailable");
	await(f, client, NULL);
	client_free(client);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	for (int i = 0; i < 10; i++)
		turn(f->base);
	still_serves(f);
}

static const char stream_request[] =
	"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";

static void test_stream(void **state)
{
	struct fixture *f = *state;
	struct client *client = client_new(f, stream_request);
	struct u2k_snapshot snap = f->rack->snap;

	await(f, client, "event: snapshot\n");
	assert_non_null(strstr(client->text, "Content-Type: text/event-stream"));
	assert_null(strstr(client->text, "event: event\n")); /* what happened before is no news */

	nut_store_set(f->rack->store, "ups.status", "OB DISCHRG");
	snap.flags = U2K_OB | U2K_DISCHRG;
	hub_publish(f->rack, &snap, U2K_CHANGED_FLAGS);
	await(f, client, "\"nut\":\"OB DISCHRG\"");
	await(f, client, "\"kind\":\"on-battery\"");
	await(f, client, "\nid: ");

	/* no hurry, but it comes */
	snap.qty[U2K_QTY_LOAD].value = 47.5;
	hub_publish(f->rack, &snap, U2K_CHANGED_QTY(U2K_QTY_LOAD));
	await(f, client, "\"ups.load\":{\"value\":47.5");

	hub_ups_remove(f->rack);
	await(f, client, "event: removed\ndata: {\"name\":\"rack\"}\n");
	client_free(client);
	still_serves(f);
}

static void test_stream_resumes(void **state)
{
	struct fixture *f = *state;
	struct client *client;

	hub_event(f->hub, "one", "info", NULL, NULL, "first");
	hub_event(f->hub, "two", "info", NULL, NULL, "second");
	client = client_new(f, "GET /api/v1/events?snapshots=0 HTTP/1.1\r\nHost: x\r\n"
			       "Accept: text/event-stream\r\nLast-Event-ID: 00000000-77\r\n\r\n");
	await(f, client, "\"kind\":\"two\"");
	assert_non_null(strstr(client->text, "\"kind\":\"one\""));
	assert_null(strstr(client->text, "event: snapshot"));
	client_free(client);
}

/* A reader that stops is dropped; one that reads gets everything. */
static void test_slow_reader_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct client *slow = client_new(f, stream_request);
	struct client *quick = client_new(f, stream_request);
	char text[1024];
	int i;

	await(f, slow, "event: snapshot\n");
	await(f, quick, "event: snapshot\n");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (i = 0; i < 800; i++) {
		hub_event(f->hub, "much", "info", NULL, NULL, "%s", text);
		turn(f->base);
		receive(quick);
		assert_false(quick->ended);
	}
	hub_event(f->hub, "last-one", "info", NULL, NULL, "end");
	await(f, quick, "\"kind\":\"last-one\"");
	await(f, slow, NULL);
	assert_null(strstr(slow->text, "\"kind\":\"last-one\""));
	client_free(slow);
	client_free(quick);
	still_serves(f);
}

/* Much to catch up with is no reason to be dropped. */
static void test_long_resume(void **state)
{
	struct fixture *f = *state;
	struct client *client;
	char text[700];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < HUB_EVENTS_MAX; i++)
		hub_event(f->hub, "much", "info", NULL, NULL, "%s", text);
	client = client_new(f, "GET /api/v1/events?after=0 HTTP/1.1\r\nHost: x\r\n"
			       "Accept: text/event-stream\r\n\r\n");
	for (int i = 0; i < 10; i++)
		turn(f->base);
	hub_event(f->hub, "last-one", "info", NULL, NULL, "end");
	await(f, client, "\"kind\":\"last-one\"");
	client_free(client);
}

static void test_streams_that_go_away(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		struct client *client = client_new(f, stream_request);

		if (i % 2)
			await(f, client, "event: snapshot\n");
		client_free(client);
		hub_event(f->hub, "one", "info", NULL, NULL, "nobody listens");
		turn(f->base);
	}
	still_serves(f);
}

/* The front may end with streams and half requests open. */
static void test_end_with_open_connections(void **state)
{
	struct fixture *f = *state;
	struct client *stream = client_new(f, stream_request);
	struct client *half = client_new(f, "GET /api/v1/hea");
	char error[256];

	await(f, stream, "event: snapshot\n");
	turn(f->base);
	http_front_free(f->front);
	await(f, stream, NULL);
	await(f, half, NULL);
	client_free(stream);
	client_free(half);
	f->front = http_front_new(f->hub, NULL, f->path, error, sizeof(error));
	assert_non_null(f->front);
}

/* ---- the socket ---- */

static void test_socket_file(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void test_socket_paths(void **state)
{
	struct fixture *f = *state;
	char taken[64], file[64], missing[64], dead[64], link[64], error[256];
	char longest[200];
	struct local_socket local;
	int fd;

	strcpy(taken, f->path);
	snprintf(file, sizeof(file), "%s/file", f->dir);
	snprintf(link, sizeof(link), "%s/link", f->dir);
	snprintf(missing, sizeof(missing), "%s/no/api.sock", f->dir);
	snprintf(dead, sizeof(dead), "%s/dead", f->dir);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlink(file, link), 0);
	const struct {
		const char *path, *error;
	} rows[] = {
		{ taken, "another ups2000d answers" },
		{ file, "is not a socket" },
		{ link, "is not a socket" },
		{ missing, "its directory is missing" },
		{ longest, "must have 1 to 107 characters" },
		{ "", "must have 1 to 107 characters" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(local_listen(&local, rows[i].path, error, sizeof(error)), -1);
		assert_non_null(strstr(error, rows[i].error));
	}

	/* left over by one that died: taken over */
	assert_int_equal(local_listen(&local, dead, error, sizeof(error)), 0);
	close(local.fd);
	assert_int_equal(local_listen(&local, dead, error, sizeof(error)), 0);

	/* replaced by somebody else: left alone */
	unlink(dead);
	fd = open(dead, O_CREAT | O_WRONLY, 0600);
	local_remove(&local);
	assert_int_equal(access(dead, F_OK), 0);
	close(fd);
	close(local.fd);
	unlink(dead);
	unlink(file);
	unlink(link);
}

static void test_peer(void **state)
{
	int pair[2];
	char name[64];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	local_peer(pair[0], name, sizeof(name));
	if (getuid() == 0)
		assert_string_equal(name, "root");
	assert_true(*name != '\0');
	close(pair[0]);
	close(pair[1]);
	local_peer(-1, name, sizeof(name));
	assert_string_equal(name, "unknown");
}

/* ---- answers that come later ---- */

/* A record keeper that answers when the test says so. */
struct keeper {
	struct record_query query;
	record_cb cb;
	void *user;
	unsigned asked;
};

static void keep_waiting(void *data, const struct record_query *query, record_cb cb, void *user)
{
	struct keeper *keeper = data;

	keeper->query = *query;
	keeper->cb = cb;
	keeper->user = user;
	keeper->asked++;
}

static void await_asked(struct fixture *f, const struct keeper *keeper, unsigned n)
{
	int64_t deadline = clock_us() + PATIENCE_US;

	while (keeper->asked < n) {
		assert_true(clock_us() < deadline);
		turn(f->base);
	}
}

static void test_answer_comes_later(void **state)
{
	struct fixture *f = *state;
	struct keeper keeper = { 0 };
	struct client *client;

	client = client_new(f, "GET /api/v1/outages HTTP/1.0\r\n\r\n");
	await(f, client, "503 Service Unavailable"); /* nobody keeps records */
	client_free(client);

	hub_set_records(f->hub, keep_waiting, &keeper);
	client = client_new(f, "GET /api/v1/ups/RACK/history?quantity=ups.load HTTP/1.1\r\n"
			       "Host: x\r\n\r\n");
	await_asked(f, &keeper, 1);
	assert_int_equal(keeper.query.kind, RECORD_HISTORY);
	assert_string_equal(keeper.query.ups, "rack");
	still_serves(f); /* others do not wait */
	assert_int_equal(client->len, 0);
	keeper.cb(keeper.user, 200, xstrdup("{\"points\":[]}"));
	await(f, client, "{\"points\":[]}");

	/* the same connection goes on, and failures are problems */
	assert_true(send(client->fd, "GET /api/v1/log HTTP/1.1\r\nHost: x\r\n\r\n", 37, 0) == 37);
	await_asked(f, &keeper, 2);
	keeper.cb(keeper.user, 503, xstrdup("the disk is gone"));
	await(f, client, "the disk is gone");
	assert_non_null(strstr(client->text, "application/problem+json"));
	client_free(client);
}

static void test_client_leaves_before_the_answer(void **state)
{
	struct fixture *f = *state;
	struct keeper keeper = { 0 };
	struct client *client;

	hub_set_records(f->hub, keep_waiting, &keeper);
	client = client_new(f, "GET /api/v1/tests HTTP/1.0\r\n\r\n");
	await_asked(f, &keeper, 1);
	client_free(client);
	still_serves(f);
	keeper.cb(keeper.user, 200, xstrdup("{}"));
	still_serves(f);
}

static void test_end_before_the_answer(void **state)
{
	struct fixture *f = *state;
	struct keeper keeper = { 0 };
	struct client *client;
	char error[256];

	hub_set_records(f->hub, keep_waiting, &keeper);
	client = client_new(f, "GET /api/v1/tests HTTP/1.0\r\n\r\n");
	await_asked(f, &keeper, 1);
	http_front_free(f->front);
	keeper.cb(keeper.user, 200, xstrdup("{}"));
	client_free(client);
	f->front = http_front_new(f->hub, NULL, f->path, error, sizeof(error));
	assert_non_null(f->front);
}

/* ---- slow senders ---- */

static void test_slow_sender_is_closed(void **state)
{
	struct fixture *f = *state;
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct guard *guard = guard_new(base, 10, 50);
	struct local_socket local;
	char path[64], error[256];
	int64_t deadline = clock_us() + PATIENCE_US;
	struct client *client = xcalloc(1, sizeof(*client));

	guard_watch(guard, http, NULL, NULL);
	snprintf(path, sizeof(path), "%s/slow", f->dir);
	assert_int_equal(local_listen(&local, path, error, sizeof(error)), 0);
	evhttp_bind_listener(
		http, evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE, 0, local.fd));
	client->fd = dial(path);
	for (int i = 0; i < 100; i++) { /* others that come and go must not buy it time */
		guard_ended(guard);
		turn(base);
	}
	while (!client->ended) {
		send(client->fd, "X", 1, MSG_NOSIGNAL); /* never idle, never done ... */
		turn(base);
		poll(NULL, 0, 1); /* ... and slow: evhttp has no limit for headers here */
		receive(client);
		assert_true(clock_us() < deadline);
	}
	while (guard_count(guard) > 0) {
		event_base_loop(base, EVLOOP_ONCE);
		assert_true(clock_us() < deadline);
	}
	client_free(client);
	evhttp_free(http);
	guard_free(guard);
	local_remove(&local);
	event_base_free(base);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests),
		TEST(test_header_bomb),
		TEST(test_connection_is_kept),
		TEST(test_too_many_connections),
		TEST(test_stream),
		TEST(test_stream_resumes),
		TEST(test_slow_reader_is_dropped),
		TEST(test_long_resume),
		TEST(test_streams_that_go_away),
		TEST(test_end_with_open_connections),
		TEST(test_socket_file),
		TEST(test_socket_paths),
		cmocka_unit_test(test_peer),
		TEST(test_slow_sender_is_closed),
		TEST(test_answer_comes_later),
		TEST(test_client_leaves_before_the_answer),
		TEST(test_end_before_the_answer),
	};

	signal(SIGPIPE, SIG_IGN); /* as in the daemon */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
