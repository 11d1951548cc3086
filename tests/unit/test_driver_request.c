/* Lines from upsd and other peers to a driver. */
#include "driver/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nut/lexer.h"
#include "util/util.h"

/* Expected values: docs/nut-driver.md, "The socket"; the forms are NUT 2.7.4's to 2.8.5's. */
static const struct {
	const char *in;
	enum request_kind kind;
	const char *name, *value, *id;
} rows[] = {
	{ "DUMPALL", REQUEST_DUMPALL, NULL, NULL, NULL },
	{ "dumpall", REQUEST_DUMPALL, NULL, NULL, NULL },
	{ "PING", REQUEST_PING, NULL, NULL, NULL },
	{ "PING x", REQUEST_PING, NULL, NULL, NULL },
	{ "PONG", REQUEST_UNKNOWN, NULL, NULL, NULL },
	{ "", REQUEST_UNKNOWN, NULL, NULL, NULL },
	{ "GETPID", REQUEST_GETPID, NULL, NULL, NULL },
	{ "LOGOUT", REQUEST_LOGOUT, NULL, NULL, NULL },
	{ "DUMPSTATUS", REQUEST_DUMPSTATUS, NULL, NULL, NULL },
	{ "DUMPVALUE ups.mfr", REQUEST_DUMPVALUE, "ups.mfr", NULL, NULL },
	{ "DUMPVALUE", REQUEST_UNKNOWN, NULL, NULL, NULL },
	{ "NOBROADCAST", REQUEST_NOBROADCAST, NULL, NULL, NULL },
	{ "NOBROADCASTPING", REQUEST_NOBROADCAST_PING, NULL, NULL, NULL },
	{ "BROADCAST 0", REQUEST_BROADCAST, NULL, "0", NULL },
	{ "BROADCAST 1", REQUEST_BROADCAST, NULL, "1", NULL },
	{ "BROADCAST", REQUEST_UNKNOWN, NULL, NULL, NULL },

	{ "INSTCMD a", REQUEST_INSTCMD, "a", NULL, NULL },
	{ "INSTCMD a 5", REQUEST_INSTCMD, "a", "5", NULL },
	{ "INSTCMD a TRACKING 0f-1", REQUEST_INSTCMD, "a", NULL, "0f-1" },
	{ "INSTCMD a 5 TRACKING 0f-1", REQUEST_INSTCMD, "a", "5", "0f-1" },
	{ "INSTCMD a 5 tracking 0f-1", REQUEST_INSTCMD, "a", "5", "0f-1" },
	{ "INSTCMD a TRACKING", REQUEST_INSTCMD, "a", "TRACKING", NULL },
	{ "INSTCMD", REQUEST_MALFORMED, NULL, NULL, NULL },
	{ "INSTCMD a 5 6", REQUEST_MALFORMED, NULL, NULL, NULL },
	{ "INSTCMD a 5 6 TRACKING x", REQUEST_MALFORMED, NULL, NULL, "x" },
	{ "INSTCMD a TRACKING x 6", REQUEST_MALFORMED, NULL, NULL, "x" },

	{ "SET v \"a b\"", REQUEST_SET, "v", "a b", NULL },
	{ "SET v 1 TRACKING x", REQUEST_SET, "v", "1", "x" },
	{ "SET v TRACKING TRACKING x", REQUEST_SET, "v", "TRACKING", "x" },
	{ "SET v \"\" TRACKING x", REQUEST_SET, "v", "", "x" },
	{ "SET v", REQUEST_MALFORMED, NULL, NULL, NULL },
	{ "SET v TRACKING x", REQUEST_MALFORMED, NULL, NULL, "x" },
	{ "SET v 1 2 3", REQUEST_MALFORMED, NULL, NULL, NULL },

	/* an id that cannot be written back as it came is none */
	{ "INSTCMD a TRACKING \"x y\"", REQUEST_INSTCMD, "a", NULL, NULL },
	{ "INSTCMD a TRACKING \"\"", REQUEST_INSTCMD, "a", NULL, NULL },
	{ "INSTCMD a TRACKING x\\\"y", REQUEST_INSTCMD, "a", NULL, NULL },
};

static void same(const char *got, const char *expected)
{
	assert_int_equal(got != NULL, expected != NULL);
	if (got)
		assert_string_equal(got, expected);
}

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct nut_lexer lexer;
		struct request request;
		char line[128];
		size_t used;

		print_message("%s\n", rows[i].in);
		snprintf(line, sizeof(line), "%s\n", rows[i].in);
		nut_lexer_init(&lexer);
		assert_true(nut_lexer_feed(&lexer, line, strlen(line), &used));
		request = request_parse(&lexer.line);
		assert_int_equal(request.kind, rows[i].kind);
		same(request.name, rows[i].name);
		same(request.value, rows[i].value);
		same(request.id, rows[i].id);
	}
}

/* More words than the lexer keeps: not a command, and no crash. */
static void test_too_many_words(void **state)
{
	struct nut_lexer lexer;
	char line[256] = "INSTCMD";
	size_t used;

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(line, " a");
	strcat(line, "\n");
	nut_lexer_init(&lexer);
	assert_true(nut_lexer_feed(&lexer, line, strlen(line), &used));
	assert_int_equal(request_parse(&lexer.line).kind, REQUEST_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_too_many_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
