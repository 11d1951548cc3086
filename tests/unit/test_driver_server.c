/* The driver's socket against a hub filled by hand: what is pushed, what is answered, who is dropped. */
#include "driver/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "daemon/hub.h"
#include "nut/store.h"
#include "util/util.h"
#include <ups2000/error.h>

#include "made_hub.h"

struct rig {
	struct event_base *base;
	struct hub *hub;
	struct hub_ups *ups;
	struct server *server;
	struct hub_order *order; /* the last one, not ended yet */
	int fd;			 /* upsd's end */
	char got[65536];
	int reloads, leaves, kills;
	unsigned debug;
};

static struct rig rig;

static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	(void)backend;
	(void)ups;
	rig.order = order;
}

static int reload(void *user, bool or_error, bool or_exit)
{
	(void)user;
	(void)or_exit;
	rig.reloads++;
	return or_error ? TRACKING_FAILED : TRACKING_DONE;
}

static int set_debug(void *user, unsigned level)
{
	(void)user;
	rig.debug = level;
	return TRACKING_DONE;
}

static void leave(void *user)
{
	(void)user;
	rig.leaves++;
}

static void killpower(void *user)
{
	(void)user;
	rig.kills++;
}

static int connect_peer(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	server_add_peer(rig.server, fds[0]);
	return fds[1];
}

static int setup(void **state)
{
	static const struct hub_backend backend = { .order = take_order };
	static const struct server_ops ops = { reload, set_debug, leave, killpower };

	(void)state;
	memset(&rig, 0, sizeof(rig));
	rig.base = event_base_new();
	rig.hub = hub_new(rig.base);
	rig.ups = made_ups(rig.hub, "ups", NULL, NULL);
	rig.ups->ops = &backend;
	rig.server = server_new(rig.ups, &ops, &rig);
	rig.fd = connect_peer();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(rig.fd);
	server_free(rig.server);
	hub_free(rig.hub);
	event_base_free(rig.base);
	return 0;
}

static void turn(void)
{
	for (int i = 0; i < 10; i++)
		event_base_loop(rig.base, EVLOOP_NONBLOCK);
}

/* All that came to a peer so far. */
static const char *received(int fd)
{
	ssize_t n;

	turn();
	n = recv(fd, rig.got, sizeof(rig.got) - 1, MSG_DONTWAIT);
	rig.got[n > 0 ? n : 0] = '\0';
	return rig.got;
}

static void say(const char *text)
{
	assert_int_equal(write(rig.fd, text, strlen(text)), (ssize_t)strlen(text));
	turn();
}

static void test_dump_and_pushes(void **state)
{
	const char *got;

	(void)state;
	say("DUMPALL\n");
	got = received(rig.fd);
	assert_non_null(strstr(got, "SETINFO ups.status \"OL CHRG\"\n"));
	assert_non_null(strstr(got, "\nADDCMD driver.killpower\n"));
	assert_string_equal(got + strlen(got) - 16, "DATAOK\nDUMPDONE\n");

	nut_store_set(rig.ups->store, "ups.status", "OB #1");
	assert_string_equal(received(rig.fd), "SETINFO ups.status \"OB \\#1\"\n");
	nut_store_set(rig.ups->store, "ups.status", "OB #1");
	assert_string_equal(received(rig.fd), "");
	nut_store_set(rig.ups->store, "ups.start.auto", "YES");
	assert_string_equal(received(rig.fd),
			    "DELINFO ups.start.auto\nSETINFO ups.start.auto \"YES\"\n"
			    "ADDENUM ups.start.auto \"yes\"\nADDENUM ups.start.auto \"no\"\n"
			    "SETAUX ups.start.auto 3\nSETFLAGS ups.start.auto RW STRING\n");
	nut_store_del(rig.ups->store, "battery.charge");
	nut_store_del_cmd(rig.ups->store, "load.off");
	nut_store_add_cmd(rig.ups->store, "load.on");
	assert_string_equal(received(rig.fd),
			    "DELINFO battery.charge\nDELCMD load.off\nADDCMD load.on\n");
}

static void test_staleness(void **state)
{
	struct u2k_snapshot snap;

	(void)state;
	made_snapshot(&snap, clock_us());
	snap.comm = U2K_COMM_STALE;
	hub_publish(rig.ups, &snap, U2K_CHANGED_COMM);
	assert_string_equal(received(rig.fd), "DATASTALE\n");
	hub_publish(rig.ups, &snap, U2K_CHANGED_COMM);
	assert_string_equal(received(rig.fd), "");
	say("DUMPSTATUS\n");
	assert_string_equal(received(rig.fd),
			    "DATASTALE\nSETINFO ups.status \"OL CHRG\"\nDUMPDONE\n");
	snap.comm = U2K_COMM_OK;
	hub_publish(rig.ups, &snap, U2K_CHANGED_COMM);
	assert_string_equal(received(rig.fd), "DATAOK\n");
}

