#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ups2000/ups.h>

struct hub;

/*
 * What was recorded, as front ends ask for it. The record keeper (src/history) registers itself
 * with the hub; without one there is nothing to ask.
 */
enum record_kind {
	RECORD_HISTORY, /* one quantity of one UPS over time */
	RECORD_OUTAGES,
	RECORD_TESTS, /* battery tests */
	RECORD_LOG,   /* events, newest first */
};

enum {
	RECORD_POINTS_MAX = 5000,
	RECORD_POINTS = 500, /* if nothing is said */
	RECORD_ROWS_MAX = 1000,
	RECORD_ROWS = 100,
};

struct record_query {
	enum record_kind kind;
	char ups[128]; /* its name; "" = all (not with RECORD_HISTORY) */
	enum u2k_qty qty;
	int64_t from_us, to_us; /* wall clock; from < to */
	int64_t now_us;		/* wall clock */
	unsigned points;	/* 1..RECORD_POINTS_MAX */
	unsigned limit;		/* rows, 1..RECORD_ROWS_MAX */
	uint64_t before;	/* only ids below; 0 = no limit */
};

/**
 * The answer, once, from the loop.
 *
 * @status  200, or the HTTP status that fits the failure
 * @text    200: the JSON text of docs/api.md; else a sentence for people. Taken: free() it.
 */
typedef void (*record_cb)(void *user, int status, char *text);

/** cb is called exactly once, later or from within; the query is copied. */
typedef void (*record_ask_fn)(void *keeper, const struct record_query *query, record_cb cb,
			      void *user);

/** ask NULL: no record keeper any more. */
void hub_set_records(struct hub *hub, record_ask_fn ask, void *keeper);
/** Ask the record keeper; without one the answer is 503. */
void hub_ask_records(struct hub *hub, const struct record_query *query, record_cb cb, void *user);
