#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/rng.h"
#include "util/util.h"

#define S ((int64_t)1000000)

static uint32_t below(struct world *world, uint32_t n)
{
	return rng_below(&world->rng, n);
}

static bool chance(struct world *world, unsigned percent)
{
	return below(world, 100) < percent;
}

static int64_t seconds(struct world *world, double least, double most)
{
	return (int64_t)((least + rng_unit(&world->rng) * (most - least)) * 1e6);
}

/* Short ones are likelier than long ones. */
static int64_t short_or_long(struct world *world, double least, double most)
{
	double x = rng_unit(&world->rng);

	return (int64_t)((least + x * x * x * (most - least)) * 1e6);
}

static void disturb(struct world *world, int64_t until_us)
{
	if (until_us > world->disturbed_us)
		world->disturbed_us = until_us;
}

/* --- things that happen --------------------------------------------------------------------------- */

static void mains_back(struct world *world)
{
	world->mains_back_us = 0;
	rig_say(&world->rig, "## the mains are back");
	sim_device_mains(&world->rig.srv.dev, true, 220, 50);
}

static void outage(struct world *world)
{
	int64_t for_us = short_or_long(world, 0.5, 1800);

	if (world->mains_back_us)
		return;
	world->outages++;
	rig_say(&world->rig, "## the mains fail for %.0f s", (double)for_us / 1e6);
	if (chance(world, 80))
		sim_device_mains(&world->rig.srv.dev, false, 0, 50);
	else
		sim_device_mains(&world->rig.srv.dev, true, 120, 50);
	world->mains_back_us = world->rig.now_us + for_us;
}

static void battery(struct world *world)
{
	struct sim_device *dev = &world->rig.srv.dev;
	unsigned charge = 10 + below(world, 91);

	rig_say(&world->rig, "## the battery has %u %%", charge);
	world->charge_set_us = world->rig.now_us;
	sim_device_battery_charge(dev, charge);
}

static void unplug(struct world *world)
{
	if (world->plug_us)
		return;
	rig_say(&world->rig, "## the battery is unplugged");
	sim_device_battery_plug(&world->rig.srv.dev, false);
	world->charge_set_us = world->rig.now_us + 2 * S;
	world->plug_us = world->rig.now_us + short_or_long(world, 1, 600);
}

static void plug(struct world *world)
{
	world->plug_us = 0;
	rig_say(&world->rig, "## the battery is plugged in");
	sim_device_battery_plug(&world->rig.srv.dev, true);
	world->charge_set_us = world->rig.now_us + 2 * S;
}

static void bypass_fails(struct world *world)
{
	rig_say(&world->rig, "## the bypass input fails");
	sim_device_bypass(&world->rig.srv.dev, true);
	world->bypass_good_us = world->rig.now_us + short_or_long(world, 1, 900);
}

static void panel(struct world *world)
{
	struct sim_device *dev = &world->rig.srv.dev;

	switch (below(world, 4)) {
	case 0:
		rig_say(&world->rig, "## panel: mute");
		sim_device_panel_mute(dev);
		break;
	case 1:
		rig_say(&world->rig, "## panel: ECO");
		sim_device_panel_eco(dev, !dev->eco);
		break;
	case 2:
		rig_say(&world->rig, "## panel: off");
		sim_device_panel_off(dev);
		break;
	default:
		rig_say(&world->rig, "## panel: on");
		sim_device_panel_on(dev);
		break;
	}
}

static void load(struct world *world)
{
	unsigned percent = 5 + below(world, 95);

	rig_say(&world->rig, "## load %u %%", percent);
	sim_device_load(&world->rig.srv.dev, percent);
}

