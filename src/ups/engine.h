#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ups/line.h"
#include <ups2000/ups.h>

/*
 * The command engine: carries out orders (instant commands and settings) on one UPS and says truly
 * what became of each. Pure; part of a session, which gives it turns on the line, answers and fresh
 * snapshots. The rules it follows are in docs/control.md.
 *
 * One order runs at a time, others wait in order. A timed switch-off that is armed runs beside it
 * (pending), and while one is pending only shutdown.stop, load.off and the beeper are accepted.
 */
struct engine;

enum { ENGINE_QUEUE_MAX = 8, ENGINE_TEXT_MAX = 240 };

/* What an order needs to have read anew. */
enum {
	NEED_STATUS = 1 << 0,	/* 1024, 1028, 1043 */
	NEED_SETTINGS = 1 << 1, /* 1044 ... 1046 */
	NEED_ALARMS = 1 << 2,
	NEED_TELEMETRY = 1 << 3,
	NEED_BATTERY = 1 << 4,
	NEED_IDENTITY = 1 << 5,
	NEED_TIMERS = 1 << 6, /* 1047 ... 1049 */
};

/* Which way of switching off and on again was seen to work on this unit. */
enum engine_stage { STAGE_UNKNOWN, STAGE_PAIR, STAGE_SINGLES, STAGE_OFF_TIMER, STAGE_POWER_OFF };

/* What must survive this process. Plain data. */
struct engine_journal {
	char esn[40];
	bool owed_auto_start, owed_bypass; /* a borrowed 1044 / 1045 is to be given back */
	uint8_t auto_start, bypass;	   /* ... to this value */
	enum engine_stage proven;	   /* for this ESN */
	bool pending;			   /* a switch-off is armed */
	uint8_t pending_kind, pending_stage;
	int64_t pending_due_us; /* on the clock of now_us (CLOCK_BOOTTIME) */
	uint32_t pending_delay_s, pending_on_s;
};

struct engine_delays {
	unsigned shutdown_s, start_s, reboot_s;
};

struct engine_ops {
	/** What happens now, for people; borrowed for the call. */
	void (*progress)(void *user, uint64_t token, const char *text);
	/** Once for each order taken. error: 0, U2K_EINVAL, U2K_ENOTSUP or U2K_EREFUSED. */
	void (*done)(void *user, uint64_t token, enum u2k_outcome outcome, int error,
		     const char *text);
	/** Save the journal, without blocking; engine_journal_saved() tells the end. */
	void (*journal)(void *user, const struct engine_journal *journal);
	/** A delay was set by an order: keep it. */
	void (*delays)(void *user, const struct engine_delays *delays);
	/** Read these anew, as soon as the line allows. */
	void (*need)(void *user, unsigned needs, int64_t now_us);
	/** Whether an answer of this shape may still be on its way: do not send now. */
	bool (*blocked)(void *user, const struct line_shape *shape, int64_t now_us);
};

struct engine_config {
	unsigned unit_id;
	struct engine_delays delays;
};

struct engine *engine_new(const struct engine_config *config, const struct engine_ops *ops,
			  void *user);
/** Orders that have not ended get no call: who gave them ends them. */
void engine_free(struct engine *engine);

/** Names of the instant commands; NULL at the end of the table. */
const char *engine_command_name(size_t i);
/** What the i-th step of a command is, for people; false past the last, or no such command. */
bool engine_command_step(const char *name, size_t i, char *out, size_t size);
/** True if the command can take the load's power away (needs confirmation in front ends). */
bool engine_command_drops_load(const char *name);

/**
 * Take an order. done() is called once for it, perhaps from within this call.
 *
 * @token  the caller's, never 0
 * @name   command or variable, without case; borrowed
 * @value  parameter or new value, or NULL; borrowed
 */
void engine_order(struct engine *engine, uint64_t token, bool setting, const char *name,
		  const char *value, const struct u2k_snapshot *snap, int64_t now_us);

/** What a saved journal tells. same_boot: the machine has not been restarted since. */
void engine_restore(struct engine *engine, const struct engine_journal *journal, bool same_boot,
		    int64_t now_us);

/** The journal handed out last is on disk (or cannot be kept). */
void engine_journal_saved(struct engine *engine, bool ok);

/** The configuration changed: these delays from now on, for orders to come. */
void engine_set_delays(struct engine *engine, const struct engine_delays *delays);
const struct engine_delays *engine_delays(const struct engine *engine);
const struct engine_journal *engine_journal(const struct engine *engine);

/** A switch-off is armed: seconds until it is due (0 = due or past). False if none is. */
bool engine_pending(const struct engine *engine, int64_t now_us, int64_t *due_in_s);

/* The session's side. */
int64_t engine_due(const struct engine *engine);
/** A request to send now, if there is one. */
bool engine_take(struct engine *engine, const struct u2k_snapshot *snap, int64_t now_us,
		 struct line_request *req);
void engine_answer(struct engine *engine, const struct line_answer *answer,
		   const struct u2k_snapshot *snap, int64_t now_us);
/** The snapshot is new, or time has passed: go on. */
void engine_run(struct engine *engine, const struct u2k_snapshot *snap, int64_t now_us);
