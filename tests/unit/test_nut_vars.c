#include "nut/vars.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct nut_vars_config plain = { .battery_charge_low = -1, .battery_runtime_low = -1 };

/* A UPS of which nothing but the status is known. */
static struct u2k_snapshot with_flags(unsigned flags)
{
	struct u2k_snapshot snap = { .comm = U2K_COMM_OK, .status_at_us = U2K_SEC };

	snap.flags = flags;
	return snap;
}

static void set(struct u2k_snapshot *snap, enum u2k_qty qty, double value)
{
	snap->qty[qty] = (struct u2k_value){ value, U2K_SEC, U2K_VALID };
}

struct fixture {
	struct nut_store *store;
	struct nut_vars *vars;
};

static struct fixture make(const struct nut_vars_config *config)
{
	struct fixture f;

	f.store = nut_store_new();
	f.vars = nut_vars_new(config, f.store);
	assert_non_null(f.vars);
	return f;
}

static void drop(struct fixture *f)
{
	nut_vars_free(f->vars);
	nut_store_free(f->store);
}

/* want NULL: the variable must be absent. */
static void expect(const struct fixture *f, const char *name, const char *want)
{
	const char *got = nut_store_get(f->store, name);

	if (!got != !want || (got && strcmp(got, want) != 0))
		fail_msg("%s is %s, want %s", name, got ? got : "(absent)",
			 want ? want : "(absent)");
}

/* ---- samples of the reference, 10.1: raw register, divisor, what upsc printed ---- */

struct reading {
	enum u2k_qty qty;
	double raw, scale;
	const char *name, *want;
};

static const struct reading sample_a[] = {
	{ U2K_QTY_INPUT_VOLTAGE, 2161, .1, "input.voltage", "216.1" },
	{ U2K_QTY_INPUT_FREQUENCY, 500, .1, "input.frequency", "50.0" },
	{ U2K_QTY_BYPASS_VOLTAGE, 2161, .1, "input.bypass.voltage", "216.1" },
	{ U2K_QTY_BYPASS_FREQUENCY, 500, .1, "input.bypass.frequency", "50.0" },
	{ U2K_QTY_OUTPUT_VOLTAGE, 2197, .1, "output.voltage", "219.7" },
	{ U2K_QTY_OUTPUT_CURRENT, 13, .1, "output.current", "1.3" },
	{ U2K_QTY_OUTPUT_FREQUENCY, 500, .1, "output.frequency", "50.0" },
	{ U2K_QTY_OUTPUT_REALPOWER, 1, 100, "output.realpower", "100.0" },
	{ U2K_QTY_OUTPUT_POWER, 3, 100, "output.power", "300.0" },
	{ U2K_QTY_LOAD, 70, .1, "ups.load", "7.0" },
	{ U2K_QTY_TEMPERATURE, 253, .1, "ups.temperature", "25.3" },
	{ U2K_QTY_BATTERY_VOLTAGE, 820, .1, "battery.voltage", "82.0" },
	{ U2K_QTY_BATTERY_CHARGE, 100, 1, "battery.charge", "100.0" },
	{ U2K_QTY_BATTERY_RUNTIME, 0x2760, 1, "battery.runtime", "10080" },
	{ U2K_QTY_BATTERY_BLOCKS, 6, 1, "battery.packs", "6" },
	{ U2K_QTY_BATTERY_CAPACITY, 9, 1, "battery.capacity", "9" },
	{ U2K_QTY_RATED_POWER, 30, 100, "ups.power.nominal", "3000" },
	{ U2K_QTY_BATTERY_STATE, 3, 1, "battery.charger.status", "charging" },
	{ U2K_QTY_BEEPER_MUTED, 0, 1, "ups.beeper.status", "enabled" },
};

static const struct reading sample_b[] = {
	{ U2K_QTY_INPUT_VOLTAGE, 2371, .1, "input.voltage", "237.1" },
	{ U2K_QTY_INPUT_FREQUENCY, 500, .1, "input.frequency", "50.0" },
	{ U2K_QTY_BYPASS_VOLTAGE, 2371, .1, "input.bypass.voltage", "237.1" },
	{ U2K_QTY_BYPASS_FREQUENCY, 500, .1, "input.bypass.frequency", "50.0" },
	{ U2K_QTY_OUTPUT_VOLTAGE, 2371, .1, "output.voltage", "237.1" },
	{ U2K_QTY_OUTPUT_CURRENT, 0, .1, "output.current", "0.0" },
	{ U2K_QTY_OUTPUT_FREQUENCY, 500, .1, "output.frequency", "50.0" },
	{ U2K_QTY_OUTPUT_REALPOWER, 0, 100, "output.realpower", "0.0" },
	{ U2K_QTY_OUTPUT_POWER, 1, 100, "output.power", "100.0" },
	{ U2K_QTY_LOAD, 170, .1, "ups.load", "17.0" },
	{ U2K_QTY_TEMPERATURE, 272, .1, "ups.temperature", "27.2" },
	{ U2K_QTY_BATTERY_VOLTAGE, 273, .1, "battery.voltage", "27.3" },
	{ U2K_QTY_BATTERY_CHARGE, 100, 1, "battery.charge", "100.0" },
	{ U2K_QTY_BATTERY_RUNTIME, 0x6978, 1, "battery.runtime", "27000" },
	{ U2K_QTY_BATTERY_BLOCKS, 2, 1, "battery.packs", "2" },
	{ U2K_QTY_BATTERY_CAPACITY, 9, 1, "battery.capacity", "9" },
	{ U2K_QTY_RATED_POWER, 10, 100, "ups.power.nominal", "1000" },
	{ U2K_QTY_BATTERY_STATE, 4, 1, "battery.charger.status", "charging" },
	{ U2K_QTY_BEEPER_MUTED, 0, 1, "ups.beeper.status", "enabled" },
};

