/* What must survive, as text: what is written is read again, what is damaged is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/record.h"
#include "util/util.h"

static struct record in, out;
static char text[POLICY_RECORD_MAX];

static void fill(void)
{
	memset(&in, 0, sizeof(in));
	strcpy(in.boot, "6f1c-22");
	strcpy(in.sequence, "00ff-7");
	strcpy(in.cause, "rack: the battery is low");
	in.serial = 41;
	in.state = POLICY_STAGES;
	in.since_us = 700;
	in.announced_us = 600;
	in.operator_asked = true;
	in.operator_us = 500;
	strcpy(in.operator_text, "asked for by admin: a reason, with blanks");
	strcpy(in.stage, "vms");
	strcpy(in.commands[0].name, "stop-vms");
	in.commands[0].until_us = 900;
	strcpy(in.commands[1].name, "stop-nas");
	in.commands[1].ended = true;
	in.n_commands = 2;
	in.host = HOST_ASKED;
	in.host_tries = 2;
	in.host_us = 800;
	strcpy(in.ups[0].name, "rack");
	in.ups[0].ups = (struct saved_ups){
		.outage = true,
		.outage_us = 100,
		.doomed = true,
		.fsd = true,
		.fsd_us = 600,
		.seen_off = true,
		.start = START_DONE,
		.off = OFF_ORDERED,
		.off_us = 650,
		.spent = 5,
	};
	strcpy(in.ups[1].name, "desk");
	in.ups[1].ups = (struct saved_ups){ .mains = true, .ended = true, .fsd_runs = true };
	in.n_ups = 2;
	strcpy(in.wake[0].name, "nas");
	in.wake[0].wake = (struct saved_wake){ true, 3, 950 };
	in.n_wake = 1;
}

static size_t print(void)
{
	size_t len = record_print(&in, text, sizeof(text));

	assert_int_equal(len, strlen(text));
	return len;
}

static void read_as_written(void **state)
{
	size_t len;

	(void)state;
	fill();
	len = print();
	assert_true(record_parse(text, len, &out));
	assert_string_equal(out.boot, "6f1c-22");
	assert_string_equal(out.sequence, "00ff-7");
	assert_string_equal(out.cause, "rack: the battery is low");
	assert_string_equal(out.operator_text, "asked for by admin: a reason, with blanks");
	assert_int_equal(out.serial, 41);
	assert_int_equal(out.state, POLICY_STAGES);
	assert_int_equal(out.since_us, 700);
	assert_int_equal(out.announced_us, 600);
	assert_true(out.operator_asked);
	assert_int_equal(out.operator_us, 500);
	assert_string_equal(out.stage, "vms");
	assert_int_equal(out.n_commands, 2);
	assert_string_equal(out.commands[0].name, "stop-vms");
	assert_false(out.commands[0].ended);
	assert_int_equal(out.commands[0].until_us, 900);
	assert_true(out.commands[1].ended);
	assert_int_equal(out.host, HOST_ASKED);
	assert_int_equal(out.host_tries, 2);
	assert_int_equal(out.host_us, 800);
	assert_int_equal(out.n_ups, 2);
	assert_true(out.ups[0].ups.outage && out.ups[0].ups.doomed && out.ups[0].ups.fsd);
	assert_true(out.ups[0].ups.seen_off);
	assert_false(out.ups[0].ups.ended || out.ups[0].ups.mains || out.ups[0].ups.fsd_runs);
	assert_int_equal(out.ups[0].ups.outage_us, 100);
	assert_int_equal(out.ups[0].ups.fsd_us, 600);
	assert_int_equal(out.ups[0].ups.start, START_DONE);
	assert_int_equal(out.ups[0].ups.off, OFF_ORDERED);
	assert_int_equal(out.ups[0].ups.off_us, 650);
	assert_int_equal(out.ups[0].ups.spent, 5);
	assert_true(out.ups[1].ups.mains && out.ups[1].ups.ended && out.ups[1].ups.fsd_runs);
	assert_int_equal(out.n_wake, 1);
	assert_true(out.wake[0].wake.pending);
	assert_int_equal(out.wake[0].wake.tries, 3);
	assert_int_equal(out.wake[0].wake.next_us, 950);
}

static void every_state(void **state)
{
	(void)state;
	fill();
	for (int i = 0; i < POLICY_STATES; i++) {
		in.state = (enum policy_state)i;
		assert_true(record_parse(text, print(), &out));
		assert_int_equal(out.state, i);
	}
}

static void cut_anywhere(void **state)
{
	size_t len;

	(void)state;
	fill();
	len = print();
	for (size_t i = 0; i < len; i++)
		assert_false(record_parse(text, i, &out));
}

static void one_character_changed(void **state)
{
	size_t len;

	(void)state;
	fill();
	len = print();
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		text[i] = was == '1' ? '2' : '1';
		if (text[i] != was)
			assert_false(record_parse(text, len, &out));
		text[i] = was;
	}
}

static void too_small(void **state)
{
	char small[100];

	(void)state;
	fill();
	assert_int_equal(record_print(&in, small, sizeof(small)), 0);
}

static void words_of_people(void **state)
{
	(void)state;
	fill();
	strcpy(in.operator_text, "two\nlines\tand\x7f more");
	assert_true(record_parse(text, print(), &out));
	assert_string_equal(out.operator_text, "two lines and  more");
}

/* Whole, check sum and all, but not something a policy says. */
static uint32_t sum_of(const char *s, size_t len)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)s[i]) * 16777619u;
	return sum;
}

