#include "front/http/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <event2/event.h>
#include "front/http/model.h"
#include "unit/made_hub.h"
#include <ups2000/error.h>

struct fixture {
	struct event_base *base;
	struct hub *hub;
	struct hub_ups *rack;
	char last_order[256]; /* "command load.off 5 by root from unix" */
};

/* Orders end at once, as their value says. */
static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	struct fixture *f = backend;
	const char *value = order->value ? order->value : "";

	snprintf(f->last_order, sizeof(f->last_order), "%s %s %s by %s from %s",
		 order->kind == HUB_ORDER_SET ? "set" : "command", order->name, value, order->user,
		 order->from);
	if (!strcmp(value, "good"))
		hub_order_end(ups, order, U2K_VERIFIED, 0, "seen");
	else if (!strcmp(value, "bad"))
		hub_order_end(ups, order, U2K_REFUSED, U2K_EINVAL, "not between 6 and 5940");
	else if (!strcmp(value, "no"))
		hub_order_end(ups, order, U2K_REFUSED, U2K_EREFUSED, "a switch-off is pending");
	else if (!strcmp(value, "none"))
		hub_order_end(ups, order, U2K_REFUSED, U2K_ENOTSUP, "not on this model");
	else if (!strcmp(value, "broken"))
		hub_order_end(ups, order, U2K_FAILED, U2K_ETIMEOUT, "no answer");
}

static const struct hub_backend backend = { .order = take_order };

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->base = event_base_new();
	f->hub = hub_new(f->base);
	f->rack = made_ups(f->hub, "rack", "Server room", "first");
	f->rack->ops = &backend;
	f->rack->backend = f;
	hub_ups_add(f->hub, "new", NULL, NULL, 0); /* nothing known of it yet */
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hub_free(f->hub);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void call(struct fixture *f, const char *method, const char *target, const char *body,
		 struct api_reply *reply)
{
	struct api_request request = {
		.method = method,
		.target = target,
		.content_type = body ? "application/json; charset=utf-8" : NULL,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.user = "root",
		.from = "unix",
	};

	api_handle(f->hub, &request, reply);
}

/* A member by its way: "a/b/0/c". */
static const json_t *member(const json_t *json, const char *way)
{
	char copy[128], *save = NULL;

	strcpy(copy, way);
	for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save))
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(part))
					   : json_object_get(json, part);
	return json;
}

static void test_statuses(void **state)
{
	static const struct {
		const char *method, *target, *body;
		int status;
		const char *field; /* of the problem */
	} rows[] = {
		{ "GET", "/api/v1/health", NULL, 200, NULL },
		{ "HEAD", "/api/v1/health", NULL, 200, NULL },
		{ "GET", "/api/v1/ups", NULL, 200, NULL },
		{ "GET", "/api/v1/ups/rack", NULL, 200, NULL },
		{ "GET", "/api/v1/ups/RACK", NULL, 200, NULL },
		{ "GET", "/api/v1/ups/first", NULL, 200, NULL },
		{ "GET", "/api/v1/ups/new", NULL, 200, NULL },
		{ "GET", "/api/v1/ups/none", NULL, 404, "ups" },
		{ "GET", "/api/v1/ups/rack/variables", NULL, 200, NULL },
		{ "GET", "/api/v1/ups/rack/commands", NULL, 200, NULL },
		{ "GET", "/api/v1/ups/rack/settings", NULL, 200, NULL },
		{ "GET", "/api/v1/ups/rack/nothing", NULL, 404, NULL },
		{ "GET", "/api/v1/ups/rack/variables/x", NULL, 404, NULL },
		{ "GET", "/api/v2/ups", NULL, 404, NULL },
		{ "GET", "/", NULL, 404, NULL },
		{ "GET", "/api/v1/ups/../../etc/passwd", NULL, 400, NULL },
		{ "GET", "/api/v1/ups/%00", NULL, 400, NULL },
		{ "DELETE", "/api/v1/ups/rack", NULL, 405, NULL },
		{ "POST", "/api/v1/ups/rack", "{}", 405, NULL },
		{ "PUT", "/api/v1/ups/rack/commands", "{}", 405, NULL },
		{ "GET", "/api/v1/events", NULL, 200, NULL },
		{ "GET", "/api/v1/events?after=0&limit=5&ups=rack", NULL, 200, NULL },
		{ "GET", "/api/v1/events?limit=0", NULL, 400, "limit" },
		{ "GET", "/api/v1/events?limit=1001", NULL, 400, "limit" },
		{ "GET", "/api/v1/events?limit=x", NULL, 400, "limit" },
		{ "GET", "/api/v1/events?after=-1", NULL, 400, "after" },
		{ "GET", "/api/v1/events?after=99999999999999999999", NULL, 400, "after" },
		{ "GET", "/api/v1/events?after=0123abcd-5", NULL, 200, NULL },
		{ "GET", "/api/v1/events?after=0123abcg-5", NULL, 400, "after" },
		{ "GET", "/api/v1/events?ups=none", NULL, 404, "ups" },
		{ "GET", "/api/v1/events?oops=1", NULL, 400, "oops" },
		{ "GET", "/api/v1/orders/none", NULL, 404, NULL },
	};
	struct api_reply reply;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s %s\n", rows[i].method, rows[i].target);
		call(*state, rows[i].method, rows[i].target, rows[i].body, &reply);
		assert_int_equal(reply.status, rows[i].status);
		assert_non_null(reply.json);
		assert_string_equal(reply.type, rows[i].status < 300 ? "application/json"
								     : "application/problem+json");
		if (rows[i].status >= 300) {
			assert_int_equal(json_integer_value(member(reply.json, "status")),
					 rows[i].status);
			assert_non_null(json_string_value(member(reply.json, "detail")));
		}
		if (rows[i].field)
			assert_string_equal(json_string_value(member(reply.json, "field")),
					    rows[i].field);
		assert_int_equal(reply.allow != NULL, rows[i].status == 405);
		api_reply_clear(&reply);
	}
}

