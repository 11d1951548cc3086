#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * Write text to path so that there is always the old file or the new one as a whole, on the disk
 * when this returns (mode 0640). Blocks: for threads.
 *
 * Returns false with errno; the old file is then untouched.
 */
bool file_replace(const char *path, const char *text);

/** A thread with a small stack that takes no signals: those are the loop's. */
bool thread_start(pthread_t *thread, void *(*run)(void *user), void *user);
