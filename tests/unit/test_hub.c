#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include <event2/event.h>

#include "daemon/hub.h"
#include "util/util.h"
#include <ups2000/error.h>

struct rig {
	struct event_base *base;
	struct hub *hub;
	struct hub_ups *ups;
	struct u2k_snapshot snap;
	struct hub_order *order; /* the last one the back end got */
	enum u2k_outcome answer; /* what the back end says at once; PENDING: nothing */
	unsigned changes, removed, events;
	uint64_t mask;
};

static void on_changed(void *front, struct hub_ups *ups, uint64_t mask)
{
	struct rig *rig = front;

	assert_ptr_equal(ups->hub, rig->hub);
	rig->changes++;
	rig->mask = mask;
}

static void on_event(void *front, const struct hub_event *event)
{
	struct rig *rig = front;

	assert_non_null(event->text);
	rig->events++;
}

static void on_removed(void *front, struct hub_ups *ups)
{
	struct rig *rig = front;

	assert_non_null(ups->name);
	rig->removed++;
}

static const struct hub_front front = { "test", on_changed, on_event, on_removed };

static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	struct rig *rig = backend;

	rig->order = order;
	if (rig->answer != U2K_PENDING)
		hub_order_end(ups, order, rig->answer, U2K_EINVAL, "That is so.");
}

static const struct hub_backend backend = { take_order };

static int setup(void **state)
{
	static const char *const aliases[] = { "ups", "Main" };
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->base = event_base_new();
	rig->hub = hub_new(rig->base);
	rig->ups = hub_ups_add(rig->hub, "rack", "In the rack", aliases, 2);
	rig->ups->backend = rig;
	rig->ups->ops = &backend;
	hub_attach(rig->hub, &front, rig);
	rig->snap.gate = U2K_GATE_NOT_IDENTIFIED;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	hub_detach(rig->hub, rig);
	hub_free(rig->hub);
	assert_int_equal(event_base_get_num_events(rig->base, EVENT_BASE_COUNT_ADDED), 0);
	event_base_free(rig->base);
	free(rig);
	return 0;
}

static void good_status(struct rig *rig, unsigned flags)
{
	rig->snap.comm = U2K_COMM_OK;
	rig->snap.gate = U2K_GATE_OPEN;
	rig->snap.flags = flags;
	rig->snap.status_at_us = clock_us();
	if (!rig->snap.first_status_us)
		rig->snap.first_status_us = rig->snap.status_at_us;
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_FLAGS);
}

/* The kinds of the events after an id, separated by blanks. */
static const char *kinds_after(const struct rig *rig, uint64_t after)
{
	static char text[512];
	const struct hub_event *event;

	text[0] = '\0';
	while ((event = hub_event_after(rig->hub, after))) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "", event->kind);
		after = event->id;
	}
	return text;
}

static uint64_t newest(const struct rig *rig)
{
	const struct hub_event *event;
	uint64_t id = 0;

	while ((event = hub_event_after(rig->hub, id)))
		id = event->id;
	return id;
}

