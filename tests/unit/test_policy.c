/* The state machine, step by step; the rules are sections 4 to 6 of docs/control.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy_bench.h"

#include <ups2000/error.h>

static struct bench b;
static const struct policy_who admin = { "admin", "unix", "maintenance" };

static int begin(void **state)
{
	(void)state;
	bench_init(&b);
	return 0;
}

static int end(void **state)
{
	(void)state;
	bench_end(&b);
	return 0;
}

static void start(void)
{
	bench_start(&b, false);
	bench_run(&b, 30);
}

static void assert_state(enum policy_state state)
{
	assert_string_equal(policy_state_name(bench_state(&b)), policy_state_name(state));
}

/* --- conditions ------------------------------------------------------------------------------------ */

static void nothing_without_a_section(void **state)
{
	(void)state;
	b.config.enabled = false;
	start();
	bench_set(&b, 0, U2K_QTY_BATTERY_CHARGE, 1);
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	bench_run(&b, 3600);
	policy_fsd(b.policy, 0, &admin, b.now_us);
	bench_run(&b, 3600);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 0);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	assert_int_equal(bench_count(&b, POLICY_SWITCH_OFF), 0);
	assert_int_equal(bench_count(&b, POLICY_VERIFY_START), 0);
}

static void nothing_on_mains(void **state)
{
	(void)state;
	start();
	bench_set(&b, 0, U2K_QTY_BATTERY_CHARGE, 1);
	bench_set(&b, 0, U2K_QTY_BATTERY_RUNTIME, 0);
	bench_flags(&b, 0, U2K_OL | U2K_LB);
	bench_run(&b, 3600);
	assert_state(POLICY_NORMAL);
	assert_int_equal(b.n_done, 0);
}

static void on_battery_for(double condition_s)
{
	b.ups_config[0].when = (struct policy_conditions){ .on_battery_s = (unsigned)condition_s };
	start();
	bench_flags(&b, 0, U2K_OB);
}

static void on_battery_too_long(void **state)
{
	(void)state;
	on_battery_for(300);
	bench_run(&b, 289);
	assert_state(POLICY_ON_BATTERY);
	bench_run(&b, 2); /* warned of 10 s before */
	assert_state(POLICY_WARNING);
	bench_run(&b, 8);
	assert_state(POLICY_WARNING);
	bench_run(&b, 2);
	assert_true(bench_state(&b) >= POLICY_ANNOUNCED);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

static void mains_back_in_time(void **state)
{
	(void)state;
	on_battery_for(300);
	bench_run(&b, 295);
	assert_state(POLICY_WARNING);
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 100);
	assert_state(POLICY_NORMAL);
	assert_int_equal(bench_events(&b, "shutdown-cancelled"), 1);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 0);
}

static void flicker_is_one_outage(void **state)
{
	(void)state;
	on_battery_for(300);
	for (int i = 0; i < 72; i++) { /* 3 s on battery, 1 s of mains */
		bench_run(&b, 3);
		bench_flags(&b, 0, U2K_OL);
		bench_run(&b, 1);
		bench_flags(&b, 0, U2K_OB);
	}
	bench_run(&b, 14); /* 302 s in all */
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
	assert_int_equal(bench_events(&b, "shutdown-cancelled"), 0);
}

