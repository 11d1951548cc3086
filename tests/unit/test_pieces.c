#include "ups/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ups/regs.h"

/* A straggler is told by its length: two whole pieces must never share one. */
static void test_lengths_are_unique(void **state)
{
	enum piece owner[128];

	(void)state;
	for (size_t i = 0; i < 128; i++)
		owner[i] = PIECE_NONE;
	for (unsigned p = PIECE_STATUS; p <= PIECE_SETTINGS; p++)
		for (unsigned i = 0; piece_length((enum piece)p, i); i++) {
			size_t n = piece_length((enum piece)p, i);

			assert_in_range(n, 1, 43); /* the longest read known to work */
			assert_int_equal(owner[n], PIECE_NONE);
			owner[n] = (enum piece)p;
		}
}

/* Every quantity is read by a whole piece and, where that can be refused, by one of its parts. */
static void test_every_quantity_is_read(void **state)
{
	(void)state;
	for (unsigned q = 0; q < U2K_QTY_COUNT; q++) {
		unsigned whole = 0, part = 0;

		for (unsigned p = 0; p < PIECE_COUNT; p++) {
			const struct piece_desc *desc = piece_desc((enum piece)p);
			size_t longest = desc->n;

			for (unsigned i = 0; piece_length((enum piece)p, i); i++)
				longest = piece_length((enum piece)p, i);
			if (!piece_covers(desc->base, longest, (enum u2k_qty)q))
				continue;
			if (p <= PIECE_SETTINGS)
				whole++;
			if (p >= PIECE_SETTINGS || p == PIECE_RATING)
				part++;
		}
		assert_in_range(whole, 1, 2);
		assert_in_range(part, 1, 3);
	}
}

/* The parts of the status go round often: what shares their lengths would hardly get a turn. */
static void test_status_parts_stand_alone(void **state)
{
	(void)state;
	for (unsigned p = PIECE_STATUS_SOURCE; p <= PIECE_STATUS_BITS; p++)
		for (unsigned i = 0; piece_length((enum piece)p, i); i++)
			for (unsigned q = 0; q < PIECE_COUNT; q++)
				for (unsigned k = 0; q != p && piece_length((enum piece)q, k); k++)
					assert_int_not_equal(piece_length((enum piece)p, i),
							     piece_length((enum piece)q, k));
}

static void test_addresses(void **state)
{
	static const struct {
		uint16_t base;
		unsigned number;
		uint16_t address;
	} rows[] = {
		{ 1000, 1, 11000 },   { 1024, 1, 0x2b10 },  { 2000, 1, 0x2ee0 },
		{ 9009, 1, 0x4a41 },  { 9009, 4, 49009 },   { 40156, 1, 0xa0dc },
		{ 40182, 1, 0xa0f6 }, { 40155, 2, 0xa4db },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(piece_address(rows[i].base, rows[i].number), rows[i].address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths_are_unique),
		cmocka_unit_test(test_every_quantity_is_read),
		cmocka_unit_test(test_status_parts_stand_alone),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
