#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/link.h"
#include "ups/engine.h"
#include <ups2000/ups.h>

struct event_base;

/*
 * A port and the UPSes behind it, on the loop: joins a link (bytes), a line (arbitration) and a
 * session per UPS (meaning). Used by the daemon, the NUT driver and the tester alike.
 */
struct port;
struct port_unit;

struct port_unit_config {
	unsigned unit_id;		      /* Modbus address 1..247 */
	unsigned number;		      /* UPS number 1..4; others than 1 are read only */
	const char *serial;		      /* ESN it must have, or NULL; copied */
	bool control;			      /* false: only monitored */
	unsigned status_interval_ms;	      /* 0 = as fast as the line allows */
	struct engine_delays delays;	      /* for the commands that count down */
	const struct engine_journal *journal; /* what an earlier process left, or NULL; copied */
	bool same_boot;			      /* it was written since this machine started */
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
	/* Orders and what must survive: see struct engine_ops. All NULL: only monitored. */
	void (*progress)(void *user, uint64_t token, const char *text);
	void (*done)(void *user, uint64_t token, enum u2k_outcome outcome, int error,
		     const char *text);
	void (*journal)(void *user, const struct engine_journal *journal);
	void (*delays)(void *user, const struct engine_delays *delays);
};

/**
 * Open a port by name: a path, tcp://HOST[:PORT] or rtu+tcp://HOST:PORT (see link/url.h). A TCP
 * connection on which nothing comes for a while is made anew.
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

/** Take an order; done() is called once for it, perhaps from within. See engine_order(). */
void port_order(struct port_unit *unit, uint64_t token, bool setting, const char *name,
		const char *value);
/** The configured delays changed; for orders to come. */
void port_set_delays(struct port_unit *unit, const struct engine_delays *delays);
/** The journal handed out last was saved, or could not be. */
void port_journal_saved(struct port_unit *unit, bool ok);
/** Delays, debts, an armed switch-off; NULL if the unit is only monitored. */
const struct engine *port_engine(const struct port_unit *unit);

const struct u2k_snapshot *port_snapshot(const struct port_unit *unit);
enum link_state port_link_state(const struct port *port);
/**
 * Whether what is due on the port is done in time: false if something should have been done some
 * seconds ago. A port that is not there, or whose UPS is mute, is on time.
 */
bool port_on_time(const struct port *port, int64_t now_us);
const char *port_reason(const struct port *port);  /* why it is not up; "" when up */
const char *port_adapter(const struct port *port); /* about the adapter; "" if not known */
