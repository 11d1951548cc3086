#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Switching off by a daemon that still runs, over its local API. Blocking. */
struct late_ask {
	const char *ups, *command;
	const char *value; /* NULL: the delay that is set */
	bool off;	   /* out: seen off */
};

/**
 * Ask for all of them and wait to see them off.
 *
 * Returns false if no daemon answers at socket; off is set only for true.
 */
bool late_ask(const char *socket, struct late_ask *ask, size_t n, unsigned seconds);

/** End the daemon whose runtime directory this is and wait for it: it holds the line. */
void late_ask_end(const char *runtime_dir, unsigned wait_ms);
