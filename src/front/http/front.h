#pragma once

#include <stdbool.h>
#include <stddef.h>

struct auth;
struct config_access;
struct config_user;
struct hub;
struct http_front;
struct networks;
struct tls;

/*
 * HTTP: the API (docs/api.md) on a unix stream socket with mode 0660, where the file's owner and
 * group decide who may connect, and on TCP, with the page and for scrapers (docs/http.md).
 *
 * The process must ignore SIGPIPE: clients go away when they like.
 */

/* Everything is borrowed until the next http_front_configure() or http_front_free(). */
struct http_front_config {
	char *const *listen; /* "address:port", "[v6]:port", "*:port"; port 0 = any free one; TLS if
			      * "https://" stands before it */
	size_t n_listen;
	char *const *names; /* besides localhost and addresses: what clients may call this host */
	size_t n_names;
	const struct networks *open; /* who may read without logging in; NULL: nobody */
	const struct config_user *users;
	size_t n_users;
	const struct config_access *access; /* NULL: everyone */
	unsigned max_connections;	    /* on TCP; 0 = 2048 */
	unsigned per_address;		    /* connections of one address, 0 = no limit */
	unsigned failed_logins;		    /* of one address until it is refused, 0 = no limit */
};

/**
 * @auth         where passwords are checked; NULL: in a place of its own
 * @socket_path  at most 107 bytes, copied; a socket file left over from a dead daemon is replaced,
 *               one that somebody answers on is not. NULL: none yet, see http_front_local()
 *
 * Returns NULL after writing why, and what would help, into error.
 */
struct http_front *http_front_new(struct hub *hub, struct auth *auth, const char *socket_path,
				  char *error, size_t error_size);

/** Serve the unix socket too. False after writing why into error. */
bool http_front_local(struct http_front *front, const char *socket_path, char *error,
		      size_t error_size);

/**
 * Serve TCP by this configuration. Listeners named before and now stay untouched, as do
 * connections. An address that cannot be bound is logged and left out.
 */
void http_front_configure(struct http_front *front, const struct http_front_config *config);

/**
 * The certificate for https from now on; until there is one, such connections are closed at once.
 * The front takes a reference of its own.
 */
void http_front_set_tls(struct http_front *front, struct tls *tls);
bool http_front_has_tls(const struct http_front *front);

/** The port of listener i (in the order of the configuration), 0 if it could not be bound. */
unsigned http_front_port(const struct http_front *front, size_t i);

/** Drops all clients and removes the socket file if it is still ours. NULL is allowed. */
void http_front_free(struct http_front *front);
