#include "sim/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "core/mbap.h"
#include "core/rtu.h"
#include "sim/bus.h"
#include "ups2000/error.h"
#include "util/util.h"

enum {
	TARGET_MS = 1000, /* for a unit to answer the gateway */
	WAITING_MAX = 32, /* requests; more are answered "busy" */
	UNREAD_MAX = 64 * 1024,
};

struct conn {
	struct tcp *tcp;
	struct bufferevent *bev;
	struct mbap_rx rx;
	TAILQ_ENTRY(conn) entry;
};

struct request {
	struct conn *conn; /* NULL: it went away */
	uint16_t id;
	uint8_t unit_id;
	uint8_t pdu[PDU_MAX];
	size_t len;
};

struct tcp {
	struct event_base *base;
	struct bus *bus;
	struct bus_ear ear;
	bool modbus_tcp;
	struct sockaddr_storage sa;
	socklen_t sa_len;
	struct evconnlistener *listener; /* NULL: unplugged */
	TAILQ_HEAD(, conn) conns;

	/* the gateway: what waits for the line, the first of it is on it */
	struct request waiting[WAITING_MAX];
	size_t n_waiting;
	struct rtu_rx rx;
	struct event *timeout;
};

/* --- the gateway ----------------------------------------------------------------------------- */

static void reply(const struct request *req, const uint8_t *pdu, size_t len)
{
	uint8_t adu[MBAP_ADU_MAX];

	if (req->conn)
		bufferevent_write(req->conn->bev, adu,
				  mbap_put(adu, req->id, req->unit_id, pdu, len));
}

static void reply_exception(const struct request *req, uint8_t code)
{
	uint8_t pdu[PDU_MAX];

	reply(req, pdu, pdu_put_exception(pdu, req->pdu[0], code));
}

static void ask_next(struct tcp *tcp)
{
	static const struct timeval limit = { TARGET_MS / 1000, TARGET_MS % 1000 * 1000 };
	const struct request *req = &tcp->waiting[0];
	uint8_t adu[RTU_ADU_MAX];

	if (!tcp->n_waiting)
		return;
	rtu_rx_reset(&tcp->rx);
	event_add(tcp->timeout, &limit);
	bus_send(tcp->bus, adu, rtu_put(adu, req->unit_id, req->pdu, req->len));
}

static void drop_first(struct tcp *tcp)
{
	event_del(tcp->timeout);
	memmove(&tcp->waiting[0], &tcp->waiting[1], --tcp->n_waiting * sizeof(tcp->waiting[0]));
}

static void on_timeout(evutil_socket_t fd, short what, void *user)
{
	struct tcp *tcp = user;

	(void)fd, (void)what;
	reply_exception(&tcp->waiting[0], EXC_GATEWAY_TARGET);
	drop_first(tcp);
	ask_next(tcp);
}

/* As a gateway must: what has the right unit id and function code is the answer. */
static void take_frames(struct tcp *tcp)
{
	struct rtu_frame frame;
	bool answered = false;

	while (!answered && rtu_rx_next(&tcp->rx, &frame)) {
		const struct request *req = &tcp->waiting[0];

		answered = tcp->n_waiting && frame.unit_id == req->unit_id &&
			   (frame.pdu[0] & ~FC_EXCEPTION) == req->pdu[0];
		if (answered)
			reply(req, frame.pdu, frame.len);
	}
	if (!answered)
		return;
	drop_first(tcp);
	ask_next(tcp);
}

static void queue(struct conn *conn, const struct mbap_frame *frame)
{
	struct tcp *tcp = conn->tcp;
	struct request req = {
		.conn = conn, .id = frame->id, .unit_id = frame->unit_id, .len = frame->len
	};

	memcpy(req.pdu, frame->pdu, frame->len);
	if (tcp->n_waiting == WAITING_MAX) {
		reply_exception(&req, EXC_BUSY);
		return;
	}
	tcp->waiting[tcp->n_waiting++] = req;
	if (tcp->n_waiting == 1)
		ask_next(tcp);
}

/* --- connections ----------------------------------------------------------------------------- */

