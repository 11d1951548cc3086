/*
 * The command engine against the simulated device: what each command and setting does, what is
 * written for it, and what makes it refuse with nothing written.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ups2000/error.h>

static void give_faults(struct rig *rig, const char *text)
{
	char err[200];

	assert_int_equal(sim_faults_set(&rig->srv.faults, text, err, sizeof(err)), 0);
}

static void dialect(struct rig *rig, const char *word)
{
	char err[200];

	assert_int_equal(sim_dialect_set(&rig->srv.dev.dialect, word, true, err, sizeof(err)), 0);
}

static void set_mains(struct rig *rig, bool on)
{
	sim_server_advance(&rig->srv, rig->now_us);
	sim_device_mains(&rig->srv.dev, on, 220, 50);
}

/* All writes from the n-th on, as "1045=1 1047=10,1". */
static const char *writes_since(const struct rig *rig, uint64_t n)
{
	static char text[4000];
	const struct rig_write *write;
	size_t at = 0;

	text[0] = '\0';
	for (; (write = rig_write_at(rig, n)); n++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d=%d", at ? " " : "",
				       write->base, write->values[0]);
		if (write->n == 2)
			at += (size_t)snprintf(text + at, sizeof(text) - at, ",%d",
					       write->values[1]);
	}
	return text;
}

/* --- setups ------------------------------------------------------------------------------------- */

static void on_battery(struct rig *rig)
{
	set_mains(rig, false);
	rig_run(rig, 3);
}

static void is_off(struct rig *rig)
{
	sim_device_panel_off(&rig->srv.dev);
	rig_run(rig, 3);
}

static void is_off_option(struct rig *rig)
{
	is_off(rig);
	rig->srv.dev.bypass_option = 1;
	sim_device_force(&rig->srv.dev, 1024, 0);
	rig_run(rig, 5);
}

static void is_starting(struct rig *rig)
{
	is_off(rig);
	rig->srv.dev.opt.start_ms = 30000;
	sim_device_panel_on(&rig->srv.dev);
	rig_run(rig, 1);
}

static void in_bypass(struct rig *rig)
{
	rig->srv.dev.bypass_option = 1;
	sim_device_panel_off(&rig->srv.dev);
	rig_run(rig, 5);
	assert_int_equal(rig_peek(rig, 1024), 1);
}

static void in_eco(struct rig *rig)
{
	sim_device_panel_eco(&rig->srv.dev, true);
	rig_run(rig, 3);
	assert_int_equal(rig_peek(rig, 1024), 5);
}

static void option_set(struct rig *rig)
{
	rig->srv.dev.bypass_option = 1;
	rig_run(rig, 5);
}

static void no_auto_start(struct rig *rig)
{
	rig->srv.dev.autostart = 0;
	rig_run(rig, 5);
}

static void is_muted(struct rig *rig)
{
	rig->srv.dev.muted = 1;
	rig_run(rig, 5);
}

static void bypass_bad(struct rig *rig)
{
	sim_device_bypass(&rig->srv.dev, true);
}

static void bypass_gone_quietly(struct rig *rig) /* no alarm, but the input reads 0 V */
{
	sim_device_force(&rig->srv.dev, 1004, 0);
}

static void no_battery(struct rig *rig)
{
	sim_device_battery_plug(&rig->srv.dev, false);
}

static void charger_fault(struct rig *rig)
{
	sim_device_alarm(&rig->srv.dev, "42/36", 1);
}

static void charge_80(struct rig *rig)
{
	sim_device_battery_charge(&rig->srv.dev, 80);
}

static void is_testing(struct rig *rig)
{
	rig->srv.dev.opt.quick_test_ms = 60000;
	rig_command(rig, "test.battery.start.quick", NULL, 30);
}

static void is_pending(struct rig *rig)
{
	rig_order(rig, false, "shutdown.return", "600");
	rig_run(rig, 10);
	assert_true(rig_peek(rig, 1047) > 0);
}

static void is_stale(struct rig *rig)
{
	give_faults(rig, "mute always");
	rig_run(rig, 15);
}

static void is_down(struct rig *rig)
{
	rig_link(rig, false);
	rig_run(rig, 1);
}

static void start_fails(struct rig *rig)
{
	dialect(rig, "start-fails");
}

static void off_start_fails(struct rig *rig)
{
	is_off(rig);
	dialect(rig, "start-fails");
}

static void off_failed_before(struct rig *rig)
{
	is_off(rig);
	dialect(rig, "start-fails");
	sim_device_panel_on(&rig->srv.dev);
	rig_run(rig, 10);
	assert_int_equal(rig_peek(rig, 1028), 2);
	rig->srv.dev.dialect.start_fails = 0;
}

static void bypass_start_fails(struct rig *rig)
{
	in_bypass(rig);
	start_fails(rig);
}