static const struct reading sample_c[] = {
	{ U2K_QTY_INPUT_VOLTAGE, 2212, .1, "input.voltage", "221.2" },
	{ U2K_QTY_INPUT_FREQUENCY, 499, .1, "input.frequency", "49.9" },
	{ U2K_QTY_BYPASS_VOLTAGE, 2212, .1, "input.bypass.voltage", "221.2" },
	{ U2K_QTY_BYPASS_FREQUENCY, 499, .1, "input.bypass.frequency", "49.9" },
	{ U2K_QTY_OUTPUT_VOLTAGE, 2212, .1, "output.voltage", "221.2" },
	{ U2K_QTY_OUTPUT_CURRENT, 3, .1, "output.current", "0.3" },
	{ U2K_QTY_OUTPUT_FREQUENCY, 499, .1, "output.frequency", "49.9" },
	{ U2K_QTY_OUTPUT_REALPOWER, 0, 100, "output.realpower", "0.0" },
	{ U2K_QTY_OUTPUT_POWER, 0, 100, "output.power", "0.0" },
	{ U2K_QTY_LOAD, 60, .1, "ups.load", "6.0" },
	{ U2K_QTY_BATTERY_VOLTAGE, 271, .1, "battery.voltage", "27.1" },
	{ U2K_QTY_BATTERY_CHARGE, 100, 1, "battery.charge", "100.0" },
	{ U2K_QTY_BATTERY_RUNTIME, 0x2294, 1, "battery.runtime", "8852" },
	{ U2K_QTY_BATTERY_BLOCKS, 2, 1, "battery.packs", "2" },
	{ U2K_QTY_BATTERY_CAPACITY, 9, 1, "battery.capacity", "9" },
	{ U2K_QTY_BATTERY_STATE, 3, 1, "battery.charger.status", "charging" },
	{ U2K_QTY_BEEPER_MUTED, 0, 1, "ups.beeper.status", "enabled" },
};

static const struct reading sample_d[] = {
	{ U2K_QTY_BATTERY_VOLTAGE, 821, .1, "battery.voltage", "82.1" },
	{ U2K_QTY_BATTERY_STATE, 3, 1, "battery.charger.status", "charging" },
	{ U2K_QTY_BATTERY_CHARGE, 94, 1, "battery.charge", "94.0" },
	{ U2K_QTY_BATTERY_RUNTIME, 1352, 1, "battery.runtime", "1352" },
	{ U2K_QTY_BATTERY_BLOCKS, 6, 1, "battery.packs", "6" },
	{ U2K_QTY_BATTERY_CAPACITY, 9, 1, "battery.capacity", "9" },
};

static const struct {
	const char *letter;
	const struct reading *readings;
	size_t n;
	unsigned flags;
	const char *model, *firmware, *status, *nominal;
} samples[] = {
	{ "A", sample_a, ARRAY_SIZE(sample_a), U2K_OL | U2K_CHRG, "UPS2000G", "V2R1C1SPC50",
	  "OL CHRG", "72" },
	{ "B", sample_b, ARRAY_SIZE(sample_b), U2K_OL | U2K_ECO | U2K_CHRG, "UPS2000G",
	  "V2R1C1SPC50", "OL ECO CHRG", "24" },
	{ "C", sample_c, ARRAY_SIZE(sample_c), U2K_OL | U2K_CHRG, "UPS2000A", "V2R1C1SPC40",
	  "OL CHRG", "24" },
	{ "D", sample_d, ARRAY_SIZE(sample_d), U2K_OL | U2K_CHRG, "UPS2000A", "V2R1C1SPC50",
	  "OL CHRG", "72" },
};

static void samples_of_the_reference(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(samples); s++) {
		struct u2k_snapshot snap = with_flags(samples[s].flags);
		struct fixture f = make(&plain);

		for (size_t i = 0; i < samples[s].n; i++) {
			const struct reading *r = &samples[s].readings[i];

			set(&snap, r->qty, r->scale == .1 ? r->raw / 10 : r->raw * r->scale);
		}
		snprintf(snap.identity.model, sizeof(snap.identity.model), "%s", samples[s].model);
		snprintf(snap.identity.firmware, sizeof(snap.identity.firmware), "%s",
			 samples[s].firmware);
		snprintf(snap.identity.protocol, sizeof(snap.identity.protocol), "P1.0-D1.0");
		snprintf(snap.identity.esn, sizeof(snap.identity.esn), "21022900000000000001");
		nut_vars_update(f.vars, &snap, UINT64_MAX);

		for (size_t i = 0; i < samples[s].n; i++)
			expect(&f, samples[s].readings[i].name, samples[s].readings[i].want);
		expect(&f, "ups.status", samples[s].status);
		expect(&f, "battery.voltage.nominal", samples[s].nominal);
		expect(&f, "device.model", samples[s].model);
		expect(&f, "ups.model", samples[s].model);
		expect(&f, "ups.firmware", samples[s].firmware);
		expect(&f, "ups.firmware.aux", "P1.0-D1.0");
		expect(&f, "device.serial", "21022900000000000001");
		expect(&f, "ups.serial", "21022900000000000001");
		expect(&f, "device.mfr", "Huawei");
		expect(&f, "ups.mfr", "Huawei");
		expect(&f, "device.type", "ups");
		expect(&f, "ups.type", "online");
		expect(&f, "ups.alarm", NULL);
		expect(&f, "ups.power", nut_store_get(f.store, "output.power"));
		expect(&f, "ups.realpower", nut_store_get(f.store, "output.realpower"));
		drop(&f);
	}
}

