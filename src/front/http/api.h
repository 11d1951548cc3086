#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct api_later;
struct config_access;
struct config_user;
struct hub;
struct sockaddr;

/* Who asks from another host, or over TCP at all. */
struct api_client {
	const struct config_user *account;  /* logged in as, or NULL */
	const struct config_access *access; /* may be NULL */
	const struct sockaddr *peer;
};

/* A request as the API sees it: no sockets. Strings are borrowed for the call. */
struct api_request {
	const char *method;	   /* "GET" */
	const char *target;	   /* "/api/v1/ups?x=1", as sent */
	const char *accept;	   /* header, or NULL */
	const char *content_type;  /* header, or NULL */
	const char *last_event_id; /* header, or NULL */
	const char *body;
	size_t body_len;
	const char *user, *from;	 /* who asks and from where: "root", "unix" */
	const struct api_client *remote; /* NULL: over the local socket, which may do everything */
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

/**
 * The body as an object that has only these members, all strings or null. Returns a new reference,
 * or NULL after a problem.
 */
json_t *api_read_body(const struct api_request *request, struct api_reply *reply,
		      const char *const *members);

/**
 * The API's resources one after the other, as OpenAPI writes their paths.
 *
 * @path  receives "/api/v1/ups/{name}/commands"
 * @post  set to whether POST is possible besides GET
 *
 * Returns false behind the last.
 */
bool api_resource(size_t i, char *path, size_t size, bool *post);

/** "Not Found" for 404. */
const char *api_status_text(int status);
