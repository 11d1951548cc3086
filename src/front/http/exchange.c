#include "front/http/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include "daemon/networks.h"
#include "front/http/api.h"
#include "front/http/asset.h"
#include "front/http/host.h"
#include "front/http/stream.h"
#include "front/http/waiting.h"
#include "util/util.h"

/* One request and its answer. */
struct exchange {
	struct door *door;
	struct evhttp_request *req;
	struct evkeyvalq *headers; /* of the request */
	struct bufferevent *bev;
	const char *method, *target;
	bool head;
	char user[64], from[INET6_ADDRSTRLEN];
	struct sockaddr_storage peer;
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

static const char *header(const struct exchange *x, const char *name)
{
	return evhttp_find_header(x->headers, name);
}

/* What every answer carries on TCP, where a browser may read it. */
static const struct {
	const char *name, *value;
} browser_headers[] = {
	{ "Content-Security-Policy",
	  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
	  "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
	  "base-uri 'none'; frame-ancestors 'none'" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()" },
};

static void add_headers(const struct exchange *x, const char *type, const char *cache)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(x->req);

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", cache);
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	for (size_t i = 0; x->door->tcp && i < ARRAY_SIZE(browser_headers); i++)
		evhttp_add_header(headers, browser_headers[i].name, browser_headers[i].value);
}

static void add_header(const struct exchange *x, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(x->req), name, value);
}

/* evhttp would send the body to those who ask for the head too. Takes body (NULL: none). */
static void finish(const struct exchange *x, int status, struct evbuffer *body)
{
	char length[24];

	if (x->head && body) {
		snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
		add_header(x, "Content-Length", length);
	}
	evhttp_send_reply(x->req, status, api_status_text(status), x->head ? NULL : body);
	if (body)
		evbuffer_free(body);
}

static void send_reply(const struct exchange *x, const struct api_reply *reply)
{
	struct evbuffer *body = evbuffer_new();
	char *text = reply->text ? NULL
				 : json_dumps(reply->json, JSON_COMPACT | JSON_REAL_PRECISION(10));
	const char *shown = reply->text ? reply->text : text ? text : "{}";

	add_headers(x, reply->type, "no-store");
	if (reply->allow)
		add_header(x, "Allow", reply->allow);
	if (*reply->location)
		add_header(x, "Location", reply->location);
	evbuffer_add(body, shown, strlen(shown));
	evbuffer_add(body, "\n", 1);
	finish(x, reply->status, body);
	free(text);
}

/* ---- the page ---- */

static bool accepts_gzip(const struct exchange *x)
{
	const char *accepted = header(x, "Accept-Encoding");

	return accepted && strstr(accepted, "gzip") && !strstr(accepted, "gzip;q=0");
}

static void send_asset(const struct exchange *x, const struct asset *asset)
{
	const char *known = header(x, "If-None-Match");
	bool packed = asset->packed && accepts_gzip(x);
	struct evbuffer *body;

	add_headers(x, asset->type,
		    asset->immutable ? "public, max-age=31536000, immutable" : "no-cache");
	add_header(x, "ETag", asset->etag);
	if (asset->packed)
		add_header(x, "Vary", "Accept-Encoding");
	if (known && strstr(known, asset->etag)) {
		finish(x, 304, NULL);
		return;
	}
	body = evbuffer_new();
	if (packed) {
		add_header(x, "Content-Encoding", "gzip");
		evbuffer_add_reference(body, asset->packed, asset->packed_len, NULL, NULL);
	} else {
		evbuffer_add_reference(body, asset->plain, asset->plain_len, NULL, NULL);
	}
	finish(x, 200, body);
}

static bool is_reading(const struct exchange *x)
{
	return strcmp(x->method, "GET") == 0 || x->head;
}

/* ---- who may ---- */

static bool one_header(const struct exchange *x, const char *name)
{
	size_t n = 0;

	for (const struct evkeyval *h = TAILQ_FIRST(x->headers); h; h = TAILQ_NEXT(h, next))
		n += strcasecmp(h->key, name) == 0;
	return n == 1;
}

