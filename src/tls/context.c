#include "tls/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "util/util.h"

enum {
	FILE_MAX = 1024 * 1024,
	CHAIN_MAX = 16,
	SECURITY_BITS_112 = 2, /* OpenSSL's security level */
	DAYS_MAX = 100000,
};

struct complaint {
	char *text;
	size_t size;
};

static bool fail(const struct complaint *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail(const struct complaint *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, error->size, format, args);
	va_end(args);
	return false;
}

const char *tls__reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return reason ? reason : "no reason given";
}

/* A key's owner may do anything, its group may read it (as Debian's ssl-cert has it). */
static bool check_key_mode(const char *path, mode_t mode, const struct complaint *error)
{
	if (!(mode & (S_IWGRP | S_IRWXO)))
		return true;
	return fail(error,
		    "%s holds the private key and others than its owner may %s it (mode %04o). "
		    "chmod 600 it",
		    path, mode & (S_IWGRP | S_IWOTH) ? "change" : "read", (unsigned)mode & 07777);
}

/* The whole file; NULL after a complaint. O_NONBLOCK: a FIFO must not hold us. */
static char *read_file(const char *path, int *len, mode_t *mode, const struct complaint *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	size_t used = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fail(error, "%s cannot be read: %s. %s", path, strerror(errno),
		     errno == EACCES ? "Let the daemon's user or group read it"
				     : "Name the certificate's file");
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		fail(error, "%s is no PEM file. Name the certificate's file", path);
		goto out;
	}
	text = xmalloc(FILE_MAX + 1);
	while (used <= FILE_MAX && (n = read(fd, text + used, FILE_MAX + 1 - used)) > 0)
		used += (size_t)n;
	*len = (int)used;
	*mode = st.st_mode;
out:
	if (fd >= 0)
		close(fd);
	return text;
}

static void free_text(char *text, int len)
{
	if (!text)
		return;
	explicit_bzero(text, (size_t)len);
	free(text);
}

/* Never ask a terminal for a passphrase. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static bool check_dates(struct tls *tls, const X509 *cert, const char *path,
			const struct complaint *error)
{
	const ASN1_TIME *end = X509_get0_notAfter(cert);
	int days = 0, seconds = 0;
	char when[64] = "";
	BIO *bio;

	if (ASN1_TIME_diff(&days, &seconds, NULL, end)) {
		tls->days_left = days < DAYS_MAX ? days : DAYS_MAX;
		if (days >= 0 && seconds >= 0)
			return true;
	}
	bio = BIO_new(BIO_s_mem());
	if (bio && ASN1_TIME_print(bio, end)) {
		int n = BIO_read(bio, when, sizeof(when) - 1);

		when[n > 0 ? n : 0] = '\0';
	}
	BIO_free(bio);
	ERR_clear_error();
	return fail(error, "%s: the certificate expired on %s. Renew it", path, when);
}

static bool fingerprint(struct tls *tls, const X509 *cert)
{
	unsigned char hash[32];
	unsigned len = sizeof(hash);

	if (!X509_digest(cert, EVP_sha256(), hash, &len))
		return false;
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(tls->fingerprint + 3 * i, 4, i + 1 < sizeof(hash) ? "%02X:" : "%02X",
			 hash[i]);
	return true;
}

/* The server's own certificate first, then its chain. */
static bool use_certificates(struct tls *tls, BIO *bio, const char *path,
			     const struct complaint *error)
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	bool ok;

	if (!cert) {
		ERR_clear_error();
		return fail(error,
			    "%s holds no certificate. It must be PEM: -----BEGIN CERTIFICATE-----",
			    path);
	}
	ok = check_dates(tls, cert, path, error);
	if (ok && (!fingerprint(tls, cert) || SSL_CTX_use_certificate(tls->ctx, cert) != 1))
		ok = fail(error, "%s: the certificate cannot be used: %s. Make another", path,
			  tls__reason());
	X509_free(cert);
	for (int i = 0; ok && i < CHAIN_MAX; i++) {
		cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (!cert)
			break;
		if (!SSL_CTX_add0_chain_cert(tls->ctx, cert)) {
			X509_free(cert);
			ok = fail(error, "%s: the chain cannot be used: %s. Make another", path,
				  tls__reason());
		}
	}
	ERR_clear_error(); /* the end of the file counts as one */
	return ok;
}

