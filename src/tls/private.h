#pragma once

#include <openssl/ssl.h>

#include "tls/tls.h"

struct tls {
	unsigned refs; /* atomic: a thread may hand one over */
	SSL_CTX *ctx;
	long days_left;
	char fingerprint[TLS_FINGERPRINT_SIZE];
};

/** The newest of OpenSSL's complaints in words, all of them forgotten. */
const char *tls__reason(void);
