#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ups/engine.h"
#include "ups/line.h"
#include <ups2000/ups.h>

/*
 * One UPS on a line: what to ask, when, and what the answers mean. Pure: it is a user of a line and
 * is driven by it. Two lanes: the status every interval, everything else in between.
 */
struct session;

struct session_config {
	unsigned unit_id;	    /* Modbus address 1..247 */
	unsigned number;	    /* UPS number 1..4 */
	const char *serial;	    /* ESN it must have, or NULL: the first one seen; copied */
	bool control;		    /* false: only monitored */
	int64_t status_interval_us; /* 0 = as fast as the line allows */
	struct engine_delays delays;
};

struct session_ops {
	/** The snapshot changed. Borrowed for the call; the session must not be freed in it. */
	void (*changed)(void *user, const struct u2k_snapshot *snap, uint64_t mask);
	/** For people; kind and severity static, text borrowed for the call. */
	void (*event)(void *user, const char *kind, const char *severity, const char *text);
	/* About orders; see struct engine_ops. May be NULL if session_order() is never called. */
	void (*progress)(void *user, uint64_t token, const char *text);
	void (*done)(void *user, uint64_t token, enum u2k_outcome outcome, int error,
		     const char *text);
	/* What must survive this process; session_journal_saved() tells that it does. */
	void (*journal)(void *user, const struct engine_journal *journal);
	void (*delays)(void *user, const struct engine_delays *delays);
};

/** Status older than this is stale. */
enum { SESSION_STALE_US = 10000000 };

/**
 * Make a session and add it to the line.
 *
 * Returns NULL if memory is out, the config is out of range or the line is full.
 */
struct session *session_new(struct line *line, const struct session_config *config,
			    const struct session_ops *ops, void *user);
void session_free(struct session *session);

/** Tell the session that its link came up or went away; call after line_link(). */
void session_link(struct session *session, bool up, int64_t now_us);

const struct u2k_snapshot *session_snapshot(const struct session *session);

/** Take an order; done() is called once for it. See engine_order(). */
void session_order(struct session *session, uint64_t token, bool setting, const char *name,
		   const char *value, int64_t now_us);
/** A saved journal, before the link first comes up. See engine_restore(). */
void session_restore(struct session *session, const struct engine_journal *journal, bool same_boot,
		     int64_t now_us);
void session_set_delays(struct session *session, const struct engine_delays *delays);
void session_journal_saved(struct session *session, bool ok);
/** Delays, armed switch-off, debts; NULL if this session only monitors. */
const struct engine *session_engine(const struct session *session);
