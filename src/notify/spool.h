#pragma once

#include <stdbool.h>
#include <stddef.h>

struct event_base;

/*
 * The queue's directory: small files, each written, replaced and removed as a whole by a thread, so
 * that a slow or full disk never holds up the loop. Order: what was asked for one file last, holds;
 * between files there is none.
 */
struct spool;

struct spool_ops {
	/* Asked for earlier; error = 0 or errno. From the loop. Only for writes. */
	void (*written)(void *user, const char *file, int error);
};

/** dir is made if it is not there; its parent must be. */
struct spool *spool_new(struct event_base *base, const char *dir, const struct spool_ops *ops,
			void *user);
/** Finishes everything that was asked for, but waits at most wait_ms for a disk that hangs. */
void spool_free(struct spool *spool, unsigned wait_ms);

/** Each file there is, in the order of names; text is borrowed. False: it is damaged, set it aside. */
typedef bool (*spool_load_fn)(void *user, const char *file, const char *text, size_t len);
/** Blocks, for the start only. Files that are too large or not regular are set aside. */
void spool_load(struct spool *spool, spool_load_fn load, void *user);

/** text is taken. */
void spool_write(struct spool *spool, const char *file, char *text);
void spool_remove(struct spool *spool, const char *file);
