#pragma once

#include <sys/queue.h>

#include "history/store.h"

/* What waits to be written. */
enum job_kind { JOB_CHUNK, JOB_TOTALS, JOB_OUTAGE, JOB_TEST, JOB_EVENT };

struct job {
	TAILQ_ENTRY(job) queue;
	enum job_kind kind;
	char *ups; /* NULL: an event of the daemon */
	union {
		struct {
			int64_t start_ms;
			uint8_t *data;
			size_t len;
		} chunk;
		struct {
			struct history_totals totals;
			int64_t wall_us;
		} totals;
		struct outage outage;
		struct test test; /* curve is the job's */
		struct {
			uint64_t id;
			int64_t wall_us;
			char *kind, *severity, *text, *facts;
		} event;
	} u;
};

TAILQ_HEAD(job_list, job);

struct jobs {
	struct job_list list;
	size_t chunk_bytes, n_events, n_others;
	uint64_t dropped; /* chunks */
};

void job_free(struct job *job);
void jobs_init(struct jobs *jobs);
void jobs_close(struct jobs *jobs);
/** Takes job. What is newer about the same thing replaces what waits. Keeps within the bounds. */
void jobs_add(struct jobs *jobs, struct job *job);
/** All of from goes before what is in jobs; from is empty then. Keeps within the bounds. */
void jobs_put_back(struct jobs *jobs, struct jobs *from);
void jobs_move(struct jobs *to, struct jobs *from);

/** Write one, but for JOB_TOTALS, which the writer puts. Numbers of events grow by offset. */
enum store_result job_apply(struct store *store, const struct job *job, uint64_t offset);
