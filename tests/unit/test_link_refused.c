#include "link_pty.h"

#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static const struct refusal {
	const char *name, *target; /* a symlink "port" to this ... */
	const char *file;	   /* ... or a regular file of this name */
	enum link_state state;
	const char *words;
} refusals[] = {
	{ "a directory", "lock", NULL, LINK_REFUSED, "is a directory" },
	{ "a file", NULL, "port", LINK_REFUSED, "is a regular file" },
	{ "below a file", NULL, "plain", LINK_REFUSED, "not a directory" },
	{ "/dev/null", "/dev/null", NULL, LINK_REFUSED, "not a serial port" },
	{ "a circle", "port", NULL, LINK_REFUSED, "too many symbolic links" },
	{ "nothing", "gone", NULL, LINK_ABSENT, "points to gone, which does not exist" },
};

static void explains_what_is_no_port(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *t = &refusals[i];

		if (t->file)
			put_file(r->dir, t->file, "");
		else
			put_link(r->dir, "port", t->target);
		snprintf(r->port, sizeof(r->port), "%s/%s", r->dir,
			 strcmp(t->name, "below a file") ? "port" : "plain/port");
		r->calls = 0;
		*r->reason = '\0';
		start(r);
		run_until(r, t->state == LINK_ABSENT ? is_absent : is_refused, DEADLINE_US);
		if (r->state != t->state || !strstr(r->reason, t->words))
			fail_msg("%s: state %d, \"%s\"", t->name, r->state, r->reason);
		assert_non_null(strstr(r->reason, r->port));
		link_free(r->link);
		r->link = NULL;
	}
}

static void becomes_a_port_later(void **state)
{
	struct rig *r = *state;

	put_file(r->dir, "port", "");
	start(r);
	expect(r, is_refused);
	put_link(r->dir, "port", r->slave);
	assert_true(run_until(r, is_up, DEADLINE_US) < BACK_US);
	assert_int_equal(unlink(r->port), 0);
	expect(r, is_absent);
	put_file(r->dir, "port", "");
	expect(r, is_refused);
	assert_int_equal(unlink(r->port), 0);
	expect(r, is_absent);
	expect_reason(r, "does not exist");
}