static void test_outcomes(void **state)
{
	static const struct {
		enum u2k_outcome outcome;
		int error, code;
	} rows[] = {
		{ U2K_VERIFIED, 0, 0 },
		{ U2K_REFUSED, U2K_EINVAL, 2 },
		{ U2K_REFUSED, U2K_ENOTSUP, 1 },
		{ U2K_REFUSED, U2K_EREFUSED, 3 },
		{ U2K_FAILED, 0, 3 },
	};
	char expected[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		say("INSTCMD load.off TRACKING id-1\n");
		assert_string_equal(received(rig.fd), ""); /* never the word PENDING */
		assert_string_equal(rig.order->name, "load.off");
		assert_null(rig.order->value);
		hub_order_progress(rig.ups, rig.order, "armed");
		assert_string_equal(received(rig.fd), "");
		hub_order_end(rig.ups, rig.order, rows[i].outcome, rows[i].error, "x");
		snprintf(expected, sizeof(expected), "TRACKING id-1 %d\n", rows[i].code);
		assert_string_equal(received(rig.fd), expected);
	}
	/* without an id nobody waits */
	say("INSTCMD shutdown.return 12\n");
	assert_string_equal(rig.order->value, "12");
	hub_order_end(rig.ups, rig.order, U2K_VERIFIED, 0, "x");
	assert_string_equal(received(rig.fd), "");
	say("SET ups.delay.shutdown \"12\" TRACKING s\n");
	assert_int_equal(rig.order->kind, HUB_ORDER_SET);
	hub_order_end(rig.ups, rig.order, U2K_VERIFIED, 0, "x");
	assert_string_equal(received(rig.fd), "TRACKING s 0\n");
}

static void test_what_never_reaches_the_ups(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "INSTCMD nope TRACKING a\n", "TRACKING a 1\n" },
		{ "SET nope 1 TRACKING a\n", "TRACKING a 1\n" },
		{ "SET battery.charge 1 TRACKING a\n", "TRACKING a 1\n" }, /* not writable */
		{ "SET ups.delay.shutdown TRACKING a\n", "TRACKING a 2\n" },
		{ "INSTCMD load.off 1 2 TRACKING a\n", "TRACKING a 2\n" },
		{ "INSTCMD load.off 1 2\n", "" },
		{ "FSD\n", "" },
		{ "INSTCMD driver.reload 1 TRACKING a\n", "TRACKING a 2\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s", rows[i].in);
		say(rows[i].in);
		assert_string_equal(received(rig.fd), rows[i].out);
		assert_null(rig.order);
	}
}

static void test_asker_gone(void **state)
{
	int other = connect_peer();

	(void)state;
	assert_true(write(other, "INSTCMD load.off TRACKING a\n", 28) == 28);
	turn();
	close(other);
	turn();
	hub_order_end(rig.ups, rig.order, U2K_VERIFIED, 0, "x");
	assert_string_equal(received(rig.fd), "");
}

static void test_driver_commands(void **state)
{
	(void)state;
	say("INSTCMD driver.reload TRACKING a\n");
	assert_string_equal(received(rig.fd), "TRACKING a 0\n");
	say("INSTCMD driver.reload-or-error TRACKING b\n");
	assert_string_equal(received(rig.fd), "TRACKING b 3\n");
	assert_int_equal(rig.reloads, 2);
	say("INSTCMD driver.exit TRACKING c\n");
	assert_string_equal(received(rig.fd), "TRACKING c 0\n");
	assert_int_equal(rig.leaves, 1);
	say("SET driver.debug 3 TRACKING d\n");
	assert_string_equal(received(rig.fd), "SETINFO driver.debug \"3\"\nTRACKING d 0\n");
	assert_int_equal(rig.debug, 3);
	say("SET driver.debug 101 TRACKING d\nSET driver.debug -1 TRACKING d\n");
	assert_string_equal(received(rig.fd), "TRACKING d 2\nTRACKING d 2\n");
}

