#pragma once

#include <stddef.h>
#include <event2/util.h>

struct bufferevent;
struct event_base;
struct evhttp;
struct guard;

/*
 * What evhttp does not limit: who may connect, the number of connections, and the time a client
 * takes for a request (evhttp's own timeout starts anew with every byte, so a slow sender could
 * hold on for ever).
 *
 * The guard makes the bufferevents of all connections and keeps a reference to each. A connection
 * that evhttp has given up is known by its callbacks being gone.
 */

/* What the owner has a say in; each member may be NULL. */
struct guard_ops {
	/* The bufferevent of a connection to come; NULL gives a plain one. */
	struct bufferevent *(*make)(void *user, struct event_base *base);
	/*
	 * A connection has come: NULL to let it in, or what it is told before it is closed (a whole
	 * HTTP response; "" for none). *peer is handed to leave, which is called if it was let in.
	 */
	const char *(*enter)(void *user, evutil_socket_t fd, void **peer);
	void (*leave)(void *user, void *peer);
};

/**
 * @request_ms  a client that needs longer from one whole request to the next is closed, within a
 *              second
 */
struct guard *guard_new(struct event_base *base, size_t max_connections, unsigned request_ms);
/** After all evhttps it watched over were freed. */
void guard_free(struct guard *guard);
void guard_set_max(struct guard *guard, size_t max_connections);

/** Watch over http's connections from now on. @ops may be NULL; borrowed, as user is. */
void guard_watch(struct guard *guard, struct evhttp *http, const struct guard_ops *ops, void *user);

/** A whole request came on this connection: its time starts anew. */
void guard_request(struct guard *guard, struct bufferevent *bev);
/** What ops->enter() made of the connection's address, or NULL. */
void *guard_peer(struct guard *guard, struct bufferevent *bev);
/** The connection carries a stream: no limit on its time. */
void guard_stream(struct guard *guard, struct bufferevent *bev);
/** Some connection has ended: let go of it soon. (Without this it is done within a second.) */
void guard_ended(struct guard *guard);
size_t guard_count(const struct guard *guard);

/** The answer that tells a client of too many connections. */
extern const char guard_too_many[];