/* A child that does something to the port and stays until told. */
static pid_t helper(struct rig *r, void (*act)(struct rig *r), int *to_child)
{
	int ready[2], leave[2];
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(leave, O_CLOEXEC), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		close(leave[1]);
		close(r->master);
		act(r);
		if (write(ready[1], "x", 1) != 1 || read(leave[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(ready[1]);
	close(leave[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*to_child = leave[1];
	return pid;
}

static void dismiss(pid_t pid, int to_child)
{
	int status;

	close(to_child);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void lock_slave(struct rig *r)
{
	int fd = open(r->slave, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		_exit(1);
}

static void do_nothing(struct rig *r)
{
	(void)r;
}

static void respects_flock(void **state)
{
	struct rig *r = *state;
	int to_child;
	char words[64];
	pid_t pid = helper(r, lock_slave, &to_child);

	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_refused);
	snprintf(words, sizeof(words), "test_link_refus (pid %d)", (int)pid);
	expect_reason(r, words);
	dismiss(pid, to_child);
	assert_true(run_until(r, is_up, DEADLINE_US) < BACK_US); /* by the poll alone */
	assert_int_equal(r->calls, 2);
}

static void holds_flock(void **state)
{
	struct rig *r = *state;

	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
	int fd = open(r->slave, O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	link_free(r->link);
	r->link = NULL;
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

/* The lock file of /dev/pts/5 is LCK..pts_5. */
static void lock_name(const struct rig *r, char *out, size_t size)
{
	snprintf(out, size, "lock/LCK..pts_%s", strrchr(r->slave, '/') + 1);
}

static void respects_a_live_lock_file(void **state)
{
	struct rig *r = *state;
	int to_child;
	char name[128], text[64];
	pid_t pid = helper(r, do_nothing, &to_child);

	lock_name(r, name, sizeof(name));
	snprintf(text, sizeof(text), "%10d\n", (int)pid);
	put_file(r->dir, name, text);
	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_refused);
	snprintf(text, sizeof(text), "(pid %d)", (int)pid);
	expect_reason(r, text);
	expect_reason(r, "LCK..pts_");
	dismiss(pid, to_child); /* it leaves the file behind: stale now */
	expect(r, is_up);
}

static void keeps_a_lock_file(void **state)
{
	struct rig *r = *state;
	char name[128], path[PATH_MAX], text[32];

	lock_name(r, name, sizeof(name));
	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(strlen(text), 11);
	assert_int_equal(atoi(text), getpid());
	link_free(r->link);
	r->link = NULL;
	assert_int_equal(access(path, F_OK), -1);
}

static void works_without_a_lock_directory(void **state)
{
	struct rig *r = *state;

	snprintf(r->locks, sizeof(r->locks), "%s/none", r->dir);
	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
}

/* As nobody, before and after the parent opens the port to all. Ends by _exit(), never by a jump. */
static void without_permission(struct rig *r, int tell)
{
	if (setgid(65534) || setuid(65534) || event_reinit(r->base))
		_exit(10);
	start(r);
	run_until(r, is_refused, DEADLINE_US);
	if (!is_refused(r) || !strstr(r->reason, "no permission for user 'nobody'"))
		_exit(11);
	if (write(tell, "x", 1) != 1)
		_exit(12);
	_exit(run_until(r, is_up, DEADLINE_US) < BACK_US ? 0 : 13);
}

static void explains_permission(void **state)
{
	struct rig *r = *state;
	int tell[2], status;
	char c;

	if (geteuid())
		skip();
	put_link(r->dir, "port", r->slave);
	assert_int_equal(chmod(r->slave, 0600), 0);
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	pid_t pid = fork();

	if (!pid)
		without_permission(r, tell[1]);
	close(tell[1]);
	assert_int_equal(read(tell[0], &c, 1), 1);
	assert_int_equal(chmod(r->slave, 0666), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(tell[0]);
}

/* A sysfs that says what is behind our pseudo-terminal. */
static void plug(struct rig *r, const char *vendor, const char *product, const char *driver)
{
	struct stat st;
	char number[64], target[128];

	assert_int_equal(stat(r->slave, &st), 0);
	put_file(r->dir, "sys/devices/usb1/1-2/idVendor", vendor);
	put_file(r->dir, "sys/devices/usb1/1-2/idProduct", product);
	put_dir(r->dir, "sys/devices/usb1/1-2/1-2:1.0/tty/ttyACM0");
	put_dir(r->dir, "sys/class/tty");
	put_link(r->dir, "sys/devices/usb1/1-2/1-2:1.0/tty/ttyACM0/subsystem",
		 "../../../../../../class/tty");
	snprintf(target, sizeof(target), "../../../../bus/usb/drivers/%s", driver);
	put_link(r->dir, "sys/devices/usb1/1-2/1-2:1.0/driver", target);
	snprintf(number, sizeof(number), "sys/dev/char/%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	put_link(r->dir, number, "../../devices/usb1/1-2/1-2:1.0/tty/ttyACM0");
}

static void explains_the_wrong_driver(void **state)
{
	struct rig *r = *state;

	plug(r, "04e2\n", "1410\n", "cdc_acm");
	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_refused);
	expect_reason(r, "cdc_acm");
	expect_reason(r, "xr_serial");
	assert_string_equal(link_adapter(r->link), "XR21V1410 (04e2:1410), driver cdc_acm");
	plug(r, "04e2\n", "1410\n", "xr_serial");
	expect(r, is_up);
	assert_string_equal(link_adapter(r->link), "XR21V1410 (04e2:1410), driver xr_serial");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(explains_what_is_no_port),
		TEST(becomes_a_port_later),
		TEST(respects_flock),
		TEST(holds_flock),
		TEST(respects_a_live_lock_file),
		TEST(keeps_a_lock_file),
		TEST(works_without_a_lock_directory),
		TEST(explains_permission),
		TEST(explains_the_wrong_driver),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
