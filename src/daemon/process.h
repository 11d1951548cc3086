#pragma once

#include <stddef.h>

struct event_base;

/*
 * Commands of the user: an argument vector, no shell, in a process group of its own, with nothing to
 * read and the daemon's standard error to write to. Never waited for on the loop.
 */
struct process;

/**
 * A command has ended (text NULL: with 0), or failed (text: how, one clause), or there is no such
 * program. Comes once, from the loop.
 */
typedef void (*process_cb)(void *user, const char *text);

/**
 * Start a command.
 *
 * @command  ends with NULL; borrowed for the call, as is facts
 * @facts    "NAME=value" besides the environment of the daemon; ends with NULL
 *
 * Returns NULL if there can be no further process; then why says it, and cb is not called.
 */
struct process *process_start(struct event_base *base, char *const *command, char *const *facts,
			      process_cb cb, void *user, char *why, size_t why_size);

/** cb's user from now on. */
void process_move(struct process *process, void *user);

/** Ask the whole group to end; what is left of it is killed 5 s later. cb comes as usual. */
void process_end(struct process *process);

/** No call any more; the command goes on. For the end of the daemon, or after cb. */
void process_free(struct process *process);
