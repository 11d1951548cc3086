#pragma once

#include <stddef.h>

struct hub;
struct http_front;

/**
 * Serve the local API (docs/api.md) on a unix stream socket with mode 0660: who may connect is
 * decided by the file's owner and group.
 *
 * The process must ignore SIGPIPE: clients go away when they like.
 *
 * A socket file left over from a dead daemon is replaced; one that somebody answers on is not.
 *
 * @socket_path  at most 107 bytes; copied
 *
 * Returns NULL after writing why, and what would help, into error.
 */
struct http_front *http_front_new(struct hub *hub, const char *socket_path, char *error,
				  size_t error_size);

/** Drops all clients and removes the socket file if it is still ours. NULL is allowed. */
void http_front_free(struct http_front *front);
