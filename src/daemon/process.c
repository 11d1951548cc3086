#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/util.h"

enum { KILL_AFTER_S = 5 };

extern char **environ;

struct process {
	pid_t pid;
	int pidfd;
	int errors; /* tells why it could not be executed */
	struct event *ended, *kill_timer;
	bool asked; /* to end */
	process_cb cb;
	void *user;
};

static void describe(const struct process *process, int status, char *out, size_t size)
{
	int code;

	if (read(process->errors, &code, sizeof(code)) == (ssize_t)sizeof(code))
		snprintf(out, size, "cannot be started: %s", strerror(code));
	else if (process->asked)
		snprintf(out, size, "was ended");
	else if (WIFSIGNALED(status))
		snprintf(out, size, "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(out, size, "ended with %d", WEXITSTATUS(status));
}

static void on_end(evutil_socket_t fd, short what, void *user)
{
	struct process *process = user;
	char text[128];
	int status = 0;

	(void)fd;
	(void)what;
	if (waitpid(process->pid, &status, WNOHANG) == 0)
		return;
	event_del(process->ended);
	event_del(process->kill_timer);
	if (process->asked)
		kill(-process->pid, SIGKILL); /* whom it left behind */
	process->pid = 0;
	describe(process, status, text, sizeof(text));
	process->cb(process->user, !process->asked && status == 0 ? NULL : text);
}

static void on_kill(evutil_socket_t fd, short what, void *user)
{
	struct process *process = user;

	(void)fd;
	(void)what;
	if (process->pid)
		kill(-process->pid, SIGKILL);
}

static char **environment(char *const *facts)
{
	size_t n = 0, used = 0;
	char **list;

	for (char **e = environ; e && *e; e++)
		n++;
	for (char *const *f = facts; f && *f; f++)
		n++;
	list = xcalloc(n + 1, sizeof(*list));
	for (char **e = environ; e && *e; e++)
		list[used++] = *e;
	for (char *const *f = facts; f && *f; f++)
		list[used++] = *f;
	return list;
}

/* In the child: nothing here may allocate. */
static _Noreturn void become(char *const *command, char **env, int errors)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);
	int code;

	setpgid(0, 0);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	for (int signal_ = 1; signal_ < NSIG; signal_++)
		signal(signal_, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(command[0], command, env);
	code = errno;
	if (write(errors, &code, sizeof(code)) < 0)
		code = 0;
	_exit(127);
}

struct process *process_start(struct event_base *base, char *const *command, char *const *facts,
			      process_cb cb, void *user, char *why, size_t why_size)
{
	struct process *process;
	char **env;
	int errors[2], error;
	pid_t pid;

	if (pipe2(errors, O_CLOEXEC | O_NONBLOCK) < 0) {
		snprintf(why, why_size, "%s", strerror(errno));
		return NULL;
	}
	env = environment(facts);
	pid = fork();
	if (pid == 0)
		become(command, env, errors[1]);
	error = errno;
	free(env);
	close(errors[1]);
	if (pid < 0) {
		close(errors[0]);
		snprintf(why, why_size, "%s", strerror(error));
		return NULL;
	}
	setpgid(pid, pid);
	process = xcalloc(1, sizeof(*process));
	process->pid = pid;
	process->errors = errors[0];
	process->cb = cb;
	process->user = user;
	process->pidfd = pidfd_open(pid, 0);
	process->ended = event_new(base, process->pidfd, EV_READ | EV_PERSIST, on_end, process);
	process->kill_timer = evtimer_new(base, on_kill, process);
	event_add(process->ended, NULL);
	return process;
}

void process_move(struct process *process, void *user)
{
	process->user = user;
}

void process_end(struct process *process)
{
	struct timeval later = { KILL_AFTER_S, 0 };

	if (!process->pid || process->asked)
		return;
	process->asked = true;
	kill(-process->pid, SIGTERM);
	evtimer_add(process->kill_timer, &later);
}

void process_free(struct process *process)
{
	if (!process)
		return;
	event_free(process->ended);
	event_free(process->kill_timer);
	if (process->pidfd >= 0)
		close(process->pidfd);
	close(process->errors);
	free(process);
}
