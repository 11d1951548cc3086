#include "nut/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "util/util.h"

struct seen {
	unsigned count[4]; /* by enum nut_change */
	char name[128], value[NUT_VALUE_MAX + 1];
};

static void see(enum nut_change change, const struct nut_var *var, void *user)
{
	struct seen *seen = user;

	seen->count[change]++;
	snprintf(seen->name, sizeof(seen->name), "%s", var ? var->name : "");
	snprintf(seen->value, sizeof(seen->value), "%s", var ? var->value : "");
}

static void test_values(void **state)
{
	struct nut_store *s = nut_store_new();
	struct seen seen = { { 0 }, "", "" };
	uint64_t version;

	(void)state;
	nut_store_watch(s, see, &seen);
	assert_true(nut_store_set(s, "ups.status", "OL"));
	assert_int_equal(seen.count[NUT_CHANGE_SET], 1);
	assert_string_equal(seen.name, "ups.status");
	version = nut_store_version(s);

	assert_false(nut_store_set(s, "ups.status", "OL"));
	assert_true(nut_store_version(s) == version);
	assert_int_equal(seen.count[NUT_CHANGE_SET], 1);

	assert_true(nut_store_set(s, "UPS.Status", "ol")); /* names without case, values with */
	assert_true(nut_store_version(s) > version);
	assert_string_equal(seen.value, "ol");
	assert_string_equal(nut_store_find(s, "ups.STATUS")->name, "ups.status");
	assert_string_equal(nut_store_get(s, "ups.status"), "ol");
	assert_int_equal(nut_store_count(s), 1);

	assert_null(nut_store_get(s, "ups.statu"));
	assert_false(nut_store_del(s, "ups.statu"));
	assert_true(nut_store_del(s, "Ups.status"));
	assert_int_equal(seen.count[NUT_CHANGE_DEL], 1);
	assert_null(nut_store_find(s, "ups.status"));
	nut_store_free(s);
}

static void test_lengths(void **state)
{
	struct nut_store *s = nut_store_new();
	char text[301];

	(void)state;
	memset(text, 'x', 300);
	text[300] = '\0';
	assert_true(nut_store_set(s, "v", text));
	assert_int_equal(strlen(nut_store_get(s, "v")), NUT_VALUE_MAX);
	assert_false(nut_store_set(s, "v", text)); /* the same after the cut */
	assert_true(nut_store_set(s, "v", "short"));
	assert_string_equal(nut_store_get(s, "v"), "short");
	assert_true(nut_store_set(s, "v", ""));
	assert_string_equal(nut_store_get(s, "v"), "");

	assert_false(nut_store_set(s, "", "x"));
	assert_false(nut_store_set(s, text, "x"));
	text[NUT_NAME_MAX] = '\0';
	assert_true(nut_store_set(s, text, "x"));
	assert_false(nut_store_add_cmd(s, ""));
	nut_store_free(s);
}

static void test_sorted_without_case(void **state)
{
	static const char *const names[] = {
		"Zed", "abc", "b.c", "B.b", "ups.id", "a", "ABd", "b"
	};
	static const char *const sorted[] = {
		"a", "abc", "ABd", "b", "B.b", "b.c", "ups.id", "Zed"
	};
	struct nut_store *s = nut_store_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_true(nut_store_set(s, names[i], "1"));
		assert_true(nut_store_add_cmd(s, names[i]));
	}
	assert_int_equal(nut_store_count(s), ARRAY_SIZE(sorted));
	assert_int_equal(nut_store_cmd_count(s), ARRAY_SIZE(sorted));
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		assert_string_equal(nut_store_at(s, i)->name, sorted[i]);
		assert_string_equal(nut_store_cmd_at(s, i), sorted[i]);
	}
	nut_store_free(s);
}

static void test_many(void **state)
{
	struct nut_store *s = nut_store_new();
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "v%u", i * 7919 % 500);
		assert_true(nut_store_set(s, name, name));
	}
	for (unsigned i = 0; i < 500; i += 2) {
		snprintf(name, sizeof(name), "V%u", i);
		assert_true(nut_store_del(s, name));
	}
	assert_int_equal(nut_store_count(s), 250);
	for (size_t i = 1; i < 250; i++)
		assert_true(strcasecmp(nut_store_at(s, i - 1)->name, nut_store_at(s, i)->name) < 0);
	nut_store_free(s);
}

