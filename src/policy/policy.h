#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ups2000/ups.h>

/*
 * When hosts go down, in which order, and how they come back. Pure: facts and the time go in, things
 * to do come out. The rules it follows are sections 4 to 6 of docs/control.md.
 *
 * Use: policy_new(); then tell it what happens (policy_ups(), policy_logins(), policy_operator() ...),
 * call policy_run() when policy_deadline() has come, and after each of these calls do what
 * policy_next() gives until it gives nothing more. Doing may tell the policy of results at once.
 *
 * Every now_us is CLOCK_BOOTTIME in microseconds: the policy never sees the wall clock, so NTP and a
 * suspended machine change nothing.
 *
 * One object is one plan: the host this daemon runs on (or none), the UPSes that feed it, and what
 * hangs on these. Without a `shutdown` section there is an object all the same (config.enabled =
 * false): it touches no host and no UPS, and knows only when an FSD may be cleared.
 */
struct policy;

enum {
	POLICY_UPS_MAX = 64,
	POLICY_STAGES_MAX = 32,
	POLICY_COMMANDS_MAX = 32, /* of a stage */
	POLICY_WAKE_MAX = 128,
	POLICY_TEXT_MAX = 240,
	POLICY_ID_MAX = 48,
	POLICY_RECORD_MAX = 65536,
};

/* --- configuration: plain data, copied by policy_new() ----------------------------------------- */

/* When a UPS is no longer to be relied on. 0 or false: that is no condition. */
struct policy_conditions {
	unsigned on_battery_s; /* on battery for so long */
	double charge_percent; /* on battery, and the charge below this */
	unsigned runtime_s;    /* on battery, and the runtime left below this; the UPS's estimate is
				 * optimistic: smoothed, and believed downwards only */
	bool low_battery;      /* on battery, and the UPS says "battery low" */
	double temperature_c;  /* above this for POLICY_HOLD_S, mains or not */
	uint32_t alarms;       /* one of these (bit i = row i of the alarm table) for POLICY_HOLD_S,
				 * mains or not */
	unsigned lost_s;       /* nothing heard of it for so long, and last seen on battery */
};

enum { POLICY_HOLD_S = 10 };

/* What becomes of the UPS at the end of a sequence. */
enum policy_end {
	POLICY_END_RETURN,  /* off, and on again with the mains */
	POLICY_END_STAYOFF, /* off until someone switches it on */
	POLICY_END_NOTHING, /* not switched off: it runs until its battery is empty */
};

struct policy_ups_config {
	const char *name;
	unsigned supplies; /* how many of this host's power supplies it feeds; 0 = only watched */
	struct policy_conditions when;
	enum policy_end end;
};

struct policy_command {
	const char *name;
	unsigned timeout_s; /* then it is killed and the sequence goes on */
};

/* Stages are run one after the other, after the secondaries have left. */
struct policy_stage {
	const char *name;
	bool parallel; /* its commands all at once; else one after the other */
	const struct policy_command *commands;
	size_t n_commands;
};

/* A host to wake when the mains are back: one that halts but does not lose its power. */
struct policy_wake {
	const char *name;
	int ups;		   /* index of the UPS it hangs on; -1 = all of them */
	double min_charge_percent; /* not before the charge is back to this; 0 = at once */
	unsigned after_s;	   /* from the moment the mains were found back: the stagger */
	unsigned retry_s;	   /* again after this, until it is seen up */
	unsigned tries;		   /* given up after so many, and said */
	bool unseen;		   /* nobody looks whether it is up: no alarm at the end */
};

/* What a NUT client's FSD does. */
enum policy_on_fsd {
	POLICY_FSD_LATCH, /* it is shown to all clients, no more */
	POLICY_FSD_RUN,	  /* the UPS it is for counts as failed, so the sequence may begin */
};

enum policy_host {
	POLICY_HOST_SHUTDOWN, /* shut down the host this daemon runs on */
	POLICY_HOST_NONE,     /* others' UPSes: this host stays; the daemon switches the UPS off */
};

