#include "probe/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/devid.h"
#include "ups/alarms.h"
#include "ups/identity.h"
#include "ups/pieces.h"
#include "ups/regs.h"
#include "util/util.h"
#include <ups2000/error.h>

enum { TRIES = 3, GAP_REQUESTS = 12, SLOW_US = 1000000, GIVE_UP = 3 };

/* The whole ranges, those of others that are known to work, and what is open (docs/protocol.md). */
static const struct {
	uint16_t base;
	uint8_t n;
	bool needed; /* its registers are wanted: read piecewise if refused */
	const char *why;
} plan[] = {
	{ 1024, 20, true, "status, with gaps" },
	{ 1000, 24, true, "telemetry, with gaps" },
	{ 1044, 6, true, "settings and timers" },
	{ 2000, 8, true, "battery, with gaps" },
	{ 2000, 34, true, "battery with capacity, with gaps" },
	{ 40156, 27, true, "alarms" },
	{ 9009, 1, true, "rating" },
	{ 1000, 28, false, "telemetry and state, as NUT reads it" },
	{ 1000, 43, false, "longest read known to work" },
	{ 1024, 26, false, "status with settings and timers" },
	{ 1044, 7, false, "settings up to 1050, which is only written" },
	{ 1001, 1, false, "a register without a meaning, alone" },
	{ 1051, 10, false, "registers behind the known ones" },
};

struct run {
	struct survey *s;
	struct wire *wire;
	const struct survey_config *config;
	unsigned silent; /* questions in a row without an answer */
};

static void progress(const struct survey_config *config, const char *text)
{
	if (config->progress)
		config->progress(config->user, text);
}

static bool over(const struct run *r)
{
	return wire_interrupted(r->wire) || *wire_lost(r->wire);
}

/* No word from the unit itself; a gateway may have said so. */
static bool no_answer(int status)
{
	return status == U2K_ETIMEOUT || status == EXC_GATEWAY_PATH || status == EXC_GATEWAY_TARGET;
}

static bool worth_repeating(int status)
{
	return no_answer(status) || status == U2K_EPROTO || status == EXC_ILLEGAL_VALUE ||
	       status == EXC_BUSY || status == EXC_BUSY_HUAWEI;
}

/* A unit that has said something deserves patience; one that may not be there is asked twice. */
static unsigned tries_for(const struct run *r)
{
	return r->s->answered ? TRIES : r->silent ? 1 : 2;
}

static void sample(struct survey *s, const struct wire_answer *answer)
{
	if (answer->status == EXC_GATEWAY_PATH || answer->status == EXC_GATEWAY_TARGET)
		s->gateway = answer->status;
	if (answer->status < 0 || no_answer(answer->status))
		return;
	s->answered = true;
	if (answer->took_us > SLOW_US)
		s->slow++;
	if (s->n_samples == SURVEY_SAMPLES_MAX)
		return;
	s->took_us[s->n_samples] = answer->took_us;
	s->think_us[s->n_samples++] = answer->think_us;
}

static void note_invalid(struct survey *s, uint16_t base, size_t n, const uint16_t *regs)
{
	static const enum u2k_qty fickle[] = { U2K_QTY_BATTERY_VOLTAGE, U2K_QTY_BATTERY_STATE };

	for (size_t i = 0; i < ARRAY_SIZE(fickle); i++) {
		const struct reg_desc *row = reg_desc(fickle[i]);
		double value;

		if (row->qty.base >= base && row->qty.base < base + n &&
		    !reg_decode(row, regs + (row->qty.base - base), &value)) {
			s->invalid++;
			return;
		}
	}
}

/* Keep what was read; an invalid value does not replace a good one. */
static void keep(struct survey *s, uint16_t base, size_t n, const uint16_t *regs)
{
	note_invalid(s, base, n, regs);
	for (size_t i = 0; i < n; i++) {
		int slot = area_slot((uint16_t)(base + i));
		struct area_name name;
		double value;

		if (slot < 0)
			continue;
		area_name((uint16_t)(base + i), &name);
		if (s->known[slot] && name.qty < U2K_QTY_COUNT &&
		    reg_desc(name.qty)->type != REG_U32 &&
		    !reg_decode(reg_desc(name.qty), &regs[i], &value))
			continue;
		s->value[slot] = regs[i];
		s->known[slot] = true;
	}
}