static void low_charge_is_warned_of(void **state)
{
	(void)state;
	start();
	bench_flags(&b, 0, U2K_OB);
	bench_run(&b, 100);
	bench_set(&b, 0, U2K_QTY_BATTERY_CHARGE, 20);
	bench_run(&b, 100);
	assert_state(POLICY_ON_BATTERY);
	bench_set(&b, 0, U2K_QTY_BATTERY_CHARGE, 19);
	bench_run(&b, 5);
	assert_state(POLICY_WARNING);
	bench_run(&b, 6);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

static void low_battery_at_once(void **state)
{
	(void)state;
	start();
	bench_flags(&b, 0, U2K_OB);
	bench_run(&b, 1);
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

static void runtime_is_smoothed(void **state)
{
	(void)state;
	b.ups_config[0].when = (struct policy_conditions){ .runtime_s = 180 };
	start();
	bench_flags(&b, 0, U2K_OB);
	bench_run(&b, 60);
	bench_set(&b, 0, U2K_QTY_BATTERY_RUNTIME, 0); /* one strange reading */
	bench_run(&b, 1);
	bench_set(&b, 0, U2K_QTY_BATTERY_RUNTIME, 1800);
	bench_run(&b, 120);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	bench_set(&b, 0, U2K_QTY_BATTERY_RUNTIME, 100); /* it really falls */
	bench_run(&b, 50);
	assert_state(POLICY_WARNING);
	bench_set(&b, 0, U2K_QTY_BATTERY_RUNTIME, 900); /* and is not believed to grow */
	bench_run(&b, 20);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

static void strange_first_runtime(void **state)
{
	(void)state;
	b.ups_config[0].when = (struct policy_conditions){ .runtime_s = 180 };
	start();
	bench_set(&b, 0, U2K_QTY_BATTERY_RUNTIME, 0);
	bench_flags(&b, 0, U2K_OB);
	bench_set(&b, 0, U2K_QTY_BATTERY_RUNTIME, 1800);
	bench_run(&b, 300);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
}

static void silence(unsigned ups, bool silent)
{
	b.snap[ups].comm = silent ? U2K_COMM_SILENT : U2K_COMM_CLOSED; /* the bench's own sign */
	bench_tell(&b);
}

static void lost_on_mains_is_nothing(void **state)
{
	(void)state;
	start();
	silence(0, true);
	bench_run(&b, 7200);
	assert_state(POLICY_NORMAL);
}

static void lost_on_battery(void **state)
{
	(void)state;
	start();
	bench_flags(&b, 0, U2K_OB);
	bench_run(&b, 10);
	silence(0, true);
	bench_run(&b, 45);
	assert_state(POLICY_ON_BATTERY);
	bench_run(&b, 10);
	assert_state(POLICY_WARNING);
	bench_run(&b, 6);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

static void lost_for_a_moment(void **state)
{
	(void)state;
	start();
	bench_flags(&b, 0, U2K_OB);
	silence(0, true);
	bench_run(&b, 55);
	assert_state(POLICY_WARNING);
	silence(0, false);
	bench_run(&b, 2);
	assert_state(POLICY_ON_BATTERY);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
}

static void time_on_battery_unseen(void **state)
{
	(void)state; /* nobody knows whether the mains are back: only "lost" may decide */
	b.ups_config[0].when = (struct policy_conditions){ .on_battery_s = 100 };
	start();
	bench_flags(&b, 0, U2K_OB);
	bench_run(&b, 50);
	silence(0, true);
	bench_run(&b, 500);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
}

static void heat_needs_a_while(void **state)
{
	(void)state;
	b.ups_config[0].when = (struct policy_conditions){ .temperature_c = 45 };
	start();
	bench_set(&b, 0, U2K_QTY_TEMPERATURE, 60);
	bench_run(&b, 8);
	bench_set(&b, 0, U2K_QTY_TEMPERATURE, 45);
	bench_run(&b, 60);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	bench_set(&b, 0, U2K_QTY_TEMPERATURE, 46);
	bench_run(&b, 12);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

static void asleep(double seconds)
{
	b.now_us += (int64_t)(seconds * 1e6);
	policy_run(b.policy, b.now_us);
	bench_do(&b);
}

static void mains_back_while_asleep(void **state)
{
	(void)state;
	on_battery_for(300);
	bench_run(&b, 100);
	asleep(3600); /* what was seen before it is no reason any more */
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 60);
	assert_state(POLICY_NORMAL);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
}

static void still_on_battery_after_sleep(void **state)
{
	(void)state;
	on_battery_for(300);
	bench_run(&b, 100);
	asleep(3600);
	bench_run(&b, 2);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

static void silence_asleep_does_not_count(void **state)
{
	(void)state;
	start();
	bench_flags(&b, 0, U2K_OB);
	silence(0, true);
	bench_run(&b, 20);
	asleep(3600);
	bench_run(&b, 45); /* 60 s awake are asked for */
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	bench_run(&b, 20);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

/* --- more than one supply --------------------------------------------------------------------------- */

static void two_supplies(unsigned minimum)
{
	b.config.n_ups = 2;
	b.config.minimum_supplies = minimum;
	start();
}

static void one_of_two_fails(void **state)
{
	(void)state;
	two_supplies(1);
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	bench_run(&b, 3600);
	assert_state(POLICY_ON_BATTERY);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	bench_flags(&b, 1, U2K_OB | U2K_LB);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 2);
}

static void both_are_needed(void **state)
{
	(void)state;
	two_supplies(2);
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1); /* the other has its mains */
	bench_run(&b, 30);
	assert_int_equal(policy_hook_end(b.policy, 0), POLICY_END_RETURN);
	assert_int_equal(policy_hook_end(b.policy, 1), POLICY_END_NOTHING);
}

static void the_other_is_off(void **state)
{
	(void)state;
	two_supplies(1);
	bench_flags(&b, 1, U2K_OFF);
	bench_run(&b, 600);
	assert_state(POLICY_NORMAL); /* that alone is no reason */
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	assert_true(bench_count(&b, POLICY_FSD_SET) > 0);
}

/* --- the sequence ------------------------------------------------------------------------------------ */

static void low(void)
{
	start();
	bench_flags(&b, 0, U2K_OB | U2K_LB);
}

static size_t place(enum policy_do what)
{
	for (size_t i = 0; i < b.n_done; i++)
		if (b.done[i].what == what)
			return i;
	fail_msg("action %d is missing", (int)what);
	return 0;
}

static void add_stages(void)
{
	b.commands[0] = (struct policy_command){ "stop-a", 30 };
	b.commands[1] = (struct policy_command){ "stop-b", 60 };
	b.commands[2] = (struct policy_command){ "stop-c", 20 };
	b.stages[0] = (struct policy_stage){ "both", true, b.commands, 2 };
	b.stages[1] = (struct policy_stage){ "last", false, b.commands, 3 };
	b.config.n_stages = 2;
}

static void in_order(void **state)
{
	(void)state;
	add_stages();
	low();
	bench_run(&b, 20);
	assert_state(POLICY_HOST);
	assert_int_equal(bench_count(&b, POLICY_RUN), 5);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 1);
	assert_true(place(POLICY_FSD_SET) < place(POLICY_VERIFY_START));
	assert_true(place(POLICY_VERIFY_START) < place(POLICY_RUN));
	assert_true(place(POLICY_RUN) < place(POLICY_HOST_DOWN));
	assert_int_equal(bench_count(&b, POLICY_SWITCH_OFF), 0); /* the late hook's */
}

static void mains_back_too_late(void **state)
{
	(void)state;
	low();
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 20);
	assert_state(POLICY_HOST);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 1);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 0);
}

