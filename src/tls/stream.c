#include "tls/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "util/util.h"

struct tls_stream {
	SSL *ssl;
	bool broken;	 /* nothing may be said any more */
	bool writing;	 /* a write is to be repeated */
	const char *why; /* OpenSSL's or libc's, static */
};

SSL *tls_server_new(struct tls *tls)
{
	SSL *ssl = SSL_new(tls->ctx); /* holds the context itself: tls may go */

	if (!ssl)
		abort(); /* out of memory: as xmalloc() */
	SSL_set_accept_state(ssl);
	return ssl;
}

struct tls_stream *tls_stream_new(struct tls *tls, int fd)
{
	struct tls_stream *s = xcalloc(1, sizeof(*s));

	s->ssl = tls_server_new(tls);
	if (SSL_set_fd(s->ssl, fd) != 1)
		abort(); /* out of memory */
	return s;
}

void tls_stream_free(struct tls_stream *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	free(s);
}

/* What a call that returned rc <= 0 means. */
static enum tls_io meaning(struct tls_stream *s, int rc)
{
	int error = errno;

	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_IO_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_IO_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_IO_END;
	case SSL_ERROR_SYSCALL:
		s->broken = true;
		s->why = error ? strerror(error) : "connection closed";
		ERR_clear_error();
		return TLS_IO_FAILED;
	default:
		s->broken = true;
		s->why = tls__reason();
		return TLS_IO_FAILED;
	}
}

enum tls_io tls_stream_handshake(struct tls_stream *s)
{
	enum tls_io io;
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(s->ssl);
	if (rc == 1)
		return TLS_IO_OK;
	io = meaning(s, rc);
	if (io != TLS_IO_END)
		return io;
	s->broken = true;
	s->why = "connection closed";
	return TLS_IO_FAILED;
}

const char *tls_stream_error(const struct tls_stream *s)
{
	return s->why ? s->why : "none";
}

enum tls_io tls_stream_read(struct tls_stream *s, void *buf, size_t size, size_t *len)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_read_ex(s->ssl, buf, size, len);
	return rc == 1 ? TLS_IO_OK : meaning(s, rc);
}

enum tls_io tls_stream_write(struct tls_stream *s, const void *buf, size_t size, size_t *len)
{
	enum tls_io io = TLS_IO_OK;
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_write_ex(s->ssl, buf, size, len);
	if (rc != 1) {
		io = meaning(s, rc);
		*len = 0;
	}
	s->writing = io == TLS_IO_WRITE;
	return io == TLS_IO_END ? TLS_IO_FAILED : io;
}

void tls_stream_bye(struct tls_stream *s)
{
	if (s->broken || s->writing || !SSL_is_init_finished(s->ssl) ||
	    SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(s->ssl);
	ERR_clear_error();
}

const char *tls_stream_version(const struct tls_stream *s)
{
	return SSL_get_version(s->ssl);
}

const char *tls_stream_cipher(const struct tls_stream *s)
{
	return SSL_get_cipher_name(s->ssl);
}
