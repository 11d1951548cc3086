#pragma once

#include <stddef.h>

struct event_base;
struct sim_world;
struct control;

/**
 * Listen on a unix socket; each line of each client is a command for sim_command().
 *
 * @path   replaced if a dead socket, refused if somebody answers there; copied
 * @world  borrowed until control_free()
 * @done   called after every command, as it may have changed what is due next
 *
 * Returns NULL and err says what is wrong.
 */
struct control *control_new(struct event_base *base, const char *path, struct sim_world *world,
			    void (*done)(void *user), void *user, char *err, size_t err_size);

/** Close all and remove the socket. NULL is taken. */
void control_free(struct control *control);
