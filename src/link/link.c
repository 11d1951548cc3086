#include "link/link.h"

#include <stdio.h>
#include <string.h>

#include "link/link_impl.h"

void link_init(struct link *link, const struct link_impl *impl, const struct link_ops *ops,
	       void *user)
{
	link->impl = impl;
	link->ops = *ops;
	link->user = user;
	link->state = LINK_OPENING;
	snprintf(link->reason, sizeof(link->reason), "The port has not been tried yet.");
}

bool link_enter(struct link *link, enum link_state state, const char *reason)
{
	bool freed = false;

	if (link->state == state && !strcmp(link->reason, reason))
		return true;
	link->state = state;
	snprintf(link->reason, sizeof(link->reason), "%s", reason);

	link->freed = &freed;
	link->ops.state(link->user, link->state, link->reason);
	if (freed)
		return false;
	link->freed = NULL;
	return true;
}

bool link_deliver(struct link *link, const uint8_t *data, size_t len)
{
	bool freed = false;

	link->freed = &freed;
	link->ops.rx(link->user, data, len);
	if (freed)
		return false;
	link->freed = NULL;
	return true;
}

int link_write(struct link *link, const uint8_t *data, size_t len)
{
	return link->impl->write(link, data, len);
}

void link_flush(struct link *link)
{
	link->impl->flush(link);
}

void link_reopen(struct link *link)
{
	link->impl->reopen(link);
}

void link_free(struct link *link)
{
	if (!link)
		return;
	if (link->freed)
		*link->freed = true;
	link->impl->free(link);
}

enum link_state link_state(const struct link *link)
{
	return link->state;
}

const char *link_reason(const struct link *link)
{
	return link->reason;
}

const char *link_adapter(const struct link *link)
{
	return link->adapter;
}
