#pragma once

#include <stddef.h>

/**
 * Hash a password as the configuration wants it (yescrypt, crypt(5)); takes about 0.1 s.
 *
 * Returns a string to free, or NULL if the system's crypt cannot.
 */
char *password_hash(const char *password);

enum { PASSWORD_MADE_MAX = 21 };
/** Make one up: 20 letters and digits without look-alikes, a little over 100 bits. */
void password_make(char out[PASSWORD_MADE_MAX]);