static void journal_fails(struct rig *rig)
{
	rig->journal_mode = RIG_JOURNAL_FAILS;
}

static void journal_silent(struct rig *rig)
{
	rig->journal_mode = RIG_JOURNAL_SILENT;
}

static void no_auto_journal_fails(struct rig *rig)
{
	no_auto_start(rig);
	journal_fails(rig);
}

static void no_auto_journal_silent(struct rig *rig)
{
	no_auto_start(rig);
	journal_silent(rig);
}

static void bypass_drops(struct rig *rig) /* "off" cuts the load although 1045 reads 1 */
{
	sim_device_force(&rig->srv.dev, 1045, 1);
}

/* --- devices -------------------------------------------------------------------------------------- */

static void other_model(struct sim_options *device, struct session_config *config)
{
	(void)config;
	strcpy(device->model, "UPS5000");
}

static void basic_only(struct sim_options *device, struct session_config *config)
{
	(void)config;
	device->dialect.identity = SIM_ID_BASIC;
}

static void six_kva(struct sim_options *device, struct session_config *config)
{
	(void)config;
	device->rating = 6;
}

static void other_interface(struct sim_options *device, struct session_config *config)
{
	(void)config;
	strcpy(device->interface, "P2.0-D1.0");
}

static void other_esn(struct sim_options *device, struct session_config *config)
{
	(void)device;
	config->serial = "21022900000000000002";
}

static void second_ups(struct sim_options *device, struct session_config *config)
{
	device->number = 2;
	config->number = 2;
}

static void monitor_only(struct sim_options *device, struct session_config *config)
{
	(void)device;
	config->control = false;
}

/* --- the table -------------------------------------------------------------------------------------- */

/* clang-format off: a table */
#define REF U2K_REFUSED, U2K_EREFUSED
#define BAD U2K_REFUSED, U2K_EINVAL
#define UNK U2K_REFUSED, U2K_ENOTSUP
#define OK U2K_VERIFIED, 0
#define FAIL U2K_FAILED, 0

