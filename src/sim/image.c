#include "sim/model.h"

#include <math.h>

#include "sim/rng.h"

/*
 * Registers as they read. Bases, gains and meanings: docs/protocol.md, register map of 1 to 3 kVA.
 */
enum { POWER_FACTOR_PERCENT = 70 };

/* The same value all through a second, whoever asks how often: -n..n. */
static int flicker(const struct sim_device *dev, unsigned what, int n)
{
	uint64_t second = (uint64_t)(dev->now_us / SIM_S);
	uint64_t h;

	if (!dev->opt.noise)
		return 0;
	h = rng_mix(dev->opt.seed + second * 0x9e3779b97f4a7c15u + what * 0xd1b54a32d192ed03u);
	return (int)(h % (unsigned)(2 * n + 1)) - n;
}

static uint16_t tenths(double value, int add)
{
	return (uint16_t)(int16_t)(lround(value * 10) + add);
}

static uint16_t input_volts(const struct sim_device *dev)
{
	return dev->mains_on ? tenths(dev->mains_volts, flicker(dev, 1, 3)) : 0;
}

static uint16_t input_hz(const struct sim_device *dev)
{
	return dev->mains_on ? tenths(dev->mains_hz, flicker(dev, 2, 1) > 0) : 0;
}

static bool output_is_input(const struct sim_device *dev)
{
	return dev->source == SIM_SOURCE_BYPASS || dev->source == SIM_SOURCE_ECO;
}

static uint16_t output_volts(const struct sim_device *dev)
{
	if (dev->source == SIM_SOURCE_OFF)
		return 0;
	if (output_is_input(dev))
		return input_volts(dev);
	return tenths(dev->opt.output_volts, flicker(dev, 3, 3));
}

static uint16_t output_hz(const struct sim_device *dev)
{
	if (dev->source == SIM_SOURCE_OFF)
		return 0;
	return output_is_input(dev) ? input_hz(dev) : 500;
}

static double output_va(const struct sim_device *dev)
{
	return dev->source == SIM_SOURCE_OFF ? 0 : dev->load_percent * dev->opt.rating * 10;
}

static uint16_t output_amps(const struct sim_device *dev)
{
	uint16_t volts = output_volts(dev);

	return volts ? tenths(output_va(dev) / (volts / 10.0), 0) : 0;
}

/* 1024: in a test it shows battery, or not (Q8); in ECO it may have its own value (Q9). */
static uint16_t source(const struct sim_device *dev)
{
	if (dev->source != SIM_SOURCE_BATTERY)
		return dev->source;
	if (dev->test != SIM_TEST_NONE && dev->dialect.test_shows_mains && power_mains_good(dev))
		return dev->eco ? SIM_SOURCE_ECO : SIM_SOURCE_MAINS;
	return dev->eco && dev->dialect.eco_battery ? 6 : SIM_SOURCE_BATTERY;
}

static uint16_t status_bits(const struct sim_device *dev)
{
	uint16_t bits = 0x08; /* bit 3: on-line type */

	if (!power_mains_good(dev))
		bits |= 0x80;
	if (dev->low)
		bits |= 0x40;
	if (alarms_fault(dev))
		bits |= 0x10;
	if (dev->test != SIM_TEST_NONE)
		bits |= 0x04;
	return bits;
}

static uint16_t battery_volts_raw(const struct sim_device *dev)
{
	if (!dev->battery_plugged)
		return dev->dialect.unplugged_invalid ? 0x7fff : 0;
	return tenths(battery_volts(dev), 0);
}

static uint16_t battery_state_raw(const struct sim_device *dev)
{
	if (!dev->battery_plugged && dev->dialect.unplugged_invalid)
		return 0xffff;
	return (uint16_t)battery_state(dev);
}

static uint16_t rated(const struct sim_device *dev)
{
	return dev->dialect.h_family ? 60 : (uint16_t)(dev->opt.rating * 10);
}

bool image_read(const struct sim_device *dev, uint16_t base, uint16_t *value)
{
	switch (base) {
	case 1000:
		*value = input_volts(dev);
		return true;
	case 1003:
		*value = input_hz(dev);
		return true;
	case 1004:
		*value = dev->bypass_bad ? 0 : input_volts(dev);
		return true;
	case 1007:
		*value = dev->bypass_bad ? 0 : input_hz(dev);
		return true;
	case 1008:
		*value = output_volts(dev);
		return true;
	case 1011:
		*value = output_amps(dev);
		return true;
	case 1014:
		*value = output_hz(dev);
		return true;
	case 1015: /* 0.1 kW */
		*value = tenths(output_va(dev) * POWER_FACTOR_PERCENT / 100 / 1000, 0);
		return true;
	case 1018: /* 0.1 kVA */
		*value = tenths(output_va(dev) / 1000, 0);
		return true;
	case 1021: /* all known readings are whole percents */
		*value = dev->source == SIM_SOURCE_OFF ? 0 : tenths(round(dev->load_percent), 0);
		return true;
	case 1024:
		*value = source(dev);
		return true;
	case 1025: /* single phase in and out */
	case 1026:
		*value = 0;
		return true;
	case 1027:
		*value = tenths(dev->temperature, flicker(dev, 4, 1));
		return true;
	case 1028:
		*value = dev->startup;
		return true;
	case 1029: /* write only */
	case 1030:
	case 1050:
	case 2021:
	case 2023:
	case 2028:
		*value = 0;
		return true;
	case 1043:
		*value = status_bits(dev);
		return true;
	case 1044:
		*value = dev->autostart;
		return true;
	case 1045:
		*value = dev->bypass_option;
		return true;
	case 1046:
		*value = dev->muted;
		return true;
	case 1047: /* an H has life counters here */
		*value = dev->dialect.h_family
				 ? 87
				 : timers_left(dev, SIM_TIMER_PAIR_OFF, dev->pair_off);
		return true;
	case 1048:
		*value = dev->dialect.h_family ? 92 : dev->pair_on;
		return true;
	case 1049:
		*value = timers_left(dev, SIM_TIMER_OFF, dev->off_delay);
		return true;
	case 2000:
		*value = battery_volts_raw(dev);
		return true;
	case 2002:
		*value = battery_state_raw(dev);
		return true;
	case 2003:
		*value = dev->battery_plugged ? (uint16_t)sim_device_charge(dev) : 0;
		return true;
	case 2004:
		*value = (uint16_t)(battery_estimate_s(dev) >> 16);
		return true;
	case 2005:
		*value = (uint16_t)battery_estimate_s(dev);
		return true;
	case 2007: /* 12 V blocks */
		*value = (uint16_t)(2 * dev->opt.rating);
		return true;
	case 2033:
		*value = 9;
		return true;
	case 9009:
		*value = rated(dev);
		return true;
	default:
		return alarms_register(dev, base, value);
	}
}
