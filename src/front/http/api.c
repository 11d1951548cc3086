#include "front/http/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "auth/rights.h"
#include "daemon/config.h"
#include "daemon/hub.h"
#include "daemon/notices.h"
#include "daemon/records.h"
#include "front/http/later.h"
#include "front/http/model.h"
#include "front/http/plan.h"
#include "front/http/query.h"
#include "front/http/route.h"
#include "nut/store.h"
#include "util/util.h"
#include <ups2000/error.h>

enum { EVENTS_LIMIT = 1000 };

struct call {
	struct hub *hub;
	const struct api_request *request;
	struct api_reply *reply;
	const struct route *route;
	struct hub_ups *ups; /* for rows with a UPS */
	bool post;
};

const char *api_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 202, "Accepted" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Error";
}

/* What clients sent may be quoted in an answer; it need not be UTF-8. */
static json_t *sentence(char *text)
{
	json_t *json = json_string(text);

	for (char *p = text; !json && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json ? json : json_string(text);
}

void api_problem(struct api_reply *reply, int status, const char *field, const char *format, ...)
{
	va_list args;
	char *detail;

	va_start(args, format);
	detail = xvasprintf(format, args);
	va_end(args);
	json_decref(reply->json);
	reply->status = status;
	reply->type = "application/problem+json";
	reply->json =
		json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title",
			  api_status_text(status), "status", status, "detail", sentence(detail));
	if (field)
		json_object_set_new(reply->json, "field", json_string(field));
	free(detail);
}

void api_reply_clear(struct api_reply *reply)
{
	json_decref(reply->json);
	free(reply->text);
	if (reply->later)
		api_later_abandon(reply->later);
	memset(reply, 0, sizeof(*reply));
}

static void answer(struct call *call, json_t *json)
{
	call->reply->status = 200;
	call->reply->json = json;
}

/* ---- reading ---- */

static void get_health(struct call *call)
{
	size_t n = hub_ups_count(call->hub), fresh = 0;

	for (size_t i = 0; i < n; i++)
		fresh += hub_avail(hub_ups_at(call->hub, i)) == HUB_OK;
	answer(call,
	       json_pack("{s:s, s:s, s:i, s:i}", "status", fresh == n ? "ok" : "degraded",
			 "version", U2K_VERSION, "ups_count", (int)n, "ups_fresh", (int)fresh));
}

static void get_list(struct call *call)
{
	json_t *list = json_array();
	int64_t now = clock_us();

	for (size_t i = 0; i < hub_ups_count(call->hub); i++)
		json_array_append_new(list, model_summary(hub_ups_at(call->hub, i), now));
	answer(call, json_pack("{s:o}", "ups", list));
}

static void get_ups(struct call *call)
{
	answer(call, model_snapshot(call->ups, UINT64_MAX, clock_us()));
}

static void get_variables(struct call *call)
{
	answer(call, model_variables(call->ups));
}

/* PeaNUT's place and shape, which Homepage and others read. Stale data is none. */
static void get_device(struct call *call)
{
	enum hub_avail avail = hub_avail(call->ups);

	if (avail == HUB_OK)
		answer(call, model_device(call->ups));
	else
		api_problem(call->reply, 503, NULL, "no fresh data of %s", call->ups->name);
}

/* 1 to max and nothing else. */
static bool parse_limit(const char *text, unsigned max, unsigned *limit)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < 1 || value > max)
		return false;
	*limit = (unsigned)value;
	return true;
}

static bool known_params(struct call *call, const char *const *names)
{
	for (size_t i = 0; i < call->route->n_params; i++) {
		const char *const *name = names;

		while (*name && strcmp(*name, call->route->params[i].name) != 0)
			name++;
		if (*name)
			continue;
		api_problem(call->reply, 400, call->route->params[i].name,
			    "no such parameter: \"%s\"", call->route->params[i].name);
		return false;
	}
	return true;
}

static void start_stream(struct call *call, uint64_t after, bool resume)
{
	struct api_stream *stream = &call->reply->stream;
	const char *snapshots = route_param(call->route, "snapshots");
	uint64_t newest = model_newest_event(call->hub);

	stream->after = resume ? after : newest;
	stream->snapshots = !snapshots || strcmp(snapshots, "0") != 0;
	call->reply->status = 200;
	call->reply->streaming = true;
}

