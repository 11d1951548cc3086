#include "cli/plot.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/page.h"
#include "util/util.h"

#define GAP                                                                                        \
	{                                                                                          \
		0, (double)NAN, (double)NAN, (double)NAN                                           \
	}

static void test_total(void **state)
{
	const struct plot_point points[] = { GAP, { 1, 1, 2, 3 }, { 2, -5, 0, 4 }, GAP };
	const struct plot_point none[] = { GAP, GAP };
	struct plot_point total = plot_total(points, 4);

	(void)state;
	assert_true(total.min == -5 && total.mean == 1 && total.max == 4);
	assert_true(isnan(plot_total(none, 2).mean) && isnan(plot_total(none, 2).min));
	assert_true(isnan(plot_total(none, 0).mean));
}

static void test_spark(void **state)
{
	const struct plot_point rising[] = { { 0, 0, 0, 0 }, { 1, 7, 7, 7 }, GAP, { 3, 3, 3, 3 } };
	const struct plot_point flat[] = { { 0, 5, 5, 5 }, { 1, 5, 5, 5 } };
	struct page page;

	(void)state;
	page_init(&page, false, true, 80);
	plot_spark(&page, rising, 4, 4);
	assert_string_equal(page.text, "▁█ ▄");
	page_clear(&page);
	plot_spark(&page, rising, 4, 8); /* fewer points than columns: each is wider */
	assert_string_equal(page.text, "▁▁██  ▄▄");
	page_clear(&page);
	plot_spark(&page, flat, 2, 2);
	assert_string_equal(page.text, "▄▄");
	page_clear(&page);
	plot_spark(&page, flat, 0, 5);
	assert_string_equal(page.text, "");
	page_close(&page);
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_chart(void **state)
{
	struct plot_point points[100];
	const struct plot_point none[] = { GAP, GAP };
	struct page page;

	(void)state;
	for (int i = 0; i < 100; i++)
		points[i] = (struct plot_point){ 1767225600 + i * 60, i, i, i };
	for (int i = 40; i < 60; i++)
		points[i].min = points[i].mean = points[i].max = (double)NAN;
	page_init(&page, false, false, 72);
	plot_chart(&page, points, 100, 10, "V");
	assert_int_equal(lines_of(page.text), 12); /* ten, the axis and its times */
	assert_non_null(strstr(page.text, " V |"));
	assert_non_null(strstr(page.text, "#            ")); /* the gap stays empty */
	page_clear(&page);
	for (int i = 0; i < 100; i++)
		points[i].min = points[i].mean = points[i].max = 0; /* a span of nothing */
	plot_chart(&page, points, 100, 10, "W");
	assert_int_equal(lines_of(page.text), 12);
	page_clear(&page);
	for (int i = 0; i < 100; i++)
		points[i].min = points[i].mean = points[i].max = i % 2 ? -1e9 : 1e9;
	plot_chart(&page, points, 100, 10, "W");
	assert_int_equal(lines_of(page.text), 12);
	page_clear(&page);
	plot_chart(&page, points, 1, 10, "W");
	assert_int_equal(lines_of(page.text), 12);
	page_clear(&page);
	plot_chart(&page, none, 2, 10, "V");
	assert_non_null(strstr(page.text, "nothing is known"));
	page_close(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_spark),
		cmocka_unit_test(test_chart),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
