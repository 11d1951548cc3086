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
	const char *battery_date;     /* battery.date, or NULL */
	const char *id;		      /* ups.id, or NULL */
	const struct nut_override *overrides; /* override.X: fixed value, also for names we do not have */
	size_t n_overrides;
	const struct nut_override *defaults;  /* default.X: until the device gives a value */
	size_t n_defaults;
	bool ignorelb;		      /* LB from the two thresholds below instead of 1043 bit 6 */
	double battery_charge_low;    /* percent; < 0 = not set */
	double battery_runtime_low;   /* s; < 0 = not set */
	bool cal_for_test;	      /* show CAL while a self-test runs (an upsmon trap; off) */
};

struct nut_vars;

struct nut_vars *nut_vars_new(const struct nut_vars_config *config, struct nut_store *store);
void nut_vars_free(struct nut_vars *vars);
/** Another configuration for the same store (reload): values are computed anew. */
void nut_vars_configure(struct nut_vars *vars, const struct nut_vars_config *config);

/**
 * Bring the store up to date. mask is what changed since the last call (UINT64_MAX: everything).
 * ups.status and ups.alarm change together; ups.status is never empty once a status was read.
 */
void nut_vars_update(struct nut_vars *vars, const struct u2k_snapshot *snap, uint64_t mask);

/** ups.status for a snapshot's flags under a configuration, without FSD: "OB DISCHRG". */
size_t nut_vars_status(const struct nut_vars_config *config, const struct u2k_snapshot *snap,
		       char *out, size_t size);
