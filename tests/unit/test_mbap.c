#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/mbap.h"
#include "util/util.h"

/* The example of the implementation guide's 3.1.3 and what is wrong with its neighbours. */
static const struct {
	const char *name;
	uint8_t in[24];
	size_t len;
	unsigned frames; /* whole ones */
	bool broken;
	size_t pending;
} rows[] = {
	/*                              id      protocol  length  unit fc ... */
	{ "a read's reply", { 0x15, 0x01, 0, 0, 0, 5, 0xff, 3, 2, 0, 5 }, 11, 1, false, 0 },
	{ "an exception", { 0, 1, 0, 0, 0, 3, 1, 0x83, 0x0b }, 9, 1, false, 0 },
	{ "two at once",
	  { 0, 1, 0, 0, 0, 3, 1, 0x83, 2, 0, 2, 0, 0, 0, 3, 1, 0x83, 2 },
	  18,
	  2,
	  false,
	  0 },
	{ "shortest PDU", { 0, 1, 0, 0, 0, 2, 1, 7 }, 8, 1, false, 0 },
	{ "nothing", { 0 }, 0, 0, false, 0 },
	{ "cut in the id", { 0 }, 1, 0, false, 1 },
	{ "cut in the length", { 0, 1, 0, 0, 0 }, 5, 0, false, 5 },
	{ "cut in the PDU", { 0, 1, 0, 0, 0, 5, 1, 3, 2, 0 }, 10, 0, false, 10 },
	{ "whole, then cut", { 0, 1, 0, 0, 0, 2, 1, 7, 0, 2, 0 }, 11, 1, false, 3 },
	{ "other protocol", { 0, 1, 0, 1, 0, 3, 1, 0x83, 2 }, 9, 0, true, 0 },
	{ "other protocol, early", { 0, 1, 1, 0 }, 4, 0, true, 0 },
	{ "length without a PDU", { 0, 1, 0, 0, 0, 1, 1 }, 7, 0, true, 0 },
	{ "length 0", { 0, 1, 0, 0, 0, 0 }, 6, 0, true, 0 },
	{ "length over 254", { 0, 1, 0, 0, 0, 255, 1, 3 }, 8, 0, true, 0 },
	{ "length over 254, high", { 0, 1, 0, 0, 1, 5, 1, 3 }, 8, 0, true, 0 },
	{ "good, then not Modbus", { 0, 1, 0, 0, 0, 2, 1, 7, 'H', 'T', 'T', 'P' }, 12, 1, true, 0 },
	{ "RTU bytes", { 1, 3, 2, 0, 0x1e, 0x38, 0x4c }, 7, 0, true, 0 },
};

static void feed(struct mbap_rx *rx, const uint8_t *in, size_t len, size_t chunk, unsigned *frames)
{
	struct mbap_frame frame;

	for (size_t at = 0; at < len;) {
		size_t n = len - at < chunk ? len - at : chunk;

		at += mbap_rx_feed(rx, in + at, n);
		while (mbap_rx_next(rx, &frame)) {
			assert_in_range(frame.len, 1, PDU_MAX);
			++*frames;
		}
	}
}

static void test_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t chunk = 1; chunk <= 24; chunk += 23) {
			struct mbap_rx rx;
			unsigned frames = 0;

			mbap_rx_reset(&rx);
			feed(&rx, rows[i].in, rows[i].len, chunk, &frames);
			if (frames != rows[i].frames || rx.broken != rows[i].broken ||
			    mbap_rx_pending(&rx) != rows[i].pending)
				fail_msg("%s, by %zu: %u frames, %s, %zu pending", rows[i].name,
					 chunk, frames, rx.broken ? "broken" : "whole",
					 mbap_rx_pending(&rx));
		}
	}
}

static void test_fields(void **state)
{
	struct mbap_rx rx;
	struct mbap_frame frame;

	(void)state;
	mbap_rx_reset(&rx);
	mbap_rx_feed(&rx, rows[0].in, rows[0].len);
	assert_true(mbap_rx_next(&rx, &frame));
	assert_int_equal(frame.id, 0x1501);
	assert_int_equal(frame.unit_id, 0xff);
	assert_int_equal(frame.len, 4);
	assert_memory_equal(frame.pdu, rows[0].in + 7, 4);
}

static void test_put(void **state)
{
	static const uint8_t pdu[] = { 3, 0x2b, 0x10, 0, 20 };
	static const uint8_t expected[] = { 0x15, 0x01, 0, 0, 0, 6, 1, 3, 0x2b, 0x10, 0, 20 };
	uint8_t adu[MBAP_ADU_MAX], longest[PDU_MAX + 1] = { 3 };

	(void)state;
	assert_int_equal(mbap_put(adu, 0x1501, 1, pdu, sizeof(pdu)), sizeof(expected));
	assert_memory_equal(adu, expected, sizeof(expected));
	assert_int_equal(mbap_put(adu, 1, 1, longest, PDU_MAX), MBAP_ADU_MAX);
	assert_int_equal(mbap_put(adu, 1, 1, longest, PDU_MAX + 1), 0);
	assert_int_equal(mbap_put(adu, 1, 1, longest, 0), 0);
}

/* A broken receiver keeps nothing, however much comes, and is whole again after a reset. */
static void test_broken_stays_broken(void **state)
{
	static const uint8_t good[] = { 0, 1, 0, 0, 0, 2, 1, 7 };
	uint8_t noise[4000];
	struct mbap_rx rx;
	unsigned frames = 0;

	(void)state;
	memset(noise, 0xff, sizeof(noise));
	mbap_rx_reset(&rx);
	feed(&rx, noise, sizeof(noise), sizeof(noise), &frames);
	feed(&rx, good, sizeof(good), 3, &frames);
	assert_true(rx.broken);
	assert_int_equal(frames, 0);
	assert_int_equal(rx.dropped, sizeof(noise) + sizeof(good));
	mbap_rx_reset(&rx);
	feed(&rx, good, sizeof(good), 3, &frames);
	assert_int_equal(frames, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_broken_stays_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
