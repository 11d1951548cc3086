#include "front/http/guard.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include "util/util.h"

struct conn {
	TAILQ_ENTRY(conn) all;
	struct bufferevent *bev; /* our own reference */
	int64_t since_us;	 /* accepted, or its last whole request */
	bool stream;
	bool unwelcome; /* over the limit: to be told so and closed */
};

struct guard {
	struct event *sweep;	 /* every second */
	struct event *turn_away; /* as soon as evhttp has given the socket to a connection */
	TAILQ_HEAD(conns, conn) conns;
	size_t n, max;
	int64_t request_us;
};

/* bufferevent_free() takes the callbacks away; evhttp always has an error callback set. */
static bool given_up(const struct conn *conn)
{
	bufferevent_event_cb error_cb;

	bufferevent_getcb(conn->bev, NULL, NULL, &error_cb, NULL);
	return !error_cb;
}

static void drop(struct guard *guard, struct conn *conn)
{
	TAILQ_REMOVE(&guard->conns, conn, all);
	guard->n--;
	bufferevent_decref(conn->bev);
	free(conn);
}

static void sweep(struct guard *guard)
{
	int64_t now = clock_us();
	struct conn *conn, *next;

	for (conn = TAILQ_FIRST(&guard->conns); conn; conn = next) {
		next = TAILQ_NEXT(conn, all);
		if (given_up(conn))
			drop(guard, conn);
		else if (!conn->stream && now - conn->since_us > guard->request_us)
			shutdown(bufferevent_getfd(conn->bev), SHUT_RDWR); /* evhttp sees the end */
	}
}

static void sweep_cb(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	sweep(data);
}

static void turn_away_cb(evutil_socket_t fd, short what, void *data)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
				     "Content-Type: application/problem+json\r\n"
				     "Connection: close\r\nContent-Length: 98\r\n\r\n"
				     "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
				     "\"status\":503,\"detail\":\"too many connections\"}\n";
	struct guard *guard = data;
	struct conn *conn;

	(void)fd;
	(void)what;
	TAILQ_FOREACH (conn, &guard->conns, all) {
		if (!conn->unwelcome)
			continue;
		conn->unwelcome = false;
		send(bufferevent_getfd(conn->bev), answer, sizeof(answer) - 1,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		shutdown(bufferevent_getfd(conn->bev), SHUT_RDWR);
	}
}

static struct bufferevent *accept_cb(struct event_base *base, void *data)
{
	struct guard *guard = data;
	struct conn *conn;

	if (guard->n >= guard->max)
		sweep(guard);
	conn = xcalloc(1, sizeof(*conn));
	conn->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!conn->bev) {
		free(conn);
		return NULL; /* evhttp tries for itself */
	}
	bufferevent_incref(conn->bev);
	conn->since_us = clock_us();
	conn->unwelcome = guard->n >= guard->max;
	if (conn->unwelcome)
		event_active(guard->turn_away, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&guard->conns, conn, all);
	guard->n++;
	return conn->bev;
}

struct guard *guard_new(struct event_base *base, struct evhttp *http, size_t max_connections,
			unsigned request_ms)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct guard *guard = xcalloc(1, sizeof(*guard));

	TAILQ_INIT(&guard->conns);
	guard->max = max_connections;
	guard->request_us = request_ms * INT64_C(1000);
	guard->sweep = event_new(base, -1, EV_PERSIST, sweep_cb, guard);
	guard->turn_away = event_new(base, -1, 0, turn_away_cb, guard);
	event_add(guard->sweep, &second);
	evhttp_set_bevcb(http, accept_cb, guard);
	return guard;
}

void guard_free(struct guard *guard)
{
	while (!TAILQ_EMPTY(&guard->conns))
		drop(guard, TAILQ_FIRST(&guard->conns));
	event_free(guard->sweep);
	event_free(guard->turn_away);
	free(guard);
}

static struct conn *find(struct guard *guard, const struct bufferevent *bev)
{
	struct conn *conn;

	TAILQ_FOREACH (conn, &guard->conns, all)
		if (conn->bev == bev)
			return conn;
	return NULL;
}

void guard_request(struct guard *guard, struct bufferevent *bev)
{
	struct conn *conn = find(guard, bev);

	if (conn)
		conn->since_us = clock_us();
}

void guard_stream(struct guard *guard, struct bufferevent *bev)
{
	struct conn *conn = find(guard, bev);

	if (conn)
		conn->stream = true;
}

size_t guard_count(const struct guard *guard)
{
	return guard->n;
}