/* True if the request may go on; else reply tells why not. */
static bool admitted(const struct exchange *x, struct api_reply *reply)
{
	const struct http_front_config *config = &x->door->front->config;
	const char *host = header(x, "Host");

	if (!x->door->tcp)
		return true;
	if (!one_header(x, "Host")) {
		api_problem(reply, 400, "Host", "one Host header is needed");
		return false;
	}
	if (!host_is_ours(host, config->names, config->n_names)) {
		api_problem(reply, 421, "Host",
			    "\"%.100s\" is not a name of this server; add it to names in section "
			    "http if it should be",
			    host);
		return false;
	}
	if (!address_is_loopback((const struct sockaddr *)&x->peer)) {
		api_problem(reply, 403, NULL, "only this host may read");
		return false;
	}
	if (!is_reading(x)) {
		api_problem(reply, 403, NULL, "nothing can be written here");
		return false;
	}
	return true;
}

static void find_peer(struct exchange *x)
{
	evutil_socket_t fd = bufferevent_getfd(x->bev);
	socklen_t len = sizeof(x->peer);
	char *address;
	ev_uint16_t port;

	if (!x->door->tcp) {
		local_peer(fd, x->user, sizeof(x->user));
		strcpy(x->from, "unix");
		return;
	}
	evhttp_connection_get_peer(evhttp_request_get_connection(x->req), &address, &port);
	strncpy(x->from, address, sizeof(x->from) - 1);
	if (getpeername(fd, (struct sockaddr *)&x->peer, &len) < 0)
		x->peer.ss_family = AF_UNSPEC;
}

static void closed_cb(struct evhttp_connection *conn, void *data)
{
	(void)conn;
	guard_ended(data);
}

static void serve_api(const struct exchange *x, struct api_reply *reply)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(x->req);
	struct api_request request = {
		.method = x->method,
		.target = x->target,
		.accept = header(x, "Accept"),
		.content_type = header(x, "Content-Type"),
		.last_event_id = header(x, "Last-Event-ID"),
		.body_len = evbuffer_get_length(body),
		.body = (const char *)evbuffer_pullup(body, -1),
		.user = x->user,
		.from = x->from,
	};

	api_handle(x->door->front->hub, &request, reply);
	if (reply->streaming && x->head)
		reply->json = json_object();
}

void exchange_answer(struct door *door, struct evhttp_request *req, const struct api_reply *reply)
{
	struct exchange x = {
		.door = door,
		.req = req,
		.head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD,
	};

	evhttp_connection_set_closecb(evhttp_request_get_connection(req), closed_cb, door->guard);
	send_reply(&x, reply);
}

void exchange_cb(struct evhttp_request *req, void *data)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	struct exchange x = {
		.door = data,
		.req = req,
		.headers = evhttp_request_get_input_headers(req),
		.bev = evhttp_connection_get_bufferevent(conn),
		.method = method_name(req),
		.target = evhttp_request_get_uri(req),
	};
	struct api_reply reply = { .type = "application/json" };
	const struct asset *asset = x.door->tcp ? asset_find(x.target) : NULL;

	x.head = strcmp(x.method, "HEAD") == 0;
	guard_request(x.door->guard, x.bev);
	evhttp_connection_set_closecb(conn, closed_cb, x.door->guard);
	find_peer(&x);
	if (!admitted(&x, &reply)) {
		send_reply(&x, &reply);
	} else if (asset && is_reading(&x)) {
		send_asset(&x, asset);
	} else {
		serve_api(&x, &reply);
		if (reply.later) {
			waiting_add(x.door->front->waiting, x.door, req, reply.later);
			reply.later = NULL;
		} else if (reply.streaming && !x.head) {
			guard_stream(x.door->guard, x.bev);
			streams_add(x.door->front->streams, req, &reply.stream);
		} else {
			send_reply(&x, &reply);
		}
	}
	api_reply_clear(&reply);
}
