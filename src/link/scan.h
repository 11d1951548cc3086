#pragma once

#include <limits.h>

#include "link/adapter.h"

/* A serial port of this machine. Nothing is opened to find it. */
struct scan_port {
	char device[PATH_MAX];	/* "/dev/ttyUSB0" */
	char by_path[PATH_MAX]; /* "/dev/serial/by-path/...", the name to configure; "" if none */
	struct adapter adapter;
};

/** port is borrowed for the call. */
typedef void (*scan_cb)(void *user, const struct scan_port *port);

/**
 * List the serial ports that have hardware behind them, ttyUSB2 before ttyUSB10.
 *
 * @sysfs  where sysfs is; NULL for /sys
 * @dev    where device nodes are; NULL for /dev
 *
 * Returns how many there are, or U2K_ENOTSUP if sysfs cannot be read.
 */
int scan_ports(const char *sysfs, const char *dev, scan_cb cb, void *user);
