#pragma once

struct cli;

/* Options of "policy simulate": what stands behind each is in cli->simulate, NULL if not given. */
enum {
	SIMULATE_OUTAGE,
	SIMULATE_CHARGE,
	SIMULATE_RUNTIME,
	SIMULATE_LOAD,
	SIMULATE_LOW,
	SIMULATE_SECONDARIES,
	SIMULATE_LEAVE,
	SIMULATE_UPS,
	SIMULATE_CONFIG,
	SIMULATE_OPTIONS
};

/** Play an outage against the configuration; the exit code. 1: the battery is empty too early. */
int policy_simulate(struct cli *cli);
