#include "ups/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ups/alarms.h"

enum { NONE = -1 }; /* a value that is absent */

enum {
	ONLINE = U2K_BIT_ONLINE_TYPE,
	LOST = U2K_BIT_MAINS_ABNORMAL,
	LOW = U2K_BIT_BATTERY_LOW,
	TEST = U2K_BIT_SELF_TEST,
	FAULT = U2K_BIT_FAULT,
};

static void set(struct u2k_snapshot *snap, enum u2k_qty qty, int value, int64_t at_us)
{
	snap->qty[qty] = value == NONE
				 ? (struct u2k_value){ .validity = U2K_INVALID, .at_us = at_us }
				 : (struct u2k_value){ value, at_us, U2K_VALID };
}

static uint32_t alarm(unsigned id, unsigned cause)
{
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++)
		if (u2k_alarm_desc(i)->id == id && u2k_alarm_desc(i)->cause == cause)
			return (uint32_t)1 << i;
	return 0;
}

/* One state of the device, everything read at once. */
static const struct {
	const char *name;
	int source, bits, battery, volts;
	unsigned id, cause; /* an alarm, or 0 */
	unsigned flags;
} rows[] = {
	/* the flags of the reference, section 7 */
	{ "on line, charging", 2, ONLINE, 4, 230, 0, 0, U2K_OL | U2K_CHRG },
	{ "on line, float", 2, ONLINE, 3, 230, 0, 0, U2K_OL | U2K_CHRG },
	{ "on line, resting", 2, ONLINE, 2, 230, 0, 0, U2K_OL },
	{ "on line, idle", 2, ONLINE, 1, 230, 0, 0, U2K_OL },
	{ "on line, no battery", 2, ONLINE, 0, 230, 0, 0, U2K_OL },
	{ "on line, battery unknown", 2, ONLINE, NONE, 230, 0, 0, U2K_OL },
	{ "ECO", 5, ONLINE, 3, 230, 0, 0, U2K_OL | U2K_ECO | U2K_CHRG },
	{ "on battery", 3, ONLINE | LOST, 5, 0, 0, 0, U2K_OB | U2K_DISCHRG },
	{ "on battery, low", 3, ONLINE | LOST | LOW, 5, 0, 0, 0, U2K_OB | U2K_LB | U2K_DISCHRG },
	{ "on battery, state not yet discharging", 3, ONLINE | LOST, 3, 0, 0, 0, U2K_OB },
	{ "battery in ECO", 6, ONLINE | LOST, 5, 0, 0, 0, U2K_OB | U2K_DISCHRG },
	{ "combined, mains lost", 7, ONLINE | LOST, 5, 0, 0, 0, U2K_OB | U2K_DISCHRG },
	{ "combined, mains there", 7, ONLINE, 5, 230, 0, 0, U2K_OL | U2K_DISCHRG },
	{ "bypass", 1, ONLINE, 3, 230, 0, 0, U2K_OL | U2K_BYPASS | U2K_CHRG },
	{ "off", 0, ONLINE, 3, 230, 0, 0, U2K_OFF | U2K_CHRG },
	{ "off, mains lost", 0, ONLINE | LOST, 2, 0, 0, 0, U2K_OFF },
	{ "battery low on line", 2, ONLINE | LOW, 4, 230, 0, 0, U2K_OL | U2K_LB | U2K_CHRG },
	{ "fault without an alarm", 2, ONLINE | FAULT, 3, 230, 0, 0,
	  U2K_OL | U2K_CHRG | U2K_FAULT | U2K_ALARM },
	{ "source unknown, mains there", NONE, ONLINE, 3, 230, 0, 0, U2K_OL | U2K_CHRG },
	{ "source unknown, mains lost", NONE, ONLINE | LOST, 5, 0, 0, 0, U2K_OB | U2K_DISCHRG },
	{ "nothing known", NONE, NONE, NONE, NONE, 0, 0, 0 },
	{ "bits unknown", 3, NONE, 5, 0, 0, 0, U2K_OB | U2K_DISCHRG },

	/* a self-test is not an outage (control rules, section 3) */
	{ "test", 3, ONLINE | TEST, 5, 230, 0, 0, U2K_OL | U2K_DISCHRG | U2K_TEST },
	{ "test, source still the mains", 2, ONLINE | TEST, 3, 230, 0, 0,
	  U2K_OL | U2K_DISCHRG | U2K_TEST },
	{ "test, battery low", 3, ONLINE | TEST | LOW, 5, 230, 0, 0,
	  U2K_OL | U2K_DISCHRG | U2K_TEST },
	{ "test, bit 7 sets", 3, ONLINE | TEST | LOST, 5, 230, 0, 0,
	  U2K_OB | U2K_DISCHRG | U2K_TEST },
	{ "test, bit 7 sets, low", 3, ONLINE | TEST | LOST | LOW, 5, 230, 0, 0,
	  U2K_OB | U2K_LB | U2K_DISCHRG | U2K_TEST },
	{ "test, the input falls", 3, ONLINE | TEST, 5, 12, 0, 0, U2K_OB | U2K_DISCHRG | U2K_TEST },
	{ "test, the input falls, low", 3, ONLINE | TEST | LOW, 5, 12, 0, 0,
	  U2K_OB | U2K_LB | U2K_DISCHRG | U2K_TEST },
	{ "test, input unknown", 3, ONLINE | TEST, 5, NONE, 0, 0, U2K_OB | U2K_DISCHRG | U2K_TEST },
	{ "test bit while off", 0, ONLINE | TEST, 2, 230, 0, 0, U2K_OFF | U2K_TEST },

	/* alarms */
	{ "replace battery", 2, ONLINE, 3, 230, 29, 1, U2K_OL | U2K_CHRG | U2K_RB | U2K_ALARM },
	{ "overload 1", 2, ONLINE, 3, 230, 66, 1, U2K_OL | U2K_CHRG | U2K_OVER | U2K_ALARM },
	{ "overload 2", 2, ONLINE, 3, 230, 66, 2, U2K_OL | U2K_CHRG | U2K_OVER | U2K_ALARM },
	{ "overload 3", 1, ONLINE, 3, 230, 66, 3,
	  U2K_OL | U2K_BYPASS | U2K_CHRG | U2K_OVER | U2K_ALARM },
	{ "overload 4", 0, ONLINE, 3, 230, 66, 4, U2K_OFF | U2K_CHRG | U2K_OVER | U2K_ALARM },
	{ "battery disconnected", 2, ONLINE, 0, 230, 22, 1, U2K_OL | U2K_ALARM },
	{ "bypass input bad, on line", 2, ONLINE, 3, 230, 10, 1, U2K_OL | U2K_CHRG | U2K_ALARM },
	{ "bypass input bad, outage", 3, ONLINE | LOST, 5, 0, 10, 1, U2K_OB | U2K_DISCHRG },
	{ "bypass frequency bad, outage", 3, ONLINE | LOST, 5, 0, 10, 2, U2K_OB | U2K_DISCHRG },
	{ "another alarm in an outage", 3, ONLINE | LOST, 5, 0, 26, 1,
	  U2K_OB | U2K_DISCHRG | U2K_ALARM },
	{ "bypass input bad, on bypass", 1, ONLINE | LOST, 3, 90, 10, 1,
	  U2K_BYPASS | U2K_CHRG | U2K_ALARM },
};

