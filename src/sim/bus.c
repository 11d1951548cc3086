#include "sim/bus.h"

#include <stdbool.h>
#include <stdlib.h>

#include <event2/event.h>

#include "sim/server.h"
#include "util/util.h"

enum { CHUNK = 512, FAR_US = 1000000000 };

struct bus {
	struct event *timer;
	struct sim_server **units;
	size_t n_units;
	struct bus_ear *ears;
	bool running, again;
};

static void send_due(struct bus *bus, struct sim_server *srv, int64_t now_us)
{
	uint8_t out[CHUNK];
	size_t n;

	while ((n = sim_server_send(srv, now_us, out, sizeof(out))) > 0)
		for (struct bus_ear *ear = bus->ears; ear; ear = ear->next)
			ear->heard(ear->user, out, n);
}

/* Let what is due happen; returns when something is next. */
static int64_t run_units(struct bus *bus)
{
	int64_t now_us = clock_us(), next = SIM_NEVER;

	for (size_t i = 0; i < bus->n_units; i++) {
		int64_t due = sim_server_next_us(bus->units[i]);

		if (due <= now_us) {
			send_due(bus, bus->units[i], now_us);
			due = sim_server_next_us(bus->units[i]);
		}
		next = due < next ? due : next;
	}
	return next;
}

void bus_run(struct bus *bus)
{
	int64_t next, wait;
	struct timeval tv;

	bus->again = true;
	if (bus->running)
		return; /* somebody who heard a byte sends at once */
	bus->running = true;
	do {
		bus->again = false;
		next = run_units(bus);
	} while (bus->again);
	bus->running = false;

	wait = next - clock_us();
	wait = wait < 0 ? 0 : wait > FAR_US ? FAR_US : wait;
	tv.tv_sec = (time_t)(wait / 1000000);
	tv.tv_usec = (suseconds_t)(wait % 1000000);
	event_add(bus->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	(void)fd, (void)what;
	bus_run(user);
}

struct bus *bus_new(struct event_base *base)
{
	struct bus *bus = xcalloc(1, sizeof(*bus));

	bus->timer = event_new(base, -1, 0, on_timer, bus);
	return bus;
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	event_free(bus->timer);
	for (size_t i = 0; i < bus->n_units; i++)
		free(bus->units[i]);
	free(bus->units);
	free(bus);
}

void bus_add(struct bus *bus, struct sim_server *srv)
{
	bus->units = xrealloc(bus->units, (bus->n_units + 1) * sizeof(struct sim_server *));
	bus->units[bus->n_units++] = srv;
}

void bus_listen(struct bus *bus, struct bus_ear *ear)
{
	ear->next = bus->ears;
	bus->ears = ear;
}

void bus_send(struct bus *bus, const uint8_t *data, size_t len)
{
	int64_t now_us = clock_us();

	for (size_t i = 0; i < bus->n_units; i++)
		sim_server_receive(bus->units[i], now_us, data, len);
	bus_run(bus);
}
