#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/queue.h"

struct message;
struct notify_target;

/*
 * A message for a target as something to run: words, environment, standard input. Secrets are on no
 * command line: curl reads them from descriptor 3. Pure but for the host's name and the environment
 * that is handed on (PATH, HOME, LANG, TZ, proxies).
 */
enum { JOB_ARGS_MAX = 64, JOB_ENV_MAX = 64 };

struct job {
	char *args[JOB_ARGS_MAX + 1]; /* [0] is the program's path; ends with NULL */
	char *env[JOB_ENV_MAX + 1];
	size_t n_args, n_env;
	char *input;  /* standard input; never NULL */
	char *config; /* descriptor 3; NULL: there is none */
};

/** @late_s  how long after the event this attempt is */
void render(struct job *job, const struct notify_target *target, const struct message *message,
	    unsigned attempt, int64_t late_s);
void job_clear(struct job *job);

/* How a run ended. */
struct run_end {
	bool timed_out;
	int error;	  /* errno: it could not be started; else 0 */
	int status;	  /* of waitpid() */
	const char *said; /* the end of what it wrote to standard output and error */
};

/** What that means, with a sentence (without a full stop) for people in why. */
enum queue_result render_judge(const struct notify_target *target, const struct run_end *end,
			       char *why, size_t size);
