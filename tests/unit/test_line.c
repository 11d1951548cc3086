/* The line alone: who gets a turn, what a straggler may be taken for, and what may not be asked. */
#include "ups/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire_rig.h"

#define SEC 1000000
#define MSEC 1000

enum { LOG = 512 };

/* A user that asks for registers whenever it may, going through a few questions in turn. */
struct asker {
	struct rig *rig;
	uint8_t unit_id;
	struct question {
		uint16_t addr;
		uint8_t n;
	} questions[4];
	size_t n_questions, next;
	bool idle, remove_in_answer, remove_in_take, down_in_take;
	struct asker *victim; /* removed in this one's calls */
	unsigned taken;
	struct got {
		enum line_result result;
		uint16_t asked, value; /* address asked; first register of the answer */
		int64_t sent_us, at_us;
		int exception;
	} got[LOG];
	size_t n_got;
};

static int64_t asker_due(void *user, int64_t now_us)
{
	const struct asker *a = user;

	return a->idle ? INT64_MAX : now_us;
}

static bool asker_take(void *user, int64_t now_us, struct line_request *req)
{
	struct asker *a = user;

	if (a->victim && a->remove_in_take) {
		line_remove(a->rig->line, a->victim);
		a->victim = NULL;
	}
	if (a->down_in_take) {
		a->down_in_take = false;
		line_link(a->rig->line, false, now_us);
	}
	for (size_t i = 0; i < a->n_questions; i++) {
		const struct question *q = &a->questions[a->next++ % a->n_questions];
		struct line_shape shape = { a->unit_id, FC_READ_HOLDING_REGISTERS, q->n, q->addr };

		if (line_blocked(a->rig->line, &shape, now_us))
			continue;
		req->shape = shape;
		req->len = pdu_put_read(req->pdu, q->addr, q->n);
		req->what = q->addr;
		a->taken++;
		return true;
	}
	return false;
}

static void asker_answer(void *user, const struct line_answer *answer, int64_t now_us)
{
	struct asker *a = user;
	struct got *got = &a->got[a->n_got < LOG ? a->n_got++ : LOG - 1];
	uint16_t regs[PDU_READ_REGS_MAX] = { 0 };

	*got = (struct got){
		answer->result, (uint16_t)answer->request->what, 0, answer->sent_us, now_us, 0
	};
	if (answer->pdu) {
		got->exception =
			pdu_get_regs(answer->pdu, answer->len, answer->request->shape.n, regs);
		got->value = regs[0];
	}
	if (a->victim && a->remove_in_answer) {
		line_remove(a->rig->line, a->victim);
		a->victim = NULL;
	}
}

static const struct line_user_ops asker_ops = { asker_due, asker_take, asker_answer };

/* A device whose registers hold their own addresses; what happens to the next answers is a list. */
struct bench {
	struct rig rig;
	struct asker askers[4];
	struct fate {
		int64_t delay_us; /* < 0: no answer */
		int64_t again_us; /* > 0: once more, so much later */
		uint8_t exception, unit_id, cut;
	} fates[64];
	size_t n_fates, next_fate;
	struct fate usual;
	uint8_t dead_unit;
	unsigned sent_to[4];
};

static void bench_request(struct rig *rig, const uint8_t *adu, size_t len)
{
	struct bench *b = (struct bench *)rig;
	struct fate fate = b->next_fate < b->n_fates ? b->fates[b->next_fate++] : b->usual;
	uint16_t regs[PDU_READ_REGS_MAX];
	uint8_t pdu[PDU_MAX], reply[RTU_ADU_MAX];
	struct pdu_request req;
	size_t n;

	assert_int_equal(pdu_get_request(adu + 1, len - 3, &req), 0);
	b->sent_to[adu[0] % 4]++;
	if (fate.delay_us < 0 || adu[0] == b->dead_unit)
		return;
	for (uint16_t i = 0; i < req.n; i++)
		regs[i] = (uint16_t)(req.addr + i);
	n = pdu_put_regs(pdu, regs, req.n);
	if (fate.exception)
		n = pdu_put_exception(pdu, req.fc, fate.exception);
	n = rtu_put(reply, fate.unit_id ? fate.unit_id : adu[0], pdu, n);
	if (fate.cut)
		n = fate.cut;
	rig_bytes(rig, fate.delay_us, reply, n);
	if (fate.again_us)
		rig_bytes(rig, fate.delay_us + fate.again_us, reply, n);
}

