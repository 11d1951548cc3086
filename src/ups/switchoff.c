/*
 * The timed switch-off: docs/control.md, "Timed switch-off".
 *
 * A stage is one way to make the device do it. The stages of a return are the pair 1047/1048 in one
 * frame, the same pair register by register, and, only while the mains are out, 1049 with automatic
 * start. Each runs once; the next one only after the output was still on 12 s past the due time, and
 * none switches off earlier than was asked.
 */
#include <stdio.h>
#include <string.h>

#include "ups/engine_impl.h"
#include <ups2000/error.h>

enum {
	READ_BACK_US = 3500000, /* a dialect shows the old value for up to 3 s */
	UNREADABLE_US = 10000000,
	LOOK_AGAIN_US = 1000000, /* before an unanswered timer is written once more */
	WRITE_TRIES = 3,
	EARLY_US = 4000000, /* off so long before its time: that was something else */
	BLIND_US = 4000000,
	GATE_WAIT_US = 60000000,
	CANCEL_AGAIN_US = 2000000,
	CANCEL_TRIES = 8,
	QUIET_CANCEL_US = 20000000,
	SHORTEST_S = 6,
};

enum { ARM_CHOOSE, ARM_PAIR, ARM_FIRST, ARM_SECOND, ARM_READ_BACK, ARM_TIMER, ARM_OFF };

bool is_switchoff(const struct command_row *row, enum off_kind *kind)
{
	static const struct {
		const char *name;
		enum off_kind kind;
	} rows[] = {
		{ "shutdown.return", OFF_RETURN },
		{ "shutdown.default", OFF_RETURN },
		{ "shutdown.reboot", OFF_REBOOT },
		{ "shutdown.stayoff", OFF_STAY },
		{ "shutdown.reboot.graceful", OFF_GRACEFUL },
	};

	for (size_t i = 0; row && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(row->name, rows[i].name) == 0) {
			*kind = rows[i].kind;
			return true;
		}
	return false;
}

bool switchoff_pending(const struct engine *e)
{
	return e->pending.active || (e->run.active && e->run.steps == steps_next_stage);
}

void switchoff_forget(struct engine *e)
{
	e->pending = (struct pending){ 0 };
	if (e->journal.pending) {
		e->journal.pending = false;
		journal_save(e);
	}
}

/* The cancels that waited to see what comes of it. */
static void end_stops(struct engine *e, enum u2k_outcome outcome, const char *text)
{
	uint64_t stops[STOPS_MAX];
	unsigned n = e->pending.n_stops;

	memcpy(stops, e->pending.stops, sizeof(stops));
	e->pending.n_stops = 0;
	for (unsigned i = 0; i < n; i++)
		e->ops->done(e->user, stops[i], outcome, 0, text);
}

/* The order behind the switch-off ends; its run, if it has one at present, ends with it. */
static void end_pending(struct engine *e, enum u2k_outcome outcome, const char *text)
{
	uint64_t token = e->pending.token;

	end_stops(e, U2K_FAILED, "whether the switch-off was cancelled cannot be seen");
	if (e->run.active && e->run.steps == steps_next_stage)
		e->run = (struct run){ 0 };
	switchoff_forget(e);
	e->due_us = 0;
	if (token)
		e->ops->done(e->user, token, outcome, 0, text);
}

void switchoff_quiet_cancel(struct engine *e)
{
	const struct queued order = { .steps = steps_quiet_cancel, .name = "cancel" };

	run_start(e, &order);
}

static unsigned round_up(unsigned value, unsigned step, unsigned most)
{
	unsigned n = (value + step - 1) / step;

	return n < 1 ? step : n > most ? most * step : n * step;
}

/* What is pending must be known on disk before the first write. */
static void note_pending(struct engine *e)
{
	const struct pending *p = &e->pending;

	e->journal.pending = true;
	e->journal.pending_kind = (uint8_t)p->kind;
	e->journal.pending_stage = (uint8_t)p->stage;
	e->journal.pending_due_us = p->due_us;
	e->journal.pending_delay_s = p->delay_s;
	e->journal.pending_on_s = p->on_s;
}

