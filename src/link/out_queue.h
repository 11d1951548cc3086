#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "link/link.h"

/* Bytes that a descriptor did not take at once. */
struct out_queue {
	uint8_t bytes[LINK_QUEUE_MAX];
	size_t len; /* > 0: wait until the descriptor is writable, then out_queue_run() */
};

/** write(2), or what does the same for this kind of descriptor. */
typedef ssize_t (*out_queue_fn)(int fd, const void *data, size_t len);

/**
 * Send bytes, behind what waits already; what is not taken is kept.
 *
 * Returns 0; U2K_EBUSY if there is no room for all of them, and none is sent; or an errno (> 0).
 */
int out_queue_put(struct out_queue *queue, int fd, out_queue_fn send, const uint8_t *data,
		  size_t len);
/** Send what waits. Returns 0 or an errno. */
int out_queue_run(struct out_queue *queue, int fd, out_queue_fn send);
