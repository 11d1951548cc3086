/* Lines from the driver to upsd, with the traps of upsd's side. */
#include "driver/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "nut/store.h"
#include "util/util.h"

static struct evbuffer *out;

static void expect(const char *text)
{
	size_t len = evbuffer_get_length(out);
	char *got = xcalloc(1, len + 1);

	evbuffer_remove(out, got, len);
	assert_string_equal(got, text);
	free(got);
}

static const struct nut_var *make(struct nut_store *store, const char *name, const char *value)
{
	nut_store_set(store, name, value);
	return nut_store_find(store, name);
}

static void test_values_are_always_escaped(void **state)
{
	static const struct {
		const char *value, *line;
	} rows[] = {
		{ "OL", "SETINFO a \"OL\"\n" },
		{ "", "SETINFO a \"\"\n" },
		{ "he\"l\\l#o", "SETINFO a \"he\\\"l\\\\l\\#o\"\n" },
		{ "a b", "SETINFO a \"a b\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct nut_store *old = nut_store_new(), *now = nut_store_new();

		lines_var(out, make(now, "a", rows[i].value));
		expect(rows[i].line);
		/* and as a later push */
		lines_change(out, make(old, "a", "x"), nut_store_find(now, "a"));
		expect(rows[i].line);
		nut_store_free(old);
		nut_store_free(now);
	}
}

static void test_case(void **state)
{
	struct nut_store *old = nut_store_new(), *now = nut_store_new();

	(void)state;
	/* upsd compares without case: only a new variable is believed, and then all of it */
	make(now, "a", "Enabled");
	nut_store_flags(now, "a", NUT_RW, 0);
	make(old, "a", "enabled");
	nut_store_flags(old, "a", NUT_RW, 0);
	lines_change(out, nut_store_find(old, "a"), nut_store_find(now, "a"));
	expect("DELINFO a\nSETINFO a \"Enabled\"\nSETFLAGS a RW\n");
	/* the same again: nothing */
	lines_change(out, nut_store_find(now, "a"), nut_store_find(now, "a"));
	expect("");
	nut_store_free(old);
	nut_store_free(now);
}

static void test_types(void **state)
{
	struct nut_store *old = nut_store_new(), *now = nut_store_new();

	(void)state;
	make(now, "a", "1");
	nut_store_flags(now, "a", NUT_RW | NUT_STRING | NUT_NUMBER, 8);
	nut_store_add_enum(now, "a", "1");
	nut_store_add_enum(now, "a", "b c");
	nut_store_add_range(now, "a", -5, 10);
	lines_var(out, nut_store_find(now, "a"));
	expect("SETINFO a \"1\"\nADDENUM a \"1\"\nADDENUM a \"b c\"\nADDRANGE a -5 10\nSETAUX a 8\n"
	       "SETFLAGS a RW STRING NUMBER\n");

	/* only what is new */
	make(old, "a", "1");
	nut_store_add_enum(old, "a", "1");
	lines_change(out, nut_store_find(old, "a"), nut_store_find(now, "a"));
	expect("ADDENUM a \"b c\"\nADDRANGE a -5 10\nSETAUX a 8\nSETFLAGS a RW STRING NUMBER\n");

	/* an entry less: upsd's DELENUM is not exact, so it begins anew */
	nut_store_add_enum(old, "a", "gone");
	lines_change(out, nut_store_find(old, "a"), nut_store_find(now, "a"));
	expect("DELINFO a\nSETINFO a \"1\"\nADDENUM a \"1\"\nADDENUM a \"b c\"\nADDRANGE a -5 10\n"
	       "SETAUX a 8\nSETFLAGS a RW STRING NUMBER\n");

	/* flags taken away */
	nut_store_clear_lists(now, "a");
	nut_store_flags(now, "a", 0, 0);
	nut_store_clear_lists(old, "a");
	nut_store_flags(old, "a", NUT_RW, 0);
	lines_change(out, nut_store_find(old, "a"), nut_store_find(now, "a"));
	expect("SETFLAGS a\n");
	nut_store_free(old);
	nut_store_free(now);
}

static void test_dump(void **state)
{
	struct nut_store *store = nut_store_new();

	(void)state;
	lines_dump(out, store, false);
	expect("DATASTALE\nDUMPDONE\n");
	make(store, "b", "2");
	make(store, "a", "1");
	nut_store_add_cmd(store, "c");
	lines_dump(out, store, true);
	expect("SETINFO a \"1\"\nSETINFO b \"2\"\nADDCMD c\nDATAOK\nDUMPDONE\n");
	lines_dump(out, store, false);
	expect("DATASTALE\nSETINFO a \"1\"\nSETINFO b \"2\"\nADDCMD c\nDUMPDONE\n");
	lines_dump_one(out, nut_store_find(store, "b"), true);
	expect("SETINFO b \"2\"\nDATAOK\nDUMPDONE\n");
	lines_dump_one(out, NULL, true);
	expect("DATAOK\nDUMPDONE\n");
	lines_dump_one(out, NULL, false);
	expect("DATASTALE\nDUMPDONE\n");
	nut_store_free(store);
}

static int setup(void **state)
{
	(void)state;
	out = evbuffer_new();
	return !out;
}

static int teardown(void **state)
{
	(void)state;
	evbuffer_free(out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_always_escaped),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_dump),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