/* ---- numbers and words that have no sample ---- */

struct one {
	const char *title;
	enum u2k_qty qty;
	double value;
	enum u2k_validity validity;
	const char *name, *want;
};

static const struct one ones[] = {
	{ "frost", U2K_QTY_TEMPERATURE, -5.5, U2K_VALID, "ups.temperature", "-5.5" },
	{ "no temperature", U2K_QTY_TEMPERATURE, 0, U2K_INVALID, "ups.temperature", NULL },
	{ "mains out", U2K_QTY_INPUT_VOLTAGE, 0, U2K_VALID, "input.voltage", "0.0" },
	{ "not read yet", U2K_QTY_INPUT_VOLTAGE, 230, U2K_UNKNOWN, "input.voltage", NULL },
	{ "single phase", U2K_QTY_INPUT_PHASES, 1, U2K_VALID, "input.phases", "1" },
	{ "three phases", U2K_QTY_OUTPUT_PHASES, 3, U2K_VALID, "output.phases", "3" },
	{ "no phases", U2K_QTY_OUTPUT_PHASES, 1, U2K_INVALID, "output.phases", NULL },
	{ "two days", U2K_QTY_BATTERY_RUNTIME, 172800, U2K_VALID, "battery.runtime", "172800" },
	{ "no runtime", U2K_QTY_BATTERY_RUNTIME, 4294967295., U2K_INVALID, "battery.runtime",
	  NULL },
	{ "four blocks", U2K_QTY_BATTERY_BLOCKS, 4, U2K_VALID, "battery.voltage.nominal", "48" },
	{ "no blocks", U2K_QTY_BATTERY_BLOCKS, 4, U2K_UNKNOWN, "battery.voltage.nominal", NULL },
	{ "2 kVA", U2K_QTY_RATED_POWER, 2000, U2K_VALID, "ups.power.nominal", "2000" },
	{ "resting", U2K_QTY_BATTERY_STATE, 2, U2K_VALID, "battery.charger.status", "resting" },
	{ "float", U2K_QTY_BATTERY_STATE, 3, U2K_VALID, "battery.charger.status", "charging" },
	{ "equalising", U2K_QTY_BATTERY_STATE, 4, U2K_VALID, "battery.charger.status", "charging" },
	{ "discharging", U2K_QTY_BATTERY_STATE, 5, U2K_VALID, "battery.charger.status",
	  "discharging" },
	{ "no battery", U2K_QTY_BATTERY_STATE, 0, U2K_VALID, "battery.charger.status", NULL },
	{ "idle", U2K_QTY_BATTERY_STATE, 1, U2K_VALID, "battery.charger.status", NULL },
	{ "state 6", U2K_QTY_BATTERY_STATE, 6, U2K_VALID, "battery.charger.status", NULL },
	{ "state 0xA000", U2K_QTY_BATTERY_STATE, 0xa000, U2K_INVALID, "battery.charger.status",
	  NULL },
	{ "starts by itself", U2K_QTY_AUTO_START, 1, U2K_VALID, "ups.start.auto", "yes" },
	{ "stays off", U2K_QTY_AUTO_START, 0, U2K_VALID, "ups.start.auto", "no" },
	{ "auto start 2", U2K_QTY_AUTO_START, 2, U2K_VALID, "ups.start.auto", NULL },
	{ "auto start?", U2K_QTY_AUTO_START, 1, U2K_UNKNOWN, "ups.start.auto", NULL },
	{ "muted", U2K_QTY_BEEPER_MUTED, 1, U2K_VALID, "ups.beeper.status", "disabled" },
	{ "sounding", U2K_QTY_BEEPER_MUTED, 0, U2K_VALID, "ups.beeper.status", "enabled" },
	{ "beeper?", U2K_QTY_BEEPER_MUTED, 0, U2K_INVALID, "ups.beeper.status", NULL },
};

static void one_quantity(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ones); i++) {
		struct u2k_snapshot snap = with_flags(U2K_OL);
		struct fixture f = make(&plain);

		snap.qty[ones[i].qty] =
			(struct u2k_value){ ones[i].value, U2K_SEC, ones[i].validity };
		nut_vars_update(f.vars, &snap, U2K_CHANGED_QTY(ones[i].qty));
		expect(&f, ones[i].name, ones[i].want);

		/* what was shown goes when the value goes */
		snap.qty[ones[i].qty].validity = U2K_INVALID;
		nut_vars_update(f.vars, &snap, U2K_CHANGED_QTY(ones[i].qty));
		expect(&f, ones[i].name, NULL);
		drop(&f);
	}
}

static void nothing_read_is_nothing_shown(void **state)
{
	struct u2k_snapshot snap = { .flags = 0 };
	struct fixture f = make(&plain);

	(void)state;
	nut_vars_update(f.vars, &snap, UINT64_MAX);
	for (size_t i = 0; i < nut_store_count(f.store); i++) {
		const char *name = nut_store_at(f.store, i)->name;

		if (strncmp(name, "driver.", 7) != 0 && strcmp(name, "device.mfr") != 0 &&
		    strcmp(name, "ups.mfr") != 0 && strcmp(name, "device.type") != 0 &&
		    strcmp(name, "ups.type") != 0)
			fail_msg("%s is shown before anything was read", name);
	}
	drop(&f);
}

