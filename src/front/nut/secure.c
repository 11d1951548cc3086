#include "front/nut/internal.h"

#include <stdlib.h>

#include "util/util.h"
#include <ups2000/ups.h>

/*
 * The handshake of STARTTLS. It costs a fraction of a millisecond (more with a large RSA key), and
 * any number of strangers may ask for one at once: they stand in a queue, and each turn of the loop
 * spends a few milliseconds on it at most. Whoever has not finished in time is cut off.
 */

static void arm_deadline(struct nut_server *s)
{
	const struct secure *oldest = TAILQ_FIRST(&s->handshakes);
	struct timeval tv;
	int64_t in_us;

	if (!oldest || evtimer_pending(s->deadline_timer, NULL))
		return;
	in_us = oldest->since_us + HANDSHAKE_S * U2K_SEC - clock_us();
	if (in_us < 0)
		in_us = 0;
	tv.tv_sec = (time_t)(in_us / U2K_SEC);
	tv.tv_usec = (suseconds_t)(in_us % U2K_SEC);
	evtimer_add(s->deadline_timer, &tv);
}

void secure_deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct nut_server *s = arg;
	int64_t limit = clock_us() - HANDSHAKE_S * U2K_SEC;
	struct secure *secure;

	(void)fd;
	(void)what;
	while ((secure = TAILQ_FIRST(&s->handshakes)) && secure->since_us <= limit) {
		command_log(secure->conn, "TLS handshake not finished in time", NULL);
		conn_close(secure->conn);
	}
	arm_deadline(s);
}

void secure_start(struct conn *conn)
{
	struct nut_server *s = conn->server;
	struct secure *secure;

	if (!s->tls) { /* a reload took it away meanwhile */
		conn_close(conn);
		return;
	}
	secure = xcalloc(1, sizeof(*secure));
	conn->starttls = false;
	conn->secure = secure;
	secure->conn = conn;
	secure->stream = tls_stream_new(s->tls, conn->fd);
	secure->since_us = clock_us();
	TAILQ_INSERT_TAIL(&s->handshakes, secure, by_start);
	arm_deadline(s);
	conn_wait_for(conn, EV_READ);
}

void secure_continue(struct conn *conn)
{
	static const struct timeval now = { 0, 0 };
	struct nut_server *s = conn->server;
	struct secure *secure = conn->secure;

	if (secure->queued)
		return;
	conn_wait_for(conn, 0);
	secure->queued = true;
	TAILQ_INSERT_TAIL(&s->handshake_queue, secure, queue);
	/* a timer: what else is ready gets its turn before it runs */
	if (!evtimer_pending(s->handshake_timer, NULL))
		evtimer_add(s->handshake_timer, &now);
}

static void unqueue(struct nut_server *s, struct secure *secure)
{
	if (!secure->queued)
		return;
	secure->queued = false;
	TAILQ_REMOVE(&s->handshake_queue, secure, queue);
}

static void go_on(struct conn *conn)
{
	struct secure *secure = conn->secure;

	switch (tls_stream_handshake(secure->stream)) {
	case TLS_IO_OK:
		secure->up = true;
		TAILQ_REMOVE(&conn->server->handshakes, secure, by_start);
		conn_wait_for(conn, EV_READ);
		break;
	case TLS_IO_READ:
		conn_wait_for(conn, EV_READ);
		break;
	case TLS_IO_WRITE:
		conn_wait_for(conn, EV_WRITE);
		break;
	case TLS_IO_END:
	case TLS_IO_FAILED:
		command_log(conn, "TLS handshake failed", tls_stream_error(secure->stream));
		conn_say_goodbye(conn); /* the alert must arrive */
		break;
	}
}

void secure_run_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = { 0, 0 };
	struct nut_server *s = arg;
	int64_t until = clock_us() + HANDSHAKES_US;
	struct secure *secure;

	(void)fd;
	(void)what;
	while ((secure = TAILQ_FIRST(&s->handshake_queue))) {
		if (clock_us() >= until) {
			evtimer_add(s->handshake_timer, &now);
			return;
		}
		unqueue(s, secure);
		go_on(secure->conn);
	}
}

void secure_close(struct conn *conn)
{
	struct secure *secure = conn->secure;

	if (!secure)
		return;
	unqueue(conn->server, secure);
	if (!secure->up)
		TAILQ_REMOVE(&conn->server->handshakes, secure, by_start);
	tls_stream_bye(secure->stream);
	tls_stream_free(secure->stream);
	free(secure);
	conn->secure = NULL;
}
