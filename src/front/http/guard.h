#pragma once

#include <stddef.h>

struct bufferevent;
struct event_base;
struct evhttp;
struct guard;

/*
 * What evhttp does not limit: the number of connections, and the time a client takes for a request
 * (evhttp's own timeout starts anew with every byte, so a slow sender could hold on for ever).
 *
 * The guard makes the bufferevents of all connections and keeps a reference to each. A connection
 * that evhttp has given up is known by its callbacks being gone.
 */
/**
 * Watch over http's connections from now on. One guard per evhttp; freed after it.
 *
 * @request_ms  a client that needs longer from one whole request to the next is closed, within a
 *              second
 */
struct guard *guard_new(struct event_base *base, struct evhttp *http, size_t max_connections,
			unsigned request_ms);
void guard_free(struct guard *guard);

/** A whole request came on this connection: its time starts anew. */
void guard_request(struct guard *guard, struct bufferevent *bev);
/** The connection carries a stream: no limit on its time. */
void guard_stream(struct guard *guard, struct bufferevent *bev);
size_t guard_count(const struct guard *guard);
