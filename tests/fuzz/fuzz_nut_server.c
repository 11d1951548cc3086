/*
 * The NUT server: any bytes from a client, cut into pieces. Every answer is whole lines of at most
 * 511 characters, and nothing is left when the client is gone. The first byte is the piece size.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/config.h"
#include "daemon/hub.h"
#include "front/nut/internal.h"
#include "nut/store.h"
#include "util/log.h"
#include "util/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *base;
static struct nut_server *server;
static struct hub_ups *ups;

static void need(int holds)
{
	if (!holds)
		abort();
}

static void take_order(void *backend, struct hub_ups *of, struct hub_order *order)
{
	(void)backend;
	hub_order_end(of, order, U2K_VERIFIED, 0, "done");
}

static const struct hub_backend backend = { .order = take_order };

static void set_up(void)
{
	static char name[] = "a", password[] = "a", all[] = "ALL";
	static char *cmds[] = { all };
	static const struct config_user user = { .name = name,
						 .password = password,
						 .plain = true,
						 .actions = 15,
						 .instcmds = cmds,
						 .n_instcmds = 1 };
	struct nut_server_config config = { .users = &user, .n_users = 1 };
	struct u2k_snapshot snap = { .comm = U2K_COMM_OK, .status_at_us = 1, .first_status_us = 1 };
	char error[256];
	struct hub *hub;

	log_open("fuzz", LOG_TARGET_STDERR, (enum log_level)0); /* nothing */
	base = event_base_new();
	hub = hub_new(base);
	ups = hub_ups_add(hub, "u", "a \"desc\"", NULL, 0);
	ups->ops = &backend;
	nut_store_set(ups->store, "ups.status", "OL");
	nut_store_set(ups->store, "v", "#\\\"");
	nut_store_flags(ups->store, "v", NUT_RW | NUT_STRING, 8);
	nut_store_set(ups->store, "n", "1");
	nut_store_flags(ups->store, "n", NUT_RW | NUT_NUMBER, 0);
	nut_store_add_range(ups->store, "n", 1, 9);
	nut_store_set(ups->store, "e", "x");
	nut_store_flags(ups->store, "e", NUT_RW, 0);
	nut_store_add_enum(ups->store, "e", "x");
	nut_store_add_cmd(ups->store, "c");
	hub_publish(ups, &snap, UINT64_MAX);
	server = nut_server_new(hub, &config, error, sizeof(error));
	need(server != NULL);
}

/* Reads what has come; col is the length of the line so far. Returns false at the end. */
static bool drain(int fd, size_t *col)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			*col = buf[i] == '\n' ? 0 : *col + 1;
			need(*col <= OUT_LINE_MAX);
			need(buf[i] == '\n' || buf[i] >= 0x20);
		}
	}
	return n < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union address peer = { .in = { .sin_family = AF_INET } };
	size_t col = 0, step;
	int fds[2];
	bool open = true;

	if (!server)
		set_up();
	if (!size)
		return 0;
	step = data[0] ? (size_t)data[0] * 4 : size;
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	conn_new(server, fds[0], &peer);
	for (size_t at = 1; at < size && open; at += step) {
		size_t n = size - at < step ? size - at : step;

		if (send(fds[1], data + at, n, MSG_NOSIGNAL) < (ssize_t)n)
			break; /* closed by LOGOUT, or full */
		event_base_loop(base, EVLOOP_NONBLOCK);
		open = drain(fds[1], &col);
	}
	shutdown(fds[1], SHUT_WR);
	for (int i = 0; open; i++) {
		need(i < 10000);
		event_base_loop(base, EVLOOP_NONBLOCK);
		open = drain(fds[1], &col);
	}
	need(col == 0);
	close(fds[1]);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	need(nut_server_connections(server) == 0);
	need(ups->logins == 0);
	hub_fsd_clear(ups, "the next input begins anew");
	return 0;
}
