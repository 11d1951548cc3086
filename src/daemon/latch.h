#pragma once

struct hub;
struct keep;

/*
 * FSD remembered over a restart of the daemon, for this boot (docs/control.md, 6): a server that
 * forgot it would leave secondaries running that had not polled yet. Kept in "fsd.state" in the
 * state directory, written by keep's thread, and shown to the late hook in the runtime directory
 * (hook/note.h).
 */
struct latch;

/** keep is borrowed and must outlive the latch; runtime_dir is copied. */
struct latch *latch_new(struct hub *hub, struct keep *keep, const char *runtime_dir);
void latch_free(struct latch *latch);

/** Set FSD again where it stood; once, after the UPSes were added and before anybody is answered. */
void latch_restore(struct latch *latch);