void switchoff_begin(struct engine *e, int64_t now_us)
{
	enum off_kind kind = OFF_RETURN;
	unsigned delay = e->delays.shutdown_s;

	if (e->pending.token == e->run.token)
		return; /* begins again */
	is_switchoff(e->run.row, &kind);
	if (kind == OFF_REBOOT)
		delay = SHORTEST_S;
	else if (kind == OFF_GRACEFUL)
		delay = e->delays.reboot_s;
	if (e->run.delay_s)
		delay = e->run.delay_s;
	e->pending = (struct pending){
		.token = e->run.token,
		.name = e->run.row->name,
		.kind = kind,
		.delay_s = round_up(delay, 6, 990),
		.on_s = round_up(e->delays.start_s, 60, 9999),
	};
	/* arming may take a while; on disk the time is only there to be past */
	e->pending.due_us = now_us + (int64_t)e->pending.delay_s * U2K_SEC + GATE_WAIT_US;
	note_pending(e);
}

/* 1044 must be as this kind of switch-off wants it, read anew: else no stage is safe. */
static bool auto_start_right(const struct engine *e, const struct u2k_snapshot *snap)
{
	return qty_raw(snap, U2K_QTY_AUTO_START) == (e->pending.kind != OFF_STAY);
}

static bool usable(const struct engine *e, enum engine_stage stage, const struct u2k_snapshot *snap)
{
	if (e->pending.used & 1u << stage || !auto_start_right(e, snap))
		return false;
	switch (stage) {
	case STAGE_PAIR:
	case STAGE_SINGLES:
		return e->pending.kind != OFF_STAY;
	case STAGE_OFF_TIMER: /* with the mains present the load might never come back */
		return e->pending.kind == OFF_STAY || mains_lost(snap);
	case STAGE_POWER_OFF:
		return e->pending.kind == OFF_STAY;
	case STAGE_UNKNOWN:
		break;
	}
	return false;
}

const char *switchoff_objects(const struct engine *e, const struct u2k_snapshot *snap)
{
	if (!auto_start_right(e, snap))
		return "automatic start (1044) is not as it was set";
	if (e->pending.stage == STAGE_OFF_TIMER && e->pending.kind != OFF_STAY && !mains_lost(snap))
		return "the mains returned, and the UPS does not take a switch-off with return; the "
		       "output stays on";
	return NULL;
}

static enum engine_stage choose(const struct engine *e, const struct u2k_snapshot *snap)
{
	static const enum engine_stage order[] = { STAGE_PAIR, STAGE_SINGLES, STAGE_OFF_TIMER,
						   STAGE_POWER_OFF };

	if (e->journal.proven != STAGE_UNKNOWN && strcmp(e->journal.esn, snap->identity.esn) == 0 &&
	    usable(e, e->journal.proven, snap))
		return e->journal.proven;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (usable(e, order[i], snap))
			return order[i];
	return STAGE_UNKNOWN;
}

/* --- arming ------------------------------------------------------------------------------------- */

/* The run ends here; the order waits beside others. */
static void leave_run(struct engine *e)
{
	note_pending(e);
	if (e->saving != JOURNAL_FAILED)
		journal_save(e);
	e->run = (struct run){ 0 };
	e->due_us = 0;
}

/* From here on the device counts, or may count. */
static void armed(struct engine *e, bool shown, int64_t now_us)
{
	struct pending *p = &e->pending;

	p->active = true;
	p->waiting = false;
	p->shown = shown;
	p->blind = false;
	p->announced_s = p->delay_s;
	run_progress(e, "armed, due in %lld s",
		     (long long)(p->due_us > now_us ? (p->due_us - now_us) / U2K_SEC : 0));
	leave_run(e);
}

bool switchoff_leave(struct engine *e, int64_t now_us)
{
	if (!e->run.maybe)
		return false;
	armed(e, false, now_us);
	return true;
}

