#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ups2000/error.h>

#define LOG_PART "test"
#include "util/log.h"
#include "util/util.h"

static void test_alloc(void **state)
{
	(void)state;
	char *p = xmalloc(0);

	p = xrealloc(p, 3);
	memcpy(p, "ab", 3);
	char *copy = xstrdup(p);

	assert_string_equal(copy, "ab");
	assert_ptr_not_equal(copy, p);
	assert_null(xstrdup(NULL));
	free(copy);
	free(p);

	int *zeros = xcalloc(4, sizeof(*zeros));

	for (int i = 0; i < 4; i++)
		assert_int_equal(zeros[i], 0);
	free(zeros);

	char *text = xasprintf("%s-%d", "a", 7);

	assert_string_equal(text, "a-7");
	free(text);
}

static void test_clocks(void **state)
{
	(void)state;
	int64_t a = clock_us(), b = clock_us();

	assert_true(b >= a && b - a < 60 * INT64_C(1000000));
	assert_true(wall_us() > INT64_C(1600000000000000)); /* 2020 */
}

static void test_uuid(void **state)
{
	(void)state;
	char a[37], b[37];

	uuid_make(a);
	uuid_make(b);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 36);
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		assert_non_null(strchr(dash ? "-" : "0123456789ABCDEF", a[i]));
	}
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89AB", a[19]));
}

static void test_strerror(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{ 0, "success" },
		{ U2K_ETIMEOUT, "no response from the device" },
		{ U2K_EPROTO, "malformed response" },
		{ 1, "exception 01: invalid function code" },
		{ 2, "exception 02: invalid parameter" },
		{ 3, "exception 03: invalid data" },
		{ 4, "exception 04: execution failed" },
		{ 5, "exception 05: device busy" },
		{ 6, "exception 06: device busy" },
		{ 7, "unknown exception code" },
		{ 255, "unknown exception code" },
		{ 256, "unknown error" },
		{ -999, "unknown error" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(u2k_strerror(rows[i].status), rows[i].text);
	for (int status = -9; status <= 256; status++)
		assert_true(strlen(u2k_strerror(status)) > 0);
}

/* What is written to stderr between capture_start() and capture_end(). */
static int saved_stderr, pipe_read;

static void capture_start(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	pipe_read = fds[0];
}

static void capture_end(char *out, size_t size)
{
	ssize_t n = read(pipe_read, out, size - 1);

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_read);
	out[n > 0 ? n : 0] = '\0';
}

/* "2026-11-22 19:42:01 warning test: hello\n" */
static void expect_line(const char *line, const char *rest)
{
	static const char shape[] = "dddd-dd-dd dd:dd:dd ";

	assert_true(strlen(line) > strlen(shape));
	for (size_t i = 0; shape[i]; i++)
		assert_true(shape[i] == 'd' ? line[i] >= '0' && line[i] <= '9'
					    : line[i] == shape[i]);
	assert_string_equal(line + strlen(shape), rest);
}

static void test_log_stderr(void **state)
{
	(void)state;
	static const struct {
		enum log_level level;
		const char *text, *line;
	} rows[] = {
		{ LOG_LEVEL_ERROR, "one", "error test: one\n" },
		{ LOG_LEVEL_WARNING, "two", "warning test: two\n" },
		{ LOG_LEVEL_INFO, "three", "info test: three\n" },
		{ LOG_LEVEL_DEBUG, "four", NULL },
		{ LOG_LEVEL_INFO, "a\nb\tc\x7f\x1b[0m", "info test: a?b?c??[0m\n" },
		{ LOG_LEVEL_INFO, "caf\xc3\xa9 %s", "info test: caf\xc3\xa9 %s\n" },
		{ LOG_LEVEL_INFO, "", "info test: \n" },
	};
	char out[2048];

	unsetenv("JOURNAL_STREAM");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (i == 1) /* the first row goes before log_open() */
			log_open("test", LOG_TARGET_AUTO, LOG_LEVEL_INFO);
		capture_start();
		errno = ENOENT;
		log_write(rows[i].level, LOG_PART, "%s", rows[i].text);
		int after = errno;

		capture_end(out, sizeof(out));
		assert_int_equal(after, ENOENT);
		if (rows[i].line)
			expect_line(out, rows[i].line);
		else
			assert_string_equal(out, "");
	}
}

