#include "link/link.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "link/explain.h"
#include "link/hotplug.h"
#include "link/link_impl.h"
#include "link/out_queue.h"
#include "link/tty.h"
#include "util/util.h"
#include <ups2000/error.h>

#define POLL_MS 400	  /* behind inotify; a port is back within 0.5 s */
#define REOPEN_MS 50	  /* between close and open on request */
#define BRIEF_US 1000000  /* a port that fails sooner than this is not well ... */
#define SKIP_POLLS_MAX 12 /* ... and is tried less and less often, but for hotplug events */

/* Why the tick is due. */
enum next {
	NEXT_TRY,    /* open */
	NEXT_REOPEN, /* close, then open */
	NEXT_LOST,   /* a write failed */
};

struct serial {
	struct link link; /* first */
	char *path, *sysfs, *lock_dir;
	unsigned baud;
	struct hotplug *hotplug;
	struct event poll, tick, readable, writable;
	enum next next;
	int next_errno;
	int fd; /* -1 unless up */
	struct uucp_lock lock;
	int64_t opened_us;
	bool heard;	      /* bytes came since it was opened */
	bool lost;	      /* absent since it was up; the reason tells how that ended */
	unsigned skip, skips; /* polls to let pass: now, and after the next failure */
	struct out_queue out;
};

static struct serial *serial_of(struct link *link)
{
	return container_of(link, struct serial, link);
}

static void tick_after(struct serial *s, enum next next, unsigned ms)
{
	struct timeval tv = { 0, (suseconds_t)ms * 1000 };

	s->next = next;
	evtimer_add(&s->tick, &tv);
}

static void shut(struct serial *s)
{
	if (s->fd < 0)
		return;
	event_del(&s->readable);
	event_del(&s->writable);
	tty_close(s->fd, &s->lock);
	s->fd = -1;
	s->out.len = 0;
	s->link.adapter[0] = '\0';
}

/* The caller returns at once: the owner may have freed the link. */
static void lose(struct serial *s, int err, bool retry_now)
{
	struct link_verdict v;

	if (s->heard || clock_us() - s->opened_us > BRIEF_US)
		s->skips = 0;
	else
		s->skips = s->skips ? s->skips * 2 : 1;
	if (s->skips > SKIP_POLLS_MAX)
		s->skips = SKIP_POLLS_MAX;
	s->skip = s->skips;
	s->lost = true;
	event_del(&s->tick);
	if (retry_now)
		tick_after(s, NEXT_TRY, 0);
	shut(s);
	explain_lost(&v, s->path, err);
	link_enter(&s->link, v.state, v.reason);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct serial *s = arg;
	uint8_t buf[1024];
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)what;
	if (n > 0) {
		s->heard = true;
		link_deliver(&s->link, buf, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		lose(s, n ? errno : 0, false);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct serial *s = arg;
	int err = out_queue_run(&s->out, fd, write);

	(void)what;
	if (err) {
		lose(s, err, false);
		return;
	}
	if (!s->out.len)
		event_del(&s->writable);
}

static void came_up(struct serial *s, int fd)
{
	struct event_base *base = event_get_base(&s->poll);

	s->fd = fd;
	s->opened_us = clock_us();
	s->heard = false;
	s->lost = false;
	event_assign(&s->readable, base, fd, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->writable, base, fd, EV_WRITE | EV_PERSIST, on_writable, s);
	event_add(&s->readable, NULL);
	link_enter(&s->link, LINK_UP, "");
}

static void try_open(struct serial *s)
{
	struct tty_params params = { s->path, s->sysfs, s->lock_dir, s->baud };
	struct adapter adapter;
	struct link_verdict v;

	hotplug_update(s->hotplug);
	int fd = tty_open(&params, &s->lock, &adapter, &v);

	adapter_text(&adapter, s->link.adapter, sizeof(s->link.adapter));
	if (fd >= 0) {
		came_up(s, fd);
		return;
	}
	if (v.state == LINK_ABSENT && s->lost)
		return; /* gone is gone; how it went says more */
	s->lost = false;
	link_enter(&s->link, v.state, v.reason);
}

/* Something may have changed on the way to the node. */
static void look(struct serial *s)
{
	if (s->fd < 0) {
		try_open(s);
	} else if (!tty_same_node(s->fd, s->path)) {
		lose(s, ENODEV, true);
	}
}

static void on_hotplug(void *user)
{
	look(user);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct serial *s = arg;

	(void)fd;
	(void)what;
	if (s->fd < 0 && s->skip) {
		s->skip--;
		return;
	}
	if (!evtimer_pending(&s->tick, NULL))
		look(s);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct serial *s = arg;

	(void)fd;
	(void)what;
	switch (s->next) {
	case NEXT_TRY:
		if (s->fd < 0)
			try_open(s);
		break;
	case NEXT_REOPEN:
		tick_after(s, NEXT_TRY, REOPEN_MS);
		s->lost = false;
		shut(s);
		link_enter(&s->link, LINK_OPENING, "The port is being closed and opened again.");
		break;
	case NEXT_LOST:
		lose(s, s->next_errno, false);
		break;
	}
}

static int serial_write(struct link *link, const uint8_t *data, size_t len)
{
	struct serial *s = serial_of(link);
	int err;

	if (s->fd < 0 || (evtimer_pending(&s->tick, NULL) && s->next != NEXT_TRY))
		return U2K_ECLOSED;
	err = out_queue_put(&s->out, s->fd, write, data, len);
	if (err > 0) {
		s->next_errno = err;
		tick_after(s, NEXT_LOST, 0);
		return U2K_ECLOSED;
	}
	if (s->out.len)
		event_add(&s->writable, NULL);
	return err;
}

static void serial_flush(struct link *link)
{
	struct serial *s = serial_of(link);

	if (s->fd < 0)
		return;
	tcflush(s->fd, TCIOFLUSH);
	s->out.len = 0;
	event_del(&s->writable);
}

static void serial_reopen(struct link *link)
{
	struct serial *s = serial_of(link);

	tick_after(s, s->fd < 0 ? NEXT_TRY : NEXT_REOPEN, 0);
}

static void serial_free(struct link *link)
{
	struct serial *s = serial_of(link);

	shut(s);
	event_del(&s->poll);
	event_del(&s->tick);
	hotplug_free(s->hotplug);
	free(s->path);
	free(s->sysfs);
	free(s->lock_dir);
	free(s);
}

static const struct link_impl serial_impl = {
	.write = serial_write,
	.flush = serial_flush,
	.reopen = serial_reopen,
	.free = serial_free,
};

struct link *link_serial_new(struct event_base *base, const struct link_serial_config *config,
			     const struct link_ops *ops, void *user)
{
	struct timeval poll_time = { 0, POLL_MS * 1000 };

	if (!*config->path || strlen(config->path) >= PATH_MAX || !link_baud_ok(config->baud))
		return NULL;
	struct serial *s = xcalloc(1, sizeof(*s));

	link_init(&s->link, &serial_impl, ops, user);
	s->path = xstrdup(config->path);
	s->sysfs = xstrdup(config->sysfs ? config->sysfs : "/sys");
	s->lock_dir = xstrdup(config->lock_dir ? config->lock_dir : "/run/lock");
	s->baud = config->baud;
	s->fd = -1;
	event_assign(&s->poll, base, -1, EV_PERSIST, on_poll, s);
	evtimer_assign(&s->tick, base, on_tick, s);
	event_add(&s->poll, &poll_time);
	s->hotplug = hotplug_new(base, s->path, on_hotplug, s);
	tick_after(s, NEXT_TRY, 0);
	return &s->link;
}