/* A stage that works only on the spot waits until the time that was asked for has come. */
static bool wait_for_time(struct engine *e, enum engine_stage stage, int64_t now_us)
{
	struct pending *p = &e->pending;
	int64_t from = p->wanted_us;

	if (stage == STAGE_OFF_TIMER && p->kind != OFF_STAY)
		from -= SHORTEST_S * U2K_SEC;
	else if (stage != STAGE_POWER_OFF)
		return false;
	if (now_us >= from)
		return false;
	p->active = true;
	p->waiting = true;
	p->stage = STAGE_UNKNOWN;
	p->due_us = from;
	p->announced_s = 0;
	run_progress(e, "the UPS does not take the timed switch-off; another way follows in %lld s",
		     (long long)((from - now_us) / U2K_SEC));
	leave_run(e);
	return true;
}

static unsigned remaining_s(const struct pending *p, int64_t now_us)
{
	int64_t left = p->wanted_us - now_us;

	return left <= SHORTEST_S * U2K_SEC
		       ? SHORTEST_S
		       : round_up((unsigned)((left + U2K_SEC - 1) / U2K_SEC), 6, 990);
}

static void start_stage(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;
	enum engine_stage stage = choose(e, snap);
	bool first = !p->wanted_us;

	if (first)
		p->wanted_us = now_us + (int64_t)p->delay_s * U2K_SEC;
	/* what was not rejected may count: first see whether it switches off */
	if (stage != STAGE_PAIR && stage != STAGE_SINGLES && switchoff_leave(e, now_us))
		return;
	if (wait_for_time(e, stage, now_us))
		return;
	if (!first)
		p->delay_s = remaining_s(p, now_us);
	p->stage = stage;
	p->used |= 1u << stage;
	p->shown = false;
	e->run.first_taken = false;
	switch (stage) {
	case STAGE_PAIR:
		write_start_pair(e, 1047, (uint16_t)(p->delay_s / 6), (uint16_t)(p->on_s / 60),
				 now_us);
		e->run.substep = ARM_PAIR;
		return;
	case STAGE_SINGLES:
		write_start(e, 1047, (uint16_t)(p->delay_s / 6), now_us);
		e->run.substep = ARM_FIRST;
		return;
	case STAGE_OFF_TIMER:
		write_start(e, 1049, (uint16_t)(p->delay_s / 6), now_us);
		e->run.substep = ARM_TIMER;
		return;
	case STAGE_POWER_OFF:
		p->delay_s = 0;
		write_start(e, 1030, 1, now_us);
		e->run.substep = ARM_OFF;
		return;
	case STAGE_UNKNOWN:
		break;
	}
	run_end(e, U2K_FAILED, 0, "%s",
		p->kind == OFF_STAY ? "the UPS did not switch off, whichever way it was told"
		: !mains_lost(snap)
			? "the UPS does not take the switch-off with return, and switching it off otherwise "
			  "while the mains are present might leave the load off"
			: "the UPS did not take the switch-off, whichever way it was told");
}

static bool within(const struct u2k_snapshot *snap, enum u2k_qty qty, unsigned most,
		   int64_t since_us)
{
	const struct u2k_value *value = &snap->qty[qty];

	return value->validity == U2K_VALID && value->at_us >= since_us && value->value > 0 &&
	       value->value <= most;
}

static bool timers_shown(const struct engine *e, const struct u2k_snapshot *snap)
{
	const struct pending *p = &e->pending;
	int64_t since = e->run.write.sent_us;

	if (p->stage == STAGE_OFF_TIMER)
		return within(snap, U2K_QTY_OFF_TIMER, p->delay_s, since);
	return within(snap, U2K_QTY_RESTART_OFF, p->delay_s, since) &&
	       within(snap, U2K_QTY_RESTART_ON, p->on_s, since);
}

/* The register that was written last reads zero, in a read at least that long after it. */
static bool reads_zero(const struct engine *e, const struct u2k_snapshot *snap, int64_t after_us)
{
	uint16_t base = e->run.write.base;
	const struct u2k_value *value = &snap->qty[base == 1047	  ? U2K_QTY_RESTART_OFF
						   : base == 1048 ? U2K_QTY_RESTART_ON
								  : U2K_QTY_OFF_TIMER];

	return value->validity == U2K_VALID && value->at_us >= e->run.write.ended_us + after_us &&
	       value->value <= 0;
}

