#include "link/hotplug.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/util.h"

#define STEPS_MAX 24 /* /dev/serial/by-path/X -> ../../ttyUSB0 takes 8 */
#define LINKS_MAX 40 /* as the kernel */
#define INTEREST                                                                                   \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF |        \
	 IN_MOVE_SELF | IN_ONLYDIR)

/* One name looked up in one directory. Directories met twice have the same descriptor. */
struct step {
	int wd;
	char name[NAME_MAX + 1];
};

struct hotplug {
	int fd; /* inotify, or -1 */
	struct event event;
	const char *path;
	hotplug_cb cb;
	void *user;
	struct step steps[STEPS_MAX];
	size_t n_steps;
};

static bool has_wd(const struct step *steps, size_t n, int wd)
{
	for (size_t i = 0; i < n; i++)
		if (steps[i].wd == wd)
			return true;
	return false;
}

/* Watch first, look afterwards: a change in between is told. */
static void add_step(struct hotplug *h, const char *dir, const char *name)
{
	int wd = inotify_add_watch(h->fd, *dir ? dir : "/", INTEREST);

	if (wd < 0 || h->n_steps == STEPS_MAX)
		return;
	struct step *step = &h->steps[h->n_steps++];

	step->wd = wd;
	snprintf(step->name, sizeof(step->name), "%s", name);
}

/* Cut the first component off rest into name; false when there is none left. */
static bool next_name(char *rest, char *name)
{
	size_t skip = strspn(rest, "/");
	size_t len = strcspn(rest + skip, "/");

	if (!len || len > NAME_MAX)
		return false;
	memcpy(name, rest + skip, len);
	name[len] = '\0';
	memmove(rest, rest + skip + len, strlen(rest + skip + len) + 1);
	return true;
}

/* Put a symlink's target before what is left of the path. */
static bool splice(char *rest, const char *target)
{
	char joined[PATH_MAX];

	if ((size_t)snprintf(joined, sizeof(joined), "%s/%s", target, rest) >= sizeof(joined))
		return false;
	memcpy(rest, joined, strlen(joined) + 1);
	return true;
}

/* As the kernel resolves it, but stopping to watch each directory. dir is "" for the root. */
static void follow(struct hotplug *h)
{
	char dir[PATH_MAX], rest[PATH_MAX], name[NAME_MAX + 1], path[PATH_MAX], target[PATH_MAX];
	struct stat st;
	int links = 0;

	snprintf(rest, sizeof(rest), "%s", h->path);
	snprintf(dir, sizeof(dir), "%s", *rest == '/' ? "" : ".");
	while (next_name(rest, name)) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
			return;
		add_step(h, dir, name);
		if (lstat(path, &st))
			return;
		if (S_ISLNK(st.st_mode)) {
			ssize_t n = readlink(path, target, sizeof(target) - 1);

			if (n < 0 || ++links > LINKS_MAX)
				return;
			target[n] = '\0';
			if (!splice(rest, target))
				return;
			if (*target == '/')
				*dir = '\0';
		} else if (S_ISDIR(st.st_mode)) {
			memcpy(dir, path, strlen(path) + 1);
		} else {
			return;
		}
	}
}

void hotplug_update(struct hotplug *h)
{
	struct step old[STEPS_MAX];
	size_t n_old = h->n_steps;

	if (h->fd < 0)
		return;
	memcpy(old, h->steps, sizeof(old));
	h->n_steps = 0;
	follow(h);
	for (size_t i = 0; i < n_old; i++)
		if (!has_wd(h->steps, h->n_steps, old[i].wd) && !has_wd(old, i, old[i].wd))
			inotify_rm_watch(h->fd, old[i].wd);
}

/* /dev sees much that is not ours; only the names on our way count. */
static bool concerns_us(const struct hotplug *h, const struct inotify_event *ev)
{
	if (ev->mask & IN_Q_OVERFLOW)
		return true;
	for (size_t i = 0; i < h->n_steps; i++)
		if (h->steps[i].wd == ev->wd && (!ev->len || !strcmp(h->steps[i].name, ev->name)))
			return true;
	return false;
}

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct hotplug *h = arg;
	bool ours = false;
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)what;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const void *)(buf + at);

		ours = ours || concerns_us(h, ev);
		at += (ssize_t)(sizeof(*ev) + ev->len);
	}
	if (!ours)
		return;
	hotplug_update(h);
	h->cb(h->user);
}

struct hotplug *hotplug_new(struct event_base *base, const char *path, hotplug_cb cb, void *user)
{
	struct hotplug *h = xcalloc(1, sizeof(*h));

	h->path = path;
	h->cb = cb;
	h->user = user;
	h->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (h->fd < 0)
		return h;
	event_assign(&h->event, base, h->fd, EV_READ | EV_PERSIST, on_inotify, h);
	event_add(&h->event, NULL);
	hotplug_update(h);
	return h;
}

void hotplug_free(struct hotplug *h)
{
	if (!h)
		return;
	if (h->fd >= 0) {
		event_del(&h->event);
		close(h->fd);
	}
	free(h);
}
