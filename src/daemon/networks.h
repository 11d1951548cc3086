#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/* Sets of addresses, IPv4 and IPv6 in one form: IPv4 is kept as ::ffff:a.b.c.d (RFC 4291). */
struct network {
	uint8_t address[16];
	unsigned bits; /* of address that count, 0..128 */
};

struct networks {
	struct network *list;
	size_t n;
};

/**
 * Add what text names: "192.0.2.0/24", "192.0.2.7", "2001:db8::/32", "loopback" or "any".
 *
 * @set  NULL: only check
 * @why  on failure: what is wrong and what would be right, without the last full stop
 */
bool networks_add(struct networks *set, const char *text, char *why, size_t size);
void networks_close(struct networks *set);

/** Is that address in one of them? Others than IPv4 and IPv6 never are. */
bool networks_hold(const struct networks *set, const struct sockaddr *address);
/** 127.0.0.0/8, ::1, or not IP at all: a client on this very host. */
bool address_is_loopback(const struct sockaddr *address);
/** The 16 bytes as above; false if it is neither IPv4 nor IPv6. */
bool address_bytes(const struct sockaddr *address, uint8_t bytes[16]);
