#include "sim/model.h"

#include <assert.h>
#include <string.h>

#include "ups2000/error.h"
#include "util/util.h"

struct row {
	uint16_t base;
	uint8_t bit;
	const char *name;
};

/* docs/protocol.md, alarms. 66/2 is told of two registers (C3). */
static const struct row rows[] = {
	[ALARM_OVERTEMPERATURE] = { 40156, 3, "30/1" },
	[ALARM_BYPASS_VOLTAGE] = { 40161, 1, "10/1" },
	[ALARM_BYPASS_FREQUENCY] = { 40161, 2, "10/2" },
	[ALARM_BATTERY_OVERVOLTAGE] = { 40163, 3, "25/1" },
	[ALARM_BATTERY_MAINTENANCE] = { 40164, 1, "29/1" },
	[ALARM_BATTERY_UNDERVOLTAGE] = { 40164, 3, "26/1" },
	[ALARM_BATTERY_DISCONNECTED] = { 40170, 4, "22/1" },
	[ALARM_OVERLOAD_105] = { 40173, 5, "66/1" },
	[ALARM_OVERLOAD_110] = { 40174, 3, "66/2" },
	[ALARM_STARTUP_TIMEOUT] = { 40174, 0, "14/1" },
	[ALARM_RECTIFIER_LOW] = { 40179, 14, "42/15" },
	[ALARM_RECTIFIER_HIGH] = { 40179, 15, "42/17" },
	[ALARM_RECTIFIER_LOWER] = { 40180, 1, "42/18" },
	[ALARM_EEPROM] = { 40180, 5, "42/24" },
	[ALARM_INVERTER_OUTPUT] = { 40180, 6, "42/27" },
	[ALARM_INVERTER_LOW] = { 40180, 7, "42/28" },
	[ALARM_INVERTER_BUS] = { 40180, 10, "42/31" },
	[ALARM_OVERTEMPERATURE_BYPASS] = { 40180, 11, "42/32" },
	[ALARM_CHARGER] = { 40180, 13, "42/36" },
	[ALARM_CHARGER_TRANSISTOR] = { 40182, 4, "42/42" },
	[ALARM_OVERLOAD_SHUTDOWN] = { 40182, 13, "66/3" },
	[ALARM_BYPASS_OVERLOAD_SHUTDOWN] = { 40182, 14, "66/4" },
};

static_assert(ARRAY_SIZE(rows) == ALARM_COUNT, "an alarm has no row");

static uint32_t bit(enum sim_alarm alarm)
{
	return UINT32_C(1) << alarm;
}

void alarms_latch(struct sim_device *dev, enum sim_alarm alarm)
{
	dev->alarms_latched |= bit(alarm);
}

void alarms_unlatch(struct sim_device *dev, enum sim_alarm alarm)
{
	dev->alarms_latched &= ~bit(alarm);
}

/* Those that come and go with their cause. */
static uint32_t present(const struct sim_device *dev)
{
	uint32_t set = 0;

	if (dev->temperature > 50)
		set |= bit(ALARM_OVERTEMPERATURE);
	if (dev->temperature > 60 && dev->startup == SIM_STARTUP_RUNNING)
		set |= bit(ALARM_OVERTEMPERATURE_BYPASS);
	if (!power_bypass_good(dev))
		set |= bit(ALARM_BYPASS_VOLTAGE);
	else if (!power_bypass_hz_good(dev))
		set |= bit(ALARM_BYPASS_FREQUENCY);
	if (!dev->battery_plugged)
		set |= bit(ALARM_BATTERY_DISCONNECTED);
	if (dev->overload == 1)
		set |= bit(ALARM_OVERLOAD_105);
	if (dev->overload >= 2)
		set |= bit(ALARM_OVERLOAD_110);
	return set;
}

uint32_t sim_device_alarms(const struct sim_device *dev)
{
	return ((present(dev) | dev->alarms_latched) & ~dev->alarms_off) | dev->alarms_on;
}

bool alarms_has(const struct sim_device *dev, enum sim_alarm alarm)
{
	return sim_device_alarms(dev) & bit(alarm);
}

bool alarms_fault(const struct sim_device *dev)
{
	uint32_t set = sim_device_alarms(dev);

	for (size_t i = 0; i < ALARM_COUNT; i++)
		if ((set & bit((enum sim_alarm)i)) && strncmp(rows[i].name, "42/", 3) == 0)
			return true;
	return false;
}

bool alarms_register(const struct sim_device *dev, uint16_t base, uint16_t *value)
{
	uint32_t set = sim_device_alarms(dev);
	uint16_t v = 0;

	if (base < ALARM_BASE_FIRST || base > ALARM_BASE_LAST)
		return false;
	for (size_t i = 0; set && i < ALARM_COUNT; i++) {
		uint16_t at = rows[i].base;

		if (i == ALARM_OVERLOAD_110 && dev->dialect.overload_40173)
			at = 40173;
		if ((set & bit((enum sim_alarm)i)) && at == base)
			v |= (uint16_t)(1u << rows[i].bit);
	}
	*value = v;
	return true;
}

int sim_device_alarm(struct sim_device *dev, const char *name, int on)
{
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		uint32_t b = bit((enum sim_alarm)i);

		if (strcmp(rows[i].name, name) != 0)
			continue;
		dev->alarms_on = on > 0 ? dev->alarms_on | b : dev->alarms_on & ~b;
		dev->alarms_off = on == 0 ? dev->alarms_off | b : dev->alarms_off & ~b;
		if (on <= 0)
			dev->alarms_latched &= ~b;
		return 0;
	}
	return U2K_EINVAL;
}

size_t sim_alarm_count(void)
{
	return ALARM_COUNT;
}

const char *sim_alarm_name(size_t row)
{
	return rows[row].name;
}
