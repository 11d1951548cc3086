#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/crc16.h"
#include "vectors.h"

static void test_known(void **state)
{
	(void)state;

	assert_int_equal(crc16((const uint8_t *)"", 0), 0xffff);
	/* The catalogue's check value of CRC-16/MODBUS. */
	assert_int_equal(crc16((const uint8_t *)"123456789", 9), 0x4b37);
}

static void test_vectors(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		uint8_t adu[256];
		size_t n = hex_bytes(vectors[i].hex, adu) - 2;
		unsigned wire = adu[n] | (unsigned)adu[n + 1] << 8;

		if (crc16(adu, n) != wire)
			fail_msg("%s: %04x, the wire says %04x", vectors[i].name, crc16(adu, n),
				 wire);
	}
}

/* The bad row of each: any single bit, or two neighbours swapped, change the sum. */
static void test_damage(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		uint8_t adu[256];
		size_t n = hex_bytes(vectors[i].hex, adu) - 2;
		uint16_t good = crc16(adu, n);

		for (size_t bit = 0; bit < 8 * n; bit++) {
			adu[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_not_equal(crc16(adu, n), good);
			adu[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (size_t at = 0; at + 1 < n; at++) {
			uint8_t first = adu[at];

			if (first == adu[at + 1])
				continue;
			adu[at] = adu[at + 1];
			adu[at + 1] = first;
			assert_int_not_equal(crc16(adu, n), good);
			adu[at + 1] = adu[at];
			adu[at] = first;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
