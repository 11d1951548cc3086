#include "link/out_queue.h"

#include <errno.h>
#include <string.h>

#include <ups2000/error.h>

/* How much was taken, or a negative errno. */
static ssize_t try_send(int fd, out_queue_fn send, const uint8_t *data, size_t len)
{
	ssize_t n = send(fd, data, len);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int out_queue_put(struct out_queue *queue, int fd, out_queue_fn send, const uint8_t *data,
		  size_t len)
{
	if (len > sizeof(queue->bytes) - queue->len)
		return U2K_EBUSY;
	if (!queue->len) {
		ssize_t n = try_send(fd, send, data, len);

		if (n < 0)
			return (int)-n;
		data += n;
		len -= (size_t)n;
	}
	memcpy(queue->bytes + queue->len, data, len);
	queue->len += len;
	return 0;
}

int out_queue_run(struct out_queue *queue, int fd, out_queue_fn send)
{
	ssize_t n = try_send(fd, send, queue->bytes, queue->len);

	if (n < 0)
		return (int)-n;
	queue->len -= (size_t)n;
	memmove(queue->bytes, queue->bytes + n, queue->len);
	return 0;
}
