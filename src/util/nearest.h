#pragma once

#include <stddef.h>

/**
 * The word of a list that is most likely meant.
 *
 * Returns one of words, or NULL if none is near (more than a third of it would have to change).
 */
const char *nearest(const char *typed, const char *const *words, size_t n);
