#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ups2000/ups.h>

/* The register map of the 1-3 kVA family; facts and their sources: docs/protocol.md. */
enum reg_type {
	REG_FIXED,  /* U16 divided by the gain; 0x7FFF (and 0xFFFF) = invalid */
	REG_SIGNED, /* the same, signed 16 bit */
	REG_U16,    /* 0xFFFF = invalid */
	REG_U32,    /* two registers, high word first; 0xFFFFFFFF = invalid */
	REG_ENUM,   /* valid values are the bits of the row's mask */
	REG_BITS,   /* 0x7FFF and 0xFFFF = invalid */
	REG_PHASES, /* 0 = single phase, 1 = three phases */
};

struct reg_desc {
	struct u2k_qty_desc qty;
	enum reg_type type;
	double scale; /* value = raw * scale */
	uint32_t max; /* largest raw value that can be true (SIGNED: on both sides of 0); ENUM:
			  * mask of valid values */
	bool held;    /* read-only facts and settings: do not expire while the UPS answers */
};

const struct reg_desc *reg_desc(enum u2k_qty qty);

/** Registers a quantity takes: 1 or 2. */
unsigned reg_count(const struct reg_desc *row);

/**
 * What the registers say.
 *
 * @regs   reg_count() registers in host byte order
 * @value  written only if true is returned
 *
 * Returns false for the device's "invalid" markers and for values that cannot be.
 */
bool reg_decode(const struct reg_desc *row, const uint16_t *regs, double *value);
