#include <stddef.h>

#include "ups/alarms.h"
#include "ups/engine_impl.h"

/* --- conditions ----------------------------------------------------------------------------- */

unsigned qty_raw(const struct u2k_snapshot *snap, enum u2k_qty qty)
{
	return snap->qty[qty].validity == U2K_VALID ? (unsigned)snap->qty[qty].value : 0xffff;
}

static unsigned source(const struct u2k_snapshot *snap)
{
	return qty_raw(snap, U2K_QTY_OUTPUT_SOURCE);
}

static bool bit(const struct u2k_snapshot *snap, unsigned mask)
{
	return snap->qty[U2K_QTY_STATUS_BITS].validity == U2K_VALID &&
	       qty_raw(snap, U2K_QTY_STATUS_BITS) & mask;
}

/* The inverter feeds the load: only then may the bypass option be changed. */
bool output_on(const struct u2k_snapshot *snap)
{
	return source(snap) == U2K_SOURCE_MAINS || source(snap) == U2K_SOURCE_BATTERY ||
	       source(snap) == U2K_SOURCE_ECO;
}

bool output_off(const struct u2k_snapshot *snap)
{
	return source(snap) == U2K_SOURCE_NONE;
}

/* On battery by both views of it. */
bool mains_lost(const struct u2k_snapshot *snap)
{
	return source(snap) == U2K_SOURCE_BATTERY && bit(snap, U2K_BIT_MAINS_ABNORMAL);
}

static bool is_off(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return output_off(snap);
}

static bool is_not_off(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return source(snap) != 0xffff && !output_off(snap);
}

static bool is_inverter(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return output_on(snap);
}

static bool is_running(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return output_on(snap) && qty_raw(snap, U2K_QTY_STARTUP) == U2K_STARTUP_RUNNING;
}

static bool is_bypass(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return source(snap) == U2K_SOURCE_BYPASS;
}

static bool is_not_bypass(const struct run *run, const struct u2k_snapshot *snap)
{
	return source(snap) != 0xffff && !is_bypass(run, snap);
}

static bool is_not_starting(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return qty_raw(snap, U2K_QTY_STARTUP) != U2K_STARTUP_STARTING &&
	       qty_raw(snap, U2K_QTY_STARTUP) != 0xffff;
}

/* A 2 from before the order is not this order's failure. */
static bool start_failed(const struct run *run, const struct u2k_snapshot *snap)
{
	return run->startup_moved && qty_raw(snap, U2K_QTY_STARTUP) == U2K_STARTUP_FAILED;
}

static bool is_mains(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return source(snap) == U2K_SOURCE_MAINS;
}

static bool is_mains_or_eco(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return source(snap) == U2K_SOURCE_MAINS || source(snap) == U2K_SOURCE_ECO;
}

static bool is_mains_normal(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return snap->qty[U2K_QTY_STATUS_BITS].validity == U2K_VALID &&
	       !bit(snap, U2K_BIT_MAINS_ABNORMAL);
}

/* Alarms 10/1 and 10/2 and the measured bypass input itself. */
static bool is_bypass_good(const struct run *run, const struct u2k_snapshot *snap)
{
	const struct u2k_value *volts = &snap->qty[U2K_QTY_BYPASS_VOLTAGE];
	const struct u2k_value *hertz = &snap->qty[U2K_QTY_BYPASS_FREQUENCY];

	(void)run;
	return snap->alarms.at_us && !(snap->alarms.active & alarms_bypass_input()) &&
	       volts->validity == U2K_VALID && volts->value >= 80 && volts->value <= 300 &&
	       hertz->validity == U2K_VALID && hertz->value >= 40 && hertz->value <= 70;
}

static bool is_bypass_option_clear(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return qty_raw(snap, U2K_QTY_BYPASS_WHEN_OFF) == 0;
}

/* "Off" must not mean bypass; the option may be cleared only while the inverter feeds the load. */
static bool is_bypass_option_safe(const struct run *run, const struct u2k_snapshot *snap)
{
	return is_bypass_option_clear(run, snap) || is_inverter(run, snap);
}

static bool is_testing(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return bit(snap, U2K_BIT_SELF_TEST);
}

static bool is_not_testing(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return snap->qty[U2K_QTY_STATUS_BITS].validity == U2K_VALID &&
	       !bit(snap, U2K_BIT_SELF_TEST);
}

