#include "daemon/shutdown_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/util.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify/wol.h"
#include "util/util.h"

#define LOG_PART "wake"
#include "util/log.h"

/* Hosts that halted but kept their power: packets, and a look whether they are up. */

enum { LOOK_S = 5 };

struct wake {
	struct wakes *wakes;
	unsigned index;
	int fd; /* a connection that is being tried, or -1 */
	struct event *event;
};

struct wakes {
	struct shutdown *shutdown;
	struct wake *list;
	size_t n;
	struct event *look;
};

static void drop(struct wake *wake)
{
	if (wake->event)
		event_free(wake->event);
	if (wake->fd >= 0)
		close(wake->fd);
	wake->event = NULL;
	wake->fd = -1;
}

/* Connected, or refused by the host itself: both tell that it is up. */
static void on_answer(evutil_socket_t fd, short what, void *user)
{
	struct wake *wake = user;
	struct shutdown *s = wake->wakes->shutdown;
	int error = 0;
	socklen_t len = sizeof(error);

	if (!(what & EV_WRITE))
		error = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	drop(wake);
	if (error && error != ECONNREFUSED)
		return;
	policy_host_up(s->policy, wake->index, clock_us());
	shutdown__poke(s);
}

static void try(struct wake *wake)
{
	struct shutdown *s = wake->wakes->shutdown;
	const char *seen = s->config->shutdown.wake[wake->index].seen;
	struct timeval limit = { LOOK_S - 1, 0 };
	struct sockaddr_storage address;
	int len = sizeof(address);

	drop(wake);
	if (!seen || evutil_parse_sockaddr_port(seen, (struct sockaddr *)&address, &len) < 0)
		return;
	wake->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (wake->fd < 0)
		return;
	if (connect(wake->fd, (struct sockaddr *)&address, (socklen_t)len) < 0 &&
	    errno != EINPROGRESS && errno != ECONNREFUSED) {
		drop(wake);
		return;
	}
	wake->event = event_new(hub_base(s->hub), wake->fd, EV_WRITE, on_answer, wake);
	event_add(wake->event, &limit);
}

static void on_look(evutil_socket_t fd, short what, void *user)
{
	struct wakes *wakes = user;
	bool more = false;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < wakes->n; i++) {
		if (!policy_host_awaited(wakes->shutdown->policy, i))
			continue;
		try(&wakes->list[i]);
		more = true;
	}
	if (!more)
		event_del(wakes->look);
}

static void look_often(struct wakes *wakes)
{
	static const struct timeval often = { LOOK_S, 0 };

	if (!event_pending(wakes->look, EV_TIMEOUT, NULL))
		event_add(wakes->look, &often);
}

void shutdown__wake(struct shutdown *s, const struct policy_action *action)
{
	const struct config_wake *config = &s->config->shutdown.wake[action->host];
	struct wol_route route = { .address = config->broadcast, .interface = config->interface };
	char error[256];

	if (!wol_send(&config->host, &route, error, sizeof(error)))
		log_warning("%s: no packet could be sent: %s", config->name, error);
	if (config->seen)
		look_often(s->wakes);
}

struct wakes *shutdown__wakes_new(struct shutdown *s)
{
	struct wakes *wakes = xcalloc(1, sizeof(*wakes));

	wakes->shutdown = s;
	wakes->n = s->config->shutdown.n_wake;
	wakes->list = xcalloc(wakes->n + 1, sizeof(*wakes->list));
	wakes->look = event_new(hub_base(s->hub), -1, EV_PERSIST, on_look, wakes);
	for (size_t i = 0; i < wakes->n; i++)
		wakes->list[i] = (struct wake){ wakes, (unsigned)i, -1, NULL };
	if (wakes->n) /* those whom an earlier run has woken */
		look_often(wakes);
	return wakes;
}

void shutdown__wakes_free(struct wakes *wakes)
{
	for (size_t i = 0; i < wakes->n; i++)
		drop(&wakes->list[i]);
	event_free(wakes->look);
	free(wakes->list);
	free(wakes);
}