/* ---- timers ---- */

static const struct {
	const char *title;
	double restart_off, restart_on, off; /* < 0: not known */
	const char *shutdown, *start, *reboot;
} timers[] = {
	{ "idle", 0, 0, 0, "-1", "-1", "-1" },
	{ "not known", -1, -1, -1, NULL, NULL, NULL },
	{ "off in 30 s", 0, 0, 30, "30", "-1", "-1" },
	{ "off in 60 s, on 180 s later", 60, 180, 0, "60", "240", "60" },
	{ "is off, on in 120 s", 0, 120, 0, "-1", "120", "-1" },
	{ "both, the sooner counts", 60, 60, 12, "12", "120", "60" },
	{ "no pair on this unit", -1, -1, 5940, "5940", NULL, NULL },
	{ "no 1049 on this unit", 6, 60, -1, "6", "66", "6" },
	{ "1048 alone", -1, 60, -1, NULL, "60", NULL },
};

static void set_timer(struct u2k_snapshot *snap, enum u2k_qty qty, double value)
{
	if (value >= 0)
		set(snap, qty, value);
}

static void timers_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		struct u2k_snapshot snap = with_flags(U2K_OL);
		struct fixture f = make(&plain);

		set_timer(&snap, U2K_QTY_RESTART_OFF, timers[i].restart_off);
		set_timer(&snap, U2K_QTY_RESTART_ON, timers[i].restart_on);
		set_timer(&snap, U2K_QTY_OFF_TIMER, timers[i].off);
		nut_vars_update(f.vars, &snap,
				U2K_CHANGED_QTY(U2K_QTY_RESTART_OFF) |
					U2K_CHANGED_QTY(U2K_QTY_RESTART_ON) |
					U2K_CHANGED_QTY(U2K_QTY_OFF_TIMER));
		print_message("timers: %s\n", timers[i].title);
		expect(&f, "ups.timer.shutdown", timers[i].shutdown);
		expect(&f, "ups.timer.start", timers[i].start);
		expect(&f, "ups.timer.reboot", timers[i].reboot);
		drop(&f);
	}
}

/* ---- ups.status ---- */

static const struct {
	const char *title;
	unsigned flags;
	bool cal;
	const char *status, *mode;
	bool eco;
} states[] = {
	{ "on line", U2K_OL, 0, "OL", "online", 0 },
	{ "on line, float", U2K_OL | U2K_CHRG, 0, "OL CHRG", "online", 0 },
	{ "on battery", U2K_OB | U2K_DISCHRG, 0, "OB DISCHRG", "online", 0 },
	{ "battery state is late", U2K_OB | U2K_CHRG, 0, "OB", "online", 0 },
	{ "ECO", U2K_OL | U2K_ECO | U2K_CHRG, 0, "OL ECO CHRG", "online", 1 },
	{ "bypass", U2K_BYPASS, 0, "BYPASS", "bypass", 0 },
	{ "bypass on mains", U2K_OL | U2K_BYPASS | U2K_CHRG, 0, "OL BYPASS CHRG", "bypass", 0 },
	{ "off", U2K_OFF, 0, "OFF", NULL, 0 },
	{ "off, charging", U2K_OFF | U2K_CHRG, 0, "OFF CHRG", NULL, 0 },
	{ "low on battery", U2K_OB | U2K_LB | U2K_DISCHRG, 0, "OB LB DISCHRG", "online", 0 },
	{ "low on mains", U2K_OL | U2K_LB | U2K_CHRG, 0, "OL LB CHRG", "online", 0 },
	{ "test", U2K_OL | U2K_TEST | U2K_DISCHRG, 0, "OL DISCHRG", "online", 0 },
	{ "test, CAL wanted", U2K_OL | U2K_TEST | U2K_DISCHRG, 1, "OL CAL DISCHRG", "online", 0 },
	{ "CAL wanted, no test", U2K_OL | U2K_CHRG, 1, "OL CHRG", "online", 0 },
	{ "replace battery", U2K_OL | U2K_CHRG | U2K_RB | U2K_ALARM, 0, "ALARM OL CHRG RB",
	  "online", 0 },
	{ "overload", U2K_OL | U2K_OVER | U2K_ALARM, 0, "ALARM OL OVER", "online", 0 },
	{ "fault", U2K_OL | U2K_FAULT | U2K_ALARM, 0, "ALARM OL", "online", 0 },
	{ "fault alone", U2K_OL | U2K_FAULT, 0, "OL", "online", 0 },
	{ "everything",
	  U2K_ALARM | U2K_OL | U2K_BYPASS | U2K_ECO | U2K_LB | U2K_TEST | U2K_CHRG | U2K_DISCHRG |
		  U2K_RB | U2K_OVER,
	  1, "ALARM OL BYPASS ECO LB CAL CHRG DISCHRG RB OVER", "bypass", 1 },
	{ "a source nobody knows", 0, 0, "WAIT", NULL, 0 },
	{ "the same, discharging", U2K_DISCHRG, 0, "DISCHRG WAIT", NULL, 0 },
};

static void status_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct nut_vars_config config = plain;
		struct u2k_snapshot snap = with_flags(states[i].flags);
		char text[64];

		print_message("status: %s\n", states[i].title);
		config.cal_for_test = states[i].cal;
		struct fixture f = make(&config);
		nut_vars_update(f.vars, &snap, U2K_CHANGED_FLAGS);
		expect(&f, "ups.status", states[i].status);
		expect(&f, "ups.mode", states[i].mode);
		expect(&f, "experimental.ups.mode.buzzwords",
		       states[i].eco ? "vendor:huawei:ECO" : NULL);
		assert_int_equal(nut_vars_status(&config, &snap, text, sizeof(text)),
				 strlen(states[i].status));
		assert_string_equal(text, states[i].status);
		drop(&f);
	}
}

