#include "cli/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cli/sse.h"
#include "util/util.h"

struct text {
	char data[512];
	size_t len;
};

static void add(const char *data, size_t len, void *user)
{
	struct text *text = user;

	assert_true(text->len + len < sizeof(text->data));
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

static const struct {
	const char *what, *bytes;
	bool good;	/* well-formed so far */
	bool complete;	/* before the connection ends */
	bool ends_well; /* if it ends there */
	int status;
	const char *body;
} rows[] = {
	{ "length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, true, true, 200, "hi" },
	{ "more behind it", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiXX", true, true, true,
	  200, "hi" },
	{ "cut", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", true, false, false, 200, "hi" },
	{ "empty", "HTTP/1.1 202 Accepted\r\ncontent-length:0\r\n\r\n", true, true, true, 202, "" },
	{ "until the end", "HTTP/1.0 200 OK\r\n\r\nhi", true, false, true, 200, "hi" },
	{ "bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", true, true, true, 200,
	  "x" },
	{ "chunks",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nA;x=y\r\n0123456789\r\n"
	  "0\r\nTrailer: 1\r\n\r\n",
	  true, true, true, 200, "hi0123456789" },
	{ "chunks cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", true,
	  false, false, 200, "hi" },
	{ "interim",
	  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true,
	  true, true, 404, "" },
	{ "no content", "HTTP/1.1 204 No Content\r\n\r\n", true, true, true, 204, "" },
	{ "no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", true, true, true, 200, "" },
	{ "not HTTP", "SSH-2.0-OpenSSH\r\n", false, false, false, 0, "" },
	{ "bad status", "HTTP/1.1 2x0 OK\r\n", false, false, false, 0, "" },
	{ "status too small", "HTTP/1.1 099 No\r\n", false, false, false, 0, "" },
	{ "no colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", false, false, false, 0, "" },
	{ "no name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", false, false, false, 0, "" },
	{ "negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, false, false,
	  0, "" },
	{ "huge length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", false,
	  false, false, 0, "" },
	{ "two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false,
	  false, false, 0, "" },
	{ "unknown encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false, false,
	  false, 0, "" },
	{ "bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxy\r\n", false,
	  false, false, 0, "" },
	{ "bytes behind a chunk",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", false, false, false,
	  0, "a" },
	{ "nothing", "", true, false, false, 0, "" },
};

/* In one piece, and byte by byte. */
static void test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		size_t row = i / 2, len = strlen(rows[row].bytes);
		size_t piece = i % 2 ? 1 : len + 1;
		struct text body = { .len = 0 };
		struct response response;
		bool good = true;

		print_message("%s\n", rows[row].what);
		response_init(&response);
		for (size_t at = 0; at < len && good; at += piece)
			good = response_feed(&response, rows[row].bytes + at,
					     piece < len - at ? piece : len - at, add, &body);
		assert_int_equal(good, rows[row].good);
		assert_string_equal(body.data, rows[row].body);
		if (!good)
			continue;
		assert_int_equal(response.state == RESPONSE_DONE, rows[row].complete);
		assert_int_equal(response.status, rows[row].status);
		assert_int_equal(response_end(&response), rows[row].ends_well);
	}
}

static void test_limits(void **state)
{
	static const char start[] = "HTTP/1.1 200 OK\r\n";
	struct text body = { .len = 0 };
	struct response response;
	bool good = true;

	(void)state;
	response_init(&response);
	assert_true(response_feed(&response, start, strlen(start), add, &body));
	for (size_t i = 0; i < RESPONSE_LINE_MAX && good; i++)
		good = response_feed(&response, "x", 1, add, &body);
	assert_false(good);

	response_init(&response);
	response_feed(&response, start, strlen(start), add, &body);
	for (unsigned i = 0; i < RESPONSE_HEADERS_MAX; i++)
		assert_true(response_feed(&response, "a: b\r\n", 6, add, &body));
	assert_false(response_feed(&response, "a: b\r\n", 6, add, &body));
}

static void note(const char *type, const char *id, const char *data, void *user)
{
	struct text *text = user;
	char *line = xasprintf("[%s|%s|%s]", type, id, data);

	add(line, strlen(line), text);
	free(line);
}

static void test_sse(void **state)
{
	static const struct {
		const char *bytes, *events;
	} streams[] = {
		{ "data: a\n\n", "[message||a]" },
		{ "event: x\nid: 7\ndata: {}\n\n", "[x|7|{}]" },
		{ "event: x\r\ndata: a\r\n\r\n", "[x||a]" },
		{ "data: a\rdata: b\r\r", "[message||a\nb]" },
		{ "data: a\ndata: b\n\n", "[message||a\nb]" },
		{ ": comment\n\n:\n\ndata:x\n\n", "[message||x]" },
		{ "id: 1\ndata: a\n\ndata: b\n\n", "[message|1|a][message|1|b]" },
		{ "event: x\n\ndata: a\n\n", "[message||a]" },
		{ "retry: 2000\n\n", "" },
		{ "data\n\n", "[message||]" },
		{ "data: unfinished\n", "" },
		{ "unknown: x\ndata: a\n\n", "[message||a]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(streams) * 2; i++) {
		size_t row = i / 2, len = strlen(streams[row].bytes);
		size_t piece = i % 2 ? 1 : len;
		struct text seen = { .len = 0 };
		struct sse sse;

		sse_init(&sse);
		for (size_t at = 0; at < len; at += piece)
			assert_true(sse_feed(&sse, streams[row].bytes + at, piece, note, &seen));
		assert_string_equal(seen.data, streams[row].events);
		sse_close(&sse);
	}
}

static void test_sse_limit(void **state)
{
	struct text seen = { .len = 0 };
	char block[4096];
	struct sse sse;
	bool good = true;
	size_t fed = 0;

	(void)state;
	memset(block, 'x', sizeof(block));
	sse_init(&sse);
	while (good && fed <= SSE_EVENT_MAX) {
		good = sse_feed(&sse, block, sizeof(block), note, &seen);
		fed += sizeof(block);
	}
	assert_false(good);
	sse_close(&sse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_sse),
		cmocka_unit_test(test_sse_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