static void test_names(void **state)
{
	struct rig *rig = *state;
	static const struct {
		const char *name;
		bool found;
	} rows[] = {
		{ "rack", true }, { "RACK", true }, { "ups", true },	{ "main", true },
		{ "", false },	  { "rac", false }, { "rack ", false }, { "rack2", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_ptr_equal(hub_find(rig->hub, rows[i].name), rows[i].found ? rig->ups : NULL);
	assert_int_equal(hub_ups_count(rig->hub), 1);
	assert_ptr_equal(hub_ups_at(rig->hub, 0), rig->ups);
	assert_null(hub_ups_at(rig->hub, 1));
}

static void test_order_of_the_list(void **state)
{
	struct rig *rig = *state;
	struct hub_ups *b = hub_ups_add(rig->hub, "b", NULL, NULL, 0);
	struct hub_ups *c = hub_ups_add(rig->hub, "c", NULL, NULL, 0);

	hub_ups_place(c, 0);
	assert_ptr_equal(hub_ups_at(rig->hub, 0), c);
	assert_ptr_equal(hub_ups_at(rig->hub, 1), rig->ups);
	assert_ptr_equal(hub_ups_at(rig->hub, 2), b);
	hub_ups_place(c, 2);
	assert_ptr_equal(hub_ups_at(rig->hub, 0), rig->ups);
	assert_ptr_equal(hub_ups_at(rig->hub, 2), c);

	hub_ups_remove(b);
	assert_int_equal(rig->removed, 1);
	assert_null(hub_find(rig->hub, "b"));
	assert_ptr_equal(hub_ups_at(rig->hub, 1), c);
}

/* Availability by what was read and how long ago. */
static void test_availability(void **state)
{
	struct rig *rig = *state;
	static const struct {
		const char *what;
		enum u2k_comm comm;
		int64_t age_us;
		enum hub_avail avail;
	} rows[] = {
		{ "fresh", U2K_COMM_OK, 0, HUB_OK },
		{ "silent for a second", U2K_COMM_SILENT, U2K_SEC, HUB_OK },
		{ "pulled a second ago", U2K_COMM_CLOSED, U2K_SEC, HUB_OK },
		{ "pulled 9 s ago", U2K_COMM_CLOSED, 9 * U2K_SEC, HUB_OK },
		{ "pulled 11 s ago", U2K_COMM_CLOSED, 11 * U2K_SEC, HUB_NOT_CONNECTED },
		{ "silent for 11 s", U2K_COMM_SILENT, 11 * U2K_SEC, HUB_STALE },
		{ "says so itself", U2K_COMM_STALE, U2K_SEC, HUB_STALE },
	};

	assert_int_equal(hub_avail(rig->ups), HUB_WAIT);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rig->snap.comm = rows[i].comm;
		rig->snap.first_status_us = 1;
		rig->snap.status_at_us = clock_us() - rows[i].age_us;
		hub_publish(rig->ups, &rig->snap, U2K_CHANGED_COMM);
		if (hub_avail(rig->ups) != rows[i].avail)
			fail_msg("%s: %d", rows[i].what, (int)hub_avail(rig->ups));
	}
}

/* Nobody publishes anything: the hub itself tells the fronts when the waiting is over. */
static void test_first_wait_ends(void **state)
{
	struct rig *rig = *state;
	int64_t start = clock_us();

	while (rig->changes == 0)
		event_base_loop(rig->base, EVLOOP_ONCE);
	assert_true(clock_us() - start >= 1400 * U2K_MSEC);
	assert_true(rig->mask & U2K_CHANGED_COMM);
	assert_int_equal(hub_avail(rig->ups), HUB_NOT_CONNECTED);
}

static void test_status_events(void **state)
{
	struct rig *rig = *state;
	static const struct {
		unsigned flags;
		const char *kinds;
	} rows[] = {
		{ U2K_OL, "" },
		{ U2K_OL | U2K_CHRG, "" },
		{ U2K_OB | U2K_DISCHRG, "on-battery" },
		{ U2K_OB | U2K_DISCHRG, "" },
		{ U2K_OB | U2K_DISCHRG | U2K_LB, "low-battery" },
		{ U2K_OL | U2K_CHRG, "on-line low-battery-gone" },
		{ U2K_BYPASS, "on-bypass" },
		{ U2K_OL, "bypass-ended" },
		{ U2K_OL | U2K_DISCHRG | U2K_TEST, "test-started" },
		{ U2K_OL, "test-ended" },
		{ U2K_OB, "on-battery" },
		{ U2K_OFF, "output-off" },
		{ U2K_OL, "output-on" },
		{ U2K_OL | U2K_OVER, "overload" },
		{ U2K_OL | U2K_FAULT, "overload-gone fault" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t before = newest(rig);

		good_status(rig, rows[i].flags);
		if (strcmp(kinds_after(rig, before), rows[i].kinds) != 0)
			fail_msg("row %zu: %s", i, kinds_after(rig, before));
	}
	assert_int_equal(rig->changes, ARRAY_SIZE(rows));
}

static void test_outage_at_start_is_told(void **state)
{
	struct rig *rig = *state;

	good_status(rig, U2K_OB | U2K_DISCHRG);
	assert_string_equal(kinds_after(rig, 0), "on-battery");
}

static void test_battery_words(void **state)
{
	struct rig *rig = *state;

	rig->snap.qty[U2K_QTY_BATTERY_CHARGE] = (struct u2k_value){ 87, 1, U2K_VALID };
	rig->snap.qty[U2K_QTY_BATTERY_RUNTIME] = (struct u2k_value){ 720, 1, U2K_VALID };
	good_status(rig, U2K_OB);
	assert_string_equal(
		hub_event_after(rig->hub, 0)->text,
		"On battery: the mains failed (87 % charged, 12 min left at this load).");
	assert_string_equal(hub_event_after(rig->hub, 0)->severity, "warning");
	assert_string_equal(hub_event_after(rig->hub, 0)->ups, "rack");
}

static void test_alarm_events(void **state)
{
	struct rig *rig = *state;
	const struct hub_event *event;
	const struct u2k_alarm_desc *desc = u2k_alarm_desc(0);
	char expected[256];

	good_status(rig, U2K_OL);
	rig->snap.alarms.active = 1;
	rig->snap.alarms.at_us = 10;
	good_status(rig, U2K_OL | U2K_ALARM);
	event = hub_event_after(rig->hub, 0);
	snprintf(expected, sizeof(expected), "Alarm %u/%u raised: %s.", desc->id, desc->cause,
		 desc->name);
	assert_string_equal(event->text, expected);
	assert_string_equal(event->severity, desc->severity == U2K_ALERT ? "alert" : "warning");

	rig->snap.alarms.at_us = 20; /* read again, the same */
	good_status(rig, U2K_OL | U2K_ALARM);
	assert_string_equal(kinds_after(rig, 0), "alarm-raised");

	rig->snap.alarms.active = 0;
	rig->snap.alarms.unknown[3] = 0x8000;
	rig->snap.alarms.at_us = 30;
	good_status(rig, U2K_OL);
	assert_string_equal(kinds_after(rig, 1), "alarm-cleared alarm-unknown");
	event = hub_event_after(rig->hub, 2);
	assert_string_equal(
		event->text,
		"Alarm bit 15 of register 40159, which no known alarm explains, is set.");
	assert_string_equal(event->facts, "{\"register\":40159,\"bit\":15}");
}

static void test_identity_and_gate_events(void **state)
{
	struct rig *rig = *state;

	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_COMM);
	assert_string_equal(kinds_after(rig, 0), "");

	rig->snap.identity.known = true;
	strcpy(rig->snap.identity.model, "UPS2000A");
	strcpy(rig->snap.identity.esn, "2102");
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_IDENTITY);
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_IDENTITY);
	assert_string_equal(kinds_after(rig, 0), "identified");
	assert_string_equal(hub_event_after(rig->hub, 0)->text,
			    "Identified: UPS2000A, firmware unknown, serial number 2102.");

	good_status(rig, U2K_OL); /* the gate is open: nothing to say */
	assert_string_equal(kinds_after(rig, 1), "");
	rig->snap.gate = U2K_GATE_ESN;
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_GATE);
	rig->snap.gate = U2K_GATE_STALE; /* told by communication-lost */
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_GATE);
	rig->snap.gate = U2K_GATE_OPEN;
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_GATE);
	assert_string_equal(kinds_after(rig, 1), "commands-refused commands-open");
}

