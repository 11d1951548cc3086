/* The lexer: any bytes, in pieces, give bounded words that are printable ASCII. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nut/lexer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
	if (!holds)
		abort();
}

static void check(const struct nut_lexer *lexer)
{
	const struct nut_line *line = &lexer->line;
	char out[2 * NUT_WORD_MAX + 1];

	need(!lexer->partial && line->n <= NUT_WORDS_MAX);
	for (size_t i = 0; i < line->n; i++) {
		size_t len = strlen(line->words[i]);

		need(len <= NUT_WORD_MAX);
		for (size_t k = 0; k < len; k++)
			need(line->words[i][k] >= 0x20);
		need(nut_escape(out, sizeof(out), line->words[i]) >= len);
	}
}

/* A hash of all lines, to see that pieces give what the whole gives. */
static uint64_t lex(const char *data, size_t size, size_t step)
{
	struct nut_lexer lexer;
	uint64_t hash = 1469598103934665603u;
	size_t used;

	nut_lexer_init(&lexer);
	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		for (size_t off = 0; off < n; off += used) {
			if (!nut_lexer_feed(&lexer, data + at + off, n - off, &used))
				continue;
			need(used > 0 && off + used <= n);
			check(&lexer);
			for (size_t i = 0; i < lexer.line.n; i++)
				for (const char *p = lexer.line.words[i]; *p; p++)
					hash = (hash ^ (uint8_t)*p) * 1099511628211u + i;
			hash = hash * 31 + lexer.line.n + lexer.line.extra;
		}
	}
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	need(lex(text, size, size ? size : 1) == lex(text, size, 1));
	need(lex(text, size, 7) == lex(text, size, 1));
	return 0;
}
