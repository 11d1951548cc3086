#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sim_server;

/* What commands act on. The functions do what only the program can; NULL: it cannot. */
struct sim_world {
	struct sim_server *srv;
	struct sim_server *
		*units; /* what "unit N COMMAND" selects from, 1-based; NULL: srv alone */
	size_t n_units;
	int (*unplug)(void *user); /* 0, or U2K_EINVAL: it is unplugged already */
	int (*replug)(void *user);
	void (*quit)(void *user);
	const char *(*port)(void *user); /* path of the port; NULL: unplugged */
	void *user;
};

/**
 * Carry out one command line (no newline) and write one reply line: "ok ...", or "error: " with
 * what is wrong and what would be right. docs/simulator.md lists the commands.
 *
 * Returns 0 or U2K_EINVAL (then nothing was done).
 */
int sim_command(struct sim_world *world, int64_t now_us, const char *line, FILE *out);
