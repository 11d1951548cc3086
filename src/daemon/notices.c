#include "daemon/notices.h"

#include "daemon/hub_private.h"
#include "util/util.h"

void hub_set_notices(struct hub *hub, const struct hub_notices *ops, void *notifier)
{
	hub->notices.ops = ops;
	hub->notices.notifier = notifier;
}

char *hub_show_notices(const struct hub *hub, const char *target)
{
	if (hub->notices.ops)
		return hub->notices.ops->show(hub->notices.notifier, target);
	return target ? NULL : xstrdup("{\"targets\":[]}");
}

bool hub_test_notice(struct hub *hub, const char *target)
{
	return hub->notices.ops && hub->notices.ops->test(hub->notices.notifier, target);
}
