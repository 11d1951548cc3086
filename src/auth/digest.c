#include "auth/digest.h"

#include <stdlib.h>
#include <string.h>

#include "util/util.h"

static uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein 2012). */
static uint64_t siphash(const uint64_t key[2], const uint8_t *data, size_t len)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			  key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	uint64_t word = 0;

	for (size_t i = 0; i <= len; i++) {
		word |= (uint64_t)(i < len ? data[i] : len & 0xff) << (i == len ? 56 : i % 8 * 8);
		if (i % 8 != 7 && i != len)
			continue;
		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
		word = 0;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void digest_key_make(struct digest_key *key)
{
	random_bytes(key->k, sizeof(key->k));
}

struct digest digest_texts(const struct digest_key *key, const char *a, const char *b,
			   const char *c)
{
	/* with their NULs, which keep them apart */
	size_t la = strlen(a) + 1, lb = strlen(b) + 1, lc = strlen(c) + 1;
	uint8_t *text = xmalloc(la + lb + lc);
	struct digest d;

	memcpy(text, a, la);
	memcpy(text + la, b, lb);
	memcpy(text + la + lb, c, lc);
	d.a = siphash(key->k, text, la + lb + lc);
	d.b = siphash(key->k + 2, text, la + lb + lc);
	explicit_bzero(text, la + lb + lc);
	free(text);
	return d;
}

bool digest_same(const struct digest *x, const struct digest *y)
{
	return ((x->a ^ y->a) | (x->b ^ y->b)) == 0;
}
