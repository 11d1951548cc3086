#include "notify/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/files.h"
#include "util/util.h"

#define LOG_PART "notify"
#include "util/log.h"

enum { FILE_SIZE_MAX = 64 * 1024, FILE_NAME_MAX = 200, BUCKETS = 1024 };

struct job {
	STAILQ_ENTRY(job) queue;
	struct job *same_bucket; /* while it waits */
	char *file;
	char *text; /* NULL: remove it */
	int error;
};

STAILQ_HEAD(jobs, job);

/* What the thread needs; it outlives the spool if the disk hangs when we go. */
struct work {
	char *dir;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t more, idle;
	struct jobs todo, done;
	struct job *waiting[BUCKETS]; /* those in todo, by name */
	bool busy, stop, left;
	int done_fd;
};

struct spool {
	struct work *work;
	struct spool_ops ops;
	void *user;
	bool running;
	pthread_t thread;
	struct event *done_event;
};

static unsigned bucket_of(const char *file)
{
	unsigned hash = 5381;

	for (; *file; file++)
		hash = hash * 33 ^ (unsigned char)*file;
	return hash % BUCKETS;
}

static void job_free(struct job *job)
{
	free(job->file);
	free(job->text);
	free(job);
}

static void work_free(struct work *work)
{
	struct job *job;

	while ((job = STAILQ_FIRST(&work->todo))) {
		STAILQ_REMOVE_HEAD(&work->todo, queue);
		job_free(job);
	}
	while ((job = STAILQ_FIRST(&work->done))) {
		STAILQ_REMOVE_HEAD(&work->done, queue);
		job_free(job);
	}
	if (work->done_fd >= 0)
		close(work->done_fd);
	pthread_cond_destroy(&work->more);
	pthread_cond_destroy(&work->idle);
	pthread_mutex_destroy(&work->lock);
	free(work->dir);
	free(work);
}

/* --- the thread ------------------------------------------------------------------------------ */

/* The name in the directory is to survive a power cut, too. */
static void sync_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int carry_out(const struct work *work, const struct job *job)
{
	char *path = xasprintf("%s/%s", work->dir, job->file);
	int error = 0;

	if (job->text) {
		if (file_replace(path, job->text))
			sync_directory(work->dir);
		else
			error = errno;
	} else if (unlink(path) < 0 && errno != ENOENT) {
		error = errno;
	}
	free(path);
	return error;
}

static struct job *next_job(struct work *work)
{
	struct job *job = STAILQ_FIRST(&work->todo), **link;

	if (!job)
		return NULL;
	STAILQ_REMOVE_HEAD(&work->todo, queue);
	link = &work->waiting[bucket_of(job->file)];
	while (*link != job)
		link = &(*link)->same_bucket;
	*link = job->same_bucket;
	return job;
}

static void *worker(void *user)
{
	struct work *work = user;
	uint64_t one = 1;
	bool left;

	pthread_mutex_lock(&work->lock);
	while (!work->left) {
		struct job *job = next_job(work);

		if (!job) {
			if (work->stop)
				break;
			pthread_cond_wait(&work->more, &work->lock);
			continue;
		}
		work->busy = true;
		pthread_mutex_unlock(&work->lock);
		job->error = carry_out(work, job);
		pthread_mutex_lock(&work->lock);
		STAILQ_INSERT_TAIL(&work->done, job, queue);
		if (write(work->done_fd, &one, sizeof(one)) < 0) {
			/* the counter is full: the loop is told already */
		}
	}
	work->busy = false;
	left = work->left;
	pthread_cond_signal(&work->idle);
	pthread_mutex_unlock(&work->lock);
	if (left)
		work_free(work);
	return NULL;
}

/* --- the loop's side --------------------------------------------------------------------------- */

