#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "notify/kinds.h"
#include "notify/message.h"
#include "notify/queue.h"
#include "util/util.h"

/* The queue of one target, and the record of a message. */

enum { SEC = 1000000 };

static struct message *make(unsigned n, const char *severity)
{
	struct message *m = xcalloc(1, sizeof(*m));

	m->seq = n;
	m->count = 1;
	m->target = xstrdup("mail");
	m->kind = xstrdup("on-battery");
	m->severity = xstrdup(severity);
	m->text = xasprintf("%u", n);
	snprintf(m->id, sizeof(m->id), "00000000-0000-4000-8000-%012u", n);
	return m;
}

static void add(struct queue *queue, unsigned n)
{
	assert_null(queue_add(queue, make(n, "warning")));
}

static void expect_sent(struct queue *queue, int64_t now_us, unsigned n)
{
	const struct message *m = queue_send(queue, now_us);

	assert_non_null(m);
	assert_int_equal(m->seq, n);
}

static void test_order(void **state)
{
	struct queue *queue = queue_new((int64_t)86400 * SEC);
	struct message *done;

	(void)state;
	assert_true(queue_due_us(queue) == INT64_MAX);
	for (unsigned i = 1; i <= 3; i++)
		add(queue, i);
	for (unsigned i = 1; i <= 3; i++) {
		expect_sent(queue, 0, i);
		assert_null(queue_send(queue, 0)); /* one at a time */
		assert_true(queue_due_us(queue) == INT64_MAX);
		done = queue_done(queue, i == 2 ? QUEUE_GIVEN_UP : QUEUE_DELIVERED, 0, 0);
		assert_non_null(done);
		assert_int_equal(done->seq, i);
		message_free(done);
	}
	assert_int_equal(queue_count(queue), 0);
	queue_free(queue);
}

static void test_back_off(void **state)
{
	static const double waits_s[] = { 5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900 };
	static const uint32_t chances[] = { 0, 511, 1023, UINT32_MAX };
	int64_t now_us = 0;

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(chances); c++) {
		struct queue *queue = queue_new((int64_t)86400 * SEC * 30);

		add(queue, 1);
		add(queue, 2);
		for (size_t i = 0; i < ARRAY_SIZE(waits_s); i++) {
			double wait_s;

			expect_sent(queue, now_us, 1); /* the second never overtakes */
			assert_null(queue_done(queue, QUEUE_AGAIN, now_us, chances[c]));
			assert_null(queue_send(queue, now_us));
			wait_s = (double)(queue_due_us(queue) - now_us) / SEC;
			if (wait_s < waits_s[i] * 0.75 || wait_s > waits_s[i] * 1.25)
				fail_msg("retry %zu after %g s", i, wait_s);
			now_us = queue_due_us(queue);
		}
		assert_int_equal(queue_failures(queue), ARRAY_SIZE(waits_s));
		expect_sent(queue, now_us, 1);
		message_free(queue_done(queue, QUEUE_DELIVERED, now_us, 0));
		expect_sent(queue, now_us, 2); /* and the next goes at once */
		queue_done(queue, QUEUE_AGAIN, now_us, 0);
		queue_hurry(queue);
		expect_sent(queue, now_us, 2);
		queue_free(queue);
	}
}

static void test_expiry(void **state)
{
	struct queue *queue = queue_new((int64_t)100 * SEC);
	struct message *old, *young = make(3, "info");

	(void)state;
	add(queue, 1);
	add(queue, 2);
	young->made_us = 60 * SEC;
	assert_null(queue_add(queue, young));
	expect_sent(queue, 0, 1);
	/* what is on its way is not taken away from under it */
	old = queue_expired(queue, 100 * SEC);
	assert_non_null(old);
	assert_int_equal(old->seq, 2);
	message_free(old);
	assert_null(queue_expired(queue, 100 * SEC));
	assert_null(queue_done(queue, QUEUE_AGAIN, 100 * SEC, 0));
	assert_true(queue_due_us(queue) <= 100 * SEC);
	old = queue_expired(queue, 100 * SEC);
	assert_int_equal(old->seq, 1);
	message_free(old);
	assert_null(queue_expired(queue, 100 * SEC));
	assert_int_equal(queue_count(queue), 1);
	queue_free(queue);

	/* from before a start: it gets its chance, however old it is */
	queue = queue_new((int64_t)100 * SEC);
	young = make(4, "info");
	young->made_us = -(int64_t)86400 * SEC;
	young->until_us = (int64_t)50 * SEC;
	assert_null(queue_add(queue, young));
	assert_null(queue_expired(queue, (int64_t)49 * SEC));
	old = queue_expired(queue, (int64_t)50 * SEC);
	assert_non_null(old);
	message_free(old);
	queue_free(queue);
}

static void test_texts(void **state)
{
	char good[] = "Gr\xc3\xbc\xc3\x9f", bad[] = "a\xff\x01 b";

	(void)state;
	message_clean(good);
	assert_string_equal(good, "Gr\xc3\xbc\xc3\x9f");
	message_cut(good, 5);
	assert_string_equal(good, "Gr\xc3\xbc");
	message_cut(good, 4);
	assert_string_equal(good, "Gr\xc3\xbc");
	message_cut(good, 3);
	assert_string_equal(good, "Gr");
	message_clean(bad);
	assert_string_equal(bad, "a?  b");
}

