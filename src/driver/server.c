#include "driver/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "daemon/hub.h"
#include "driver/lines.h"
#include "driver/request.h"
#include "nut/lexer.h"
#include "nut/store.h"
#include "util/util.h"
#include <ups2000/error.h>

#define LOG_PART "socket"
#include "util/log.h"

enum {
	PEERS_MAX = 64,
	QUEUE_MAX = 256 * 1024, /* a dump is about 8 KB */
	STUCK_S = 30,		/* a peer that takes no byte for so long is gone */
	ID_SIZE = 65,
};

struct peer {
	LIST_ENTRY(peer) all;
	struct server *server;
	struct bufferevent *bev;
	struct nut_lexer lexer;
	bool quiet;   /* NOBROADCAST */
	bool closing; /* as soon as its bytes are out */
	bool unknown; /* a word that is not understood was logged */
};

/* A command or setting whose outcome a peer waits for. */
struct waiting {
	LIST_ENTRY(waiting) all;
	struct peer *peer; /* NULL: it has gone */
	char order[37];	   /* of the hub; empty: killpower */
	char id[ID_SIZE];
};

struct server {
	struct hub_ups *ups;
	const struct server_ops *ops;
	void *user;
	struct nut_store *sent; /* what peers know */
	bool data_ok;
	bool allow_killpower, killing;
	int listen_fd;
	char *path;
	struct event *accept;
	LIST_HEAD(, peer) peers;
	LIST_HEAD(, waiting) waiting;
	size_t n_peers;
};

static const char allow_killpower_name[] = "driver.flag.allow_killpower";

/* --- peers -------------------------------------------------------------------------------------- */

static void drop_peer(struct peer *peer)
{
	struct server *server = peer->server;
	struct waiting *w;

	LIST_FOREACH (w, &server->waiting, all)
		if (w->peer == peer)
			w->peer = NULL;
	LIST_REMOVE(peer, all);
	server->n_peers--;
	bufferevent_free(peer->bev);
	free(peer);
}

static struct evbuffer *output_of(const struct peer *peer)
{
	return bufferevent_get_output(peer->bev);
}

static void send_to(struct peer *peer, const char *text)
{
	bufferevent_write(peer->bev, text, strlen(text));
}

static void broadcast(struct server *server, struct evbuffer *lines)
{
	struct peer *peer, *next;
	size_t len = evbuffer_get_length(lines);
	const unsigned char *data = len ? evbuffer_pullup(lines, -1) : NULL;

	if (!len)
		return;
	for (peer = LIST_FIRST(&server->peers); peer; peer = next) {
		next = LIST_NEXT(peer, all);
		if (peer->quiet || peer->closing)
			continue;
		if (evbuffer_get_length(output_of(peer)) + len > QUEUE_MAX) {
			log_warning("a peer does not take what it is sent: disconnected");
			drop_peer(peer);
			continue;
		}
		bufferevent_write(peer->bev, data, len);
	}
}

static void broadcast_text(struct server *server, const char *text)
{
	struct evbuffer *lines = evbuffer_new();

	evbuffer_add(lines, text, strlen(text));
	broadcast(server, lines);
	evbuffer_free(lines);
}

/* --- what changes --------------------------------------------------------------------------------- */

static void copy_lists(struct nut_store *to, const struct nut_var *var)
{
	nut_store_clear_lists(to, var->name);
	for (size_t i = 0; i < var->n_enums; i++)
		nut_store_add_enum(to, var->name, var->enums[i]);
	for (size_t i = 0; i < var->n_ranges; i++)
		nut_store_add_range(to, var->name, var->ranges[i].min, var->ranges[i].max);
	nut_store_flags(to, var->name, var->flags, var->aux);
}

static void push_commands(struct server *server, struct evbuffer *out)
{
	const struct nut_store *store = server->ups->store;
	struct nut_store *sent = server->sent;

	for (size_t i = 0; i < nut_store_cmd_count(store); i++) {
		const char *name = nut_store_cmd_at(store, i);

		if (nut_store_add_cmd(sent, name))
			evbuffer_add_printf(out, "ADDCMD %s\n", name);
	}
	for (size_t i = nut_store_cmd_count(sent); i-- > 0;) {
		const char *name = nut_store_cmd_at(sent, i);

		if (nut_store_find_cmd(store, name))
			continue;
		evbuffer_add_printf(out, "DELCMD %s\n", name);
		nut_store_del_cmd(sent, name);
	}
}

