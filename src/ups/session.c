#include "ups/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/devid.h"
#include "ups/alarms.h"
#include "ups/identity.h"
#include "ups/pieces.h"
#include "ups/regs.h"
#include "ups/state.h"
#include <ups2000/error.h>

enum {
	HOLD_US = 5000000,	     /* a good value outlives "invalid" answers this long */
	EXPIRE_US = 30000000,	     /* and missing answers this long, */
	EXPIRE_ROUNDS = 8,	     /* and so many rounds of the status */
	CROWDED_US = 2000000,	     /* a line on which everybody's turn takes longer is crowded, */
	ROOMY_US = 1200000,	     /* one on which it takes less is no longer */
	CROWDED_STATUS_US = 1000000, /* there the whole status is read like telemetry */
	REFUSED_TRIES = 3,	     /* exceptions in a row before a range counts as refused */
	REFUSED_NOISE_TRIES =
		8, /* ... one that was given before, or exceptions 03: noise, perhaps */
	REFUSED_RETRY_US = 60000000,
	REFUSED_STATUS_RETRY_US = 2000000,
	MEND_US = 1800000000, /* refused ranges are tried anew: it may have been a bad day */
	BUSY_RETRY_US = 300000,
	SILENT_AFTER = 4,    /* timeouts in a row, and so long without an answer, */
	SILENT_US = 3000000, /* before the session only probes */
	PROBE_US = 500000,
	OVERDUE_US = 1000000, /* a status this old takes every turn while answers fail to come */
	IDENTIFY_RETRY_US = 1000000,
	IDENTIFY_SLOW_US = 30000000,
	IDENTIFY_AGAIN_US = 300000000,
	IDENTIFY_TRIES = 3,   /* without an answer before the basic identification is asked */
	IDENTIFY_ROUNDS = 3,  /* without any result before it is asked for more rarely */
	ODD_SOURCE_TRIES = 3, /* reads of an undefined 1024 before it is believed */
};

struct piece_state {
	int64_t due_us;
	int64_t sent_us; /* last time it was asked */
	bool wanted;	 /* part of this unit's round */
	struct {
		int64_t sent_us;
		unsigned exceptions; /* in a row */
		bool given;	     /* once at least */
		bool refused;
	} lengths[PIECE_LENGTHS_MAX];
};

struct identification {
	struct u2k_identity found; /* being collected */
	int64_t due_us;
	uint8_t code, object; /* what is asked next */
	unsigned tries, rounds, failures;
	bool confirmed;	  /* since the device began to answer */
	int64_t began_us; /* when this collection did */
	bool collecting;
};

struct session {
	struct line *line;
	const struct session_ops *ops;
	void *user;
	unsigned unit_id, number;
	bool control;
	int64_t status_interval_us;
	char serial[40]; /* expected ESN, "" = not pinned yet */

	struct u2k_snapshot snap;
	struct state state;
	struct engine *engine; /* NULL: only monitored */
	struct piece_state pieces[PIECE_COUNT];
	struct identification id;
	int64_t contact_us; /* when the device began to answer: since the link came up, or
				    * after a silence. It may be another one than before. */
	int64_t heard_us;   /* the last answer */
	int64_t mend_us;    /* 0 = no range is refused */
	unsigned timeouts;  /* in a row, of anything */
	unsigned odd_sources;
	bool up, answered; /* answered: since the link came up */
	bool status_turn;  /* the last exchange was not a status: the status goes first */
	bool status_lost;  /* the last status request had no answer */
	bool wrong_serial;
	bool crowded; /* so many on the line: the source alone is the status lane */
};

static void say(const struct session *s, const char *kind, const char *severity, const char *text)
{
	if (s->ops->event)
		s->ops->event(s->user, kind, severity, text);
}

/* --- what is known ------------------------------------------------------------------------- */

static enum u2k_gate gate_of(const struct session *s, int64_t now_us)
{
	const struct u2k_value *rated = &s->snap.qty[U2K_QTY_RATED_POWER];
	enum u2k_gate gate = identity_gate(&s->snap.identity);

	if (!s->control)
		return U2K_GATE_CONFIG;
	if (s->number != 1)
		return U2K_GATE_NUMBER;
	if (gate != U2K_GATE_OPEN)
		return gate;
	if (s->wrong_serial || !s->snap.identity.esn[0])
		return U2K_GATE_ESN;
	if (!s->snap.status_at_us || now_us - s->snap.status_at_us > SESSION_STALE_US)
		return U2K_GATE_STALE;
	if (!s->id.confirmed || rated->validity != U2K_VALID || rated->at_us < s->contact_us)
		return U2K_GATE_NOT_IDENTIFIED;
	if (rated->value != 1000 && rated->value != 2000 && rated->value != 3000)
		return U2K_GATE_RATING;
	return U2K_GATE_OPEN;
}

static bool silent(const struct session *s, int64_t now_us)
{
	return s->timeouts >= SILENT_AFTER && now_us - s->heard_us >= SILENT_US;
}

