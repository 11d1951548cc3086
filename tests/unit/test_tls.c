#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cmocka.h>

#include "util/util.h"

enum { DAY = 86400 };

static char dir[64];

static const char *in_dir(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test-tls-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static X509 *make_certificate(EVP_PKEY *key, long from, long to)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), from);
	X509_gmtime_adj(X509_getm_notAfter(cert), to);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"t", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	return cert;
}

/* Files of one row: a certificate, its key, or both. */
static void write_pem(const char *name, X509 *cert, EVP_PKEY *key, const char *passphrase,
		      mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	if (cert)
		PEM_write_X509(f, cert);
	if (key)
		PEM_write_PrivateKey(f, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
				     (void *)(uintptr_t)passphrase);
	fclose(f);
	chmod(in_dir(name), mode);
}

static void write_text(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	fputs(text, f);
	fclose(f);
	chmod(in_dir(name), mode);
}

static void write_files(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *weak = EVP_RSA_gen(1024);
	X509 *good = make_certificate(key, -DAY, 90 * DAY), *chain, *cert;

	write_pem("cert", good, NULL, NULL, 0644);
	write_pem("key", NULL, key, NULL, 0600);
	write_pem("key-group", NULL, key, NULL, 0640);
	write_pem("key-all", NULL, key, NULL, 0644);
	write_pem("key-group-writes", NULL, key, NULL, 0620);
	write_pem("key-other", NULL, other, NULL, 0600);
	write_pem("key-locked", NULL, key, "secret", 0600);
	write_pem("both", good, key, NULL, 0600);
	write_pem("both-all", good, key, NULL, 0644);

	FILE *f = fopen(in_dir("chain"), "w");

	chain = make_certificate(other, -DAY, DAY);
	PEM_write_X509(f, good);
	PEM_write_X509(f, chain);
	fclose(f);
	X509_free(chain);

	cert = make_certificate(key, -10 * DAY, -DAY);
	write_pem("expired", cert, key, NULL, 0600);
	X509_free(cert);
	cert = make_certificate(key, DAY, 10 * DAY);
	write_pem("future", cert, key, NULL, 0600);
	X509_free(cert);
	cert = make_certificate(rsa, -DAY, DAY);
	write_pem("rsa", cert, rsa, NULL, 0600);
	X509_free(cert);
	cert = make_certificate(weak, -DAY, DAY);
	write_pem("weak", cert, weak, NULL, 0600);
	X509_free(cert);

	write_text("empty", "", 0600);
	write_text("text", "hello", 0600);
	write_text("broken", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		   0600);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	X509_free(good);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(weak);
}

static void test_load(void **state)
{
	static const struct {
		const char *certificate, *key; /* key NULL: in the first file */
		const char *names;	       /* the file the message names; NULL: good */
		const char *why;
	} rows[] = {
		{ "cert", "key", NULL, NULL },
		{ "both", NULL, NULL, NULL },
		{ "cert", "both", NULL, NULL },
		{ "chain", "key", NULL, NULL },
		{ "cert", "key-group", NULL, NULL },
		{ "future", NULL, NULL, NULL }, /* this host's clock may be behind */
		{ "rsa", NULL, NULL, NULL },
		{ "both-all", "key", NULL, NULL }, /* its key is not the one used */
		{ "expired", NULL, "expired", "expired on" },
		{ "weak", NULL, "weak", "too small" },
		{ "cert", "key-other", "key-other", "does not belong to the certificate in" },
		{ "chain", "key-other", "key-other", "does not belong" },
		{ "cert", "key-all", "key-all", "others than its owner may read it (mode 0644)" },
		{ "cert", "key-group-writes", "key-group-writes", "may change it (mode 0620)" },
		{ "both-all", NULL, "both-all", "chmod 600" },
		{ "cert", "key-locked", "key-locked", "needs a passphrase" },
		{ "cert", NULL, "cert", "may read it" },
		{ "key", NULL, "key", "holds no certificate" },
		{ "cert", "cert", "cert", "may read it" },
		{ "cert", "empty", "empty", "holds no private key" },
		{ "empty", NULL, "empty", "holds no certificate" },
		{ "text", NULL, "text", "holds no certificate" },
		{ "broken", NULL, "broken", "holds no certificate" },
		{ "none", NULL, "none", "No such file" },
		{ "cert", "none", "none", "No such file" },
		{ "fifo", NULL, "fifo", "is no PEM file" },
		{ "", NULL, "", "is no PEM file" }, /* the directory */
	};

	(void)state;
	write_files();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char error[512] = "";
		struct tls *tls =
			tls_load(in_dir(rows[i].certificate),
				 rows[i].key ? in_dir(rows[i].key) : NULL, error, sizeof(error));

		if (!tls != !!rows[i].why)
			fail_msg("row %zu: %s %s", i, rows[i].certificate, error);
		if (rows[i].why &&
		    (!strstr(error, rows[i].why) || !strstr(error, in_dir(rows[i].names))))
			fail_msg("row %zu: %s", i, error);
		if (tls)
			assert_int_equal(strlen(tls_fingerprint(tls)), 32 * 3 - 1);
		tls_unref(tls);
		assert_int_equal(ERR_peek_error(), 0); /* nothing is left for the next one */
	}
	tls_unref(NULL);
}

