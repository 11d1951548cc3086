#include "daemon/priority.h"

#include <event2/event.h>

struct event_base *priority_base_new(void)
{
	static const struct timeval turn = { .tv_usec = 2000 };
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (!config)
		return NULL;
	/* strangers' callbacks: after each 2 ms of them the others are looked at */
	event_config_set_max_dispatch_interval(config, &turn, -1, PRIORITY_STRANGERS);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base)
		event_base_priority_init(base, PRIORITY_COUNT);
	return base;
}
