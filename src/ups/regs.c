#include "ups/regs.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/*
 * Gains, units and meanings: docs/protocol.md, tables "Telemetry", "Battery", "Settings".
 * 1047 and 1049 count tenths of a minute (6 s), 1048 minutes.
 */
/* clang-format off */
static const struct reg_desc registers[U2K_QTY_COUNT] = {
	/* name, unit, base register, decimals; type; scale; largest raw value or mask; held */
	[U2K_QTY_INPUT_VOLTAGE]    = { { "input.voltage", "V", 1000, 1 },          REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_INPUT_FREQUENCY]  = { { "input.frequency", "Hz", 1003, 1 },       REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_BYPASS_VOLTAGE]   = { { "bypass.voltage", "V", 1004, 1 },         REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_BYPASS_FREQUENCY] = { { "bypass.frequency", "Hz", 1007, 1 },      REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_OUTPUT_VOLTAGE]   = { { "output.voltage", "V", 1008, 1 },         REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_OUTPUT_CURRENT]   = { { "output.current", "A", 1011, 1 },         REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_OUTPUT_FREQUENCY] = { { "output.frequency", "Hz", 1014, 1 },      REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_OUTPUT_REALPOWER] = { { "output.realpower", "W", 1015, 1 },       REG_FIXED,  100, 0x7ffe,    false },
	[U2K_QTY_OUTPUT_POWER]     = { { "output.power", "VA", 1018, 1 },          REG_FIXED,  100, 0x7ffe,    false },
	[U2K_QTY_LOAD]             = { { "ups.load", "%", 1021, 1 },               REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_OUTPUT_SOURCE]    = { { "output.source", "", 1024, 0 },           REG_ENUM,   1,   0xef,      false },
	[U2K_QTY_INPUT_PHASES]     = { { "input.phases", "", 1025, 0 },            REG_PHASES, 1,   1,         true },
	[U2K_QTY_OUTPUT_PHASES]    = { { "output.phases", "", 1026, 0 },           REG_PHASES, 1,   1,         true },
	[U2K_QTY_TEMPERATURE]      = { { "ups.temperature", "C", 1027, 1 },        REG_SIGNED, 0.1, 2000,      false },
	[U2K_QTY_STARTUP]          = { { "ups.startup", "", 1028, 0 },             REG_ENUM,   1,   0x0f,      false },
	[U2K_QTY_STATUS_BITS]      = { { "ups.status.bits", "", 1043, 0 },         REG_BITS,   1,   0xfffe,    false },
	[U2K_QTY_BATTERY_VOLTAGE]  = { { "battery.voltage", "V", 2000, 1 },        REG_FIXED,  0.1, 0x7ffe,    false },
	[U2K_QTY_BATTERY_STATE]    = { { "battery.state", "", 2002, 0 },           REG_ENUM,   1,   0x3f,      false },
	[U2K_QTY_BATTERY_CHARGE]   = { { "battery.charge", "%", 2003, 1 },         REG_U16,    1,   100,       false },
	[U2K_QTY_BATTERY_RUNTIME]  = { { "battery.runtime", "s", 2004, 0 },        REG_U32,    1,   0x7ffffff, false },
	[U2K_QTY_BATTERY_BLOCKS]   = { { "battery.blocks", "", 2007, 0 },          REG_U16,    1,   100,       true },
	[U2K_QTY_BATTERY_CAPACITY] = { { "battery.capacity", "Ah", 2033, 0 },      REG_U16,    1,   10000,     true },
	[U2K_QTY_RATED_POWER]      = { { "ups.power.nominal", "VA", 9009, 0 },     REG_FIXED,  100, 0x7ffe,    true },
	[U2K_QTY_AUTO_START]       = { { "setting.auto-start", "", 1044, 0 },      REG_U16,    1,   1,         true },
	[U2K_QTY_BYPASS_WHEN_OFF]  = { { "setting.bypass-when-off", "", 1045, 0 }, REG_U16,    1,   1,         true },
	[U2K_QTY_BEEPER_MUTED]     = { { "setting.beeper-muted", "", 1046, 0 },    REG_U16,    1,   1,         true },
	[U2K_QTY_RESTART_OFF]      = { { "timer.restart-off", "s", 1047, 0 },      REG_U16,    6,   990,       true },
	[U2K_QTY_RESTART_ON]       = { { "timer.restart-on", "s", 1048, 0 },       REG_U16,    60,  9999,      true },
	[U2K_QTY_OFF_TIMER]        = { { "timer.off", "s", 1049, 0 },              REG_U16,    6,   990,       true },
};
/* clang-format on */
static_assert(sizeof(registers) / sizeof(registers[0]) == U2K_QTY_COUNT, "a quantity has no row");

const struct reg_desc *reg_desc(enum u2k_qty qty)
{
	return &registers[qty];
}

const struct u2k_qty_desc *u2k_qty_desc(enum u2k_qty qty)
{
	return (unsigned)qty < U2K_QTY_COUNT ? &registers[qty].qty : NULL;
}

unsigned reg_count(const struct reg_desc *row)
{
	return row->type == REG_U32 ? 2 : 1;
}

bool reg_decode(const struct reg_desc *row, const uint16_t *regs, double *value)
{
	uint16_t raw = regs[0];
	uint32_t wide;

	switch (row->type) {
	case REG_FIXED:
	case REG_U16:
		if (raw > row->max)
			return false;
		*value = row->scale == 0.1 ? raw / 10.0 : raw * row->scale;
		return true;
	case REG_SIGNED:
		if (raw == 0x7fff || abs((int16_t)raw) > (int)row->max)
			return false;
		*value = (int16_t)raw / 10.0;
		return true;
	case REG_U32:
		wide = (uint32_t)raw << 16 | regs[1];
		if (wide > row->max)
			return false;
		*value = wide;
		return true;
	case REG_ENUM:
		if (raw > 31 || !(row->max >> raw & 1))
			return false;
		*value = raw;
		return true;
	case REG_BITS:
		if (raw == 0x7fff || raw == 0xffff)
			return false;
		*value = raw;
		return true;
	case REG_PHASES:
		if (raw > row->max)
			return false;
		*value = raw ? 3 : 1;
		return true;
	}
	return false;
}
