#include "sim/model.h"

/* What the rectifier and the bypass take; not in the reference, of the usual order. */
enum { RECTIFIER_MIN_V = 160, RECTIFIER_MAX_V = 288, BYPASS_MIN_V = 176, BYPASS_MAX_V = 264 };

bool power_mains_good(const struct sim_device *dev)
{
	return dev->mains_on && dev->mains_volts >= RECTIFIER_MIN_V &&
	       dev->mains_volts <= RECTIFIER_MAX_V && dev->mains_hz >= 40 && dev->mains_hz <= 70;
}

/* The bypass input is the mains, behind a breaker of its own. */
bool power_bypass_good(const struct sim_device *dev)
{
	return dev->mains_on && !dev->bypass_bad && dev->mains_volts >= BYPASS_MIN_V &&
	       dev->mains_volts <= BYPASS_MAX_V;
}

bool power_bypass_hz_good(const struct sim_device *dev)
{
	return dev->mains_hz >= 45 && dev->mains_hz <= 65;
}

bool power_battery_usable(const struct sim_device *dev)
{
	return dev->battery_plugged && sim_device_charge(dev) > 0;
}

static bool bypass_usable(const struct sim_device *dev)
{
	return power_bypass_good(dev) && power_bypass_hz_good(dev) && !dev->bypass_blocked;
}

static bool eco_usable(const struct sim_device *dev)
{
	return dev->eco && bypass_usable(dev) && dev->mains_volts >= 198 && dev->mains_volts <= 242;
}

static enum sim_source choose(const struct sim_device *dev)
{
	if (dev->board != SIM_BOARD_ALIVE)
		return SIM_SOURCE_OFF;
	if (dev->startup != SIM_STARTUP_RUNNING)
		return dev->bypass_option && bypass_usable(dev) ? SIM_SOURCE_BYPASS
								: SIM_SOURCE_OFF;
	if (dev->forced_bypass)
		return bypass_usable(dev) ? SIM_SOURCE_BYPASS : SIM_SOURCE_OFF;
	if (dev->test != SIM_TEST_NONE && power_battery_usable(dev))
		return SIM_SOURCE_BATTERY;
	if (dev->rectifier)
		return eco_usable(dev) ? SIM_SOURCE_ECO : SIM_SOURCE_MAINS;
	return power_battery_usable(dev) ? SIM_SOURCE_BATTERY : SIM_SOURCE_OFF;
}

/* Back on mains only a while after they are good; at once if nothing else feeds the inverter. */
static void settle_rectifier(struct sim_device *dev)
{
	if (!power_mains_good(dev) || dev->startup != SIM_STARTUP_RUNNING) {
		dev->rectifier = false;
		timer_stop(dev, SIM_TIMER_RETRANSFER);
	} else if (!dev->rectifier && !power_battery_usable(dev)) {
		dev->rectifier = true;
		timer_stop(dev, SIM_TIMER_RETRANSFER);
	} else if (!dev->rectifier && !timer_runs(dev, SIM_TIMER_RETRANSFER)) {
		timer_set(dev, SIM_TIMER_RETRANSFER, dev->opt.retransfer_ms * INT64_C(1000));
	}
}

static void stop(struct sim_device *dev)
{
	dev->startup = SIM_STARTUP_READY;
	dev->test = SIM_TEST_NONE;
	dev->rectifier = false;
	dev->forced_bypass = false;
	timer_stop(dev, SIM_TIMER_START);
	timer_stop(dev, SIM_TIMER_TEST);
	timer_stop(dev, SIM_TIMER_RETRANSFER);
}

void power_die(struct sim_device *dev)
{
	battery_rebase(dev);
	stop(dev);
	timers_clear(dev);
	dev->board = SIM_BOARD_DEAD;
	dev->deaths++;
	dev->start_on_boot = false;
	timer_stop(dev, SIM_TIMER_BOOT);
	power_settle(dev);
}

/* Off without mains the board lives on for a while, off the battery's last. */
static void settle_standby(struct sim_device *dev)
{
	bool wanted = dev->board == SIM_BOARD_ALIVE && !power_mains_good(dev) &&
		      dev->source == SIM_SOURCE_OFF && dev->startup != SIM_STARTUP_STARTING &&
		      !dev->pair_waiting;

	if (!wanted)
		timer_stop(dev, SIM_TIMER_STANDBY);
	else if (!timer_runs(dev, SIM_TIMER_STANDBY))
		timer_set(dev, SIM_TIMER_STANDBY, dev->opt.standby_ms * INT64_C(1000));
}

