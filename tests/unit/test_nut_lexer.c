#include "nut/lexer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "util/util.h"

/* Expected values: docs/protocol.md, "Reading a line". Words are shown in <>, quoted ones in []. */
static const struct {
	const char *what;
	const char *in;
	size_t len;	 /* 0 = strlen(in) */
	const char *out; /* one group per line, each ended by ';' */
} rows[] = {
	{ "plain words", "GET VAR ups ups.status\n", 0, "<GET><VAR><ups><ups.status>;" },
	{ "all separators", " \tGET\v\fVAR\r ups \r\n", 0, "<GET><VAR><ups>;" },
	{ "nothing", "\n", 0, ";" },
	{ "only blanks", "  \t\r\n", 0, ";" },
	{ "only a comment", "# GET VAR\n", 0, ";" },
	{ "comment behind a word", "a#b c\nd\n", 0, "<a>;<d>;" },
	{ "comment behind a blank", "a # b\n", 0, "<a>;" },
	{ "backslash in a comment is nothing", "a #\\\nb\n", 0, "<a>;<b>;" },
	{ "quoted word", "\"a b\" c\n", 0, "[a b]<c>;" },
	{ "empty word", "\"\" x\n", 0, "[]<x>;" },
	{ "text behind a closing quote", "\"a\"b\n", 0, "[a]<b>;" },
	{ "quote behind a closing quote", "\"a\"\"b\"\n", 0, "[a][b];" },
	{ "quote inside a word", "dum\"my\" x\n", 0, "<dum\"my\"><x>;" },
	{ "escape in a word", "ups.st\\atus\n", 0, "<ups.status>;" },
	{ "escape in quotes", "\"a\\\"b\\\\c\\#d\"\n", 0, "[a\"b\\c#d];" },
	{ "escaped blank", "a\\ b\n", 0, "<a b>;" },
	{ "escaped quote begins a word", "\\\"a b\n", 0, "<\"a><b>;" },
	{ "escaped # begins a word", "\\#a b\n", 0, "<#a><b>;" },
	{ "backslash LF between words", "a \\\nb\n", 0, "<a><b>;" },
	{ "and a blank", "a \\\n b\n", 0, "<a><><b>;" },
	{ "backslash LF in a word", "a\\\nb\n", 0, "<ab>;" },
	{ "backslash LF in quotes", "\"a\\\nb\"\n", 0, "[ab];" },
	{ "LF in quotes", "\"a\nb\" c\nd\n", 0, "[ab]<c>;<d>;" },
	{ "# in quotes (ours)", "\"a#b\" c\n", 0, "[a#b]<c>;" },
	{ "= in quotes", "\"a=b\"\n", 0, "[a=b];" },
	{ "= is a word", "a=b = =c\n", 0, "<a><=><b><=><=><c>;" },
	{ "escaped =", "a\\=b\n", 0, "<a=b>;" },
	{ "control bytes vanish", "a\001b \002c\n", 0, "<ab><c>;" },
	{ "they alone are an empty word", "a \001 b\n", 0, "<a><><b>;" },
	{ "NUL vanishes", "a\0b\n", 4, "<ab>;" },
	{ "UTF-8 vanishes", "\303\251t\303\251 x\n", 0, "<t><x>;" },
	{ "0x7f stays", "a\177b\n", 0, "<a\177b>;" },
	{ "TAB in quotes vanishes", "\"a\tb\"\n", 0, "[ab];" },
	{ "no LF, no line", "GET VAR", 0, "" },
	{ "open quote, no line", "\"GET\nVAR\n", 0, "" },
};

static void show(const struct nut_line *line, char *out)
{
	for (size_t i = 0; i < line->n; i++)
		sprintf(out + strlen(out), line->quoted[i] ? "[%s]" : "<%s>", line->words[i]);
	strcat(out, ";");
}

