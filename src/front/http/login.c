#include "front/http/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "auth/peers.h"
#include "daemon/hub.h"
#include "daemon/networks.h"
#include "front/http/headers.h"
#include "util/util.h"
#include <ups2000/ups.h>

#define LOG_PART "http"
#include "util/log.h"

enum {
	CHECKING_MAX = 16,  /* checks at once: the hashing thread is the NUT clients' too */
	CHECKING_LOCAL = 4, /* of these are kept for this host */
	FAILURES_MAX = 60,  /* of all addresses together; one is forgiven each second */
	RETRY_S = 30,
};
static const int64_t BLOCKED_EACH_US = 60 * U2K_SEC, FAILED_EACH_US = 5 * U2K_SEC;

/* What cookies are called: a browser lets nobody but an https page of this host set the second. */
static const char COOKIE[] = "ups2000", SECURE_COOKIE[] = "__Host-ups2000";

static const char *cookie_name(const struct exchange *x)
{
	return x->door->tls ? SECURE_COOKIE : COOKIE;
}

void login_configure(struct http_front *front)
{
	const struct http_front_config *config = &front->config;
	const struct config_user *model = NULL;
	char *end;

	free(front->decoy.name);
	free(front->decoy.password);
	memset(&front->decoy, 0, sizeof(front->decoy));
	for (size_t i = 0; i < config->n_users && (!model || model->plain); i++)
		if (config->users[i].password)
			model = &config->users[i];
	if (!model)
		return;
	front->decoy.name = xstrdup("");
	front->decoy.password = xstrdup(model->password);
	front->decoy.plain = model->plain;
	/* another hash of the same kind: nobody has its password */
	end = front->decoy.password + strlen(front->decoy.password) - 1;
	*end = *end == '.' ? '/' : '.';
}

/* ---- limits ---- */

static bool all_blocked(struct http_front *front)
{
	struct failures *all = &front->failures;
	int64_t now = clock_us(), forgiven = (now - all->at_us) / U2K_SEC;

	if (forgiven >= all->n) {
		all->n = 0;
		all->at_us = now;
	} else {
		all->n -= (unsigned)forgiven;
		all->at_us += forgiven * U2K_SEC;
	}
	return all->n >= FAILURES_MAX;
}

static void count_failure(struct exchange *x)
{
	if (x->known)
		peers_failed(x->known);
	if (!address_is_loopback(exchange_peer(x)) && x->door->front->failures.n < FAILURES_MAX)
		x->door->front->failures.n++;
}

static void take_failure_back(struct exchange *x)
{
	if (x->known)
		peers_take_back(x->known);
	if (!address_is_loopback(exchange_peer(x)) && x->door->front->failures.n)
		x->door->front->failures.n--;
}

/* Strangers can cause these lines. */
static bool may_say(int64_t *said_us, int64_t each_us)
{
	int64_t now = clock_us();

	if (*said_us && now - *said_us < each_us)
		return false;
	*said_us = now;
	return true;
}

static bool blocked(struct exchange *x)
{
	struct http_front *front = x->door->front;
	bool local = address_is_loopback(exchange_peer(x));
	bool begins = false, one, all;

	one = x->known && peers_blocked(front->peers, x->known, &begins);
	all = !local && all_blocked(front);
	if ((one || all) && may_say(&front->said_blocked_us, BLOCKED_EACH_US)) {
		log_warning("too many failed logins from %s: no more are looked at for a while",
			    one ? x->from : "other hosts");
		hub_event(front->hub, "login-blocked", "warning", NULL, NULL,
			  "Too many failed logins from %s; no more are looked at for a while.",
			  one ? x->from : "other hosts");
	}
	return one || all || front->n_checking >= CHECKING_MAX - (local ? 0 : CHECKING_LOCAL);
}

/* ---- passwords ---- */

/* A user who may not come from here is none. */
static const struct config_user *user_here(const struct exchange *x, const char *name)
{
	const struct http_front_config *config = &x->door->front->config;
	const struct config_user *user = rights_user(config->users, config->n_users, name);

	if (user && (!rights_here(user, exchange_peer(x)) ||
		     !rights_from(config->access, ACCESS_LOGIN, exchange_peer(x))))
		return NULL;
	return user;
}

