/*
 * A daemon that is none: serves a hub filled by hand on a socket, for tests of the command line.
 *
 *   http_fixture SOCKET [NAME...]
 *
 * prints "ready" when it serves, then reads lines: "outage NAME", "mains NAME", "stale NAME",
 * "closed NAME", "alarm NAME", "gate NAME", "evil NAME", "remove NAME", "event TEXT". It answers
 * each with "ok". Ends with its standard input.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include "front/http/front.h"
#include "unit/made_hub.h"
#include <ups2000/error.h>

/* Orders go on for a while here; what they come to is told by their name. */
struct pending_order {
	struct pending_order *next;
	struct hub_ups *ups;
	struct hub_order *order;
	struct event *timer;
	int step;
};

struct fixture {
	struct event_base *base;
	struct hub *hub;
	struct event *fresh;
	bool stale;
};

/* Orders that were still under way when the test ended. */
static struct pending_order *all_pending;

static void free_pending(struct pending_order *pending)
{
	struct pending_order **p = &all_pending;

	while (*p != pending)
		p = &(*p)->next;
	*p = pending->next;
	event_free(pending->timer);
	free(pending);
}

static void order_step(evutil_socket_t fd, short what, void *data)
{
	static const struct timeval pause = { .tv_usec = 300000 };
	struct pending_order *pending = data;

	(void)fd;
	(void)what;
	if (pending->step++ == 0) {
		hub_order_progress(pending->ups, pending->order, "armed, due in 1 s");
		event_add(pending->timer, &pause);
		return;
	}
	if (pending->order->value && !strcmp(pending->order->value, "fail"))
		hub_order_end(pending->ups, pending->order, U2K_FAILED, U2K_ETIMEOUT,
			      "the device did not do it");
	else if (!pending->order->value || strcmp(pending->order->value, "never") != 0)
		hub_order_end(pending->ups, pending->order, U2K_VERIFIED, 0, "seen in the device");
	free_pending(pending);
}

static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	static const struct timeval pause = { .tv_usec = 300000 };
	struct fixture *fixture = backend;
	struct pending_order *pending;

	if (order->value && !strcmp(order->value, "7")) {
		hub_order_end(ups, order, U2K_REFUSED, U2K_EINVAL, "nearest are 6 and 12");
		return;
	}
	pending = xcalloc(1, sizeof(*pending));
	pending->ups = ups;
	pending->order = order;
	pending->timer = event_new(fixture->base, -1, 0, order_step, pending);
	pending->next = all_pending;
	all_pending = pending;
	event_add(pending->timer, &pause);
}

static const struct hub_backend backend = { .order = take_order };

static void publish(struct hub_ups *ups, const struct u2k_snapshot *snap, const char *status)
{
	nut_store_set(ups->store, "ups.status", status);
	hub_publish(ups, snap, UINT64_MAX);
}

