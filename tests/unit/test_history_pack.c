#include "history/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "history/chunk.h"
#include "util/util.h"

static void test_quantities(void **state)
{
	(void)state;
	for (int row = 0; row < PACK_QTYS; row++) {
		assert_int_equal(pack_find(pack_qtys[row].qty), row);
		assert_true(pack_qtys[row].scale > 0);
	}
	assert_int_equal(pack_find(U2K_QTY_OUTPUT_SOURCE), -1);
	/* numbers on disk: these never change */
	assert_int_equal(pack_find(U2K_QTY_INPUT_VOLTAGE), 0);
	assert_int_equal(pack_find(U2K_QTY_OUTPUT_REALPOWER), 7);
	assert_int_equal(pack_find(U2K_QTY_BATTERY_RUNTIME), 13);
	assert_int_equal(pack_int(pack_find(U2K_QTY_INPUT_VOLTAGE), 230.1), 2301);
	assert_int_equal(pack_int(pack_find(U2K_QTY_TEMPERATURE), -5.5), -55);
	assert_int_equal(pack_int(0, 1e300), 1000000000);
	assert_int_equal(pack_int(0, -1e300), -1000000000);
	assert_int_equal(pack_int(0, 0.0 / 0.0), -1000000000);
}

static void fill(struct pack_series *s, unsigned n, int32_t value, int32_t step)
{
	s->n = (uint8_t)n;
	for (unsigned i = 0; i < n; i++)
		s->readings[i] =
			(struct pack_reading){ (uint16_t)(i * 75), value + step * (int32_t)i };
	s->until = (uint16_t)(s->readings[n - 1].tick + 75);
}

static void test_chunk_comes_back(void **state)
{
	struct pack_chunk in = { 0 }, out;
	uint8_t data[PACK_CHUNK_MAX];
	size_t len;

	(void)state;
	assert_int_equal(pack_chunk(&in, data), 0);
	fill(&in.series[0], 1, 2301, 0);
	fill(&in.series[5], PACK_READINGS, -1000000000, 250000000);
	fill(&in.series[13], 3, 4320, -60);
	len = pack_chunk(&in, data);
	assert_true(len > 0 && len <= PACK_CHUNK_MAX);
	assert_true(unpack_chunk(data, len, &out));
	assert_memory_equal(&in, &out, sizeof(in));

	/* cut anywhere: never more than was there, and never good unless between two series */
	for (size_t cut = 0; cut < len; cut++) {
		unpack_chunk(data, cut, &out);
		for (int row = 0; row < PACK_QTYS; row++)
			if (out.series[row].n)
				assert_memory_equal(&out.series[row], &in.series[row],
						    sizeof(in.series[row]));
	}
}

static void test_fullest_chunk_fits(void **state)
{
	struct pack_chunk in = { 0 }, out;
	uint8_t data[PACK_CHUNK_MAX];

	(void)state;
	for (int row = 0; row < PACK_QTYS; row++) {
		fill(&in.series[row], PACK_READINGS, 0, 0);
		for (unsigned i = 0; i < PACK_READINGS; i++)
			in.series[row].readings[i].value = i % 2 ? 1000000000 : -1000000000;
	}
	assert_true(unpack_chunk(data, pack_chunk(&in, data), &out));
	assert_memory_equal(&in, &out, sizeof(in));
}