#define HEAD "ups2000-policy 1\nboot b\nserial 1\n"
#define HOST "host none 0 0\n"

static const struct {
	const char *body;
	bool good;
} rows[] = {
	{ HEAD "state normal 1 0\n" HOST, true },
	{ HEAD "state announced 1 1\nsequence s\n" HOST "ups a 1 1 none none 0 0 bd-f---\n", true },
	{ HEAD "state announced 1 1\n" HOST, false }, /* which sequence? */
	{ HEAD "state sleeping 1 0\n" HOST, false },  /* no such state */
	{ HEAD "state normal -1 0\n" HOST, false },   /* before time began */
	{ HEAD "state normal 99999999999999999999 0\n" HOST, false },
	{ HEAD "state normal 1 0\n", false },			     /* host is missing */
	{ HEAD HOST, false },					     /* state is missing */
	{ HEAD "state normal 1 0\nstate normal 1 0\n" HOST, false }, /* twice */
	{ HEAD "state normal 1 0\nflavour vanilla\n" HOST, false },
	{ HEAD "state normal 1 0\n" HOST "ups a 1 1 none none 0 0 bdefroM\n", false },
	{ HEAD "state normal 1 0\n" HOST "ups a 1 1 maybe none 0 0 -------\n", false },
	{ HEAD "state normal 1 0\n" HOST "ups a 1 1 none none 0 9999 -------\n", false },
	{ HEAD "state normal 1 0\n" HOST "wake a 3\n", false },
	{ HEAD "state normal 1 0\n" HOST "wake a x 3\n", false },
	{ HEAD "state normal 1 0\n" HOST "command c running 3\n", false },
	{ "ups2000-policy 2\nboot b\nserial 1\nstate normal 1 0\n" HOST, false },
	{ "boot b\nserial 1\nstate normal 1 0\n" HOST, false },
	{ "", false },
};

static void what_makes_sense(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].body);
		int n = snprintf(text, sizeof(text), "%send %08x\n", rows[i].body,
				 sum_of(rows[i].body, len));

		if (record_parse(text, (size_t)n, &out) != rows[i].good)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_as_written),  cmocka_unit_test(every_state),
		cmocka_unit_test(cut_anywhere),	    cmocka_unit_test(one_character_changed),
		cmocka_unit_test(too_small),	    cmocka_unit_test(words_of_people),
		cmocka_unit_test(what_makes_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
