#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ups2000/ups.h>

/*
 * The reads a session makes. A piece is a run of registers; its length is also what a straggler is
 * told by, so no two whole pieces have the same length. The status piece comes in several lengths
 * (up to the settings and timers behind it), so that it can be asked again while an answer to an
 * earlier length may still be on its way. Its parts share their lengths with no other piece either.
 */
enum piece {
	PIECE_STATUS,	 /* 1024...1043, longer variants up to 1049 */
	PIECE_TELEMETRY, /* 1000...1023 */
	PIECE_BATTERY,	 /* 2000...2007 */
	PIECE_ALARMS,	 /* 40156...40182 */
	PIECE_CAPACITY,	 /* 2000...2033 */
	PIECE_RATING,	 /* 9009 */
	PIECE_SETTINGS,	 /* 1044...1049, where the long status is refused or must be read at once */
	/* parts of the above, for units that refuse a range with undefined registers in it */
	PIECE_STATUS_SOURCE,
	PIECE_STATUS_BITS,
	PIECE_INPUT_VOLTAGE,
	PIECE_INPUT_FREQUENCY,
	PIECE_BYPASS_FREQUENCY,
	PIECE_OUTPUT_CURRENT,
	PIECE_OUTPUT_FREQUENCY,
	PIECE_OUTPUT_POWER,
	PIECE_LOAD,
	PIECE_BATTERY_VOLTAGE,
	PIECE_BATTERY_STATE,
	PIECE_BATTERY_RUNTIME,
	PIECE_BATTERY_BLOCKS,
	PIECE_BATTERY_CAPACITY,
	PIECE_COUNT,
	PIECE_IDENTIFY = PIECE_COUNT, /* not a read of registers: 0x2B */
	PIECE_NONE
};

struct piece_desc {
	uint16_t base;
	uint8_t n;	      /* registers */
	uint8_t longer[5];    /* further lengths, rising; 0 = no more */
	uint32_t interval_ms; /* between two reads; 0 = the session's status interval */
	enum piece parts_first, parts_last; /* read instead when refused; PIECE_NONE = none */
};

const struct piece_desc *piece_desc(enum piece piece);

enum { PIECE_LENGTHS_MAX = 6 };

/** The i-th length of a piece, 0 = there are fewer. */
size_t piece_length(enum piece piece, unsigned i);

/** Address on the wire: 10000 * number + base, alarms 1024 * number + base. number 1..4. */
uint16_t piece_address(uint16_t base, unsigned number);

/** Whether quantity qty is read by n registers from base. */
bool piece_covers(uint16_t base, size_t n, enum u2k_qty qty);