static bool is_battery_there(const struct run *run, const struct u2k_snapshot *snap)
{
	const uint32_t disconnected = (uint32_t)1 << 6; /* 22/1 */

	(void)run;
	return snap->alarms.at_us && !(snap->alarms.active & disconnected);
}

static bool is_fit_for_deep_test(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return snap->alarms.at_us && !(snap->alarms.active & alarms_no_deep_test());
}

static bool is_charged(const struct run *run, const struct u2k_snapshot *snap)
{
	(void)run;
	return snap->qty[U2K_QTY_BATTERY_CHARGE].validity == U2K_VALID &&
	       snap->qty[U2K_QTY_BATTERY_CHARGE].value >= 90;
}

/* clang-format off: tables from here on */

/* --- the beeper and the settings --------------------------------------------------------------- */

#define SET(Q, BASE, VALUE) .kind = STEP_SET, .qty = (Q), .base = (BASE), .value = (VALUE)

const struct step steps_beeper_on[] = {
	{ .kind = STEP_FRESH, .needs = NEED_SETTINGS },
	{ SET(U2K_QTY_BEEPER_MUTED, 1046, 0) },
	{ .kind = STEP_END, .text = "the beeper is enabled" },
};

const struct step steps_beeper_off[] = {
	{ .kind = STEP_FRESH, .needs = NEED_SETTINGS },
	{ SET(U2K_QTY_BEEPER_MUTED, 1046, 1) },
	{ .kind = STEP_END, .text = "the beeper is disabled" },
};

static const struct step beeper_toggle[] = {
	{ .kind = STEP_FRESH, .needs = NEED_SETTINGS },
	{ SET(U2K_QTY_BEEPER_MUTED, 1046, VALUE_TOGGLE) },
	{ .kind = STEP_END, .text = "the beeper's setting was changed over" },
};

const struct step steps_auto_start_on[] = {
	{ .kind = STEP_FRESH, .needs = NEED_SETTINGS },
	{ SET(U2K_QTY_AUTO_START, 1044, 1) },
	{ .kind = STEP_END, .text = "the UPS starts by itself when the mains return" },
};

const struct step steps_auto_start_off[] = {
	{ .kind = STEP_FRESH, .needs = NEED_SETTINGS },
	{ SET(U2K_QTY_AUTO_START, 1044, 0) },
	{ .kind = STEP_END, .text = "the UPS stays off when the mains return" },
};

/* The engine's own: borrowed settings go back (docs/control.md, "Borrowed settings"). */
const struct step steps_give_back[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_SETTINGS },
	{ .kind = STEP_REQUIRE, .cond = is_running, .text = "the output is not plainly on" },
	{ SET(U2K_QTY_AUTO_START, 1044, VALUE_OWED) },
	{ .kind = STEP_FRESH, .needs = NEED_STATUS },
	{ .kind = STEP_REQUIRE, .cond = is_running, .text = "the output is not plainly on" },
	{ SET(U2K_QTY_BYPASS_WHEN_OFF, 1045, VALUE_OWED) },
	{ .kind = STEP_END, .text = "borrowed settings were given back" },
};

/* The engine's own: nothing may switch off any more. */
const struct step steps_quiet_cancel[] = {
	{ .kind = STEP_FIRE, .base = 1050, .repeat = true },
	{ .kind = STEP_CANCEL },
};

/* --- battery tests --------------------------------------------------------------------------- */

static const struct step test_quick[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_ALARMS },
	{ .kind = STEP_REQUIRE,
	  .cond = is_not_testing,
	  .text = "a battery test is running already" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_mains_or_eco,
	  .text = "a battery test needs the UPS on mains" },
	{ .kind = STEP_REQUIRE, .cond = is_mains_normal, .text = "a battery test needs the mains" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_battery_there,
	  .text = "the battery is not connected (alarm 22/1)" },
	{ .kind = STEP_FIRE, .base = 2028, .repeat = true },
	{ .kind = STEP_SEE, .cond = is_testing, .timeout_s = 12, .text = "no battery test began" },
	{ .kind = STEP_END, .text = "the battery test is running" },
};

