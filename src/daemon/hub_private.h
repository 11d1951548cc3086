#pragma once

#include "daemon/hub.h"
#include "daemon/notices.h"
#include "daemon/records.h"

#include <sys/queue.h>

#include <event2/event.h>

/* What the files of the hub share: hub.c (UPSes, fronts), events.c (ring), orders.c, watch.c. */
enum { HUB_FRONTS_MAX = 16, HUB_ORDERS_MAX = 4096, HUB_ORDER_BUCKETS = 256, HUB_KINDS_MAX = 128 };

struct order {
	struct hub_order pub;
	struct hub_ups *ups;	/* NULL once the UPS was removed */
	TAILQ_ENTRY(order) all; /* oldest first */
	LIST_ENTRY(order) same_bucket;
};

struct hub {
	struct event_base *base;
	struct shutdown *shutdown;

	struct hub_ups **ups;
	size_t n_ups;

	struct {
		const struct hub_front *ops; /* NULL: free */
		void *data;
	} fronts[HUB_FRONTS_MAX];

	struct hub_event *ring;	    /* HUB_EVENTS_MAX of them; id n sits in n % HUB_EVENTS_MAX */
	uint64_t last_event;	    /* 0 = none yet */
	char *kinds[HUB_KINDS_MAX]; /* interned */

	TAILQ_HEAD(order_list, order) orders;
	LIST_HEAD(order_bucket, order) buckets[HUB_ORDER_BUCKETS];
	size_t n_orders;
	int64_t tracking_delay_us;

	struct {
		record_ask_fn ask; /* NULL: no record keeper */
		void *keeper;
	} records;

	struct {
		const struct hub_notices *ops; /* NULL: no notifier */
		void *notifier;
	} notices;
};

/* A UPS with what only the hub needs. */
struct ups {
	struct hub_ups pub;
	struct event *timer; /* end of the first wait, then: has the status become stale? */
	int64_t added_us;
	bool lost;	   /* "communication-lost" was the last word about it */
	int reported_gate; /* enum u2k_gate last told, -1 = none */
};

static inline struct ups *ups_of(const struct hub_ups *pub)
{
	return (struct ups *)((uintptr_t)pub - offsetof(struct ups, pub));
}

/* hub.c */
void hub__tell_changed(struct hub *hub, struct hub_ups *ups, uint64_t mask);
void hub__tell_event(struct hub *hub, const struct hub_event *event);

/* events.c */
void hub__events_init(struct hub *hub);
void hub__events_close(struct hub *hub);

/* orders.c */
void hub__orders_init(struct hub *hub);
void hub__orders_close(struct hub *hub);
/* The UPS goes: what it still had to do has failed. */
void hub__orders_abandon(struct hub *hub, struct hub_ups *ups);

/* watch.c: events that follow from two snapshots. */
void hub__watch(struct ups *ups, const struct u2k_snapshot *old, const struct u2k_snapshot *now);
/* After each snapshot, and when the status may have become stale. */
void hub__watch_comm(struct ups *ups);
