#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/records.h"

struct route;

/* What is wrong with a query: which parameter, and a sentence. */
struct query_error {
	const char *field; /* static */
	char detail[256];
};

/**
 * A query for records from the parameters of a request (docs/api.md, "Records"). The UPS is left
 * to the caller.
 *
 * @now_us  wall clock; what "to" is if it is not given
 *
 * Returns false and fills error if a parameter is unknown, out of range, or missing.
 */
bool query_parse(const struct route *route, enum record_kind kind, int64_t now_us,
		 struct record_query *query, struct query_error *error);

/**
 * A time: seconds since 1970, or ISO 8601 ("2026-01-31", "2026-01-31T12:00:00[.123]", with Z or
 * +01:00 at its end; without, UTC). Years 1970 to 9999. A blank before the offset is taken for a
 * "+": that is what a "+" in a query means to most clients.
 */
bool query_parse_time(const char *text, int64_t *wall_us);
