#pragma once

#include <stdbool.h>

struct hub;
struct history;

/*
 * The record keeper: readings, energy, outages, battery tests and events of all UPSes of a hub,
 * kept in an SQLite database that a thread writes and another reads. It counts in memory
 * (totals.h) and answers questions (daemon/records.h). Whatever happens to the disk, the loop never
 * waits for it but at the start, and there for at most 3 s.
 */
struct history_config {
	const char *path;      /* of the database; borrowed */
	unsigned raw_hours;    /* readings as they came, 1..168 */
	unsigned minute_days;  /* minutes, 1..3660 */
	unsigned quarter_days; /* quarters of an hour, 1..36600 */
	unsigned max_mb;       /* per UPS, 5..100000 */
	unsigned n_ups;
};

/** Begins to record. Ids of events go on from the last that was kept; the newest are back. */
struct history *history_new(struct hub *hub, const struct history_config *config);
/** Writes what is waiting. NULL is allowed. */
void history_free(struct history *history);
/** A reload: all but path takes effect. */
void history_configure(struct history *history, const struct history_config *config);
