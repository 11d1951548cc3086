#include "ups/regs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/pdu.h"
#include "core/rtu.h"
#include "vectors.h"

/* Raw registers and what they mean; ok false: absent. */
static const struct {
	enum u2k_qty qty;
	uint16_t raw[2];
	bool ok;
	double value;
} rows[] = {
	/* samples A to D of the reference */
	{ U2K_QTY_INPUT_VOLTAGE, { 2161 }, true, 216.1 },
	{ U2K_QTY_INPUT_VOLTAGE, { 2371 }, true, 237.1 },
	{ U2K_QTY_INPUT_VOLTAGE, { 2212 }, true, 221.2 },
	{ U2K_QTY_INPUT_FREQUENCY, { 500 }, true, 50.0 },
	{ U2K_QTY_INPUT_FREQUENCY, { 499 }, true, 49.9 },
	{ U2K_QTY_BYPASS_VOLTAGE, { 2161 }, true, 216.1 },
	{ U2K_QTY_BYPASS_FREQUENCY, { 500 }, true, 50.0 },
	{ U2K_QTY_OUTPUT_VOLTAGE, { 2197 }, true, 219.7 },
	{ U2K_QTY_OUTPUT_CURRENT, { 13 }, true, 1.3 },
	{ U2K_QTY_OUTPUT_CURRENT, { 0 }, true, 0 },
	{ U2K_QTY_OUTPUT_FREQUENCY, { 499 }, true, 49.9 },
	{ U2K_QTY_OUTPUT_REALPOWER, { 1 }, true, 100 },
	{ U2K_QTY_OUTPUT_POWER, { 3 }, true, 300 },
	{ U2K_QTY_LOAD, { 170 }, true, 17.0 },
	{ U2K_QTY_TEMPERATURE, { 253 }, true, 25.3 },
	{ U2K_QTY_TEMPERATURE, { 272 }, true, 27.2 },
	{ U2K_QTY_BATTERY_VOLTAGE, { 820 }, true, 82.0 },
	{ U2K_QTY_BATTERY_VOLTAGE, { 271 }, true, 27.1 },
	{ U2K_QTY_BATTERY_VOLTAGE, { 821 }, true, 82.1 },
	{ U2K_QTY_BATTERY_CHARGE, { 100 }, true, 100 },
	{ U2K_QTY_BATTERY_CHARGE, { 94 }, true, 94 },
	{ U2K_QTY_BATTERY_RUNTIME, { 0, 0x2760 }, true, 10080 },
	{ U2K_QTY_BATTERY_RUNTIME, { 0, 0x6978 }, true, 27000 },
	{ U2K_QTY_BATTERY_RUNTIME, { 0, 0x2294 }, true, 8852 },
	{ U2K_QTY_BATTERY_RUNTIME, { 0, 1352 }, true, 1352 },
	{ U2K_QTY_BATTERY_RUNTIME, { 1, 1 }, true, 65537 }, /* high word first */
	{ U2K_QTY_BATTERY_BLOCKS, { 6 }, true, 6 },
	{ U2K_QTY_BATTERY_CAPACITY, { 9 }, true, 9 },
	{ U2K_QTY_RATED_POWER, { 30 }, true, 3000 },
	{ U2K_QTY_RATED_POWER, { 10 }, true, 1000 },

	/* invalid markers: 0x7FFF, 0xFFFF, 0xFFFFFFFF */
	{ U2K_QTY_INPUT_VOLTAGE, { 0x7fff }, false, 0 },
	{ U2K_QTY_INPUT_VOLTAGE, { 0xffff }, false, 0 },
	{ U2K_QTY_INPUT_VOLTAGE, { 0x7ffe }, true, 3276.6 },
	{ U2K_QTY_OUTPUT_REALPOWER, { 0x7fff }, false, 0 },
	{ U2K_QTY_TEMPERATURE, { 0x7fff }, false, 0 },
	{ U2K_QTY_TEMPERATURE, { 0xffff }, true, -0.1 },
	{ U2K_QTY_TEMPERATURE, { 0xa000 }, false, 0 },	   /* -2457.6 C */
	{ U2K_QTY_BATTERY_VOLTAGE, { 0x7fff }, false, 0 }, /* seen */
	{ U2K_QTY_BATTERY_CHARGE, { 0xffff }, false, 0 },
	{ U2K_QTY_BATTERY_CHARGE, { 101 }, false, 0 },
	{ U2K_QTY_BATTERY_RUNTIME, { 0xffff, 0xffff }, false, 0 },
	{ U2K_QTY_BATTERY_RUNTIME, { 0x7fff, 0xffff }, false, 0 },
	{ U2K_QTY_BATTERY_BLOCKS, { 0xffff }, false, 0 },
	{ U2K_QTY_BATTERY_CAPACITY, { 0xffff }, false, 0 },
	{ U2K_QTY_RATED_POWER, { 0x7fff }, false, 0 },
	{ U2K_QTY_STATUS_BITS, { 0xffff }, false, 0 },
	{ U2K_QTY_STATUS_BITS, { 0x7fff }, false, 0 },
	{ U2K_QTY_AUTO_START, { 0xffff }, false, 0 },

	/* signed temperature */
	{ U2K_QTY_TEMPERATURE, { 0xfff6 }, true, -1.0 },
	{ U2K_QTY_TEMPERATURE, { 0xff38 }, true, -20.0 },
	{ U2K_QTY_TEMPERATURE, { 0 }, true, 0 },

	/* 1024: every value of the list, and those that are not on it */
	{ U2K_QTY_OUTPUT_SOURCE, { 0 }, true, U2K_SOURCE_NONE },
	{ U2K_QTY_OUTPUT_SOURCE, { 1 }, true, U2K_SOURCE_BYPASS },
	{ U2K_QTY_OUTPUT_SOURCE, { 2 }, true, U2K_SOURCE_MAINS },
	{ U2K_QTY_OUTPUT_SOURCE, { 3 }, true, U2K_SOURCE_BATTERY },
	{ U2K_QTY_OUTPUT_SOURCE, { 4 }, false, 0 },
	{ U2K_QTY_OUTPUT_SOURCE, { 5 }, true, U2K_SOURCE_ECO },
	{ U2K_QTY_OUTPUT_SOURCE, { 6 }, true, U2K_SOURCE_BATTERY_ECO },
	{ U2K_QTY_OUTPUT_SOURCE, { 7 }, true, U2K_SOURCE_COMBINED },
	{ U2K_QTY_OUTPUT_SOURCE, { 8 }, false, 0 },  /* a late answer of 1043 once looked so */
	{ U2K_QTY_OUTPUT_SOURCE, { 10 }, false, 0 }, /* ... and one of 9009 */
	{ U2K_QTY_OUTPUT_SOURCE, { 32 }, false, 0 },
	{ U2K_QTY_OUTPUT_SOURCE, { 0xffff }, false, 0 },

	/* 1025, 1026 */
	{ U2K_QTY_INPUT_PHASES, { 0 }, true, 1 },
	{ U2K_QTY_OUTPUT_PHASES, { 1 }, true, 3 },
	{ U2K_QTY_INPUT_PHASES, { 2 }, false, 0 },
	{ U2K_QTY_OUTPUT_PHASES, { 0xffff }, false, 0 },

	/* 1028 */
	{ U2K_QTY_STARTUP, { 0 }, true, U2K_STARTUP_OFF },
	{ U2K_QTY_STARTUP, { 1 }, true, U2K_STARTUP_STARTING },
	{ U2K_QTY_STARTUP, { 2 }, true, U2K_STARTUP_FAILED },
	{ U2K_QTY_STARTUP, { 3 }, true, U2K_STARTUP_RUNNING },
	{ U2K_QTY_STARTUP, { 4 }, false, 0 },

	/* 1043 */
	{ U2K_QTY_STATUS_BITS, { 0x0008 }, true, 0x08 },
	{ U2K_QTY_STATUS_BITS, { 0x00c8 }, true, 0xc8 },

	/* 2002 */
	{ U2K_QTY_BATTERY_STATE, { 0 }, true, U2K_BATTERY_NONE },
	{ U2K_QTY_BATTERY_STATE, { 1 }, true, U2K_BATTERY_IDLE },
	{ U2K_QTY_BATTERY_STATE, { 2 }, true, U2K_BATTERY_RESTING },
	{ U2K_QTY_BATTERY_STATE, { 3 }, true, U2K_BATTERY_FLOAT },
	{ U2K_QTY_BATTERY_STATE, { 4 }, true, U2K_BATTERY_EQUALISING },
	{ U2K_QTY_BATTERY_STATE, { 5 }, true, U2K_BATTERY_DISCHARGING },
	{ U2K_QTY_BATTERY_STATE, { 6 }, false, 0 },
	{ U2K_QTY_BATTERY_STATE, { 0xa000 }, false, 0 }, /* seen */
	{ U2K_QTY_BATTERY_STATE, { 0xffff }, false, 0 }, /* seen */

	/* settings and timers: 1047 and 1049 in tenths of a minute, 1048 in minutes */
	{ U2K_QTY_AUTO_START, { 1 }, true, 1 },
	{ U2K_QTY_AUTO_START, { 2 }, false, 0 },
	{ U2K_QTY_BYPASS_WHEN_OFF, { 0 }, true, 0 },
	{ U2K_QTY_BEEPER_MUTED, { 1 }, true, 1 },
	{ U2K_QTY_RESTART_OFF, { 10 }, true, 60 },
	{ U2K_QTY_RESTART_OFF, { 990 }, true, 5940 },
	{ U2K_QTY_RESTART_OFF, { 991 }, false, 0 },
	{ U2K_QTY_RESTART_ON, { 9999 }, true, 599940 },
	{ U2K_QTY_RESTART_ON, { 10000 }, false, 0 },
	{ U2K_QTY_OFF_TIMER, { 5 }, true, 30 },
	{ U2K_QTY_OFF_TIMER, { 0 }, true, 0 },
};

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct reg_desc *row = reg_desc(rows[i].qty);
		double value = -12345;
		bool ok = reg_decode(row, rows[i].raw, &value);

		if (ok != rows[i].ok)
			fail_msg("%s 0x%04x: valid %d", row->qty.name, rows[i].raw[0], ok);
		if (!ok && value > -12345) /* written only on success */
			fail_msg("%s 0x%04x: %f", row->qty.name, rows[i].raw[0], value);
		if (ok && (value < rows[i].value - 1e-9 || value > rows[i].value + 1e-9))
			fail_msg("%s 0x%04x: %f, expected %f", row->qty.name, rows[i].raw[0], value,
				 rows[i].value);
	}
}