static void test_communication_events(void **state)
{
	struct rig *rig = *state;

	good_status(rig, U2K_OL);
	rig->snap.comm = U2K_COMM_SILENT; /* a hiccup: nothing to say yet */
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_COMM);
	good_status(rig, U2K_OL);
	assert_string_equal(kinds_after(rig, 0), "");

	rig->snap.comm = U2K_COMM_STALE;
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_COMM);
	rig->snap.comm = U2K_COMM_CLOSED;
	rig->snap.status_at_us -= 11 * U2K_SEC;
	hub_publish(rig->ups, &rig->snap, U2K_CHANGED_COMM);
	assert_string_equal(kinds_after(rig, 0), "communication-lost");
	good_status(rig, U2K_OL);
	assert_string_equal(kinds_after(rig, 0), "communication-lost communication-back");
}

static void test_fsd(void **state)
{
	struct rig *rig = *state;

	hub_fsd_set(rig->ups, "mon", "127.0.0.1");
	hub_fsd_set(rig->ups, "mon", "127.0.0.1");
	assert_true(rig->ups->fsd);
	assert_true(rig->mask & U2K_CHANGED_FLAGS);
	assert_string_equal(kinds_after(rig, 0), "fsd");
	hub_fsd_clear(rig->ups, "the output was off and on again");
	hub_fsd_clear(rig->ups, "again");
	assert_false(rig->ups->fsd);
	assert_string_equal(kinds_after(rig, 0), "fsd fsd-cleared");
}

