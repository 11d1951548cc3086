#pragma once

#include <stdbool.h>
#include <sys/queue.h>

struct event_base;
struct config_user;

/*
 * Passwords. A crypt(3) hash takes milliseconds to seconds, so it is computed in a thread behind a
 * bounded queue; pairs that passed are remembered (as a keyed hash, never the password), wrong ones
 * for a few seconds. Passwords are never logged.
 */
struct auth;
struct auth_job;

enum auth_result {
	AUTH_DENIED,
	AUTH_OK,
	AUTH_PENDING, /* the answer needs a hash: ask again when told */
};

/* Someone who waits for an answer; embedded in the caller's object. */
struct auth_wait {
	TAILQ_ENTRY(auth_wait) node;
	struct auth_job *job; /* NULL: not waiting */
	void (*ready)(struct auth_wait *wait);
};

struct auth *auth_new(struct event_base *base);
/** Waits for the hash being computed; those who wait are not called. */
void auth_free(struct auth *auth);

/**
 * Does this password belong to this user?
 *
 * @user      NULL gives AUTH_DENIED
 * @password  copied
 * @wait      on AUTH_PENDING: wait->ready is called once, from the loop; then call auth_check()
 *            again. wait->ready must be set, wait->job NULL.
 *
 * AUTH_DENIED also when too many checks are waiting.
 */
enum auth_result auth_check(struct auth *auth, const struct config_user *user, const char *password,
			    struct auth_wait *wait);

/** After AUTH_PENDING: is this what the hash is computed for, and not a check that had begun? */
bool auth_is_first(const struct auth_wait *wait);

/** No longer wait (harmless if not waiting). */
void auth_cancel(struct auth_wait *wait);
