#include "cli/view.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cli/ask.h"
#include "cli/live.h"
#include "cli/page.h"
#include "cli/term.h"
#include "cli/when.h"
#include "util/util.h"

static void test_durations(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} rows[] = {
		{ 0, "0 s" },		{ 0.4, "0 s" },		  { 45, "45 s" },
		{ 119, "119 s" },	{ 120, "2 min" },	  { 3599, "59 min" },
		{ 4320, "1 h 12 min" }, { 86399, "23 h 59 min" }, { 90000, "1 d 1 h" },
		{ -5, "0 s" },		{ 1e300, "0 s" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[32];

		when_duration(text, sizeof(text), rows[i].seconds);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_since(void **state)
{
	static const int64_t now = INT64_C(1700000000000000);
	static const int64_t second = 1000000;
	static const struct {
		const char *text;
		bool good;
		int64_t wall_us;
	} rows[] = {
		{ "30s", true, now - 30 * second },
		{ "10m", true, now - 600 * second },
		{ "2h", true, now - 7200 * second },
		{ "7d", true, now - 7 * 86400 * second },
		{ "2000-02-29T12:34:56.789Z", true, INT64_C(951827696789000) },
		{ "2000-02-29T12:34:56Z", true, INT64_C(951827696000000) },
		{ "2000-02-29 12:34:56", true, INT64_C(951827696000000) }, /* local is UTC here */
		{ "2000-02-29 12:34", true, INT64_C(951827640000000) },
		{ "2000-02-29", true, INT64_C(951782400000000) },
		{ "", false, 0 },
		{ "10", false, 0 },
		{ "10x", false, 0 },
		{ "10mm", false, 0 },
		{ "-10m", false, 0 },
		{ "yesterday", false, 0 },
		{ "2000-13-01", false, 0 },
		{ "2000-02-29 25:00", false, 0 },
		{ "99999999999d", false, 0 },
	};

	(void)state;
	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t wall = 0;

		print_message("%s\n", rows[i].text);
		assert_int_equal(when_parse_since(rows[i].text, now, &wall), rows[i].good);
		assert_int_equal(wall, rows[i].wall_us);
	}
}

static void test_width(void **state)
{
	static const struct {
		const char *text;
		unsigned columns, width;
		size_t cut; /* bytes that fit into columns */
	} rows[] = {
		{ "", 5, 0, 0 },
		{ "abc", 5, 3, 3 },
		{ "abc", 2, 3, 2 },
		{ "\033[1mabc\033[0m", 2, 3, 6 },
		{ "\xc3\xa4\xc3\xb6", 1, 2, 2 },
		{ "\xe6\xbc\xa2", 1, 2, 0 },
		{ "\xff\xfe", 1, 2, 1 },
		{ "\033[", 1, 0, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].text);

		assert_int_equal(term_width(rows[i].text, len), rows[i].width);
		assert_int_equal(term_cut(rows[i].text, len, rows[i].columns), rows[i].cut);
	}
}

