#include "front/http/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include "auth/peers.h"
#include "daemon/hub.h"
#include "daemon/networks.h"
#include "front/http/blob.h"
#include "front/http/stats.h"
#include "front/http/stream.h"
#include "front/http/waiting.h"
#include "tls/tls.h"
#include "util/util.h"

#define LOG_PART "http"
#include "util/log.h"

enum {
	LOCAL_CONNECTIONS_MAX = 256,
	TCP_CONNECTIONS_MAX = 2048,
	HEADERS_MAX = 8 * 1024,
	BODY_MAX = 64 * 1024,
	IDLE_S = 30,
	REQUEST_MS = 30 * 1000,
	BACKLOG = 128,
	DEAD_MS = 30 * 1000, /* without a word from the client's host while there is data for it */
};
static const char DEFAULT_PORT[] = "8493", HTTPS[] = "https://";

/* A listen address. */
struct port {
	TAILQ_ENTRY(port) all;
	struct door *door;
	char *where;
	struct binding *binding; /* its name is being looked up */
	size_t n;		 /* 0: could not be bound */
	int fds[BIND_FDS];
	struct evhttp_bound_socket *bound[BIND_FDS];
};

static void changed(void *data, struct hub_ups *ups, uint64_t mask)
{
	struct http_front *front = data;

	stats_changed(front->stats, ups, mask);
	streams_changed(front->streams, ups, mask);
}

static void event(void *data, const struct hub_event *hub_event)
{
	struct http_front *front = data;

	stats_event(front->stats, hub_event);
	streams_event(front->streams, hub_event);
}

static void ups_removed(void *data, struct hub_ups *ups)
{
	struct http_front *front = data;

	stats_removed(front->stats, ups);
	streams_removed(front->streams, ups);
}

static const struct hub_front hub_ops = {
	.name = "http",
	.changed = changed,
	.event = event,
	.ups_removed = ups_removed,
};

static struct evhttp *make_http(struct door *door)
{
	struct evhttp *http = evhttp_new(hub_base(door->front->hub));

	if (!http)
		abort(); /* out of memory: as xmalloc() */
	evhttp_set_max_headers_size(http, HEADERS_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_timeout(http, IDLE_S);
	evhttp_set_default_content_type(http, NULL);
	/* all that evhttp knows: what is wrong is answered by us, as problem+json */
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
						 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
						 EVHTTP_REQ_PATCH);
	evhttp_set_gencb(http, exchange_cb, door);
	return http;
}

static void open_door(struct door *door, struct http_front *front, struct guard *guard,
		      const struct guard_ops *ops)
{
	door->front = front;
	door->guard = guard;
	door->http = make_http(door);
	guard_watch(guard, door->http, ops, door);
}

/* Descriptors are out: clients stay in the backlog; resume_cb() looks again, we do not spin. */
static void accept_failed(struct evconnlistener *listener, void *data)
{
	(void)data;
	evconnlistener_disable(listener);
}

static struct evhttp_bound_socket *bind_fd(struct door *door, int fd)
{
	struct evconnlistener *listener =
		evconnlistener_new(hub_base(door->front->hub), NULL, NULL,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	struct evhttp_bound_socket *bound =
		listener ? evhttp_bind_listener(door->http, listener) : NULL;

	if (!bound)
		abort(); /* out of memory */
	evconnlistener_set_error_cb(listener, accept_failed);
	return bound;
}

/* ---- TCP ---- */

static const char too_many_of_it[] = "HTTP/1.1 429 Too Many Requests\r\n"
				     "Connection: close\r\nContent-Length: 0\r\n\r\n";
static const char forbidden[] = "HTTP/1.1 403 Forbidden\r\n"
				"Connection: close\r\nContent-Length: 0\r\n\r\n";

static const char *tcp_enter(void *user, evutil_socket_t fd, void **known)
{
	struct door *door = user;
	struct http_front *front = door->front;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	int on = 1;
	unsigned dead_ms = DEAD_MS;

	if (door->tls && !front->tls)
		return "";
	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return "";
	if (!rights_from(front->config.access, ACCESS_CONNECT, (struct sockaddr *)&peer))
		return forbidden;
	*known = peers_enter(front->peers, (struct sockaddr *)&peer);
	if (!*known)
		return too_many_of_it;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms));
	return NULL;
}

static void tcp_leave(void *user, void *known)
{
	peers_leave(((struct door *)user)->front->peers, known);
}

static struct bufferevent *make_tls(void *user, struct event_base *base)
{
	struct door *door = user;
	struct bufferevent *bev = NULL;

