/*
 * The NUT server behind STARTTLS. The first byte chooses what a client does with the rest:
 *
 *   0  speaks TLS well: the rest is the dialogue inside, in pieces
 *   1  sends the rest where the handshake should be
 *   2  speaks TLS, then the second byte's record is damaged on its way
 *   3  speaks TLS, then sends the rest in clear
 *
 * Whatever it is, answers are whole lines of at most 511 characters and nothing is left when the
 * client is gone.
 */
#include "served_ups.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum mode { TALK, NO_HANDSHAKE, DAMAGE, CLEAR, MODES };

static SSL_CTX *client_ctx;

struct client {
	int fd;
	SSL *ssl;
	BIO *in, *out; /* what came, what is to be sent */
	int damage;    /* which of the next sends is damaged, -1 = none */
	size_t column; /* of the answer read last */
	bool open;
};

static void make_certificate(void)
{
	char dir[] = "/tmp/fuzz-tls-XXXXXX", key[64], cert[64], error[512];
	struct tls *tls;
	bool made;

	need(mkdtemp(dir) != NULL);
	snprintf(key, sizeof(key), "%s/%s", dir, TLS_OWN_KEY);
	snprintf(cert, sizeof(cert), "%s/%s", dir, TLS_OWN_CERTIFICATE);
	need(tls_make_own(dir, &made, error, sizeof(error)) && made);
	tls = tls_load(key, NULL, error, sizeof(error));
	need(tls != NULL);
	nut_server_set_tls(server, tls);
	tls_unref(tls);
	unlink(key);
	unlink(cert);
	rmdir(dir);
}

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	serve_ups();
	make_certificate();
	client_ctx = SSL_CTX_new(TLS_client_method());
	need(client_ctx != NULL);
}

static void turn_loop(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* What the client's TLS wants sent goes out, what came goes in. */
static void pump(struct client *c)
{
	char buf[65536];
	ssize_t n;
	int len;

	while (c->open && (len = BIO_read(c->out, buf, sizeof(buf))) > 0) {
		if (c->damage >= 0 && c->damage-- == 0)
			buf[len / 2] ^= 0x20;
		if (send(c->fd, buf, (size_t)len, MSG_NOSIGNAL) != len)
			c->open = false;
	}
	turn_loop();
	turn_loop();
	while ((n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		need(BIO_write(c->in, buf, (int)n) == (int)n);
	if (n == 0)
		c->open = false;
}

static void read_answers(struct client *c)
{
	char buf[16384];
	int n;

	while ((n = SSL_read(c->ssl, buf, sizeof(buf))) > 0)
		check_answers(buf, (size_t)n, &c->column);
	ERR_clear_error();
}

static bool shake_hands(struct client *c)
{
	for (int i = 0; i < 1000 && c->open; i++) {
		int rc = SSL_do_handshake(c->ssl);

		ERR_clear_error();
		pump(c);
		if (rc == 1)
			return true;
	}
	return false;
}

static void say(struct client *c, const uint8_t *data, size_t size)
{
	size_t step = size > 64 ? size / 7 + 1 : 3;

	for (size_t at = 0; at < size && c->open; at += step) {
		size_t n = size - at < step ? size - at : step;

		if (SSL_write(c->ssl, data + at, (int)n) <= 0)
			break;
		pump(c);
		read_answers(c);
	}
}

static void open_client(struct client *c)
{
	static const char hello[] = "STARTTLS\n";
	union address peer = { .in = { .sin_family = AF_INET } };
	char answer[32] = "";
	int fds[2];

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	need(conn_new(server, fds[0], &peer));
	c->fd = fds[1];
	c->damage = -1;
	c->open = true;
	c->ssl = SSL_new(client_ctx);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	need(c->ssl && c->in && c->out);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_connect_state(c->ssl);
	need(send(c->fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(hello) - 1);
	turn_loop();
	need(recv(c->fd, answer, sizeof(answer) - 1, MSG_DONTWAIT) == 12);
	need(strcmp(answer, "OK STARTTLS\n") == 0);
}

static void close_client(struct client *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	check_nothing_left();
}

static void send_raw(struct client *c, const uint8_t *data, size_t size)
{
	if (size && send(c->fd, data, size, MSG_NOSIGNAL) < 0)
		c->open = false;
	pump(c);
	pump(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client c = { 0 };
	enum mode mode;

	if (!server)
		set_up();
	if (size < 2 || size > 65536)
		return 0;
	mode = (enum mode)(data[0] % MODES);
	open_client(&c);
	if (mode == NO_HANDSHAKE) {
		send_raw(&c, data + 1, size - 1);
	} else if (shake_hands(&c)) {
		c.damage = mode == DAMAGE ? data[1] % 8 : -1;
		if (mode == CLEAR)
			send_raw(&c, data + 1, size - 1);
		else
			say(&c, data + 1, size - 1);
		read_answers(&c);
		need(mode != TALK || c.column == 0);
	} else {
		need(0); /* a good handshake must succeed */
	}
	close_client(&c);
	return 0;
}