struct policy_config {
	bool enabled; /* there is a shutdown section */
	const struct policy_ups_config *ups;
	size_t n_ups;
	unsigned minimum_supplies; /* the host needs so many of its supplies */
	unsigned warning_s; /* warn so long before FSD, where that can be known or waited for */
	unsigned mains_stable_s; /* mains must be back so long before an outage counts as over */
	unsigned hostsync_s;	 /* wait at most so long for secondaries to leave */
	unsigned own_logins;	 /* logins that do not leave: this host's own upsmon */
	const struct policy_stage *stages;
	size_t n_stages;
	unsigned final_delay_s; /* from the last stage to this host's shutdown */
	enum policy_host host;
	unsigned
		host_shutdown_time_s; /* this host needs so long, at most, from request to halt; for
					* POLICY_HOST_NONE: the delay of the UPS's switching off */
	bool early_arming; /* no late hook can run (tcp://, container): arm the UPS when the host's
			    * shutdown was accepted, due host_shutdown_time_s later */
	enum policy_on_fsd on_fsd;
	const struct policy_wake *wake;
	size_t n_wake;
};

/** What a one-line `shutdown` section means: enabled, no UPS, no stages; sound values otherwise. */
void policy_config_default(struct policy_config *config);
/** The conditions of a UPS for which none are configured. */
void policy_conditions_default(struct policy_conditions *when);

/**
 * Whether a configuration can work.
 *
 * Returns 0, or U2K_EINVAL and a sentence in text (POLICY_TEXT_MAX) that says what is wrong and what
 * would be right: too many UPSes, minimum_supplies above what feeds the host, early arming without a
 * time, a name twice ...
 */
int policy_config_check(const struct policy_config *config, char *text);

/* --- states ------------------------------------------------------------------------------------- */

enum policy_state {
	POLICY_NORMAL,	   /* nothing to do */
	POLICY_ON_BATTERY, /* a UPS is on battery, or a condition is coming true */
	POLICY_WARNING,	   /* FSD follows, unless the mains return or the operator takes it back */
	/* The point of no return: whatever follows is finished. */
	POLICY_ANNOUNCED,     /* FSD announced; secondaries leave */
	POLICY_STAGES,	      /* commands run */
	POLICY_FINAL_DELAY,   /* the last seconds */
	POLICY_HOST,	      /* this host was asked to shut down */
	POLICY_SWITCHING_OFF, /* UPSes are told to switch off by this daemon */
	POLICY_OFF,	      /* the output was seen off */
	/* The sequence is over. */
	POLICY_COMING_BACK, /* FSD to be cleared, hosts to be woken */
	POLICY_STATES
};

/** "normal", "on-battery", "warning" ...; stable, for JSON. */
const char *policy_state_name(enum policy_state state);
/** One sentence for people, without a full stop. */
const char *policy_state_text(enum policy_state state);
/** From FSD's announcement on until the output was seen off. */
bool policy_state_forced(enum policy_state state);

/* --- life --------------------------------------------------------------------------------------- */

struct policy_start {
	const char
		*boot; /* boot id of this machine, at most POLICY_ID_MAX - 1 characters; copied */
	/* What was kept (POLICY_SAVE): the newest that can be understood counts. Keep two, one in the
	 * state directory and one in the runtime directory, which no full disk can hinder. Entries
	 * may be NULL; borrowed for the call. */
	const char *records[2];
	bool reload;	 /* the same daemon goes on: logins and running commands are still there */
	uint64_t random; /* for the sequence's id */
};

/**
 * Begin, or go on from what was kept.
 *
 * A record of this boot is continued where it stood: no step is repeated; a command whose end was
 * not heard of counts as ended. One of another boot is judged, never continued: what is owed (hosts
 * to wake, a word to people) is done, nothing is switched off.
 *
 * @config  must have passed policy_config_check(); copied
 *
 * Returns NULL if memory is out. Actions may be waiting.
 */
struct policy *policy_new(const struct policy_config *config, const struct policy_start *start,
			  int64_t now_us);
void policy_free(struct policy *policy);

/* --- what happens: tell it ----------------------------------------------------------------------- */

/**
 * News of a UPS. Also when nothing is heard of it any more (fresh = false).
 *
 * @ups    index in the configuration
 * @snap   borrowed; looked at only if fresh
 * @fresh  its status is not older than 10 s and it is the right unit
 */
