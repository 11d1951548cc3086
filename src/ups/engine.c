#include "ups/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/pdu.h"
#include "ups/engine_impl.h"
#include <ups2000/error.h>

enum {
	FRESH_US = 20000000,	 /* a device may take 2 s for each answer, and a line be bad */
	OLD_VALUE_US = 3500000,	 /* a dialect shows the old value for up to 3 s */
	LOOK_AGAIN_US = 1000000, /* before an unanswered setting is written once more */
	READ_BACK_US = 20000000, /* then it cannot be read at all */
	READ_AGAIN_US = 300000,
	WRITE_TRIES = 3,
	BUSY_RETRY_US = 500000,
	BUSY_TRIES = 20,
	LOOK_US = 5000000, /* before an unanswered command is done again */
	RESCUE_AGAIN_US = 2000000,
	RESCUE_US = 60000000,
	TWICE_US = 500000,	 /* between the two reads of a SEE that wants two */
	GATE_US = 15000000,	 /* a run waits this long for the gate to open again */
	STATUS_AGE_US = 5000000, /* the last look before a write is not older */
	REASON_US = 3000000,	 /* for alarms that tell why */
	LATE_US = 2500000,	 /* an answer may come that late */
	REOPENED_MAX = 5,	 /* times a run begins again because the gate had closed */
	TURNS_MAX = 256,	 /* steps in one go; more only by a mistake of ours */
	IDENTIFY_US = 5000000,	 /* an order waits this long for the UPS to be identified */
};

/* --- the small tools ------------------------------------------------------------------------ */

void due_at(struct engine *e, int64_t at_us)
{
	if (at_us < e->due_us)
		e->due_us = at_us;
}

/* Those of the needs that were not read since then. */
static unsigned missing(const struct u2k_snapshot *snap, unsigned needs, int64_t since_us)
{
	static const struct {
		unsigned need;
		enum u2k_qty qty;
	} rows[] = {
		{ NEED_STATUS, U2K_QTY_OUTPUT_SOURCE },
		{ NEED_STATUS, U2K_QTY_STARTUP },
		{ NEED_STATUS, U2K_QTY_STATUS_BITS },
		{ NEED_SETTINGS, U2K_QTY_AUTO_START },
		{ NEED_SETTINGS, U2K_QTY_BYPASS_WHEN_OFF },
		{ NEED_SETTINGS, U2K_QTY_BEEPER_MUTED },
		{ NEED_TELEMETRY, U2K_QTY_BYPASS_VOLTAGE },
		{ NEED_TELEMETRY, U2K_QTY_BYPASS_FREQUENCY },
		{ NEED_BATTERY, U2K_QTY_BATTERY_CHARGE },
		{ NEED_TIMERS, U2K_QTY_RESTART_OFF },
		{ NEED_TIMERS, U2K_QTY_RESTART_ON },
		{ NEED_TIMERS, U2K_QTY_OFF_TIMER },
	};
	unsigned lack = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct u2k_value *value = &snap->qty[rows[i].qty];

		if (value->validity != U2K_VALID || value->at_us < since_us)
			lack |= rows[i].need;
	}
	if (!snap->alarms.at_us || snap->alarms.at_us < since_us)
		lack |= NEED_ALARMS;
	if (snap->gate != U2K_GATE_OPEN || snap->identity_at_us < since_us)
		lack |= NEED_IDENTITY;
	return lack & needs;
}

bool fresh(const struct u2k_snapshot *snap, unsigned needs, int64_t since_us)
{
	return !missing(snap, needs, since_us);
}

void need_again(struct engine *e, unsigned needs, int64_t now_us)
{
	if (e->run.asked_us && now_us < e->run.asked_us + READ_AGAIN_US) {
		due_at(e, e->run.asked_us + READ_AGAIN_US);
		return;
	}
	e->run.asked_us = now_us;
	e->ops->need(e->user, needs, now_us);
	due_at(e, now_us + READ_AGAIN_US);
}

void run_progress(struct engine *e, const char *format, ...)
{
	char text[ENGINE_TEXT_MAX];
	va_list args;

	if (!e->run.token)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	e->ops->progress(e->user, e->run.token, text);
}

