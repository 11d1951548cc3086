#include "world.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ups/engine_impl.h"

#define S ((int64_t)1000000)

static const struct {
	uint16_t base;
	enum u2k_qty qty;
} tracked[HIST_COUNT] = {
	[HIST_SOURCE] = { 1024, U2K_QTY_OUTPUT_SOURCE },
	[HIST_STARTUP] = { 1028, U2K_QTY_STARTUP },
	[HIST_BITS] = { 1043, U2K_QTY_STATUS_BITS },
	[HIST_AUTO] = { 1044, U2K_QTY_AUTO_START },
	[HIST_OPTION] = { 1045, U2K_QTY_BYPASS_WHEN_OFF },
	[HIST_MUTED] = { 1046, U2K_QTY_BEEPER_MUTED },
};

void watch_fail(struct world *world, const char *format, ...)
{
	va_list args;

	if (world->failed)
		return;
	world->failed = true;
	world->failed_us = world->rig.now_us;
	world->rig.stop = true;
	va_start(args, format);
	vsnprintf(world->failure, sizeof(world->failure), format, args);
	va_end(args);
	rig_say(&world->rig, "!! %s", world->failure);
}

static bool calm(const struct world *world, double for_s)
{
	return world->rig.now_us - world->disturbed_us > (int64_t)(for_s * 1e6);
}

/* --- what the device had ------------------------------------------------------------------------- */

static void mark(struct world *world, int64_t at_us)
{
	const struct sim_device *dev = &world->rig.srv.dev;

	for (size_t i = 0; i < HIST_COUNT; i++)
		world->held_us[i][world->now[i] % HIST_VALUES] = at_us;
	if (dev->test != SIM_TEST_NONE)
		world->test_us = at_us;
	else
		world->no_test_us = at_us;
	if (sim_device_mains_good(dev))
		world->mains_good_us = at_us;
	else
		world->mains_bad_us = at_us;
	if (dev->source == SIM_SOURCE_MAINS || dev->source == SIM_SOURCE_BATTERY ||
	    dev->source == SIM_SOURCE_ECO)
		world->inverter_us = at_us;
	if (sim_device_mains_good(dev) && !dev->bypass_bad && dev->mains_volts <= 264)
		world->bypass_good_seen_us = at_us;
}

static void before(struct rig *rig, int64_t next_us, void *user)
{
	struct world *world = user;

	mark(world, next_us);
	world->pair_due_us = rig->srv.dev.due_us[SIM_TIMER_PAIR_OFF];
	world->off_due_us = rig->srv.dev.due_us[SIM_TIMER_OFF];
	world->offs = rig->srv.dev.output_offs;
}

static bool any_open_switchoff(const struct world *world)
{
	const struct rig *rig = &world->rig;
	uint64_t first = rig->n_orders > 64 ? rig->n_orders - 64 : 0;

	for (uint64_t i = first + 1; i <= rig->n_orders; i++) {
		const struct rig_order *order = &rig->orders[i % RIG_ORDERS_MAX];

		if (order->outcome == U2K_PENDING && !order->abandoned &&
		    (strncmp(order->name, "shutdown.", 9) == 0 ||
		     strcmp(order->name, "load.off") == 0))
			return true;
	}
	return false;
}

/* A timer switched the output off: somebody must be waiting for it. */
static void check_fired(struct world *world)
{
	const struct rig *rig = &world->rig;
	const struct sim_device *dev = &rig->srv.dev;
	int64_t due;
	bool fired = (world->pair_due_us <= rig->now_us &&
		      dev->due_us[SIM_TIMER_PAIR_OFF] == SIM_NEVER) ||
		     (world->off_due_us <= rig->now_us && dev->due_us[SIM_TIMER_OFF] == SIM_NEVER);

	if (!fired || dev->output_offs == world->offs || !rig->session ||
	    dev->dialect.cancel != SIM_CANCEL_ALL || !calm(world, 90))
		return;
	if (!any_open_switchoff(world) &&
	    !engine_pending(session_engine(rig->session), rig->now_us, &due))
		watch_fail(world, "a timer switched the output off, and nobody waited for it");
}

/* Within this time an order ends, whatever happens: its own delay, two stages, and what waits before it. */
static double limit_s(const struct rig_order *order)
{
	if (strcmp(order->name, "shutdown.stop") == 0)
		return 3800; /* the longest delay of this simulation, and some */
	if (strncmp(order->name, "shutdown.", 9) == 0)
		return 900 + atof(order->value);
	return 500;
}