static enum u2k_comm comm_of(const struct session *s, int64_t now_us)
{
	if (s->snap.status_at_us && now_us - s->snap.status_at_us <= SESSION_STALE_US)
		return U2K_COMM_OK;
	if (!s->up)
		return U2K_COMM_CLOSED;
	if (silent(s, now_us))
		return U2K_COMM_SILENT;
	return s->snap.status_at_us && s->answered ? U2K_COMM_STALE : U2K_COMM_IDENTIFYING;
}

static void refresh_stats(struct session *s)
{
	struct line_stats stats;

	line_stats(s->line, &stats);
	s->snap.line.requests = stats.requests;
	s->snap.line.answers = stats.answers;
	s->snap.line.timeouts = stats.timeouts;
	s->snap.line.bad_frames = stats.bad_frames;
	s->snap.line.exceptions = stats.exceptions;
	s->snap.line.stragglers = stats.stragglers;
	s->snap.line.noise_bytes = stats.noise_bytes;
	s->snap.line.rtt_us = stats.rtt_us;
	s->snap.line.predicted_round_us = 2 * stats.round_us; /* a turn for each lane */
	if (s->snap.line.predicted_round_us < s->status_interval_us)
		s->snap.line.predicted_round_us = (uint32_t)s->status_interval_us;
}

static void say_comm(const struct session *s, enum u2k_comm before, enum u2k_comm after)
{
	if (after == U2K_COMM_OK)
		say(s, "comm-ok", "info",
		    before == U2K_COMM_CLOSED || before == U2K_COMM_SILENT ||
				    before == U2K_COMM_IDENTIFYING
			    ? "The UPS answers."
			    : "The UPS answers again.");
	else if (before == U2K_COMM_OK)
		say(s, "comm-lost", "warning",
		    after == U2K_COMM_CLOSED   ? "Contact lost: the port is not open."
		    : after == U2K_COMM_SILENT ? "Contact lost: the UPS does not answer."
					       : "Contact lost: the UPS gives no valid status.");
	else if (after == U2K_COMM_SILENT)
		say(s, "comm-silent", "warning",
		    "The port is open, but nothing answers: check cable, unit id and whether another "
		    "port of the UPS is in use; some faults need the UPS switched off and unplugged.");
}

/* Derive what follows from the snapshot and tell whoever listens. */
static void publish(struct session *s, uint64_t mask, int64_t now_us)
{
	unsigned flags = s->snap.flags;
	uint32_t shown = s->snap.alarms_shown;
	enum u2k_comm comm = comm_of(s, now_us), comm_before = s->snap.comm;
	enum u2k_gate gate;

	state_derive(&s->state, &s->snap);
	if (flags != s->snap.flags)
		mask |= U2K_CHANGED_FLAGS;
	if (shown != s->snap.alarms_shown)
		mask |= U2K_CHANGED_ALARMS;
	if (comm != s->snap.comm) {
		s->snap.comm = comm;
		mask |= U2K_CHANGED_COMM;
	}
	gate = gate_of(s, now_us);
	if (gate != s->snap.gate) {
		s->snap.gate = gate;
		mask |= U2K_CHANGED_GATE;
	}
	refresh_stats(s);
	if (mask & U2K_CHANGED_COMM)
		say_comm(s, comm_before, comm);
	if (mask && s->ops->changed)
		s->ops->changed(s->user, &s->snap, mask);
	if (s->engine)
		engine_run(s->engine, &s->snap, now_us);
}

/* Values that nothing refreshes any more become absent, one by one. */
static uint64_t expire(struct session *s, int64_t now_us)
{
	int64_t limit_us = EXPIRE_US + EXPIRE_ROUNDS * (int64_t)s->snap.line.status_round_us;
	uint64_t mask = 0;

	for (unsigned q = 0; q < U2K_QTY_COUNT; q++) {
		struct u2k_value *value = &s->snap.qty[q];

		if (value->validity == U2K_VALID && !reg_desc((enum u2k_qty)q)->held &&
		    now_us - value->at_us > limit_us) {
			value->validity = U2K_INVALID;
			mask |= U2K_CHANGED_QTY(q);
		}
	}
	return mask;
}

/* --- taking answers ------------------------------------------------------------------------ */

static uint64_t take_quantity(struct session *s, enum u2k_qty qty, const uint16_t *regs,
			      int64_t sent_us, int64_t hold_us)
{
	struct u2k_value *value = &s->snap.qty[qty];
	struct u2k_value before = *value;
	double v;

	if (value->at_us > sent_us)
		return 0; /* a late answer: newer is known */
	if (reg_decode(reg_desc(qty), regs, &v)) {
		*value = (struct u2k_value){ .value = v, .at_us = sent_us, .validity = U2K_VALID };
	} else if (value->validity != U2K_VALID || sent_us - value->at_us > hold_us) {
		value->validity = U2K_INVALID;
		value->at_us = sent_us;
	}
	return before.validity != value->validity || before.value != value->value
		       ? U2K_CHANGED_QTY(qty)
		       : 0;
}

