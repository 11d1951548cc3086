#include "daemon/certificates.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/config.h"
#include "tls/tls.h"
#include "util/util.h"

#define LOG_PART "tls"
#include "util/log.h"

enum { EXPIRES_SOON_DAYS = 30, STOP_S = 2 };

/* One reading, by itself: the thread sees nothing of the daemon's. */
struct reading {
	char *certificate, *key, *state_dir;
	struct tls *tls;
	char error[512];
	int done_fd;
};

struct certificates {
	struct event_base *base;
	certificates_cb ready;
	void *user;
	struct reading *now, *next;
	pthread_t thread;
	int done_fd;
	struct event *done;
	char said[TLS_FINGERPRINT_SIZE]; /* the certificate the log names last */
};

static struct reading *reading_new(const struct config *config)
{
	struct reading *r = xcalloc(1, sizeof(*r));

	r->certificate = xstrdup(config->tls_certificate);
	r->key = xstrdup(config->tls_key);
	r->state_dir = xstrdup(config->state_dir);
	r->done_fd = -1;
	return r;
}

static void reading_free(struct reading *r)
{
	if (!r)
		return;
	tls_unref(r->tls);
	free(r->certificate);
	free(r->key);
	free(r->state_dir);
	free(r);
}

static void read_own(struct reading *r)
{
	char *path = xasprintf("%s/%s", r->state_dir, TLS_OWN_KEY);
	char why[400];
	bool made;

	if (!tls_make_own(r->state_dir, &made, r->error, sizeof(r->error))) {
		free(path);
		return;
	}
	r->tls = tls_load(path, NULL, why, sizeof(why));
	if (!r->tls)
		snprintf(
			r->error, sizeof(r->error),
			"%s (our own certificate: delete the file, and the next start makes another)",
			why);
	free(path);
}

static void read_it(struct reading *r)
{
	if (r->certificate)
		r->tls = tls_load(r->certificate, r->key, r->error, sizeof(r->error));
	else
		read_own(r);
}

/* Each certificate is named once, not each time it is read. */
static void say(struct certificates *c, const struct reading *r, const char *fingerprint, long days)
{
	if (r->certificate && days < EXPIRES_SOON_DAYS)
		log_warning("%s expires in %ld days. Renew it, then reload", r->certificate, days);
	if (strcmp(c->said, fingerprint) == 0)
		return;
	snprintf(c->said, sizeof(c->said), "%s", fingerprint);
	if (!r->certificate) {
		log_info("our own certificate, SHA-256 %s; clients trust it by a copy of %s/%s",
			 fingerprint, r->state_dir, TLS_OWN_CERTIFICATE);
		return;
	}
	log_info("certificate %s, SHA-256 %s, good for %ld days", r->certificate, fingerprint,
		 days);
}

/* What the child that looked tells. */
struct found {
	char fingerprint[TLS_FINGERPRINT_SIZE];
	long days_left;
	char error[512];
};

static void look(struct reading *r, int fd)
{
	struct found found = { .fingerprint = "" };

	read_it(r);
	if (r->tls) {
		snprintf(found.fingerprint, sizeof(found.fingerprint), "%s",
			 tls_fingerprint(r->tls));
		found.days_left = tls_days_left(r->tls);
	}
	memcpy(found.error, r->error, sizeof(found.error));
	_exit(write(fd, &found, sizeof(found)) == (ssize_t)sizeof(found) ? 0 : 1);
}

bool certificates_look(struct certificates *c, const struct config *config, char *error,
		       size_t error_size)
{
	struct reading *r = reading_new(config);
	struct found found;
	int fds[2] = { -1, -1 };
	pid_t child = -1;
	bool ok = false;

	if (pipe2(fds, O_CLOEXEC) == 0)
		child = fork();
	if (child == 0)
		look(r, fds[1]);
	close(fds[1]);
	if (child < 0) {
		snprintf(error, error_size, "no process for the certificate: %s", strerror(errno));
	} else if (read(fds[0], &found, sizeof(found)) != (ssize_t)sizeof(found)) {
		snprintf(error, error_size, "the process that reads the certificate failed");
	} else if (!found.fingerprint[0]) {
		snprintf(error, error_size, "%s", found.error);
	} else {
		say(c, r, found.fingerprint, found.days_left);
		ok = true;
	}
	close(fds[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	reading_free(r);
	return ok;
}

bool certificates_check(const struct config *config, char *error, size_t error_size)
{
	struct tls *tls;

	if (!config->tls_certificate)
		return true;
	tls = tls_load(config->tls_certificate, config->tls_key, error, error_size);
	tls_unref(tls);
	return tls;
}

static void *worker(void *arg)
{
	struct reading *r = arg;

	read_it(r);
	(void)eventfd_write(r->done_fd, 1);
	return NULL;
}

static void begin(struct certificates *c)
{
	sigset_t all, old;

	c->now = c->next;
	c->next = NULL;
	c->now->done_fd = c->done_fd;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old); /* signals are the loop's */
	if (pthread_create(&c->thread, NULL, worker, c->now) != 0) {
		log_error("cannot start a thread: the certificate is not read again");
		reading_free(c->now);
		c->now = NULL;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void done_cb(evutil_socket_t fd, short what, void *arg)
{
	struct certificates *c = arg;
	struct reading *r = c->now;
	eventfd_t count;

	(void)what;
	if (eventfd_read(fd, &count) < 0 || !r)
		return;
	pthread_join(c->thread, NULL);
	c->now = NULL;
	if (c->next) { /* another reload came meanwhile */
		reading_free(r);
		begin(c);
		return;
	}
	if (r->tls)
		say(c, r, tls_fingerprint(r->tls), tls_days_left(r->tls));
	else
		log_error("%s. The certificate in use, if any, stays", r->error);
	c->ready(c->user, r->tls);
	r->tls = NULL;
	reading_free(r);
}

struct certificates *certificates_new(struct event_base *base, certificates_cb ready, void *user)
{
	struct certificates *c = xcalloc(1, sizeof(*c));

	c->base = base;
	c->ready = ready;
	c->user = user;
	c->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	c->done = event_new(base, c->done_fd, EV_READ | EV_PERSIST, done_cb, c);
	if (c->done_fd < 0 || event_add(c->done, NULL) < 0)
		log_error("cannot create an eventfd: certificates cannot be read again");
	return c;
}

void certificates_free(struct certificates *c)
{
	struct timespec until;

	if (!c)
		return;
	event_free(c->done);
	reading_free(c->next);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_S;
	/* a thread that hangs on a dead disk is left to the end of the process, with what it uses */
	if (!c->now || pthread_timedjoin_np(c->thread, NULL, &until) == 0) {
		reading_free(c->now);
		if (c->done_fd >= 0)
			close(c->done_fd);
	}
	free(c);
}

void certificates_read(struct certificates *c, const struct config *config)
{
	reading_free(c->next);
	c->next = reading_new(config);
	if (!c->now)
		begin(c);
}
