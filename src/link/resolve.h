#pragma once

#include <netdb.h>
#include <stdint.h>
#include <sys/socket.h>

struct event_base;
struct resolve;

/* The system's lookup, or one that tests put in its place. */
typedef int (*resolve_fn)(const char *host, const char *service, const struct addrinfo *hints,
			  struct addrinfo **result);

/**
 * The lookup ended.
 *
 * @list   the addresses, TCP, port filled in; NULL if there are none. Borrowed for the call.
 * @error  NULL, or why there are none
 */
typedef void (*resolve_cb)(void *user, const struct addrinfo *list, const char *error);

/**
 * Look a name up as the system does (nsswitch: /etc/hosts, DNS, mDNS ...), in a thread of its own:
 * getaddrinfo() may take minutes when no name server answers. At most RESOLVE_MAX are under way in
 * a process.
 *
 * @host    copied
 * @lookup  NULL: getaddrinfo()
 *
 * Returns NULL if no thread is to be had now. Else cb is called once, from the loop.
 */
struct resolve *resolve_start(struct event_base *base, const char *host, uint16_t port,
			      resolve_fn lookup, resolve_cb cb, void *user);
enum { RESOLVE_MAX = 64 };

/** No callback follows; the thread ends when the system lets it. NULL is fine. */
void resolve_cancel(struct resolve *resolve);