static uint64_t take_quantities(struct session *s, enum piece piece, size_t n, const uint16_t *regs,
				int64_t sent_us)
{
	uint16_t base = piece_desc(piece)->base;
	int64_t hold_us = HOLD_US + piece_desc(piece)->interval_ms * U2K_MSEC;
	uint64_t mask = 0;

	for (unsigned q = 0; q < U2K_QTY_COUNT; q++)
		if (piece_covers(base, n, (enum u2k_qty)q))
			mask |= take_quantity(s, (enum u2k_qty)q,
					      regs + (reg_desc((enum u2k_qty)q)->qty.base - base),
					      sent_us, hold_us);
	return mask;
}

/* Something changed: read the rest anew, what tells most about it first. */
static void hurry(struct session *s, int64_t now_us)
{
	for (unsigned p = 0; p < PIECE_COUNT; p++)
		if (s->pieces[p].wanted && p != PIECE_CAPACITY && p != PIECE_RATING)
			s->pieces[p].due_us =
				now_us + (p == PIECE_TELEMETRY || p == PIECE_SETTINGS);
}

/*
 * A source that no list defines is most likely another register's value. It is taken only after
 * it came several times, and then as "not known": the status bits decide.
 */
static bool source_is_odd(struct session *s, uint16_t base, size_t n, const uint16_t *regs)
{
	double value;

	if (!piece_covers(base, n, U2K_QTY_OUTPUT_SOURCE))
		return false;
	if (reg_decode(reg_desc(U2K_QTY_OUTPUT_SOURCE), regs + (1024 - base), &value)) {
		s->odd_sources = 0;
		return false;
	}
	return ++s->odd_sources < ODD_SOURCE_TRIES;
}

static void note_status(struct session *s, int64_t sent_us)
{
	int64_t round = sent_us - s->snap.status_at_us;

	if (sent_us <= s->snap.status_at_us)
		return;
	if (s->snap.status_at_us) {
		uint32_t known = s->snap.line.status_round_us;

		s->snap.line.status_round_us =
			known ? (uint32_t)(known + (round - (int64_t)known) / 8) : (uint32_t)round;
	}
	s->snap.status_at_us = sent_us;
	if (!s->snap.first_status_us)
		s->snap.first_status_us = sent_us;
}

/* "Invalid" everywhere is no status, however often it comes. */
static bool is_valid_status(uint16_t base, size_t n, const uint16_t *regs)
{
	double value;

	if (reg_decode(reg_desc(U2K_QTY_OUTPUT_SOURCE), regs + (1024 - base), &value))
		return true;
	return piece_covers(base, n, U2K_QTY_STATUS_BITS) &&
	       reg_decode(reg_desc(U2K_QTY_STATUS_BITS), regs + (1043 - base), &value);
}

static void take_registers(struct session *s, enum piece piece, size_t n, const uint16_t *regs,
			   int64_t sent_us, int64_t now_us)
{
	uint16_t base = piece_desc(piece)->base;
	bool status = piece == PIECE_STATUS || piece == PIECE_STATUS_SOURCE;
	uint64_t mask;

	if (piece == PIECE_ALARMS) {
		struct u2k_alarms before = s->snap.alarms;

		if (before.at_us > sent_us)
			return;
		alarms_decode(regs, &s->snap.alarms);
		s->snap.alarms.at_us = sent_us;
		mask = before.active != s->snap.alarms.active || !before.at_us ||
				       memcmp(before.unknown, s->snap.alarms.unknown,
					      sizeof(before.unknown)) != 0
			       ? U2K_CHANGED_ALARMS
			       : 0;
		publish(s, mask, now_us);
		return;
	}

	if (status && source_is_odd(s, base, n, regs)) {
		s->pieces[piece].due_us = now_us;
		return;
	}
	mask = take_quantities(s, piece, n, regs, sent_us);
	if (status && is_valid_status(base, n, regs)) {
		note_status(s, sent_us);
		mask |= U2K_CHANGED_STATUS_READ;
	}
	if (mask & (U2K_CHANGED_QTY(U2K_QTY_OUTPUT_SOURCE) | U2K_CHANGED_QTY(U2K_QTY_STATUS_BITS)))
		hurry(s, now_us);
	if (status)
		mask |= expire(s, now_us);
	publish(s, mask, now_us);
}

/* --- identification ------------------------------------------------------------------------ */

static void identify_start(struct session *s, int64_t now_us)
{
	s->id.found = (struct u2k_identity){ 0 };
	s->id.code = DEVID_EXTENDED;
	s->id.object = DEVID_OBJ_UPS_COUNT;
	s->id.tries = 0;
	s->id.rounds = 0;
	s->id.collecting = true;
	s->id.due_us = now_us;
	s->id.began_us = now_us;
}

