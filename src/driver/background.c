#include "driver/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child says one byte when it works; without it its exit status is ours. */
static _Noreturn void wait_for_child(int fd, pid_t child)
{
	char byte;
	ssize_t n;
	int status;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	if (waitpid(child, &status, 0) == child && WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	_exit(EXIT_FAILURE);
}

bool background_start(struct background *background)
{
	int fds[2];
	pid_t child;

	background->fd = -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return false;
	}
	if (child > 0) {
		close(fds[1]);
		wait_for_child(fds[0], child);
	}
	close(fds[0]);
	background->fd = fds[1];
	setsid();
	return true;
}

void background_ready(struct background *background)
{
	char byte = 0;
	ssize_t written;
	int null;

	if (background->fd < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	written = write(background->fd, &byte, 1);
	(void)written; /* a parent that is gone needs no word */
	close(background->fd);
	background->fd = -1;
}
