#pragma once

/* A hub filled by hand, for tests of the front ends: no port, no daemon. */

#include <stdio.h>
#include <string.h>
#include "daemon/hub.h"
#include "nut/store.h"
#include "util/util.h"

/* A UPS2000-A on mains, read just now. */
static inline void made_snapshot(struct u2k_snapshot *snap, int64_t now_us)
{
	static const struct {
		enum u2k_qty qty;
		double value;
	} values[] = {
		{ U2K_QTY_INPUT_VOLTAGE, 230.1 },
		{ U2K_QTY_INPUT_FREQUENCY, 50.0 },
		{ U2K_QTY_BYPASS_VOLTAGE, 229.8 },
		{ U2K_QTY_BYPASS_FREQUENCY, 50.0 },
		{ U2K_QTY_OUTPUT_VOLTAGE, 230.0 },
		{ U2K_QTY_OUTPUT_FREQUENCY, 50.0 },
		{ U2K_QTY_OUTPUT_CURRENT, 3.6 },
		{ U2K_QTY_OUTPUT_REALPOWER, 800 },
		{ U2K_QTY_OUTPUT_POWER, 900 },
		{ U2K_QTY_LOAD, 30.4 },
		{ U2K_QTY_OUTPUT_SOURCE, U2K_SOURCE_MAINS },
		{ U2K_QTY_INPUT_PHASES, 1 },
		{ U2K_QTY_OUTPUT_PHASES, 1 },
		{ U2K_QTY_TEMPERATURE, 28.5 },
		{ U2K_QTY_STARTUP, U2K_STARTUP_RUNNING },
		{ U2K_QTY_STATUS_BITS, U2K_BIT_ONLINE_TYPE },
		{ U2K_QTY_BATTERY_VOLTAGE, 82.3 },
		{ U2K_QTY_BATTERY_STATE, U2K_BATTERY_FLOAT },
		{ U2K_QTY_BATTERY_CHARGE, 92 },
		{ U2K_QTY_BATTERY_RUNTIME, 4320 },
		{ U2K_QTY_BATTERY_BLOCKS, 6 },
		{ U2K_QTY_BATTERY_CAPACITY, 9 },
		{ U2K_QTY_RATED_POWER, 3000 },
		{ U2K_QTY_AUTO_START, 1 },
		{ U2K_QTY_BYPASS_WHEN_OFF, 0 },
		{ U2K_QTY_BEEPER_MUTED, 0 },
		{ U2K_QTY_RESTART_OFF, 0 },
		{ U2K_QTY_RESTART_ON, 0 },
		{ U2K_QTY_OFF_TIMER, 0 },
	};

	memset(snap, 0, sizeof(*snap));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		snap->qty[values[i].qty] = (struct u2k_value){ values[i].value, now_us, U2K_VALID };
	snap->alarms.at_us = now_us;
	strcpy(snap->identity.model, "UPS2000-A-3KTTL");
	strcpy(snap->identity.firmware, "V2R1C1SPC50");
	strcpy(snap->identity.protocol, "P1.0-D1.0");
	strcpy(snap->identity.esn, "2102310000HDL1000001");
	snap->identity.described = snap->identity.known = true;
	snap->comm = U2K_COMM_OK;
	snap->gate = U2K_GATE_OPEN;
	snap->flags = U2K_OL | U2K_CHRG;
	snap->status_at_us = snap->first_status_us = now_us;
	snap->line.requests = 100;
	snap->line.answers = 99;
	snap->line.timeouts = 1;
	snap->line.rtt_us = 21300;
	snap->line.status_round_us = 150000;
}

static inline void made_store(struct nut_store *store)
{
	nut_store_set(store, "ups.status", "OL CHRG");
	nut_store_set(store, "battery.charge", "92");
	nut_store_set(store, "device.model", "UPS2000-A-3KTTL");
	nut_store_set(store, "ups.delay.shutdown", "60");
	nut_store_flags(store, "ups.delay.shutdown", NUT_RW | NUT_NUMBER, 0);
	nut_store_add_range(store, "ups.delay.shutdown", 6, 5940);
	nut_store_set(store, "ups.start.auto", "yes");
	nut_store_flags(store, "ups.start.auto", NUT_RW | NUT_STRING, 3);
	nut_store_add_enum(store, "ups.start.auto", "yes");
	nut_store_add_enum(store, "ups.start.auto", "no");
	nut_store_add_cmd(store, "beeper.toggle");
	nut_store_add_cmd(store, "load.off");
	nut_store_add_cmd(store, "shutdown.return");
	nut_store_add_cmd(store, "test.battery.start.quick");
}

/* A UPS as above in a hub; data is fresh as of now. */
static inline struct hub_ups *made_ups(struct hub *hub, const char *name, const char *desc,
				       const char *alias)
{
	struct hub_ups *ups = hub_ups_add(hub, name, desc, &alias, alias ? 1 : 0);
	struct u2k_snapshot snap;

	made_snapshot(&snap, clock_us());
	made_store(ups->store);
	hub_publish(ups, &snap, UINT64_MAX);
	return ups;
}
