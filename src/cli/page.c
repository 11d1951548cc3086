#include "cli/page.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "cli/term.h"
#include "util/util.h"

void page_init(struct page *page, bool color, bool utf8, unsigned columns)
{
	memset(page, 0, sizeof(*page));
	page->color = color;
	page->utf8 = utf8;
	page->columns = columns < 60 ? 60 : columns;
	page->text = xstrdup("");
	page->cap = 1;
}

void page_close(struct page *page)
{
	free(page->text);
	memset(page, 0, sizeof(*page));
}

void page_clear(struct page *page)
{
	page->len = 0;
	page->text[0] = '\0';
}

static void append(struct page *page, const char *text)
{
	size_t len = strlen(text);

	if (page->len + len + 1 > page->cap) {
		page->cap = (page->len + len + 1) * 2;
		page->text = xrealloc(page->text, page->cap);
	}
	memcpy(page->text + page->len, text, len + 1);
	page->len += len;
}

static void addv(struct page *page, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void addv(struct page *page, const char *format, va_list args)
{
	char *text = xvasprintf(format, args);

	append(page, text);
	free(text);
}

void page_add(struct page *page, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	addv(page, format, args);
	va_end(args);
}

static void tone_start(struct page *page, enum tone tone)
{
	static const char *const codes[] = { "",	 "\033[2m",  "\033[1m",
					     "\033[32m", "\033[33m", "\033[1;31m" };

	if (page->color)
		append(page, codes[tone]);
}

static void tone_end(struct page *page, enum tone tone)
{
	if (page->color && tone != TONE_PLAIN)
		append(page, "\033[0m");
}

void page_tone(struct page *page, enum tone tone, const char *format, ...)
{
	va_list args;

	tone_start(page, tone);
	va_start(args, format);
	addv(page, format, args);
	va_end(args);
	tone_end(page, tone);
}

const char *page_glyph(const struct page *page, const char *fine, const char *plain)
{
	return page->utf8 ? fine : plain;
}

/* Columns taken by the line that is being written. */
static unsigned page_column(const struct page *page)
{
	size_t start = page->len;

	while (start > 0 && page->text[start - 1] != '\n')
		start--;
	return term_width(page->text + start, page->len - start);
}

void page_pad_to(struct page *page, unsigned to)
{
	unsigned at = page_column(page);

	page_add(page, "%*s", at < to ? (int)(to - at) : 1, "");
}

void page_right(struct page *page, enum tone tone, const char *text)
{
	unsigned width = term_width(text, strlen(text));

	page_pad_to(page, page->columns > width ? page->columns - width : 0);
	page_tone(page, tone, "%s\n", text);
}

void page_bar(struct page *page, double fraction, unsigned width, enum tone tone)
{
	static const char *const parts[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	unsigned eighths, full, part;

	if (!(fraction > 0))
		fraction = 0;
	if (fraction > 1)
		fraction = 1;
	eighths = (unsigned)lround(fraction * width * 8);
	full = eighths / 8;
	part = page->utf8 ? eighths % 8 : 0;
	tone_start(page, tone);
	for (unsigned i = 0; i < full; i++)
		append(page, page_glyph(page, "█", "#"));
	append(page, parts[part]);
	tone_end(page, tone);
	tone_start(page, TONE_DIM);
	for (unsigned i = full + (part > 0); i < width; i++)
		append(page, page_glyph(page, "░", "-"));
	tone_end(page, TONE_DIM);
}

void page_wrapped(struct page *page, enum tone tone, unsigned indent, const char *text)
{
	while (*text) {
		unsigned at = page_column(page);
		size_t n = strcspn(text, " ");
		size_t gap = strspn(text + n, " ");

		if (at > indent && at + 1 + term_width(text, n) > page->columns) {
			page_add(page, "\n%*s", (int)indent, "");
			at = indent;
		}
		page_tone(page, tone, "%s%.*s", at > indent ? " " : "", (int)n, text);
		text += n + gap;
	}
	page_add(page, "\n");
}
