#include "port/port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "link/url.h"
#include "ups/line.h"
#include "ups/session.h"
#include "util/util.h"

struct port_unit {
	struct port *port;
	struct port_unit *next;
	struct session *session;
	const struct port_unit_ops *ops;
	void *user;
	unsigned unit_id, number;
};

enum {
	DUMB_US = 10000000, /* a connection on which nothing comes for so long is made anew ... */
	DUMB_MAX_US = 80000000, /* ... at first; then more and more rarely */
	LATE_US = 5000000,	/* a deadline missed by so much is no matter of load any more */
};

struct port {
	struct link *link;
	struct line *line;
	struct event *timer;
	int64_t timer_us; /* when the timer fires; INT64_MAX = not set */
	struct port_unit *units;

	/* a TCP peer can be half dead: it takes everything and says nothing */
	bool tcp;
	bool reviving;	  /* made anew by us: no news */
	bool nonsense;	  /* the peer does not speak Modbus TCP; said so */
	int64_t heard_us; /* the last byte, or since when one is awaited */
	int64_t dumb_us;  /* how long that may be */
};

static void say(struct port *port, const char *kind, const char *severity, const char *text)
{
	for (struct port_unit *unit = port->units; unit; unit = unit->next)
		if (unit->ops->event)
			unit->ops->event(unit->user, kind, severity, text);
}

static void revive(struct port *port, int64_t now_us)
{
	port->reviving = true;
	port->heard_us = now_us;
	link_reopen(port->link);
}

/* Only where a new connection can help: a serial port has none. */
static void look_for_life(struct port *port, int64_t now_us)
{
	if (!port->tcp || !line_is_up(port->line) || now_us - port->heard_us < port->dumb_us)
		return;
	port->dumb_us = port->dumb_us < DUMB_MAX_US ? port->dumb_us * 2 : DUMB_MAX_US;
	revive(port, now_us);
}

static void look_for_nonsense(struct port *port, int64_t now_us)
{
	if (!line_is_broken(port->line)) {
		port->nonsense = false;
		return;
	}
	if (!port->nonsense)
		say(port, "not-modbus", "warning",
		    "What answers there does not speak Modbus TCP: if it is a serial device server that "
		    "passes bytes on as they are, write rtu+tcp:// instead of tcp://.");
	port->nonsense = true;
	revive(port, now_us);
}

static void arm(struct port *port, int64_t now_us)
{
	int64_t due = line_deadline(port->line, now_us), wait = due - now_us;
	struct timeval tv;

	if (due == port->timer_us)
		return;
	port->timer_us = due;
	if (due == INT64_MAX) {
		event_del(port->timer);
		return;
	}
	if (wait < 0)
		wait = 0;
	tv.tv_sec = wait / U2K_SEC;
	tv.tv_usec = wait % U2K_SEC;
	event_add(port->timer, &tv);
}

static void run(struct port *port)
{
	int64_t now_us = clock_us();

	line_run(port->line, now_us);
	look_for_life(port, now_us);
	arm(port, now_us);
}

static void run_soon(struct port *port)
{
	static const struct timeval now = { 0, 0 };

	port->timer_us = 0;
	event_add(port->timer, &now);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	struct port *port = user;

	(void)fd;
	(void)what;
	port->timer_us = INT64_MAX;
	for (struct port_unit *unit = port->units; unit; unit = unit->next) /* new ones */
		session_link(unit->session, line_is_up(port->line), clock_us());
	run(port);
}

static void on_rx(void *user, const uint8_t *data, size_t len)
{
	struct port *port = user;

	int64_t now_us = clock_us();

	port->heard_us = now_us;
	port->dumb_us = DUMB_US;
	line_rx(port->line, data, len, now_us);
	look_for_nonsense(port, now_us);
	run(port);
}

static void on_link(void *user, enum link_state state, const char *reason)
{
	struct port *port = user;
	bool up = state == LINK_UP, news = state != LINK_OPENING && !(up && port->reviving);
	int64_t now_us = clock_us();

	line_link(port->line, up, now_us);
	port->heard_us = now_us;
	if (state != LINK_OPENING)
		port->reviving = false;
	for (struct port_unit *unit = port->units; unit; unit = unit->next)
		session_link(unit->session, up, now_us);
	if (up) {
		const char *about = link_adapter(port->link);
		char text[600];

		snprintf(text, sizeof(text), "The %s is open%s%s.",
			 port->tcp ? "connection" : "port", about[0] ? ": " : "", about);
		if (news)
			say(port, "link-up", "info", text);
	} else if (news) {
		say(port, "link-down", "warning", reason);
	}
	run(port);
}

static bool on_tx(void *user, const uint8_t *data, size_t len)
{
	struct port *port = user;

	return link_write(port->link, data, len) == 0;
}

/*
 * Over a network everything takes longer and bytes come in other portions: silence says little, an
 * answer may come late, and the gaps on the wire are the gateway's business.
 */
static void network_params(struct line_params *params, enum link_kind kind)
{
	params->framing = kind == LINK_TCP ? FRAMING_MBAP : FRAMING_RTU;
	params->silence_us = 300 * U2K_MSEC;
	params->first_allowance_us = 1000 * U2K_MSEC;
	params->min_allowance_us = 400 * U2K_MSEC;
	params->max_allowance_us = 2000 * U2K_MSEC;
	params->ghost_us = 4 * U2K_SEC;
}

