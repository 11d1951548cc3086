#include "auth/auth.h"

#include <crypt.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "auth/digest.h"
#include "daemon/config.h"
#include "util/util.h"

#define LOG_PART "auth"
#include "util/log.h"

enum { JOBS_MAX = 64, SETS = 64, WAYS = 4, STACK_SIZE = 256 * 1024 };
static const int64_t WRONG_KEPT_US = 10 * 1000000;

struct remembered {
	struct digest key;
	int64_t at_us; /* 0 = empty */
	bool ok;
};

TAILQ_HEAD(waits, auth_wait);

struct auth_job {
	TAILQ_ENTRY(auth_job) all;    /* the loop's */
	STAILQ_ENTRY(auth_job) queue; /* todo or done, under the lock */
	struct digest key;
	char *hash, *password;
	bool ok;
	struct waits waits;
};

STAILQ_HEAD(job_queue, auth_job);

struct auth {
	struct digest_key key;
	struct remembered memory[SETS][WAYS];
	TAILQ_HEAD(, auth_job) jobs;
	size_t n_jobs;

	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* todo, done, stop */
	pthread_cond_t more;
	struct job_queue todo, done;
	bool stop;
	int done_fd;
	struct event *done_event;
};

static bool fresh(const struct remembered *r, int64_t now)
{
	return r->at_us && (r->ok || now - r->at_us < WRONG_KEPT_US);
}

static struct remembered *recall(struct auth *auth, const struct digest *key)
{
	struct remembered *set = auth->memory[key->a % SETS];
	int64_t now = clock_us();

	for (size_t i = 0; i < WAYS; i++)
		if (fresh(&set[i], now) && digest_same(&set[i].key, key))
			return &set[i];
	return NULL;
}

/* The empty and outdated go first, then wrong ones, then the longest unused. */
static void remember(struct auth *auth, const struct digest *key, bool ok)
{
	struct remembered *set = auth->memory[key->a % SETS];
	struct remembered *victim = &set[0];
	int64_t now = clock_us();

	for (size_t i = 0; i < WAYS; i++) {
		if (!fresh(&set[i], now)) {
			victim = &set[i];
			break;
		}
		if (set[i].ok != victim->ok ? victim->ok : set[i].at_us < victim->at_us)
			victim = &set[i];
	}
	*victim = (struct remembered){ *key, now, ok };
}

static void free_job(struct auth_job *job)
{
	explicit_bzero(job->password, strlen(job->password));
	free(job->password);
	free(job->hash);
	free(job);
}

static bool same_text(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char diff = 0;

	if (len != strlen(b))
		return false;
	for (size_t i = 0; i < len; i++)
		diff |= (unsigned char)(a[i] ^ b[i]);
	return diff == 0;
}

static bool crypt_matches(const char *password, const char *hash)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	const char *result = crypt_rn(password, hash, data, (int)sizeof(*data));
	bool ok = result && same_text(result, hash);

	explicit_bzero(data, sizeof(*data));
	free(data);
	return ok;
}

static void *worker(void *arg)
{
	struct auth *auth = arg;

	pthread_mutex_lock(&auth->lock);
	for (;;) {
		while (!auth->stop && STAILQ_EMPTY(&auth->todo))
			pthread_cond_wait(&auth->more, &auth->lock);
		if (auth->stop)
			break;
		struct auth_job *job = STAILQ_FIRST(&auth->todo);

		STAILQ_REMOVE_HEAD(&auth->todo, queue);
		pthread_mutex_unlock(&auth->lock);
		job->ok = crypt_matches(job->password, job->hash);
		pthread_mutex_lock(&auth->lock);
		STAILQ_INSERT_TAIL(&auth->done, job, queue);
		(void)eventfd_write(auth->done_fd, 1);
	}
	pthread_mutex_unlock(&auth->lock);
	return NULL;
}

static void finish_job(struct auth *auth, struct auth_job *job)
{
	struct auth_wait *wait;

	remember(auth, &job->key, job->ok);
	TAILQ_REMOVE(&auth->jobs, job, all);
	auth->n_jobs--;
	while ((wait = TAILQ_FIRST(&job->waits))) {
		TAILQ_REMOVE(&job->waits, wait, node);
		wait->job = NULL;
		wait->ready(wait);
	}
	free_job(job);
}

static void done_cb(evutil_socket_t fd, short what, void *arg)
{
	struct auth *auth = arg;
	eventfd_t count;
	struct auth_job *job;

	(void)what;
	(void)eventfd_read(fd, &count);
	for (;;) {
		pthread_mutex_lock(&auth->lock);
		job = STAILQ_FIRST(&auth->done);
		if (job)
			STAILQ_REMOVE_HEAD(&auth->done, queue);
		pthread_mutex_unlock(&auth->lock);
		if (!job)
			return;
		finish_job(auth, job);
	}
}