void policy_ups(struct policy *policy, unsigned ups, const struct u2k_snapshot *snap, bool fresh,
		int64_t now_us);

/**
 * How many NUT clients are logged in to a UPS.
 *
 * @old  those of them who logged in before FSD was latched on it. After a restart with FSD latched:
 *       those who logged in within 60 s of the start.
 */
void policy_logins(struct policy *policy, unsigned ups, unsigned logins, unsigned old,
		   int64_t now_us);

/** Who did it and from where, e.g. "admin", "127.0.0.1"; any may be NULL or "". Copied. */
struct policy_who {
	const char *user, *from, *reason;
};

/**
 * An operator's word: begin the sequence (`ups2000 shutdown`). The warning time is kept.
 *
 * Returns 0, or U2K_EREFUSED with a sentence in text (POLICY_TEXT_MAX): no shutdown section, or a
 * sequence is under way.
 */
int policy_operator(struct policy *policy, const struct policy_who *who, int64_t now_us,
		    char *text);
/** Take that back. Refused when FSD is announced, and when there is nothing to take back. */
int policy_operator_cancel(struct policy *policy, const struct policy_who *who, int64_t now_us,
			   char *text);

/** A NUT client with the right to do so set FSD; it is latched already. */
void policy_fsd(struct policy *policy, unsigned ups, const struct policy_who *who, int64_t now_us);
/** FSD was found latched when the daemon started, and the record does not know it: nothing begins. */
void policy_fsd_found(struct policy *policy, unsigned ups, int64_t now_us);
/**
 * `ups2000 fsd clear`. Refused while steps of a sequence are still to come; else POLICY_FSD_CLEAR
 * follows.
 */
int policy_fsd_clear(struct policy *policy, unsigned ups, const struct policy_who *who,
		     int64_t now_us, char *text);

/* --- what is to be done ---------------------------------------------------------------------------- */

enum policy_do {
	POLICY_EVENT, /* say it: event, severity, text; ups or -1 */

	POLICY_FSD_SET,	  /* latch FSD on ups; idempotent */
	POLICY_FSD_CLEAR, /* unlatch it; text says why */

	/* Make 1044 read 1 on ups; policy_ups_done() with the outcome. May come again when the UPS is
	 * back after it could not be done. */
	POLICY_VERIFY_START,
	/* Order shutdown.return or shutdown.stayoff (end) with delay_s; policy_ups_done(). */
	POLICY_SWITCH_OFF,

	POLICY_RUN,  /* start command of stage; policy_command_done() */
	POLICY_KILL, /* its time is over: end it; nothing waits for it */

	/* Ask for this host's shutdown, and leave the late hook its token; policy_host_done(). A
	 * request with a sequence id that was accepted before is the same one: nothing is done twice,
	 * and the answer is "accepted". */
	POLICY_HOST_DOWN,
	/* The sequence is over and this host is up: withdraw request and token. */
	POLICY_HOST_RELEASE,

	POLICY_WAKE, /* send host its packets */

	POLICY_SAVE, /* keep policy_record(), without blocking; policy_saved() */
};

struct policy_action {
	enum policy_do what;
	int ups;		      /* -1 = none */
	unsigned stage, command;      /* indices of the configuration */
	unsigned timeout_s;	      /* POLICY_RUN */
	unsigned host;		      /* POLICY_WAKE: index of wake */
	unsigned delay_s;	      /* POLICY_SWITCH_OFF */
	enum policy_end end;	      /* POLICY_SWITCH_OFF */
	char sequence[POLICY_ID_MAX]; /* which sequence it is part of; "" = none */
	const char *event, *severity; /* POLICY_EVENT: static; "info", "warning", "alert" */
	char text[POLICY_TEXT_MAX];   /* for people: one sentence, with full stop */
};

/** The next thing to do. False (and action untouched) if there is none. */
bool policy_next(struct policy *policy, struct policy_action *action);

/** Whether what POLICY_HOST_DOWN is to leave behind makes the late hook switch that UPS off, and how. */
enum policy_end policy_hook_end(const struct policy *policy, unsigned ups);

/* --- what became of it ------------------------------------------------------------------------------ */