static void judge_serial(struct session *s)
{
	const struct u2k_identity *found = &s->id.found;
	char text[200];
	bool wrong;

	if (!found->described || (!found->esn[0] && !s->serial[0]))
		return;
	if (!s->serial[0])
		snprintf(s->serial, sizeof(s->serial), "%s", found->esn);
	wrong = strcmp(s->serial, found->esn) != 0;
	if (wrong && !s->wrong_serial) {
		snprintf(
			text, sizeof(text),
			"Another UPS is connected: serial number %s instead of %s. It is shown, but not "
			"commanded.",
			found->esn[0] ? found->esn : "unknown", s->serial);
		say(s, "wrong-serial", "alert", text);
	} else if (!wrong && s->wrong_serial) {
		say(s, "right-serial", "info", "The expected UPS is connected again.");
	}
	s->wrong_serial = wrong;
}

/* Another unit: what was read from the one before it is not true of it. */
static uint64_t forget_values(struct session *s)
{
	uint64_t mask = 0;

	for (unsigned q = 0; q < U2K_QTY_COUNT; q++) {
		struct u2k_value *value = &s->snap.qty[q];

		if (value->validity != U2K_UNKNOWN && value->at_us < s->contact_us) {
			*value = (struct u2k_value){ .validity = U2K_UNKNOWN };
			mask |= U2K_CHANGED_QTY(q);
		}
	}
	if (s->snap.alarms.at_us && s->snap.alarms.at_us < s->contact_us) {
		memset(&s->snap.alarms, 0, sizeof(s->snap.alarms));
		mask |= U2K_CHANGED_ALARMS;
	}
	return mask;
}

static void identify_done(struct session *s, int64_t now_us)
{
	const struct u2k_identity *found = &s->id.found;
	bool changed = memcmp(found, &s->snap.identity, sizeof(*found)) != 0;
	uint64_t mask = U2K_CHANGED_IDENTITY;
	char text[200];

	s->id.collecting = false;
	if (!found->known) {
		s->id.due_us = now_us + (++s->id.failures < IDENTIFY_ROUNDS ? IDENTIFY_RETRY_US
									    : IDENTIFY_SLOW_US);
		return;
	}
	s->id.failures = 0;
	/* a fuller identity from before is kept: this answer merely lost its description */
	if (!found->described && s->snap.identity.described && s->id.confirmed) {
		s->id.due_us = now_us + IDENTIFY_SLOW_US;
		return;
	}
	s->id.due_us = now_us + (found->described ? IDENTIFY_AGAIN_US : IDENTIFY_SLOW_US);
	judge_serial(s);
	s->id.confirmed = true;
	if (found->described)
		s->snap.identity_at_us = s->id.began_us;
	if (changed) {
		if (s->snap.identity.known && strcmp(found->esn, s->snap.identity.esn) != 0)
			mask |= forget_values(s);
		s->snap.identity = *found;
		snprintf(text, sizeof(text), "Identified: %s%s%s, firmware %s, serial number %s.",
			 found->maker, found->maker[0] ? " " : "", found->model,
			 found->firmware[0] ? found->firmware : "unknown",
			 found->esn[0] ? found->esn : "unknown");
		say(s, "identified", "info", text);
		if (identity_gate(found) != U2K_GATE_OPEN) {
			snprintf(text, sizeof(text), "Commands are closed: %s.",
				 u2k_gate_text(identity_gate(found)));
			say(s, "monitored-only", "warning", text);
		}
	}
	publish(s, mask, now_us);
}

/* The description did not come: what the basic identification tells is better than nothing. */
static void identify_basic(struct session *s, int64_t now_us)
{
	if (s->id.code == DEVID_BASIC) {
		identify_done(s, now_us);
		return;
	}
	s->id.code = DEVID_BASIC;
	s->id.object = DEVID_OBJ_MAKER;
	s->id.tries = 0;
	s->id.rounds = 0;
	s->id.due_us = now_us;
}

static void identify_answer(struct session *s, const struct line_answer *answer, int64_t now_us)
{
	struct devid_reply reply;
	int status = devid_parse(answer->pdu, answer->len, &reply);

	if (!s->id.collecting || (status == 0 && reply.code != s->id.code))
		return;
	if (status == EXC_BUSY || status == EXC_BUSY_HUAWEI) {
		s->id.due_us = now_us + BUSY_RETRY_US;
		return;
	}
	if (status > EXC_ILLEGAL_ADDRESS && ++s->id.tries < IDENTIFY_TRIES) {
		s->id.due_us = now_us + BUSY_RETRY_US; /* 03 may be noise, 04 may pass */
		return;
	}
	if (status != 0) {
		identify_basic(s, now_us);
		return;
	}
	identity_take(&s->id.found, &reply, s->number);
	if (reply.more && reply.next > s->id.object && ++s->id.rounds < 16) {
		s->id.object = reply.next;
		s->id.tries = 0;
		s->id.due_us = now_us;
	} else if (s->id.code == DEVID_EXTENDED && !s->id.found.described) {
		identify_basic(s, now_us);
	} else {
		identify_done(s, now_us);
	}
}

static void identify_unanswered(struct session *s, int64_t now_us)
{
	if (!s->id.collecting)
		return;
	s->id.due_us = now_us + (s->id.tries ? IDENTIFY_RETRY_US : 0);
	if (++s->id.tries >= IDENTIFY_TRIES && s->answered)
		identify_basic(s, now_us);
}

/* --- the line's user ------------------------------------------------------------------------ */

