#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Another process of this driver for the same UPS: its socket and its PID file. All calls block, at
 * most as long as they say; for the start, -k and -c.
 */

/**
 * Ask over the socket and wait for the outcome.
 *
 * @line     "INSTCMD driver.exit", without TRACKING
 * @seconds  how long the outcome may take; that the instance lives must show within 2 s
 *
 * Returns the TRACKING code, or -1: nobody answers there.
 */
int instance_ask(const char *socket_path, const char *line, unsigned seconds);

/**
 * The id in a PID file whose process runs a program of this base name; 0 if there is none. A stale
 * file, or one whose id now belongs to another program, is no instance.
 */
long instance_pid(const char *pid_path, const char *driver);

/**
 * Have a running instance end: over its socket, then SIGTERM, then SIGKILL.
 *
 * Returns false with a sentence in error if it is still there after about 20 s.
 */
bool instance_end(const char *socket_path, const char *pid_path, const char *driver, char *error,
		  size_t error_size);

/** Write the PID file, or say why not. */
bool instance_write_pid(const char *pid_path, char *error, size_t error_size);
