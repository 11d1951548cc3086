#pragma once

#include <stdbool.h>

#include "ups/engine.h"

struct event_base;

/*
 * What ups2000d keeps over a restart, a small JSON file per UPS in the state directory: the command
 * engine's journal and the delays that users set. Written by a thread, so that a slow or full disk
 * never holds up the loop; each file is replaced as a whole.
 */
struct keep;

struct kept {
	struct engine_journal journal;
	bool same_boot;			 /* the journal was written since this machine started */
	struct engine_delays set;	 /* 0 = never set by a user */
	struct engine_delays configured; /* what the configuration said when they were set */
};

struct keep *keep_new(struct event_base *base, const char *state_dir);
/** Finishes what is being written. Callbacks that are still due are not called. */
void keep_free(struct keep *keep);

/**
 * Read what was kept for a UPS; blocks, for the start only.
 *
 * Returns false (and kept is all zero) if there is nothing. A file that cannot be understood is
 * renamed to NAME.json.damaged and logged.
 */
bool keep_load(const struct keep *keep, const char *ups, struct kept *kept);

/** From a file's text; false if it is not such a file. For keep_load() and the fuzzer. */
bool keep_parse(const char *text, size_t len, struct kept *kept);

typedef void (*keep_cb)(void *user, bool ok);

/** The id of this boot, or "" if the system tells none. */
const char *keep_boot_id(const struct keep *keep);

/** Another file of the state directory; its text, or NULL. free() it. Blocks, for the start only. */
char *keep_load_text(const struct keep *keep, const char *file);
/** As keep_save(), for such a file. file must not end in ".json": those are the UPSes'. */
void keep_save_text(struct keep *keep, const char *file, const char *text, keep_cb cb, void *user);

/** Write; kept is copied, ups too. cb is called from the loop when it is on disk, or failed. */
void keep_save(struct keep *keep, const char *ups, const struct kept *kept, keep_cb cb, void *user);
/** user is going away: its callbacks must not be called any more. */
void keep_forget(struct keep *keep, void *user);
