/* What the engine owes: kept before the first write, judged after a restart, given back. */
#include <stdio.h>
#include <string.h>

#include "ups/engine_impl.h"

enum {
	JOURNAL_US = 3000000, /* a disk that takes longer has failed */
	GIVE_BACK_US = 5000000,
	GIVE_BACK_AGAIN_US = 60000000,
};

void journal_save(struct engine *e)
{
	e->saving = JOURNAL_SAVING;
	e->ops->journal(e->user, &e->journal);
}

/* What is known is this unit's from here on. */
void journal_adopt(struct engine *e, const struct u2k_snapshot *snap)
{
	if (strcmp(e->journal.esn, snap->identity.esn) == 0)
		return;
	memset(&e->journal, 0, sizeof(e->journal));
	snprintf(e->journal.esn, sizeof(e->journal.esn), "%s", snap->identity.esn);
}

void engine_journal_saved(struct engine *e, bool ok)
{
	e->saving = ok ? JOURNAL_SAVED : JOURNAL_FAILED;
	e->due_us = 0;
}

struct debt {
	bool *owed;
	uint8_t *value;
	unsigned bit;
};

static struct debt debt_of(struct engine *e, enum u2k_qty qty)
{
	if (qty == U2K_QTY_AUTO_START)
		return (struct debt){ &e->journal.owed_auto_start, &e->journal.auto_start,
				      DEBT_AUTO_START };
	return (struct debt){ &e->journal.owed_bypass, &e->journal.bypass, DEBT_BYPASS };
}

/* What this run will change is owed from now on, unless an older debt says so already. */
static void note_debts(struct engine *e, const struct u2k_snapshot *snap)
{
	for (const struct step *step = e->run.steps;
	     step->kind != STEP_END && step->kind != STEP_ARM; step++) {
		unsigned raw = qty_raw(snap, step->qty);
		struct debt debt;

		if (step->kind != STEP_SET || !step->borrow || raw > 1 || raw == step->value)
			continue;
		debt = debt_of(e, step->qty);
		if (*debt.owed)
			continue;
		*debt.owed = true;
		*debt.value = (uint8_t)raw;
		e->run.debts |= debt.bit;
	}
}

/* The journal cannot be kept: what is changed now stays changed. */
static void drop_debts(struct engine *e)
{
	if (e->run.debts & DEBT_AUTO_START)
		e->journal.owed_auto_start = false;
	if (e->run.debts & DEBT_BYPASS)
		e->journal.owed_bypass = false;
	e->run.debts = 0;
}

void step_journal(struct engine *e, const struct step *step, const struct u2k_snapshot *snap,
		  int64_t now_us)
{
	enum off_kind kind;

	if (!e->run.substep) {
		e->run.substep = 1;
		journal_adopt(e, snap);
		note_debts(e, snap);
		if (is_switchoff(e->run.row, &kind))
			switchoff_begin(e, now_us);
		else if (!e->run.debts) {
			run_next(e);
			return;
		}
		journal_save(e);
	}
	if (e->saving == JOURNAL_SAVING && now_us - e->run.step_since_us > JOURNAL_US)
		e->saving = JOURNAL_FAILED;
	if (e->saving == JOURNAL_SAVING) {
		due_at(e, e->run.step_since_us + JOURNAL_US + 1);
		return;
	}
	if (e->saving == JOURNAL_FAILED)
		drop_debts(e);
	if (e->saving == JOURNAL_FAILED && step->text)
		fail_step(e, step->text);
	else
		run_next(e); /* a switch-off runs all the same */
}

/* Someone set it on purpose, or it was given back: nothing is owed for it any more. */
void journal_forgive(struct engine *e, enum u2k_qty qty)
{
	struct debt debt = debt_of(e, qty);

	if (!*debt.owed)
		return;
	*debt.owed = false;
	journal_save(e);
}

/* What another boot left counting must not switch off now that the host is up again. */
void journal_judge(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	if (!e->judge || e->run.active || snap->gate != U2K_GATE_OPEN)
		return;
	if (strcmp(e->journal.esn, snap->identity.esn) != 0 || now_us > e->hold_until_us) {
		e->judge = false;
	} else if (!fresh(snap, NEED_STATUS | NEED_TIMERS, e->judge_since_us)) {
		e->ops->need(e->user, NEED_STATUS | NEED_TIMERS, now_us);
		due_at(e, now_us + U2K_SEC);
	} else if (output_on(snap)) {
		e->judge = false;
		if (switchoff_timers_set(snap))
			switchoff_quiet_cancel(e);
	}
}

void journal_give_back(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us)
{
	const struct queued order = { .steps = steps_give_back, .name = "give back" };
	int64_t until = e->hold_until_us;

	if (!e->journal.owed_auto_start && !e->journal.owed_bypass)
		return;
	if (e->run.active || switchoff_pending(e) || e->journal.pending || e->judge ||
	    snap->gate != U2K_GATE_OPEN)
		return;
	if (strcmp(e->journal.esn, snap->identity.esn) != 0)
		return;
	if (!output_on(snap) || qty_raw(snap, U2K_QTY_STARTUP) != U2K_STARTUP_RUNNING) {
		e->give_back_us = 0;
		return;
	}
	if (!e->give_back_us)
		e->give_back_us = now_us + GIVE_BACK_US;
	until = e->give_back_us > until ? e->give_back_us : until;
	for (size_t i = 0; i < sizeof(e->timers) / sizeof(e->timers[0]); i++)
		until = e->timers[i].until_us > until ? e->timers[i].until_us : until;
	if (now_us < until) {
		due_at(e, until);
		return;
	}
	e->give_back_us = now_us + GIVE_BACK_AGAIN_US; /* should it fail */
	run_start(e, &order);
}

void engine_restore(struct engine *e, const struct engine_journal *journal, bool same_boot,
		    int64_t now_us)
{
	e->journal = *journal;
	if (!journal->pending)
		return;
	e->journal.pending = false;
	e->due_us = now_us;
	if (!same_boot) { /* judged, not continued; its clock is not ours any more */
		e->judge = true;
		e->judge_since_us = now_us;
		e->hold_until_us =
			now_us + (int64_t)journal->pending_delay_s * U2K_SEC + TIMER_OVERDUE_US;
		return;
	}
	if (now_us >= journal->pending_due_us + TIMER_OVERDUE_US)
		return;
	e->pending = (struct pending){
		.active = true,
		.name = "from before the restart",
		.kind = (enum off_kind)journal->pending_kind,
		.stage = (enum engine_stage)journal->pending_stage,
		.delay_s = journal->pending_delay_s,
		.on_s = journal->pending_on_s,
		.armed_us = now_us,
		.due_us = journal->pending_due_us,
		.announced_s = journal->pending_delay_s,
	};
	e->journal.pending = true;
}

const struct engine_journal *engine_journal(const struct engine *e)
{
	return &e->journal;
}
