#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/store.h"

struct event_base;
struct hub_event;

/*
 * The thread that writes the database. What is to be written waits in a bounded queue in memory, so
 * that a slow, full or broken disk holds up nobody: if the queue runs over, the oldest readings are
 * dropped first. A failed transaction is tried again; a damaged database is set aside and a new one
 * begun; a missing file is made anew.
 */
struct writer;

/* What was found in the database at the start. */
struct past_ups {
	char *name;
	struct history_totals totals;
	int64_t saved_us; /* wall clock: when it was last written */
	bool in_outage;
	struct outage outage;
};

struct past_event {
	uint64_t id;
	int64_t wall_us;
	char *ups, *kind, *severity, *text, *facts;
};

struct past {
	uint32_t log_id; /* 0: nothing could be read */
	uint64_t last_event;
	struct past_ups *upses;
	size_t n_upses;
	struct past_event *events; /* the newest, oldest of them first */
	size_t n_events;
};

enum writer_state {
	WRITER_STARTS,
	WRITER_WRITES,
	WRITER_FAILS,	/* it is tried again */
	WRITER_REFUSED, /* not ours: nothing is written in this run */
};

struct writer_ops {
	/* From the loop. text is a sentence without a full stop, NULL for WRITER_WRITES. */
	void (*state)(void *user, enum writer_state state, const char *text);
	/* A damaged database was set aside under this name. */
	void (*damaged)(void *user, const char *text, const char *aside);
};

/** limits are copied; path too. */
struct writer *writer_new(struct event_base *base, const char *path,
			  const struct store_limits *limits, const struct writer_ops *ops,
			  void *user);
/** Writes what is waiting, once. NULL is allowed. */
void writer_free(struct writer *writer);

/**
 * Wait until the database was opened and read, at most so long. Returns what was found, or NULL if
 * it took longer or did not work. Once, right after writer_new(); then writer_forget_past(). Without it, the counters
 * given later are added to those in the database, and ids of events are made to go on there.
 */
const struct past *writer_past(struct writer *writer, int64_t patience_us);
void writer_forget_past(struct writer *writer);

void writer_limit(struct writer *writer, const struct store_limits *limits);

/* Put something into the queue; all is copied. */
void writer_put_chunk(struct writer *writer, const char *ups, int64_t start_ms, const uint8_t *data,
		      size_t len);
void writer_put_totals(struct writer *writer, const char *ups, const struct history_totals *totals,
		       int64_t wall_us);
void writer_put_outage(struct writer *writer, const char *ups, const struct outage *outage);
void writer_put_test(struct writer *writer, const char *ups, const struct test *test);
void writer_put_event(struct writer *writer, const struct hub_event *event);
/** Write now what is in the queue. */
void writer_wake(struct writer *writer);

/** Counts databases: a reader of an earlier one opens it anew. */
unsigned writer_generation(struct writer *writer);
/** Readings that were dropped because the queue ran over, since the start. */
uint64_t writer_dropped(struct writer *writer);
