#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bounds-checked cursor over received bytes. Reading past the end gives 0 and sets bad for good. */
struct rd {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct rd rd_init(const uint8_t *p, size_t len)
{
	return (struct rd){ .p = p, .end = p + len, .bad = false };
}

static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

static inline uint8_t rd_u8(struct rd *r)
{
	if (r->p == r->end) {
		r->bad = true;
		return 0;
	}
	return *r->p++;
}

static inline uint16_t rd_u16(struct rd *r)
{
	uint16_t hi = rd_u8(r);

	return (uint16_t)(hi << 8 | rd_u8(r));
}

/* A run of n bytes, or NULL (and bad) if fewer are left. */
static inline const uint8_t *rd_skip(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (rd_left(r) < n) {
		r->p = r->end;
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return p;
}

static inline uint8_t *wr_u8(uint8_t *p, uint8_t v)
{
	*p = v;
	return p + 1;
}

static inline uint8_t *wr_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}
