#include "front/http/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include "daemon/hub.h"
#include "front/http/api.h"
#include "front/http/blob.h"
#include "front/http/model.h"
#include "util/util.h"

/* A client that leaves this much unread is dropped: it can come back and resume. */
static const size_t BACKLOG_MAX = 256 * 1024;
static const int64_t COMMENT_US = 15 * U2K_SEC;
static const struct timeval WRITE_TIMEOUT = { .tv_sec = 30 };
static const struct timeval HALF_SECOND = { .tv_usec = 500000 };

/* Worth telling at once; the rest is gathered for half a second. */
static const uint64_t URGENT = U2K_CHANGED_FLAGS | U2K_CHANGED_ALARMS | U2K_CHANGED_COMM |
			       U2K_CHANGED_GATE | U2K_CHANGED_IDENTITY |
			       U2K_CHANGED_QTY(U2K_QTY_OUTPUT_SOURCE) |
			       U2K_CHANGED_QTY(U2K_QTY_STATUS_BITS);

struct stream {
	TAILQ_ENTRY(stream) all;
	struct streams *streams;
	struct evhttp_request *req;
	bool snapshots;
	char ups[128];
	struct stream_ticket ticket;
	size_t greeting; /* bytes it started with: they do not count as left unread */
	int64_t written_us;
};

/* What of a UPS the streams have not been told yet. */
struct pending {
	TAILQ_ENTRY(pending) all;
	struct hub_ups *ups;
	uint64_t mask;
};

struct streams {
	struct hub *hub;
	struct event *tick; /* twice a second, while there are streams */
	bool odd;
	TAILQ_HEAD(stream_list, stream) list;
	TAILQ_HEAD(pending_list, pending) pending;
};

/* The connection is gone, and evhttp has left the request to us. */
static void closed_cb(struct evhttp_connection *conn, void *data)
{
	struct stream *stream = data;

	(void)conn;
	TAILQ_REMOVE(&stream->streams->list, stream, all);
	evhttp_request_free(stream->req);
	free(stream);
}

/* We end it: evhttp frees the request with the connection. */
static void drop(struct stream *stream)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(stream->req);

	TAILQ_REMOVE(&stream->streams->list, stream, all);
	evhttp_connection_set_closecb(conn, NULL, NULL);
	evhttp_connection_free(conn);
	free(stream);
}

/* One message in the two forms clients need, shared by all that are sent it. */
struct message {
	struct blob *chunk; /* as HTTP/1.1 frames it */
	struct blob *plain; /* for the others; NULL: nobody has asked yet */
};

/* What evhttp_send_reply_chunk() would frame for each client anew. */
static struct message message_new(const char *text, size_t len)
{
	char *chunk = xasprintf("%zx\r\n%s\r\n", len, text);

	return (struct message){ blob_new(chunk, strlen(chunk)), NULL };
}

static void message_close(struct message *message)
{
	blob_unref(message->chunk);
	blob_unref(message->plain);
}

/* The stream may be gone after this. */
static void write_message(struct stream *stream, struct message *message, const char *text,
			  size_t len)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(stream->req);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
	struct evbuffer *out = bufferevent_get_output(bev);

	if (evbuffer_get_length(out) + len > BACKLOG_MAX + stream->greeting) {
		drop(stream);
		return;
	}
	if (!stream->req->chunked && !message->plain)
		message->plain = blob_new(xstrdup(text), len);
	blob_add(stream->req->chunked ? message->chunk : message->plain, out);
	stream->written_us = clock_us();
}

static char *format_event(const char *type, uint64_t id, json_t *json)
{
	char *data = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(10));
	char cursor[MODEL_CURSOR_MAX];
	char *text;

	model_cursor(cursor, id);
	if (id)
		text = xasprintf("event: %s\nid: %s\ndata: %s\n\n", type, cursor,
				 data ? data : "{}");
	else
		text = xasprintf("event: %s\ndata: %s\n\n", type, data ? data : "{}");
	free(data);
	json_decref(json);
	return text;
}

/* Rendered once, written to everybody who wants it. Takes json. */
static void broadcast(struct streams *streams, const char *ups, bool snapshot, const char *type,
		      uint64_t id, json_t *json)
{
	char *text = format_event(type, id, json);
	size_t len = strlen(text);
	struct message message = message_new(text, len);
	struct stream *stream, *next;

	for (stream = TAILQ_FIRST(&streams->list); stream; stream = next) {
		next = TAILQ_NEXT(stream, all);
		if (snapshot && !stream->snapshots)
			continue;
		if (*stream->ups && (!ups || strcmp(ups, stream->ups) != 0))
			continue;
		write_message(stream, &message, text, len);
	}
	message_close(&message);
	free(text);
}

/* Those that heard nothing for long: proxies forget them otherwise, and dead ones are found. */
static void comment(struct streams *streams, int64_t now)
{
	static const char text[] = ":\n\n";
	struct message message = message_new(text, strlen(text));
	struct stream *stream, *next;

	for (stream = TAILQ_FIRST(&streams->list); stream; stream = next) {
		next = TAILQ_NEXT(stream, all);
		if (now - stream->written_us >= COMMENT_US)
			write_message(stream, &message, text, strlen(text));
	}
	message_close(&message);
}

static void flush_pending(struct streams *streams, struct pending *pending)
{
	uint64_t mask = pending->mask;

	pending->mask = 0;
	if (mask)
		broadcast(streams, pending->ups->name, true, "change", 0,
			  model_snapshot(pending->ups, mask, clock_us()));
}