static void secondaries_are_waited_for(void **state)
{
	(void)state;
	start();
	policy_logins(b.policy, 0, 2, 2, b.now_us);
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	bench_run(&b, 50);
	assert_state(POLICY_ANNOUNCED);
	policy_logins(b.policy, 0, 0, 0, b.now_us);
	bench_run(&b, 1);
	assert_state(POLICY_FINAL_DELAY);
}

static void secondary_that_never_leaves(void **state)
{
	(void)state;
	start();
	policy_logins(b.policy, 0, 1, 1, b.now_us);
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	bench_run(&b, 59);
	assert_state(POLICY_ANNOUNCED);
	bench_run(&b, 2);
	assert_state(POLICY_FINAL_DELAY);
	assert_int_equal(bench_events(&b, "shutdown-secondaries"), 1);
}

static void own_login_is_no_secondary(void **state)
{
	(void)state;
	b.config.own_logins = 1;
	start();
	policy_logins(b.policy, 0, 1, 1, b.now_us);
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	bench_run(&b, 1);
	assert_state(POLICY_FINAL_DELAY);
}

static void commands_have_their_time(void **state)
{
	(void)state;
	add_stages();
	b.obedient = false;
	low();
	assert_int_equal(bench_count(&b, POLICY_RUN), 2); /* both at once */
	bench_run(&b, 31);
	assert_int_equal(bench_count(&b, POLICY_KILL), 1);
	policy_command_done(b.policy, 0, 1, false, "exit status 1", b.now_us);
	bench_do(&b);
	assert_int_equal(bench_count(&b, POLICY_RUN), 3); /* now one after the other */
	bench_run(&b, 31);
	assert_int_equal(bench_count(&b, POLICY_RUN), 4);
	policy_command_done(b.policy, 1, 0, true, NULL, b.now_us); /* too late to count */
	policy_command_done(b.policy, 1, 1, true, NULL, b.now_us);
	bench_do(&b);
	assert_int_equal(bench_count(&b, POLICY_RUN), 5);
	bench_run(&b, 21);
	assert_state(POLICY_FINAL_DELAY);
	assert_int_equal(bench_events(&b, "shutdown-command"), 4);
}

