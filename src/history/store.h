#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/pack.h"
#include "history/tally.h"

/*
 * The database: opened, brought to the present schema, written, rolled up, pruned. One thread at a
 * time, no clock of its own. What goes wrong is told by enum store_result and store_error().
 *
 * Tiers. Chunks ("raw") hold what was read, some seconds in a row; after the hour they lie in, they
 * are rolled up into blocks of 60 minutes for each quantity, and after the day into blocks of 96
 * quarters. Each tier can be made again from the one below it while that is kept, so a roll-up that
 * was cut off, or a clock that was set back, costs nothing.
 */
struct store;
struct sqlite3;

enum store_result {
	STORE_OK,
	STORE_TROUBLE, /* disk full, no permission, I/O error: it may pass */
	STORE_DAMAGED, /* not a database, or a damaged one */
	STORE_REFUSED, /* written by a later version, or another program's: not ours to touch */
};

struct store_limits {
	unsigned raw_hours, minute_days, quarter_days;
	uint64_t max_bytes; /* of the whole database */
};

enum { TIER_MINUTE = 1, TIER_QUARTER = 2 };
enum { MINUTE_SLOTS = 60, QUARTER_SLOTS = 96, HOUR_S = 3600, DAY_S = 86400 };

/* Opens path, creating and migrating as needed. Returns NULL and why; error is a sentence. */
struct store *store_open(const char *path, enum store_result *result, char *error,
			 size_t error_size);
/** clean: all was written; the next start need not look for damage. NULL is allowed. */
void store_close(struct store *store, bool clean);
/** A sentence about the last failure. */
const char *store_error(const struct store *store);
/** The file that is open is still the one at its path. */
bool store_is_there(const struct store *store);
/**
 * The file still begins as a database does. SQLite looks at its head only now and then: somebody may
 * have written over the file meanwhile.
 */
bool store_has_head(struct store *store);
/** The last run did not end with a clean store_close(). */
bool store_was_cut_off(const struct store *store);
/** Read all of it and see whether it is sound; takes a while. */
enum store_result store_check(struct store *store);

/** Random, made with the database: event ids belong to it. */
uint32_t store_log_id(const struct store *store);
uint64_t store_last_event(struct store *store);

/* Everything written goes between these. After a failure: store_rollback(). */
enum store_result store_begin(struct store *store);
enum store_result store_commit(struct store *store);
void store_rollback(struct store *store);

/** The number of a UPS, made if it has none yet; 0 on failure. */
int64_t store_ups(struct store *store, const char *name);

/* What is kept of a UPS besides its readings. saved_us: wall clock of the last store_put_totals(). */
enum store_result store_put_totals(struct store *store, int64_t ups,
				   const struct history_totals *totals, int64_t wall_us);
bool store_get_totals(struct store *store, const char *name, struct history_totals *totals,
		      int64_t *saved_us);
/** The names of all UPSes that have totals. */
enum store_result store_each_ups(struct store *store, void (*cb)(void *user, const char *name),
				 void *user);
/** The outage that was open at the end of the last run. */
bool store_get_open_outage(struct store *store, const char *name, struct outage *outage);
enum store_result store_put_outage(struct store *store, int64_t ups, const struct outage *outage);
enum store_result store_put_test(struct store *store, int64_t ups, const struct test *test);
/** Tests of earlier runs that still "run" do not. */
enum store_result store_end_tests(struct store *store);

struct store_event {
	uint64_t id;
	int64_t wall_us;
	const char *ups;			    /* or NULL */
	const char *kind, *severity, *text, *facts; /* facts may be NULL */
};

enum store_result store_put_event(struct store *store, const struct store_event *event);
typedef void (*store_event_cb)(void *user, const struct store_event *event);
/** The newest n, oldest of them first. */
enum store_result store_recent_events(struct store *store, unsigned n, store_event_cb cb,
				      void *user);

enum store_result store_put_chunk(struct store *store, int64_t ups, int64_t start_ms,
				  const uint8_t *data, size_t len);

/** Roll up what is complete at that time; at most some hours per call. more: call again. */
enum store_result store_roll_up(struct store *store, int64_t now_s, bool *more);
/** Drop what is too old (steady: the clock can be trusted) or too much. */
enum store_result store_prune(struct store *store, const struct store_limits *limits, int64_t now_s,
			      bool steady);
uint64_t store_bytes(struct store *store);
/** For reading what was just written, in tests and for the ask functions. */
struct sqlite3 *store_handle(struct store *store);
