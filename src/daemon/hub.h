#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nut/store.h"
#include <ups2000/ups.h>

struct event_base;
struct config;
struct config_ups;
struct history_totals;

/*
 * The hub: one per daemon. Below it are the UPSes (a back end each), above it the front ends. It
 * keeps the newest snapshot and NUT variables of each UPS, the FSD latch, the logins, the orders
 * (commands and settings) with their outcomes, and a ring of events. Everything runs on the loop.
 */
struct hub;

enum hub_avail {
	HUB_WAIT, /* just started: hold the client until the first status or 1.5 s */
	HUB_OK,
	HUB_STALE,	   /* no valid status for 10 s, or none yet */
	HUB_NOT_CONNECTED, /* as HUB_STALE, and the port is not open */
};

/* Orders: an instant command or a setting, from whomever. */
enum { HUB_STEPS_MAX = 32 };
enum hub_order_kind { HUB_ORDER_COMMAND, HUB_ORDER_SET };

struct hub_order {
	char id[37]; /* UUID v4, upper case, random */
	enum hub_order_kind kind;
	char *name;	   /* command or variable, as known to the store */
	char *value;	   /* parameter or new value; NULL = none */
	char *user, *from; /* who and from where: "admin", "127.0.0.1", "unix" */
	enum u2k_outcome outcome;
	int error;     /* REFUSED: U2K_EINVAL bad value, U2K_ENOTSUP unknown, else U2K_EREFUSED */
	char *message; /* progress, then the result: one sentence */
	char **steps;  /* what was said meanwhile: the newest HUB_STEPS_MAX, oldest first */
	size_t n_steps;
	int64_t made_us, ended_us; /* monotonic */
};

struct hub_ups {
	struct hub *hub;
	char *name, *desc; /* desc may be NULL */
	char **aliases;
	size_t n_aliases;
	struct nut_store *store;
	struct u2k_snapshot snap;
	bool fsd;
	char fsd_user[64], fsd_from[64]; /* who announced it, for people */
	int64_t fsd_us;			 /* who logged in up to then shall leave because of it */
	unsigned logins;     /* NUT LOGINs on all its names; hub_login(), hub_logout() */
	unsigned fsd_logins; /* of these, since before fsd_us */
	void *backend;	     /* the back end's; NULL if it has none */
	const struct hub_backend *ops;
	const struct history_totals *totals; /* history/totals.h; the record keeper's; or NULL */
};

/* What is below a UPS. */
struct hub_backend {
	/**
	 * Carry out an order. The back end calls hub_order_progress() any number of times and
	 * hub_order_end() exactly once, possibly from within this call.
	 */
	void (*order)(void *backend, struct hub_ups *ups, struct hub_order *order);
};

struct hub_event {
	uint64_t id; /* 1, 2, 3 ... */
	int64_t wall_us;
	const char *kind;     /* "on-battery", "command" ...; static or interned */
	const char *severity; /* "info", "warning", "alert" */
	char *ups;	      /* name, or NULL */
	char *text;	      /* one sentence for people */
	char *facts;	      /* JSON object text, or NULL */
};

/* A front end: started, told of changes, stopped. changed and event may be NULL. */
struct hub_front {
	const char *name;
	void (*changed)(void *front, struct hub_ups *ups, uint64_t mask);
	void (*event)(void *front, const struct hub_event *event);
	/* the set of UPSes changed; a removed one is still valid during the call */
	void (*ups_removed)(void *front, struct hub_ups *ups);
};

struct shutdown;

struct hub *hub_new(struct event_base *base);
void hub_free(struct hub *hub);
struct event_base *hub_base(struct hub *hub);
void hub_attach(struct hub *hub, const struct hub_front *front, void *data);
void hub_detach(struct hub *hub, void *data);

/* In masks of changed(), besides U2K_CHANGED_*: the plan for hosts stands otherwise. */
#define HUB_CHANGED_PLAN ((uint64_t)1 << 60)
/** Tell the fronts so, for each UPS. */
void hub_plan_changed(struct hub *hub);

/** The plan for hosts (daemon/shutdown.h), for front ends; NULL: this process has none. */
void hub_set_shutdown(struct hub *hub, struct shutdown *shutdown);
struct shutdown *hub_shutdown(const struct hub *hub);

/* UPSes, in the order of the configuration. */
struct hub_ups *hub_ups_add(struct hub *hub, const char *name, const char *desc,
			    const char *const *aliases, size_t n_aliases);
void hub_ups_remove(struct hub_ups *ups);
/** A reload changed these; FSD, logins, orders and events stay. Strings are copied. */
void hub_ups_rename(struct hub_ups *ups, const char *desc, const char *const *aliases,
		    size_t n_aliases);
/** Make it the nth of the list. */
void hub_ups_place(struct hub_ups *ups, size_t n);
/** Another device is read from now on: forget the snapshot, hold clients as after the start. */
void hub_ups_restart(struct hub_ups *ups);
size_t hub_ups_count(const struct hub *hub);
struct hub_ups *hub_ups_at(const struct hub *hub, size_t i);
/** By name or alias, without case; NULL if there is none. */
struct hub_ups *hub_find(const struct hub *hub, const char *name);

enum hub_avail hub_avail(const struct hub_ups *ups);

/**
 * A back end has news: copies the snapshot, tells the fronts. The store was brought up to date by
 * the caller before.
 */
void hub_publish(struct hub_ups *ups, const struct u2k_snapshot *snap, uint64_t mask);

/** Latch FSD (idempotent; an event the first time). Cleared by hub_fsd_clear() only. */
void hub_fsd_set(struct hub_ups *ups, const char *user, const char *from);
void hub_fsd_clear(struct hub_ups *ups, const char *why);
/**
 * Latch FSD again after a restart of the daemon, before anybody is answered. Who logs in within the
 * first minute counts as one from before: upsmons come back within seconds.
 */
void hub_fsd_restore(struct hub_ups *ups);

/** A client logged in; returns what hub_logout() wants. */
int64_t hub_login(struct hub_ups *ups);
void hub_logout(struct hub_ups *ups, int64_t since_us);

/**
 * Hand an order to the UPS's back end. Strings are copied. Never NULL; the order lives for
 * hub's tracking delay after it ended, hub_order_find() finds it. The outcome may already be set.
 */
const struct hub_order *hub_order(struct hub_ups *ups, enum hub_order_kind kind, const char *name,
				  const char *value, const char *user, const char *from);
const struct hub_order *hub_order_find(const struct hub *hub, const char *id); /* without case */
void hub_order_progress(struct hub_ups *ups, struct hub_order *order, const char *message);
void hub_order_end(struct hub_ups *ups, struct hub_order *order, enum u2k_outcome outcome,
		   int error, const char *message);
void hub_set_tracking_delay(struct hub *hub, unsigned seconds);

/* Events. */
void hub_event(struct hub *hub, const char *kind, const char *severity, const char *ups,
	       const char *facts_json, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
enum { HUB_EVENTS_MAX = 1000 };
/** Events of before this run, oldest first, before the first of this run. Strings are copied. */
void hub_event_restore(struct hub *hub, uint64_t id, int64_t wall_us, const char *kind,
		       const char *severity, const char *ups, const char *text, const char *facts);
/** The next event has the id after this one. Ids may have holes. */
void hub_events_continue(struct hub *hub, uint64_t last_id);
/** What ids of events belong to: random in each run, unless the history gives the one of before. */
uint32_t hub_run(void);
void hub_set_run(uint32_t run);
/** The oldest kept event with an id > after, or NULL. */
const struct hub_event *hub_event_after(const struct hub *hub, uint64_t after);
