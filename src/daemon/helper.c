#include "daemon/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook/host.h"
#include "util/util.h"

#define LOG_PART "helper"
#include "util/log.h"

struct helper {
	pid_t pid;
	int fd;
};

static void carry_out(const char *dir, char *const *command, uid_t owner)
{
	struct note note;
	char why[256];
	int rc;

	if (!host_take(dir, owner, &note, why, sizeof(why))) {
		if (*why)
			log_error("%s/%s: %s: nothing is done", dir, NOTE_REQUEST, why);
		return;
	}
	log_warning("shutting this host down: %s", note.reason);
	if (!command)
		command = host_default_command(note.action);
	rc = host_run(command);
	if (rc)
		log_error("%s ended with %d: this host is not shut down", command[0], rc);
}

/* One byte: look. End of file: the daemon is gone. */
static _Noreturn void serve(int fd, const char *dir, char *const *command, uid_t owner)
{
	char byte;
	ssize_t n;

	/* what ends the daemon ends this by its socket; a signal to the group must not be earlier */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	while ((n = read(fd, &byte, 1)) != 0) {
		if (n > 0)
			carry_out(dir, command, owner);
		else if (errno != EINTR)
			break;
	}
	_exit(0);
}

struct helper *helper_start(const char *runtime_dir, char *const *command, unsigned owner,
			    char *error, size_t error_size)
{
	struct helper *helper;
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		snprintf(error, error_size, "no socket for the helper: %s", strerror(errno));
		return NULL;
	}
	pid = fork();
	if (pid == 0) {
		/* nothing of the daemon's: not its lock, not its loop */
		dup2(fds[1], STDERR_FILENO + 1);
		close_range(STDERR_FILENO + 2, ~0U, 0);
		prctl(PR_SET_NAME, "ups2000-helper");
		serve(STDERR_FILENO + 1, runtime_dir, command, owner);
	}
	close(fds[1]);
	if (pid < 0) {
		snprintf(error, error_size, "no process for the helper: %s", strerror(errno));
		close(fds[0]);
		return NULL;
	}
	helper = xcalloc(1, sizeof(*helper));
	helper->pid = pid;
	helper->fd = fds[0];
	fcntl(helper->fd, F_SETFL, O_NONBLOCK);
	return helper;
}

bool helper_ask(struct helper *helper)
{
	ssize_t n = send(helper->fd, "s", 1, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n == 1 || (n < 0 && errno == EAGAIN); /* it has enough to do */
}

void helper_free(struct helper *helper)
{
	if (!helper)
		return;
	close(helper->fd);
	free(helper); /* its end is not waited for: it may be running the command */
}