/* As `openssl x509 -fingerprint -sha256` computes it. */
static void test_fingerprint(void **state)
{
	char error[512], right[100], *p = right;
	struct tls *tls = tls_load(in_dir("both"), NULL, error, sizeof(error));
	FILE *f = fopen(in_dir("both"), "r");
	X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
	unsigned char *der = NULL, hash[32];
	int len = i2d_X509(cert, &der);

	(void)state;
	fclose(f);
	assert_true(EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL));
	for (int i = 0; i < 32; i++)
		p += sprintf(p, "%s%02X", i ? ":" : "", hash[i]);
	assert_string_equal(tls_fingerprint(tls), right);
	assert_in_range(tls_days_left(tls), 89, 90);
	OPENSSL_free(der);
	X509_free(cert);
	tls_unref(tls);
}

static void test_own(void **state)
{
	char *key = xstrdup(in_dir("own/tls-key.pem")), *cert = xstrdup(in_dir("own/tls-cert.pem"));
	char error[512], first[TLS_FINGERPRINT_SIZE];
	struct tls *tls;
	struct stat st;
	bool made;

	(void)state;
	assert_false(tls_make_own(in_dir("own"), &made, error, sizeof(error))); /* no directory */
	assert_false(made);
	assert_non_null(strstr(error, "own/tls-"));
	assert_non_null(strstr(error, "No such file"));

	assert_int_equal(mkdir(in_dir("own"), 0750), 0);
	umask(027);
	if (!tls_make_own(in_dir("own"), &made, error, sizeof(error)))
		fail_msg("%s", error);
	assert_true(made);
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(cert, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	tls = tls_load(key, NULL, error, sizeof(error));
	assert_non_null(tls);
	assert_true(tls_days_left(tls) > 10000);
	strcpy(first, tls_fingerprint(tls));
	tls_unref(tls);

	/* what clients are given is that certificate, and nothing secret */
	FILE *f = fopen(cert, "r");
	X509 *x509 = PEM_read_X509(f, NULL, NULL, NULL);

	assert_non_null(x509);
	assert_null(PEM_read_PrivateKey(f, NULL, NULL, NULL));
	ERR_clear_error();
	fclose(f);
	assert_int_equal(X509_check_host(x509, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(x509, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x509, "::1", 0), 1);
	assert_int_equal(X509_check_host(x509, "elsewhere.example", 0, 0, NULL), 0);
	assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(x509)), 256);
	assert_int_equal(X509_check_ca(x509), 0);
	X509_free(x509);

	assert_true(tls_make_own(in_dir("own"), &made, error, sizeof(error))); /* it stays */
	assert_false(made);
	tls = tls_load(key, NULL, error, sizeof(error));
	assert_string_equal(tls_fingerprint(tls), first);
	tls_unref(tls);

	write_text("own/tls-key.pem", "damaged", 0600); /* never overwritten: said instead */
	assert_true(tls_make_own(in_dir("own"), &made, error, sizeof(error)));
	assert_null(tls_load(key, NULL, error, sizeof(error)));
	assert_non_null(strstr(error, key));

	unlink(key); /* left over from a crash: no hindrance */
	write_text("own/tls-key.pem.new", "half", 0600);
	assert_true(tls_make_own(in_dir("own"), &made, error, sizeof(error)));
	assert_true(made);
	tls = tls_load(key, NULL, error, sizeof(error));
	assert_non_null(tls);
	assert_string_not_equal(tls_fingerprint(tls), first);
	tls_unref(tls);
	free(key);
	free(cert);
}