static void check_orders(struct world *world)
{
	struct rig *rig = &world->rig;
	uint64_t first = rig->n_orders > 40 ? rig->n_orders - 40 : 0;

	for (uint64_t i = first + 1; i <= rig->n_orders; i++) {
		const struct rig_order *order = &rig->orders[i % RIG_ORDERS_MAX];

		if (order->outcome == U2K_PENDING && !order->abandoned &&
		    (double)(rig->now_us - order->given_us) / 1e6 > limit_s(order))
			watch_fail(world, "order %llu %s is open for %.0f s",
				   (unsigned long long)order->token, order->name,
				   (double)(rig->now_us - order->given_us) / 1e6);
		if (order->dones > 1)
			watch_fail(world, "order %llu %s ended %u times",
				   (unsigned long long)order->token, order->name, order->dones);
	}
}

static void check_fresh(struct world *world)
{
	const struct rig *rig = &world->rig;
	int64_t age;

	if (!rig->session || !rig->up || !world->board_alive_us ||
	    rig->now_us - world->board_alive_us < 10 * S || !calm(world, 10))
		return;
	age = rig->now_us - rig_snap(rig)->status_at_us;
	if (age > 3 * S + rig->config.status_interval_us)
		watch_fail(world, "the status is %.1f s old although the device answers",
			   (double)age / 1e6);
}

static void after(struct rig *rig, void *user)
{
	struct world *world = user;
	const struct sim_device *dev = &rig->srv.dev;

	for (size_t i = 0; i < HIST_COUNT; i++)
		sim_device_peek(dev, tracked[i].base, &world->now[i]);
	mark(world, rig->now_us);
	if (dev->board != SIM_BOARD_ALIVE)
		world->board_alive_us = 0;
	else if (!world->board_alive_us)
		world->board_alive_us = rig->now_us;
	check_fired(world);
	check_fresh(world);
	if (rig->session && session_engine(rig->session)->n_queued > ENGINE_QUEUE_MAX + 1)
		watch_fail(world, "the queue is longer than it may be");
	if (rig->steps % 512 == 0)
		check_orders(world);
}

static void changed(struct rig *rig, const struct u2k_snapshot *snap, uint64_t mask, void *user)
{
	struct world *world = user;

	mark(world, rig->now_us);
	for (size_t i = 0; i < HIST_COUNT; i++) {
		const struct u2k_value *value = &snap->qty[tracked[i].qty];

		if (!(mask & U2K_CHANGED_QTY(tracked[i].qty)) || value->validity != U2K_VALID)
			continue;
		if (world->held_us[i][(unsigned)value->value % HIST_VALUES] < value->at_us)
			watch_fail(world,
				   "register %u is published as %.0f; the device did not have it",
				   tracked[i].base, value->value);
	}
	if (mask & U2K_CHANGED_QTY(U2K_QTY_BATTERY_CHARGE) &&
	    snap->qty[U2K_QTY_BATTERY_CHARGE].validity == U2K_VALID &&
	    snap->qty[U2K_QTY_BATTERY_CHARGE].at_us > world->charge_set_us + S &&
	    rig->srv.dev.battery_plugged &&
	    fabs(snap->qty[U2K_QTY_BATTERY_CHARGE].value - sim_device_charge(&rig->srv.dev)) > 4)
		watch_fail(world, "charge is published as %.0f %%, the device has %.1f %%",
			   snap->qty[U2K_QTY_BATTERY_CHARGE].value,
			   sim_device_charge(&rig->srv.dev));
}

/* --- what is written ---------------------------------------------------------------------------- */

