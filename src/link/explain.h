#pragma once

#include <sys/types.h>

#include "link/link_impl.h"

struct stat;

/*
 * Why a port cannot be used, in words: what is wrong, and what would help. Names of users and
 * groups come from /etc/passwd and /etc/group alone, so that no directory service can stall the
 * loop.
 */

/** stat() or open() of path failed with err; st is NULL if stat() was it. */
void explain_open(struct link_verdict *v, const char *path, int err, const struct stat *st);
/** The path is something else than a terminal device. */
void explain_not_tty(struct link_verdict *v, const char *path, const struct stat *st);

/**
 * Another program has the port.
 *
 * @pid        of that program, or 0 if not known
 * @lock_file  the UUCP lock that says so, or NULL
 */
void explain_held(struct link_verdict *v, const char *path, pid_t pid, const char *lock_file);

/** The pid that holds a flock on this file, 0 if the kernel does not tell. */
pid_t flock_holder(const struct stat *st);

/** The port was up and failed with err (0: it hung up). */
void explain_lost(struct link_verdict *v, const char *path, int err);