static void store_changed(enum nut_change change, const struct nut_var *var, void *user)
{
	struct server *server = user;
	struct evbuffer *out = evbuffer_new();

	switch (change) {
	case NUT_CHANGE_SET:
	case NUT_CHANGE_TYPE:
		lines_change(out, nut_store_find(server->sent, var->name), var);
		nut_store_set(server->sent, var->name, var->value);
		if (change == NUT_CHANGE_TYPE)
			copy_lists(server->sent, var);
		break;
	case NUT_CHANGE_DEL:
		evbuffer_add_printf(out, "DELINFO %s\n", var->name);
		nut_store_del(server->sent, var->name);
		break;
	case NUT_CHANGE_CMDS:
		push_commands(server, out);
		break;
	}
	broadcast(server, out);
	evbuffer_free(out);
}

static void ups_changed(void *front, struct hub_ups *ups, uint64_t mask)
{
	struct server *server = front;
	bool ok;

	(void)mask;
	if (ups != server->ups)
		return;
	ok = hub_avail(ups) == HUB_OK;
	if (ok == server->data_ok)
		return;
	server->data_ok = ok;
	broadcast_text(server, ok ? "DATAOK\n" : "DATASTALE\n");
}

/* --- outcomes --------------------------------------------------------------------------------- */

static void answer(struct peer *peer, const char *id, int code)
{
	if (peer && id && *id)
		evbuffer_add_printf(output_of(peer), "TRACKING %s %d\n", id, code);
}

static int code_of(const struct hub_order *order)
{
	switch (order->outcome) {
	case U2K_VERIFIED:
		return TRACKING_DONE;
	case U2K_REFUSED:
		return order->error == U2K_EINVAL    ? TRACKING_INVALID
		       : order->error == U2K_ENOTSUP ? TRACKING_UNKNOWN
						     : TRACKING_FAILED;
	case U2K_FAILED:
	case U2K_PENDING:
		break;
	}
	return TRACKING_FAILED;
}

static void wait_for(struct server *server, struct peer *peer, const char *order, const char *id)
{
	struct waiting *w;

	if (!id)
		return;
	w = xcalloc(1, sizeof(*w));
	w->peer = peer;
	snprintf(w->order, sizeof(w->order), "%s", order);
	snprintf(w->id, sizeof(w->id), "%s", id);
	LIST_INSERT_HEAD(&server->waiting, w, all);
}

static void end_waiting(struct waiting *w, int code)
{
	answer(w->peer, w->id, code);
	LIST_REMOVE(w, all);
	free(w);
}

/* The hub tells the end of each order by an event. */
static void hub_told(void *front, const struct hub_event *event)
{
	struct server *server = front;
	struct waiting *w, *next;

	if (strcmp(event->kind, "command") != 0 && strcmp(event->kind, "setting") != 0)
		return;
	for (w = LIST_FIRST(&server->waiting); w; w = next) {
		const struct hub_order *order;

		next = LIST_NEXT(w, all);
		if (!*w->order)
			continue;
		order = hub_order_find(server->ups->hub, w->order);
		if (!order || order->outcome != U2K_PENDING)
			end_waiting(w, order ? code_of(order) : TRACKING_FAILED);
	}
}

/* --- commands and settings ----------------------------------------------------------------------- */

static void start_killpower(struct server *server, struct peer *peer, const char *id)
{
	if (!server->allow_killpower) {
		log_warning("driver.killpower is refused: set %s to 1 first", allow_killpower_name);
		answer(peer, id, TRACKING_INVALID);
		return;
	}
	wait_for(server, peer, "", id);
	if (server->killing)
		return;
	server->killing = true;
	server->ops->killpower(server->user);
}

