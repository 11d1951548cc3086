#include "front/http/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "auth/digest.h"
#include "auth/rights.h"
#include "daemon/config.h"
#include "util/util.h"
#include <ups2000/ups.h>

const int64_t SESSION_IDLE_US = 12 * 3600 * U2K_SEC, SESSION_LIFE_US = 7 * 24 * 3600 * U2K_SEC;

struct place {
	struct session session;
	struct digest token, password;
};

struct sessions {
	struct digest_key key;
	uint64_t last_id;
	struct place places[SESSIONS_MAX];
};

struct sessions *sessions_new(void)
{
	struct sessions *sessions = xcalloc(1, sizeof(*sessions));

	digest_key_make(&sessions->key);
	return sessions;
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	explicit_bzero(sessions, sizeof(*sessions));
	free(sessions);
}

static void random_text(char *out, size_t size)
{
	uint8_t byte;

	for (size_t i = 0; i + 2 < size; i += 2) {
		random_bytes(&byte, 1);
		snprintf(out + i, 3, "%02x", byte);
	}
}

static struct digest password_of(const struct sessions *sessions, const struct config_user *user)
{
	return digest_texts(&sessions->key, "password", user->name,
			    user->password ? user->password : "");
}

static bool good(const struct sessions *sessions, const struct place *place,
		 const struct config_user *users, size_t n_users, int64_t now)
{
	const struct session *session = &place->session;
	const struct config_user *user;
	struct digest password;

	if (!session->id || now - session->used_us > SESSION_IDLE_US ||
	    now - session->made_us > SESSION_LIFE_US)
		return false;
	user = rights_user(users, n_users, session->user);
	if (!user || !user->password)
		return false;
	password = password_of(sessions, user);
	return digest_same(&password, &place->password);
}

const struct session *sessions_open(struct sessions *sessions, const struct config_user *user,
				    int64_t now_us, char token[SESSION_TOKEN_SIZE])
{
	struct place *place = &sessions->places[0];

	for (size_t i = 0; i < SESSIONS_MAX && place->session.id; i++)
		if (!sessions->places[i].session.id ||
		    sessions->places[i].session.used_us < place->session.used_us)
			place = &sessions->places[i];
	random_text(token, SESSION_TOKEN_SIZE);
	memset(place, 0, sizeof(*place));
	place->session.id = ++sessions->last_id;
	snprintf(place->session.user, sizeof(place->session.user), "%s", user->name);
	random_text(place->session.csrf, sizeof(place->session.csrf));
	place->session.made_us = place->session.used_us = now_us;
	place->token = digest_texts(&sessions->key, "token", token, "");
	place->password = password_of(sessions, user);
	return &place->session;
}

const struct session *sessions_find(struct sessions *sessions, const char *token,
				    const struct config_user *users, size_t n_users, int64_t now_us)
{
	struct digest wanted;

	if (strlen(token) != SESSION_TOKEN_SIZE - 1)
		return NULL;
	wanted = digest_texts(&sessions->key, "token", token, "");
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct place *place = &sessions->places[i];

		if (!place->session.id || !digest_same(&wanted, &place->token))
			continue;
		if (!good(sessions, place, users, n_users, now_us))
			return NULL;
		place->session.used_us = now_us;
		return &place->session;
	}
	return NULL;
}

static struct place *by_id(struct sessions *sessions, uint64_t id)
{
	for (size_t i = 0; id && i < SESSIONS_MAX; i++)
		if (sessions->places[i].session.id == id)
			return &sessions->places[i];
	return NULL;
}

bool sessions_good(struct sessions *sessions, uint64_t id, const struct config_user *users,
		   size_t n_users, int64_t now_us, bool used)
{
	struct place *place = by_id(sessions, id);

	if (!place || !good(sessions, place, users, n_users, now_us))
		return false;
	if (used)
		place->session.used_us = now_us;
	return true;
}

void sessions_close(struct sessions *sessions, uint64_t id)
{
	struct place *place = by_id(sessions, id);

	if (place)
		memset(place, 0, sizeof(*place));
}

bool session_csrf_is(const struct session *session, const char *text)
{
	unsigned char diff = 0;

	if (!text || strlen(text) != SESSION_CSRF_SIZE - 1)
		return false;
	for (size_t i = 0; i < SESSION_CSRF_SIZE - 1; i++)
		diff |= (unsigned char)(session->csrf[i] ^ text[i]);
	return diff == 0;
}