static void status_is_absent_until_read(void **state)
{
	struct u2k_snapshot snap = with_flags(U2K_OL);
	struct fixture f = make(&plain);
	char text[4] = "old";

	(void)state;
	snap.status_at_us = 0;
	assert_int_equal(nut_vars_status(&plain, &snap, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	nut_vars_update(f.vars, &snap, UINT64_MAX);
	expect(&f, "ups.status", NULL);
	expect(&f, "ups.mode", NULL);
	drop(&f);
}

static void status_is_cut_to_its_buffer(void **state)
{
	struct u2k_snapshot snap = with_flags(U2K_OB | U2K_DISCHRG);
	char text[5] = "....";

	(void)state;
	assert_int_equal(nut_vars_status(&plain, &snap, text, sizeof(text)), 4);
	assert_string_equal(text, "OB D");
	assert_int_equal(nut_vars_status(&plain, &snap, text, 0), 0);
}

/* ---- LB from thresholds ---- */

static const struct nut_override charge_50[] = { { "battery.charge.low", "50" } };
static const struct nut_override runtime_900[] = { { "Battery.Runtime.Low", "900" } };
static const struct nut_override never[] = { { "battery.charge.low", "-1" } };

#define NONE -1
static const struct {
	const char *title;
	bool ignorelb;
	double charge_low, runtime_low;
	const struct nut_override *override, *fallback;
	bool bit;		/* the device says low */
	double charge, runtime; /* NONE: invalid */
	bool low;
} thresholds[] = {
	{ "the device's bit", 0, NONE, NONE, NULL, NULL, 1, 90, 5000, 1 },
	{ "no bit", 0, NONE, NONE, NULL, NULL, 0, 90, 5000, 0 },
	{ "thresholds need ignorelb", 0, 50, 900, NULL, NULL, 0, 10, 60, 0 },
	{ "the bit is ignored", 1, 50, 900, NULL, NULL, 1, 90, 5000, 0 },
	{ "ignored, no thresholds", 1, NONE, NONE, NULL, NULL, 1, 5, 60, 0 },
	{ "charge below", 1, 50, NONE, NULL, NULL, 0, 49, 5000, 1 },
	{ "charge at the threshold", 1, 50, NONE, NULL, NULL, 0, 50, 5000, 0 },
	{ "runtime below", 1, NONE, 900, NULL, NULL, 0, 90, 899, 1 },
	{ "runtime at the threshold", 1, NONE, 900, NULL, NULL, 0, 90, 900, 0 },
	{ "either", 1, 50, 900, NULL, NULL, 0, 90, 60, 1 },
	{ "override.battery.charge.low", 1, NONE, NONE, charge_50, NULL, 0, 49, 5000, 1 },
	{ "override beats the key", 1, 20, NONE, charge_50, NULL, 0, 30, 5000, 1 },
	{ "override in other case", 1, NONE, NONE, runtime_900, NULL, 0, 90, 60, 1 },
	{ "override switches off", 1, 20, NONE, never, NULL, 1, 10, 60, 0 },
	{ "default.battery.charge.low", 1, NONE, NONE, NULL, charge_50, 0, 49, 5000, 1 },
	{ "the key beats default", 1, 20, NONE, NULL, charge_50, 0, 30, 5000, 0 },
	{ "charge invalid, runtime low", 1, 50, 900, NULL, NULL, 0, NONE, 60, 1 },
	{ "charge invalid, runtime good", 1, 50, 900, NULL, NULL, 1, NONE, 5000, 0 },
	{ "both invalid: the bit counts", 1, 50, 900, NULL, NULL, 1, NONE, NONE, 1 },
	{ "both invalid, no bit", 1, 50, 900, NULL, NULL, 0, NONE, NONE, 0 },
};

static void low_battery(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(thresholds); i++) {
		struct nut_vars_config config = {
			.ignorelb = thresholds[i].ignorelb,
			.battery_charge_low = thresholds[i].charge_low,
			.battery_runtime_low = thresholds[i].runtime_low,
			.overrides = thresholds[i].override,
			.n_overrides = thresholds[i].override != NULL,
			.defaults = thresholds[i].fallback,
			.n_defaults = thresholds[i].fallback != NULL,
		};
		struct u2k_snapshot snap =
			with_flags(U2K_OB | U2K_DISCHRG | (thresholds[i].bit ? U2K_LB : 0));
		struct fixture f = make(&config);

		print_message("LB: %s\n", thresholds[i].title);
		nut_vars_update(f.vars, &snap, UINT64_MAX);
		set_timer(&snap, U2K_QTY_BATTERY_CHARGE, thresholds[i].charge);
		set_timer(&snap, U2K_QTY_BATTERY_RUNTIME, thresholds[i].runtime);
		/* a change of the battery's values alone must do */
		nut_vars_update(f.vars, &snap,
				U2K_CHANGED_QTY(U2K_QTY_BATTERY_CHARGE) |
					U2K_CHANGED_QTY(U2K_QTY_BATTERY_RUNTIME));
		expect(&f, "ups.status", thresholds[i].low ? "OB LB DISCHRG" : "OB DISCHRG");
		expect(&f, "driver.flag.ignorelb", thresholds[i].ignorelb ? "enabled" : NULL);
		drop(&f);
	}
}

/* ---- ups.alarm ---- */

/* Ids and names of the reference, section 5; not the table of src/ups. */
static const char *const alarm_texts[U2K_ALARM_COUNT] = {
	"(30/1) ",
	"(10/1) Bypass voltage abnormal",
	"(10/2) Bypass frequency abnormal",
	"(25/1) ",
	"(29/1) Battery needs maintenance",
	"(26/1) ",
	"(22/1) Battery disconnected",
	"(66/1) Overload",
	"(66/2) Overload",
	"(14/1) ",
	"(42/15) Rectifier fault",
	"(42/17) Rectifier fault",
	"(42/18) Rectifier fault",
	"(42/24) EEPROM fault",
	"(42/27) Inverter fault",
	"(42/28) Inverter fault",
	"(42/31) Inverter fault",
	"(42/32) ",
	"(42/36) Charger fault",
	"(42/42) Charger fault",
	"(66/3) Overload shutdown",
	"(66/4) Bypass overload shutdown",
};

static void check_alarm_text(const char *text)
{
	assert_non_null(text);
	assert_null(strpbrk(text, "#\\\""));
	assert_true(text[0] == '[' && text[strlen(text) - 1] == ']');
	for (const char *p = text; *p; p++)
		assert_in_range((unsigned char)*p, 0x20, 0x7e);
}

static void each_alarm(void **state)
{
	uint32_t seen = 0;

	(void)state;
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++) {
		struct u2k_snapshot snap = with_flags(U2K_OL | U2K_ALARM);
		struct fixture f = make(&plain);

		snap.alarms.active = snap.alarms_shown = (uint32_t)1 << i;
		nut_vars_update(f.vars, &snap, U2K_CHANGED_ALARMS);
		const char *text = nut_store_get(f.store, "ups.alarm");
		check_alarm_text(text);
		for (unsigned k = 0; k < U2K_ALARM_COUNT; k++)
			if (!strncmp(text + 1, alarm_texts[k], strlen(alarm_texts[k])))
				seen |= (uint32_t)1 << k;
		drop(&f);
	}
	assert_int_equal(seen, ((uint32_t)1 << U2K_ALARM_COUNT) - 1);
}

