#pragma once

#include <stdbool.h>
#include <stddef.h>

struct hub_ups;
struct settings;

/*
 * Switching the UPS off at the end of a shutdown: -k and driver.killpower (docs/control.md, 6).
 * Waits for the UPS, tries the user's sdcommands or shutdown.default, and is content only when the
 * output was seen off.
 */
struct killpower;

/** The time all of it may take, in seconds: service managers kill shutdown hooks at 90 s. */
enum { KILLPOWER_TOTAL_S = 75 };

typedef void (*killpower_cb)(void *user, bool off);

/**
 * Begin.
 *
 * @settings   borrowed until cb was called
 * @seconds    when to give up
 * @cb         called once from the loop; killpower_free() may be called in it
 */
struct killpower *killpower_new(struct hub_ups *ups, const struct settings *settings,
				unsigned seconds, killpower_cb cb, void *user);
void killpower_free(struct killpower *killpower);
