#include "daemon/hub.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/hub_private.h"
#include "util/util.h"

#define LOG_PART "hub"
#include "util/log.h"

static const int64_t FIRST_WAIT_US = 1500 * U2K_MSEC;
static const int64_t STALE_US = 10 * U2K_SEC;
static const int64_t RETURN_US = 60 * U2K_SEC; /* in which clients of before are back */

void hub__tell_changed(struct hub *hub, struct hub_ups *ups, uint64_t mask)
{
	for (size_t i = 0; i < HUB_FRONTS_MAX; i++) {
		const struct hub_front *ops = hub->fronts[i].ops;

		if (ops && ops->changed)
			ops->changed(hub->fronts[i].data, ups, mask);
	}
}

void hub__tell_event(struct hub *hub, const struct hub_event *event)
{
	for (size_t i = 0; i < HUB_FRONTS_MAX; i++) {
		const struct hub_front *ops = hub->fronts[i].ops;

		if (ops && ops->event)
			ops->event(hub->fronts[i].data, event);
	}
}

struct hub *hub_new(struct event_base *base)
{
	struct hub *hub = xcalloc(1, sizeof(*hub));

	hub->base = base;
	hub__events_init(hub);
	hub__orders_init(hub);
	return hub;
}

void hub_free(struct hub *hub)
{
	if (!hub)
		return;
	while (hub->n_ups)
		hub_ups_remove(hub->ups[hub->n_ups - 1]);
	free(hub->ups);
	hub__orders_close(hub);
	hub__events_close(hub);
	free(hub);
}

struct event_base *hub_base(struct hub *hub)
{
	return hub->base;
}

void hub_set_shutdown(struct hub *hub, struct shutdown *shutdown)
{
	hub->shutdown = shutdown;
}

void hub_plan_changed(struct hub *hub)
{
	for (size_t i = 0; i < hub->n_ups; i++)
		hub__tell_changed(hub, hub->ups[i], HUB_CHANGED_PLAN);
}

struct shutdown *hub_shutdown(const struct hub *hub)
{
	return hub->shutdown;
}

void hub_attach(struct hub *hub, const struct hub_front *front, void *data)
{
	for (size_t i = 0; i < HUB_FRONTS_MAX; i++) {
		if (hub->fronts[i].ops)
			continue;
		hub->fronts[i].ops = front;
		hub->fronts[i].data = data;
		return;
	}
	assert(!"more front ends than HUB_FRONTS_MAX");
}

void hub_detach(struct hub *hub, void *data)
{
	for (size_t i = 0; i < HUB_FRONTS_MAX; i++)
		if (hub->fronts[i].ops && hub->fronts[i].data == data)
			hub->fronts[i].ops = NULL;
}

static void set_timer(struct ups *ups, int64_t in_us)
{
	struct timeval tv;

	if (!ups->timer)
		return;
	if (in_us < 1)
		in_us = 1;
	tv.tv_sec = (time_t)(in_us / U2K_SEC);
	tv.tv_usec = (suseconds_t)(in_us % U2K_SEC);
	evtimer_add(ups->timer, &tv);
}

/*
 * The end of the first wait and the age at which a status turns stale are changes too, though no
 * back end tells of them: the fronts are told by this timer.
 */
static void timer_cb(evutil_socket_t fd, short what, void *data)
{
	struct ups *ups = data;
	const struct u2k_snapshot *snap = &ups->pub.snap;
	int64_t now = clock_us();
	int64_t since = snap->first_status_us ? snap->status_at_us : ups->added_us;

	(void)fd;
	(void)what;
	hub__tell_changed(ups->pub.hub, &ups->pub, U2K_CHANGED_COMM);
	if (now - since < STALE_US)
		set_timer(ups, since + STALE_US - now);
	else
		hub__watch_comm(ups);
}

static void set_names(struct hub_ups *ups, const char *desc, const char *const *aliases,
		      size_t n_aliases)
{
	ups->desc = xstrdup(desc);
	ups->aliases = n_aliases ? xcalloc(n_aliases, sizeof(char *)) : NULL;
	ups->n_aliases = n_aliases;
	for (size_t i = 0; i < n_aliases; i++)
		ups->aliases[i] = xstrdup(aliases[i]);
}

static void free_names(struct hub_ups *ups)
{
	for (size_t i = 0; i < ups->n_aliases; i++)
		free(ups->aliases[i]);
	free(ups->aliases);
	free(ups->desc);
}

struct hub_ups *hub_ups_add(struct hub *hub, const char *name, const char *desc,
			    const char *const *aliases, size_t n_aliases)
{
	struct ups *ups = xcalloc(1, sizeof(*ups));

	ups->pub.hub = hub;
	ups->pub.name = xstrdup(name);
	set_names(&ups->pub, desc, aliases, n_aliases);
	ups->pub.store = nut_store_new();
	ups->pub.snap.gate = U2K_GATE_NOT_IDENTIFIED;
	ups->reported_gate = -1;
	ups->added_us = clock_us();
	ups->timer = hub->base ? evtimer_new(hub->base, timer_cb, ups) : NULL;
	set_timer(ups, FIRST_WAIT_US);

	hub->ups = xrealloc(hub->ups, (hub->n_ups + 1) * sizeof(*hub->ups));
	hub->ups[hub->n_ups++] = &ups->pub;
	return &ups->pub;
}

