#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "auth/auth.h"
#include "auth/peers.h"
#include "auth/rights.h"
#include "daemon/bind.h"
#include "front/nut/out.h"
#include "front/nut/server.h"
#include "nut/lexer.h"
#include "tls/tls.h"

/* What the files of the server share. */
struct hub_ups;

enum {
	INPUT_PER_TURN = 64 * 1024,   /* bytes of one connection per turn of the loop */
	OUTPUT_PER_TURN = 256 * 1024, /* then its other requests wait until this is sent */
	IDLE_S = 60,		      /* without a complete line or output that moves */
	KEPT_MAX = 16 * 1024 * 1024,  /* bytes waiting in all connections: more drops one */
	ACCEPTS_PER_TURN = 64,
	LOCAL_SLOTS = 8, /* connections kept for loopback clients */
	CACHED_LISTS = 64,
	ADDRESS_SIZE = INET6_ADDRSTRLEN,
	HANDSHAKE_S = 10,     /* from OK STARTTLS to its end */
	WANT_TLS_S = 10,      /* for the certificate to come */
	HANDSHAKES_US = 5000, /* of computing, then the loop's other work comes first */
};

/* A command's handler: answered, or the connection waits and the line is run again later. */
enum verdict { DONE, HOLD };

enum hold {
	HOLD_NONE,
	HOLD_AVAIL, /* for the first status of a UPS, or for the certificate */
	HOLD_AUTH,  /* for a password check */
};

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* The password check under way. */
enum attempt {
	ATTEMPT_NONE,
	ATTEMPT_JOINED,	 /* the same guess was being checked already */
	ATTEMPT_CHARGED, /* counted as failed in advance */
};

/* The encrypted side of a connection. */
struct secure {
	struct conn *conn;
	struct tls_stream *stream;
	bool up;     /* the handshake is done */
	bool queued; /* on server->handshake_queue */
	int64_t since_us;
	TAILQ_ENTRY(secure) by_start, queue;
};

TAILQ_HEAD(secure_list, secure);

struct conn {
	struct nut_server *server;
	int fd;
	short waits_for; /* EV_READ, EV_WRITE or 0: what ev is added for */
	enum hold hold;
	bool busy;     /* its requests are being run: close later */
	bool dead;     /* to be closed as soon as it is not busy */
	bool goodbye;  /* LOGOUT: close once the output is sent */
	bool eof;      /* the client sends no more */
	bool runnable; /* on server->runnable */
	bool tracking; /* SET TRACKING ON */
	bool starttls; /* the handshake begins once the output is sent */
	enum attempt attempt;
	struct event ev;
	TAILQ_ENTRY(conn) by_age, run, held, login_node;
	int64_t active_us;	 /* last complete line, or output that moved */
	struct nut_lexer *lexer; /* only while a line is unfinished or held */
	char *in;		 /* read but not yet run */
	size_t in_off, in_len;
	char *out; /* not yet sent */
	size_t out_off, out_len;
	char *username, *password;
	struct hub_ups *login;
	int64_t login_us; /* hub_login()'s */
	struct auth_wait auth_wait;
	struct secure *secure; /* NULL: in clear */
	struct peer *known;    /* what is known of its address */
	union address peer;
};

TAILQ_HEAD(conn_list, conn);

struct cached_list {
	const struct hub_ups *ups; /* NULL = empty */
	int kind;
	bool fsd;
	uint64_t version;
	char *name; /* as the client wrote it */
	char *data;
	size_t len;
};

struct listener {
	TAILQ_ENTRY(listener) node;
	struct nut_server *server;
	char *where;
	struct binding *binding; /* its name is being looked up */
	int fds[BIND_FDS];	 /* one per family; -1 = none */
	struct event *events[BIND_FDS];
};

TAILQ_HEAD(listener_list, listener);

/* Strangers can cause these lines: at most a few in 10 s, the rest is counted. */
struct log_budget {
	int64_t window_us;
	unsigned lines, dropped;
};

struct nut_server {
	struct hub *hub;
	struct event_base *base;
	const struct config_user *users;
	size_t n_users;
	unsigned max_connections; /* configured; see server_room() */
	rlim_t descriptors;	  /* the process may have */
	const struct config_access *access;
	int require_tls;
	struct peers *peers;
	struct tls *tls; /* NULL: none, or want_tls brings it */
	void (*want_tls)(void *user);
	void *want_tls_user;
	int64_t wanted_us;				/* when it was called; 0 = not yet */
	struct secure_list handshakes, handshake_queue; /* all, oldest first; those with work */
	struct event *handshake_timer, *deadline_timer;
	struct listener_list listeners;
	int spare_fd;	   /* given up to refuse a client when descriptors are out */
	int64_t warned_us; /* last word about a limit */

