#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message;

/*
 * What waits for one target: sent one at a time and in order, the first one again and again until
 * it is delivered, given up or too old. Pure: the time (microseconds, monotonic) and chance go in.
 */
enum {
	QUEUE_MAX = 500,
	QUEUE_FIRST_RETRY_S = 5,
	QUEUE_LAST_RETRY_S = 900, /* doubling up to here, each a quarter more or less by chance */
};

struct queue;

enum queue_result { QUEUE_DELIVERED, QUEUE_AGAIN, QUEUE_GIVEN_UP };

struct queue *queue_new(int64_t expire_us);
void queue_free(struct queue *queue);
void queue_set_expire(struct queue *queue, int64_t expire_us);

/**
 * Append; message is taken.
 *
 * Returns NULL, or the message that had to make room (the oldest of the least severe; maybe the new
 * one itself), which is the caller's then.
 */
struct message *queue_add(struct queue *queue, struct message *message);

/** When there is something to do: send, or let go of what is too old. INT64_MAX: nothing. */
int64_t queue_due_us(const struct queue *queue);

/** The next message that is too old, which is the caller's then; or NULL. Call until NULL. */
struct message *queue_expired(struct queue *queue, int64_t now_us);

/** The message to send now, which stays the queue's; or NULL. queue_done() tells how it went. */
const struct message *queue_send(struct queue *queue, int64_t now_us);

/**
 * The end of an attempt.
 *
 * @chance  a random number, spreads the retries
 *
 * Returns the message if it is done with (the caller's then), or NULL: it will be tried again.
 */
struct message *queue_done(struct queue *queue, enum queue_result result, int64_t now_us,
			   uint32_t chance);

/** The target works after all (a test got through): try at once. */
void queue_hurry(struct queue *queue);

size_t queue_count(const struct queue *queue);
unsigned queue_failures(const struct queue *queue); /* of the first message, in a row */
const struct message *queue_at(const struct queue *queue, size_t i); /* oldest first */