static struct asker *bench_asker(struct bench *b, size_t i, uint8_t unit_id,
				 const struct question *questions, size_t n)
{
	struct asker *a = &b->askers[i];

	a->rig = &b->rig;
	a->unit_id = unit_id;
	memcpy(a->questions, questions, n * sizeof(*questions));
	a->n_questions = n;
	assert_true(line_add(b->rig.line, &asker_ops, a));
	return a;
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct line_params params;

	line_params_default(&params);
	b->rig.now_us = 1000 * SEC;
	b->rig.device = bench_request;
	b->rig.line = line_new(&params, rig_tx, &b->rig);
	b->usual.delay_us = 40 * MSEC;
	return b;
}

static void bench_free(struct bench *b)
{
	line_free(b->rig.line);
	free(b);
}

static void up(struct bench *b)
{
	line_link(b->rig.line, true, b->rig.now_us);
}

static void pass(struct bench *b, int64_t us)
{
	rig_run(&b->rig, b->rig.now_us + us);
}

static void fates(struct bench *b, const struct fate *list, size_t n)
{
	memcpy(b->fates, list, n * sizeof(*list));
	b->n_fates = n;
	b->next_fate = 0;
}

/* Whatever came back: an answer holds what was asked for. */
static void assert_true_answers(const struct asker *a)
{
	for (size_t i = 0; i < a->n_got; i++)
		if ((a->got[i].result == LINE_ANSWER || a->got[i].result == LINE_LATE) &&
		    a->got[i].exception == 0 && a->got[i].value != a->got[i].asked)
			fail_msg("asked for %u, took %u", a->got[i].asked, a->got[i].value);
}

static size_t count(const struct asker *a, enum line_result result)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_got; i++)
		n += a->got[i].result == result;
	return n;
}

/*
 * Two questions of one length and a third of another: what becomes of the first answers, and how
 * many of all must come to something.
 */
static const struct {
	const char *name;
	struct fate fates[6];
	size_t n_fates, late;
} mixups[] = {
	{ "all well", { { .delay_us = 40 * MSEC } }, 1, 0 },
	{ "one lost", { { .delay_us = -1 } }, 1, 0 },
	{ "one late", { { .delay_us = 900 * MSEC } }, 1, 1 },
	{ "one very late", { { .delay_us = 2200 * MSEC } }, 1, 1 },
	{ "two late, in order",
	  { { .delay_us = 1500 * MSEC }, { .delay_us = 1500 * MSEC } },
	  2,
	  2 },
	{ "two late, out of order",
	  { { .delay_us = 2000 * MSEC }, { .delay_us = 900 * MSEC } },
	  2,
	  2 },
	{ "one twice at once", { { .delay_us = 40 * MSEC, .again_us = MSEC } }, 1, 0 },
	{ "one twice", { { .delay_us = 40 * MSEC, .again_us = 70 * MSEC } }, 1, 0 },
	{ "one twice, 0.25 s apart", { { .delay_us = 40 * MSEC, .again_us = 250 * MSEC } }, 1, 0 },
	{ "one twice, 0.49 s apart", { { .delay_us = 40 * MSEC, .again_us = 490 * MSEC } }, 1, 0 },
	{ "all twice",
	  { { .delay_us = 40 * MSEC, .again_us = 100 * MSEC },
	    { .delay_us = 40 * MSEC, .again_us = 150 * MSEC },
	    { .delay_us = 40 * MSEC, .again_us = 200 * MSEC },
	    { .delay_us = 40 * MSEC, .again_us = 300 * MSEC } },
	  4,
	  0 },
	{ "one late and twice", { { .delay_us = 900 * MSEC, .again_us = 300 * MSEC } }, 1, 1 },
	{ "another unit answers", { { .delay_us = 40 * MSEC, .unit_id = 9 } }, 1, 0 },
	{ "one cut short", { { .delay_us = 40 * MSEC, .cut = 5 } }, 1, 0 },
	{ "an exception", { { .delay_us = 40 * MSEC, .exception = 2 } }, 1, 0 },
	{ "a late exception", { { .delay_us = 700 * MSEC, .exception = 2 } }, 1, 0 },
};

