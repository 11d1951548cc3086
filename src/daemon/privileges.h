#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whom the daemon runs as. */
struct privileges {
	bool drop; /* started as root and there is someone else to be */
	char user[65];
	uid_t uid;
	gid_t gid;
};

/**
 * Decide whom to run as.
 *
 * @user   configured, or NULL: the system user "ups2000" if there is one
 * @group  configured, or NULL: the user's own
 *
 * Returns false with a sentence in error if that is not possible.
 */
bool privileges_choose(struct privileges *privileges, const char *user, const char *group,
		       char *error, size_t error_size);

/** Become that user with its supplementary groups, for good; no privileges can be gained again. */
bool privileges_drop(const struct privileges *privileges, char *error, size_t error_size);
