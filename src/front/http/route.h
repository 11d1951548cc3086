#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { ROUTE_PARTS_MAX = 6, ROUTE_PART_MAX = 128, ROUTE_PARAMS_MAX = 8 };

/* A request target, taken apart and decoded: "/api/v1/ups/rack?x=1". */
struct route {
	size_t n;
	char parts[ROUTE_PARTS_MAX][ROUTE_PART_MAX];
	size_t n_params;
	struct {
		char name[32], value[ROUTE_PART_MAX];
	} params[ROUTE_PARAMS_MAX];
};

/**
 * Take a request target apart. Percent escapes are decoded per part, so %2F never splits a part.
 *
 * Returns false for anything that is not a plain absolute path: bad escapes, a NUL, "." or ".."
 * or empty parts (one slash at the end is allowed), too many or too long parts or parameters.
 */
bool route_parse(struct route *route, const char *target);

/** The value of a query parameter, "" if it has none, or NULL. */
const char *route_param(const struct route *route, const char *name);