static void host_refuses(void **state)
{
	(void)state;
	b.obedient = false;
	low();
	bench_run(&b, 25); /* auto-start is waited for until 15 s */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), i + 1);
		policy_host_done(b.policy, false, "no such unit", b.now_us);
		bench_run(&b, 11);
	}
	bench_run(&b, 600);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 3);
	assert_int_equal(bench_events(&b, "shutdown-failed"), 3);
	bench_flags(&b, 0, U2K_OL); /* everything runs: it is over */
	bench_run(&b, 61);
	assert_state(POLICY_NORMAL);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 1);
	assert_int_equal(bench_count(&b, POLICY_HOST_RELEASE), 1);
}

static void host_hangs(void **state)
{
	(void)state;
	low();
	bench_run(&b, 150);
	assert_int_equal(bench_events(&b, "shutdown-failed"), 0);
	bench_run(&b, 60);
	assert_int_equal(bench_events(&b, "shutdown-failed"), 1);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 1);
}

static void start_is_tried_again(void **state)
{
	(void)state;
	b.obedient = false;
	low();
	policy_ups_done(b.policy, 0, POLICY_VERIFY_START, U2K_FAILED, "no answer", b.now_us);
	bench_run(&b, 5);
	assert_int_equal(bench_count(&b, POLICY_VERIFY_START), 2);
	policy_ups_done(b.policy, 0, POLICY_VERIFY_START, U2K_VERIFIED, NULL, b.now_us);
	bench_run(&b, 30);
	assert_int_equal(bench_count(&b, POLICY_VERIFY_START), 2);
	assert_int_equal(bench_events(&b, "shutdown-no-start"), 0);
}

static void start_never_seen(void **state)
{
	(void)state;
	b.obedient = false;
	low();
	bench_run(&b, 60);
	assert_state(POLICY_HOST);
	assert_int_equal(bench_events(&b, "shutdown-no-start"), 1);
}

/* --- without a host of its own ------------------------------------------------------------------------ */

static void no_host(void)
{
	b.config.host = POLICY_HOST_NONE;
	low();
	bench_run(&b, 10);
}

static void ups_is_switched_off(void **state)
{
	(void)state;
	no_host();
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 0);
	assert_int_equal(bench_count(&b, POLICY_SWITCH_OFF), 1);
	assert_int_equal(b.done[place(POLICY_SWITCH_OFF)].delay_s, 120);
	bench_run(&b, 120);
	bench_flags(&b, 0, U2K_OFF);
	assert_state(POLICY_OFF);
	policy_ups_done(b.policy, 0, POLICY_SWITCH_OFF, U2K_VERIFIED, NULL, b.now_us);
	bench_run(&b, 3600);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 0); /* never by time alone */
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 6);
	assert_state(POLICY_NORMAL);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 1);
	assert_int_equal(bench_count(&b, POLICY_SWITCH_OFF), 1);
}

static void ups_cannot_be_switched_off(void **state)
{
	(void)state;
	no_host();
	policy_ups_done(b.policy, 0, POLICY_SWITCH_OFF, U2K_FAILED, "no stage works", b.now_us);
	bench_run(&b, 3600);
	assert_int_equal(bench_count(&b, POLICY_SWITCH_OFF), 1);
	assert_int_equal(bench_events(&b, "shutdown-failed"), 1);
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 61);
	assert_state(POLICY_NORMAL);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 1);
}

