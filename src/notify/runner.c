#include "notify/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "notify/render.h"
#include "util/util.h"

enum {
	KILL_AFTER_S = 2, /* from SIGTERM to SIGKILL */
	HIGH_FD = 10,	  /* descriptors to hand on are above those they are to become */
	CONFIG_FD = 3,
};

struct run {
	LIST_ENTRY(run) list;
	struct runner *runner;
	run_cb cb;
	void *user;
	pid_t pid; /* also the process group; -1: it did not start */
	int out_fd;
	struct event *out, *timer;
	bool timed_out;
	int error;
	char said[RUNNER_SAID_MAX + 1];
	size_t n_said;
};

struct runner {
	struct event_base *base;
	struct event *child;
	LIST_HEAD(run_list, run) runs;
};

static void run_free(struct run *run)
{
	LIST_REMOVE(run, list);
	if (run->out)
		event_free(run->out);
	if (run->timer)
		event_free(run->timer);
	if (run->out_fd >= 0)
		close(run->out_fd);
	free(run);
}

static void finish(struct run *run, int status)
{
	struct run_end end = {
		.timed_out = run->timed_out,
		.error = run->error,
		.status = status,
		.said = run->said,
	};
	char said[RUNNER_SAID_MAX + 1];
	run_cb cb = run->cb;
	void *user = run->user;

	memcpy(said, run->said, sizeof(said));
	end.said = said;
	run_free(run);
	if (cb)
		cb(user, &end);
}

/* The newest bytes are kept. False: that was all. */
static bool read_some(struct run *run)
{
	char bytes[1024];
	ssize_t n = read(run->out_fd, bytes, sizeof(bytes));

	if (n <= 0)
		return false;
	if (run->n_said + (size_t)n > RUNNER_SAID_MAX) {
		size_t drop = run->n_said + (size_t)n - RUNNER_SAID_MAX;

		memmove(run->said, run->said + drop, run->n_said - drop);
		run->n_said -= drop;
	}
	for (ssize_t i = 0; i < n; i++)
		run->said[run->n_said++] = bytes[i] ? bytes[i] : ' ';
	run->said[run->n_said] = '\0';
	return true;
}

static void on_output(evutil_socket_t fd, short what, void *user)
{
	struct run *run = user;

	(void)fd;
	(void)what;
	if (!read_some(run) && errno != EAGAIN && errno != EINTR)
		event_del(run->out);
}

/* Has it ended? What it left in its group after its time was up, goes with it. */
static void look_after(struct run *run)
{
	siginfo_t info = { .si_pid = 0 };
	int status = 0;

	if (run->pid < 0 || waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    !info.si_pid)
		return;
	if (run->timed_out)
		kill(-run->pid, SIGKILL);
	if (waitpid(run->pid, &status, WNOHANG) != run->pid)
		return;
	for (int i = 0; i < 64 && read_some(run); i++) /* no more than a pipe holds */
		;
	finish(run, status);
}

static void look_after_all(struct runner *runner)
{
	struct run *run, *next;

	for (run = LIST_FIRST(&runner->runs); run; run = next) {
		next = LIST_NEXT(run, list);
		look_after(run);
	}
}

static void on_child(evutil_socket_t signal, short what, void *user)
{
	(void)signal;
	(void)what;
	look_after_all(user);
}

static void set_timer(struct run *run, unsigned seconds)
{
	struct timeval tv = { (time_t)seconds, 0 };

	event_add(run->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	struct run *run = user;

	(void)fd;
	(void)what;
	if (run->pid < 0) { /* it never started */
		finish(run, 0);
		return;
	}
	kill(-run->pid, run->timed_out ? SIGKILL : SIGTERM);
	run->timed_out = true;
	set_timer(run, KILL_AFTER_S);
}

struct runner *runner_new(struct event_base *base)
{
	struct runner *runner = xcalloc(1, sizeof(*runner));

	runner->base = base;
	LIST_INIT(&runner->runs);
	runner->child = evsignal_new(base, SIGCHLD, on_child, runner);
	event_add(runner->child, NULL);
	return runner;
}

void runner_free(struct runner *runner)
{
	struct run *run;

	if (!runner)
		return;
	while ((run = LIST_FIRST(&runner->runs))) {
		if (run->pid > 0) {
			kill(-run->pid, SIGKILL);
			waitpid(run->pid, NULL, WNOHANG);
		}
		run_free(run);
	}
	event_free(runner->child);
	free(runner);
}

/* --- starting ---------------------------------------------------------------------------------- */

/* A descriptor above those that are rearranged. Takes fd; -1 stays -1. */
static int raise_fd(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (fd >= 0)
		close(fd);
	return high;
}

/* Text to read from the beginning, in memory: nothing has to be pumped into the child. */
static int text_fd(const char *text)
{
	size_t len = strlen(text);
	int fd = raise_fd(memfd_create("ups2000-notify", MFD_CLOEXEC));

	if (fd >= 0 && write(fd, text, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int spawn(pid_t *pid, const struct job *job, int in, int out, int config)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int error;

	sigemptyset(&none);
	sigemptyset(&defaults);
	for (int signal = 1; signal < NSIG; signal++)
		if (signal != SIGKILL && signal != SIGSTOP)
			sigaddset(&defaults, signal);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	if (config >= 0)
		posix_spawn_file_actions_adddup2(&actions, config, CONFIG_FD);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
	error = posix_spawn(pid, job->args[0], &actions, &attr, job->args, job->env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return error;
}

static int start(struct run *run, const struct job *job)
{
	int pipe_fds[2] = { -1, -1 };
	int in = text_fd(job->input), config = job->config ? text_fd(job->config) : -1;
	int error = 0, out;

	if (in < 0 || (job->config && config < 0) || pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		error = errno ? errno : EIO;
		goto out;
	}
	/* only our end does not block */
	out = raise_fd(pipe_fds[1]);
	if (out < 0 || fcntl(out, F_SETFL, 0) < 0) {
		error = errno;
		close(pipe_fds[0]);
		goto out;
	}
	error = spawn(&run->pid, job, in, out, config);
	close(out);
	if (error)
		close(pipe_fds[0]);
	else
		run->out_fd = pipe_fds[0];
out:
	if (in >= 0)
		close(in);
	if (config >= 0)
		close(config);
	return error;
}

struct run *runner_start(struct runner *runner, const struct job *job, unsigned timeout_s,
			 run_cb cb, void *user)
{
	struct run *run = xcalloc(1, sizeof(*run));

	run->runner = runner;
	run->cb = cb;
	run->user = user;
	run->pid = -1;
	run->out_fd = -1;
	run->timer = evtimer_new(runner->base, on_timer, run);
	LIST_INSERT_HEAD(&runner->runs, run, list);
	errno = 0;
	run->error = start(run, job);
	if (run->error) {
		run->pid = -1;
		event_active(run->timer, EV_TIMEOUT, 0);
		return run;
	}
	run->out = event_new(runner->base, run->out_fd, EV_READ | EV_PERSIST, on_output, run);
	event_add(run->out, NULL);
	set_timer(run, timeout_s);
	return run;
}

void runner_drop(struct run *run)
{
	run->cb = NULL;
	if (run->pid > 0)
		kill(-run->pid, SIGKILL); /* on_child() sees to the rest */
}

void runner_look(struct runner *runner)
{
	look_after_all(runner);
}