static void list_events(struct call *call, uint64_t after, unsigned limit)
{
	const struct hub_event *event = NULL;
	json_t *list = json_array();
	const char *ups = call->reply->stream.ups;
	char cursor[MODEL_CURSOR_MAX];

	while ((event = hub_event_after(call->hub, event ? event->id : after))) {
		if (*ups && (!event->ups || strcmp(event->ups, ups) != 0))
			continue;
		json_array_append_new(list, model_event(event));
		if (json_array_size(list) > limit)
			json_array_remove(list, 0);
	}
	model_cursor(cursor, model_newest_event(call->hub));
	answer(call, json_pack("{s:o, s:s}", "events", list, "cursor", cursor));
}

static void get_events(struct call *call)
{
	static const char *const params[] = { "after", "limit", "ups", "snapshots", NULL };
	const char *accept = call->request->accept;
	const char *resume = call->request->last_event_id;
	const char *ups = route_param(call->route, "ups");
	const char *text = route_param(call->route, "after");
	unsigned limit = EVENTS_LIMIT;
	uint64_t after = 0;

	if (!known_params(call, params))
		return;
	if (ups) {
		const struct hub_ups *found = hub_find(call->hub, ups);

		if (!found) {
			api_problem(call->reply, 404, "ups", "there is no UPS \"%s\"", ups);
			return;
		}
		strncpy(call->reply->stream.ups, found->name, sizeof(call->reply->stream.ups) - 1);
	}
	if (resume && *resume)
		text = resume;
	if (text && !model_cursor_parse(text, &after)) {
		api_problem(call->reply, 400, "after",
			    "\"%.60s\" is neither an event id nor a cursor", text);
		return;
	}
	if (accept && strstr(accept, "text/event-stream")) {
		start_stream(call, after, text != NULL);
		return;
	}
	text = route_param(call->route, "limit");
	if (text && !parse_limit(text, EVENTS_LIMIT, &limit)) {
		api_problem(call->reply, 400, "limit", "must be 1 to %d, not \"%s\"", EVENTS_LIMIT,
			    text);
		return;
	}
	list_events(call, after, limit);
}

static void get_order(struct call *call)
{
	const struct hub_order *order = hub_order_find(call->hub, call->route->parts[3]);

	if (!order)
		api_problem(call->reply, 404, NULL,
			    "there is no order with this id, or it ended too long ago");
	else
		answer(call, model_order(order, clock_us()));
}

/* ---- notifications ---- */

static void answer_text(struct call *call, int status, char *text)
{
	call->reply->status = status;
	call->reply->text = text;
}

static void get_notices(struct call *call)
{
	answer_text(call, 200, hub_show_notices(call->hub, NULL));
}

static void no_target(struct call *call)
{
	api_problem(call->reply, 404, NULL, "there is no notify \"%.100s\"", call->route->parts[3]);
}

static void get_notice(struct call *call)
{
	char *text = hub_show_notices(call->hub, call->route->parts[3]);

	if (text)
		answer_text(call, 200, text);
	else
		no_target(call);
}

static void test_notice(struct call *call)
{
	const char *target = call->route->parts[3];

	if (!call->post) {
		get_notice(call);
		return;
	}
	if (!hub_test_notice(call->hub, target)) {
		no_target(call);
		return;
	}
	answer_text(call, 202, hub_show_notices(call->hub, target));
	snprintf(call->reply->location, sizeof(call->reply->location), "/api/v1/notify/%.100s",
		 target);
}

/* ---- ordering ---- */

