#include "daemon/records.h"

#include "daemon/hub_private.h"
#include "util/util.h"

void hub_set_records(struct hub *hub, record_ask_fn ask, void *keeper)
{
	hub->records.ask = ask;
	hub->records.keeper = keeper;
}

void hub_ask_records(struct hub *hub, const struct record_query *query, record_cb cb, void *user)
{
	if (hub->records.ask)
		hub->records.ask(hub->records.keeper, query, cb, user);
	else
		cb(user, 503, xstrdup("this daemon records no history"));
}