/** @what  POLICY_VERIFY_START or POLICY_SWITCH_OFF; @outcome  not U2K_PENDING */
void policy_ups_done(struct policy *policy, unsigned ups, enum policy_do what,
		     enum u2k_outcome outcome, const char *text, int64_t now_us);
/** @ok  it ended with 0; @text  what is to be said of a failure, or NULL */
void policy_command_done(struct policy *policy, unsigned stage, unsigned command, bool ok,
			 const char *text, int64_t now_us);
/** Whether this host's shutdown was accepted (not: has happened). */
void policy_host_done(struct policy *policy, bool accepted, const char *text, int64_t now_us);
/** Whether a host was sent something and is not seen up yet: look for it. */
bool policy_host_awaited(const struct policy *policy, unsigned host);
/** A host to wake answers, or logged in. */
void policy_host_up(struct policy *policy, unsigned host, int64_t now_us);
/** The record handed out last is kept (in one place at least), or could not be written anywhere. */
void policy_saved(struct policy *policy, bool ok, int64_t now_us);

/** Time has passed. */
void policy_run(struct policy *policy, int64_t now_us);
/** When to call policy_run() at the latest; INT64_MAX = no hurry. */
int64_t policy_deadline(const struct policy *policy);

/* --- what must survive ------------------------------------------------------------------------------ */

/**
 * The record as text, ending with NUL.
 *
 * Returns its length, or 0 if size is too small; POLICY_RECORD_MAX is always enough.
 */
size_t policy_record(const struct policy *policy, char *out, size_t size);

/* --- how it stands ----------------------------------------------------------------------------------- */

enum policy_condition {
	POLICY_COND_ON_BATTERY,
	POLICY_COND_CHARGE,
	POLICY_COND_RUNTIME,
	POLICY_COND_LOW_BATTERY,
	POLICY_COND_TEMPERATURE,
	POLICY_COND_ALARM,
	POLICY_COND_LOST,
	POLICY_COND_FSD, /* a NUT client's, with on-fsd = run */
	POLICY_CONDITIONS
};

/** "on-battery", "charge" ...; stable, for JSON and configuration. */
const char *policy_condition_name(enum policy_condition condition);
/** "s", "%", "C" or "". */
const char *policy_condition_unit(enum policy_condition condition);

struct policy_condition_view {
	bool used; /* configured */
	bool holds;
	bool has_now;
	double now;	/* the present value; seconds, percent, degrees; only if has_now */
	double limit;	/* 0 for those without */
	int64_t due_us; /* when it will count, if nothing changes; INT64_MAX = not in sight */
};

struct policy_ups_view {
	bool known;	 /* fresh status */
	bool on_battery; /* an outage counts: on battery, or mains back not long enough */
	bool failed;	 /* a condition holds: its supplies do not count */
	bool doomed;	 /* it is part of the sequence under way */
	bool fsd;	 /* as far as the policy knows */
	unsigned logins;
	int64_t on_battery_us; /* since when; 0 = it is not */
	struct policy_condition_view when[POLICY_CONDITIONS];
};

struct policy_view {
	enum policy_state state;
	int64_t since_us;
	const char *sequence; /* "" if none is under way */
	const char *cause;    /* why, one clause; "" if there is none */
	unsigned supplies, supplies_left, minimum_supplies;
	/* The next step, if it is known when it comes. */
	bool has_next;
	enum policy_state next;
	int64_t next_us; /* when at the latest, if nothing changes; INT64_MAX: not by time */
	char next_text[POLICY_TEXT_MAX]; /* one sentence, without the time */
	/* Whole path, for ups.timer.shutdown and the countdown: when this host is asked to go down if
	 * nothing changes and every wait takes its full time; INT64_MAX = not in sight. */
	int64_t host_down_us;
	unsigned waking; /* hosts still to be woken */
	bool unsaved;	 /* the last record could not be kept */
};

/** Strings live as long as the policy is not told anything. */
void policy_look(const struct policy *policy, struct policy_view *view, int64_t now_us);
/** @ups  index of the configuration */
void policy_look_ups(const struct policy *policy, unsigned ups, struct policy_ups_view *view,
		     int64_t now_us);
