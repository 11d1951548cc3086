#pragma once

#include <stdbool.h>

/* What the programs of random lives share: their numbers, and several processes at the same time. */

/** A whole number of at least that; out is written only on success. */
bool jobs_number(const char *text, unsigned long least, unsigned long *out);

/** Does job number job of the many; true if all went well. */
typedef bool (*jobs_fn)(const void *options, unsigned long job);

/** Run them, each in a process of its own if there are several. The exit code: 0 if all were good. */
int jobs_run(unsigned long jobs, jobs_fn run, const void *options);