static bool may_write(const struct rig_order *order, uint16_t base, uint16_t value)
{
	static const struct {
		const char *name;
		uint16_t bases[8];
	} rows[] = {
		{ "beeper.enable", { 1046 } },
		{ "beeper.disable", { 1046 } },
		{ "beeper.toggle", { 1046 } },
		{ "ups.beeper.status", { 1046 } },
		{ "ups.start.auto", { 1044 } },
		{ "test.battery.start.quick", { 2028 } },
		{ "test.battery.start.deep", { 2021 } },
		{ "test.battery.stop", { 2023 } },
		{ "bypass.start", { 1045, 1030, 1029 } },
		{ "bypass.stop", { 1029 } },
		{ "load.on", { 1029 } },
		{ "load.off", { 1045, 1030, 1050 } },
		{ "shutdown.return", { 1044, 1045, 1047, 1048, 1049 } },
		{ "shutdown.default", { 1044, 1045, 1047, 1048, 1049 } },
		{ "shutdown.reboot", { 1044, 1045, 1047, 1048, 1049 } },
		{ "shutdown.reboot.graceful", { 1044, 1045, 1047, 1048, 1049 } },
		{ "shutdown.stayoff", { 1044, 1045, 1049, 1030 } },
		{ "shutdown.stop", { 1050 } },
	};

	if (base == 1045 && value != (strcmp(order->name, "bypass.start") == 0))
		return false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; strcmp(rows[i].name, order->name) == 0 && k < 8; k++)
			if (rows[i].bases[k] == base)
				return true;
	return false;
}

static void check_own_write(struct world *world, const struct rig_write *write)
{
	const struct rig *rig = &world->rig;
	const struct sim_device *dev = &rig->srv.dev;
	const struct engine *engine = session_engine(rig->session);

	if (write->base == 1050)
		return;
	if ((write->base != 1044 && write->base != 1045) || engine->run.steps != steps_give_back) {
		watch_fail(world, "%u := %u was written and nobody asked for it", write->base,
			   write->values[0]);
		return;
	}
	if (dev->due_us[SIM_TIMER_OFF] != SIM_NEVER || dev->due_us[SIM_TIMER_PAIR_OFF] != SIM_NEVER)
		watch_fail(world, "%u is given back while a switch-off counts", write->base);
	if (rig->now_us - world->inverter_us > 2 * S ||
	    rig->now_us - world->held_us[HIST_STARTUP][SIM_STARTUP_RUNNING] > 2 * S)
		watch_fail(world, "%u is given back while the output is not plainly on",
			   write->base);
}

static void wrote(struct rig *rig, const struct rig_write *write, void *user)
{
	struct world *world = user;
	struct rig_order *order;

	mark(world, rig->now_us);
	if (write->gate != U2K_GATE_OPEN)
		watch_fail(world, "%u was written while the gate was closed", write->base);
	if ((write->base == 1044 || write->base == 1045) &&
	    (rig->journal_mode != RIG_JOURNAL_KEPT ||
	     rig->now_us - world->journal_bad_us < 10 * S)) {
		if (write->base == 1044)
			world->wish_auto = WISH_UNKNOWN;
		else
			world->wish_option = WISH_UNKNOWN;
	}
	if (!write->token) {
		check_own_write(world, write);
		return;
	}
	order = &rig->orders[write->token % RIG_ORDERS_MAX];
	if (order->token != write->token || order->outcome != U2K_PENDING)
		watch_fail(world, "%u was written for an order that has ended", write->base);
	else if (!may_write(order, write->base, write->values[0]))
		watch_fail(world, "%u := %u is not part of %s", write->base, write->values[0],
			   order->name);
	if (write->base == 1045 && !write->values[0] && rig->now_us - world->inverter_us > 5 * S)
		watch_fail(world, "1045 := 0 while the inverter does not feed the load");
	if (write->base == 1030 && strcmp(order->name, "bypass.start") == 0 &&
	    (rig->now_us - world->bypass_good_seen_us > 10 * S ||
	     rig->now_us - world->mains_good_us > 6 * S))
		watch_fail(world, "to bypass although its input is not good");
	if (write->base == 1049 && strcmp(order->name, "shutdown.stayoff") != 0 &&
	    rig->now_us - world->mains_bad_us > 6 * S)
		watch_fail(world, "1049 for a return while the mains are present");
}

/* --- what is said --------------------------------------------------------------------------------- */

static int64_t last(const struct world *world, int hist, unsigned value)
{
	return world->held_us[hist][value];
}

