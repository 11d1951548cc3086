#include "front/http/local.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

/* True if somebody accepts connections on the socket file. */
static int answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int status;

	if (fd < 0)
		return 1;
	status = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	/* EAGAIN: a full queue, so there is somebody */
	status = status == 0 || errno == EAGAIN || errno == EACCES;
	close(fd);
	return status;
}

static int clear_stale(const struct sockaddr_un *address, char *error, size_t size)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		snprintf(error, size, "%s: %s", address->sun_path, strerror(errno));
		return -1;
	}
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(error, size,
			 "%s is there and is not a socket; remove it or choose another "
			 "path",
			 address->sun_path);
		return -1;
	}
	if (answers(address)) {
		snprintf(error, size,
			 "another ups2000d answers on %s; stop it or choose another "
			 "path",
			 address->sun_path);
		return -1;
	}
	if (unlink(address->sun_path) < 0 && errno != ENOENT) {
		snprintf(error, size, "cannot remove the dead socket %s: %s", address->sun_path,
			 strerror(errno));
		return -1;
	}
	return 0;
}

static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t old = umask(0117);
	int status = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	int saved = errno;

	umask(old);
	errno = saved;
	return status;
}

int local_listen(struct local_socket *local, const char *path, char *error, size_t error_size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	if (!*path || strlen(path) >= sizeof(address.sun_path)) {
		snprintf(error, error_size,
			 "the path of the socket must have 1 to %zu characters: "
			 "\"%.40s\"",
			 sizeof(address.sun_path) - 1, path);
		return -1;
	}
	strcpy(address.sun_path, path);
	if (clear_stale(&address, error, error_size) < 0)
		return -1;
	local->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (local->fd < 0) {
		snprintf(error, error_size, "no unix socket: %s", strerror(errno));
		return -1;
	}
	if (bind_private(local->fd, &address) < 0) {
		snprintf(error, error_size, "cannot make the socket %s: %s%s", path,
			 strerror(errno), errno == ENOENT ? " (its directory is missing)" : "");
		goto close_fd;
	}
	if (listen(local->fd, BACKLOG) < 0 || stat(path, &st) < 0) {
		snprintf(error, error_size, "cannot listen on %s: %s", path, strerror(errno));
		unlink(path);
		goto close_fd;
	}
	strcpy(local->path, path);
	local->dev = st.st_dev;
	local->ino = st.st_ino;
	return 0;

close_fd:
	close(local->fd);
	local->fd = -1;
	return -1;
}

void local_remove(const struct local_socket *local)
{
	struct stat st;

	if (lstat(local->path, &st) == 0 && st.st_dev == local->dev && st.st_ino == local->ino)
		unlink(local->path);
}

void local_peer(int fd, char *name, size_t size)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct passwd *entry;
	FILE *file;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		snprintf(name, size, "unknown");
		return;
	}
	snprintf(name, size, "uid %u", (unsigned)peer.uid);
	file = fopen("/etc/passwd", "re");
	if (!file)
		return;
	while ((entry = fgetpwent(file))) {
		if (entry->pw_uid == peer.uid) {
			snprintf(name, size, "%s", entry->pw_name);
			break;
		}
	}
	fclose(file);
}