static void test_stragglers(void **state)
{
	static const struct question questions[] = { { 100, 2 }, { 200, 2 }, { 300, 5 } };

	(void)state;
	for (size_t i = 0; i < sizeof(mixups) / sizeof(mixups[0]); i++) {
		struct bench *b = bench_new();
		struct asker *a = bench_asker(b, 0, 1, questions, 3);

		fates(b, mixups[i].fates, mixups[i].n_fates);
		up(b);
		pass(b, 10 * SEC);
		assert_true_answers(a);
		if (count(a, LINE_LATE) != mixups[i].late)
			fail_msg("%s: %zu late answers", mixups[i].name, count(a, LINE_LATE));
		assert_in_range(a->taken, 20, LOG);
		assert_in_range(a->taken - count(a, LINE_ANSWER), 0, 3 + mixups[i].late);
		bench_free(b);
	}
}

/* The same with each question's number of registers behind one unit id, as UPS numbers 1 and 2. */
static void test_two_numbers_on_one_unit(void **state)
{
	static const struct question first[] = { { 11024, 20 }, { 11024, 21 } },
				     second[] = { { 21024, 20 }, { 21024, 21 } };

	(void)state;
	for (size_t i = 0; i < sizeof(mixups) / sizeof(mixups[0]); i++) {
		struct bench *b = bench_new();
		struct asker *a = bench_asker(b, 0, 1, first, 2);
		struct asker *c = bench_asker(b, 1, 1, second, 2);

		fates(b, mixups[i].fates, mixups[i].n_fates);
		up(b);
		pass(b, 20 * SEC);
		assert_true_answers(a);
		assert_true_answers(c);
		assert_true(count(a, LINE_ANSWER) > 5 && count(c, LINE_ANSWER) > 5);
		bench_free(b);
	}
}

static void test_turns_are_fair(void **state)
{
	static const struct question questions[] = { { 100, 2 }, { 200, 3 } };
	struct bench *b = bench_new();

	(void)state;
	for (size_t i = 0; i < 3; i++)
		bench_asker(b, i, (uint8_t)(i + 1), questions, 2);
	up(b);
	pass(b, 10 * SEC);
	assert_in_range(b->sent_to[1], b->sent_to[2] - 1, b->sent_to[2] + 1);
	assert_in_range(b->sent_to[3], b->sent_to[2] - 1, b->sent_to[2] + 1);
	bench_free(b);
}

static void test_a_mute_unit_leaves_the_line(void **state)
{
	static const struct question questions[] = { { 100, 2 }, { 200, 3 }, { 300, 4 } };
	struct bench *b = bench_new();
	struct asker *live = bench_asker(b, 0, 1, questions, 3);
	struct asker *dead = bench_asker(b, 1, 2, questions, 3);
	int64_t worst = 0;
	size_t answers;

	(void)state;
	b->dead_unit = 2;
	up(b);
	pass(b, 5 * SEC);
	answers = count(live, LINE_ANSWER);
	live->n_got = 0;
	pass(b, 10 * SEC);
	for (size_t i = 1; i < live->n_got; i++)
		if (live->got[i].at_us - live->got[i - 1].at_us > worst)
			worst = live->got[i].at_us - live->got[i - 1].at_us;
	assert_true(answers > 5);
	assert_true(live->n_got > 10 * 12); /* 20 a second without the other */
	assert_true(worst < 600 * MSEC);
	assert_true(b->sent_to[2] > 10);
	b->dead_unit = 0; /* and is found again */
	dead->n_got = 0;
	pass(b, 3 * SEC);
	assert_true(count(dead, LINE_ANSWER) > 5);
	bench_free(b);
}

static void test_slow_units_on_one_line(void **state)
{
	static const struct question questions[] = {
		{ 100, 2 }, { 200, 3 }, { 300, 4 }, { 400, 5 }
	};
	struct bench *b = bench_new();
	struct asker *a = bench_asker(b, 0, 1, questions, 4);

	(void)state;
	b->usual.delay_us = 1800 * MSEC;
	up(b);
	pass(b, 60 * SEC);
	assert_true_answers(a);
	a->n_got = 0;
	pass(b, 60 * SEC);
	assert_true_answers(a);
	assert_in_range(count(a, LINE_ANSWER), 25, 34); /* it is waited for */
	assert_in_range(count(a, LINE_TIMEOUT), 0, 2);
	bench_free(b);
}

