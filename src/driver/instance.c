#include "driver/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "nut/lexer.h"
#include "util/util.h"

enum { ALIVE_MS = 2000, EXIT_MS = 10000, TERM_MS = 5000, KILL_MS = 2000 };

static int64_t ms_left(int64_t until_us)
{
	int64_t left = (until_us - clock_us() + 999) / 1000;

	return left > 0 ? left : 0;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -1;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct talk {
	int fd;
	struct nut_lexer lexer;
	char buffer[1024];
	size_t len;
};

static bool say(struct talk *talk, const char *text)
{
	size_t len = strlen(text);

	return send(talk->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* The next line; NULL when time is up or the other end has closed. */
static const struct nut_line *next_line(struct talk *talk, int64_t until_us)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = talk->fd, .events = POLLIN };
		ssize_t n;

		while (talk->len) {
			size_t used;
			bool complete =
				nut_lexer_feed(&talk->lexer, talk->buffer, talk->len, &used);

			memmove(talk->buffer, talk->buffer + used, talk->len - used);
			talk->len -= used;
			if (complete)
				return &talk->lexer.line;
		}
		if (poll(&poll_fd, 1, (int)ms_left(until_us)) <= 0)
			return NULL;
		n = recv(talk->fd, talk->buffer, sizeof(talk->buffer), 0);
		if (n <= 0)
			return NULL;
		talk->len = (size_t)n;
	}
}

static bool is_alive(struct talk *talk)
{
	int64_t until = clock_us() + ALIVE_MS * 1000;
	const struct nut_line *line;

	if (!say(talk, "NOBROADCAST\nPING\n"))
		return false;
	while ((line = next_line(talk, until)))
		if (line->n && strcasecmp(line->words[0], "PONG") == 0)
			return true;
	return false;
}

int instance_ask(const char *socket_path, const char *text, unsigned seconds)
{
	int64_t until = clock_us() + (int64_t)seconds * 1000000;
	struct talk *talk = xcalloc(1, sizeof(*talk));
	const struct nut_line *line;
	char id[37], *request;
	int code = -1;

	talk->fd = connect_to(socket_path);
	if (talk->fd < 0)
		goto out;
	nut_lexer_init(&talk->lexer);
	uuid_make(id);
	request = xasprintf("%s TRACKING %s\n", text, id);
	if (is_alive(talk) && say(talk, request)) {
		while (code < 0 && (line = next_line(talk, until)))
			if (line->n == 3 && strcasecmp(line->words[0], "TRACKING") == 0 &&
			    strcasecmp(line->words[1], id) == 0)
				code = atoi(line->words[2]);
		say(talk, "LOGOUT\n");
	}
	free(request);
	close(talk->fd);
out:
	free(talk);
	return code;
}

/* Base name of the program a process runs; a file that was replaced since counts as itself. */
static bool runs(long pid, const char *driver)
{
	char link[64], path[4096];
	const char *slash;
	char *deleted;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%ld/exe", pid);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return false;
	path[len] = '\0';
	deleted = strstr(path, " (deleted)");
	if (deleted && !deleted[10])
		*deleted = '\0';
	slash = strrchr(path, '/');
	return strcmp(slash ? slash + 1 : path, driver) == 0;
}

long instance_pid(const char *pid_path, const char *driver)
{
	FILE *file = fopen(pid_path, "re");
	char text[32];
	long pid = 0;

	if (!file)
		return 0;
	if (fgets(text, sizeof(text), file))
		pid = atol(text);
	fclose(file);
	return pid > 1 && pid != (long)getpid() && runs(pid, driver) ? pid : 0;
}

static bool gone(const char *socket_path, const char *pid_path, const char *driver, long pid)
{
	int fd;

	if (pid)
		return kill((pid_t)pid, 0) < 0 || !runs(pid, driver);
	if (instance_pid(pid_path, driver))
		return false;
	fd = connect_to(socket_path);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static bool wait_gone(const char *socket_path, const char *pid_path, const char *driver, long pid,
		      int64_t ms)
{
	int64_t until = clock_us() + ms * 1000;

	while (!gone(socket_path, pid_path, driver, pid)) {
		if (!ms_left(until))
			return false;
		nap();
	}
	return true;
}

bool instance_end(const char *socket_path, const char *pid_path, const char *driver, char *error,
		  size_t error_size)
{
	long pid = instance_pid(pid_path, driver);
	static const struct {
		int signal, ms;
	} rounds[] = { { SIGTERM, TERM_MS }, { SIGKILL, KILL_MS } };

	if (gone(socket_path, pid_path, driver, pid))
		return true;
	if (instance_ask(socket_path, "INSTCMD driver.exit", 2) == 0 &&
	    wait_gone(socket_path, pid_path, driver, pid, EXIT_MS))
		return true;
	for (size_t i = 0; pid && i < ARRAY_SIZE(rounds); i++) {
		if (kill((pid_t)pid, rounds[i].signal) < 0)
			break;
		if (wait_gone(socket_path, pid_path, driver, pid, rounds[i].ms))
			return true;
	}
	if (gone(socket_path, pid_path, driver, pid))
		return true;
	if (pid)
		snprintf(
			error, error_size,
			"another %s for this UPS (process %ld) runs and does not end; stop it first",
			driver, pid);
	else
		snprintf(error, error_size,
			 "somebody else serves %s and does not end; stop that program first",
			 socket_path);
	return false;
}

bool instance_write_pid(const char *pid_path, char *error, size_t error_size)
{
	int fd;

	unlink(pid_path); /* never through somebody's link */
	fd = open(pid_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		snprintf(error, error_size, "the PID file %s cannot be written: %s", pid_path,
			 strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	return true;
}
