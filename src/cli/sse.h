#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Server-sent events, taken apart as the bytes of the stream come. Pure. */
enum { SSE_EVENT_MAX = 1024 * 1024 };

struct sse {
	char *line, *data;
	size_t line_len, line_cap, data_len, data_cap;
	bool has_data, after_cr;
	char type[32]; /* "" is "message" */
	char id[32];   /* last one seen */
};

/** An event; strings are borrowed for the call. */
typedef void (*sse_cb)(const char *type, const char *id, const char *data, void *user);

void sse_init(struct sse *sse);
void sse_close(struct sse *sse);

/** Returns false if an event is larger than SSE_EVENT_MAX. */
bool sse_feed(struct sse *sse, const char *data, size_t len, sse_cb cb, void *user);