static bool was_done(const struct world *world, const struct rig_order *order)
{
	const struct sim_device *dev = &world->rig.srv.dev;
	int64_t since = order->given_us - S / 2;
	const char *name = order->name;

	if (order->setting && strncmp(name, "ups.delay.", 10) == 0)
		return true;
	if (strcmp(name, "beeper.toggle") == 0)
		return true;
	if (strcmp(name, "ups.beeper.status") == 0)
		return last(world, HIST_MUTED, strcasecmp(order->value, "disabled") == 0) >= since;
	if (strncmp(name, "beeper.", 7) == 0)
		return last(world, HIST_MUTED, strcmp(name, "beeper.disable") == 0) >= since;
	if (strcmp(name, "ups.start.auto") == 0)
		return last(world, HIST_AUTO, strcasecmp(order->value, "yes") == 0) >= since;
	if (strncmp(name, "test.battery.start", 18) == 0)
		return world->test_us >= since;
	if (strcmp(name, "test.battery.stop") == 0)
		return world->no_test_us >= since;
	if (strcmp(name, "bypass.start") == 0)
		return last(world, HIST_SOURCE, SIM_SOURCE_BYPASS) >= since;
	if (strcmp(name, "bypass.stop") == 0)
		return world->inverter_us >= since;
	if (strcmp(name, "load.on") == 0)
		return last(world, HIST_STARTUP, SIM_STARTUP_RUNNING) >= since;
	if (strcmp(name, "shutdown.stop") == 0)
		return (dev->due_us[SIM_TIMER_OFF] == SIM_NEVER &&
			dev->due_us[SIM_TIMER_PAIR_OFF] == SIM_NEVER);
	return last(world, HIST_SOURCE, SIM_SOURCE_OFF) >= since;
}

static void done(struct rig *rig, struct rig_order *order, void *user)
{
	struct world *world = user;

	mark(world, rig->now_us);
	if (order->outcome == U2K_VERIFIED && !was_done(world, order))
		watch_fail(world, "order %llu %s is verified, but the device did not do it",
			   (unsigned long long)order->token, order->name);
	if (order->outcome == U2K_REFUSED && order->writes)
		watch_fail(world, "order %llu %s is refused after %u writes",
			   (unsigned long long)order->token, order->name, order->writes);
	if (!order->text[0] || (order->outcome != U2K_REFUSED && order->error))
		watch_fail(world, "order %llu %s ended without a text, or with an odd error",
			   (unsigned long long)order->token, order->name);
	if (strcmp(order->name, "ups.start.auto") == 0) {
		if (order->outcome == U2K_VERIFIED)
			world->wish_auto = strcasecmp(order->value, "yes") == 0;
		else if (order->writes)
			world->wish_auto = WISH_UNKNOWN;
	}
}

void watch_init(struct world *world)
{
	world->rig.user = world;
	world->rig.before = before;
	world->rig.after = after;
	world->rig.changed = changed;
	world->rig.wrote = wrote;
	world->rig.done = done;
	world->wish_auto = world->rig.srv.dev.autostart;
	world->wish_option = world->rig.srv.dev.bypass_option;
	after(&world->rig, world);
}

/* Everything was given time to end. */
void watch_end(struct world *world)
{
	struct rig *rig = &world->rig;
	const struct sim_device *dev = &rig->srv.dev;
	const struct engine_journal *journal = engine_journal(session_engine(rig->session));
	uint64_t first = rig->n_orders > 200 ? rig->n_orders - 200 : 0;

	for (uint64_t i = first + 1; i <= rig->n_orders; i++) {
		const struct rig_order *order = &rig->orders[i % RIG_ORDERS_MAX];

		if (order->outcome == U2K_PENDING && !order->abandoned)
			watch_fail(world, "order %llu %s never ended",
				   (unsigned long long)order->token, order->name);
	}
	if (journal->pending)
		watch_fail(world, "a switch-off is still noted as pending");
	if (rig_snap(rig)->gate != U2K_GATE_OPEN)
		watch_fail(world, "commands did not open again: %s",
			   u2k_gate_text(rig_snap(rig)->gate));
	if (dev->startup != SIM_STARTUP_RUNNING || dev->source == SIM_SOURCE_BYPASS ||
	    dev->dialect.ack_only || dev->dialect.cancel != SIM_CANCEL_ALL)
		return;
	if (journal->owed_auto_start || journal->owed_bypass)
		watch_fail(world, "something is still owed");
	if (world->wish_auto != WISH_UNKNOWN && dev->autostart != world->wish_auto)
		watch_fail(world, "1044 is %u, its owner set %d", dev->autostart, world->wish_auto);
	if (world->wish_option != WISH_UNKNOWN && dev->bypass_option != world->wish_option)
		watch_fail(world, "1045 is %u, its owner set %d", dev->bypass_option,
			   world->wish_option);
}
