/* Addresses to listen on, and names that somebody must be asked about. */
#include "daemon/bind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "util/util.h"

static const struct {
	const char *where;
	bool name;
	const char *error; /* of bind_listen(); NULL: it listens */
} forms[] = {
	{ "127.0.0.1:0", false, NULL },
	{ "*:0", false, NULL },
	{ "localhost:0", false, NULL },
	{ "LocalHost:0", false, NULL },
	{ "127.0.0.1", false, NULL }, /* the port is the test's: 0 */
	{ "[::1", false, "the form is" },
	{ "[::1]x", false, "the form is" },
	{ ":1", false, "the form is" },
	{ "127.0.0.1:65536", false, "0 to 65535" },
	{ "gateway:x", false, "0 to 65535" },
	{ "192.0.2.77:0", false, "Cannot assign" },
	{ "gateway.example:0", true, "cannot listen on gateway.example:0" },
	{ "gateway.example", true, "cannot listen on gateway.example" },
	{ "127.0.0.1.example:0", true, "cannot listen on" },
};

static void close_all(const int fds[BIND_FDS])
{
	for (size_t i = 0; i < BIND_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		int fds[BIND_FDS] = { -1, -1 };
		char error[256] = "";
		bool ok = bind_listen(forms[i].where, "0", fds, error, sizeof(error));

		if (bind_is_name(forms[i].where) != forms[i].name)
			fail_msg("%s: a name?", forms[i].where);
		if (ok != !forms[i].error || (!ok && !strstr(error, forms[i].error)))
			fail_msg("%s: \"%s\"", forms[i].where, error);
		if (ok)
			assert_int_not_equal(bind_port(fds[0]), 0);
		close_all(fds);
	}
}

static void test_taken(void **state)
{
	int fds[BIND_FDS], more[BIND_FDS];
	char error[256], where[32];

	(void)state;
	assert_true(bind_listen("127.0.0.1:0", "1", fds, error, sizeof(error)));
	snprintf(where, sizeof(where), "127.0.0.1:%u", bind_port(fds[0]));
	assert_false(bind_listen(where, "1", more, error, sizeof(error)));
	assert_non_null(strstr(error, "in use"));
	close_all(fds);
}

static atomic_int lookups;

/* The network comes up between the first and the second time. */
static int second_time(const char *host, const char *service, const struct addrinfo *hints,
		       struct addrinfo **result)
{
	(void)host;
	return atomic_fetch_add(&lookups, 1) ? getaddrinfo("127.0.0.1", service, hints, result)
					     : EAI_AGAIN;
}

struct found {
	struct event_base *base;
	struct binding *binding;
	unsigned port;
};

static void on_found(void *user, const int fds[BIND_FDS])
{
	struct found *found = user;

	found->port = bind_port(fds[0]);
	close_all(fds);
	binding_free(found->binding);
	event_base_loopbreak(found->base);
}

static void test_a_name_that_comes_later(void **state)
{
	static const struct timeval patience = { .tv_sec = 60 };
	struct found found = { .base = event_base_new() };

	(void)state;
	found.binding =
		binding_start(found.base, "gateway.example:0", "1", second_time, on_found, &found);
	assert_non_null(found.binding);
	event_base_loopexit(found.base, &patience);
	event_base_dispatch(found.base);
	assert_int_not_equal(found.port, 0);
	assert_int_equal(atomic_load(&lookups), 2);
	event_base_free(found.base);
}

static void test_freed_before_its_name_is_found(void **state)
{
	struct event_base *base = event_base_new();

	(void)state;
	binding_free(binding_start(base, "gateway.example", "0", second_time, on_found, NULL));
	binding_free(NULL);
	assert_null(binding_start(base, "gateway.example:x", "0", second_time, on_found, NULL));
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_a_name_that_comes_later),
		cmocka_unit_test(test_freed_before_its_name_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
