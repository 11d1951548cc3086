#include "probe/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/crc16.h"
#include "util/util.h"

enum { FILE_MAX = 256 << 20, HOURS_MAX = 24 * 366 };

static const char magic[] = "# ups2000 capture 1";

void capture_init(struct capture *capture)
{
	memset(capture, 0, sizeof(*capture));
	capture->baud = 9600;
}

void capture_close(struct capture *capture)
{
	for (size_t i = 0; i < capture->n; i++)
		free(capture->frames[i].bytes);
	free(capture->frames);
	capture_init(capture);
}

static bool add_one(struct capture *c, int64_t at_us, bool sent, const uint8_t *bytes, size_t len)
{
	if (c->n == CAPTURE_FRAMES_MAX || (c->n && at_us < c->frames[c->n - 1].at_us))
		return false;
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->frames = xrealloc(c->frames, c->cap * sizeof(*c->frames));
	}
	struct capture_frame *f = &c->frames[c->n++];

	*f = (struct capture_frame){ at_us, sent, (uint16_t)len, xmalloc(len ? len : 1) };
	if (len)
		memcpy(f->bytes, bytes, len);
	return true;
}

bool capture_add(struct capture *capture, int64_t at_us, bool sent, const uint8_t *bytes,
		 size_t len)
{
	while (len > CAPTURE_FRAME_MAX) {
		if (!add_one(capture, at_us, sent, bytes, CAPTURE_FRAME_MAX))
			return false;
		bytes += CAPTURE_FRAME_MAX;
		len -= CAPTURE_FRAME_MAX;
	}
	return add_one(capture, at_us, sent, bytes, len);
}

/* ---- reading ---- */

struct text {
	const char *p, *end; /* the line */
	unsigned long line;
	char *error;
	size_t size;
};

static __attribute__((format(printf, 2, 3))) bool wrong(struct text *t, const char *format, ...)
{
	va_list args;
	int n = snprintf(t->error, t->size, "line %lu: ", t->line);

	va_start(args, format);
	if (n > 0 && (size_t)n < t->size)
		vsnprintf(t->error + n, t->size - (size_t)n, format, args);
	va_end(args);
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct text *t)
{
	while (t->p < t->end && is_blank(*t->p))
		t->p++;
}

/* A header's value, cut to what fits and made harmless for a terminal. */
static void keep(char *out, const char *p, const char *end)
{
	size_t n = 0;

	for (; p < end && n + 1 < CAPTURE_TEXT_MAX; p++)
		out[n++] = *p >= ' ' && *p <= '~' ? *p : '?';
	out[n] = '\0';
}

static bool take_line_kind(struct text *t, struct capture *c)
{
	char kind[CAPTURE_TEXT_MAX], *number;
	unsigned long baud;

	keep(kind, t->p, t->end);
	if (!strcmp(kind, "mbap")) {
		c->framing = CAPTURE_MBAP;
		return true;
	}
	if (strncmp(kind, "rtu ", 4) != 0 || kind[4] < '1' || kind[4] > '9')
		return wrong(t, "\"line: %.40s\" must be \"rtu BAUD\" or \"mbap\"", kind);
	baud = strtoul(kind + 4, &number, 10);
	if (*number || baud < 300 || baud > 4000000)
		return wrong(t, "the speed in \"line: %.40s\" must be a number from 300 to 4000000",
			     kind);
	c->framing = CAPTURE_RTU;
	c->baud = (unsigned)baud;
	return true;
}

static bool take_comment(struct text *t, struct capture *c)
{
	const struct {
		const char *key;
		char *to;
	} keys[] = { { "model", c->model },
		     { "firmware", c->firmware },
		     { "date", c->date },
		     { "tool", c->tool },
		     { "note", c->note } };
	const char *colon;
	size_t len;

	t->p++;
	skip_blanks(t);
	while (t->end > t->p && is_blank(t->end[-1]))
		t->end--;
	colon = memchr(t->p, ':', (size_t)(t->end - t->p));
	if (!colon)
		return true;
	len = (size_t)(colon - t->p);
	const char *key = t->p;

	t->p = colon + 1;
	skip_blanks(t);
	if (len == 4 && !memcmp(key, "line", 4))
		return take_line_kind(t, c);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (len == strlen(keys[i].key) && !memcmp(key, keys[i].key, len) && !*keys[i].to)
			keep(keys[i].to, t->p, t->end);
	return true;
}