void run_start(struct engine *e, const struct queued *order)
{
	e->run = (struct run){
		.active = true,
		.serial = ++e->serial,
		.token = order->token,
		.row = order->row,
		.steps = order->steps,
		.name = order->name,
		.delay_s = order->delay_s,
	};
	e->due_us = 0;
}

void run_end(struct engine *e, enum u2k_outcome outcome, int error, const char *format, ...)
{
	uint64_t token = e->run.token;
	bool armed_once = false;
	char text[ENGINE_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* refused means that nothing was written; what wrote and then stopped has failed */
	if (outcome == U2K_REFUSED && e->run.wrote)
		outcome = U2K_FAILED;
	if (outcome == U2K_FAILED)
		error = 0;
	if (token && token == e->pending.token) {
		armed_once = e->pending.armed_us || e->run.maybe;
		switchoff_forget(e);
	}
	e->run = (struct run){ 0 };
	e->due_us = 0;
	if (armed_once)
		switchoff_quiet_cancel(e); /* whatever still counts must not fire later */
	if (token)
		e->ops->done(e->user, token, outcome, error, text);
}

void run_next(struct engine *e)
{
	e->run.step++;
	e->run.entered = false;
}

/* --- writing --------------------------------------------------------------------------------- */

void write_start(struct engine *e, uint16_t base, uint16_t value, int64_t now_us)
{
	e->run.write = (struct write){
		.state = WRITE_WANTED,
		.base = base,
		.values = { value, 0 },
		.n = 1,
		.not_before_us = now_us,
	};
	due_at(e, now_us);
}

void write_start_pair(struct engine *e, uint16_t base, uint16_t a, uint16_t b, int64_t now_us)
{
	write_start(e, base, a, now_us);
	e->run.write.values[1] = b;
	e->run.write.n = 2;
}

void write_again(struct engine *e, int64_t now_us)
{
	e->run.write.state = WRITE_WANTED;
	e->run.write.not_before_us = now_us;
	due_at(e, now_us);
}

static uint16_t wire_address(uint16_t base)
{
	return (uint16_t)(10000 + base); /* only UPS number 1 is ever written to */
}

/* Everything that was required on the way here, looked at once more. NULL: it still holds. */
static const char *objection(const struct engine *e, const struct u2k_snapshot *snap)
{
	const struct run *run = &e->run;
	const struct step *now = &run->steps[run->step];

	if (run->write.base == 1050 || run->rescued)
		return NULL;
	if (now->kind == STEP_ARM && run->maybe)
		return NULL; /* a second half; it may have switched off already */
	for (const struct step *step = run->steps; step < now; step++)
		if (step->kind == STEP_REQUIRE && !step->cond(run, snap))
			return step->text;
	if (now->kind == STEP_SET && now->qty == U2K_QTY_BYPASS_WHEN_OFF && !output_on(snap))
		return "the bypass option may be changed only while the inverter feeds the load";
	return now->kind == STEP_ARM ? switchoff_objects(e, snap) : NULL;
}

void fail_step(struct engine *e, const char *text)
{
	run_end(e, U2K_REFUSED, U2K_EREFUSED, "%s", text);
}

bool engine_take(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us,
		 struct line_request *req)
{
	struct write *w = &e->run.write;
	const char *text;

	if (!e->run.active || w->state != WRITE_WANTED || now_us < w->not_before_us ||
	    snap->gate != U2K_GATE_OPEN || e->run.gate_closed)
		return false;
	if (now_us - snap->status_at_us > STATUS_AGE_US) { /* one look first */
		w->not_before_us = now_us + READ_AGAIN_US;
		e->ops->need(e->user, NEED_STATUS, now_us);
		return false;
	}
	text = objection(e, snap);
	if (text) {
		if (e->run.steps[e->run.step].kind != STEP_ARM || !switchoff_leave(e, now_us))
			fail_step(e, text);
		return false;
	}
	req->shape = (struct line_shape){
		.unit_id = (uint8_t)e->unit_id,
		.fc = w->n == 1 ? FC_WRITE_SINGLE_REGISTER : FC_WRITE_MULTIPLE_REGISTERS,
		.n = wire_address(w->base),
	};
	if (e->ops->blocked(e->user, &req->shape, now_us)) {
		w->not_before_us =
			now_us + READ_AGAIN_US; /* an earlier one's answer may still come */
		return false;
	}
	req->len = w->n == 1 ? pdu_put_write_single(req->pdu, wire_address(w->base), w->values[0])
			     : pdu_put_write_multiple(req->pdu, wire_address(w->base), w->values,
						      w->n);
	w->state = WRITE_SENT;
	w->sent_us = now_us;
	w->tries++;
	e->run.wrote = true;
	return req->len != 0;
}

void engine_answer(struct engine *e, const struct line_answer *answer,
		   const struct u2k_snapshot *snap, int64_t now_us)
{
	struct write *w = &e->run.write;
	int status = U2K_ETIMEOUT;

	/* a line that goes down no longer knows what the request was */
	if (!e->run.active || answer->sent_us != w->sent_us ||
	    (answer->result != LINE_DOWN && answer->request->shape.n != wire_address(w->base)))
		return;
	if (answer->result == LINE_ANSWER || answer->result == LINE_LATE)
		status = w->n == 1 ? pdu_get_write_single(answer->pdu, answer->len,
							  wire_address(w->base), w->values[0])
				   : pdu_get_write_multiple(answer->pdu, answer->len,
							    wire_address(w->base), w->n);
	if (w->state != WRITE_SENT && !(w->state == WRITE_UNSURE && status == 0))
		return;
	w->ended_us = now_us;
	w->exception = status > 0 ? status : 0;
	/* an exception names no register: it may be an earlier write's */
	if (status > 0 && now_us < e->unsure_until_us)
		status = U2K_ETIMEOUT;
	if (status == 0) {
		w->state = WRITE_ACKED;
	} else if ((status == EXC_BUSY || status == EXC_BUSY_HUAWEI) && ++w->busy < BUSY_TRIES) {
		w->state = WRITE_WANTED; /* busy: it did nothing; ask again */
		w->not_before_us = now_us + BUSY_RETRY_US;
		due_at(e, w->not_before_us);
		return;
	} else if (status > 0) {
		w->state = WRITE_REJECTED;
	} else {
		w->state = WRITE_UNSURE;
		e->unsure_until_us = w->sent_us + LATE_US;
	}
	engine_run(e, snap, now_us);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void step_fresh(struct engine *e, const struct step *step, const struct u2k_snapshot *snap,
		       int64_t now_us)
{
	int64_t passed = now_us - e->run.step_since_us;

	if (fresh(snap, step->needs, e->run.step_since_us) ||
	    (step->timeout_s && passed > (int64_t)step->timeout_s * U2K_SEC)) {
		run_next(e);
	} else if (passed > FRESH_US) {
		fail_step(e, "the UPS's state cannot be seen: it did not answer what the command "
			     "has to look at first");
	} else {
		need_again(e, missing(snap, step->needs, e->run.step_since_us), now_us);
		if (step->timeout_s)
			due_at(e, e->run.step_since_us + (int64_t)step->timeout_s * U2K_SEC + 1);
	}
}

static uint16_t step_value(const struct engine *e, const struct step *step, unsigned current)
{
	if (step->value == VALUE_TOGGLE)
		return current ? 0 : 1;
	if (step->value == VALUE_OWED && step->qty == U2K_QTY_AUTO_START)
		return e->journal.owed_auto_start ? e->journal.auto_start : (uint16_t)current;
	if (step->value == VALUE_OWED)
		return e->journal.owed_bypass ? e->journal.bypass : (uint16_t)current;
	return step->value;
}

static void set_done(struct engine *e, const struct step *step)
{
	if (!step->borrow &&
	    (step->qty == U2K_QTY_AUTO_START || step->qty == U2K_QTY_BYPASS_WHEN_OFF))
		journal_forgive(e, step->qty);
	e->run.write.state = WRITE_NONE;
	run_next(e);
}

static void step_set(struct engine *e, const struct step *step, const struct u2k_snapshot *snap,
		     int64_t now_us)
{
	struct write *w = &e->run.write;
	const struct u2k_value *current = &snap->qty[step->qty];
	unsigned raw = qty_raw(snap, step->qty);
	const char *name = step->base == 1044	? "automatic start (1044)"
			   : step->base == 1045 ? "bypass when off (1045)"
						: "the beeper (1046)";

	switch (w->state) {
	case WRITE_NONE:
		if (current->validity != U2K_VALID) {
			fail_step(e, "the setting cannot be read");
			return;
		}
		if (raw == step_value(e, step, raw)) {
			set_done(e, step);
			return;
		}
		run_progress(e, "setting %s to %u", name, step_value(e, step, raw));
		write_start(e, step->base, step_value(e, step, raw), now_us);
		return;
	case WRITE_WANTED:
	case WRITE_SENT:
		return;
	case WRITE_REJECTED:
		run_end(e, U2K_FAILED, 0, "the UPS refused to change %s (exception %d)", name,
			w->exception);
		return;
	case WRITE_ACKED:
	case WRITE_UNSURE:
		break;
	}
	if (current->validity == U2K_VALID && current->at_us >= w->sent_us && raw == w->values[0]) {
		set_done(e, step);
	} else if (current->validity == U2K_VALID &&
		   current->at_us >= w->ended_us + LOOK_AGAIN_US && w->state == WRITE_UNSURE &&
		   w->tries < WRITE_TRIES) {
		write_again(e, now_us); /* these may simply be repeated */
	} else if (current->validity == U2K_VALID && current->at_us >= w->ended_us + OLD_VALUE_US) {
		run_end(e, U2K_FAILED, 0,
			w->state == WRITE_ACKED
				? "the UPS acknowledged the change of %s but did not make it"
				: "the UPS did not answer the change of %s and did not make it",
			name);
	} else if (now_us - w->ended_us > READ_BACK_US) {
		run_end(e, U2K_FAILED, 0, "whether the UPS changed %s cannot be seen", name);
	} else {
		need_again(e, NEED_SETTINGS, now_us);
	}
}

static void step_fire(struct engine *e, const struct step *step, const struct u2k_snapshot *snap,
		      int64_t now_us)
{
	struct write *w = &e->run.write;

	switch (w->state) {
	case WRITE_NONE:
		e->run.startup_before = qty_raw(snap, U2K_QTY_STARTUP);
		e->run.startup_moved = e->run.startup_before != U2K_STARTUP_FAILED;
		if (step->base == 1050)
			switchoff_cancelling(e, snap, now_us);
		run_progress(e, "telling the UPS (register %u), then watching what it does",
			     step->base);
		write_start(e, step->base, 1, now_us);
		return;
	case WRITE_WANTED:
	case WRITE_SENT:
		return;
	case WRITE_REJECTED:
		if (step->base != 1050) {
			run_end(e, U2K_FAILED, 0, "the UPS refused the command (exception %d)",
				w->exception);
			return;
		}
		run_next(e); /* a cancel is tried again */
		return;
	case WRITE_ACKED:
	case WRITE_UNSURE: /* look first whether it happened */
		run_next(e);
		return;
	}
}

/* The alarms that are active, as a reason: " (alarm 14/1: Start-up timeout)". */
static const char *reason(const struct u2k_snapshot *snap, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < U2K_ALARM_COUNT && at < size; i++) {
		const struct u2k_alarm_desc *alarm = u2k_alarm_desc(i);

		if (snap->alarms.active >> i & 1)
			at += (size_t)snprintf(text + at, size - at, "%s%u/%u: %s",
					       at ? ", " : " (alarm ", alarm->id, alarm->cause,
					       alarm->name);
	}
	if (at && at + 1 < size)
		snprintf(text + at, size - at, ")");
	return text;
}

/* The effect went wrong for good: undo by the row's rescue, and say so. */
static void spoiled(struct engine *e, const struct step *step, const struct u2k_snapshot *snap,
		    int64_t now_us)
{
	char why[160];

	if (e->run.row && e->run.row->rescue) {
		run_progress(e, "the output went off instead: switching it on again");
		write_start(e, e->run.row->rescue, 1, now_us);
		e->run.rescued = true;
		e->run.step_since_us = now_us;
		return;
	}
	if (!fresh(snap, NEED_ALARMS, e->run.spoiled_us) &&
	    now_us - e->run.spoiled_us < REASON_US) {
		need_again(e, NEED_ALARMS, now_us);
		return;
	}
	run_end(e, U2K_FAILED, 0, "%s%s", step->text, reason(snap, why, sizeof(why)));
}

/* The output is to come on again, whatever it takes. */
static void rescue(struct engine *e, const struct step *step, const struct u2k_snapshot *snap,
		   int64_t now_us)
{
	struct write *w = &e->run.write;

	if (fresh(snap, NEED_STATUS, w->sent_us) && output_on(snap))
		run_end(e, U2K_FAILED, 0,
			"the output went off instead of to bypass and was switched on again");
	else if (now_us - e->run.step_since_us > RESCUE_US)
		run_end(e, U2K_FAILED, 0, "the output went off and did not come on again: %s",
			step->text);
	else if (w->state != WRITE_ACKED && now_us - w->ended_us >= RESCUE_AGAIN_US)
		write_again(e, now_us);
	else
		due_at(e, w->state == WRITE_ACKED ? e->run.step_since_us + RESCUE_US + 1
						  : w->ended_us + RESCUE_AGAIN_US);
}

static bool seen(struct engine *e, const struct step *step, const struct u2k_snapshot *snap)
{
	if (!step->cond(&e->run, snap)) {
		e->run.seen_us = 0;
		return false;
	}
	if (!step->twice)
		return true;
	if (!e->run.seen_us)
		e->run.seen_us = snap->status_at_us;
	return snap->status_at_us - e->run.seen_us >= TWICE_US;
}

/* Twice, half a second apart. */
static bool seen_spoiled(struct engine *e, const struct step *step, const struct u2k_snapshot *snap)
{
	if (!step->spoiled || !step->spoiled(&e->run, snap)) {
		e->run.spoiled_us = 0;
		return false;
	}
	if (!e->run.spoiled_us)
		e->run.spoiled_us = snap->status_at_us;
	return snap->status_at_us - e->run.spoiled_us >= TWICE_US;
}

/* Looked: it did not happen, and no answer came. All is read and judged anew, then done again. */
static void begin_again(struct engine *e, int64_t now_us)
{
	/* a stage that was chosen and of which nothing left has not run */
	if (e->run.token && e->run.token == e->pending.token && !e->run.maybe)
		e->pending.used &= ~(1u << e->pending.stage);
	e->run.write = (struct write){ 0 };
	e->run.step = 0;
	e->run.entered = false;
	due_at(e, now_us);
}

static void step_see(struct engine *e, const struct step *step, const struct u2k_snapshot *snap,
		     int64_t now_us)
{
	struct write *w = &e->run.write;
	const struct step *fire = &e->run.steps[e->run.step - 1];

	if (w->state == WRITE_WANTED || w->state == WRITE_SENT)
		return;
	if (e->run.rescued) {
		rescue(e, step, snap, now_us);
		return;
	}
	due_at(e, e->run.step_since_us + (int64_t)step->timeout_s * U2K_SEC + 1);
	if (fresh(snap, NEED_STATUS, w->sent_us)) {
		if (qty_raw(snap, U2K_QTY_STARTUP) != U2K_STARTUP_FAILED)
			e->run.startup_moved = true;
		if (seen(e, step, snap)) {
			w->state = WRITE_NONE;
			run_next(e);
			return;
		}
		if (seen_spoiled(e, step, snap)) {
			spoiled(e, step, snap, now_us);
			return;
		}
	}
	if (w->state == WRITE_UNSURE && fire->repeat && e->run.again + 1 < WRITE_TRIES &&
	    !e->run.spoiled_us && qty_raw(snap, U2K_QTY_STARTUP) != U2K_STARTUP_STARTING) {
		if (now_us - w->ended_us >= LOOK_US && fresh(snap, NEED_STATUS, w->ended_us)) {
			e->run.again++;
			begin_again(e, now_us);
			return;
		}
		due_at(e, w->ended_us + LOOK_US);
	}
	if (now_us - e->run.step_since_us > (int64_t)step->timeout_s * U2K_SEC)
		run_end(e, U2K_FAILED, 0, "%s%s", step->text,
			fresh(snap, NEED_STATUS, w->ended_us) ? "" : ", or it cannot be seen");
}

/* Done again after no answer came: perhaps the first one did it after all. */
static bool happened(struct engine *e, const struct u2k_snapshot *snap)
{
	unsigned see = e->run.step;

	if (!e->run.again)
		return false;
	while (e->run.steps[see].kind != STEP_SEE)
		if (e->run.steps[see++].kind == STEP_END)
			return false;
	if (!e->run.steps[see].cond(&e->run, snap))
		return false;
	e->run.step = see;
	run_next(e);
	return true;
}

/* One look at the current step. */
static void run_step(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	const struct step *step = &e->run.steps[e->run.step];

	if (!e->run.entered) {
		e->run.entered = true;
		e->run.step_since_us = now_us;
		e->run.asked_us = 0;
		e->run.substep = 0;
		e->run.seen_us = 0;
		e->run.spoiled_us = 0;
	}
	switch (step->kind) {
	case STEP_END:
		run_end(e, U2K_VERIFIED, 0, "%s", step->text);
		return;
	case STEP_FRESH:
		step_fresh(e, step, snap, now_us);
		return;
	case STEP_REQUIRE:
		if (step->cond(&e->run, snap))
			run_next(e);
		else if (!happened(e, snap))
			fail_step(e, step->text);
		return;
	case STEP_DONE_IF:
		if (step->cond(&e->run, snap))
			run_end(e, U2K_VERIFIED, 0, "%s", step->text);
		else
			run_next(e);
		return;
	case STEP_JOURNAL:
		step_journal(e, step, snap, now_us);
		return;
	case STEP_SET:
		step_set(e, step, snap, now_us);
		return;
	case STEP_FIRE:
		step_fire(e, step, snap, now_us);
		return;
	case STEP_SEE:
		step_see(e, step, snap, now_us);
		return;
	case STEP_ARM:
		step_arm(e, snap, now_us);
		return;
	case STEP_CANCEL:
		step_cancel(e, snap, now_us);
		return;
	case STEP_DISARM:
		step_disarm(e, snap, now_us);
		return;
	}
}

/* Nothing of the present write has left, and nothing before it that cannot be done again. */
static bool may_begin_again(const struct run *run)
{
	if (run->steps[run->step].kind == STEP_SEE || run->steps[run->step].kind == STEP_CANCEL ||
	    run->steps[run->step].kind == STEP_DISARM || run->maybe || run->rescued)
		return false;
	return run->write.state == WRITE_NONE ||
	       (run->write.state == WRITE_WANTED && !run->write.tries);
}

/*
 * The gate closed meanwhile: nothing leaves until it is open again, and what was looked at before is
 * looked at anew. Returns true if the run ended.
 */
static bool gate_lost(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct run *run = &e->run;

	if (snap->gate == U2K_GATE_OPEN) {
		if (run->gate_closed && may_begin_again(run) && ++run->reopened > REOPENED_MAX) {
			fail_step(e, "contact with the UPS was lost again and again");
			return true;
		}
		if (run->gate_closed && may_begin_again(run))
			begin_again(e, now_us);
		run->gate_closed = false;
		return false;
	}
	if (!run->gate_closed) {
		run->gate_closed = true;
		run->closed_us = now_us;
	}
	if (run->write.state != WRITE_WANTED)
		return false;
	if (now_us - run->closed_us <= (run->rescued ? RESCUE_US : GATE_US)) {
		due_at(e, run->closed_us + (run->rescued ? RESCUE_US : GATE_US) + 1);
		return false;
	}
	if (run->steps[run->step].kind != STEP_ARM || !switchoff_leave(e, now_us))
		run_end(e, U2K_REFUSED, U2K_EREFUSED, "%s%s",
			run->wrote ? "stopped half-way: " : "", u2k_gate_text(snap->gate));
	return true;
}

/* Timers that run in the device, whoever started them. */
static void watch_timers(struct engine *e, const struct u2k_snapshot *snap)
{
	static const enum u2k_qty timers[] = { U2K_QTY_RESTART_OFF, U2K_QTY_OFF_TIMER };

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		const struct u2k_value *value = &snap->qty[timers[i]];

		if (value->validity != U2K_VALID)
			continue;
		if (value->value > e->timers[i].value)
			e->timers[i].until_us =
				value->at_us + (int64_t)value->value * U2K_SEC + TIMER_OVERDUE_US;
		else if (value->value <= 0)
			e->timers[i].until_us = 0;
		e->timers[i].value = value->value;
	}
}

