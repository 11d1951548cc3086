#pragma once

#include "ups/engine.h"
#include "ups/pieces.h"
#include "ups/session.h"
#include "ups/state.h"

/*
 * The inside of a session, in three files: identification.c asks who is there, round.c what is read
 * next, session.c takes the answers and tells what they mean.
 */

enum {
	SESSION_BUSY_US = 300000,    /* a device that says it is busy is asked again after this */
	SESSION_SILENT_US = 3000000, /* so long without an answer is silence */
};

struct piece_state {
	int64_t due_us;
	int64_t sent_us; /* last time it was asked */
	bool wanted;	 /* part of this unit's round */
	struct {
		int64_t sent_us;
		unsigned exceptions; /* in a row */
		bool given;	     /* once at least */
		bool refused;
	} lengths[PIECE_LENGTHS_MAX];
};

struct identification {
	struct u2k_identity found; /* being collected */
	int64_t due_us;
	uint8_t code, object; /* what is asked next */
	unsigned tries, rounds, failures;
	bool confirmed;	  /* since the device began to answer */
	int64_t began_us; /* when this collection did */
	bool collecting;
};

struct session {
	struct line *line;
	const struct session_ops *ops;
	void *user;
	unsigned unit_id, number;
	bool control;
	int64_t status_interval_us;
	char serial[40]; /* expected ESN, "" = not pinned yet */

	struct u2k_snapshot snap;
	struct state state;
	struct engine *engine; /* NULL: only monitored */
	struct piece_state pieces[PIECE_COUNT];
	struct identification id;
	int64_t contact_us; /* when the device began to answer: since the link came up, or
				    * after a silence. It may be another one than before. */
	int64_t heard_us;   /* the last answer */
	int64_t mend_us;    /* 0 = no range is refused */
	unsigned timeouts;  /* in a row, of anything */
	unsigned odd_sources;
	bool up, answered; /* answered: since the link came up */
	bool status_turn;  /* the last exchange was not a status: the status goes first */
	bool status_lost;  /* the last status request had no answer */
	bool wrong_serial;
	bool crowded; /* so many on the line: the source alone is the status lane */
};

void session_say(const struct session *s, const char *kind, const char *severity, const char *text);
/** Derive what follows from the snapshot and tell whoever listens. */
void session_publish(struct session *s, uint64_t mask, int64_t now_us);

/** Begin to collect the identification anew. */
void identify_start(struct session *s, int64_t now_us);
void identify_answer(struct session *s, const struct line_answer *answer, int64_t now_us);
void identify_unanswered(struct session *s, int64_t now_us);
/** After a reconnect the identity comes first where one is expected, else the status. */
bool identify_first(const struct session *s);
/** Fill in the next question, if it is due and may be asked. */
bool identify_put(struct session *s, int64_t now_us, struct line_request *req);

/** The whole pieces, nothing refused. */
void round_start(struct session *s, int64_t now_us);
/** This unit gives the status in parts only. */
bool round_is_split(const struct session *s);
bool round_is_status(unsigned piece);
unsigned round_length_index(enum piece piece, size_t n);
/** See whether the line is crowded: then the source alone is the status lane. */
void round_look_for_room(struct session *s, int64_t now_us);
/** Fill in the most overdue piece of one lane (status or the rest) whose shape is free. */
bool round_put_lane(struct session *s, bool status, int64_t now_us, struct line_request *req);
/** Fill in what a silent device is asked. */
bool round_put_probe(struct session *s, int64_t now_us, struct line_request *req);
/** When a piece that was answered is read again. */
void round_schedule(struct session *s, enum piece piece, int64_t sent_us, int64_t now_us);
/** A piece was refused, perhaps for good. */
void round_exception(struct session *s, enum piece piece, size_t n, int code, int64_t now_us);
/** Something changed: read the rest anew, what tells most about it first. */
void round_hurry(struct session *s, int64_t now_us);
/** The engine wants to see these (NEED_*). */
void round_need(struct session *s, unsigned needs, int64_t now_us);
