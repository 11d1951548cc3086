#pragma once

#include <stdbool.h>
#include <stddef.h>

struct config;
struct event_base;
struct tls;

/*
 * The certificate the daemon shows: the user's, or our own from the state directory, made there if
 * need be. At the start a child process looks at it, for OpenSSL takes more memory than all the rest
 * of the daemon; it is read by the first who needs it, and on a reload, in a thread: disks may hang.
 */
struct certificates;

/** @tls  a reference the callee takes; NULL: keep what there is, why was logged. */
typedef void (*certificates_cb)(void *user, struct tls *tls);

struct certificates *certificates_new(struct event_base *base, certificates_cb ready, void *user);
void certificates_free(struct certificates *certificates);
/**
 * Make sure that there is a certificate and that it is good; say in the log which it is and how
 * clients come to trust it. Before the loop and any thread.
 *
 * Returns false with a sentence in error.
 */
bool certificates_look(struct certificates *certificates, const struct config *config, char *error,
		       size_t error_size);
/** Only whether the user's certificate is good (no file: it is), for --check-config. */
bool certificates_check(const struct config *config, char *error, size_t error_size);
/** Read it. ready is called from the loop, once for the last of several calls. */
void certificates_read(struct certificates *certificates, const struct config *config);