static void refused_is_tried_again(void **state)
{
	(void)state;
	no_host();
	policy_ups_done(b.policy, 0, POLICY_SWITCH_OFF, U2K_REFUSED, "status is not fresh",
			b.now_us);
	bench_run(&b, 11);
	assert_int_equal(bench_count(&b, POLICY_SWITCH_OFF), 2);
}

/* --- FSD ------------------------------------------------------------------------------------------------ */

static void fsd_only_latches(void **state)
{
	(void)state;
	start();
	policy_logins(b.policy, 0, 2, 2, b.now_us);
	policy_fsd(b.policy, 0, &admin, b.now_us);
	bench_run(&b, 600);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 0);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 0); /* who saw it is still there */
	policy_logins(b.policy, 0, 1, 0, b.now_us);		/* one left, one is new */
	bench_run(&b, 1);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 1);
	bench_run(&b, 1);
	assert_state(POLICY_NORMAL);
}

static void who_stays_does_not_keep_others_down(void **state)
{
	(void)state;
	b.config.n_ups = 2;
	b.config.host = POLICY_HOST_NONE;
	b.wake[0] = (struct policy_wake){ "nas", 1, 0, 0, 30, 3, false };
	b.wake[1] = (struct policy_wake){ "vm1", 0, 0, 0, 30, 3, false };
	b.config.n_wake = 2;
	start();
	policy_logins(b.policy, 0, 1, 1, b.now_us); /* it never leaves */
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	bench_flags(&b, 1, U2K_OB | U2K_LB);
	bench_run(&b, 80);
	for (unsigned i = 0; i < 2; i++)
		policy_ups_done(b.policy, i, POLICY_SWITCH_OFF, U2K_FAILED, "no", b.now_us);
	bench_flags(&b, 0, U2K_OL);
	bench_flags(&b, 1, U2K_OL);
	bench_run(&b, 70);
	assert_state(POLICY_COMING_BACK);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 1);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 1); /* the other would see FSD */
	assert_int_equal(b.done[place(POLICY_WAKE)].host, 0);
	policy_logins(b.policy, 0, 0, 0, b.now_us);
	bench_run(&b, 10);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 2);
	assert_true(bench_count(&b, POLICY_WAKE) > 1);
}

static void fsd_needs_a_minute_of_mains(void **state)
{
	(void)state;
	start();
	bench_flags(&b, 0, U2K_OB);
	policy_fsd(b.policy, 0, &admin, b.now_us);
	bench_run(&b, 300);
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 59);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 0);
	bench_run(&b, 2);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 1);
}

static void fsd_runs(void **state)
{
	(void)state;
	b.config.on_fsd = POLICY_FSD_RUN;
	start();
	policy_fsd(b.policy, 0, &admin, b.now_us);
	bench_run(&b, 20);
	assert_state(POLICY_HOST);
}

static void fsd_found_runs_nothing(void **state)
{
	(void)state;
	b.config.on_fsd = POLICY_FSD_RUN;
	start();
	policy_fsd_found(b.policy, 0, b.now_us);
	bench_run(&b, 20);
	assert_state(POLICY_COMING_BACK);
}

static void fsd_clear_by_hand(void **state)
{
	char text[POLICY_TEXT_MAX];

	(void)state;
	b.config.host = POLICY_HOST_NONE;
	low();
	assert_int_equal(policy_fsd_clear(b.policy, 0, &admin, b.now_us, text), U2K_EREFUSED);
	bench_run(&b, 10);
	assert_int_equal(policy_fsd_clear(b.policy, 0, &admin, b.now_us, text), U2K_EREFUSED);
	bench_run(&b, 130);
	bench_flags(&b, 0, U2K_OFF);
	assert_int_equal(policy_fsd_clear(b.policy, 0, &admin, b.now_us, text), 0);
	bench_do(&b);
	assert_int_equal(bench_count(&b, POLICY_FSD_CLEAR), 1);
	assert_int_equal(policy_fsd_clear(b.policy, 0, &admin, b.now_us, text), U2K_EREFUSED);
}

/* --- an operator ----------------------------------------------------------------------------------------- */