static enum step refuse(struct exchange *x, struct api_reply *reply)
{
	api_problem(reply, 429, NULL, "too many failed logins; try again later");
	x->retry_s = RETRY_S;
	return STEP_REPLY;
}

/*
 * Guesses are counted, not questions: one whose hash takes a while counts as failed in advance, the
 * same guess on other connections meanwhile does not. Sets account on STEP_GO.
 */
static enum step check_password(struct exchange *x, const char *name, const char *password,
				struct api_reply *reply)
{
	struct http_front *front = x->door->front;
	const struct config_user *user = user_here(x, name);
	const struct config_user *checked = user ? user : &front->decoy;
	enum attempt attempt = x->attempt;

	if (attempt == ATTEMPT_NONE && blocked(x))
		return refuse(x, reply);
	switch (auth_check(front->auth, checked->name ? checked : NULL, password, &x->wait)) {
	case AUTH_OK:
		if (attempt == ATTEMPT_CHARGED)
			take_failure_back(x);
		x->attempt = ATTEMPT_NONE;
		if (!user)
			break;
		x->account = user;
		return STEP_GO;
	case AUTH_PENDING:
		if (attempt == ATTEMPT_NONE && auth_is_first(&x->wait)) {
			x->attempt = ATTEMPT_CHARGED;
			count_failure(x);
		} else if (attempt == ATTEMPT_NONE) {
			x->attempt = ATTEMPT_JOINED;
		}
		return STEP_WAIT;
	case AUTH_DENIED:
		break;
	}
	if (attempt != ATTEMPT_CHARGED)
		count_failure(x);
	x->attempt = ATTEMPT_NONE;
	if (may_say(&front->said_failed_us, FAILED_EACH_US))
		log_info("a login from %s failed", x->from);
	api_problem(reply, 401, NULL, "wrong user or password");
	return STEP_REPLY;
}

/* ---- who asks ---- */

static void find_session(struct exchange *x)
{
	struct http_front *front = x->door->front;
	const char *cookies = exchange_header(x, "Cookie");
	char token[SESSION_TOKEN_SIZE];
	const struct session *session;

	if (!cookies || !headers_cookie(cookies, cookie_name(x), token, sizeof(token)))
		return;
	session = sessions_find(front->sessions, token, front->config.users, front->config.n_users,
				clock_us());
	explicit_bzero(token, sizeof(token));
	x->account = session ? user_here(x, session->user) : NULL;
	x->session = x->account ? session : NULL;
}

enum step login_identify(struct exchange *x, struct api_reply *reply)
{
	const char *authorization = exchange_header(x, "Authorization");
	char name[HEADERS_WORD_MAX], password[HEADERS_WORD_MAX];
	enum step step;

	x->account = NULL;
	x->session = NULL;
	if (!x->door->tcp)
		return STEP_GO;
	find_session(x);
	if (x->account || !authorization)
		goto known;
	if (!headers_basic(authorization, name, password)) {
		api_problem(reply, 401, "Authorization", "must be Basic, with user and password");
		return STEP_REPLY;
	}
	step = check_password(x, name, password, reply);
	explicit_bzero(password, sizeof(password));
	if (step != STEP_GO)
		return step;
known:
	if (x->account)
		snprintf(x->user, sizeof(x->user), "%s", x->account->name);
	return STEP_GO;
}

/* ---- may they ---- */

/* A proxy on this host speaks for others. */
static bool reads_openly(const struct exchange *x)
{
	const struct networks *open = x->door->front->config.open;

	return open && networks_hold(open, exchange_peer(x)) &&
	       !exchange_header(x, "X-Forwarded-For") && !exchange_header(x, "Forwarded");
}

enum step login_authorize(struct exchange *x, struct api_reply *reply)
{
	if (!x->door->tcp)
		return STEP_GO;
	if (!x->account && !(exchange_reads(x) && reads_openly(x))) {
		api_problem(reply, 401, NULL, "log in first (POST %s)", SESSION_TARGET);
		return STEP_REPLY;
	}
	if (x->session && !exchange_reads(x) &&
	    !session_csrf_is(x->session, exchange_header(x, "X-CSRF-Token"))) {
		api_problem(reply, 403, "X-CSRF-Token", "must be the csrf of GET %s",
			    SESSION_TARGET);
		return STEP_REPLY;
	}
	return STEP_GO;
}

