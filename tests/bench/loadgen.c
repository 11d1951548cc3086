/*
 * Load for a NUT server: sends the same request over and over on several connections, so many at a
 * time on each, and counts the answers. Prints one line of JSON, with DEPTH 1 also how long answers
 * took. (An HTTP request works as well: END "HTTP/1.1 200", REQUEST without its last line feed.)
 *
 * usage: loadgen PORT CONNECTIONS DEPTH SECONDS END REQUEST
 *   DEPTH    requests sent before their answers are awaited; 1 = one after the other
 *   END      how the last line of an answer begins: "VAR ", "END LIST "
 *   REQUEST  without the line feed
 */
#include "load.h"

#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

enum { CONNS_MAX = 1000, LINE_MAX_BYTES = 32 };

struct conn {
	int fd;
	unsigned waiting;	   /* answers still to come */
	size_t to_send;		   /* bytes of the batch not sent yet */
	char line[LINE_MAX_BYTES]; /* beginning of the line being read */
	size_t line_len;
	double sent; /* when the last request was */
};

enum { TOOK_MAX = 1 << 20 };
static float took_ms[TOOK_MAX]; /* the first so many answers */

static uint64_t answers, errors;
static const char *end_mark;
static size_t end_len;

static void end_of_line(struct conn *c)
{
	if (c->line_len >= end_len && !memcmp(c->line, end_mark, end_len)) {
		if (answers < TOOK_MAX)
			took_ms[answers] = (float)((now() - c->sent) * 1e3);
		answers++;
		c->waiting--;
	} else if (c->line_len >= 4 && !memcmp(c->line, "ERR ", 4)) {
		errors++;
		c->waiting--;
	}
	c->line_len = 0;
}

static void take(struct conn *c, const char *p, size_t n)
{
	while (n) {
		const char *lf = memchr(p, '\n', n);
		size_t part = lf ? (size_t)(lf - p) : n;
		size_t room = sizeof(c->line) - c->line_len;

		memcpy(c->line + c->line_len, p, part < room ? part : room);
		c->line_len += part < room ? part : room;
		if (!lf)
			return;
		end_of_line(c);
		p = lf + 1;
		n -= part + 1;
	}
}

static void receive(struct conn *c)
{
	static char buf[256 * 1024];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0)
		take(c, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		die("recv");
}

static void transmit(struct conn *c, const char *batch, size_t len)
{
	ssize_t n = send(c->fd, batch + len - c->to_send, c->to_send, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		c->to_send -= (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		die("send");
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void print_times(void)
{
	size_t n = answers < TOOK_MAX ? (size_t)answers : TOOK_MAX;

	if (n == 0)
		return;
	qsort(took_ms, n, sizeof(*took_ms), by_value);
	printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f", (double)took_ms[n / 2],
	       (double)took_ms[n * 99 / 100], (double)took_ms[n - 1]);
}

int main(int argc, char **argv)
{
	static struct conn conns[CONNS_MAX];
	static struct pollfd fds[CONNS_MAX];

	if (argc != 7) {
		fprintf(stderr, "usage: loadgen PORT CONNECTIONS DEPTH SECONDS END REQUEST\n");
		return 64;
	}
	unsigned n = (unsigned)atoi(argv[2]), depth = (unsigned)atoi(argv[3]);
	double seconds = atof(argv[4]);
	size_t request = strlen(argv[6]) + 1;

	if (n < 1 || n > CONNS_MAX || depth < 1) {
		fprintf(stderr, "loadgen: CONNECTIONS must be 1..%d, DEPTH at least 1\n",
			CONNS_MAX);
		return 64;
	}
	end_mark = argv[5];
	end_len = strlen(end_mark);
	if (end_len >= LINE_MAX_BYTES) {
		fprintf(stderr, "loadgen: END must be shorter than %d\n", LINE_MAX_BYTES);
		return 64;
	}

	/* Half of the depth at a time, so that the server never runs dry. */
	unsigned half = depth > 1 ? depth / 2 : 1;
	size_t len = request * half;
	char *batch = malloc(len + 1);
	if (!batch)
		die("malloc");
	for (unsigned i = 0; i < half; i++)
		snprintf(batch + i * request, request + 1, "%s\n", argv[6]);

	for (unsigned i = 0; i < n; i++)
		fds[i].fd = conns[i].fd = dial((unsigned)atoi(argv[1]));

	double begin = now(), end = begin + seconds;
	while (now() < end) {
		for (unsigned i = 0; i < n; i++) {
			struct conn *c = &conns[i];

			if (c->waiting + half <= depth && !c->to_send) {
				c->waiting += half;
				c->to_send = len;
				c->sent = now();
				transmit(c, batch, len);
			}
			fds[i].events = (short)(POLLIN | (c->to_send ? POLLOUT : 0));
		}
		if (poll(fds, n, 1000) < 0 && errno != EINTR)
			die("poll");
		for (unsigned i = 0; i < n; i++) {
			if (fds[i].revents & POLLOUT && conns[i].to_send)
				transmit(&conns[i], batch, len);
			if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
				receive(&conns[i]);
		}
	}
	double took = now() - begin;
	printf("{\"answers\": %llu, \"errors\": %llu, \"per_second\": %.1f, \"busy\": %.3f",
	       (unsigned long long)answers, (unsigned long long)errors, (double)answers / took,
	       cpu() / took);
	if (depth == 1)
		print_times();
	printf("}\n");
	return 0;
}