static void operator_asks(void **state)
{
	char text[POLICY_TEXT_MAX];

	(void)state;
	start();
	assert_int_equal(policy_operator(b.policy, &admin, b.now_us, text), 0);
	assert_int_equal(policy_operator(b.policy, &admin, b.now_us, text), U2K_EREFUSED);
	bench_run(&b, 5);
	assert_state(POLICY_WARNING);
	assert_int_equal(policy_operator_cancel(b.policy, &admin, b.now_us, text), 0);
	bench_run(&b, 60);
	assert_state(POLICY_NORMAL);
	assert_int_equal(policy_operator(b.policy, &admin, b.now_us, text), 0);
	bench_run(&b, 11);
	assert_int_equal(policy_operator_cancel(b.policy, &admin, b.now_us, text), U2K_EREFUSED);
	bench_run(&b, 20);
	assert_state(POLICY_HOST);
}

static void operator_without_a_section(void **state)
{
	char text[POLICY_TEXT_MAX];

	(void)state;
	b.config.enabled = false;
	start();
	assert_int_equal(policy_operator(b.policy, &admin, b.now_us, text), U2K_EREFUSED);
	assert_non_null(strstr(text, "shutdown section"));
}

/* --- restarts -------------------------------------------------------------------------------------------- */

static void restart(const char *boot, bool reload)
{
	if (reload)
		policy_record(b.policy, b.record, sizeof(b.record));
	bench_end(&b);
	b.boot = boot;
	bench_start(&b, reload);
}

static void restart_keeps_the_time(void **state)
{
	(void)state;
	on_battery_for(300);
	bench_run(&b, 200);
	restart("boot-1", false);
	bench_run(&b, 80);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	bench_run(&b, 25);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 1);
}

static void restart_runs_nothing_twice(void **state)
{
	(void)state;
	add_stages();
	b.obedient = false;
	low();
	assert_int_equal(bench_count(&b, POLICY_RUN), 2);
	restart("boot-1", false);
	bench_run(&b, 1);
	assert_int_equal(bench_count(&b, POLICY_RUN), 3);     /* the next stage's first */
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 2); /* latched again: the same FSD */
}

static void restart_waits_for_secondaries(void **state)
{
	(void)state;
	start();
	policy_logins(b.policy, 0, 1, 1, b.now_us);
	bench_flags(&b, 0, U2K_OB | U2K_LB);
	bench_run(&b, 3);
	restart("boot-1", false); /* nobody has come back to it yet */
	bench_run(&b, 10);
	assert_state(POLICY_ANNOUNCED);
	bench_run(&b, 6);
	assert_state(POLICY_FINAL_DELAY);
}

static void reload_goes_on(void **state)
{
	(void)state;
	add_stages();
	b.obedient = false;
	low();
	restart("boot-1", true);
	bench_run(&b, 1);
	assert_int_equal(bench_count(&b, POLICY_RUN), 2);
	policy_command_done(b.policy, 0, 0, true, NULL, b.now_us);
	policy_command_done(b.policy, 0, 1, true, NULL, b.now_us);
	bench_do(&b);
	assert_int_equal(bench_count(&b, POLICY_RUN), 3);
}

static void host_is_asked_for_the_same_sequence(void **state)
{
	char first[POLICY_ID_MAX];

	(void)state;
	b.obedient = false;
	low();
	bench_run(&b, 20);
	memcpy(first, b.done[place(POLICY_HOST_DOWN)].sequence, sizeof(first));
	assert_true(*first);
	b.n_done = 0;
	restart("boot-1", false);
	bench_run(&b, 1);
	assert_string_equal(b.done[place(POLICY_HOST_DOWN)].sequence, first);
}

