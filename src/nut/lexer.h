#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * NUT's line grammar, shared by the network server, the driver socket and ups.conf
 * (reference: docs/protocol.md, "NUT lexer"). Pure.
 *
 * Differences from stock, on purpose: an unescaped '#' inside quotes is an ordinary character
 * where stock goes silent.
 */
enum { NUT_WORDS_MAX = 32, NUT_WORD_MAX = 512 };

struct nut_line {
	size_t n; /* words, at most NUT_WORDS_MAX; more are counted in extra */
	size_t extra;
	const char *words
		[NUT_WORDS_MAX]; /* NUL-terminated, borrowed from the lexer until it is fed again */
	bool quoted[NUT_WORDS_MAX]; /* the word was written in quotes */
};

struct nut_lexer {
	char text[NUT_WORDS_MAX * 64 + NUT_WORD_MAX + 1]; /* words of the line being read */
	size_t used;
	struct nut_line line;
	size_t starts[NUT_WORDS_MAX];
	size_t word_len;
	int state;
	bool overlong; /* words no longer fit text: the line is kept as too long */
	bool partial;  /* bytes of an unfinished line were seen */
};

void nut_lexer_init(struct nut_lexer *lexer);

/**
 * Take bytes up to and including the end of one line.
 *
 * @used  how many bytes were taken
 *
 * Returns true if a line is complete (lexer->line; an empty or comment-only line has n = 0), false
 * if all bytes were taken and the line goes on.
 */
bool nut_lexer_feed(struct nut_lexer *lexer, const char *data, size_t len, size_t *used);

/**
 * Write value as NUT quotes it: \ before each of # \ ".
 * Returns the length written (at most 2 * strlen(value)), without quotes and NUL-terminated;
 * out holds size bytes and is cut at a whole escaped character.
 */
size_t nut_escape(char *out, size_t size, const char *value);