static bool use_key(struct tls *tls, BIO *bio, const char *path, const char *certificate,
		    const struct complaint *error)
{
	bool asked = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	bool ok;

	ERR_clear_error();
	if (!key && asked)
		return fail(error,
			    "%s: the private key needs a passphrase, which nobody can type here. "
			    "Take it off with openssl pkey",
			    path);
	if (!key)
		return fail(error,
			    "%s holds no private key. It must be PEM: -----BEGIN PRIVATE KEY-----",
			    path);
	ok = SSL_CTX_use_PrivateKey(tls->ctx, key) == 1 && SSL_CTX_check_private_key(tls->ctx) == 1;
	ERR_clear_error();
	EVP_PKEY_free(key);
	return ok || fail(error,
			  "the key in %s does not belong to the certificate in %s. Name the "
			  "two that were made together",
			  path, certificate);
}

static bool load(struct tls *tls, const char *certificate, const char *key,
		 const struct complaint *error)
{
	char *cert_text, *key_text = NULL;
	int cert_len = 0, key_len = 0;
	mode_t cert_mode, key_mode;
	BIO *cert_bio = NULL, *key_bio = NULL;
	bool ok = false;

	cert_text = read_file(certificate, &cert_len, &cert_mode, error);
	if (!cert_text)
		return false;
	if (key)
		key_text = read_file(key, &key_len, &key_mode, error);
	if (key ? !key_text || !check_key_mode(key, key_mode, error)
		: !check_key_mode(certificate, cert_mode, error))
		goto out;
	cert_bio = BIO_new_mem_buf(cert_text, cert_len);
	key_bio = key ? BIO_new_mem_buf(key_text, key_len) : BIO_new_mem_buf(cert_text, cert_len);
	ok = cert_bio && key_bio && use_certificates(tls, cert_bio, certificate, error) &&
	     use_key(tls, key_bio, key ? key : certificate, certificate, error);
out:
	BIO_free(cert_bio);
	BIO_free(key_bio);
	free_text(cert_text, cert_len);
	free_text(key_text, key_len);
	return ok;
}

/*
 * No renegotiation and no tickets: what a client may do to us is less then. No automatic retries:
 * records without data must not keep one client's read going on.
 */
static bool set_up(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_security_level(ctx, SECURITY_BITS_112);
	return SSL_CTX_set_num_tickets(ctx, 0) &&
	       SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
}

struct tls *tls_load(const char *certificate, const char *key, char *error, size_t error_size)
{
	struct complaint complaint = { error, error_size };
	struct tls *tls = xcalloc(1, sizeof(*tls));

	tls->refs = 1;
	tls->ctx = SSL_CTX_new(TLS_server_method());
	if (!tls->ctx || !set_up(tls->ctx)) {
		fail(&complaint, "OpenSSL cannot be used: %s", tls__reason());
	} else if (load(tls, certificate, key, &complaint)) {
		return tls;
	}
	tls_unref(tls);
	return NULL;
}

struct tls *tls_ref(struct tls *tls)
{
	__atomic_add_fetch(&tls->refs, 1, __ATOMIC_RELAXED);
	return tls;
}

void tls_unref(struct tls *tls)
{
	if (!tls || __atomic_sub_fetch(&tls->refs, 1, __ATOMIC_ACQ_REL))
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

const char *tls_fingerprint(const struct tls *tls)
{
	return tls->fingerprint;
}

long tls_days_left(const struct tls *tls)
{
	return tls->days_left;
}
