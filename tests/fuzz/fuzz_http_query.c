/* Input: what records are asked for, then a request target. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "front/http/query.h"
#include "front/http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t now = INT64_C(1767225600) * 1000000;
	struct record_query query;
	struct query_error error = { NULL, "" };
	struct route route;
	enum record_kind kind;
	char target[1024];

	if (size < 1)
		return 0;
	kind = (enum record_kind)(data[0] % 4);
	if (--size >= sizeof(target))
		size = sizeof(target) - 1;
	memcpy(target, data + 1, size);
	target[size] = '\0';
	if (!route_parse(&route, target))
		return 0;
	if (!query_parse(&route, kind, now, &query, &error)) {
		check(error.field && *error.detail && strlen(error.detail) < sizeof(error.detail));
		return 0;
	}
	check(query.kind == kind && query.from_us >= 0 && query.from_us < query.to_us);
	check(query.points >= 1 && query.points <= RECORD_POINTS_MAX);
	check(query.limit >= 1 && query.limit <= RECORD_ROWS_MAX);
	check(query.before <= INT64_MAX);
	return 0;
}
