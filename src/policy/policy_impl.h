#pragma once

/* What the files of this folder share. Nobody else includes it. */
#include <limits.h>

#include "policy/policy.h"
#include "policy/record.h"

#define SEC ((int64_t)1000000)
#define NEVER INT64_MAX

enum {
	START_TRIES = 6,   /* auto-start (1044): then people are told */
	START_WAIT_S = 15, /* ... and after this the sequence no longer waits for it */
	OFF_TRIES = 30,	   /* an order to switch off that is refused: 10 s apart */
	OFF_WAIT_S = 600,  /* a UPS that is not heard of, or an order that does not end */
	RETRY_S = 10,
	HOST_TRIES = 3,
	HOST_ANSWER_S = 30,
	HOST_HUNG_S = 60, /* beyond its own time */
	SAVE_WAIT_S = 2,  /* a step waits so long for its record, no longer */
	SAVE_HUNG_S = 30,
	SETTLE_S = 10,	  /* after a start: all UPSes are heard by then, or they are not */
	WATCH_S = 5,	  /* in an outage the clock is looked at so often at least */
	SLEPT_S = 10,	  /* a deadline missed by so much: the machine was asleep */
	STALE_S = 120,	  /* beyond what its steps can last, a record is not gone on with */
	RECONNECT_S = 15, /* after a restart: NUT clients come back within a poll or two */
	WAKE_CHARGE_WAIT_S = 6 * 3600,
	MAINS_CLEAR_S = 60, /* control.md section 6 */
	RUNTIME_TAU_S = 15,
	EVENTS_MAX = 64,
};

struct cond {
	int64_t true_us; /* since when it holds; 0 = it does not */
	bool spent; /* it led to a sequence; it must be seen untrue before it leads to another */
};

struct ups {
	/* what is seen */
	bool known, ever; /* heard now; heard since the start */
	unsigned flags;	  /* the last known */
	bool has_charge, has_temperature, has_runtime;
	double charge, temperature, runtime, runtime_smooth;
	int64_t runtime_us, runtime_began_us;
	uint32_t alarms;
	int64_t seen_us;  /* last fresh status */
	int64_t heard_us; /* the same, or when this daemon began to listen */
	int64_t ol_us;	  /* on mains, without a break, since; 0 = it is not */
	unsigned logins, old;

	/* what it means */
	bool outage;
	int64_t outage_us;
	struct cond cond[POLICY_CONDITIONS];
	int64_t due_us; /* when it no longer counts; NEVER = not in sight */
	enum policy_condition due_by;

	/* forced shutdown */
	struct saved_ups kept;
	int64_t start_retry_us, off_retry_us;
	unsigned start_tries, off_tries;
	uint64_t off_version; /* the record that must be kept before it is ordered */
};

enum command_state { CMD_TODO, CMD_BEGUN, CMD_RUNNING, CMD_ENDED };

struct command {
	enum command_state state;
	uint64_t version;
	int64_t until_us;
};

struct policy {
	struct policy_config config; /* deep copy */
	struct ups ups[POLICY_UPS_MAX];
	struct saved_wake wake[POLICY_WAKE_MAX];
	char boot[POLICY_ID_MAX];
	uint64_t random;

	enum policy_state state;
	int64_t since_us;
	char sequence[POLICY_ID_MAX];
	char cause[POLICY_TEXT_MAX];
	bool operator_asked;
	int64_t operator_us;
	char operator_text[POLICY_TEXT_MAX];

	int64_t announced_us;
	int64_t settle_us;
	int64_t logins_us; /* from then on "nobody is logged in" is believed */
	unsigned stage;
	struct command commands[POLICY_COMMANDS_MAX];
	bool host_asked; /* of this host's shutdown, with a token left: to be released one day */
	bool host_accepted, host_failed;
	unsigned host_tries;
	int64_t host_us; /* asked, accepted or failed at */
	int64_t host_retry_us;

	/* the record */
	uint64_t serial, version, saved_version, out_version;
	bool saving, unsaved;
	int64_t saving_us, save_retry_us, dirty_us;