static unsigned alarm_index(unsigned id, unsigned cause)
{
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++)
		if (u2k_alarm_desc(i)->id == id && u2k_alarm_desc(i)->cause == cause)
			return i;
	fail_msg("no alarm %u/%u", id, cause);
	return 0;
}

static void alarm_lists(void **state)
{
	uint32_t bypass = (uint32_t)1 << alarm_index(10, 1);
	uint32_t battery = (uint32_t)1 << alarm_index(22, 1);
	struct u2k_snapshot snap = with_flags(U2K_OL | U2K_ALARM);
	struct fixture f = make(&plain);

	(void)state;
	snap.alarms.active = bypass | battery;
	snap.alarms_shown = bypass | battery;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_ALARMS | U2K_CHANGED_FLAGS);
	expect(&f, "ups.alarm", "[(10/1) Bypass voltage abnormal] [(22/1) Battery disconnected]");

	/* on battery the bypass input is not an alarm: active, but not shown */
	snap.flags = U2K_OB | U2K_ALARM;
	snap.alarms_shown = battery;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_FLAGS);
	expect(&f, "ups.alarm", "[(22/1) Battery disconnected]");
	expect(&f, "ups.status", "ALARM OB");
	snap.flags = U2K_OB;
	snap.alarms_shown = 0;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_FLAGS);
	expect(&f, "ups.alarm", NULL);
	expect(&f, "ups.status", "OB");

	/* bits without a name are told too, with or without ALARM */
	snap.alarms.unknown[4] = 1 << 3;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_ALARMS);
	expect(&f, "ups.alarm", "[unknown alarm register 40160 bit 3]");
	expect(&f, "ups.status", "OB");
	snap.alarms.unknown[26] = 1 << 15;
	snap.alarms_shown = battery;
	snap.flags = U2K_OB | U2K_ALARM;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_ALARMS | U2K_CHANGED_FLAGS);
	expect(&f, "ups.alarm",
	       "[(22/1) Battery disconnected] "
	       "[unknown alarm register 40160 bit 3] [unknown alarm register 40182 bit 15]");

	memset(&snap.alarms, 0, sizeof(snap.alarms));
	snap.alarms_shown = 0;
	snap.flags = U2K_OL | U2K_ALARM | U2K_FAULT;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_ALARMS | U2K_CHANGED_FLAGS);
	expect(&f, "ups.alarm", "[UPS internal fault]");
	drop(&f);
}

static void many_alarms_end_in_a_count(void **state)
{
	struct u2k_snapshot snap = with_flags(U2K_OL | U2K_ALARM);
	struct fixture f = make(&plain);
	unsigned shown = 0, more = 0;

	(void)state;
	snap.alarms.active = snap.alarms_shown = ((uint32_t)1 << U2K_ALARM_COUNT) - 1;
	memset(snap.alarms.unknown, 0xff, sizeof(snap.alarms.unknown));
	nut_vars_update(f.vars, &snap, UINT64_MAX);

	const char *text = nut_store_get(f.store, "ups.alarm");
	check_alarm_text(text);
	assert_in_range(strlen(text), 1, NUT_VALUE_MAX);
	for (const char *p = text; *p; p++)
		shown += *p == '[';
	const char *tail = strrchr(text, '[');
	assert_int_equal(sscanf(tail, "[and %u more]", &more), 1);
	assert_int_equal(shown - 1 + more, U2K_ALARM_COUNT + U2K_ALARM_REGS * 16);
	drop(&f);
}