static bool split(const struct session *s)
{
	return !s->pieces[PIECE_STATUS].wanted;
}

/* After a reconnect the identity comes first where one is expected, else the status. */
static bool identity_first(const struct session *s)
{
	return s->id.collecting && !s->id.confirmed && s->serial[0] && s->id.tries < 2 &&
	       s->answered;
}

static int64_t session_due(void *user, int64_t now_us)
{
	const struct session *s = user;
	int64_t due = INT64_MAX;

	if (s->snap.comm == U2K_COMM_OK)
		due = s->snap.status_at_us + SESSION_STALE_US + 1;
	if (s->engine && engine_due(s->engine) < due)
		due = engine_due(s->engine);
	if (!s->up)
		return due;
	if (silent(s, now_us)) {
		int64_t probe =
			s->pieces[split(s) ? PIECE_STATUS_SOURCE : PIECE_STATUS].sent_us + PROBE_US;

		return probe < due ? probe : due;
	}
	for (unsigned p = 0; p < PIECE_COUNT; p++)
		if (s->pieces[p].wanted && s->pieces[p].due_us < due)
			due = s->pieces[p].due_us;
	if (s->id.due_us < due)
		due = s->id.due_us;
	return due;
}

static bool put_read(struct session *s, enum piece piece, size_t n, int64_t now_us,
		     struct line_request *req)
{
	uint16_t addr = piece_address(piece_desc(piece)->base, s->number);
	struct line_shape shape = { (uint8_t)s->unit_id, FC_READ_HOLDING_REGISTERS, (uint16_t)n,
				    addr };

	if (line_blocked(s->line, &shape, now_us))
		return false;
	req->shape = shape;
	req->what = (int)piece;
	req->len = pdu_put_read(req->pdu, addr, n);
	s->pieces[piece].sent_us = now_us;
	return req->len != 0;
}

/*
 * The shortest lengths of the status take turns, since line time is what a mains failure waits for;
 * the longest brings the settings along once a second; the others stand in while these are blocked.
 */
static int64_t rest_us(const struct session *s, enum piece piece, int i)
{
	if (piece != PIECE_STATUS || i < 3)
		return 0;
	return i == PIECE_LENGTHS_MAX - 1 && s->answered ? 900 * U2K_MSEC : 5 * U2K_SEC;
}

/* The piece in the length that has rested longest, so that lengths do not repeat. */
static bool put_piece(struct session *s, enum piece piece, int64_t now_us, struct line_request *req)
{
	struct piece_state *state = &s->pieces[piece];
	bool tried[PIECE_LENGTHS_MAX] = { false };

	for (;;) {
		int best = -1;

		for (int i = 0; i < PIECE_LENGTHS_MAX; i++)
			if (piece_length(piece, (unsigned)i) && !tried[i] &&
			    !state->lengths[i].refused &&
			    (best < 0 ||
			     state->lengths[i].sent_us + rest_us(s, piece, i) <
				     state->lengths[best].sent_us + rest_us(s, piece, best)))
				best = i;
		if (best < 0)
			break;
		tried[best] = true;
		if (put_read(s, piece, piece_length(piece, (unsigned)best), now_us, req)) {
			state->lengths[best].sent_us = now_us;
			return true;
		}
	}
	/* answers of all its lengths may still come: the output source alone says the most */
	return piece == PIECE_STATUS && put_piece(s, PIECE_STATUS_SOURCE, now_us, req);
}

static bool put_identify(struct session *s, int64_t now_us, struct line_request *req)
{
	struct line_shape shape = { .unit_id = (uint8_t)s->unit_id, .fc = FC_ENCAPSULATED };

	if (s->id.due_us > now_us)
		return false;
	if (!s->id.collecting)
		identify_start(s, now_us);
	shape.n = s->id.code;
	shape.addr = s->id.object;
	if (line_blocked(s->line, &shape, now_us))
		return false;
	req->shape = shape;
	req->what = PIECE_IDENTIFY;
	req->len = pdu_put_read_devid(req->pdu, s->id.code, s->id.object);
	return true;
}

static unsigned length_index(enum piece piece, size_t n)
{
	unsigned i = 0;

	while (i < PIECE_LENGTHS_MAX - 1 && piece_length(piece, i) != n)
		i++;
	return i;
}

static bool is_status(unsigned piece)
{
	return piece == PIECE_STATUS || piece == PIECE_STATUS_SOURCE || piece == PIECE_STATUS_BITS;
}

/* On a crowded line the whole status waits its turn with the others, and the source goes ahead. */
static bool in_status_lane(const struct session *s, unsigned piece)
{
	return is_status(piece) && !(s->crowded && piece == PIECE_STATUS);
}

static void look_for_room(struct session *s, int64_t now_us)
{
	struct line_stats stats;

	line_stats(s->line, &stats);
	if (s->crowded == (stats.round_us > (s->crowded ? ROOMY_US : CROWDED_US)) || split(s))
		return;
	s->crowded = !s->crowded;
	s->pieces[PIECE_STATUS_SOURCE].wanted = s->crowded;
	s->pieces[PIECE_STATUS_SOURCE].due_us = now_us;
}

