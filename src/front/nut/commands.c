#include "front/nut/internal.h"

#include <string.h>
#include <strings.h>

#include "daemon/config.h"
#include "daemon/hub.h"
#include "util/util.h"
#include <ups2000/ups.h>

#define LOG_PART "nut"
#include "util/log.h"

/* "Network UPS Tools upsd <version>" is what clients look for; the rest says who really answers. */
const char command_server_info[] =
	"Network UPS Tools upsd 2.8.0 compatible - ups2000d " U2K_VERSION;

enum { LOG_LINES = 5, NAME_IN_LOG = 64 };
static const int64_t LOG_WINDOW_US = 10 * U2K_SEC;

size_t command_arguments(const struct nut_line *line)
{
	return line->n - 1 + line->extra;
}

enum verdict reply_error(struct conn *conn, const char *word)
{
	struct out *out = &conn->server->out;

	out_begin(out);
	out_put(out, "ERR");
	out_word(out, word);
	out_end(out);
	return DONE;
}

enum verdict reply_line(struct conn *conn, const char *text)
{
	out_line(&conn->server->out, text);
	return DONE;
}

enum verdict reply_end(struct conn *conn)
{
	if (!out_end(&conn->server->out))
		reply_error(conn, "INVALID-ARGUMENT");
	return DONE;
}

static bool may_log(struct log_budget *budget)
{
	int64_t now = clock_us();

	if (now - budget->window_us > LOG_WINDOW_US) {
		if (budget->dropped)
			log_info("%u further lines about clients were not logged", budget->dropped);
		*budget = (struct log_budget){ .window_us = now };
	}
	if (budget->lines == LOG_LINES) {
		budget->dropped++;
		return false;
	}
	budget->lines++;
	return true;
}

void command_log(struct conn *conn, const char *what, const char *detail)
{
	char address[ADDRESS_SIZE];

	if (!may_log(&conn->server->refusals))
		return;
	conn_address(conn, address);
	log_info("%s from %s%s%.*s%s%s", what, address, conn->username ? " for user " : "",
		 NAME_IN_LOG, conn->username ? conn->username : "", detail ? ": " : "",
		 detail ? detail : "");
}

static void log_blocked(struct conn *conn)
{
	char address[ADDRESS_SIZE];

	if (!may_log(&conn->server->blocks))
		return;
	conn_address(conn, address);
	log_warning("too many failed logins from %s: no more are looked at for a while", address);
}

static enum verdict hold(struct conn *conn, enum hold what)
{
	struct nut_server *s = conn->server;
	static const struct timeval often = { 0, 50000 };

	conn->hold = what;
	if (what == HOLD_AVAIL) {
		TAILQ_INSERT_TAIL(&s->held, conn, held);
		if (!evtimer_pending(s->held_timer, NULL))
			event_add(s->held_timer, &often);
	}
	return HOLD;
}

struct hub_ups *command_any_ups(struct conn *conn, const char *name)
{
	struct hub_ups *ups = hub_find(conn->server->hub, name);

	if (!ups)
		reply_error(conn, "UNKNOWN-UPS");
	return ups;
}

struct hub_ups *command_ups(struct conn *conn, const char *name, enum verdict *verdict)
{
	struct hub_ups *ups = command_any_ups(conn, name);

	*verdict = DONE;
	if (!ups)
		return NULL;
	switch (hub_avail(ups)) {
	case HUB_OK:
		return ups;
	case HUB_WAIT:
		*verdict = hold(conn, HOLD_AVAIL);
		break;
	case HUB_STALE:
		reply_error(conn, "DATA-STALE");
		break;
	case HUB_NOT_CONNECTED:
		reply_error(conn, "DRIVER-NOT-CONNECTED");
		break;
	}
	return NULL;
}

/* Rights. The user is looked up at each command: a reload acts on open connections. */

static enum access access_of(unsigned action, const char *cmd)
{
	if (cmd)
		return ACCESS_INSTCMD;
	if (action == CONFIG_ACTION_SET)
		return ACCESS_SET;
	return action == CONFIG_ACTION_FSD ? ACCESS_FSD : ACCESS_LOGIN;
}

static bool deny(struct conn *conn, const char *why)
{
	if (why)
		command_log(conn, why, NULL);
	reply_error(conn, "ACCESS-DENIED");
	return false;
}

/*
 * Guesses are counted, not questions: one whose hash takes a while counts as failed in advance, the
 * same guess on other connections meanwhile does not. NULL user: there is none of that name here.
 */