static void start_next(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct queued next;
	bool allowed;

	while (!e->run.active && e->n_queued) {
		next = e->queue[0];
		/* identifying takes a moment after the start and after each reconnect */
		if (snap->gate == U2K_GATE_NOT_IDENTIFIED && now_us - next.made_us < IDENTIFY_US) {
			due_at(e, next.made_us + IDENTIFY_US);
			return;
		}
		memmove(&e->queue[0], &e->queue[1], --e->n_queued * sizeof(next));
		run_start(e, &next);
		if (snap->gate != U2K_GATE_OPEN) {
			run_end(e, U2K_REFUSED, U2K_EREFUSED, "%s", u2k_gate_text(snap->gate));
			continue;
		}
		/* what was accepted before a switch-off was armed may not be now */
		allowed = next.row
				  ? next.row->while_pending
				  : next.steps == steps_beeper_on || next.steps == steps_beeper_off;
		if (switchoff_pending(e) && !allowed)
			run_end(e, U2K_REFUSED, U2K_EREFUSED,
				"a switch-off is pending (%s); shutdown.stop cancels it",
				e->pending.name);
	}
}

void engine_run(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	unsigned turns = TURNS_MAX, step, serial;

	if (e->running) { /* from within done() or progress(): the turn under way goes on */
		e->due_us = 0;
		return;
	}
	e->running = true;
	e->due_us = INT64_MAX;
	watch_timers(e, snap);
	do { /* as many steps as need no waiting */
		switchoff_run(e, snap, now_us);
		journal_judge(e, snap, now_us);
		start_next(e, snap, now_us);
		journal_give_back(e, snap, now_us);
		if (!e->run.active)
			break;
		step = e->run.step;
		serial = e->run.serial;
		if (!gate_lost(e, snap, now_us))
			run_step(e, snap, now_us);
	} while (--turns && (!e->run.active || e->run.step != step || e->run.serial != serial));
	if (!turns)
		due_at(e, now_us + READ_AGAIN_US);
	if (e->run.active && e->run.write.state == WRITE_WANTED && snap->gate == U2K_GATE_OPEN)
		due_at(e, e->run.write.not_before_us);
	e->running = false;
}

int64_t engine_due(const struct engine *e)
{
	return e->due_us;
}

/* --- life -------------------------------------------------------------------------------------- */

struct engine *engine_new(const struct engine_config *config, const struct engine_ops *ops,
			  void *user)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->ops = ops;
	e->user = user;
	e->unit_id = config->unit_id;
	e->delays = config->delays;
	e->due_us = INT64_MAX;
	return e;
}

void engine_free(struct engine *e)
{
	free(e);
}

bool engine_pending(const struct engine *e, int64_t now_us, int64_t *due_in_s)
{
	if (!switchoff_pending(e))
		return false;
	*due_in_s = e->pending.due_us > now_us ? (e->pending.due_us - now_us) / U2K_SEC : 0;
	return true;
}

void engine_set_delays(struct engine *e, const struct engine_delays *delays)
{
	e->delays = *delays;
}

const struct engine_delays *engine_delays(const struct engine *e)
{
	return &e->delays;
}
