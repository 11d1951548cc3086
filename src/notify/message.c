#include "notify/message.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "util/util.h"

static const char *const state_words[] = {
	[MESSAGE_ONCE] = "once", [MESSAGE_OPEN] = "open",   [MESSAGE_CLOSED] = "closed",
	[MESSAGE_BLIP] = "blip", [MESSAGE_AGAIN] = "again", [MESSAGE_TEST] = "test",
};
_Static_assert(ARRAY_SIZE(state_words) == MESSAGE_STATES, "a state has no word");

const char *message_state_word(enum message_state state)
{
	return state_words[state];
}

unsigned message_rank(const char *severity)
{
	if (severity && strcmp(severity, "alert") == 0)
		return 2;
	return severity && strcmp(severity, "warning") == 0 ? 1 : 0;
}

void message_cut(char *text, size_t len)
{
	if (strlen(text) <= len)
		return;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	text[len] = '\0';
}

void message_clean(char *text)
{
	json_t *utf8 = json_string(text);

	for (char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f)
			*p = ' ';
		else if (c >= 0x80 && !utf8)
			*p = '?';
	}
	json_decref(utf8);
}

void message_clear(struct message *message)
{
	free(message->target);
	free(message->kind);
	free(message->severity);
	free(message->ups);
	free(message->text);
	free(message->facts);
	free(message->values);
	memset(message, 0, sizeof(*message));
}

void message_free(struct message *message)
{
	if (!message)
		return;
	message_clear(message);
	free(message);
}

struct message *message_copy(const struct message *message)
{
	struct message *copy = xmalloc(sizeof(*copy));

	*copy = *message;
	copy->target = xstrdup(message->target);
	copy->kind = xstrdup(message->kind);
	copy->severity = xstrdup(message->severity);
	copy->ups = xstrdup(message->ups);
	copy->text = xstrdup(message->text);
	copy->facts = xstrdup(message->facts);
	copy->values = xstrdup(message->values);
	return copy;
}

/* --- the record ------------------------------------------------------------------------------ */

static void put_text(json_t *root, const char *key, const char *text)
{
	if (text)
		json_object_set_new(root, key, json_string(text));
}

static void put_number(json_t *root, const char *key, int64_t number)
{
	json_object_set_new(root, key, json_integer((json_int_t)number));
}

/* A record has a bound: facts that are larger than most of it are left out. */
static void put_object(json_t *root, const char *key, const char *text)
{
	json_t *object =
		text && strlen(text) <= MESSAGE_RECORD_MAX / 4 ? json_loads(text, 0, NULL) : NULL;

	if (object)
		json_object_set_new(root, key, object);
}

char *message_write(const struct message *m)
{
	json_t *root = json_object();
	char *text;

	put_number(root, "format", 1);
	put_number(root, "seq", (int64_t)m->seq);
	put_text(root, "id", m->id);
	if (*m->thread)
		put_text(root, "thread", m->thread);
	put_text(root, "state", state_words[m->state]);
	put_number(root, "count", m->count);
	put_number(root, "time-us", m->wall_us);
	put_number(root, "start-us", m->start_us);
	put_text(root, "target", m->target);
	put_text(root, "kind", m->kind);
	put_text(root, "severity", m->severity);
	put_text(root, "ups", m->ups);
	put_text(root, "text", m->text);
	put_object(root, "facts", m->facts);
	put_object(root, "values", m->values);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static bool get_number(json_t *root, const char *key, int64_t min, int64_t max, int64_t *out)
{
	json_t *value = json_object_get(root, key);

	if (!json_is_integer(value) || json_integer_value(value) < min ||
	    json_integer_value(value) > max)
		return false;
	*out = json_integer_value(value);
	return true;
}

/* It ends up in headers, environments and on screens. */
static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool get_text(json_t *root, const char *key, size_t max, bool needed, char **out)
{
	json_t *value = json_object_get(root, key);
	const char *text = json_string_value(value);

	if (!value)
		return !needed;
	if (!text || !*text || strlen(text) > max || strlen(text) != json_string_length(value) ||
	    !is_printable(text))
		return false;
	*out = xstrdup(text);
	return true;
}

static bool get_id(json_t *root, const char *key, bool needed, char out[MESSAGE_ID_SIZE])
{
	char *text = NULL;
	bool good = get_text(root, key, MESSAGE_ID_SIZE - 1, needed, &text);

	good = good && (!text || strspn(text, "0123456789ABCDEFabcdef-") == strlen(text));
	if (good && text)
		memcpy(out, text, strlen(text) + 1);
	free(text);
	return good;
}

static bool get_object(json_t *root, const char *key, char **out)
{
	json_t *value = json_object_get(root, key);

	if (!value)
		return true;
	if (!json_is_object(value))
		return false;
	*out = json_dumps(value, JSON_COMPACT);
	return *out != NULL;
}

static bool get_state(json_t *root, enum message_state *out)
{
	const char *word = json_string_value(json_object_get(root, "state"));

	for (size_t i = 0; word && i < ARRAY_SIZE(state_words); i++) {
		if (strcmp(word, state_words[i]) != 0)
			continue;
		*out = (enum message_state)i;
		return true;
	}
	return false;
}

static bool from_json(json_t *root, struct message *m)
{
	int64_t format, seq, count;

	if (!get_number(root, "format", 1, 1, &format) ||
	    !get_number(root, "seq", 1, INT64_MAX - 1, &seq) || !get_id(root, "id", true, m->id) ||
	    !get_id(root, "thread", false, m->thread) || !get_state(root, &m->state) ||
	    !get_number(root, "count", 1, UINT32_MAX, &count) ||
	    !get_number(root, "time-us", 0, INT64_MAX, &m->wall_us) ||
	    !get_number(root, "start-us", 0, INT64_MAX, &m->start_us) ||
	    !get_text(root, "target", 127, true, &m->target) ||
	    !get_text(root, "kind", 63, true, &m->kind) ||
	    !get_text(root, "severity", 15, true, &m->severity) ||
	    !get_text(root, "ups", 127, false, &m->ups) ||
	    !get_text(root, "text", MESSAGE_TEXT_MAX, true, &m->text) ||
	    !get_object(root, "facts", &m->facts) || !get_object(root, "values", &m->values))
		return false;
	m->seq = (uint64_t)seq;
	m->count = (unsigned)count;
	return true;
}

bool message_read(const char *text, size_t len, struct message *message)
{
	json_t *root = len <= MESSAGE_RECORD_MAX
			       ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)
			       : NULL;
	bool good;

	memset(message, 0, sizeof(*message));
	good = root && json_is_object(root) && from_json(root, message);
	if (!good)
		message_clear(message);
	json_decref(root);
	return good;
}