json_t *api_read_body(const struct api_request *request, struct api_reply *reply,
		      const char *const *members)
{
	const char *type = request->content_type ? request->content_type : "";
	size_t type_len = strcspn(type, "; ");
	json_error_t error;
	json_t *body, *value;
	const char *key;

	if (type_len != strlen("application/json") ||
	    strncasecmp(type, "application/json", type_len) != 0) {
		api_problem(reply, 415, "Content-Type", "must be application/json");
		return NULL;
	}
	body = json_loadb(request->body ? request->body : "", request->body_len,
			  JSON_REJECT_DUPLICATES, &error);
	if (!body) {
		api_problem(reply, 400, NULL, "the body is not JSON: %s (line %d)", error.text,
			    error.line);
		return NULL;
	}
	if (!json_is_object(body)) {
		api_problem(reply, 400, NULL, "the body must be a JSON object");
		goto wrong;
	}
	json_object_foreach(body, key, value)
	{
		const char *const *member = members;

		while (*member && strcmp(*member, key) != 0)
			member++;
		if (!*member) {
			api_problem(reply, 400, key, "no such member: \"%s\"", key);
			goto wrong;
		}
		if (!json_is_string(value) && !json_is_null(value)) {
			api_problem(reply, 400, key, "must be a string");
			goto wrong;
		}
	}
	return body;

wrong:
	json_decref(body);
	return NULL;
}

static json_t *read_body(struct call *call, const char *const *members)
{
	return api_read_body(call->request, call->reply, members);
}

/* What writing may need. */
enum right { RIGHT_NONE, RIGHT_COMMAND, RIGHT_SET, RIGHT_FSD };

/* May the client? With RIGHT_COMMAND: that command (NULL: any). False after a problem. */
static bool may(struct call *call, enum right right, const char *command)
{
	static const enum access networks[] = {
		[RIGHT_COMMAND] = ACCESS_INSTCMD,
		[RIGHT_SET] = ACCESS_SET,
		[RIGHT_FSD] = ACCESS_FSD,
	};
	const struct api_client *client = call->request->remote;
	const struct config_user *user;
	bool ok;

	if (!client)
		return true;
	user = client->account;
	if (right == RIGHT_NONE || !user ||
	    !rights_from(client->access, networks[right], client->peer)) {
		api_problem(call->reply, user ? 403 : 401, NULL,
			    user ? "refused by section access" : "log in first");
		return false;
	}
	if (right == RIGHT_COMMAND)
		ok = command ? rights_command(user, command) : user->n_instcmds > 0;
	else
		ok = rights_act(user, right == RIGHT_SET ? CONFIG_ACTION_SET : CONFIG_ACTION_FSD);
	if (!ok)
		api_problem(call->reply, 403, NULL, "the user %s has no right to do this",
			    user->name);
	return ok;
}

/* A refusal at once is told by the status too; whatever comes later is in the order alone. */
static int order_status(const struct hub_order *order)
{
	switch (order->outcome) {
	case U2K_PENDING:
		return 202;
	case U2K_VERIFIED:
		return 200;
	case U2K_FAILED:
		return 502;
	case U2K_REFUSED:
		break;
	}
	if (order->error == U2K_EINVAL)
		return 422;
	return order->error == U2K_ENOTSUP ? 404 : 409;
}

static void give_order(struct call *call, enum hub_order_kind kind, const char *name,
		       const char *value)
{
	const struct hub_order *order =
		hub_order(call->ups, kind, name, value, call->request->user, call->request->from);
	int status = order_status(order);
	json_t *json = model_order(order, clock_us());

	snprintf(call->reply->location, sizeof(call->reply->location), "/api/v1/orders/%s",
		 order->id);
	if (status < 300) {
		answer(call, json);
		call->reply->status = status;
		return;
	}
	api_problem(call->reply, status, NULL, "%s", order->message ? order->message : "refused");
	json_object_set_new(call->reply->json, "order", json);
}

static void commands(struct call *call)
{
	static const char *const members[] = { "command", "value", NULL };
	const char *name, *value;
	json_t *body;

	if (!call->post) {
		answer(call, model_commands(call->ups));
		return;
	}
	body = read_body(call, members);
	if (!body)
		return;
	name = json_string_value(json_object_get(body, "command"));
	value = json_string_value(json_object_get(body, "value"));
	if (!name || !*name)
		api_problem(call->reply, 400, "command", "is missing: the name of the command");
	else if (!nut_store_find_cmd(call->ups->store, name))
		api_problem(call->reply, 404, "command", "%s has no command \"%.100s\"",
			    call->ups->name, name);
	else if (may(call, RIGHT_COMMAND, name))
		give_order(call, HUB_ORDER_COMMAND, name, value);
	json_decref(body);
}

