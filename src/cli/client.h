#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A client of the local API: HTTP/1.1 over a unix socket, one connection per request. Blocking,
 * with an end to every wait.
 */
enum client_error {
	CLIENT_OK,
	CLIENT_NO_SOCKET,  /* there is no such file */
	CLIENT_REFUSED,	   /* nobody listens on it */
	CLIENT_PERMISSION, /* we may not connect */
	CLIENT_BAD_PATH,   /* too long, or not a socket */
	CLIENT_TIMEOUT,
	CLIENT_CLOSED,	 /* ended in the middle of an answer */
	CLIENT_PROTOCOL, /* the answer is not HTTP, or too large */
	CLIENT_SYSTEM,	 /* errno says */
};

struct client_answer {
	int status;
	char content_type[64];
	char *body; /* NUL-terminated; free() it */
	size_t len;
};

/**
 * One request and its answer, within 10 s.
 *
 * @body  JSON text to send, or NULL
 *
 * Returns CLIENT_OK, or an error and answer is not touched.
 */
enum client_error client_request(const char *socket_path, const char *method, const char *target,
				 const char *body, struct client_answer *answer);

/* A stream of server-sent events. */
struct client_stream;

typedef void (*client_event_cb)(const char *type, const char *id, const char *data, void *user);

/** Start a stream; its first answer is awaited for at most 10 s. */
enum client_error client_stream_open(const char *socket_path, const char *target,
				     struct client_stream **stream, int *status);
void client_stream_close(struct client_stream *stream); /* NULL is allowed */
int client_stream_fd(const struct client_stream *stream);
/** Read what is there. Returns CLIENT_CLOSED at the end of the stream. */
enum client_error client_stream_read(struct client_stream *stream, client_event_cb cb, void *user);
