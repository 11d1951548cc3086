#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

/*
 * Bytes on a wire, over libevent. A link opens its port, keeps trying while it cannot, and opens it
 * again when it is lost; it knows nothing of Modbus.
 */
enum link_state {
	LINK_ABSENT,  /* the device node does not exist, or the adapter is unplugged */
	LINK_REFUSED, /* it exists, but: no permission, held by another program, not a tty ... */
	LINK_OPENING, /* not tried yet, being opened again, or connecting (TCP) */
	LINK_UP,
};

struct link;

struct link_ops {
	/**
	 * The state or its reason changed. reason is a sentence for people that says what is wrong
	 * and what would help ("... is held by another program (flock): stop it, or ..."); "" when
	 * up. Borrowed for the call.
	 */
	void (*state)(void *user, enum link_state state, const char *reason);
	/** Bytes came in, in pieces as the wire or the driver cut them. Borrowed for the call. */
	void (*rx)(void *user, const uint8_t *data, size_t len);
};

struct link_serial_config {
	const char *path;     /* copied */
	unsigned baud;	      /* 9600; also 1200 ... 115200 for oddities behind adapters */
	const char *sysfs;    /* where sysfs is; NULL for /sys; copied */
	const char *lock_dir; /* where UUCP lock files are; NULL for /run/lock; copied */
};

/** Whether a serial port can be asked for this speed: 1200, 2400, 4800 ... 115200. */
bool link_baud_ok(unsigned baud);

/**
 * A serial port: opened by path with an exclusive lock that other programs respect (TIOCEXCL,
 * flock, and a UUCP lock file where /run/lock is writable), raw 8N1, no flow control. Never blocks.
 * Looked for by inotify on its directory (for symlinks on the target's too) and a poll of less than
 * 0.5 s behind it; lost on HUP, EIO, ENODEV, a read of 0, or when the node disappears or is
 * replaced.
 *
 * Callbacks come from the loop, never from within a function of this header, and may call any of
 * them, link_free() too. The first comes soon, whatever the state. Returns NULL if path is not
 * usable as a path (empty, too long) or !link_baud_ok(baud).
 */
struct link *link_serial_new(struct event_base *base, const struct link_serial_config *config,
			     const struct link_ops *ops, void *user);

struct addrinfo;

struct link_tcp_config {
	const char *host; /* name or address, without brackets; copied */
	uint16_t port;
	/* the system's getaddrinfo(), NULL, or what tests put in its place */
	int (*lookup)(const char *host, const char *service, const struct addrinfo *hints,
		      struct addrinfo **result);
};

/**
 * A TCP connection to a gateway or a serial device server. A name is looked up in a thread; the
 * addresses it led to are kept, so that a connection comes back while no name server answers.
 * Connected anew 0.5 s after it failed, for ever; a peer that vanished is noticed after 3 s with
 * something to send (TCP_USER_TIMEOUT), after 11 s without (keepalive).
 *
 * Otherwise as link_serial_new(). link_flush() drops what has come; what was sent is the stream's.
 */
struct link *link_tcp_new(struct event_base *base, const struct link_tcp_config *config,
			  const struct link_ops *ops, void *user);

/**
 * Send bytes; what the port does not take at once is queued (LINK_QUEUE_MAX bytes at most).
 *
 * Returns 0, or one of these, and then nothing of data is sent:
 *   U2K_ECLOSED  not up, or the port failed just now (the state callback follows)
 *   U2K_EBUSY    the queue has not that much room left
 */
int link_write(struct link *link, const uint8_t *data, size_t len);
#define LINK_QUEUE_MAX 512

/** Throw away what the kernel and the queue hold in both directions. */
void link_flush(struct link *link);
/**
 * Close and open again soon (the device is mute, the port may be wedged). The state callback tells
 * LINK_OPENING in between. A link that is not up is tried at once.
 */
void link_reopen(struct link *link);
/** Closes the port and takes its events off the loop; no callback follows. NULL is fine. */
void link_free(struct link *link);

enum link_state link_state(const struct link *link);
/** Why it is not up, as told to the state callback; "" when up. Valid until the next callback. */
const char *link_reason(const struct link *link);
/**
 * One line about the adapter: "XR21V1410 (04e2:1410), driver xr_serial", or about the connection:
 * "192.0.2.7 port 502"; "" if there is nothing to tell. Valid until the next callback.
 */
const char *link_adapter(const struct link *link);
