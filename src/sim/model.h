#pragma once

#include "sim/device.h"

/* Shared by the files of the model. */
enum { SIM_S = 1000000 }; /* microseconds in a second */

/* power.c: what feeds the output */
bool power_mains_good(const struct sim_device *dev);
bool power_bypass_good(const struct sim_device *dev);
bool power_bypass_hz_good(const struct sim_device *dev);
bool power_battery_usable(const struct sim_device *dev);
void power_settle(struct sim_device *dev); /* after every change: choose the source anew */
void power_off(struct sim_device *dev);	   /* the inverter stops */
void power_start(struct sim_device *dev);  /* 1028 := 1 */
void power_mains_changed(struct sim_device *dev, bool was_good);
void power_booted(struct sim_device *dev);
void power_started(struct sim_device *dev);
void power_overloaded(struct sim_device *dev);
void power_die(struct sim_device *dev); /* the board loses its supply */

/* battery.c */
void battery_rebase(struct sim_device *dev); /* charge0 := charge now */
void battery_plan(struct sim_device *dev);   /* rate and thresholds for the present source */
void battery_crossed_level(struct sim_device *dev);
void battery_reached_end(struct sim_device *dev);
int battery_state(const struct sim_device *dev);    /* 2002 */
double battery_volts(const struct sim_device *dev); /* 2000 */
uint32_t battery_estimate_s(const struct sim_device *dev);

/* timers.c: switching off by the clock */
void timers_write_pair(struct sim_device *dev, uint16_t off, uint16_t on);
void timers_write_pair_off(struct sim_device *dev, uint16_t off);
void timers_write_pair_on(struct sim_device *dev, uint16_t on);
void timers_write_off(struct sim_device *dev, uint16_t off);
void timers_cancel(struct sim_device *dev);
void timers_clear(struct sim_device *dev);
void timers_end_wait(struct sim_device *dev);
void timers_off_due(struct sim_device *dev);
void timers_pair_off_due(struct sim_device *dev);
void timers_pair_on_due(struct sim_device *dev);
uint16_t timers_left(const struct sim_device *dev, enum sim_timer timer, uint16_t written);

/* selftest.c */
bool selftest_start(struct sim_device *dev, enum sim_test test);
void selftest_end(struct sim_device *dev, bool completed);

/* alarms.c */
enum sim_alarm {
	ALARM_OVERTEMPERATURE, /* 30/1 */
	ALARM_BYPASS_VOLTAGE,
	ALARM_BYPASS_FREQUENCY,
	ALARM_BATTERY_OVERVOLTAGE,
	ALARM_BATTERY_MAINTENANCE,
	ALARM_BATTERY_UNDERVOLTAGE,
	ALARM_BATTERY_DISCONNECTED,
	ALARM_OVERLOAD_105,
	ALARM_OVERLOAD_110,
	ALARM_STARTUP_TIMEOUT,
	ALARM_RECTIFIER_LOW,
	ALARM_RECTIFIER_HIGH,
	ALARM_RECTIFIER_LOWER,
	ALARM_EEPROM,
	ALARM_INVERTER_OUTPUT,
	ALARM_INVERTER_LOW,
	ALARM_INVERTER_BUS,
	ALARM_OVERTEMPERATURE_BYPASS,
	ALARM_CHARGER,
	ALARM_CHARGER_TRANSISTOR,
	ALARM_OVERLOAD_SHUTDOWN,
	ALARM_BYPASS_OVERLOAD_SHUTDOWN,
	ALARM_COUNT,
};

enum { ALARM_BASE_FIRST = 40155, ALARM_BASE_LAST = 40182 };

void alarms_latch(struct sim_device *dev, enum sim_alarm alarm);
void alarms_unlatch(struct sim_device *dev, enum sim_alarm alarm);
bool alarms_has(const struct sim_device *dev, enum sim_alarm alarm);
bool alarms_fault(const struct sim_device *dev); /* any 42/x */
bool alarms_register(const struct sim_device *dev, uint16_t base, uint16_t *value);

/* image.c: registers as they read; false: undefined */
bool image_read(const struct sim_device *dev, uint16_t base, uint16_t *value);

/* writes.c: 0 or the exception code */
int writes_single(struct sim_device *dev, uint16_t base, uint16_t value);
int writes_pair(struct sim_device *dev, uint16_t off, uint16_t on);
bool writes_known(const struct sim_device *dev, uint16_t base);

/* identity.c: the reply PDU's length */
size_t identity_reply(const struct sim_device *dev, uint8_t code, uint8_t object, uint8_t *reply);

static inline void timer_set(struct sim_device *dev, enum sim_timer timer, int64_t after_us)
{
	dev->due_us[timer] = dev->now_us + after_us;
}

static inline void timer_stop(struct sim_device *dev, enum sim_timer timer)
{
	dev->due_us[timer] = SIM_NEVER;
}

static inline bool timer_runs(const struct sim_device *dev, enum sim_timer timer)
{
	return dev->due_us[timer] != SIM_NEVER;
}
