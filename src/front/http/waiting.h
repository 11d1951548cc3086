#pragma once

struct api_later;
struct door;
struct evhttp_request;
struct waiting;

/*
 * Requests whose answer comes later (later.h). A client that leaves meanwhile costs nothing but the
 * work that was begun for it.
 */
struct waiting *waiting_new(void);
/** Forgets all; their connections are the caller's to close (evhttp_free()). NULL is allowed. */
void waiting_free(struct waiting *waiting);
/** Answer req (exchange_answer()) when later is answered. Takes req. */
void waiting_add(struct waiting *waiting, struct door *door, struct evhttp_request *req,
		 struct api_later *later);
