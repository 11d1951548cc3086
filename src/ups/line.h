#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rtu.h"

/*
 * One wire and the UPSes on it. Pure: bytes and the time go in, bytes and deadlines come out.
 *
 * The line takes one request at a time from its users (sessions), the one that has waited longest
 * for its turn first; sends it after the wire was quiet for the gap; and hands the answer, or the
 * lack of one, back. A late answer must never be taken for another register's value: an unanswered
 * request leaves a *ghost*; until the ghost's answer came, or it can no longer come, no request with
 * the same shape of answer is sent on the line.
 */

enum { LINE_USERS_MAX = 64, LINE_GHOSTS_MAX = 16 };

/* The shape of an answer: what a straggler could be mistaken for. */
struct line_shape {
	uint8_t unit_id, fc;
	uint16_t n; /* registers for 0x03; ReadDevId code for 0x2B; address for 0x06, 0x10 */
};

struct line_request {
	uint8_t pdu[PDU_MAX];
	size_t len;
	struct line_shape shape;
	int what;	     /* the user's; comes back with the answer */
	uint32_t timeout_us; /* from the request's last byte; the line bounds it */
};

enum line_result {
	LINE_ANSWER,	/* a reply of the right shape (or an exception) */
	LINE_LATE,	/* the answer to an earlier request that had timed out */
	LINE_TIMEOUT,	/* nothing came in time; a LINE_LATE may still follow */
	LINE_DOWN,	/* the link went away */
};

struct line_answer {
	enum line_result result;
	const struct line_request *request;
	const uint8_t *pdu; /* for ANSWER and LATE; borrowed for the call */
	size_t len;
	int64_t sent_us;    /* when the request was sent */
};

struct line_user_ops {
	/** When this user next wants to send; INT64_MAX = not now. */
	int64_t (*due)(void *user, int64_t now_us);
	/**
	 * The user's turn: fill req and return true, or false to pass. blocked(line, shape) tells
	 * whether a ghost forbids a shape; a request with a blocked shape is not sent.
	 */
	bool (*take)(void *user, int64_t now_us, struct line_request *req);
	/** Exactly one ANSWER, TIMEOUT or DOWN for each request taken; LATE may follow TIMEOUT. */
	void (*answer)(void *user, const struct line_answer *answer, int64_t now_us);
};
