#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ups/framing.h"

/*
 * One wire and the UPSes on it. Pure: bytes and the time go in, bytes and deadlines come out.
 *
 * The line takes one request at a time from its users (sessions), the one that has waited longest
 * for its turn first; sends it after the wire was quiet for the gap; and hands the answer, or the
 * lack of one, back. A late answer must never be taken for another register's value: an unanswered
 * request leaves a *ghost*; until the ghost's answer came, or it can no longer come, no request with
 * the same shape of answer is sent on the line. An answered one leaves a weaker ghost for a while,
 * since answers have been seen to come twice: it forbids other questions of that shape.
 *
 * A late answer says that what was asked after it may come later still. The ghosts of those questions
 * live on with each late answer, and the user asks nothing more until they have come, or the next one
 * is overdue.
 *
 * A user whose device is mute leaves most of the time to the others.
 */

enum { LINE_USERS_MAX = 64, LINE_GHOSTS_MAX = 64 };

/* The shape of an answer: what a straggler could be mistaken for. */
struct line_shape {
	uint8_t unit_id, fc;
	uint16_t n;    /* registers for 0x03; ReadDevId code for 0x2B; address for 0x06, 0x10 */
	uint16_t addr; /* what was asked, not told by the answer: first register, first object */
};

struct line_request {
	uint8_t pdu[PDU_MAX];
	size_t len;
	struct line_shape shape;
	int what; /* the user's; comes back with the answer */
};

enum line_result {
	LINE_ANSWER,  /* a reply of the right shape (or an exception) */
	LINE_LATE,    /* the answer to an earlier request that had timed out */
	LINE_TIMEOUT, /* nothing came in time; a LINE_LATE may still follow */
	LINE_DOWN,    /* the link went away */
};

struct line_answer {
	enum line_result result;
	const struct line_request *request; /* LATE: shape and what alone */
	const uint8_t *pdu;		    /* for ANSWER and LATE; borrowed for the call */
	size_t len;
	int64_t sent_us; /* when the request was sent */
};

struct line_user_ops {
	/** When this user next wants to send; INT64_MAX = not now. */
	int64_t (*due)(void *user, int64_t now_us);
	/**
	 * The user's turn: fill req and return true, or false to pass. blocked(line, shape) tells
	 * whether a ghost forbids a shape; a request with a blocked shape is not sent.
	 */
	bool (*take)(void *user, int64_t now_us, struct line_request *req);
	/**
	 * Exactly one ANSWER, TIMEOUT or DOWN for each request taken; LATE may follow TIMEOUT, or an
	 * exception that may have been meant for an earlier request.
	 */
	void (*answer)(void *user, const struct line_answer *answer, int64_t now_us);
};

/* Times of a line; all in microseconds. */
struct line_params {
	enum framing framing; /* FRAMING_RTU */
	unsigned baud;	      /* 9600; tells how long bytes take */
	int64_t gap_us;	      /* least silence before a request (5 ms) */
	int64_t silence_us;   /* silence that ends an unfinished frame (50 ms: USB adapters hand
				 * bytes over in portions up to 16 ms apart) */
	int64_t first_allowance_us, min_allowance_us,
		max_allowance_us; /* for the device to answer */
	int64_t ghost_us;	  /* how long after a request its answer may still come (2.5 s) */
};

void line_params_default(struct line_params *params);

struct line;

/**
 * @tx   called to send one whole frame; returns false if the link could not take it (the request
 *       then ends as LINE_TIMEOUT, in its time). It may call line_link().
 */
struct line *line_new(const struct line_params *params,
		      bool (*tx)(void *user, const uint8_t *, size_t), void *user);
void line_free(struct line *line);

/** Add a user; ops and user are borrowed. False if LINE_USERS_MAX are there. */
bool line_add(struct line *line, const struct line_user_ops *ops, void *user);
/** Remove it, also from within a call of its own or another user's; no call follows. */
void line_remove(struct line *line, void *user);

/** The link came up or went away. */
void line_link(struct line *line, bool up, int64_t now_us);
void line_rx(struct line *line, const uint8_t *data, size_t len, int64_t now_us);
/** Do what is due; call at line_deadline() and after every other call. */
void line_run(struct line *line, int64_t now_us);
/** When line_run() is next needed; INT64_MAX = not before something happens. */
int64_t line_deadline(struct line *line, int64_t now_us);

/**
 * Whether a request of this shape must not be sent now: its answer could not be told from one that
 * may still be on its way, or from a repetition of the last one.
 */
bool line_blocked(const struct line *line, const struct line_shape *shape, int64_t now_us);

bool line_is_up(const struct line *line);
/** What comes cannot be read as frames any more (Modbus TCP): the link must be made anew. */
bool line_is_broken(const struct line *line);

struct line_stats {
	uint64_t requests, answers, timeouts, bad_frames, exceptions, stragglers, noise_bytes;
	uint32_t rtt_us;
	uint32_t allowance_us; /* what the device is given at present */
	uint32_t gap_us;
	uint32_t round_us; /* predicted: until everyone that answers has had a turn */
	bool echo;	   /* the line hears itself (RS-485) */
};

void line_stats(const struct line *line, struct line_stats *out);
