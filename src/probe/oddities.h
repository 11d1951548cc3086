#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "probe/survey.h"

/* What is unusual about a unit or its line, for people. */
enum oddity_severity { ODDITY_NOTE, ODDITY_WARNING };

struct oddity {
	const char *id; /* stable: "echo", "late", "unknown-alarm" ... */
	enum oddity_severity severity;
	char text[400];	  /* what was seen, and what it means */
	char remedy[400]; /* what to do; "" = nothing */
};

enum { ODDITIES_MAX = 32 };

/** Fill out; returns how many there are. */
size_t oddities_find(const struct survey *survey, struct oddity out[ODDITIES_MAX]);
