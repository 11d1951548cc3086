#pragma once

#include "daemon/shutdown.h"

#include <stdint.h>

#include <event2/event.h>

#include "daemon/config.h"
#include "daemon/hub.h"

/* What the files of the daemon's shutdown share. */
struct process;

enum { SHUTDOWN_TICK_MS = 250, SHUTDOWN_HOST_S = 20, SHUTDOWN_STATE_MAX = 256 };

/* A UPS of the policy. */
struct feed {
	char verify[37], switch_off[37]; /* ids of orders whose outcome is awaited; "" = none */
	bool fsd;			 /* the policy knows that it is latched */
	bool shows_timer;		 /* ups.timer.shutdown is ours */
};

/* A command of a stage. */
struct task {
	struct shutdown *shutdown;
	unsigned stage, command;
	struct process *process; /* NULL: does not run */
};

struct shutdown {
	struct hub *hub;
	struct keep *keep;
	char *runtime_dir;
	struct helper *helper;
	const struct config *config;
	struct policy *policy;
	struct feed feeds[POLICY_UPS_MAX];
	struct task *tasks; /* as config->shutdown.tasks */
	size_t n_tasks;
	struct event *act;   /* something is to be done, soon */
	struct event *timer; /* the policy's deadline */
	struct event *tick;  /* while something is being watched that tells nothing by itself */
	bool ticking;
	bool setting_fsd; /* it is us */
	struct {
		enum policy_state state;
		int64_t next_us, host_down_us;
	} told; /* what those who show it know */
	struct {
		bool waits;
		int64_t until_us;
		char sequence[POLICY_ID_MAX];
	} host;
	struct wakes *wakes;
	struct trial *trial; /* a task that runs for a drill; NULL: none */
	struct {
		char task[104], text[128];
		bool good;
	} tried;
	char record[POLICY_RECORD_MAX];
};

/** Things may be to be done: do them from the loop, not from here. */
void shutdown__poke(struct shutdown *shutdown);
struct hub_ups *shutdown__ups(const struct shutdown *shutdown, size_t i);

/* shutdown_do.c: carrying out */
void shutdown__do(struct shutdown *shutdown, const struct policy_action *action);
/** Look at what tells nothing by itself. Returns false if there is nothing to look at. */
bool shutdown__look(struct shutdown *shutdown);
void shutdown__make_tasks(struct shutdown *shutdown);
/** Commands that run go on; their ends are of no interest. */
void shutdown__free_tasks(struct task *tasks, size_t n);
/** After a reload: those that run are the tasks of the same name. */
void shutdown__move_tasks(struct shutdown *shutdown, const struct config *old, struct task *tasks,
			  size_t n);

/* shutdown_host.c: this host */
void shutdown__host_down(struct shutdown *shutdown, const struct policy_action *action);
void shutdown__host_release(struct shutdown *shutdown);
bool shutdown__host_look(struct shutdown *shutdown);

/* shutdown_wake.c: other hosts */
struct wakes *shutdown__wakes_new(struct shutdown *shutdown);
void shutdown__wakes_free(struct wakes *wakes);
void shutdown__wake(struct shutdown *shutdown, const struct policy_action *action);

/* drill.c */
void shutdown__drop_trial(struct shutdown *shutdown);
