#include "cli/scan_port.h"

#include <dirent.h>
#include <errno.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "link/explain.h"
#include "link/uucp.h"
#include "util/util.h"

/* A process that has this node open, whether it locked it or not; 0 if none is to be seen. */
static pid_t find_user(const struct stat *port, pid_t pid)
{
	char dir[64], path[320];
	struct stat st;
	pid_t found = 0;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	DIR *fds = opendir(dir);

	for (struct dirent *e; fds && !found && (e = readdir(fds));) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (*e->d_name != '.' && !stat(path, &st) && S_ISCHR(st.st_mode) &&
		    st.st_rdev == port->st_rdev)
			found = pid;
	}
	if (fds)
		closedir(fds);
	return found;
}

/* Pseudo-terminals are kept open by the program at their other end. */
static bool is_pty(const struct stat *st)
{
	return major(st->st_rdev) >= UNIX98_PTY_SLAVE_MAJOR &&
	       major(st->st_rdev) < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT;
}

static pid_t find_holder(const struct stat *port)
{
	pid_t found = flock_holder(port);
	DIR *proc = found || is_pty(port) ? NULL : opendir("/proc");

	for (struct dirent *e; proc && !found && (e = readdir(proc));) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && pid != getpid())
			found = find_user(port, pid);
	}
	if (proc)
		closedir(proc);
	return found;
}

static bool look(const struct scan_port *port, struct link_verdict *v)
{
	char real[PATH_MAX];
	struct uucp_lock lock;
	struct stat st;
	pid_t holder;

	if (adapter_wrong_driver(&port->adapter)) {
		adapter_explain(&port->adapter, port->device, v->reason, sizeof(v->reason));
		return false;
	}
	if (stat(port->device, &st) || !realpath(port->device, real)) {
		explain_open(v, port->device, errno, NULL);
		return false;
	}
	if (!S_ISCHR(st.st_mode)) {
		explain_not_tty(v, port->device, &st);
		return false;
	}
	if (access(port->device, R_OK | W_OK)) {
		explain_open(v, port->device, errno, &st);
		return false;
	}
	uucp_init(&lock, "/run/lock", real);
	holder = uucp_holder(&lock);
	if (holder) {
		explain_held(v, port->device, holder, lock.path);
		return false;
	}
	holder = find_holder(&st);
	if (holder)
		explain_held(v, port->device, holder, NULL);
	return !holder;
}

void scan_look(const struct scan_port *port, struct scan_state *out)
{
	struct link_verdict v = { .reason = "" };

	out->usable = look(port, &v);
	snprintf(out->reason, sizeof(out->reason), "%s", v.reason);
}

struct found {
	struct scan_port *ports;
	size_t n;
};

static void keep_port(void *user, const struct scan_port *port)
{
	struct found *found = user;

	found->ports = xrealloc(found->ports, (found->n + 1) * sizeof(*found->ports));
	found->ports[found->n++] = *port;
}

bool scan_list(const char *sysfs, const char *dev, struct scan_port **ports, size_t *n)
{
	struct found found = { 0 };
	bool good = scan_ports(sysfs, dev, keep_port, &found) >= 0;

	*ports = found.ports;
	*n = found.n;
	return good;
}

const char *scan_best_name(const struct scan_port *port)
{
	return *port->by_path ? port->by_path : port->device;
}

void scan_describe(const struct scan_port *port, const struct scan_state *state)
{
	char adapter[160];

	adapter_text(&port->adapter, adapter, sizeof(adapter));
	printf("%s\n", port->device);
	if (*adapter)
		printf("  adapter   %s%s\n", adapter,
		       adapter_likely(&port->adapter) ? "; UPS2000s have this chip built in" : "");
	else if (*port->adapter.driver)
		printf("  driver    %s\n", port->adapter.driver);
	if (*port->by_path)
		printf("  by path   %s\n", port->by_path);
	printf("  %s  %s\n", state->usable ? "usable  " : "unusable",
	       state->usable ? "yes" : state->reason);
}