static void test_bar(void **state)
{
	static const struct {
		double fraction;
		bool utf8;
		const char *text;
	} rows[] = {
		{ 0, false, "----" },	 { 0.5, false, "##--" }, { 1, false, "####" },
		{ 7, false, "####" },	 { -1, false, "----" },	 { 0.5, true, "██░░" },
		{ 0.625, true, "██▌░" }, { 1, true, "████" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct page page;

		page_init(&page, false, rows[i].utf8, 80);
		page_bar(&page, rows[i].fraction, 4, TONE_GOOD);
		assert_string_equal(page.text, rows[i].text);
		page_close(&page);
	}
}

static json_t *snapshot(const char *availability, const char *more)
{
	char *text = xasprintf(
		"{\"name\":\"rack\",\"availability\":\"%s\",\"power\":{\"state\":\"mains\",\"text\":"
		"\"On mains\",\"path\":[\"mains\",\"load\"]},\"status\":{\"nut\":\"OL\",\"flags\":[],"
		"\"age_s\":0.5},\"comm\":{\"state\":\"closed\",\"text\":\"port not open\",\"reason\":"
		"null},\"quantities\":{\"ups.load\":{\"value\":30.4,\"unit\":\"%%\",\"age_s\":1},"
		"\"input.voltage\":{\"value\":null,\"unit\":\"V\",\"age_s\":1}}%s}",
		availability, more);
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	free(text);
	return json;
}

static void test_ups(void **state)
{
	static const struct {
		const char *availability, *more;
		bool lost;
		const char *has, *has_not;
	} rows[] = {
		{ "fresh", "", false, "* On mains", "STALE" },
		{ "fresh", "", false, "30.4 %", "230" },
		{ "stale", "", false, "STALE", "* On mains" },
		{ "stale", "", false, "last seen: On mains", "DAEMON" },
		{ "not-connected", "", false, "port not open", "* On mains" },
		{ "waiting", "", false, "Waiting for the first data", "* On mains" },
		{ "fresh", "", true, "DAEMON LOST", "* On mains" },
		{ "fresh", ",\"commands\":{\"open\":false,\"reason\":\"because\"}", false,
		  "closed: because", "possible" },
		{ "fresh", ",\"commands\":{\"open\":true}", false, "possible", "closed" },
		{ "fresh", ",\"alarms\":{\"active\":[],\"unknown_bits\":[],\"age_s\":1}", false,
		  "Alarms     none", "!" },
		{ "fresh", "", false, "not read yet", "none" },
		{ "fresh",
		  ",\"alarms\":{\"active\":[{\"id\":66,\"cause\":2,\"severity\":\"alert\","
		  "\"name\":\"Overload\",\"meaning\":\"M.\",\"remedy\":\"Unplug.\"}]}",
		  false, "-> Unplug.", "none" },
		{ "fresh", ",\"alarms\":{\"unknown_bits\":[{\"register\":40160,\"bit\":3}]}", false,
		  "register 40160, bit 3", "none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *json = snapshot(rows[i].availability, rows[i].more);
		struct page page;

		page_init(&page, false, false, 80);
		view_ups(&page, json, 0, rows[i].lost, false);
		print_message("%s\n", page.text);
		assert_non_null(strstr(page.text, rows[i].has));
		assert_null(strstr(page.text, rows[i].has_not));
		assert_null(strchr(page.text, '\033'));
		page_close(&page);
		json_decref(json);
	}
}

/* Nonsense from a daemon of another version must not end us. */
static void test_ups_of_nonsense(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"name\":5,\"power\":[],\"status\":{\"flags\":[1,null]},\"quantities\":[]}",
		"{\"power\":{\"path\":[1,{}]},\"alarms\":{\"active\":[5,{}],\"unknown_bits\":[null]}}",
		"{\"availability\":\"fresh\",\"quantities\":{\"ups.load\":5,\"battery.charge\":{}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *json = json_loads(texts[i], 0, NULL);
		struct page page;

		page_init(&page, true, true, 80);
		view_ups(&page, json, 0, false, i % 2);
		view_list_line(&page, json, 0);
		view_event(&page, json, true, true);
		page_close(&page);
		json_decref(json);
	}
}

static void test_clean(void **state)
{
	json_t *json =
		json_loads("{\"a\":[\"\\u001b[2J\",\"\\u009b2J\",\"\\u00e4\\u007f\"]}", 0, NULL);
	json_t *list = json_object_get(json, "a");

	(void)state;
	ask_clean(json);
	assert_string_equal(json_string_value(json_array_get(list, 0)), "?[2J");
	assert_string_equal(json_string_value(json_array_get(list, 1)), "??2J");
	assert_string_equal(json_string_value(json_array_get(list, 2)), "\xc3\xa4?");
	json_decref(json);
}

static void take(struct live *live, const char *type, const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	live_take(live, type, json, 5);
	json_decref(json);
}

static void test_live(void **state)
{
	struct live live;
	const json_t *q;

	(void)state;
	live_init(&live);
	take(&live, "change", "{\"name\":\"a\",\"quantities\":{}}"); /* not known: ignored */
	assert_int_equal(live.n, 0);
	take(&live, "snapshot",
	     "{\"name\":\"a\",\"quantities\":{\"v\":{\"value\":1,\"age_s\":0}},"
	     "\"list\":[1,2]}");
	take(&live, "snapshot", "{\"name\":\"b\"}");
	assert_int_equal(live.n, 2);
	take(&live, "change", "{\"name\":\"a\",\"quantities\":{\"v\":{\"age_s\":3}},\"list\":[3]}");
	q = json_object_get(json_object_get(live_find(&live, "a")->snapshot, "quantities"), "v");
	assert_int_equal(json_integer_value(json_object_get(q, "value")), 1);
	assert_int_equal(json_integer_value(json_object_get(q, "age_s")), 3);
	assert_int_equal(json_array_size(json_object_get(live.ups[0].snapshot, "list")), 1);
	take(&live, "removed", "{\"name\":\"a\"}");
	assert_int_equal(live.n, 1);
	assert_string_equal(live.ups[0].name, "b");
	take(&live, "removed", "{\"name\":\"a\"}");
	for (int i = 0; i < LIVE_EVENTS_MAX + 5; i++)
		take(&live, "event", "{\"id\":1}");
	assert_int_equal(live.n_events, LIVE_EVENTS_MAX);

	/* another stream: what it does not have is gone with its first snapshot */
	live_restart(&live);
	assert_int_equal(live.n_events, 0);
	assert_int_equal(live.n, 1);
	take(&live, "snapshot", "{\"name\":\"c\"}");
	assert_int_equal(live.n, 1);
	assert_string_equal(live.ups[0].name, "c");
	live_close(&live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations), cmocka_unit_test(test_since),
		cmocka_unit_test(test_width),	  cmocka_unit_test(test_bar),
		cmocka_unit_test(test_ups),	  cmocka_unit_test(test_ups_of_nonsense),
		cmocka_unit_test(test_clean),	  cmocka_unit_test(test_live),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