static void test_flags(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct u2k_snapshot snap = { .alarms.at_us = 0 };
		struct state state;

		state_init(&state);
		for (int64_t at = 1; at <= 3; at++) { /* settled after a few rounds */
			set(&snap, U2K_QTY_OUTPUT_SOURCE, rows[i].source, 10 * at);
			set(&snap, U2K_QTY_STATUS_BITS, rows[i].bits, 10 * at);
			snap.status_at_us = 10 * at;
			state_derive(&state, &snap);
			set(&snap, U2K_QTY_INPUT_VOLTAGE, rows[i].volts, 10 * at + 1);
			set(&snap, U2K_QTY_BATTERY_STATE, rows[i].battery, 10 * at + 2);
			snap.alarms.active = alarm(rows[i].id, rows[i].cause);
			snap.alarms.at_us = 10 * at + 3;
			state_derive(&state, &snap);
		}
		if (snap.flags != rows[i].flags)
			fail_msg("%s: flags 0x%x, expected 0x%x", rows[i].name, snap.flags,
				 rows[i].flags);
	}
}

/*
 * What is read when, one thing at a time. 's': a status (source, bits), 'b': the battery state,
 * 'a': alarms. Nothing old may show after a change: no CHRG of before the outage, no bypass alarm of
 * the outage after it.
 */
