#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

struct config;
struct helper;
struct hub;
struct keep;

/*
 * Hosts go down in order and come back: feeds the policy (policy/policy.h) with what the hub knows
 * and carries out what it says. Without a shutdown section it touches no host and no UPS, and only
 * clears an FSD that has had its time.
 */
struct shutdown;

/**
 * Begin, or go on from what was kept. The UPSes of the configuration are in the hub, FSD is restored,
 * and nobody was answered yet.
 *
 * @config       borrowed until shutdown_apply() or shutdown_free()
 * @keep         borrowed
 * @runtime_dir  copied
 * @helper       borrowed; NULL: there is none
 */
struct shutdown *shutdown_new(struct hub *hub, struct keep *keep, const char *runtime_dir,
			      struct helper *helper, const struct config *config);
/** Another configuration; what is under way goes on. */
void shutdown_apply(struct shutdown *shutdown, const struct config *config);
void shutdown_free(struct shutdown *shutdown);

/** For front ends: how it stands. */
const struct policy *shutdown_policy(const struct shutdown *shutdown);
const struct policy_config *shutdown_config(const struct shutdown *shutdown);

/* Words of operators. 0, or U2K_EREFUSED or U2K_EINVAL with a sentence in text (POLICY_TEXT_MAX). */
int shutdown_begin(struct shutdown *shutdown, const struct policy_who *who, char *text);
int shutdown_cancel(struct shutdown *shutdown, const struct policy_who *who, char *text);
/** ups NULL: all of them. */
int shutdown_fsd_clear(struct shutdown *shutdown, const char *ups, const struct policy_who *who,
		       char *text);

/** Told of a step of a rehearsal: when, seconds from the failure on, at the latest. */
typedef void (*drill_cb)(void *user, double at_s, const char *text);
/** What would happen if the mains failed and the battery were low; false: no shutdown section. */
bool shutdown_drill(const struct shutdown *shutdown, drill_cb cb, void *user);

/** Really run a task, with UPS2000_DRILL=1 in its environment. As shutdown_begin(). */
int shutdown_try_task(struct shutdown *shutdown, const char *task, char *text);
/** The task tried last: does it run, and what came of it. False: none was. */
bool shutdown_tried(const struct shutdown *shutdown, const char **task, bool *running, bool *good,
		    const char **text);
