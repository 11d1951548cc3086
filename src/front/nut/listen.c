#include "front/nut/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/bind.h"
#include "daemon/networks.h"
#include "util/util.h"
#include <ups2000/ups.h>

#define LOG_PART "nut"
#include "util/log.h"

static const char DEFAULT_PORT[] = "3493";
static const int64_t WARN_EACH_US = 60 * U2K_SEC;
static const char REFUSAL[] = "ERR ACCESS-DENIED\n";

/* A clear word instead of a connection that hangs. */
static void refuse(int fd)
{
	char waste[512];

	(void)send(fd, REFUSAL, sizeof(REFUSAL) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	(void)recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
	close(fd);
}

void listen_warn(struct nut_server *s, const char *what)
{
	int64_t now = clock_us();

	if (s->warned_us && now - s->warned_us < WARN_EACH_US)
		return;
	s->warned_us = now;
	log_warning("%s (%zu connections)", what, s->n_conns);
}

/* Descriptors are out: give up the spare one to take the client from the backlog and refuse it. */
static bool refuse_with_spare(struct nut_server *s, int listener)
{
	int fd;

	listen_warn(s, "no file descriptor is left: clients are refused");
	if (s->spare_fd < 0)
		return false;
	close(s->spare_fd);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		refuse(fd);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

static void accept_one(struct nut_server *s, int fd, const union address *peer)
{
	unsigned room = server_room(s);
	unsigned kept = room > 4 * LOCAL_SLOTS ? LOCAL_SLOTS : 0;

	if (!access_allows(s, ACCESS_CONNECT, peer)) {
		listen_warn(s, "an address that may not connect is refused");
		refuse(fd);
		return;
	}
	if (s->n_conns >= room || (s->n_conns + kept >= room && !address_is_loopback(&peer->sa))) {
		listen_warn(s, "max-connections is reached: clients are refused");
		refuse(fd);
		return;
	}
	if (!conn_new(s, fd, peer)) {
		listen_warn(s, "connections-per-address is reached: a client is refused");
		refuse(fd);
	}
}

void listen_resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct nut_server *s = arg;
	struct listener *l;

	(void)fd;
	(void)what;
	TAILQ_FOREACH (l, &s->listeners, node)
		for (size_t i = 0; i < ARRAY_SIZE(l->events); i++)
			if (l->events[i])
				event_add(l->events[i], NULL);
}

/* Without a spare descriptor the client stays in the backlog: look again later, do not spin. */
static void out_of_descriptors(struct nut_server *s, int listener)
{
	static const struct timeval later = { 0, 100000 };
	struct listener *l;

	if (refuse_with_spare(s, listener))
		return;
	TAILQ_FOREACH (l, &s->listeners, node)
		for (size_t i = 0; i < ARRAY_SIZE(l->events); i++)
			if (l->events[i])
				event_del(l->events[i]);
	evtimer_add(s->accept_timer, &later);
}

static void accept_cb(evutil_socket_t listener, short what, void *arg)
{
	struct nut_server *s = ((struct listener *)arg)->server;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		union address peer = { 0 };
		socklen_t len = sizeof(peer);
		int fd = accept4(listener, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			accept_one(s, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE)
			out_of_descriptors(s, listener);
		else if (errno == ECONNABORTED || errno == EINTR)
			continue;
		return;
	}
}

static void close_listener(struct nut_server *s, struct listener *l)
{
	TAILQ_REMOVE(&s->listeners, l, node);
	binding_free(l->binding);
	for (size_t i = 0; i < ARRAY_SIZE(l->fds); i++) {
		if (l->events[i])
			event_free(l->events[i]);
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	}
	free(l->where);
	free(l);
}

void listen_close_all(struct nut_server *s)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&s->listeners)))
		close_listener(s, l);
}

static void serve(struct listener *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(l->fds) && l->fds[i] >= 0; i++) {
		l->events[i] =
			event_new(l->server->base, l->fds[i], EV_READ | EV_PERSIST, accept_cb, l);
		event_add(l->events[i], NULL);
	}
}

static void name_found(void *user, const int fds[BIND_FDS])
{
	struct listener *l = user;

	binding_free(l->binding);
	l->binding = NULL;
	memcpy(l->fds, fds, sizeof(l->fds));
	serve(l);
	log_info("NUT clients are served on %s too, port %u", l->where, bind_port(l->fds[0]));
}

static bool open_listener(struct nut_server *s, const char *where, char *error, size_t size)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	for (size_t i = 0; i < ARRAY_SIZE(l->fds); i++)
		l->fds[i] = -1;
	l->server = s;
	if (bind_is_name(where)) {
		l->binding = binding_start(s->base, where, DEFAULT_PORT, NULL, name_found, l);
	} else if (!bind_listen(where, DEFAULT_PORT, l->fds, error, size)) {
		free(l);
		return false;
	}
	l->where = xstrdup(where);
	TAILQ_INSERT_TAIL(&s->listeners, l, node);
	serve(l);
	return true;
}

static struct listener *find(const struct nut_server *s, const char *where)
{
	struct listener *l;

	TAILQ_FOREACH (l, &s->listeners, node)
		if (strcmp(l->where, where) == 0)
			return l;
	return NULL;
}

static bool wanted(const struct listener *l, char *const *where, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(l->where, where[i]) == 0)
			return true;
	return false;
}

bool listen_configure(struct nut_server *s, char *const *where, size_t n, char *error, size_t size)
{
	char **closed = NULL;
	size_t n_closed = 0;
	struct listener *l, *next;
	bool ok = true;

	/* first close: 0.0.0.0:3493 cannot be bound while 127.0.0.1:3493 is */
	for (l = TAILQ_FIRST(&s->listeners); l; l = next) {
		next = TAILQ_NEXT(l, node);
		if (wanted(l, where, n))
			continue;
		closed = xrealloc(closed, (n_closed + 1) * sizeof(*closed));
		closed[n_closed++] = xstrdup(l->where);
		close_listener(s, l);
	}
	for (size_t i = 0; i < n && ok; i++) {
		l = find(s, where[i]);
		if (l) { /* keep, in the order of the configuration */
			TAILQ_REMOVE(&s->listeners, l, node);
			TAILQ_INSERT_TAIL(&s->listeners, l, node);
		} else {
			ok = open_listener(s, where[i], error, size);
		}
	}
	for (size_t i = 0; i < n_closed; i++) {
		char ignored[256];

		if (!ok)
			open_listener(s, closed[i], ignored, sizeof(ignored));
		free(closed[i]);
	}
	free(closed);
	return ok;
}

unsigned nut_server_port(const struct nut_server *s, size_t i)
{
	const struct listener *l = TAILQ_FIRST(&s->listeners);

	while (l && i--)
		l = TAILQ_NEXT(l, node);
	return l && l->fds[0] >= 0 ? bind_port(l->fds[0]) : 0;
}
