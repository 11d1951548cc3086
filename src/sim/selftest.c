#include "sim/model.h"

/* Tests run from the mains only; on battery, on bypass or off there is nothing to test safely. */
bool selftest_start(struct sim_device *dev, enum sim_test test)
{
	bool fit = dev->source == SIM_SOURCE_MAINS || dev->source == SIM_SOURCE_ECO;

	if (!fit || dev->test != SIM_TEST_NONE || !power_battery_usable(dev) || dev->low)
		return false;
	dev->test = test;
	if (test == SIM_TEST_QUICK)
		timer_set(dev, SIM_TIMER_TEST, dev->opt.quick_test_ms * INT64_C(1000));
	power_settle(dev);
	return true;
}

void selftest_end(struct sim_device *dev, bool completed)
{
	dev->test = SIM_TEST_NONE;
	timer_stop(dev, SIM_TIMER_TEST);
	if (completed && dev->battery_worn)
		alarms_latch(dev, ALARM_BATTERY_MAINTENANCE);
	else if (completed)
		alarms_unlatch(dev, ALARM_BATTERY_MAINTENANCE);
	power_settle(dev);
}
