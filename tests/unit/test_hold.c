#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "notify/hold.h"
#include "util/util.h"

/* What one target is told, in virtual time. */

enum { SEC = 1000000, TOLD_MAX = 4096 };
static const int64_t WALL = INT64_C(1700000000) * SEC; /* when virtual time is 0 */

struct rig {
	struct hold *hold;
	int64_t now_us;
	struct told {
		int64_t at_us;
		enum message_state state;
		unsigned count;
		char kind[64], severity[16], text[512], id[37], thread[37];
	} told[TOLD_MAX];
	size_t n;
};

static unsigned ids;

static void make_id(char out[MESSAGE_ID_SIZE])
{
	snprintf(out, MESSAGE_ID_SIZE, "00000000-0000-4000-8000-%012u", ++ids);
}

static void tell(void *user, const struct message *m)
{
	struct rig *rig = user;
	struct told *told = &rig->told[rig->n++];

	assert_true(rig->n <= TOLD_MAX);
	assert_non_null(m->text);
	assert_true(m->count >= 1);
	told->at_us = rig->now_us;
	told->state = m->state;
	told->count = m->count;
	snprintf(told->kind, sizeof(told->kind), "%s", m->kind);
	snprintf(told->severity, sizeof(told->severity), "%s", m->severity);
	snprintf(told->text, sizeof(told->text), "%s", m->text);
	memcpy(told->id, m->id, sizeof(told->id));
	memcpy(told->thread, m->thread, sizeof(told->thread));
}

static const struct hold_ops ops = { tell, make_id };

static struct hold_policy usual(void)
{
	return (struct hold_policy){ .hold_us = 5 * SEC, .blips = true, .rank = 1 };
}

static struct rig *rig_new(struct hold_policy policy)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	rig->hold = hold_new(&policy, &ops, rig);
	return rig;
}

static void rig_free(struct rig *rig)
{
	hold_free(rig->hold);
	free(rig);
}

/* Let time pass, stopping wherever the hold has something to do. */
static void pass(struct rig *rig, double seconds)
{
	int64_t until_us = rig->now_us + (int64_t)(seconds * SEC);

	for (;;) {
		int64_t due_us = hold_due_us(rig->hold);

		if (due_us > until_us)
			break;
		assert_true(due_us >= rig->now_us);
		rig->now_us = due_us;
		hold_run(rig->hold, rig->now_us, WALL + rig->now_us);
		assert_true(hold_due_us(rig->hold) > rig->now_us); /* no turning on the spot */
	}
	rig->now_us = until_us;
}

static void happen_of(struct rig *rig, const char *ups, const char *kind, const char *severity,
		      const char *text, const char *facts)
{
	struct hold_event event = {
		.kind = kind, .severity = severity, .ups = ups, .text = text, .facts = facts
	};

	hold_event(rig->hold, &event, rig->now_us, WALL + rig->now_us);
}

static void mains_fail(struct rig *rig)
{
	happen_of(rig, "rack", "on-battery", "warning", "On battery.", NULL);
}

static void mains_return(struct rig *rig)
{
	happen_of(rig, "rack", "on-line", "info", "On line.", NULL);
}

static void expect(const struct rig *rig, size_t i, enum message_state state, const char *kind,
		   double at_s)
{
	if (i >= rig->n)
		fail_msg("there is no message %zu", i);
	assert_string_equal(rig->told[i].kind, kind);
	assert_int_equal(rig->told[i].state, state);
	if (rig->told[i].at_us != (int64_t)(at_s * SEC))
		fail_msg("message %zu (%s) at %lld us", i, rig->told[i].text,
			 (long long)rig->told[i].at_us);
}

static void test_an_outage(void **state)
{
	struct rig *rig = rig_new(usual());

	(void)state;
	pass(rig, 100);
	mains_fail(rig);
	pass(rig, 600);
	mains_return(rig);
	pass(rig, 1000);
	assert_int_equal(rig->n, 2);
	expect(rig, 0, MESSAGE_OPEN, "on-battery", 105);
	expect(rig, 1, MESSAGE_CLOSED, "on-line", 705);
	assert_string_equal(rig->told[0].thread, "");
	assert_string_equal(rig->told[1].thread, rig->told[0].id);
	assert_non_null(strstr(rig->told[1].text, "10 min"));
	assert_int_equal(hold_open(rig->hold), 0);
	rig_free(rig);
}