static struct link *open_link(struct port *port, struct event_base *base, const char *name,
			      unsigned baud, const struct link_url *url)
{
	static const struct link_ops ops = { .state = on_link, .rx = on_rx };
	struct link_serial_config serial = { .path = name, .baud = baud };
	struct link_tcp_config tcp = { .host = url->host, .port = url->port };

	if (url->kind == LINK_SERIAL)
		return link_serial_new(base, &serial, &ops, port);
	return link_tcp_new(base, &tcp, &ops, port);
}

struct port *port_new(struct event_base *base, const char *name, unsigned baud, char *error,
		      size_t error_size)
{
	struct line_params params;
	struct link_url url;
	struct port *port;

	if (!link_url_parse(name, &url, error, error_size))
		return NULL;
	line_params_default(&params);
	params.baud = baud;
	if (url.kind != LINK_SERIAL)
		network_params(&params, url.kind);

	port = xcalloc(1, sizeof(*port));
	port->timer_us = INT64_MAX;
	port->tcp = url.kind != LINK_SERIAL;
	port->dumb_us = DUMB_US;
	port->line = line_new(&params, on_tx, port);
	port->timer = evtimer_new(base, on_timer, port);
	port->link = open_link(port, base, name, baud, &url);
	if (!port->line || !port->timer || !port->link) {
		snprintf(error, error_size, "\"%s\" cannot be the path of a serial port", name);
		port_free(port);
		return NULL;
	}
	return port;
}

static void on_changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	struct port_unit *unit = user;

	unit->ops->changed(unit->user, snap, mask);
}

static void on_event(void *user, const char *kind, const char *severity, const char *text)
{
	struct port_unit *unit = user;

	if (unit->ops->event)
		unit->ops->event(unit->user, kind, severity, text);
}

static void on_progress(void *user, uint64_t token, const char *text)
{
	struct port_unit *unit = user;

	unit->ops->progress(unit->user, token, text);
}

static void on_done(void *user, uint64_t token, enum u2k_outcome outcome, int error,
		    const char *text)
{
	struct port_unit *unit = user;

	unit->ops->done(unit->user, token, outcome, error, text);
}

static void on_journal(void *user, const struct engine_journal *journal)
{
	struct port_unit *unit = user;

	unit->ops->journal(unit->user, journal);
}

static void on_delays(void *user, const struct engine_delays *delays)
{
	struct port_unit *unit = user;

	unit->ops->delays(unit->user, delays);
}

struct port_unit *port_add(struct port *port, const struct port_unit_config *config,
			   const struct port_unit_ops *ops, void *user)
{
	static const struct session_ops session_ops = {
		.changed = on_changed,
		.event = on_event,
		.progress = on_progress,
		.done = on_done,
		.journal = on_journal,
		.delays = on_delays,
	};
	struct session_config session = {
		.unit_id = config->unit_id,
		.number = config->number,
		.serial = config->serial,
		.control = config->control && ops->done,
		.delays = config->delays,
		.status_interval_us = config->status_interval_ms * U2K_MSEC,
	};
	struct port_unit *unit;

	for (unit = port->units; unit; unit = unit->next)
		if (unit->unit_id == config->unit_id && unit->number == config->number)
			return NULL;
	unit = xcalloc(1, sizeof(*unit));
	unit->port = port;
	unit->ops = ops;
	unit->user = user;
	unit->unit_id = config->unit_id;
	unit->number = config->number;
	unit->session = session_new(port->line, &session, &session_ops, unit);
	if (!unit->session) {
		free(unit);
		return NULL;
	}
	if (config->journal)
		session_restore(unit->session, config->journal, config->same_boot, clock_us());
	unit->next = port->units;
	port->units = unit;
	run_soon(port); /* no callback from within this call */
	return unit;
}

void port_remove(struct port_unit *unit)
{
	struct port_unit **p = &unit->port->units;

	while (*p != unit)
		p = &(*p)->next;
	*p = unit->next;
	session_free(unit->session);
	free(unit);
}

void port_free(struct port *port)
{
	if (!port)
		return;
	while (port->units)
		port_remove(port->units);
	if (port->link)
		link_free(port->link);
	if (port->timer)
		event_free(port->timer);
	line_free(port->line);
	free(port);
}

void port_order(struct port_unit *unit, uint64_t token, bool setting, const char *name,
		const char *value)
{
	session_order(unit->session, token, setting, name, value, clock_us());
	run_soon(unit->port);
}

void port_set_delays(struct port_unit *unit, const struct engine_delays *delays)
{
	session_set_delays(unit->session, delays);
}

void port_journal_saved(struct port_unit *unit, bool ok)
{
	session_journal_saved(unit->session, ok);
	run_soon(unit->port);
}

const struct engine *port_engine(const struct port_unit *unit)
{
	return session_engine(unit->session);
}

const struct u2k_snapshot *port_snapshot(const struct port_unit *unit)
{
	return session_snapshot(unit->session);
}

enum link_state port_link_state(const struct port *port)
{
	return link_state(port->link);
}

bool port_on_time(const struct port *port, int64_t now_us)
{
	if (!line_is_up(port->line) || !port->units)
		return true;
	return line_deadline(port->line, now_us) >= now_us - LATE_US;
}

const char *port_reason(const struct port *port)
{
	return link_reason(port->link);
}

const char *port_adapter(const struct port *port)
{
	return link_adapter(port->link);
}