/* Milliseconds with up to three digits behind the point. */
static bool take_time(struct text *t, int64_t *us)
{
	const int64_t most = (int64_t)HOURS_MAX * 3600 * 1000;
	const char *start = t->p;
	int64_t ms = 0, scale = 1000, fraction = 0;

	while (t->p < t->end && *t->p >= '0' && *t->p <= '9' && ms <= most)
		ms = 10 * ms + (*t->p++ - '0');
	if (t->p == start)
		return wrong(t, "must begin with a time in milliseconds, or with # for a comment");
	if (t->p < t->end && *t->p == '.')
		for (t->p++; t->p < t->end && *t->p >= '0' && *t->p <= '9' && scale > 1; t->p++) {
			scale /= 10;
			fraction += (*t->p - '0') * scale;
		}
	if (ms > most)
		return wrong(t, "the time must not be more than a year");
	if (t->p == t->end || !is_blank(*t->p))
		return wrong(t,
			     "the time must be a number of milliseconds such as 12.345, followed "
			     "by a blank");
	*us = 1000 * ms + fraction;
	return true;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Pairs of digits; blanks between pairs are fine. */
static bool take_bytes(struct text *t, uint8_t *bytes, size_t *len)
{
	*len = 0;
	for (;;) {
		skip_blanks(t);
		if (t->p == t->end)
			break;
		int high = nibble(t->p[0]), low = t->p + 1 < t->end ? nibble(t->p[1]) : -1;

		if (high < 0 || low < 0)
			return wrong(t, "the bytes must be pairs of hexadecimal digits");
		if (*len == CAPTURE_FRAME_MAX)
			return wrong(t, "more than %d bytes; put the rest on another line",
				     CAPTURE_FRAME_MAX);
		bytes[(*len)++] = (uint8_t)(high << 4 | low);
		t->p += 2;
	}
	return *len ? true : wrong(t, "there must be bytes behind the direction");
}

static bool take_frame(struct text *t, struct capture *c)
{
	uint8_t bytes[CAPTURE_FRAME_MAX];
	size_t len;
	int64_t at_us = 0;

	if (!take_time(t, &at_us))
		return false;
	skip_blanks(t);
	if (t->p == t->end || (*t->p != '>' && *t->p != '<'))
		return wrong(t, "the time must be followed by > (to the UPS) or < (from it)");
	bool sent = *t->p++ == '>';

	if (!take_bytes(t, bytes, &len))
		return false;
	if (c->n && at_us < c->frames[c->n - 1].at_us)
		return wrong(t, "the time goes backwards: %.3f ms after %.3f ms",
			     (double)at_us / 1000, (double)c->frames[c->n - 1].at_us / 1000);
	return add_one(c, at_us, sent, bytes, len) ||
	       wrong(t, "more than %d frames", CAPTURE_FRAMES_MAX);
}

static bool take_line(struct text *t, struct capture *c)
{
	if (t->end - t->p > CAPTURE_LINE_MAX)
		return wrong(t, "longer than %d characters; this is no capture", CAPTURE_LINE_MAX);
	if (t->line == 1) {
		size_t len = sizeof(magic) - 1;

		if ((size_t)(t->end - t->p) < len || memcmp(t->p, magic, len) != 0)
			return wrong(t, "must be \"%s\"; this is no capture", magic);
		for (t->p += len; t->p < t->end; t->p++)
			if (!is_blank(*t->p))
				return wrong(t, "must be \"%s\"; another version's capture?",
					     magic);
		return true;
	}
	skip_blanks(t);
	if (t->p == t->end)
		return true;
	return *t->p == '#' ? take_comment(t, c) : take_frame(t, c);
}

bool capture_parse(struct capture *capture, const char *text, size_t len, char *error, size_t size)
{
	const char *end = text + len;
	struct text t = { .error = error, .size = size };

	do {
		const char *newline = len ? memchr(text, '\n', (size_t)(end - text)) : NULL;

		t.p = text;
		t.end = newline ? newline : end;
		t.line++;
		if (!take_line(&t, capture))
			return false;
		text = newline ? newline + 1 : end;
	} while (text < end);
	return true;
}

static __attribute__((format(printf, 3, 4))) bool fail(char *error, size_t size, const char *format,
						       ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return false;
}

/* In pieces: what is no plain file (a pipe) has no size. */
static char *read_all(FILE *f, size_t *len)
{
	size_t cap = 1 << 16;
	char *text = xmalloc(cap);

	*len = 0;
	for (;;) {
		size_t n = fread(text + *len, 1, cap - *len, f);

		*len += n;
		if (!n)
			break;
		if (*len > FILE_MAX) {
			errno = EFBIG;
			break;
		}
		if (*len == cap)
			text = xrealloc(text, cap *= 2);
	}
	if (ferror(f) || *len > FILE_MAX) {
		free(text);
		return NULL;
	}
	return text;
}

bool capture_load(struct capture *capture, const char *path, char *error, size_t size)
{
	char why[200];
	struct stat st;
	size_t len;
	FILE *f = fopen(path, "re");

	if (!f)
		return fail(error, size, "%s: %s", path, strerror(errno));
	if (!fstat(fileno(f), &st) && S_ISDIR(st.st_mode)) {
		fclose(f);
		return fail(error, size, "%s is a directory; name a capture file", path);
	}
	char *text = read_all(f, &len);
	int err = errno;

	fclose(f);
	if (!text)
		return fail(error, size, "%s: %s", path, strerror(err));
	bool ok = capture_parse(capture, text, len, why, sizeof(why));

	free(text);
	return ok || fail(error, size, "%s, %s", path, why);
}

/* ---- writing ---- */

static void write_key(FILE *out, const char *key, const char *value)
{
	if (*value)
		fprintf(out, "# %s: %s\n", key, value);
}

static void write_frame(FILE *out, const struct capture_frame *f)
{
	fprintf(out, "%" PRId64 ".%03d %c ", f->at_us / 1000, (int)(f->at_us % 1000),
		f->sent ? '>' : '<');
	for (size_t i = 0; i < f->len; i++)
		fprintf(out, "%02X", f->bytes[i]);
	fputc('\n', out);
}

bool capture_write(const struct capture *c, FILE *out)
{
	fprintf(out, "%s\n", magic);
	write_key(out, "model", c->model);
	write_key(out, "firmware", c->firmware);
	write_key(out, "date", c->date);
	write_key(out, "tool", c->tool);
	write_key(out, "note", c->note);
	if (c->framing == CAPTURE_MBAP)
		fputs("# line: mbap\n", out);
	else
		fprintf(out, "# line: rtu %u\n", c->baud);
	for (size_t i = 0; i < c->n; i++)
		write_frame(out, &c->frames[i]);
	return fflush(out) == 0 && !ferror(out);
}

static bool has_crc(const struct capture_frame *f)
{
	return f->len > 2 && crc16(f->bytes, f->len - 2u) ==
				     (uint16_t)(f->bytes[f->len - 2] | f->bytes[f->len - 1] << 8);
}

void capture_hide(struct capture *capture, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; len && i < capture->n; i++) {
		struct capture_frame *f = &capture->frames[i];
		bool whole = has_crc(f);
		uint8_t *at;

		while (!f->sent && (at = memmem(f->bytes, f->len, text, len)) &&
		       strspn(text, "0") < len) {
			memset(at, '0', len);
			if (whole) {
				uint16_t crc = crc16(f->bytes, f->len - 2u);

				f->bytes[f->len - 2] = (uint8_t)crc;
				f->bytes[f->len - 1] = (uint8_t)(crc >> 8);
			}
		}
	}
}
