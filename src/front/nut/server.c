#include "front/nut/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/hub.h"
#include "util/util.h"

#define LOG_PART "nut"
#include "util/log.h"

enum {
	DEFAULT_CONNECTIONS = 1024,
	OTHER_DESCRIPTORS = 64, /* local clients, files, a process started */
	UPS_DESCRIPTORS = 2048, /* asked for besides: UPSes are added later */
};

static void wake_held(struct nut_server *s)
{
	struct conn *c;

	TAILQ_FOREACH (c, &s->held, held)
		conn_wake(c);
}

static void held_cb(evutil_socket_t fd, short what, void *arg)
{
	struct nut_server *s = arg;

	(void)fd;
	(void)what;
	if (TAILQ_EMPTY(&s->held))
		event_del(s->held_timer);
	wake_held(s);
}

static void on_changed(void *front, struct hub_ups *ups, uint64_t mask)
{
	(void)ups;
	(void)mask;
	wake_held(front);
}

/* A removed UPS cuts off those who are logged into it, as upsd does. */
static void on_ups_removed(void *front, struct hub_ups *ups)
{
	struct nut_server *s = front;
	struct conn *c, *next;

	lists_forget(s, ups);
	for (c = TAILQ_FIRST(&s->logged_in); c; c = next) {
		next = TAILQ_NEXT(c, login_node);
		if (c->login == ups)
			conn_close(c);
	}
	wake_held(s);
}

static const struct hub_front front = {
	.name = "nut",
	.changed = on_changed,
	.ups_removed = on_ups_removed,
};

/* Descriptors that are not the clients': a UPS holds one, and another while it opens it anew. */
static rlim_t others(const struct nut_server *s)
{
	return OTHER_DESCRIPTORS + 2 * (rlim_t)hub_ups_count(s->hub);
}

unsigned server_room(const struct nut_server *s)
{
	rlim_t kept = others(s);

	if (s->max_connections + kept <= s->descriptors)
		return s->max_connections;
	return (unsigned)(s->descriptors > 2 * kept ? s->descriptors - kept : s->descriptors / 2);
}

/* Each connection needs a descriptor: raise the soft limit as far as the hard one lets us. */
static void set_limit(struct nut_server *s, unsigned wanted)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)wanted + others(s), good = need + UPS_DESCRIPTORS;

	s->max_connections = wanted;
	s->descriptors = good;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= good)
		return;
	limit.rlim_cur = limit.rlim_max < good ? limit.rlim_max : good;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	s->descriptors = limit.rlim_cur;
	if (limit.rlim_cur < need)
		log_warning("max-connections %u needs %lu file descriptors, the limit is %lu: "
			    "serving at most %u. Raise LimitNOFILE (systemd) or ulimit -n",
			    wanted, (unsigned long)need, (unsigned long)limit.rlim_cur,
			    server_room(s));
}

/* Those who connected before a reload forbade it. */
static void close_unwelcome(struct nut_server *s)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&s->by_age); c; c = next) {
		next = TAILQ_NEXT(c, by_age);
		if (!access_allows(s, ACCESS_CONNECT, &c->peer))
			conn_close(c);
	}
}

void nut_server_set_tls(struct nut_server *s, struct tls *tls)
{
	if (tls)
		tls_ref(tls);
	tls_unref(s->tls);
	s->tls = tls;
	s->want_tls = NULL;
	wake_held(s);
}

void nut_server_offer_tls(struct nut_server *s, void (*want)(void *user), void *user)
{
	s->want_tls = want;
	s->want_tls_user = user;
	s->wanted_us = 0;
}

bool nut_server_has_tls(const struct nut_server *s)
{
	return s->tls;
}

bool nut_server_configure(struct nut_server *s, const struct nut_server_config *config, char *error,
			  size_t error_size)
{
	s->users = config->users;
	s->n_users = config->n_users;
	s->access = config->access;
	s->require_tls = config->require_tls;
	peers_configure(s->peers, config->per_address, config->failed_logins);
	close_unwelcome(s);
	set_limit(s, config->max_connections ? config->max_connections : DEFAULT_CONNECTIONS);
	if (config->tracking_delay)
		hub_set_tracking_delay(s->hub, config->tracking_delay);
	return listen_configure(s, config->listen, config->n_listen, error, error_size);
}

struct nut_server *nut_server_new(struct hub *hub, const struct nut_server_config *config,
				  char *error, size_t error_size)
{
	struct nut_server *s = xcalloc(1, sizeof(*s));

	s->hub = hub;
	s->base = hub_base(hub);
	TAILQ_INIT(&s->listeners);
	TAILQ_INIT(&s->by_age);
	TAILQ_INIT(&s->runnable);
	TAILQ_INIT(&s->held);
	TAILQ_INIT(&s->logged_in);
	TAILQ_INIT(&s->handshakes);
	TAILQ_INIT(&s->handshake_queue);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->idle_timer = evtimer_new(s->base, conn_idle_cb, s);
	s->run_timer = evtimer_new(s->base, conn_run_cb, s);
	s->held_timer = event_new(s->base, -1, EV_PERSIST, held_cb, s);
	s->accept_timer = evtimer_new(s->base, listen_resume_cb, s);
	s->handshake_timer = evtimer_new(s->base, secure_run_cb, s);
	s->deadline_timer = evtimer_new(s->base, secure_deadline_cb, s);
	s->peers = peers_new();
	s->own_auth = !config->auth;
	s->auth = s->own_auth ? auth_new(s->base) : config->auth;
	s->rx = xmalloc(INPUT_PER_TURN);
	s->lexer = xmalloc(sizeof(*s->lexer));
	nut_lexer_init(s->lexer);
	hub_attach(hub, &front, s);

	if (!nut_server_configure(s, config, error, error_size)) {
		nut_server_free(s);
		return NULL;
	}
	return s;
}

void nut_server_free(struct nut_server *s)
{
	struct conn *c;

	if (!s)
		return;
	hub_detach(s->hub, s);
	listen_close_all(s);
	while ((c = TAILQ_FIRST(&s->by_age)))
		conn_close(c);
	if (s->own_auth)
		auth_free(s->auth);
	peers_free(s->peers);
	tls_unref(s->tls);
	lists_forget(s, NULL);
	event_free(s->idle_timer);
	event_free(s->run_timer);
	event_free(s->held_timer);
	event_free(s->accept_timer);
	event_free(s->handshake_timer);
	event_free(s->deadline_timer);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	out_close(&s->out);
	free(s->lexer);
	free(s->rx);
	free(s);
}

size_t nut_server_connections(const struct nut_server *s)
{
	return s->n_conns;
}
