#pragma once

#include <stddef.h>
#include <stdint.h>

#include "history/pack.h"

/*
 * Readings of one UPS, gathered for a chunk: a value is noted when it was read and is another than
 * before, and at the start of each chunk, if it still holds. It holds until the next one, as long as
 * the UPS answers and the value is valid. Pure.
 */
struct chunk {
	int64_t start_us;	    /* monotonic; 0 = not begun */
	int64_t start_ms;	    /* the same moment on the wall clock */
	int64_t read_us[PACK_QTYS]; /* of the newest reading seen */
	struct pack_chunk pack;
};

void chunk_init(struct chunk *chunk);
void chunk_look(struct chunk *chunk, const struct u2k_snapshot *snap, int64_t now_us,
		int64_t wall_us);
/**
 * End this chunk and begin the next.
 *
 * Returns the bytes in out, 0 if nothing was read; start_ms tells when it began.
 */
size_t chunk_close(struct chunk *chunk, const struct u2k_snapshot *snap, int64_t now_us,
		   int64_t wall_us, int64_t *start_ms, uint8_t out[PACK_CHUNK_MAX]);
