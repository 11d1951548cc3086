#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Secrets in a form that tells nothing without a random key: what is kept to know one again.
 * SipHash-2-4 twice (Aumasson, Bernstein 2012).
 */
struct digest {
	uint64_t a, b;
};
struct digest_key {
	uint64_t k[4];
};

/** A random key. */
void digest_key_make(struct digest_key *key);
/** Of three texts, kept apart. */
struct digest digest_texts(const struct digest_key *key, const char *a, const char *b,
			   const char *c);
/** In a time that does not depend on what they hold. */
bool digest_same(const struct digest *x, const struct digest *y);
