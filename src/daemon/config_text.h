#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CONFIG_TEXT_MAX = 1024 * 1024 };

/**
 * Read a whole file as text.
 *
 * @line   where it is bad, 0 = nowhere in particular
 *
 * Returns a string to free, or NULL with a reason in why: too large, a NUL byte, a read error.
 */
char *config_text_read(FILE *file, int *line, char *why, size_t size);

/**
 * Overwrite comments (#, //, C's) with blanks; newlines stay. libconfuse 3.3 counts the line of a
 * comment three times, and its messages would point to the wrong place.
 */
void config_text_blank_comments(char *text);

/**
 * Line of an opening brace that is never closed (libconfuse takes the end of the file for its end),
 * or 0. For text without comments.
 */
int config_text_unclosed(const char *text);

/** Nothing but comments and blanks, as a package installs it. False also for what cannot be read. */
bool config_text_says_nothing(FILE *file);