static const char *const driver_commands[] = {
	"driver.exit",		 "driver.killpower", "driver.reload", "driver.reload-or-error",
	"driver.reload-or-exit",
};

static bool driver_command(struct server *server, struct peer *peer, const struct request *request)
{
	const char *name = request->name;
	bool or_error, or_exit;

	if (strncasecmp(name, "driver.", 7) != 0 || !nut_store_find_cmd(server->ups->store, name))
		return false;
	name += 7;
	if (request->value) {
		answer(peer, request->id, TRACKING_INVALID);
	} else if (strcasecmp(name, "killpower") == 0) {
		start_killpower(server, peer, request->id);
	} else if (strcasecmp(name, "exit") == 0) {
		answer(peer, request->id, TRACKING_DONE);
		server->ops->leave(server->user);
	} else {
		or_error = strcasecmp(name, "reload-or-error") == 0;
		or_exit = strcasecmp(name, "reload-or-exit") == 0;
		answer(peer, request->id, server->ops->reload(server->user, or_error, or_exit));
	}
	return true;
}

static bool small_number(const char *text, unsigned most, unsigned *out)
{
	if (!*text || strlen(text) > 3 || strspn(text, "0123456789") != strlen(text))
		return false;
	*out = (unsigned)atoi(text);
	return *out <= most;
}

static bool driver_setting(struct server *server, struct peer *peer, const struct request *request)
{
	bool allow = strcasecmp(request->name, allow_killpower_name) == 0;
	unsigned n;
	int code = TRACKING_DONE;

	if (!allow && strcasecmp(request->name, "driver.debug") != 0)
		return false;
	if (!small_number(request->value, allow ? 1 : 100, &n)) {
		code = TRACKING_INVALID;
	} else if (allow) {
		server_allow_killpower(server, n == 1);
	} else {
		code = server->ops->set_debug(server->user, n);
		if (code == TRACKING_DONE)
			nut_store_set(server->ups->store, "driver.debug", request->value);
	}
	answer(peer, request->id, code);
	return true;
}

static void carry_out(struct server *server, struct peer *peer, const struct request *request)
{
	bool set = request->kind == REQUEST_SET;
	const struct nut_store *store = server->ups->store;
	const struct nut_var *var = set ? nut_store_find(store, request->name) : NULL;
	const struct hub_order *order;

	if (set ? driver_setting(server, peer, request) : driver_command(server, peer, request))
		return;
	if (set ? !var || !(var->flags & NUT_RW) : !nut_store_find_cmd(store, request->name)) {
		log_warning("%s %.64s is not possible on this UPS", set ? "setting" : "command",
			    request->name);
		answer(peer, request->id, TRACKING_UNKNOWN);
		return;
	}
	order = hub_order(server->ups, set ? HUB_ORDER_SET : HUB_ORDER_COMMAND, request->name,
			  request->value, "upsd", "socket");
	if (order->outcome == U2K_PENDING)
		wait_for(server, peer, order->id, request->id);
	else
		answer(peer, request->id, code_of(order));
}

/* --- lines from a peer ---------------------------------------------------------------------------- */

static void take_request(struct peer *peer, const struct request *request, const char *word)
{
	struct server *server = peer->server;
	const struct nut_store *store = server->ups->store;
	struct evbuffer *out = output_of(peer);

	switch (request->kind) {
	case REQUEST_DUMPALL:
		lines_dump(out, store, server->data_ok);
		break;
	case REQUEST_DUMPSTATUS:
		lines_dump_one(out, nut_store_find(store, "ups.status"), server->data_ok);
		break;
	case REQUEST_DUMPVALUE:
		lines_dump_one(out, nut_store_find(store, request->name), server->data_ok);
		break;
	case REQUEST_NOBROADCAST_PING:
		peer->quiet = true;
		send_to(peer, "PONG\n");
		break;
	case REQUEST_PING:
		send_to(peer, "PONG\n");
		break;
	case REQUEST_INSTCMD:
	case REQUEST_SET:
		carry_out(server, peer, request);
		break;
	case REQUEST_NOBROADCAST:
		peer->quiet = true;
		break;
	case REQUEST_BROADCAST:
		peer->quiet = strcmp(request->value, "0") == 0;
		break;
	case REQUEST_GETPID:
		evbuffer_add_printf(out, "PID %ld\n", (long)getpid());
		break;
	case REQUEST_LOGOUT:
		send_to(peer, "OK Goodbye\n");
		peer->closing = true;
		break;
	case REQUEST_MALFORMED:
		log_warning("a malformed %.16s came from a peer: not carried out", word);
		answer(peer, request->id, TRACKING_INVALID);
		break;
	case REQUEST_UNKNOWN:
		if (!peer->unknown && *word)
			log_info("a peer sent a word that is not understood: \"%.32s\"", word);
		peer->unknown = true;
		break;
	}
}

