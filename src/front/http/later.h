#pragma once

struct api_reply;

/*
 * A reply that comes later: a handler that needs a thread's work (the history's) puts one into
 * api_reply.later and returns; whoever carries the answer to the client waits for it. Everything
 * here happens on the loop.
 *
 * The handler's side calls api_later_answer() exactly once, whether or not the client is still
 * there. The carrier's side calls one of api_later_wait() and api_later_abandon() when api_handle()
 * has returned, and may abandon what it waits for.
 */
struct api_later;

/* Called once. reply is the carrier's to send; it is cleared afterwards. */
typedef void (*api_later_cb)(void *user, struct api_reply *reply);

struct api_later *api_later_new(void);

/** The answer is here: it goes to the carrier, or nowhere. Takes what reply holds. */
void api_later_answer(struct api_later *later, struct api_reply *reply);

/** From now on cb is told of the answer; at once if it is here already. */
void api_later_wait(struct api_later *later, api_later_cb cb, void *user);
/** Nobody wants the answer (any more). */
void api_later_abandon(struct api_later *later);
