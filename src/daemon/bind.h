#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Listening sockets for the addresses of a configuration. */
enum { BIND_FDS = 2 };

/**
 * Listen on an address.
 *
 * @where  "host:port", "[v6]:port", "host", "v6" or "*" for all addresses of this host
 * @port   used if where names none
 * @fds    at most one socket of each address family, non-blocking; the rest is -1
 * @error  on failure: the address and the reason
 *
 * A name may stand for a family that this host does not have; an address that is taken is always
 * an error. Asks the name service if where holds a name.
 */
bool bind_listen(const char *where, const char *port, int fds[BIND_FDS], char *error, size_t size);

/** The port a socket is bound to, or 0. */
unsigned bind_port(int fd);
