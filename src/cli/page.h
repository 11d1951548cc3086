#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Text for people, being put together. Pure: what the terminal can do goes in. */
struct page {
	char *text;
	size_t len, cap;
	bool color, utf8;
	unsigned columns;
};

enum tone { TONE_PLAIN, TONE_DIM, TONE_BOLD, TONE_GOOD, TONE_WARN, TONE_BAD };

void page_init(struct page *page, bool color, bool utf8, unsigned columns);
void page_close(struct page *page);
void page_clear(struct page *page);
void page_add(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_tone(struct page *page, enum tone tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** A bar of width columns, filled to fraction 0..1. */
void page_bar(struct page *page, double fraction, unsigned width, enum tone tone);

/** A character of the better sort, or its stand-in where there is no UTF-8. */
const char *page_glyph(const struct page *page, const char *fine, const char *plain);

/** Blanks up to this column of the line being written, at least one. */
void page_pad_to(struct page *page, unsigned to);

/** End the line with text at its right edge. */
void page_right(struct page *page, enum tone tone, const char *text);

/** Text broken between words, further lines indented; ends the line. */
void page_wrapped(struct page *page, enum tone tone, unsigned indent, const char *text);
