#include "link_pty.h"

static size_t read_master(struct rig *r, uint8_t *buf, size_t size)
{
	ssize_t n = read(r->master, buf, size);

	return n > 0 ? (size_t)n : 0;
}

static size_t master_has;

static bool master_has_five(const struct rig *r)
{
	uint8_t buf[64];
	ssize_t n = read(r->master, buf, sizeof(buf));

	master_has += n > 0 ? (size_t)n : 0;
	return master_has >= 5;
}

/* Bytes go both ways, untranslated, and a link knows nothing of lines. */
static void expect_echo(struct rig *r)
{
	static const uint8_t bytes[] = { 0x0d, 0x0a, 0x03, 0x11, 0xff };

	master_has = 0;
	r->rx_len = 0;
	assert_int_equal(link_write(r->link, bytes, sizeof(bytes)), 0);
	expect(r, master_has_five);
	assert_int_equal(master_has, 5);
	assert_int_equal(write(r->master, bytes, sizeof(bytes)), 5);
	expect(r, got_five);
	assert_int_equal(r->rx_len, 5);
	assert_memory_equal(r->rx, bytes, 5);
}

static void opens_and_moves_bytes(void **state)
{
	struct rig *r = *state;
	struct termios tio;

	put_link(r->dir, "port", r->slave);
	start(r);
	assert_int_equal(link_state(r->link), LINK_OPENING);
	assert_int_equal(link_write(r->link, (const uint8_t *)"x", 1), U2K_ECLOSED);
	expect(r, is_up);
	assert_int_equal(r->calls, 1);
	assert_string_equal(link_adapter(r->link), "");
	expect_echo(r);

	assert_int_equal(tcgetattr(r->master, &tio), 0);
	assert_int_equal(cfgetospeed(&tio), B9600);
	assert_int_equal(tio.c_cflag & CSIZE, CS8);
	assert_int_equal(tio.c_cflag & (CSTOPB | PARENB | CRTSCTS), 0);
	assert_int_equal(tio.c_cflag & (CLOCAL | CREAD), CLOCAL | CREAD);
	assert_int_equal(tio.c_iflag & (IXON | IXOFF | ICRNL | ISTRIP), 0);
	assert_int_equal(tio.c_lflag & (ICANON | ECHO | ISIG), 0);
	assert_int_equal(tio.c_oflag & OPOST, 0);
}

static void takes_single_bytes(void **state)
{
	struct rig *r = *state;

	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
	for (unsigned i = 0; i < 5; i++) {
		uint8_t byte = (uint8_t)(i * 51);
		unsigned before = r->rx_calls;

		assert_int_equal(write(r->master, &byte, 1), 1);
		for (int64_t t = clock_us(); r->rx_calls == before && clock_us() - t < DEADLINE_US;)
			event_base_loop(r->base, EVLOOP_ONCE);
	}
	assert_int_equal(r->rx_len, 5);
	assert_int_equal(r->rx[4], 204);
	assert_int_equal(r->calls, 1);
}

static void waits_for_the_port(void **state)
{
	struct rig *r = *state;

	start(r);
	expect(r, is_absent);
	expect_reason(r, "does not exist");
	run_until(r, never, 1000000); /* over several polls: told once */
	assert_int_equal(r->calls, 1);
	put_link(r->dir, "port", r->slave);
	assert_true(run_until(r, is_up, DEADLINE_US) < BACK_US);
	expect_echo(r);
}

/* /dev/serial/by-path does not exist before the first adapter does. */
static void waits_for_the_directory(void **state)
{
	struct rig *r = *state;

	snprintf(r->port, sizeof(r->port), "%s/serial/by-path/usb", r->dir);
	start(r);
	expect(r, is_absent);
	put_link(r->dir, "serial/by-path/usb", "../../ttyUSB0");
	run_until(r, is_up, 100000);
	expect_reason(r, "does not exist");
	put_link(r->dir, "ttyUSB0", r->slave);
	assert_true(run_until(r, is_up, DEADLINE_US) < BACK_US);
}

static void follows_a_symlink_elsewhere(void **state)
{
	struct rig *r = *state;
	int first = r->master;

	put_link(r->dir, "port", "hop");
	put_link(r->dir, "hop", r->slave);
	start(r);
	expect(r, is_up);
	open_pty(r);
	put_link(r->dir, "hop", r->slave);
	assert_true(run_until(r, is_up_again, DEADLINE_US) < BACK_US);
	expect_echo(r);
	close(first);
}

/* The fd stays silent and healthy, only the name tells that the adapter is out. */
static void notices_a_pulled_adapter(void **state)
{
	struct rig *r = *state;
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/port", r->dir);
	put_link(r->dir, "port", r->slave);
	start(r);
	for (unsigned round = 1; round <= 3; round++) {
		expect(r, is_up);
		assert_int_equal(r->ups, round);
		unlink(name);
		assert_true(run_until(r, is_absent, DEADLINE_US) < BACK_US);
		assert_int_equal(link_write(r->link, (const uint8_t *)"x", 1), U2K_ECLOSED);
		assert_int_equal(r->calls, 2 * round);
		put_link(r->dir, "port", r->slave);
		assert_true(run_until(r, is_up, DEADLINE_US) < BACK_US);
	}
	expect_echo(r);
}

