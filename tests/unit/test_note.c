#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "hook/host.h"
#include "hook/late_nut.h"
#include "hook/note.h"
#include "util/util.h"

#define GOOD "ups2000 1\nboot B\naction poweroff\nreason Two words\nups rack return\n"

static void test_text(void **state)
{
	(void)state;
	static const struct {
		const char *name, *text;
		bool good;
	} rows[] = {
		{ "all", GOOD "ups other stayoff\n", true },
		{ "no ups", "ups2000 1\nboot B\naction reboot\nreason x\n", true },
		{ "no reason", "ups2000 1\nboot B\naction reboot\n", true },
		{ "empty", "", false },
		{ "another format", "ups2000 2\nboot B\naction reboot\n", false },
		{ "no boot", "ups2000 1\naction reboot\n", false },
		{ "no action", "ups2000 1\nboot B\n", false },
		{ "unknown action", "ups2000 1\nboot B\naction explode\n", false },
		{ "two actions", "ups2000 1\nboot B\naction reboot\naction poweroff\n", false },
		{ "two boots", "ups2000 1\nboot B\nboot C\naction reboot\n", false },
		{ "unknown key", GOOD "exec /bin/sh\n", false },
		{ "unknown way", GOOD "ups x explode\n", false },
		{ "a ups without a way", GOOD "ups x\n", false },
		{ "an empty name", GOOD "ups  return\n", false },
		{ "no last newline", "ups2000 1\nboot B\naction reboot", false },
		{ "an empty line", GOOD "\n", false },
		{ "a long boot id",
		  "ups2000 1\nboot 1234567890123456789012345678901234567890\naction reboot\n",
		  false },
	};
	struct note note;
	char why[128];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (note_parse(rows[i].text, strlen(rows[i].text), &note, why, sizeof(why)) !=
		    rows[i].good)
			fail_msg("%s", rows[i].name);
	assert_false(note_parse("ups2000 1\n\0", 11, &note, why, sizeof(why)));
	assert_true(note_parse(GOOD, strlen(GOOD), &note, why, sizeof(why)));
	assert_string_equal(note.boot, "B");
	assert_string_equal(note.reason, "Two words");
	assert_int_equal(note.n_ups, 1);
	assert_string_equal(note.ups[0].name, "rack");
	assert_false(note.ups[0].stay_off);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct note note = { .boot = "B", .action = NOTE_REBOOT, .reason = "odd\nreason" }, back;
	char text[NOTE_TEXT_MAX], why[128], name[NOTE_NAME_MAX + 1];
	size_t len;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(note_add_ups(&note, name, false));
	assert_false(note_add_ups(&note, "", false));
	name[NOTE_NAME_MAX - 1] = '\0';
	for (size_t i = 0; i < NOTE_UPS_MAX; i++)
		assert_true(note_add_ups(&note, name, i % 2));
	assert_false(note_add_ups(&note, "more", false));
	len = note_print(&note, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_true(note_parse(text, len, &back, why, sizeof(why)));
	assert_int_equal(back.n_ups, NOTE_UPS_MAX);
	assert_int_equal(back.action, NOTE_REBOOT);
	assert_string_equal(back.reason, "odd reason");
	assert_true(back.ups[1].stay_off);
	assert_int_equal(note_print(&note, text, 100), 0);
}

static char *make_dir(void)
{
	static char path[] = "/tmp/test-note-XXXXXX";

	strcpy(path, "/tmp/test-note-XXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

static void put(const char *dir, const char *name, const char *text, mode_t mode)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

static bool there(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	bool is = access(path, F_OK) == 0;

	free(path);
	return is;
}

static void clean(const char *dir)
{
	static const char *const names[] = { NOTE_REQUEST, NOTE_TAKEN, "upsmon.conf",
					     "ups.conf",   "flag",     "hook" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = xasprintf("%s/%s", dir, names[i]);

		unlink(path);
		free(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void test_taking(void **state)
{
	(void)state;
	const char *dir = make_dir();
	struct note note = { .reason = "Tests" }, got;
	char why[256];

	assert_false(host_take(dir, geteuid(), &got, why, sizeof(why)));
	assert_string_equal(why, "");

	note_boot_id(note.boot);
	assert_int_equal(note_write(dir, NOTE_REQUEST, &note), 0);
	assert_true(host_take(dir, geteuid(), &got, why, sizeof(why)));
	assert_string_equal(got.reason, "Tests");
	assert_false(there(dir, NOTE_REQUEST));
	assert_true(there(dir, NOTE_TAKEN));
	assert_true(note_read(dir, NOTE_TAKEN, geteuid(), &got, why, sizeof(why)));

	/* what is not good is taken away, and says why */
	put(dir, NOTE_REQUEST, GOOD, 0644);
	assert_false(host_take(dir, geteuid(), &got, why, sizeof(why)));
	assert_string_equal(why, "it was written before this boot");
	assert_false(there(dir, NOTE_REQUEST));
	put(dir, NOTE_REQUEST, GOOD, 0666);
	assert_false(host_take(dir, geteuid(), &got, why, sizeof(why)));
	assert_string_equal(why, "others may write it");
	clean(dir);
}

static void test_foreign_owner(void **state)
{
	(void)state;
	const char *dir = make_dir();
	char *path = xasprintf("%s/%s", dir, NOTE_REQUEST), *other = xasprintf("%s/flag", dir);
	struct note note = { .reason = "Tests" }, got;
	char why[256];

	note_boot_id(note.boot);
	if (geteuid() == 0) {
		assert_int_equal(note_write(dir, NOTE_REQUEST, &note), 0);
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_false(host_take(dir, 54321, &got, why, sizeof(why)));
		assert_string_equal(why, "it belongs to user 12345");
	}
	/* a link is not followed */
	put(dir, "flag", GOOD, 0644);
	assert_int_equal(symlink(other, path), 0);
	assert_false(host_take(dir, geteuid(), &got, why, sizeof(why)));
	assert_true(*why);
	free(other);
	free(path);
	clean(dir);
}

static void test_commands(void **state)
{
	(void)state;
	char true_[] = "true", sh[] = "/bin/sh", c[] = "-c", exit_[] = "exit 3", no[] = "/no/such";
	char *const good[] = { true_, NULL }, *const bad[] = { sh, c, exit_, NULL };
	char *const none[] = { no, NULL };

	assert_int_equal(host_run(good), 0);
	assert_int_equal(host_run(bad), 3);
	assert_int_equal(host_run(none), 127);
	for (int action = 0; action < 2; action++)
		assert_non_null(host_default_command((enum note_action)action)[0]);
}

static void test_monitor_lines(void **state)
{
	(void)state;
	static const struct {
		const char *line, *name;
	} rows[] = {
		{ "MONITOR rack@localhost 1 mon secret primary", "rack" },
		{ "MONITOR rack@127.0.0.1:3493 1 mon secret master", "rack" },
		{ "MONITOR \"rack@[::1]:3493\" 1 mon \"a secret\" primary\n", "rack" },
		{ "MONITOR rack@[::1] 1 mon secret PRIMARY # note", "rack" },
		{ "MONITOR rack@::1 1 mon secret primary", "rack" },
		{ "MONITOR rack 1 mon secret primary", "rack" },
		{ "MONITOR rack@localhost 1 mon secret secondary", NULL },
		{ "MONITOR rack@elsewhere 1 mon secret primary", NULL },
		{ "MONITOR rack@localhost.example.net 1 mon secret primary", NULL },
		{ "MONITOR rack@localhost 1 mon secret", NULL },
		{ "#MONITOR rack@localhost 1 mon secret primary", NULL },
		{ "", NULL },
	};
	const char *dir = make_dir();
	struct late_nut nut;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put(dir, "upsmon.conf", rows[i].line, 0644);
		late_nut_look(&nut, dir, "/no/hook");
		if (nut.primary.n_ups != (rows[i].name ? 1 : 0))
			fail_msg("%s", rows[i].line);
		if (rows[i].name)
			assert_string_equal(nut.primary.ups[0].name, rows[i].name);
		assert_false(nut.flag);
	}
	clean(dir);
}

static void test_flag_and_driver(void **state)
{
	(void)state;
	const char *dir = make_dir();
	char *flag = xasprintf("%s/flag", dir), *hook = xasprintf("%s/hook", dir);
	char *conf = xasprintf("POWERDOWNFLAG \"%s\"\nMONITOR a@localhost 1 m x primary\n", flag);
	struct late_nut nut;

	put(dir, "upsmon.conf", conf, 0644);
	put(dir, "ups.conf", "[x]\n\tdriver=huawei-ups2000\n\tport = auto\n", 0644);
	put(dir, "flag", "something else\n", 0644);
	late_nut_look(&nut, dir, hook);
	assert_false(nut.flag);
	put(dir, "flag", "upsmon-shutdown-file", 0644);
	late_nut_look(&nut, dir, hook);
	assert_true(nut.flag);
	assert_false(nut.drives); /* there is no hook of NUT's that would */
	put(dir, "hook", "#!/bin/sh\n", 0755);
	late_nut_look(&nut, dir, hook);
	assert_true(nut.drives);
	put(dir, "ups.conf", "[x]\n\tdriver = usbhid-ups\n", 0644);
	late_nut_look(&nut, dir, hook);
	assert_false(nut.drives);
	free(conf);
	free(hook);
	free(flag);
	clean(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_taking),
		cmocka_unit_test(test_foreign_owner),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_monitor_lines),
		cmocka_unit_test(test_flag_and_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
