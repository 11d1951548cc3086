#include "front/http/headers.h"

#include <string.h>
#include <strings.h>

bool headers_cookie(const char *cookies, const char *name, char *out, size_t size)
{
	size_t name_len = strlen(name);

	while (*cookies) {
		size_t len;

		cookies += strspn(cookies, "; \t");
		len = strcspn(cookies, ";");
		if (len > name_len && cookies[name_len] == '=' &&
		    memcmp(cookies, name, name_len) == 0) {
			len -= name_len + 1;
			if (len >= size)
				return false;
			memcpy(out, cookies + name_len + 1, len);
			out[len] = '\0';
			return true;
		}
		cookies += len;
	}
	return false;
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Returns the number of bytes, or -1. */
static int base64(const char *text, char *out, size_t size)
{
	unsigned bits = 0, n_bits = 0;
	size_t used = 0, len = strcspn(text, "=");

	if (strlen(text) % 4 != 0 || strspn(text + len, "=") != strlen(text + len) ||
	    strlen(text + len) > 2)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return -1;
		bits = bits << 6 | (unsigned)digit;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		if (used == size)
			return -1;
		out[used++] = (char)(bits >> n_bits & 0xff);
	}
	return (int)used;
}

bool headers_basic(const char *authorization, char user[HEADERS_WORD_MAX],
		   char password[HEADERS_WORD_MAX])
{
	char text[2 * HEADERS_WORD_MAX];
	const char *colon;
	bool ok = false;
	int len;

	if (strncasecmp(authorization, "Basic ", 6) != 0)
		return false;
	authorization += 6;
	authorization += strspn(authorization, " ");
	len = base64(authorization, text, sizeof(text) - 1);
	if (len < 0)
		return false;
	text[len] = '\0';
	colon = strchr(text, ':');
	if (colon && strlen(text) == (size_t)len && colon - text < HEADERS_WORD_MAX &&
	    strlen(colon + 1) < HEADERS_WORD_MAX) {
		memcpy(user, text, (size_t)(colon - text));
		user[colon - text] = '\0';
		strcpy(password, colon + 1);
		ok = true;
	}
	explicit_bzero(text, sizeof(text));
	return ok;
}

/* The length of host without a port that goes without saying. */
static size_t bare_len(const char *host)
{
	size_t len = strlen(host);

	if (len > 3 && strcmp(host + len - 3, ":80") == 0)
		return len - 3;
	if (len > 4 && strcmp(host + len - 4, ":443") == 0)
		return len - 4;
	return len;
}

bool headers_same_origin(const char *origin, const char *host)
{
	size_t len;

	if (strncasecmp(origin, "http://", 7) == 0)
		origin += 7;
	else if (strncasecmp(origin, "https://", 8) == 0)
		origin += 8;
	else
		return false;
	len = bare_len(host);
	return len > 0 && bare_len(origin) == len && strncasecmp(origin, host, len) == 0;
}

static bool is_zero(const char *q, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (q[i] != '0' && q[i] != '.' && q[i] != ' ')
			return false;
	return true;
}

bool headers_accepts_coding(const char *accept_encoding, const char *coding)
{
	size_t coding_len = strlen(coding);

	while (*accept_encoding) {
		const char *word = accept_encoding + strspn(accept_encoding, ", \t");
		size_t len = strcspn(word, ","), name_len = strcspn(word, ",; \t");
		const char *q = memchr(word, '=', len);

		if (name_len == coding_len && strncasecmp(word, coding, coding_len) == 0)
			return !q || !is_zero(q + 1, len - (size_t)(q + 1 - word));
		accept_encoding = word + len;
	}
	return false;
}
