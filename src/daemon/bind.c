#include "daemon/bind.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

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

bool bind_listen(const char *where, const char *default_port, int fds[BIND_FDS], char *error,
		 size_t size)
{
	char host[256], port[32];
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list;
	const char *wrong;
	int first_errno = 0;
	size_t n = 0;

	snprintf(port, sizeof(port), "%s", default_port);
	wrong = split(where, host, port);
	if (wrong)
		return fail(error, size, where, wrong);

	int rc = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &list);

	if (rc)
		return fail(error, size, where, gai_strerror(rc));
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
	freeaddrinfo(list);
	if (n && (first_errno == 0 || first_errno == EAFNOSUPPORT || first_errno == EADDRNOTAVAIL))
		return true;
	while (n)
		close(fds[--n]);
	return fail(error, size, where, strerror(first_errno));
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
