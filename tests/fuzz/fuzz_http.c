/*
 * The parsers of the local API, by the first byte of the input: a request (line "METHOD TARGET",
 * then the body) to the API over a hub filled by hand; an HTTP response, as the command line takes
 * it apart; a stream of server-sent events.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/response.h"
#include "cli/sse.h"
#include "cli/view.h"
#include "front/http/api.h"
#include "unit/made_hub.h"
#include "util/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	(void)backend;
	hub_order_end(ups, order, U2K_VERIFIED, 0, "done");
}

static const struct hub_backend backend = { .order = take_order };

static void request(const char *text)
{
	static struct hub *hub;
	size_t method_len = strcspn(text, " \n");
	const char *target = text + method_len + (text[method_len] == ' ');
	size_t target_len = strcspn(target, "\n");
	char *method = xasprintf("%.*s", (int)method_len, text);
	char *path = xasprintf("%.*s", (int)target_len, target);
	const char *body = target + target_len + (target[target_len] == '\n');
	struct api_request api = {
		.method = method,
		.target = path,
		.accept = target_len % 2 ? "text/event-stream" : NULL,
		.content_type = "application/json",
		.body = body,
		.body_len = strlen(body),
		.user = "root",
		.from = "unix",
	};
	struct api_reply reply;

	if (!hub) {
		struct hub_ups *ups;

		log_open("fuzz", LOG_TARGET_STDERR, LOG_LEVEL_ERROR);
		hub = hub_new(NULL);
		ups = made_ups(hub, "rack", NULL, "first");
		ups->ops = &backend;
	}
	api_handle(hub, &api, &reply);
	if (!reply.streaming && !reply.json)
		abort();
	api_reply_clear(&reply);
	free(method);
	free(path);
}

static void body_part(const char *data, size_t len, void *user)
{
	size_t *total = user;

	*total += len;
	if (len > 0 && !data)
		abort();
}

static void response(const char *data, size_t len)
{
	struct response *r = xmalloc(sizeof(*r));
	size_t total = 0, half = len / 2;

	response_init(r);
	if (response_feed(r, data, half, body_part, &total))
		response_feed(r, data + half, len - half, body_part, &total);
	response_end(r);
	if (total > len)
		abort();
	free(r);
}

static void event(const char *type, const char *id, const char *data, void *user)
{
	json_t *json = json_loads(data, 0, NULL);
	struct page page;

	(void)type;
	(void)id;
	(void)user;
	if (!json)
		return;
	ask_clean(json);
	page_init(&page, true, true, 80);
	view_ups(&page, json, 1, false, false);
	view_event(&page, json, true, true);
	for (size_t i = 0; i < page.len; i++)
		if (page.text[i] == '\033' && page.text[i + 1] != '[')
			abort();
	page_close(&page);
	json_decref(json);
}

static void stream(const char *data, size_t len)
{
	struct sse sse;

	sse_init(&sse);
	sse_feed(&sse, data, len, event, NULL);
	sse_close(&sse);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = xmalloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 3) {
	case 0:
		request(text);
		break;
	case 1:
		response(text, size - 1);
		break;
	default:
		stream(text, size - 1);
		break;
	}
	free(text);
	return 0;
}
