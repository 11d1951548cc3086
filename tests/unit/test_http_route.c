#include "front/http/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "util/util.h"

static void test_paths(void **state)
{
	static const struct {
		const char *target;
		bool good;
		size_t n;
		const char *last;
	} rows[] = {
		{ "/", true, 0, NULL },
		{ "/api/v1/ups", true, 3, "ups" },
		{ "/api/v1/ups/", true, 3, "ups" },
		{ "/api/v1/ups?x=1", true, 3, "ups" },
		{ "/ups/a%20b", true, 2, "a b" },
		{ "/ups/a%2fb", true, 2, "a/b" },
		{ "/ups/a+b", true, 2, "a+b" },
		{ "/ups/%c3%a4", true, 2, "\xc3\xa4" },
		{ "", false, 0, NULL },
		{ "ups", false, 0, NULL },
		{ "http://host/ups", false, 0, NULL },
		{ "//ups", false, 0, NULL },
		{ "/ups//x", false, 0, NULL },
		{ "/ups/..", false, 0, NULL },
		{ "/ups/%2e%2E/x", false, 0, NULL },
		{ "/./ups", false, 0, NULL },
		{ "/ups/%", false, 0, NULL },
		{ "/ups/%4", false, 0, NULL },
		{ "/ups/%4/a", false, 0, NULL },
		{ "/ups/%zz", false, 0, NULL },
		{ "/ups/%00", false, 0, NULL },
		{ "/ups/%0a", false, 0, NULL },
		{ "/1/2/3/4/5/6", true, 6, "6" },
		{ "/1/2/3/4/5/6/7", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct route route;

		print_message("%s\n", rows[i].target);
		assert_int_equal(route_parse(&route, rows[i].target), rows[i].good);
		if (!rows[i].good)
			continue;
		assert_int_equal(route.n, rows[i].n);
		if (rows[i].last)
			assert_string_equal(route.parts[route.n - 1], rows[i].last);
	}
}

static void test_queries(void **state)
{
	static const struct {
		const char *target;
		bool good;
		const char *a; /* value of "a", NULL = none */
	} rows[] = {
		{ "/x?a=1", true, "1" },
		{ "/x?a=1+2%2b3", true, "1 2+3" },
		{ "/x?a", true, "" },
		{ "/x?a=", true, "" },
		{ "/x?b=2&a=1", true, "1" },
		{ "/x?&&a=1&", true, "1" },
		{ "/x?a=1=2", true, "1=2" },
		{ "/x?", true, NULL },
		{ "/x?b=1", true, NULL },
		{ "/x?a=%", false, NULL },
		{ "/x?%00=1", false, NULL },
		{ "/x?a0=&a1=&a2=&a3=&a4=&a5=&a6=&a=1", true, "1" },
		{ "/x?a0=&a1=&a2=&a3=&a4=&a5=&a6=&a7=&a=1", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct route route;

		print_message("%s\n", rows[i].target);
		assert_int_equal(route_parse(&route, rows[i].target), rows[i].good);
		if (!rows[i].good)
			continue;
		if (rows[i].a)
			assert_string_equal(route_param(&route, "a"), rows[i].a);
		else
			assert_null(route_param(&route, "a"));
	}
}

/* A part of exactly the room there is, and one more. */
static void test_long_parts(void **state)
{
	char target[ROUTE_PART_MAX + 2];
	struct route route;

	(void)state;
	memset(target, 'a', sizeof(target));
	target[0] = '/';
	target[ROUTE_PART_MAX] = '\0';
	assert_true(route_parse(&route, target));
	target[ROUTE_PART_MAX] = 'a';
	target[ROUTE_PART_MAX + 1] = '\0';
	assert_false(route_parse(&route, target));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_long_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