static void settings(struct call *call)
{
	static const char *const members[] = { "name", "value", NULL };
	const char *name, *value;
	const struct nut_var *var;
	json_t *body;

	if (!call->post) {
		answer(call, model_settings(call->ups));
		return;
	}
	body = read_body(call, members);
	if (!body)
		return;
	name = json_string_value(json_object_get(body, "name"));
	value = json_string_value(json_object_get(body, "value"));
	var = name ? nut_store_find(call->ups->store, name) : NULL;
	if (!name || !*name)
		api_problem(call->reply, 400, "name", "is missing: the name of the variable");
	else if (!value)
		api_problem(call->reply, 400, "value", "is missing: the new value, as a string");
	else if (!var)
		api_problem(call->reply, 404, "name", "%s has no variable \"%.100s\"",
			    call->ups->name, name);
	else if (!(var->flags & NUT_RW))
		api_problem(call->reply, 409, "name", "%s cannot be set", var->name);
	else if (strlen(value) > NUT_VALUE_MAX)
		api_problem(call->reply, 422, "value", "has more than %d characters",
			    NUT_VALUE_MAX);
	else
		give_order(call, HUB_ORDER_SET, name, value);
	json_decref(body);
}

/* ---- records ---- */

/* The record keeper's answer to a request that waits for it. */
static void recorded_cb(void *user, int status, char *text)
{
	struct api_reply reply = { .status = status, .type = "application/json" };

	if (status == 200)
		reply.text = text;
	else
		api_problem(&reply, status, NULL, "%s", text);
	if (status != 200)
		free(text);
	api_later_answer(user, &reply);
}

static void ask_records(struct call *call, enum record_kind kind)
{
	const char *ups = route_param(call->route, "ups");
	const struct hub_ups *of = call->ups;
	struct record_query query;
	struct query_error error;

	if (!query_parse(call->route, kind, wall_us(), &query, &error)) {
		api_problem(call->reply, 400, error.field, "%s", error.detail);
		return;
	}
	if (of && ups) {
		api_problem(call->reply, 400, "ups", "the path names the UPS already");
		return;
	}
	if (ups)
		of = hub_find(call->hub, ups);
	if (ups && !of) {
		api_problem(call->reply, 404, "ups", "there is no UPS \"%s\"", ups);
		return;
	}
	if (of)
		strncpy(query.ups, of->name, sizeof(query.ups) - 1);
	call->reply->later = api_later_new();
	hub_ask_records(call->hub, &query, recorded_cb, call->reply->later);
}

static void get_history(struct call *call)
{
	ask_records(call, RECORD_HISTORY);
}

static void get_outages(struct call *call)
{
	ask_records(call, RECORD_OUTAGES);
}

static void get_tests(struct call *call)
{
	ask_records(call, RECORD_TESTS);
}

static void get_log(struct call *call)
{
	ask_records(call, RECORD_LOG);
}

/* ---- the plan for hosts ---- */

static void get_policy(struct call *call)
{
	answer(call, plan_json(call->hub, clock_us()));
}

static void shutdown_(struct call *call)
{
	if (call->post)
		plan_post_shutdown(call->hub, call->request, call->reply);
	else
		get_policy(call);
}

static void fsd(struct call *call)
{
	if (call->post)
		plan_post_fsd(call->hub, call->request, call->reply);
	else
		answer(call, plan_fsd_json(call->hub));
}

static void drill(struct call *call)
{
	plan_drill(call->hub, call->request, call->post, call->reply);
}

/* ---- the table ---- */

