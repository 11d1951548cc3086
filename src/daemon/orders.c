#include "daemon/hub.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "daemon/hub_private.h"
#include "util/util.h"
#include <ups2000/error.h>

static const int64_t DEFAULT_TRACKING_DELAY_US = 3600 * U2K_SEC;

void hub__orders_init(struct hub *hub)
{
	TAILQ_INIT(&hub->orders);
	for (size_t i = 0; i < HUB_ORDER_BUCKETS; i++)
		LIST_INIT(&hub->buckets[i]);
	hub->tracking_delay_us = DEFAULT_TRACKING_DELAY_US;
}

static void free_order(struct hub *hub, struct order *order)
{
	TAILQ_REMOVE(&hub->orders, order, all);
	LIST_REMOVE(order, same_bucket);
	hub->n_orders--;
	free(order->pub.name);
	free(order->pub.value);
	free(order->pub.user);
	free(order->pub.from);
	free(order->pub.message);
	for (size_t i = 0; i < order->pub.n_steps; i++)
		free(order->pub.steps[i]);
	free(order->pub.steps);
	free(order);
}

void hub__orders_close(struct hub *hub)
{
	while (!TAILQ_EMPTY(&hub->orders))
		free_order(hub, TAILQ_FIRST(&hub->orders));
}

/* The first characters of the UUID without case: they are random. */
static size_t bucket_of(const char *id)
{
	unsigned hash = 0;

	for (size_t i = 0; i < 8 && id[i]; i++)
		hash = hash * 31 + ((unsigned char)id[i] & 0x1f);
	return hash % HUB_ORDER_BUCKETS;
}

static bool expired(const struct hub *hub, const struct order *order, int64_t now)
{
	return order->pub.outcome != U2K_PENDING &&
	       now - order->pub.ended_us >= hub->tracking_delay_us;
}

/* Room for one more: first what has expired, then the oldest that ended. */
static void make_room(struct hub *hub)
{
	int64_t now = clock_us();
	struct order *oldest_ended = NULL;
	struct order *next;

	for (struct order *o = TAILQ_FIRST(&hub->orders); o; o = next) {
		next = TAILQ_NEXT(o, all);
		if (expired(hub, o, now))
			free_order(hub, o);
		else if (!oldest_ended && o->pub.outcome != U2K_PENDING)
			oldest_ended = o;
	}
	if (hub->n_orders >= HUB_ORDERS_MAX && oldest_ended)
		free_order(hub, oldest_ended);
}

static void put(json_t *object, const char *key, const char *value)
{
	json_t *text = value ? json_string(value) : json_null();

	json_object_set_new(object, key, text ? text : json_string("?"));
}

static void order_event(struct hub *hub, const char *ups, const struct hub_order *order)
{
	bool set = order->kind == HUB_ORDER_SET;
	json_t *facts = json_object(), *steps = json_array();
	char *json;

	for (size_t i = 0; i < order->n_steps; i++)
		json_array_append_new(steps, json_string(order->steps[i]));
	json_object_set_new(facts, "steps", steps);
	put(facts, "order", order->id);
	put(facts, "name", order->name);
	put(facts, "value", order->value);
	put(facts, "user", order->user);
	put(facts, "from", order->from);
	put(facts, "outcome", u2k_outcome_text(order->outcome));
	put(facts, "message", order->message);
	json = json_dumps(facts, JSON_COMPACT);

	hub_event(hub, set ? "setting" : "command",
		  order->outcome == U2K_FAILED ? "warning" : "info", ups, json,
		  "%s from %s %s %s%s%s: %s%s%s.", *order->user ? order->user : "nobody",
		  *order->from ? order->from : "nowhere", set ? "sets" : "commands", order->name,
		  order->value ? (set ? " to " : " ") : "", order->value ? order->value : "",
		  order->outcome == U2K_PENDING ? "accepted" : u2k_outcome_text(order->outcome),
		  *order->message ? ": " : "", order->message);
	free(json);
	json_decref(facts);
}

/* A message is a sentence for people; it stands inside others, so without its full stop. */
static char *message_copy(const char *message)
{
	char *copy = xstrdup(message ? message : "");
	size_t len = strlen(copy);

	if (len && copy[len - 1] == '.')
		copy[len - 1] = '\0';
	return copy;
}

