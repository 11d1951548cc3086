#include "front/nut/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/hub.h"
#include "util/util.h"
#include <ups2000/ups.h>

/*
 * A connection is in one of these: waiting for input (EV_READ), for room in its socket (EV_WRITE),
 * held by a command (hold), or on the run list because it has more to do than fits one turn. It is
 * read only when everything read before was run and answered, so its memory is bounded.
 */

void conn_address(const struct conn *conn, char out[ADDRESS_SIZE])
{
	const void *addr = conn->peer.sa.sa_family == AF_INET6
				   ? (const void *)&conn->peer.in6.sin6_addr
				   : (const void *)&conn->peer.in.sin_addr;

	if (!inet_ntop(conn->peer.sa.sa_family, addr, out, ADDRESS_SIZE))
		strcpy(out, "?");
}

void conn_logout(struct conn *conn)
{
	if (!conn->login)
		return;
	hub_logout(conn->login, conn->login_us);
	conn->login = NULL;
	TAILQ_REMOVE(&conn->server->logged_in, conn, login_node);
}

static void arm_idle(struct nut_server *s)
{
	const struct conn *oldest = TAILQ_FIRST(&s->by_age);
	struct timeval tv;
	int64_t in_us;

	if (!oldest || evtimer_pending(s->idle_timer, NULL))
		return;
	in_us = oldest->active_us + IDLE_S * U2K_SEC - clock_us();
	if (in_us < 0)
		in_us = 0;
	tv.tv_sec = (time_t)(in_us / U2K_SEC);
	tv.tv_usec = (suseconds_t)(in_us % U2K_SEC);
	evtimer_add(s->idle_timer, &tv);
}

static void touch(struct conn *conn)
{
	conn->active_us = clock_us();
	TAILQ_REMOVE(&conn->server->by_age, conn, by_age);
	TAILQ_INSERT_TAIL(&conn->server->by_age, conn, by_age);
}

void conn_idle_cb(evutil_socket_t fd, short what, void *arg)
{
	struct nut_server *s = arg;
	int64_t limit = clock_us() - IDLE_S * U2K_SEC;
	struct conn *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&s->by_age)) && c->active_us <= limit) {
		if (c->hold)
			touch(c); /* it waits for us, not we for it */
		else
			conn_close(c);
	}
	arm_idle(s);
}

static void unhold(struct conn *conn)
{
	if (conn->hold == HOLD_AVAIL)
		TAILQ_REMOVE(&conn->server->held, conn, held);
	auth_cancel(&conn->auth_wait);
	conn->hold = HOLD_NONE;
}

static void unrun(struct conn *conn)
{
	if (!conn->runnable)
		return;
	conn->runnable = false;
	conn->server->n_runnable--;
	TAILQ_REMOVE(&conn->server->runnable, conn, run);
}

/* Bytes kept for a connection count against all of them together. */
static char *keep(struct conn *conn, const char *data, size_t len)
{
	conn->server->kept += len;
	return memcpy(xmalloc(len), data, len);
}

static void drop_kept(struct conn *conn, char **data, size_t len)
{
	if (!*data)
		return;
	conn->server->kept -= len;
	free(*data);
	*data = NULL;
}

