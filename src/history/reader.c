#include "history/reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <sqlite3.h>

#include "history/ask.h"
#include "util/files.h"
#include "history/writer.h"
#include "util/util.h"

enum { WAITING_MAX = 64, IDLE_S = 30 };

static const int64_t TIME_MAX_US = 5 * U2K_SEC;

struct question {
	STAILQ_ENTRY(question) queue;
	struct record_query query;
	record_cb cb;
	void *user;
	int status;
	char *text;
};

STAILQ_HEAD(questions, question);

struct reader {
	char *path;
	struct writer *writer;
	int done_fd;
	struct event *done_event;

	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* todo, done, waiting */
	pthread_cond_t more;
	struct questions todo, done;
	size_t waiting;
	atomic_bool stop;

	/* the thread's */
	sqlite3 *db;
	unsigned generation;
	int64_t deadline_us;
};

/* ---- the thread ---- */

/* Called by SQLite now and then: not 0 ends the query. */
static int on_progress(void *data)
{
	struct reader *r = data;

	return atomic_load(&r->stop) || clock_us() > r->deadline_us;
}

static void close_db(struct reader *r)
{
	sqlite3_close(r->db);
	r->db = NULL;
}

static bool open_db(struct reader *r)
{
	unsigned generation = writer_generation(r->writer);

	if (r->db && r->generation == generation)
		return true;
	close_db(r);
	r->generation = generation;
	/* not READONLY: the first to open a WAL database after a crash must be able to recover it */
	if (sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		    SQLITE_OK ||
	    sqlite3_exec(r->db,
			 "PRAGMA query_only = ON; PRAGMA cache_size = -256;"
			 "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF",
			 NULL, NULL, NULL) != SQLITE_OK) {
		close_db(r);
		return false;
	}
	sqlite3_busy_timeout(r->db, 1000);
	sqlite3_progress_handler(r->db, 2000, on_progress, r);
	return true;
}

static void answer(struct reader *r, struct question *q)
{
	r->deadline_us = clock_us() + TIME_MAX_US;
	if (!open_db(r)) {
		q->status = 503;
		q->text = xstrdup("there is no history that can be read");
		return;
	}
	/* one view of the database for all that is looked up */
	sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL);
	q->status = ask_run(r->db, &q->query, &q->text);
	if (!sqlite3_get_autocommit(r->db))
		sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
	if (q->status == 503)
		close_db(r);
}

/* Locked. False: to end. */
static bool wait_for_question(struct reader *r)
{
	struct timespec until;

	while (STAILQ_EMPTY(&r->todo) && !atomic_load(&r->stop)) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += IDLE_S;
		if (pthread_cond_timedwait(&r->more, &r->lock, &until) == ETIMEDOUT && r->db)
			close_db(r); /* its cache is memory that others can use */
	}
	return !atomic_load(&r->stop);
}

static void *reader_main(void *data)
{
	struct reader *r = data;
	uint64_t one = 1;

	pthread_mutex_lock(&r->lock);
	while (wait_for_question(r)) {
		struct question *q = STAILQ_FIRST(&r->todo);

		STAILQ_REMOVE_HEAD(&r->todo, queue);
		pthread_mutex_unlock(&r->lock);
		answer(r, q);
		pthread_mutex_lock(&r->lock);
		STAILQ_INSERT_TAIL(&r->done, q, queue);
		if (write(r->done_fd, &one, sizeof(one)) < 0) {
			/* the counter is full: the loop is told already */
		}
	}
	pthread_mutex_unlock(&r->lock);
	close_db(r);
	return NULL;
}

/* ---- the loop ---- */

static struct question *take_done(struct reader *r)
{
	struct question *q;

	pthread_mutex_lock(&r->lock);
	q = STAILQ_FIRST(&r->done);
	if (q) {
		STAILQ_REMOVE_HEAD(&r->done, queue);
		r->waiting--;
	}
	pthread_mutex_unlock(&r->lock);
	return q;
}

static void tell(struct question *q)
{
	q->cb(q->user, q->status, q->text);
	free(q);
}

static void on_done(evutil_socket_t fd, short what, void *data)
{
	struct reader *r = data;
	struct question *q;
	uint64_t count;

	(void)what;
	if (read((int)fd, &count, sizeof(count)) < 0)
		return;
	while ((q = take_done(r)))
		tell(q);
}

struct reader *reader_new(struct event_base *base, const char *path, struct writer *writer)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	pthread_condattr_t attr;

	r->path = xstrdup(path);
	r->writer = writer;
	STAILQ_INIT(&r->todo);
	STAILQ_INIT(&r->done);
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->more, &attr);
	pthread_condattr_destroy(&attr);
	r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->done_fd >= 0) {
		r->done_event = event_new(base, r->done_fd, EV_READ | EV_PERSIST, on_done, r);
		event_add(r->done_event, NULL);
		r->running = thread_start(&r->thread, reader_main, r);
	}
	return r;
}

void reader_free(struct reader *r)
{
	struct question *q;

	if (!r)
		return;
	if (r->running) {
		pthread_mutex_lock(&r->lock);
		atomic_store(&r->stop, true);
		pthread_cond_signal(&r->more);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->thread, NULL);
	}
	while ((q = take_done(r)))
		tell(q);
	while ((q = STAILQ_FIRST(&r->todo))) {
		STAILQ_REMOVE_HEAD(&r->todo, queue);
		q->status = 503;
		q->text = xstrdup("the daemon is stopping");
		tell(q);
	}
	if (r->done_event)
		event_free(r->done_event);
	if (r->done_fd >= 0)
		close(r->done_fd);
	pthread_cond_destroy(&r->more);
	pthread_mutex_destroy(&r->lock);
	free(r->path);
	free(r);
}

void reader_ask(struct reader *r, const struct record_query *query, record_cb cb, void *user)
{
	struct question *q;

	pthread_mutex_lock(&r->lock);
	if (!r->running || r->waiting >= WAITING_MAX) {
		pthread_mutex_unlock(&r->lock);
		cb(user, 503, xstrdup("too many questions about the history are waiting"));
		return;
	}
	q = xcalloc(1, sizeof(*q));
	q->query = *query;
	q->cb = cb;
	q->user = user;
	r->waiting++;
	STAILQ_INSERT_TAIL(&r->todo, q, queue);
	pthread_cond_signal(&r->more);
	pthread_mutex_unlock(&r->lock);
}
