#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "link/resolve.h"

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
 * Asks nobody: "localhost" is known, another name is an error (see binding_start()). A family that
 * this host does not have is left out; an address that is taken is always an error.
 */
bool bind_listen(const char *where, const char *port, int fds[BIND_FDS], char *error, size_t size);

/** Whether somebody must be asked what address this is. */
bool bind_is_name(const char *where);

struct binding;

/** Sockets as from bind_listen(); they are the receiver's, which may free the binding. */
typedef void (*binding_cb)(void *user, const int fds[BIND_FDS]);

/**
 * Listen on an address given by name. It is looked up in a thread; what does not work is logged and
 * tried again every 5 s, as a host may start before its network does. cb is called once, from the
 * loop.
 *
 * @lookup  NULL: the system's
 *
 * Returns NULL if where has not the form that bind_listen() wants.
 */
struct binding *binding_start(struct event_base *base, const char *where, const char *port,
			      resolve_fn lookup, binding_cb cb, void *user);
/** No callback follows. NULL is fine. */
void binding_free(struct binding *binding);

/** The port a socket is bound to, or 0. */
unsigned bind_port(int fd);