static bool password_passes(struct conn *conn, const struct config_user *user,
			    enum verdict *verdict)
{
	struct nut_server *s = conn->server;
	enum attempt attempt = conn->attempt;
	bool begins;

	if (attempt == ATTEMPT_NONE && peers_blocked(s->peers, conn->known, &begins)) {
		if (begins)
			log_blocked(conn);
		return deny(conn, NULL);
	}
	switch (auth_check(s->auth, user, conn->password, &conn->auth_wait)) {
	case AUTH_OK:
		if (attempt == ATTEMPT_CHARGED)
			peers_take_back(conn->known);
		conn->attempt = ATTEMPT_NONE;
		return true;
	case AUTH_PENDING:
		if (attempt == ATTEMPT_NONE && auth_is_first(&conn->auth_wait)) {
			conn->attempt = ATTEMPT_CHARGED;
			peers_failed(conn->known);
		} else if (attempt == ATTEMPT_NONE) {
			conn->attempt = ATTEMPT_JOINED;
		}
		*verdict = hold(conn, HOLD_AUTH);
		return false;
	case AUTH_DENIED:
		break;
	}
	if (attempt != ATTEMPT_CHARGED)
		peers_failed(conn->known);
	conn->attempt = ATTEMPT_NONE;
	return deny(conn, "login failed");
}

bool command_allowed(struct conn *conn, unsigned action, const char *cmd, enum verdict *verdict)
{
	const struct config_user *user =
		rights_user(conn->server->users, conn->server->n_users, conn->username);

	*verdict = DONE;
	if (!access_allows(conn->server, access_of(action, cmd), &conn->peer))
		return deny(conn, "refused by section access");
	if (user && !rights_here(user, &conn->peer.sa)) {
		command_log(conn, "not in the networks of the user", NULL);
		user = NULL;
	}
	if (user && !(cmd ? rights_command(user, cmd) : rights_act(user, action)))
		return deny(conn, cmd ? "command not allowed" : "action not allowed");
	return password_passes(conn, user, verdict);
}

/* Session */

static enum verdict cmd_ver(struct conn *conn, const struct nut_line *line)
{
	if (command_arguments(line))
		return reply_error(conn, "INVALID-ARGUMENT");
	return reply_line(conn, command_server_info);
}

static enum verdict cmd_netver(struct conn *conn, const struct nut_line *line)
{
	if (command_arguments(line))
		return reply_error(conn, "INVALID-ARGUMENT");
	return reply_line(conn, "1.3");
}

static enum verdict cmd_help(struct conn *conn, const struct nut_line *line)
{
	if (command_arguments(line))
		return reply_error(conn, "INVALID-ARGUMENT");
	return reply_line(conn, "Commands: HELP VER PROTVER GET LIST SET INSTCMD LOGIN LOGOUT "
				"USERNAME PASSWORD STARTTLS");
}

/* Ask for the certificate, once; false if there is nobody to ask, or it took too long. */
static bool await_certificate(struct nut_server *s)
{
	if (!s->want_tls)
		return false;
	if (!s->wanted_us) {
		s->wanted_us = clock_us();
		s->want_tls(s->want_tls_user);
	}
	return clock_us() - s->wanted_us < WANT_TLS_S * U2K_SEC;
}

static enum verdict cmd_starttls(struct conn *conn, const struct nut_line *line)
{
	struct nut_server *s = conn->server;

	(void)line;
	if (conn->secure)
		return reply_error(conn, "ALREADY-SSL-MODE");
	if (!s->tls && await_certificate(s))
		return hold(conn, HOLD_AVAIL);
	if (!s->tls)
		return reply_error(conn, "FEATURE-NOT-CONFIGURED");
	conn->starttls = true;
	return reply_line(conn, "OK STARTTLS");
}

static enum verdict set_once(struct conn *conn, const struct nut_line *line, char **what,
			     const char *already)
{
	if (command_arguments(line) != 1)
		return reply_error(conn, "INVALID-ARGUMENT");
	if (*what)
		return reply_error(conn, already);
	*what = xstrdup(line->words[1]);
	return reply_line(conn, "OK");
}

static enum verdict cmd_username(struct conn *conn, const struct nut_line *line)
{
	return set_once(conn, line, &conn->username, "ALREADY-SET-USERNAME");
}

static enum verdict cmd_password(struct conn *conn, const struct nut_line *line)
{
	return set_once(conn, line, &conn->password, "ALREADY-SET-PASSWORD");
}

