#pragma once

/*
 * A wire in virtual time for the tests of line and session: requests go to a handler that stands for
 * the device; its bytes come back after a delay, in the portions the test asks for.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/rtu.h"
#include "ups/line.h"

enum { RIG_CHUNKS = 256, RIG_LOG = 4096 };

struct rig_chunk {
	int64_t at_us;
	uint8_t data[RTU_ADU_MAX];
	size_t len;
};

struct rig_sent {
	int64_t at_us;
	uint8_t adu[RTU_ADU_MAX];
	size_t len;
};

struct rig {
	int64_t now_us;
	struct line *line;
	struct rig_chunk chunks[RIG_CHUNKS];
	size_t n_chunks;
	struct rig_sent sent[RIG_LOG];
	size_t n_sent; /* in the log: the first RIG_LOG requests */
	/* the device: called with each request; answers by rig_reply() */
	void (*device)(struct rig *rig, const uint8_t *adu, size_t len);
	void *device_data;
};

static inline bool rig_tx(void *user, const uint8_t *adu, size_t len)
{
	struct rig *rig = user;

	if (rig->n_sent < RIG_LOG) {
		rig->sent[rig->n_sent].at_us = rig->now_us;
		memcpy(rig->sent[rig->n_sent].adu, adu, len);
		rig->sent[rig->n_sent++].len = len;
	}
	if (rig->device)
		rig->device(rig, adu, len);
	return true;
}

static inline void rig_bytes(struct rig *rig, int64_t delay_us, const uint8_t *data, size_t len)
{
	struct rig_chunk *chunk;

	if (rig->n_chunks == RIG_CHUNKS || len > sizeof(chunk->data))
		abort();
	chunk = &rig->chunks[rig->n_chunks++];
	chunk->at_us = rig->now_us + delay_us;
	memcpy(chunk->data, data, len);
	chunk->len = len;
}

static inline void rig_reply(struct rig *rig, int64_t delay_us, uint8_t unit_id, const uint8_t *pdu,
			     size_t len)
{
	uint8_t adu[RTU_ADU_MAX];

	rig_bytes(rig, delay_us, adu, rtu_put(adu, unit_id, pdu, len));
}

/* Let virtual time pass until until_us, event by event. */
static inline void rig_run(struct rig *rig, int64_t until_us)
{
	for (;;) {
		int64_t next = line_deadline(rig->line, rig->now_us);
		size_t first = rig->n_chunks;

		for (size_t i = 0; i < rig->n_chunks; i++)
			if (first == rig->n_chunks ||
			    rig->chunks[i].at_us < rig->chunks[first].at_us)
				first = i;
		if (first < rig->n_chunks && rig->chunks[first].at_us <= next) {
			struct rig_chunk chunk = rig->chunks[first];

			if (chunk.at_us > until_us)
				break;
			memmove(&rig->chunks[first], &rig->chunks[first + 1],
				(--rig->n_chunks - first) * sizeof(chunk));
			if (chunk.at_us > rig->now_us)
				rig->now_us = chunk.at_us;
			line_rx(rig->line, chunk.data, chunk.len, rig->now_us);
		} else {
			if (next > until_us)
				break;
			if (next > rig->now_us)
				rig->now_us = next;
		}
		line_run(rig->line, rig->now_us);
	}
	rig->now_us = until_us;
	line_run(rig->line, rig->now_us);
}