static void test_removed_in_calls(void **state)
{
	static const struct question questions[] = { { 100, 2 }, { 200, 3 } };

	(void)state;
	for (unsigned row = 0; row < 8; row++) {
		struct bench *b = bench_new();
		struct asker *a[3];
		size_t victim = row % 3, by = row & 4 ? (victim + 1) % 3 : 2;

		for (size_t i = 0; i < 3; i++)
			a[i] = bench_asker(b, i, (uint8_t)(i + 1), questions, 2);
		up(b);
		pass(b, SEC);
		a[by]->victim = a[victim];
		a[by]->remove_in_answer = row & 1;
		a[by]->remove_in_take = !(row & 1);
		pass(b, SEC);
		a[victim]->n_got = 0;
		for (size_t i = 0; i < 3; i++)
			a[i]->taken = 0;
		pass(b, SEC);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(a[i]->taken > 0, i != victim);
		assert_int_equal(a[victim]->n_got, 0);
		bench_free(b);
	}
}

/* The answer to a removed user's question is not another's. */
static void test_removed_with_a_question_open(void **state)
{
	static const struct question first[] = { { 100, 2 } },
				     second[] = { { 200, 2 }, { 300, 5 } };
	struct bench *b = bench_new();
	struct asker *a = bench_asker(b, 0, 1, first, 1), *c;

	(void)state;
	fates(b, &(struct fate){ .delay_us = 600 * MSEC }, 1);
	up(b);
	pass(b, 10 * MSEC);
	line_remove(b->rig.line, a);
	c = bench_asker(b, 1, 1, second, 2);
	pass(b, 10 * SEC);
	assert_int_equal(a->n_got, 0);
	assert_true_answers(c);
	assert_true(count(c, LINE_ANSWER) > 20);
	bench_free(b);
}

static void test_link_down(void **state)
{
	static const struct question questions[] = { { 100, 2 }, { 200, 2 }, { 300, 5 } };
	struct bench *b = bench_new();
	struct asker *a = bench_asker(b, 0, 1, questions, 3);

	(void)state;
	pass(b, SEC);
	a->n_got = 0;
	up(b);
	pass(b, 10 * MSEC);
	line_link(b->rig.line, false, b->rig.now_us);
	assert_int_equal(count(a, LINE_DOWN), 1); /* exactly once */
	a->idle = true;
	pass(b, SEC);
	assert_int_equal(a->n_got, 1);
	a->idle = false;
	for (int i = 0; i < 20; i++) { /* flapping, with answers of before on their way */
		fates(b, &(struct fate){ .delay_us = 300 * MSEC }, 1);
		up(b);
		pass(b, 10 * MSEC + 37 * MSEC * i);
		line_link(b->rig.line, false, b->rig.now_us);
	}
	up(b);
	pass(b, 5 * SEC);
	assert_true_answers(a);
	a->down_in_take = true; /* a callback takes the link down: nothing is sent any more */
	pass(b, 100 * MSEC);
	b->sent_to[1] = 0;
	a->idle = true;
	pass(b, SEC);
	assert_int_equal(b->sent_to[1], 0);
	bench_free(b);
}

static bool tx_fails(void *user, const uint8_t *adu, size_t len)
{
	struct bench *b = user;

	(void)adu;
	(void)len;
	b->sent_to[0]++;
	return false;
}

static bool tx_takes_down(void *user, const uint8_t *adu, size_t len)
{
	struct bench *b = user;

	(void)adu;
	(void)len;
	line_link(b->rig.line, false, b->rig.now_us);
	b->askers[0].idle = true;
	return false;
}

static void test_broken_tx(void **state)
{
	static const struct question questions[] = { { 100, 2 }, { 200, 3 } };
	struct line_params params;
	struct bench *b = bench_new();
	struct asker *a;

	(void)state;
	line_params_default(&params);
	line_free(b->rig.line);
	b->rig.line = line_new(&params, tx_fails, b);
	a = bench_asker(b, 0, 1, questions, 2);
	up(b);
	pass(b, 10 * SEC);
	assert_in_range(b->sent_to[0], 5, 60); /* no storm */
	assert_in_range(a->taken - a->n_got, 0, 1);

	line_free(b->rig.line);
	b->rig.line = line_new(&params, tx_takes_down, b);
	a = bench_asker(b, 0, 1, questions, 2);
	a->n_got = 0;
	up(b);
	pass(b, 10 * SEC);
	assert_int_equal(a->n_got, 1); /* one end for one request */
	assert_int_equal(a->got[0].result, LINE_DOWN);
	bench_free(b);
}

