#include "history/pack.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { CHUNK_FORMAT = 1, BLOCK_FORMAT = 1, CURVE_FORMAT = 1 };

const struct pack_qty pack_qtys[PACK_QTYS] = {
	{ U2K_QTY_INPUT_VOLTAGE, 10 },	  { U2K_QTY_INPUT_FREQUENCY, 10 },
	{ U2K_QTY_BYPASS_VOLTAGE, 10 },	  { U2K_QTY_BYPASS_FREQUENCY, 10 },
	{ U2K_QTY_OUTPUT_VOLTAGE, 10 },	  { U2K_QTY_OUTPUT_CURRENT, 10 },
	{ U2K_QTY_OUTPUT_FREQUENCY, 10 }, { U2K_QTY_OUTPUT_REALPOWER, 1 },
	{ U2K_QTY_OUTPUT_POWER, 1 },	  { U2K_QTY_LOAD, 10 },
	{ U2K_QTY_TEMPERATURE, 10 },	  { U2K_QTY_BATTERY_VOLTAGE, 10 },
	{ U2K_QTY_BATTERY_CHARGE, 10 },	  { U2K_QTY_BATTERY_RUNTIME, 1 },
};

int pack_find(enum u2k_qty qty)
{
	for (int row = 0; row < PACK_QTYS; row++)
		if (pack_qtys[row].qty == qty)
			return row;
	return -1;
}

int32_t pack_int(int row, double value)
{
	double scaled = value * pack_qtys[row].scale;

	if (!(scaled > -1e9))
		return -1000000000;
	return scaled < 1e9 ? (int32_t)lround(scaled) : 1000000000;
}

double pack_value(int row, double scaled)
{
	return scaled / pack_qtys[row].scale;
}

/* ---- integers of variable length: seven bits a byte, the lowest first ---- */

struct out {
	uint8_t *start, *p;
};