static const struct step {
	const char *name;
	char what;
	int value, bits;
	unsigned flags;
} steps[] = {
	{ "on line", 's', 2, ONLINE, U2K_OL },
	{ "float", 'b', 3, 0, U2K_OL | U2K_CHRG },
	{ "no alarms", 'a', 0, 0, U2K_OL | U2K_CHRG },
	{ "outage: the battery is not charging", 's', 3, ONLINE | LOST, U2K_OB },
	{ "bypass alarm is expected", 'a', 10, 0, U2K_OB },
	{ "discharging", 'b', 5, 0, U2K_OB | U2K_DISCHRG },
	{ "low", 's', 3, ONLINE | LOST | LOW, U2K_OB | U2K_LB | U2K_DISCHRG },
	{ "mains back: not discharging, no alarm", 's', 2, ONLINE, U2K_OL },
	{ "equalising", 'b', 4, 0, U2K_OL | U2K_CHRG },
	{ "next status, alarms still of the outage", 's', 2, ONLINE, U2K_OL | U2K_CHRG },
	{ "alarms gone", 'a', 0, 0, U2K_OL | U2K_CHRG },
	{ "next status", 's', 2, ONLINE, U2K_OL | U2K_CHRG },
	{ "bypass alarm: an outage, perhaps", 'a', 10, 0, U2K_OL | U2K_CHRG },
	{ "it is one", 's', 3, ONLINE | LOST, U2K_OB },
	{ "back at once", 's', 2, ONLINE, U2K_OL },
	{ "bypass alarm lasts", 'a', 10, 0, U2K_OL },
	{ "no outage, so it counts", 's', 2, ONLINE, U2K_OL | U2K_ALARM },
	{ "it stays", 'a', 10, 0, U2K_OL | U2K_ALARM },
	{ "it stays", 's', 2, ONLINE, U2K_OL | U2K_ALARM },
	{ "it goes", 'a', 0, 0, U2K_OL },
};

static void test_no_flapping(void **unused)
{
	struct u2k_snapshot snap = { .alarms.at_us = 0 };
	struct state state;
	int64_t now = 0;

	(void)unused;
	state_init(&state);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		now += 100 * U2K_MSEC;
		switch (steps[i].what) {
		case 's':
			set(&snap, U2K_QTY_OUTPUT_SOURCE, steps[i].value, now);
			set(&snap, U2K_QTY_STATUS_BITS, steps[i].bits, now);
			snap.status_at_us = now;
			break;
		case 'b':
			set(&snap, U2K_QTY_BATTERY_STATE, steps[i].value, now);
			break;
		default:
			snap.alarms.active = steps[i].value ? alarm(10, 1) : 0;
			snap.alarms.at_us = now;
			break;
		}
		state_derive(&state, &snap);
		if (snap.flags != steps[i].flags)
			fail_msg("step %zu, %s: flags 0x%x, expected 0x%x", i, steps[i].name,
				 snap.flags, steps[i].flags);
	}
}

/* The source cannot be read any more, the bits can: an outage is seen all the same. */
static void test_old_source(void **unused)
{
	struct u2k_snapshot snap = { .alarms.at_us = 0 };
	struct state state;

	(void)unused;
	state_init(&state);
	set(&snap, U2K_QTY_OUTPUT_SOURCE, 2, 10 * U2K_SEC);
	set(&snap, U2K_QTY_STATUS_BITS, ONLINE | LOST, 10 * U2K_SEC + 500 * U2K_MSEC);
	state_derive(&state, &snap); /* the rectifier still runs on bad mains */
	assert_int_equal(snap.flags, U2K_OL);
	set(&snap, U2K_QTY_STATUS_BITS, ONLINE | LOST, 11 * U2K_SEC + 500 * U2K_MSEC);
	state_derive(&state, &snap);
	assert_int_equal(snap.flags, U2K_OB);
	set(&snap, U2K_QTY_STATUS_BITS, ONLINE, 12 * U2K_SEC);
	state_derive(&state, &snap);
	assert_int_equal(snap.flags, U2K_OL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_no_flapping),
		cmocka_unit_test(test_old_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
