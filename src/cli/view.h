#pragma once

#include <stdbool.h>
#include <jansson.h>

struct page;

/**
 * A UPS in full, about 18 lines of at most page->columns (at least 60).
 *
 * @snapshot  as GET /api/v1/ups/NAME gives it, cleaned (ask_clean())
 * @since_s   how long ago that was: all ages grow by it
 * @lost      the daemon does not answer any more
 * @brief     for small screens: an alarm takes one line, settings are left out
 */
void view_ups(struct page *page, const json_t *snapshot, double since_s, bool lost, bool brief);

/** Heading of a table of UPSes, and a line of it from a summary or a snapshot. */
void view_list_head(struct page *page);
void view_list_line(struct page *page, const json_t *ups, double since_s);

/** The member "energy" of a UPS, two lines; nothing if it is null. */
void view_energy(struct page *page, const json_t *energy);

/** "2026-01-31 12:00:00  warning  rack  On battery." */
void view_event(struct page *page, const json_t *event, bool date, bool name);