/* Feed in pieces of step bytes. */
static void lex(const char *in, size_t len, size_t step, char *out)
{
	struct nut_lexer lexer;
	size_t used;

	*out = '\0';
	nut_lexer_init(&lexer);
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;

		for (size_t off = 0; off < n; off += used)
			if (nut_lexer_feed(&lexer, in + at + off, n - off, &used))
				show(&lexer.line, out);
	}
}

static void test_rows(void **state)
{
	char got[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = rows[i].len ? rows[i].len : strlen(rows[i].in);

		for (size_t step = 1; step <= len; step++) {
			lex(rows[i].in, len, step, got);
			if (strcmp(got, rows[i].out) != 0)
				fail_msg("%s, in pieces of %zu: %s", rows[i].what, step, got);
		}
	}
}

static bool feed(struct nut_lexer *lexer, const char *text)
{
	size_t used;

	return nut_lexer_feed(lexer, text, strlen(text), &used);
}

static void test_long_word_is_cut(void **state)
{
	struct nut_lexer lexer;

	(void)state;
	nut_lexer_init(&lexer);
	for (int i = 0; i < 100000; i++)
		assert_false(feed(&lexer, "x"));
	assert_true(lexer.partial);
	assert_true(feed(&lexer, " y\n"));
	assert_false(lexer.partial);
	assert_int_equal(lexer.line.n, 2);
	assert_int_equal(strlen(lexer.line.words[0]), 512);
	assert_string_equal(lexer.line.words[1], "y");
}

static void test_words_beyond_32_are_counted(void **state)
{
	struct nut_lexer lexer;

	(void)state;
	nut_lexer_init(&lexer);
	for (int i = 0; i < 32; i++)
		assert_false(feed(&lexer, "word "));
	assert_true(feed(&lexer, "too \"many\" words\n"));
	assert_int_equal(lexer.line.n, 32);
	assert_int_equal(lexer.line.extra, 3);
	assert_string_equal(lexer.line.words[31], "word");
	assert_true(feed(&lexer, "next\n"));
	assert_int_equal(lexer.line.n, 1);
	assert_int_equal(lexer.line.extra, 0);
	assert_string_equal(lexer.line.words[0], "next");
}

/* 32 words of 512 characters do not fit: what does is kept, the rest is counted. */
static void test_overlong_line(void **state)
{
	struct nut_lexer lexer;
	char word[514];

	(void)state;
	memset(word, 'w', 512);
	strcpy(word + 512, " ");
	nut_lexer_init(&lexer);
	for (int i = 0; i < 32; i++)
		assert_false(feed(&lexer, word));
	assert_true(feed(&lexer, "\n"));
	assert_true(lexer.overlong);
	assert_int_equal(lexer.line.n + lexer.line.extra, 32);
	assert_in_range(lexer.line.n, 4, 5);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(strlen(lexer.line.words[i]), 512);
	assert_true(feed(&lexer, "next\n"));
	assert_false(lexer.overlong);
}

static const struct {
	const char *in;
	size_t size;
	const char *out;
} escapes[] = {
	{ "plain", 16, "plain" }, { "", 16, "" },     { "a#b\\c\"d", 16, "a\\#b\\\\c\\\"d" },
	{ "abc", 4, "abc" },	  { "abc", 3, "ab" }, { "a#", 4, "a\\#" },
	{ "a#", 3, "a" }, /* never half an escape */
	{ "###", 1, "" },
};

static void test_escape(void **state)
{
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		size_t len = nut_escape(out, escapes[i].size, escapes[i].in);

		assert_string_equal(out, escapes[i].out);
		assert_int_equal(len, strlen(out));
	}
	strcpy(out, "kept");
	assert_int_equal(nut_escape(out, 0, "x"), 0);
	assert_string_equal(out, "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long_word_is_cut),
		cmocka_unit_test(test_words_beyond_32_are_counted),
		cmocka_unit_test(test_overlong_line),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
