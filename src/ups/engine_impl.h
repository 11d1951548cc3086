#pragma once

/* Inside of the command engine: engine.c runs steps, rows.c has them, switchoff.c the timed off. */

#include <stdbool.h>
#include <stdint.h>

#include "ups/engine.h"

enum step_kind {
	STEP_END,     /* verified; text tells what was seen */
	STEP_FRESH,   /* read needs anew */
	STEP_REQUIRE, /* else refused (failed, if something was written) with text */
	STEP_DONE_IF, /* verified with text, nothing more to do */
	STEP_JOURNAL, /* what will be borrowed and armed must be on disk first; text: refused if
		       * it cannot */
	STEP_SET,     /* write a setting and read it back */
	STEP_FIRE,    /* write 1 to a register that cannot be read */
	STEP_SEE,     /* wait for an effect; text: what did not happen */
	STEP_ARM,     /* arm a timed switch-off (switchoff.c) */
	STEP_CANCEL,  /* wait for a cancelled switch-off (switchoff.c) */
	STEP_DISARM,  /* cancel a switch-off that is pending, if one is; go on in any case */
};

struct run;

typedef bool (*cond_fn)(const struct run *run, const struct u2k_snapshot *snap);

struct step {
	enum step_kind kind;
	unsigned needs;
	cond_fn cond;	      /* REQUIRE, DONE_IF, SEE */
	cond_fn spoiled;      /* SEE: it went wrong for good; rescue applies */
	enum u2k_qty qty;     /* SET */
	uint16_t base, value; /* FIRE, SET */
	bool borrow;	      /* SET: the old value is owed */
	bool repeat;	      /* FIRE: unanswered and not seen: all is looked at and done again */
	bool twice;	      /* SEE: in two status reads */
	unsigned timeout_s;   /* SEE; FRESH: go on without after it, 0 = it must be read */
	const char *text;
};

struct command_row {
	const char *name;
	const struct step *steps;
	bool while_pending; /* allowed while a switch-off is armed */
	bool drops_load;
	bool takes_delay; /* an optional parameter: seconds until off */
	uint16_t rescue;  /* register written (1) when a SEE is spoiled; 0 = none */
};

extern const struct command_row command_rows[];
extern const size_t command_rows_count;

/* Values of a STEP_SET that are known only when it runs. */
enum { VALUE_TOGGLE = 0xfffe, VALUE_OWED = 0xfffd };

/* Steps that are no command of their own. */
extern const struct step steps_beeper_on[], steps_beeper_off[], steps_auto_start_on[],
	steps_auto_start_off[], steps_give_back[], steps_next_stage[], steps_quiet_cancel[];

enum write_state {
	WRITE_NONE,
	WRITE_WANTED,
	WRITE_SENT,
	WRITE_ACKED,
	WRITE_UNSURE,
	WRITE_REJECTED
};

struct write {
	enum write_state state;
	uint16_t base, values[2];
	unsigned n; /* 1: 0x06; 2: one 0x10 */
	unsigned tries, busy;
	int exception;
	int64_t not_before_us, sent_us, ended_us;
};

enum off_kind { OFF_RETURN, OFF_REBOOT, OFF_GRACEFUL, OFF_STAY };

enum { STOPS_MAX = 4 };

/* An armed switch-off, or one between two stages. */
struct pending {
	bool active;  /* armed, or waiting until the next stage may begin */
	bool waiting; /* the latter: nothing is armed, due_us is when it begins */
	uint64_t token;
	const char *name;
	enum off_kind kind;
	enum engine_stage stage;
	unsigned used;		/* bit per stage that ran */
	unsigned delay_s, on_s; /* of the present stage */
	int64_t wanted_us;	/* the time that was asked for; never off before it */
	int64_t armed_us, due_us;
	bool shown;		   /* a timer register was seen non-zero after arming */
	bool early;		   /* it went off before its time; the timer may still fire */
	bool blind;		   /* no status when it was due */
	bool cancelled;		   /* by shutdown.stop or load.off: no further stage */
	uint64_t stops[STOPS_MAX]; /* shutdown.stop whose success only time can tell */
	unsigned n_stops;
	int64_t cancelled_us; /* when the first of them was told */
	bool mains_cancel;    /* by returning mains (last stage of a return) */
	int64_t cancel_us;    /* mains_cancel: last time it was tried */
	int64_t announced_s;  /* last "due in" told */
	unsigned powered_off; /* times 1030 went unanswered */
};