static int read_once(struct run *r, uint16_t base, size_t n, int64_t gap_us, uint16_t *regs,
		     struct wire_answer *answer)
{
	int status = wire_read(r->wire, piece_address(base, r->s->number), n, gap_us, regs, answer);

	sample(r->s, answer);
	if (status == 0)
		keep(r->s, base, n, regs);
	return status;
}

static int read_range(struct run *r, uint16_t base, size_t n, const char *why, bool fallback)
{
	struct survey_read *row = &r->s->reads[r->s->n_reads];
	uint16_t regs[WIRE_READ_MAX];
	struct wire_answer answer;

	if (r->s->n_reads == SURVEY_READS_MAX)
		return U2K_EINVAL;
	*row = (struct survey_read){
		.base = base, .n = (uint8_t)n, .fallback = fallback, .why = why
	};
	do {
		row->status = read_once(r, base, n, 0, regs, &answer);
		row->tries++;
	} while (!over(r) && worth_repeating(row->status) && row->tries < tries_for(r));
	if (over(r))
		return row->status;
	row->took_us = answer.took_us;
	r->silent = no_answer(row->status) ? r->silent + 1 : 0;
	r->s->n_reads++;
	return row->status;
}

/* Runs of registers with a meaning, one by one. */
static void read_parts(struct run *r, uint16_t base, size_t n)
{
	struct area_name name;

	for (size_t i = 0; i < n && !over(r);) {
		size_t len = 0;

		for (; i + len < n; len++) {
			area_name((uint16_t)(base + i + len), &name);
			if (!name.name || name.write_only)
				break;
		}
		if (len)
			read_range(r, (uint16_t)(base + i), len, "part of a refused range", true);
		i += len ? len : 1;
	}
}

static bool all_known(const struct survey *s, uint16_t base, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int slot = area_slot((uint16_t)(base + i));
		struct area_name name;

		area_name((uint16_t)(base + i), &name);
		if (slot >= 0 && name.name && !name.write_only && !s->known[slot])
			return false;
	}
	return true;
}

/* ---- identification ---- */

static void keep_text(struct survey_identity *id, const struct devid_reply *reply, unsigned number)
{
	for (size_t i = 0; i < reply->n; i++) {
		const struct devid_object *object = &reply->objects[i];
		size_t n = 0;

		if (object->id != DEVID_OBJ_UPS_COUNT + number)
			continue;
		for (; n < object->len && n + 1 < sizeof(id->text); n++)
			id->text[n] = object->data[n] >= ' ' && object->data[n] <= '~'
					      ? (char)object->data[n]
					      : '?';
		id->text[n] = '\0';
	}
}

static void identify(struct run *r, struct survey_identity *id, uint8_t code, uint8_t first)
{
	struct devid_reply *reply = xcalloc(1, sizeof(*reply));
	struct wire_answer answer;
	uint8_t object = first;
	unsigned tries = 0, pieces = 0;

	id->asked = true;
	for (;;) {
		id->status = wire_identify(r->wire, code, object, &answer);
		sample(r->s, &answer);
		tries++;
		if (id->status == 0)
			id->status = devid_parse(answer.pdu, answer.len, reply);
		if (over(r))
			break;
		if (worth_repeating(id->status) && tries < tries_for(r))
			continue;
		if (id->status)
			break;
		identity_take(&id->identity, reply, r->s->number);
		keep_text(id, reply, r->s->number);
		if (!reply->more || reply->next <= object || ++pieces > 16)
			break;
		object = reply->next;
		tries = 0;
	}
	r->silent = no_answer(id->status) ? r->silent + 1 : 0;
	free(reply);
}

static enum u2k_gate find_gate(const struct survey *s)
{
	const uint16_t *rating = survey_register(s, 9009);
	enum u2k_gate gate = identity_gate(&s->identity);

	if (gate != U2K_GATE_OPEN)
		return gate;
	if (!rating || (*rating != 10 && *rating != 20 && *rating != 30))
		return U2K_GATE_RATING;
	return s->number == 1 ? U2K_GATE_OPEN : U2K_GATE_NUMBER;
}

