#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * TLS 1.2 and 1.3 for our servers, over OpenSSL 3. Nothing here waits: a stream works on a
 * non-blocking socket and says what it waits for. Certificates are files; reading or making them
 * belongs before the loop or into a thread.
 */

/** What a server needs to speak TLS: a certificate and its key. Counted; shared by connections. */
struct tls;

/**
 * Read a certificate.
 *
 * @certificate  PEM: the server's certificate first, then the others of its chain
 * @key          PEM: its private key, without a passphrase; NULL: in the first file
 * @error        on failure: one sentence that names the file, what is wrong and what would be right
 *
 * Fails if a file cannot be read or holds something else, if others may read the key or its group
 * may write it, if the two do not belong together, if the certificate has expired or is weaker
 * than 112 bits. One that is not valid yet is taken: a host without a clock of its own begins in
 * the past.
 *
 * Returns a reference, or NULL.
 */
struct tls *tls_load(const char *certificate, const char *key, char *error, size_t error_size);
struct tls *tls_ref(struct tls *tls);
void tls_unref(struct tls *tls); /* NULL is nothing */

enum { TLS_FINGERPRINT_SIZE = 32 * 3 };
/** SHA-256 of the certificate, "AB:CD:..."; borrowed from tls. */
const char *tls_fingerprint(const struct tls *tls);
/** Days until the certificate expires, at most 100000. */
long tls_days_left(const struct tls *tls);

/**
 * Make sure that a directory holds a certificate of our own, unless its key file is there already:
 * EC P-256, self-signed, for this host's names and addresses, without end.
 *
 *   tls-key.pem   key and certificate (mode 0600): what tls_load() takes, with key NULL
 *   tls-cert.pem  the certificate alone (mode 0644), for clients to trust
 *
 * Writes to disk and waits for it.
 *
 * @made  set to true if it was made now
 *
 * Returns false with a sentence in error.
 */
bool tls_make_own(const char *directory, bool *made, char *error, size_t error_size);
extern const char TLS_OWN_CERTIFICATE[], TLS_OWN_KEY[]; /* the files' names */

enum { TLS_RECORD_MAX = 16384 };

/**
 * A server's side of one connection for code that drives OpenSSL itself (libevent's bufferevents).
 * Never NULL; the caller's.
 */
struct ssl_st *tls_server_new(struct tls *tls);

/** One connection, server side. SIGPIPE must be ignored. */
struct tls_stream;

enum tls_io {
	TLS_IO_OK,
	TLS_IO_READ,   /* not now: go on when the socket is readable */
	TLS_IO_WRITE,  /* not now: go on when it is writable */
	TLS_IO_END,    /* read only: the other side sends no more */
	TLS_IO_FAILED, /* the connection is of no use any more */
};

/** @fd  connected and non-blocking; stays the caller's, who closes it behind the stream. */
struct tls_stream *tls_stream_new(struct tls *tls, int fd);
/** Ends without a word; see tls_stream_bye(). */
void tls_stream_free(struct tls_stream *stream);

/** Go on with the handshake: TLS_IO_OK when it is done. */
enum tls_io tls_stream_handshake(struct tls_stream *stream);
/** What the last failure was: a few words, borrowed until the next call. */
const char *tls_stream_error(const struct tls_stream *stream);

/**
 * Read what one record holds: at least one byte on TLS_IO_OK.
 *
 * @size  at least TLS_RECORD_MAX, so that nothing is left which no readable socket would announce
 *
 * TLS_IO_READ may come although the socket is readable still: a record without data was read.
 */
enum tls_io tls_stream_read(struct tls_stream *stream, void *buf, size_t size, size_t *len);
/**
 * Send some. After TLS_IO_WRITE the same bytes must come again (they may have moved) before others.
 */
enum tls_io tls_stream_write(struct tls_stream *stream, const void *buf, size_t size, size_t *len);
/** Say that we send no more, if that can be said at once. */
void tls_stream_bye(struct tls_stream *stream);
/** "TLSv1.3" and "TLS_AES_256_GCM_SHA384". */
const char *tls_stream_version(const struct tls_stream *stream);
const char *tls_stream_cipher(const struct tls_stream *stream);