/* The most overdue piece of one lane whose shape is free; tries them in order of their due time. */
static bool put_lane(struct session *s, bool status, int64_t now_us, struct line_request *req)
{
	bool tried[PIECE_COUNT] = { false };

	for (;;) {
		int best = -1;

		for (int p = 0; p < PIECE_COUNT; p++)
			if (s->pieces[p].wanted && !tried[p] &&
			    in_status_lane(s, (unsigned)p) == status &&
			    s->pieces[p].due_us <= now_us &&
			    (best < 0 || s->pieces[p].due_us < s->pieces[best].due_us))
				best = p;
		if (best < 0)
			return false;
		tried[best] = true;
		if (put_piece(s, (enum piece)best, now_us, req))
			return true;
	}
}

/* The whole pieces, nothing refused. */
static void want_round(struct session *s, int64_t now_us)
{
	static const enum piece round[] = { PIECE_STATUS,    PIECE_BATTERY, PIECE_RATING,
					    PIECE_TELEMETRY, PIECE_ALARMS,  PIECE_CAPACITY };

	memset(s->pieces, 0, sizeof(s->pieces));
	s->crowded = false;
	for (size_t i = 0; i < sizeof(round) / sizeof(round[0]); i++) {
		s->pieces[round[i]].wanted = true;
		s->pieces[round[i]].due_us = now_us + (int64_t)i; /* in this order */
	}
	s->mend_us = 0;
}

/* A shape is never asked twice running: with only one left, something else must come in between. */
static bool put_probe(struct session *s, int64_t now_us, struct line_request *req)
{
	enum piece status = split(s) ? PIECE_STATUS_SOURCE : PIECE_STATUS;

	if (put_piece(s, status, now_us, req))
		return true;
	return now_us - s->pieces[status].sent_us > SILENT_US &&
	       put_piece(s, PIECE_RATING, now_us, req);
}

static bool session_take(void *user, int64_t now_us, struct line_request *req)
{
	struct session *s = user;

	if (comm_of(s, now_us) != s->snap.comm || (s->engine && engine_due(s->engine) <= now_us))
		publish(s, 0, now_us);
	if (!s->up)
		return false;
	if (s->mend_us && now_us >= s->mend_us)
		want_round(s, now_us);
	look_for_room(s, now_us);
	if (silent(s, now_us))
		return put_probe(s, now_us, req);
	if (identity_first(s) && put_identify(s, now_us, req))
		return true;
	if (s->status_turn || (s->status_lost && now_us - s->snap.status_at_us > OVERDUE_US)) {
		s->status_turn = false;
		if (put_lane(s, true, now_us, req))
			return true;
	}
	s->status_turn = true;
	if (s->engine && engine_take(s->engine, &s->snap, now_us, req)) {
		req->what = PIECE_NONE;
		return true;
	}
	return put_identify(s, now_us, req) || put_lane(s, false, now_us, req) ||
	       put_lane(s, true, now_us, req);
}

static void schedule(struct session *s, enum piece piece, int64_t sent_us, int64_t now_us)
{
	const struct piece_desc *desc = piece_desc(piece);
	struct piece_state *state = &s->pieces[piece];

	if (is_status(piece))
		state->due_us = sent_us + (in_status_lane(s, piece) ? s->status_interval_us
								    : CROWDED_STATUS_US);
	else if (desc->interval_ms)
		state->due_us = sent_us + desc->interval_ms * U2K_MSEC;
	else
		state->due_us = INT64_MAX;
	if (state->due_us < now_us)
		state->due_us = now_us;
}

/* This unit does not give the range: ask for its parts, or for less. */
static void refuse(struct session *s, enum piece piece, unsigned length, int64_t now_us)
{
	const struct piece_desc *desc = piece_desc(piece);
	struct piece_state *state = &s->pieces[piece];

	state->lengths[length].exceptions = 0;
	if (!s->mend_us)
		s->mend_us = now_us + MEND_US;
	if (length) { /* longer ones reach into the settings */
		for (unsigned i = length; i < PIECE_LENGTHS_MAX; i++)
			state->lengths[i].refused = true;
		s->pieces[PIECE_SETTINGS].wanted = true;
		s->pieces[PIECE_SETTINGS].due_us = now_us;
		state->due_us = now_us;
		return;
	}
	if (desc->parts_first == PIECE_NONE) {
		state->due_us =
			now_us + (is_status(piece) ? REFUSED_STATUS_RETRY_US : REFUSED_RETRY_US);
		return;
	}
	state->wanted = false;
	if (piece == PIECE_STATUS)
		s->crowded = false;
	for (unsigned p = desc->parts_first; p <= (unsigned)desc->parts_last; p++) {
		s->pieces[p].wanted = true;
		s->pieces[p].due_us = now_us;
	}
	if (piece == PIECE_STATUS) {
		s->pieces[PIECE_SETTINGS].wanted = true;
		s->pieces[PIECE_SETTINGS].due_us = now_us;
	}
}