	if (door->front->tls)
		bev = bufferevent_openssl_socket_new(base, -1, tls_server_new(door->front->tls),
						     BUFFEREVENT_SSL_ACCEPTING,
						     BEV_OPT_CLOSE_ON_FREE);
	if (bev) /* clients that end without a word are no error */
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

static const struct guard_ops tcp_ops = { .enter = tcp_enter, .leave = tcp_leave };
static const struct guard_ops tls_ops = { .make = make_tls,
					  .enter = tcp_enter,
					  .leave = tcp_leave };

static void say_serving(const struct port *port)
{
	const char *colon = strrchr(port->where, ':');

	if (port->n)
		log_info("the page and the API are at %s%.*s:%u/", port->door->tls ? "" : "http://",
			 (int)(colon - port->where), port->where, bind_port(port->fds[0]));
}

static void port_serve(struct port *port)
{
	while (port->n < BIND_FDS && port->fds[port->n] >= 0) {
		/* libevent takes all that wait in one go: not too many */
		(void)listen(port->fds[port->n], BACKLOG);
		port->bound[port->n] = bind_fd(port->door, port->fds[port->n]);
		port->n++;
	}
	say_serving(port);
}

static void name_found(void *user, const int fds[BIND_FDS])
{
	struct port *port = user;

	binding_free(port->binding);
	port->binding = NULL;
	memcpy(port->fds, fds, sizeof(port->fds));
	port_serve(port);
}

static struct port *port_open(struct http_front *front, const char *where)
{
	struct port *port = xcalloc(1, sizeof(*port));
	bool tls = strncmp(where, HTTPS, strlen(HTTPS)) == 0;
	const char *address = where + (tls ? strlen(HTTPS) : 0);
	char error[512];

	port->door = tls ? &front->tls_door : &front->tcp_door;
	port->where = xstrdup(where);
	if (bind_is_name(address))
		port->binding = binding_start(hub_base(front->hub), address, DEFAULT_PORT, NULL,
					      name_found, port);
	else if (bind_listen(address, DEFAULT_PORT, port->fds, error, sizeof(error)))
		port_serve(port);
	else
		log_error("%s; the page and the API are not served there", error);
	return port;
}

static void port_close(struct port *port)
{
	binding_free(port->binding);
	for (size_t i = 0; i < port->n; i++)
		evhttp_del_accept_socket(port->door->http, port->bound[i]);
	free(port->where);
	free(port);
}

static struct port *find_port(const struct port_list *list, const char *where)
{
	struct port *port;

	TAILQ_FOREACH (port, list, all)
		if (strcmp(port->where, where) == 0)
			return port;
	return NULL;
}

static bool good_still(void *user, const struct stream_ticket *ticket, int fd)
{
	struct http_front *front = user;

	(void)fd;
	return ticket->kind != STREAM_SESSION ||
	       sessions_good(front->sessions, ticket->session, front->config.users,
			     front->config.n_users, clock_us(), true);
}

/* Who showed a password must show it again; the others must still be allowed what they have. */
static bool good_after_reload(void *user, const struct stream_ticket *ticket, int fd)
{
	const struct http_front_config *config = &((struct http_front *)user)->config;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);

	if (ticket->kind == STREAM_LOCAL)
		return true;
	if (ticket->kind == STREAM_PASSWORD ||
	    getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
	    !rights_from(config->access, ACCESS_CONNECT, (struct sockaddr *)&peer))
		return false;
	if (ticket->kind == STREAM_OPEN)
		return config->open && networks_hold(config->open, (struct sockaddr *)&peer);
	return good_still(user, ticket, fd);
}

void http_front_set_tls(struct http_front *front, struct tls *tls)
{
	if (tls)
		tls_ref(tls);
	tls_unref(front->tls);
	front->tls = tls;
}

bool http_front_has_tls(const struct http_front *front)
{
	return front->tls;
}

void http_front_configure(struct http_front *front, const struct http_front_config *config)
{
	struct port_list old = TAILQ_HEAD_INITIALIZER(old);
	struct port *port, *next;

	front->config = *config;
	guard_set_max(front->tcp_guard,
		      config->max_connections ? config->max_connections : TCP_CONNECTIONS_MAX);
	peers_configure(front->peers, config->per_address, config->failed_logins);
	login_configure(front);
	streams_review(front->streams, good_after_reload, front);
	TAILQ_CONCAT(&old, &front->ports, all);
	/* first close: *:8493 cannot be bound while 127.0.0.1:8493 is */
	for (port = TAILQ_FIRST(&old); port; port = next) {
		bool wanted = false;

		next = TAILQ_NEXT(port, all);
		for (size_t i = 0; i < config->n_listen; i++)
			wanted = wanted || strcmp(config->listen[i], port->where) == 0;
		if (wanted && (port->n || port->binding))
			continue;
		TAILQ_REMOVE(&old, port, all);
		port_close(port);
	}
	for (size_t i = 0; i < config->n_listen; i++) {
		port = find_port(&old, config->listen[i]);
		if (port) {
			TAILQ_REMOVE(&old, port, all);
		} else {
			port = port_open(front, config->listen[i]);
		}
		TAILQ_INSERT_TAIL(&front->ports, port, all);
	}
}