static const struct row {
	const char *command, *value; /* "=name" is a setting */
	void (*setup)(struct rig *rig);
	void (*device)(struct sim_options *device, struct session_config *config);
	enum u2k_outcome outcome;
	int error;
	const char *writes, *text;
} table[] = {
	/* command, value, setup, device, outcome, error, writes, text */
	{ "beeper.disable", NULL, NULL, NULL, OK, "1046=1", "disabled" },
	{ "beeper.disable", NULL, is_muted, NULL, OK, "", "disabled" },
	{ "beeper.enable", NULL, is_muted, NULL, OK, "1046=0", "enabled" },
	{ "BEEPER.toggle", NULL, NULL, NULL, OK, "1046=1", "changed" },
	{ "beeper.toggle", NULL, is_muted, NULL, OK, "1046=0", "changed" },
	{ "beeper.enable", "1", is_muted, NULL, BAD, "", "no parameter" },
	{ "beeper.disable", NULL, is_pending, NULL, OK, "1046=1", "disabled" },
	{ "beeper.disable", NULL, on_battery, NULL, OK, "1046=1", "disabled" },

	{ "test.battery.start.quick", NULL, NULL, NULL, OK, "2028=1", "running" },
	{ "test.battery.start.quick", NULL, in_eco, NULL, OK, "2028=1", "running" },
	{ "test.battery.start.quick", NULL, on_battery, NULL, REF, "", "mains" },
	{ "test.battery.start.quick", NULL, no_battery, NULL, REF, "", "22/1" },
	{ "test.battery.start.quick", NULL, is_off, NULL, REF, "", "mains" },
	{ "test.battery.start.quick", NULL, in_bypass, NULL, REF, "", "mains" },
	{ "test.battery.start.quick", NULL, is_testing, NULL, REF, "", "running already" },
	{ "test.battery.start.quick", NULL, is_pending, NULL, REF, "", "shutdown.stop" },
	{ "test.battery.start.quick", "10", NULL, NULL, BAD, "", "no parameter" },
	{ "test.battery.start.deep", NULL, NULL, NULL, OK, "2021=1", "running" },
	{ "test.battery.start.deep", NULL, in_eco, NULL, REF, "", "mains" },
	{ "test.battery.start.deep", NULL, on_battery, NULL, REF, "", "mains" },
	{ "test.battery.start.deep", NULL, no_battery, NULL, REF, "", "22/1" },
	{ "test.battery.start.deep", NULL, charger_fault, NULL, REF, "", "42" },
	{ "test.battery.start.deep", NULL, charge_80, NULL, REF, "", "90 %" },
	{ "test.battery.start.deep", NULL, is_starting, NULL, REF, "", "mains" },
	{ "test.battery.stop", NULL, is_testing, NULL, OK, "2023=1", "ended" },
	{ "test.battery.stop", NULL, NULL, NULL, REF, "", "no battery test" },

	{ "bypass.start", NULL, NULL, NULL, OK, "1045=1 1030=1", "bypass" },
	{ "bypass.start", NULL, option_set, NULL, OK, "1030=1", "bypass" },
	{ "bypass.start", NULL, in_eco, NULL, OK, "1045=1 1030=1", "bypass" },
	{ "bypass.start", NULL, in_bypass, NULL, OK, "", "already" },
	{ "bypass.start", NULL, bypass_bad, NULL, REF, "", "bypass input" },
	{ "bypass.start", NULL, bypass_gone_quietly, NULL, REF, "", "bypass input" },
	{ "bypass.start", NULL, on_battery, NULL, REF, "", "mains" },
	{ "bypass.start", NULL, is_off, NULL, REF, "", "mains" },
	{ "bypass.start", NULL, is_pending, NULL, REF, "", "shutdown.stop" },
	{ "bypass.start", NULL, journal_fails, NULL, REF, "", "state directory" },
	{ "bypass.start", NULL, journal_silent, NULL, REF, "", "state directory" },
	{ "bypass.start", NULL, bypass_drops, NULL, FAIL, "1030=1 1029=1", "switched on again" },
	{ "bypass.stop", NULL, in_bypass, NULL, OK, "1029=1", "inverter" },
	{ "bypass.stop", NULL, bypass_start_fails, NULL, FAIL, "1029=1", "stays on bypass" },
	{ "bypass.stop", NULL, NULL, NULL, OK, "", "not on bypass" },
	{ "bypass.stop", NULL, is_off, NULL, REF, "", "load.on" },

	{ "load.on", NULL, is_off, NULL, OK, "1029=1", "on" },
	{ "load.on", NULL, NULL, NULL, OK, "", "already" },
	{ "load.on", NULL, in_bypass, NULL, REF, "", "bypass.stop" },
	{ "load.on", NULL, is_starting, NULL, REF, "", "starting" },
	{ "load.on", NULL, off_start_fails, NULL, FAIL, "1029=1", "14/1" },
	{ "load.on", NULL, off_failed_before, NULL, OK, "1029=1", "on" },
	{ "load.on", NULL, is_pending, NULL, REF, "", "shutdown.stop" },
	{ "load.off", NULL, NULL, NULL, OK, "1030=1", "off" },
	{ "load.off", NULL, option_set, NULL, OK, "1045=0 1030=1", "off" },
	{ "load.off", NULL, on_battery, NULL, OK, "1030=1", "off" },
	{ "load.off", NULL, is_off, NULL, OK, "", "already" },
	{ "load.off", NULL, is_off_option, NULL, OK, "", "already" },
	{ "load.off", NULL, in_bypass, NULL, REF, "", "bypass.stop" },
	{ "load.off", NULL, is_starting, NULL, REF, "", "starting" },
	{ "load.off", NULL, is_pending, NULL, OK, "1050=1 1030=1", "off" },

	{ "shutdown.return", NULL, NULL, NULL, OK, "1047=10,1", "off" },
	{ "shutdown.return", "30", NULL, NULL, OK, "1047=5,1", "off" },
	{ "shutdown.return", NULL, no_auto_start, NULL, OK, "1044=1 1047=10,1", "off" },
	{ "shutdown.return", NULL, option_set, NULL, OK, "1045=0 1047=10,1", "off" },
	{ "shutdown.return", NULL, on_battery, NULL, OK, "1047=10,1", "off" },
	{ "shutdown.return", NULL, is_off, NULL, REF, "", "off already" },
	{ "shutdown.return", NULL, in_bypass, NULL, REF, "", "bypass.stop" },
	{ "shutdown.return", NULL, is_starting, NULL, REF, "", "starting" },
	{ "shutdown.return", NULL, is_pending, NULL, REF, "", "shutdown.stop" },
	{ "shutdown.return", NULL, no_auto_journal_fails, NULL, OK, "1044=1 1047=10,1", "off" },
	{ "shutdown.return", NULL, no_auto_journal_silent, NULL, OK, "1044=1 1047=10,1", "off" },
	{ "shutdown.return", "soon", NULL, NULL, BAD, "", "whole number" },
	{ "shutdown.return", "", NULL, NULL, BAD, "", "whole number" },
	{ "shutdown.return", "-6", NULL, NULL, BAD, "", "whole number" },
	{ "shutdown.return", "99999999999999999999", NULL, NULL, BAD, "", "whole number" },
	{ "shutdown.return", "0", NULL, NULL, BAD, "", "out of range" },
	{ "shutdown.return", "5946", NULL, NULL, BAD, "", "out of range" },
	{ "shutdown.return", "31", NULL, NULL, BAD, "", "30 and 36" },
	{ "shutdown.return", "5939", NULL, NULL, BAD, "", "5934 and 5940" },
	{ "shutdown.default", NULL, NULL, NULL, OK, "1047=10,1", "off" },
	{ "shutdown.reboot", NULL, NULL, NULL, OK, "1047=1,1", "off" },
	{ "shutdown.reboot", "12", NULL, NULL, BAD, "", "no parameter" },
	{ "shutdown.reboot.graceful", NULL, NULL, NULL, OK, "1047=10,1", "off" },
	{ "shutdown.reboot.graceful", "120", NULL, NULL, OK, "1047=20,1", "off" },
	{ "shutdown.stayoff", NULL, NULL, NULL, OK, "1044=0 1049=10", "off" },
	{ "shutdown.stayoff", NULL, no_auto_start, NULL, OK, "1049=10", "off" },
	{ "shutdown.stayoff", "6", on_battery, NULL, OK, "1044=0 1049=1", "off" },
	{ "shutdown.stop", NULL, is_pending, NULL, OK, "1050=1", "cancelled" },
	{ "shutdown.stop", NULL, NULL, NULL, OK, "1050=1", "no switch-off" },
	{ "shutdown.stop", "1", NULL, NULL, BAD, "", "no parameter" },

	{ "eco.enable", NULL, NULL, NULL, UNK, "", "panel" },
	{ "experimental.ecomode.enable", NULL, NULL, NULL, UNK, "", "panel" },
	{ "driver.reload", NULL, NULL, NULL, UNK, "", "not a command" },
	{ "", NULL, NULL, NULL, UNK, "", "not a command" },

	{ "=ups.beeper.status", "disabled", NULL, NULL, OK, "1046=1", "disabled" },
	{ "=ups.beeper.status", "ENABLED", is_muted, NULL, OK, "1046=0", "enabled" },
	{ "=ups.beeper.status", "muted", NULL, NULL, BAD, "", "enabled or disabled" },
	{ "=ups.beeper.status", "disabled", is_pending, NULL, OK, "1046=1", "disabled" },
	{ "=ups.start.auto", "no", NULL, NULL, OK, "1044=0", "stays off" },
	{ "=ups.start.auto", "yes", no_auto_start, NULL, OK, "1044=1", "by itself" },
	{ "=ups.start.auto", "yes", NULL, NULL, OK, "", "by itself" },
	{ "=ups.start.auto", "maybe", NULL, NULL, BAD, "", "yes or no" },
	{ "=ups.start.auto", NULL, NULL, NULL, BAD, "", "yes or no" },
	{ "=ups.start.auto", "no", is_pending, NULL, REF, "", "shutdown.stop" },
	{ "=ups.delay.shutdown", "120", NULL, NULL, OK, "", "changed" },
	{ "=ups.delay.shutdown", "5", NULL, NULL, BAD, "", "out of range, 6 to 5940" },
	{ "=ups.delay.shutdown", "100", NULL, NULL, BAD, "", "96 and 102" },
	{ "=ups.delay.reboot", "6", NULL, NULL, OK, "", "changed" },
	{ "=ups.delay.start", "120", NULL, NULL, OK, "", "changed" },
	{ "=ups.delay.start", "90", NULL, NULL, BAD, "", "60 and 120" },
	{ "=ups.delay.start", "6000", NULL, NULL, BAD, "", "out of range, 60 to 5940" },
	{ "=ups.delay.start", "1e3", NULL, NULL, BAD, "", "whole number" },
	{ "=battery.charge", "50", NULL, NULL, UNK, "", "cannot be set" },

	/* the gate */
	{ "beeper.disable", NULL, is_stale, NULL, REF, "", "not fresh" },
	{ "shutdown.stop", NULL, is_stale, NULL, REF, "", "not fresh" },
	{ "shutdown.return", NULL, is_down, NULL, REF, "", "identified" },
	{ "beeper.disable", NULL, NULL, other_model, REF, "", "not a UPS2000" },
	{ "beeper.disable", NULL, NULL, basic_only, REF, "", "full description" },
	{ "beeper.disable", NULL, NULL, six_kva, REF, "", "rated power" },
	{ "beeper.disable", NULL, NULL, other_interface, REF, "", "P1.0-D1.0" },
	{ "beeper.disable", NULL, NULL, other_esn, REF, "", "serial number" },
	{ "beeper.disable", NULL, NULL, second_ups, REF, "", "numbers other than 1" },
	{ "beeper.disable", NULL, NULL, monitor_only, REF, "", "only monitored" },
	{ "=ups.start.auto", "no", NULL, other_esn, REF, "", "serial number" },
};

