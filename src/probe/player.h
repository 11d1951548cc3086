#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/pdu.h"
#include "probe/capture.h"

/*
 * A capture that answers: what the UPS of the capture said to a request, it says again. Pure. The
 * same request asked several times gets the captured answers in their order, then from the first
 * one again; unanswered ones are silence. A read that was not captured is answered from the
 * registers that were, if they all were; else with exception 2. Writes get exception 1: a capture
 * cannot obey.
 */
struct player;

/**
 * @capture  borrowed for the call
 *
 * Returns NULL if there is no request in it.
 */
struct player *player_new(const struct capture *capture);
void player_free(struct player *player);

/** The unit id of the first request. */
uint8_t player_unit_id(const struct player *player);

struct player_reply {
	uint8_t pdu[PDU_MAX];
	size_t len;	  /* 0 = silence */
	int64_t think_us; /* what the UPS took before its first byte; -1 = not captured */
};

/** Answer a request PDU of 1..PDU_MAX bytes. */
void player_answer(struct player *player, const uint8_t *pdu, size_t len,
		   struct player_reply *reply);