static void test_orders(void **state)
{
	static const struct {
		const char *what, *body;
		int status;
		const char *order; /* as the back end saw it, "" = not at all */
	} rows[] = {
		{ "commands", "{\"command\":\"load.off\"}", 202,
		  "command load.off  by root from unix" },
		{ "commands", "{\"command\":\"LOAD.OFF\",\"value\":\"good\"}", 200,
		  "command load.off good by root from unix" },
		{ "commands", "{\"command\":\"load.off\",\"value\":null}", 202,
		  "command load.off  by root from unix" },
		{ "commands", "{\"command\":\"load.off\",\"value\":\"bad\"}", 422,
		  "command load.off bad by root from unix" },
		{ "commands", "{\"command\":\"load.off\",\"value\":\"no\"}", 409,
		  "command load.off no by root from unix" },
		{ "commands", "{\"command\":\"load.off\",\"value\":\"none\"}", 404,
		  "command load.off none by root from unix" },
		{ "commands", "{\"command\":\"load.off\",\"value\":\"broken\"}", 502,
		  "command load.off broken by root from unix" },
		{ "commands", "{\"command\":\"load.of\"}", 404, "" },
		{ "commands", "{\"command\":\"\"}", 400, "" },
		{ "commands", "{\"value\":\"1\"}", 400, "" },
		{ "commands", "{\"command\":5}", 400, "" },
		{ "commands", "{\"command\":\"load.off\",\"now\":\"1\"}", 400, "" },
		{ "commands", "{\"command\":\"load.off\",\"command\":\"load.on\"}", 400, "" },
		{ "commands", "[\"load.off\"]", 400, "" },
		{ "commands", "{\"command\":\"load.off\"", 400, "" },
		{ "commands", "", 400, "" },
		{ "commands", "{\"command\":\"load.off\\u0000x\"}", 400, "" },
		{ "settings", "{\"name\":\"ups.delay.shutdown\",\"value\":\"12\"}", 202,
		  "set ups.delay.shutdown 12 by root from unix" },
		{ "settings", "{\"name\":\"ups.status\",\"value\":\"OL\"}", 409, "" },
		{ "settings", "{\"name\":\"ups.nothing\",\"value\":\"1\"}", 404, "" },
		{ "settings", "{\"name\":\"ups.delay.shutdown\"}", 400, "" },
		{ "settings", "{\"value\":\"1\"}", 400, "" },
	};
	struct fixture *f = *state;
	struct api_reply reply;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char target[64];

		print_message("%s %s\n", rows[i].what, rows[i].body);
		f->last_order[0] = '\0';
		snprintf(target, sizeof(target), "/api/v1/ups/rack/%s", rows[i].what);
		call(f, "POST", target, rows[i].body, &reply);
		assert_int_equal(reply.status, rows[i].status);
		assert_string_equal(f->last_order, rows[i].order);
		if (rows[i].status < 300) {
			assert_string_equal(json_string_value(member(reply.json, "outcome")),
					    rows[i].status == 202 ? "pending" : "verified");
			assert_non_null(strstr(reply.location, "/api/v1/orders/"));
		}
		api_reply_clear(&reply);
	}
}

