#include "notify/queue.h"

#include <stdlib.h>
#include <string.h>

#include "notify/message.h"
#include "util/util.h"

struct queue {
	struct message *list[QUEUE_MAX + 1]; /* oldest first */
	size_t n;
	bool sending; /* list[0] */
	unsigned failures;
	int64_t not_before_us, expire_us;
};

struct queue *queue_new(int64_t expire_us)
{
	struct queue *queue = xcalloc(1, sizeof(*queue));

	queue->expire_us = expire_us;
	return queue;
}

void queue_free(struct queue *queue)
{
	if (!queue)
		return;
	for (size_t i = 0; i < queue->n; i++)
		message_free(queue->list[i]);
	free(queue);
}

void queue_set_expire(struct queue *queue, int64_t expire_us)
{
	queue->expire_us = expire_us;
}

static struct message *take_out(struct queue *queue, size_t i)
{
	struct message *message = queue->list[i];

	memmove(&queue->list[i], &queue->list[i + 1], (queue->n - i - 1) * sizeof(*queue->list));
	queue->n--;
	return message;
}

struct message *queue_add(struct queue *queue, struct message *message)
{
	size_t victim = queue->sending ? 1 : 0;

	queue->list[queue->n++] = message;
	if (queue->n <= QUEUE_MAX)
		return NULL;
	for (size_t i = victim; i < queue->n; i++)
		if (message_rank(queue->list[i]->severity) <
		    message_rank(queue->list[victim]->severity))
			victim = i;
	return take_out(queue, victim);
}

static int64_t too_old_us(const struct queue *queue, size_t i)
{
	const struct message *message = queue->list[i];
	int64_t old_us = message->made_us + queue->expire_us;

	return old_us > message->until_us ? old_us : message->until_us;
}

int64_t queue_due_us(const struct queue *queue)
{
	int64_t old;

	if (!queue->n || queue->sending)
		return INT64_MAX;
	old = too_old_us(queue, 0);
	return old < queue->not_before_us ? old : queue->not_before_us;
}

struct message *queue_expired(struct queue *queue, int64_t now_us)
{
	for (size_t i = queue->sending ? 1 : 0; i < queue->n; i++)
		if (now_us >= too_old_us(queue, i))
			return take_out(queue, i);
	return NULL;
}

const struct message *queue_send(struct queue *queue, int64_t now_us)
{
	if (!queue->n || queue->sending || now_us < queue->not_before_us)
		return NULL;
	queue->sending = true;
	return queue->list[0];
}

/* failures is at least 1. */
static int64_t retry_us(unsigned failures, uint32_t chance)
{
	int64_t wait_s = QUEUE_FIRST_RETRY_S;

	for (unsigned i = 1; i < failures && wait_s < QUEUE_LAST_RETRY_S; i++)
		wait_s *= 2;
	if (wait_s > QUEUE_LAST_RETRY_S)
		wait_s = QUEUE_LAST_RETRY_S;
	return wait_s * 750000 + wait_s * 500000 / 1024 * (chance % 1024);
}

struct message *queue_done(struct queue *queue, enum queue_result result, int64_t now_us,
			   uint32_t chance)
{
	queue->sending = false;
	if (result == QUEUE_AGAIN) {
		queue->failures++;
		queue->not_before_us = now_us + retry_us(queue->failures, chance);
		return NULL;
	}
	queue->failures = 0;
	queue->not_before_us = 0;
	return take_out(queue, 0);
}

void queue_hurry(struct queue *queue)
{
	queue->not_before_us = 0;
}

size_t queue_count(const struct queue *queue)
{
	return queue->n;
}

unsigned queue_failures(const struct queue *queue)
{
	return queue->failures;
}

const struct message *queue_at(const struct queue *queue, size_t i)
{
	return queue->list[i];
}
