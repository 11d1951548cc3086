#include "front/nut/internal.h"

#include <arpa/inet.h>
#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/config.h"
#include "daemon/hub.h"
#include "nut/store.h"
#include "util/util.h"
#include <ups2000/ups.h>

/* Reply lines */

static void test_lines(void **state)
{
	struct out out = { 0 };
	char text[601];

	(void)state;
	memset(text, '#', 600);
	text[600] = '\0';
	out_begin(&out);
	out_put(&out, "VAR");
	out_word(&out, "u");
	out_quoted(&out, "a\"b");
	assert_true(out_end(&out));
	assert_int_equal(out.len, strlen("VAR u \"a\\\"b\"\n"));
	assert_memory_equal(out.data, "VAR u \"a\\\"b\"\n", out.len);

	out.len = 0; /* a value too long is cut behind a whole escape, its line stays whole */
	out_begin(&out);
	out_put(&out, "VAR");
	out_word(&out, "u");
	out_quoted(&out, text);
	assert_true(out_end(&out));
	assert_in_range(out.len, 510, 512);
	assert_memory_equal(out.data + out.len - 4, "\\#\"\n", 4);

	out_begin(&out); /* names too long: no line at all */
	out_put(&out, "DESC");
	out_word(&out, text);
	out_bare_quoted(&out, "text");
	assert_false(out_end(&out));
	assert_in_range(out.len, 510, 512);

	for (size_t n = 490; n <= 512; n++) { /* around the limit */
		char word[513];

		memset(word, 'w', n);
		word[n] = '\0';
		out.len = 0;
		out_begin(&out);
		out_put(&out, word);
		out_quoted(&out, "value");
		bool whole = out_end(&out);

		assert_true(whole == (n + 3 <= OUT_LINE_MAX));
		if (whole)
			assert_memory_equal(out.data + out.len - 2, "\"\n", 2);
		assert_true(out.len <= OUT_LINE_MAX + 1);
	}
	out_close(&out);
}

/* Passwords */

struct rig {
	struct event_base *base;
	struct auth *auth;
	struct auth_wait wait;
	int ready;
	enum auth_result result;
};

static void on_ready(struct auth_wait *wait)
{
	struct rig *rig = container_of(wait, struct rig, wait);

	rig->ready++;
}

static char *hash_of(const char *password, const char *prefix, unsigned long cost)
{
	return xstrdup(crypt(password, crypt_gensalt(prefix, cost, NULL, 0)));
}

/* Ask until there is an answer. */
static enum auth_result ask(struct rig *rig, const struct config_user *user, const char *password)
{
	enum auth_result result;

	while ((result = auth_check(rig->auth, user, password, &rig->wait)) == AUTH_PENDING) {
		int before = rig->ready;

		while (rig->ready == before)
			event_base_loop(rig->base, EVLOOP_ONCE);
	}
	return result;
}

static int set_up(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	rig->base = event_base_new();
	rig->auth = auth_new(rig->base);
	rig->wait.ready = on_ready;
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	auth_free(rig->auth);
	assert_int_equal(event_base_get_num_events(rig->base, EVENT_BASE_COUNT_ADDED), 0);
	event_base_free(rig->base);
	free(rig);
	return 0;
}

