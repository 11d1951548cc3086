#include "link/link.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/link_impl.h"
#include "link/out_queue.h"
#include "link/resolve.h"
#include "link/url.h"
#include "util/util.h"
#include <ups2000/error.h>

enum {
	ADDRESSES_MAX = 8,
	RETRY_MS = 500,	   /* between two attempts */
	CONNECT_MS = 1000, /* for an attempt: SYNs go out anew this often, so that a peer that */
	CONNECT_LONG_MS = 5000, /* is back is found soon; and now and then one for very long ways */
	LONG_EVERY = 6,
	LOOKUP_MS = 3000,	/* before it is told that no name server answers */
	LOOKUP_AGAIN_MS = 2000, /* after one that found nothing */
	BRIEF_MS = 1000,	/* a connection that ends sooner without a byte is not well ... */
	BRIEF_PAUSE_MAX_MS = 8000, /* ... and is made less and less often */
	USER_TIMEOUT_MS = 3000,
	KEEP_IDLE_S = 5,
	KEEP_INTERVAL_S = 2,
	KEEP_COUNT = 3,
};

/* Why the tick is due. */
enum next {
	NEXT_TRY,     /* connect, or look the name up */
	NEXT_TIMEOUT, /* of an attempt to connect */
	NEXT_REOPEN,
	NEXT_LOST, /* a write failed */
};

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

struct tcp {
	struct link link; /* first */
	char *host;
	uint16_t port;
	resolve_fn lookup;
	struct event_base *base;
	struct event tick, readable, writable;
	enum next next;
	int next_errno;
	int fd; /* -1: none */
	bool connecting;
	struct resolve *resolve; /* a lookup is under way */
	int64_t resolve_us;	 /* since when, or when it last ended */
	struct address addresses[ADDRESSES_MAX];
	size_t n_addresses, at; /* at: tried next */
	unsigned attempts;	/* since it was last up */
	int64_t up_us;
	bool heard;	   /* bytes came since it was up */
	unsigned brief_ms; /* pause after brief connections */
	struct out_queue out;
};

static struct tcp *tcp_of(struct link *link)
{
	return container_of(link, struct tcp, link);
}

static void tick_after(struct tcp *t, enum next next, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	t->next = next;
	evtimer_add(&t->tick, &tv);
}

static void shut(struct tcp *t)
{
	if (t->fd < 0)
		return;
	event_del(&t->readable);
	event_del(&t->writable);
	close(t->fd);
	t->fd = -1;
	t->connecting = false;
	t->out.len = 0;
	t->link.adapter[0] = '\0';
}

