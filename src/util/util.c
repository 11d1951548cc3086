#include "util/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		die("out of memory");
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		die("out of memory");
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		die("out of memory");
	return p;
}

char *xstrdup(const char *s)
{
	if (!s)
		return NULL;

	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}

char *xvasprintf(const char *format, va_list args)
{
	char *s;

	if (vasprintf(&s, format, args) < 0)
		die("out of memory");
	return s;
}

char *xasprintf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *s = xvasprintf(format, args);

	va_end(args);
	return s;
}

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void text_put(struct textbuf *text, const char *format, ...)
{
	va_list args;
	char *more;
	size_t len;

	va_start(args, format);
	more = xvasprintf(format, args);
	va_end(args);
	len = strlen(more);
	text->at = xrealloc(text->at, text->len + len + 1);
	memcpy(text->at + text->len, more, len + 1);
	text->len += len;
	free(more);
}

int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int64_t clock_us(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

void random_bytes(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("no random numbers from the kernel");
		p += n;
		len -= (size_t)n;
	}
}

void uuid_make(char out[37])
{
	uint8_t b[16];
	char *p = out;

	random_bytes(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4: RFC 9562, 5.4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);

	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = "0123456789ABCDEF"[b[i] >> 4];
		*p++ = "0123456789ABCDEF"[b[i] & 15];
	}
	*p = '\0';
}