/* An unanswered write that reads back as not done is repeated. True: there is nothing else to do. */
static bool repeat_unsure(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	const struct write *w = &e->run.write;

	if (w->state != WRITE_UNSURE || w->tries >= WRITE_TRIES ||
	    !reads_zero(e, snap, LOOK_AGAIN_US))
		return false;
	e->run.substep = w->base == 1047 && w->n == 1 ? ARM_FIRST
			 : w->base == 1048	      ? ARM_SECOND
			 : w->base == 1049	      ? ARM_TIMER
						      : ARM_READ_BACK;
	if (e->run.substep == ARM_READ_BACK) /* the pair: the single registers do the same */
		return false;
	write_again(e, now_us);
	return true;
}

static void read_back(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;
	struct write *w = &e->run.write;

	if (timers_shown(e, snap)) {
		armed(e, true, now_us);
	} else if (repeat_unsure(e, snap, now_us)) {
		return;
	} else if (!fresh(snap, NEED_TIMERS, w->ended_us + READ_BACK_US) &&
		   now_us - w->ended_us < UNREADABLE_US) {
		need_again(e, NEED_TIMERS, now_us);
	} else if (p->stage == STAGE_PAIR && !(p->used & 1u << STAGE_SINGLES)) {
		e->run.substep = ARM_CHOOSE; /* a mismatch: the other form at once */
		due_at(e, now_us);
	} else {
		armed(e, false, now_us); /* acknowledged, not shown: only time can tell */
	}
}

static bool write_ended(const struct write *w)
{
	return w->state == WRITE_ACKED || w->state == WRITE_UNSURE || w->state == WRITE_REJECTED;
}

/*
 * The second of the single registers must not be written while the first may hold 0: there may be
 * units that take that for "at once".
 */
static void first_written(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;
	struct write *w = &e->run.write;

	if (w->state == WRITE_REJECTED) {
		e->run.substep = ARM_CHOOSE;
		due_at(e, now_us);
	} else if (w->state == WRITE_ACKED ||
		   within(snap, U2K_QTY_RESTART_OFF, p->delay_s, w->sent_us)) {
		write_start(e, 1048, (uint16_t)(p->on_s / 60), now_us);
		e->run.substep = ARM_SECOND;
	} else if (!repeat_unsure(e, snap, now_us)) {
		if (now_us - w->ended_us > UNREADABLE_US ||
		    fresh(snap, NEED_TIMERS, w->ended_us + READ_BACK_US))
			armed(e, false, now_us);
		else
			need_again(e, NEED_TIMERS, now_us);
	}
}

/* The write that just ended may have armed the device. */
static void note_write(struct engine *e)
{
	struct pending *p = &e->pending;
	const struct write *w = &e->run.write;
	int64_t due = w->sent_us + (int64_t)p->delay_s * U2K_SEC;

	if (w->state == WRITE_REJECTED)
		return;
	if (!e->run.maybe || due > p->due_us)
		p->due_us = due;
	e->run.maybe = true;
	if (!p->armed_us)
		p->armed_us = w->sent_us;
}

