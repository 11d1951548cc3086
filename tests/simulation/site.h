#pragma once

/*
 * A site in virtual time: one or two UPSes (session, line and simulated device each), the host this
 * daemon runs on, secondaries that follow FSD, disks that fill up, cables that fall out, a late hook,
 * and the policy in the middle of it all. site.c is what happens, site_watch.c what must never.
 */
#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"
#include "rig.h"

enum {
	SITE_UPSES = 2,
	SITE_HOSTS = 4, /* the first is the daemon's own */
	SITE_STAGES = 2,
	SITE_COMMANDS = 2,
	SITE_RUNS = 64,
};

enum host_state {
	HOST_RUNS,
	HOST_HALTING, /* shutting down; loses nothing any more that power could take */
	HOST_HOOK,    /* its file systems are read-only, the late hook runs */
	HOST_HALTED,  /* down, its power still on */
	HOST_DARK,    /* without power */
	HOST_BOOTS,
};

struct host {
	const char *name;
	enum host_state state;
	int64_t until_us; /* of HALTING, HOOK, BOOTS */
	int64_t halt_us;  /* how long it takes to shut down */
	int64_t leave_us; /* a secondary that saw FSD: when it logs out; 0 = it has not */
	int64_t poll_us;  /* its next look at the daemon */
	bool logged_in;
	int64_t login_us;
	bool stubborn;	      /* does not leave */
	bool deaf;	      /* is not woken by packets */
	bool ups[SITE_UPSES]; /* it hangs on these */
	unsigned cut;	      /* times it lost its power while it ran */
};

enum outcome { WORKS, FAILS, HANGS };

struct ran {
	char sequence[POLICY_ID_MAX];
	unsigned stage, command;
};

/* What really was, for the watcher; the policy's own words are not asked. */
struct truth {
	/* as far as the daemon could hear it */
	int64_t outage_us;		    /* on battery since, flicker counted in; 0 = no */
	int64_t mains_us;		    /* back since, without a break */
	int64_t heard_us;		    /* last heard */
	int64_t battery_us;		    /* last heard on battery */
	double least_charge, least_runtime; /* in this outage */
	bool low;			    /* "battery low" in this outage */
	/* whoever hears it */
	bool on;	   /* the output */
	int64_t off_us;	   /* last without */
	int64_t good_us;   /* on mains since; 0 = it is not */
	int64_t bad_us;	   /* last without mains */
	int64_t fsd_us;	   /* latched */
	bool fsd_off;	   /* the output was off since */
	bool doomed;	   /* by the last sequence */
	bool was_on;	   /* then */
	unsigned switched; /* times a command switched it off in this sequence */
};

struct site {
	uint64_t seed, rng;
	struct policy_config config;
	struct policy_ups_config ups_config[SITE_UPSES];
	struct policy_stage stages[SITE_STAGES];
	struct policy_command commands[SITE_STAGES][SITE_COMMANDS];
	struct policy_wake wake[SITE_HOSTS];
	unsigned n_ups, n_hosts;

	int64_t now_us, t0_us;
	struct rig rig[SITE_UPSES];
	struct truth truth[SITE_UPSES];
	struct host host[SITE_HOSTS];

	struct policy *policy;			      /* NULL: the daemon does not run */
	int64_t daemon_us;			      /* since when, or when it comes back */
	int64_t stop_us;			      /* the system ends it then; 0 = no */
	unsigned boots, daemon_boot;		      /* daemon_boot: in which it last started */
	bool fsd[SITE_UPSES];			      /* what clients are shown */
	uint64_t verify[SITE_UPSES], off[SITE_UPSES]; /* open orders */
	uint64_t hook; /* the hook's order, of one UPS after the other */
	bool hook_ordered[SITE_UPSES];

	/* where records are kept */
	char state_record[POLICY_RECORD_MAX], runtime_record[POLICY_RECORD_MAX];
	bool state_full, runtime_full, disk_hangs, saving;
	int64_t saved_us;

	/* how things answer */
	enum outcome host_outcome, command_outcome[SITE_STAGES][SITE_COMMANDS];
	int64_t command_us[SITE_STAGES][SITE_COMMANDS]; /* done then; 0 = it does not run */
	bool token[SITE_UPSES];
	bool has_token;
	char request[POLICY_ID_MAX]; /* of this host's shutdown, as the root unit saw it */

	/* what goes wrong, and until when; 0 = it does not */
	int64_t mains_at_us[SITE_UPSES], unplugged_us[SITE_UPSES], faults_us, disk_us;
	bool mains[SITE_UPSES];
	int64_t flicker_us;
	unsigned trouble; /* percent: how likely a state's entry is met by something bad */

	/* what is known of the sequence under way */
	enum policy_state state; /* last seen */
	char sequence[POLICY_ID_MAX];
	int64_t announced_us, busy_us; /* busy: the daemon worked so long on it */
	bool asked;		       /* by an operator, or FSD with rights and on-fsd = run */
	bool by_hand;		       /* a person set FSD */
	bool gave_up;		       /* to wake a host, and it was said */
	bool told_ups, told_hosts;     /* a person knows that it is not as it should be */
	bool stale;		       /* a record was left behind that says less than happened */
	bool owed;		       /* something was lost that excuses a step done twice */
	struct ran ran[SITE_RUNS];
	unsigned n_ran;
	char last_sequence[POLICY_ID_MAX]; /* announced last, and in which boot */
	unsigned last_boot;
	unsigned last_restarts;

	unsigned outages, sequences, kills, restarts, unplugs, disks, woken, cancelled, reboots;
	bool quiet; /* nothing more goes wrong */
	bool failed;
	int64_t failed_us;
	char failure[400];
	void (*trace)(const struct site *site, const char *text);
};

/** Build it; the same seed gives the same life. */
void site_init(struct site *site, uint64_t seed);
/** Some outages with all their trouble, then peace. True if nothing happened that must not. */
bool site_live(struct site *site);
void site_close(struct site *site);

void site_say(struct site *site, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* site_watch.c */
void site_fail(struct site *site, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Time has passed: what really is, is noted, and what must never be is looked for. */
void site_watch(struct site *site);
/** The policy wants this done; before it is done. */
void site_watch_action(struct site *site, const struct policy_action *action);
/** All is over and peace has lasted. */
void site_watch_end(struct site *site);