static void test_order_is_found_again(void **state)
{
	struct api_reply reply;
	char location[128];

	call(*state, "POST", "/api/v1/ups/rack/commands", "{\"command\":\"beeper.toggle\"}",
	     &reply);
	strcpy(location, reply.location);
	api_reply_clear(&reply);
	call(*state, "GET", location, NULL, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(json_string_value(member(reply.json, "name")), "beeper.toggle");
	assert_string_equal(json_string_value(member(reply.json, "user")), "root");
	api_reply_clear(&reply);
}

static void test_other_content_types_are_refused(void **state)
{
	static const char *const types[] = { NULL, "", "text/plain", "application/jsonx",
					     "application/x-www-form-urlencoded" };
	static const char body[] = "{\"command\":\"load.off\"}";
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct api_request request = {
			.method = "POST",
			.target = "/api/v1/ups/rack/commands",
			.content_type = types[i],
			.body = body,
			.body_len = strlen(body),
			.user = "root",
			.from = "unix",
		};
		struct api_reply reply;

		f->last_order[0] = '\0';
		api_handle(f->hub, &request, &reply);
		assert_int_equal(reply.status, 415);
		assert_string_equal(f->last_order, "");
		api_reply_clear(&reply);
	}
}

static void test_snapshot(void **state)
{
	struct fixture *f = *state;
	struct u2k_snapshot snap = f->rack->snap;
	int64_t now = snap.status_at_us + 2 * U2K_SEC;
	json_t *json;

	snap.qty[U2K_QTY_INPUT_FREQUENCY].validity = U2K_INVALID;
	snap.qty[U2K_QTY_TEMPERATURE] = (struct u2k_value){ 0, 0, U2K_UNKNOWN };
	snap.qty[U2K_QTY_OUTPUT_SOURCE].value = 9;
	snap.alarms.active = 1u << 1;
	snap.alarms.unknown[2] = 1u << 15;
	f->rack->snap = snap;
	json = model_snapshot(f->rack, UINT64_MAX, now);

	assert_string_equal(json_string_value(member(json, "availability")), "fresh");
	assert_string_equal(json_string_value(member(json, "power/state")), "mains");
	assert_string_equal(json_string_value(member(json, "power/path/1")), "rectifier");
	assert_string_equal(json_string_value(member(json, "status/nut")), "OL CHRG");
	assert_string_equal(json_string_value(member(json, "status/flags/1")), "charging");
	assert_true(json_real_value(member(json, "status/age_s")) == 2.0);
	assert_true(json_real_value(member(json, "quantities/input.voltage/value")) == 230.1);
	assert_string_equal(json_string_value(member(json, "quantities/input.voltage/unit")), "V");
	assert_true(json_is_null(member(json, "quantities/input.frequency/value")));
	assert_string_equal(json_string_value(member(json, "quantities/input.frequency/validity")),
			    "invalid");
	assert_true(json_is_null(member(json, "quantities/ups.temperature/age_s")));
	assert_string_equal(json_string_value(member(json, "quantities/ups.temperature/validity")),
			    "unknown");
	assert_string_equal(json_string_value(member(json, "quantities/battery.state/text")),
			    "float");
	assert_string_equal(json_string_value(member(json, "quantities/output.source/text")),
			    "unknown (9)");
	assert_int_equal(json_integer_value(member(json, "alarms/active/0/id")), 10);
	assert_true(json_is_false(member(json, "alarms/active/0/counts")));
	assert_non_null(json_string_value(member(json, "alarms/active/0/remedy")));
	assert_int_equal(json_integer_value(member(json, "alarms/unknown_bits/0/register")), 40158);
	assert_int_equal(json_integer_value(member(json, "alarms/unknown_bits/0/bit")), 15);
	assert_string_equal(json_string_value(member(json, "identity/serial")),
			    "2102310000HDL1000001");
	assert_true(json_is_true(member(json, "commands/open")));
	assert_string_equal(json_string_value(member(json, "comm/state")), "ok");
	assert_int_equal(json_integer_value(member(json, "line/timeouts")), 1);
	json_decref(json);
}