static void test_overflow(void **state)
{
	struct queue *queue = queue_new((int64_t)86400 * SEC);
	struct message *victim;

	(void)state;
	for (unsigned i = 1; i <= QUEUE_MAX; i++)
		assert_null(queue_add(queue, make(i, i == 7 || i == 9 ? "info" : "warning")));
	expect_sent(queue, 0, 1);

	victim = queue_add(queue, make(QUEUE_MAX + 1, "alert"));
	assert_int_equal(victim->seq, 7); /* the oldest of the mildest */
	message_free(victim);
	victim = queue_add(queue, make(QUEUE_MAX + 2, "info"));
	assert_int_equal(victim->seq, 9);
	message_free(victim);
	victim = queue_add(queue, make(QUEUE_MAX + 3, "alert"));
	assert_int_equal(victim->seq, QUEUE_MAX + 2);
	message_free(victim);
	victim = queue_add(queue, make(QUEUE_MAX + 4, "alert"));
	assert_int_equal(victim->seq, 2); /* never the one on its way */
	message_free(victim);
	assert_int_equal(queue_count(queue), QUEUE_MAX);
	queue_free(queue);
}

static void test_record(void **state)
{
	struct message *m = make(42, "alert"), back;
	char *text;

	(void)state;
	m->state = MESSAGE_CLOSED;
	m->count = 3;
	m->wall_us = INT64_C(1700000000000000);
	m->start_us = INT64_C(1690000000000000);
	m->ups = xstrdup("rack");
	m->facts = xstrdup("{\"id\":22,\"cause\":1}");
	memcpy(m->thread, m->id, sizeof(m->thread));
	free(m->text);
	m->text = xstrdup("Gr\xc3\xbc\xc3\x9f dich \"Welt\" \\ {}.");
	text = message_write(m);
	assert_true(message_read(text, strlen(text), &back));
	assert_int_equal(back.seq, 42);
	assert_string_equal(back.id, m->id);
	assert_string_equal(back.thread, m->thread);
	assert_int_equal(back.state, MESSAGE_CLOSED);
	assert_int_equal(back.count, 3);
	assert_true(back.wall_us == m->wall_us && back.start_us == m->start_us);
	assert_string_equal(back.target, "mail");
	assert_string_equal(back.severity, "alert");
	assert_string_equal(back.ups, "rack");
	assert_string_equal(back.text, m->text);
	assert_string_equal(back.facts, m->facts);
	assert_null(back.values);
	/* cut anywhere it is no record */
	for (size_t len = 0; len < strlen(text); len++) {
		struct message cut;

		assert_false(message_read(text, len, &cut));
	}
	message_clear(&back);
	message_free(m);
	free(text);
}

/* One member of a good record replaced. */
static void test_bad_records(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "\"format\":1", "\"format\":2" },
		{ "\"seq\":42", "\"seq\":0" },
		{ "\"seq\":42", "\"seq\":-1" },
		{ "\"seq\":42", "\"seq\":\"42\"" },
		{ "\"count\":1", "\"count\":0" },
		{ "\"state\":\"once\"", "\"state\":\"maybe\"" },
		{ "\"kind\":\"on-battery\"", "\"kind\":\"\"" },
		{ "\"kind\":\"on-battery\"", "\"kind\":\"a\\nb\"" },
		{ "\"kind\":\"on-battery\"", "\"kind\":\"a\\u0000b\"" },
		{ "\"target\":\"mail\"", "\"target\":null" },
		{ "\"text\":\"42\"", "\"text\":[]" },
		{ "\"text\":\"42\"", "\"facts\":\"x\",\"text\":\"42\"" },
		{ "\"id\":\"0000", "\"id\":\"<000" },
		{ "\"time-us\":0", "\"time-us\":1e9" },
	};
	struct message *m = make(42, "alert"), back;
	char *good = message_write(m);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *at = strstr(good, rows[i].from), *bad;

		if (!at)
			fail_msg("row %zu does not fit: %s", i, good);
		bad = xasprintf("%.*s%s%s", (int)(at - good), good, rows[i].to,
				at + strlen(rows[i].from));
		if (message_read(bad, strlen(bad), &back))
			fail_msg("taken: %s", bad);
		free(bad);
	}
	free(good);
	message_free(m);
}

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; kind_at(i); i++) {
		const struct kind *kind = kind_at(i);
		bool paired = kind->role == KIND_ONCE;

		assert_ptr_equal(kind_find(kind->name), kind); /* no name twice */
		assert_int_equal(kind->of != NULL, kind->role != KIND_ONCE);
		for (size_t k = 0; kind_at(k) && !paired; k++)
			paired = kind_at(k)->of && strcmp(kind_at(k)->of, kind->of) == 0 &&
				 kind_at(k)->role != kind->role &&
				 kind_at(k)->by_facts == kind->by_facts;
		if (!paired)
			fail_msg("%s has no other end", kind->name);
	}
	assert_null(kind_find("nonesuch"));
	assert_string_equal(kind_nut("on-battery"), "ONBATT");
	assert_string_equal(kind_nut("on-line"), "ONLINE");
	assert_string_equal(kind_nut("low-battery"), "LOWBATT");
	assert_string_equal(kind_nut("communication-lost"), "COMMBAD");
	assert_string_equal(kind_nut("nonesuch"), "OTHER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),  cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_expiry), cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_record), cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_kinds),  cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
