#include "probe/areas.h"

#include "ups/alarms.h"
#include "ups/regs.h"
#include "util/util.h"

const struct area areas[AREA_COUNT] = {
	{ 1000, 61, 0 },
	{ 2000, 34, 61 },
	{ 9009, 1, 95 },
	{ ALARMS_BASE, U2K_ALARM_REGS, 96 },
};

/* Only written; what they read means nothing (docs/protocol.md, "Settings"). */
static const struct {
	uint16_t base;
	const char *name;
} orders[] = {
	{ 1029, "order.on" },	     { 1030, "order.off" },	  { 1050, "order.cancel" },
	{ 2021, "order.test.deep" }, { 2023, "order.test.stop" }, { 2028, "order.test.quick" },
};

int area_slot(uint16_t base)
{
	for (size_t i = 0; i < AREA_COUNT; i++)
		if (base >= areas[i].base && base < areas[i].base + areas[i].n)
			return areas[i].first + (base - areas[i].base);
	return -1;
}

uint16_t area_base(unsigned slot)
{
	size_t i = AREA_COUNT - 1;

	while (i && slot < areas[i].first)
		i--;
	return (uint16_t)(areas[i].base + slot - areas[i].first);
}

void area_name(uint16_t base, struct area_name *out)
{
	*out = (struct area_name){ .qty = U2K_QTY_COUNT };
	for (enum u2k_qty q = 0; q < U2K_QTY_COUNT; q++) {
		const struct reg_desc *row = reg_desc(q);

		if (base < row->qty.base || base >= row->qty.base + reg_count(row))
			continue;
		out->name = row->qty.name;
		out->qty = q;
		out->low_word = base != row->qty.base;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		if (orders[i].base == base) {
			out->name = orders[i].name;
			out->write_only = true;
			return;
		}
	}
	if (base >= ALARMS_BASE && base < ALARMS_BASE + U2K_ALARM_REGS)
		out->name = "alarms";
}
