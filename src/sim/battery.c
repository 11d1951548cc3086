#include "sim/model.h"

#include <math.h>

/*
 * The charge moves linearly between changes, so any instant is known exactly and it does not matter
 * how often anyone looks.
 */
static const double float_volts = 13.65; /* per block: 82.0 V with 6, 27.3 V with 2 */
static const double charge_seconds = 5 * 3600.0;
enum { LOW_HYSTERESIS = 5, EQUALISE_BELOW = 97 };

double sim_device_charge(const struct sim_device *dev)
{
	double charge = dev->charge0 + dev->rate_per_us * (double)(dev->now_us - dev->charge0_us);

	return charge < 0 ? 0 : charge > 100 ? 100 : charge;
}

/* From full to empty at this load: lead batteries give less the faster they are emptied. */
static double full_runtime_s(const struct sim_device *dev)
{
	double load = dev->load_percent + 3; /* the UPS itself */
	double seconds = 300 * pow(103 / load, 1.2);

	return dev->battery_worn ? seconds * 0.3 : seconds;
}

void battery_rebase(struct sim_device *dev)
{
	dev->charge0 = sim_device_charge(dev);
	dev->charge0_us = dev->now_us;
}

static bool discharging(const struct sim_device *dev)
{
	return dev->battery_plugged && dev->source == SIM_SOURCE_BATTERY;
}

static bool charging(const struct sim_device *dev)
{
	return dev->battery_plugged && !discharging(dev) && power_mains_good(dev) &&
	       dev->board == SIM_BOARD_ALIVE;
}

/* Rounded up: at the due time the threshold has been reached, not nearly. */
static void due_at(struct sim_device *dev, enum sim_timer timer, double charge)
{
	double us = (charge - dev->charge0) / dev->rate_per_us;

	dev->due_us[timer] = dev->now_us + (us > 0 ? (int64_t)ceil(us) : 0);
}

void battery_plan(struct sim_device *dev)
{
	timer_stop(dev, SIM_TIMER_LEVEL);
	timer_stop(dev, SIM_TIMER_END);
	dev->rate_per_us = 0;
	if (discharging(dev)) {
		dev->rate_per_us = -100 / (full_runtime_s(dev) * SIM_S);
		if (!dev->low)
			due_at(dev, SIM_TIMER_LEVEL, dev->opt.low_percent);
		due_at(dev, SIM_TIMER_END, 0);
	} else if (charging(dev) && dev->charge0 < 100) {
		dev->equalising = dev->equalising || dev->charge0 < EQUALISE_BELOW;
		dev->rate_per_us = 100 / (charge_seconds * SIM_S);
		if (dev->low)
			due_at(dev, SIM_TIMER_LEVEL, dev->opt.low_percent + LOW_HYSTERESIS);
		due_at(dev, SIM_TIMER_END, 100);
	}
}

void battery_crossed_level(struct sim_device *dev)
{
	battery_rebase(dev);
	dev->low = !dev->low;
	dev->charge0 = dev->opt.low_percent + (dev->low ? 0 : LOW_HYSTERESIS);
	if (dev->low && dev->test == SIM_TEST_DEEP)
		selftest_end(dev, true);
	power_settle(dev);
}

void battery_reached_end(struct sim_device *dev)
{
	bool empty = dev->rate_per_us < 0;

	battery_rebase(dev);
	dev->charge0 = empty ? 0 : 100;
	dev->rate_per_us = 0;
	if (!empty)
		dev->equalising = false;
	else
		dev->low = true;
	if (dev->test != SIM_TEST_NONE)
		selftest_end(dev, true);
	power_settle(dev);
}

int battery_state(const struct sim_device *dev)
{
	if (!dev->battery_plugged)
		return 0;
	if (discharging(dev))
		return 5;
	if (!charging(dev))
		return 2;
	return dev->equalising ? 4 : 3;
}

double battery_volts(const struct sim_device *dev)
{
	double c = sim_device_charge(dev) / 100, per_block = 12.0 + 0.9 * c;

	if (!dev->battery_plugged)
		return 0;
	if (discharging(dev))
		per_block = 11.0 + 1.6 * c - 0.005 * dev->load_percent;
	else if (charging(dev))
		per_block = dev->equalising ? 13.0 + 0.9 * c : float_volts;
	return per_block * 2 * dev->opt.rating;
}

int64_t sim_device_runtime_s(const struct sim_device *dev)
{
	if (!dev->battery_plugged)
		return 0;
	return (int64_t)(full_runtime_s(dev) * sim_device_charge(dev) / 100);
}

/* Usable when short, up to three times too long when long (docs/protocol.md, battery). */
uint32_t battery_estimate_s(const struct sim_device *dev)
{
	double real = (double)sim_device_runtime_s(dev);
	double flattery = real / 7200;

	return (uint32_t)(real * (1 + (flattery > 2 ? 2 : flattery)));
}
