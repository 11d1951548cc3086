#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a port's name leads to: a path, tcp://HOST[:PORT] or rtu+tcp://HOST:PORT. */
enum link_kind {
	LINK_SERIAL,
	LINK_TCP,     /* Modbus TCP (MBAP) */
	LINK_RTU_TCP, /* RTU frames as they are, over TCP */
};

enum { LINK_TCP_PORT = 502, LINK_HOST_MAX = 254 };

struct link_url {
	enum link_kind kind;
	char host[LINK_HOST_MAX]; /* name or address, without brackets; "" for a path */
	uint16_t port;
};

/**
 * Take a port's name apart. An IPv6 address stands in brackets and may name its interface
 * ("[fe80::1%eth0]"). tcp:// without a port means 502.
 *
 * @why  at least 128 bytes; what is wrong and what would be right, without a full stop
 *
 * Returns false and fills why, or true and fills url.
 */
bool link_url_parse(const char *text, struct link_url *url, char *why, size_t why_size);
