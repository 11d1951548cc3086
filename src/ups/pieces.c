#include "ups/pieces.h"

#include <assert.h>

#include "ups/alarms.h"
#include "ups/regs.h"

/*
 * Largest reads that are known to work: 43 from 1000, 34 from 2000, 27 from 40156 (docs/protocol.md).
 * The longest here takes 85 ms of line time at 9600 baud, so the status never waits longer.
 */
/* clang-format off */
static const struct piece_desc pieces[PIECE_COUNT] = {
	/* base, registers, further lengths, interval in ms (0 = see the session), parts read instead */
	[PIECE_STATUS]           = { 1024,        20, { 21, 22, 23, 25, 26 }, 0,     PIECE_STATUS_SOURCE,    PIECE_STATUS_BITS },
	[PIECE_TELEMETRY]        = { 1000,        24, { 0 },                  1000,  PIECE_INPUT_VOLTAGE,    PIECE_LOAD },
	[PIECE_BATTERY]          = { 2000,        8,  { 0 },                  1000,  PIECE_BATTERY_VOLTAGE,  PIECE_BATTERY_BLOCKS },
	[PIECE_ALARMS]           = { ALARMS_BASE, 27, { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_CAPACITY]         = { 2000,        34, { 0 },                  60000, PIECE_BATTERY_CAPACITY, PIECE_BATTERY_CAPACITY },
	[PIECE_RATING]           = { 9009,        1,  { 0 },                  10000, PIECE_NONE,             PIECE_NONE },
	[PIECE_SETTINGS]         = { 1044,        6,  { 0 },                  2000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_STATUS_SOURCE]    = { 1024,        3,  { 5 },                  0,     PIECE_NONE,             PIECE_NONE },
	[PIECE_STATUS_BITS]      = { 1043,        4,  { 7 },                  0,     PIECE_NONE,             PIECE_NONE },
	[PIECE_INPUT_VOLTAGE]    = { 1000,        1,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_INPUT_FREQUENCY]  = { 1003,        2,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_BYPASS_FREQUENCY] = { 1007,        2,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_OUTPUT_CURRENT]   = { 1011,        1,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_OUTPUT_FREQUENCY] = { 1014,        2,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_OUTPUT_POWER]     = { 1018,        1,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_LOAD]             = { 1021,        1,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_BATTERY_VOLTAGE]  = { 2000,        1,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_BATTERY_STATE]    = { 2002,        2,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_BATTERY_RUNTIME]  = { 2004,        2,  { 0 },                  1000,  PIECE_NONE,             PIECE_NONE },
	[PIECE_BATTERY_BLOCKS]   = { 2007,        1,  { 0 },                  10000, PIECE_NONE,             PIECE_NONE },
	[PIECE_BATTERY_CAPACITY] = { 2033,        1,  { 0 },                  60000, PIECE_NONE,             PIECE_NONE },
};
/* clang-format on */
static_assert(sizeof(pieces) / sizeof(pieces[0]) == PIECE_COUNT, "a piece has no row");

const struct piece_desc *piece_desc(enum piece piece)
{
	return &pieces[piece];
}

size_t piece_length(enum piece piece, unsigned i)
{
	const struct piece_desc *desc = &pieces[piece];

	if (i == 0)
		return desc->n;
	return i < PIECE_LENGTHS_MAX ? desc->longer[i - 1] : 0;
}

uint16_t piece_address(uint16_t base, unsigned number)
{
	unsigned step = base >= 40000 ? 1024 : 10000;

	return (uint16_t)(base + step * number);
}

bool piece_covers(uint16_t base, size_t n, enum u2k_qty qty)
{
	const struct reg_desc *row = reg_desc(qty);

	return row->qty.base >= base && row->qty.base + reg_count(row) <= base + n;
}
