#include "ups/alarms.h"

#include <assert.h>
#include <stddef.h>

struct alarm_row {
	uint8_t reg, bit; /* register 40156 + reg */
	uint8_t alt_reg;  /* a second place of the same alarm, or NO_ALT */
	struct u2k_alarm_desc desc;
};

enum { NO_ALT = 0xff };

/* Registers, bits, ids, severities: docs/protocol.md, "Alarms". */
/* clang-format off */
static const struct alarm_row alarms[] = {
	/* 40156 + register, bit, second place; id, cause, severity, name, meaning, remedy */
	{ 0, 3, NO_ALT, { 30, 1, U2K_ALERT, "Over-temperature",
		"The ambient temperature is above 50 C; a start from standby is refused.",
		"Cool the room and clear the air inlets; the alarm clears by itself." } },
	{ 5, 1, NO_ALT, { 10, 1, U2K_WARNING, "Bypass voltage abnormal",
		"The bypass input is absent or its voltage is out of range; bypass cannot be used.",
		"Check the mains that feed the bypass; expected while the mains are out." } },
	{ 5, 2, NO_ALT, { 10, 2, U2K_WARNING, "Bypass frequency abnormal",
		"The frequency at the bypass input is out of range; bypass cannot be used.",
		"Check the mains or the generator; expected while the mains are out." } },
	{ 7, 3, NO_ALT, { 25, 1, U2K_WARNING, "Battery over-voltage",
		"More than 15 V per battery block at start, or more than 14.7 V now.",
		"Check the number and type of the batteries; call service if it stays." } },
	{ 8, 1, NO_ALT, { 29, 1, U2K_WARNING, "Battery needs maintenance",
		"In the last battery test the voltage fell below 11 V per block.",
		"Replace the batteries, then run a battery test." } },
	{ 8, 3, NO_ALT, { 26, 1, U2K_WARNING, "Battery under-voltage",
		"The battery voltage is too low.",
		"Let the battery charge; replace it if the alarm comes back." } },
	{ 14, 4, NO_ALT, { 22, 1, U2K_ALERT, "Battery disconnected",
		"The battery is not connected, loose or faulty; a mains failure would drop the load.",
		"Check the battery connector and fuse." } },
	{ 17, 5, NO_ALT, { 66, 1, U2K_ALERT, "Overload 105-110 %",
		"The load is 105 to 110 % of the rating; off or to bypass within 5 to 10 minutes.",
		"Unplug loads that can do without." } },
	{ 17, 3, 18, { 66, 2, U2K_ALERT, "Overload 110-130 %",
		"The load is 110 to 130 % of the rating; off or to bypass within 30 to 60 seconds.",
		"Unplug loads at once." } },
	{ 18, 0, NO_ALT, { 14, 1, U2K_ALERT, "Start-up timeout",
		"The inverter did not reach its voltage in time, or the battery is over-discharged.",
		"Let the battery charge and start again; call service if it fails again." } },
	{ 23, 14, NO_ALT, { 42, 15, U2K_ALERT, "Rectifier fault",
		"The internal bus fell below 320 V.",
		"Shut the UPS down fully and start it again; call service if it comes back." } },
	{ 23, 15, NO_ALT, { 42, 17, U2K_ALERT, "Rectifier fault",
		"The internal bus rose above 450 V.",
		"Shut the UPS down fully and start it again; call service if it comes back." } },
	{ 24, 1, NO_ALT, { 42, 18, U2K_ALERT, "Rectifier fault",
		"The internal bus fell below 260 V.",
		"Shut the UPS down fully and start it again; call service if it comes back." } },
	{ 24, 5, NO_ALT, { 42, 24, U2K_ALERT, "EEPROM fault",
		"Settings are back at their factory values and cannot be saved.",
		"Set them again; call service if the alarm stays." } },
	{ 24, 6, NO_ALT, { 42, 27, U2K_ALERT, "Inverter fault",
		"The inverter's output voltage or current is out of range.",
		"Remove the load and start again; call service if it comes back." } },
	{ 24, 7, NO_ALT, { 42, 28, U2K_ALERT, "Inverter fault",
		"The inverter's output is below 100 V.",
		"Remove the load and start again; call service if it comes back." } },
	{ 24, 10, NO_ALT, { 42, 31, U2K_ALERT, "Inverter fault",
		"The positive and the negative bus differ by 100 V.",
		"Remove the load and start again; call service if it comes back." } },
	{ 24, 11, NO_ALT, { 42, 32, U2K_ALERT, "Over-temperature",
		"The ambient temperature is above 50 C; the load went to bypass.",
		"Cool the room and clear the air inlets." } },
	{ 24, 13, NO_ALT, { 42, 36, U2K_ALERT, "Charger fault",
		"The charger gives no output (internal connection).",
		"Call service; the battery is not being charged." } },
	{ 26, 4, NO_ALT, { 42, 42, U2K_ALERT, "Charger fault",
		"The charger gives no output while the inverter runs and the battery is low.",
		"Call service; the battery is not being charged." } },
	{ 26, 13, NO_ALT, { 66, 3, U2K_ALERT, "Overload shutdown",
		"An overload lasted too long: the output is off or on bypass.",
		"Unplug loads, then clear the alarm at the panel." } },
	{ 26, 14, NO_ALT, { 66, 4, U2K_ALERT, "Bypass overload shutdown",
		"An overload on bypass lasted too long: the output is off.",
		"Unplug loads, then clear the alarm at the panel." } },
};
/* clang-format on */
static_assert(sizeof(alarms) / sizeof(alarms[0]) == U2K_ALARM_COUNT, "22 alarms are known");

const struct u2k_alarm_desc *u2k_alarm_desc(unsigned alarm)
{
	return alarm < U2K_ALARM_COUNT ? &alarms[alarm].desc : NULL;
}

void alarms_decode(const uint16_t regs[U2K_ALARM_REGS], struct u2k_alarms *out)
{
	out->active = 0;
	for (size_t i = 0; i < U2K_ALARM_REGS; i++)
		out->unknown[i] = regs[i];

	for (size_t i = 0; i < U2K_ALARM_COUNT; i++) {
		const struct alarm_row *row = &alarms[i];
		uint16_t bit = (uint16_t)(1u << row->bit);
		uint16_t seen = regs[row->reg] & bit;

		out->unknown[row->reg] &= (uint16_t)~bit;
		if (row->alt_reg != NO_ALT) {
			seen |= regs[row->alt_reg] & bit;
			out->unknown[row->alt_reg] &= (uint16_t)~bit;
		}
		if (seen)
			out->active |= (uint32_t)1 << i;
	}
}

static uint32_t with_id(uint16_t id)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < U2K_ALARM_COUNT; i++)
		if (alarms[i].desc.id == id)
			mask |= (uint32_t)1 << i;
	return mask;
}

uint32_t alarms_overload(void)
{
	return with_id(66);
}

uint32_t alarms_bypass_input(void)
{
	return with_id(10);
}

uint32_t alarms_no_deep_test(void)
{
	return with_id(22) | with_id(42);
}