static void finish(struct hub_order *order, enum u2k_outcome outcome, int error,
		   const char *message)
{
	order->outcome = outcome;
	order->error = outcome == U2K_VERIFIED ? 0 : error;
	free(order->message);
	order->message = message_copy(message);
	order->ended_us = clock_us();
}

const struct hub_order *hub_order(struct hub_ups *ups, enum hub_order_kind kind, const char *name,
				  const char *value, const char *user, const char *from)
{
	struct hub *hub = ups->hub;
	struct order *order = xcalloc(1, sizeof(*order));
	struct hub_order *pub = &order->pub;
	const struct nut_var *var = nut_store_find(ups->store, name);
	const char *cmd = nut_store_find_cmd(ups->store, name);

	make_room(hub);
	uuid_make(pub->id);
	pub->kind = kind;
	if (kind == HUB_ORDER_SET)
		pub->name = xstrdup(var ? var->name : name);
	else
		pub->name = xstrdup(cmd ? cmd : name);
	pub->value = xstrdup(value);
	pub->user = xstrdup(user ? user : "");
	pub->from = xstrdup(from ? from : "");
	pub->message = xstrdup("");
	pub->outcome = U2K_PENDING;
	pub->made_us = clock_us();
	order->ups = ups;

	TAILQ_INSERT_TAIL(&hub->orders, order, all);
	LIST_INSERT_HEAD(&hub->buckets[bucket_of(pub->id)], order, same_bucket);
	hub->n_orders++;

	if (hub->n_orders > HUB_ORDERS_MAX)
		finish(pub, U2K_REFUSED, U2K_EBUSY, "too many orders are waiting");
	else if (!ups->ops || !ups->ops->order)
		finish(pub, U2K_REFUSED, U2K_EREFUSED, "commands are not available");
	if (pub->outcome != U2K_PENDING) {
		order_event(hub, ups->name, pub);
		return pub;
	}

	ups->ops->order(ups->backend, ups, pub);
	if (pub->outcome == U2K_PENDING)
		order_event(hub, ups->name, pub);
	return pub;
}

const struct hub_order *hub_order_find(const struct hub *hub, const char *id)
{
	struct order *o;
	int64_t now = clock_us();

	LIST_FOREACH (o, &hub->buckets[bucket_of(id)], same_bucket)
		if (strcasecmp(o->pub.id, id) == 0)
			return expired(hub, o, now) ? NULL : &o->pub;
	return NULL;
}

static void add_step(struct hub_order *order, const char *text)
{
	if (!order->steps)
		order->steps = xcalloc(HUB_STEPS_MAX, sizeof(*order->steps));
	if (order->n_steps == HUB_STEPS_MAX) {
		free(order->steps[0]);
		memmove(&order->steps[0], &order->steps[1],
			--order->n_steps * sizeof(*order->steps));
	}
	order->steps[order->n_steps++] = xstrdup(text);
}

void hub_order_progress(struct hub_ups *ups, struct hub_order *order, const char *message)
{
	(void)ups;
	if (order->outcome != U2K_PENDING)
		return;
	free(order->message);
	order->message = message_copy(message);
	add_step(order, order->message);
}

void hub_order_end(struct hub_ups *ups, struct hub_order *order, enum u2k_outcome outcome,
		   int error, const char *message)
{
	if (order->outcome != U2K_PENDING || outcome == U2K_PENDING)
		return;
	finish(order, outcome, error, message);
	order_event(ups->hub, ups->name, order);
}

void hub_set_tracking_delay(struct hub *hub, unsigned seconds)
{
	hub->tracking_delay_us = seconds * U2K_SEC;
}

void hub__orders_abandon(struct hub *hub, struct hub_ups *ups)
{
	struct order *o;

	TAILQ_FOREACH (o, &hub->orders, all) {
		if (o->ups != ups)
			continue;
		hub_order_end(
			ups, &o->pub, U2K_FAILED, U2K_ECLOSED,
			"the UPS was taken out of the configuration before the outcome was seen");
		o->ups = NULL;
	}
}