/* ---- identity ---- */

static const struct {
	const char *esn, *want;
} serials[] = {
	{ "21022900000000000001", "21022900000000000001" },
	{ " 2102290 ", "2102290" },
	{ "", NULL },
	{ "    ", NULL },
	{ "00000000000000000000", NULL },
	{ "FFFFFFFFFFFFFFFFFFFF", NULL },
	{ "--------", NULL },
	{ "n/a", NULL },
	{ "Unknown", NULL },
	{ "1234567890", NULL },
	{ "12345678901", "12345678901" },
	{ "21\"#\\", "21???" },
};

static void serial_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		struct u2k_snapshot snap = with_flags(U2K_OL);
		struct fixture f = make(&plain);

		snprintf(snap.identity.esn, sizeof(snap.identity.esn), "%s", serials[i].esn);
		nut_vars_update(f.vars, &snap, U2K_CHANGED_IDENTITY);
		expect(&f, "device.serial", serials[i].want);
		expect(&f, "ups.serial", serials[i].want);
		expect(&f, "device.model", NULL);
		expect(&f, "ups.firmware", NULL);
		drop(&f);
	}
}

/* ---- configuration ---- */

static void overrides_win_and_defaults_wait(void **state)
{
	static const struct nut_override overrides[] = {
		{ "battery.voltage.nominal", "70" },
		{ "UPS.Temperature", "20" },
		{ "device.location", "cellar" },
		{ "ups.delay.start", "90" },
	};
	static const struct nut_override defaults[] = {
		{ "input.voltage", "230" },    { "battery.date", "2024-01-01" },
		{ "device.contact", "admin" }, { "device.location", "attic" },
		{ "ups.temperature", "1" },
	};
	struct nut_vars_config config = plain;
	struct u2k_snapshot snap = with_flags(U2K_OL);

	(void)state;
	config.overrides = overrides;
	config.n_overrides = ARRAY_SIZE(overrides);
	config.defaults = defaults;
	config.n_defaults = ARRAY_SIZE(defaults);

	struct fixture f = make(&config);
	expect(&f, "battery.voltage.nominal", "70");
	expect(&f, "ups.temperature", "20");
	expect(&f, "device.location", "cellar");
	expect(&f, "ups.delay.start", "90");
	expect(&f, "input.voltage", "230");
	expect(&f, "battery.date", "2024-01-01");
	expect(&f, "device.contact", "admin");

	set(&snap, U2K_QTY_BATTERY_BLOCKS, 6);
	set(&snap, U2K_QTY_TEMPERATURE, 25.3);
	set(&snap, U2K_QTY_INPUT_VOLTAGE, 216.1);
	nut_vars_update(f.vars, &snap, UINT64_MAX);
	expect(&f, "battery.voltage.nominal", "70");
	expect(&f, "battery.packs", "6");
	expect(&f, "ups.temperature", "20");
	expect(&f, "input.voltage", "216.1");
	expect(&f, "battery.date", "2024-01-01");

	/* the value goes: the default is back, the override stays */
	snap.qty[U2K_QTY_INPUT_VOLTAGE].validity = U2K_INVALID;
	snap.qty[U2K_QTY_TEMPERATURE].validity = U2K_INVALID;
	nut_vars_update(f.vars, &snap, UINT64_MAX);
	expect(&f, "input.voltage", "230");
	expect(&f, "ups.temperature", "20");

	/* a reload without them; somebody changed ups.delay.start since */
	nut_store_set(f.store, "ups.delay.start", "120");
	config = plain;
	config.battery_date = "2025-05-05";
	nut_vars_configure(f.vars, &config);
	expect(&f, "device.location", NULL);
	expect(&f, "device.contact", NULL);
	expect(&f, "ups.delay.start", "120");
	expect(&f, "battery.date", "2025-05-05");
	set(&snap, U2K_QTY_TEMPERATURE, 25.4);
	nut_vars_update(f.vars, &snap, 0);
	expect(&f, "ups.temperature", "25.4");
	expect(&f, "battery.voltage.nominal", "72");
	expect(&f, "input.voltage", NULL);
	drop(&f);
}

static void default_of_somebody_elses_variable(void **state)
{
	static const struct nut_override defaults[] = { { "ups.delay.start", "90" } };
	struct nut_vars_config config = plain;

	(void)state;
	config.defaults = defaults;
	config.n_defaults = 1;

	struct fixture f = make(&config);
	expect(&f, "ups.delay.start", "90");
	nut_vars_configure(f.vars, &config);
	expect(&f, "ups.delay.start", "90");
	nut_store_set(f.store, "ups.delay.start", "60");
	nut_vars_configure(f.vars, &config);
	expect(&f, "ups.delay.start", "60");
	drop(&f);
}

static void configured_values(void **state)
{
	static const struct nut_override parameters[] = { { "port", "/dev/ttyUSB0" } };
	struct nut_vars_config config = {
		.battery_date = "2026-01-31",
		.id = "rack",
		.ignorelb = true,
		.battery_charge_low = 20,
		.battery_runtime_low = 600.5,
		.parameters = parameters,
		.n_parameters = 1,
	};

	(void)state;
	struct fixture f = make(&config);
	expect(&f, "battery.date", "2026-01-31");
	expect(&f, "ups.id", "rack");
	expect(&f, "battery.charge.low", "20");
	expect(&f, "battery.runtime.low", "600.5");
	expect(&f, "driver.flag.ignorelb", "enabled");
	expect(&f, "driver.parameter.port", "/dev/ttyUSB0");
	expect(&f, "driver.name", "ups2000");
	expect(&f, "driver.version", U2K_VERSION);
	expect(&f, "driver.version.internal", U2K_VERSION);

	nut_vars_configure(f.vars, &plain);
	expect(&f, "battery.date", NULL);
	expect(&f, "ups.id", NULL);
	expect(&f, "battery.charge.low", NULL);
	expect(&f, "battery.runtime.low", NULL);
	expect(&f, "driver.flag.ignorelb", NULL);
	expect(&f, "driver.parameter.port", NULL);
	drop(&f);
}

