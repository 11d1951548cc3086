#include "cli/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "util/util.h"

void sse_init(struct sse *sse)
{
	memset(sse, 0, sizeof(*sse));
}

void sse_close(struct sse *sse)
{
	free(sse->line);
	free(sse->data);
	memset(sse, 0, sizeof(*sse));
}

/* Append, with a NUL behind. False beyond the limit. */
static bool append(char **buffer, size_t *len, size_t *cap, const char *data, size_t n)
{
	if (*len + n >= SSE_EVENT_MAX)
		return false;
	if (*len + n + 1 > *cap) {
		*cap = (*len + n + 1) * 2;
		*buffer = xrealloc(*buffer, *cap);
	}
	memcpy(*buffer + *len, data, n);
	*len += n;
	(*buffer)[*len] = '\0';
	return true;
}

static void end_event(struct sse *sse, sse_cb cb, void *user)
{
	if (sse->has_data)
		cb(*sse->type ? sse->type : "message", sse->id, sse->data, user);
	sse->type[0] = '\0';
	sse->has_data = false;
	sse->data_len = 0;
}

static bool take_data(struct sse *sse, const char *value)
{
	if (sse->has_data && !append(&sse->data, &sse->data_len, &sse->data_cap, "\n", 1))
		return false;
	sse->has_data = true;
	return append(&sse->data, &sse->data_len, &sse->data_cap, value, strlen(value));
}

static bool end_line(struct sse *sse, sse_cb cb, void *user)
{
	char *line = sse->line;
	char *value;

	if (sse->line_len == 0) {
		end_event(sse, cb, user);
		return true;
	}
	sse->line_len = 0;
	value = strchr(line, ':');
	if (value == line)
		return true; /* a comment */
	if (value) {
		*value++ = '\0';
		value += *value == ' ';
	} else {
		value = line + strlen(line);
	}
	if (!strcmp(line, "data"))
		return take_data(sse, value);
	if (!strcmp(line, "event"))
		snprintf(sse->type, sizeof(sse->type), "%s", value);
	else if (!strcmp(line, "id"))
		snprintf(sse->id, sizeof(sse->id), "%s", value);
	return true;
}

bool sse_feed(struct sse *sse, const char *data, size_t len, sse_cb cb, void *user)
{
	for (size_t i = 0; i < len; i++) {
		char c = data[i];
		bool second = sse->after_cr && c == '\n';

		sse->after_cr = c == '\r';
		if (second)
			continue;
		if (c == '\n' || c == '\r') {
			if (!end_line(sse, cb, user))
				return false;
		} else if (c != '\0' &&
			   !append(&sse->line, &sse->line_len, &sse->line_cap, &c, 1)) {
			return false;
		}
	}
	return true;
}