static const struct step test_deep[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_ALARMS | NEED_BATTERY },
	{ .kind = STEP_REQUIRE,
	  .cond = is_not_testing,
	  .text = "a battery test is running already" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_mains,
	  .text = "a deep battery test needs the UPS on mains" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_mains_normal,
	  .text = "a deep battery test needs the mains" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_fit_for_deep_test,
	  .text = "the battery is not connected (22/1) or a fault is shown (42/...)" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_charged,
	  .text = "a deep battery test needs a charge of 90 % or more" },
	{ .kind = STEP_FIRE, .base = 2021, .repeat = true },
	{ .kind = STEP_SEE, .cond = is_testing, .timeout_s = 12, .text = "no battery test began" },
	{ .kind = STEP_END, .text = "the deep battery test is running until the battery is low" },
};

static const struct step test_stop[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS },
	{ .kind = STEP_REQUIRE, .cond = is_testing, .text = "no battery test is running" },
	{ .kind = STEP_FIRE, .base = 2023, .repeat = true },
	{ .kind = STEP_SEE,
	  .cond = is_not_testing,
	  .timeout_s = 15,
	  .text = "the battery test goes on" },
	{ .kind = STEP_END, .text = "the battery test has ended" },
};

/* --- bypass, on, off ------------------------------------------------------------------------- */

static const struct step bypass_start[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_SETTINGS | NEED_ALARMS | NEED_TELEMETRY },
	{ .kind = STEP_DONE_IF, .cond = is_bypass, .text = "the load is on bypass already" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_mains_or_eco,
	  .text = "bypass.start needs the UPS on mains or in ECO" },
	{ .kind = STEP_REQUIRE, .cond = is_mains_normal, .text = "bypass.start needs the mains" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_bypass_good,
	  .text = "the bypass input is not good (alarm 10/1 or 10/2, or its voltage or frequency)" },
	{ .kind = STEP_JOURNAL,
	  .text = "the state directory cannot be written, and the setting to be borrowed would be lost" },
	{ SET(U2K_QTY_BYPASS_WHEN_OFF, 1045, 1), .borrow = true },
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_ALARMS | NEED_TELEMETRY },
	{ .kind = STEP_REQUIRE,
	  .cond = is_mains_or_eco,
	  .text = "the UPS left the mains meanwhile" },
	{ .kind = STEP_REQUIRE, .cond = is_mains_normal, .text = "the mains failed meanwhile" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_bypass_good,
	  .text = "the bypass input went bad meanwhile" },
	{ .kind = STEP_FIRE, .base = 1030, .repeat = true },
	{ .kind = STEP_SEE,
	  .cond = is_bypass,
	  .spoiled = is_off,
	  .timeout_s = 15,
	  .text = "the load did not go to bypass" },
	{ .kind = STEP_END, .text = "the load is on bypass, without protection" },
};

static const struct step bypass_stop[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS },
	{ .kind = STEP_REQUIRE, .cond = is_not_off, .text = "the output is off; use load.on" },
	{ .kind = STEP_DONE_IF, .cond = is_running, .text = "the load is not on bypass" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_not_starting,
	  .text = "the UPS is starting; wait until it runs" },
	{ .kind = STEP_FIRE, .base = 1029, .repeat = true },
	{ .kind = STEP_SEE,
	  .cond = is_inverter,
	  .spoiled = start_failed,
	  .twice = true,
	  .timeout_s = 60,
	  .text = "the inverter did not take the load; it stays on bypass" },
	{ .kind = STEP_END, .text = "the load is on the inverter" },
};

static const struct step load_on[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS },
	{ .kind = STEP_REQUIRE,
	  .cond = is_not_bypass,
	  .text = "the load is on bypass; use bypass.stop" },
	{ .kind = STEP_DONE_IF, .cond = is_running, .text = "the output is on already" },
	{ .kind = STEP_REQUIRE, .cond = is_not_starting, .text = "the UPS is starting already" },
	{ .kind = STEP_FIRE, .base = 1029, .repeat = true },
	{ .kind = STEP_SEE,
	  .cond = is_running,
	  .spoiled = start_failed,
	  .timeout_s = 60,
	  .text = "the UPS did not start" },
	{ .kind = STEP_END, .text = "the output is on" },
};

