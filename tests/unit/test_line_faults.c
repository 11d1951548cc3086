/*
 * Sessions and line against devices behind a bad line, in virtual time. The devices' registers
 * change all the while, and a record is kept of what each was and when: whatever a session publishes,
 * its register must have had at the time the value claims. Faults come from a seeded generator; the
 * seed is printed when a check fails.
 */
#include "ups/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/devid.h"
#include "ups/regs.h"
#include "wire_rig.h"

#define SEC U2K_SEC
#define MSEC U2K_MSEC

#define START_US (1000 * SEC)
#define SLOW_FROM_US (START_US + 20 * SEC)

enum { SEEDS = 4, BANKS = 3, PAST = 96, MARK = 2 /* an alarm register without known bits */ };

struct was {
	int64_t from_us;
	double value;
};

/* The registers of one UPS and what their values were. */
struct bank {
	uint16_t regs[10000];
	uint16_t alarms[U2K_ALARM_REGS];
	struct was past[U2K_QTY_COUNT + 1][PAST]; /* the last row: alarm register MARK */
	size_t n_past[U2K_QTY_COUNT + 1];
	int64_t next_us, mute_until_us;
};

struct mix {
	const char *name;
	unsigned lost, late, corrupt, duplicate, foreign, noise, exception; /* per thousand */
	bool in_order;	/* a late answer holds the next ones up */
	unsigned units; /* 1, or 3: unit id 1 with numbers 1 and 2, unit id 2 */
	bool mute_unit; /* unit id 2 falls silent for minutes */
	bool flaps;	/* the link goes down and up */
	bool refuse_gaps;
	int64_t interval_us, age_max_us;
	int64_t each_us; /* from the 20th second on each request takes this much, one after the other */
};

struct world {
	struct rig rig;
	const struct mix *mix;
	uint64_t seed, rng;
	struct bank banks[BANKS];
	struct unit {
		struct world *world;
		struct session *session;
		unsigned bank;
		uint64_t changes;
		int64_t up_us, worst_age_us;
	} units[BANKS];
	int64_t busy_until_us, flap_us;
	bool up;
};

