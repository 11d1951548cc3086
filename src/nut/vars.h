#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nut/store.h"
#include <ups2000/ups.h>

/*
 * The table that turns a snapshot into NUT variables; shared by server and driver. Pure.
 * Names and forms are those of the stock huawei-ups2000 driver plus what docs/nut-variables.md adds.
 */
struct nut_override {
	const char *name, *value;
};

/* What the configuration says about one UPS's variables. Strings are borrowed, must outlive. */
struct nut_vars_config {
	const char *battery_date; /* battery.date, or NULL */
	const char *id;		  /* ups.id, or NULL */
	const struct nut_override
		*overrides; /* override.X: fixed value, also for names we do not have */
	size_t n_overrides;
	const struct nut_override *defaults; /* default.X: until the device gives a value */
	size_t n_defaults;
	bool ignorelb;		    /* LB from the two thresholds below instead of 1043 bit 6 */
	double battery_charge_low;  /* percent; < 0 = not set */
	double battery_runtime_low; /* s; < 0 = not set */
	bool cal_for_test;	    /* show CAL while a self-test runs (an upsmon trap; off) */
	const struct nut_override *parameters; /* driver.parameter.X, name without the prefix */
	size_t n_parameters;
};

struct nut_vars;

/**
 * Variables that follow from the configuration alone are in the store when this returns; the
 * others come with nut_vars_update().
 *
 * @config  the struct is copied, what it points to is borrowed
 * @store   borrowed, must outlive
 *
 * Returns NULL only if there is no memory.
 */
struct nut_vars *nut_vars_new(const struct nut_vars_config *config, struct nut_store *store);

/** The store keeps its variables. NULL is allowed. */
void nut_vars_free(struct nut_vars *vars);

/**
 * Another configuration for the same store (reload). What the old one pointed to is not looked at,
 * it may be freed already. Values of the device are computed anew by the next nut_vars_update(),
 * whatever its mask.
 */
void nut_vars_configure(struct nut_vars *vars, const struct nut_vars_config *config);

/**
 * Bring the store up to date. mask is what changed since the last call (UINT64_MAX: everything).
 * ups.status and ups.alarm come first and change together: ups.status never has the word ALARM
 * without ups.alarm. ups.status is never empty; it is absent until a status was read.
 */
void nut_vars_update(struct nut_vars *vars, const struct u2k_snapshot *snap, uint64_t mask);

/**
 * ups.status for a snapshot's flags under a configuration, without FSD: "OB DISCHRG".
 * "WAIT" (upsmon: neither on line nor on battery) if a status was read that says nothing.
 *
 * @out  NUL-terminated, empty if no status was read yet; 64 bytes hold every combination
 *
 * Returns the length.
 */
size_t nut_vars_status(const struct nut_vars_config *config, const struct u2k_snapshot *snap,
		       char *out, size_t size);
