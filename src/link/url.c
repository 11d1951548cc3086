#include "link/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *scheme;
	enum link_kind kind;
	uint16_t port; /* 0: must be given */
	const char *example;
} schemes[] = {
	{ "tcp://", LINK_TCP, LINK_TCP_PORT, "tcp://HOST:502" },
	{ "rtu+tcp://", LINK_RTU_TCP, 0, "rtu+tcp://HOST:4001" },
};

static bool is_name(const char *host)
{
	size_t label = 0;

	if (strspn(host, "0123456789.") == strlen(host)) {
		struct in_addr v4;

		return inet_pton(AF_INET, host, &v4) == 1;
	}
	for (; *host; host++) {
		if (*host == '.') {
			if (!label)
				return false;
			label = 0;
		} else if (!isalnum((unsigned char)*host) && !strchr("-_", *host)) {
			return false;
		} else if (++label > 63) {
			return false;
		}
	}
	return true;
}

/* An address, perhaps with "%interface" behind it. */
static bool is_v6(const char *host)
{
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(host, "%");
	struct in6_addr v6;

	if (len >= sizeof(address) || (host[len] && !host[len + 1]))
		return false;
	memcpy(address, host, len);
	address[len] = '\0';
	return inet_pton(AF_INET6, address, &v6) == 1;
}

static bool take_port(const char *text, uint16_t *port)
{
	size_t digits = strspn(text, "0123456789");
	long number = atol(text);

	if (!digits || digits > 5 || text[digits] || number < 1 || number > 65535)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* What stands behind the scheme. */
static bool take_address(const char *text, struct link_url *url)
{
	bool bracketed = text[0] == '[';
	const char *start = text + bracketed;
	size_t len = strcspn(start, bracketed ? "]" : ":");
	const char *rest = start + len;

	if (!len || len >= sizeof(url->host) || (bracketed && *rest++ != ']'))
		return false;
	memcpy(url->host, start, len);
	url->host[len] = '\0';
	if (bracketed ? !is_v6(url->host) : !is_name(url->host))
		return false;
	if (!*rest)
		return url->port != 0;
	return *rest == ':' && take_port(rest + 1, &url->port);
}

bool link_url_parse(const char *text, struct link_url *url, char *why, size_t why_size)
{
	struct link_url found = { .kind = LINK_SERIAL };

	if (!strstr(text, "://")) {
		*url = found;
		return true;
	}
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i].scheme);

		if (strncmp(text, schemes[i].scheme, len) != 0)
			continue;
		found.kind = schemes[i].kind;
		found.port = schemes[i].port;
		if (!take_address(text + len, &found)) {
			snprintf(
				why, why_size,
				"port \"%.64s\" is no address. Write %s, an IPv6 address in brackets",
				text, schemes[i].example);
			return false;
		}
		*url = found;
		return true;
	}
	snprintf(why, why_size,
		 "port \"%.64s\" begins with an unknown word. Use a path, tcp://HOST:PORT or "
		 "rtu+tcp://HOST:PORT",
		 text);
	return false;
}
