#include "front/nut/out.h"

#include <stdlib.h>
#include <string.h>

#include "nut/lexer.h"
#include "util/util.h"

static void reserve(struct out *out, size_t more)
{
	if (out->size - out->len >= more)
		return;
	while (out->size - out->len < more)
		out->size = out->size ? out->size * 2 : 4096;
	out->data = xrealloc(out->data, out->size);
}

void out_close(struct out *out)
{
	free(out->data);
	*out = (struct out){ 0 };
}

void out_begin(struct out *out)
{
	reserve(out, OUT_LINE_MAX + 2);
	out->line = out->len;
	out->too_long = false;
}

static size_t room(const struct out *out)
{
	return OUT_LINE_MAX - (out->len - out->line);
}

static void put(struct out *out, const char *text, size_t len)
{
	if (len > room(out)) {
		out->too_long = true;
		return;
	}
	memcpy(out->data + out->len, text, len);
	out->len += len;
}

void out_put(struct out *out, const char *text)
{
	put(out, text, strlen(text));
}

void out_word(struct out *out, const char *word)
{
	put(out, " ", 1);
	put(out, word, strlen(word));
}

void out_quoted(struct out *out, const char *text)
{
	put(out, " \"", 2);
	if (room(out) < 1) {
		out->too_long = true;
		return;
	}
	/* nut_escape() wants room for its NUL: that byte becomes the closing quote */
	out->len += nut_escape(out->data + out->len, room(out), text);
	out->data[out->len++] = '"';
}

void out_bare_quoted(struct out *out, const char *text)
{
	put(out, " \"", 2);
	put(out, text, strlen(text));
	put(out, "\"", 1);
}

bool out_end(struct out *out)
{
	if (out->too_long) {
		out->len = out->line;
		return false;
	}
	out->data[out->len++] = '\n';
	return true;
}

void out_line(struct out *out, const char *text)
{
	out_begin(out);
	out_put(out, text);
	out_end(out);
}

void out_append(struct out *out, const char *data, size_t len)
{
	reserve(out, len);
	memcpy(out->data + out->len, data, len);
	out->len += len;
}