static void another_boot_is_judged(void **state)
{
	(void)state;
	b.wake[0] = (struct policy_wake){ "nas", 0, 0, 10, 30, 2, false };
	b.config.n_wake = 1;
	low();
	bench_run(&b, 20);
	assert_state(POLICY_HOST);
	b.n_done = 0;
	b.now_us = 20 * S;
	bench_flags(&b, 0, U2K_OL);
	restart("boot-2", false);
	assert_int_equal(bench_events(&b, "shutdown-found"), 1);
	bench_run(&b, 14);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 0); /* 5 s of mains, then the stagger */
	bench_run(&b, 120);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 2);
	assert_int_equal(bench_events(&b, "wake-failed"), 1);
	assert_int_equal(bench_count(&b, POLICY_FSD_SET), 0);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 0);
	assert_int_equal(bench_count(&b, POLICY_SWITCH_OFF), 0);
	assert_state(POLICY_NORMAL);
}

static void heat_does_not_loop(void **state)
{
	(void)state;
	b.ups_config[0].when = (struct policy_conditions){ .temperature_c = 45 };
	start();
	bench_set(&b, 0, U2K_QTY_TEMPERATURE, 60);
	bench_run(&b, 30);
	assert_state(POLICY_HOST);
	b.now_us = 20 * S;
	b.n_done = 0;
	restart("boot-2", false); /* as hot as before */
	bench_run(&b, 3600);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 0);
	bench_set(&b, 0, U2K_QTY_TEMPERATURE, 30);
	bench_run(&b, 60);
	bench_set(&b, 0, U2K_QTY_TEMPERATURE, 60);
	bench_run(&b, 30);
	assert_int_equal(bench_count(&b, POLICY_HOST_DOWN), 1);
}

/* --- disk -------------------------------------------------------------------------------------------------- */

static void full_disk_stops_nothing(void **state)
{
	(void)state;
	add_stages();
	b.disk_full = true;
	low();
	bench_run(&b, 30);
	assert_state(POLICY_HOST);
	assert_int_equal(bench_events(&b, "shutdown-unsaved"), 1);
}

static void hanging_disk_stops_nothing(void **state)
{
	(void)state;
	add_stages();
	b.disk_hangs = true;
	low();
	bench_run(&b, 40);
	assert_state(POLICY_HOST);
	assert_int_equal(bench_count(&b, POLICY_RUN), 5);
}

/* --- waking ------------------------------------------------------------------------------------------------- */

static void woken_when_charged(void **state)
{
	(void)state;
	b.config.host = POLICY_HOST_NONE;
	b.wake[0] = (struct policy_wake){ "nas", -1, 40, 10, 30, 3, false };
	b.wake[1] = (struct policy_wake){ "vm1", -1, 0, 60, 30, 3, false };
	b.config.n_wake = 2;
	low();
	bench_run(&b, 130);
	bench_set(&b, 0, U2K_QTY_BATTERY_CHARGE, 10);
	bench_flags(&b, 0, U2K_OFF);
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 20);
	assert_state(POLICY_COMING_BACK);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 0);
	bench_run(&b, 46);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 1); /* the one that asks for no charge */
	assert_int_equal(b.done[place(POLICY_WAKE)].host, 1);
	policy_host_up(b.policy, 1, b.now_us);
	bench_flags(&b, 0, U2K_OB); /* the mains fail once more: not now */
	bench_set(&b, 0, U2K_QTY_BATTERY_CHARGE, 50);
	bench_run(&b, 60);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 1);
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 16);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 2);
	policy_host_up(b.policy, 0, b.now_us);
	bench_run(&b, 1);
	assert_state(POLICY_NORMAL);
	assert_int_equal(bench_events(&b, "wake"), 2);
}

static void unseen_is_no_alarm(void **state)
{
	(void)state;
	b.config.host = POLICY_HOST_NONE;
	b.wake[0] = (struct policy_wake){ "nas", -1, 0, 10, 30, 2, true };
	b.config.n_wake = 1;
	low();
	bench_run(&b, 130);
	bench_flags(&b, 0, U2K_OFF);
	bench_flags(&b, 0, U2K_OL);
	assert_false(policy_host_awaited(b.policy, 0));
	bench_run(&b, 20);
	assert_true(policy_host_awaited(b.policy, 0));
	bench_run(&b, 100);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 2);
	assert_int_equal(bench_events(&b, "wake-failed"), 0);
	assert_int_equal(bench_events(&b, "wake"), 1);
	assert_false(policy_host_awaited(b.policy, 0));
	assert_state(POLICY_NORMAL);
}

