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
#include "front/http/asset.h"
#include "front/http/blob.h"
#include "front/http/headers.h"
#include "front/http/host.h"
#include "front/http/stream.h"
#include "front/http/waiting.h"
#include "util/util.h"

const char SESSION_TARGET[] = "/api/v1/session";

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

const char *exchange_header(const struct exchange *x, const char *name)
{
	return evhttp_find_header(x->headers, name);
}

const struct sockaddr *exchange_peer(const struct exchange *x)
{
	return (const struct sockaddr *)&x->peer;
}

bool exchange_reads(const struct exchange *x)
{
	return x->head || strcmp(x->method, "GET") == 0;
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

/* A browser asked for Basic would keep the password and send it along with everything. */
static const char *challenge(const struct exchange *x)
{
	if (exchange_header(x, "Sec-Fetch-Mode") || exchange_header(x, "Origin"))
		return "Session realm=\"ups2000\"";
	return "Basic realm=\"ups2000\", charset=\"UTF-8\"";
}

static void send_reply(const struct exchange *x, const struct api_reply *reply)
{
	struct evbuffer *body = evbuffer_new();
	char *text = reply->text ? NULL
				 : json_dumps(reply->json, JSON_COMPACT | JSON_REAL_PRECISION(10));
	const char *shown = reply->text ? reply->text : text ? text : "{}";
	char retry[16];

	add_headers(x, reply->type, "no-store");
	if (reply->allow)
		add_header(x, "Allow", reply->allow);
	if (*reply->location)
		add_header(x, "Location", reply->location);
	if (*x->cookie)
		add_header(x, "Set-Cookie", x->cookie);
	if (x->retry_s) {
		snprintf(retry, sizeof(retry), "%u", x->retry_s);
		add_header(x, "Retry-After", retry);
	}
	if (reply->status == 401)
		add_header(x, "WWW-Authenticate", challenge(x));
	evbuffer_add(body, shown, strlen(shown));
	evbuffer_add(body, "\n", 1);
	finish(x, reply->status, body);
	free(text);
}

/* ---- the page ---- */

static void send_asset(const struct exchange *x, const struct asset *asset)
{
	const char *known = exchange_header(x, "If-None-Match");
	const char *codings = exchange_header(x, "Accept-Encoding");
	bool packed = asset->packed && codings && headers_accepts_coding(codings, "gzip");
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

/* ---- who may ---- */

static size_t count_headers(const struct exchange *x, const char *name)
{
	size_t n = 0;

	for (const struct evkeyval *h = TAILQ_FIRST(x->headers); h; h = TAILQ_NEXT(h, next))
		n += strcasecmp(h->key, name) == 0;
	return n;
}

static bool is(const char *value, const char *word)
{
	return value && strcmp(value, word) == 0;
}

/*
 * A page of somebody else in a browser that can reach us: it shall neither read nor write. Other
 * programs send none of these headers.
 */
static bool is_foreign_page(const struct exchange *x)
{
	const char *site = exchange_header(x, "Sec-Fetch-Site");
	const char *origin = exchange_header(x, "Origin");

	if (origin && !headers_same_origin(origin, exchange_header(x, "Host")))
		return true;
	if (!site || is(site, "same-origin") || is(site, "none"))
		return false;
	/* a link to us is followed */
	return !exchange_reads(x) || !is(exchange_header(x, "Sec-Fetch-Mode"), "navigate");
}

/* True if the request may go on; else reply tells why not. */
static bool admitted(const struct exchange *x, struct api_reply *reply)
{
	const struct http_front_config *config = &x->door->front->config;
	const char *host = exchange_header(x, "Host");

	if (!x->door->tcp)
		return true;
	if (count_headers(x, "Host") != 1) {
		api_problem(reply, 400, "Host", "one Host header is needed");
	} else if (!host_is_ours(host, config->names, config->n_names)) {
		api_problem(reply, 421, "Host",
			    "\"%.100s\" is not a name of this server; add it to names in section "
			    "http if it should be",
			    host);
	} else if (!rights_from(config->access, ACCESS_CONNECT, exchange_peer(x))) {
		api_problem(reply, 403, NULL, "refused by section access");
	} else if (is_foreign_page(x)) {
		api_problem(reply, 403, exchange_header(x, "Origin") ? "Origin" : "Sec-Fetch-Site",
			    "a page of another site may not ask here");
	} else if (count_headers(x, "Content-Length") + count_headers(x, "Transfer-Encoding") > 1) {
		api_problem(reply, 400, "Content-Length", "the length of the body is ambiguous");
	} else {
		return true;
	}
	return false;
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
	x->known = guard_peer(x->door->guard, x->bev);
	evhttp_connection_get_peer(evhttp_request_get_connection(x->req), &address, &port);
	snprintf(x->from, sizeof(x->from), "%s", address);
	if (getpeername(fd, (struct sockaddr *)&x->peer, &len) < 0)
		x->peer.ss_family = AF_UNSPEC;
}

/* ---- the work ---- */

struct api_request exchange_request(const struct exchange *x)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(x->req);

	return (struct api_request){
		.method = x->method,
		.target = x->target,
		.accept = exchange_header(x, "Accept"),
		.content_type = exchange_header(x, "Content-Type"),
		.last_event_id = exchange_header(x, "Last-Event-ID"),
		.body_len = evbuffer_get_length(body),
		.body = (const char *)evbuffer_pullup(body, -1),
		.user = x->user,
		.from = x->from,
	};
}

static enum step serve_api(const struct exchange *x, struct api_reply *reply)
{
	struct api_request request = exchange_request(x);
	struct api_client client = {
		.account = x->account,
		.access = x->door->front->config.access,
		.peer = exchange_peer(x),
	};
	struct stream_ticket ticket = { STREAM_LOCAL, 0 };

	if (x->door->tcp)
		request.remote = &client;
	api_handle(x->door->front->hub, &request, reply);
	if (reply->later) {
		waiting_add(x->door->front->waiting, x->door, x->req, reply->later);
		reply->later = NULL;
		return STEP_GO;
	}
	if (!reply->streaming)
		return STEP_REPLY;
	if (x->head) {
		reply->json = json_object();
		return STEP_REPLY;
	}
	guard_stream(x->door->guard, x->bev);
	if (x->session)
		ticket = (struct stream_ticket){ STREAM_SESSION, x->session->id };
	else if (x->door->tcp)
		ticket.kind = x->account ? STREAM_PASSWORD : STREAM_OPEN;
	add_headers(x, "text/event-stream", "no-store");
	streams_add(x->door->front->streams, x->req, &reply->stream, &ticket);
	return STEP_GO;
}

bool exchange_is_for(const struct exchange *x, const char *path)
{
	size_t len = strcspn(x->target, "?");

	return strlen(path) == len && memcmp(x->target, path, len) == 0;
}

void exchange_send(const struct exchange *x, int status, const char *type, struct blob *blob)
{
	struct evbuffer *body = evbuffer_new();

	blob_add(blob, body);
	add_headers(x, type, "no-store");
	finish(x, status, body);
}

/* STEP_GO: it is answered. */
static enum step serve(struct exchange *x, struct api_reply *reply)
{
	const struct asset *asset = asset_find(x->target);
	bool session = exchange_is_for(x, SESSION_TARGET);
	const struct scrape *scrape = scrape_find(x);
	enum step step;

	if (!admitted(x, reply))
		return STEP_REPLY;
	if (asset && exchange_reads(x)) {
		send_asset(x, asset);
		return STEP_GO;
	}
	if ((asset || scrape) && !exchange_reads(x)) {
		api_problem(reply, 405, NULL, "%.20s is not possible here", x->method);
		reply->allow = "GET, HEAD";
		return STEP_REPLY;
	}
	if (scrape && scrape->open)
		return scrape->serve(x, reply);
	if (session && strcmp(x->method, "POST") == 0)
		return login_session(x, reply);
	step = login_identify(x, reply);
	if (step == STEP_GO)
		step = session ? login_session(x, reply) : login_authorize(x, reply);
	if (step != STEP_GO)
		return step;
	return scrape ? scrape->serve(x, reply) : serve_api(x, reply);
}

/* ---- life ---- */

static void closed_cb(struct evhttp_connection *conn, void *data)
{
	(void)conn;
	guard_ended(data);
}

void exchange_forget(struct exchange *x)
{
	evhttp_connection_set_closecb(evhttp_request_get_connection(x->req), NULL, NULL);
	auth_cancel(&x->wait);
	TAILQ_REMOVE(&x->door->front->checking, x, node);
	x->door->front->n_checking--;
	free(x);
}

/* The client went away while it waited, and evhttp left the request to us. */
static void gone_cb(struct evhttp_connection *conn, void *data)
{
	struct exchange *x = data;
	struct evhttp_request *req = x->req;

	(void)conn;
	guard_ended(x->door->guard);
	auth_cancel(&x->wait);
	TAILQ_REMOVE(&x->door->front->checking, x, node);
	x->door->front->n_checking--;
	free(x);
	evhttp_request_free(req);
}

static void run(struct exchange *x)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(x->req);
	struct api_reply reply = { .type = "application/json" };

	evhttp_connection_set_closecb(conn, closed_cb, x->door->guard);
	switch (serve(x, &reply)) {
	case STEP_WAIT:
		evhttp_connection_set_closecb(conn, gone_cb, x);
		TAILQ_INSERT_TAIL(&x->door->front->checking, x, node);
		x->door->front->n_checking++;
		return;
	case STEP_REPLY:
		send_reply(x, &reply);
		break;
	case STEP_GO:
		break;
	}
	api_reply_clear(&reply);
	free(x);
}

static void ready_cb(struct auth_wait *wait)
{
	struct exchange *x = container_of(wait, struct exchange, wait);

	TAILQ_REMOVE(&x->door->front->checking, x, node);
	x->door->front->n_checking--;
	run(x);
}

void exchange_answer(struct door *door, struct evhttp_request *req, const struct api_reply *reply)
{
	struct exchange x = {
		.door = door,
		.req = req,
		.headers = evhttp_request_get_input_headers(req),
		.head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD,
	};

	evhttp_connection_set_closecb(evhttp_request_get_connection(req), closed_cb, door->guard);
	send_reply(&x, reply);
}

void exchange_cb(struct evhttp_request *req, void *data)
{
	struct exchange *x = xcalloc(1, sizeof(*x));

	x->door = data;
	x->req = req;
	x->headers = evhttp_request_get_input_headers(req);
	x->bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
	x->method = method_name(req);
	x->target = evhttp_request_get_uri(req);
	x->head = strcmp(x->method, "HEAD") == 0;
	x->wait.ready = ready_cb;
	guard_request(x->door->guard, x->bev);
	find_peer(x);
	run(x);
}
