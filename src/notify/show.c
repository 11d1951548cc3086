#include "notify/show.h"

#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include "notify/hold.h"
#include "notify/message.h"
#include "notify/queue.h"
#include "notify/teller.h"
#include "util/util.h"

enum { WAITING_MAX = 100 };

static json_t *time_json(int64_t wall)
{
	time_t s = (time_t)(wall / 1000000);
	struct tm tm;
	char text[32];

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *last_json(const struct teller *teller)
{
	if (!teller->last_us)
		return json_null();
	return json_pack("{s:o, s:b, s:s}", "time", time_json(teller->last_us), "ok",
			 teller->last_ok, "text", teller->last_text);
}

static json_t *test_json(const struct teller *teller)
{
	static const char *const words[] = { "none", "running", "running", "delivered", "failed" };

	if (teller->test == TEST_NONE)
		return json_null();
	return json_pack("{s:s, s:s}", "state", words[teller->test], "text", teller->test_text);
}

static json_t *message_json(const struct message *m)
{
	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s?, s:s, s:i}", "id", m->id, "time",
			 time_json(m->wall_us), "kind", m->kind, "state",
			 message_state_word(m->state), "severity", m->severity, "ups", m->ups,
			 "text", m->text, "count", (int)m->count);
}

static json_t *teller_json(const struct teller *teller)
{
	int64_t now_us = clock_us(), due_us = queue_due_us(teller->queue);
	json_t *root = json_pack(
		"{s:s, s:s, s:i, s:b, s:i, s:i, s:I, s:I, s:o, s:o}", "name", teller->target.name,
		"type", target_type_name(teller->target.type), "waiting",
		(int)queue_count(teller->queue), "sending", teller->run != NULL, "failures",
		(int)queue_failures(teller->queue), "conditions", (int)hold_open(teller->hold),
		"delivered", (json_int_t)teller->delivered, "dropped", (json_int_t)teller->dropped,
		"last", last_json(teller), "test", test_json(teller));

	if (due_us == INT64_MAX)
		json_object_set_new(root, "next_attempt_s", json_null());
	else
		json_object_set_new(
			root, "next_attempt_s",
			json_integer(due_us > now_us ? (due_us - now_us) / 1000000 : 0));
	return root;
}

char *show_teller(const struct teller *teller)
{
	json_t *root = teller_json(teller), *list = json_array();
	char *text;

	for (size_t i = 0; i < queue_count(teller->queue) && i < WAITING_MAX; i++)
		json_array_append_new(list, message_json(queue_at(teller->queue, i)));
	json_object_set_new(root, "messages", list);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

char *show_tellers(struct teller *const *tellers, size_t n)
{
	json_t *list = json_array(), *root = json_pack("{s:o}", "targets", list);
	char *text;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, teller_json(tellers[i]));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}