/* No row is missing, none overlaps another, and all names differ. */
static void test_table(void **state)
{
	(void)state;
	for (unsigned q = 0; q < U2K_QTY_COUNT; q++) {
		const struct reg_desc *a = reg_desc((enum u2k_qty)q);

		assert_non_null(a->qty.name);
		assert_ptr_equal(u2k_qty_desc((enum u2k_qty)q), &a->qty);
		for (unsigned r = 0; r < q; r++) {
			const struct reg_desc *b = reg_desc((enum u2k_qty)r);

			assert_string_not_equal(a->qty.name, b->qty.name);
			assert_true(a->qty.base >= b->qty.base + reg_count(b) ||
				    b->qty.base >= a->qty.base + reg_count(a));
		}
	}
	assert_null(u2k_qty_desc(U2K_QTY_COUNT));
}

static const char *vector(const char *name)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		if (strcmp(vectors[i].name, name) == 0)
			return vectors[i].hex;
	fail_msg("no vector \"%s\"", name);
	return "";
}

/* The replies of the reference, section 10.3, from the wire to the value. */
static void test_replies(void **state)
{
	static const struct {
		const char *vector;
		uint16_t base;
		size_t n;
		enum u2k_qty qty;
		bool ok;
		double value;
	} replies[] = {
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_INPUT_VOLTAGE, true, 216.1 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_INPUT_FREQUENCY, true, 50.0 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_BYPASS_VOLTAGE, true, 216.1 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_VOLTAGE, true, 219.7 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_CURRENT, true, 1.3 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_FREQUENCY, true, 50.0 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_REALPOWER, true, 100 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_POWER, true, 300 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_LOAD, true, 7.0 },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_SOURCE, true, U2K_SOURCE_MAINS },
		{ "A: 11000 x 28", 1000, 28, U2K_QTY_TEMPERATURE, true, 25.3 },
		{ "A: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_VOLTAGE, true, 82.0 },
		{ "A: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_STATE, true, U2K_BATTERY_FLOAT },
		{ "A: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_CHARGE, true, 100 },
		{ "A: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_RUNTIME, true, 10080 },
		{ "A: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_BLOCKS, true, 6 },
		{ "A: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_CAPACITY, true, 9 },
		{ "B: 11000 x 28", 1000, 28, U2K_QTY_INPUT_VOLTAGE, true, 237.1 },
		{ "B: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_VOLTAGE, true, 237.1 },
		{ "B: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_CURRENT, true, 0 },
		{ "B: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_POWER, true, 100 },
		{ "B: 11000 x 28", 1000, 28, U2K_QTY_LOAD, true, 17.0 },
		{ "B: 11000 x 28", 1000, 28, U2K_QTY_OUTPUT_SOURCE, true, U2K_SOURCE_ECO },
		{ "B: 11000 x 28", 1000, 28, U2K_QTY_TEMPERATURE, true, 27.2 },
		{ "B: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_VOLTAGE, true, 27.3 },
		{ "B: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_RUNTIME, true, 27000 },
		{ "B: 12000 x 34", 2000, 34, U2K_QTY_BATTERY_BLOCKS, true, 2 },
		{ "A: 19009", 9009, 1, U2K_QTY_RATED_POWER, true, 3000 },
		{ "B: 19009", 9009, 1, U2K_QTY_RATED_POWER, true, 1000 },
		{ "value 2", 1024, 1, U2K_QTY_OUTPUT_SOURCE, true, U2K_SOURCE_MAINS },
		{ "value 3", 1024, 1, U2K_QTY_OUTPUT_SOURCE, true, U2K_SOURCE_BATTERY },
		{ "value 3", 1028, 1, U2K_QTY_STARTUP, true, U2K_STARTUP_RUNNING },
		{ "value 0", 1046, 1, U2K_QTY_BEEPER_MUTED, true, 0 },
		{ "value 0x0008", 1043, 1, U2K_QTY_STATUS_BITS, true, U2K_BIT_ONLINE_TYPE },
		{ "value 0x00c8", 1043, 1, U2K_QTY_STATUS_BITS, true,
		  U2K_BIT_MAINS_ABNORMAL | U2K_BIT_BATTERY_LOW | U2K_BIT_ONLINE_TYPE },
		{ "value 0xa000", 2002, 1, U2K_QTY_BATTERY_STATE, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		const struct reg_desc *row = reg_desc(replies[i].qty);
		uint8_t adu[RTU_ADU_MAX];
		size_t len = hex_bytes(vector(replies[i].vector), adu);
		uint16_t regs[PDU_READ_REGS_MAX];
		double value = 0;

		assert_int_equal(pdu_get_regs(adu + 1, len - 3, replies[i].n, regs), 0);
		assert_int_equal(reg_decode(row, regs + (row->qty.base - replies[i].base), &value),
				 replies[i].ok);
		if (value < replies[i].value - 1e-9 || value > replies[i].value + 1e-9)
			fail_msg("%s: %s is %f", replies[i].vector, row->qty.name, value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
