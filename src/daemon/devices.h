#pragma once

#include <stdbool.h>

struct config;
struct hub;
struct keep;

/*
 * What the configuration names, brought to life: a port per path, a UPS behind each, its values in
 * the hub. UPSes on the same path share the port.
 */
struct devices;

/** state_dir: where orders, delays and debts are kept over a restart. */
struct devices *devices_new(struct hub *hub, const char *state_dir);
void devices_free(struct devices *devices);
/** The state directory, for what else is kept there; lives as long as devices. */
struct keep *devices_keep(const struct devices *devices);
/** Whether every UPS that is there is read in time; see port_on_time(). */
bool devices_on_time(const struct devices *devices);

/**
 * Have exactly the UPSes of this configuration, in its order. One that is described as before keeps
 * its port and session; with another description or aliases it keeps them too; a changed port is
 * opened anew under the old name, so that NUT logins and FSD stay.
 *
 * @config  borrowed until the next call or devices_free()
 */
void devices_apply(struct devices *devices, const struct config *config);
