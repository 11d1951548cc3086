#pragma once

struct event_base;
struct job;
struct run;
struct run_end;
struct runner;

/*
 * Programs beside the loop: started without a shell as the user the daemon runs as, each in a
 * process group of its own, which is ended when its time is up. What they write is kept for the
 * message about them, up to RUNNER_SAID_MAX bytes.
 */
enum { RUNNER_SAID_MAX = 2048 };

struct runner *runner_new(struct event_base *base);
/** Runs that have not ended are ended; nobody is called back. */
void runner_free(struct runner *runner);

/** Called once, from the loop; end is borrowed. The run is gone afterwards. */
typedef void (*run_cb)(void *user, const struct run_end *end);

/** Start it; job is only needed during the call. A failure to start is told to cb, too. */
struct run *runner_start(struct runner *runner, const struct job *job, unsigned timeout_s,
			 run_cb cb, void *user);
/** End its process group now and forget it; cb is not called. */
void runner_drop(struct run *run);
/** Without the loop: call back for those that have ended. */
void runner_look(struct runner *runner);
