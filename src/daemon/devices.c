#include "daemon/devices.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/hub.h"
#include "nut/vars.h"
#include "port/port.h"
#include "util/util.h"

/* A port and how many UPSes are behind it. */
struct shared_port {
	struct shared_port *next;
	char *name;
	unsigned baud;
	struct port *port;
	unsigned users;
};

struct device {
	struct device *next;
	struct devices *devices;
	const struct config_ups *config;
	const struct config_ups
		*place; /* whose port it is read on: its own, unless found elsewhere */
	struct hub_ups *ups;
	struct nut_vars *vars;
	struct control *control;
	struct shared_port *port; /* NULL: not possible */
	struct port_unit *unit;
	bool seen; /* it told of itself since the port was opened */
};

struct devices {
	struct hub *hub;
	struct keep *keep;
	struct device *list;
	struct shared_port *ports;
	struct event *settle; /* somebody told an identity */
};

static void on_settle(evutil_socket_t fd, short what, void *user);

struct devices *devices_new(struct hub *hub, const char *state_dir)
{
	struct devices *devices = xcalloc(1, sizeof(*devices));

	devices->settle = event_new(hub_base(hub), -1, 0, on_settle, devices);

	devices->hub = hub;
	devices->keep = keep_new(hub_base(hub), state_dir);
	return devices;
}

struct keep *devices_keep(const struct devices *devices)
{
	return devices->keep;
}

static struct shared_port *get_port(struct devices *devices, const struct config_ups *config,
				    char *error, size_t error_size)
{
	struct shared_port *shared;
	struct port *port;

	for (shared = devices->ports; shared; shared = shared->next) {
		if (strcmp(shared->name, config->port) == 0 && shared->baud == config->baud) {
			shared->users++;
			return shared;
		}
	}
	port = port_new(hub_base(devices->hub), config->port, config->baud, error, error_size);
	if (!port)
		return NULL;
	shared = xcalloc(1, sizeof(*shared));
	shared->name = xstrdup(config->port);
	shared->baud = config->baud;
	shared->port = port;
	shared->users = 1;
	shared->next = devices->ports;
	devices->ports = shared;
	return shared;
}

static void put_port(struct devices *devices, struct shared_port *shared)
{
	struct shared_port **p = &devices->ports;

	if (--shared->users)
		return;
	while (*p != shared)
		p = &(*p)->next;
	*p = shared->next;
	port_free(shared->port);
	free(shared->name);
	free(shared);
}

static void changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	struct device *device = user;

	if (!device->seen)
		mask = UINT64_MAX;
	device->seen = true;
	nut_vars_update(device->vars, snap, mask);
	control_changed(device->control, mask);
	hub_publish(device->ups, snap, mask);
	if (mask & U2K_CHANGED_IDENTITY && device->config->serial) /* not from within its call */
		event_active(device->devices->settle, 0, 0);
}

/* The hub tells these itself, from the snapshots and by what its clients can see. */
static const char *const told_by_hub[] = { "comm-ok", "comm-lost", "comm-silent", "identified",
					   "monitored-only" };

static void event(void *user, const char *kind, const char *severity, const char *text)
{
	struct device *device = user;

	for (size_t i = 0; i < ARRAY_SIZE(told_by_hub); i++)
		if (strcmp(kind, told_by_hub[i]) == 0)
			return;
	hub_event(device->devices->hub, kind, severity, device->ups->name, NULL, "%s", text);
}

static void progress(void *user, uint64_t token, const char *text)
{
	struct device *device = user;

	control_progress(device->control, token, text);
}

static void done(void *user, uint64_t token, enum u2k_outcome outcome, int error, const char *text)
{
	struct device *device = user;

	control_done(device->control, token, outcome, error, text);
}

static void journal(void *user, const struct engine_journal *text)
{
	struct device *device = user;

	control_journal(device->control, text);
}

static void delays(void *user, const struct engine_delays *values)
{
	struct device *device = user;

	control_delays(device->control, values);
}

static void open_device(struct device *device)
{
	static const struct port_unit_ops ops = { changed, event, progress, done, journal, delays };
	const struct config_ups *config = device->config, *place = device->place;
	struct port_unit_config unit = {
		.unit_id = place->unit_id,
		.number = place->number,
		.serial = config->serial,
		.control = config->control,
		.status_interval_ms = config->status_interval_ms,
	};
	char error[512] = "";

	device->seen = false;
	control_prepare(device->control, config, &unit);
	device->port = get_port(device->devices, place, error, sizeof(error));
	if (device->port) {
		device->unit = port_add(device->port->port, &unit, &ops, device);
		if (device->unit) {
			control_attach(device->control, device->unit);
			return;
		}
		put_port(device->devices, device->port);
		device->port = NULL;
	}
	hub_event(device->devices->hub, "port-unusable", "alert", config->name, NULL, "%s.",
		  *error ? error : "The port cannot serve another UPS: its unit id is taken");
}

static void close_device(struct device *device)
{
	if (!device->port)
		return;
	control_attach(device->control, NULL);
	port_remove(device->unit);
	put_port(device->devices, device->port);
	device->unit = NULL;
	device->port = NULL;
}

static void remove_device(struct device *device)
{
	struct device **p = &device->devices->list;

	while (*p != device)
		p = &(*p)->next;
	*p = device->next;
	close_device(device);
	control_free(device->control);
	hub_ups_remove(device->ups); /* and the store that vars fills */
	nut_vars_free(device->vars);
	free(device);
}

void devices_free(struct devices *devices)
{
	if (!devices)
		return;
	while (devices->list)
		remove_device(devices->list);
	event_free(devices->settle);
	keep_free(devices->keep);
	free(devices);
}