struct auth *auth_new(struct event_base *base)
{
	struct auth *auth = xcalloc(1, sizeof(*auth));

	digest_key_make(&auth->key);
	TAILQ_INIT(&auth->jobs);
	STAILQ_INIT(&auth->todo);
	STAILQ_INIT(&auth->done);
	pthread_mutex_init(&auth->lock, NULL);
	pthread_cond_init(&auth->more, NULL);
	auth->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	auth->done_event = event_new(base, auth->done_fd, EV_READ | EV_PERSIST, done_cb, auth);
	if (auth->done_fd < 0 || event_add(auth->done_event, NULL) < 0)
		log_error("cannot create an eventfd: hashed passwords cannot be checked");
	return auth;
}

void auth_free(struct auth *auth)
{
	struct auth_job *job;
	struct auth_wait *wait;

	if (!auth)
		return;
	if (auth->running) {
		pthread_mutex_lock(&auth->lock);
		auth->stop = true;
		pthread_cond_signal(&auth->more);
		pthread_mutex_unlock(&auth->lock);
		pthread_join(auth->thread, NULL);
	}
	while ((job = TAILQ_FIRST(&auth->jobs))) {
		TAILQ_REMOVE(&auth->jobs, job, all);
		TAILQ_FOREACH (wait, &job->waits, node)
			wait->job = NULL;
		free_job(job);
	}
	event_free(auth->done_event);
	if (auth->done_fd >= 0)
		close(auth->done_fd);
	pthread_cond_destroy(&auth->more);
	pthread_mutex_destroy(&auth->lock);
	explicit_bzero(auth, sizeof(*auth));
	free(auth);
}

/* The thread is started by the first hash: most installations never need it twice an hour. */
static bool start_worker(struct auth *auth)
{
	pthread_attr_t attr;
	sigset_t all, old;

	if (auth->running)
		return true;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old); /* signals are the loop's */
	auth->running = pthread_create(&auth->thread, &attr, worker, auth) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!auth->running)
		log_error("cannot start a thread: hashed passwords cannot be checked");
	return auth->running;
}

static struct auth_job *job_for(struct auth *auth, const struct digest *key, const char *hash,
				const char *password)
{
	struct auth_job *job;

	TAILQ_FOREACH (job, &auth->jobs, all)
		if (digest_same(&job->key, key))
			return job;
	if (auth->n_jobs >= JOBS_MAX || auth->done_fd < 0 || !start_worker(auth))
		return NULL;
	job = xcalloc(1, sizeof(*job));
	job->key = *key;
	job->hash = xstrdup(hash);
	job->password = xstrdup(password);
	TAILQ_INIT(&job->waits);
	TAILQ_INSERT_TAIL(&auth->jobs, job, all);
	auth->n_jobs++;
	pthread_mutex_lock(&auth->lock);
	STAILQ_INSERT_TAIL(&auth->todo, job, queue);
	pthread_cond_signal(&auth->more);
	pthread_mutex_unlock(&auth->lock);
	return job;
}

enum auth_result auth_check(struct auth *auth, const struct config_user *user, const char *password,
			    struct auth_wait *wait)
{
	if (!user || !user->password)
		return AUTH_DENIED;

	struct digest given = digest_texts(&auth->key, user->name, user->password, password);

	if (user->plain) { /* digests, so that the time tells nothing about the text */
		struct digest right =
			digest_texts(&auth->key, user->name, user->password, user->password);

		return digest_same(&given, &right) ? AUTH_OK : AUTH_DENIED;
	}

	struct remembered *known = recall(auth, &given);

	if (known) {
		if (known->ok)
			known->at_us = clock_us();
		return known->ok ? AUTH_OK : AUTH_DENIED;
	}

	struct auth_job *job = job_for(auth, &given, user->password, password);

	if (!job)
		return AUTH_DENIED;
	TAILQ_INSERT_TAIL(&job->waits, wait, node);
	wait->job = job;
	return AUTH_PENDING;
}

bool auth_is_first(const struct auth_wait *wait)
{
	return wait->job && TAILQ_FIRST(&wait->job->waits) == wait && !TAILQ_NEXT(wait, node);
}

void auth_cancel(struct auth_wait *wait)
{
	if (!wait->job)
		return;
	TAILQ_REMOVE(&wait->job->waits, wait, node);
	wait->job = NULL;
}
