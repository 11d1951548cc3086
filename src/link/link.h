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
	LINK_ABSENT,	/* the device node does not exist, or the adapter is unplugged */
	LINK_REFUSED,	/* it exists, but: no permission, held by another program, not a tty ... */
	LINK_OPENING,	/* connecting (TCP) */
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
	void (*rx)(void *user, const uint8_t *data, size_t len);
};

struct link_serial_config {
	const char *path;  /* copied */
	unsigned baud;	   /* 9600; also 1200 ... 115200 for oddities behind adapters */
};

/**
 * A serial port: opened by path with an exclusive lock that other programs respect (TIOCEXCL,
 * flock, and a UUCP lock file where /run/lock is writable), raw 8N1, no flow control. Never blocks.
 * Looked for by inotify on its directory (for symlinks on the target's too) and a 0.5 s poll behind
 * it; lost on HUP, EIO, ENODEV, a read of 0, or when the node disappears or is replaced.
 *
 * Callbacks come from the loop, never from within link_serial_new(). Returns NULL if path is not
 * usable as a path (empty, too long).
 */
struct link *link_serial_new(struct event_base *base, const struct link_serial_config *config,
			     const struct link_ops *ops, void *user);

/** Queue bytes. 0, U2K_ECLOSED when not up, U2K_EBUSY when the port does not take them. */
int link_write(struct link *link, const uint8_t *data, size_t len);
/** Throw away what the kernel holds in both directions. */
void link_flush(struct link *link);
/** Close and open again soon (the device is mute, the port may be wedged). */
void link_reopen(struct link *link);
void link_free(struct link *link);

enum link_state link_state(const struct link *link);
const char *link_reason(const struct link *link);
/** One line about the adapter: "XR21V1410 (04e2:1410), driver xr_serial"; "" if not known. */
const char *link_adapter(const struct link *link);
