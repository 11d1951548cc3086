/*
 * The NUT server over a scripted back end, for test_nut_conformance.py: three UPSes (one good, one
 * stale, one without a device) whose data the test changes through standard input.
 *
 *   nut_fixture [--listen WHERE]... [--max N] [--tracking-delay S] [--wait]
 *               [--tls DIRECTORY] [--require-tls no|remote|yes] [--per-address N]
 *               [--failed-logins N] [--connect NETWORK] [--login NETWORK] [--set NETWORK]
 *               [--instcmd NETWORK] [--fsd NETWORK]
 *
 * Standard output: "PORT n" once, one "OK" or "ERR why" for each control line, and for each order
 * "ORDER <ups> INSTCMD|SET <name> ["value"] TRACKING <id>".
 */
#include <crypt.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/config.h"
#include "daemon/config_check.h"
#include "daemon/hub.h"
#include "front/nut/server.h"
#include "nut/lexer.h"
#include "nut/store.h"
#include "tls/tls.h"
#include "util/log.h"
#include "util/util.h"
#include <ups2000/error.h>

enum { ORDERS_MAX = 64, LISTEN_MAX = 4 };

static struct event_base *base;
static struct hub *hub;
static struct nut_server *server;
static struct nut_server_config server_config;
static char *listens[LISTEN_MAX];
static struct config_access access_rules;
static const char *tls_directory;
static int refuse_next; /* error of the next order, 0 = take it */

static struct {
	struct hub_ups *ups;
	struct hub_order *order;
} orders[ORDERS_MAX];

static char *all_cmds[] = { (char[]){ "ALL" } };
static char *one_cmd[] = { (char[]){ "test.battery.start" } };

#define TEXT(s) ((char[]){ s })

#define USER(user, pass, may, cmds, n)                                                             \
	{                                                                                          \
		.name = TEXT(user), .password = (pass), .plain = true, .actions = (may),           \
		.instcmds = (cmds), .n_instcmds = (n)                                              \
	}

static struct config_user users[] = {
	USER("admin", TEXT("secret"), CONFIG_ACTION_SET | CONFIG_ACTION_FSD, all_cmds, 1),
	USER("limited", TEXT("lim"), 0, one_cmd, 1),
	USER("mon", TEXT("monpass"), CONFIG_ACTION_LOGIN | CONFIG_ACTION_PRIMARY, NULL, 0),
	USER("sec", TEXT("secpass"), CONFIG_ACTION_LOGIN, NULL, 0),
	USER("nopass", NULL, CONFIG_ACTION_SET, NULL, 0),
	USER("empty", TEXT(""), CONFIG_ACTION_LOGIN, NULL, 0),
	USER("hashed", NULL, CONFIG_ACTION_LOGIN | CONFIG_ACTION_SET, all_cmds, 1),
	USER("far", TEXT("farpass"), CONFIG_ACTION_LOGIN, NULL, 0), /* only from 192.0.2.0/24 */
};

static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	char value[2 * NUT_WORD_MAX + 1];

	(void)backend;
	printf("ORDER %s %s %s", ups->name, order->kind == HUB_ORDER_SET ? "SET" : "INSTCMD",
	       order->name);
	if (order->value) {
		nut_escape(value, sizeof(value), order->value);
		printf(" \"%s\"", value);
	}
	printf(" TRACKING %s\n", order->id);
	fflush(stdout);
	if (refuse_next) {
		int error = refuse_next;

		refuse_next = 0;
		hub_order_end(ups, order, U2K_REFUSED, error, "refused by the test");
		return;
	}
	for (size_t i = 0; i < ORDERS_MAX; i++) {
		if (orders[i].order)
			continue;
		orders[i].ups = ups;
		orders[i].order = order;
		return;
	}
	hub_order_end(ups, order, U2K_FAILED, U2K_EBUSY, "the test never ended its orders");
}

static const struct hub_backend backend = { .order = take_order };

static void publish(struct hub_ups *ups, enum u2k_comm comm)
{
	struct u2k_snapshot snap = { .comm = comm };

	snap.first_status_us = ups->snap.first_status_us;
	if (comm == U2K_COMM_OK)
		snap.status_at_us = clock_us();
	if (!snap.first_status_us)
		snap.first_status_us = snap.status_at_us;
	hub_publish(ups, &snap, UINT64_MAX);
}

static struct hub_ups *add(const char *name, const char *desc, const char *alias)
{
	struct hub_ups *ups = hub_ups_add(hub, name, desc, &alias, alias ? 1 : 0);

	ups->ops = &backend;
	return ups;
}

