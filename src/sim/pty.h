#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A pseudo-terminal that behaves as a serial port: raw, survives clients that open and close it,
 * new to each that opens it, never blocks.
 */
struct pty {
	int master, slave;
	int watch; /* inotify descriptor: clients come and go; -1: not to be had */
	int clients;
	int last_index; /* of the port before the last unplug */
	char path[64];
	const char *link; /* borrowed; NULL: none */
};

/** link is borrowed for the pty's life. All closed until pty_plug(). */
void pty_init(struct pty *pty, const char *link);

/**
 * Make the port and its link; a link of that name is replaced, anything else is not. After
 * pty_unplug() the port has another number than before.
 *
 * Returns 0, or U2K_EINVAL and err says what is wrong.
 */
int pty_plug(struct pty *pty, char *err, size_t err_size);

/** Remove port and link, as pulling the USB plug does. */
void pty_unplug(struct pty *pty);

bool pty_plugged(const struct pty *pty);

/** Take note of clients that came or went (call when watch is readable). */
void pty_look(struct pty *pty);

/** Bytes from the client; 0 if there are none. */
size_t pty_read(struct pty *pty, uint8_t *buf, size_t max);

/** Bytes to the client. What nobody is there for, or does not fit, is dropped. */
void pty_write(struct pty *pty, const uint8_t *buf, size_t len);
