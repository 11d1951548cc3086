#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "cli/response.h"
#include "cli/sse.h"
#include "util/util.h"

static const int64_t LIMIT_US = 10 * INT64_C(1000000);
static const size_t BODY_MAX = 16 * 1024 * 1024;

static enum client_error connect_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return CLIENT_NO_SOCKET;
	case ECONNREFUSED:
		return CLIENT_REFUSED;
	case EACCES:
	case EPERM:
		return CLIENT_PERMISSION;
	case EAGAIN:
	case ETIMEDOUT:
		return CLIENT_TIMEOUT;
	case ENOTSOCK:
	case EPROTOTYPE:
		return CLIENT_BAD_PATH;
	default:
		return CLIENT_SYSTEM;
	}
}

static enum client_error connect_to(const char *path, int *fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = LIMIT_US / 1000000 };
	int saved;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return CLIENT_BAD_PATH;
	strcpy(address.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return CLIENT_SYSTEM;
	setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* also for connect() */
	if (connect(*fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return CLIENT_OK;
	saved = errno;
	close(*fd);
	errno = saved;
	return connect_error(saved);
}

static enum client_error send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? CLIENT_TIMEOUT : CLIENT_CLOSED;
		data += n;
		len -= (size_t)n;
	}
	return CLIENT_OK;
}

static enum client_error send_request(int fd, const char *method, const char *target,
				      const char *accept, const char *body)
{
	size_t body_len = body ? strlen(body) : 0;
	char *text =
		xasprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\n"
			  "Connection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
			  method, target, accept, body ? "Content-Type: application/json\r\n" : "",
			  body_len, body ? body : "");
	enum client_error error = send_all(fd, text, strlen(text));

	free(text);
	return error;
}

/* Wait for bytes until the deadline and read some. n = 0: the connection ended. */
static enum client_error read_some(int fd, int64_t deadline_us, char *data, size_t size, size_t *n)
{
	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t left_ms = (deadline_us - clock_us()) / 1000;
		ssize_t got;

		if (left_ms <= 0)
			return CLIENT_TIMEOUT;
		if (poll(&pfd, 1, (int)left_ms) <= 0)
			continue; /* interrupted, or the deadline, seen above */
		got = recv(fd, data, size, 0);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return CLIENT_CLOSED;
		*n = (size_t)got;
		return CLIENT_OK;
	}
}

struct body {
	char *text;
	size_t len;
	bool too_large;
};

static void add_body(const char *data, size_t len, void *user)
{
	struct body *body = user;

	if (body->len + len > BODY_MAX) {
		body->too_large = true;
		return;
	}
	body->text = xrealloc(body->text, body->len + len + 1);
	memcpy(body->text + body->len, data, len);
	body->len += len;
	body->text[body->len] = '\0';
}

static enum client_error read_answer(int fd, struct response *response, struct body *body)
{
	int64_t deadline = clock_us() + LIMIT_US;
	char data[16384];
	size_t n;

	response_init(response);
	while (response->state != RESPONSE_DONE) {
		enum client_error error = read_some(fd, deadline, data, sizeof(data), &n);

		if (error)
			return error;
		if (n == 0)
			return response_end(response) ? CLIENT_OK : CLIENT_CLOSED;
		if (!response_feed(response, data, n, add_body, body) || body->too_large)
			return CLIENT_PROTOCOL;
	}
	return CLIENT_OK;
}

enum client_error client_request(const char *socket_path, const char *method, const char *target,
				 const char *body, struct client_answer *answer)
{
	struct body received = { .text = xstrdup("") };
	struct response *response = xmalloc(sizeof(*response));
	enum client_error error;
	int fd;

	error = connect_to(socket_path, &fd);
	if (error)
		goto free_buffers;
	error = send_request(fd, method, target, "application/json", body);
	/* a server that is full answers before it has read: look for that first */
	if (error == CLIENT_OK || error == CLIENT_CLOSED)
		error = read_answer(fd, response, &received);
	close(fd);
	if (error)
		goto free_buffers;
	answer->status = response->status;
	strcpy(answer->content_type, response->content_type);
	answer->body = received.text;
	answer->len = received.len;
	free(response);
	return CLIENT_OK;

free_buffers:
	free(received.text);
	free(response);
	return error;
}

/* ---- streams ---- */

struct client_stream {
	int fd;
	struct response response;
	struct sse sse;
	bool broken; /* an event was too large */
	client_event_cb cb;
	void *user;
};

static void stream_body(const char *data, size_t len, void *user)
{
	struct client_stream *stream = user;

	if (stream->cb && !sse_feed(&stream->sse, data, len, stream->cb, stream->user))
		stream->broken = true;
}

static enum client_error feed(struct client_stream *stream, const char *data, size_t n)
{
	if (!response_feed(&stream->response, data, n, stream_body, stream) || stream->broken)
		return CLIENT_PROTOCOL;
	return stream->response.state == RESPONSE_DONE ? CLIENT_CLOSED : CLIENT_OK;
}

/* Read up to the end of the headers, byte by byte: what follows belongs to client_stream_read(). */
static enum client_error read_headers(struct client_stream *stream)
{
	int64_t deadline = clock_us() + LIMIT_US;

	while (stream->response.state == RESPONSE_STATUS ||
	       stream->response.state == RESPONSE_HEADERS) {
		char c;
		size_t n;
		enum client_error error = read_some(stream->fd, deadline, &c, 1, &n);

		if (error)
			return error;
		if (n == 0)
			return CLIENT_CLOSED;
		error = feed(stream, &c, 1);
		if (error)
			return error;
	}
	return CLIENT_OK;
}

enum client_error client_stream_open(const char *socket_path, const char *target,
				     struct client_stream **out, int *status)
{
	struct client_stream *stream = xcalloc(1, sizeof(*stream));
	enum client_error error = connect_to(socket_path, &stream->fd);

	if (error) {
		free(stream);
		return error;
	}
	response_init(&stream->response);
	sse_init(&stream->sse);
	error = send_request(stream->fd, "GET", target, "text/event-stream", NULL);
	if (!error)
		error = read_headers(stream);
	if (error) {
		client_stream_close(stream);
		return error;
	}
	*status = stream->response.status;
	*out = stream;
	return CLIENT_OK;
}

void client_stream_close(struct client_stream *stream)
{
	if (!stream)
		return;
	close(stream->fd);
	sse_close(&stream->sse);
	free(stream);
}

int client_stream_fd(const struct client_stream *stream)
{
	return stream->fd;
}

enum client_error client_stream_read(struct client_stream *stream, client_event_cb cb, void *user)
{
	char data[16384];
	ssize_t n = recv(stream->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return CLIENT_OK;
	if (n <= 0)
		return CLIENT_CLOSED;
	stream->cb = cb;
	stream->user = user;
	return feed(stream, data, (size_t)n);
}