static void test_passwords(void **state)
{
	char name[] = "u", plain[] = "open", empty[] = "", broken[] = "$y$nonsense";
	char *yescrypt = hash_of("open", "$y$", 1), *sha512 = hash_of("open", "$6$", 1000);
	const struct {
		const char *what;
		struct config_user user;
		const char *password;
		enum auth_result result;
	} rows[] = {
		{ "plain", { .name = name, .password = plain, .plain = true }, "open", AUTH_OK },
		{ "plain, wrong",
		  { .name = name, .password = plain, .plain = true },
		  "opem",
		  AUTH_DENIED },
		{ "plain, longer",
		  { .name = name, .password = plain, .plain = true },
		  "open ",
		  AUTH_DENIED },
		{ "plain, empty",
		  { .name = name, .password = plain, .plain = true },
		  "",
		  AUTH_DENIED },
		{ "empty", { .name = name, .password = empty, .plain = true }, "", AUTH_OK },
		{ "empty, wrong",
		  { .name = name, .password = empty, .plain = true },
		  "x",
		  AUTH_DENIED },
		{ "none", { .name = name }, "", AUTH_DENIED },
		{ "yescrypt", { .name = name, .password = yescrypt }, "open", AUTH_OK },
		{ "yescrypt, wrong", { .name = name, .password = yescrypt }, "Open", AUTH_DENIED },
		{ "the hash is no password",
		  { .name = name, .password = yescrypt },
		  yescrypt,
		  AUTH_DENIED },
		{ "sha512crypt", { .name = name, .password = sha512 }, "open", AUTH_OK },
		{ "sha512crypt, wrong", { .name = name, .password = sha512 }, "", AUTH_DENIED },
		{ "broken hash", { .name = name, .password = broken }, "open", AUTH_DENIED },
		{ "broken hash as password",
		  { .name = name, .password = broken },
		  broken,
		  AUTH_DENIED },
	};
	struct rig *rig = *state;

	assert_int_equal(auth_check(rig->auth, NULL, "x", &rig->wait), AUTH_DENIED);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int before = rig->ready;

		if (ask(rig, &rows[i].user, rows[i].password) != rows[i].result)
			fail_msg("%s", rows[i].what);
		before = rig->ready - before;
		assert_int_equal(before, rows[i].user.password && !rows[i].user.plain);
		/* the second time it is known */
		assert_int_equal(auth_check(rig->auth, &rows[i].user, rows[i].password, &rig->wait),
				 rows[i].result);
	}
	free(yescrypt);
	free(sha512);
}

/* What was remembered belongs to the hash: a changed password is not passed by the old one. */
static void test_changed_hash(void **state)
{
	char name[] = "u";
	char *first = hash_of("one", "$6$", 1000), *second = hash_of("two", "$6$", 1000);
	struct config_user user = { .name = name, .password = first };
	struct rig *rig = *state;

	assert_int_equal(ask(rig, &user, "one"), AUTH_OK);
	user.password = second;
	assert_int_equal(ask(rig, &user, "one"), AUTH_DENIED);
	assert_int_equal(ask(rig, &user, "two"), AUTH_OK);
	free(first);
	free(second);
}

static void test_queue_is_bounded(void **state)
{
	enum { WAITS = 100 };
	struct rig *rigs = xcalloc(WAITS, sizeof(*rigs));
	struct rig *rig = *state;
	char name[] = "u", password[16];
	char *hash = hash_of("right", "$6$", 1000);
	struct config_user user = { .name = name, .password = hash };
	unsigned pending = 0, denied = 0, same = 0;

	for (unsigned i = 0; i < WAITS; i++) {
		rigs[i].wait.ready = on_ready;
		snprintf(password, sizeof(password), "wrong%u", i);
		rigs[i].result = auth_check(rig->auth, &user, password, &rigs[i].wait);
		pending += rigs[i].result == AUTH_PENDING;
		denied += rigs[i].result == AUTH_DENIED;
	}
	assert_int_equal(pending, 64);
	assert_int_equal(denied, 36);
	/* those who ask what is being computed already cost nothing */
	for (unsigned i = 64; i < WAITS; i++)
		same += auth_check(rig->auth, &user, "wrong63", &rigs[i].wait) == AUTH_PENDING;
	assert_int_equal(same, 36);
	auth_cancel(&rigs[99].wait);
	auth_cancel(&rigs[99].wait);
	auth_cancel(&rigs[0].wait);
	while (!rigs[98].ready)
		event_base_loop(rig->base, EVLOOP_ONCE);
	for (unsigned i = 0; i < WAITS; i++)
		assert_int_equal(rigs[i].ready, i != 0 && i != 99);
	assert_int_equal(ask(rig, &user, "right"), AUTH_OK);
	free(rigs);
	free(hash);
}

/* Freed with hashes still waiting: nobody is called, nothing leaks. */
static void test_freed_while_busy(void **state)
{
	char name[] = "u";
	char *hash = hash_of("right", "$6$", 1000);
	struct config_user user = { .name = name, .password = hash };
	struct rig *rig = *state;

	assert_int_equal(auth_check(rig->auth, &user, "x", &rig->wait), AUTH_PENDING);
	auth_free(rig->auth);
	assert_null(rig->wait.job);
	assert_int_equal(rig->ready, 0);
	rig->auth = auth_new(rig->base);
	free(hash);
}

/* The server on its loop */

struct world {
	struct event_base *base;
	struct hub *hub;
	struct hub_ups *ups;
	struct nut_server *server;
	char *listen[2];
};