void step_arm(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;
	struct write *w = &e->run.write;

	if (e->run.substep == ARM_CHOOSE) {
		start_stage(e, snap, now_us);
		return;
	}
	if (!write_ended(w))
		return;
	note_write(e);
	if (e->run.maybe && output_off(snap) && fresh(snap, NEED_STATUS, p->armed_us + 1)) {
		armed(e, true, now_us); /* it has happened */
		return;
	}

	switch (e->run.substep) {
	case ARM_PAIR:
		/* no answer or an exception: the single registers at once */
		e->run.substep = w->state == WRITE_ACKED || (w->state == WRITE_UNSURE &&
							     p->used & 1u << STAGE_SINGLES)
					 ? ARM_READ_BACK
					 : ARM_CHOOSE;
		break;
	case ARM_FIRST:
		first_written(e, snap, now_us);
		return;
	case ARM_SECOND:
		e->run.substep = ARM_READ_BACK; /* the first may have armed it by itself */
		break;
	case ARM_TIMER:
		e->run.substep = w->state == WRITE_REJECTED ? ARM_CHOOSE : ARM_READ_BACK;
		break;
	case ARM_OFF:
		if (w->state == WRITE_REJECTED) {
			e->run.substep = ARM_CHOOSE;
			break;
		}
		if (w->state == WRITE_UNSURE && ++p->powered_off < WRITE_TRIES)
			p->used &= ~(1u << STAGE_POWER_OFF); /* looked first, then once more */
		armed(e, false, now_us);
		return;
	case ARM_READ_BACK:
		read_back(e, snap, now_us);
		return;
	default:
		break;
	}
	due_at(e, now_us);
}

static const enum u2k_qty all_timers[] = { U2K_QTY_RESTART_OFF, U2K_QTY_RESTART_ON,
					   U2K_QTY_OFF_TIMER };

/* The status must not be older than the timers: one that fired reads zero, too. */
static bool timers_clear(const struct u2k_snapshot *snap, int64_t since_us)
{
	for (size_t i = 0; i < sizeof(all_timers) / sizeof(all_timers[0]); i++) {
		const struct u2k_value *value = &snap->qty[all_timers[i]];

		if (value->validity != U2K_VALID || value->at_us < since_us || value->value != 0 ||
		    snap->qty[U2K_QTY_OUTPUT_SOURCE].at_us < value->at_us)
			return false;
	}
	return true;
}

/* --- while armed -------------------------------------------------------------------------------- */

static void announce(struct engine *e, int64_t now_us)
{
	static const int steps[] = { 3600, 1800, 600, 300, 120, 60, 30, 10, 0 };
	struct pending *p = &e->pending;
	int64_t left = (p->due_us - now_us + U2K_SEC - 1) / U2K_SEC;
	char text[ENGINE_TEXT_MAX];

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t at = p->due_us - steps[i] * U2K_SEC;

		if (steps[i] >= p->announced_s)
			continue;
		if (at > now_us) {
			due_at(e, at);
			return;
		}
		if (left > steps[i])
			continue;
		p->announced_s = steps[i];
		if (left > 0 && p->token) {
			snprintf(text, sizeof(text), "armed, due in %lld s", (long long)left);
			e->ops->progress(e->user, p->token, text);
		}
	}
}

static void next_stage(struct engine *e)
{
	const struct queued order = { .token = e->pending.token,
				      .steps = steps_next_stage,
				      .name = e->pending.name };

	e->pending.active = false;
	run_start(e, &order);
	e->run.wrote = true; /* whatever comes of it, the order has written before */
	run_progress(e, e->pending.waiting ? "the time has come: trying another way"
					   : "the output did not go off: trying another way");
}

/* It ends without having switched off: whatever still counts must not fire later. */
static void give_up(struct engine *e, const struct u2k_snapshot *snap, const char *text)
{
	bool ours = strcmp(e->journal.esn, snap->identity.esn) == 0;

	end_pending(e, U2K_FAILED, text);
	if (ours && !e->run.active)
		switchoff_quiet_cancel(e);
}

/* Still on although it was due: the next stage, or the end. */
static void overdue(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;

	if (e->run.active) {
		return; /* its turn comes when that has ended */
	} else if (p->cancelled && now_us - snap->status_at_us > BLIND_US) {
		end_stops(e, U2K_FAILED, "whether the switch-off was cancelled cannot be seen");
		end_pending(e, U2K_FAILED, "cancelled, and the UPS can no longer be seen");
	} else if (p->cancelled) {
		end_stops(e, U2K_VERIFIED, "the switch-off did not happen");
		end_pending(e, U2K_FAILED, "cancelled; it did not happen");
	} else if (snap->gate != U2K_GATE_OPEN) {
		if (now_us - p->due_us < GATE_WAIT_US)
			due_at(e, p->due_us + GATE_WAIT_US);
		else
			end_pending(e, U2K_FAILED,
				    "the output did not go off, and the UPS can no longer be "
				    "commanded");
	} else if (p->blind) {
		give_up(e, snap,
			"the UPS was out of contact when it was to switch off; the output is on, and it "
			"is not told again");
	} else if (p->mains_cancel) {
		give_up(e, snap,
			"the mains returned, and the UPS does not take a switch-off with return; the "
			"output stays on");
	} else if (!p->token) {
		give_up(e, snap, "");
	} else {
		next_stage(e);
	}
}