/* The last packet is out: a new daemon, or a flicker, must leave the host its time to boot. */
static void last_try_is_not_cut_short(void **state)
{
	(void)state;
	b.config.host = POLICY_HOST_NONE;
	b.wake[0] = (struct policy_wake){ "nas", -1, 0, 0, 60, 1, false };
	b.config.n_wake = 1;
	low();
	bench_run(&b, 130);
	bench_flags(&b, 0, U2K_OFF);
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 10);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 1);
	restart("boot-1", false);
	bench_run(&b, 20);
	bench_flags(&b, 0, U2K_OB);
	bench_run(&b, 2);
	bench_flags(&b, 0, U2K_OL);
	bench_run(&b, 50);
	assert_int_equal(bench_events(&b, "wake-failed"), 0);
	assert_true(policy_host_awaited(b.policy, 0));
	bench_run(&b, 20);
	assert_int_equal(bench_events(&b, "wake-failed"), 1);
	assert_int_equal(bench_count(&b, POLICY_WAKE), 1);
}

/* --- the view ------------------------------------------------------------------------------------------------ */

static void countdown(void **state)
{
	struct policy_view view;
	struct policy_ups_view ups;

	(void)state;
	add_stages();
	on_battery_for(300);
	bench_run(&b, 100);
	policy_look(b.policy, &view, b.now_us);
	assert_true(view.has_next);
	assert_int_equal(view.next, POLICY_WARNING);
	assert_int_equal((view.next_us - b.now_us) / S, 190);
	/* 200 s to FSD, 60 s for secondaries, 60 + 110 s of commands, 5 s */
	assert_int_equal((view.host_down_us - b.now_us) / S, 200 + 60 + 170 + 5);
	policy_look_ups(b.policy, 0, &ups, b.now_us);
	assert_true(ups.when[POLICY_COND_ON_BATTERY].used);
	assert_false(ups.when[POLICY_COND_ON_BATTERY].holds);
	assert_true(ups.when[POLICY_COND_ON_BATTERY].now >= 100);
	assert_true(ups.when[POLICY_COND_ON_BATTERY].limit >= 300);
	assert_false(ups.when[POLICY_COND_LOW_BATTERY].used);
}

#define row(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		row(nothing_without_a_section),
		row(nothing_on_mains),
		row(on_battery_too_long),
		row(mains_back_in_time),
		row(flicker_is_one_outage),
		row(low_charge_is_warned_of),
		row(low_battery_at_once),
		row(runtime_is_smoothed),
		row(strange_first_runtime),
		row(lost_on_mains_is_nothing),
		row(lost_on_battery),
		row(lost_for_a_moment),
		row(time_on_battery_unseen),
		row(heat_needs_a_while),
		row(mains_back_while_asleep),
		row(still_on_battery_after_sleep),
		row(silence_asleep_does_not_count),
		row(one_of_two_fails),
		row(both_are_needed),
		row(the_other_is_off),
		row(in_order),
		row(mains_back_too_late),
		row(secondaries_are_waited_for),
		row(secondary_that_never_leaves),
		row(own_login_is_no_secondary),
		row(commands_have_their_time),
		row(host_refuses),
		row(host_hangs),
		row(start_is_tried_again),
		row(start_never_seen),
		row(ups_is_switched_off),
		row(ups_cannot_be_switched_off),
		row(refused_is_tried_again),
		row(fsd_only_latches),
		row(who_stays_does_not_keep_others_down),
		row(fsd_needs_a_minute_of_mains),
		row(fsd_runs),
		row(fsd_found_runs_nothing),
		row(fsd_clear_by_hand),
		row(operator_asks),
		row(operator_without_a_section),
		row(restart_keeps_the_time),
		row(restart_runs_nothing_twice),
		row(restart_waits_for_secondaries),
		row(reload_goes_on),
		row(host_is_asked_for_the_same_sequence),
		row(another_boot_is_judged),
		row(heat_does_not_loop),
		row(full_disk_stops_nothing),
		row(hanging_disk_stops_nothing),
		row(woken_when_charged),
		row(unseen_is_no_alarm),
		row(last_try_is_not_cut_short),
		row(countdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
