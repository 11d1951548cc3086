/*
 * Many NUT clients that poll, as upsmon and monitoring systems do: each keeps its connection and asks
 * the same question once in a period, their turns spread evenly. Says "ready" when all are connected
 * and have had one answer; prints one line of JSON at the end.
 *
 * usage: crowd PORT CLIENTS PERIOD SECONDS BEGIN REQUEST
 *   PERIOD   seconds between two questions of a client
 *   SECONDS  how long it goes on after "ready"
 *   BEGIN    how a right answer begins
 */
#include "load.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CLIENTS_MAX = 100000, ANSWER_MAX = 256, EVENTS = 512 };

struct client {
	int fd; /* -1: dropped */
	bool waiting;
	double asked; /* when */
	char answer[ANSWER_MAX];
	size_t len;
};

static struct client *clients;
static double *waits; /* how long each answer took, s */
static size_t n_waits, waits_max;
static unsigned long answers, wrong, dropped, overdue;
static const char *begin;
static bool counting;

static void drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->waiting = false;
	dropped++;
}

static void take_answer(struct client *c)
{
	c->waiting = false;
	c->answer[c->len] = '\0';
	c->len = 0;
	if (strncmp(c->answer, begin, strlen(begin)) != 0)
		wrong++;
	if (!counting)
		return;
	answers++;
	if (n_waits < waits_max)
		waits[n_waits++] = now() - c->asked;
}

static void receive(struct client *c)
{
	ssize_t n = recv(c->fd, c->answer + c->len, ANSWER_MAX - 1 - c->len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (size_t)n;
	if (c->answer[c->len - 1] == '\n' || c->len == ANSWER_MAX - 1)
		take_answer(c);
}

static void ask(struct client *c, const char *request, size_t len)
{
	if (c->fd < 0)
		return;
	if (c->waiting) { /* for a whole period */
		overdue++;
		return;
	}
	c->asked = now();
	c->waiting = true;
	if (send(c->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		drop(c);
}

static void serve(int epoll, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, timeout_ms);

	for (int i = 0; i < n; i++)
		receive(&clients[events[i].data.u32]);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at_share(double share)
{
	return n_waits ? waits[(size_t)((double)(n_waits - 1) * share)] : 0;
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: crowd PORT CLIENTS PERIOD SECONDS BEGIN REQUEST\n");
		return 64;
	}
	unsigned port = (unsigned)atoi(argv[1]), n = (unsigned)atoi(argv[2]);
	double period = atof(argv[3]), seconds = atof(argv[4]);

	begin = argv[5];
	if (n < 1 || n > CLIENTS_MAX || period <= 0 || seconds <= 0 ||
	    strlen(argv[6]) > ANSWER_MAX) {
		fprintf(stderr, "crowd: CLIENTS must be 1..%d, the times above 0\n", CLIENTS_MAX);
		return 64;
	}

	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);

	char request[ANSWER_MAX + 2];
	size_t len = (size_t)snprintf(request, sizeof(request), "%s\n", argv[6]);

	waits_max = (size_t)((double)n / period * seconds) + n;
	clients = calloc(n, sizeof(*clients));
	waits = malloc(waits_max * sizeof(*waits));
	int epoll = epoll_create1(0);

	if (!clients || !waits || epoll < 0)
		die("start");
	for (unsigned i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		clients[i].fd = dial(port);
		fcntl(clients[i].fd, F_SETFL, O_NONBLOCK);
		epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event);
		ask(&clients[i], request, len);
		serve(epoll, 0);
	}

	double start = now(), next = start;
	unsigned long asked = 0, turns = 0;

	while (now() - start < seconds + period) {
		double t = now();

		if (!counting && t - start >= period) { /* the first round is over */
			counting = true;
			overdue = 0;
			puts("ready");
			fflush(stdout);
		}
		for (; next <= t; turns++) {
			ask(&clients[turns % n], request, len);
			asked += counting;
			next = start + (double)(turns + 1) * period / n;
		}
		serve(epoll, 1);
	}

	double took = now() - start;

	qsort(waits, n_waits, sizeof(*waits), by_size);
	printf("{\"clients\": %u, \"dropped\": %lu, \"wrong\": %lu, \"overdue\": %lu, "
	       "\"asked\": %lu, \"answers\": %lu, \"median s\": %.6f, \"p99 s\": %.6f, "
	       "\"worst s\": %.6f, \"busy\": %.3f}\n",
	       n, dropped, wrong, overdue, asked, answers, at_share(0.5), at_share(0.99),
	       at_share(1), cpu() / took);
	return 0;
}