static enum verdict cmd_logout(struct conn *conn, const struct nut_line *line)
{
	if (command_arguments(line))
		return reply_error(conn, "INVALID-ARGUMENT");
	conn_logout(conn);
	conn->goodbye = true;
	return reply_line(conn, "OK Goodbye");
}

/* upsmon */

static enum verdict cmd_login(struct conn *conn, const struct nut_line *line)
{
	enum verdict verdict;
	struct hub_ups *ups;

	if (command_arguments(line) != 1)
		return reply_error(conn, "INVALID-ARGUMENT");
	if (conn->login)
		return reply_error(conn, "ALREADY-LOGGED-IN");
	ups = command_any_ups(conn, line->words[1]);
	if (!ups || !command_allowed(conn, CONFIG_ACTION_LOGIN, NULL, &verdict))
		return ups ? verdict : DONE;
	if (!conn->eof) { /* a half-closed client is nobody to wait for */
		conn->login = ups;
		conn->login_us = hub_login(ups);
		TAILQ_INSERT_TAIL(&conn->server->logged_in, conn, login_node);
	}
	return reply_line(conn, "OK");
}

static enum verdict grant(struct conn *conn, const struct nut_line *line, const char *granted)
{
	enum verdict verdict;

	if (command_arguments(line) != 1)
		return reply_error(conn, "INVALID-ARGUMENT");
	if (!command_any_ups(conn, line->words[1]))
		return DONE;
	if (!command_allowed(conn, CONFIG_ACTION_PRIMARY, NULL, &verdict))
		return verdict;
	return reply_line(conn, granted);
}

static enum verdict cmd_primary(struct conn *conn, const struct nut_line *line)
{
	return grant(conn, line, "OK PRIMARY-GRANTED");
}

static enum verdict cmd_master(struct conn *conn, const struct nut_line *line)
{
	return grant(conn, line, "OK MASTER-GRANTED");
}

static enum verdict cmd_fsd(struct conn *conn, const struct nut_line *line)
{
	enum verdict verdict;
	struct hub_ups *ups;
	char address[ADDRESS_SIZE];

	if (command_arguments(line) != 1)
		return reply_error(conn, "INVALID-ARGUMENT");
	ups = command_any_ups(conn, line->words[1]);
	if (!ups || !command_allowed(conn, CONFIG_ACTION_FSD, NULL, &verdict))
		return ups ? verdict : DONE;
	conn_address(conn, address);
	hub_fsd_set(ups, conn->username, address);
	return reply_line(conn, "OK FSD-SET");
}

/* Those asked for most come first. */
static const struct command {
	const char *word;
	bool login; /* USERNAME and PASSWORD must have been given; they are checked later */
	bool bare;  /* answered without TLS even where that is required */
	enum verdict (*run)(struct conn *conn, const struct nut_line *line);
} commands[] = {
	{ "GET", false, false, command_get },
	{ "LIST", false, false, command_list },
	{ "STARTTLS", false, true, cmd_starttls },
	{ "USERNAME", false, false, cmd_username },
	{ "PASSWORD", false, false, cmd_password },
	{ "LOGIN", true, false, cmd_login },
	{ "LOGOUT", false, true, cmd_logout },
	{ "PRIMARY", true, false, cmd_primary },
	{ "MASTER", true, false, cmd_master },
	{ "FSD", true, false, cmd_fsd },
	{ "SET", true, false, command_set },
	{ "INSTCMD", true, false, command_instcmd },
	{ "VER", false, true, cmd_ver },
	{ "NETVER", false, true, cmd_netver },
	{ "PROTVER", false, true, cmd_netver },
	{ "HELP", false, true, cmd_help },
};

static const struct command *find_command(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcasecmp(word, commands[i].word) == 0)
			return &commands[i];
	return NULL;
}

enum verdict command_run(struct conn *conn, const struct nut_line *line)
{
	const struct command *command = line->n ? find_command(line->words[0]) : NULL;

	if (!command)
		return reply_error(conn, "UNKNOWN-COMMAND");
	if (!command->bare && access_needs_tls(conn))
		return reply_error(conn, "TLS-NOT-ENABLED"); /* RFC 9271's word */
	if (command->login && !conn->username)
		return reply_error(conn, "USERNAME-REQUIRED");
	if (command->login && !conn->password)
		return reply_error(conn, "PASSWORD-REQUIRED");
	return command->run(conn, line);
}
