#include "ups/alarms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/pdu.h"
#include "core/rtu.h"
#include "vectors.h"

/* Section 5 of the reference: register, bit, id, cause, severity. */
static const struct {
	uint16_t base;
	unsigned bit, id, cause;
	enum u2k_severity severity;
} rows[] = {
	{ 40156, 3, 30, 1, U2K_ALERT },	  { 40161, 1, 10, 1, U2K_WARNING },
	{ 40161, 2, 10, 2, U2K_WARNING }, { 40163, 3, 25, 1, U2K_WARNING },
	{ 40164, 1, 29, 1, U2K_WARNING }, { 40164, 3, 26, 1, U2K_WARNING },
	{ 40170, 4, 22, 1, U2K_ALERT },	  { 40173, 5, 66, 1, U2K_ALERT },
	{ 40173, 3, 66, 2, U2K_ALERT },	  { 40174, 3, 66, 2, U2K_ALERT }, /* either */
	{ 40174, 0, 14, 1, U2K_ALERT },	  { 40179, 14, 42, 15, U2K_ALERT },
	{ 40179, 15, 42, 17, U2K_ALERT }, { 40180, 1, 42, 18, U2K_ALERT },
	{ 40180, 5, 42, 24, U2K_ALERT },  { 40180, 6, 42, 27, U2K_ALERT },
	{ 40180, 7, 42, 28, U2K_ALERT },  { 40180, 10, 42, 31, U2K_ALERT },
	{ 40180, 11, 42, 32, U2K_ALERT }, { 40180, 13, 42, 36, U2K_ALERT },
	{ 40182, 4, 42, 42, U2K_ALERT },  { 40182, 13, 66, 3, U2K_ALERT },
	{ 40182, 14, 66, 4, U2K_ALERT },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static uint32_t mask_of(unsigned id, unsigned cause)
{
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++)
		if (u2k_alarm_desc(i)->id == id && u2k_alarm_desc(i)->cause == cause)
			return (uint32_t)1 << i;
	fail_msg("no alarm %u/%u", id, cause);
	return 0;
}

static void test_one_by_one(void **state)
{
	static const uint16_t none[U2K_ALARM_REGS];
	uint32_t seen = 0;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		uint16_t regs[U2K_ALARM_REGS] = { 0 };
		struct u2k_alarms alarms;
		uint32_t mask = mask_of(rows[i].id, rows[i].cause);

		regs[rows[i].base - ALARMS_BASE] = (uint16_t)(1u << rows[i].bit);
		memset(&alarms, 0xff, sizeof(alarms));
		alarms_decode(regs, &alarms);
		if (alarms.active != mask)
			fail_msg("%u/%u: active 0x%x, expected 0x%x", rows[i].id, rows[i].cause,
				 alarms.active, mask);
		assert_memory_equal(alarms.unknown, none, sizeof(none));
		seen |= mask;
	}
	assert_int_equal(seen, ((uint32_t)1 << U2K_ALARM_COUNT) - 1);
}

static bool known(size_t reg, unsigned bit)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].base - ALARMS_BASE == (int)reg && rows[i].bit == bit)
			return true;
	return false;
}

/* All other bits are reported as they are. */
static void test_unknown_bits(void **state)
{
	(void)state;
	for (size_t reg = 0; reg < U2K_ALARM_REGS; reg++)
		for (unsigned bit = 0; bit < 16; bit++) {
			uint16_t regs[U2K_ALARM_REGS] = { 0 };
			struct u2k_alarms alarms;

			if (known(reg, bit))
				continue;
			regs[reg] = (uint16_t)(1u << bit);
			alarms_decode(regs, &alarms);
			assert_int_equal(alarms.active, 0);
			assert_memory_equal(alarms.unknown, regs, sizeof(regs));
		}
}

static void test_all_at_once(void **state)
{
	uint16_t regs[U2K_ALARM_REGS];
	struct u2k_alarms alarms;

	(void)state;
	memset(regs, 0xff, sizeof(regs));
	alarms_decode(regs, &alarms);
	assert_int_equal(alarms.active, ((uint32_t)1 << U2K_ALARM_COUNT) - 1);
	for (size_t reg = 0; reg < U2K_ALARM_REGS; reg++)
		for (unsigned bit = 0; bit < 16; bit++)
			assert_int_equal(alarms.unknown[reg] >> bit & 1, !known(reg, bit));
}

static void test_descriptions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		uint32_t mask = mask_of(rows[i].id, rows[i].cause);

		for (unsigned a = 0; a < U2K_ALARM_COUNT; a++) {
			const struct u2k_alarm_desc *desc = u2k_alarm_desc(a);

			if (!(mask >> a & 1))
				continue;
			assert_int_equal(desc->severity, rows[i].severity);
			assert_true(desc->name[0] && desc->meaning[0] && desc->remedy[0]);
		}
	}
	assert_null(u2k_alarm_desc(U2K_ALARM_COUNT));
}

static void test_groups(void **state)
{
	(void)state;
	assert_int_equal(alarms_overload(),
			 mask_of(66, 1) | mask_of(66, 2) | mask_of(66, 3) | mask_of(66, 4));
	assert_int_equal(alarms_bypass_input(), mask_of(10, 1) | mask_of(10, 2));
	assert_int_equal(alarms_no_deep_test(), mask_of(22, 1) | mask_of(42, 15) | mask_of(42, 17) |
							mask_of(42, 18) | mask_of(42, 24) |
							mask_of(42, 27) | mask_of(42, 28) |
							mask_of(42, 31) | mask_of(42, 32) |
							mask_of(42, 36) | mask_of(42, 42));
	assert_int_equal(1 << ALARM_BYPASS_VOLTAGE, mask_of(10, 1));
	assert_int_equal(1 << ALARM_BYPASS_FREQUENCY, mask_of(10, 2));
	assert_int_equal(1 << ALARM_REPLACE_BATTERY, mask_of(29, 1));
}

/* The replies of the reference, section 10.3. */
static void test_replies(void **state)
{
	static const struct {
		const char *vector;
		unsigned id, cause;
	} replies[] = {
		{ "alarms: none", 0, 0 },
		{ "alarms: battery disconnected", 22, 1 },
		{ "alarms: bypass voltage abnormal", 10, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		for (size_t v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++) {
			uint16_t regs[U2K_ALARM_REGS];
			uint8_t adu[RTU_ADU_MAX];
			struct u2k_alarms alarms;

			if (strcmp(vectors[v].name, replies[i].vector) != 0)
				continue;
			assert_int_equal(pdu_get_regs(adu + 1, hex_bytes(vectors[v].hex, adu) - 3,
						      U2K_ALARM_REGS, regs),
					 0);
			alarms_decode(regs, &alarms);
			assert_int_equal(alarms.active,
					 replies[i].id ? mask_of(replies[i].id, replies[i].cause)
						       : 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_by_one),  cmocka_unit_test(test_unknown_bits),
		cmocka_unit_test(test_all_at_once), cmocka_unit_test(test_descriptions),
		cmocka_unit_test(test_groups),	    cmocka_unit_test(test_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
