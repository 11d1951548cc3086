#pragma once

#include <stdbool.h>
#include <stddef.h>

struct hub_ups;

/*
 * Switching a UPS off at the end of a shutdown: the late hook, and the driver's -k and
 * driver.killpower. Waits for the UPS, tries the user's commands or shutdown.default, and is content
 * only when the output was seen off.
 */
struct killpower;

/** The time all of it may take, in seconds: service managers kill shutdown hooks at 90 s. */
enum { KILLPOWER_TOTAL_S = 75 };

struct killpower_config {
	char *const *commands; /* to try in turn; none: shutdown.default, or what stay_off says */
	size_t n_commands;
	bool delay_given; /* the user chose ups.delay.shutdown; else 6 s: file systems are gone */
	bool stay_off;	  /* shutdown.stayoff instead of shutdown.default */
	const char *from; /* who asks, for the log: "driver" */
};

typedef void (*killpower_cb)(void *user, bool off);

/**
 * Begin.
 *
 * @config     copied; what it points to is borrowed until cb was called
 * @seconds    when to give up
 * @cb         called once from the loop; killpower_free() may be called in it
 */
struct killpower *killpower_new(struct hub_ups *ups, const struct killpower_config *config,
				unsigned seconds, killpower_cb cb, void *user);
void killpower_free(struct killpower *killpower);