	size_t n_conns, n_runnable;
	size_t kept;		 /* bytes of in and out of all connections */
	struct conn_list by_age; /* least recently active first */
	struct conn_list runnable;
	struct conn_list held; /* HOLD_AVAIL */
	struct conn_list logged_in;
	struct event *idle_timer, *run_timer, *held_timer, *accept_timer;

	struct auth *auth;
	bool own_auth;		 /* else the caller's */
	struct nut_lexer *lexer; /* for lines that arrive whole */
	char *rx;		 /* INPUT_PER_TURN bytes */
	struct out out;		 /* replies of the connection whose turn it is */
	struct cached_list lists[CACHED_LISTS];

	struct log_budget refusals, blocks; /* apart: the rarer lines must not drown */
};

/* server.c */
/** Connections there may be: as configured, or what descriptors there are besides the UPSes'. */
unsigned server_room(const struct nut_server *server);

/* access.c */
/** Is this address in the networks that action is confined to? Loopback always is. */
bool access_allows(const struct nut_server *server, enum access action, const union address *peer);
/** Must this client speak TLS before it says this word? */
bool access_needs_tls(const struct conn *conn);

/* secure.c */
/** OK STARTTLS is sent: expect the handshake. */
void secure_start(struct conn *conn);
/** The socket is ready for the handshake to go on. */
void secure_continue(struct conn *conn);
void secure_close(struct conn *conn);
void secure_run_cb(evutil_socket_t fd, short what, void *server);
void secure_deadline_cb(evutil_socket_t fd, short what, void *server);

/* conn.c */
/** Takes fd, unless its address has too many connections already: false. */
bool conn_new(struct nut_server *server, int fd, const union address *peer);
void conn_close(struct conn *conn);
/** Wait for EV_READ, EV_WRITE or 0. */
void conn_wait_for(struct conn *conn, short what);
/** Close after a word of farewell that must arrive. */
void conn_say_goodbye(struct conn *conn);
/** Let a held or waiting connection go on, soon. */
void conn_wake(struct conn *conn);
void conn_logout(struct conn *conn);
void conn_address(const struct conn *conn, char out[ADDRESS_SIZE]);
void conn_run_cb(evutil_socket_t fd, short what, void *server);
void conn_idle_cb(evutil_socket_t fd, short what, void *server);

/* listen.c */
/** Open and close until exactly these are there. See nut_server_configure(). */
bool listen_configure(struct nut_server *server, char *const *where, size_t n, char *error,
		      size_t error_size);
void listen_close_all(struct nut_server *server);
/** Say that a limit was hit, at most once a minute. */
void listen_warn(struct nut_server *server, const char *what);
void listen_resume_cb(evutil_socket_t fd, short what, void *server);

/* commands.c */
/** A line about a client. */
void command_log(struct conn *conn, const char *what, const char *detail);
/** Run one line; replies go to server->out. */
enum verdict command_run(struct conn *conn, const struct nut_line *line);
/** Words behind the first one. */
size_t command_arguments(const struct nut_line *line);
/** The UPS of that name; NULL after an ERR line. */
struct hub_ups *command_any_ups(struct conn *conn, const char *name);
/**
 * The UPS of that name with data. On anything else *verdict is set (HOLD, or DONE after an ERR
 * line) and the result is NULL.
 */
struct hub_ups *command_ups(struct conn *conn, const char *name, enum verdict *verdict);
/**
 * May this client do action (CONFIG_ACTION_*) or, if cmd is not NULL, that instant command? If not,
 * *verdict is set as above.
 */
bool command_allowed(struct conn *conn, unsigned action, const char *cmd, enum verdict *verdict);
/* Each says one line and returns DONE. */
enum verdict reply_line(struct conn *conn, const char *text);
enum verdict reply_error(struct conn *conn, const char *word); /* "ERR " and the word */
/** Ends a line with names in it; one that does not fit becomes an ERR: we have no such name. */
enum verdict reply_end(struct conn *conn);
extern const char command_server_info[]; /* the answer to VER */

/* get.c */
enum verdict command_get(struct conn *conn, const struct nut_line *line);
/** The value as clients see it: the FSD latch applied. buf holds NUT_VALUE_MAX + 8 bytes. */
const char *command_value(const struct hub_ups *ups, const char *name, const char *value,
			  char *buf);

/* set.c */
enum verdict command_set(struct conn *conn, const struct nut_line *line);
enum verdict command_instcmd(struct conn *conn, const struct nut_line *line);

/* lists.c */
enum verdict command_list(struct conn *conn, const struct nut_line *line);
void lists_forget(struct nut_server *server, const struct hub_ups *ups); /* NULL: all */
