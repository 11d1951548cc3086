#include "link/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/url.h"
#include "util/util.h"
#include <ups2000/error.h>

#define DEADLINE_US (10 * 1000000)

static const struct {
	const char *text, *host; /* host NULL: refused */
	enum link_kind kind;
	unsigned port;
} urls[] = {
	{ "/dev/ttyUSB0", "", LINK_SERIAL, 0 },
	{ "tcp://gateway", "gateway", LINK_TCP, 502 },
	{ "tcp://gateway:1502", "gateway", LINK_TCP, 1502 },
	{ "tcp://192.0.2.7", "192.0.2.7", LINK_TCP, 502 },
	{ "tcp://[2001:db8::7]", "2001:db8::7", LINK_TCP, 502 },
	{ "tcp://[2001:db8::7]:65535", "2001:db8::7", LINK_TCP, 65535 },
	{ "tcp://[fe80::1%eth0]:502", "fe80::1%eth0", LINK_TCP, 502 },
	{ "rtu+tcp://moxa-1.lan:4001", "moxa-1.lan", LINK_RTU_TCP, 4001 },
	{ "rtu+tcp://moxa", NULL, 0, 0 }, /* no port is usual there */
	{ "udp://gateway:502", NULL, 0, 0 },
	{ "tcp://", NULL, 0, 0 },
	{ "tcp://:502", NULL, 0, 0 },
	{ "tcp://gateway:", NULL, 0, 0 },
	{ "tcp://gateway:0", NULL, 0, 0 },
	{ "tcp://gateway:65536", NULL, 0, 0 },
	{ "tcp://gateway:502/1", NULL, 0, 0 },
	{ "tcp://gate way", NULL, 0, 0 },
	{ "tcp://a..b", NULL, 0, 0 },
	{ "tcp://300.1.1.1", NULL, 0, 0 },
	{ "tcp://1.2.3", NULL, 0, 0 },
	{ "tcp://2001:db8::7", NULL, 0, 0 },
	{ "tcp://[2001:db8::7", NULL, 0, 0 },
	{ "tcp://[2001:db8::7]502", NULL, 0, 0 },
	{ "tcp://[gateway]", NULL, 0, 0 },
	{ "tcp://[fe80::1%]", NULL, 0, 0 },
};

static void test_urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct link_url url = { .port = 7 };
		char why[256] = "";
		bool ok = link_url_parse(urls[i].text, &url, why, sizeof(why));

		if (ok != (urls[i].host != NULL) || ok == (*why != '\0'))
			fail_msg("%s: %s", urls[i].text, ok ? "taken" : why);
		if (!ok)
			assert_int_equal(url.port, 7); /* nothing was written */
		else if (url.kind != urls[i].kind || url.port != urls[i].port ||
			 strcmp(url.host, urls[i].host) != 0)
			fail_msg("%s: kind %d, host %s, port %u", urls[i].text, url.kind, url.host,
				 url.port);
	}
}

/* --- a link and the peer it connects to ----------------------------------------------------------- */

struct rig {
	struct event_base *base;
	struct link *link;
	int listener, peer;
	uint16_t port;
	unsigned ups, calls;
	enum link_state state;
	char reason[512];
	uint8_t rx[256];
	size_t rx_len;
	bool free_on_up;
};

static void on_state(void *user, enum link_state state, const char *reason)
{
	struct rig *r = user;

	assert_true((state == LINK_UP) == (*reason == '\0'));
	r->calls++;
	r->ups += state == LINK_UP;
	r->state = state;
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
	if (r->free_on_up && state == LINK_UP) {
		link_free(r->link);
		r->link = NULL;
	}
}

static void on_rx(void *user, const uint8_t *data, size_t len)
{
	struct rig *r = user;

	assert_true(r->rx_len + len <= sizeof(r->rx));
	memcpy(r->rx + r->rx_len, data, len);
	r->rx_len += len;
}

static void do_listen(struct rig *r)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(r->port) };
	socklen_t len = sizeof(sa);
	int one = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(r->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(r->listener, 8), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&sa, &len), 0);
	r->port = ntohs(sa.sin_port);
}

static int setup(void **state)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	r->base = event_base_new();
	r->state = LINK_OPENING;
	r->peer = -1;
	do_listen(r);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	link_free(r->link);
	assert_int_equal(event_base_get_num_events(r->base, EVENT_BASE_COUNT_ADDED |
								    EVENT_BASE_COUNT_ACTIVE),
			 0);
	event_base_free(r->base);
	if (r->listener >= 0)
		close(r->listener);
	if (r->peer >= 0)
		close(r->peer);
	free(r);
	return 0;
}

