#include "cli/response.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const uint64_t SIZE_MAX_BYTES = UINT64_C(1) << 40;

void response_init(struct response *response)
{
	memset(response, 0, sizeof(*response));
}

/* Digits of base, ended by one of ends; false if there are none or too many. */
static bool parse_size(const char *text, int base, const char *ends, uint64_t *size)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; isxdigit((unsigned char)text[n]) && (base == 16 || isdigit((unsigned char)text[n]));
	     n++) {
		int c = tolower((unsigned char)text[n]);

		value = value * (unsigned)base + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		if (value > SIZE_MAX_BYTES)
			return false;
	}
	if (n == 0 || (text[n] && !strchr(ends, text[n])))
		return false;
	*size = value;
	return true;
}

static enum response_state status_line(struct response *r)
{
	const char *line = r->line;

	if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[7]) || line[8] != ' ')
		return RESPONSE_BAD;
	for (int i = 9; i < 12; i++)
		if (!isdigit((unsigned char)line[i]))
			return RESPONSE_BAD;
	if (line[12] && line[12] != ' ')
		return RESPONSE_BAD;
	r->status = atoi(line + 9);
	return r->status >= 100 ? RESPONSE_HEADERS : RESPONSE_BAD;
}

static enum response_state after_headers(struct response *r)
{
	if (r->status < 200) { /* an interim answer; the real one follows */
		r->n_headers = 0;
		r->chunked = r->has_length = false;
		return RESPONSE_STATUS;
	}
	if (r->status == 204 || r->status == 304)
		return RESPONSE_DONE;
	if (r->chunked)
		return RESPONSE_SIZE;
	return r->has_length && r->left == 0 ? RESPONSE_DONE : RESPONSE_BODY;
}

static void take_type(struct response *r, const char *value)
{
	size_t len = strcspn(value, "; \t");

	if (len >= sizeof(r->content_type))
		len = sizeof(r->content_type) - 1;
	for (size_t i = 0; i < len; i++)
		r->content_type[i] = (char)tolower((unsigned char)value[i]);
	r->content_type[len] = '\0';
}

static enum response_state header_line(struct response *r)
{
	char *colon = strchr(r->line, ':');
	const char *value;

	if (!*r->line)
		return after_headers(r);
	if (!colon || colon == r->line || ++r->n_headers > RESPONSE_HEADERS_MAX)
		return RESPONSE_BAD;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	if (!strcasecmp(r->line, "Content-Type")) {
		take_type(r, value);
	} else if (!strcasecmp(r->line, "Transfer-Encoding")) {
		if (strcasecmp(value, "chunked") != 0)
			return RESPONSE_BAD;
		r->chunked = true;
	} else if (!strcasecmp(r->line, "Content-Length")) {
		if (r->has_length || !parse_size(value, 10, " \t", &r->left))
			return RESPONSE_BAD;
		r->has_length = true;
	}
	return RESPONSE_HEADERS;
}

static enum response_state size_line(struct response *r)
{
	if (!parse_size(r->line, 16, "; \t", &r->left))
		return RESPONSE_BAD;
	return r->left ? RESPONSE_CHUNK : RESPONSE_TRAILERS;
}

static enum response_state take_line(struct response *r)
{
	switch (r->state) {
	case RESPONSE_STATUS:
		return status_line(r);
	case RESPONSE_HEADERS:
		return header_line(r);
	case RESPONSE_SIZE:
		return size_line(r);
	case RESPONSE_CHUNK_END:
		return *r->line ? RESPONSE_BAD : RESPONSE_SIZE;
	case RESPONSE_TRAILERS:
		if (!*r->line)
			return RESPONSE_DONE;
		return ++r->n_headers > RESPONSE_HEADERS_MAX ? RESPONSE_BAD : RESPONSE_TRAILERS;
	case RESPONSE_BODY:
	case RESPONSE_CHUNK:
	case RESPONSE_DONE:
	case RESPONSE_BAD:
		break;
	}
	return RESPONSE_BAD;
}

/* One byte of a line. */
static void feed_line(struct response *r, char c)
{
	if (c == '\0' || (c != '\n' && r->line_len + 1 >= sizeof(r->line))) {
		r->state = RESPONSE_BAD;
		return;
	}
	if (c != '\n') {
		r->line[r->line_len++] = c;
		return;
	}
	if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	r->line[r->line_len] = '\0';
	r->line_len = 0;
	r->state = take_line(r);
}

/* Pieces of the body that are here now. Returns how many bytes were taken. */
static size_t feed_body(struct response *r, const char *data, size_t len, response_body_cb cb,
			void *user)
{
	bool counted = r->state == RESPONSE_CHUNK || r->has_length;

	if (counted && len > r->left)
		len = (size_t)r->left;
	cb(data, len, user);
	if (!counted)
		return len;
	r->left -= len;
	if (r->left == 0)
		r->state = r->state == RESPONSE_CHUNK ? RESPONSE_CHUNK_END : RESPONSE_DONE;
	return len;
}

bool response_feed(struct response *response, const char *data, size_t len, response_body_cb cb,
		   void *user)
{
	for (size_t at = 0; at < len && response->state != RESPONSE_BAD;) {
		if (response->state == RESPONSE_DONE)
			break; /* nothing of ours follows */
		if (response->state == RESPONSE_BODY || response->state == RESPONSE_CHUNK)
			at += feed_body(response, data + at, len - at, cb, user);
		else
			feed_line(response, data[at++]);
	}
	return response->state != RESPONSE_BAD;
}

bool response_end(struct response *response)
{
	if (response->state == RESPONSE_BODY && !response->has_length)
		response->state = RESPONSE_DONE;
	return response->state == RESPONSE_DONE;
}
