#pragma once

#include <stdbool.h>

/* What an instant command does to the load, in words for the person who is about to give it. */
struct effect {
	const char *command;
	bool confirm;	    /* may cost the load its power or its protection: ask first */
	const char *effect; /* one sentence without a full stop */
};

/** NULL if the command has no row: it does not touch the load. */
const struct effect *effect_find(const char *command);
