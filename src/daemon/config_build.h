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
/** The line where a section without a title stands, 0 if it does not. */
int config__section_line(const char *name);

/* config_shutdown.c: shutdown, feed, task and wake. */
void config__build_shutdown(struct config *config, cfg_t *root);
/** What holds without such a section, once the UPSes are known. */
void config__no_shutdown(struct config *config);
void config__close_shutdown(struct config_shutdown *shutdown);
