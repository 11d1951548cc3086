#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify/wol.h"
#include "util/util.h"

static const uint8_t mac[] = { 0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc };

static void test_good_macs(void **state)
{
	static const char *const rows[] = { "00:11:22:aa:bb:cc", "00-11-22-AA-BB-CC",
					    "0011.22aa.bbcc", "001122AABBcc" };
	char why[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t out[6] = { 0 };

		if (!wol_parse_mac(rows[i], out, why, sizeof(why)))
			fail_msg("%s: %s", rows[i], why);
		assert_memory_equal(out, mac, 6);
	}
}

static void test_bad_macs(void **state)
{
	static const char *const rows[] = {
		"",
		":",
		"00:11:22:aa:bb",
		"00:11:22:aa:bb:",
		"00:11:22:aa:bb:c",
		"00:11:22:aa:bb:cc:",
		"00:11:22:aa:bb:cc:dd",
		"00:11-22:aa:bb:cc",
		"00:11:22:aa:bb:cg",
		"0:11:22:aa:bb:cc",
		"0011:22aa:bbcc",
		"00.11.22.aa.bb.cc",
		"001122aabbccd",
		"001122aabbc",
		" 001122aabbcc",
		"00:00:00:00:00:00",
		"ff:ff:ff:ff:ff:ff",
		"01:00:5e:00:00:01",
		"server.example",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t out[6] = { 1, 2, 3, 4, 5, 6 };
		char why[256] = "";

		if (wol_parse_mac(rows[i], out, why, sizeof(why)))
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(out[0], 1);
		assert_non_null(strstr(why, ". ")); /* what, and what would be right */
	}
}

static void test_passwords(void **state)
{
	struct wol_host host = { { 0 }, { 0 }, 0 };
	char why[256] = "";

	(void)state;
	assert_true(wol_parse_password("01:02:03:04:05:06", &host, why, sizeof(why)));
	assert_int_equal(host.password_len, 6);
	assert_memory_equal(host.password, "\1\2\3\4\5\6", 6);
	assert_true(wol_parse_password("192.168.1.2", &host, why, sizeof(why)));
	assert_int_equal(host.password_len, 4);
	assert_memory_equal(host.password, "\xc0\xa8\1\2", 4);
	assert_false(wol_parse_password("hunter2", &host, why, sizeof(why)));
	assert_null(strstr(why, "hunter2"));
	assert_false(wol_parse_password("1.2.3", &host, why, sizeof(why)));
	assert_false(wol_parse_password("1.2.3.400", &host, why, sizeof(why)));
}

static int listen_udp(uint16_t *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

/* Sends to loopback and compares what came with a packet written out here. */
static void check_sent(const struct wol_host *host, size_t want_len)
{
	struct wol_route route = { .address = "127.0.0.1" };
	uint8_t want[WOL_PACKET_MAX], got[256];
	char error[256] = "";
	int fd = listen_udp(&route.port);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	for (size_t i = 0; i < 102; i++)
		want[i] = i < 6 ? 0xff : mac[i % 6];
	memcpy(want + 102, host->password, host->password_len);

	if (wol_send(host, &route, error, sizeof(error)) != 1)
		fail_msg("%s", error);
	assert_int_equal(poll(&poll_fd, 1, 30000), 1);
	assert_int_equal(recv(fd, got, sizeof(got), 0), want_len);
	assert_memory_equal(got, want, want_len);
	close(fd);
}

static void test_packet_arrives(void **state)
{
	struct wol_host host = { .password_len = 0 };

	(void)state;
	memcpy(host.mac, mac, 6);
	check_sent(&host, 102);
	memcpy(host.password, "\1\2\3\4\5\6", 6);
	host.password_len = 6;
	check_sent(&host, 108);
	host.password_len = 4;
	check_sent(&host, 106);
}

static void test_bad_routes(void **state)
{
	static const struct {
		struct wol_route route;
		const char *says;
	} rows[] = {
		{ { .address = "server.example" }, "not an address" },
		{ { .address = "127.0.0.1/8" }, "not an address" },
		{ { .interface = "nonesuch0" }, "nonesuch0" },
		{ { .interface = "lo" }, "no IPv4 broadcast" },
	};
	struct wol_host host = { .password_len = 0 };

	(void)state;
	memcpy(host.mac, mac, 6);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char error[256] = "";

		assert_int_equal(wol_send(&host, &rows[i].route, error, sizeof(error)), 0);
		if (!strstr(error, rows[i].says))
			fail_msg("row %zu: %s", i, error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_macs),  cmocka_unit_test(test_bad_macs),
		cmocka_unit_test(test_passwords),  cmocka_unit_test(test_packet_arrives),
		cmocka_unit_test(test_bad_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