static const struct resource {
	const char *parts[ROUTE_PARTS_MAX]; /* behind /api/v1; "*" stands for any */
	bool ups;			    /* parts[1] is the name of a UPS */
	enum right post;		    /* to POST; NONE: not possible */
	void (*serve)(struct call *call);
} resources[] = {
	{ { "health" }, false, RIGHT_NONE, get_health },
	{ { "ups" }, false, RIGHT_NONE, get_list },
	{ { "ups", "*" }, true, RIGHT_NONE, get_ups },
	{ { "ups", "*", "variables" }, true, RIGHT_NONE, get_variables },
	{ { "ups", "*", "commands" }, true, RIGHT_COMMAND, commands },
	{ { "ups", "*", "settings" }, true, RIGHT_SET, settings },
	{ { "ups", "*", "history" }, true, RIGHT_NONE, get_history },
	{ { "ups", "*", "outages" }, true, RIGHT_NONE, get_outages },
	{ { "ups", "*", "tests" }, true, RIGHT_NONE, get_tests },
	{ { "outages" }, false, RIGHT_NONE, get_outages },
	{ { "tests" }, false, RIGHT_NONE, get_tests },
	{ { "log" }, false, RIGHT_NONE, get_log },
	{ { "devices", "*" }, true, RIGHT_NONE, get_device },
	{ { "events" }, false, RIGHT_NONE, get_events },
	{ { "notify" }, false, RIGHT_NONE, get_notices },
	{ { "notify", "*" }, false, RIGHT_NONE, get_notice },
	{ { "notify", "*", "test" }, false, RIGHT_SET, test_notice },
	{ { "orders", "*" }, false, RIGHT_NONE, get_order },
	{ { "policy" }, false, RIGHT_NONE, get_policy },
	{ { "shutdown" }, false, RIGHT_FSD, shutdown_ },
	{ { "fsd" }, false, RIGHT_FSD, fsd },
	{ { "drill" }, false, RIGHT_FSD, drill },
};

bool api_resource(size_t i, char *path, size_t size, bool *post)
{
	const struct resource *resource = &resources[i];
	size_t used;

	if (i >= ARRAY_SIZE(resources))
		return false;
	used = (size_t)snprintf(path, size, "/api/v1");
	for (size_t p = 0; p < ROUTE_PARTS_MAX && resource->parts[p] && used < size; p++) {
		const char *part = resource->parts[p];

		if (strcmp(part, "*") == 0)
			part = resource->ups ? "{name}" : "{id}";
		used += (size_t)snprintf(path + used, size - used, "/%s", part);
	}
	*post = resource->post != RIGHT_NONE;
	return true;
}

static bool matches(const struct resource *resource, const struct route *route)
{
	size_t i;

	for (i = 0; i < ROUTE_PARTS_MAX && resource->parts[i]; i++) {
		if (i + 2 >= route->n)
			return false;
		if (strcmp(resource->parts[i], "*") != 0 &&
		    strcmp(resource->parts[i], route->parts[i + 2]) != 0)
			return false;
	}
	return route->n == i + 2;
}

static const struct resource *find_resource(const struct route *route)
{
	if (route->n < 3 || strcmp(route->parts[0], "api") != 0 ||
	    strcmp(route->parts[1], "v1") != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		if (matches(&resources[i], route))
			return &resources[i];
	return NULL;
}

static bool allowed(struct call *call, const struct resource *resource)
{
	const char *method = call->request->method;

	call->post = !strcmp(method, "POST");
	if (!strcmp(method, "GET") || !strcmp(method, "HEAD") || (call->post && resource->post))
		return !call->post || may(call, resource->post, NULL);
	api_problem(call->reply, 405, NULL, "%.20s is not possible here", method);
	call->reply->allow = resource->post ? "GET, HEAD, POST" : "GET, HEAD";
	return false;
}

/* "alpha, beta" of the UPSes there are, for people who mistyped one. */
static void known_names(const struct hub *hub, char *out, size_t size)
{
	size_t used = 0;

	snprintf(out, size, "none");
	for (size_t i = 0; i < hub_ups_count(hub) && used + 1 < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
					 hub_ups_at(hub, i)->name);
}

void api_handle(struct hub *hub, const struct api_request *request, struct api_reply *reply)
{
	struct call call = { .hub = hub, .request = request, .reply = reply };
	const struct resource *resource;
	struct route route;
	char names[256];

	memset(reply, 0, sizeof(*reply));
	reply->type = "application/json";
	call.route = &route;
	if (!route_parse(&route, request->target)) {
		api_problem(reply, 400, NULL, "the path cannot be read");
		return;
	}
	resource = find_resource(&route);
	if (!resource) {
		api_problem(reply, 404, NULL, "nothing is here; see /api/v1/ups");
		return;
	}
	if (!allowed(&call, resource))
		return;
	if (resource->ups) {
		call.ups = hub_find(hub, route.parts[3]);
		if (!call.ups) {
			known_names(hub, names, sizeof(names));
			api_problem(reply, 404, "ups", "there is no UPS \"%s\"; there is: %s",
				    route.parts[3], names);
			return;
		}
	}
	resource->serve(&call);
}
