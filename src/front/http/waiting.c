#include "front/http/waiting.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <event2/http.h>
#include "front/http/api.h"
#include "front/http/internal.h"
#include "front/http/later.h"
#include "util/util.h"

struct wait {
	TAILQ_ENTRY(wait) all;
	struct waiting *waiting;
	struct door *door;
	struct evhttp_request *req;
	struct api_later *later;
};

struct waiting {
	TAILQ_HEAD(waits, wait) waits;
};

static void drop(struct wait *wait)
{
	TAILQ_REMOVE(&wait->waiting->waits, wait, all);
	free(wait);
}

/* The client is gone, and evhttp has left the request to us. */
static void closed_cb(struct evhttp_connection *conn, void *data)
{
	struct wait *wait = data;

	(void)conn;
	guard_ended(wait->door->guard);
	api_later_abandon(wait->later);
	evhttp_request_free(wait->req);
	drop(wait);
}

static void answered_cb(void *user, struct api_reply *reply)
{
	struct wait *wait = user;

	exchange_answer(wait->door, wait->req, reply);
	drop(wait);
}

struct waiting *waiting_new(void)
{
	struct waiting *waiting = xcalloc(1, sizeof(*waiting));

	TAILQ_INIT(&waiting->waits);
	return waiting;
}

void waiting_free(struct waiting *waiting)
{
	struct wait *wait;

	if (!waiting)
		return;
	while ((wait = TAILQ_FIRST(&waiting->waits))) {
		evhttp_connection_set_closecb(evhttp_request_get_connection(wait->req), NULL, NULL);
		api_later_abandon(wait->later);
		drop(wait);
	}
	free(waiting);
}

void waiting_add(struct waiting *waiting, struct door *door, struct evhttp_request *req,
		 struct api_later *later)
{
	struct wait *wait = xcalloc(1, sizeof(*wait));

	wait->waiting = waiting;
	wait->door = door;
	wait->req = req;
	wait->later = later;
	TAILQ_INSERT_TAIL(&waiting->waits, wait, all);
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), closed_cb, wait);
	api_later_wait(later, answered_cb, wait);
}
