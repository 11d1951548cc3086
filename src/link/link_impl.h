#pragma once

#include "link/link.h"

/* What serial and TCP links share, and what each must bring. */

#define LINK_REASON_MAX 512
#define LINK_ADAPTER_MAX 128

struct link_impl {
	int (*write)(struct link *link, const uint8_t *data, size_t len);
	void (*flush)(struct link *link);
	void (*reopen)(struct link *link);
	void (*free)(struct link *link);
};

/* Embedded as the first member of the concrete link. */
struct link {
	const struct link_impl *impl;
	struct link_ops ops;
	void *user;
	enum link_state state;
	char reason[LINK_REASON_MAX];
	char adapter[LINK_ADAPTER_MAX];
	bool *freed; /* during a callback: where link_free() leaves word */
};

/* What came of an attempt to open: the state and the sentence for people. */
struct link_verdict {
	enum link_state state;
	char reason[LINK_REASON_MAX];
};

void link_init(struct link *link, const struct link_impl *impl, const struct link_ops *ops,
	       void *user);
/**
 * The only place that assigns the state; tells the owner if state or reason differ from before.
 * Only from the loop. Returns false if the owner freed the link meanwhile.
 */
bool link_enter(struct link *link, enum link_state state, const char *reason);
/** Hand bytes to the owner. Returns false if the owner freed the link meanwhile. */
bool link_deliver(struct link *link, const uint8_t *data, size_t len);