	int64_t now_us; /* of the last call */
	int64_t due_us;
	struct policy_action *actions; /* a ring; sized so that only events can ever be dropped */
	size_t n_actions, first_action, room;
};

/* actions.c */
bool actions_init(struct policy *p);
struct policy_action *act(struct policy *p, enum policy_do what, int ups);
void say(struct policy *p, int ups, const char *event, const char *severity, const char *format,
	 ...) __attribute__((format(printf, 5, 6)));
void save(struct policy *p, int64_t now_us);
/** Whether that version is kept, or there is no use in waiting for it any longer. */
bool kept(const struct policy *p, uint64_t version, int64_t now_us);
/** When kept() becomes true by time alone. */
int64_t kept_due(const struct policy *p);
int64_t save_step(struct policy *p, int64_t now_us);

/* watch.c: what a UPS's facts mean */
void watch_snapshot(struct ups *u, const struct u2k_snapshot *snap, int64_t now_us);
void watch_silence(struct ups *u);
/** Brings outage, conditions and due_us up to date; when to look again. */
int64_t watch_ups(struct policy *p, struct ups *u, int64_t now_us);
/** When the host has too few supplies left; by: the UPS that makes it so, or -1 for the operator. */
int64_t watch_host_due(const struct policy *p, int *by);
/** Supplies that still count at that time, if nothing else changes. */
unsigned watch_left(const struct policy *p, int64_t at_us);
bool watch_output_on(const struct ups *u);
bool watch_online(const struct ups *u, int64_t now_us, int64_t for_us);
/** A condition's due time, NEVER if it is not in sight. */
int64_t watch_due(const struct policy *p, const struct ups *u, enum policy_condition c);

/* sequence.c */
void enter(struct policy *p, enum policy_state next, int64_t now_us);
int64_t sequence_step(struct policy *p, int64_t now_us);
/** Whether nothing of the sequence is still to be done to this UPS, come what may. */
bool steps_over(const struct policy *p, const struct ups *u);
void say_what_may_stay_down(struct policy *p);
bool any_owed(const struct policy *p);

/* What is due in a state; when to look again. forced.c, host.c, off.c */
int64_t announced_step(struct policy *p, int64_t now_us);
int64_t stages_step(struct policy *p, int64_t now_us);
int64_t final_delay_step(struct policy *p, int64_t now_us);
int64_t host_step(struct policy *p, int64_t now_us);
int64_t switching_off_step(struct policy *p, int64_t now_us);
int64_t start_step(struct policy *p, struct ups *u, int64_t now_us);

/* back.c */
int64_t fsd_step(struct policy *p, int64_t now_us);
void fsd_latch(struct policy *p, struct ups *u, int64_t now_us);
void fsd_clear(struct policy *p, struct ups *u, const char *why, int64_t now_us);
void wake_begin(struct policy *p);
int64_t wake_step(struct policy *p, int64_t now_us);
unsigned wake_pending(const struct policy *p);

/* view.c */
/** From the beginning of a state to this host's shutdown, every wait at its full length. */
unsigned path_s(const struct policy *p, enum policy_state from);

/* config.c */
int policy_config_copy(struct policy_config *to, const struct policy_config *from);
void policy_config_free(struct policy_config *config);

#define for_each_ups(p, u) for (struct ups *u = (p)->ups; u < (p)->ups + (p)->config.n_ups; u++)
#define for_each_ups_of(p, u)                                                                      \
	for (const struct ups *u = (p)->ups; u < (p)->ups + (p)->config.n_ups; u++)

static inline unsigned ups_index(const struct policy *p, const struct ups *u)
{
	return (unsigned)(u - p->ups);
}

static inline const struct policy_ups_config *ups_config(const struct policy *p,
							 const struct ups *u)
{
	return &p->config.ups[ups_index(p, u)];
}

static inline const char *ups_name(const struct policy *p, const struct ups *u)
{
	return ups_config(p, u)->name;
}

static inline enum policy_end ups_end(const struct policy *p, const struct ups *u)
{
	return ups_config(p, u)->end;
}

static inline int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The sequence's own commands have not all run. */
static inline bool idle(enum policy_state state)
{
	return state <= POLICY_WARNING || state == POLICY_COMING_BACK;
}
