#include "daemon/hub.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "daemon/hub_private.h"
#include "util/util.h"

#define LOG_PART "hub"
#include "util/log.h"

static const struct {
	const char *name;
	enum log_level level;
} severities[] = {
	{ "info", LOG_LEVEL_INFO },
	{ "warning", LOG_LEVEL_WARNING },
	{ "alert", LOG_LEVEL_ERROR },
};

void hub__events_init(struct hub *hub)
{
	hub->ring = xcalloc(HUB_EVENTS_MAX, sizeof(*hub->ring));
}

static void clear_event(struct hub_event *event)
{
	free(event->ups);
	free(event->text);
	free(event->facts);
	memset(event, 0, sizeof(*event));
}

void hub__events_close(struct hub *hub)
{
	for (size_t i = 0; i < HUB_EVENTS_MAX; i++)
		clear_event(&hub->ring[i]);
	free(hub->ring);
	for (size_t i = 0; i < HUB_KINDS_MAX; i++)
		free(hub->kinds[i]);
}

static const char *intern_kind(struct hub *hub, const char *kind)
{
	for (size_t i = 0; i < HUB_KINDS_MAX; i++) {
		if (!hub->kinds[i])
			hub->kinds[i] = xstrdup(kind);
		if (strcmp(hub->kinds[i], kind) == 0)
			return hub->kinds[i];
	}
	return "other";
}

/* Names and values come from clients: an event is printable UTF-8 whatever they sent. */
static void clean_text(char *text)
{
	json_t *utf8 = json_string(text);

	for (char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
			*p = '?';
	}
	json_decref(utf8);
}

static size_t severity_level(const char *severity)
{
	for (size_t i = 0; i < ARRAY_SIZE(severities); i++)
		if (severity && strcmp(severity, severities[i].name) == 0)
			return i;
	return 0;
}

void hub_event(struct hub *hub, const char *kind, const char *severity, const char *ups,
	       const char *facts_json, const char *format, ...)
{
	uint64_t id = ++hub->last_event;
	struct hub_event *event = &hub->ring[id % HUB_EVENTS_MAX];
	size_t level = severity_level(severity);
	va_list args;

	clear_event(event);
	event->id = id;
	event->wall_us = wall_us();
	event->kind = intern_kind(hub, kind);
	event->severity = severities[level].name;
	event->ups = xstrdup(ups);
	event->facts = xstrdup(facts_json);
	va_start(args, format);
	event->text = xvasprintf(format, args);
	va_end(args);
	clean_text(event->text);

	log_write(severities[level].level, ups ? ups : "daemon", "%s", event->text);
	hub__tell_event(hub, event);
}

void hub_event_restore(struct hub *hub, uint64_t id, int64_t wall, const char *kind,
		       const char *severity, const char *ups, const char *text, const char *facts)
{
	struct hub_event *event = &hub->ring[id % HUB_EVENTS_MAX];

	if (id <= hub->last_event)
		return;
	clear_event(event);
	event->id = id;
	event->wall_us = wall;
	event->kind = intern_kind(hub, kind);
	event->severity = severities[severity_level(severity)].name;
	event->ups = xstrdup(ups);
	event->text = xstrdup(text);
	event->facts = xstrdup(facts);
	hub->last_event = id;
}

void hub_events_continue(struct hub *hub, uint64_t last_id)
{
	if (last_id > hub->last_event)
		hub->last_event = last_id;
}

static uint32_t the_run;

void hub_set_run(uint32_t run)
{
	the_run = run;
}

uint32_t hub_run(void)
{
	while (the_run == 0)
		random_bytes(&the_run, sizeof(the_run));
	return the_run;
}

const struct hub_event *hub_event_after(const struct hub *hub, uint64_t after)
{
	uint64_t oldest =
		hub->last_event > HUB_EVENTS_MAX ? hub->last_event - HUB_EVENTS_MAX + 1 : 1;
	uint64_t id;

	if (after >= hub->last_event)
		return NULL;
	for (id = after + 1 > oldest ? after + 1 : oldest; id <= hub->last_event; id++)
		if (hub->ring[id % HUB_EVENTS_MAX].id == id)
			return &hub->ring[id % HUB_EVENTS_MAX];
	return NULL;
}
