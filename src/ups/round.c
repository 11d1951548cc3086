/* What a session asks next: pieces in two lanes, their lengths, and what a unit refuses. */
#include <string.h>

#include "ups/regs.h"
#include "ups/session_impl.h"

enum {
	CROWDED_US = 2000000,	     /* a line on which everybody's turn takes longer is crowded, */
	ROOMY_US = 1200000,	     /* one on which it takes less is no longer */
	CROWDED_STATUS_US = 1000000, /* there the whole status is read like telemetry */
	REFUSED_TRIES = 3,	     /* exceptions in a row before a range counts as refused */
	REFUSED_NOISE_TRIES =
		8, /* ... one that was given before, or exceptions 03: noise, perhaps */
	REFUSED_RETRY_US = 60000000,
	REFUSED_STATUS_RETRY_US = 2000000,
	MEND_US = 1800000000, /* refused ranges are tried anew: it may have been a bad day */
};

bool round_is_split(const struct session *s)
{
	return !s->pieces[PIECE_STATUS].wanted;
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

unsigned round_length_index(enum piece piece, size_t n)
{
	unsigned i = 0;

	while (i < PIECE_LENGTHS_MAX - 1 && piece_length(piece, i) != n)
		i++;
	return i;
}

bool round_is_status(unsigned piece)
{
	return piece == PIECE_STATUS || piece == PIECE_STATUS_SOURCE || piece == PIECE_STATUS_BITS;
}

/* On a crowded line the whole status waits its turn with the others, and the source goes ahead. */
static bool in_status_lane(const struct session *s, unsigned piece)
{
	return round_is_status(piece) && !(s->crowded && piece == PIECE_STATUS);
}

void round_look_for_room(struct session *s, int64_t now_us)
{
	struct line_stats stats;

	line_stats(s->line, &stats);
	if (s->crowded == (stats.round_us > (s->crowded ? ROOMY_US : CROWDED_US)) ||
	    round_is_split(s))
		return;
	s->crowded = !s->crowded;
	s->pieces[PIECE_STATUS_SOURCE].wanted = s->crowded;
	s->pieces[PIECE_STATUS_SOURCE].due_us = now_us;
}

/* The most overdue piece of one lane whose shape is free; tries them in order of their due time. */
bool round_put_lane(struct session *s, bool status, int64_t now_us, struct line_request *req)
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
void round_start(struct session *s, int64_t now_us)
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
bool round_put_probe(struct session *s, int64_t now_us, struct line_request *req)
{
	enum piece status = round_is_split(s) ? PIECE_STATUS_SOURCE : PIECE_STATUS;

	if (put_piece(s, status, now_us, req))
		return true;
	return now_us - s->pieces[status].sent_us > SESSION_SILENT_US &&
	       put_piece(s, PIECE_RATING, now_us, req);
}

/* Something changed: read the rest anew, what tells most about it first. */
void round_hurry(struct session *s, int64_t now_us)
{
	for (unsigned p = 0; p < PIECE_COUNT; p++)
		if (s->pieces[p].wanted && p != PIECE_CAPACITY && p != PIECE_RATING)
			s->pieces[p].due_us =
				now_us + (p == PIECE_TELEMETRY || p == PIECE_SETTINGS);
}

void round_schedule(struct session *s, enum piece piece, int64_t sent_us, int64_t now_us)
{
	const struct piece_desc *desc = piece_desc(piece);
	struct piece_state *state = &s->pieces[piece];

	if (round_is_status(piece))
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
		state->due_us = now_us + (round_is_status(piece) ? REFUSED_STATUS_RETRY_US
								 : REFUSED_RETRY_US);
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

void round_exception(struct session *s, enum piece piece, size_t n, int code, int64_t now_us)
{
	struct piece_state *state = &s->pieces[piece];
	unsigned length = round_length_index(piece, n);

	state->due_us = now_us + SESSION_BUSY_US;
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

/* What is overdue already keeps its place: asking for it again must not put it behind others. */
static void bring_forward(struct piece_state *state, int64_t now_us)
{
	if (state->due_us > now_us)
		state->due_us = now_us;
}

void round_need(struct session *s, unsigned needs, int64_t now_us)
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
}