/* clang-format on */

static bool run_row(const struct row *row)
{
	static struct rig rig;
	struct sim_options device;
	struct rig_order *order;
	const char *writes;
	uint64_t before;
	bool good;

	sim_options_default(&device);
	rig_init_device(&rig, 1, &device);
	if (row->device)
		row->device(&device, &rig.config);
	sim_device_init(&rig.srv.dev, &device);
	rig_start(&rig, true);
	rig_run(&rig, 8);
	if (row->setup)
		row->setup(&rig);
	before = rig.n_writes;
	order = *row->command == '=' ? rig_set(&rig, row->command + 1, row->value)
				     : rig_command(&rig, row->command, row->value, 300);
	writes = writes_since(&rig, before);
	good = order->outcome == row->outcome && order->dones == 1 && order->error == row->error &&
	       strcmp(writes, row->writes) == 0 && strstr(order->text, row->text);
	if (!good)
		print_error("row %d: %s %s\n   is: %s (%d), wrote \"%s\": %s\n   should: %s (%d), "
			    "writes \"%s\": ...%s...\n",
			    (int)(row - table), row->command, row->value ? row->value : "",
			    u2k_outcome_text(order->outcome), order->error, writes, order->text,
			    u2k_outcome_text(row->outcome), row->error, row->writes, row->text);
	rig_close(&rig);
	return good;
}

