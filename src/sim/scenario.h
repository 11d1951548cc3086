#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/device.h"

/* A file of "+SECONDS COMMAND" lines: the command comes that long after the line before it, in the
 * device's time. '#' starts a comment line. */
struct scenario_step {
	int64_t at_us; /* device time */
	unsigned line;
	char *command;
};

struct scenario {
	char *path;
	struct scenario_step *steps;
	size_t n, next;
};

/**
 * Read a scenario and try every command on a device of these options that is thrown away.
 *
 * Returns NULL and err says FILE:LINE, what is wrong and what would be right. Ended by
 * scenario_free().
 */
struct scenario *scenario_load(const char *path, const struct sim_options *device, char *err,
			       size_t err_size);
void scenario_free(struct scenario *s);
