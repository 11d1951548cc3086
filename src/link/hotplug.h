#pragma once

struct event_base;
struct hotplug;

/* Something on the way to the path appeared, went, or changed its permissions. */
typedef void (*hotplug_cb)(void *user);

/**
 * Watch every directory that the path passes through, symlinks resolved, by inotify. cb comes from
 * the loop and may free the watcher. Where inotify is not to be had nothing is ever told, so poll
 * as well.
 *
 * @path  absolute or relative; borrowed, must outlive the watcher
 */
struct hotplug *hotplug_new(struct event_base *base, const char *path, hotplug_cb cb, void *user);
/** Follow the path anew; also done before each cb. */
void hotplug_update(struct hotplug *hotplug);
void hotplug_free(struct hotplug *hotplug);