/* Without a stderr there is nowhere to complain, and the caller's errno stays. */
static void test_log_closed(void **state)
{
	(void)state;
	char out[16];

	log_open("test", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	capture_start();
	close(STDERR_FILENO);
	errno = ENOENT;
	log_info("hello");
	int after = errno;

	capture_end(out, sizeof(out));
	assert_int_equal(after, ENOENT);
	assert_string_equal(out, "");
}

static void test_log_levels(void **state)
{
	(void)state;
	char out[2048];

	log_open("test", LOG_TARGET_STDERR, LOG_LEVEL_WARNING);
	assert_true(log_enabled(LOG_LEVEL_ERROR));
	assert_true(log_enabled(LOG_LEVEL_WARNING));
	assert_false(log_enabled(LOG_LEVEL_INFO));
	log_open("test", LOG_TARGET_STDERR, LOG_LEVEL_DEBUG);
	capture_start();
	log_debug("x %d", 1);
	capture_end(out, sizeof(out));
	expect_line(out, "debug test: x 1\n");
}

static void test_log_cut(void **state)
{
	(void)state;
	char text[3000], out[4096];

	log_open("test", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	for (size_t len = 900; len < 1100; len++) {
		memset(text, 'x', len);
		text[len] = '\0';
		capture_start();
		log_info("%s", text);
		capture_end(out, sizeof(out));

		size_t whole = strlen("2026-11-22 19:42:01 info test: ") + len + 1;
		size_t n = strlen(out);

		assert_int_equal(n, whole < 1024 ? whole : 1024);
		assert_int_equal(out[n - 1], '\n');
		assert_int_equal(strcmp(out + n - 4, "...\n") == 0, whole > 1024);
	}

	/* Two-byte characters are not halved. */
	for (size_t start = 0; start < 2; start++) {
		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = i < start ? 'x' : (i - start) % 2 ? '\xa9' : '\xc3';
		text[sizeof(text) - 1] = '\0';
		capture_start();
		log_info("%s", text);
		capture_end(out, sizeof(out));
		assert_int_equal(out[strlen(out) - 5], '\xa9');
	}
}

static void test_log_journal(void **state)
{
	(void)state;
	static const struct {
		long dev_off;
		bool journal;
	} rows[] = { { 0, true }, { 1, false } };
	char out[2048];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stat st;

		capture_start();
		fstat(STDERR_FILENO, &st);
		char *stream = xasprintf("%llu:%llu", (unsigned long long)st.st_dev,
					 (unsigned long long)st.st_ino + (unsigned)rows[i].dev_off);

		setenv("JOURNAL_STREAM", stream, 1);
		free(stream);
		log_open("test", LOG_TARGET_AUTO, LOG_LEVEL_INFO);
		log_warning("hello");
		capture_end(out, sizeof(out));
		if (rows[i].journal)
			assert_string_equal(out, "<4>test: hello\n");
		else
			expect_line(out, "warning test: hello\n");
	}

	/* Nonsense there is not the journal; stderr on request is never. */
	setenv("JOURNAL_STREAM", "x", 1);
	log_open("test", LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	capture_start();
	log_info("hello");
	capture_end(out, sizeof(out));
	expect_line(out, "info test: hello\n");
	unsetenv("JOURNAL_STREAM");
}

static void test_log_syslog(void **state)
{
	(void)state;
	char out[2048];

	capture_start();
	log_open("test", LOG_TARGET_SYSLOG, LOG_LEVEL_INFO);
	errno = ENOENT;
	log_info("hello");
	int after = errno;

	log_open("test", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	capture_end(out, sizeof(out));
	assert_int_equal(after, ENOENT);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),	    cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_uuid),	    cmocka_unit_test(test_strerror),
		cmocka_unit_test(test_log_stderr),  cmocka_unit_test(test_log_closed),
		cmocka_unit_test(test_log_levels),  cmocka_unit_test(test_log_cut),
		cmocka_unit_test(test_log_journal), cmocka_unit_test(test_log_syslog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
