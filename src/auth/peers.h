#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sockaddr;

/*
 * What is known of each address: its open connections and its failed logins. An IPv6 address
 * stands for its /64, which is what one host can choose from freely; all of loopback is one. Only
 * addresses with a connection or a failure that still counts are kept, of the latter the newest.
 */
struct peers;
struct peer;

enum { PEERS_IDLE_MAX = 4096 }; /* without a connection */

struct peers *peers_new(void);
void peers_free(struct peers *peers); /* all connections must have left */

/**
 * @connections  at the same time from one address; 0 = no limit; this host has none
 * @failures     logins that may fail; 0 = no limit. One is forgiven each 30 s. This host
 *               may fail ten times as often, and one is forgiven each second.
 */
void peers_configure(struct peers *peers, unsigned connections, unsigned failures);

/** A connection comes: NULL if there are too many of that address already. */
struct peer *peers_enter(struct peers *peers, const struct sockaddr *address);
void peers_leave(struct peers *peers, struct peer *peer);

/** May it not try a password now? *begins: this is news, to be logged. */
bool peers_blocked(struct peers *peers, struct peer *peer, bool *begins);
void peers_failed(struct peer *peer);
/** One failure was none. */
void peers_take_back(struct peer *peer);

size_t peers_count(const struct peers *peers); /* kept, for tests */
