#include "history/jobs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "util/util.h"

static struct job *make(enum job_kind kind, const char *ups, int64_t number)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->kind = kind;
	job->ups = xstrdup(ups);
	if (kind == JOB_CHUNK) {
		job->u.chunk.start_ms = number;
		job->u.chunk.len = 200;
		job->u.chunk.data = xcalloc(1, 200);
	} else if (kind == JOB_TOTALS) {
		job->u.totals.wall_us = number;
	} else if (kind == JOB_OUTAGE) {
		job->u.outage.start_us = number;
	} else if (kind == JOB_EVENT) {
		job->u.event.id = (uint64_t)number;
	}
	return job;
}

static size_t length(const struct jobs *jobs)
{
	const struct job *job;
	size_t n = 0;

	TAILQ_FOREACH (job, &jobs->list, queue)
		n++;
	return n;
}

static void test_newer_replaces_older(void **state)
{
	struct jobs jobs;

	(void)state;
	jobs_init(&jobs);
	jobs_add(&jobs, make(JOB_TOTALS, "a", 1));
	jobs_add(&jobs, make(JOB_TOTALS, "b", 1));
	jobs_add(&jobs, make(JOB_TOTALS, "a", 2));
	jobs_add(&jobs, make(JOB_OUTAGE, "a", 1));
	jobs_add(&jobs, make(JOB_OUTAGE, "a", 2)); /* another outage */
	jobs_add(&jobs, make(JOB_OUTAGE, "a", 1));
	jobs_add(&jobs, make(JOB_CHUNK, "a", 1));
	jobs_add(&jobs, make(JOB_CHUNK, "a", 1));
	assert_int_equal(length(&jobs), 6);
	assert_int_equal(jobs.n_others, 4);
	jobs_close(&jobs);
	assert_int_equal(jobs.n_others + jobs.n_events + jobs.chunk_bytes, 0);
}

static void test_what_failed_comes_back_in_order(void **state)
{
	struct jobs jobs, taken;
	const struct job *job;
	int64_t last = 0;

	(void)state;
	jobs_init(&jobs);
	for (int i = 1; i <= 3; i++)
		jobs_add(&jobs, make(JOB_EVENT, NULL, i));
	jobs_add(&jobs, make(JOB_TOTALS, "a", 1));
	jobs_move(&taken, &jobs);
	assert_int_equal(length(&jobs), 0);
	jobs_add(&jobs, make(JOB_EVENT, NULL, 4));
	jobs_add(&jobs, make(JOB_TOTALS, "a", 2));
	jobs_put_back(&jobs, &taken);
	assert_int_equal(length(&taken), 0);
	assert_int_equal(length(&jobs), 5);
	TAILQ_FOREACH (job, &jobs.list, queue) {
		if (job->kind == JOB_EVENT)
			assert_int_equal(job->u.event.id, ++last);
		else
			assert_int_equal(job->u.totals.wall_us, 2);
	}
	jobs_close(&jobs);
}

/* A disk that stays away: readings go first, the oldest of them, and what happened stays. */
static void test_bounds(void **state)
{
	struct jobs jobs;
	const struct job *job;
	int64_t first = -1;

	(void)state;
	jobs_init(&jobs);
	jobs_add(&jobs, make(JOB_OUTAGE, "a", 1));
	jobs_add(&jobs, make(JOB_EVENT, NULL, 1));
	for (int i = 0; i < 100000; i++)
		jobs_add(&jobs, make(JOB_CHUNK, "a", i));
	assert_true(jobs.chunk_bytes <= 1024 * 1024);
	assert_true(jobs.dropped > 90000);
	TAILQ_FOREACH (job, &jobs.list, queue)
		if (job->kind == JOB_CHUNK && first < 0)
			first = job->u.chunk.start_ms;
	assert_int_equal(first, (int64_t)jobs.dropped);
	assert_int_equal(jobs.n_events, 1);
	assert_int_equal(jobs.n_others, 1);
	for (int i = 0; i < 5000; i++)
		jobs_add(&jobs, make(JOB_EVENT, NULL, i));
	assert_int_equal(jobs.n_events, 2000);
	for (int i = 2; i < 3000; i++)
		jobs_add(&jobs, make(JOB_OUTAGE, "a", i));
	assert_int_equal(jobs.n_others, 1000);
	jobs_close(&jobs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newer_replaces_older),
		cmocka_unit_test(test_what_failed_comes_back_in_order),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
