#include "link/uucp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file without a pid may be one that its maker has not filled yet. */
#define FILL_TIME_S 5

void uucp_init(struct uucp_lock *lock, const char *dir, const char *device)
{
	const char *name = !strncmp(device, "/dev/", 5) ? device + 5 : strrchr(device, '/');
	size_t dir_len = strlen(dir);

	if (name && *name == '/')
		name++;
	lock->held = 0;
	if (!name || (size_t)snprintf(lock->path, sizeof(lock->path), "%s/LCK..%s", dir, name) >=
			     sizeof(lock->path)) {
		*lock->path = '\0';
		return;
	}
	for (char *p = lock->path + dir_len + 1; *p; p++)
		if (*p == '/')
			*p = '_';
}

static pid_t parse_pid(const char *text, ssize_t len)
{
	int raw;

	if (len == (ssize_t)sizeof(raw)) { /* the older, binary form */
		memcpy(&raw, text, sizeof(raw));
		return raw;
	}
	long pid = strtol(text, NULL, 10);

	return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* The directory is everybody's: follow no link, wait for no pipe, believe no length. */
static pid_t read_holder(const char *path)
{
	char text[64];
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return 0;
	}
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	if (n < 0)
		return 0;
	text[n] = '\0';
	pid_t pid = parse_pid(text, n);

	if (pid <= 0)
		return time(NULL) - st.st_mtime < FILL_TIME_S ? -1 : 0;
	/* Our own pid is a leftover: within this process, flock tells links apart. */
	if (pid == getpid() || (kill(pid, 0) && errno == ESRCH))
		return 0;
	return pid;
}

pid_t uucp_holder(const struct uucp_lock *lock)
{
	return *lock->path ? read_holder(lock->path) : 0;
}

/* Filled before it gets its name, so nobody ever sees it empty. */
static int make_file(const struct uucp_lock *lock)
{
	char temp[PATH_MAX];
	int dir_len = (int)(strrchr(lock->path, '/') - lock->path);

	if ((size_t)snprintf(temp, sizeof(temp), "%.*s/LTMP..XXXXXX", dir_len, lock->path) >=
	    sizeof(temp))
		return ENAMETOOLONG;
	int fd = mkostemp(temp, O_CLOEXEC);

	if (fd < 0)
		return errno;
	int err = 0;

	if (dprintf(fd, "%10d\n", (int)getpid()) != 11 || fchmod(fd, 0644) ||
	    link(temp, lock->path))
		err = errno;
	close(fd);
	unlink(temp);
	return err;
}

pid_t uucp_take(struct uucp_lock *lock)
{
	if (!*lock->path)
		return 0;
	int err = make_file(lock);

	if (err == EEXIST) {
		pid_t pid = read_holder(lock->path);

		if (pid)
			return pid;
		if (unlink(lock->path))
			return 0;
		err = make_file(lock);
		if (err == EEXIST)
			return read_holder(lock->path);
	}
	lock->held = !err;
	return 0;
}

void uucp_drop(struct uucp_lock *lock)
{
	if (lock->held)
		unlink(lock->path);
	lock->held = 0;
}