static void test_bad_chunks(void **state)
{
	static const struct {
		const char *what;
		uint8_t data[12];
		size_t len;
	} rows[] = {
		{ "empty", { 0 }, 0 },
		{ "another format", { 2, 0, 1, 0, 2, 0 }, 6 },
		{ "a quantity that does not exist", { 1, 14, 1, 0, 2, 0 }, 6 },
		{ "no readings", { 1, 0, 0, 0 }, 4 },
		{ "too many readings", { 1, 0, 9, 0, 2, 0 }, 6 },
		{ "two at the same time", { 1, 0, 2, 0, 2, 0, 2, 0 }, 8 },
		{ "a time beyond the longest chunk", { 1, 0, 1, 0xd9, 0x04, 2, 0 }, 7 },
		{ "until beyond the longest chunk", { 1, 0, 1, 0xd8, 0x04, 2, 1 }, 7 },
		{ "the same quantity twice", { 1, 0, 1, 0, 2, 0, 0, 1, 0, 2, 0 }, 11 },
		{ "a number that does not end", { 1, 0, 1, 0, 0x80, 0x80 }, 6 },
		{ "a number beyond 32 bits", { 1, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x1f, 0 }, 10 },
		{ "a value no pack_int() gives",
		  { 1, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0 },
		  10 },
	};
	struct pack_chunk chunk;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_false(unpack_chunk(rows[i].data, rows[i].len, &chunk));
	}
}

static void test_block_comes_back(void **state)
{
	struct band in[PACK_SLOTS] = { 0 }, out[PACK_SLOTS];
	uint8_t data[PACK_BLOCK_MAX];
	size_t len;

	(void)state;
	assert_int_equal(pack_block(in, PACK_SLOTS, data), 0);
	in[0] = (struct band){ true, 2290, 2301, 2312 };
	in[1] = (struct band){ true, 2301, 2301, 2301 };
	in[7] = (struct band){ true, -1000000000, 0, 1000000000 };
	in[95] = (struct band){ true, -55, -55, -54 };
	len = pack_block(in, PACK_SLOTS, data);
	assert_true(unpack_block(data, len, PACK_SLOTS, out));
	assert_memory_equal(in, out, sizeof(in));
	/* an hour's block has no slot 95 */
	assert_false(unpack_block(data, len, 60, out));
	assert_true(out[7].known);
	for (size_t cut = 0; cut < len; cut++) {
		unpack_block(data, cut, PACK_SLOTS, out);
		for (size_t i = 0; i < PACK_SLOTS; i++)
			if (out[i].known)
				assert_memory_equal(&out[i], &in[i], sizeof(in[i]));
	}

	for (size_t i = 0; i < PACK_SLOTS; i++) {
		int32_t mean = i % 2 ? 1000000000 : -1000000000;

		in[i] = (struct band){ true, -1000000000, mean, 1000000000 };
	}
	assert_true(unpack_block(data, pack_block(in, PACK_SLOTS, data), PACK_SLOTS, out));
	assert_memory_equal(in, out, sizeof(in));
}

static void test_bad_blocks(void **state)
{
	static const struct {
		const char *what;
		uint8_t data[8];
		size_t len;
	} rows[] = {
		{ "empty", { 0 }, 0 },
		{ "another format", { 2, 0, 0, 0, 0 }, 5 },
		{ "beyond the last slot", { 1, 60, 0, 0, 0 }, 5 },
		{ "skips beyond the last slot", { 1, 59, 0, 0, 0, 0, 0, 0 }, 8 },
		{ "cut", { 1, 0, 0, 0 }, 4 },
		{ "least below what can be", { 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f }, 8 },
	};
	struct band bands[60];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_false(unpack_block(rows[i].data, rows[i].len, 60, bands));
	}
}

static void test_curve(void **state)
{
	struct curve_point in[] = { { 0, 273, 100, 240 }, { 1, 251, 99, 240 }, { 9, 249, -1, -1 } };
	struct curve_point out[PACK_CURVE_POINTS];
	uint8_t data[PACK_CURVE_MAX];
	size_t len = pack_curve(in, 3, data);

	(void)state;
	assert_int_equal(unpack_curve(data, len, out), 3);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(unpack_curve(data, len - 1, out), 2);
	assert_int_equal(unpack_curve(data, 0, out), 0);
	data[0] = 9;
	assert_int_equal(unpack_curve(data, len, out), 0);
}

/* ---- readings to chunks ---- */

static const int64_t T0 = INT64_C(1000) * U2K_SEC, WALL0 = INT64_C(1767225600) * U2K_SEC;

static void set(struct u2k_snapshot *snap, double volts, int64_t at_us)
{
	snap->comm = U2K_COMM_OK;
	snap->qty[U2K_QTY_INPUT_VOLTAGE] = (struct u2k_value){ volts, at_us, U2K_VALID };
}

