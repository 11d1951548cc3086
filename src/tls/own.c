#include "tls/private.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "util/util.h"

const char TLS_OWN_CERTIFICATE[] = "tls-cert.pem", TLS_OWN_KEY[] = "tls-key.pem";

/*
 * From before any clock that is merely wrong, to the date RFC 5280 (4.1.2.5) gives for "no end":
 * a host without a clock of its own, and one that nobody looks after for years, must work.
 */
static const char NOT_BEFORE[] = "20200101000000Z", NOT_AFTER[] = "99991231235959Z";

enum { SAN_MAX = 2048, NAME_MAX_BYTES = 64 };

static bool is_dns_name(const char *s)
{
	if (!*s || strlen(s) >= NAME_MAX_BYTES)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.')
			return false;
	return true;
}

static void own_name(char name[256])
{
	if (gethostname(name, 256) < 0)
		name[0] = '\0';
	name[255] = '\0';
}

static void add_name(char san[SAN_MAX], const char *kind, const char *name)
{
	char word[128];
	size_t used = strlen(san), len;

	snprintf(word, sizeof(word), "%s:%s", kind, name);
	len = strlen(word);
	for (const char *p = san; (p = strstr(p, word)); p++) /* is it there already? */
		if ((p == san || p[-1] == ',') && (p[len] == ',' || !p[len]))
			return;
	if (used + len + 2 > SAN_MAX)
		return;
	snprintf(san + used, SAN_MAX - used, "%s%s", used ? "," : "", word);
}

static void add_address(char san[SAN_MAX], const struct sockaddr *sa)
{
	char text[INET6_ADDRSTRLEN];
	const void *address;

	if (sa->sa_family == AF_INET) {
		address = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	} else {
		const struct in6_addr *in6 =
			&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

		if (IN6_IS_ADDR_LINKLOCAL(in6))
			return; /* clients write a zone with it, which a certificate cannot hold */
		address = in6;
	}
	if (inet_ntop(sa->sa_family, address, text, sizeof(text)))
		add_name(san, "IP", text);
}

/* What clients may call this host. */
static void names_of_host(char san[SAN_MAX])
{
	char name[256];
	struct ifaddrs *list = NULL;

	san[0] = '\0';
	own_name(name);
	if (is_dns_name(name)) {
		add_name(san, "DNS", name);
		name[strcspn(name, ".")] = '\0';
		add_name(san, "DNS", name);
	}
	add_name(san, "DNS", "localhost");
	add_name(san, "IP", "127.0.0.1");
	add_name(san, "IP", "::1");
	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next)
		if (i->ifa_addr && !(i->ifa_flags & IFF_LOOPBACK) &&
		    (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6))
			add_address(san, i->ifa_addr);
	freeifaddrs(list);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return ok;
}

static bool set_names(X509 *cert)
{
	X509_NAME *name = X509_get_subject_name(cert);
	unsigned char random[16];
	char host[256], san[SAN_MAX];
	BIGNUM *serial;
	bool ok;

	own_name(host);
	random_bytes(random, sizeof(random));
	random[0] = (random[0] & 0x7f) | 0x40; /* positive, and of one length */
	serial = BN_bin2bn(random, sizeof(random), NULL);
	ok = serial && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert));
	BN_free(serial);
	names_of_host(san);
	return ok &&
	       X509_NAME_add_entry_by_txt(
		       name, "CN", MBSTRING_ASC,
		       (const unsigned char *)(is_dns_name(host) ? host : "localhost"), -1, -1,
		       0) &&
	       X509_set_issuer_name(cert, name) &&
	       add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(cert, NID_ext_key_usage, "serverAuth") &&
	       add_extension(cert, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, NID_subject_alt_name, san);
}

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	if (cert && X509_set_version(cert, X509_VERSION_3) &&
	    ASN1_TIME_set_string(X509_getm_notBefore(cert), NOT_BEFORE) &&
	    ASN1_TIME_set_string(X509_getm_notAfter(cert), NOT_AFTER) &&
	    X509_set_pubkey(cert, key) && set_names(cert) && X509_sign(cert, key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

static bool fail(char *error, size_t size, const char *path, const char *what, const char *why)
{
	snprintf(error, size, "%s cannot be %s: %s", path, what, why);
	return false;
}

/* All of it under a name of its own first: whoever sees the file sees it whole. */
static bool write_file(const char *path, BIO *content, mode_t mode, char *error, size_t size)
{
	char *text, *part = xasprintf("%s.new", path);
	long len = BIO_get_mem_data(content, &text);
	bool ok = false;
	int fd;

	(void)unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		ok = write(fd, text, (size_t)len) == len && fchmod(fd, mode) == 0 && fsync(fd) == 0;
		ok = close(fd) == 0 && ok && rename(part, path) == 0;
	}
	if (!ok)
		fail(error, size, path, "written", errno ? strerror(errno) : "no space");
	if (!ok && fd >= 0)
		unlink(part);
	free(part);
	return ok;
}

/* The key's file holds both, so that it is whole or not there; the certificate's is for clients. */
static bool write_both(const char *key_path, const char *cert_path, char *error, size_t size)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? make_certificate(key) : NULL;
	BIO *secret = BIO_new(BIO_s_mem()), *open_part = BIO_new(BIO_s_mem());
	bool ok = false;

	errno = 0;
	if (!cert || !secret || !open_part ||
	    !PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) ||
	    !PEM_write_bio_X509(secret, cert) || !PEM_write_bio_X509(open_part, cert))
		fail(error, size, key_path, "made", tls__reason());
	else
		ok = write_file(cert_path, open_part, 0644, error, size) &&
		     write_file(key_path, secret, 0600, error, size);
	BIO_free(secret);
	BIO_free(open_part);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}

bool tls_make_own(const char *directory, bool *made, char *error, size_t error_size)
{
	char *key_path = xasprintf("%s/%s", directory, TLS_OWN_KEY);
	char *cert_path = xasprintf("%s/%s", directory, TLS_OWN_CERTIFICATE);
	struct stat st;
	bool ok = true;

	*made = false;
	if (lstat(key_path, &st) == 0)
		goto out;
	if (errno != ENOENT)
		ok = fail(error, error_size, key_path, "read", strerror(errno));
	else
		*made = ok = write_both(key_path, cert_path, error, error_size);
out:
	free(cert_path);
	free(key_path);
	return ok;
}
