#pragma once

#include <stdbool.h>
#include <stdint.h>

struct api_stream;
struct evhttp_request;
struct hub;
struct hub_event;
struct hub_ups;
struct streams;

/*
 * Server-sent events: "event" (with id, for resuming), "snapshot" (a UPS in full, once at the
 * start), "change" (what changed of it; at once for status and alarms, else at most twice a second;
 * ages once a second) and "removed".
 */
struct streams *streams_new(struct hub *hub);
void streams_free(struct streams *streams);

/* By what right a client listens. */
struct stream_ticket {
	enum {
		STREAM_LOCAL,	 /* the local socket */
		STREAM_OPEN,	 /* its address may read */
		STREAM_PASSWORD, /* it sent one along */
		STREAM_SESSION,
	} kind;
	uint64_t session;
};

/** Answer a request with a stream. Takes the request, whose headers may be set. */
void streams_add(struct streams *streams, struct evhttp_request *req,
		 const struct api_stream *wanted, const struct stream_ticket *ticket);

/** Drop those that good() denies. @fd  the client's socket */
void streams_review(struct streams *streams,
		    bool (*good)(void *user, const struct stream_ticket *ticket, int fd),
		    void *user);

/* What the hub tells. */
void streams_changed(struct streams *streams, struct hub_ups *ups, uint64_t mask);
void streams_event(struct streams *streams, const struct hub_event *event);
void streams_removed(struct streams *streams, struct hub_ups *ups);
