#pragma once

#include <stddef.h>
#include <stdint.h>

struct hub;
struct hub_event;
struct hub_ups;
struct stats;

/* What is counted of UPSes for scrapers, beyond what the hub keeps. All since the start. */

enum { STATS_BUCKETS = 8 };

struct histogram {
	const double *bounds; /* s, STATS_BUCKETS of them; bucket i: at most bounds[i] */
	uint64_t buckets[STATS_BUCKETS];
	uint64_t count;
	double sum;
};

struct stats_order {
	char name[48];
	uint64_t verified, failed, refused;
};

enum { STATS_ORDERS_MAX = 64 };

struct stats_ups {
	/* from asking for the status until it was published */
	struct histogram poll;
	/* from the last status that showed mains until the outage was published: no outage took
	 * longer to be seen */
	struct histogram detection;
	struct stats_order orders[STATS_ORDERS_MAX]; /* by command or variable */
	size_t n_orders;
};

struct stats *stats_new(struct hub *hub);
void stats_free(struct stats *stats);

/** When stats_new() was called, wall clock. */
int64_t stats_started(const struct stats *stats);
/** All zero if nothing was counted yet. */
const struct stats_ups *stats_of(const struct stats *stats, const struct hub_ups *ups);

/* What the hub tells. */
void stats_changed(struct stats *stats, struct hub_ups *ups, uint64_t mask);
void stats_event(struct stats *stats, const struct hub_event *event);
void stats_removed(struct stats *stats, struct hub_ups *ups);
