#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include "daemon/bind.h"
#include "front/http/front.h"
#include "front/http/guard.h"
#include "front/http/local.h"

/* What server.c (who listens) and exchange.c (one request and its answer) share. */
struct event;
struct evhttp_bound_socket;
struct evhttp_request;
struct streams;
struct waiting;
struct api_reply;

/* One evhttp: all that comes through it is treated alike. */
struct door {
	struct http_front *front;
	struct evhttp *http;
	struct guard *guard;
	bool tcp;
};

struct port;
TAILQ_HEAD(port_list, port);

struct http_front {
	struct hub *hub;
	struct guard *local_guard, *tcp_guard; /* apart: strangers must not keep us out */
	struct door local_door, tcp_door;
	struct local_socket local; /* fd < 0: none */
	struct evhttp_bound_socket *local_bound;
	struct event *resume;	/* of listeners that ran out of descriptors */
	struct port_list ports; /* in the order of the configuration */
	struct streams *streams;
	struct waiting *waiting; /* requests whose answer comes later */
	struct http_front_config config;
};

/** evhttp's callback; data is the struct door. */
void exchange_cb(struct evhttp_request *req, void *data);
/** The answer to a request that waited for it. Takes req. */
void exchange_answer(struct door *door, struct evhttp_request *req, const struct api_reply *reply);