static void notices_a_hang_up(void **state)
{
	struct rig *r = *state;

	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
	close(r->master);
	assert_true(run_until(r, is_absent, DEADLINE_US) < BACK_US);
	expect_reason(r, "is gone");
	run_until(r, never, 1000000);
	assert_int_equal(r->calls, 2); /* "does not exist" is no news then */
	open_pty(r);
	put_link(r->dir, "port", r->slave);
	assert_true(run_until(r, is_up, DEADLINE_US) < BACK_US);
	expect_echo(r);
}

static void tells_a_failed_write(void **state)
{
	struct rig *r = *state;

	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
	close(r->master);
	r->master = -1;
	assert_int_equal(link_write(r->link, (const uint8_t *)"x", 1), U2K_ECLOSED);
	assert_int_equal(r->calls, 1); /* told from the loop, not from within */
	assert_int_equal(link_write(r->link, (const uint8_t *)"x", 1), U2K_ECLOSED);
	expect(r, is_absent);
}

static void queues_what_the_port_does_not_take(void **state)
{
	struct rig *r = *state;
	static uint8_t sent[1 << 17], seen[1 << 17];
	size_t n = 0, m = 0;
	int rc = 0;

	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
	assert_int_equal(link_write(r->link, sent, LINK_QUEUE_MAX + 1), U2K_EBUSY);
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + i / 256);
	while (n + 100 <= sizeof(sent) && !(rc = link_write(r->link, sent + n, 100)))
		n += 100;
	assert_int_equal(rc, U2K_EBUSY);
	for (int64_t t = clock_us(); m < n && clock_us() - t < DEADLINE_US;) {
		m += read_master(r, seen + m, sizeof(seen) - m);
		event_base_loop(r->base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(m, n);
	assert_memory_equal(seen, sent, n);
	expect_echo(r);
}

static void flush_empties_the_queue(void **state)
{
	struct rig *r = *state;
	static const uint8_t zero[100];
	uint8_t buf[4096];

	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
	while (!link_write(r->link, zero, sizeof(zero)))
		;
	link_flush(r->link);
	assert_int_equal(link_write(r->link, zero, sizeof(zero)), 0);
	link_flush(r->link);
	while (read_master(r, buf, sizeof(buf)))
		;
	expect_echo(r);
}

static void reopens_on_request(void **state)
{
	struct rig *r = *state;

	put_link(r->dir, "port", r->slave);
	start(r);
	expect(r, is_up);
	link_reopen(r->link);
	assert_int_equal(link_write(r->link, (const uint8_t *)"x", 1), U2K_ECLOSED);
	assert_int_equal(link_state(r->link), LINK_UP);
	assert_true(run_until(r, is_up_again, DEADLINE_US) < BACK_US);
	assert_int_equal(r->calls, 3);
	expect_echo(r);
}

static void rejects_bad_arguments(void **state)
{
	struct rig *r = *state;
	static char long_path[PATH_MAX + 1];
	static const struct {
		const char *path;
		unsigned baud;
	} rows[] = {
		{ "", 9600 },
		{ long_path, 9600 },
		{ "/dev/ttyUSB0", 0 },
		{ "/dev/ttyUSB0", 9601 },
	};

	memset(long_path, 'a', PATH_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct link_serial_config config = { .path = rows[i].path, .baud = rows[i].baud };

		assert_null(link_serial_new(r->base, &config, &r->ops, r));
	}
	assert_true(link_baud_ok(1200) && link_baud_ok(9600) && link_baud_ok(115200));
	assert_false(link_baud_ok(300) || link_baud_ok(230400) || link_baud_ok(B9600));
}

static void frees_in_a_state_callback(void **state)
{
	struct rig *r = *state;
	static const struct {
		enum link_state when;
		bool gone;
	} rows[] = { { LINK_UP, false }, { LINK_ABSENT, true }, { LINK_OPENING, false } };

	put_link(r->dir, "port", r->slave);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		r->free_on_state = true;
		r->free_state = rows[i].when;
		*r->reason = '\0';
		start(r);
		if (rows[i].when != LINK_UP) {
			expect(r, is_up);
			if (rows[i].gone)
				assert_int_equal(unlink(r->port), 0);
			else
				link_reopen(r->link);
		}
		expect(r, is_freed);
		assert_int_equal(event_base_get_num_events(r->base, EVENT_BASE_COUNT_ADDED), 0);
		put_link(r->dir, "port", r->slave);
	}
}

static void frees_in_the_rx_callback(void **state)
{
	struct rig *r = *state;

	put_link(r->dir, "port", r->slave);
	r->free_on_rx = true;
	start(r);
	expect(r, is_up);
	assert_int_equal(write(r->master, "x", 1), 1);
	expect(r, is_freed);
}

static void frees_before_the_first_callback(void **state)
{
	struct rig *r = *state;

	put_link(r->dir, "port", r->slave);
	start(r);
	link_free(r->link);
	r->link = NULL;
	event_base_loop(r->base, EVLOOP_NONBLOCK);
	assert_int_equal(r->calls, 0);
	link_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(opens_and_moves_bytes),
		TEST(takes_single_bytes),
		TEST(waits_for_the_port),
		TEST(waits_for_the_directory),
		TEST(follows_a_symlink_elsewhere),
		TEST(notices_a_pulled_adapter),
		TEST(notices_a_hang_up),
		TEST(tells_a_failed_write),
		TEST(queues_what_the_port_does_not_take),
		TEST(flush_empties_the_queue),
		TEST(reopens_on_request),
		TEST(rejects_bad_arguments),
		TEST(frees_in_a_state_callback),
		TEST(frees_in_the_rx_callback),
		TEST(frees_before_the_first_callback),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