static void test_chunks_are_change_driven(void **state)
{
	struct u2k_snapshot snap = { 0 };
	struct chunk chunk;
	struct pack_chunk out;
	uint8_t data[PACK_CHUNK_MAX];
	int64_t start_ms;
	size_t len;

	(void)state;
	chunk_init(&chunk);
	assert_int_equal(chunk_close(&chunk, &snap, T0, WALL0, &start_ms, data), 0);
	for (int i = 0; i < 4; i++) { /* 230, 230, 231, 231: each a second */
		set(&snap, i < 2 ? 230 : 231, T0 + i * U2K_SEC);
		chunk_look(&chunk, &snap, T0 + i * U2K_SEC + 5000, WALL0 + i * U2K_SEC + 5000);
	}
	len = chunk_close(&chunk, &snap, T0 + 4 * U2K_SEC, WALL0 + 4 * U2K_SEC, &start_ms, data);
	assert_true(start_ms == WALL0 / 1000);
	assert_true(unpack_chunk(data, len, &out));
	assert_int_equal(out.series[0].n, 2);
	assert_int_equal(out.series[0].readings[0].tick, 0);
	assert_int_equal(out.series[0].readings[0].value, 2300);
	assert_int_equal(out.series[0].readings[1].tick, 20);
	assert_int_equal(out.series[0].readings[1].value, 2310);
	assert_int_equal(out.series[0].until, 40);
	assert_int_equal(out.series[1].n, 0);

	/* nothing new, but it still holds */
	len = chunk_close(&chunk, &snap, T0 + 8 * U2K_SEC, WALL0 + 8 * U2K_SEC, &start_ms, data);
	assert_true(unpack_chunk(data, len, &out));
	assert_int_equal(out.series[0].n, 1);
	assert_int_equal(out.series[0].until, 40);

	/* contact is lost: what was read last is not drawn on */
	set(&snap, 232, T0 + 9 * U2K_SEC);
	chunk_look(&chunk, &snap, T0 + 9 * U2K_SEC, WALL0 + 9 * U2K_SEC);
	snap.comm = U2K_COMM_SILENT;
	len = chunk_close(&chunk, &snap, T0 + 12 * U2K_SEC, WALL0 + 12 * U2K_SEC, &start_ms, data);
	assert_true(unpack_chunk(data, len, &out));
	assert_int_equal(out.series[0].until, 10);
	assert_int_equal(chunk_close(&chunk, &snap, T0 + 16 * U2K_SEC, WALL0 + 16 * U2K_SEC,
				     &start_ms, data),
			 0);
}

static void test_a_flood_of_readings(void **state)
{
	struct u2k_snapshot snap = { 0 };
	struct chunk chunk;
	struct pack_chunk out;
	uint8_t data[PACK_CHUNK_MAX];
	int64_t start_ms;
	size_t len;

	(void)state;
	chunk_init(&chunk);
	for (int i = 0; i < 400; i++) {
		set(&snap, 200 + i, T0 + i * 10000);
		chunk_look(&chunk, &snap, T0 + i * 10000, WALL0 + i * 10000);
	}
	len = chunk_close(&chunk, &snap, T0 + 4 * U2K_SEC, WALL0, &start_ms, data);
	assert_true(unpack_chunk(data, len, &out));
	assert_int_equal(out.series[0].n, PACK_READINGS);
	assert_int_equal(out.series[0].readings[PACK_READINGS - 1].value, 5990); /* the newest */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantities),
		cmocka_unit_test(test_chunk_comes_back),
		cmocka_unit_test(test_fullest_chunk_fits),
		cmocka_unit_test(test_bad_chunks),
		cmocka_unit_test(test_block_comes_back),
		cmocka_unit_test(test_bad_blocks),
		cmocka_unit_test(test_curve),
		cmocka_unit_test(test_chunks_are_change_driven),
		cmocka_unit_test(test_a_flood_of_readings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
