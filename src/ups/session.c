#include "ups/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ups/alarms.h"
#include "ups/identity.h"
#include "ups/regs.h"
#include "ups/session_impl.h"
#include <ups2000/error.h>

enum {
	HOLD_US = 5000000,    /* a good value outlives "invalid" answers this long */
	EXPIRE_US = 30000000, /* and missing answers this long, */
	EXPIRE_ROUNDS = 8,    /* and so many rounds of the status */
	SILENT_AFTER = 4,     /* timeouts in a row, and SESSION_SILENT_US, before it only probes */
	PROBE_US = 500000,
	OVERDUE_US = 1000000, /* a status this old takes every turn while answers fail to come */
	ODD_SOURCE_TRIES = 3, /* reads of an undefined 1024 before it is believed */
};

void session_say(const struct session *s, const char *kind, const char *severity, const char *text)
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
	return s->timeouts >= SILENT_AFTER && now_us - s->heard_us >= SESSION_SILENT_US;
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
		session_say(s, "comm-ok", "info",
			    before == U2K_COMM_CLOSED || before == U2K_COMM_SILENT ||
					    before == U2K_COMM_IDENTIFYING
				    ? "The UPS answers."
				    : "The UPS answers again.");
	else if (before == U2K_COMM_OK)
		session_say(s, "comm-lost", "warning",
			    after == U2K_COMM_CLOSED ? "Contact lost: the port is not open."
			    : after == U2K_COMM_SILENT
				    ? "Contact lost: the UPS does not answer."
				    : "Contact lost: the UPS gives no valid status.");
	else if (after == U2K_COMM_SILENT)
		session_say(
			s, "comm-silent", "warning",
			"The port is open, but nothing answers: check cable, unit id and whether another "
			"port of the UPS is in use; some faults need the UPS switched off and unplugged.");
}

/* Derive what follows from the snapshot and tell whoever listens. */
void session_publish(struct session *s, uint64_t mask, int64_t now_us)
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
		session_publish(s, mask, now_us);
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
		round_hurry(s, now_us);
	if (status)
		mask |= expire(s, now_us);
	session_publish(s, mask, now_us);
}

/* --- the line's user ------------------------------------------------------------------------ */

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
			s->pieces[round_is_split(s) ? PIECE_STATUS_SOURCE : PIECE_STATUS].sent_us +
			PROBE_US;

		return probe < due ? probe : due;
	}
	for (unsigned p = 0; p < PIECE_COUNT; p++)
		if (s->pieces[p].wanted && s->pieces[p].due_us < due)
			due = s->pieces[p].due_us;
	if (s->id.due_us < due)
		due = s->id.due_us;
	return due;
}

static bool session_take(void *user, int64_t now_us, struct line_request *req)
{
	struct session *s = user;

	if (comm_of(s, now_us) != s->snap.comm || (s->engine && engine_due(s->engine) <= now_us))
		session_publish(s, 0, now_us);
	if (!s->up)
		return false;
	if (s->mend_us && now_us >= s->mend_us)
		round_start(s, now_us);
	round_look_for_room(s, now_us);
	if (silent(s, now_us))
		return round_put_probe(s, now_us, req);
	if (identify_first(s) && identify_put(s, now_us, req))
		return true;
	if (s->status_turn || (s->status_lost && now_us - s->snap.status_at_us > OVERDUE_US)) {
		s->status_turn = false;
		if (round_put_lane(s, true, now_us, req))
			return true;
	}
	s->status_turn = true;
	if (s->engine && engine_take(s->engine, &s->snap, now_us, req)) {
		req->what = PIECE_NONE;
		return true;
	}
	return identify_put(s, now_us, req) || round_put_lane(s, false, now_us, req) ||
	       round_put_lane(s, true, now_us, req);
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
	round_hurry(s, now_us);
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
			round_hurry(s, now_us); /* look what became of it */
		else if (piece == PIECE_IDENTIFY)
			identify_unanswered(s, now_us);
		else
			s->pieces[piece].due_us = now_us;
		s->status_lost = s->status_lost || round_is_status(piece);
		session_publish(s, 0, now_us);
		return;
	}

	s->timeouts = 0;
	s->heard_us = now_us;
	if (!s->answered)
		find_contact(s, answer->sent_us, now_us);
	if (round_is_status(piece)) {
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
		round_exception(s, piece, n, status, now_us);
		session_publish(s, 0, now_us);
		return;
	}
	if (status < 0)
		return;
	s->pieces[piece].lengths[round_length_index(piece, n)].exceptions = 0;
	s->pieces[piece].lengths[round_length_index(piece, n)].given = true;
	if (answer->result == LINE_ANSWER)
		round_schedule(s, piece, answer->sent_us, now_us);
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

static void on_need(void *user, unsigned needs, int64_t now_us)
{
	struct session *s = user;

	round_need(s, needs, now_us);
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
	round_start(s, now_us);
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
	session_publish(s, 0, now_us);
}

const struct u2k_snapshot *session_snapshot(const struct session *s)
{
	return &s->snap;
}