/* Off before its time, by something else: the timer goes on counting in the device. */
static void went_off_early(struct engine *e)
{
	struct pending *p = &e->pending;
	uint64_t token = p->token;

	if (e->run.active && e->run.steps == steps_next_stage)
		e->run = (struct run){ 0 };
	p->active = true;
	p->early = true;
	p->token = 0;
	e->due_us = 0;
	if (token)
		e->ops->done(e->user, token, U2K_VERIFIED, 0,
			     "the output went off, before its time");
}

static void went_off(struct engine *e, const struct u2k_snapshot *snap)
{
	struct pending *p = &e->pending;
	bool risky = p->stage == STAGE_OFF_TIMER && !mains_lost(snap) &&
		     !(qty_raw(snap, U2K_QTY_STATUS_BITS) & U2K_BIT_MAINS_ABNORMAL);

	end_stops(e, U2K_FAILED, "the output went off all the same");
	if (snap->qty[U2K_QTY_OUTPUT_SOURCE].at_us < p->due_us - EARLY_US) {
		went_off_early(e);
		return;
	}
	if (p->stage == STAGE_PAIR || p->stage == STAGE_SINGLES) {
		journal_adopt(e, snap);
		e->journal.proven = p->stage;
	}
	end_pending(
		e, U2K_VERIFIED,
		p->kind == OFF_STAY ? "the output went off"
		: risky ? "the output went off; the mains are present, and it may need load.on to come back"
			: "the output went off; it comes back with the mains");
}

/* It went off early: should it come on again before the timer is over, the timer must not fire. */
static void watch_early(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;

	if (now_us >= p->due_us + TIMER_OVERDUE_US) {
		end_pending(e, U2K_VERIFIED, "");
	} else if (output_on(snap) && !e->run.active && snap->gate == U2K_GATE_OPEN) {
		end_pending(e, U2K_VERIFIED, "");
		switchoff_quiet_cancel(e);
	} else {
		due_at(e, p->due_us + TIMER_OVERDUE_US);
	}
}

/* Out of contact when it mattered? */
static void watch_contact(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;

	if (p->waiting || p->blind || now_us <= p->due_us - BLIND_US)
		return;
	if (now_us - snap->status_at_us > BLIND_US)
		p->blind = true;
	else
		due_at(e, snap->status_at_us + BLIND_US + 1);
}

/* The last stage of a return must not fire once the mains are back. */
static void watch_mains(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;

	if (p->waiting || p->stage != STAGE_OFF_TIMER || p->kind == OFF_STAY || e->run.active ||
	    snap->qty[U2K_QTY_OUTPUT_SOURCE].at_us <= p->armed_us || mains_lost(snap) ||
	    !output_on(snap))
		return;
	if (p->cancel_us && now_us < p->cancel_us + CANCEL_AGAIN_US) {
		due_at(e, p->cancel_us + CANCEL_AGAIN_US);
		return;
	}
	p->mains_cancel = true;
	p->cancel_us = now_us;
	switchoff_quiet_cancel(e);
}

