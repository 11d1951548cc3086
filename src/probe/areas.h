#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ups2000/ups.h>

/*
 * The registers that are looked at: those of docs/protocol.md and the few behind 1050, where some
 * setting without a known register may hide. Bases, without 10000 x N.
 */
enum { AREA_COUNT = 4, AREA_REGS = 61 + 34 + 1 + 27 };

struct area {
	uint16_t base;
	uint8_t n;
	uint8_t first; /* slot of its first register, 0..AREA_REGS-1 */
};

extern const struct area areas[AREA_COUNT];

/** Slot of a register; -1 if it is in no area. */
int area_slot(uint16_t base);
/** Register of a slot. */
uint16_t area_base(unsigned slot);

/* What a register is for. */
struct area_name {
	const char *name; /* "input.voltage"; NULL = not defined */
	enum u2k_qty
		qty;   /* U2K_QTY_COUNT if it is none: it is only written, or an alarm register */
	bool low_word; /* the second of two */
	bool write_only;
};

void area_name(uint16_t base, struct area_name *out);