/* The image of the reference's conformance checklist. */
static void fill(struct nut_store *s)
{
	static const char *const values[][2] = {
		{ "abc", "1" },
		{ "battery.charge", "100" },
		{ "device.mfr", "HUAWEI" },
		{ "driver.version", "x" },
		{ "input.transfer.low", "200" },
		{ "ups.badrw", "z" },
		{ "ups.both", "190" },
		{ "ups.delay.shutdown", "20" },
		{ "ups.id", "he\"l\\l#o" },
		{ "ups.status", "OL CHRG" },
		{ "ups.test.result", "x" },
		{ "Zed", "1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		nut_store_set(s, values[i][0], values[i][1]);
	nut_store_flags(s, "battery.charge", NUT_NUMBER, 0);
	nut_store_flags(s, "input.transfer.low", NUT_RW, 0);
	nut_store_add_enum(s, "input.transfer.low", "190");
	nut_store_add_enum(s, "input.transfer.low", "200");
	nut_store_add_enum(s, "input.transfer.low", "a b");
	nut_store_flags(s, "ups.badrw", NUT_RW | NUT_STRING, 0);
	nut_store_flags(s, "ups.both", NUT_RW | NUT_STRING, 5);
	nut_store_add_enum(s, "ups.both", "190");
	nut_store_add_range(s, "ups.both", 1, 5);
	nut_store_flags(s, "ups.delay.shutdown", NUT_RW | NUT_NUMBER, 0);
	nut_store_add_range(s, "ups.delay.shutdown", 6, 60);
	nut_store_add_range(s, "ups.delay.shutdown", 100, 200);
	nut_store_flags(s, "ups.id", NUT_RW | NUT_STRING, 8);
	nut_store_add_cmd(s, "test.battery.start");
	nut_store_add_cmd(s, "load.off");
	nut_store_add_cmd(s, "Beeper.mute");
}

static const char *set_state(struct hub_ups *ups, const char *state)
{
	static const struct {
		const char *word;
		enum u2k_comm comm;
	} states[] = {
		{ "ok", U2K_COMM_OK },
		{ "stale", U2K_COMM_STALE },
		{ "closed", U2K_COMM_CLOSED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(state, states[i].word) == 0)
			return publish(ups, states[i].comm), NULL;
	return "no such state";
}

/* TRACKING id code, with the codes of NUT's driver protocol. */
static const char *end_order(const char *id, int code)
{
	for (size_t i = 0; i < ORDERS_MAX; i++) {
		if (!orders[i].order || strcmp(orders[i].order->id, id) != 0)
			continue;
		enum u2k_outcome outcome = code == 0   ? U2K_VERIFIED
					   : code == 3 ? U2K_FAILED
						       : U2K_REFUSED;
		int error = code == 1 ? U2K_ENOTSUP : code == 2 ? U2K_EINVAL : U2K_EREFUSED;

		hub_order_end(orders[i].ups, orders[i].order, outcome, error, "ended by the test");
		orders[i].order = NULL;
		return NULL;
	}
	return "no such order is pending";
}

static void lose_orders(struct hub_ups *ups)
{
	for (size_t i = 0; i < ORDERS_MAX; i++) {
		if (!orders[i].order || (ups && orders[i].ups != ups))
			continue;
		hub_order_end(orders[i].ups, orders[i].order, U2K_FAILED, U2K_ECLOSED, "lost");
		orders[i].order = NULL;
	}
}

static const char *set_password(const char *name, const char *password)
{
	static char error[256];

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		if (strcmp(users[i].name, name) != 0)
			continue;
		users[i].password = xstrdup(password);
		users[i].plain = *password != '$';
		return nut_server_configure(server, &server_config, error, sizeof(error)) ? NULL
											  : error;
	}
	return "no such user";
}

static const char *relisten(const char *where)
{
	static char error[256];

	free(listens[server_config.n_listen - 1]);
	listens[server_config.n_listen - 1] = xstrdup(where);
	return nut_server_configure(server, &server_config, error, sizeof(error)) ? NULL : error;
}

static const char *control_ups(struct hub_ups *ups, const struct nut_line *l)
{
	const char *word = l->words[0];
	const char *a = l->n > 2 ? l->words[2] : "", *b = l->n > 3 ? l->words[3] : "";

	if (!strcmp(word, "SETINFO"))
		nut_store_set(ups->store, a, b);
	else if (!strcmp(word, "DELINFO"))
		nut_store_del(ups->store, a);
	else if (!strcmp(word, "ADDCMD"))
		nut_store_add_cmd(ups->store, a);
	else if (!strcmp(word, "DELCMD"))
		nut_store_del_cmd(ups->store, a);
	else if (!strcmp(word, "STATE"))
		return set_state(ups, a);
	else if (!strcmp(word, "LOSE"))
		lose_orders(ups);
	else if (!strcmp(word, "REMOVE"))
		hub_ups_remove(ups);
	else if (!strcmp(word, "UNFSD"))
		hub_fsd_clear(ups, "the test wants it");
	else
		return "unknown control word";
	return NULL;
}

/* The certificate the directory holds, or one made there. */
static const char *use_tls(const char *directory)
{
	static char error[512];
	char *path = xasprintf("%s/%s", directory, TLS_OWN_KEY);
	struct tls *tls = NULL;
	bool made;

	if (tls_make_own(directory, &made, error, sizeof(error)))
		tls = tls_load(path, NULL, error, sizeof(error));
	free(path);
	if (!tls)
		return error;
	nut_server_set_tls(server, tls);
	tls_unref(tls);
	return NULL;
}

static const char *control(const struct nut_line *l)
{
	struct hub_ups *ups;

	if (l->n < 2)
		return "two words at least";
	if (!strcmp(l->words[0], "REFUSE"))
		return refuse_next = atoi(l->words[1]), NULL;
	if (!strcmp(l->words[0], "TRACKING"))
		return end_order(l->words[1], l->n > 2 ? atoi(l->words[2]) : 0);
	if (!strcmp(l->words[0], "PASSWORD"))
		return l->n > 2 ? set_password(l->words[1], l->words[2]) : "no password";
	if (!strcmp(l->words[0], "TLS"))
		return use_tls(l->words[1]);
	if (!strcmp(l->words[0], "LISTEN"))
		return relisten(l->words[1]);
	if (!strcmp(l->words[0], "ADD"))
		return fill(add(l->words[1], NULL, NULL)->store), NULL;
	ups = hub_find(hub, l->words[1]);
	return ups ? control_ups(ups, l) : "no such UPS";
}

static void stdin_cb(evutil_socket_t fd, short what, void *arg)
{
	static struct nut_lexer lexer;
	static bool begun;
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));
	size_t used;

	(void)what;
	(void)arg;
	if (n <= 0) { /* the test is gone */
		event_base_loopbreak(base);
		return;
	}
	if (!begun)
		nut_lexer_init(&lexer);
	begun = true;
	for (const char *p = buf; n; p += used, n -= (ssize_t)used) {
		if (!nut_lexer_feed(&lexer, p, (size_t)n, &used))
			continue;
		const char *wrong = control(&lexer.line);

		if (wrong)
			printf("ERR %s\n", wrong);
		else
			printf("OK %u\n", nut_server_port(server, 0));
		fflush(stdout);
	}
}

