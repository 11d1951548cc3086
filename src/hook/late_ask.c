#include "hook/late_ask.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/client.h"
#include "util/util.h"

#define LOG_PART "late"
#include "util/log.h"

enum { LOOK_MS = 250 };

static json_t *request(const char *socket, const char *method, const char *target, const char *body)
{
	struct client_answer answer;
	json_t *json;

	if (client_request(socket, method, target, body, &answer) != CLIENT_OK)
		return NULL;
	json = json_loadb(answer.body, answer.len, 0, NULL);
	free(answer.body);
	return json;
}

/* Is there a daemon, and a fresh status of this UPS? */
static json_t *get_ups(const char *socket, const char *ups)
{
	char *target = xasprintf("/api/v1/ups/%s", ups); /* names are plain: check_ups_name() */
	json_t *json = request(socket, "GET", target, NULL);

	free(target);
	return json;
}

static bool is_off(const json_t *snapshot)
{
	const char *fresh = json_string_value(json_object_get(snapshot, "availability"));
	const char *state =
		json_string_value(json_object_get(json_object_get(snapshot, "power"), "state"));

	return fresh && state && strcmp(fresh, "fresh") == 0 && strcmp(state, "off") == 0;
}

static char *give_order(const char *socket, const struct late_ask *ask)
{
	char *target = xasprintf("/api/v1/ups/%s/commands", ask->ups);
	json_t *body = json_pack("{s:s}", "command", ask->command), *answer;
	const char *id, *detail;
	char *text, *order;

	if (ask->value)
		json_object_set_new(body, "value", json_string(ask->value));
	text = json_dumps(body, JSON_COMPACT);
	answer = request(socket, "POST", target, text);
	id = json_string_value(json_object_get(answer, "id"));
	detail = json_string_value(json_object_get(answer, "detail"));
	if (!id)
		log_warning("%s: the running daemon refuses: %s", ask->ups,
			    detail ? detail : "no answer");
	order = xstrdup(id);
	json_decref(answer);
	json_decref(body);
	free(text);
	free(target);
	return order;
}

/* Has it ended without the output going off? */
static bool is_lost(const char *socket, const char *order)
{
	char *target = xasprintf("/api/v1/orders/%s", order);
	json_t *json = request(socket, "GET", target, NULL);
	const char *outcome = json_string_value(json_object_get(json, "outcome"));
	bool lost = !outcome || strcmp(outcome, "failed") == 0 || strcmp(outcome, "refused") == 0;

	json_decref(json);
	free(target);
	return lost;
}

static bool see_off(const char *socket, const char *ups)
{
	json_t *snapshot = get_ups(socket, ups);
	bool off = is_off(snapshot);

	json_decref(snapshot);
	return off;
}

bool late_ask(const char *socket, struct late_ask *ask, size_t n, unsigned seconds)
{
	int64_t until = clock_us() + (int64_t)seconds * 1000000;
	json_t *there = get_ups(socket, ask[0].ups);
	char **orders;
	size_t waiting = 0;

	if (!there)
		return false;
	json_decref(there);
	log_info("asking the running daemon");
	orders = xcalloc(n, sizeof(*orders));
	for (size_t i = 0; i < n; i++) {
		ask[i].off = see_off(socket, ask[i].ups);
		orders[i] = ask[i].off ? NULL : give_order(socket, &ask[i]);
		waiting += orders[i] != NULL;
	}
	while (waiting && clock_us() < until) {
		poll(NULL, 0, LOOK_MS);
		for (size_t i = 0; i < n; i++) {
			if (!orders[i])
				continue;
			ask[i].off = see_off(socket, ask[i].ups);
			if (!ask[i].off && !is_lost(socket, orders[i]))
				continue;
			free(orders[i]);
			orders[i] = NULL;
			waiting--;
		}
	}
	for (size_t i = 0; i < n; i++)
		free(orders[i]);
	free(orders);
	return true;
}

void late_ask_end(const char *runtime_dir, unsigned wait_ms)
{
	char *path = xasprintf("%s/ups2000d.pid", runtime_dir);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int64_t until = clock_us() + (int64_t)wait_ms * 1000;
	char text[32] = "";
	long pid;

	free(path);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && read(fd, text, sizeof(text) - 1) > 0) {
		pid = atol(text);
		if (pid > 1)
			kill((pid_t)pid, SIGTERM);
		while (flock(fd, LOCK_EX | LOCK_NB) < 0 && clock_us() < until)
			poll(NULL, 0, 50);
		if (pid > 1 && flock(fd, LOCK_EX | LOCK_NB) < 0)
			kill((pid_t)pid, SIGKILL);
	}
	close(fd);
}
