#pragma once

#include "policy/policy.h"

/*
 * An outage played against a configuration on a virtual clock: what would happen, and when. The policy
 * is the real one; UPSes, secondaries, commands and this host are assumed to behave as the options say.
 * Pure, and quick: hours take milliseconds.
 */
struct play_options {
	double outage_s;       /* the mains are away so long; INFINITY = they stay away */
	double charge_percent; /* when they fail */
	double runtime_s;      /* on battery from then until empty, at that load */
	double load_percent;  /* of that load: more empties the battery faster, in proportion^1.2 */
	double low_percent;   /* at this charge the UPS says "battery low" */
	unsigned secondaries; /* NUT clients logged in, on each UPS */
	double leave_s;	      /* a secondary logs out so long after FSD; INFINITY = never */
	double command_part;  /* a command takes this part of its time-out: 0 at once ... 1 */
	double boot_s;	      /* this host, from power to a running daemon */
	int ups;	      /* the UPS whose mains fail; -1 = all */
};

/** One hour's outage, full battery that lasts 20 minutes, no secondaries, commands at their longest. */
void play_options_default(struct play_options *options);

struct play_line {
	double at_s;	      /* since the mains failed */
	const char *event;    /* "mains-off" ... of the world, or the policy's own */
	const char *severity; /* "info", "warning", "alert" */
	int ups;	      /* -1 = none */
	const char *text;     /* one sentence */
};

/** Borrowed for the call. */
typedef void (*play_cb)(void *user, const struct play_line *line);

enum play_end {
	PLAY_NOTHING,	 /* the outage passes, no shutdown */
	PLAY_CALLED_OFF, /* warned of, then the mains were back */
	PLAY_DOWN,	 /* shut down in order */
	PLAY_CUT,	 /* the battery was empty first */
};

/* NAN where it did not happen. */
struct play_result {
	enum play_end end;
	double fsd_s, host_s, halted_s, off_s, on_s, back_s;
	double left_percent; /* charge when the host had halted */
	bool fsd_cleared;
};

/**
 * Play it.
 *
 * @config  as policy_config_check() wants it
 *
 * Returns 0, U2K_EINVAL (an option out of range; nothing was played) or U2K_ENOMEM.
 */
int policy_play(const struct policy_config *config, const struct play_options *options,
		play_cb line, void *user, struct play_result *result);