static void start(struct rig *r, const char *host,
		  int (*lookup)(const char *, const char *, const struct addrinfo *,
				struct addrinfo **))
{
	static const struct link_ops ops = { on_state, on_rx };
	struct link_tcp_config config = { .host = host, .port = r->port, .lookup = lookup };

	r->link = link_tcp_new(r->base, &config, &ops, r);
	assert_non_null(r->link);
	assert_int_equal(r->calls, 0);
}

static void nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static void expect(struct rig *r, bool (*done)(struct rig *r))
{
	struct timeval tick = { 0, 10000 };
	struct event *ev = event_new(r->base, -1, EV_PERSIST, nothing, NULL);
	int64_t from = clock_us();

	event_add(ev, &tick);
	while (!done(r) && clock_us() - from < DEADLINE_US)
		event_base_loop(r->base, EVLOOP_ONCE);
	event_free(ev);
	if (!done(r))
		fail_msg("state %d after the deadline: %s", r->state, r->reason);
}

static bool is_up(struct rig *r)
{
	return r->state == LINK_UP;
}

static bool is_up_again(struct rig *r)
{
	return r->state == LINK_UP && r->ups == 2;
}

static bool is_absent(struct rig *r)
{
	return r->state == LINK_ABSENT;
}

static bool is_refused(struct rig *r)
{
	return r->state == LINK_REFUSED;
}

static bool is_accepted(struct rig *r)
{
	if (r->peer < 0)
		r->peer = accept(r->listener, NULL, NULL);
	return r->peer >= 0;
}

static bool has_three(struct rig *r)
{
	return r->rx_len == 3;
}

static bool is_freed(struct rig *r)
{
	return !r->link;
}

static void connect_up(struct rig *r, const char *host)
{
	start(r, host, NULL);
	expect(r, is_up);
	expect(r, is_accepted);
}

static void test_bytes_pass(void **state)
{
	struct rig *r = *state;
	uint8_t buf[8];

	connect_up(r, "127.0.0.1");
	assert_non_null(strstr(link_adapter(r->link), "127.0.0.1 port "));
	assert_int_equal(link_write(r->link, (const uint8_t *)"abc", 3), 0);
	assert_int_equal(recv(r->peer, buf, sizeof(buf), 0), 3);
	assert_int_equal(send(r->peer, "xyz", 3, 0), 3);
	expect(r, has_three);
	assert_memory_equal(r->rx, "xyz", 3);
}

static void test_a_name_of_hosts(void **state)
{
	connect_up(*state, "localhost");
}

static void test_closed_by_the_peer_and_back(void **state)
{
	struct rig *r = *state;

	connect_up(r, "127.0.0.1");
	close(r->peer);
	r->peer = -1;
	expect(r, is_absent);
	assert_non_null(strstr(r->reason, "closed the connection"));
	assert_int_equal(link_write(r->link, (const uint8_t *)"a", 1), U2K_ECLOSED);
	expect(r, is_up_again);
}

static void test_refused_and_back_within_a_second(void **state)
{
	struct rig *r = *state;
	unsigned calls;

	close(r->listener);
	r->listener = -1;
	start(r, "127.0.0.1", NULL);
	expect(r, is_refused);
	assert_non_null(strstr(r->reason, "refuses connections to TCP port"));
	calls = r->calls;
	do_listen(r);

	int64_t from = clock_us();

	expect(r, is_up);
	assert_in_range(clock_us() - from, 0, 1000000);
	assert_int_equal(r->calls, calls + 1); /* told once, not at each attempt */
}

static void test_reopen(void **state)
{
	struct rig *r = *state;

	connect_up(r, "127.0.0.1");
	link_reopen(r->link);
	expect(r, is_up_again);
}

static void test_freed_in_a_callback(void **state)
{
	struct rig *r = *state;

	r->free_on_up = true;
	start(r, "127.0.0.1", NULL);
	expect(r, is_freed);
}

