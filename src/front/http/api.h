#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct api_later;
struct hub;

/* A request as the API sees it: no sockets. Strings are borrowed for the call. */
struct api_request {
	const char *method;	   /* "GET" */
	const char *target;	   /* "/api/v1/ups?x=1", as sent */
	const char *accept;	   /* header, or NULL */
	const char *content_type;  /* header, or NULL */
	const char *last_event_id; /* header, or NULL */
	const char *body;
	size_t body_len;
	const char *user, *from; /* who asks and from where: "root", "unix" */
};

/* What a stream of server-sent events shall carry. */
struct api_stream {
	uint64_t after; /* events with a greater id */
	bool snapshots; /* also snapshots and their changes */
	char ups[128];	/* only of this UPS; "" = of all */
};

struct api_reply {
	int status;
	json_t *json;	    /* NULL if text, later or stream */
	char *text;	    /* instead of json: rendered already; malloc()ed */
	const char *type;   /* content type */
	const char *allow;  /* for 405, or NULL */
	char location[128]; /* for 202, or "" */
	struct api_later
		*later; /* not NULL: the answer comes later (later.h), nothing else counts */
	bool streaming; /* answer with stream instead */
	struct api_stream stream;
};

/** Carry out a request (docs/api.md). reply is filled in any case; api_reply_clear() frees. */
void api_handle(struct hub *hub, const struct api_request *request, struct api_reply *reply);
void api_reply_clear(struct api_reply *reply);

/**
 * Fill reply with an error as application/problem+json.
 *
 * @field   the parameter or member that is wrong, or NULL
 * @format  the detail: what is wrong and what would be right
 */
void api_problem(struct api_reply *reply, int status, const char *field, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** "Not Found" for 404. */
const char *api_status_text(int status);
