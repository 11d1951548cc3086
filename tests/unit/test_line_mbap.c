#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/mbap.h"
#include "wire_rig.h"

/*
 * A line behind a Modbus TCP gateway: whatever the gateway sends for a request, only the answer that
 * carries its id, its unit id and its shape is taken.
 */
enum { ASK_US = 100000 };

struct asker {
	struct line *line;
	uint8_t unit_id;
	int64_t due_us;
	enum line_result last;
	unsigned answers, timeouts, exceptions, lates;
};

static int64_t due(void *user, int64_t now_us)
{
	const struct asker *a = user;

	(void)now_us;
	return a->due_us;
}

static bool take(void *user, int64_t now_us, struct line_request *req)
{
	struct asker *a = user;
	unsigned n = 20 + (unsigned)(now_us / ASK_US % 5);

	struct line_shape shape = { a->unit_id, FC_READ_HOLDING_REGISTERS, (uint16_t)n, 11024 };

	if (line_blocked(a->line, &shape, now_us))
		return false;
	req->shape = shape;
	req->len = pdu_put_read(req->pdu, 11024, n);
	a->due_us = now_us + ASK_US;
	return true;
}

static void answer(void *user, const struct line_answer *answer, int64_t now_us)
{
	struct asker *a = user;

	(void)now_us;
	a->last = answer->result;
	a->answers += answer->result == LINE_ANSWER && !(answer->pdu[0] & FC_EXCEPTION);
	a->exceptions += answer->result == LINE_ANSWER && (answer->pdu[0] & FC_EXCEPTION);
	a->timeouts += answer->result == LINE_TIMEOUT;
	a->lates += answer->result == LINE_LATE;
}

static const struct line_user_ops ops = { due, take, answer };

/* What the gateway makes of a request; how long it takes. */
struct play {
	const char *name;
	int id, unit_id;   /* added to the request's */
	uint8_t exception; /* sent instead */
	int registers;	   /* added to those asked for */
	uint16_t protocol;
	int64_t delay_us;
	bool answers, exceptions, timeouts, lates,
		broken; /* what must come of it, and nothing else */
};

static const struct play plays[] = {
	{ .name = "honest", .delay_us = 60000, .answers = true },
	{ .name = "foreign transaction", .id = 1, .timeouts = true },
	{ .name = "another unit id", .unit_id = 1, .timeouts = true },
	{ .name = "too many registers", .registers = 1, .timeouts = true },
	{ .name = "the device's exception", .exception = 2, .exceptions = true },
	{ .name = "no path to the target", .exception = 0x0a, .timeouts = true },
	{ .name = "the target is mute", .exception = 0x0b, .delay_us = 90000, .timeouts = true },
	{ .name = "wrong protocol", .protocol = 1, .timeouts = true, .broken = true },
	/* such a device is waited for after a while */
	{ .name = "late", .delay_us = 2200000, .answers = true, .timeouts = true, .lates = true },
};

static void gateway(struct rig *rig, const uint8_t *adu, size_t len)
{
	const struct play *play = rig->device_data;
	uint8_t pdu[PDU_MAX], out[MBAP_ADU_MAX];
	uint16_t regs[PDU_READ_REGS_MAX] = { 0 }, id = (uint16_t)(adu[0] << 8 | adu[1]);
	size_t n = adu[11], pdu_len;

	assert_int_equal(len, 12);
	pdu_len = play->exception ? pdu_put_exception(pdu, adu[7], play->exception)
				  : pdu_put_regs(pdu, regs, n + (size_t)play->registers);
	len = mbap_put(out, (uint16_t)(id + play->id), (uint8_t)(adu[6] + play->unit_id), pdu,
		       pdu_len);
	out[3] = (uint8_t)play->protocol;
	rig_bytes(rig, play->delay_us + 1000, out, len);
}

static void run_play(const struct play *play)
{
	struct rig rig = { .now_us = 1000000, .device = gateway };
	struct play copy = *play;
	struct asker asker = { .unit_id = 7 };
	struct line_params params;

	rig.device_data = &copy;
	line_params_default(&params);
	params.framing = FRAMING_MBAP;
	params.max_allowance_us = 2000000;
	params.ghost_us = 4000000;
	rig.line = asker.line = line_new(&params, rig_tx, &rig);
	assert_true(line_add(rig.line, &ops, &asker));
	line_link(rig.line, true, rig.now_us);
	rig_run(&rig, rig.now_us + 8000000);

	if (!!asker.answers != play->answers || !!asker.exceptions != play->exceptions ||
	    !!asker.timeouts != play->timeouts || !!asker.lates != play->lates ||
	    line_is_broken(rig.line) != play->broken)
		fail_msg("%s: %u answers, %u exceptions, %u timeouts, %u late, %s", play->name,
			 asker.answers, asker.exceptions, asker.timeouts, asker.lates,
			 line_is_broken(rig.line) ? "broken" : "whole");
	line_free(rig.line);
}

static void test_plays(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++)
		run_play(&plays[i]);
}

/* Ids count up, so that no two of 65536 requests have the same. */
static void test_ids_count_up(void **state)
{
	struct rig rig = { .now_us = 1000000, .device = gateway };
	struct play honest = plays[0];
	struct asker asker = { .unit_id = 7 };
	struct line_params params;

	(void)state;
	rig.device_data = &honest;
	line_params_default(&params);
	params.framing = FRAMING_MBAP;
	rig.line = asker.line = line_new(&params, rig_tx, &rig);
	line_add(rig.line, &ops, &asker);
	line_link(rig.line, true, rig.now_us);
	rig_run(&rig, rig.now_us + 3000000);
	assert_true(rig.n_sent > 10);
	for (size_t i = 1; i < rig.n_sent; i++)
		assert_int_equal(rig.sent[i].adu[1], (uint8_t)(rig.sent[i - 1].adu[1] + 1));
	line_free(rig.line);
}

/* A dead device behind a gateway that waits 1 s for it does not starve its neighbour. */
static void dead_and_live(struct rig *rig, const uint8_t *adu, size_t len)
{
	static struct play live = { .delay_us = 60000 };
	static struct play dead = { .delay_us = 1000000, .exception = 0x0b };

	rig->device_data = adu[6] == 7 ? &live : &dead;
	gateway(rig, adu, len);
}

static void test_dead_neighbour(void **state)
{
	struct rig rig = { .now_us = 1000000, .device = dead_and_live };
	struct asker live = { .unit_id = 7 }, dead = { .unit_id = 8 };
	struct line_params params;
	unsigned before;

	(void)state;
	line_params_default(&params);
	params.framing = FRAMING_MBAP;
	params.max_allowance_us = 2000000;
	rig.line = live.line = dead.line = line_new(&params, rig_tx, &rig);
	line_add(rig.line, &ops, &live);
	line_add(rig.line, &ops, &dead);
	line_link(rig.line, true, rig.now_us);
	rig_run(&rig, rig.now_us + 30000000); /* until it counts as mute */
	before = live.answers;
	rig_run(&rig, rig.now_us + 20000000);
	assert_in_range(live.answers - before, 20000000 / ASK_US * 7 / 10, 20000000 / ASK_US);
	assert_int_equal(live.timeouts, 0);
	assert_int_equal(dead.answers + dead.exceptions, 0);
	line_free(rig.line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plays),
		cmocka_unit_test(test_ids_count_up),
		cmocka_unit_test(test_dead_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