static void test_rows(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		bad += !run_row(&table[i]);
	assert_int_equal(bad, 0);
}

/* --- one after the other ---------------------------------------------------------------------------- */

static void tell(struct rig *rig, const char *text, void *user)
{
	(void)user;
	printf("%10.3f %s\n", (double)rig->now_us / 1e6, text);
}

/* With TRACE=1 in the environment all that happens is printed. */
static struct rig *rig_new(void)
{
	static struct rig rig;

	rig_init(&rig, 1);
	rig.trace = getenv("TRACE") ? tell : NULL;
	assert_true(rig_settle(&rig));
	rig_run(&rig, 3);
	return &rig;
}

#define assert_outcome(order, expected)                                                            \
	do {                                                                                       \
		if ((order)->outcome != (expected))                                                \
			print_error("%s: %s: %s\n", (order)->name,                                 \
				    u2k_outcome_text((order)->outcome), (order)->text);            \
		assert_int_equal((order)->outcome, (expected));                                    \
		assert_int_equal((order)->dones, (expected) != U2K_PENDING);                       \
	} while (0)

static void test_two_at_once(void **state)
{
	struct rig *rig = rig_new();
	struct rig_order *first = rig_order(rig, false, "shutdown.return", "60");
	struct rig_order *second = rig_order(rig, false, "shutdown.return", "60");
	struct rig_order *third = rig_order(rig, true, "ups.start.auto", "no");
	struct rig_order *beeper = rig_order(rig, false, "beeper.disable", NULL);

	(void)state;
	rig_run(rig, 30);
	assert_outcome(first, U2K_PENDING);
	assert_outcome(second, U2K_REFUSED);
	assert_outcome(third, U2K_REFUSED);
	assert_outcome(beeper, U2K_VERIFIED);
	assert_string_equal(writes_since(rig, 0), "1047=10,1 1046=1");
	rig_run(rig, 60);
	assert_outcome(first, U2K_VERIFIED);
	rig_close(rig);
}

static void test_queue_is_full(void **state)
{
	struct rig *rig = rig_new();
	struct rig_order *orders[14], *stop;

	(void)state;
	for (size_t i = 0; i < 14; i++)
		orders[i] = rig_order(rig, false, "beeper.toggle", NULL);
	stop = rig_order(rig, false, "shutdown.stop", NULL);
	rig_run(rig, 60);
	for (size_t i = 0; i < 14; i++) /* one runs, eight wait */
		assert_outcome(orders[i], i < 9 ? U2K_VERIFIED : U2K_REFUSED);
	assert_outcome(stop, U2K_VERIFIED);
	assert_int_equal(rig_peek(rig, 1046), 1);
	rig_close(rig);
}

static void test_stop_while_arming(void **state)
{
	(void)state;
	for (int ms = 0; ms < 1500; ms += 25) {
		struct rig *rig = rig_new();
		struct rig_order *off, *stop;

		rig->srv.dev.autostart = 0;
		rig_run(rig, 3);
		off = rig_order(rig, false, "shutdown.return", "30");
		rig_run(rig, ms / 1000.0);
		stop = rig_order(rig, false, "shutdown.stop", NULL);
		rig_run(rig, 120);
		assert_outcome(stop, U2K_VERIFIED);
		assert_true(off->outcome == U2K_FAILED || off->outcome == U2K_REFUSED);
		assert_non_null(strstr(off->text, "cancelled"));
		assert_int_equal(rig->srv.dev.output_offs, 0);
		assert_int_equal(rig_peek(rig, 1044), 0); /* given back */
		rig_close(rig);
	}
}