static void test_a_full_queue(void **state)
{
	struct rig *r = *state;
	uint8_t data[LINK_QUEUE_MAX + 1] = { 0 };
	int status = 0;

	connect_up(r, "127.0.0.1");
	assert_int_equal(link_write(r->link, data, sizeof(data)), U2K_EBUSY);
	while (status == 0) /* the peer reads nothing */
		status = link_write(r->link, data, LINK_QUEUE_MAX);
	assert_int_equal(status, U2K_EBUSY);
}

/* --- names ------------------------------------------------------------------------------------- */

static pthread_mutex_t lookup_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t lookup_go = PTHREAD_COND_INITIALIZER;
static bool lookup_may_end;
static unsigned lookups, lookups_ended;

/* As a resolver whose servers do not answer, until it may end. */
static int stuck_lookup(const char *host, const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	int status;

	(void)host;
	pthread_mutex_lock(&lookup_lock);
	lookups++;
	while (!lookup_may_end)
		pthread_cond_wait(&lookup_go, &lookup_lock);
	pthread_mutex_unlock(&lookup_lock);
	status = getaddrinfo("127.0.0.1", service, hints, result);
	pthread_mutex_lock(&lookup_lock);
	lookups_ended++;
	pthread_cond_broadcast(&lookup_go);
	pthread_mutex_unlock(&lookup_lock);
	return status;
}

static int failing_lookup(const char *host, const char *service, const struct addrinfo *hints,
			  struct addrinfo **result)
{
	(void)host, (void)service, (void)hints, (void)result;
	return EAI_NONAME;
}

static void let_lookups_end(bool may)
{
	pthread_mutex_lock(&lookup_lock);
	lookup_may_end = may;
	pthread_cond_broadcast(&lookup_go);
	while (may && lookups_ended < lookups)
		pthread_cond_wait(&lookup_go, &lookup_lock);
	pthread_mutex_unlock(&lookup_lock);
}

static void test_name_servers_that_answer_late(void **state)
{
	struct rig *r = *state;

	let_lookups_end(false);
	start(r, "gateway.example", stuck_lookup);
	expect(r, is_absent);
	assert_non_null(strstr(r->reason, "no name server has answered yet"));
	let_lookups_end(true);
	expect(r, is_up);
}

/* The link goes while its lookup is stuck: nothing waits for it, nothing of it is used later. */
static void test_freed_while_the_lookup_is_stuck(void **state)
{
	struct rig *r = *state;
	int64_t from = clock_us();

	let_lookups_end(false);
	start(r, "gateway.example", stuck_lookup);
	expect(r, is_absent);
	link_free(r->link);
	r->link = NULL;
	assert_in_range(clock_us() - from, 0, 8000000);
	let_lookups_end(true);
}

static void test_unknown_name(void **state)
{
	struct rig *r = *state;

	start(r, "no-such-name.invalid", failing_lookup);
	expect(r, is_absent);
	assert_non_null(strstr(r->reason, "leads to no address"));
}

/* Addresses of before serve while no name server answers. */
static void test_reconnect_without_name_servers(void **state)
{
	struct rig *r = *state;

	let_lookups_end(true);
	start(r, "gateway.example", stuck_lookup);
	expect(r, is_up);
	expect(r, is_accepted);
	let_lookups_end(false);
	close(r->peer);
	r->peer = -1;
	expect(r, is_up_again);
	let_lookups_end(true);
}

static void test_bad_configurations(void **state)
{
	struct rig *r = *state;
	static const struct link_ops ops = { on_state, on_rx };
	char longest[LINK_HOST_MAX + 1];
	struct link_tcp_config empty = { .host = "", .port = 1 }, zero = { .host = "a", .port = 0 },
			       too_long = { .host = longest, .port = 1 };

	memset(longest, 'a', sizeof(longest));
	longest[LINK_HOST_MAX] = '\0';
	assert_null(link_tcp_new(r->base, &empty, &ops, r));
	assert_null(link_tcp_new(r->base, &zero, &ops, r));
	assert_null(link_tcp_new(r->base, &too_long, &ops, r));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		TEST(test_bytes_pass),
		TEST(test_a_name_of_hosts),
		TEST(test_closed_by_the_peer_and_back),
		TEST(test_refused_and_back_within_a_second),
		TEST(test_reopen),
		TEST(test_freed_in_a_callback),
		TEST(test_a_full_queue),
		TEST(test_name_servers_that_answer_late),
		TEST(test_freed_while_the_lookup_is_stuck),
		TEST(test_unknown_name),
		TEST(test_reconnect_without_name_servers),
		TEST(test_bad_configurations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