void hub_ups_remove(struct hub_ups *pub)
{
	struct ups *ups = ups_of(pub);
	struct hub *hub = pub->hub;

	for (size_t i = 0; i < HUB_FRONTS_MAX; i++) {
		const struct hub_front *ops = hub->fronts[i].ops;

		if (ops && ops->ups_removed)
			ops->ups_removed(hub->fronts[i].data, pub);
	}
	hub__orders_abandon(hub, pub);

	for (size_t i = 0; i < hub->n_ups; i++) {
		if (hub->ups[i] != pub)
			continue;
		memmove(&hub->ups[i], &hub->ups[i + 1], (hub->n_ups - i - 1) * sizeof(*hub->ups));
		hub->n_ups--;
		break;
	}

	if (ups->timer)
		event_free(ups->timer);
	nut_store_free(pub->store);
	free_names(pub);
	free(pub->name);
	free(ups);
}

void hub_ups_rename(struct hub_ups *ups, const char *desc, const char *const *aliases,
		    size_t n_aliases)
{
	free_names(ups);
	set_names(ups, desc, aliases, n_aliases);
}

void hub_ups_place(struct hub_ups *ups, size_t n)
{
	struct hub *hub = ups->hub;
	size_t from = 0;

	assert(n < hub->n_ups);
	while (hub->ups[from] != ups)
		from++;
	for (; from > n; from--)
		hub->ups[from] = hub->ups[from - 1];
	for (; from < n; from++)
		hub->ups[from] = hub->ups[from + 1];
	hub->ups[n] = ups;
}

void hub_ups_restart(struct hub_ups *pub)
{
	struct ups *ups = ups_of(pub);

	memset(&pub->snap, 0, sizeof(pub->snap));
	pub->snap.gate = U2K_GATE_NOT_IDENTIFIED;
	ups->reported_gate = -1;
	ups->lost = false;
	ups->added_us = clock_us();
	set_timer(ups, FIRST_WAIT_US);
	hub__tell_changed(pub->hub, pub, UINT64_MAX);
}

size_t hub_ups_count(const struct hub *hub)
{
	return hub->n_ups;
}

struct hub_ups *hub_ups_at(const struct hub *hub, size_t i)
{
	return i < hub->n_ups ? hub->ups[i] : NULL;
}

struct hub_ups *hub_find(const struct hub *hub, const char *name)
{
	for (size_t i = 0; i < hub->n_ups; i++) {
		struct hub_ups *ups = hub->ups[i];

		if (strcasecmp(ups->name, name) == 0)
			return ups;
		for (size_t a = 0; a < ups->n_aliases; a++)
			if (strcasecmp(ups->aliases[a], name) == 0)
				return ups;
	}
	return NULL;
}

/*
 * A status is good for 10 s, also while the port is closed or the device silent: short errors
 * must not reach clients as DATA-STALE (some upsmon versions then halt their host at once).
 */
enum hub_avail hub_avail(const struct hub_ups *pub)
{
	const struct u2k_snapshot *snap = &pub->snap;

	if (!snap->first_status_us) {
		if (clock_us() - ups_of(pub)->added_us < FIRST_WAIT_US)
			return HUB_WAIT;
	} else if (snap->comm == U2K_COMM_OK) {
		return HUB_OK;
	} else if (snap->comm != U2K_COMM_STALE && clock_us() - snap->status_at_us < STALE_US) {
		return HUB_OK;
	}
	return snap->comm == U2K_COMM_CLOSED ? HUB_NOT_CONNECTED : HUB_STALE;
}

void hub_publish(struct hub_ups *pub, const struct u2k_snapshot *snap, uint64_t mask)
{
	struct ups *ups = ups_of(pub);
	struct u2k_snapshot old = pub->snap;

	pub->snap = *snap;
	hub__tell_changed(pub->hub, pub, mask);
	hub__watch(ups, &old, &pub->snap);
	hub__watch_comm(ups);

	if (snap->comm != U2K_COMM_OK && old.comm == U2K_COMM_OK)
		set_timer(ups, snap->status_at_us + STALE_US - clock_us());
}

void hub_fsd_set(struct hub_ups *ups, const char *user, const char *from)
{
	if (ups->fsd)
		return;
	ups->fsd = true;
	ups->fsd_us = clock_us();
	snprintf(ups->fsd_user, sizeof(ups->fsd_user), "%s", user ? user : "");
	snprintf(ups->fsd_from, sizeof(ups->fsd_from), "%s", from ? from : "");
	ups->fsd_logins = ups->logins;
	hub__tell_changed(ups->hub, ups, U2K_CHANGED_FLAGS);
	hub_event(ups->hub, "fsd", "alert", ups->name, NULL,
		  "Forced shutdown (FSD) announced by %s from %s.", user && *user ? user : "nobody",
		  from && *from ? from : "nowhere");
}

void hub_fsd_clear(struct hub_ups *ups, const char *why)
{
	if (!ups->fsd)
		return;
	ups->fsd = false;
	ups->fsd_logins = 0;
	hub__tell_changed(ups->hub, ups, U2K_CHANGED_FLAGS);
	hub_event(ups->hub, "fsd-cleared", "info", ups->name, NULL,
		  "Forced shutdown (FSD) cleared: %s.", why);
}

void hub_fsd_restore(struct hub_ups *ups)
{
	ups->fsd = true;
	ups->fsd_us = clock_us() + RETURN_US;
	ups->fsd_logins = ups->logins;
	hub__tell_changed(ups->hub, ups, U2K_CHANGED_FLAGS);
}

static bool before_fsd(const struct hub_ups *ups, int64_t since_us)
{
	return ups->fsd && since_us <= ups->fsd_us;
}

int64_t hub_login(struct hub_ups *ups)
{
	int64_t now = clock_us();

	ups->logins++;
	ups->fsd_logins += before_fsd(ups, now);
	return now;
}

void hub_logout(struct hub_ups *ups, int64_t since_us)
{
	ups->logins--;
	ups->fsd_logins -= before_fsd(ups, since_us);
}
