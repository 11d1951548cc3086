#pragma once

/* A NUT server with one UPS, for the fuzzers that are its clients. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <event2/event.h>

#include "daemon/config.h"
#include "daemon/hub.h"
#include "front/nut/internal.h"
#include "nut/store.h"
#include "util/log.h"

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

/* Log in as a, password a; every kind of variable is there. */
static void serve_ups(void)
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

/* Whole lines of at most OUT_LINE_MAX printable bytes; column is the length of the last so far. */
static void check_answers(const char *bytes, size_t n, size_t *column)
{
	for (size_t i = 0; i < n; i++) {
		*column = bytes[i] == '\n' ? 0 : *column + 1;
		need(*column <= OUT_LINE_MAX);
		need(bytes[i] == '\n' || bytes[i] >= 0x20);
	}
}

/* The client is gone: nothing of it is left. */
static void check_nothing_left(void)
{
	for (int i = 0; i < 100 && nut_server_connections(server); i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	need(nut_server_connections(server) == 0);
	need(ups->logins == 0);
	hub_fsd_clear(ups, "the next input begins anew");
}