/* Streams */

struct pair {
	struct tls_stream *server;
	SSL_CTX *ctx;
	SSL *client;
	int fds[2];
};

static void open_pair(struct pair *p, int version)
{
	char error[512];
	struct tls *tls = tls_load(in_dir("both"), NULL, error, sizeof(error));

	assert_non_null(tls);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
	p->server = tls_stream_new(tls, p->fds[0]);
	tls_unref(tls); /* the stream goes on without */
	p->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(p->ctx, 0); /* else it would not even offer 1.1 */
	SSL_CTX_set_min_proto_version(p->ctx, version);
	SSL_CTX_set_max_proto_version(p->ctx, version);
	p->client = SSL_new(p->ctx);
	SSL_set_fd(p->client, p->fds[1]);
	SSL_set_connect_state(p->client);
	SSL_set_mode(p->client,
		     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static void close_pair(struct pair *p)
{
	tls_stream_free(p->server);
	SSL_free(p->client);
	SSL_CTX_free(p->ctx);
	close(p->fds[0]);
	close(p->fds[1]);
}

static enum tls_io shake_hands(struct pair *p)
{
	enum tls_io io = TLS_IO_READ;

	for (int i = 0; i < 20 && io == TLS_IO_READ; i++) {
		SSL_do_handshake(p->client);
		ERR_clear_error();
		io = tls_stream_handshake(p->server);
	}
	SSL_do_handshake(p->client);
	ERR_clear_error();
	return io;
}

static void test_versions(void **state)
{
	static const struct {
		int version;
		const char *name; /* NULL: refused */
	} rows[] = {
		{ TLS1_3_VERSION, "TLSv1.3" },
		{ TLS1_2_VERSION, "TLSv1.2" },
		{ TLS1_1_VERSION, NULL },
		{ TLS1_VERSION, NULL },
	};
	char buf[TLS_RECORD_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pair p;

		open_pair(&p, rows[i].version);
		if (!rows[i].name) {
			assert_int_equal(shake_hands(&p), TLS_IO_FAILED);
			assert_string_equal(tls_stream_error(p.server), "unsupported protocol");
			close_pair(&p);
			continue;
		}
		assert_int_equal(shake_hands(&p), TLS_IO_OK);
		assert_string_equal(tls_stream_version(p.server), rows[i].name);
		assert_non_null(tls_stream_cipher(p.server));
		assert_int_equal(tls_stream_read(p.server, buf, sizeof(buf), &n), TLS_IO_READ);
		assert_int_equal(SSL_write(p.client, "VER\n", 4), 4);
		assert_int_equal(tls_stream_read(p.server, buf, sizeof(buf), &n), TLS_IO_OK);
		assert_int_equal(n, 4);
		assert_memory_equal(buf, "VER\n", 4);
		assert_int_equal(tls_stream_write(p.server, "OK\n", 3, &n), TLS_IO_OK);
		assert_int_equal(n, 3);
		assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 3);

		/* no second handshake on the same connection: that would be work for nothing */
		if (rows[i].version == TLS1_2_VERSION) {
			SSL_renegotiate(p.client);
			SSL_do_handshake(p.client);
			assert_int_equal(tls_stream_read(p.server, buf, sizeof(buf), &n),
					 TLS_IO_READ);
			assert_true(SSL_read(p.client, buf, sizeof(buf)) <= 0);
			ERR_clear_error();
		}
		tls_stream_bye(p.server);
		tls_stream_bye(p.server);
		close_pair(&p);
	}
}

static void test_ends(void **state)
{
	struct pair p;
	char buf[TLS_RECORD_MAX];
	size_t n;

	(void)state;
	open_pair(&p, TLS1_3_VERSION); /* closed in the handshake */
	shutdown(p.fds[1], SHUT_WR);
	assert_int_equal(tls_stream_handshake(p.server), TLS_IO_FAILED);
	close_pair(&p);

	open_pair(&p, TLS1_3_VERSION); /* not TLS at all */
	assert_int_equal(write(p.fds[1], "LIST UPS\n", 9), 9);
	assert_int_equal(tls_stream_handshake(p.server), TLS_IO_FAILED);
	assert_string_not_equal(tls_stream_error(p.server), "none");
	tls_stream_bye(p.server); /* nothing to say any more */
	close_pair(&p);

	open_pair(&p, TLS1_3_VERSION); /* a farewell */
	assert_int_equal(shake_hands(&p), TLS_IO_OK);
	SSL_shutdown(p.client);
	assert_int_equal(tls_stream_read(p.server, buf, sizeof(buf), &n), TLS_IO_END);
	assert_int_equal(tls_stream_write(p.server, "OK\n", 3, &n), TLS_IO_OK); /* half-closed */
	assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 3);
	close_pair(&p);

	open_pair(&p, TLS1_3_VERSION); /* none */
	assert_int_equal(shake_hands(&p), TLS_IO_OK);
	shutdown(p.fds[1], SHUT_WR);
	assert_int_equal(tls_stream_read(p.server, buf, sizeof(buf), &n), TLS_IO_END);
	close_pair(&p);

	open_pair(&p, TLS1_3_VERSION); /* rubbish between records */
	assert_int_equal(shake_hands(&p), TLS_IO_OK);
	assert_int_equal(write(p.fds[1], "rubbish rubbish", 15), 15);
	assert_int_equal(tls_stream_read(p.server, buf, sizeof(buf), &n), TLS_IO_FAILED);
	close_pair(&p);
}

