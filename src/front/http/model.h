#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

struct hub;
struct hub_event;
struct hub_order;
struct hub_ups;

/*
 * What the hub knows, as JSON (docs/api.md is the contract). Each function returns a new
 * reference. Times go in as arguments, so tests can choose them.
 */

/** One line of GET /api/v1/ups. */
json_t *model_summary(const struct hub_ups *ups, int64_t now_us);

/**
 * GET /api/v1/ups/NAME, or of it only what mask (U2K_CHANGED_*) says; UINT64_MAX is everything.
 * Merged member by member into an earlier full snapshot, a partial one brings it up to date.
 */
json_t *model_snapshot(const struct hub_ups *ups, uint64_t mask, int64_t now_us);

/** Only the ages, in the shape of a partial snapshot. */
json_t *model_ages(const struct hub_ups *ups, int64_t now_us);

json_t *model_variables(const struct hub_ups *ups);
/** Names and values alone, numbers as numbers: what dashboards read. */
json_t *model_device(const struct hub_ups *ups);
json_t *model_commands(const struct hub_ups *ups);
json_t *model_settings(const struct hub_ups *ups);
json_t *model_event(const struct hub_event *event);
json_t *model_order(const struct hub_order *order, int64_t now_us);

/** Id of the newest event, 0 if there is none. */
uint64_t model_newest_event(const struct hub *hub);

/**
 * A place in the sequence of events, "5f0c11aa-12": this run of the daemon and an id. Ids begin
 * anew with the daemon, so an id alone could not tell a client that it missed a restart.
 */
enum { MODEL_CURSOR_MAX = 40 };
void model_cursor(char out[MODEL_CURSOR_MAX], uint64_t id);
/**
 * The id to go on after: 0 for a cursor of another run (all kept events are news then). A bare id
 * is taken as of this run. False if text is neither.
 */
bool model_cursor_parse(const char *text, uint64_t *id);

/** "2026-01-31T12:00:00.123Z" */
void model_time(char out[32], int64_t wall_us);
