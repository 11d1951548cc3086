#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "link/link_impl.h"
#include "link/scan.h"

/* Whether a port could be used, found out without opening it: that alone moves modem lines. */
struct scan_state {
	bool usable;
	char reason[LINK_REASON_MAX]; /* why not, and what would help */
};

void scan_look(const struct scan_port *port, struct scan_state *out);

/**
 * All ports there are (see scan_ports()); *ports is to be freed.
 *
 * Returns false if sysfs cannot be read; *ports is NULL then.
 */
bool scan_list(const char *sysfs, const char *dev, struct scan_port **ports, size_t *n);

/** The name to configure: one that stays with the socket, if there is one. */
const char *scan_best_name(const struct scan_port *port);

/** A few lines for people, on standard output. */
void scan_describe(const struct scan_port *port, const struct scan_state *state);
