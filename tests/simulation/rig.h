#pragma once

/*
 * Session, line and simulated device in one process on a virtual clock. Bytes take their time on
 * the wire, nothing else does. Also plays the daemon: keeps journal and delays, ends the session and
 * makes a new one from what was kept.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/server.h"
#include "ups/engine.h"
#include "ups/line.h"
#include "ups/session.h"

enum { RIG_ORDERS_MAX = 512, RIG_WRITES_MAX = 4096 };

enum rig_journal { RIG_JOURNAL_KEPT, RIG_JOURNAL_FAILS, RIG_JOURNAL_SILENT };

struct rig_order {
	uint64_t token;
	char name[48], value[24];
	bool setting;
	int64_t given_us, done_us;
	enum u2k_outcome outcome; /* U2K_PENDING until done */
	int error;
	char text[ENGINE_TEXT_MAX];
	char progress[ENGINE_TEXT_MAX]; /* the last */
	unsigned dones, writes;		/* times done() was called; writes put on the wire for it */
	bool abandoned;			/* its daemon was killed */
};

/* A write that was put on the wire, and whose it was (0: the engine's own). */
struct rig_write {
	int64_t at_us;
	uint64_t token;
	uint16_t base, values[2];
	unsigned n;
	enum u2k_gate gate; /* as it really was */
};

struct rig {
	int64_t now_us, event_us; /* event: of the last byte or answer */
	struct line *line;
	struct session *session; /* NULL: the daemon is not running */
	struct session_config config;
	struct line_params params;
	struct sim_server srv;
	bool up;

	enum rig_journal journal_mode;
	int64_t journal_us; /* how long saving takes */
	struct engine_journal saving, saved;
	bool is_saving, has_saved;
	int64_t saving_until_us;
	struct engine_delays delays;
	unsigned n_delays;

	struct rig_order orders[RIG_ORDERS_MAX];
	uint64_t n_orders; /* ever; token n is in slot n % RIG_ORDERS_MAX */
	struct rig_write writes[RIG_WRITES_MAX];
	uint64_t n_writes; /* ever */
	uint64_t steps;
	bool stop;  /* rig_run_until() returns at once */
	bool stuck; /* something was due for ever without progress */

	/* Called for each of these, where set. */
	void (*before)(struct rig *rig, int64_t next_us, void *user); /* time is about to pass */
	void (*after)(struct rig *rig, void *user);		      /* an event was worked off */
	void (*wrote)(struct rig *rig, const struct rig_write *write, void *user);
	void (*done)(struct rig *rig, struct rig_order *order, void *user);
	void (*changed)(struct rig *rig, const struct u2k_snapshot *snap, uint64_t mask,
			void *user);
	/* text: one line for people, without the time */
	void (*trace)(struct rig *rig, const char *text, void *user);
	void *user;
	uint8_t rx[200]; /* received and not traced yet */
	size_t n_rx;
};

/** Everything at its default: the simulator's device, control on, delays 60/60/60 s, link up. */
void rig_init(struct rig *rig, uint64_t seed);
/** The same on a device with these options, before anything else. */
void rig_init_device(struct rig *rig, uint64_t seed, const struct sim_options *device);
void rig_close(struct rig *rig);

/** Let time pass until then, event by event. */
void rig_run_until(struct rig *rig, int64_t until_us);
void rig_run(struct rig *rig, double seconds);
/** Until commands are open, at most 60 s. Returns whether they are. */
bool rig_settle(struct rig *rig);

/** Give an order. Its record stays valid until RIG_ORDERS_MAX more were given. */
struct rig_order *rig_order(struct rig *rig, bool setting, const char *name, const char *value);
/** Give it and run until it ended, at most max_s. */
struct rig_order *rig_command(struct rig *rig, const char *name, const char *value, double max_s);
struct rig_order *rig_set(struct rig *rig, const char *name, const char *value);
bool rig_run_order(struct rig *rig, struct rig_order *order, double max_s);

void rig_link(struct rig *rig, bool up);
/** The daemon dies at once / starts from what was kept. */
void rig_kill(struct rig *rig);
void rig_start(struct rig *rig, bool same_boot);

/** What the device has in register base. */
unsigned rig_peek(const struct rig *rig, uint16_t base);
/** The i-th write ever, counted from 0; NULL if it is no longer kept or not yet made. */
const struct rig_write *rig_write_at(const struct rig *rig, uint64_t i);
const struct u2k_snapshot *rig_snap(const struct rig *rig);
void rig_say(struct rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));