static void test_blips(void **state)
{
	struct hold_policy silent = usual();
	struct rig *rig = rig_new(usual());

	(void)state;
	mains_fail(rig);
	pass(rig, 2);
	mains_return(rig);
	pass(rig, 600);
	assert_int_equal(rig->n, 1);
	expect(rig, 0, MESSAGE_BLIP, "on-battery", 7);
	assert_non_null(strstr(rig->told[0].text, "Over after 2 s"));
	rig_free(rig);

	/* several within the hold-off of each other are one message */
	rig = rig_new(usual());
	for (int i = 0; i < 4; i++) {
		mains_fail(rig);
		pass(rig, 1);
		mains_return(rig);
		pass(rig, 2);
	}
	pass(rig, 600);
	assert_int_equal(rig->n, 1);
	assert_int_equal(rig->told[0].count, 4);
	rig_free(rig);

	/* or not at all, but counted in what is told later */
	silent.blips = false;
	rig = rig_new(silent);
	mains_fail(rig);
	pass(rig, 2);
	mains_return(rig);
	pass(rig, 600);
	assert_int_equal(rig->n, 0);
	mains_fail(rig);
	pass(rig, 60);
	assert_int_equal(rig->n, 1);
	assert_int_equal(rig->told[0].state, MESSAGE_OPEN);
	assert_int_equal(rig->told[0].count, 2);
	rig_free(rig);
}

/* The end is held, too: what begins again within it goes on. */
static void test_interrupted(void **state)
{
	struct rig *rig = rig_new(usual());

	(void)state;
	mains_fail(rig);
	pass(rig, 60);
	mains_return(rig);
	pass(rig, 2);
	mains_fail(rig);
	pass(rig, 600);
	assert_int_equal(rig->n, 1);
	mains_return(rig);
	pass(rig, 60);
	assert_int_equal(rig->n, 2);
	expect(rig, 1, MESSAGE_CLOSED, "on-line", 667);
	rig_free(rig);
}

/* A night of it, in several rhythms: bounded, and the truth in the end. */
static void test_flicker_does_not_flood(void **state)
{
	static const struct {
		double off_s, on_s;
	} rows[] = {
		{ 0.2, 0.3 }, { 2, 2 }, { 6, 6 }, { 10, 10 }, { 3, 90 }, { 20, 40 }, { 59, 61 }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = rig_new(usual());

		while (rig->now_us < (int64_t)8 * 3600 * SEC) {
			mains_fail(rig);
			pass(rig, rows[i].off_s);
			mains_return(rig);
			pass(rig, rows[i].on_s);
		}
		if (rig->n < 2 || rig->n > 40)
			fail_msg("row %zu: %zu messages", i, rig->n);
		/* and then an outage that lasts is told before long, as is its end */
		mains_fail(rig);
		pass(rig, HOLD_MAX_S);
		assert_true(rig->told[rig->n - 1].state == MESSAGE_OPEN ||
			    rig->told[rig->n - 1].state == MESSAGE_AGAIN);
		assert_int_equal(hold_open(rig->hold), 1);
		mains_return(rig);
		pass(rig, HOLD_MAX_S);
		assert_int_equal(rig->told[rig->n - 1].state, MESSAGE_CLOSED);
		assert_int_equal(hold_open(rig->hold), 0);

		/* after a calm all is as at first */
		pass(rig, HOLD_CALM_S);
		mains_fail(rig);
		pass(rig, 5);
		assert_int_equal(rig->told[rig->n - 1].state, MESSAGE_OPEN);
		assert_int_equal(rig->told[rig->n - 1].at_us, rig->now_us);
		rig_free(rig);
	}
}

static void test_nothing_is_lost_in_the_count(void **state)
{
	struct rig *rig = rig_new(usual());
	unsigned outages = 0, told = 0;

	(void)state;
	while (rig->now_us < (int64_t)3600 * SEC) {
		mains_fail(rig);
		outages++;
		pass(rig, 1 + outages % 9);
		mains_return(rig);
		pass(rig, 1 + outages % 7);
	}
	pass(rig, 2 * HOLD_DIGEST_MAX_S);
	for (size_t i = 0; i < rig->n; i++) /* an end counts only what came on top */
		if (rig->told[i].state != MESSAGE_CLOSED || rig->told[i].count > 1)
			told += rig->told[i].count;
	if (told < outages || told > outages + rig->n)
		fail_msg("%u outages, %u told in %zu messages", outages, told, rig->n);
	rig_free(rig);
}

