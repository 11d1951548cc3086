#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/link.h"
#include <ups2000/ups.h>

struct event_base;

/*
 * A port and the UPSes behind it, on the loop: joins a link (bytes), a line (arbitration) and a
 * session per UPS (meaning). Used by the daemon, the NUT driver and the tester alike.
 */
struct port;
struct port_unit;

struct port_unit_config {
	unsigned unit_id;	     /* Modbus address 1..247 */
	unsigned number;	     /* UPS number 1..4; others than 1 are read only */
	const char *serial;	     /* ESN it must have, or NULL; copied */
	bool control;		     /* false: only monitored */
	unsigned status_interval_ms; /* 0 = as fast as the line allows */
};

struct port_unit_ops {
	/** The snapshot changed; mask: U2K_CHANGED_*. snap is borrowed for the call. */
	void (*changed)(void *user, const struct u2k_snapshot *snap, uint64_t mask);
	/**
	 * Something happened that people should hear of. kind is a short stable word
	 * ("link-up", "link-down", "identified", "wrong-serial", ...), severity "info", "warning" or
	 * "alert", text one sentence. Borrowed for the call.
	 */
	void (*event)(void *user, const char *kind, const char *severity, const char *text);
};

/**
 * Open a port by name: a path, later also tcp:// and rtu+tcp://.
 *
 * Returns NULL and writes why into error (at least 128 bytes) if the name cannot be a port. A port
 * that is absent or refused now is no error: it is tried until it works.
 */
struct port *port_new(struct event_base *base, const char *name, unsigned baud, char *error,
		      size_t error_size);
/** Add a UPS. Callbacks come from the loop. NULL if the unit id is taken or the port is full. */
struct port_unit *port_add(struct port *port, const struct port_unit_config *config,
			   const struct port_unit_ops *ops, void *user);
void port_remove(struct port_unit *unit);
/** Frees the port and all its units. */
void port_free(struct port *port);

const struct u2k_snapshot *port_snapshot(const struct port_unit *unit);
enum link_state port_link_state(const struct port *port);
const char *port_reason(const struct port *port);  /* why it is not up; "" when up */
const char *port_adapter(const struct port *port); /* about the adapter; "" if not known */