static void take_exception(struct session *s, enum piece piece, size_t n, int code, int64_t now_us)
{
	struct piece_state *state = &s->pieces[piece];
	unsigned length = length_index(piece, n);

	state->due_us = now_us + BUSY_RETRY_US;
	if (code == EXC_BUSY || code == EXC_BUSY_HUAWEI || code == EXC_GATEWAY_PATH ||
	    code == EXC_GATEWAY_TARGET)
		return;
	/* 03 can be line noise, and any exception can be a late one: only a row of them counts */
	if (++state->lengths[length].exceptions >=
	    (code == EXC_ILLEGAL_VALUE || state->lengths[length].given ? REFUSED_NOISE_TRIES
								       : REFUSED_TRIES)) {
		refuse(s, piece, length, now_us);
		return;
	}
	state->due_us = now_us;
	if (length)
		state->lengths[0].sent_us = 0; /* see next whether the shortest is refused too */
}

/* The device is silent: who answers next may be another one. */
static void lose_contact(struct session *s, int64_t now_us)
{
	s->id.confirmed = false;
	s->snap.identity_at_us = 0;
	s->answered = false;
	identify_start(s, now_us);
}

static void find_contact(struct session *s, int64_t sent_us, int64_t now_us)
{
	s->answered = true;
	s->contact_us = sent_us;
	s->pieces[PIECE_RATING].due_us = now_us;
	s->pieces[PIECE_STATUS].lengths[PIECE_LENGTHS_MAX - 1].sent_us = 0; /* the settings, too */
	if (s->id.due_us > now_us)
		s->id.due_us = now_us;
	hurry(s, now_us);
}

static void session_answer(void *user, const struct line_answer *answer, int64_t now_us)
{
	struct session *s = user;
	enum piece piece = (enum piece)answer->request->what;
	uint16_t regs[PDU_READ_REGS_MAX];
	size_t n = answer->request->shape.n;
	int status;

	if (piece == PIECE_NONE && s->engine)
		engine_answer(s->engine, answer, &s->snap, now_us);
	if (answer->result == LINE_DOWN)
		return;
	if (answer->result == LINE_TIMEOUT) {
		s->timeouts++;
		if (s->answered && silent(s, now_us))
			lose_contact(s, now_us);
		if (piece == PIECE_NONE)
			hurry(s, now_us); /* look what became of it */
		else if (piece == PIECE_IDENTIFY)
			identify_unanswered(s, now_us);
		else
			s->pieces[piece].due_us = now_us;
		s->status_lost = s->status_lost || is_status(piece);
		publish(s, 0, now_us);
		return;
	}

	s->timeouts = 0;
	s->heard_us = now_us;
	if (!s->answered)
		find_contact(s, answer->sent_us, now_us);
	if (is_status(piece)) {
		s->status_lost = false;
		if (answer->result == LINE_LATE)
			s->status_turn = true; /* it is old already */
	}
	if (piece == PIECE_NONE)
		return;
	if (piece == PIECE_IDENTIFY) {
		identify_answer(s, answer, now_us);
		return;
	}
	status = pdu_get_regs(answer->pdu, answer->len, n, regs);
	if (status > 0) {
		take_exception(s, piece, n, status, now_us);
		publish(s, 0, now_us);
		return;
	}
	if (status < 0)
		return;
	s->pieces[piece].lengths[length_index(piece, n)].exceptions = 0;
	s->pieces[piece].lengths[length_index(piece, n)].given = true;
	if (answer->result == LINE_ANSWER)
		schedule(s, piece, answer->sent_us, now_us);
	take_registers(s, piece, n, regs, answer->sent_us, now_us);
}

static const struct line_user_ops line_ops = { session_due, session_take, session_answer };

/* --- orders ---------------------------------------------------------------------------------- */

static void on_progress(void *user, uint64_t token, const char *text)
{
	struct session *s = user;

	s->ops->progress(s->user, token, text);
}

static void on_done(void *user, uint64_t token, enum u2k_outcome outcome, int error,
		    const char *text)
{
	struct session *s = user;

	s->ops->done(s->user, token, outcome, error, text);
}

static void on_journal(void *user, const struct engine_journal *journal)
{
	struct session *s = user;

	s->ops->journal(s->user, journal);
}

static void on_delays(void *user, const struct engine_delays *delays)
{
	struct session *s = user;

	s->ops->delays(s->user, delays);
}

/* What is overdue already keeps its place: asking for it again must not put it behind others. */
static void bring_forward(struct piece_state *state, int64_t now_us)
{
	if (state->due_us > now_us)
		state->due_us = now_us;
}