static void identify_both(struct run *r)
{
	struct survey *s = r->s;

	progress(r->config, "identification");
	identify(r, &s->described, DEVID_EXTENDED, DEVID_OBJ_UPS_COUNT);
	if (!over(r))
		identify(r, &s->basic, DEVID_BASIC, DEVID_OBJ_MAKER);
	s->identity = s->described.identity.known ? s->described.identity : s->basic.identity;
	snprintf(s->identity.maker, sizeof(s->identity.maker), "%s", s->basic.identity.maker);
}

static struct run begin(struct survey *s, struct wire *wire, const struct survey_config *config)
{
	*s = (struct survey){ .unit_id = config->unit_id,
			      .number = config->number,
			      .baud = config->baud };
	return (struct run){ .s = s, .wire = wire, .config = config };
}

static void finish(struct run *r)
{
	struct survey *s = r->s;

	s->gate = find_gate(s);
	s->interrupted = wire_interrupted(r->wire);
	s->echoes = wire_echoes(r->wire);
	s->slow += wire_late(r->wire);
	snprintf(s->lost, sizeof(s->lost), "%s", wire_lost(r->wire));
	snprintf(s->adapter, sizeof(s->adapter), "%s", wire_adapter(r->wire));
	wire_stats(r->wire, &s->line);
}

void survey_identify(struct survey *survey, struct wire *wire, const struct survey_config *config)
{
	struct run r = begin(survey, wire, config);

	identify_both(&r);
	if (!over(&r) && (survey->answered || r.silent < GIVE_UP))
		read_range(&r, 9009, 1, "rating", false);
	finish(&r);
}

/* ---- timing ---- */

/* Reads that this unit grants and whose answers cannot be mistaken for each other. */
static size_t find_rotation(const struct survey *s, struct survey_read *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_reads && n < max; i++) {
		const struct survey_read *row = &s->reads[i];
		bool fresh = row->status == 0;

		for (size_t k = 0; k < n; k++)
			fresh = fresh && out[k].n != row->n;
		for (size_t k = 0; k < s->n_reads; k++) /* of this length others may be under way */
			fresh = fresh && (k == i || s->reads[k].n != row->n);
		if (fresh)
			out[n++] = *row;
	}
	return n;
}

static void try_gap(struct run *r, struct survey_gap *gap, const struct survey_read *reads,
		    size_t n)
{
	int64_t took[GAP_REQUESTS];
	uint16_t regs[WIRE_READ_MAX];
	struct wire_answer answer;

	for (unsigned i = 0; i < GAP_REQUESTS && !over(r); i++) {
		const struct survey_read *row = &reads[i % n];
		int status =
			read_once(r, row->base, row->n, gap->gap_ms * INT64_C(1000), regs, &answer);

		if (over(r))
			return;
		gap->asked++;
		if (status == 0)
			took[gap->answered++] = answer.took_us;
	}
	int64_t *rising = survey_sorted(took, gap->answered);

	gap->p50_us = survey_quantile(rising, gap->answered, 0.5);
	gap->max_us = survey_quantile(rising, gap->answered, 1);
	free(rising);
}

static void try_gaps(struct run *r)
{
	static const unsigned gaps_ms[SURVEY_GAPS] = { 50, 30, 20, 15, 10, 7, 5 };
	struct survey_read reads[4];
	size_t n = find_rotation(r->s, reads, ARRAY_SIZE(reads));
	char text[64];

	/* one length alone would wait for its own ghosts */
	for (size_t i = 0; n >= 2 && i < SURVEY_GAPS && !over(r); i++) {
		struct survey_gap *gap = &r->s->gaps[r->s->n_gaps++];

		snprintf(text, sizeof(text), "timing with gaps of %u ms", gaps_ms[i]);
		progress(r->config, text);
		gap->gap_ms = gaps_ms[i];
		try_gap(r, gap, reads, n);
		if (gap->asked - gap->answered > GAP_REQUESTS / 3)
			return; /* this is too much for it: shorter ones would not be kinder */
	}
}

/* Times measured between noise tell nothing about the UPS. */
static bool is_noisy(const struct run *r)
{
	struct line_stats stats;

	wire_stats(r->wire, &stats);
	return stats.noise_bytes > 20 * stats.requests;
}

/* ---- everything ---- */

static void decode_alarms(struct survey *s)
{
	int slot = area_slot(ALARMS_BASE);

	for (size_t i = 0; i < U2K_ALARM_REGS; i++)
		if (!s->known[(size_t)slot + i])
			return;
	alarms_decode(s->value + slot, &s->alarms);
	s->alarms.at_us = 1;
}

