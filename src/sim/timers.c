#include "sim/model.h"

/* 1047, 1049: tenths of a minute. 1048: minutes. */
static const int64_t tenth_us = 6 * INT64_C(1000000);
static const int64_t minute_us = 60 * INT64_C(1000000);

static void arm(struct sim_device *dev, enum sim_timer timer, uint16_t tenths)
{
	if (timer_runs(dev, timer) && dev->dialect.timer_keeps)
		return;
	timer_set(dev, timer, tenths * tenth_us);
}

static void cancel_pair(struct sim_device *dev)
{
	dev->pair_off = 0;
	dev->pair_on = 0;
	timer_stop(dev, SIM_TIMER_PAIR_OFF);
	timers_end_wait(dev);
}

static void cancel_off(struct sim_device *dev)
{
	dev->off_delay = 0;
	timer_stop(dev, SIM_TIMER_OFF);
}

void timers_clear(struct sim_device *dev)
{
	cancel_pair(dev);
	cancel_off(dev);
}

void timers_end_wait(struct sim_device *dev)
{
	if (!dev->pair_waiting)
		return;
	dev->pair_waiting = false;
	dev->pair_on = 0;
	timer_stop(dev, SIM_TIMER_PAIR_ON);
}

void timers_write_pair(struct sim_device *dev, uint16_t off, uint16_t on)
{
	if (!off || !on) {
		cancel_pair(dev);
		return;
	}
	dev->pair_off = off;
	dev->pair_on = on;
	arm(dev, SIM_TIMER_PAIR_OFF, off);
}

void timers_write_pair_off(struct sim_device *dev, uint16_t off)
{
	if (!off) {
		cancel_pair(dev);
		return;
	}
	dev->pair_off = off;
	if (dev->dialect.arm == SIM_ARM_1047 || (dev->dialect.arm == SIM_ARM_BOTH && dev->pair_on))
		arm(dev, SIM_TIMER_PAIR_OFF, off);
}

void timers_write_pair_on(struct sim_device *dev, uint16_t on)
{
	bool both = dev->dialect.arm == SIM_ARM_BOTH || dev->dialect.arm == SIM_ARM_ORDER;

	if (!on) {
		cancel_pair(dev);
		return;
	}
	dev->pair_on = on;
	if (dev->dialect.arm == SIM_ARM_1048 || (both && dev->pair_off))
		arm(dev, SIM_TIMER_PAIR_OFF, dev->pair_off);
}

void timers_write_off(struct sim_device *dev, uint16_t off)
{
	if (!off) {
		cancel_off(dev);
		return;
	}
	dev->off_delay = off;
	arm(dev, SIM_TIMER_OFF, off);
}

/* Off and waiting, a cancel switches on, as "C" does in the Megatec protocol this one resembles. */
void timers_cancel(struct sim_device *dev)
{
	bool waiting = dev->pair_waiting;

	if (dev->dialect.cancel == SIM_CANCEL_NONE)
		return;
	cancel_off(dev);
	if (dev->dialect.cancel == SIM_CANCEL_NOT_PAIR)
		return;
	cancel_pair(dev);
	if (waiting && power_mains_good(dev))
		power_start(dev);
	else
		power_settle(dev);
}

void timers_off_due(struct sim_device *dev)
{
	cancel_off(dev);
	power_off(dev);
	if (dev->dialect.restart_1049 && dev->autostart && power_mains_good(dev) &&
	    dev->board == SIM_BOARD_ALIVE)
		power_start(dev);
}

void timers_pair_off_due(struct sim_device *dev)
{
	uint16_t on = dev->pair_on;

	timer_stop(dev, SIM_TIMER_PAIR_OFF);
	dev->pair_off = 0;
	dev->pair_waiting = true;
	timer_set(dev, SIM_TIMER_PAIR_ON, on * minute_us);
	power_off(dev);
}

/* The race table: mains absent now, it goes off entirely and their return starts it at once. */
void timers_pair_on_due(struct sim_device *dev)
{
	timers_end_wait(dev);
	if (!power_mains_good(dev))
		power_die(dev);
	else if (dev->autostart)
		power_start(dev);
}

uint16_t timers_left(const struct sim_device *dev, enum sim_timer timer, uint16_t written)
{
	if (!dev->dialect.count_down || !timer_runs(dev, timer))
		return written;
	return (uint16_t)((dev->due_us[timer] - dev->now_us + tenth_us - 1) / tenth_us);
}