static int open_world(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct nut_server_config config = { .listen = w->listen, .n_listen = 2 };
	struct u2k_snapshot snap = { .comm = U2K_COMM_OK, .status_at_us = 1, .first_status_us = 1 };
	char error[256];

	w->listen[0] = xstrdup("127.0.0.1:0");
	w->listen[1] = xstrdup("localhost:0");
	w->base = event_base_new();
	w->hub = hub_new(w->base);
	w->ups = hub_ups_add(w->hub, "u", NULL, NULL, 0);
	nut_store_set(w->ups->store, "ups.status", "OL");
	hub_publish(w->ups, &snap, UINT64_MAX);
	w->server = nut_server_new(w->hub, &config, error, sizeof(error));
	assert_non_null(w->server);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	nut_server_free(w->server);
	hub_free(w->hub);
	assert_int_equal(event_base_get_num_events(w->base, EVENT_BASE_COUNT_ADDED), 0);
	event_base_free(w->base);
	free(w->listen[0]);
	free(w->listen[1]);
	free(w);
	return 0;
}

static int dial(const struct world *w, size_t listener)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	to.sin_port = htons((uint16_t)nut_server_port(w->server, listener));
	assert_int_not_equal(to.sin_port, 0);
	(void)connect(fd, (struct sockaddr *)&to, sizeof(to));
	return fd;
}

/* Send a line and run the loop until n bytes of answer are there. */
static void expect(struct world *w, int fd, const char *request, const char *reply)
{
	char got[1024] = "";
	size_t len = 0;

	while (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		event_base_loop(w->base, EVLOOP_ONCE);
	while (len < strlen(reply)) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		ssize_t n = recv(fd, got + len, sizeof(got) - 1 - len, 0);

		assert_int_not_equal(n, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	assert_string_equal(got, reply);
}

static void test_serves_and_is_freed_with_clients(void **state)
{
	struct world *w = *state;
	int a = dial(w, 0), b = dial(w, 1);

	expect(w, a, "GET VAR u ups.status\n", "VAR u ups.status \"OL\"\n");
	expect(w, b, "GET VAR u nope\nLIST VAR u\n",
	       "ERR VAR-NOT-SUPPORTED\nBEGIN LIST VAR u\nVAR u ups.status \"OL\"\nEND LIST VAR u\n");
	assert_int_equal(nut_server_connections(w->server), 2);
	assert_int_equal(nut_server_port(w->server, 2), 0);
	close(a);
	while (nut_server_connections(w->server) != 1)
		event_base_loop(w->base, EVLOOP_ONCE);
	nut_store_set(w->ups->store, "ups.status", "OB");
	expect(w, b, "LIST VAR u\n", "BEGIN LIST VAR u\nVAR u ups.status \"OB\"\nEND LIST VAR u\n");
	hub_fsd_set(w->ups, "x", "y");
	expect(w, b, "LIST VAR u\n",
	       "BEGIN LIST VAR u\nVAR u ups.status \"FSD OB\"\nEND LIST VAR u\n");
	close(b);
}

static void test_reload_keeps_and_moves(void **state)
{
	struct world *w = *state;
	char taken[32], kept[] = "127.0.0.1:0", bad[] = "127.0.0.1:nonsense";
	char *next[] = { kept, bad };
	struct nut_server_config config = { .listen = next, .n_listen = 2 };
	unsigned port = nut_server_port(w->server, 0);
	char error[256] = "";
	int fd = dial(w, 0);

	expect(w, fd, "NETVER\n", "1.3\n");
	assert_false(nut_server_configure(w->server, &config, error, sizeof(error)));
	assert_non_null(strstr(error, "127.0.0.1:nonsense"));
	assert_int_equal(nut_server_port(w->server, 0), port);
	assert_int_not_equal(nut_server_port(w->server, 1), 0); /* the old one is back */

	snprintf(taken, sizeof(taken), "127.0.0.1:%u", port);
	next[1] = taken;
	assert_false(nut_server_configure(w->server, &config, error, sizeof(error)));
	assert_non_null(strstr(error, "in use"));

	config.n_listen = 1;
	assert_true(nut_server_configure(w->server, &config, error, sizeof(error)));
	assert_int_equal(nut_server_port(w->server, 0), port);
	assert_int_equal(nut_server_port(w->server, 1), 0);
	expect(w, fd, "NETVER\n", "1.3\n");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test_setup_teardown(test_passwords, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changed_hash, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_queue_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_freed_while_busy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_serves_and_is_freed_with_clients, open_world,
						close_world),
		cmocka_unit_test_setup_teardown(test_reload_keeps_and_moves, open_world,
						close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
