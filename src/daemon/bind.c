#include "daemon/bind.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/util.h"

#define LOG_PART "daemon"
#include "util/log.h"

/* Host and port apart. Returns NULL, or what is wrong. */
static const char *split(const char *where, char host[256], char port[32])
{
	const char *end = strrchr(where, ':');
	const char *begin = where;
	size_t len;

	if (*where == '[') {
		const char *bracket = strchr(where, ']');

		if (!bracket || (bracket[1] && bracket[1] != ':'))
			return "the form is \"[address]:port\"";
		begin = where + 1;
		len = (size_t)(bracket - begin);
		end = bracket[1] ? bracket + 1 : NULL;
	} else {
		if (end && strchr(where, ':') != end)
			end = NULL; /* a bare IPv6 address */
		len = end ? (size_t)(end - where) : strlen(where);
	}
	if (len == 0 || len >= 256)
		return "the form is \"address:port\"";
	memcpy(host, begin, len);
	host[len] = '\0';
	if (!end)
		return NULL;

	char *rest;
	unsigned long number = strtoul(end + 1, &rest, 10);

	if (end[1] < '0' || end[1] > '9' || *rest || number > 65535)
		return "the port must be a number from 0 to 65535";
	snprintf(port, 32, "%lu", number);
	return NULL;
}

/* Returns the descriptor, or -1 and errno. */
static int open_socket(const struct addrinfo *ai)
{
	int on = 1;
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;

	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

static bool fail(char *error, size_t size, const char *where, const char *why)
{
	snprintf(error, size, "cannot listen on %s: %s", where, why);
	return false;
}

/* One socket of each family that the addresses hold. Returns false, and nothing is open. */
static bool open_sockets(const struct addrinfo *list, const char *where, int fds[BIND_FDS],
			 char *error, size_t size)
{
	int first_errno = 0;
	size_t n = 0;

	for (size_t i = 0; i < BIND_FDS; i++)
		fds[i] = -1;
	for (const struct addrinfo *ai = list; ai && n < BIND_FDS; ai = ai->ai_next) {
		if (n && ai->ai_family == list->ai_family)
			continue; /* at most one of each family */
		fds[n] = open_socket(ai);
		if (fds[n] >= 0)
			n++;
		else if (!first_errno)
			first_errno = errno;
	}
	if (n && (first_errno == 0 || first_errno == EAFNOSUPPORT || first_errno == EADDRNOTAVAIL))
		return true;
	while (n) {
		close(fds[--n]);
		fds[n] = -1;
	}
	return fail(error, size, where, strerror(first_errno));
}

/* Of an address alone; asks nobody. */
static int read_address(const char *host, const char *port, struct addrinfo **list)
{
	static const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST
	};

	return getaddrinfo(host, port, &hints, list);
}

/* This host has its name without anybody's service. */
static bool is_localhost(const char *host)
{
	return strcasecmp(host, "localhost") == 0;
}

static bool listen_localhost(const char *where, const char *port, int fds[BIND_FDS], char *error,
			     size_t size)
{
	struct addrinfo *four = NULL, *six = NULL, both[2];
	bool ok =
		read_address("127.0.0.1", port, &four) == 0 && read_address("::1", port, &six) == 0;

	if (ok) {
		both[0] = *four;
		both[0].ai_next = &both[1];
		both[1] = *six;
		both[1].ai_next = NULL;
		ok = open_sockets(both, where, fds, error, size);
	} else {
		fail(error, size, where, strerror(ENOMEM));
	}
	if (six)
		freeaddrinfo(six);
	if (four)
		freeaddrinfo(four);
	return ok;
}

bool bind_is_name(const char *where)
{
	char host[256], port[32] = "0";
	struct addrinfo *list;

	if (split(where, host, port) || strcmp(host, "*") == 0 || is_localhost(host))
		return false; /* what is wrong, bind_listen() says */
	if (read_address(host, port, &list) != 0)
		return true;
	freeaddrinfo(list);
	return false;
}

bool bind_listen(const char *where, const char *default_port, int fds[BIND_FDS], char *error,
		 size_t size)
{
	char host[256], port[32];
	struct addrinfo *list;
	const char *wrong;
	bool ok;
	int rc;

	snprintf(port, sizeof(port), "%s", default_port);
	wrong = split(where, host, port);
	if (wrong)
		return fail(error, size, where, wrong);
	if (is_localhost(host))
		return listen_localhost(where, port, fds, error, size);
	rc = read_address(strcmp(host, "*") == 0 ? NULL : host, port, &list);
	if (rc)
		return fail(error, size, where, gai_strerror(rc));
	ok = open_sockets(list, where, fds, error, size);
	freeaddrinfo(list);
	return ok;
}

/* --- names ----------------------------------------------------------------------------------- */

static const struct timeval again = { .tv_sec = 5 };

struct binding {
	struct event_base *base;
	char *where, host[256];
	uint16_t port;
	resolve_fn lookup;
	struct resolve *resolve; /* a lookup is under way */
	struct event *timer;
	char said[256]; /* the last word about it, to say it once */
	binding_cb cb;
	void *user;
};

static void say_waiting(struct binding *b, const char *error)
{
	if (strcmp(b->said, error) == 0)
		return;
	snprintf(b->said, sizeof(b->said), "%s", error);
	log_warning("%s; it is tried again every %ld s", error, (long)again.tv_sec);
}

static void on_resolved(void *user, const struct addrinfo *list, const char *why)
{
	struct binding *b = user;
	char error[256];
	int fds[BIND_FDS];

	b->resolve = NULL;
	if (!list) {
		fail(error, sizeof(error), b->where, why);
	} else if (open_sockets(list, b->where, fds, error, sizeof(error))) {
		b->cb(b->user, fds); /* may free b */
		return;
	}
	say_waiting(b, error);
	evtimer_add(b->timer, &again);
}

static void look_up(struct binding *b)
{
	b->resolve = resolve_start(b->base, b->host, b->port, b->lookup, on_resolved, b);
	evtimer_add(b->timer, &again);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct binding *b = arg;
	char error[256];

	(void)fd;
	(void)what;
	if (!b->resolve) {
		look_up(b);
		return;
	}
	fail(error, sizeof(error), b->where, "no name server has answered yet");
	say_waiting(b, error);
}

struct binding *binding_start(struct event_base *base, const char *where, const char *default_port,
			      resolve_fn lookup, binding_cb cb, void *user)
{
	struct binding *b = xcalloc(1, sizeof(*b));
	char port[32];

	snprintf(port, sizeof(port), "%s", default_port);
	if (split(where, b->host, port)) {
		free(b);
		return NULL;
	}
	b->base = base;
	b->where = xstrdup(where);
	b->port = (uint16_t)strtoul(port, NULL, 10);
	b->lookup = lookup;
	b->cb = cb;
	b->user = user;
	b->timer = evtimer_new(base, on_timer, b);
	look_up(b);
	return b;
}

void binding_free(struct binding *b)
{
	if (!b)
		return;
	resolve_cancel(b->resolve);
	event_free(b->timer);
	free(b->where);
	free(b);
}

unsigned bind_port(int fd)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address;
	socklen_t len = sizeof(address);

	if (getsockname(fd, &address.sa, &len) < 0)
		return 0;
	return ntohs(address.sa.sa_family == AF_INET6 ? address.in6.sin6_port
						      : address.in.sin_port);
}
