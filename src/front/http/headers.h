#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Values of request headers, taken apart. Nothing here knows sockets. */

enum { HEADERS_WORD_MAX = 256 };

/** The value of one cookie; false if there is none or it is longer than size allows. */
bool headers_cookie(const char *cookies, const char *name, char *out, size_t size);

/**
 * Name and password of "Basic ..." (RFC 7617).
 * Returns false for another scheme, bad base64, no colon, a NUL or too long words.
 */
bool headers_basic(const char *authorization, char user[HEADERS_WORD_MAX],
		   char password[HEADERS_WORD_MAX]);

/**
 * Does a page of this origin belong to the host it asks? The scheme is left out of account: a proxy
 * may have spoken TLS for us.
 *
 * @origin  "http://ups.example.org:8493" or "null"
 * @host    of the Host header
 */
bool headers_same_origin(const char *origin, const char *host);

/** May content with this coding be sent? q=0 means no. */
bool headers_accepts_coding(const char *accept_encoding, const char *coding);
