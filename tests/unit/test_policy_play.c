/* An outage on the virtual clock: its course, by the rules of docs/shutdown.md. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/play.h"

#include <ups2000/error.h>

static struct policy_ups_config ups[2];
static struct policy_command commands[1];
static struct policy_stage stages[1];
static struct policy_wake wake[1];
static struct policy_config config;
static struct play_options options;
static struct play_result result;
static char seen[200][32];
static unsigned n_seen;

static void note(void *user, const struct play_line *line)
{
	(void)user;
	assert_non_null(line->text);
	if (n_seen < 200)
		strncpy(seen[n_seen++], line->event, sizeof(seen[0]) - 1);
}

static int begin(void **state)
{
	(void)state;
	memset(ups, 0, sizeof(ups));
	memset(seen, 0, sizeof(seen));
	n_seen = 0;
	policy_config_default(&config);
	for (int i = 0; i < 2; i++) {
		ups[i].name = i ? "desk" : "rack";
		ups[i].supplies = 1;
		policy_conditions_default(&ups[i].when);
	}
	config.ups = ups;
	config.n_ups = 1;
	config.stages = stages;
	config.wake = wake;
	play_options_default(&options);
	return 0;
}

static void play(void)
{
	assert_int_equal(policy_play(&config, &options, note, NULL, &result), 0);
}

static unsigned count(const char *event)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_seen; i++)
		n += !strcmp(seen[i], event);
	return n;
}

#define near(value, expected, slack) assert_true(fabs((value) - (expected)) <= (slack))

/* 20 minutes of battery, "low" at 20 %: FSD at 16 minutes. */
static void an_hour(void **state)
{
	(void)state;
	play();
	assert_int_equal(result.end, PLAY_DOWN);
	near(result.fsd_s, 960, 15);
	near(result.host_s, result.fsd_s + 5, 3); /* nobody to wait for: the final delay */
	near(result.halted_s, result.host_s + 120, 2);
	near(result.off_s, result.halted_s + 6, 2);
	near(result.on_s, 3610, 3);
	near(result.back_s, 3670, 3);
	near(result.left_percent, 100 * (1200 - result.halted_s) / 1200, 1);
}

static void short_outage(void **state)
{
	(void)state;
	options.outage_s = 300;
	play();
	assert_int_equal(result.end, PLAY_NOTHING);
	assert_true(isnan(result.fsd_s));
	assert_int_equal(count("mains-on"), 1);
}

static void called_off(void **state)
{
	(void)state;
	ups[0].when = (struct policy_conditions){ .on_battery_s = 300 };
	options.outage_s = 295;
	play();
	assert_int_equal(result.end, PLAY_CALLED_OFF);
	assert_int_equal(count("shutdown-cancelled"), 1);
}

static void finished_after_the_point(void **state)
{
	(void)state;
	ups[0].when = (struct policy_conditions){ .on_battery_s = 300 };
	options.outage_s = 302;
	play();
	assert_int_equal(result.end, PLAY_DOWN);
	assert_false(isnan(result.off_s));
	assert_false(isnan(result.on_s));
	assert_false(isnan(result.back_s));
}

static void too_late(void **state)
{
	(void)state;
	config.host_shutdown_time_s = 600; /* longer than "low" lasts */
	play();
	assert_int_equal(result.end, PLAY_CUT);
	assert_true(isnan(result.halted_s));
	assert_int_equal(count("host-cut"), 1);
}

static void secondaries_and_commands(void **state)
{
	(void)state;
	commands[0] = (struct policy_command){ "stop-vms", 30 };
	stages[0] = (struct policy_stage){ "vms", true, commands, 1 };
	config.n_stages = 1;
	options.secondaries = 3;
	options.leave_s = 12;
	play();
	near(result.host_s, result.fsd_s + 12 + 30 + 5, 4);
	assert_int_equal(count("secondaries"), 1);
	options.leave_s = (double)INFINITY;
	play();
	near(result.host_s, result.fsd_s + 60 + 30 + 5, 4);
}

static void more_load(void **state)
{
	(void)state;
	options.load_percent = 200;
	play();
	/* "runtime below 180 s" comes before "low" then, 10 s of warning after it */
	near(result.fsd_s, 1200 / pow(2, 1.2) - 180 + 10, 15);
}

static void one_of_two(void **state)
{
	(void)state;
	config.n_ups = 2;
	options.ups = 1;
	play();
	assert_int_equal(result.end, PLAY_NOTHING);
	config.minimum_supplies = 2;
	play();
	assert_int_equal(result.end, PLAY_DOWN);
}

static void without_a_host(void **state)
{
	(void)state;
	wake[0] = (struct policy_wake){ "nas", -1, 0, 0, 30, 3, false };
	config.n_wake = 1;
	config.host = POLICY_HOST_NONE;
	play();
	assert_int_equal(result.end, PLAY_DOWN);
	assert_true(isnan(result.host_s));
	assert_int_equal(count("switch-off"), 1);
	assert_int_equal(count("wake"), 2); /* woken, and seen up */
	assert_true(result.fsd_cleared);
}

static void mains_stay_away(void **state)
{
	(void)state;
	options.outage_s = (double)INFINITY;
	play();
	assert_int_equal(result.end, PLAY_DOWN);
	assert_true(isnan(result.on_s));
}

static void out_of_range(void **state)
{
	(void)state;
	options.charge_percent = 0;
	assert_int_equal(policy_play(&config, &options, note, NULL, &result), U2K_EINVAL);
	begin(NULL);
	options.ups = 1;
	assert_int_equal(policy_play(&config, &options, note, NULL, &result), U2K_EINVAL);
	begin(NULL);
	options.outage_s = (double)NAN;
	assert_int_equal(policy_play(&config, &options, note, NULL, &result), U2K_EINVAL);
}

#define row(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		row(an_hour),	     row(short_outage),
		row(called_off),     row(finished_after_the_point),
		row(too_late),	     row(secondaries_and_commands),
		row(more_load),	     row(one_of_two),
		row(without_a_host), row(mains_stay_away),
		row(out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
