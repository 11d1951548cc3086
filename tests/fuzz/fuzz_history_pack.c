/* Input: which decoder, then what a damaged database may hand it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "history/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* What could be read can be written, and comes back the same. */
static void chunk(const uint8_t *data, size_t size)
{
	struct pack_chunk first, second;
	uint8_t out[PACK_CHUNK_MAX];
	size_t len;

	unpack_chunk(data, size, &first);
	for (int row = 0; row < PACK_QTYS; row++) {
		const struct pack_series *s = &first.series[row];

		check(s->n <= PACK_READINGS && s->until <= PACK_CHUNK_TICKS);
		for (unsigned i = 1; i < s->n; i++)
			check(s->readings[i].tick > s->readings[i - 1].tick);
		if (s->n)
			check(s->until >= s->readings[s->n - 1].tick);
	}
	len = pack_chunk(&first, out);
	check(len <= PACK_CHUNK_MAX);
	if (len) {
		check(unpack_chunk(out, len, &second));
		check(memcmp(&first, &second, sizeof(first)) == 0);
	}
}

static void block(const uint8_t *data, size_t size, size_t n)
{
	struct band first[PACK_SLOTS], second[PACK_SLOTS];
	uint8_t out[PACK_BLOCK_MAX];
	size_t len;

	unpack_block(data, size, n, first);
	for (size_t i = 0; i < n; i++)
		if (first[i].known)
			check(first[i].min <= first[i].mean && first[i].mean <= first[i].max);
	len = pack_block(first, n, out);
	check(len <= PACK_BLOCK_MAX);
	if (len) {
		check(unpack_block(out, len, n, second));
		check(memcmp(first, second, n * sizeof(*first)) == 0);
	}
}

static void curve(const uint8_t *data, size_t size)
{
	struct curve_point first[PACK_CURVE_POINTS], second[PACK_CURVE_POINTS];
	uint8_t out[PACK_CURVE_MAX];
	size_t n = unpack_curve(data, size, first), len;

	check(n <= PACK_CURVE_POINTS);
	len = pack_curve(first, n, out);
	check(len <= PACK_CURVE_MAX);
	check(unpack_curve(out, len, second) == n);
	check(memcmp(first, second, n * sizeof(*first)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	switch (data[0] % 4) {
	case 0:
		chunk(data + 1, size - 1);
		break;
	case 1:
		block(data + 1, size - 1, 60);
		break;
	case 2:
		block(data + 1, size - 1, PACK_SLOTS);
		break;
	case 3:
		curve(data + 1, size - 1);
		break;
	}
	return 0;
}
