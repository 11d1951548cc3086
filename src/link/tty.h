#pragma once

#include "link/adapter.h"
#include "link/link_impl.h"
#include "link/uucp.h"

struct tty_params {
	const char *path, *sysfs, *lock_dir;
	unsigned baud;
};

/**
 * Open a serial port for this program alone: raw 8N1, no flow control, non-blocking, both
 * directions empty. Does not touch what is no tty, has the wrong driver or is someone else's.
 *
 * @lock     written; held on success
 * @adapter  written
 * @v        written if this fails
 *
 * Returns the descriptor or -1.
 */
int tty_open(const struct tty_params *params, struct uucp_lock *lock, struct adapter *adapter,
	     struct link_verdict *v);
/** Give back what tty_open() took. */
void tty_close(int fd, struct uucp_lock *lock);

/** Whether path still leads to the node that fd was opened from. */
bool tty_same_node(int fd, const char *path);
