#include "hook/host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/util.h"

bool host_take(const char *dir, uid_t owner, struct note *note, char *why, size_t why_size)
{
	char *from = xasprintf("%s/%s", dir, NOTE_REQUEST);
	char *to = xasprintf("%s/%s", dir, NOTE_TAKEN);
	bool good = note_read(dir, NOTE_REQUEST, owner, note, why, why_size);

	if (good && rename(from, to) < 0) {
		snprintf(why, why_size, "it cannot be renamed: %s", strerror(errno));
		good = false;
	}
	if (!good && *why)
		unlink(from);
	free(from);
	free(to);
	return good;
}

char *const *host_default_command(enum note_action action)
{
	static char systemctl[] = "systemctl", poweroff[] = "poweroff", reboot[] = "reboot";
	static char shutdown[] = "/sbin/shutdown", power[] = "-P", again[] = "-r", now[] = "now";
	static char *const with_systemd[][3] = {
		[NOTE_POWEROFF] = { systemctl, poweroff, NULL },
		[NOTE_REBOOT] = { systemctl, reboot, NULL },
	};
	static char *const without[][5] = {
		[NOTE_POWEROFF] = { shutdown, power, now, NULL },
		[NOTE_REBOOT] = { shutdown, again, now, NULL },
	};

	return access("/run/systemd/system", F_OK) == 0 ? with_systemd[action] : without[action];
}

int host_run(char *const *command)
{
	sigset_t none;
	pid_t child = fork();
	int status;

	if (child < 0)
		return 127;
	if (child == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		execvp(command[0], command);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
