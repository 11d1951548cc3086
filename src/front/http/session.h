#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_user;
struct sessions;

/*
 * Who is logged in. The client holds a random token; we keep only a keyed hash of it. A session
 * ends with its user's password: what is configured is looked at anew each time.
 */
enum {
	SESSION_TOKEN_SIZE = 65,
	SESSION_CSRF_SIZE = 33,
	SESSIONS_MAX = 256, /* more push out the longest unused one */
};
extern const int64_t SESSION_IDLE_US, SESSION_LIFE_US;

struct session {
	uint64_t id; /* never 0, never used again; 0 here: the place is free */
	char user[65];
	char csrf[SESSION_CSRF_SIZE]; /* must come with what writes: only our own page knows it */
	int64_t made_us, used_us;     /* monotonic */
};

struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions);

/** @token  receives what the client shall send from now on */
const struct session *sessions_open(struct sessions *sessions, const struct config_user *user,
				    int64_t now_us, char token[SESSION_TOKEN_SIZE]);

/** The session of a token, if it is good still; counts as a use. */
const struct session *sessions_find(struct sessions *sessions, const char *token,
				    const struct config_user *users, size_t n_users,
				    int64_t now_us);
/** Is it good still? With used it counts as a use. */
bool sessions_good(struct sessions *sessions, uint64_t id, const struct config_user *users,
		   size_t n_users, int64_t now_us, bool used);
void sessions_close(struct sessions *sessions, uint64_t id);

/** Equal, in a time that does not depend on where they differ. */
bool session_csrf_is(const struct session *session, const char *text);
