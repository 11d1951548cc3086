#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

/*
 * UPSes kept up to date by a stream: "snapshot" puts one in, "change" is merged into it, "removed"
 * takes it out. Pure.
 */
enum { LIVE_UPS_MAX = 64, LIVE_EVENTS_MAX = 32 };

struct live_ups {
	char name[128];
	json_t *snapshot;
	int64_t at_us; /* when it was last heard of */
};

struct live {
	struct live_ups ups[LIVE_UPS_MAX]; /* in the daemon's order */
	size_t n;
	bool old;			 /* the UPSes are of the stream before */
	json_t *events[LIVE_EVENTS_MAX]; /* oldest first */
	size_t n_events;
};

void live_init(struct live *live);
void live_close(struct live *live);

/** Take one event of the stream, or of a list of events (type "event"). Borrows data. */
void live_take(struct live *live, const char *type, json_t *data, int64_t now_us);

/** Another stream begins: events start anew; UPSes stay until its first snapshot comes. */
void live_restart(struct live *live);

struct live_ups *live_find(struct live *live, const char *name);

/** Merge change into whole: objects member by member, everything else replaced. */
void live_merge(json_t *whole, json_t *change);
