#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Reply lines. A line never exceeds 511 characters and its LF, as in stock and in libupsclient: a
 * value too long for its line is cut, a line whose names do not fit is dropped.
 */
enum { OUT_LINE_MAX = 511 };

struct out {
	char *data;
	size_t len, size;
	size_t line;   /* where the line being written begins */
	bool too_long; /* its names did not fit */
};

void out_close(struct out *out);
void out_begin(struct out *out);
void out_put(struct out *out, const char *text);
void out_word(struct out *out, const char *word);   /* a blank and the word */
void out_quoted(struct out *out, const char *text); /* a blank and the text, escaped, in quotes */
void out_bare_quoted(struct out *out, const char *text); /* not escaped: descriptions */
/** False if the line did not fit: it is taken back. */
bool out_end(struct out *out);
/** One whole line. */
void out_line(struct out *out, const char *text);
/** Bytes that are whole lines already. */
void out_append(struct out *out, const char *data, size_t len);
