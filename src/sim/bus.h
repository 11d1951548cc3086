#pragma once

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct sim_server;
struct bus;

/* Who hears what the units on a line send. */
struct bus_ear {
	void (*heard)(void *user, const uint8_t *data, size_t len);
	void *user;
	struct bus_ear *next; /* the bus's */
};

/** A line with any number of units on it, on the loop. They hear everything, their own id counts. */
struct bus *bus_new(struct event_base *base);
/** Frees its units too. NULL is fine. */
void bus_free(struct bus *bus);

/** srv is taken. */
void bus_add(struct bus *bus, struct sim_server *srv);
/** ear is borrowed until bus_free(). */
void bus_listen(struct bus *bus, struct bus_ear *ear);

/** Bytes from a client go onto the line. */
void bus_send(struct bus *bus, const uint8_t *data, size_t len);
/** Something changed that may change what is due next. */
void bus_run(struct bus *bus);
