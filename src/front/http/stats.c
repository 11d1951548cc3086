#include "front/http/stats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <jansson.h>
#include "daemon/hub.h"
#include "util/util.h"

static const double poll_bounds[STATS_BUCKETS] = { 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5 };
static const double detection_bounds[STATS_BUCKETS] = { 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10 };

struct entry {
	SLIST_ENTRY(entry) all;
	const struct hub_ups *ups;
	struct stats_ups pub;
	int64_t status_us; /* the newest status that was counted */
	unsigned flags;	   /* as of then */
};

struct stats {
	struct hub *hub;
	int64_t started_us;
	SLIST_HEAD(, entry) entries;
};

struct stats *stats_new(struct hub *hub)
{
	struct stats *stats = xcalloc(1, sizeof(*stats));

	stats->hub = hub;
	stats->started_us = wall_us();
	return stats;
}

void stats_free(struct stats *stats)
{
	struct entry *entry;

	while ((entry = SLIST_FIRST(&stats->entries))) {
		SLIST_REMOVE_HEAD(&stats->entries, all);
		free(entry);
	}
	free(stats);
}

int64_t stats_started(const struct stats *stats)
{
	return stats->started_us;
}

static struct entry *find(const struct stats *stats, const struct hub_ups *ups)
{
	struct entry *entry;

	SLIST_FOREACH(entry, &stats->entries, all)
	if (entry->ups == ups)
		return entry;
	return NULL;
}

static struct entry *entry_of(struct stats *stats, const struct hub_ups *ups)
{
	struct entry *entry = find(stats, ups);

	if (entry)
		return entry;
	entry = xcalloc(1, sizeof(*entry));
	entry->ups = ups;
	entry->pub.poll.bounds = poll_bounds;
	entry->pub.detection.bounds = detection_bounds;
	SLIST_INSERT_HEAD(&stats->entries, entry, all);
	return entry;
}

const struct stats_ups *stats_of(const struct stats *stats, const struct hub_ups *ups)
{
	static const struct stats_ups nothing = { .poll = { .bounds = poll_bounds },
						  .detection = { .bounds = detection_bounds } };
	const struct entry *entry = find(stats, ups);

	return entry ? &entry->pub : &nothing;
}

static void observe(struct histogram *histogram, double seconds)
{
	histogram->count++;
	histogram->sum += seconds;
	for (size_t i = 0; i < STATS_BUCKETS; i++)
		histogram->buckets[i] += seconds <= histogram->bounds[i];
}

void stats_changed(struct stats *stats, struct hub_ups *ups, uint64_t mask)
{
	struct entry *entry = entry_of(stats, ups);
	int64_t at = ups->snap.status_at_us, now = clock_us();

	(void)mask;
	if (at == 0 || at == entry->status_us)
		return;
	observe(&entry->pub.poll, (double)(now - at) / 1e6);
	if (entry->flags & U2K_OL && ups->snap.flags & U2K_OB)
		observe(&entry->pub.detection, (double)(now - entry->status_us) / 1e6);
	entry->status_us = at;
	entry->flags = ups->snap.flags;
}

static struct stats_order *order_row(struct stats_ups *pub, const char *name)
{
	struct stats_order *row;

	for (size_t i = 0; i < pub->n_orders; i++)
		if (strcmp(pub->orders[i].name, name) == 0)
			return &pub->orders[i];
	if (pub->n_orders == STATS_ORDERS_MAX || strlen(name) >= sizeof(row->name))
		return NULL;
	row = &pub->orders[pub->n_orders++];
	strcpy(row->name, name);
	return row;
}

void stats_event(struct stats *stats, const struct hub_event *event)
{
	const struct hub_ups *ups = event->ups ? hub_find(stats->hub, event->ups) : NULL;
	const char *name, *outcome;
	struct stats_order *row;
	json_t *facts;

	if (!ups || !event->facts ||
	    (strcmp(event->kind, "command") != 0 && strcmp(event->kind, "setting") != 0))
		return;
	facts = json_loads(event->facts, 0, NULL);
	name = json_string_value(json_object_get(facts, "name"));
	outcome = json_string_value(json_object_get(facts, "outcome"));
	row = name && outcome && strcmp(outcome, "pending") != 0
		      ? order_row(&entry_of(stats, ups)->pub, name)
		      : NULL;
	if (row) {
		row->verified += strcmp(outcome, "verified") == 0;
		row->failed += strcmp(outcome, "failed") == 0;
		row->refused += strcmp(outcome, "refused") == 0;
	}
	json_decref(facts);
}

void stats_removed(struct stats *stats, struct hub_ups *ups)
{
	struct entry *entry = find(stats, ups);

	if (!entry)
		return;
	SLIST_REMOVE(&stats->entries, entry, entry, all);
	free(entry);
}
