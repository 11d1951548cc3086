#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/sd_notify.h"
#include "daemon/options.h"
#include "daemon/run.h"
#include "daemon/runtime_dir.h"
#include "util/log.h"
#include "util/util.h"

static void test_options(void **state)
{
	static const struct {
		const char *words[6];
		int rc;
	} rows[] = {
		{ { NULL }, -1 },
		{ { "--config", "/x" }, -1 },
		{ { "--config=/x", "--check-config" }, -1 },
		{ { "--port", "/dev/x", "--listen", "127.0.0.1:0" }, -1 },
		{ { "--user", "a:b", "--log-level", "debug" }, -1 },
		{ { "--log-target", "syslog" }, -1 },
		{ { "--version" }, 0 },
		{ { "--help" }, 0 },
		{ { "--conf" }, EXIT_USAGE },
		{ { "--config" }, EXIT_USAGE },
		{ { "--frobnicate" }, EXIT_USAGE },
		{ { "-x" }, EXIT_USAGE },
		{ { "word" }, EXIT_USAGE },
		{ { "--config", "/x", "word" }, EXIT_USAGE },
		{ { "--port", "ttyUSB0" }, EXIT_USAGE },
		{ { "--port", "/dev/x", "--config", "/x" }, EXIT_USAGE },
		{ { "--listen", "3493" }, EXIT_USAGE },
		{ { "--log-level", "loud" }, EXIT_USAGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *argv[8] = { xstrdup("ups2000d") };
		struct options options;
		int argc = 1;
		int rc;

		while (argc <= 6 && rows[i].words[argc - 1]) {
			argv[argc] = xstrdup(rows[i].words[argc - 1]);
			argc++;
		}
		rc = options_parse(&options, argc, argv);
		if (rc != rows[i].rc)
			fail_msg("row %zu: %d", i, rc);
		if (i == 3)
			assert_string_equal(options.listen[0], "127.0.0.1:0");
		if (i == 4) {
			assert_string_equal(options.user, "a");
			assert_string_equal(options.group, "b");
			assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
		}
		options_free(&options);
		for (int a = 0; a < argc; a++)
			free(argv[a]);
	}
}

static void test_notify(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) { /* a path, then the abstract name space */
		struct sockaddr_un sun = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		char name[64], got[64];
		ssize_t n;

		snprintf(name, sizeof(name), "%s.%ld", i ? "@test_notify" : "/tmp/test_notify",
			 (long)getpid());
		memcpy(sun.sun_path, name, strlen(name));
		if (i)
			sun.sun_path[0] = '\0';
		assert_int_equal(
			bind(fd, (struct sockaddr *)&sun,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			0);
		setenv("NOTIFY_SOCKET", name, 1);
		notify_send("READY=1\nSTATUS=%d", 7);
		n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
		assert_int_equal(n, strlen("READY=1\nSTATUS=7"));
		assert_memory_equal(got, "READY=1\nSTATUS=7", (size_t)n);
		close(fd);
		if (!i)
			unlink(name);
		notify_send("READY=1"); /* nobody there: nothing happens */
	}
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_send("READY=1");
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
}

static void test_watchdog(void **state)
{
	char pid[32];

	(void)state;
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_watchdog_us(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_watchdog_us(), 15000000);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_us(), 15000000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_us(), 0);
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "nonsense", 1);
	assert_int_equal(notify_watchdog_us(), 0);
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
}

static void test_runtime_dir(void **state)
{
	char top[] = "/tmp/test_runtime.XXXXXX";
	struct runtime_dir first, second;
	char error[512] = "";
	char *path, *file;

	(void)state;
	assert_non_null(mkdtemp(top));
	path = xasprintf("%s/a/b", top);
	file = xasprintf("%s/a/b/ups2000d.pid", top);
	assert_int_equal(runtime_dir_open(&first, path, geteuid(), getegid(), error, sizeof(error)),
			 0);
	assert_int_equal(access(file, F_OK), 0);

	assert_int_equal(
		runtime_dir_open(&second, path, geteuid(), getegid(), error, sizeof(error)), -1);
	assert_non_null(strstr(error, "another ups2000d (process "));
	runtime_dir_close(&second);

	runtime_dir_close(&first);
	assert_int_not_equal(access(file, F_OK), 0);
	assert_int_equal(runtime_dir_open(&first, path, geteuid(), getegid(), error, sizeof(error)),
			 0);

	/* a file where a directory should be */
	assert_int_equal(
		runtime_dir_open(&second, file, geteuid(), getegid(), error, sizeof(error)), -1);
	assert_non_null(strstr(error, "cannot be created: Not a directory"));
	runtime_dir_close(&first);
	rmdir(path);
	free(file);
	file = xasprintf("%s/a", top);
	rmdir(file);
	rmdir(top);
	free(file);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_runtime_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