static void command(struct fixture *fixture, const char *what, const char *arg)
{
	struct hub_ups *ups = hub_find(fixture->hub, arg);
	int64_t now = clock_us();
	struct u2k_snapshot snap;

	if (!strcmp(what, "event")) {
		hub_event(fixture->hub, "test", "warning", NULL, NULL, "%s", arg);
		return;
	}
	if (!ups)
		return;
	made_snapshot(&snap, now);
	if (!strcmp(what, "outage")) {
		snap.flags = U2K_OB | U2K_DISCHRG;
		snap.qty[U2K_QTY_OUTPUT_SOURCE].value = U2K_SOURCE_BATTERY;
		snap.qty[U2K_QTY_BATTERY_STATE].value = U2K_BATTERY_DISCHARGING;
		snap.qty[U2K_QTY_INPUT_VOLTAGE].value = 0;
		snap.qty[U2K_QTY_INPUT_FREQUENCY].validity = U2K_INVALID;
		publish(ups, &snap, "OB DISCHRG");
	} else if (!strcmp(what, "mains")) {
		fixture->stale = false;
		publish(ups, &snap, "OL CHRG");
	} else if (!strcmp(what, "stale") || !strcmp(what, "closed")) {
		fixture->stale = true;
		snap.status_at_us = now - 35 * U2K_SEC;
		snap.comm = *what == 's' ? U2K_COMM_STALE : U2K_COMM_CLOSED;
		snap.gate = U2K_GATE_STALE;
		for (int q = 0; q < U2K_QTY_COUNT; q++)
			snap.qty[q].at_us = now - 35 * U2K_SEC;
		if (*what == 'c')
			hub_event(fixture->hub, "link-down", "warning", ups->name, NULL,
				  "/dev/ttyUSB0 is not there.");
		hub_publish(ups, &snap, UINT64_MAX);
	} else if (!strcmp(what, "alarm")) {
		snap.flags |= U2K_ALARM | U2K_OVER;
		snap.alarms.active = 1u << 6 | 1u << 8;
		snap.alarms_shown = snap.alarms.active;
		snap.alarms.unknown[4] = 1 << 3;
		publish(ups, &snap, "ALARM OL CHRG OVER");
	} else if (!strcmp(what, "gate")) {
		snap.gate = U2K_GATE_NO_DESCRIPTION;
		publish(ups, &snap, "OL CHRG");
	} else if (!strcmp(what, "evil")) {
		strcpy(snap.identity.model, "\033[2Jmodel\xff");
		publish(ups, &snap, "OL CHRG");
	} else if (!strcmp(what, "remove")) {
		hub_ups_remove(ups);
	}
}

/* The status is read again and again; nothing else changes. */
static void freshen(evutil_socket_t fd, short what, void *data)
{
	struct fixture *fixture = data;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < hub_ups_count(fixture->hub) && !fixture->stale; i++) {
		struct hub_ups *ups = hub_ups_at(fixture->hub, i);
		struct u2k_snapshot snap = ups->snap;

		snap.status_at_us = clock_us();
		for (int q = 0; q < U2K_QTY_COUNT; q++)
			snap.qty[q].at_us = snap.status_at_us;
		hub_publish(ups, &snap, U2K_CHANGED_STATUS_READ);
	}
}

static void read_line(struct bufferevent *bev, void *data)
{
	struct fixture *fixture = data;
	char *line;

	while ((line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF))) {
		char *arg = strchr(line, ' ');

		if (arg)
			*arg++ = '\0';
		command(fixture, line, arg ? arg : "");
		free(line);
		printf("ok\n");
		fflush(stdout);
	}
}

static void input_ended(struct bufferevent *bev, short what, void *data)
{
	struct fixture *fixture = data;

	(void)bev;
	(void)what;
	event_base_loopbreak(fixture->base);
}

int main(int argc, char **argv)
{
	static const struct timeval often = { .tv_usec = 150000 };
	struct event_config *config = event_config_new();
	struct fixture fixture = { 0 };
	struct http_front *front;
	struct bufferevent *input;
	char error[256];

	if (argc < 2)
		return 64;
	signal(SIGPIPE, SIG_IGN);
	event_config_avoid_method(config, "epoll"); /* standard input may be a file */
	fixture.base = event_base_new_with_config(config);
	event_config_free(config);
	fixture.hub = hub_new(fixture.base);
	front = http_front_new(fixture.hub, NULL, argv[1], error, sizeof(error));
	if (!front) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		struct hub_ups *ups = made_ups(fixture.hub, argv[i], i == 2 ? "Server room" : NULL,
					       i == 2 ? "first" : NULL);

		ups->ops = &backend;
		ups->backend = &fixture;
	}
	fixture.fresh = event_new(fixture.base, -1, EV_PERSIST, freshen, &fixture);
	event_add(fixture.fresh, &often);
	input = bufferevent_socket_new(fixture.base, 0, 0);
	bufferevent_setcb(input, read_line, NULL, input_ended, &fixture);
	bufferevent_enable(input, EV_READ);
	printf("ready\n");
	fflush(stdout);

	event_base_dispatch(fixture.base);

	bufferevent_free(input);
	event_free(fixture.fresh);
	http_front_free(front);
	while (all_pending)
		free_pending(all_pending);
	hub_free(fixture.hub);
	event_base_free(fixture.base);
	return 0;
}
