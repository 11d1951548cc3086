#include "front/http/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "front/http/route.h"
#include "util/util.h"

static const int64_t NOW = INT64_C(1767225600) * 1000000; /* 2026-01-01T00:00:00Z */

static void test_times(void **state)
{
	/* seconds from: date -u -d TEXT +%s */
	static const struct {
		const char *text;
		int64_t us; /* -1: refused */
	} rows[] = {
		{ "0", 0 },
		{ "1767225600", INT64_C(1767225600000000) },
		{ "1767225600.25", INT64_C(1767225600250000) },
		{ "2026-01-01", INT64_C(1767225600000000) },
		{ "2026-01-01T00:00", INT64_C(1767225600000000) },
		{ "2026-01-01T00:00:00Z", INT64_C(1767225600000000) },
		{ "2026-01-01T00:00:00.123456789Z", INT64_C(1767225600123456) },
		{ "2026-01-01T01:00:00+01:00", INT64_C(1767225600000000) },
		{ "2026-01-01T01:00:00 01:00", INT64_C(1767225600000000) },
		{ "2025-12-31T18:30:00-0530", INT64_C(1767225600000000) },
		{ "2024-02-29", INT64_C(1709164800000000) },
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800000000) },
		{ "", -1 },
		{ "-1", -1 },
		{ "now", -1 },
		{ "1e9", -1 },
		{ "99999999999999999999", -1 },
		{ "253402300800", -1 },
		{ "2026", 2026000000 },
		{ "2026-1-1", -1 },
		{ "2026-13-01", -1 },
		{ "2026-02-29", -1 },
		{ "2026-04-31T10:00:00Z", -1 },
		{ "2026-01-01T24:00:00Z", -1 },
		{ "2026-01-01T00:00:61Z", -1 },
		{ "2026-01-01T00:00:00+15:00", -1 },
		{ "2026-01-01T00:00:00+01:00x", -1 },
		{ "2026-01-01Tx", -1 },
		{ "1969-12-31", -1 },
		{ "1970-01-01T00:00:00+01:00", -1 },
		{ "1767225600.25x", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t us = -1;

		print_message("%s\n", rows[i].text);
		assert_int_equal(query_parse_time(rows[i].text, &us), rows[i].us >= 0);
		if (rows[i].us >= 0)
			assert_true(us == rows[i].us);
	}
}

static void test_queries(void **state)
{
	static const struct {
		enum record_kind kind;
		const char *query, *field; /* field NULL: good */
	} rows[] = {
		{ RECORD_HISTORY, "quantity=ups.load", NULL },
		{ RECORD_HISTORY, "quantity=ups.load&from=0&to=10&points=5000", NULL },
		{ RECORD_HISTORY, "", "quantity" },
		{ RECORD_HISTORY, "quantity=", "quantity" },
		{ RECORD_HISTORY, "quantity=ups.lod", "quantity" },
		{ RECORD_HISTORY, "quantity=ups.load&points=0", "points" },
		{ RECORD_HISTORY, "quantity=ups.load&points=5001", "points" },
		{ RECORD_HISTORY, "quantity=ups.load&points=x", "points" },
		{ RECORD_HISTORY, "quantity=ups.load&from=x", "from" },
		{ RECORD_HISTORY, "quantity=ups.load&to=", "to" },
		{ RECORD_HISTORY, "quantity=ups.load&from=10&to=10", "from" },
		{ RECORD_HISTORY, "quantity=ups.load&from=2026-01-02", "from" },
		{ RECORD_HISTORY, "quantity=ups.load&limit=1", "limit" },
		{ RECORD_HISTORY, "quantity=ups.load&ups=rack", "ups" },
		{ RECORD_OUTAGES, "", NULL },
		{ RECORD_OUTAGES, "limit=1000&before=7", NULL },
		{ RECORD_OUTAGES, "limit=1001", "limit" },
		{ RECORD_OUTAGES, "points=5", "points" },
		{ RECORD_LOG, "ups=rack&before=9223372036854775807&from=2025-01-01", NULL },
		{ RECORD_LOG, "before=9223372036854775808", "before" },
		{ RECORD_LOG, "before=-1", "before" },
		{ RECORD_LOG, "befor=1", "befor" },
		{ RECORD_TESTS, "to=2026-01-01T00:00:00Z", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct record_query query;
		struct query_error error = { 0 };
		struct route route;
		char target[256];

		snprintf(target, sizeof(target), "/api/v1/x?%s", rows[i].query);
		print_message("%s\n", target);
		assert_true(route_parse(&route, target));
		assert_int_equal(query_parse(&route, rows[i].kind, NOW, &query, &error),
				 !rows[i].field);
		if (!rows[i].field)
			continue;
		assert_string_equal(error.field, rows[i].field);
		assert_true(strlen(error.detail) > 0);
	}
}

static void test_what_is_not_given(void **state)
{
	struct record_query query;
	struct query_error error;
	struct route route;

	(void)state;
	assert_true(route_parse(&route, "/x?quantity=battery.charge"));
	assert_true(query_parse(&route, RECORD_HISTORY, NOW, &query, &error));
	assert_int_equal(query.qty, U2K_QTY_BATTERY_CHARGE);
	assert_true(query.to_us == NOW && query.from_us == NOW - 86400 * U2K_SEC);
	assert_int_equal(query.points, RECORD_POINTS);

	assert_true(route_parse(&route, "/x"));
	assert_true(query_parse(&route, RECORD_LOG, NOW, &query, &error));
	assert_true(query.to_us == NOW && query.from_us == 0 && query.before == 0);
	assert_int_equal(query.limit, RECORD_ROWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_what_is_not_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