static int overload_level(const struct sim_device *dev)
{
	if (dev->source == SIM_SOURCE_OFF || dev->load_percent <= 105)
		return 0;
	return dev->load_percent <= 110 ? 1 : dev->load_percent <= 130 ? 2 : 3;
}

/* 66/1: 5 to 10 minutes, 66/2: 30 to 60 s; more: at once. */
static void settle_overload(struct sim_device *dev)
{
	static const int64_t patience_us[] = { 0, 300 * INT64_C(1000000), 30 * INT64_C(1000000),
					       500 * INT64_C(1000) };
	int level = overload_level(dev);

	if (level == dev->overload)
		return;
	dev->overload = level;
	if (level)
		timer_set(dev, SIM_TIMER_OVERLOAD, patience_us[level]);
	else
		timer_stop(dev, SIM_TIMER_OVERLOAD);
}

void power_settle(struct sim_device *dev)
{
	enum sim_source before = dev->source;

	battery_rebase(dev);
	if (dev->board != SIM_BOARD_DEAD && !power_mains_good(dev) && !dev->battery_plugged) {
		power_die(dev);
		return;
	}
	if (dev->board == SIM_BOARD_BOOTING && !power_mains_good(dev) && !dev->start_on_boot) {
		power_die(dev);
		return;
	}
	settle_rectifier(dev);
	dev->source = choose(dev);
	if (dev->source == SIM_SOURCE_OFF && dev->startup == SIM_STARTUP_RUNNING) {
		stop(dev);
		dev->source = choose(dev);
	}
	if (before != SIM_SOURCE_OFF && dev->source == SIM_SOURCE_OFF)
		dev->output_offs++;
	if (before == SIM_SOURCE_OFF && dev->source != SIM_SOURCE_OFF)
		dev->output_ons++;
	settle_standby(dev);
	settle_overload(dev);
	battery_plan(dev);
}

void power_off(struct sim_device *dev)
{
	battery_rebase(dev);
	stop(dev);
	power_settle(dev);
}

void power_start(struct sim_device *dev)
{
	timers_end_wait(dev);
	alarms_unlatch(dev, ALARM_STARTUP_TIMEOUT);
	dev->bypass_blocked = false;
	dev->startup = SIM_STARTUP_STARTING;
	timer_set(dev, SIM_TIMER_START, dev->opt.start_ms * INT64_C(1000));
	power_settle(dev);
}

void power_started(struct sim_device *dev)
{
	bool fed = power_mains_good(dev) || (power_battery_usable(dev) && !dev->low);

	battery_rebase(dev);
	if (dev->dialect.start_fails || !fed || alarms_has(dev, ALARM_OVERTEMPERATURE)) {
		dev->startup = SIM_STARTUP_FAILED;
		alarms_latch(dev, ALARM_STARTUP_TIMEOUT);
	} else {
		dev->startup = SIM_STARTUP_RUNNING;
		dev->rectifier = power_mains_good(dev);
	}
	power_settle(dev);
}

void power_booted(struct sim_device *dev)
{
	bool start = dev->start_on_boot || (dev->autostart && power_mains_good(dev));

	dev->board = SIM_BOARD_ALIVE;
	dev->start_on_boot = false;
	power_settle(dev);
	if (start && dev->board == SIM_BOARD_ALIVE)
		power_start(dev);
}

/* 1044 looks at the moment the mains return, not at their presence (Q5). */
static void returned(struct sim_device *dev)
{
	bool idle = dev->startup == SIM_STARTUP_READY || dev->startup == SIM_STARTUP_FAILED;

	if (dev->board == SIM_BOARD_DEAD) {
		dev->board = SIM_BOARD_BOOTING;
		timer_set(dev, SIM_TIMER_BOOT, dev->opt.boot_ms * INT64_C(1000));
	} else if (dev->board == SIM_BOARD_ALIVE && idle && dev->autostart && !dev->pair_waiting) {
		power_start(dev);
	}
}

void power_mains_changed(struct sim_device *dev, bool was_good)
{
	bool good = power_mains_good(dev);

	if (was_good && !good && dev->test != SIM_TEST_NONE && !dev->dialect.test_stays)
		selftest_end(dev, false);
	if (!was_good && good)
		returned(dev);
	power_settle(dev);
}

void power_overloaded(struct sim_device *dev)
{
	if (dev->source == SIM_SOURCE_BYPASS) {
		alarms_latch(dev, ALARM_BYPASS_OVERLOAD_SHUTDOWN);
		dev->bypass_blocked = true; /* "off" must not mean bypass now */
		power_off(dev);
		return;
	}
	alarms_latch(dev, ALARM_OVERLOAD_SHUTDOWN);
	dev->forced_bypass = true;
	dev->overload = 0; /* counted anew on bypass */
	power_settle(dev);
}
