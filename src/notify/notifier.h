#pragma once

#include <stddef.h>

struct hub;
struct notifier;
struct notify_target;

/**
 * Tells the targets of the configuration what happens (docs/notifications.md): a front end of the
 * hub. What waits is kept in state_dir/notify and sent after the next start.
 *
 * Reads that directory; blocks, for the start only.
 */
struct notifier *notifier_new(struct hub *hub, const char *state_dir);

/**
 * The targets from now on; copied. A target that keeps its name keeps its queue; what waits for one
 * that is gone is dropped. To be called after notifier_new(), and at each reload.
 */
void notifier_apply(struct notifier *notifier, const struct notify_target *targets, size_t n);

/**
 * Tells what is held back, gives what is being sent two seconds, and keeps the rest for the next
 * start. NULL is allowed.
 */
void notifier_free(struct notifier *notifier);