static void test_alerts_are_not_held(void **state)
{
	struct rig *rig = rig_new(usual());

	(void)state;
	mains_fail(rig);
	pass(rig, 1);
	happen_of(rig, "rack", "low-battery", "alert", "Low.", NULL);
	assert_int_equal(rig->n, 2);
	expect(rig, 0, MESSAGE_OPEN, "on-battery", 1); /* in the order of what happened */
	expect(rig, 1, MESSAGE_OPEN, "low-battery", 1);

	/* another UPS is not hurried by it */
	happen_of(rig, "other", "on-battery", "warning", "On battery.", NULL);
	happen_of(rig, "rack", "fault", "alert", "Fault.", NULL);
	assert_int_equal(rig->n, 3);
	pass(rig, 5);
	assert_int_equal(rig->n, 4);
	rig_free(rig);
}

static void test_filters(void **state)
{
	char start[] = "on-battery", end[] = "on-line";
	char *only_starts[] = { start };
	char *only_ends[] = { end };
	struct hold_policy policy = usual();
	struct rig *rig = rig_new(policy);

	(void)state;
	happen_of(rig, "rack", "eco", "info", "ECO.", NULL); /* too mild, and so is its end */
	happen_of(rig, "rack", "identified", "info", "Identified.", NULL);
	pass(rig, 60);
	happen_of(rig, "rack", "eco-ended", "info", "No ECO.", NULL);
	pass(rig, 60);
	assert_int_equal(rig->n, 0);
	rig_free(rig);

	policy.rank = 0;
	policy.kinds = only_starts;
	policy.n_kinds = 1;
	rig = rig_new(policy);
	mains_fail(rig);
	pass(rig, 60);
	mains_return(rig);
	happen_of(rig, "rack", "low-battery", "alert", "Low.", NULL);
	pass(rig, 3600);
	mains_fail(rig);
	pass(rig, 60);
	assert_int_equal(rig->n, 2);
	assert_string_equal(rig->told[1].kind, "on-battery");
	rig_free(rig);

	policy.kinds = only_ends;
	rig = rig_new(policy);
	mains_fail(rig);
	pass(rig, 60);
	mains_return(rig);
	pass(rig, 60);
	assert_int_equal(rig->n, 1);
	assert_string_equal(rig->told[0].kind, "on-line");
	rig_free(rig);
}

static void test_alarms_are_told_apart(void **state)
{
	struct rig *rig = rig_new(usual());

	(void)state;
	happen_of(rig, "rack", "alarm-raised", "warning", "A.", "{\"id\":1,\"cause\":1}");
	happen_of(rig, "rack", "alarm-raised", "warning", "B.", "{\"id\":2,\"cause\":1}");
	pass(rig, 5);
	assert_int_equal(rig->n, 2);
	happen_of(rig, "rack", "alarm-cleared", "info", "A over.", "{\"id\":1,\"cause\":1}");
	pass(rig, 5);
	assert_int_equal(rig->n, 3);
	assert_string_equal(rig->told[2].thread, rig->told[0].id);
	assert_int_equal(hold_open(rig->hold), 1);
	rig_free(rig);
}

static void test_single_events(void **state)
{
	struct rig *rig = rig_new(usual());

	(void)state;
	for (int i = 0; i < 100; i++) {
		happen_of(rig, "rack", "command", "warning", "tom commands beeper.", NULL);
		pass(rig, 1);
	}
	pass(rig, 600);
	assert_int_equal(rig->told[0].at_us, 0);
	assert_true(rig->n >= HOLD_FREE_SINGLE + 1 && rig->n <= HOLD_FREE_SINGLE + 4);
	for (size_t i = HOLD_FREE_SINGLE; i < rig->n; i++)
		assert_true(rig->told[i].count > 1);
	rig_free(rig);
}

static void test_reminders(void **state)
{
	struct hold_policy policy = usual();
	struct rig *rig;

	(void)state;
	policy.remind_us = (int64_t)3600 * SEC;
	rig = rig_new(policy);
	mains_fail(rig);
	pass(rig, 3 * 3600 + 60);
	assert_int_equal(rig->n, 4);
	expect(rig, 1, MESSAGE_AGAIN, "on-battery", 3605);
	mains_return(rig);
	pass(rig, 36000);
	assert_int_equal(rig->n, 5);
	rig_free(rig);
}

static struct rig *restart(struct rig *old, double seconds)
{
	char *text = hold_save(old->hold);
	struct rig *rig = rig_new(usual());

	rig->now_us = old->now_us + (int64_t)(seconds * SEC);
	assert_true(hold_restore(rig->hold, text, strlen(text), rig->now_us, WALL + rig->now_us));
	free(text);
	return rig;
}