unsigned http_front_port(const struct http_front *front, size_t i)
{
	const struct port *port = TAILQ_FIRST(&front->ports);

	while (port && i--)
		port = TAILQ_NEXT(port, all);
	return port && port->n ? bind_port(port->fds[0]) : 0;
}

/* ---- life ---- */

static void resume(struct evhttp_bound_socket *bound)
{
	evconnlistener_enable(evhttp_bound_socket_get_listener(bound));
}

/* Each second: listeners that accept_failed() stopped, streams whose session has ended. */
static void resume_cb(evutil_socket_t fd, short what, void *data)
{
	struct http_front *front = data;
	struct port *port;

	(void)fd;
	(void)what;
	if (front->local_bound)
		resume(front->local_bound);
	TAILQ_FOREACH (port, &front->ports, all)
		for (size_t i = 0; i < port->n; i++)
			resume(port->bound[i]);
	streams_review(front->streams, good_still, front);
}

bool http_front_local(struct http_front *front, const char *socket_path, char *error,
		      size_t error_size)
{
	if (local_listen(&front->local, socket_path, error, error_size) < 0)
		return false;
	front->local_bound = bind_fd(&front->local_door, front->local.fd);
	log_debug("local API on %s", socket_path);
	return true;
}

struct http_front *http_front_new(struct hub *hub, struct auth *auth, const char *socket_path,
				  char *error, size_t error_size)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct http_front *front = xcalloc(1, sizeof(*front));

	front->hub = hub;
	front->local.fd = -1;
	TAILQ_INIT(&front->ports);
	front->local_guard = guard_new(hub_base(hub), LOCAL_CONNECTIONS_MAX, REQUEST_MS);
	front->tcp_guard = guard_new(hub_base(hub), TCP_CONNECTIONS_MAX, REQUEST_MS);
	front->tcp_door.tcp = front->tls_door.tcp = front->tls_door.tls = true;
	open_door(&front->local_door, front, front->local_guard, NULL);
	open_door(&front->tcp_door, front, front->tcp_guard, &tcp_ops);
	open_door(&front->tls_door, front, front->tcp_guard, &tls_ops);
	TAILQ_INIT(&front->checking);
	front->own_auth = !auth;
	front->auth = auth ? auth : auth_new(hub_base(hub));
	front->peers = peers_new();
	front->sessions = sessions_new();
	front->stats = stats_new(hub);
	front->streams = streams_new(hub);
	front->waiting = waiting_new();
	front->resume = event_new(hub_base(hub), -1, EV_PERSIST, resume_cb, front);
	event_add(front->resume, &second);
	hub_attach(hub, &hub_ops, front);
	if (socket_path && !http_front_local(front, socket_path, error, error_size)) {
		http_front_free(front);
		return NULL;
	}
	return front;
}

void http_front_free(struct http_front *front)
{
	struct exchange *x;
	struct port *port;

	if (!front)
		return;
	hub_detach(front->hub, front);
	while ((x = TAILQ_FIRST(&front->checking)))
		exchange_forget(x);
	streams_free(front->streams);
	waiting_free(front->waiting);
	while ((port = TAILQ_FIRST(&front->ports))) {
		TAILQ_REMOVE(&front->ports, port, all);
		port_close(port);
	}
	event_free(front->resume);
	evhttp_free(front->local_door.http);
	evhttp_free(front->tcp_door.http);
	evhttp_free(front->tls_door.http);
	guard_free(front->local_guard);
	guard_free(front->tcp_guard);
	if (front->local.fd >= 0)
		local_remove(&front->local);
	if (front->own_auth)
		auth_free(front->auth);
	peers_free(front->peers);
	sessions_free(front->sessions);
	stats_free(front->stats);
	for (size_t i = 0; i < METRICS_FORMATS; i++)
		blob_unref(front->made[i].blob);
	tls_unref(front->tls);
	free(front->decoy.name);
	free(front->decoy.password);
	free(front);
}