static void conn_free(struct conn *conn)
{
	struct tcp *tcp = conn->tcp;

	for (size_t i = 0; i < tcp->n_waiting; i++)
		if (tcp->waiting[i].conn == conn)
			tcp->waiting[i].conn = NULL;
	TAILQ_REMOVE(&tcp->conns, conn, entry);
	bufferevent_free(conn->bev);
	free(conn);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct conn *conn = arg;
	uint8_t buf[1024];
	size_t n;

	while ((n = bufferevent_read(bev, buf, sizeof(buf))) > 0) {
		struct mbap_frame frame;

		if (!conn->tcp->modbus_tcp) {
			bus_send(conn->tcp->bus, buf, n);
			continue;
		}
		for (size_t at = 0; at < n;) {
			at += mbap_rx_feed(&conn->rx, buf + at, n - at);
			while (mbap_rx_next(&conn->rx, &frame))
				queue(conn, &frame);
		}
		if (conn->rx.broken) {
			conn_free(conn);
			return;
		}
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		conn_free(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
		      int len, void *arg)
{
	struct tcp *tcp = arg;
	struct conn *conn = xcalloc(1, sizeof(*conn));
	int one = 1;

	(void)listener, (void)addr, (void)len;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn->tcp = tcp;
	conn->bev = bufferevent_socket_new(tcp->base, fd, BEV_OPT_CLOSE_ON_FREE);
	mbap_rx_reset(&conn->rx);
	TAILQ_INSERT_TAIL(&tcp->conns, conn, entry);
	bufferevent_setcb(conn->bev, on_read, NULL, on_event, conn);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
}

static void on_heard(void *user, const uint8_t *data, size_t len)
{
	struct tcp *tcp = user;
	struct conn *conn, *next;

	if (tcp->modbus_tcp) {
		while (len) {
			size_t taken = rtu_rx_feed(&tcp->rx, data, len);

			data += taken;
			len -= taken;
			take_frames(tcp);
			if (!taken)
				rtu_rx_reset(&tcp->rx);
		}
		return;
	}
	for (conn = TAILQ_FIRST(&tcp->conns); conn; conn = next) {
		next = TAILQ_NEXT(conn, entry);
		bufferevent_write(conn->bev, data, len);
		if (evbuffer_get_length(bufferevent_get_output(conn->bev)) > UNREAD_MAX)
			conn_free(conn);
	}
}

/* --- the port -------------------------------------------------------------------------------- */

static bool parse(const char *where, struct sockaddr_storage *sa, socklen_t *len, unsigned *port)
{
	const char *colon = strrchr(where, ':');
	char *end, host[64] = "127.0.0.1";
	int n = (int)sizeof(*sa);

	*port = (unsigned)strtoul(colon ? colon + 1 : where, &end, 10);
	if (*end || end == where || *port > 65535)
		return false;
	if (colon) {
		size_t host_len = (size_t)(colon - where);

		if (where[0] == '[' && host_len > 2) {
			where++;
			host_len -= 2;
		}
		if (!host_len || host_len >= sizeof(host))
			return false;
		memcpy(host, where, host_len);
		host[host_len] = '\0';
	}
	memset(sa, 0, sizeof(*sa));
	if (strchr(host, ':')) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)sa;

		in6->sin6_family = AF_INET6;
		*len = sizeof(*in6);
		return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
	}
	if (evutil_parse_sockaddr_port(host, (struct sockaddr *)sa, &n) != 0)
		return false;
	*len = (socklen_t)n;
	return true;
}

static void set_port(struct sockaddr_storage *sa, unsigned port)
{
	if (sa->ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)sa)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)(void *)sa)->sin_port = htons((uint16_t)port);
}

unsigned tcp_port(const struct tcp *tcp)
{
	if (tcp->sa.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)&tcp->sa)->sin6_port);
	return ntohs(((const struct sockaddr_in *)(const void *)&tcp->sa)->sin_port);
}

int tcp_replug(struct tcp *tcp)
{
	tcp->listener = evconnlistener_new_bind(tcp->base, on_accept, tcp,
						LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
							LEV_OPT_REUSEABLE,
						-1, (struct sockaddr *)&tcp->sa, (int)tcp->sa_len);
	if (!tcp->listener)
		return U2K_EINVAL;
	getsockname(evconnlistener_get_fd(tcp->listener), (struct sockaddr *)&tcp->sa,
		    &tcp->sa_len);
	return 0;
}

void tcp_unplug(struct tcp *tcp)
{
	while (!TAILQ_EMPTY(&tcp->conns))
		conn_free(TAILQ_FIRST(&tcp->conns));
	if (tcp->listener)
		evconnlistener_free(tcp->listener);
	tcp->listener = NULL;
}

struct tcp *tcp_new(struct event_base *base, struct bus *bus, bool modbus_tcp, const char *where,
		    unsigned offset, char *err, size_t err_size)
{
	struct tcp *tcp = xcalloc(1, sizeof(*tcp));
	unsigned port;

	*tcp = (struct tcp){ .base = base, .bus = bus, .modbus_tcp = modbus_tcp };
	TAILQ_INIT(&tcp->conns);
	if (!parse(where, &tcp->sa, &tcp->sa_len, &port) || (port && port + offset > 65535)) {
		snprintf(err, err_size, "%s \"%s\": must be PORT or ADDRESS:PORT",
			 modbus_tcp ? "--tcp" : "--rtu-tcp", where);
		goto failed;
	}
	set_port(&tcp->sa, port ? port + offset : 0);
	if (tcp_replug(tcp)) {
		snprintf(err, err_size, "%s %s, TCP port %u: %s",
			 modbus_tcp ? "--tcp" : "--rtu-tcp", where, tcp_port(tcp), strerror(errno));
		goto failed;
	}
	tcp->timeout = event_new(base, -1, 0, on_timeout, tcp);
	tcp->ear = (struct bus_ear){ .heard = on_heard, .user = tcp };
	bus_listen(bus, &tcp->ear);
	return tcp;

failed:
	free(tcp);
	return NULL;
}

void tcp_free(struct tcp *tcp)
{
	if (!tcp)
		return;
	tcp_unplug(tcp);
	event_free(tcp->timeout);
	free(tcp);
}