static void test_types(void **state)
{
	struct nut_store *s = nut_store_new();
	struct seen seen = { { 0 }, "", "" };
	const struct nut_var *v;

	(void)state;
	assert_false(nut_store_flags(s, "v", NUT_RW, 0));
	assert_false(nut_store_add_enum(s, "v", "a"));
	assert_false(nut_store_add_range(s, "v", 1, 2));
	assert_false(nut_store_clear_lists(s, "v"));
	nut_store_set(s, "v", "a");
	nut_store_watch(s, see, &seen);
	assert_true(nut_store_flags(s, "V", NUT_RW | NUT_STRING, 8));
	assert_true(nut_store_flags(s, "v", NUT_RW | NUT_STRING, 8));
	assert_int_equal(seen.count[NUT_CHANGE_TYPE], 1);
	assert_true(nut_store_add_enum(s, "v", "b"));
	assert_true(nut_store_add_enum(s, "v", "a"));
	assert_true(nut_store_add_enum(s, "v", "b")); /* is there already */
	assert_true(nut_store_add_range(s, "v", 6, 60));
	assert_true(nut_store_add_range(s, "v", 100, 200));
	assert_false(nut_store_add_range(s, "v", 3, 2));
	assert_int_equal(seen.count[NUT_CHANGE_TYPE], 5);
	v = nut_store_find(s, "v");
	assert_int_equal(v->aux, 8);
	assert_int_equal(v->n_enums, 2);
	assert_string_equal(v->enums[0], "b"); /* as added */
	assert_int_equal(v->n_ranges, 2);
	assert_int_equal(v->ranges[1].max, 200);
	assert_true(nut_store_add_range(s, "v", -5, -1));
	assert_true(nut_store_add_range(s, "v", 300, 300));
	assert_false(nut_store_add_range(s, "v", 400, 500)); /* NUT_RANGES_MAX */
	assert_true(nut_store_clear_lists(s, "v"));
	assert_int_equal(v->n_enums + v->n_ranges, 0);
	nut_store_free(s);
}

static void test_commands(void **state)
{
	struct nut_store *s = nut_store_new();
	struct seen seen = { { 0 }, "", "" };

	(void)state;
	nut_store_watch(s, see, &seen);
	assert_true(nut_store_add_cmd(s, "load.off"));
	assert_false(nut_store_add_cmd(s, "LOAD.off"));
	assert_string_equal(nut_store_find_cmd(s, "Load.Off"), "load.off");
	assert_null(nut_store_find_cmd(s, "load.on"));
	assert_false(nut_store_del_cmd(s, "load.on"));
	assert_true(nut_store_del_cmd(s, "LOAD.OFF"));
	assert_int_equal(nut_store_cmd_count(s), 0);
	assert_int_equal(seen.count[NUT_CHANGE_CMDS], 2);
	nut_store_free(s);
}

/* What this UPS has (docs/nut-variables.md); each must have a text, a wrong name none. */
static void test_descriptions(void **state)
{
	static const char *const vars[] = {
		"input.voltage",
		"input.frequency",
		"input.bypass.voltage",
		"input.bypass.frequency",
		"output.voltage",
		"output.current",
		"output.frequency",
		"output.power",
		"output.realpower",
		"ups.load",
		"ups.temperature",
		"battery.voltage",
		"battery.charge",
		"battery.runtime",
		"battery.packs",
		"battery.capacity",
		"battery.charger.status",
		"ups.power.nominal",
		"ups.firmware",
		"ups.firmware.aux",
		"device.mfr",
		"ups.mfr",
		"device.model",
		"ups.model",
		"device.serial",
		"ups.serial",
		"device.type",
		"ups.type",
		"ups.beeper.status",
		"ups.delay.shutdown",
		"ups.delay.reboot",
		"ups.delay.start",
		"ups.timer.shutdown",
		"ups.timer.reboot",
		"ups.timer.start",
		"ups.status",
		"ups.alarm",
		"ups.power",
		"ups.realpower",
		"battery.voltage.nominal",
		"input.phases",
		"output.phases",
		"battery.date",
		"ups.id",
		"battery.charge.low",
		"battery.runtime.low",
		"ups.start.auto",
		"ups.test.result",
		"driver.name",
		"driver.version",
		"driver.parameter.port",
		"UPS.STATUS",
	};
	static const char *const cmds[] = {
		"load.on",
		"load.off",
		"bypass.start",
		"bypass.stop",
		"shutdown.return",
		"shutdown.stayoff",
		"shutdown.reboot",
		"shutdown.reboot.graceful",
		"shutdown.stop",
		"test.battery.start.quick",
		"test.battery.start.deep",
		"test.battery.stop",
		"beeper.enable",
		"beeper.disable",
		"beeper.toggle",
		"LOAD.OFF",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++) {
		const char *text = nut_var_desc(vars[i]);

		if (!text)
			fail_msg("%s has no description", vars[i]);
		assert_null(strpbrk(text, "\"\\#\n"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		if (!nut_cmd_desc(cmds[i]))
			fail_msg("%s has no description", cmds[i]);
		assert_null(strpbrk(nut_cmd_desc(cmds[i]), "\"\\#\n"));
	}
	assert_null(nut_var_desc("ups.statu"));
	assert_null(nut_var_desc(""));
	assert_null(nut_cmd_desc("ups.status"));
	assert_null(nut_cmd_desc("zzz"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_sorted_without_case),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_descriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
