#include "core/pdu.h"
#include "sim/model.h"

/* What a write may hold and does. Ranges: docs/protocol.md, configuration and control. */
enum { OFF_MAX = 990, ON_MAX = 9999 };

static void remember(struct sim_device *dev, uint16_t base)
{
	uint16_t old;
	size_t slot = 0;

	if (!dev->dialect.old_value_ms || !sim_device_peek(dev, base, &old))
		return;
	for (size_t i = 0; i < SIM_RECENT; i++) {
		if (dev->recent[i].base == base) {
			slot = i;
			break;
		}
		if (dev->recent[i].until_us < dev->recent[slot].until_us)
			slot = i;
	}
	dev->recent[slot].base = base;
	dev->recent[slot].old = old;
	dev->recent[slot].until_us = dev->now_us + dev->dialect.old_value_ms * INT64_C(1000);
}

static int set_flag(struct sim_device *dev, uint16_t base, uint16_t *flag, uint16_t value)
{
	if (value > 1)
		return EXC_ILLEGAL_VALUE;
	if (dev->dialect.ack_only)
		return 0;
	remember(dev, base);
	*flag = value;
	power_settle(dev); /* 1045 := 0 on bypass drops the load */
	return 0;
}

static bool delay_ok(const struct sim_device *dev, uint16_t value, uint16_t max)
{
	return value <= max && (value > 0 || dev->dialect.zero_cancels);
}

static int write_on(struct sim_device *dev)
{
	if (dev->startup == SIM_STARTUP_STARTING)
		return EXC_DEVICE_FAILURE; /* "no actions" while it starts */
	if (dev->startup == SIM_STARTUP_RUNNING)
		dev->forced_bypass = false;
	else
		power_start(dev);
	power_settle(dev);
	return 0;
}

static int write_off(struct sim_device *dev)
{
	if (dev->startup == SIM_STARTUP_STARTING)
		return EXC_DEVICE_FAILURE;
	if (!(dev->dialect.off_ignored && power_mains_good(dev)))
		power_off(dev);
	return 0;
}

static int act(struct sim_device *dev, uint16_t base)
{
	switch (base) {
	case 1029:
		return write_on(dev);
	case 1030:
		return write_off(dev);
	case 1050:
		timers_cancel(dev);
		return 0;
	case 2021:
		return selftest_start(dev, SIM_TEST_DEEP) ? 0 : EXC_DEVICE_FAILURE;
	case 2023:
		selftest_end(dev, false);
		return 0;
	case 2028:
		return selftest_start(dev, SIM_TEST_QUICK) ? 0 : EXC_DEVICE_FAILURE;
	default:
		return EXC_ILLEGAL_ADDRESS;
	}
}

static int write_timer(struct sim_device *dev, uint16_t base, uint16_t value)
{
	if (base != 1049 && dev->dialect.pair_exception)
		return dev->dialect.pair_exception;
	if (!delay_ok(dev, value, base == 1048 ? ON_MAX : OFF_MAX))
		return EXC_ILLEGAL_VALUE;
	if (dev->dialect.ack_only)
		return 0;
	remember(dev, base);
	if (base == 1047)
		timers_write_pair_off(dev, value);
	else if (base == 1048)
		timers_write_pair_on(dev, value);
	else
		timers_write_off(dev, value);
	return 0;
}

bool writes_known(const struct sim_device *dev, uint16_t base)
{
	if (dev->dialect.h_family && (base == 1047 || base == 1048))
		return false;
	return base == 1029 || base == 1030 || (base >= 1044 && base <= 1050) || base == 2021 ||
	       base == 2023 || base == 2028;
}

int writes_single(struct sim_device *dev, uint16_t base, uint16_t value)
{
	if (!writes_known(dev, base))
		return EXC_ILLEGAL_ADDRESS;
	switch (base) {
	case 1044:
		return set_flag(dev, base, &dev->autostart, value);
	case 1045:
		return set_flag(dev, base, &dev->bypass_option, value);
	case 1046:
		return set_flag(dev, base, &dev->muted, value);
	case 1047:
	case 1048:
	case 1049:
		return write_timer(dev, base, value);
	default:
		if (value != 1)
			return EXC_ILLEGAL_VALUE;
		return dev->dialect.ack_only ? 0 : act(dev, base);
	}
}

int writes_pair(struct sim_device *dev, uint16_t off, uint16_t on)
{
	if (!writes_known(dev, 1047))
		return EXC_ILLEGAL_ADDRESS;
	if (dev->dialect.pair_exception)
		return dev->dialect.pair_exception;
	if (!delay_ok(dev, off, OFF_MAX) || !delay_ok(dev, on, ON_MAX))
		return EXC_ILLEGAL_VALUE;
	if (dev->dialect.ack_only)
		return 0;
	remember(dev, 1047);
	remember(dev, 1048);
	timers_write_pair(dev, off, on);
	return 0;
}
