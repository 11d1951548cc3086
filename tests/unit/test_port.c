#include "port/port.h"

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "util/util.h"

#define SEC_US ((int64_t)1000000)

static void changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	(void)user;
	(void)snap;
	(void)mask;
}

static const struct port_unit_ops ops = { .changed = changed };
static const struct port_unit_config unit = { .unit_id = 1, .number = 1 };

/* A UPS that is mute is on time, for as long as it is asked in time. */
static void test_missed_deadline(void **state)
{
	struct event_base *base = event_base_new();
	char name[128], error[512];
	int64_t until = clock_us() + 30 * SEC_US;
	struct port *port;
	struct port_unit *first;
	int master, slave;

	(void)state;
	assert_int_equal(openpty(&master, &slave, name, NULL, NULL), 0);
	port = port_new(base, name, 9600, error, sizeof(error));
	assert_non_null(port);
	first = port_add(port, &unit, &ops, NULL);
	assert_non_null(first);
	while (port_link_state(port) != LINK_UP || !port_snapshot(first)->line.requests) {
		assert_true(clock_us() < until);
		event_base_loop(base, EVLOOP_ONCE);
	}
	assert_true(port_on_time(port, clock_us()));
	assert_false(port_on_time(port, clock_us() + 60 * SEC_US)); /* the loop stood still */
	port_free(port);
	event_base_free(base);
	close(master);
	close(slave);
}

static void test_absent_is_on_time(void **state)
{
	struct event_base *base = event_base_new();
	char error[512];
	struct port *port = port_new(base, "/dev/null/none", 9600, error, sizeof(error));

	(void)state;
	assert_non_null(port);
	assert_non_null(port_add(port, &unit, &ops, NULL));
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(port_on_time(port, clock_us()));
	assert_true(port_on_time(port, clock_us() + 3600 * SEC_US));
	port_free(port);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missed_deadline),
		cmocka_unit_test(test_absent_is_on_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