static void test_load_off_while_armed(void **state)
{
	struct rig *rig = rig_new();
	struct rig_order *armed = rig_order(rig, false, "shutdown.return", "60");
	struct rig_order *off;

	(void)state;
	rig_run(rig, 5);
	off = rig_command(rig, "load.off", NULL, 60);
	assert_outcome(off, U2K_VERIFIED);
	rig_run(rig, 300);
	assert_outcome(armed, U2K_FAILED);
	assert_non_null(strstr(armed->text, "cancelled by load.off"));
	assert_int_equal(rig->srv.dev.output_offs, 1);
	assert_int_equal(rig->srv.dev.output_ons, 0); /* nothing comes on later */
	rig_close(rig);
}

/* A stop that only time can tell keeps nobody waiting; a load.off least of all. */
static void test_stop_that_is_ignored(void **state)
{
	struct rig *rig = rig_new();
	struct rig_order *armed = rig_order(rig, false, "shutdown.return", "600"), *stop, *beeper;

	(void)state;
	rig_run(rig, 5);
	dialect(rig, "no-cancel");
	stop = rig_order(rig, false, "shutdown.stop", NULL);
	rig_run(rig, 40);
	beeper = rig_command(rig, "beeper.disable", NULL, 20);
	assert_outcome(beeper, U2K_VERIFIED);
	assert_outcome(stop, U2K_PENDING);
	assert_outcome(armed, U2K_PENDING);
	rig_run(rig, 600);
	assert_outcome(stop, U2K_FAILED);
	assert_outcome(armed, U2K_VERIFIED);
	rig_close(rig);
}

/* Off before its time, and on again: the timer must not fire then. */
static void test_off_before_its_time(void **state)
{
	struct rig *rig = rig_new();
	struct rig_order *armed = rig_order(rig, false, "shutdown.return", "120");

	(void)state;
	rig_run(rig, 5);
	sim_device_panel_off(&rig->srv.dev);
	rig_run(rig, 2);
	assert_outcome(armed, U2K_VERIFIED);
	sim_device_panel_on(&rig->srv.dev);
	rig_run(rig, 300);
	assert_int_equal(rig->srv.dev.output_offs, 1);
	assert_int_equal(rig_peek(rig, 1024), 2);
	rig_close(rig);
}

/* Mains out, no pair: 1049 at the time that was asked for, unless the mains come back before. */
static void test_last_stage(void **state)
{
	static const struct {
		double back_s; /* after the order; 0 = only after the output went off */
		enum u2k_outcome outcome;
		uint32_t offs;
		const char *writes;
	} cases[] = {
		{ 0, U2K_VERIFIED, 1, "1049=1" },
		{ 30, U2K_FAILED, 0, "" },
		{ 58, U2K_FAILED, 0, "1049=1 1050=1" },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct rig *rig = rig_new();
		struct rig_order *order;
		char writes[200];

		dialect(rig, "pair-refused");
		set_mains(rig, false);
		rig_run(rig, 3);
		order = rig_order(rig, false, "shutdown.return", "60");
		rig_run(rig, cases[i].back_s ? cases[i].back_s : 80);
		set_mains(rig, true);
		rig_run(rig, 200);
		assert_outcome(order, cases[i].outcome);
		assert_int_equal(rig->srv.dev.output_offs, cases[i].offs);
		assert_int_equal(rig_peek(rig, 1024), 2);
		snprintf(writes, sizeof(writes), "1047=10,1 1047=10%s%s",
			 *cases[i].writes ? " " : "", cases[i].writes);
		assert_string_equal(writes_since(rig, 0), writes);
		rig_close(rig);
	}
}

