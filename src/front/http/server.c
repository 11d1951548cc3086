#include "front/http/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <unistd.h>
#include "daemon/hub.h"
#include "front/http/api.h"
#include "front/http/guard.h"
#include "front/http/local.h"
#include "front/http/stream.h"
#include "util/util.h"

#define LOG_PART "http"
#include "util/log.h"

enum {
	CONNECTIONS_MAX = 256,
	HEADERS_MAX = 8 * 1024,
	BODY_MAX = 64 * 1024,
	IDLE_S = 30,
	REQUEST_MS = 30 * 1000,
};

struct http_front {
	struct hub *hub;
	struct evhttp *http;
	struct guard *guard;
	struct streams *streams;
	struct local_socket local;
};

static const char *method_name(struct evhttp_request *req)
{
	switch (evhttp_request_get_command(req)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_OPTIONS:
		return "OPTIONS";
	case EVHTTP_REQ_TRACE:
		return "TRACE";
	case EVHTTP_REQ_CONNECT:
		return "CONNECT";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	}
	return "this method";
}

static void send_reply(struct evhttp_request *req, const struct api_reply *reply)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();
	char *text = json_dumps(reply->json, JSON_COMPACT | JSON_REAL_PRECISION(10));

	evhttp_add_header(headers, "Content-Type", reply->type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	if (reply->allow)
		evhttp_add_header(headers, "Allow", reply->allow);
	if (*reply->location)
		evhttp_add_header(headers, "Location", reply->location);
	evbuffer_add_printf(body, "%s\n", text ? text : "{}");
	evhttp_send_reply(req, reply->status, api_status_text(reply->status), body);
	evbuffer_free(body);
	free(text);
}

static void request_cb(struct evhttp_request *req, void *data)
{
	struct http_front *front = data;
	struct bufferevent *bev =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
	struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
	struct evbuffer *body = evhttp_request_get_input_buffer(req);
	char user[64];
	struct api_request request = {
		.method = method_name(req),
		.target = evhttp_request_get_uri(req),
		.accept = evhttp_find_header(headers, "Accept"),
		.content_type = evhttp_find_header(headers, "Content-Type"),
		.last_event_id = evhttp_find_header(headers, "Last-Event-ID"),
		.body_len = evbuffer_get_length(body),
		.user = user,
		.from = "unix",
	};
	struct api_reply reply;

	guard_request(front->guard, bev);
	request.body = (const char *)evbuffer_pullup(body, -1);
	local_peer(bufferevent_getfd(bev), user, sizeof(user));
	api_handle(front->hub, &request, &reply);
	if (reply.streaming && strcmp(request.method, "HEAD") != 0) {
		guard_stream(front->guard, bev);
		streams_add(front->streams, req, &reply.stream);
	} else {
		if (reply.streaming)
			reply.json = json_object();
		send_reply(req, &reply);
	}
	api_reply_clear(&reply);
}

static void changed(void *data, struct hub_ups *ups, uint64_t mask)
{
	streams_changed(((struct http_front *)data)->streams, ups, mask);
}

static void event(void *data, const struct hub_event *hub_event)
{
	streams_event(((struct http_front *)data)->streams, hub_event);
}

static void ups_removed(void *data, struct hub_ups *ups)
{
	streams_removed(((struct http_front *)data)->streams, ups);
}

static const struct hub_front hub_ops = {
	.name = "http",
	.changed = changed,
	.event = event,
	.ups_removed = ups_removed,
};

static struct evhttp *make_http(struct http_front *front)
{
	struct evhttp *http = evhttp_new(hub_base(front->hub));

	if (!http)
		return NULL;
	evhttp_set_max_headers_size(http, HEADERS_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_timeout(http, IDLE_S);
	evhttp_set_default_content_type(http, NULL);
	/* all that evhttp knows: what is wrong is answered by us, as problem+json */
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
						 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
						 EVHTTP_REQ_PATCH);
	evhttp_set_gencb(http, request_cb, front);
	return http;
}

struct http_front *http_front_new(struct hub *hub, const char *socket_path, char *error,
				  size_t error_size)
{
	struct http_front *front = xcalloc(1, sizeof(*front));
	struct evconnlistener *listener;

	front->hub = hub;
	if (local_listen(&front->local, socket_path, error, error_size) < 0)
		goto free_front;
	front->http = make_http(front);
	if (!front->http)
		goto no_memory;
	listener = evconnlistener_new(hub_base(hub), NULL, NULL,
				      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
				      front->local.fd);
	if (!listener || !evhttp_bind_listener(front->http, listener)) {
		evhttp_free(front->http);
		goto no_memory;
	}
	front->guard = guard_new(hub_base(hub), front->http, CONNECTIONS_MAX, REQUEST_MS);
	front->streams = streams_new(hub);
	hub_attach(hub, &hub_ops, front);
	log_debug("local API on %s", socket_path);
	return front;

no_memory:
	snprintf(error, error_size, "out of memory");
	local_remove(&front->local);
	close(front->local.fd);
free_front:
	free(front);
	return NULL;
}

void http_front_free(struct http_front *front)
{
	if (!front)
		return;
	hub_detach(front->hub, front);
	streams_free(front->streams);
	evhttp_free(front->http);
	guard_free(front->guard);
	local_remove(&front->local);
	free(front);
}
