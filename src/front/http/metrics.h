#pragma once

#include <stddef.h>

struct hub;
struct hub_ups;
struct stats;

enum metrics_format { METRICS_TEXT, METRICS_OPEN, METRICS_FORMATS };

extern const char *const metrics_types[METRICS_FORMATS]; /* content types */

/** What the Accept header (NULL: none) asks for. */
enum metrics_format metrics_format(const char *accept);

/**
 * GET /metrics, from memory only. UPSes whose data is not fresh have ups2000_up 0 and no values.
 * Returns malloc()ed text.
 */
char *metrics_render(const struct hub *hub, const struct stats *stats, enum metrics_format format,
		     size_t *len);

/** GET /ups_metrics of one UPS: names and values as nut_exporter has them. */
char *metrics_render_nut(const struct hub_ups *ups, enum metrics_format format, size_t *len);
