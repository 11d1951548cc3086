#pragma once

#include <stdbool.h>
#include "link/link_impl.h"
#include "link/scan.h"

/* Whether a port could be used, found out without opening it: that alone moves modem lines. */
struct scan_state {
	bool usable;
	char reason[LINK_REASON_MAX]; /* why not, and what would help */
};

void scan_look(const struct scan_port *port, struct scan_state *out);
