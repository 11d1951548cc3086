#include "daemon/runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/util.h"

/* systemd names several directories separated by colons; the first is ours. */
static char *first_of(const char *list)
{
	return xasprintf("%.*s", (int)strcspn(list, ":"), list);
}

char *runtime_dir_default(void)
{
	const char *given = getenv("RUNTIME_DIRECTORY");
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	if (given && *given)
		return first_of(given);
	if (geteuid() != 0 && xdg && *xdg)
		return xasprintf("%s/ups2000", xdg);
	return xstrdup("/run/ups2000");
}

char *state_dir_default(void)
{
	const char *given = getenv("STATE_DIRECTORY");

	return given && *given ? first_of(given) : xstrdup("/var/lib/ups2000");
}

int directory_make(const char *path, uid_t uid, gid_t gid)
{
	char *part = xstrdup(path);
	struct stat st;
	int rc = 0;

	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(part, 0755); /* what went wrong here shows below */
		*slash = '/';
	}
	if (mkdir(path, 0750) == 0) {
		if (geteuid() == 0 && uid != 0)
			rc = chown(path, uid, gid);
	} else if (errno != EEXIST) {
		rc = -1;
	} else if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		rc = -1;
	}
	free(part);
	return rc;
}

/* The id in a lock file that somebody holds, or 0. */
static long holder_of(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return atol(text);
}

int runtime_dir_open(struct runtime_dir *dir, const char *path, uid_t uid, gid_t gid, char *error,
		     size_t error_size)
{
	if (directory_make(path, uid, gid) < 0) {
		snprintf(
			error, error_size,
			"the runtime directory %s cannot be created: %s; start as root or name another "
			"with --runtime-dir",
			path, strerror(errno));
		return -1;
	}
	dir->path = xstrdup(path);
	dir->lock_path = xasprintf("%s/ups2000d.pid", path);
	dir->lock_fd = open(dir->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (dir->lock_fd < 0) {
		snprintf(
			error, error_size,
			"%s cannot be opened: %s; start as the owner of the directory or name another "
			"with --runtime-dir",
			dir->lock_path, strerror(errno));
		goto fail;
	}
	if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		snprintf(
			error, error_size,
			"another ups2000d (process %ld) uses the runtime directory %s; stop it, or give "
			"this one its own with --runtime-dir",
			holder_of(dir->lock_fd), path);
		close(dir->lock_fd);
		goto fail;
	}
	if ((geteuid() == 0 && fchown(dir->lock_fd, uid, gid) < 0) ||
	    ftruncate(dir->lock_fd, 0) < 0 || dprintf(dir->lock_fd, "%ld\n", (long)getpid()) < 0) {
		snprintf(error, error_size, "%s cannot be written: %s", dir->lock_path,
			 strerror(errno));
		close(dir->lock_fd);
		goto fail;
	}
	return 0;
fail:
	free(dir->lock_path);
	free(dir->path);
	memset(dir, 0, sizeof(*dir));
	dir->lock_fd = -1;
	return -1;
}

void runtime_dir_close(struct runtime_dir *dir)
{
	if (dir->lock_fd < 0)
		return;
	unlink(dir->lock_path);
	close(dir->lock_fd);
	free(dir->lock_path);
	free(dir->path);
	memset(dir, 0, sizeof(*dir));
	dir->lock_fd = -1;
}