/* The caller returns at once: the owner may have freed the link. */
static __attribute__((format(printf, 3, 4))) void tell(struct tcp *t, enum link_state state,
						       const char *format, ...)
{
	char reason[LINK_REASON_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	link_enter(&t->link, state, reason);
}

static void tell_unreachable(struct tcp *t, int err)
{
	switch (err) {
	case ECONNREFUSED:
		tell(t, LINK_REFUSED,
		     "%s refuses connections to TCP port %u: is it the right port, and is the "
		     "gateway's service switched on?",
		     t->host, t->port);
		break;
	case ETIMEDOUT:
	case EHOSTUNREACH:
		tell(t, LINK_ABSENT,
		     "%s does not answer on TCP port %u: is it switched on and on this network, and "
		     "does no firewall stand between? Waiting for it.",
		     t->host, t->port);
		break;
	default:
		tell(t, LINK_ABSENT, "There is no way to %s, TCP port %u: %s.", t->host, t->port,
		     strerror(err));
	}
}

/* --- the connection -------------------------------------------------------------------------- */

/* The caller returns at once: the owner may have freed the link. */
static void lose(struct tcp *t, int err)
{
	bool brief = !t->heard && clock_us() - t->up_us < BRIEF_MS * INT64_C(1000);

	t->brief_ms = !brief ? 0 : t->brief_ms ? t->brief_ms * 2 : RETRY_MS;
	if (t->brief_ms > BRIEF_PAUSE_MAX_MS)
		t->brief_ms = BRIEF_PAUSE_MAX_MS;
	shut(t);
	tick_after(t, NEXT_TRY, t->brief_ms);
	if (err && !(brief && (err == ECONNRESET || err == EPIPE)))
		tell(t, LINK_ABSENT,
		     "The connection to %s, TCP port %u, is lost (%s): cable, network or gateway. "
		     "Connecting again.",
		     t->host, t->port, strerror(err));
	else
		tell(t, LINK_ABSENT,
		     "%s closed the connection to TCP port %u: it was restarted, or it serves another "
		     "client and no more (many gateways serve only one or few).",
		     t->host, t->port);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	uint8_t buf[1024];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	(void)what;
	if (n > 0) {
		t->heard = true;
		link_deliver(&t->link, buf, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		lose(t, n ? errno : 0);
	}
}

static void came_up(struct tcp *t)
{
	const struct address *a = &t->addresses[t->at];
	char host[64];

	t->connecting = false;
	t->attempts = 0;
	t->heard = false;
	t->up_us = clock_us();
	event_del(&t->tick);
	event_add(&t->readable, NULL);
	if (getnameinfo((const struct sockaddr *)&a->sa, a->len, host, sizeof(host), NULL, 0,
			NI_NUMERICHOST) == 0)
		snprintf(t->link.adapter, sizeof(t->link.adapter), "%s port %u", host, t->port);
	link_enter(&t->link, LINK_UP, "");
}

static void try_later(struct tcp *t, int err);

static ssize_t send_bytes(int fd, const void *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	int err = 0;

	(void)what;
	if (t->connecting) {
		socklen_t len = sizeof(err);

		event_del(&t->writable);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err)
			try_later(t, err);
		else
			came_up(t);
		return;
	}
	err = out_queue_run(&t->out, fd, send_bytes);
	if (err) {
		lose(t, err);
		return;
	}
	if (!t->out.len)
		event_del(&t->writable);
}

static void set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

/* Returns 0 and goes on in on_writable(), or what is wrong. */
static int start_connecting(struct tcp *t)
{
	const struct address *a = &t->addresses[t->at];
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return errno;
	set_options(fd);
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) != 0 && errno != EINPROGRESS) {
		int err = errno;

		close(fd);
		return err;
	}
	t->fd = fd;
	t->connecting = true;
	event_assign(&t->readable, t->base, fd, EV_READ | EV_PERSIST, on_readable, t);
	event_assign(&t->writable, t->base, fd, EV_WRITE | EV_PERSIST, on_writable, t);
	event_add(&t->writable, NULL);
	return 0;
}

/* --- the addresses --------------------------------------------------------------------------- */

static void take_addresses(struct tcp *t, const struct addrinfo *list)
{
	t->n_addresses = 0;
	t->at = 0;
	for (; list && t->n_addresses < ADDRESSES_MAX; list = list->ai_next) {
		struct address *a = &t->addresses[t->n_addresses];

		if (list->ai_addrlen > sizeof(a->sa))
			continue;
		memcpy(&a->sa, list->ai_addr, list->ai_addrlen);
		a->len = list->ai_addrlen;
		t->n_addresses++;
	}
}

static void try_connect(struct tcp *t);

static void on_resolved(void *user, const struct addrinfo *list, const char *error)
{
	struct tcp *t = user;

	t->resolve = NULL;
	t->resolve_us = clock_us();
	if (list && t->fd < 0) {
		bool first = t->n_addresses == 0;

		take_addresses(t, list);
		if (first)
			try_connect(t);
		return;
	}
	if (t->n_addresses)
		return; /* those of before will do */
	tick_after(t, NEXT_TRY, LOOKUP_AGAIN_MS);
	tell(t, LINK_ABSENT,
	     "The name \"%s\" leads to no address (%s): correct it, add it to /etc/hosts, or write the "
	     "address itself.",
	     t->host, error ? error : "none that can be used");
}

/* Start a lookup unless one is under way or has just been. */
static void look_up(struct tcp *t)
{
	if (t->resolve ||
	    (t->resolve_us && clock_us() - t->resolve_us < LOOKUP_AGAIN_MS * INT64_C(1000)))
		return;
	t->resolve = resolve_start(t->base, t->host, t->port, t->lookup, on_resolved, t);
	if (t->resolve)
		t->resolve_us = clock_us();
}

/* An address needs nobody to look it up. */
static void take_literal(struct tcp *t)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct addrinfo *list = NULL;
	char service[6];

	snprintf(service, sizeof(service), "%u", (unsigned)t->port);
	if (getaddrinfo(t->host, service, &hints, &list) != 0)
		return;
	take_addresses(t, list);
	freeaddrinfo(list);
}

/* --- attempts -------------------------------------------------------------------------------- */

static bool is_literal(const struct tcp *t)
{
	return strchr(t->host, ':') || strspn(t->host, "0123456789.") == strlen(t->host);
}