/* ---- the session as a resource ---- */

static json_t *rights(const struct exchange *x)
{
	const struct config_user *user = x->account;
	json_t *commands = json_array();

	if (!x->door->tcp)
		json_array_append_new(commands, json_string("ALL"));
	for (size_t i = 0; user && i < user->n_instcmds; i++)
		json_array_append_new(commands, json_string(user->instcmds[i]));
	return json_pack("{s:b, s:b, s:o}", "set",
			 !x->door->tcp || (user && rights_act(user, CONFIG_ACTION_SET)), "fsd",
			 !x->door->tcp || (user && rights_act(user, CONFIG_ACTION_FSD)), "commands",
			 commands);
}

static void describe(const struct exchange *x, struct api_reply *reply)
{
	bool known = x->account || !x->door->tcp;
	json_t *user = known ? json_string(x->user) : json_null();

	reply->status = 200;
	reply->json = json_pack("{s:o, s:b, s:b, s:b, s:o, s:o}", "user", user ? user : json_null(),
				"local", !x->door->tcp, "may_read", known || reads_openly(x),
				"secure", x->door->tls || !x->door->tcp, "csrf",
				x->session ? json_string(x->session->csrf) : json_null(), "rights",
				rights(x));
}

static void set_cookie(struct exchange *x, const char *token, bool ends)
{
	snprintf(x->cookie, sizeof(x->cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s",
		 cookie_name(x), token, x->door->tls ? "; Secure" : "", ends ? "; Max-Age=0" : "");
}

static enum step log_in(struct exchange *x, struct api_reply *reply)
{
	static const char *const members[] = { "user", "password", NULL };
	struct http_front *front = x->door->front;
	struct api_request request = exchange_request(x);
	json_t *body = api_read_body(&request, reply, members);
	const char *name, *password;
	char token[SESSION_TOKEN_SIZE];
	enum step step = STEP_REPLY;

	if (!body)
		return STEP_REPLY;
	name = json_string_value(json_object_get(body, "user"));
	password = json_string_value(json_object_get(body, "password"));
	if (!name || !password) {
		api_problem(reply, 400, name ? "password" : "user", "is missing");
		goto out;
	}
	step = check_password(x, name, password, reply);
	if (step != STEP_GO)
		goto out;
	snprintf(x->user, sizeof(x->user), "%s", x->account->name);
	x->session = sessions_open(front->sessions, x->account, clock_us(), token);
	set_cookie(x, token, false);
	explicit_bzero(token, sizeof(token));
	describe(x, reply);
	log_info("%s logged in from %s", x->user, x->from);
	step = STEP_REPLY;
out:
	json_decref(body);
	return step;
}

static void log_out(struct exchange *x, struct api_reply *reply)
{
	struct http_front *front = x->door->front;

	if (x->session) {
		sessions_close(front->sessions, x->session->id);
		log_info("%s logged out at %s", x->user, x->from);
	}
	x->session = NULL;
	x->account = NULL;
	set_cookie(x, "", true);
	describe(x, reply);
}

enum step login_session(struct exchange *x, struct api_reply *reply)
{
	bool post = strcmp(x->method, "POST") == 0, delete = strcmp(x->method, "DELETE") == 0;

	if (exchange_reads(x)) {
		describe(x, reply);
		return STEP_REPLY;
	}
	if (!post && !delete) {
		api_problem(reply, 405, NULL, "%.20s is not possible here", x->method);
		reply->allow = "GET, HEAD, POST, DELETE";
		return STEP_REPLY;
	}
	if (!x->door->tcp) {
		api_problem(reply, 409, NULL, "the local socket needs no session");
		return STEP_REPLY;
	}
	if (post)
		return log_in(x, reply);
	if (x->session && login_authorize(x, reply) != STEP_GO)
		return STEP_REPLY;
	log_out(x, reply);
	return STEP_REPLY;
}
