#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct event_base;
struct hub_ups;

/*
 * The driver's socket: upsd and other peers of NUT's driver protocol on one side, a UPS of the hub
 * on the other. Pushes what changes, answers dumps, carries out commands and settings.
 *
 * No peer can hold anything up: writes are queued per peer, and one that does not take its bytes is
 * dropped.
 */
struct server;

/* What the process does itself. Each returns a TRACKING code: 0 done, 2 bad value, 3 failed. */
struct server_ops {
	int (*reload)(void *user, bool or_error, bool or_exit);
	int (*set_debug)(void *user, unsigned level);
	void (*leave)(void *user); /* driver.exit: after the answer was written */
	/** Switch the UPS off; server_killpower_done() tells the end. */
	void (*killpower)(void *user);
};

enum {
	TRACKING_DONE = 0,
	TRACKING_UNKNOWN = 1,
	TRACKING_INVALID = 2,
	TRACKING_FAILED = 3,
};

/**
 * Serve a UPS. The store gets driver.state, driver.flag.allow_killpower, driver.debug and the
 * driver.* commands. No socket yet: server_listen() or server_add_peer().
 */
struct server *server_new(struct hub_ups *ups, const struct server_ops *ops, void *user);
void server_free(struct server *server);

/**
 * Make the socket (mode 0660, removing a stale one first).
 *
 * @gid  the group that may use it besides the owner, or (gid_t)-1: the process's own
 *
 * Returns false with a sentence in error.
 */
bool server_listen(struct server *server, const char *path, gid_t gid, char *error,
		   size_t error_size);
/** Remove it. */
void server_unlisten(struct server *server);

/** A connected peer on a descriptor that is taken over. For server_listen() and tests. */
void server_add_peer(struct server *server, int fd);

void server_set_state(struct server *server, const char *state);
void server_allow_killpower(struct server *server, bool allow);
void server_killpower_done(struct server *server, bool off);
/** Have all queued bytes gone out, to the peers that take them? */
bool server_drained(const struct server *server);
