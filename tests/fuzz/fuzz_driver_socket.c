/* The driver's socket: whatever a peer sends, every answer is a line of the protocol. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/hub.h"
#include "driver/server.h"
#include "nut/lexer.h"
#include "nut/store.h"
#include "util/log.h"
#include "util/util.h"
#include <ups2000/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
	if (!holds)
		abort();
}

static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	(void)backend;
	need(order->kind == HUB_ORDER_SET ? nut_store_find(ups->store, order->name) != NULL
					  : nut_store_find_cmd(ups->store, order->name) != NULL);
	if (order->value && strlen(order->value) % 2)
		hub_order_end(ups, order, U2K_REFUSED, U2K_EINVAL, "odd");
}

static int reload(void *user, bool or_error, bool or_exit)
{
	(void)user;
	(void)or_error;
	return or_exit ? TRACKING_FAILED : TRACKING_DONE;
}

static int set_debug(void *user, unsigned level)
{
	(void)user;
	need(level <= 100);
	return TRACKING_DONE;
}

static void leave(void *user)
{
	(void)user;
}

static void killpower(void *user)
{
	(void)user;
}

static void check_line(const struct nut_line *line)
{
	static const char *const words[] = { "SETINFO",	 "DELINFO",   "ADDENUM",  "ADDRANGE",
					     "SETAUX",	 "SETFLAGS",  "ADDCMD",	  "DELCMD",
					     "DATAOK",	 "DATASTALE", "DUMPDONE", "PONG",
					     "TRACKING", "PID",	      "OK" };

	need(line->n > 0 && line->extra == 0);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(line->words[0], words[i]) != 0)
			continue;
		if (strcmp(words[i], "TRACKING") == 0)
			need(line->n == 3 && strlen(line->words[2]) == 1 &&
			     line->words[2][0] <= '3');
		return;
	}
	need(0);
}

static void check_answers(int fd)
{
	struct nut_lexer lexer;
	char buffer[65536];
	ssize_t n;

	nut_lexer_init(&lexer);
	while ((n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		size_t at = 0, used;

		while (at < (size_t)n &&
		       nut_lexer_feed(&lexer, buffer + at, (size_t)n - at, &used)) {
			at += used;
			check_line(&lexer.line);
		}
	}
}

static void fill(struct hub_ups *ups)
{
	static const struct hub_backend backend = { .order = take_order };

	nut_store_set(ups->store, "ups.status", "OL # \"x\" \\");
	nut_store_set(ups->store, "a", "1");
	nut_store_flags(ups->store, "a", NUT_RW, 0);
	nut_store_add_enum(ups->store, "a", "1");
	nut_store_add_cmd(ups->store, "c");
	ups->ops = &backend;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct server_ops ops = { reload, set_debug, leave, killpower };
	struct event_base *base = event_base_new();
	struct hub *hub = hub_new(base);
	struct hub_ups *ups = hub_ups_add(hub, "ups", NULL, NULL, 0);
	struct server *server;
	size_t step = size ? 1 + data[0] % 64 : 1;
	int fds[2];

	log_open("fuzz", LOG_TARGET_STDERR, (enum log_level)0);
	fill(ups);
	server = server_new(ups, &ops, NULL);
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	server_add_peer(server, fds[0]);
	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		if (send(fds[1], data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		event_base_loop(base, EVLOOP_NONBLOCK);
		nut_store_set(ups->store, "a", at % 2 ? "1" : "2");
		check_answers(fds[1]);
	}
	server_killpower_done(server, false);
	close(fds[1]);
	server_free(server);
	hub_free(hub);
	event_base_free(base);
	return 0;
}
