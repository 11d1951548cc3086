#pragma once

#include <stdbool.h>

struct hub;

/*
 * Who is notified, as front ends ask for it. The notifier (src/notify) registers itself with the
 * hub; without one there is nothing to ask.
 */
struct hub_notices {
	/* JSON text of docs/api.md: of one target with what waits for it, or of all with NULL; free()
	 * it. NULL: there is no such target. */
	char *(*show)(void *notifier, const char *target);
	/* Send a test, apart from the queue. False: there is no such target. */
	bool (*test)(void *notifier, const char *target);
};

/** ops NULL: no notifier any more. */
void hub_set_notices(struct hub *hub, const struct hub_notices *ops, void *notifier);
char *hub_show_notices(const struct hub *hub, const char *target);
bool hub_test_notice(struct hub *hub, const char *target);