static void test_order_verified(void **state)
{
	struct rig *rig = *state;
	const struct hub_order *order;
	char lower[37];

	nut_store_add_cmd(rig->ups->store, "beeper.mute");
	order = hub_order(rig->ups, HUB_ORDER_COMMAND, "Beeper.MUTE", NULL, "admin", "127.0.0.1");
	assert_int_equal(order->outcome, U2K_PENDING);
	assert_string_equal(order->name, "beeper.mute");
	assert_null(order->value);
	assert_int_equal(strlen(order->id), 36);
	assert_string_equal(kinds_after(rig, 0), "command");

	hub_order_progress(rig->ups, rig->order, "armed, due in 60 s");
	assert_string_equal(order->message, "armed, due in 60 s");
	hub_order_end(rig->ups, rig->order, U2K_VERIFIED, 0, "The beeper is muted.");
	assert_int_equal(order->outcome, U2K_VERIFIED);
	assert_string_equal(order->message, "The beeper is muted");
	hub_order_end(rig->ups, rig->order, U2K_FAILED, 0, "late"); /* exactly one outcome */
	hub_order_progress(rig->ups, rig->order, "late");
	assert_int_equal(order->outcome, U2K_VERIFIED);
	assert_string_equal(order->message, "The beeper is muted");
	assert_string_equal(kinds_after(rig, 0), "command command");
	assert_non_null(strstr(hub_event_after(rig->hub, 1)->text,
			       "admin from 127.0.0.1 commands beeper.mute"));
	assert_non_null(strstr(hub_event_after(rig->hub, 1)->facts, order->id));

	for (size_t i = 0; i < 37; i++)
		lower[i] = (char)(order->id[i] >= 'A' && order->id[i] <= 'F' ? order->id[i] + 32
									     : order->id[i]);
	assert_ptr_equal(hub_order_find(rig->hub, order->id), order);
	assert_ptr_equal(hub_order_find(rig->hub, lower), order);
	assert_null(hub_order_find(rig->hub, ""));
	assert_null(hub_order_find(rig->hub, "00000000-0000-4000-8000-000000000000"));
}

static void test_order_without_back_end(void **state)
{
	struct rig *rig = *state;
	const struct hub_order *order;

	rig->ups->ops = NULL;
	order = hub_order(rig->ups, HUB_ORDER_SET, "battery.date", "2026", NULL, NULL);
	assert_int_equal(order->outcome, U2K_REFUSED);
	assert_int_equal(order->error, U2K_EREFUSED);
	assert_string_equal(order->message, "commands are not available");
	assert_string_equal(kinds_after(rig, 0), "setting");
}

