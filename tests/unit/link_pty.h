#pragma once

#include "link/link.h"
#include "link_rig.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <termios.h>

#include "util/util.h"
#include <ups2000/error.h>

#define DEADLINE_US (10 * 1000000)
#define BACK_US (500 * 1000) /* issue: opened again within 0.5 s */

/* A link to a pseudo-terminal, by a symlink "port" in a directory of its own. */
struct rig {
	struct event_base *base;
	struct link *link;
	char dir[64], port[PATH_MAX], sysfs[PATH_MAX], locks[PATH_MAX];
	int master;
	char slave[64];
	int keep[4]; /* slaves held open, or a test beside us gets a number that our port names */
	size_t n_keep;
	struct link_ops ops;
	/* what the callbacks told */
	unsigned calls, ups;
	enum link_state state;
	char reason[512];
	uint8_t rx[8192];
	size_t rx_len;
	unsigned rx_calls;
	/* what the callbacks do */
	bool free_on_state, free_on_rx, in_new;
	enum link_state free_state;
};

static inline void on_state(void *user, enum link_state state, const char *reason)
{
	struct rig *r = user;

	assert_false(r->in_new);
	assert_true(state != r->state || strcmp(reason, r->reason) != 0);
	assert_true((state == LINK_UP) == (*reason == '\0'));
	assert_int_equal(link_state(r->link), state);
	assert_string_equal(link_reason(r->link), reason);
	r->calls++;
	r->ups += state == LINK_UP;
	r->state = state;
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
	if (r->free_on_state && state == r->free_state) {
		link_free(r->link);
		r->link = NULL;
	}
}

static inline void on_rx(void *user, const uint8_t *data, size_t len)
{
	struct rig *r = user;

	assert_true(len > 0 && r->rx_len + len <= sizeof(r->rx));
	memcpy(r->rx + r->rx_len, data, len);
	r->rx_len += len;
	r->rx_calls++;
	if (r->free_on_rx) {
		link_free(r->link);
		r->link = NULL;
	}
}

static inline void open_pty(struct rig *r)
{
	int slave;
	struct termios raw;

	assert_int_equal(openpty(&r->master, &slave, r->slave, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &raw), 0);
	assert_int_equal(fcntl(r->master, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(r->master, F_SETFD, FD_CLOEXEC), 0);
	assert_true(r->n_keep < ARRAY_SIZE(r->keep));
	r->keep[r->n_keep++] = slave;
}

static inline void start(struct rig *r)
{
	struct link_serial_config config = {
		.path = r->port, .baud = 9600, .sysfs = r->sysfs, .lock_dir = r->locks
	};

	r->state = LINK_OPENING;
	r->in_new = true;
	r->link = link_serial_new(r->base, &config, &r->ops, r);
	assert_non_null(r->link);
	r->in_new = false;
}

static inline int setup(void **state)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	scratch_open(r->dir, sizeof(r->dir));
	snprintf(r->port, sizeof(r->port), "%s/port", r->dir);
	snprintf(r->sysfs, sizeof(r->sysfs), "%s/sys", r->dir);
	snprintf(r->locks, sizeof(r->locks), "%s/lock", r->dir);
	put_dir(r->dir, "sys");
	put_dir(r->dir, "lock");
	open_pty(r);
	r->base = event_base_new();
	r->ops = (struct link_ops){ on_state, on_rx };
	*state = r;
	return 0;
}

static inline int teardown(void **state)
{
	struct rig *r = *state;

	link_free(r->link);
	assert_int_equal(event_base_get_num_events(r->base, EVENT_BASE_COUNT_ADDED |
								    EVENT_BASE_COUNT_ACTIVE),
			 0);
	event_base_free(r->base);
	while (r->n_keep)
		close(r->keep[--r->n_keep]);
	if (r->master >= 0)
		close(r->master);
	scratch_close(r->dir);
	free(r);
	return 0;
}

static inline void nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Turn the loop until the condition holds; returns how long that took. */
static inline int64_t run_until(struct rig *r, bool (*done)(const struct rig *r), int64_t limit_us)
{
	struct timeval tick = { 0, 20000 };
	struct event *ev = event_new(r->base, -1, EV_PERSIST, nothing, NULL);
	int64_t from = clock_us();

	event_add(ev, &tick);
	while (!done(r) && clock_us() - from < limit_us)
		event_base_loop(r->base, EVLOOP_ONCE);
	event_free(ev);
	return clock_us() - from;
}

static inline bool is_up(const struct rig *r)
{
	return r->state == LINK_UP;
}

static inline bool is_absent(const struct rig *r)
{
	return r->state == LINK_ABSENT;
}

static inline bool is_refused(const struct rig *r)
{
	return r->state == LINK_REFUSED;
}

static inline bool is_freed(const struct rig *r)
{
	return !r->link;
}

static inline bool is_up_again(const struct rig *r)
{
	return r->state == LINK_UP && r->ups >= 2;
}

static inline bool never(const struct rig *r)
{
	(void)r;
	return false;
}

static inline bool got_five(const struct rig *r)
{
	return r->rx_len >= 5;
}

static inline void expect(struct rig *r, bool (*done)(const struct rig *r))
{
	run_until(r, done, DEADLINE_US);
	if (!done(r))
		fail_msg("state %d after the deadline: %s", r->state, r->reason);
}

static inline void expect_reason(struct rig *r, const char *part)
{
	if (!strstr(r->reason, part))
		fail_msg("reason is \"%s\", without \"%s\"", r->reason, part);
}