static void tick_cb(evutil_socket_t fd, short what, void *data)
{
	struct streams *streams = data;
	struct pending *pending;
	int64_t now = clock_us();

	(void)fd;
	(void)what;
	streams->odd = !streams->odd;
	TAILQ_FOREACH (pending, &streams->pending, all)
		flush_pending(streams, pending);
	if (streams->odd)
		for (size_t i = 0; i < hub_ups_count(streams->hub); i++) {
			const struct hub_ups *ups = hub_ups_at(streams->hub, i);

			broadcast(streams, ups->name, true, "change", 0, model_ages(ups, now));
		}
	comment(streams, now);
	if (TAILQ_EMPTY(&streams->list))
		event_del(streams->tick);
}

struct streams *streams_new(struct hub *hub)
{
	struct streams *streams = xcalloc(1, sizeof(*streams));

	streams->hub = hub;
	TAILQ_INIT(&streams->list);
	TAILQ_INIT(&streams->pending);
	streams->tick = event_new(hub_base(hub), -1, EV_PERSIST, tick_cb, streams);
	return streams;
}

static void free_pending(struct streams *streams, struct pending *pending)
{
	TAILQ_REMOVE(&streams->pending, pending, all);
	free(pending);
}

void streams_free(struct streams *streams)
{
	while (!TAILQ_EMPTY(&streams->list))
		drop(TAILQ_FIRST(&streams->list));
	while (!TAILQ_EMPTY(&streams->pending))
		free_pending(streams, TAILQ_FIRST(&streams->pending));
	event_free(streams->tick);
	free(streams);
}

/* What a new stream starts with: the events it missed, and how things stand, in one piece. */
static void greet(struct stream *stream, uint64_t after)
{
	struct hub *hub = stream->streams->hub;
	const struct hub_event *event = NULL;
	struct evbuffer *chunk = evbuffer_new();
	char *text;

	evbuffer_add_printf(chunk, "retry: 2000\n\n");
	while ((event = hub_event_after(hub, event ? event->id : after))) {
		if (*stream->ups && (!event->ups || strcmp(event->ups, stream->ups) != 0))
			continue;
		text = format_event("event", event->id, model_event(event));
		evbuffer_add(chunk, text, strlen(text));
		free(text);
	}
	for (size_t i = 0; stream->snapshots && i < hub_ups_count(hub); i++) {
		const struct hub_ups *ups = hub_ups_at(hub, i);

		if (*stream->ups && strcmp(ups->name, stream->ups) != 0)
			continue;
		text = format_event("snapshot", 0, model_snapshot(ups, UINT64_MAX, clock_us()));
		evbuffer_add(chunk, text, strlen(text));
		free(text);
	}
	stream->greeting = evbuffer_get_length(chunk);
	evhttp_send_reply_chunk(stream->req, chunk);
	evbuffer_free(chunk);
}

void streams_review(struct streams *streams,
		    bool (*good)(void *user, const struct stream_ticket *ticket, int fd),
		    void *user)
{
	struct stream *stream, *next;

	for (stream = TAILQ_FIRST(&streams->list); stream; stream = next) {
		struct evhttp_connection *conn = evhttp_request_get_connection(stream->req);

		next = TAILQ_NEXT(stream, all);
		if (!good(user, &stream->ticket,
			  bufferevent_getfd(evhttp_connection_get_bufferevent(conn))))
			drop(stream);
	}
}

void streams_add(struct streams *streams, struct evhttp_request *req,
		 const struct api_stream *wanted, const struct stream_ticket *ticket)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct stream *stream = xcalloc(1, sizeof(*stream));

	stream->streams = streams;
	stream->req = req;
	stream->snapshots = wanted->snapshots;
	stream->ticket = *ticket;
	stream->written_us = clock_us();
	strcpy(stream->ups, wanted->ups);
	evhttp_add_header(headers, "X-Accel-Buffering", "no");
	evhttp_connection_set_closecb(conn, closed_cb, stream);
	evhttp_send_reply_start(req, 200, "OK");

	/* Nothing more is read from it; silence is no fault, not taking what we write is. */
	bufferevent_set_timeouts(bev, NULL, &WRITE_TIMEOUT);
	bufferevent_setwatermark(bev, EV_READ, 0, 4096);
	if (TAILQ_EMPTY(&streams->list))
		event_add(streams->tick, &HALF_SECOND);
	TAILQ_INSERT_TAIL(&streams->list, stream, all);
	greet(stream, wanted->after);
}

static struct pending *pending_of(struct streams *streams, struct hub_ups *ups)
{
	struct pending *pending;

	TAILQ_FOREACH (pending, &streams->pending, all)
		if (pending->ups == ups)
			return pending;
	pending = xcalloc(1, sizeof(*pending));
	pending->ups = ups;
	TAILQ_INSERT_TAIL(&streams->pending, pending, all);
	return pending;
}

void streams_changed(struct streams *streams, struct hub_ups *ups, uint64_t mask)
{
	struct pending *pending;

	mask &= ~U2K_CHANGED_STATUS_READ; /* ages go out with the tick */
	if (!mask || TAILQ_EMPTY(&streams->list))
		return;
	pending = pending_of(streams, ups);
	pending->mask |= mask;
	if (mask & URGENT)
		flush_pending(streams, pending);
}

void streams_event(struct streams *streams, const struct hub_event *event)
{
	if (!TAILQ_EMPTY(&streams->list))
		broadcast(streams, event->ups, false, "event", event->id, model_event(event));
}

void streams_removed(struct streams *streams, struct hub_ups *ups)
{
	struct pending *pending, *next;

	for (pending = TAILQ_FIRST(&streams->pending); pending; pending = next) {
		next = TAILQ_NEXT(pending, all);
		if (pending->ups == ups)
			free_pending(streams, pending);
	}
	if (!TAILQ_EMPTY(&streams->list))
		broadcast(streams, ups->name, true, "removed", 0,
			  json_pack("{s:s}", "name", ups->name));
}
