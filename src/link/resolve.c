#include "link/resolve.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/util.h"

enum { STACK_BYTES = 256 * 1024 };

/* What the thread and the loop share; freed by who lets go last. */
struct job {
	atomic_int users;
	int done_fd; /* readable when the fields below are filled in */
	char *host, service[6];
	resolve_fn lookup;
	int status;
	struct addrinfo *list;
};

struct resolve {
	struct job *job;
	struct event *done;
	resolve_cb cb;
	void *user;
};

static atomic_int running;

static void job_unref(struct job *job)
{
	if (atomic_fetch_sub(&job->users, 1) != 1)
		return;
	close(job->done_fd);
	if (job->list)
		freeaddrinfo(job->list);
	free(job->host);
	free(job);
}

static void *work(void *arg)
{
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	struct job *job = arg;

	job->status = job->lookup(job->host, job->service, &hints, &job->list);
	if (job->status)
		job->list = NULL;
	eventfd_write(job->done_fd, 1);
	job_unref(job);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;
	struct job *job = r->job;
	resolve_cb cb = r->cb;
	void *user = r->user;

	(void)fd;
	(void)what;
	event_free(r->done);
	free(r);
	cb(user, job->list, job->list ? NULL : gai_strerror(job->status));
	job_unref(job);
}

/* Signals are the loop's; the thread takes none. */
static bool start_thread(struct job *job)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	bool ok;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(&thread, &attr, work, job) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return ok;
}

struct resolve *resolve_start(struct event_base *base, const char *host, uint16_t port,
			      resolve_fn lookup, resolve_cb cb, void *user)
{
	struct resolve *r;
	struct job *job;
	int fd;

	if (atomic_fetch_add(&running, 1) >= RESOLVE_MAX)
		goto too_many;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		goto too_many;
	job = xcalloc(1, sizeof(*job));
	atomic_init(&job->users, 2);
	job->done_fd = fd;
	job->host = xstrdup(host);
	job->lookup = lookup ? lookup : getaddrinfo;
	snprintf(job->service, sizeof(job->service), "%u", (unsigned)port);
	if (!start_thread(job))
		goto no_thread;

	r = xcalloc(1, sizeof(*r));
	*r = (struct resolve){ .job = job, .cb = cb, .user = user };
	r->done = event_new(base, fd, EV_READ, on_done, r);
	event_add(r->done, NULL);
	return r;

no_thread:
	atomic_store(&job->users, 1);
	job_unref(job);
too_many:
	atomic_fetch_sub(&running, 1);
	return NULL;
}

void resolve_cancel(struct resolve *r)
{
	if (!r)
		return;
	event_free(r->done);
	job_unref(r->job);
	free(r);
}
