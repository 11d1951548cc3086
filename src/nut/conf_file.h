#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "nut/lexer.h"

/*
 * A configuration file in NUT's grammar (ups.conf, upsd.conf, upsd.users, upsmon.conf, nut.conf),
 * line by line as words; what they mean is the caller's.
 */

/**
 * One line that has words.
 *
 * @line   number of the first physical line, from 1
 * @words  borrowed for the call
 *
 * Returns false to stop reading; the caller of nut_conf_read() knows why then.
 */
typedef bool (*nut_conf_line_fn)(void *user, int line, const struct nut_line *words);

/**
 * Read an open file to its end, at most 1 MB.
 *
 * @path        what messages call it
 * @error       a sentence with file, line, what is wrong and what would be right; 512 bytes are
 *              enough. Untouched if take stopped the reading.
 *
 * Returns false if the file cannot be read, is no text, leaves a quote open, or take stopped.
 */
bool nut_conf_read(FILE *file, const char *path, nut_conf_line_fn take, void *user, char *error,
		   size_t error_size);
