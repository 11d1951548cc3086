#include "front/nut/internal.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/config.h"
#include "util/util.h"

static union address address_of(const char *text)
{
	union address a = { 0 };

	if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1)
		a.sa.sa_family = AF_INET6;
	else if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1)
		a.sa.sa_family = AF_INET;
	else
		fail_msg("%s is no address", text);
	return a;
}

static void test_networks(void **state)
{
	static const struct {
		const char *network, *inside, *outside;
	} rows[] = {
		{ "192.168.1.0/24", "192.168.1.255", "192.168.2.0" },
		{ "192.168.1.0/25", "192.168.1.127", "192.168.1.128" },
		{ "192.168.1.7", "192.168.1.7", "192.168.1.6" },
		{ "192.168.1.7/32", "192.168.1.7", "192.168.1.8" },
		{ "10.0.0.0/8", "10.255.0.1", "11.0.0.1" },
		{ "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
		{ "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1" },
		{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1" },
		{ "fe80::/10", "febf::1", "fec0::1" },
		{ "::1", "::1", "::2" },
		{ "::/0", "2001:db8::1", NULL },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3" }, /* IPv4 in an IPv6 socket */
		{ "loopback", "127.8.9.1", "128.0.0.1" },
		{ "Loopback", "::1", "::" },
		{ "any", "203.0.113.9", NULL },
		{ "any", "2001:db8::1", NULL },
	};
	struct sockaddr local = { .sa_family = AF_UNIX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct networks set = { 0 };
		union address inside = address_of(rows[i].inside), outside;
		char why[256];

		if (!networks_add(&set, rows[i].network, why, sizeof(why)))
			fail_msg("%s: %s", rows[i].network, why);
		if (!networks_hold(&set, &inside.sa))
			fail_msg("%s does not hold %s", rows[i].network, rows[i].inside);
		if (rows[i].outside) {
			outside = address_of(rows[i].outside);
			if (networks_hold(&set, &outside.sa))
				fail_msg("%s holds %s", rows[i].network, rows[i].outside);
		}
		assert_false(networks_hold(&set, &local));
		networks_close(&set);
	}
}

static void test_bad_networks(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "is no network" },
		{ "lan", "is no network" },
		{ "192.168.1", "is no network" },
		{ "192.168.1.256", "is no network" },
		{ "192.168.1.0/", "Use 0 to 32" },
		{ "192.168.1.0/33", "Use 0 to 32" },
		{ "192.168.1.0/-1", "Use 0 to 32" },
		{ "192.168.1.0/24x", "Use 0 to 32" },
		{ "192.168.1.0/255.255.255.0", "Use 0 to 32" },
		{ "192.168.1.5/24", "Did you mean \"192.168.1.0/24\"?" },
		{ "fd00::/129", "Use 0 to 128" },
		{ "fd00::1/8", "Did you mean \"fd00::/8\"?" },
		{ "fe80::1%eth0", "is no network" },
		{ "::ffff:10.0.0.0/104", "is no network" }, /* write it as IPv4 */
		{ "/24", "is no network" },
		{ "any/0", "is no network" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd/64",
		  "is no network" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct networks set = { 0 };
		char why[256] = "";

		if (networks_add(&set, rows[i].text, why, sizeof(why)) ||
		    !strstr(why, rows[i].why) || set.n)
			fail_msg("%s: %s", rows[i].text, why);
	}
}

static void test_rules(void **state)
{
	struct config_access access = { 0 };
	struct nut_server server = { .access = &access };
	struct config_user user = { .weak = false };
	union address lan = address_of("192.168.1.5"), other = address_of("10.0.0.5");
	union address local = address_of("127.0.0.1"), local6 = address_of("::1");
	struct conn conn = { .server = &server };
	struct secure secure = { .up = true };
	char why[256];

	(void)state;
	for (enum access a = ACCESS_CONNECT; a <= ACCESS_FSD; a++) /* nothing is confined */
		assert_true(access_allows(&server, a, &other));
	networks_add(&access.set, "192.168.1.0/24", why, sizeof(why));
	assert_true(access_allows(&server, ACCESS_SET, &lan));
	assert_false(access_allows(&server, ACCESS_SET, &other));
	assert_true(access_allows(&server, ACCESS_SET, &local)); /* this host always may */
	assert_true(access_allows(&server, ACCESS_SET, &local6));
	assert_true(access_allows(&server, ACCESS_FSD, &other)); /* a rule of its own */

	/* a user's networks are meant literally: they are for passwords that everybody knows */
	assert_true(rights_here(&user, &other.sa));
	networks_add(&user.networks, "192.168.1.5", why, sizeof(why));
	assert_true(rights_here(&user, &lan.sa));
	assert_false(rights_here(&user, &other.sa));
	assert_false(rights_here(&user, &local.sa));

	conn.peer = local;
	assert_false(access_needs_tls(&conn));
	server.require_tls = CONFIG_TLS_REMOTE;
	assert_false(access_needs_tls(&conn));
	conn.peer = lan;
	assert_true(access_needs_tls(&conn));
	conn.secure = &secure;
	assert_false(access_needs_tls(&conn));
	server.require_tls = CONFIG_TLS_ALL;
	assert_false(access_needs_tls(&conn));
	conn.secure = NULL;
	conn.peer = local;
	assert_true(access_needs_tls(&conn));
	networks_close(&access.set);
	networks_close(&user.networks);
}

static void test_connections_per_address(void **state)
{
	struct peers *peers = peers_new();
	union address a = address_of("192.0.2.1"), b = address_of("192.0.2.2");
	union address six = address_of("2001:db8::1"), same64 = address_of("2001:db8::ffff:1");
	union address other64 = address_of("2001:db8:0:1::1"), local = address_of("127.0.0.9");
	struct peer *first, *second, *many[50];

	(void)state;
	peers_configure(peers, 2, 0);
	first = peers_enter(peers, &a.sa);
	second = peers_enter(peers, &a.sa);
	assert_non_null(first);
	assert_ptr_equal(first, second);
	assert_null(peers_enter(peers, &a.sa));
	peers_leave(peers, peers_enter(peers, &b.sa)); /* nobody else's business */
	peers_leave(peers, first);
	second = peers_enter(peers, &a.sa);
	assert_non_null(second);
	peers_leave(peers, second);
	peers_leave(peers, second);
	assert_int_equal(peers_count(peers), 0);

	/* one host may have all addresses of a /64 */
	first = peers_enter(peers, &six.sa);
	assert_ptr_equal(peers_enter(peers, &same64.sa), first);
	assert_null(peers_enter(peers, &six.sa));
	peers_leave(peers, peers_enter(peers, &other64.sa));
	peers_leave(peers, first);
	peers_leave(peers, first);

	for (size_t i = 0; i < ARRAY_SIZE(many); i++) /* this host has no limit */
		assert_non_null(many[i] = peers_enter(peers, &local.sa));
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		peers_leave(peers, many[i]);
	assert_int_equal(peers_count(peers), 0);
	peers_free(peers);
}

static void test_failed_logins(void **state)
{
	struct peers *peers = peers_new();
	union address a = address_of("192.0.2.1"), b = address_of("192.0.2.2");
	union address local = address_of("::1");
	struct peer *peer, *other;
	bool begins;

	(void)state;
	peers_configure(peers, 0, 3);
	peer = peers_enter(peers, &a.sa);
	other = peers_enter(peers, &b.sa);
	for (int i = 0; i < 2; i++)
		peers_failed(peer);
	assert_false(peers_blocked(peers, peer, &begins));
	peers_failed(peer);
	peers_take_back(peer); /* that one was right */
	assert_false(peers_blocked(peers, peer, &begins));
	peers_failed(peer);
	assert_true(peers_blocked(peers, peer, &begins));
	assert_true(begins);
	assert_true(peers_blocked(peers, peer, &begins));
	assert_false(begins); /* said already */
	assert_false(peers_blocked(peers, other, &begins));

	peers_leave(peers, peer); /* leaving does not wash it away */
	assert_int_equal(peers_count(peers), 2);
	peer = peers_enter(peers, &a.sa);
	assert_true(peers_blocked(peers, peer, &begins));
	peers_configure(peers, 0, 0); /* no limit any more */
	assert_false(peers_blocked(peers, peer, &begins));
	peers_leave(peers, peer);
	peers_leave(peers, other);

	peers_configure(peers, 0, 3); /* this host may fail ten times as often */
	peer = peers_enter(peers, &local.sa);
	for (int i = 0; i < 29; i++)
		peers_failed(peer);
	assert_false(peers_blocked(peers, peer, &begins));
	for (int i = 0; i < 31; i++) /* one a second is forgiven meanwhile */
		peers_failed(peer);
	assert_true(peers_blocked(peers, peer, &begins));
	peers_leave(peers, peer);
	peers_free(peers);
}

/* A stranger with a whole network of addresses: what is remembered stays bounded. */
static void test_many_addresses(void **state)
{
	struct peers *peers = peers_new();
	struct peer *peer;
	bool begins;

	(void)state;
	peers_configure(peers, 1, 1);
	for (uint32_t i = 0; i < 3 * PEERS_IDLE_MAX; i++) {
		union address a = { .in = { .sin_family = AF_INET } };

		a.in.sin_addr.s_addr = htonl(0x0a000000 + i);
		peer = peers_enter(peers, &a.sa);
		assert_non_null(peer);
		peers_failed(peer);
		peers_leave(peers, peer);
		assert_true(peers_count(peers) <= PEERS_IDLE_MAX + 1);
	}
	union address last = { .in = { .sin_family = AF_INET } };

	last.in.sin_addr.s_addr = htonl(0x0a000000 + 3 * PEERS_IDLE_MAX - 1);
	peer = peers_enter(peers, &last.sa); /* the newest are remembered */
	assert_true(peers_blocked(peers, peer, &begins));
	peers_leave(peers, peer);
	peers_free(peers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_bad_networks),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_connections_per_address),
		cmocka_unit_test(test_failed_logins),
		cmocka_unit_test(test_many_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
