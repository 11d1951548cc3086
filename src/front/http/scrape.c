#include "front/http/internal.h"

#include <stdlib.h>
#include <string.h>
#include "daemon/hub.h"
#include "front/http/blob.h"
#include "front/http/metrics.h"
#include "front/http/route.h"
#include "util/util.h"

/*
 * What programs ask for again and again: figures and health. Figures are made at most a few times a
 * second, however many ask.
 */
static const int64_t KEPT_US = 200 * U2K_MSEC;

static struct blob *figures(struct http_front *front, enum metrics_format format)
{
	struct made *made = &front->made[format];
	int64_t now = clock_us();
	char *text;
	size_t len;

	if (made->blob && now - made->at_us < KEPT_US)
		return made->blob;
	blob_unref(made->blob);
	text = metrics_render(front->hub, front->stats, format, &len);
	made->blob = blob_new(text, len);
	made->at_us = now;
	return made->blob;
}

static enum step metrics(struct exchange *x, struct api_reply *reply)
{
	enum metrics_format format = metrics_format(exchange_header(x, "Accept"));

	(void)reply;
	exchange_send(x, 200, metrics_types[format], figures(x->door->front, format));
	return STEP_GO;
}

static enum step ups_metrics(struct exchange *x, struct api_reply *reply)
{
	const struct hub *hub = x->door->front->hub;
	enum metrics_format format = metrics_format(exchange_header(x, "Accept"));
	const struct hub_ups *ups = hub_ups_count(hub) == 1 ? hub_ups_at(hub, 0) : NULL;
	struct route route;
	const char *name;
	struct blob *blob;
	char *text;
	size_t len;

	if (!route_parse(&route, x->target)) {
		api_problem(reply, 400, NULL, "the path cannot be read");
		return STEP_REPLY;
	}
	name = route_param(&route, "ups");
	if (name)
		ups = hub_find(hub, name);
	if (!ups) {
		api_problem(reply, name ? 404 : 400, "ups",
			    name ? "there is no UPS \"%s\"" : "is needed: the name of a UPS%s",
			    name ? name : "");
		return STEP_REPLY;
	}
	text = metrics_render_nut(ups, format, &len);
	blob = blob_new(text, len);
	exchange_send(x, 200, metrics_types[format], blob);
	blob_unref(blob);
	return STEP_GO;
}

static enum step say(struct exchange *x, int status, char *text)
{
	struct blob *blob = blob_new(text, strlen(text));

	exchange_send(x, status, "text/plain; charset=utf-8", blob);
	blob_unref(blob);
	return STEP_GO;
}

/* The loop turns. */
static enum step healthz(struct exchange *x, struct api_reply *reply)
{
	(void)reply;
	return say(x, 200, xstrdup("ok\n"));
}

/* Every UPS has fresh data. */
static enum step readyz(struct exchange *x, struct api_reply *reply)
{
	const struct hub *hub = x->door->front->hub;
	char *text = xstrdup("");

	(void)reply;
	for (size_t i = 0; i < hub_ups_count(hub); i++) {
		const struct hub_ups *ups = hub_ups_at(hub, i);
		char *more;

		if (hub_avail(ups) == HUB_OK)
			continue;
		more = xasprintf("%sno fresh data of %s\n", text, ups->name);
		free(text);
		text = more;
	}
	if (*text)
		return say(x, 503, text);
	free(text);
	return say(x, 200, xstrdup("ok\n"));
}

static const struct scrape scrapes[] = {
	{ "/metrics", false, metrics },
	{ "/ups_metrics", false, ups_metrics },
	{ "/healthz", true, healthz },
	{ "/readyz", false, readyz },
};

const struct scrape *scrape_find(const struct exchange *x)
{
	for (size_t i = 0; i < ARRAY_SIZE(scrapes); i++)
		if (exchange_is_for(x, scrapes[i].path))
			return &scrapes[i];
	return NULL;
}

const struct scrape *scrape_at(size_t i)
{
	return i < ARRAY_SIZE(scrapes) ? &scrapes[i] : NULL;
}
