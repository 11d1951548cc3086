#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * The directory that holds the local socket and the lock that keeps a second daemon out.
 */
struct runtime_dir {
	char *path;
	char *lock_path;
	int lock_fd;
};

/** The default: $RUNTIME_DIRECTORY, else /run/ups2000, for others than root in $XDG_RUNTIME_DIR. */
char *runtime_dir_default(void);
/** The default: $STATE_DIRECTORY, else /var/lib/ups2000. */
char *state_dir_default(void);

/**
 * Create the directory for uid and gid if need be, and take the lock.
 *
 * Returns 0, or -1 with a sentence in error.
 */
int runtime_dir_open(struct runtime_dir *dir, const char *path, uid_t uid, gid_t gid, char *error,
		     size_t error_size);
void runtime_dir_close(struct runtime_dir *dir);

/** Create a directory and those above it; the last one is uid's and gid's. 0, or -1 and errno. */
int directory_make(const char *path, uid_t uid, gid_t gid);