static void put(struct out *out, uint32_t value)
{
	while (value >= 0x80) {
		*out->p++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*out->p++ = (uint8_t)value;
}

/* Small numbers of either sign become small numbers. */
static void put_signed(struct out *out, int64_t value)
{
	assert(value >= INT32_MIN && value <= INT32_MAX);
	put(out, ((uint32_t)value << 1) ^ (uint32_t)(value < 0 ? -1 : 0));
}

struct in {
	const uint8_t *p, *end;
	bool bad;
};

static uint32_t get(struct in *in)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t byte;

		if (in->p == in->end)
			break;
		byte = *in->p++;
		if (shift == 28 && byte > 0x0f)
			break;
		value |= (uint32_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	in->bad = true;
	return 0;
}

static int64_t get_signed(struct in *in)
{
	uint32_t value = get(in);

	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* base + delta within what pack_int() can give. */
static int32_t get_value(struct in *in, int32_t base)
{
	int64_t value = base + get_signed(in);

	if (value < -1000000000 || value > 1000000000) {
		in->bad = true;
		return 0;
	}
	return (int32_t)value;
}

/* ---- chunks ---- */

size_t pack_chunk(const struct pack_chunk *chunk, uint8_t out[PACK_CHUNK_MAX])
{
	struct out o = { out, out };
	bool any = false;

	put(&o, CHUNK_FORMAT);
	for (int row = 0; row < PACK_QTYS; row++) {
		const struct pack_series *s = &chunk->series[row];
		struct pack_reading before = { 0 };

		if (!s->n)
			continue;
		any = true;
		put(&o, (uint32_t)row);
		put(&o, s->n);
		for (unsigned i = 0; i < s->n; i++) {
			const struct pack_reading *r = &s->readings[i];

			put(&o, (uint32_t)(r->tick - before.tick));
			put_signed(&o, (int64_t)r->value - before.value);
			before = *r;
		}
		put(&o, (uint32_t)(s->until - before.tick));
	}
	return any ? (size_t)(o.p - o.start) : 0;
}

static bool get_series(struct in *in, struct pack_series *s)
{
	uint32_t n = get(in), tick = 0;
	int32_t value = 0;

	if (n < 1 || n > PACK_READINGS)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t step = get(in);

		if (step > PACK_CHUNK_TICKS || (i > 0 && step == 0))
			return false;
		tick += step;
		value = get_value(in, value);
		if (in->bad || tick > PACK_CHUNK_TICKS)
			return false;
		s->readings[i] = (struct pack_reading){ (uint16_t)tick, value };
	}
	tick += get(in) % (PACK_CHUNK_TICKS + 1);
	if (in->bad || tick > PACK_CHUNK_TICKS)
		return false;
	s->until = (uint16_t)tick;
	s->n = (uint8_t)n;
	return true;
}

bool unpack_chunk(const uint8_t *data, size_t len, struct pack_chunk *chunk)
{
	struct in in = { data, data + len, false };
	int64_t last = -1;

	memset(chunk, 0, sizeof(*chunk));
	if (len == 0 || get(&in) != CHUNK_FORMAT)
		return false;
	while (in.p < in.end) {
		uint32_t row = get(&in);

		if (in.bad || row >= PACK_QTYS || row <= last)
			return false;
		if (!get_series(&in, &chunk->series[row])) {
			memset(&chunk->series[row], 0, sizeof(chunk->series[row]));
			return false;
		}
		last = row;
	}
	return true;
}

/* ---- blocks ---- */

size_t pack_block(const struct band *bands, size_t n, uint8_t out[PACK_BLOCK_MAX])
{
	struct out o = { out, out };
	size_t next = 0; /* the slot that needs no skip */
	int32_t mean = 0;

	put(&o, BLOCK_FORMAT);
	for (size_t i = 0; i < n; i++) {
		const struct band *band = &bands[i];

		if (!band->known)
			continue;
		put(&o, (uint32_t)(i - next));
		put_signed(&o, (int64_t)band->mean - mean);
		put(&o, (uint32_t)(band->mean - band->min));
		put(&o, (uint32_t)(band->max - band->mean));
		mean = band->mean;
		next = i + 1;
	}
	return next ? (size_t)(o.p - o.start) : 0;
}

bool unpack_block(const uint8_t *data, size_t len, size_t n, struct band *bands)
{
	struct in in = { data, data + len, false };
	size_t slot = 0;
	int32_t mean = 0;

	memset(bands, 0, n * sizeof(*bands));
	if (len == 0 || get(&in) != BLOCK_FORMAT)
		return false;
	while (in.p < in.end) {
		uint32_t skip = get(&in), below, above;

		if (skip >= n || slot + skip >= n)
			return false;
		slot += skip;
		mean = get_value(&in, mean);
		below = get(&in);
		above = get(&in);
		if (in.bad || below > 2000000000 || above > 2000000000 ||
		    (int64_t)mean - below < -1000000000 || (int64_t)mean + above > 1000000000)
			return false;
		bands[slot++] =
			(struct band){ true, mean - (int32_t)below, mean, mean + (int32_t)above };
	}
	return true;
}

/* ---- curves ---- */

size_t pack_curve(const struct curve_point *points, size_t n, uint8_t out[PACK_CURVE_MAX])
{
	struct out o = { out, out };
	struct curve_point before = { 0 };

	put(&o, CURVE_FORMAT);
	for (size_t i = 0; i < n && i < PACK_CURVE_POINTS; i++) {
		put(&o, (uint32_t)(points[i].second - before.second));
		put_signed(&o, (int64_t)points[i].decivolts - before.decivolts);
		put_signed(&o, (int64_t)points[i].charge - before.charge);
		put_signed(&o, (int64_t)points[i].watts - before.watts);
		before = points[i];
	}
	return (size_t)(o.p - o.start);
}

size_t unpack_curve(const uint8_t *data, size_t len, struct curve_point points[PACK_CURVE_POINTS])
{
	struct in in = { data, data + len, false };
	struct curve_point now = { 0 };
	size_t n = 0;

	if (len == 0 || get(&in) != CURVE_FORMAT)
		return 0;
	while (in.p < in.end && n < PACK_CURVE_POINTS) {
		uint32_t step = get(&in);

		if (step > 10000000 || now.second + (int64_t)step > 100000000)
			break;
		now.second += (int32_t)step;
		now.decivolts = get_value(&in, now.decivolts);
		now.charge = get_value(&in, now.charge);
		now.watts = get_value(&in, now.watts);
		if (in.bad)
			break;
		points[n++] = now;
	}
	return n;
}
