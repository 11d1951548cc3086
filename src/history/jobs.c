#include "history/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "util/util.h"

/* An hour and more of one UPS's readings; a storm of events; outages and tests of months. */
enum { CHUNK_BYTES_MAX = 1024 * 1024, EVENTS_MAX = 2000, OTHERS_MAX = 1000 };

void jobs_init(struct jobs *jobs)
{
	*jobs = (struct jobs){ 0 };
	TAILQ_INIT(&jobs->list);
}

static size_t weight(const struct job *job)
{
	return sizeof(*job) + job->u.chunk.len;
}

static void count(struct jobs *jobs, const struct job *job, int sign)
{
	switch (job->kind) {
	case JOB_CHUNK:
		jobs->chunk_bytes += sign > 0 ? weight(job) : (size_t)0 - weight(job);
		break;
	case JOB_EVENT:
		jobs->n_events += (size_t)sign;
		break;
	case JOB_TOTALS:
	case JOB_OUTAGE:
	case JOB_TEST:
		jobs->n_others += (size_t)sign;
		break;
	}
}

void job_free(struct job *job)
{
	free(job->ups);
	if (job->kind == JOB_CHUNK)
		free(job->u.chunk.data);
	if (job->kind == JOB_TEST)
		free(job->u.test.curve);
	if (job->kind == JOB_EVENT) {
		free(job->u.event.kind);
		free(job->u.event.severity);
		free(job->u.event.text);
		free(job->u.event.facts);
	}
	free(job);
}

static void drop(struct jobs *jobs, struct job *job)
{
	TAILQ_REMOVE(&jobs->list, job, queue);
	count(jobs, job, -1);
	job_free(job);
}

void jobs_close(struct jobs *jobs)
{
	while (!TAILQ_EMPTY(&jobs->list))
		drop(jobs, TAILQ_FIRST(&jobs->list));
}

static bool over(const struct jobs *jobs, const struct job *job)
{
	switch (job->kind) {
	case JOB_CHUNK:
		return jobs->chunk_bytes > CHUNK_BYTES_MAX;
	case JOB_EVENT:
		return jobs->n_events > EVENTS_MAX;
	case JOB_TOTALS:
	case JOB_OUTAGE:
	case JOB_TEST:
		break;
	}
	return jobs->n_others > OTHERS_MAX;
}

static void keep_within_bounds(struct jobs *jobs)
{
	struct job *job = TAILQ_FIRST(&jobs->list), *next;

	if (jobs->chunk_bytes <= CHUNK_BYTES_MAX && jobs->n_events <= EVENTS_MAX &&
	    jobs->n_others <= OTHERS_MAX)
		return;
	for (; job; job = next) {
		next = TAILQ_NEXT(job, queue);
		if (!over(jobs, job))
			continue;
		jobs->dropped += job->kind == JOB_CHUNK;
		drop(jobs, job);
	}
}

/* Both tell the same thing: the newer one is enough. */
static bool same(const struct job *a, const struct job *b)
{
	if (a->kind != b->kind || !a->ups || !b->ups || strcmp(a->ups, b->ups) != 0)
		return false;
	switch (a->kind) {
	case JOB_TOTALS:
		return true;
	case JOB_OUTAGE:
		return a->u.outage.start_us == b->u.outage.start_us;
	case JOB_TEST:
		return a->u.test.start_us == b->u.test.start_us;
	case JOB_CHUNK:
	case JOB_EVENT:
		break;
	}
	return false;
}

void jobs_add(struct jobs *jobs, struct job *job)
{
	struct job *old;

	if (job->kind != JOB_CHUNK && job->kind != JOB_EVENT) {
		TAILQ_FOREACH_REVERSE(old, &jobs->list, job_list, queue)
		{
			if (!same(old, job))
				continue;
			drop(jobs, old);
			break;
		}
	}
	TAILQ_INSERT_TAIL(&jobs->list, job, queue);
	count(jobs, job, 1);
	keep_within_bounds(jobs);
}

void jobs_move(struct jobs *to, struct jobs *from)
{
	*to = (struct jobs){ .chunk_bytes = from->chunk_bytes,
			     .n_events = from->n_events,
			     .n_others = from->n_others };
	TAILQ_INIT(&to->list);
	TAILQ_CONCAT(&to->list, &from->list, queue);
	from->chunk_bytes = from->n_events = from->n_others = 0;
}

void jobs_put_back(struct jobs *jobs, struct jobs *from)
{
	struct job *job, *newer;

	while ((job = TAILQ_LAST(&from->list, job_list))) {
		TAILQ_FOREACH (newer, &jobs->list, queue)
			if (same(newer, job))
				break;
		if (newer) {
			drop(from, job);
			continue;
		}
		TAILQ_REMOVE(&from->list, job, queue);
		count(from, job, -1);
		TAILQ_INSERT_HEAD(&jobs->list, job, queue);
		count(jobs, job, 1);
	}
	keep_within_bounds(jobs);
}

static enum store_result put_event(struct store *store, const struct job *job, uint64_t offset)
{
	struct store_event event = {
		.id = job->u.event.id + offset,
		.wall_us = job->u.event.wall_us,
		.ups = job->ups,
		.kind = job->u.event.kind,
		.severity = job->u.event.severity,
		.text = job->u.event.text,
		.facts = job->u.event.facts,
	};

	return store_put_event(store, &event);
}

enum store_result job_apply(struct store *store, const struct job *job, uint64_t offset)
{
	int64_t ups = 0;

	if (job->kind != JOB_EVENT) {
		ups = store_ups(store, job->ups);
		if (!ups)
			return STORE_TROUBLE;
	}
	switch (job->kind) {
	case JOB_CHUNK:
		return store_put_chunk(store, ups, job->u.chunk.start_ms, job->u.chunk.data,
				       job->u.chunk.len);
	case JOB_OUTAGE:
		return store_put_outage(store, ups, &job->u.outage);
	case JOB_TEST:
		return store_put_test(store, ups, &job->u.test);
	case JOB_TOTALS:
		return STORE_OK;
	case JOB_EVENT:
		break;
	}
	return put_event(store, job, offset);
}