static const struct step load_off[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_SETTINGS },
	{ .kind = STEP_REQUIRE,
	  .cond = is_not_starting,
	  .text = "the UPS is starting; wait until it runs" },
	{ .kind = STEP_DONE_IF, .cond = is_off, .text = "the output is off already" },
	{ .kind = STEP_REQUIRE,
	  .cond = is_bypass_option_safe,
	  .text = "on bypass with \"off means bypass\" set; use bypass.stop first" },
	{ .kind = STEP_JOURNAL },
	{ SET(U2K_QTY_BYPASS_WHEN_OFF, 1045, 0), .borrow = true },
	{ .kind = STEP_FRESH, .needs = NEED_SETTINGS },
	{ .kind = STEP_REQUIRE,
	  .cond = is_bypass_option_clear,
	  .text = "\"off means bypass\" could not be cleared" },
	{ .kind = STEP_DISARM },
	{ .kind = STEP_FIRE, .base = 1030, .repeat = true },
	{ .kind = STEP_SEE, .cond = is_off, .timeout_s = 30, .text = "the output stayed on" },
	{ .kind = STEP_END, .text = "the output is off" },
};

/* --- timed switch-off ------------------------------------------------------------------------ */

#define SWITCHOFF(AUTO_START)                                                                      \
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_SETTINGS | NEED_IDENTITY },              \
		{ .kind = STEP_REQUIRE,                                                            \
		  .cond = is_not_starting,                                                         \
		  .text = "the UPS is starting; wait until it runs" },                             \
		{ .kind = STEP_REQUIRE, .cond = is_not_off, .text = "the output is off already" }, \
		{ .kind = STEP_REQUIRE,                                                            \
		  .cond = is_bypass_option_safe,                                                   \
		  .text = "on bypass with \"off means bypass\" set; use bypass.stop first" },      \
		{ .kind = STEP_JOURNAL },                                                          \
		{ SET(U2K_QTY_BYPASS_WHEN_OFF, 1045, 0), .borrow = true },                         \
		{ SET(U2K_QTY_AUTO_START, 1044, AUTO_START), .borrow = true },                     \
	{                                                                                          \
		.kind = STEP_ARM                                                                   \
	}

static const struct step shutdown_return[] = { SWITCHOFF(1) };
static const struct step shutdown_stayoff[] = { SWITCHOFF(0) };

/* The next stage of a switch-off that did not happen: everything is read anew first. */
const struct step steps_next_stage[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_SETTINGS | NEED_IDENTITY },
	{ .kind = STEP_REQUIRE,
	  .cond = is_bypass_option_clear,
	  .text = "\"off means bypass\" is set again" },
	{ .kind = STEP_ARM },
};

static const struct step shutdown_stop[] = {
	{ .kind = STEP_FRESH, .needs = NEED_STATUS | NEED_TIMERS, .timeout_s = 2 },
	{ .kind = STEP_FIRE, .base = 1050, .repeat = true },
	{ .kind = STEP_CANCEL },
};

const struct command_row command_rows[] = {
	/* name                       steps              pending drops  delay  rescue */
	{ "beeper.enable", steps_beeper_on, true, false, false, 0 },
	{ "beeper.disable", steps_beeper_off, true, false, false, 0 },
	{ "beeper.toggle", beeper_toggle, true, false, false, 0 },
	{ "test.battery.start.quick", test_quick, false, false, false, 0 },
	{ "test.battery.start.deep", test_deep, false, false, false, 0 },
	{ "test.battery.stop", test_stop, false, false, false, 0 },
	{ "bypass.start", bypass_start, false, true, false, 1029 },
	{ "bypass.stop", bypass_stop, false, true, false, 0 },
	{ "load.on", load_on, false, false, false, 0 },
	{ "load.off", load_off, true, true, false, 0 },
	{ "shutdown.return", shutdown_return, false, true, true, 0 },
	{ "shutdown.stayoff", shutdown_stayoff, false, true, true, 0 },
	{ "shutdown.reboot", shutdown_return, false, true, false, 0 },
	{ "shutdown.reboot.graceful", shutdown_return, false, true, true, 0 },
	{ "shutdown.default", shutdown_return, false, true, true, 0 },
	{ "shutdown.stop", shutdown_stop, true, false, false, 0 },
};
const size_t command_rows_count = sizeof(command_rows) / sizeof(command_rows[0]);
