/*
 * What a client sends to the web port, byte for byte: evhttp, the login, the API and streams over a
 * hub filled by hand.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>
#include "daemon/config.h"
#include "daemon/networks.h"
#include "front/http/front.h"
#include "unit/made_hub.h"
#include "util/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_order(void *backend, struct hub_ups *ups, struct hub_order *order)
{
	(void)backend;
	hub_order_end(ups, order, U2K_VERIFIED, 0, "done");
}

static const struct hub_backend backend = { .order = take_order };

static struct event_base *base;
static unsigned port;

static void start(void)
{
	static char where[] = "127.0.0.1:0", name[] = "admin", password[] = "pw", all[] = "ALL";
	static char *listen[] = { where }, *commands[] = { all };
	static struct config_user user = { .name = name,
					   .password = password,
					   .plain = true,
					   .actions = CONFIG_ACTION_SET | CONFIG_ACTION_FSD,
					   .instcmds = commands,
					   .n_instcmds = 1 };
	static struct networks open;
	static const struct http_front_config config = {
		.listen = listen, .n_listen = 1, .open = &open, .users = &user, .n_users = 1
	};
	struct http_front *front;
	struct hub_ups *ups;
	struct hub *hub;
	char error[256];

	signal(SIGPIPE, SIG_IGN);
	log_open("fuzz", LOG_TARGET_STDERR, LOG_LEVEL_ERROR);
	base = event_base_new();
	hub = hub_new(base);
	ups = made_ups(hub, "rack", NULL, "first");
	ups->ops = &backend;
	networks_add(&open, "loopback", error, sizeof(error));
	front = http_front_new(hub, NULL, NULL, error, sizeof(error));
	http_front_configure(front, &config);
	port = http_front_port(front, 0);
}

static void turn(int fd)
{
	char waste[65536];

	event_base_loop(base, EVLOOP_NONBLOCK);
	while (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger at_once = { 1, 0 }; /* no TIME_WAIT: ports would run out */
	int fd;

	if (!base)
		start();
	to.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	turn(fd);
	(void)send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (int i = 0; i < 4; i++)
		turn(fd);
	close(fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return 0;
}