static struct device *find_device(const struct devices *devices, const char *name)
{
	for (struct device *d = devices->list; d; d = d->next)
		if (strcmp(d->ups->name, name) == 0)
			return d;
	return NULL;
}

static const struct config_ups *find_config(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_ups; i++)
		if (strcmp(config->ups[i].name, name) == 0)
			return &config->ups[i];
	return NULL;
}

static struct device *add_device(struct devices *devices, const struct config_ups *config)
{
	struct device *device = xcalloc(1, sizeof(*device));

	device->devices = devices;
	device->config = device->place = config;
	device->ups = hub_ups_add(devices->hub, config->name, config->desc,
				  (const char *const *)config->aliases, config->n_aliases);
	device->vars = nut_vars_new(&config->vars, device->ups->store);
	device->control = control_new(device->ups, devices->keep);
	device->next = devices->list;
	devices->list = device;
	return device;
}

/* --- each name keeps its UPS: by the serial numbers that are configured ---------------------- */

/* The serial number that answers where the device is read, NULL while nothing confirms one. */
static const char *seen_serial(const struct device *device)
{
	const struct u2k_snapshot *snap = device->unit ? port_snapshot(device->unit) : NULL;

	if (!snap || !snap->identity_at_us || !snap->identity.esn[0] || snap->comm != U2K_COMM_OK)
		return NULL;
	return snap->identity.esn;
}

static bool is_at_home(const struct device *device)
{
	const char *esn = seen_serial(device);

	return esn && strcmp(esn, device->config->serial) == 0;
}

/* Whose UPS answers on this one's port, if it is nowhere else; NULL: nobody's. */
static struct device *find_owner(const struct device *device)
{
	const char *esn = device->config->serial ? seen_serial(device) : NULL;

	if (!esn || is_at_home(device))
		return NULL;
	for (struct device *d = device->devices->list; d; d = d->next)
		if (d != device && d->config->serial && strcmp(d->config->serial, esn) == 0)
			return is_at_home(d) ? NULL : d;
	return NULL;
}

static void change_places(struct device *a, struct device *b)
{
	const struct config_ups *place = a->place;

	a->place = b->place;
	b->place = place;
	hub_event(
		a->devices->hub, "moved", "warning", b->config->name, NULL,
		"Serial number %s was found on %s, so this UPS is read there now, and \"%s\" on %s. "
		"The cables or adapters changed places; correct the ports in the configuration.",
		b->config->serial, b->place->port, a->config->name, a->place->port);
	close_device(a);
	close_device(b);
	hub_ups_restart(a->ups);
	hub_ups_restart(b->ups);
	open_device(a);
	open_device(b);
}

static void on_settle(evutil_socket_t fd, short what, void *user)
{
	struct devices *devices = user;

	(void)fd;
	(void)what;
	for (struct device *d = devices->list; d; d = d->next) {
		struct device *owner = find_owner(d);

		if (owner)
			change_places(d, owner);
	}
}

static bool place_is_kept(const struct device *device, const struct config *config)
{
	const struct config_ups *place = find_config(config, device->place->name);

	return place && config_ups_same_device(device->place, place);
}

/* The places by the new configuration: one that changed ends all exchanges. */
static void settle_anew(struct devices *devices, const struct config *config)
{
	bool kept = true;

	for (struct device *d = devices->list; d; d = d->next)
		kept = kept && (d->place == d->config || place_is_kept(d, config));
	for (struct device *d = devices->list; d; d = d->next) {
		bool home = d->place == d->config;

		d->place = find_config(config, kept ? d->place->name : d->config->name);
		if (home || kept)
			continue;
		close_device(d);
		hub_ups_restart(d->ups);
	}
}

/* Names and variables by the new configuration; the old one's strings are about to go. */
static void reconfigure(struct device *device, const struct config_ups *config)
{
	struct hub_ups *ups = device->ups;
	bool same = config_ups_same(device->config, config);

	device->config = config;
	nut_vars_configure(device->vars, &config->vars);
	nut_vars_update(device->vars, &ups->snap, UINT64_MAX);
	control_configure(device->control, config);
	if (same)
		return;
	hub_ups_rename(ups, config->desc, (const char *const *)config->aliases, config->n_aliases);
	hub_publish(ups, &ups->snap, UINT64_MAX);
}

bool devices_on_time(const struct devices *devices)
{
	int64_t now_us = clock_us();

	for (const struct shared_port *shared = devices->ports; shared; shared = shared->next)
		if (!port_on_time(shared->port, now_us))
			return false;
	return true;
}

void devices_apply(struct devices *devices, const struct config *config)
{
	struct device *next;

	/* First let go of what is no longer wanted: another UPS may want its port or name. */
	for (struct device *d = devices->list; d; d = next) {
		const struct config_ups *wanted = find_config(config, d->ups->name);

		next = d->next;
		if (!wanted) {
			hub_event(devices->hub, "removed", "info", d->ups->name, NULL,
				  "No longer in the configuration.");
			remove_device(d);
		} else if (!config_ups_same_device(d->config, wanted)) {
			close_device(d);
			hub_ups_restart(d->ups);
		}
	}
	settle_anew(devices, config);
	for (size_t i = 0; i < config->n_ups; i++) {
		struct device *d = find_device(devices, config->ups[i].name);

		if (d)
			reconfigure(d, &config->ups[i]);
		else
			d = add_device(devices, &config->ups[i]);
		hub_ups_place(d->ups, i);
		if (!d->port)
			open_device(d);
	}
}