/* False if the peer was dropped. */
static bool take_line(struct peer *peer)
{
	const struct nut_line *line = &peer->lexer.line;
	struct request request = request_parse(line);

	if (peer->closing)
		return true;
	log_debug("asked: %.32s%s%.64s", line->n ? line->words[0] : "", line->n > 1 ? " " : "",
		  line->n > 1 ? line->words[1] : "");
	take_request(peer, &request, line->n ? line->words[0] : "");
	if (evbuffer_get_length(output_of(peer)) <= QUEUE_MAX)
		return true;
	log_warning("a peer asks and does not take the answers: disconnected");
	drop_peer(peer);
	return false;
}

static void peer_read(struct bufferevent *bev, void *user)
{
	struct peer *peer = user;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len, used;

	while ((len = evbuffer_get_contiguous_space(in)) > 0) {
		const char *data = (const char *)evbuffer_pullup(in, (ev_ssize_t)len);
		bool complete = nut_lexer_feed(&peer->lexer, data, len, &used);

		evbuffer_drain(in, used);
		if (complete && !take_line(peer))
			return;
	}
	if (peer->closing && !evbuffer_get_length(output_of(peer)))
		drop_peer(peer);
}

static void peer_written(struct bufferevent *bev, void *user)
{
	struct peer *peer = user;

	(void)bev;
	if (peer->closing)
		drop_peer(peer);
}

static void peer_event(struct bufferevent *bev, short what, void *user)
{
	struct peer *peer = user;

	(void)bev;
	if (what & BEV_EVENT_TIMEOUT)
		log_warning("a peer took nothing for %d s: disconnected", STUCK_S);
	drop_peer(peer);
}

void server_add_peer(struct server *server, int fd)
{
	struct timeval stuck = { STUCK_S, 0 };
	struct peer *peer;

	if (server->n_peers >= PEERS_MAX) {
		close(fd);
		return;
	}
	evutil_make_socket_nonblocking(fd);
	peer = xcalloc(1, sizeof(*peer));
	peer->server = server;
	nut_lexer_init(&peer->lexer);
	peer->bev = bufferevent_socket_new(hub_base(server->ups->hub), fd, BEV_OPT_CLOSE_ON_FREE);
	LIST_INSERT_HEAD(&server->peers, peer, all);
	server->n_peers++;
	bufferevent_setcb(peer->bev, peer_read, peer_written, peer_event, peer);
	bufferevent_set_timeouts(peer->bev, NULL, &stuck);
	bufferevent_enable(peer->bev, EV_READ | EV_WRITE);
}

/* --- the socket ------------------------------------------------------------------------------------ */

static void on_accept(evutil_socket_t listen_fd, short what, void *user)
{
	int fd = accept4((int)listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd >= 0)
		server_add_peer(user, fd);
}

/* Only a socket is removed: with another file there something else is wrong. */
static bool remove_stale(const char *path, char *error, size_t error_size)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return true;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(
			error, error_size,
			"%s is in the way: it is no socket. Remove it, or use another section name",
			path);
		return false;
	}
	if (unlink(path) < 0) {
		snprintf(
			error, error_size,
			"the old socket %s cannot be removed: %s. Remove it, or start as its owner",
			path, strerror(errno));
		return false;
	}
	return true;
}