/* ---- what the store's watcher sees ---- */

struct seen {
	struct nut_store *store;
	char log[1024];
};

static void watch(enum nut_change change, const struct nut_var *var, void *user)
{
	struct seen *seen = user;
	size_t n = strlen(seen->log);

	if (change == NUT_CHANGE_SET)
		snprintf(seen->log + n, sizeof(seen->log) - n, "%s=%s;", var->name, var->value);
	else if (change == NUT_CHANGE_DEL)
		snprintf(seen->log + n, sizeof(seen->log) - n, "-%s;", var->name);

	const char *status = nut_store_get(seen->store, "ups.status");
	if (!status)
		return;
	assert_string_not_equal(status, "");
	if (strstr(status, "ALARM"))
		assert_non_null(nut_store_get(seen->store, "ups.alarm"));
}

static void one_change_in_order(void **state)
{
	uint32_t battery = (uint32_t)1 << alarm_index(22, 1);
	struct u2k_snapshot snap = with_flags(U2K_OL | U2K_CHRG);
	struct fixture f = make(&plain);
	struct seen seen = { .store = f.store };

	(void)state;
	set(&snap, U2K_QTY_INPUT_VOLTAGE, 230);
	nut_vars_update(f.vars, &snap, UINT64_MAX);
	nut_store_watch(f.store, watch, &seen);

	/* nothing changed: nothing happens, whatever the mask says */
	nut_vars_update(f.vars, &snap, UINT64_MAX);
	assert_string_equal(seen.log, "");

	/* an outage: the status first and once */
	snap.flags = U2K_OB | U2K_DISCHRG;
	set(&snap, U2K_QTY_INPUT_VOLTAGE, 0);
	nut_vars_update(f.vars, &snap,
			U2K_CHANGED_FLAGS | U2K_CHANGED_QTY(U2K_QTY_INPUT_VOLTAGE) |
				U2K_CHANGED_QTY(U2K_QTY_OUTPUT_SOURCE));
	assert_string_equal(seen.log, "ups.status=OB DISCHRG;input.voltage=0.0;");

	/* an alarm comes, changes and goes */
	seen.log[0] = '\0';
	snap.flags |= U2K_ALARM;
	snap.alarms_shown = battery;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_FLAGS | U2K_CHANGED_ALARMS);
	assert_string_equal(seen.log, "ups.alarm=[(22/1) Battery disconnected];"
				      "ups.status=ALARM OB DISCHRG;");
	seen.log[0] = '\0';
	snap.alarms.unknown[0] = 1;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_ALARMS);
	assert_string_equal(seen.log, "ups.alarm=[(22/1) Battery disconnected] "
				      "[unknown alarm register 40156 bit 0];");
	seen.log[0] = '\0';
	snap.flags = U2K_OL | U2K_CHRG;
	snap.alarms.unknown[0] = 0;
	snap.alarms_shown = 0;
	nut_vars_update(f.vars, &snap, U2K_CHANGED_FLAGS | U2K_CHANGED_ALARMS);
	assert_string_equal(seen.log, "ups.status=OL CHRG;-ups.alarm;");
	drop(&f);
}

static void only_what_the_mask_says(void **state)
{
	struct u2k_snapshot snap = with_flags(U2K_OL);
	struct fixture f = make(&plain);

	(void)state;
	set(&snap, U2K_QTY_INPUT_VOLTAGE, 230);
	set(&snap, U2K_QTY_LOAD, 7);
	nut_vars_update(f.vars, &snap, UINT64_MAX);
	set(&snap, U2K_QTY_INPUT_VOLTAGE, 231);
	set(&snap, U2K_QTY_LOAD, 8);
	nut_vars_update(f.vars, &snap, U2K_CHANGED_QTY(U2K_QTY_LOAD) | U2K_CHANGED_STATUS_READ);
	expect(&f, "input.voltage", "230.0");
	expect(&f, "ups.load", "8.0");
	nut_vars_update(f.vars, &snap, U2K_CHANGED_QTY(U2K_QTY_INPUT_VOLTAGE));
	expect(&f, "input.voltage", "231.0");
	drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_of_the_reference),
		cmocka_unit_test(one_quantity),
		cmocka_unit_test(nothing_read_is_nothing_shown),
		cmocka_unit_test(timers_count),
		cmocka_unit_test(status_words),
		cmocka_unit_test(status_is_absent_until_read),
		cmocka_unit_test(status_is_cut_to_its_buffer),
		cmocka_unit_test(low_battery),
		cmocka_unit_test(each_alarm),
		cmocka_unit_test(alarm_lists),
		cmocka_unit_test(many_alarms_end_in_a_count),
		cmocka_unit_test(serial_numbers),
		cmocka_unit_test(overrides_win_and_defaults_wait),
		cmocka_unit_test(default_of_somebody_elses_variable),
		cmocka_unit_test(configured_values),
		cmocka_unit_test(one_change_in_order),
		cmocka_unit_test(only_what_the_mask_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