/* Bytes that never stop: the line is asked all the same, and takes what can be told apart. */
static void test_noise_without_end(void **state)
{
	static const struct question questions[] = { { 100, 2 }, { 200, 3 } };
	struct bench *b = bench_new();
	struct asker *a = bench_asker(b, 0, 1, questions, 2);
	struct line_stats stats;

	(void)state;
	up(b);
	for (int i = 0; i < 20000; i++) {
		uint8_t noise[4] = { (uint8_t)(i * 7), (uint8_t)(i >> 3), 0x55, 0xaa };

		line_rx(b->rig.line, noise, sizeof(noise), b->rig.now_us);
		line_run(b->rig.line, b->rig.now_us);
		pass(b, 4 * MSEC);
	}
	assert_true_answers(a);
	assert_in_range(b->sent_to[1], 80 / 2, 80 * 20);
	assert_true(count(a, LINE_ANSWER) > 20);
	line_stats(b->rig.line, &stats);
	assert_true(stats.noise_bytes > 50000);
	pass(b, SEC);
	a->n_got = 0;
	pass(b, 2 * SEC);
	assert_true(count(a, LINE_ANSWER) > 30); /* all well again */
	bench_free(b);
}

/* A line that hears itself: echoes are dropped, and what is broken in them does no harm. */
static void test_echo(void **state)
{
	static const struct question questions[] = { { 100, 2 }, { 200, 3 } };
	struct bench *b = bench_new();
	struct asker *a = bench_asker(b, 0, 1, questions, 2);
	struct line_stats stats;
	size_t done = 0;

	(void)state;
	up(b);
	while (b->rig.now_us < 1005 * SEC) {
		while (done < b->rig.n_sent) {
			struct rig_sent sent = b->rig.sent[done++];

			if (done % 10 == 0)
				sent.adu[3] ^= 0x10;
			line_rx(b->rig.line, sent.adu, sent.len, b->rig.now_us + 1);
			line_run(b->rig.line, b->rig.now_us + 1);
		}
		pass(b, MSEC);
	}
	assert_true_answers(a);
	assert_true(count(a, LINE_ANSWER) > 60);
	line_stats(b->rig.line, &stats);
	assert_true(stats.echo);
	bench_free(b);
}

/* due() in the past and take() false: polled, not spun on. */
static bool take_nothing(void *user, int64_t now_us, struct line_request *req)
{
	unsigned *calls = user;

	(void)now_us;
	(void)req;
	++*calls;
	return false;
}

static int64_t due_always(void *user, int64_t now_us)
{
	(void)user;
	return now_us - SEC;
}

static void test_a_user_that_passes(void **state)
{
	static const struct line_user_ops ops = { due_always, take_nothing, NULL };
	static const struct question questions[] = { { 100, 2 }, { 200, 3 } };
	struct bench *b = bench_new();
	unsigned calls = 0;
	struct asker *a;

	(void)state;
	assert_true(line_add(b->rig.line, &ops, &calls));
	pass(b, SEC); /* also while the link is down */
	assert_in_range(calls, 1, 250);
	up(b);
	calls = 0;
	pass(b, SEC);
	assert_in_range(calls, 1, 250);
	a = bench_asker(b, 0, 1, questions, 2);
	pass(b, 2 * SEC);
	assert_true(count(a, LINE_ANSWER) > 30); /* the other is not held up */
	line_remove(b->rig.line, &calls);
	line_remove(b->rig.line, &calls); /* twice does no harm */
	bench_free(b);
}

static void test_full(void **state)
{
	static const struct question question = { 100, 2 };
	struct bench *b = bench_new();
	char users[LINE_USERS_MAX + 1];

	(void)state;
	for (size_t i = 0; i < LINE_USERS_MAX; i++)
		assert_true(line_add(b->rig.line, &asker_ops, &users[i]));
	assert_false(line_add(b->rig.line, &asker_ops, &users[LINE_USERS_MAX]));
	for (size_t i = 0; i < LINE_USERS_MAX; i++)
		line_remove(b->rig.line, &users[i]);
	assert_int_equal(line_deadline(b->rig.line, b->rig.now_us), INT64_MAX);
	bench_asker(b, 0, 1, &question, 1);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stragglers),
		cmocka_unit_test(test_two_numbers_on_one_unit),
		cmocka_unit_test(test_turns_are_fair),
		cmocka_unit_test(test_a_mute_unit_leaves_the_line),
		cmocka_unit_test(test_slow_units_on_one_line),
		cmocka_unit_test(test_removed_in_calls),
		cmocka_unit_test(test_removed_with_a_question_open),
		cmocka_unit_test(test_link_down),
		cmocka_unit_test(test_broken_tx),
		cmocka_unit_test(test_noise_without_end),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_a_user_that_passes),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