/* The reference's power races: off after the delay in any case, on again by itself. */
static void test_power_races(void **state)
{
	static const struct {
		double out_s, back_s; /* mains out and back, after the order; 0 = never */
		uint16_t auto_start;
		const char *command;
		bool on_at_the_end;
	} rows[] = {
		{ 0, 0, 1, "shutdown.return", true },	/* never lost */
		{ 1, 40, 1, "shutdown.return", true },	/* back before the output goes off */
		{ 1, 90, 1, "shutdown.return", true },	/* back before it is to come on */
		{ 1, 300, 1, "shutdown.return", true }, /* absent at the end */
		{ 1, 300, 0, "shutdown.return", true }, /* 1044 is borrowed */
		{ 1, 300, 1, "shutdown.stayoff", false }, { 0, 0, 1, "shutdown.stayoff", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *rig = rig_new();
		struct rig_order *order;
		int64_t start;

		rig->srv.dev.autostart = rows[i].auto_start;
		rig_run(rig, 3);
		start = rig->now_us;
		order = rig_order(rig, false, rows[i].command, NULL);
		if (rows[i].out_s > 0) {
			rig_run_until(rig, start + (int64_t)(rows[i].out_s * 1e6));
			set_mains(rig, false);
			rig_run_until(rig, start + (int64_t)(rows[i].back_s * 1e6));
			set_mains(rig, true);
		}
		rig_run_until(rig, start + 600 * U2K_SEC);
		assert_outcome(order, U2K_VERIFIED);
		assert_int_equal(rig->srv.dev.output_offs, 1);
		assert_int_equal(rig_peek(rig, 1024) == 2, rows[i].on_at_the_end);
		if (rows[i].on_at_the_end)
			assert_int_equal(rig_peek(rig, 1044), rows[i].auto_start);
		rig_close(rig);
	}
}

/* --- what survives ------------------------------------------------------------------------------------- */

/* The daemon dies at every moment of a return: the debt is paid, and only when it may be. */
static void test_killed_while_switching_off(void **state)
{
	(void)state;
	for (int when = 0; when < 60; when++) {
		struct rig *rig = rig_new();
		bool same_boot = when % 2;

		rig->srv.dev.autostart = 0;
		rig_run(rig, 3);
		rig_order(rig, false, "shutdown.return", "12");
		rig_run(rig, when < 30 ? when * 0.03 : when - 29);
		rig_kill(rig);
		rig_run(rig, 4);
		rig_start(rig, same_boot);
		rig_run(rig, 300);
		if (rig->srv.dev.output_offs) /* it must have come back */
			assert_int_equal(rig->srv.dev.output_ons, 1);
		assert_int_equal(rig_peek(rig, 1024), 2);
		assert_int_equal(rig_peek(rig, 1044), 0);
		assert_false(engine_journal(session_engine(rig->session))->owed_auto_start);
		assert_false(engine_journal(session_engine(rig->session))->pending);
		rig_close(rig);
	}
}

/* After a boot nothing goes on, and what still counts is cancelled. */
static void test_another_boot(void **state)
{
	static const char *const units[] = { "id-open", "gaps-refused", "fc10-refused",
					     "old-value-ms" };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct rig *rig = rig_new();
		uint64_t before;

		dialect(rig, units[i]);
		rig_order(rig, false, "shutdown.return", "600");
		rig_run(rig, 15);
		rig_kill(rig);
		rig_run(rig, 60);
		before = rig->n_writes;
		rig_start(rig, false);
		rig_run(rig, 1500);
		assert_string_equal(writes_since(rig, before), "1050=1");
		assert_int_equal(rig->srv.dev.output_offs, 0);
		rig_close(rig);
	}
}

/* The same daemon again: it watches on, and nothing is told twice. */
static void test_same_boot(void **state)
{
	struct rig *rig = rig_new();
	uint64_t before;
	int64_t due_in_s;

	(void)state;
	rig_order(rig, false, "shutdown.return", "600");
	rig_run(rig, 10);
	rig_kill(rig);
	rig_run(rig, 60);
	before = rig->n_writes;
	rig_start(rig, true);
	rig_run(rig, 10);
	assert_true(engine_pending(session_engine(rig->session), rig->now_us, &due_in_s));
	assert_in_range(due_in_s, 515, 525);
	rig_run(rig, 540);
	assert_int_equal(rig->srv.dev.output_offs, 1);
	assert_string_equal(writes_since(rig, before), "");
	rig_close(rig);
}

/* What a user sets while it is owed stays. */
static void test_set_while_owed(void **state)
{
	struct rig *rig = rig_new();
	struct rig_order *order;

	(void)state;
	rig->srv.dev.autostart = 0;
	rig_run(rig, 3);
	order = rig_command(rig, "shutdown.return", "12", 40);
	assert_outcome(order, U2K_VERIFIED);
	assert_true(engine_journal(session_engine(rig->session))->owed_auto_start);
	order = rig_set(rig, "ups.start.auto", "yes");
	assert_outcome(order, U2K_VERIFIED);
	assert_false(engine_journal(session_engine(rig->session))->owed_auto_start);
	rig_run(rig, 300);
	assert_int_equal(rig_peek(rig, 1024), 2);
	assert_int_equal(rig_peek(rig, 1044), 1);
	rig_close(rig);
}

/* 1045 is never cleared on bypass; it is after bypass.stop. */
static void test_bypass_and_back(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_outcome(rig_command(rig, "bypass.start", NULL, 60), U2K_VERIFIED);
	rig_run(rig, 300);
	assert_int_equal(rig_peek(rig, 1045), 1);
	assert_int_equal(rig_peek(rig, 1024), 1);
	assert_outcome(rig_command(rig, "bypass.stop", NULL, 60), U2K_VERIFIED);
	rig_run(rig, 30);
	assert_int_equal(rig_peek(rig, 1045), 0);
	assert_int_equal(rig->srv.dev.output_offs, 0);
	rig_close(rig);
}

