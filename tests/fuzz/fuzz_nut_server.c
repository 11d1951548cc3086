/*
 * The NUT server: any bytes from a client, cut into pieces. Every answer is whole lines of at most
 * 511 characters, and nothing is left when the client is gone. The first byte is the piece size.
 */
#include "served_ups.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads what has come; col is the length of the line so far. Returns false at the end. */
static bool drain(int fd, size_t *col)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		check_answers(buf, (size_t)n, col);
	return n < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union address peer = { .in = { .sin_family = AF_INET } };
	size_t col = 0, step;
	int fds[2];
	bool open = true;

	if (!server)
		serve_ups();
	if (!size)
		return 0;
	step = data[0] ? (size_t)data[0] * 4 : size;
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	conn_new(server, fds[0], &peer);
	for (size_t at = 1; at < size && open; at += step) {
		size_t n = size - at < step ? size - at : step;

		if (send(fds[1], data + at, n, MSG_NOSIGNAL) < (ssize_t)n)
			break; /* closed by LOGOUT, or full */
		event_base_loop(base, EVLOOP_NONBLOCK);
		open = drain(fds[1], &col);
	}
	shutdown(fds[1], SHUT_WR);
	for (int i = 0; open; i++) {
		need(i < 10000);
		event_base_loop(base, EVLOOP_NONBLOCK);
		open = drain(fds[1], &col);
	}
	need(col == 0);
	close(fds[1]);
	check_nothing_left();
	return 0;
}
