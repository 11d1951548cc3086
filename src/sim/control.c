#include "sim/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "sim/command.h"
#include "util/util.h"

/* A client that sends no newline, or reads no replies, is cut off there. */
enum { LINE_LIMIT = 4096, UNREAD_LIMIT = 4 << 20 };

struct client {
	struct control *control;
	struct bufferevent *bev;
	TAILQ_ENTRY(client) entry;
};

struct control {
	struct event_base *base;
	struct evconnlistener *listener;
	struct sim_world *world;
	void (*done)(void *user);
	void *user;
	char *path;
	TAILQ_HEAD(, client) clients;
};

static void client_free(struct client *client)
{
	TAILQ_REMOVE(&client->control->clients, client, entry);
	bufferevent_free(client->bev);
	free(client);
}

static void run_line(struct client *client, const char *line)
{
	struct control *control = client->control;
	char *reply = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&reply, &size);

	if (!out)
		return;
	sim_command(control->world, clock_us(), line, out);
	fclose(out);
	bufferevent_write(client->bev, reply, size);
	free(reply);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;
	struct control *control = client->control;
	struct evbuffer *input = bufferevent_get_input(bev);
	char *line;

	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF))) {
		run_line(client, line);
		free(line);
	}
	if (evbuffer_get_length(input) > LINE_LIMIT ||
	    evbuffer_get_length(bufferevent_get_output(bev)) > UNREAD_LIMIT)
		client_free(client);
	control->done(control->user);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_free(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
		      int len, void *arg)
{
	struct control *control = arg;
	struct client *client = xcalloc(1, sizeof(*client));

	(void)listener, (void)addr, (void)len;
	client->control = control;
	client->bev = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
	TAILQ_INSERT_TAIL(&control->clients, client, entry);
	bufferevent_setcb(client->bev, on_read, NULL, on_event, client);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

/* Is a socket there that nobody answers any more? */
static int is_dead(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int dead = fd >= 0 && connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 &&
		   errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return dead;
}

struct control *control_new(struct event_base *base, const char *path, struct sim_world *world,
			    void (*done)(void *user), void *user, char *err, size_t err_size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct control *control;
	struct stat st;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(err, err_size, "--control %s: longer than the %zu bytes a socket name has",
			 path, sizeof(sun.sun_path) - 1);
		return NULL;
	}
	memcpy(sun.sun_path, path, strlen(path));
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && is_dead(&sun))
		unlink(path);

	control = xcalloc(1, sizeof(*control));
	*control = (struct control){ .base = base, .world = world, .done = done, .user = user };
	TAILQ_INIT(&control->clients);
	control->listener = evconnlistener_new_bind(base, on_accept, control,
						    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
						    -1, (struct sockaddr *)&sun, sizeof(sun));
	if (!control->listener) {
		snprintf(err, err_size, "--control %s: %s", path, strerror(errno));
		free(control);
		return NULL;
	}
	control->path = xstrdup(path);
	return control;
}

/* The loop has ended: the answer to "quit" must go out by hand. */
static void send_rest(struct client *client)
{
	struct evbuffer *output = bufferevent_get_output(client->bev);

	evbuffer_unfreeze(output, 1);
	evbuffer_write(output, bufferevent_getfd(client->bev));
}

void control_free(struct control *control)
{
	if (!control)
		return;
	while (!TAILQ_EMPTY(&control->clients)) {
		struct client *client = TAILQ_FIRST(&control->clients);

		send_rest(client);
		client_free(client);
	}
	evconnlistener_free(control->listener);
	unlink(control->path);
	free(control->path);
	free(control);
}