static void fault(struct world *world)
{
	static const char *const rows[][2] = {
		/* the rate comes between */
		{ "lose-request", "" },
		{ "lose-reply", "" },
		{ "corrupt", "" },
		{ "corrupt-request", "" },
		{ "truncate", "" },
		{ "late", "min=100 max=2400" },
		{ "late", "min=100 max=2400 mode=overtake" },
		{ "duplicate", "" },
		{ "foreign", "unit=2" },
		{ "foreign", "mode=before" },
		{ "mute", "" },
		{ "exception", "code=4" },
		{ "exception", "code=5" },
		{ "exception", "code=3" },
		{ "invalid", "" },
		{ "slow", "min=200 max=1800" },
		{ "lose-reply", "fc=6" },
		{ "lose-request", "fc=6" },
		{ "lose-reply", "fc=16" },
		{ "late", "fc=6 min=300 max=2000" },
		{ "noise", "" },
	};
	static const char *const rates[] = { "0.02", "0.1", "0.3", "0.7", "once", "x3", "always" };
	char text[120], err[200];
	int64_t until = world->rig.now_us + short_or_long(world, 1, 120);
	uint32_t row = below(world, ARRAY_SIZE(rows));

	snprintf(text, sizeof(text), "%s %s %s", rows[row][0],
		 rates[below(world, ARRAY_SIZE(rates))], rows[row][1]);
	if (sim_faults_set(&world->rig.srv.faults, text, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	rig_say(&world->rig, "## fault %s", text);
	if (until > world->faults_off_us)
		world->faults_off_us = until;
	disturb(world, world->faults_off_us);
}

static void faults_off(struct world *world)
{
	char err[200];

	world->faults_off_us = 0;
	rig_say(&world->rig, "## no more faults");
	sim_faults_set(&world->rig.srv.faults, "off", err, sizeof(err));
	disturb(world, world->rig.now_us + 3 * S);
}

static void unlink_port(struct world *world)
{
	if (!world->rig.session || world->link_up_us)
		return;
	rig_link(&world->rig, false);
	world->link_up_us = world->rig.now_us + short_or_long(world, 0.1, 300);
	disturb(world, world->link_up_us + 3 * S);
}

static void link_port(struct world *world)
{
	world->link_up_us = 0;
	rig_link(&world->rig, true);
	disturb(world, world->rig.now_us + 3 * S);
}

static void kill_daemon(struct world *world)
{
	bool boot = chance(world, 40);
	const struct rig *rig = &world->rig;
	uint64_t first = rig->n_orders > 30 ? rig->n_orders - 30 : 0;

	if (!rig->session)
		return;
	world->kills++;
	/* what a user set in this very moment may be lost with the daemon */
	for (uint64_t i = first + 1; i <= rig->n_orders; i++) {
		const struct rig_order *order = &rig->orders[i % RIG_ORDERS_MAX];

		if (strcmp(order->name, "ups.start.auto") == 0 &&
		    (order->outcome == U2K_PENDING || rig->now_us - order->done_us < S))
			world->wish_auto = WISH_UNKNOWN;
	}
	rig_kill(&world->rig);
	world->link_up_us = 0;
	world->same_boot = !boot;
	world->start_us = world->rig.now_us +
			  (boot ? seconds(world, 20, 180) : short_or_long(world, 0.1, 120));
	disturb(world, world->start_us + 3 * S);
}

static void start_daemon(struct world *world)
{
	world->start_us = 0;
	rig_start(&world->rig, world->same_boot);
	disturb(world, world->rig.now_us + 3 * S);
}

static void journal(struct world *world)
{
	world->rig.journal_mode = chance(world, 50) ? RIG_JOURNAL_FAILS : RIG_JOURNAL_SILENT;
	rig_say(&world->rig, "## the journal cannot be kept");
	world->journal_ok_us = world->rig.now_us + short_or_long(world, 1, 600);
}

static void journal_ok(struct world *world)
{
	if (world->rig.journal_mode != RIG_JOURNAL_KEPT)
		world->journal_bad_us = world->rig.now_us;
	world->journal_ok_us = 0;
	world->rig.journal_mode = RIG_JOURNAL_KEPT;
	rig_say(&world->rig, "## the journal can be kept again");
}

static void order(struct world *world)
{
	static const struct {
		const char *name;
		bool setting, delay;
		const char *value;
		unsigned weight;
	} rows[] = {
		{ "beeper.enable", false, false, NULL, 3 },
		{ "beeper.disable", false, false, NULL, 3 },
		{ "beeper.toggle", false, false, NULL, 3 },
		{ "test.battery.start.quick", false, false, NULL, 5 },
		{ "test.battery.start.deep", false, false, NULL, 2 },
		{ "test.battery.stop", false, false, NULL, 3 },
		{ "bypass.start", false, false, NULL, 6 },
		{ "bypass.stop", false, false, NULL, 8 },
		{ "load.on", false, false, NULL, 8 },
		{ "load.off", false, false, NULL, 5 },
		{ "shutdown.return", false, true, NULL, 10 },
		{ "shutdown.stayoff", false, true, NULL, 5 },
		{ "shutdown.reboot", false, false, NULL, 5 },
		{ "shutdown.reboot.graceful", false, true, NULL, 4 },
		{ "shutdown.default", false, true, NULL, 4 },
		{ "shutdown.stop", false, false, NULL, 12 },
		{ "ups.beeper.status", true, false, "disabled", 2 },
		{ "ups.start.auto", true, false, "yes", 3 },
		{ "ups.start.auto", true, false, "no", 3 },
		{ "ups.delay.shutdown", true, false, "90", 1 },
		{ "ups.delay.shutdown", true, false, "30", 1 },
		{ "ups.delay.start", true, false, "180", 1 },
		{ "ups.delay.start", true, false, "17", 1 },
		{ "no.such.command", false, false, NULL, 1 },
	};
	unsigned total = 0, pick;
	size_t i;
	char value[24];

	if (!world->rig.session)
		return;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		total += rows[i].weight;
	pick = below(world, total);
	for (i = 0; pick >= rows[i].weight; i++)
		pick -= rows[i].weight;
	snprintf(value, sizeof(value), "%u", 6 * (1 + below(world, chance(world, 10) ? 500 : 20)));
	world->orders++;
	rig_order(&world->rig, rows[i].setting, rows[i].name,
		  rows[i].delay && chance(world, 70) ? value : rows[i].value);
}

static void orders(struct world *world)
{
	unsigned n = chance(world, 80) ? 1 : 2 + below(world, chance(world, 10) ? 15 : 4);

	while (n--)
		order(world);
}

/* --- life -------------------------------------------------------------------------------------------- */

static void happen(struct world *world)
{
	unsigned what = below(world, 100);

	if (what < 45)
		orders(world);
	else if (what < 60)
		outage(world);
	else if (what < 72)
		fault(world);
	else if (what < 78)
		unlink_port(world);
	else if (what < 84)
		kill_daemon(world);
	else if (what < 87)
		battery(world);
	else if (what < 89)
		bypass_fails(world);
	else if (what < 93)
		panel(world);
	else if (what < 95)
		load(world);
	else if (what < 97)
		journal(world);
	else if (what < 98)
		unplug(world);
	else
		faults_off(world);
}

/* Someone comes by and switches on a UPS that has been off for a while. */
static void person(struct world *world)
{
	struct sim_device *dev = &world->rig.srv.dev;

	if (dev->startup == SIM_STARTUP_RUNNING || dev->startup == SIM_STARTUP_STARTING) {
		world->person_us = 0;
	} else if (!world->person_us) {
		world->person_us = world->rig.now_us + seconds(world, 30, 900);
	} else if (world->rig.now_us >= world->person_us) {
		world->person_us = 0;
		rig_say(&world->rig, "## a person switches it on");
		sim_device_panel_on(dev);
	}
}

static const struct {
	size_t at;
	void (*end)(struct world *world);
} ends[] = {
	{ offsetof(struct world, mains_back_us), mains_back },
	{ offsetof(struct world, faults_off_us), faults_off },
	{ offsetof(struct world, link_up_us), link_port },
	{ offsetof(struct world, start_us), start_daemon },
	{ offsetof(struct world, plug_us), plug },
	{ offsetof(struct world, bypass_good_us), NULL },
	{ offsetof(struct world, journal_ok_us), journal_ok },
};

static int64_t *end_at(struct world *world, size_t i)
{
	return (int64_t *)(void *)((char *)world + ends[i].at);
}

static void end(struct world *world, size_t i)
{
	if (ends[i].end) {
		ends[i].end(world);
		return;
	}
	world->bypass_good_us = 0;
	rig_say(&world->rig, "## the bypass input is good again");
	sim_device_bypass(&world->rig.srv.dev, false);
}

/* Run until then, ending on the way what is to end. */
static void pass(struct world *world, int64_t until_us)
{
	while (!world->failed && world->rig.now_us < until_us) {
		size_t first = ARRAY_SIZE(ends);
		int64_t next = until_us;

		for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
			if (*end_at(world, i) && *end_at(world, i) < next) {
				first = i;
				next = *end_at(world, i);
			}
		rig_run_until(&world->rig, next);
		if (world->rig.stuck)
			watch_fail(world, "something is due for ever without progress");
		if (world->failed)
			return;
		if (first < ARRAY_SIZE(ends))
			end(world, first);
		person(world);
	}
}

static void choose_dialect(struct world *world, struct sim_dialect *dialect)
{
	static const char *const words[] = {
		"fc10-silent",	    "fc10-refused",	 "pair-only",	  "pair-order",
		"arm-1047",	    "arm-1048",		 "pair-refused",  "ack-only",
		"no-cancel",	    "cancel-not-pair",	 "start-fails",	  "busy=3",
		"busy-ms",	    "old-value-ms",	 "off-ignored",	  "restart-1049",
		"count-down",	    "zero-cancels",	 "gaps-refused",  "max-read=43",
		"test-shows-mains", "test-stays",	 "eco-battery-6", "id-split",
		"id-open",	    "old-value-ms=1500",
	};
	unsigned n = below(world, 4);
	char err[200];

	while (n--) {
		const char *word = words[below(world, ARRAY_SIZE(words))];
		size_t len = strlen(world->dialect);

		sim_dialect_set(dialect, word, true, err, sizeof(err));
		snprintf(world->dialect + len, sizeof(world->dialect) - len, "%s%s", len ? " " : "",
			 word);
	}
}

void world_init(struct world *world, uint64_t seed)
{
	void (*trace)(struct rig * rig, const char *text, void *user) = world->rig.trace;
	struct sim_options device;

	memset(world, 0, sizeof(*world));
	world->seed = seed;
	world->rng = rng_mix(seed * 0x9e3779b97f4a7c15u + 1);
	sim_options_default(&device);
	device.rating = 1 + (int)below(world, 3);
	choose_dialect(world, &device.dialect);
	rig_init_device(&world->rig, seed, &device);
	world->rig.trace = trace;
	world->rig.srv.dev.autostart = chance(world, 60);
	world->rig.srv.dev.bypass_option = chance(world, 25);
	world->rig.journal_us = chance(world, 50) ? 5000 : 400000;
	world->rig.config.status_interval_us = chance(world, 50) ? 150000 : 1000000;
	if (chance(world, 40))
		world->rig.config.serial = "21022900000000000001";
	watch_init(world);
	rig_say(&world->rig, "## seed %llu, unit: %s; 1044 = %u, 1045 = %u",
		(unsigned long long)seed, *world->dialect ? world->dialect : "the likely one",
		world->rig.srv.dev.autostart, world->rig.srv.dev.bypass_option);
	world->disturbed_us = world->rig.now_us + 8 * S;
	rig_start(&world->rig, true);
}

bool world_live(struct world *world, double for_s)
{
	int64_t until = world->rig.now_us + (int64_t)(for_s * 1e6);

	while (!world->failed && world->rig.now_us < until) {
		int64_t next = world->rig.now_us + (chance(world, 40) ? seconds(world, 0.05, 20)
								      : seconds(world, 5, 300));

		pass(world, next < until ? next : until);
		if (!world->failed)
			happen(world);
	}
	return !world->failed;
}

bool world_end(struct world *world)
{
	struct rig *rig = &world->rig;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (*end_at(world, i))
			end(world, i);
	faults_off(world);
	journal_ok(world);
	sim_device_panel_eco(&rig->srv.dev, false);
	pass(world, rig->now_us + 300 * S);
	for (unsigned i = 0; i < 8 && !world->failed; i++) { /* all that counts comes to its end */
		if (rig->srv.dev.startup != SIM_STARTUP_RUNNING)
			sim_device_panel_on(&rig->srv.dev);
		pass(world, rig->now_us + 500 * S);
	}
	if (!world->failed)
		watch_end(world);
	return !world->failed;
}
