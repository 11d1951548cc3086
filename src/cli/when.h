#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** "45 s", "12 min", "1 h 5 min", "3 d 4 h" */
void when_duration(char *out, size_t size, double seconds);

/** "2026-01-31T12:00:00.123Z" to microseconds since 1970; false if it is not of this form. */
bool when_parse_utc(const char *text, int64_t *wall_us);

/**
 * What people give as --since: "30s", "10m", "2h", "7d" before now; "2026-01-31",
 * "2026-01-31 12:00[:30]" (or with a T) local time; or UTC with a Z at the end.
 */
bool when_parse_since(const char *text, int64_t now_us, int64_t *wall_us);

/** Local time, "2026-01-31 12:00:00", or only "12:00:00". */
void when_local(char *out, size_t size, int64_t wall_us, bool date);
