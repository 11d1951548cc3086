#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/message.h"

/*
 * What of all that happens one target is told, and when. A flickering mains makes a hundred events;
 * a person wants to hear of the outage once, of its end once, and how often it was in between.
 *
 * A condition (UPS + kind, from its start to its end) is told when it has lasted the hold-off, its
 * end likewise; alerts are told at once. After HOLD_FREE messages about the same condition within
 * HOLD_CALM_S the hold-off grows with each up to HOLD_MAX_S, and what does not settle is told in
 * digests, at intervals that grow to HOLD_DIGEST_MAX_S. Nothing that lasts remains untold.
 *
 * Pure: the time (microseconds, monotonic and wall clock) goes in, messages come out.
 */
enum {
	HOLD_FREE = 4,
	HOLD_FREE_SINGLE = 20, /* of events that begin nothing, such as steps */
	HOLD_MAX_S = 300,
	HOLD_CALM_S = 1800,
	HOLD_DIGEST_FIRST_S = 60,
	HOLD_DIGEST_MAX_S = 3600,
	HOLD_CONDITIONS_MAX = 256,
};

struct hold_policy {
	int64_t hold_us;
	bool blips;	   /* tell of what is over within the hold-off */
	int64_t remind_us; /* again while it lasts; 0 = never */
	unsigned rank; /* message_rank() from which on it is told; ends of what was told always */
	/* NULL: all kinds; what is not listed is not told, but an end is still noted */
	char *const *kinds;
	size_t n_kinds;
};

struct hold_event {
	const char *kind, *severity;
	const char *ups;	    /* NULL: none */
	const char *text;	    /* a sentence */
	const char *facts, *values; /* JSON object texts, or NULL */
};

struct hold_ops {
	/** Tell this. All but seq, made_us and target is filled in; borrowed for the call. */
	void (*tell)(void *user, const struct message *message);
	void (*make_id)(char out[MESSAGE_ID_SIZE]);
};

struct hold;

/** policy's lists are borrowed for as long as they are in use. */
struct hold *hold_new(const struct hold_policy *policy, const struct hold_ops *ops, void *user);
void hold_free(struct hold *hold);
void hold_configure(struct hold *hold, const struct hold_policy *policy);

void hold_event(struct hold *hold, const struct hold_event *event, int64_t now_us, int64_t wall_us);
/** When hold_run() has something to do; INT64_MAX: never. */
int64_t hold_due_us(const struct hold *hold);
void hold_run(struct hold *hold, int64_t now_us, int64_t wall_us);
/** There may be no later: tell everything that is untold. */
void hold_flush(struct hold *hold, int64_t now_us, int64_t wall_us);
/** This UPS is no longer there. */
void hold_forget(struct hold *hold, const char *ups);

/** How many conditions were told of and last. */
size_t hold_open(const struct hold *hold);

/** What of the UPSes must not be told again after a restart: a JSON array's text. free() it. */
char *hold_save(const struct hold *hold);
/** Take it back. False, and nothing is taken, if it is not such a text. */
bool hold_restore(struct hold *hold, const char *text, size_t len, int64_t now_us, int64_t wall_us);
/** Its end was told after that was saved: thread is the id of the message that told of it. */
void hold_was_over(struct hold *hold, const char *thread);
/** Rises whenever hold_save() would give something else. */
uint64_t hold_version(const struct hold *hold);
/**
 * This UPS was seen for a while: conditions from before the restart that did not show again are
 * over.
 */
void hold_settle(struct hold *hold, const char *ups, int64_t now_us, int64_t wall_us);
