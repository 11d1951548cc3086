#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ups2000/ups.h>

/*
 * How readings lie in the database. Values are integers: the quantity times its scale. Two forms:
 *
 * A *chunk* holds some seconds of all quantities of one UPS as they were read; each chunk can be
 * understood alone. A *block* holds the bands (least, mean, greatest) of one quantity for a row of
 * equal slots: the minutes of an hour, or the quarters of a day.
 *
 * What comes back from a disk may be anything: decoders check every byte, take what is whole and
 * say that the rest is not.
 */
enum { PACK_QTYS = 14 };

struct pack_qty {
	enum u2k_qty qty;
	int scale;
};

/* The index of a row is its number on disk: rows are only ever added at the end. */
extern const struct pack_qty pack_qtys[PACK_QTYS];

/** Row of a quantity, or -1 if it is not recorded. */
int pack_find(enum u2k_qty qty);
int32_t pack_int(int row, double value);
double pack_value(int row, double scaled);

/* ---- chunks ---- */

enum {
	PACK_TICK_US = 100000,	/* times within a chunk count in tenths of a second */
	PACK_CHUNK_TICKS = 600, /* none is longer */
	PACK_READINGS = 8,	/* of one quantity in one chunk */
	PACK_CHUNK_MAX = 4 + PACK_QTYS * (5 + PACK_READINGS * 8), /* bytes */
};

struct pack_reading {
	uint16_t tick; /* since the start of the chunk; holds until the next one */
	int32_t value;
};

struct pack_series {
	uint8_t n;	/* 0: nothing is known of this quantity */
	uint16_t until; /* tick up to which the last value held; not before its own tick */
	struct pack_reading readings[PACK_READINGS]; /* ticks ascend strictly */
};

struct pack_chunk {
	struct pack_series series[PACK_QTYS];
};

/** Returns the bytes used of out, at most PACK_CHUNK_MAX; 0 if the chunk holds nothing. */
size_t pack_chunk(const struct pack_chunk *chunk, uint8_t out[PACK_CHUNK_MAX]);
/** Returns false if something is wrong; the series before that are good. */
bool unpack_chunk(const uint8_t *data, size_t len, struct pack_chunk *chunk);

/* ---- blocks ---- */

enum { PACK_SLOTS = 96, PACK_BLOCK_MAX = 2 + PACK_SLOTS * 17 };

struct band {
	bool known;
	int32_t min, mean, max; /* min <= mean <= max */
};

/** @n  slots, at most PACK_SLOTS. Returns the bytes used; 0 if no slot is known. */
size_t pack_block(const struct band *bands, size_t n, uint8_t out[PACK_BLOCK_MAX]);
/** Fills all n bands. Returns false if something is wrong; the bands before that are good. */
bool unpack_block(const uint8_t *data, size_t len, size_t n, struct band *bands);

/* ---- curves of battery tests ---- */

enum { PACK_CURVE_POINTS = 512, PACK_CURVE_MAX = 2 + PACK_CURVE_POINTS * 20 };

struct curve_point {
	int32_t second;	       /* since the start of the test; ascends */
	int32_t decivolts;     /* of the battery string */
	int32_t charge, watts; /* percent, W; -1 = not known */
};

size_t pack_curve(const struct curve_point *points, size_t n, uint8_t out[PACK_CURVE_MAX]);
/** Returns the number of good points, at most PACK_CURVE_POINTS. */
size_t unpack_curve(const uint8_t *data, size_t len, struct curve_point points[PACK_CURVE_POINTS]);
