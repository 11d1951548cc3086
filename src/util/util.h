#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Allocation that aborts with a message when memory is out (programs only, not the library). */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/** Text that grows; begins as { NULL, 0 }. free() at. */
struct textbuf {
	char *at;
	size_t len;
};
void text_put(struct textbuf *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** 0 to 15, or -1. */
int hex_value(char c);

/** CLOCK_BOOTTIME in microseconds: monotonic, and it goes on while the machine sleeps. */
int64_t clock_us(void);
/** Wall clock in microseconds since 1970. */
int64_t wall_us(void);

/** Fill buf from getrandom(2); aborts if the kernel has none. */
void random_bytes(void *buf, size_t len);
/** A random UUID v4, upper case, 36 characters and NUL. */
void uuid_make(char out[37]);