static void confine(const char *option, const char *network)
{
	const struct {
		const char *option;
		struct networks *set;
	} sets[] = {
		{ "--connect", &access_rules.connect }, { "--login", &access_rules.login },
		{ "--set", &access_rules.set },		{ "--instcmd", &access_rules.instcmd },
		{ "--fsd", &access_rules.fsd },
	};
	char why[256];

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (!strcmp(option, sets[i].option))
			networks_add(sets[i].set, network, why, sizeof(why));
}

static void parse(int argc, char **argv, bool *wait)
{
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--wait")) {
			*wait = true;
			continue;
		}
		if (!strcmp(argv[i], "--listen") && server_config.n_listen < LISTEN_MAX)
			listens[server_config.n_listen++] = xstrdup(next);
		else if (!strcmp(argv[i], "--max"))
			server_config.max_connections = (unsigned)atoi(next);
		else if (!strcmp(argv[i], "--tracking-delay"))
			server_config.tracking_delay = (unsigned)atoi(next);
		else if (!strcmp(argv[i], "--tls"))
			tls_directory = next;
		else if (!strcmp(argv[i], "--require-tls"))
			server_config.require_tls = value_require_tls(next);
		else if (!strcmp(argv[i], "--per-address"))
			server_config.per_address = (unsigned)atoi(next);
		else if (!strcmp(argv[i], "--failed-logins"))
			server_config.failed_logins = (unsigned)atoi(next);
		else
			confine(argv[i], next);
		i++;
	}
	if (!server_config.n_listen)
		listens[server_config.n_listen++] = xstrdup("127.0.0.1:0");
}

int main(int argc, char **argv)
{
	char error[256];
	bool wait = false;
	struct event *in;
	struct hub_ups *dummy, *nodesc, *nodrv;

	signal(SIGPIPE, SIG_IGN);
	log_open("nut_fixture", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	parse(argc, argv, &wait);
	base = event_base_new();
	hub = hub_new(base);
	dummy = add("dummy", "Test \"quoted\" \\ desc # hash", "alias");
	nodesc = add("nodesc", NULL, NULL);
	nodrv = add("nodrv", "No driver runs", NULL);
	fill(dummy->store);
	if (!wait) {
		publish(dummy, U2K_COMM_OK);
		publish(nodesc, U2K_COMM_OK);
		publish(nodesc, U2K_COMM_STALE);
		publish(nodrv, U2K_COMM_OK);
		publish(nodrv, U2K_COMM_CLOSED);
	}
	networks_add(&users[7].networks, "192.0.2.0/24", error, sizeof(error));
	users[6].plain = false;
	users[6].password = xstrdup(crypt("hushed", crypt_gensalt("$y$", 1, NULL, 0)));

	server_config.listen = listens;
	server_config.access = &access_rules;
	server_config.users = users;
	server_config.n_users = ARRAY_SIZE(users);
	server = nut_server_new(hub, &server_config, error, sizeof(error));
	if (!server) {
		fprintf(stderr, "nut_fixture: %s\n", error);
		return 1;
	}
	if (tls_directory && use_tls(tls_directory)) {
		fprintf(stderr, "nut_fixture: %s\n", use_tls(tls_directory));
		return 1;
	}
	printf("PORT %u\n", nut_server_port(server, 0));
	fflush(stdout);
	in = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, stdin_cb, NULL);
	event_add(in, NULL);
	event_base_dispatch(base);

	event_free(in);
	nut_server_free(server);
	hub_free(hub);
	event_base_free(base);
	return 0;
}
