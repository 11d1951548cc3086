#pragma once

#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* "2026-01-31T12:00:00.123Z", as everywhere in the API. */
enum { WHEN_MAX = 40 };

static inline void when_iso(char out[WHEN_MAX], int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm = { 0 };
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(out, WHEN_MAX - 6, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, WHEN_MAX - len, ".%03dZ", (int)(wall_us / 1000 % 1000));
}
