#pragma once

#include <stdbool.h>

/*
 * Going to the background as service managers and upsdrvctl expect it: the process they started
 * ends when the driver works (status 0) or could not start (1).
 */
struct background {
	int fd; /* to the waiting parent; -1: in the foreground */
};

/** Fork; only the child returns. False with errno if that is not possible. */
bool background_start(struct background *background);
/** The driver works: the parent ends, and the standard descriptors go to /dev/null. */
void background_ready(struct background *background);