/* --- the line -------------------------------------------------------------------------------------------- */

/* Contact is lost while an order is under way: it goes on only after the serial number came again. */
static void test_link_drops(void **state)
{
	(void)state;
	for (int ms = 0; ms < 1200; ms += 20) {
		struct rig *rig = rig_new();
		struct rig_order *order = rig_order(rig, false, "shutdown.return", "30");

		rig_run(rig, ms / 1000.0);
		rig_link(rig, false);
		rig_run(rig, 2);
		rig_link(rig, true);
		rig_run(rig, 120);
		assert_outcome(order, U2K_VERIFIED);
		rig_close(rig);
	}
}

/* The cable now leads to another unit: nothing is written to it, whatever was under way. */
static void test_another_unit(void **state)
{
	(void)state;
	for (int ms = 0; ms < 1200; ms += 40) {
		struct rig *rig = rig_new();
		struct rig_order *order = rig_order(rig, false, "shutdown.return", "30");
		uint64_t before;

		rig_run(rig, ms / 1000.0);
		if (ms % 80)
			rig_link(rig, false);
		else
			give_faults(rig, "mute always");
		rig_run(rig, 12);
		before = rig->n_writes;
		sim_device_init(&rig->srv.dev, &rig->srv.dev.opt);
		strcpy(rig->srv.dev.opt.esn, "21022900000000000099");
		give_faults(rig, "off");
		rig_link(rig, true);
		rig_run(rig, 300);
		assert_true(order->outcome == U2K_FAILED || order->outcome == U2K_REFUSED);
		assert_int_equal(order->dones, 1);
		assert_string_equal(writes_since(rig, before), "");
		rig_close(rig);
	}
}

/* One lost write or answer at a time, everywhere: done all the same. */
static void test_lost_frames(void **state)
{
	static const char *const commands[] = {
		"beeper.disable",  "test.battery.start.quick", "bypass.start",	  "load.off",
		"shutdown.return", "shutdown.stayoff",	       "shutdown.reboot",
	};
	static const char *const faults[] = {
		"lose-request once fc=6",
		"lose-reply once fc=6",
		"lose-request once fc=16",
		"lose-reply once fc=16",
		"late once fc=6 min=1500 max=1500",
		"late once fc=16 min=1500 max=1500",
		"lose-reply x2",
		"corrupt x3",
		"exception once fc=6 code=5",
		"duplicate x5",
		"slow always min=700 max=700",
	};

	(void)state;
	for (size_t c = 0; c < sizeof(commands) / sizeof(commands[0]); c++) {
		for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
			struct rig *rig = rig_new();
			struct rig_order *order;

			if (strstr(faults[f], "slow")) {
				give_faults(rig, faults[f]);
				rig_run(rig, 30);
			}
			give_faults(rig, faults[f]);
			order = rig_command(rig, commands[c], NULL, 300);
			if (order->outcome != U2K_VERIFIED)
				print_error("%s with %s\n", commands[c], faults[f]);
			assert_outcome(order, U2K_VERIFIED);
			rig_close(rig);
		}
	}
}

/* A unit that refused everything for a while, fell silent and came back is found again. */
static void test_comes_back(void **state)
{
	static const char *const before[] = { "exception always code=4", "exception always code=2",
					      "noise always", "corrupt always" };

	(void)state;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		struct rig *rig = rig_new();

		give_faults(rig, before[i]);
		rig_run(rig, 60);
		give_faults(rig, "mute always");
		rig_run(rig, 60);
		assert_false(rig->stuck);
		give_faults(rig, "off");
		rig_run(rig, 5);
		assert_true(rig->now_us - rig_snap(rig)->status_at_us < 2 * U2K_SEC);
		assert_true(rig_settle(rig));
		rig_close(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_queue_is_full),
		cmocka_unit_test(test_stop_while_arming),
		cmocka_unit_test(test_load_off_while_armed),
		cmocka_unit_test(test_stop_that_is_ignored),
		cmocka_unit_test(test_off_before_its_time),
		cmocka_unit_test(test_last_stage),
		cmocka_unit_test(test_power_races),
		cmocka_unit_test(test_killed_while_switching_off),
		cmocka_unit_test(test_another_boot),
		cmocka_unit_test(test_same_boot),
		cmocka_unit_test(test_set_while_owed),
		cmocka_unit_test(test_bypass_and_back),
		cmocka_unit_test(test_link_drops),
		cmocka_unit_test(test_another_unit),
		cmocka_unit_test(test_lost_frames),
		cmocka_unit_test(test_comes_back),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