/* The order being carried out. */
struct run {
	bool active;
	uint64_t token;	 /* 0: the engine's own */
	unsigned serial; /* of this run */
	const struct command_row *row;
	const struct step *steps;
	const char *name;
	unsigned step;
	unsigned again; /* times it began again from the first step */
	int64_t step_since_us, asked_us, spoiled_us;
	bool entered, wrote, rescued;
	bool gate_closed; /* since it began */
	int64_t closed_us;
	unsigned reopened; /* times it began again because of that */
	struct write write;
	int64_t seen_us; /* SEE twice: the first */
	double startup_before;
	bool startup_moved;
	unsigned delay_s; /* parameter, 0 = none */
	unsigned substep;
	unsigned debts;		/* DEBT_*: taken by this run */
	bool maybe;		/* a write that arms went out and was not rejected */
	bool first_taken;	/* arming: 1047 was acknowledged */
	bool timers_before;	/* cancel: timers were running before */
	int64_t foreign_due_us; /* cancel: when timers nobody here armed would fire */
	bool off_before;	/* cancel: the output was off before */
};

enum { TIMER_OVERDUE_US = 12000000 }; /* past its due time a timer fires no more */

enum { DEBT_AUTO_START = 1 << 0, DEBT_BYPASS = 1 << 1 };

struct queued {
	uint64_t token;
	const struct command_row *row;
	unsigned delay_s;
	const struct step *steps; /* for settings; row is NULL */
	const char *name;
	int64_t made_us;
};

struct engine {
	const struct engine_ops *ops;
	void *user;
	unsigned unit_id;
	struct engine_delays delays;
	struct engine_journal journal;
	enum { JOURNAL_IDLE, JOURNAL_SAVING, JOURNAL_SAVED, JOURNAL_FAILED } saving;
	struct run run;
	unsigned serial;
	struct pending pending;
	struct queued queue[ENGINE_QUEUE_MAX + 1]; /* the last place is for shutdown.stop */
	size_t n_queued;
	int64_t due_us;
	bool running;		 /* engine_run() is at work */
	int64_t give_back_us;	 /* not before */
	int64_t unsure_until_us; /* an unanswered write's exception may come until then */
	struct {
		double value;
		int64_t until_us;
	} timers[2];	       /* 1047 and 1049 as they read, and until when they may still fire */
	int64_t hold_until_us; /* likewise for what another boot left */
	bool judge;	       /* ... and that is to be looked at once */
	int64_t judge_since_us;
};

/* engine.c, for the others */
void run_progress(struct engine *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void run_next(struct engine *e);
void run_end(struct engine *e, enum u2k_outcome outcome, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void run_start(struct engine *e, const struct queued *order);
void write_start(struct engine *e, uint16_t base, uint16_t value, int64_t now_us);
void write_start_pair(struct engine *e, uint16_t base, uint16_t a, uint16_t b, int64_t now_us);
void write_again(struct engine *e, int64_t now_us);
void need_again(struct engine *e, unsigned needs, int64_t now_us);
bool fresh(const struct u2k_snapshot *snap, unsigned needs, int64_t since_us);
void due_at(struct engine *e, int64_t at_us);
/* The run ends: refused if it wrote nothing, else failed. */
void fail_step(struct engine *e, const char *text);

/* journal.c */
void journal_save(struct engine *e);
/* What is known is this unit's from here on. */
void journal_adopt(struct engine *e, const struct u2k_snapshot *snap);
void step_journal(struct engine *e, const struct step *step, const struct u2k_snapshot *snap,
		  int64_t now_us);
void journal_forgive(struct engine *e, enum u2k_qty qty);
void journal_judge(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us);
void journal_give_back(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us);

/* rows.c */
bool output_on(const struct u2k_snapshot *snap);
bool output_off(const struct u2k_snapshot *snap);
bool mains_lost(const struct u2k_snapshot *snap);
unsigned qty_raw(const struct u2k_snapshot *snap, enum u2k_qty qty);

/* switchoff.c */
void switchoff_begin(struct engine *e, int64_t now_us);
void step_arm(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us);
void step_cancel(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us);
void step_disarm(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us);
void switchoff_run(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us);
/* Something is armed, or between two stages. */
bool switchoff_pending(const struct engine *e);
void switchoff_forget(struct engine *e);
/* The armed run can do no more: what it wrote may count all the same. False: nothing was written. */
bool switchoff_leave(struct engine *e, int64_t now_us);
void switchoff_cancelling(struct engine *e, const struct u2k_snapshot *snap, int64_t now_us);
void switchoff_yield(struct engine *e, int64_t now_us);
void switchoff_quiet_cancel(struct engine *e);
/* The last look before a write that arms leaves. NULL: go; else why not. */
const char *switchoff_objects(const struct engine *e, const struct u2k_snapshot *snap);
bool switchoff_timers_set(const struct u2k_snapshot *snap);
bool is_switchoff(const struct command_row *row, enum off_kind *kind);
