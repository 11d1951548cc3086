/* Values of request headers, one on a line: Cookie, Authorization, Origin, Host, Accept-Encoding. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "front/http/headers.h"
#include "front/http/host.h"
#include "util/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "ups.example.org";
	char *names[] = { name };
	char *text = xmalloc(size + 1);
	char *lines[5];
	char *rest = text;
	char user[HEADERS_WORD_MAX], password[HEADERS_WORD_MAX], token[65];

	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		lines[i] = rest;
		rest += strcspn(rest, "\n");
		if (*rest)
			*rest++ = '\0';
	}
	if (headers_cookie(lines[0], "ups2000", token, sizeof(token)) &&
	    (strlen(token) >= sizeof(token) || !strstr(lines[0], token)))
		abort();
	if (headers_basic(lines[1], user, password) && strchr(user, ':'))
		abort();
	if (headers_same_origin(lines[2], lines[3]) && !strchr(lines[2], '/'))
		abort();
	if (host_is_ours(lines[3], names, 1) && (!*lines[3] || strchr(lines[3], '/')))
		abort();
	if (headers_accepts_coding(lines[4], "gzip") && strlen(lines[4]) < 4)
		abort();
	free(text);
	return 0;
}
