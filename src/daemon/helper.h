#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "hook/note.h"

/*
 * Where no systemd takes requests: a process forked before root is given up, which does nothing but
 * run the command that shuts this host down, when the daemon's word comes and a good request of this
 * boot lies in the runtime directory. It ends with the daemon.
 */
struct helper;

/**
 * Start it; to be called as root, before anything else is open.
 *
 * @command  ends with NULL, or NULL: the default; copied by the fork
 * @owner    whom the daemon will run as: whose requests are taken
 *
 * Returns NULL with a sentence in error.
 */
struct helper *helper_start(const char *runtime_dir, char *const *command, unsigned owner,
			    char *error, size_t error_size);
/** Have it look at the request. False: it is gone. */
bool helper_ask(struct helper *helper);
void helper_free(struct helper *helper);
