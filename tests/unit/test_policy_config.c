#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "util/util.h"

#include <ups2000/error.h>

static struct policy_ups_config ups[2];
static struct policy_command commands[2];
static struct policy_stage stages[2];
static struct policy_wake wake[2];
static struct policy_config config;

/* Everything in it, and nothing wrong. */
static int whole(void **state)
{
	(void)state;
	memset(ups, 0, sizeof(ups));
	ups[0] = (struct policy_ups_config){ .name = "rack", .supplies = 1 };
	ups[1] = (struct policy_ups_config){ .name = "desk", .supplies = 1 };
	policy_conditions_default(&ups[0].when);
	commands[0] = (struct policy_command){ "stop-vms", 60 };
	commands[1] = (struct policy_command){ "stop-nas", 90 };
	stages[0] = (struct policy_stage){ "vms", true, commands, 2 };
	stages[1] = (struct policy_stage){ "nas", false, commands, 1 };
	wake[0] = (struct policy_wake){ "nas", -1, 20, 0, 30, 5, false };
	wake[1] = (struct policy_wake){ "vm1", 1, 0, 60, 30, 5, false };
	policy_config_default(&config);
	config.ups = ups;
	config.n_ups = 2;
	config.stages = stages;
	config.n_stages = 2;
	config.wake = wake;
	config.n_wake = 2;
	return 0;
}

static void good(void **state)
{
	char text[POLICY_TEXT_MAX];

	(void)state;
	assert_int_equal(policy_config_check(&config, text), 0);
	config.minimum_supplies = 2;
	assert_int_equal(policy_config_check(&config, text), 0);
	policy_config_default(&config);
	config.enabled = false; /* nothing configured: nothing to complain about */
	assert_int_equal(policy_config_check(&config, text), 0);
}

static void no_ups(void)
{
	config.n_ups = 0;
	config.n_wake = 0;
}

static void too_many_ups(void)
{
	config.n_ups = POLICY_UPS_MAX + 1;
}

static void too_few_supplies(void)
{
	config.minimum_supplies = 3;
}

static void no_supplies(void)
{
	config.minimum_supplies = 0;
}

static void same_ups(void)
{
	ups[1].name = "RACK";
}

static void blank_name(void)
{
	ups[1].name = "my desk";
}

static void charge_of_101(void)
{
	ups[1].when.charge_percent = 101;
}

static void charge_of_nan(void)
{
	ups[1].when.charge_percent = (double)NAN;
}

static void alarm_of_nothing(void)
{
	ups[1].when.alarms = 1u << U2K_ALARM_COUNT;
}

static void two_days(void)
{
	ups[0].when.on_battery_s = 172800;
}

static void early_without_time(void)
{
	config.early_arming = true;
	config.host_shutdown_time_s = 0;
}

static void off_too_late(void)
{
	config.host = POLICY_HOST_NONE;
	config.host_shutdown_time_s = 6000;
}

static void same_stage(void)
{
	stages[1].name = "vms";
}

static void endless_command(void)
{
	commands[1].timeout_s = 0;
}

static void wake_elsewhere(void)
{
	wake[1].ups = 2;
}

static void wake_never(void)
{
	wake[0].tries = 0;
}

static const struct {
	void (*spoil)(void);
	const char *says;
} bad_rows[] = {
	{ no_ups, "minimum-supplies is 1" },
	{ too_many_ups, "at most 64" },
	{ too_few_supplies, "no more than 2" },
	{ no_supplies, "1 at least" },
	{ same_ups, "RACK is named twice" },
	{ blank_name, "without blanks" },
	{ charge_of_101, "0 to 100 %" },
	{ charge_of_nan, "0 to 100 %" },
	{ alarm_of_nothing, "22 alarms" },
	{ two_days, "0 to 86400 s" },
	{ early_without_time, "host-shutdown-time" },
	{ off_too_late, "0 to 5940 s" },
	{ same_stage, "vms is named twice" },
	{ endless_command, "stop-nas" },
	{ wake_elsewhere, "not here" },
	{ wake_never, "tries" },
};

static void bad(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_rows); i++) {
		char text[POLICY_TEXT_MAX] = "";

		whole(state);
		bad_rows[i].spoil();
		assert_int_equal(policy_config_check(&config, text), U2K_EINVAL);
		if (!strstr(text, bad_rows[i].says))
			fail_msg("row %zu says: %s", i, text);
	}
}

static void names(void **state)
{
	(void)state;
	for (int i = 0; i < POLICY_STATES; i++) {
		assert_non_null(policy_state_name((enum policy_state)i));
		assert_non_null(policy_state_text((enum policy_state)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(policy_state_name((enum policy_state)i),
						policy_state_name((enum policy_state)k));
	}
	for (int i = 0; i < POLICY_CONDITIONS; i++) {
		assert_non_null(policy_condition_name((enum policy_condition)i));
		assert_non_null(policy_condition_unit((enum policy_condition)i));
	}
	assert_false(policy_state_forced(POLICY_WARNING));
	assert_true(policy_state_forced(POLICY_ANNOUNCED));
	assert_true(policy_state_forced(POLICY_SWITCHING_OFF));
	assert_false(policy_state_forced(POLICY_OFF));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good, whole),
		cmocka_unit_test_setup(bad, whole),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