static void on_need(void *user, unsigned needs, int64_t now_us)
{
	static const struct {
		unsigned need;
		enum piece piece;
		enum u2k_qty first, last; /* what the engine looks at, where it comes in parts */
	} rows[] = {
		{ NEED_STATUS, PIECE_STATUS, U2K_QTY_OUTPUT_SOURCE, U2K_QTY_STATUS_BITS },
		{ NEED_SETTINGS | NEED_TIMERS, PIECE_SETTINGS, U2K_QTY_AUTO_START,
		  U2K_QTY_OFF_TIMER },
		{ NEED_ALARMS, PIECE_ALARMS, U2K_QTY_COUNT, U2K_QTY_COUNT },
		{ NEED_TELEMETRY, PIECE_TELEMETRY, U2K_QTY_BYPASS_VOLTAGE,
		  U2K_QTY_BYPASS_FREQUENCY },
		{ NEED_BATTERY, PIECE_BATTERY, U2K_QTY_BATTERY_CHARGE, U2K_QTY_BATTERY_CHARGE },
	};
	struct session *s = user;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct piece_desc *desc = piece_desc(rows[i].piece);
		struct piece_state *state = &s->pieces[rows[i].piece], *stalest;

		if (!(needs & rows[i].need))
			continue;
		if (rows[i].piece == PIECE_SETTINGS)
			state->wanted = true;
		if (state->wanted) {
			bring_forward(state, now_us);
			continue;
		}
		stalest = NULL; /* this unit wants it in parts */
		for (unsigned p = desc->parts_first; p <= (unsigned)desc->parts_last; p++) {
			bool covers = rows[i].piece == PIECE_STATUS;

			for (unsigned q = rows[i].first; q <= (unsigned)rows[i].last; q++)
				covers = covers || piece_covers(piece_desc((enum piece)p)->base,
								piece_desc((enum piece)p)->n,
								(enum u2k_qty)q);
			if (covers && (!stalest || s->pieces[p].sent_us < stalest->sent_us))
				stalest = &s->pieces[p];
		}
		if (stalest) /* one at a time: parts of one length keep each other off the line */
			bring_forward(stalest, now_us);
	}
	if (needs & NEED_IDENTITY && !s->id.collecting)
		identify_start(s, now_us);
}

static bool on_blocked(void *user, const struct line_shape *shape, int64_t now_us)
{
	const struct session *s = user;

	return line_blocked(s->line, shape, now_us);
}

static const struct engine_ops engine_ops = { on_progress, on_done, on_journal,
					      on_delays,   on_need, on_blocked };

void session_order(struct session *s, uint64_t token, bool setting, const char *name,
		   const char *value, int64_t now_us)
{
	if (s->engine)
		engine_order(s->engine, token, setting, name, value, &s->snap, now_us);
	else
		s->ops->done(s->user, token, U2K_REFUSED, U2K_EREFUSED,
			     u2k_gate_text(s->number == 1 ? U2K_GATE_CONFIG : U2K_GATE_NUMBER));
}

void session_restore(struct session *s, const struct engine_journal *journal, bool same_boot,
		     int64_t now_us)
{
	if (s->engine)
		engine_restore(s->engine, journal, same_boot, now_us);
}

void session_set_delays(struct session *s, const struct engine_delays *delays)
{
	if (s->engine)
		engine_set_delays(s->engine, delays);
}

void session_journal_saved(struct session *s, bool ok)
{
	if (s->engine)
		engine_journal_saved(s->engine, ok);
}

const struct engine *session_engine(const struct session *s)
{
	return s->engine;
}

/* --- life ----------------------------------------------------------------------------------- */

static void start_round(struct session *s, int64_t now_us)
{
	want_round(s, now_us);
	s->timeouts = 0;
	s->heard_us = now_us;
	s->id.failures = 0;
	s->answered = false;
	s->odd_sources = 0;
	s->status_turn = true;
	s->status_lost = false;
	identify_start(s, now_us);
}

struct session *session_new(struct line *line, const struct session_config *config,
			    const struct session_ops *ops, void *user)
{
	struct session *s;

	if (config->unit_id < 1 || config->unit_id > 247 || config->number < 1 ||
	    config->number > 4)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->line = line;
	s->ops = ops;
	s->user = user;
	s->unit_id = config->unit_id;
	s->number = config->number;
	s->control = config->control;
	s->status_interval_us = config->status_interval_us;
	if (config->serial)
		snprintf(s->serial, sizeof(s->serial), "%s", config->serial);
	s->snap.comm = U2K_COMM_CLOSED;
	s->snap.gate = U2K_GATE_NOT_IDENTIFIED;
	state_init(&s->state);
	if (config->control && config->number == 1 && ops->done) {
		struct engine_config engine = { .unit_id = config->unit_id,
						.delays = config->delays };

		s->engine = engine_new(&engine, &engine_ops, s);
		if (!s->engine)
			goto engine_new;
	}
	if (!line_add(line, &line_ops, s))
		goto line_add;
	return s;

line_add:
	engine_free(s->engine);
engine_new:
	free(s);
	return NULL;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	line_remove(s->line, s);
	engine_free(s->engine);
	free(s);
}

void session_link(struct session *s, bool up, int64_t now_us)
{
	if (s->up == up)
		return;
	s->up = up;
	s->id.confirmed = false;
	s->snap.identity_at_us = 0;
	if (up)
		start_round(s, now_us);
	publish(s, 0, now_us);
}

const struct u2k_snapshot *session_snapshot(const struct session *s)
{
	return &s->snap;
}
