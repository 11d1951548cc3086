#include "history/chunk.h"

#include <string.h>

static uint16_t tick_of(const struct chunk *chunk, int64_t at_us)
{
	int64_t tick = (at_us - chunk->start_us) / PACK_TICK_US;

	if (tick < 0)
		return 0;
	return tick < PACK_CHUNK_TICKS ? (uint16_t)tick : PACK_CHUNK_TICKS;
}

static bool holds(const struct u2k_snapshot *snap, int row)
{
	return snap->comm == U2K_COMM_OK && snap->qty[pack_qtys[row].qty].validity == U2K_VALID;
}

static void note(struct pack_series *s, uint16_t tick, int32_t value)
{
	struct pack_reading *last = s->n ? &s->readings[s->n - 1] : NULL;

	if (!last || (value != last->value && tick > last->tick && s->n < PACK_READINGS))
		s->readings[s->n++] = (struct pack_reading){ tick, value };
	else if (value != last->value)
		last->value = value; /* two in a tenth of a second, or too many: the newest */
	if (tick > s->until)
		s->until = tick;
}

void chunk_init(struct chunk *chunk)
{
	memset(chunk, 0, sizeof(*chunk));
}

static void begin(struct chunk *chunk, const struct u2k_snapshot *snap, int64_t now_us,
		  int64_t wall_us)
{
	memset(&chunk->pack, 0, sizeof(chunk->pack));
	chunk->start_us = now_us;
	chunk->start_ms = wall_us / 1000;
	for (int row = 0; row < PACK_QTYS; row++)
		if (holds(snap, row) && chunk->read_us[row])
			note(&chunk->pack.series[row], 0,
			     pack_int(row, snap->qty[pack_qtys[row].qty].value));
}

void chunk_look(struct chunk *chunk, const struct u2k_snapshot *snap, int64_t now_us,
		int64_t wall_us)
{
	if (!chunk->start_us)
		begin(chunk, snap, now_us, wall_us);
	for (int row = 0; row < PACK_QTYS; row++) {
		const struct u2k_value *v = &snap->qty[pack_qtys[row].qty];

		if (v->validity != U2K_VALID || v->at_us <= chunk->read_us[row])
			continue;
		chunk->read_us[row] = v->at_us;
		note(&chunk->pack.series[row], tick_of(chunk, v->at_us), pack_int(row, v->value));
	}
}

size_t chunk_close(struct chunk *chunk, const struct u2k_snapshot *snap, int64_t now_us,
		   int64_t wall_us, int64_t *start_ms, uint8_t out[PACK_CHUNK_MAX])
{
	size_t len = 0;

	if (chunk->start_us) {
		for (int row = 0; row < PACK_QTYS; row++) {
			struct pack_series *s = &chunk->pack.series[row];

			if (s->n && holds(snap, row))
				s->until = tick_of(chunk, now_us);
		}
		len = pack_chunk(&chunk->pack, out);
		*start_ms = chunk->start_ms;
	}
	begin(chunk, snap, now_us, wall_us);
	return len;
}