void survey_run(struct survey *survey, struct wire *wire, const struct survey_config *config)
{
	struct run r = begin(survey, wire, config);

	identify_both(&r);
	for (size_t i = 0; i < ARRAY_SIZE(plan) && !over(&r); i++) {
		if (r.silent >= GIVE_UP)
			break;
		progress(config, plan[i].why);
		if (read_range(&r, plan[i].base, plan[i].n, plan[i].why, false) > 0 &&
		    plan[i].needed && !all_known(survey, plan[i].base, plan[i].n))
			read_parts(&r, plan[i].base, plan[i].n);
	}
	if (survey->answered && r.silent < GIVE_UP && config->timing && !over(&r) && !is_noisy(&r))
		try_gaps(&r);
	decode_alarms(survey);
	finish(&r);
}

/* ---- what others ask of a survey ---- */

const uint16_t *survey_register(const struct survey *survey, uint16_t base)
{
	int slot = area_slot(base);

	return slot >= 0 && survey->known[slot] ? &survey->value[slot] : NULL;
}

bool survey_value(const struct survey *survey, enum u2k_qty qty, double *value)
{
	const struct reg_desc *row = reg_desc(qty);
	const uint16_t *first = survey_register(survey, row->qty.base);

	if (!first ||
	    (reg_count(row) == 2 && !survey_register(survey, (uint16_t)(row->qty.base + 1))))
		return false;
	return reg_decode(row, first, value);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int64_t *survey_sorted(const int64_t *samples, size_t n)
{
	int64_t *rising = xcalloc(n + 1, sizeof(*rising));

	if (n)
		memcpy(rising, samples, n * sizeof(*rising));
	qsort(rising, n, sizeof(*rising), by_value);
	return rising;
}

int64_t survey_quantile(const int64_t *rising, size_t n, double q)
{
	return n ? rising[(size_t)((double)(n - 1) * q + 0.5)] : 0;
}

/* ---- images, to be compared ---- */

static void add_piece(struct survey_plan *p, uint16_t base, size_t n)
{
	if (p->n < ARRAY_SIZE(p->pieces)) {
		p->pieces[p->n].base = base;
		p->pieces[p->n++].n = (uint8_t)n;
	}
}

static void make_plan(struct survey_plan *p)
{
	add_piece(p, 1000, 24);
	add_piece(p, 1024, 20);
	add_piece(p, 1044, 7);
	add_piece(p, 1051, 10);
	add_piece(p, 2000, 34);
	add_piece(p, 40156, 27);
	add_piece(p, 9009, 1);
	p->made = true;
}

int survey_image(struct survey_image *image, struct survey_plan *p, struct wire *wire,
		 const struct survey_config *config)
{
	unsigned silent = 0;

	memset(image, 0, sizeof(*image));
	if (!p->made)
		make_plan(p);
	for (size_t i = 0; i < p->n; i++) {
		uint16_t base = p->pieces[i].base, regs[WIRE_READ_MAX];
		size_t n = p->pieces[i].n;
		struct wire_answer answer;
		unsigned tries = 0;
		char text[64];
		int status;

		if (p->pieces[i].refused)
			continue;
		snprintf(text, sizeof(text), "registers %u to %u", base, (unsigned)(base + n - 1));
		progress(config, text);
		do
			status = wire_read(wire, piece_address(base, config->number), n, 0, regs,
					   &answer);
		while (worth_repeating(status) && ++tries < TRIES);
		if (status == U2K_ECLOSED)
			return status;
		silent = no_answer(status) ? silent + 1 : 0;
		if (silent >= 2)
			return status;
		if (status > 0 && !worth_repeating(status) &&
		    !no_answer(status)) { /* halves, down to single registers */
			p->pieces[i].refused = true;
			if (n > 1) {
				add_piece(p, base, n / 2);
				add_piece(p, (uint16_t)(base + n / 2), n - n / 2);
			}
			continue;
		}
		for (size_t k = 0; status == 0 && k < n; k++) {
			int slot = area_slot((uint16_t)(base + k));

			if (slot >= 0) {
				image->value[slot] = regs[k];
				image->known[slot] = true;
			}
		}
	}
	return 0;
}
