#include "daemon/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/hub.h"
#include "util/util.h"
#include <ups2000/error.h>

/* Running, armed and waiting ones together. */
enum { ORDERS_MAX = ENGINE_QUEUE_MAX + 8 };

struct control {
	struct hub_ups *ups;
	struct keep *keep;
	struct port_unit *unit;
	struct kept kept;
	struct engine_delays configured;
	uint64_t last_token;
	struct {
		uint64_t token; /* 0 = free */
		struct hub_order *order;
	} orders[ORDERS_MAX];
};

static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	struct control *control = backend;

	for (size_t i = 0; i < ORDERS_MAX; i++) {
		if (control->orders[i].token)
			continue;
		control->orders[i].token = ++control->last_token;
		control->orders[i].order = order;
		port_order(control->unit, control->last_token, order->kind == HUB_ORDER_SET,
			   order->name, order->value);
		return;
	}
	hub_order_end(ups, order, U2K_REFUSED, U2K_EREFUSED, "too many commands are waiting");
}

static const struct hub_backend backend_ops = { .order = take_order };

struct control *control_new(struct hub_ups *ups, struct keep *keep)
{
	struct control *control = xcalloc(1, sizeof(*control));

	control->ups = ups;
	control->keep = keep;
	keep_load(keep, ups->name, &control->kept);
	return control;
}

void control_free(struct control *control)
{
	keep_forget(control->keep, control);
	free(control);
}

static unsigned effective(unsigned configured, unsigned *set, unsigned when_set)
{
	if (*set && when_set == configured)
		return *set;
	*set = 0; /* the file was changed since: it wins */
	return configured;
}

static struct engine_delays choose_delays(struct control *control, const struct config_ups *config)
{
	struct engine_delays *set = &control->kept.set;
	const struct engine_delays *when = &control->kept.configured;

	control->configured = (struct engine_delays){ config->delay_shutdown, config->delay_start,
						      config->delay_reboot };
	return (struct engine_delays){
		effective(config->delay_shutdown, &set->shutdown_s, when->shutdown_s),
		effective(config->delay_start, &set->start_s, when->start_s),
		effective(config->delay_reboot, &set->reboot_s, when->reboot_s),
	};
}

void control_prepare(struct control *control, const struct config_ups *config,
		     struct port_unit_config *unit)
{
	unit->delays = choose_delays(control, config);
	unit->journal = &control->kept.journal;
	unit->same_boot = control->kept.same_boot;
}

/* --- the store --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *values[2];
} choices[] = {
	{ "ups.beeper.status", { "enabled", "disabled" } },
	{ "ups.start.auto", { "yes", "no" } },
};

static void show_delay(struct nut_store *store, const char *name, unsigned seconds, long min)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", seconds);
	nut_store_set(store, name, text);
	if (nut_store_find(store, name)->n_ranges)
		return;
	nut_store_flags(store, name, NUT_RW | NUT_NUMBER, 0);
	nut_store_add_range(store, name, min, 5940);
}

static void show_delays(struct control *control)
{
	const struct engine_delays *delays = engine_delays(port_engine(control->unit));

	show_delay(control->ups->store, "ups.delay.shutdown", delays->shutdown_s, 6);
	show_delay(control->ups->store, "ups.delay.start", delays->start_s, 60);
	show_delay(control->ups->store, "ups.delay.reboot", delays->reboot_s, 6);
}

void control_configure(struct control *control, const struct config_ups *config)
{
	struct engine_delays delays = choose_delays(control, config);

	if (!control->unit || !port_engine(control->unit))
		return;
	port_set_delays(control->unit, &delays);
	show_delays(control);
}

void control_changed(struct control *control, uint64_t mask)
{
	const uint64_t settings =
		U2K_CHANGED_QTY(U2K_QTY_AUTO_START) | U2K_CHANGED_QTY(U2K_QTY_BEEPER_MUTED);
	struct nut_store *store = control->ups->store;

	if (!(mask & settings) || !control->unit || !port_engine(control->unit))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const struct nut_var *var = nut_store_find(store, choices[i].name);

		if (!var || var->flags & NUT_RW)
			continue;
		nut_store_flags(store, choices[i].name, NUT_RW, 0);
		nut_store_add_enum(store, choices[i].name, choices[i].values[0]);
		nut_store_add_enum(store, choices[i].name, choices[i].values[1]);
	}
}

/* --- attached to a unit ------------------------------------------------------------------------- */

static void fail_all(struct control *control)
{
	for (size_t i = 0; i < ORDERS_MAX; i++) {
		if (!control->orders[i].token)
			continue;
		control->orders[i].token = 0;
		hub_order_end(control->ups, control->orders[i].order, U2K_FAILED, 0,
			      "the daemon let go of the UPS before the outcome was seen");
	}
}

void control_attach(struct control *control, struct port_unit *unit)
{
	struct nut_store *store = control->ups->store;
	const char *name;

	control->unit = unit;
	if (unit && port_engine(unit)) {
		for (size_t i = 0; (name = engine_command_name(i)); i++)
			nut_store_add_cmd(store, name);
		show_delays(control);
		control->ups->backend = control;
		control->ups->ops = &backend_ops;
		return;
	}
	fail_all(control);
	control->ups->ops = NULL;
	control->ups->backend = NULL;
	for (size_t i = 0; (name = engine_command_name(i)); i++)
		nut_store_del_cmd(store, name);
	nut_store_del(store, "ups.delay.shutdown");
	nut_store_del(store, "ups.delay.start");
	nut_store_del(store, "ups.delay.reboot");
}

void control_progress(struct control *control, uint64_t token, const char *text)
{
	for (size_t i = 0; i < ORDERS_MAX; i++)
		if (control->orders[i].token == token)
			hub_order_progress(control->ups, control->orders[i].order, text);
}

void control_done(struct control *control, uint64_t token, enum u2k_outcome outcome, int error,
		  const char *text)
{
	for (size_t i = 0; i < ORDERS_MAX; i++) {
		if (control->orders[i].token != token)
			continue;
		control->orders[i].token = 0;
		hub_order_end(control->ups, control->orders[i].order, outcome, error, text);
		return;
	}
}

/* --- kept ----------------------------------------------------------------------------------------- */

static void saved(void *user, bool ok)
{
	struct control *control = user;

	if (control->unit)
		port_journal_saved(control->unit, ok);
}

void control_journal(struct control *control, const struct engine_journal *journal)
{
	control->kept.journal = *journal;
	keep_save(control->keep, control->ups->name, &control->kept, saved, control);
}

void control_delays(struct control *control, const struct engine_delays *delays)
{
	const struct engine_delays *configured = &control->configured;
	struct engine_delays *set = &control->kept.set;

	set->shutdown_s = delays->shutdown_s != configured->shutdown_s ? delays->shutdown_s : 0;
	set->start_s = delays->start_s != configured->start_s ? delays->start_s : 0;
	set->reboot_s = delays->reboot_s != configured->reboot_s ? delays->reboot_s : 0;
	control->kept.configured = *configured;
	show_delays(control);
	keep_save(control->keep, control->ups->name, &control->kept, NULL, control);
}
