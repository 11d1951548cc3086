#pragma once

#include <stdbool.h>
#include <stddef.h>

struct auth;
struct hub;
struct config_access;
struct config_user;
struct tls;

/*
 * The server for NUT's network protocol (upsd's side of TCP 3493), as stock clients use it. Source
 * of the protocol facts: docs/protocol.md, "NUT network protocol". Runs on the hub's loop.
 *
 * What differs from stock on purpose: nobody can hold up anybody else (output is queued, bounded
 * and never waited for), password hashes are checked in a thread, surplus INSTCMD words and
 * half-numeric SET values are refused, NUMLOGINS works without data, FSD stands in ups.status once,
 * LIST UPS shows a UPS under its first name only. STARTTLS, access by network and limits per address:
 * docs/security.md.
 */
struct nut_server;

struct nut_server_config {
	char *const *listen; /* "address:port", "[v6]:port", "*:port"; port 0 = any free one */
	size_t n_listen;
	unsigned max_connections; /* 0 = 1024; the last few are kept for this host's own clients */
	const struct config_user *users; /* borrowed until the next configure or free */
	size_t n_users;
	unsigned tracking_delay;	    /* s an order's result is kept; 0 leaves the hub's */
	const struct config_access *access; /* borrowed as users is; NULL: everyone */
	int require_tls;		    /* enum config_require_tls */
	unsigned per_address;		    /* connections of one address, 0 = no limit */
	unsigned failed_logins;		    /* of one address until it is refused, 0 = no limit */
	struct auth
		*auth; /* where passwords are checked; NULL: one of its own. Fixed at the start */
};

/**
 * Listen and serve.
 *
 * @hub    borrowed; must outlive the server
 * @error  on failure: one sentence that names the address and the reason
 *
 * Returns the server, or NULL.
 */
struct nut_server *nut_server_new(struct hub *hub, const struct nut_server_config *config,
				  char *error, size_t error_size);

/**
 * Serve by another configuration (reload). Connections stay; their users are looked up anew at each
 * command. Listeners named in both stay untouched, others are closed and opened.
 *
 * Returns false if an address could not be bound (error says which); then the listeners are as they
 * were before as far as that is possible, and the rest of the new configuration holds.
 */
bool nut_server_configure(struct nut_server *server, const struct nut_server_config *config,
			  char *error, size_t error_size);

/**
 * Offer STARTTLS without having a certificate yet: OpenSSL's 5 MB are for those who use it.
 *
 * @want  called from the loop when the first client asks; nut_server_set_tls() must follow within
 *        10 s, or the client is told that there is no TLS
 */
void nut_server_offer_tls(struct nut_server *server, void (*want)(void *user), void *user);

/**
 * Offer STARTTLS with this certificate from now on; NULL: no TLS. Connections stay as they are. The
 * server takes a reference of its own.
 */
void nut_server_set_tls(struct nut_server *server, struct tls *tls);

/** False: none was set, or NULL. */
bool nut_server_has_tls(const struct nut_server *server);

void nut_server_free(struct nut_server *server);

/** The port of listener i (in the order of the configuration), or 0. */
unsigned nut_server_port(const struct nut_server *server, size_t i);

/** Open connections. */
size_t nut_server_connections(const struct nut_server *server);
