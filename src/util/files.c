#include "util/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/util.h"

enum { STACK_SIZE = 256 * 1024 };

bool file_replace(const char *path, const char *text)
{
	char *fresh = xasprintf("%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	size_t len = strlen(text);
	int error = 0;

	if (fd < 0) {
		error = errno;
		free(fresh);
		errno = error;
		return false;
	}
	errno = 0;
	if (write(fd, text, len) != (ssize_t)len)
		error = errno ? errno : ENOSPC;
	else if (fsync(fd) < 0)
		error = errno;
	if (close(fd) < 0 && !error)
		error = errno;
	if (!error && rename(fresh, path) < 0)
		error = errno;
	if (error)
		unlink(fresh);
	free(fresh);
	errno = error;
	return !error;
}

bool thread_start(pthread_t *thread, void *(*run)(void *user), void *user)
{
	pthread_attr_t attr;
	sigset_t all, before;
	bool ok;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(thread, &attr, run, user) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return ok;
}