/* The load's way, and which flag wins. An outage during a test is an outage. */
static void test_power(void **state)
{
	static const struct {
		unsigned flags;
		const char *expected;
	} rows[] = {
		{ U2K_OL | U2K_CHRG, "mains" },
		{ U2K_OL | U2K_ECO, "eco" },
		{ U2K_OB | U2K_DISCHRG, "battery" },
		{ U2K_OB | U2K_LB, "battery" },
		{ U2K_BYPASS, "bypass" },
		{ U2K_BYPASS | U2K_OL, "bypass" },
		{ U2K_OFF, "off" },
		{ U2K_OFF | U2K_CHRG, "off" },
		{ U2K_OL | U2K_TEST, "test" },
		{ U2K_OB | U2K_TEST, "battery" },
		{ 0, "unknown" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *json;

		f->rack->snap.flags = rows[i].flags;
		json = model_snapshot(f->rack, UINT64_MAX, clock_us());
		assert_string_equal(json_string_value(member(json, "power/state")),
				    rows[i].expected);
		json_decref(json);
	}
}

/* A device's strings can be anything. */
static void test_strings_that_are_not_utf8(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	strcpy(f->rack->snap.identity.model, "UPS\xff\xfe");
	json = model_snapshot(f->rack, UINT64_MAX, clock_us());
	assert_string_equal(json_string_value(member(json, "identity/model")), "UPS??");
	json_decref(json);
}

static void test_partial_snapshot(void **state)
{
	struct fixture *f = *state;
	json_t *json = model_snapshot(f->rack, U2K_CHANGED_QTY(U2K_QTY_LOAD), clock_us());

	assert_int_equal(json_object_size(member(json, "quantities")), 1);
	assert_non_null(member(json, "status/nut"));
	assert_null(member(json, "identity"));
	assert_null(member(json, "alarms"));
	json_decref(json);
}

static void test_link_reason(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	f->rack->snap.comm = U2K_COMM_CLOSED;
	hub_event(f->hub, "link-down", "warning", "new", NULL, "another one");
	hub_event(f->hub, "link-down", "warning", "rack", NULL, "/dev/ttyUSB0 is not there");
	json = model_snapshot(f->rack, U2K_CHANGED_COMM, clock_us());
	assert_string_equal(json_string_value(member(json, "comm/reason")),
			    "/dev/ttyUSB0 is not there");
	json_decref(json);
	hub_event(f->hub, "link-up", "info", "rack", NULL, "open");
	json = model_snapshot(f->rack, U2K_CHANGED_COMM, clock_us());
	assert_true(json_is_null(member(json, "comm/reason")));
	json_decref(json);
}

static void test_events(void **state)
{
	struct fixture *f = *state;
	uint64_t before = model_newest_event(f->hub);
	char target[96], cursor[MODEL_CURSOR_MAX];
	struct api_reply reply;

	hub_event(f->hub, "on-battery", "warning", "rack", "{\"charge\":92}", "On battery.");
	hub_event(f->hub, "odd", "info", NULL, "not json", "For all.");
	model_cursor(cursor, before);
	snprintf(target, sizeof(target), "/api/v1/events?after=%s", cursor);
	call(f, "GET", target, NULL, &reply);
	assert_int_equal(json_array_size(member(reply.json, "events")), 2);
	assert_string_equal(json_string_value(member(reply.json, "events/0/kind")), "on-battery");
	assert_int_equal(json_integer_value(member(reply.json, "events/0/facts/charge")), 92);
	assert_true(json_is_null(member(reply.json, "events/1/facts")));
	assert_true(json_is_null(member(reply.json, "events/1/ups")));
	api_reply_clear(&reply);

	/* of another run of the daemon: all there are */
	call(f, "GET", "/api/v1/events?after=00000000-99", NULL, &reply);
	assert_int_equal(json_array_size(member(reply.json, "events")), before + 2);
	api_reply_clear(&reply);

	/* the last ones count */
	call(f, "GET", "/api/v1/events?limit=1", NULL, &reply);
	assert_int_equal(json_array_size(member(reply.json, "events")), 1);
	assert_string_equal(json_string_value(member(reply.json, "events/0/kind")), "odd");
	api_reply_clear(&reply);
}

static void test_stream_is_asked_for(void **state)
{
	struct fixture *f = *state;
	struct api_request request = {
		.method = "GET",
		.target = "/api/v1/events?ups=first&snapshots=0",
		.accept = "text/event-stream",
	};
	uint64_t newest = model_newest_event(f->hub);
	struct api_reply reply;

	api_handle(f->hub, &request, &reply);
	assert_true(reply.streaming);
	assert_string_equal(reply.stream.ups, "rack");
	assert_false(reply.stream.snapshots);
	assert_int_equal(reply.stream.after, newest);
	api_reply_clear(&reply);

	request.target = "/api/v1/events?after=5";
	request.last_event_id = "1";
	api_handle(f->hub, &request, &reply);
	assert_true(reply.stream.snapshots);
	assert_int_equal(reply.stream.after, 1);
	api_reply_clear(&reply);

	request.last_event_id = "x";
	api_handle(f->hub, &request, &reply);
	assert_int_equal(reply.status, 400);
	assert_false(reply.streaming);
	api_reply_clear(&reply);
}

static void test_model_time(void **state)
{
	static const struct {
		int64_t wall_us;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ INT64_C(951827696789000), "2000-02-29T12:34:56.789Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[32];

		model_time(text, rows[i].wall_us);
		assert_string_equal(text, rows[i].text);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_statuses),
		TEST(test_orders),
		TEST(test_order_is_found_again),
		TEST(test_other_content_types_are_refused),
		TEST(test_snapshot),
		TEST(test_power),
		TEST(test_strings_that_are_not_utf8),
		TEST(test_partial_snapshot),
		TEST(test_link_reason),
		TEST(test_events),
		TEST(test_stream_is_asked_for),
		cmocka_unit_test(test_model_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