void switchoff_run(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct pending *p = &e->pending;
	const struct u2k_value *source = &snap->qty[U2K_QTY_OUTPUT_SOURCE];

	if (!switchoff_pending(e))
		return;
	if (p->early) {
		watch_early(e, snap, now_us);
		return;
	}
	if (p->armed_us && source->validity == U2K_VALID && source->at_us > p->armed_us &&
	    output_off(snap)) {
		went_off(e, snap);
		return;
	}
	if (!p->active)
		return;
	if (p->waiting) {
		if (now_us < p->due_us)
			due_at(e, p->due_us);
		else if (!e->run.active)
			next_stage(e);
		return;
	}
	if (p->n_stops && p->shown && timers_clear(snap, p->cancelled_us)) {
		end_stops(e, U2K_VERIFIED, "the pending switch-off was cancelled");
		end_pending(e, U2K_FAILED, "cancelled by shutdown.stop");
		return;
	}
	watch_contact(e, snap, now_us);
	if (!p->cancelled) {
		watch_mains(e, snap, now_us);
		announce(e, now_us);
	}
	if (now_us < p->due_us + TIMER_OVERDUE_US)
		due_at(e, p->due_us + TIMER_OVERDUE_US);
	else if (now_us - snap->status_at_us > BLIND_US && now_us - p->due_us < GATE_WAIT_US)
		due_at(e, p->due_us + GATE_WAIT_US); /* judge when it is heard again */
	else
		overdue(e, snap, now_us);
}

/* --- cancelling ----------------------------------------------------------------------------------- */

/* An order that is just being armed makes room: what it wrote may count already. */
void switchoff_yield(struct engine *e, int64_t now_us)
{
	enum off_kind kind;

	if (!e->run.active ||
	    !(is_switchoff(e->run.row, &kind) || e->run.steps == steps_next_stage))
		return;
	if (e->run.write.state == WRITE_SENT && e->run.steps[e->run.step].kind == STEP_ARM) {
		e->run.write.state = WRITE_UNSURE;
		note_write(e);
	}
	if (!switchoff_leave(e, now_us))
		run_end(e, U2K_REFUSED, U2K_EREFUSED, "cancelled by shutdown.stop");
}

/* The first byte of a cancel is about to leave: no stage follows any more. */
void switchoff_cancelling(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	static const enum u2k_qty timers[] = { U2K_QTY_RESTART_OFF, U2K_QTY_OFF_TIMER };

	e->run.off_before = output_off(snap);
	if (e->run.row && e->pending.active)
		e->pending.cancelled = true;
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		const struct u2k_value *value = &snap->qty[timers[i]];
		int64_t due = now_us + (int64_t)value->value * U2K_SEC;

		if (value->validity != U2K_VALID || value->value <= 0)
			continue;
		e->run.timers_before = true;
		if (due > e->run.foreign_due_us)
			e->run.foreign_due_us = due;
	}
}

bool switchoff_timers_set(const struct u2k_snapshot *snap)
{
	for (size_t i = 0; i < sizeof(all_timers) / sizeof(all_timers[0]); i++)
		if (snap->qty[all_timers[i]].validity == U2K_VALID &&
		    snap->qty[all_timers[i]].value > 0)
			return true;
	return false;
}

static const char *canceller(const struct engine *e)
{
	return e->run.row ? e->run.row->name : "";
}

static void cancelled(struct engine *e, const char *text)
{
	char why[ENGINE_TEXT_MAX];

	end_stops(e, U2K_VERIFIED, text);
	if (e->pending.active && e->run.row) {
		snprintf(why, sizeof(why), "cancelled by %s", canceller(e));
		end_pending(e, U2K_FAILED, why);
	} else if (e->pending.active && e->pending.mains_cancel) {
		end_pending(
			e, U2K_FAILED,
			"the mains returned, and the UPS does not take a switch-off with return; the "
			"output stays on");
	}
	run_end(e, U2K_VERIFIED, 0, "%s", text);
}

/* Once more, while it can still do good. True: it will be. */
static bool cancel_again(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct write *w = &e->run.write;

	if (w->state == WRITE_WANTED || w->state == WRITE_SENT)
		return true;
	if (w->tries >= CANCEL_TRIES || output_off(snap) ||
	    (w->state == WRITE_ACKED && !switchoff_timers_set(snap)))
		return false;
	if (now_us < w->ended_us + CANCEL_AGAIN_US)
		due_at(e, w->ended_us + CANCEL_AGAIN_US);
	else
		write_again(e, now_us);
	return w->state == WRITE_WANTED;
}

