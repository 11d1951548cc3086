#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "hook/note.h"

/*
 * The side with root of a host shutdown: takes the daemon's request and runs the command. Used by
 * ups2000-host (started by a systemd path unit) and by the daemon's helper process where there is no
 * systemd. Nothing of the request is ever executed.
 */

/**
 * Take the request in dir: from then on the late hook may act on it. One that is not good is removed,
 * so that it does not start anything again and again.
 *
 * @owner  who may have written it besides root, or (uid_t)-1
 *
 * Returns true and the note; else false and a reason, "" if there is no request.
 */
bool host_take(const char *dir, uid_t owner, struct note *note, char *why, size_t why_size);

/** The command when the user named none: a list of strings that ends with NULL. */
char *const *host_default_command(enum note_action action);

/** Run a command to its end. Returns its exit status, or 127 if it could not be started. */
int host_run(char *const *command);
