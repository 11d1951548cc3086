#pragma once

#include <limits.h>
#include <sys/types.h>

/*
 * UUCP lock files, as minicom, cu, picocom and others keep them: LCK..NAME holds the pid of whoever
 * uses the port, in ten ASCII columns and a newline (Filesystem Hierarchy Standard 3.0, 5.9).
 */
struct uucp_lock {
	char path[PATH_MAX]; /* of the lock file; "" if none can be had */
	int held;	     /* it is ours */
};

/** Name the lock file of a device; device is the real path, without symlinks. */
void uucp_init(struct uucp_lock *lock, const char *dir, const char *device);

/** Who else holds it: a live pid, -1 if that cannot be told yet, 0 if nobody (or only we). */
pid_t uucp_holder(const struct uucp_lock *lock);

/**
 * Take the lock, a stale one too. Returns 0, or what uucp_holder() says if another was faster.
 * Where the directory does not let us (not writable, a dead program's file of another user), that
 * counts as taken: flock and TIOCEXCL still stand.
 */
pid_t uucp_take(struct uucp_lock *lock);
/** Remove the lock if it is ours. */
void uucp_drop(struct uucp_lock *lock);