static void on_done(evutil_socket_t fd, short what, void *user)
{
	struct spool *spool = user;
	struct jobs done = STAILQ_HEAD_INITIALIZER(done);
	uint64_t count;
	struct job *job;

	(void)what;
	if (read((int)fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&spool->work->lock);
	STAILQ_CONCAT(&done, &spool->work->done);
	pthread_mutex_unlock(&spool->work->lock);
	while ((job = STAILQ_FIRST(&done))) {
		STAILQ_REMOVE_HEAD(&done, queue);
		if (job->text)
			spool->ops.written(spool->user, job->file, job->error);
		job_free(job);
	}
}

struct spool *spool_new(struct event_base *base, const char *dir, const struct spool_ops *ops,
			void *user)
{
	struct spool *spool = xcalloc(1, sizeof(*spool));
	struct work *work = xcalloc(1, sizeof(*work));

	spool->work = work;
	spool->ops = *ops;
	spool->user = user;
	work->dir = xstrdup(dir);
	pthread_mutex_init(&work->lock, NULL);
	pthread_cond_init(&work->more, NULL);
	pthread_cond_init(&work->idle, NULL);
	STAILQ_INIT(&work->todo);
	STAILQ_INIT(&work->done);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		log_error("%s cannot be made: %s; messages that wait are lost at a restart", dir,
			  strerror(errno));
	work->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (work->done_fd >= 0) {
		spool->done_event =
			event_new(base, work->done_fd, EV_READ | EV_PERSIST, on_done, spool);
		event_add(spool->done_event, NULL);
		spool->running = thread_start(&spool->thread, worker, work);
	}
	if (!spool->running)
		log_error("no thread for %s: messages that wait are lost at a restart", dir);
	return spool;
}

void spool_free(struct spool *spool, unsigned wait_ms)
{
	struct work *work;
	struct timespec until;
	bool finished = true;

	if (!spool)
		return;
	work = spool->work;
	if (spool->running) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += wait_ms / 1000;
		pthread_mutex_lock(&work->lock);
		work->stop = true;
		pthread_cond_signal(&work->more);
		while (finished && (work->busy || !STAILQ_EMPTY(&work->todo)))
			finished = pthread_cond_timedwait(&work->idle, &work->lock, &until) == 0;
		work->left = !finished;
		pthread_mutex_unlock(&work->lock);
		if (finished)
			pthread_join(spool->thread, NULL);
		else
			pthread_detach(spool->thread);
	}
	if (spool->done_event)
		event_free(spool->done_event);
	if (finished)
		work_free(work);
	else
		log_error("%s does not take what is written: messages that wait may be lost",
			  work->dir);
	free(spool);
}

/* text NULL: remove. Taken. */
static void ask(struct spool *spool, const char *file, char *text)
{
	struct work *work = spool->work;
	unsigned bucket = bucket_of(file);
	struct job *job;

	pthread_mutex_lock(&work->lock);
	for (job = work->waiting[bucket]; job; job = job->same_bucket)
		if (strcmp(job->file, file) == 0)
			break;
	if (job) { /* not begun yet: the newer word takes its place */
		free(job->text);
		job->text = text;
	} else if (spool->running) {
		job = xcalloc(1, sizeof(*job));
		job->file = xstrdup(file);
		job->text = text;
		job->same_bucket = work->waiting[bucket];
		work->waiting[bucket] = job;
		STAILQ_INSERT_TAIL(&work->todo, job, queue);
		pthread_cond_signal(&work->more);
	} else {
		free(text);
	}
	pthread_mutex_unlock(&work->lock);
}

void spool_write(struct spool *spool, const char *file, char *text)
{
	ask(spool, file, text);
}

void spool_remove(struct spool *spool, const char *file)
{
	ask(spool, file, NULL);
}

/* --- the start --------------------------------------------------------------------------------- */

static int is_ours(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".json") == 0 && strlen(entry->d_name) <= FILE_NAME_MAX;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* False: it is damaged. */
static bool load_file(const char *path, const char *name, spool_load_fn load, void *user)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = xmalloc(FILE_SIZE_MAX + 1);
	struct stat st;
	ssize_t len = -1;
	bool good;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		len = read(fd, text, FILE_SIZE_MAX + 1);
	if (fd >= 0)
		close(fd);
	good = len >= 0 && len <= FILE_SIZE_MAX && load(user, name, text, (size_t)len);
	free(text);
	return good;
}

void spool_load(struct spool *spool, spool_load_fn load, void *user)
{
	const char *dir = spool->work->dir;
	struct dirent **list;
	int n = scandir(dir, &list, is_ours, by_name);

	if (n < 0) {
		log_error("%s cannot be read: %s", dir, strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", dir, list[i]->d_name);

		if (!load_file(path, list[i]->d_name, load, user)) {
			char *aside = xasprintf("%s.damaged", path);

			log_error("%s cannot be understood and is set aside as %s", path, aside);
			if (rename(path, aside) < 0)
				log_warning("%s: %s", aside, strerror(errno));
			free(aside);
		}
		free(path);
		free(list[i]);
	}
	free(list);
}