static void try_later(struct tcp *t, int err)
{
	shut(t);
	if (t->n_addresses)
		t->at = (t->at + 1) % t->n_addresses;
	if (t->at == 0 && !is_literal(t))
		look_up(t); /* none of them works: the name may have moved */
	tick_after(t, NEXT_TRY, t->at || err == ETIMEDOUT ? 0 : RETRY_MS);
	if (t->at == 0) /* each address has had its chance */
		tell_unreachable(t, err);
}

static void try_connect(struct tcp *t)
{
	bool patient = ++t->attempts % LONG_EVERY == 0;
	int err;

	if (t->fd >= 0)
		return;
	if (!t->n_addresses && is_literal(t))
		take_literal(t);
	if (!t->n_addresses && is_literal(t)) {
		tick_after(t, NEXT_TRY, LOOKUP_AGAIN_MS); /* its interface may still come */
		tell(t, LINK_ABSENT, "\"%s\" cannot be used as an address on this machine now.",
		     t->host);
		return;
	}
	if (!t->n_addresses) {
		look_up(t);
		tick_after(t, NEXT_TRY, LOOKUP_MS);
		if (t->attempts > 1)
			tell(t, LINK_ABSENT,
			     "The name \"%s\" is being looked up, but no name server has answered yet: see "
			     "/etc/resolv.conf, or write the address itself.",
			     t->host);
		else
			tell(t, LINK_OPENING, "The name \"%s\" is being looked up.", t->host);
		return;
	}
	tick_after(t, NEXT_TIMEOUT, patient ? CONNECT_LONG_MS : CONNECT_MS);
	err = start_connecting(t);
	if (err)
		try_later(t, err);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;

	(void)fd;
	(void)what;
	switch (t->next) {
	case NEXT_TRY:
		try_connect(t);
		break;
	case NEXT_TIMEOUT:
		try_later(t, ETIMEDOUT);
		break;
	case NEXT_REOPEN: {
		int64_t lived_ms = (clock_us() - t->up_us) / 1000;

		shut(t);
		/* never more than once in a second: the peer may send nonsense at once each time */
		tick_after(t, NEXT_TRY, lived_ms < BRIEF_MS ? (unsigned)(BRIEF_MS - lived_ms) : 0);
		tell(t, LINK_OPENING, "The connection is being made anew.");
		break;
	}
	case NEXT_LOST:
		lose(t, t->next_errno);
		break;
	}
}

/* --- the link -------------------------------------------------------------------------------- */

static bool is_ending(const struct tcp *t)
{
	return evtimer_pending(&t->tick, NULL) && (t->next == NEXT_REOPEN || t->next == NEXT_LOST);
}

static int tcp_write(struct link *link, const uint8_t *data, size_t len)
{
	struct tcp *t = tcp_of(link);
	int err;

	if (t->fd < 0 || t->connecting || is_ending(t))
		return U2K_ECLOSED;
	err = out_queue_put(&t->out, t->fd, send_bytes, data, len);
	if (err > 0) {
		t->next_errno = err;
		tick_after(t, NEXT_LOST, 0);
		return U2K_ECLOSED;
	}
	if (t->out.len)
		event_add(&t->writable, NULL);
	return err;
}

/* What was sent in part must be sent whole, or the peer loses the thread. */
static void tcp_flush(struct link *link)
{
	struct tcp *t = tcp_of(link);
	uint8_t buf[1024];

	if (t->fd < 0 || t->connecting)
		return;
	while (recv(t->fd, buf, sizeof(buf), 0) > 0)
		;
}

static void tcp_reopen(struct link *link)
{
	struct tcp *t = tcp_of(link);

	if (t->fd >= 0 && !t->connecting)
		tick_after(t, NEXT_REOPEN, 0);
	else if (t->fd < 0)
		tick_after(t, NEXT_TRY, 0);
}

static void tcp_free(struct link *link)
{
	struct tcp *t = tcp_of(link);

	shut(t);
	resolve_cancel(t->resolve);
	event_del(&t->tick);
	free(t->host);
	free(t);
}

static const struct link_impl tcp_impl = {
	.write = tcp_write,
	.flush = tcp_flush,
	.reopen = tcp_reopen,
	.free = tcp_free,
};

struct link *link_tcp_new(struct event_base *base, const struct link_tcp_config *config,
			  const struct link_ops *ops, void *user)
{
	struct tcp *t;

	if (!*config->host || strlen(config->host) >= LINK_HOST_MAX || !config->port)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	link_init(&t->link, &tcp_impl, ops, user);
	t->base = base;
	t->host = xstrdup(config->host);
	t->port = config->port;
	t->lookup = config->lookup;
	t->fd = -1;
	evtimer_assign(&t->tick, base, on_tick, t);
	tick_after(t, NEXT_TRY, 0);
	return &t->link;
}
