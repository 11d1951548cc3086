#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct event_base;
struct tcp;

/**
 * Put a line on a TCP port: as a Modbus TCP gateway does (one request at a time goes onto the line;
 * exception 0B when nothing answers within 1 s), or as a serial device server (the line's bytes as
 * they are).
 *
 * @where  "PORT" or "ADDRESS:PORT" ("[V6]:PORT"), 0 for a free one; loopback without an address
 * @offset added to the port
 *
 * Returns NULL and err says what is wrong.
 */
struct tcp *tcp_new(struct event_base *base, struct bus *bus, bool modbus_tcp, const char *where,
		    unsigned offset, char *err, size_t err_size);
void tcp_free(struct tcp *tcp);

unsigned tcp_port(const struct tcp *tcp);

/** Drop all connections and refuse new ones, as a device that restarts; and be there again. */
void tcp_unplug(struct tcp *tcp);
/** Returns 0, or U2K_EINVAL: the port cannot be had again. */
int tcp_replug(struct tcp *tcp);