static void test_order_ended_at_once(void **state)
{
	struct rig *rig = *state;
	const struct hub_order *order;

	rig->answer = U2K_REFUSED;
	order = hub_order(rig->ups, HUB_ORDER_SET, "ups.delay.start", "\xff\x01", "a", "unix");
	assert_int_equal(order->outcome, U2K_REFUSED);
	assert_int_equal(order->error, U2K_EINVAL);
	assert_string_equal(kinds_after(rig, 0), "setting");
	assert_string_equal(hub_event_after(rig->hub, 0)->text,
			    "a from unix sets ups.delay.start to ??: refused: That is so.");
}

static void test_orders_expire(void **state)
{
	struct rig *rig = *state;
	const struct hub_order *pending =
		hub_order(rig->ups, HUB_ORDER_COMMAND, "a", NULL, "u", "f");
	const struct hub_order *ended;
	char id[37];

	rig->answer = U2K_VERIFIED;
	hub_set_tracking_delay(rig->hub, 3600);
	ended = hub_order(rig->ups, HUB_ORDER_COMMAND, "b", NULL, "u", "f");
	memcpy(id, ended->id, sizeof(id));
	assert_ptr_equal(hub_order_find(rig->hub, id), ended);
	hub_set_tracking_delay(rig->hub, 0);
	assert_null(hub_order_find(rig->hub, id));
	assert_ptr_equal(hub_order_find(rig->hub, pending->id), pending);
}

/* More orders than there is room for: ended ones go first, then new ones are refused. */
static void test_too_many_orders(void **state)
{
	struct rig *rig = *state;
	const struct hub_order *first, *order = NULL;
	char ended[37];

	rig->answer = U2K_VERIFIED;
	memcpy(ended, hub_order(rig->ups, HUB_ORDER_COMMAND, "x", NULL, "u", "f")->id,
	       sizeof(ended));
	rig->answer = U2K_PENDING;
	first = hub_order(rig->ups, HUB_ORDER_COMMAND, "x", NULL, "u", "f");
	for (size_t i = 1; i < 4096; i++) {
		order = hub_order(rig->ups, HUB_ORDER_COMMAND, "x", NULL, "u", "f");
		assert_int_equal(order->outcome, U2K_PENDING);
	}
	assert_null(hub_order_find(rig->hub, ended));
	order = hub_order(rig->ups, HUB_ORDER_COMMAND, "x", NULL, "u", "f");
	assert_int_equal(order->outcome, U2K_REFUSED);
	assert_int_equal(order->error, U2K_EBUSY);
	assert_ptr_equal(hub_order_find(rig->hub, first->id), first);
}

static void test_removed_ups_fails_its_orders(void **state)
{
	struct rig *rig = *state;
	struct hub_ups *b = hub_ups_add(rig->hub, "b", NULL, NULL, 0);
	const struct hub_order *order;

	b->ops = &backend;
	b->backend = rig;
	order = hub_order(b, HUB_ORDER_COMMAND, "x", NULL, "u", "f");
	hub_ups_remove(b);
	assert_int_equal(order->outcome, U2K_FAILED);
	assert_ptr_equal(hub_order_find(rig->hub, order->id), order);
	assert_non_null(order->message);
}

static void test_event_ring(void **state)
{
	struct rig *rig = *state;
	uint64_t id = 0;
	unsigned n = 0;

	for (unsigned i = 1; i <= 2500; i++)
		hub_event(rig->hub, "test", "info", NULL, NULL, "event %u", i);
	assert_int_equal(rig->events, 2500);
	for (const struct hub_event *e; (e = hub_event_after(rig->hub, id)); id = e->id, n++)
		assert_int_equal(e->id, n + 1501);
	assert_int_equal(n, HUB_EVENTS_MAX);
	assert_int_equal(hub_event_after(rig->hub, 2000)->id, 2001);
	assert_string_equal(hub_event_after(rig->hub, 2000)->text, "event 2001");
	assert_null(hub_event_after(rig->hub, 2500));
	assert_null(hub_event_after(rig->hub, UINT64_MAX));
}