/* Others need not wait for what only time can tell. False: there is no more room for it. */
static bool park(struct engine *e, int64_t due_us, int64_t now_us)
{
	struct pending *p = &e->pending;

	if (p->n_stops == STOPS_MAX)
		return false;
	if (!p->active)
		*p = (struct pending){
			.active = true,
			.name = "by someone else",
			.stage = STAGE_UNKNOWN,
			.armed_us = now_us,
			.due_us = due_us,
			.shown = true,
			.cancelled = true,
		};
	if (!p->n_stops)
		p->cancelled_us = e->run.write.ended_us;
	p->stops[p->n_stops++] = e->run.token;
	run_progress(e, "whether it is cancelled is seen in %lld s at the latest",
		     (long long)((due_us + TIMER_OVERDUE_US - now_us) / U2K_SEC));
	e->run = (struct run){ 0 };
	e->due_us = 0;
	return true;
}

void step_cancel(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct write *w = &e->run.write;
	const struct pending *p = &e->pending;
	bool shown = e->run.timers_before || (p->active && p->shown);
	int64_t due = p->active ? p->due_us : e->run.foreign_due_us;
	bool taken = w->state == WRITE_ACKED;

	if (output_off(snap) && !e->run.off_before && fresh(snap, NEED_STATUS, w->sent_us)) {
		run_end(e, U2K_FAILED, 0, "the output went off all the same");
	} else if (timers_clear(snap, w->ended_us) && (shown || (!due && taken))) {
		cancelled(e, e->run.off_before
				     ? "nothing counts any more; the output was off already"
			     : shown ? "the pending switch-off was cancelled"
				     : "no switch-off was pending");
	} else if (now_us - e->run.step_since_us > QUIET_CANCEL_US &&
		   (!e->run.token || (due && now_us < due + TIMER_OVERDUE_US))) {
		if (!e->run.token || !park(e, due, now_us))
			run_end(e, U2K_FAILED, 0, "whether it was cancelled cannot be seen");
	} else if (due && now_us > due + TIMER_OVERDUE_US &&
		   fresh(snap, NEED_STATUS, due + TIMER_OVERDUE_US)) {
		cancelled(e, "the switch-off did not happen");
	} else if (!due && w->state == WRITE_REJECTED && w->tries >= CANCEL_TRIES) {
		run_end(e, U2K_FAILED, 0, "the UPS refused the command (exception %d)",
			w->exception);
	} else if (due ? now_us > due + GATE_WAIT_US
		       : now_us - e->run.step_since_us > 2 * QUIET_CANCEL_US) {
		if (p->active && e->run.row)
			end_pending(
				e, U2K_FAILED,
				"cancelled by shutdown.stop, and the UPS can no longer be seen");
		run_end(e, U2K_FAILED, 0, "whether the switch-off was cancelled cannot be seen");
	} else if (!cancel_again(e, snap, now_us)) {
		need_again(e, NEED_TIMERS | NEED_STATUS, now_us);
	}
}

/* Before load.off: what is armed would switch on again later, or off once more. */
void step_disarm(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	struct write *w = &e->run.write;

	if (!e->pending.active) {
		w->state = WRITE_NONE;
		run_next(e);
	} else if (w->state == WRITE_NONE) {
		switchoff_cancelling(e, snap, now_us);
		write_start(e, 1050, 1, now_us);
	} else if (!write_ended(w)) {
		return;
	} else if (timers_clear(snap, w->ended_us) && !output_off(snap)) {
		end_stops(e, U2K_VERIFIED, "the pending switch-off was cancelled");
		end_pending(e, U2K_FAILED, "cancelled by load.off");
		due_at(e, now_us);
	} else if (now_us - w->ended_us > READ_BACK_US) {
		w->state = WRITE_NONE; /* it goes off in any case; the pending one sees it */
		run_next(e);
	} else {
		need_again(e, NEED_TIMERS, now_us);
		due_at(e, w->ended_us + READ_BACK_US + 1);
	}
}
