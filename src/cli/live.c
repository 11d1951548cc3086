#include "cli/live.h"

#include <stdio.h>
#include <string.h>

void live_init(struct live *live)
{
	memset(live, 0, sizeof(*live));
}

static void drop_ups(struct live *live)
{
	for (size_t i = 0; i < live->n; i++)
		json_decref(live->ups[i].snapshot);
	live->n = 0;
}

static void drop_events(struct live *live)
{
	for (size_t i = 0; i < live->n_events; i++)
		json_decref(live->events[i]);
	live->n_events = 0;
}

void live_restart(struct live *live)
{
	drop_events(live);
	live->old = true;
}

void live_close(struct live *live)
{
	drop_ups(live);
	drop_events(live);
}

struct live_ups *live_find(struct live *live, const char *name)
{
	for (size_t i = 0; i < live->n; i++)
		if (!strcmp(live->ups[i].name, name))
			return &live->ups[i];
	return NULL;
}

void live_merge(json_t *whole, json_t *change)
{
	const char *key;
	json_t *value;

	json_object_foreach(change, key, value)
	{
		json_t *old = json_object_get(whole, key);

		if (json_is_object(old) && json_is_object(value))
			live_merge(old, value);
		else
			json_object_set(whole, key, value);
	}
}

static void put_ups(struct live *live, const char *name, json_t *snapshot, int64_t now_us)
{
	struct live_ups *ups;

	if (live->old)
		drop_ups(live);
	live->old = false;
	ups = live_find(live, name);
	if (!ups) {
		if (live->n == LIVE_UPS_MAX)
			return;
		ups = &live->ups[live->n++];
		snprintf(ups->name, sizeof(ups->name), "%s", name);
		ups->snapshot = NULL;
	}
	json_decref(ups->snapshot);
	ups->snapshot = json_deep_copy(snapshot);
	ups->at_us = now_us;
}

static void remove_ups(struct live *live, const char *name)
{
	struct live_ups *ups = live_find(live, name);

	if (!ups)
		return;
	json_decref(ups->snapshot);
	live->n--;
	memmove(ups, ups + 1, (size_t)(&live->ups[live->n] - ups) * sizeof(*ups));
}

static void put_event(struct live *live, json_t *event)
{
	if (live->n_events == LIVE_EVENTS_MAX) {
		json_decref(live->events[0]);
		live->n_events--;
		memmove(live->events, live->events + 1, live->n_events * sizeof(live->events[0]));
	}
	live->events[live->n_events++] = json_incref(event);
}

void live_take(struct live *live, const char *type, json_t *data, int64_t now_us)
{
	const char *name = json_string_value(json_object_get(data, "name"));
	struct live_ups *ups = name ? live_find(live, name) : NULL;

	if (!strcmp(type, "event")) {
		put_event(live, data);
	} else if (!strcmp(type, "snapshot") && name) {
		put_ups(live, name, data, now_us);
	} else if (!strcmp(type, "change") && ups) {
		live_merge(ups->snapshot, data);
		ups->at_us = now_us;
	} else if (!strcmp(type, "removed") && name) {
		remove_ups(live, name);
	}
}
