#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/keep.h"
#include "port/port.h"

struct config_ups;
struct hub_ups;

/*
 * Orders of one UPS between the hub and its command engine, the delays they use, and what of it is
 * kept over a restart.
 */
struct control;

struct control *control_new(struct hub_ups *ups, struct keep *keep);
void control_free(struct control *control);

/**
 * Fill in what a unit is to start with: delays and journal. A delay a user set wins over the
 * configured one until that changes. kept is borrowed by unit until port_add() returned.
 */
void control_prepare(struct control *control, const struct config_ups *config,
		     struct port_unit_config *unit);
/** Other delays were configured for a unit that goes on. */
void control_configure(struct control *control, const struct config_ups *config);
/** The unit is there (NULL: it is gone; orders that were not finished have failed). */
void control_attach(struct control *control, struct port_unit *unit);
/** The store's types and lists of what can be set, after it was brought up to date. */
void control_changed(struct control *control, uint64_t mask);

/* What a unit tells: see struct port_unit_ops. */
void control_progress(struct control *control, uint64_t token, const char *text);
void control_done(struct control *control, uint64_t token, enum u2k_outcome outcome, int error,
		  const char *text);
void control_journal(struct control *control, const struct engine_journal *journal);
void control_delays(struct control *control, const struct engine_delays *delays);