static void test_a_restart_repeats_nothing(void **state)
{
	struct rig *first = rig_new(usual()), *second, *third;

	(void)state;
	mains_fail(first);
	pass(first, 60);
	assert_int_equal(first->n, 1);

	/* the outage goes on */
	second = restart(first, 10);
	pass(second, 1);
	mains_fail(second);
	pass(second, 60);
	hold_settle(second->hold, "rack", second->now_us, WALL + second->now_us);
	pass(second, 600);
	assert_int_equal(second->n, 0);
	mains_return(second);
	pass(second, 60);
	assert_int_equal(second->n, 1);
	assert_int_equal(second->told[0].state, MESSAGE_CLOSED);
	assert_string_equal(second->told[0].thread, first->told[0].id);

	/* it ended while nobody looked */
	third = restart(first, 3600);
	pass(third, 29);
	hold_settle(third->hold, "other", third->now_us, WALL + third->now_us);
	assert_int_equal(third->n, 0);
	hold_settle(third->hold, "rack", third->now_us, WALL + third->now_us);
	assert_int_equal(third->n, 1);
	assert_string_equal(third->told[0].kind, "on-line");
	assert_string_equal(third->told[0].severity, "info");
	pass(third, 3600);
	assert_int_equal(third->n, 1);

	/* its end was told, but what was saved does not know it */
	rig_free(third);
	third = restart(first, 10);
	hold_was_over(third->hold, first->told[0].id);
	mains_fail(third);
	pass(third, 60);
	assert_int_equal(third->n, 1);
	assert_int_equal(third->told[0].state, MESSAGE_OPEN);
	rig_free(first);
	rig_free(second);
	rig_free(third);
}

static void test_bad_saved_texts(void **state)
{
	static const char *const rows[] = {
		"",
		"{}",
		"[1]",
		"[{}]",
		"[{\"condition\":\"on-battery\",\"thread\":\"\",\"severity\":\"warning\",\"text\":\"x\","
		"\"start-us\":-1,\"ups\":\"rack\"}]",
		"[{\"condition\":\"nonesuch\",\"thread\":\"\",\"severity\":\"warning\",\"text\":\"x\","
		"\"start-us\":1,\"ups\":\"rack\"}]",
		"[{\"condition\":\"on-battery\",\"thread\":\"\",\"severity\":\"warning\","
		"\"text\":\"a\\nb\",\"start-us\":1,\"ups\":\"rack\"}]",
		"[{\"condition\":\"on-battery\",\"thread\":\"\",\"severity\":\"warning\",\"text\":\"x\","
		"\"start-us\":1}]",
	};
	struct rig *rig = rig_new(usual());

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (hold_restore(rig->hold, rows[i], strlen(rows[i]), 0, WALL))
			fail_msg("taken: %s", rows[i]);
	assert_int_equal(hold_open(rig->hold), 0);
	rig_free(rig);
}

static void test_flush(void **state)
{
	struct rig *rig = rig_new(usual());

	(void)state;
	mains_fail(rig);
	pass(rig, 1);
	happen_of(rig, "other", "on-battery", "warning", "Other.", NULL);
	hold_flush(rig->hold, rig->now_us, WALL + rig->now_us);
	assert_int_equal(rig->n, 2);
	assert_string_equal(rig->told[0].text, "On battery.");
	hold_flush(rig->hold, rig->now_us, WALL + rig->now_us);
	assert_int_equal(rig->n, 2);
	rig_free(rig);
}

static void test_many_conditions(void **state)
{
	struct rig *rig = rig_new(usual());

	(void)state;
	for (int i = 0; i < 3 * HOLD_CONDITIONS_MAX; i++) {
		char facts[32];

		snprintf(facts, sizeof(facts), "{\"id\":%d}", i);
		happen_of(rig, "rack", "alarm-raised", "alert", "Alarm.", facts);
		pass(rig, 1);
	}
	assert_int_equal(rig->n, 3 * HOLD_CONDITIONS_MAX);
	hold_forget(rig->hold, "rack");
	assert_int_equal(hold_open(rig->hold), 0);
	assert_true(hold_due_us(rig->hold) == INT64_MAX);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_outage),
		cmocka_unit_test(test_blips),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_flicker_does_not_flood),
		cmocka_unit_test(test_nothing_is_lost_in_the_count),
		cmocka_unit_test(test_alerts_are_not_held),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_alarms_are_told_apart),
		cmocka_unit_test(test_single_events),
		cmocka_unit_test(test_reminders),
		cmocka_unit_test(test_a_restart_repeats_nothing),
		cmocka_unit_test(test_bad_saved_texts),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_many_conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
