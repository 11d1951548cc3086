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
#include "daemon/priority.h"
#include "util/util.h"

const char guard_too_many[] = "HTTP/1.1 503 Service Unavailable\r\n"
			      "Content-Type: application/problem+json\r\n"
			      "Connection: close\r\nContent-Length: 98\r\n\r\n"
			      "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
			      "\"status\":503,\"detail\":\"too many connections\"}\n";

enum { UNREAD_MAX = 64 * 1024 };

/* One evhttp. */
struct door {
	SLIST_ENTRY(door) all;
	struct guard *guard;
	const struct guard_ops *ops;
	void *user;
};

struct conn {
	TAILQ_ENTRY(conn) all;
	SLIST_ENTRY(conn) fresh; /* until its socket is known */
	struct door *door;
	struct bufferevent *bev; /* our own reference */
	evutil_socket_t fd;	 /* -1 while it is fresh; open as long as we hold bev */
	void *peer;		 /* of ops->enter */
	int64_t since_us;	 /* accepted, or its last whole request */
	bool entered;
	bool stream;
	bool unwelcome; /* over the limit: to be told so and closed */
};

struct guard {
	struct event_base *base;
	struct event *sweep; /* every second */
	struct event *ended; /* a connection has (activating sweep would put off its next second) */
	struct event *settle; /* as soon as evhttp has given the socket to a connection */
	SLIST_HEAD(, door) doors;
	TAILQ_HEAD(conns, conn) conns;
	SLIST_HEAD(, conn) fresh;
	struct conn **by_fd;
	size_t n_by_fd;
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
	const struct guard_ops *ops = conn->door->ops;

	if (conn->fd < 0)
		SLIST_REMOVE(&guard->fresh, conn, conn, fresh);
	else
		guard->by_fd[conn->fd] = NULL;
	if (conn->entered && ops && ops->leave)
		ops->leave(conn->door->user, conn->peer);
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

static void know(struct guard *guard, struct conn *conn, evutil_socket_t fd)
{
	size_t need = (size_t)fd + 1;

	if (need > guard->n_by_fd) {
		need = need * 2 > 64 ? need * 2 : 64;
		guard->by_fd = xrealloc(guard->by_fd, need * sizeof(struct conn *));
		memset(guard->by_fd + guard->n_by_fd, 0,
		       (need - guard->n_by_fd) * sizeof(struct conn *));
		guard->n_by_fd = need;
	}
	conn->fd = fd;
	guard->by_fd[fd] = conn;
}

static void settle(struct conn *conn)
{
	const struct guard_ops *ops = conn->door->ops;
	const char *answer = conn->unwelcome ? guard_too_many : NULL;

	if (!answer && ops && ops->enter) {
		answer = ops->enter(conn->door->user, conn->fd, &conn->peer);
		conn->entered = !answer;
	}
	if (!answer)
		return;
	/* in clear, whatever the door speaks: nobody understands it there, and it is cheap */
	if (*answer && !(ops && ops->make))
		send(conn->fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(conn->fd, SHUT_RDWR);
}

static void settle_cb(evutil_socket_t fd, short what, void *data)
{
	struct guard *guard = data;
	struct conn *conn;

	(void)fd;
	(void)what;
	while ((conn = SLIST_FIRST(&guard->fresh))) {
		evutil_socket_t socket = bufferevent_getfd(conn->bev);

		if (socket < 0) { /* evhttp did not take it */
			drop(guard, conn);
			continue;
		}
		SLIST_REMOVE_HEAD(&guard->fresh, fresh);
		know(guard, conn, socket);
		settle(conn);
	}
}

static struct bufferevent *accept_cb(struct event_base *base, void *data)
{
	struct door *door = data;
	struct guard *guard = door->guard;
	struct conn *conn;

	if (guard->n >= guard->max)
		sweep(guard);
	conn = xcalloc(1, sizeof(*conn));
	conn->door = door;
	conn->fd = -1;
	if (door->ops && door->ops->make)
		conn->bev = door->ops->make(door->user, base);
	if (!conn->bev)
		conn->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!conn->bev) {
		free(conn);
		return NULL; /* evhttp tries for itself */
	}
	bufferevent_incref(conn->bev);
	bufferevent_priority_set(conn->bev, PRIORITY_STRANGERS); /* fails where there is one only */
	/* one that evhttp has given up would go on reading until we let go of it */
	bufferevent_setwatermark(conn->bev, EV_READ, 0, UNREAD_MAX);
	conn->since_us = clock_us();
	conn->unwelcome = guard->n >= guard->max;
	SLIST_INSERT_HEAD(&guard->fresh, conn, fresh);
	event_active(guard->settle, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&guard->conns, conn, all);
	guard->n++;
	return conn->bev;
}

struct guard *guard_new(struct event_base *base, size_t max_connections, unsigned request_ms)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct guard *guard = xcalloc(1, sizeof(*guard));

	TAILQ_INIT(&guard->conns);
	guard->base = base;
	guard->max = max_connections;
	guard->request_us = request_ms * INT64_C(1000);
	guard->sweep = event_new(base, -1, EV_PERSIST, sweep_cb, guard);
	guard->ended = event_new(base, -1, 0, sweep_cb, guard);
	guard->settle = event_new(base, -1, 0, settle_cb, guard);
	event_add(guard->sweep, &second);
	return guard;
}

void guard_watch(struct guard *guard, struct evhttp *http, const struct guard_ops *ops, void *user)
{
	struct door *door = xcalloc(1, sizeof(*door));

	door->guard = guard;
	door->ops = ops;
	door->user = user;
	SLIST_INSERT_HEAD(&guard->doors, door, all);
	evhttp_set_bevcb(http, accept_cb, door);
}

void guard_set_max(struct guard *guard, size_t max_connections)
{
	guard->max = max_connections;
}

void guard_free(struct guard *guard)
{
	struct door *door;

	while (!TAILQ_EMPTY(&guard->conns))
		drop(guard, TAILQ_FIRST(&guard->conns));
	while ((door = SLIST_FIRST(&guard->doors))) {
		SLIST_REMOVE_HEAD(&guard->doors, all);
		free(door);
	}
	event_free(guard->sweep);
	event_free(guard->ended);
	event_free(guard->settle);
	free(guard->by_fd);
	free(guard);
}

static struct conn *find(const struct guard *guard, struct bufferevent *bev)
{
	evutil_socket_t fd = bufferevent_getfd(bev);
	struct conn *conn = fd >= 0 && (size_t)fd < guard->n_by_fd ? guard->by_fd[fd] : NULL;

	return conn && conn->bev == bev ? conn : NULL;
}

void guard_request(struct guard *guard, struct bufferevent *bev)
{
	struct conn *conn = find(guard, bev);

	if (conn)
		conn->since_us = clock_us();
}

void *guard_peer(struct guard *guard, struct bufferevent *bev)
{
	const struct conn *conn = find(guard, bev);

	return conn ? conn->peer : NULL;
}

void guard_stream(struct guard *guard, struct bufferevent *bev)
{
	struct conn *conn = find(guard, bev);

	if (conn)
		conn->stream = true;
}

void guard_ended(struct guard *guard)
{
	event_active(guard->ended, EV_TIMEOUT, 0);
}

size_t guard_count(const struct guard *guard)
{
	return guard->n;
}
