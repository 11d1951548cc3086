#pragma once

/*
 * A policy on a bench: a clock that is set by hand, UPSes that say what they are told to say, and a
 * list of what it wanted done. What is done at once is done here: records are kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

#define S ((int64_t)1000000)

enum { BENCH_UPSES = 3, BENCH_DONE_MAX = 400 };

struct bench {
	int64_t now_us;
	struct policy_config config;
	struct policy_ups_config ups_config[BENCH_UPSES];
	struct policy_command commands[4];
	struct policy_stage stages[3];
	struct policy_wake wake[2];
	struct u2k_snapshot snap[BENCH_UPSES];
	struct policy *policy;
	struct policy_action done[BENCH_DONE_MAX];
	size_t n_done;
	char record[POLICY_RECORD_MAX];
	bool disk_full, disk_hangs, obedient;
	const char *boot;
};

static inline void bench_set(struct bench *b, unsigned ups, enum u2k_qty qty, double value)
{
	b->snap[ups].qty[qty] = (struct u2k_value){ value, b->now_us, U2K_VALID };
}

static inline void bench_init(struct bench *b)
{
	static const char *const names[BENCH_UPSES] = { "rack", "desk", "shed" };

	memset(b, 0, sizeof(*b));
	b->now_us = 5000 * S;
	b->boot = "boot-1";
	b->obedient = true;
	policy_config_default(&b->config);
	for (unsigned i = 0; i < BENCH_UPSES; i++) {
		b->ups_config[i].name = names[i];
		b->ups_config[i].supplies = 1;
		policy_conditions_default(&b->ups_config[i].when);
		b->snap[i].flags = U2K_OL;
		bench_set(b, i, U2K_QTY_BATTERY_CHARGE, 100);
		bench_set(b, i, U2K_QTY_BATTERY_RUNTIME, 1800);
		bench_set(b, i, U2K_QTY_TEMPERATURE, 25);
	}
	b->config.ups = b->ups_config;
	b->config.n_ups = 1;
	b->config.stages = b->stages;
	b->config.wake = b->wake;
}

static inline void bench_do(struct bench *b);

static inline void bench_save(struct bench *b)
{
	static char text[POLICY_RECORD_MAX];

	if (b->disk_hangs)
		return;
	if (!policy_record(b->policy, text, sizeof(text)))
		abort();
	if (!b->disk_full)
		memcpy(b->record, text, sizeof(text));
	policy_saved(b->policy, !b->disk_full, b->now_us);
}

/* What a world in which everything works answers at once. */
static inline void bench_obey(struct bench *b, const struct policy_action *a)
{
	if (a->what == POLICY_VERIFY_START)
		policy_ups_done(b->policy, (unsigned)a->ups, a->what, U2K_VERIFIED, NULL,
				b->now_us);
	else if (a->what == POLICY_HOST_DOWN)
		policy_host_done(b->policy, true, NULL, b->now_us);
	else if (a->what == POLICY_RUN)
		policy_command_done(b->policy, a->stage, a->command, true, NULL, b->now_us);
}

static inline void bench_do(struct bench *b)
{
	struct policy_action action;

	while (policy_next(b->policy, &action)) {
		if (action.what == POLICY_SAVE) {
			bench_save(b);
			continue;
		}
		if (b->n_done == BENCH_DONE_MAX)
			abort();
		b->done[b->n_done++] = action;
		if (b->obedient)
			bench_obey(b, &action);
	}
}

static inline void bench_start(struct bench *b, bool reload)
{
	struct policy_start start = {
		.boot = b->boot,
		.records = { *b->record ? b->record : NULL, NULL },
		.reload = reload,
		.random = 7,
	};
	char text[POLICY_TEXT_MAX];

	if (policy_config_check(&b->config, text)) {
		fprintf(stderr, "%s\n", text);
		abort();
	}
	b->policy = policy_new(&b->config, &start, b->now_us);
	bench_do(b);
}

/* The UPSes say how they are: fresh, all of them. */
static inline void bench_tell(struct bench *b)
{
	for (unsigned i = 0; i < b->config.n_ups; i++) {
		policy_ups(b->policy, i, &b->snap[i], b->snap[i].comm == U2K_COMM_CLOSED,
			   b->now_us);
		bench_do(b);
	}
}

/* Time passes; the UPSes are heard once a second. */
static inline void bench_run(struct bench *b, double seconds)
{
	int64_t until = b->now_us + (int64_t)(seconds * 1e6);

	while (b->now_us < until) {
		int64_t next = b->now_us + S, due = policy_deadline(b->policy);

		next = due < next ? due : next;
		b->now_us = next < until ? next : until;
		policy_run(b->policy, b->now_us);
		bench_do(b);
		bench_tell(b);
	}
}

static inline void bench_flags(struct bench *b, unsigned ups, unsigned flags)
{
	b->snap[ups].flags = flags;
	bench_tell(b);
}

static inline void bench_end(struct bench *b)
{
	policy_free(b->policy);
	b->policy = NULL;
}

static inline unsigned bench_count(const struct bench *b, enum policy_do what)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->n_done; i++)
		n += b->done[i].what == what;
	return n;
}

static inline unsigned bench_events(const struct bench *b, const char *event)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->n_done; i++)
		n += b->done[i].what == POLICY_EVENT && !strcmp(b->done[i].event, event);
	return n;
}

static inline enum policy_state bench_state(const struct bench *b)
{
	struct policy_view view;

	policy_look(b->policy, &view, b->now_us);
	return view.state;
}