static void test_killpower_needs_leave(void **state)
{
	(void)state;
	say("INSTCMD driver.killpower TRACKING a\n");
	assert_string_equal(received(rig.fd), "TRACKING a 2\n");
	say("SET driver.flag.allow_killpower yes TRACKING b\n");
	assert_string_equal(received(rig.fd), "TRACKING b 2\n");
	say("SET driver.flag.allow_killpower 1 TRACKING b\n");
	assert_string_equal(received(rig.fd),
			    "SETINFO driver.flag.allow_killpower \"1\"\nTRACKING b 0\n");
	/* two askers, one run */
	say("INSTCMD driver.killpower TRACKING c\nINSTCMD driver.killpower TRACKING d\n");
	assert_string_equal(received(rig.fd), "");
	assert_int_equal(rig.kills, 1);
	server_killpower_done(rig.server, true);
	assert_string_equal(received(rig.fd), "TRACKING d 0\nTRACKING c 0\n");
	say("INSTCMD driver.killpower TRACKING e\n");
	server_killpower_done(rig.server, false);
	assert_string_equal(received(rig.fd), "TRACKING e 3\n");
}

static void test_quiet_peers(void **state)
{
	(void)state;
	say("NOBROADCASTPING\n");
	assert_string_equal(received(rig.fd), "PONG\n");
	nut_store_set(rig.ups->store, "ups.status", "OB");
	assert_string_equal(received(rig.fd), "");
	say("BROADCAST 1\n");
	nut_store_set(rig.ups->store, "ups.status", "OL");
	assert_string_equal(received(rig.fd), "SETINFO ups.status \"OL\"\n");
	say("BROADCAST 0\n");
	nut_store_set(rig.ups->store, "ups.status", "OB");
	say("LOGOUT\nPING\n");
	assert_string_equal(received(rig.fd), "OK Goodbye\n");
	assert_int_equal(recv(rig.fd, rig.got, 1, MSG_DONTWAIT), 0);
}

static void test_who_never_reads_is_dropped(void **state)
{
	int other = connect_peer();

	(void)state;
	for (int i = 0; i < 100000 && server_drained(rig.server); i++) {
		nut_store_set(rig.ups->store, "ups.load", i % 2 ? "1" : "2");
		event_base_loop(rig.base, EVLOOP_NONBLOCK);
		while (recv(other, rig.got, sizeof(rig.got), MSG_DONTWAIT) > 0)
			;
	}
	assert_false(server_drained(rig.server));
	for (int i = 0; i < 100000 && !server_drained(rig.server); i++) {
		nut_store_set(rig.ups->store, "ups.load", i % 2 ? "3" : "4");
		event_base_loop(rig.base, EVLOOP_NONBLOCK);
		while (recv(other, rig.got, sizeof(rig.got), MSG_DONTWAIT) > 0)
			;
	}
	assert_true(server_drained(rig.server));
	assert_true(write(other, "PING\n", 5) == 5);
	assert_string_equal(received(other), "PONG\n");
	close(other);
}

static void test_half_lines(void **state)
{
	(void)state;
	say("PI");
	assert_string_equal(received(rig.fd), "");
	say("NG\nPIN");
	assert_string_equal(received(rig.fd), "PONG\n");
	close(rig.fd);
	turn();
	rig.fd = connect_peer();
	say("PING\n");
	assert_string_equal(received(rig.fd), "PONG\n");
}

static void test_the_socket_itself(void **state)
{
	char directory[] = "/tmp/test_driver_server.XXXXXX", error[512];
	char *path;
	struct stat st;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/ups2000-ups", directory);
	assert_true(server_listen(rig.server, path, (gid_t)-1, error, sizeof(error)));
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0660);
	server_unlisten(rig.server);
	assert_int_not_equal(stat(path, &st), 0);

	/* something else in its place stays */
	file = fopen(path, "w");
	fclose(file);
	assert_false(server_listen(rig.server, path, (gid_t)-1, error, sizeof(error)));
	assert_non_null(strstr(error, "is no socket"));
	unlink(path);
	rmdir(directory);
	assert_false(server_listen(rig.server, path, (gid_t)-1, error, sizeof(error)));
	assert_non_null(strstr(error, "cannot be made"));
	free(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_dump_and_pushes),
		TEST(test_staleness),
		TEST(test_outcomes),
		TEST(test_what_never_reaches_the_ups),
		TEST(test_asker_gone),
		TEST(test_driver_commands),
		TEST(test_killpower_needs_leave),
		TEST(test_quiet_peers),
		TEST(test_who_never_reads_is_dropped),
		TEST(test_half_lines),
		TEST(test_the_socket_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