static void free_secret(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

void conn_close(struct conn *conn)
{
	struct nut_server *s = conn->server;

	conn_logout(conn);
	if (conn->busy) {
		conn->dead = true;
		return;
	}
	unhold(conn);
	event_del(&conn->ev);
	unrun(conn);
	TAILQ_REMOVE(&s->by_age, conn, by_age);
	s->n_conns--;
	secure_close(conn);
	peers_leave(s->peers, conn->known);
	close(conn->fd);
	free(conn->lexer);
	drop_kept(conn, &conn->in, conn->in_len);
	drop_kept(conn, &conn->out, conn->out_len);
	free(conn->username);
	free_secret(conn->password);
	free(conn);
}

/* The last words must arrive: a close() with unread input would send a reset behind them. */
void conn_say_goodbye(struct conn *conn)
{
	if (conn->secure)
		tls_stream_bye(conn->secure->stream);
	shutdown(conn->fd, SHUT_WR);
	(void)recv(conn->fd, conn->server->rx, INPUT_PER_TURN, MSG_DONTWAIT);
	conn_close(conn);
}

static void event_cb(evutil_socket_t fd, short what, void *arg);

void conn_wait_for(struct conn *conn, short what)
{
	if (conn->waits_for == what)
		return;
	if (conn->waits_for)
		event_del(&conn->ev);
	conn->waits_for = what;
	if (!what)
		return;
	event_assign(&conn->ev, conn->server->base, conn->fd, (short)(what | EV_PERSIST), event_cb,
		     conn);
	event_add(&conn->ev, NULL);
}

void conn_wake(struct conn *conn)
{
	struct nut_server *s = conn->server;
	static const struct timeval now = { 0, 0 };

	if (conn->runnable)
		return;
	conn->runnable = true;
	s->n_runnable++;
	TAILQ_INSERT_TAIL(&s->runnable, conn, run);
	/* a timer, not event_active(): sockets get their turn before it runs */
	if (!evtimer_pending(s->run_timer, NULL))
		evtimer_add(s->run_timer, &now);
}

static void auth_ready(struct auth_wait *wait)
{
	conn_wake(container_of(wait, struct conn, auth_wait));
}

/* The server's lexer holds this connection's line: keep it, and get the server another. */
static void keep_lexer(struct conn *conn)
{
	struct nut_server *s = conn->server;

	if (conn->lexer)
		return;
	conn->lexer = s->lexer;
	s->lexer = xmalloc(sizeof(*s->lexer));
	nut_lexer_init(s->lexer);
}

static void drop_lexer(struct conn *conn)
{
	free(conn->lexer);
	conn->lexer = NULL;
}

static enum verdict run_line(struct conn *conn, const struct nut_lexer *lexer)
{
	enum verdict verdict = command_run(conn, &lexer->line);

	if (verdict == HOLD)
		keep_lexer(conn);
	else
		drop_lexer(conn);
	return verdict;
}

/* Run lines of data until it ends or enough was done. Returns the bytes taken. */
static size_t run_lines(struct conn *conn, const char *data, size_t len)
{
	struct nut_server *s = conn->server;
	size_t off = 0, used;
	bool complete = false;

	while (off < len && s->out.len < OUTPUT_PER_TURN && !conn->goodbye && !conn->starttls &&
	       !conn->dead) {
		struct nut_lexer *lexer = conn->lexer ? conn->lexer : s->lexer;
		bool line = nut_lexer_feed(lexer, data + off, len - off, &used);

		off += used;
		if (!line) {
			keep_lexer(conn);
			break;
		}
		complete = true;
		if (run_line(conn, lexer) == HOLD)
			break;
	}
	if (complete)
		touch(conn);
	return conn->goodbye ? len : off;
}

/* A record holds 16 kB: there may be several. */
static bool send_secure(struct conn *conn, const char *data, size_t len, size_t *sent)
{
	enum tls_io io = TLS_IO_OK;
	size_t n;

	for (*sent = 0; io == TLS_IO_OK && *sent < len; *sent += n)
		io = tls_stream_write(conn->secure->stream, data + *sent, len - *sent, &n);
	return io == TLS_IO_OK || io == TLS_IO_WRITE;
}

/* Returns false if the connection is gone. */
static bool send_some(struct conn *conn, const char *data, size_t len, size_t *sent)
{
	if (conn->secure)
		return send_secure(conn, data, len, sent);

	ssize_t n = send(conn->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	*sent = n > 0 ? (size_t)n : 0;
	return n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Everything this turn said goes out in one write; what does not fit is kept. */
static bool send_replies(struct conn *conn)
{
	struct out *out = &conn->server->out;
	size_t sent;

	if (!out->len)
		return true;
	if (!send_some(conn, out->data, out->len, &sent))
		return false;
	if (sent < out->len) {
		conn->out_off = 0;
		conn->out_len = out->len - sent;
		conn->out = keep(conn, out->data + sent, conn->out_len);
	}
	if (out->size > 4 * OUTPUT_PER_TURN)
		out_close(out);
	return true;
}

/* What the connection waits for next. May free it. */
static void settle(struct conn *conn)
{
	if (conn->dead) {
		conn_close(conn);
	} else if (conn->out) {
		conn_wait_for(conn, EV_WRITE);
	} else if (conn->goodbye) {
		conn_say_goodbye(conn);
	} else if (conn->starttls) {
		secure_start(conn);
	} else if (conn->hold) {
		conn_wait_for(conn, 0);
		if (conn->hold == HOLD_AUTH && !conn->auth_wait.job)
			conn_wake(conn); /* the answer came while output was still going out */
	} else if (conn->in) {
		conn_wait_for(conn, 0);
		conn_wake(conn);
	} else if (conn->eof) {
		conn_close(conn);
	} else {
		conn_wait_for(conn, EV_READ);
	}
}

/*
 * One turn: a held line first, then what was kept from earlier turns or, if data is given, that.
 * May free the connection.
 */
static void turn(struct conn *conn, const char *data, size_t len)
{
	struct out *out = &conn->server->out;
	bool go_on = true;

	out->len = 0;
	conn->busy = true;
	if (conn->hold) {
		unhold(conn);
		go_on = run_line(conn, conn->lexer) == DONE;
		touch(conn);
	}
	if (go_on && data) {
		size_t used = run_lines(conn, data, len);

		if (used < len) {
			conn->in_off = 0;
			conn->in_len = len - used;
			conn->in = keep(conn, data + used, conn->in_len);
		}
	} else if (go_on && conn->in) {
		conn->in_off +=
			run_lines(conn, conn->in + conn->in_off, conn->in_len - conn->in_off);
	}
	if (conn->in_off == conn->in_len || conn->goodbye)
		drop_kept(conn, &conn->in, conn->in_len);
	if (conn->starttls && conn->in) {
		/* what came in clear must not be taken for what comes encrypted */
		command_log(conn, "commands in clear behind STARTTLS", NULL);
		conn->dead = true;
	}
	conn->busy = false;
	if (!conn->dead && !send_replies(conn))
		conn->dead = true;
	if (conn->out && conn->server->kept > KEPT_MAX) {
		listen_warn(conn->server, "too many answers are not read: clients are dropped");
		conn->dead = true;
	}
	settle(conn);
}

static void on_end(struct conn *conn)
{
	conn->eof = true;
	conn_logout(conn); /* a half-closed client counts no more */
	settle(conn);
}

/* One record, which always fits: nothing is left that the socket would not announce. */
static void read_secure(struct conn *conn)
{
	char *rx = conn->server->rx;
	size_t n;

	switch (tls_stream_read(conn->secure->stream, rx, INPUT_PER_TURN, &n)) {
	case TLS_IO_OK:
		turn(conn, rx, n);
		break;
	case TLS_IO_READ:
		conn_wait_for(conn, EV_READ);
		break;
	case TLS_IO_WRITE: /* for an answer of TLS itself */
		conn_wait_for(conn, EV_WRITE);
		break;
	case TLS_IO_END:
		on_end(conn);
		break;
	case TLS_IO_FAILED:
		conn_close(conn);
		break;
	}
}

static void on_readable(struct conn *conn)
{
	if (conn->secure) {
		read_secure(conn);
		return;
	}

	char *rx = conn->server->rx;
	ssize_t n = recv(conn->fd, rx, INPUT_PER_TURN, MSG_DONTWAIT);

	if (n > 0) {
		turn(conn, rx, (size_t)n);
	} else if (n == 0) {
		on_end(conn);
	} else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		conn_close(conn);
	}
}

static void on_writable(struct conn *conn)
{
	size_t sent;

	if (!send_some(conn, conn->out + conn->out_off, conn->out_len - conn->out_off, &sent)) {
		conn_close(conn);
		return;
	}
	if (sent)
		touch(conn);
	conn->out_off += sent;
	if (conn->out_off < conn->out_len)
		return;
	drop_kept(conn, &conn->out, conn->out_len);
	settle(conn);
}

static void event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	if (conn->secure && !conn->secure->up)
		secure_continue(conn);
	else if (what & EV_WRITE && conn->out)
		on_writable(conn);
	else
		on_readable(conn);
	/* conn may be gone */
}

void conn_run_cb(evutil_socket_t fd, short what, void *arg)
{
	struct nut_server *s = arg;
	struct conn *c;

	(void)fd;
	(void)what;
	/* those who become runnable meanwhile come next time */
	for (size_t n = s->n_runnable; n && (c = TAILQ_FIRST(&s->runnable)); n--) {
		unrun(c);
		if (!c->auth_wait.job && !c->out) /* else settle() sees to it */
			turn(c, NULL, 0);
	}
}

bool conn_new(struct nut_server *s, int fd, const union address *peer)
{
	struct peer *known = peers_enter(s->peers, &peer->sa);
	struct conn *conn;
	int on = 1, idle = 30, interval = 10, count = 3;

	if (!known)
		return false;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));

	conn = xcalloc(1, sizeof(*conn));
	conn->server = s;
	conn->fd = fd;
	conn->known = known;
	conn->peer = *peer;
	conn->auth_wait.ready = auth_ready;
	conn->active_us = clock_us();
	event_assign(&conn->ev, s->base, fd, EV_READ | EV_PERSIST, event_cb, conn);
	TAILQ_INSERT_TAIL(&s->by_age, conn, by_age);
	s->n_conns++;
	arm_idle(s);
	conn_wait_for(conn, EV_READ);
	return true;
}