bool server_listen(struct server *server, const char *path, gid_t gid, char *error,
		   size_t error_size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(error, error_size, "the socket's name %s is too long", path);
		return false;
	}
	if (!remove_stale(path, error, error_size))
		return false;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(007);
	rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (rc < 0) {
		snprintf(
			error, error_size,
			"the socket %s cannot be made: %s. The directory must exist and belong to the "
			"user this runs as (NUT_STATEPATH names another)",
			path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (chmod(path, 0660) < 0 || listen(fd, 16) < 0) {
		snprintf(error, error_size, "the socket %s cannot be used: %s", path,
			 strerror(errno));
		close(fd);
		unlink(path);
		return false;
	}
	if (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
		log_warning(
			"the socket cannot be given to the group %ld: %s; upsd may not be able to "
			"use it",
			(long)gid, strerror(errno));
	server->listen_fd = fd;
	server->path = xstrdup(path);
	server->accept =
		event_new(hub_base(server->ups->hub), fd, EV_READ | EV_PERSIST, on_accept, server);
	event_add(server->accept, NULL);
	return true;
}

void server_unlisten(struct server *server)
{
	if (server->listen_fd < 0)
		return;
	event_free(server->accept);
	close(server->listen_fd);
	unlink(server->path);
	free(server->path);
	server->listen_fd = -1;
}

/* --- the rest ------------------------------------------------------------------------------------ */

void server_set_state(struct server *server, const char *state)
{
	nut_store_set(server->ups->store, "driver.state", state);
}

void server_allow_killpower(struct server *server, bool allow)
{
	server->allow_killpower = allow;
	nut_store_set(server->ups->store, allow_killpower_name, allow ? "1" : "0");
}

void server_killpower_done(struct server *server, bool off)
{
	struct waiting *w, *next;

	server->killing = false;
	for (w = LIST_FIRST(&server->waiting); w; w = next) {
		next = LIST_NEXT(w, all);
		if (!*w->order)
			end_waiting(w, off ? TRACKING_DONE : TRACKING_FAILED);
	}
}

bool server_drained(const struct server *server)
{
	struct peer *peer;

	LIST_FOREACH (peer, &server->peers, all)
		if (evbuffer_get_length(output_of(peer)))
			return false;
	return true;
}

static void add_own(struct server *server)
{
	struct nut_store *store = server->ups->store;

	server_set_state(server, "init.starting");
	server_allow_killpower(server, false);
	nut_store_flags(store, allow_killpower_name, NUT_RW | NUT_NUMBER, 0);
	nut_store_set(store, "driver.debug", "0");
	nut_store_flags(store, "driver.debug", NUT_RW | NUT_NUMBER, 0);
	for (size_t i = 0; i < ARRAY_SIZE(driver_commands); i++)
		nut_store_add_cmd(store, driver_commands[i]);
}

static const struct hub_front front = {
	.name = "driver",
	.changed = ups_changed,
	.event = hub_told,
};

struct server *server_new(struct hub_ups *ups, const struct server_ops *ops, void *user)
{
	struct server *server = xcalloc(1, sizeof(*server));
	struct nut_store *store = ups->store;

	server->ups = ups;
	server->ops = ops;
	server->user = user;
	server->listen_fd = -1;
	server->sent = nut_store_new();
	server->data_ok = hub_avail(ups) == HUB_OK;
	add_own(server);
	for (size_t i = 0; i < nut_store_count(store); i++)
		store_changed(NUT_CHANGE_TYPE, nut_store_at(store, i), server);
	store_changed(NUT_CHANGE_CMDS, NULL, server);
	nut_store_watch(store, store_changed, server);
	hub_attach(ups->hub, &front, server);
	return server;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	hub_detach(server->ups->hub, server);
	nut_store_watch(server->ups->store, NULL, NULL);
	while (!LIST_EMPTY(&server->peers))
		drop_peer(LIST_FIRST(&server->peers));
	while (!LIST_EMPTY(&server->waiting)) {
		struct waiting *w = LIST_FIRST(&server->waiting);

		LIST_REMOVE(w, all);
		free(w);
	}
	server_unlisten(server);
	nut_store_free(server->sent);
	free(server);
}