/* A client that does not read: what was refused comes again, and nothing is lost or doubled. */
static void test_slow_reader(void **state)
{
	enum { TOTAL = 4 * 1024 * 1024 };
	char *data = malloc(TOTAL), *copy, buf[TLS_RECORD_MAX];
	enum tls_io io = TLS_IO_OK;
	size_t sent = 0, got = 0, n;
	struct pair p;

	(void)state;
	for (size_t i = 0; i < TOTAL; i++)
		data[i] = (char)(i * 7 + i / 251);
	open_pair(&p, TLS1_3_VERSION);
	assert_int_equal(shake_hands(&p), TLS_IO_OK);
	while ((io = tls_stream_write(p.server, data + sent, TOTAL - sent, &n)) == TLS_IO_OK)
		sent += n;
	assert_int_equal(io, TLS_IO_WRITE);
	assert_true(sent > 0 && sent < TOTAL);
	tls_stream_bye(p.server); /* must not get between */
	copy = malloc(TOTAL);	  /* the bytes may have moved */
	memcpy(copy, data, TOTAL);
	while (got < TOTAL) {
		int r = SSL_read(p.client, buf, sizeof(buf));

		if (r > 0) {
			assert_memory_equal(buf, data + got, (size_t)r);
			got += (size_t)r;
			continue;
		}
		ERR_clear_error();
		io = tls_stream_write(p.server, copy + sent, TOTAL - sent, &n);
		assert_true(io == TLS_IO_OK || io == TLS_IO_WRITE);
		sent += n;
	}
	assert_int_equal(sent, TOTAL);
	free(data);
	free(copy);
	close_pair(&p);
}

/* Records without data must not keep one read going on. */
static void test_empty_records(void **state)
{
	enum { UPDATES = 20 };
	char buf[TLS_RECORD_MAX];
	unsigned reads = 0;
	struct pair p;
	size_t n;

	(void)state;
	open_pair(&p, TLS1_3_VERSION);
	assert_int_equal(shake_hands(&p), TLS_IO_OK);
	for (int i = 0; i < UPDATES; i++) {
		assert_int_equal(SSL_key_update(p.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(p.client), 1);
	}
	assert_int_equal(SSL_write(p.client, "VER\n", 4), 4);
	while (tls_stream_read(p.server, buf, sizeof(buf), &n) == TLS_IO_READ)
		reads++;
	assert_int_equal(reads, UPDATES);
	assert_int_equal(n, 4);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),	      cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_own),	      cmocka_unit_test(test_versions),
		cmocka_unit_test(test_ends),	      cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_empty_records),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
