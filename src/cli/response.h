#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An HTTP/1.x response, taken apart as its bytes come. Pure. */
enum response_state {
	RESPONSE_STATUS, /* status line */
	RESPONSE_HEADERS,
	RESPONSE_BODY, /* with a length, or until the end of the connection */
	RESPONSE_SIZE, /* size line of a chunk */
	RESPONSE_CHUNK,
	RESPONSE_CHUNK_END, /* the empty line behind a chunk */
	RESPONSE_TRAILERS,
	RESPONSE_DONE,
	RESPONSE_BAD,
};

enum { RESPONSE_LINE_MAX = 4096, RESPONSE_HEADERS_MAX = 100 };

struct response {
	enum response_state state;
	int status;	       /* 200 */
	char content_type[64]; /* without parameters, lower case */
	bool chunked, has_length;
	uint64_t left; /* bytes of the body or of the chunk still to come */
	unsigned n_headers;
	size_t line_len;
	char line[RESPONSE_LINE_MAX];
};

/** Is given pieces of the body, without any chunk framing. */
typedef void (*response_body_cb)(const char *data, size_t len, void *user);

void response_init(struct response *response);

/** Take bytes. Returns false once the response is malformed (then for good). */
bool response_feed(struct response *response, const char *data, size_t len, response_body_cb cb,
		   void *user);

/** The connection ended. Returns false if that cut the response. */
bool response_end(struct response *response);