static uint32_t draw(struct world *w, uint32_t below)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return (uint32_t)((w->rng * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static bool strikes(struct world *w, unsigned per_thousand)
{
	return draw(w, 1000) < per_thousand;
}

#define FAIL(w, ...)                                                                               \
	do {                                                                                       \
		fprintf(stderr, "%s, seed %llu, %.6f s: ", (w)->mix->name,                         \
			(unsigned long long)(w)->seed, (double)(w)->rig.now_us / 1e6);             \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fprintf(stderr, "\n");                                                             \
		fail();                                                                            \
	} while (0)

/* --- the registers -------------------------------------------------------------------------- */

static void note(struct world *w, struct bank *bank, unsigned row, double value)
{
	bank->past[row][bank->n_past[row]++ % PAST] = (struct was){ w->rig.now_us, value };
}

/* Whether the row had this value at some time of [from, until]. */
static bool had(const struct bank *bank, unsigned row, double value, int64_t from_us,
		int64_t until_us)
{
	int64_t to_us = INT64_MAX;

	for (size_t i = bank->n_past[row]; i-- > 0 && i + PAST >= bank->n_past[row];) {
		const struct was *was = &bank->past[row][i % PAST];

		if (was->value > value - 1e-6 && was->value < value + 1e-6 &&
		    was->from_us <= until_us && to_us >= from_us)
			return true;
		if (was->from_us < from_us)
			return false;
		to_us = was->from_us;
	}
	return false;
}

static uint16_t random_raw(struct world *w, enum u2k_qty qty)
{
	static const uint16_t sources[] = { 2, 2, 3, 5 }, bits[] = { 0x08, 0x88, 0xc8, 0x0c };

	if (qty == U2K_QTY_OUTPUT_SOURCE)
		return sources[draw(w, 4)];
	if (qty == U2K_QTY_STATUS_BITS)
		return bits[draw(w, 4)];
	if (qty == U2K_QTY_RATED_POWER)
		return 30;
	switch (reg_desc(qty)->type) {
	case REG_FIXED: /* a band of its own for each register */
		return (uint16_t)(1000 * (1 + qty) + draw(w, 1000));
	case REG_SIGNED:
		return (uint16_t)(draw(w, 900) - 1000 * draw(w, 2) + 50);
	case REG_ENUM:
		return (uint16_t)(qty == U2K_QTY_STARTUP ? draw(w, 4) : 1 + draw(w, 5));
	case REG_U16:
		return (uint16_t)draw(w, reg_desc(qty)->max + 1);
	case REG_PHASES:
	case REG_U32:
	case REG_BITS:
		break;
	}
	return 0;
}

static void change(struct world *w, struct bank *bank, enum u2k_qty qty)
{
	const struct reg_desc *row = reg_desc(qty);
	uint16_t *reg = &bank->regs[row->qty.base];
	double value = 0;

	*reg = random_raw(w, qty);
	if (row->type == REG_U32)
		reg[1] = (uint16_t)draw(w, 65536);
	if (!reg_decode(row, reg, &value))
		FAIL(w, "the test made a bad value for %s", row->qty.name);
	note(w, bank, qty, value);
}

static void change_mark(struct world *w, struct bank *bank)
{
	bank->alarms[MARK] = (uint16_t)draw(w, 65536);
	note(w, bank, U2K_QTY_COUNT, bank->alarms[MARK]);
}

static void time_passes(struct world *w)
{
	for (size_t i = 0; i < BANKS; i++) {
		struct bank *bank = &w->banks[i];

		if (w->rig.now_us < bank->next_us)
			continue;
		bank->next_us = w->rig.now_us + (int64_t)draw(w, 100) * MSEC;
		change(w, bank, (enum u2k_qty)draw(w, U2K_QTY_COUNT));
		if (draw(w, 8) == 0)
			change_mark(w, bank);
	}
}

/* --- the devices ---------------------------------------------------------------------------- */

static struct bank *bank_at(struct world *w, uint8_t unit_id, unsigned number)
{
	if (unit_id == 2)
		return number == 1 ? &w->banks[2] : NULL;
	return unit_id == 1 && number >= 1 && number <= 2 ? &w->banks[number - 1] : NULL;
}

static size_t put_description(uint8_t *pdu, uint8_t code)
{
	static const char text[] =
		"1=UPS2000A;2=V2R1C1SPC50;3=P1.0-D1.0;4=21022900000000000001;5=1;6=1;";
	static const uint8_t count[4] = { 0, 0, 0, 2 };
	const struct devid_object objects[] = {
		{ 0x87, 4, count },
		{ 0x88, sizeof(text) - 1, (const uint8_t *)text },
		{ 0x89, sizeof(text) - 1, (const uint8_t *)text },
	};

	return devid_put(pdu, code, 3, objects, 3, 0);
}

static bool defined(unsigned base)
{
	for (unsigned q = 0; q < U2K_QTY_COUNT; q++) {
		const struct reg_desc *row = reg_desc((enum u2k_qty)q);

		if (base >= row->qty.base && base < row->qty.base + reg_count(row))
			return true;
	}
	return false;
}

static size_t put_registers(struct world *w, uint8_t unit_id, const struct pdu_request *req,
			    uint8_t *pdu)
{
	bool alarms = req->addr >= 41000;
	unsigned number = alarms ? (req->addr - 40000u) / 1024 : req->addr / 10000u;
	unsigned base = alarms ? req->addr - 40156u - 1024 * number : req->addr % 10000u;
	struct bank *bank = bank_at(w, unit_id, number);

	if (!bank || (!alarms && base + req->n > 10000) ||
	    (alarms && base + req->n > U2K_ALARM_REGS))
		return pdu_put_exception(pdu, req->fc, EXC_ILLEGAL_ADDRESS);
	for (unsigned i = 0; w->mix->refuse_gaps && !alarms && i < req->n; i++)
		if (!defined(base + i))
			return pdu_put_exception(pdu, req->fc, EXC_ILLEGAL_ADDRESS);
	return pdu_put_regs(pdu, alarms ? bank->alarms + base : bank->regs + base, req->n);
}

static void send_noise(struct world *w, int64_t delay_us)
{
	uint8_t noise[40];
	size_t n = 1 + draw(w, sizeof(noise));

	for (size_t i = 0; i < n; i++)
		noise[i] = (uint8_t)draw(w, draw(w, 2) ? 256 : 8);
	rig_bytes(&w->rig, delay_us, noise, n);
}

/* Bytes in portions, as USB adapters hand them over. */
static void send_bytes(struct world *w, int64_t delay_us, const uint8_t *data, size_t len)
{
	size_t first = draw(w, 3) ? len : 1 + draw(w, (uint32_t)len);

	rig_bytes(&w->rig, delay_us, data, first);
	if (first < len)
		rig_bytes(&w->rig, delay_us + draw(w, 20000), data + first, len - first);
}

static void on_request(struct rig *rig, const uint8_t *adu, size_t len)
{
	struct world *w = (struct world *)rig;
	const struct mix *mix = w->mix;
	int64_t delay_us = (int64_t)len * 1042 + 5000 + draw(w, 15000), wait_us;
	uint8_t pdu[PDU_MAX], reply[RTU_ADU_MAX];
	struct pdu_request req;
	size_t n;

	if (pdu_get_request(adu + 1, len - 3, &req) != 0 ||
	    (req.fc != FC_READ_HOLDING_REGISTERS && req.fc != FC_ENCAPSULATED))
		FAIL(w, "a frame that must not be sent, function code %u", adu[1]);
	if (strikes(w, mix->lost))
		return;
	if (adu[0] == 2 && w->banks[2].mute_until_us > rig->now_us)
		return;
	if (mix->units == 1 && adu[0] != 1)
		return;
	n = req.fc == FC_ENCAPSULATED ? put_description(pdu, req.devid_code)
				      : put_registers(w, adu[0], &req, pdu);
	if (strikes(w, mix->exception))
		n = pdu_put_exception(pdu, req.fc, (uint8_t)(1 + draw(w, 6)));

	if (strikes(w, mix->late))
		delay_us += (int64_t)draw(w, 1900) * MSEC;
	wait_us = w->busy_until_us - rig->now_us;
	if (mix->each_us && rig->now_us >= SLOW_FROM_US)
		delay_us += mix->each_us + (wait_us > 0 ? wait_us : 0);
	else if (mix->in_order && wait_us > 0)
		delay_us += wait_us < 400 * MSEC ? wait_us : 400 * MSEC;
	delay_us += (int64_t)(n + 3) * 1042;
	w->busy_until_us = rig->now_us + delay_us;

	n = rtu_put(reply, adu[0], pdu, n);
	if (strikes(w, mix->foreign)) {
		reply[0] = (uint8_t)(reply[0] + 16);
		n = rtu_put(reply, reply[0], pdu, n - 3);
	}
	if (strikes(w, mix->corrupt)) {
		if (draw(w, 3) == 0)
			n = 1 + draw(w, (uint32_t)n);
		else
			reply[draw(w, (uint32_t)n)] ^= (uint8_t)(1u << draw(w, 8));
	}
	if (strikes(w, mix->noise))
		send_noise(w, delay_us - (int64_t)draw(w, (uint32_t)delay_us));
	send_bytes(w, delay_us, reply, n);
	if (strikes(w, mix->duplicate))
		send_bytes(w, delay_us + 10 * MSEC + (int64_t)draw(w, 490) * MSEC, reply, n);
}

/* --- what is checked ------------------------------------------------------------------------ */

/* A repetition of the very same question may be taken for its answer: as old as that, no older. */
enum { SLACK_US = 3000000 };

static void on_changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	struct unit *unit = user;
	struct world *w = unit->world;
	const struct bank *bank = &w->banks[unit->bank];

	(void)mask;
	unit->changes++;
	for (unsigned q = 0; q < U2K_QTY_COUNT; q++) {
		const struct u2k_value *value = &snap->qty[q];

		if (value->validity != U2K_VALID)
			continue;
		if (value->at_us > w->rig.now_us)
			FAIL(w, "%s is from the future", u2k_qty_desc((enum u2k_qty)q)->name);
		if (w->rig.now_us - value->at_us < 5 * SEC &&
		    !had(bank, q, value->value, value->at_us - SLACK_US, w->rig.now_us))
			FAIL(w, "unit %u never had %s = %f (read %.6f s ago)", unit->bank,
			     u2k_qty_desc((enum u2k_qty)q)->name, value->value,
			     (double)(w->rig.now_us - value->at_us) / 1e6);
	}
	if (snap->alarms.at_us && w->rig.now_us - snap->alarms.at_us < 5 * SEC &&
	    !had(bank, U2K_QTY_COUNT, snap->alarms.unknown[MARK], snap->alarms.at_us - SLACK_US,
		 w->rig.now_us))
		FAIL(w, "unit %u never had these alarms", unit->bank);
	if (snap->identity.known && strcmp(snap->identity.model, "UPS2000A") != 0)
		FAIL(w, "a model that is none: %s", snap->identity.model);
}

static void check_age(struct world *w, struct unit *unit)
{
	const struct u2k_snapshot *snap = session_snapshot(unit->session);
	int64_t from = snap->status_at_us > unit->up_us ? snap->status_at_us : unit->up_us;
	int64_t age = w->rig.now_us - from;

	if (w->banks[unit->bank].mute_until_us + 6 * SEC > w->rig.now_us)
		return;
	if (age > unit->worst_age_us)
		unit->worst_age_us = age;
	/* among many seeds there is one with ten losses in a row */
	if (w->up && age > w->mix->age_max_us * (w->seed > SEEDS ? 2 : 1))
		FAIL(w, "the status of unit %u is %.3f s old", unit->bank, (double)age / 1e6);
}

/* --- running ------------------------------------------------------------------------------- */

static void flap(struct world *w)
{
	w->up = !w->up;
	line_link(w->rig.line, w->up, w->rig.now_us);
	for (size_t i = 0; i < w->mix->units; i++) {
		session_link(w->units[i].session, w->up, w->rig.now_us);
		w->units[i].up_us = w->rig.now_us;
	}
	w->flap_us =
		w->rig.now_us + (w->up ? (int64_t)draw(w, 20000) : (int64_t)draw(w, 3000)) * MSEC;
}

static struct world *world_new(const struct mix *mix, uint64_t seed)
{
	static const struct session_ops ops = { .changed = on_changed };
	struct world *w = calloc(1, sizeof(*w));
	struct line_params params;

	w->mix = mix;
	w->seed = seed;
	w->rng = seed * 0x9e3779b97f4a7c15ull + 1;
	w->rig.now_us = START_US;
	w->rig.device = on_request;
	line_params_default(&params);
	w->rig.line = line_new(&params, rig_tx, &w->rig);
	for (size_t i = 0; i < BANKS; i++) {
		for (unsigned q = 0; q < U2K_QTY_COUNT; q++)
			change(w, &w->banks[i], (enum u2k_qty)q);
		change_mark(w, &w->banks[i]);
	}
	for (unsigned i = 0; i < mix->units; i++) {
		struct session_config config = {
			.unit_id = i == 2 ? 2 : 1,
			.number = i == 1 ? 2 : 1,
			.control = true,
			.status_interval_us = mix->interval_us,
		};

		w->units[i].world = w;
		w->units[i].bank = i;
		w->units[i].session = session_new(w->rig.line, &config, &ops, &w->units[i]);
		assert_non_null(w->units[i].session);
	}
	flap(w);
	return w;
}

static void world_free(struct world *w)
{
	for (size_t i = 0; i < w->mix->units; i++)
		session_free(w->units[i].session);
	line_free(w->rig.line);
	free(w);
}

static void run(const struct mix *mix, uint64_t seed, int64_t seconds)
{
	struct world *w = world_new(mix, seed);
	int64_t end_us = w->rig.now_us + seconds * SEC;

	while (w->rig.now_us < end_us) {
		time_passes(w);
		if (mix->flaps && w->rig.now_us >= w->flap_us)
			flap(w);
		if (mix->mute_unit && w->banks[2].mute_until_us + 30 * SEC < w->rig.now_us)
			w->banks[2].mute_until_us = w->rig.now_us + 60 * SEC;
		rig_run(&w->rig, w->rig.now_us + 10 * MSEC);
		for (size_t i = 0; i < mix->units; i++)
			check_age(w, &w->units[i]);
		if (w->rig.n_chunks > 64)
			FAIL(w, "the line is asked faster than it answers: %zu answers under way",
			     w->rig.n_chunks);
	}
	for (size_t i = 0; i < mix->units; i++) {
		if (w->units[i].changes < (uint64_t)seconds / (mix->each_us ? 8 : 2))
			FAIL(w, "unit %u changed only %llu times", w->units[i].bank,
			     (unsigned long long)w->units[i].changes);
		if (getenv("FAULTS_VERBOSE")) {
			const struct u2k_snapshot *snap = session_snapshot(w->units[i].session);

			printf("%s, seed %llu, unit %zu: worst age %.3f s, %llu changes, requests %llu\n",
			       mix->name, (unsigned long long)seed, i,
			       (double)w->units[i].worst_age_us / 1e6,
			       (unsigned long long)w->units[i].changes,
			       (unsigned long long)snap->line.requests);
		}
	}
	world_free(w);
}

/* clang-format off */
/*                                  lost late corr dup  frgn noise exc   order units mute   flaps  gaps   interval    age      each */
static const struct mix mixes[] = {
	{ "clean",                  0,   0,   0,   0,   0,   0,    0,    true,  1, false, false, false, 150 * MSEC, 500 * MSEC, 0 },
	{ "lost",                   200, 0,   0,   0,   0,   0,    0,    true,  1, false, false, false, 150 * MSEC, 3 * SEC, 0 },
	/* a late answer takes up to 2 s: two of them are most of this time */
	{ "late in order",          0,   250, 0,   0,   0,   0,    0,    true,  1, false, false, false, 150 * MSEC, 6 * SEC, 0 },
	{ "late out of order",      0,   250, 0,   0,   0,   0,    0,    false, 1, false, false, false, 150 * MSEC, 6 * SEC, 0 },
	{ "corrupted",              0,   0,   250, 0,   0,   0,    0,    true,  1, false, false, false, 150 * MSEC, 3 * SEC, 0 },
	{ "doubled",                0,   0,   0,   250, 0,   0,    0,    true,  1, false, false, false, 0,          3 * SEC, 0 },
	{ "foreign",                0,   0,   0,   0,   200, 0,    0,    true,  1, false, false, false, 150 * MSEC, 3 * SEC, 0 },
	{ "noise",                  0,   0,   0,   0,   0,   250,  0,    true,  1, false, false, false, 150 * MSEC, 3 * SEC, 0 },
	{ "exceptions",             0,   0,   0,   0,   0,   0,    250,  true,  1, false, false, false, 150 * MSEC, 3 * SEC, 0 },
	{ "everything",             40,  40,  40,  40,  40,  40,   40,   false, 1, false, false, false, 150 * MSEC, 3 * SEC, 0 },
	{ "everything, full speed", 40,  40,  40,  40,  40,  40,   40,   false, 1, false, false, false, 0,          3 * SEC, 0 },
	{ "everything, flapping",   40,  40,  40,  40,  40,  40,   40,   false, 1, false, true,  false, 150 * MSEC, 3 * SEC, 0 },
	{ "everything, in parts",   30,  30,  30,  30,  30,  30,   0,    false, 1, false, false, true,  150 * MSEC, 8 * SEC, 0 },
	{ "three units",            40,  40,  40,  40,  40,  40,   40,   false, 3, false, false, false, 150 * MSEC, 5 * SEC, 0 },
	{ "three units, full speed", 40, 40,  40,  40,  40,  40,   40,   false, 3, false, true,  false, 0,          5 * SEC, 0 },
	{ "three units, one mute",  20,  20,  20,  20,  20,  20,   20,   false, 3, true,  false, false, 150 * MSEC, 5 * SEC, 0 },
	/* one is mute for the first minute, and asked each 2 s: some of the first answers may get lost */
	{ "three units, in parts",  20,  20,  20,  20,  20,  20,   0,    false, 3, true,  false, true,  150 * MSEC, 75 * SEC, 0 },
	/* never stale, however many questions were under way when it began */
	{ "suddenly slow",          0,   0,   0,   0,   0,   0,    0,    true,  1, false, false, false, 150 * MSEC, 9 * SEC, 900 * MSEC },
	{ "suddenly very slow",     0,   0,   0,   0,   0,   0,    0,    true,  1, false, false, false, 150 * MSEC, 9 * SEC, 1800 * MSEC },
	{ "very slow and lossy",    100, 0,   0,   0,   0,   0,    0,    true,  1, false, false, false, 150 * MSEC, 14 * SEC, 1800 * MSEC },
};
/* clang-format on */

static void test_faults(void **state)
{
	const char *more = getenv("FAULTS_SEEDS");
	uint64_t seeds = more ? strtoull(more, NULL, 10) : SEEDS;

	(void)state;
	for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++)
		for (uint64_t seed = 1; seed <= seeds; seed++)
			run(&mixes[i], seed, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