static void test_kinds_are_interned_and_bounded(void **state)
{
	struct rig *rig = *state;
	char kind[16];

	for (unsigned i = 0; i < 200; i++) {
		snprintf(kind, sizeof(kind), "kind-%u", i);
		hub_event(rig->hub, kind, "nonsense", NULL, NULL, "x");
	}
	memset(kind, 'x', sizeof(kind) - 1);
	assert_string_equal(hub_event_after(rig->hub, 0)->kind, "kind-0");
	assert_string_equal(hub_event_after(rig->hub, 0)->severity, "info");
	assert_string_equal(hub_event_after(rig->hub, 199)->kind, "other");
}

static void test_restart_forgets_the_device(void **state)
{
	struct rig *rig = *state;

	good_status(rig, U2K_OL);
	rig->ups->logins = 2;
	hub_fsd_set(rig->ups, "a", "b");
	hub_ups_restart(rig->ups);
	assert_int_equal(hub_avail(rig->ups), HUB_WAIT);
	assert_int_equal(rig->ups->logins, 2);
	assert_true(rig->ups->fsd);
	hub_ups_rename(rig->ups, NULL, NULL, 0);
	assert_null(hub_find(rig->hub, "main"));
	assert_ptr_equal(hub_find(rig->hub, "rack"), rig->ups);
}

static void test_logins_from_before_fsd(void **state)
{
	struct rig *rig = *state;
	int64_t early = hub_login(rig->ups), other = hub_login(rig->ups), late;

	hub_logout(rig->ups, other);
	assert_int_equal(rig->ups->fsd_logins, 0);
	hub_fsd_set(rig->ups, "a", "b");
	assert_int_equal(rig->ups->fsd_logins, 1);
	while (clock_us() <= rig->ups->fsd_us) {
	}
	late = hub_login(rig->ups); /* a host that has come back */
	assert_int_equal(rig->ups->logins, 2);
	assert_int_equal(rig->ups->fsd_logins, 1);
	hub_logout(rig->ups, early);
	assert_int_equal(rig->ups->fsd_logins, 0);
	hub_fsd_clear(rig->ups, "test");
	hub_logout(rig->ups, late);
	assert_int_equal(rig->ups->logins, 0);
	assert_int_equal(rig->ups->fsd_logins, 0);
}

static void test_fsd_restored_is_silent_and_expects_clients_back(void **state)
{
	struct rig *rig = *state;
	unsigned events = rig->events;
	int64_t since;

	hub_fsd_restore(rig->ups);
	assert_true(rig->ups->fsd);
	assert_int_equal(rig->events, events);
	since = hub_login(rig->ups);
	assert_int_equal(rig->ups->fsd_logins, 1);
	hub_logout(rig->ups, since);
	assert_int_equal(rig->ups->fsd_logins, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_order_of_the_list),
		TEST(test_availability),
		TEST(test_first_wait_ends),
		TEST(test_status_events),
		TEST(test_outage_at_start_is_told),
		TEST(test_battery_words),
		TEST(test_alarm_events),
		TEST(test_identity_and_gate_events),
		TEST(test_communication_events),
		TEST(test_fsd),
		TEST(test_order_verified),
		TEST(test_order_without_back_end),
		TEST(test_order_ended_at_once),
		TEST(test_orders_expire),
		TEST(test_too_many_orders),
		TEST(test_removed_ups_fails_its_orders),
		TEST(test_event_ring),
		TEST(test_kinds_are_interned_and_bounded),
		TEST(test_restart_forgets_the_device),
		TEST(test_logins_from_before_fsd),
		TEST(test_fsd_restored_is_silent_and_expects_clients_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
