#pragma once

#include <confuse.h>

#include "daemon/config.h"

/* Shared by config_file.c (libconfuse) and config.c (what it means). */

/** Line of the nth value of a key in a section; of the section's opening if there is none. */
int config__line(const cfg_t *section, const char *key, size_t index);
/** Report; a fatal one makes the file unusable. text comes without the last full stop. */
void config__say(bool fatal, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** Fill config from a file that was parsed and whose single values are good. */
void config__build(struct config *config, cfg_t *root);
/** config_notify.c: the sections notify. */
void config__build_notify(struct config *config, cfg_t *root);
void config__close_notify(struct config *config);
/** What holds where a file says nothing. */
void config__defaults(struct config *config);
