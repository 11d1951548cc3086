#include "notify/hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "notify/kinds.h"
#include "util/util.h"

enum {
	SEC = 1000000,
	KEY_MAX = 63,
	INTERRUPTIONS = 3, /* so many of what was told are worth a message of their own */
};

/* One thing that may be so or not, or (once) that happens now and then. */
struct condition {
	char name[KEY_MAX + 1]; /* of the condition, or the kind of a single event */
	bool once;
	char *ups, *facts; /* NULL: none; facts only where they tell several apart */

	bool open;	/* it is so */
	bool told_open; /* they think it is so */
	bool restored;	/* from before a restart, not seen since */
	bool wanted;	/* its present state is for this target */
	int64_t changed_us;
	int64_t opened_us, opened_wall_us;
	int64_t told_us;
	char thread[MESSAGE_ID_SIZE]; /* the message that told of its beginning */

	unsigned missed; /* how often it happened and nobody was told */
	int64_t missed_since_us;
	unsigned told; /* messages since the last calm */
	int64_t hold_us, digest_us;

	struct message began, ended; /* the newest words; began also those of single events */
};

struct hold {
	struct hold_policy policy;
	struct hold_ops ops;
	void *user;
	struct condition *list[HOLD_CONDITIONS_MAX];
	size_t n;
	uint64_t version;
};

static void condition_free(struct condition *c)
{
	message_clear(&c->began);
	message_clear(&c->ended);
	free(c->ups);
	free(c->facts);
	free(c);
}

struct hold *hold_new(const struct hold_policy *policy, const struct hold_ops *ops, void *user)
{
	struct hold *hold = xcalloc(1, sizeof(*hold));

	hold->policy = *policy;
	hold->ops = *ops;
	hold->user = user;
	return hold;
}

void hold_free(struct hold *hold)
{
	if (!hold)
		return;
	for (size_t i = 0; i < hold->n; i++)
		condition_free(hold->list[i]);
	free(hold);
}

void hold_configure(struct hold *hold, const struct hold_policy *policy)
{
	hold->policy = *policy;
	for (size_t i = 0; i < hold->n; i++)
		hold->list[i]->hold_us = policy->hold_us;
}

/* --- which condition ------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void remove_at(struct hold *hold, size_t i)
{
	condition_free(hold->list[i]);
	memmove(&hold->list[i], &hold->list[i + 1], (hold->n - i - 1) * sizeof(*hold->list));
	hold->n--;
}

static struct condition *find(struct hold *hold, const char *name, const char *ups,
			      const char *facts)
{
	for (size_t i = 0; i < hold->n; i++)
		if (strcmp(hold->list[i]->name, name) == 0 && same(hold->list[i]->ups, ups) &&
		    same(hold->list[i]->facts, facts))
			return hold->list[i];
	return NULL;
}

static bool is_idle(const struct condition *c)
{
	return !c->open && !c->told_open && !c->missed;
}

/* Room for another: the one that is silent longest goes, if need be one that is not. */
static void make_room(struct hold *hold)
{
	size_t victim = 0;

	if (hold->n < HOLD_CONDITIONS_MAX)
		return;
	for (size_t i = 1; i < hold->n; i++) {
		const struct condition *c = hold->list[i], *v = hold->list[victim];

		if (is_idle(c) != is_idle(v) ? is_idle(c) : c->changed_us < v->changed_us)
			victim = i;
	}
	remove_at(hold, victim);
	hold->version++;
}

static struct condition *get(struct hold *hold, const char *name, const char *ups,
			     const char *facts)
{
	struct condition *c = find(hold, name, ups, facts);

	if (c)
		return c;
	make_room(hold);
	c = xcalloc(1, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->ups = xstrdup(ups);
	c->facts = xstrdup(facts);
	c->hold_us = hold->policy.hold_us;
	c->digest_us = (int64_t)HOLD_DIGEST_FIRST_S * SEC;
	hold->list[hold->n++] = c;
	return c;
}

/* --- telling --------------------------------------------------------------------------------- */

/* "2 s", "12 min", "3 h 5 min". */
static void duration_words(int64_t us, char *out, size_t size)
{
	long long s = (us + SEC / 2) / SEC;

	if (s < 120)
		snprintf(out, size, "%lld s", s);
	else if (s < 7200)
		snprintf(out, size, "%lld min", s / 60);
	else
		snprintf(out, size, "%lld h %lld min", s / 3600, s % 3600 / 60);
}

/* After each message about it: the more there were of late, the longer the next one waits. */
static void count_told(struct condition *c)
{
	int64_t hold_us;

	c->told++;
	if (c->told < HOLD_FREE)
		return;
	hold_us = c->hold_us * 2 > 2 * SEC ? c->hold_us * 2 : 2 * SEC;
	if (hold_us > (int64_t)HOLD_MAX_S * SEC)
		hold_us = (int64_t)HOLD_MAX_S * SEC;
	if (hold_us > c->hold_us)
		c->hold_us = hold_us;
}

static void longer_digest(struct condition *c)
{
	c->digest_us *= 2;
	if (c->digest_us > (int64_t)HOLD_DIGEST_MAX_S * SEC)
		c->digest_us = (int64_t)HOLD_DIGEST_MAX_S * SEC;
}

static void tell(struct hold *hold, struct condition *c, const struct message *words,
		 enum message_state state, int64_t now_us, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* words as a message; format gives its text. */
static void tell(struct hold *hold, struct condition *c, const struct message *words,
		 enum message_state state, int64_t now_us, const char *format, ...)
{
	struct message m = *words;
	va_list args;

	hold->ops.make_id(m.id);
	m.state = state;
	m.count = c->missed + (state == MESSAGE_OPEN || state == MESSAGE_ONCE);
	if (m.count == 0)
		m.count = 1;
	m.start_us = c->once ? words->wall_us : c->opened_wall_us;
	if (state == MESSAGE_OPEN)
		memcpy(c->thread, m.id, sizeof(c->thread));
	else
		memcpy(m.thread, c->thread, sizeof(m.thread));
	va_start(args, format);
	m.text = xvasprintf(format, args);
	va_end(args);
	message_cut(m.text, MESSAGE_TEXT_MAX);

	c->told_us = now_us;
	c->missed = 0;
	count_told(c);
	hold->version++;
	hold->ops.tell(hold->user, &m);
	free(m.text);
}

/* How often and within which time it came without being told. */
static void missed_words(const struct condition *c, int64_t now_us, char *out, size_t size)
{
	char within[32];

	duration_words(now_us - c->missed_since_us, within, sizeof(within));
	snprintf(out, size, "%u times within %s", c->missed, within);
}

static void tell_once(struct hold *hold, struct condition *c, int64_t now_us)
{
	char often[64];

	missed_words(c, now_us, often, sizeof(often));
	if (c->missed > 1) {
		tell(hold, c, &c->began, MESSAGE_AGAIN, now_us, "%s, last: %s", often,
		     c->began.text);
	} else {
		c->missed = 0;
		tell(hold, c, &c->began, MESSAGE_ONCE, now_us, "%s", c->began.text);
	}
	if (c->told > HOLD_FREE_SINGLE)
		longer_digest(c);
}

static void tell_begin(struct hold *hold, struct condition *c, int64_t now_us)
{
	char often[64];

	missed_words(c, now_us, often, sizeof(often));
	c->told_open = true;
	if (c->missed)
		tell(hold, c, &c->began, MESSAGE_OPEN, now_us, "%s Before that %s for a moment.",
		     c->began.text, often);
	else
		tell(hold, c, &c->began, MESSAGE_OPEN, now_us, "%s", c->began.text);
}

static void tell_end(struct hold *hold, struct condition *c, int64_t now_us)
{
	char lasted[32], often[64];

	duration_words(c->changed_us - c->opened_us, lasted, sizeof(lasted));
	missed_words(c, now_us, often, sizeof(often));
	c->told_open = false;
	if (c->missed)
		tell(hold, c, &c->ended, MESSAGE_CLOSED, now_us,
		     "%s It lasted %s, with interruptions: again %s.", c->ended.text, lasted,
		     often);
	else
		tell(hold, c, &c->ended, MESSAGE_CLOSED, now_us, "%s It lasted %s.", c->ended.text,
		     lasted);
}

static void tell_blip(struct hold *hold, struct condition *c, int64_t now_us)
{
	char lasted[32], often[64];

	duration_words(c->changed_us - c->opened_us, lasted, sizeof(lasted));
	missed_words(c, now_us, often, sizeof(often));
	if (c->missed == 1)
		tell(hold, c, &c->began, MESSAGE_BLIP, now_us, "%s Over after %s.", c->began.text,
		     lasted);
	else
		tell(hold, c, &c->began, MESSAGE_BLIP, now_us, "%s, over each time. The last: %s",
		     often, c->began.text);
	if (c->told >= HOLD_FREE)
		longer_digest(c);
}

/* It comes and goes and does not settle. */
static void tell_digest(struct hold *hold, struct condition *c, int64_t now_us)
{
	bool knew = c->told_open;
	char often[64];

	missed_words(c, now_us, often, sizeof(often));
	if (!c->open && !knew) {
		tell_blip(hold, c, now_us);
		return;
	}
	c->told_open = c->open;
	tell(hold, c, c->open ? &c->began : &c->ended,
	     !c->open ? MESSAGE_CLOSED
	     : knew   ? MESSAGE_AGAIN
		      : MESSAGE_OPEN,
	     now_us, "Comes and goes, %s. Now: %s", often, c->open ? c->began.text : c->ended.text);
	longer_digest(c);
}

static void tell_reminder(struct hold *hold, struct condition *c, int64_t now_us)
{
	char lasts[32];

	duration_words(now_us - c->opened_us, lasts, sizeof(lasts));
	tell(hold, c, &c->began, MESSAGE_AGAIN, now_us, "Still so, for %s: %s", lasts,
	     c->began.text);
}

/* --- when ------------------------------------------------------------------------------------ */

static bool is_urgent(const struct condition *c)
{
	return c->open && !c->missed && message_rank(c->began.severity) == 2 && c->told < HOLD_FREE;
}

static int64_t change_due_us(const struct condition *c)
{
	if (c->open == c->told_open || !c->wanted || c->restored)
		return INT64_MAX;
	return c->changed_us + (is_urgent(c) ? 0 : c->hold_us);
}

static int64_t missed_due_us(const struct hold *hold, const struct condition *c)
{
	int64_t digest_us, settled_us;

	if (!c->missed)
		return INT64_MAX;
	digest_us = c->missed_since_us + c->digest_us;
	if (c->once)
		return digest_us;
	if (c->told_open)
		return c->wanted && c->missed >= INTERRUPTIONS ? digest_us : INT64_MAX;
	if (!hold->policy.blips)
		return INT64_MAX; /* its number goes with the next message */
	if (c->open)
		return c->wanted ? digest_us : INT64_MAX;
	settled_us = c->changed_us + c->hold_us;
	return c->told < HOLD_FREE && settled_us < digest_us ? settled_us : digest_us;
}

static int64_t remind_due_us(const struct hold *hold, const struct condition *c)
{
	if (!hold->policy.remind_us || !c->told_open || !c->open || c->restored || !c->began.text)
		return INT64_MAX;
	return c->told_us + hold->policy.remind_us;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t due_us(const struct hold *hold, const struct condition *c)
{
	return least(least(change_due_us(c), missed_due_us(hold, c)), remind_due_us(hold, c));
}

int64_t hold_due_us(const struct hold *hold)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < hold->n; i++)
		due = least(due, due_us(hold, hold->list[i]));
	return due;
}

static void tell_change(struct hold *hold, struct condition *c, int64_t now_us)
{
	if (c->open)
		tell_begin(hold, c, now_us);
	else
		tell_end(hold, c, now_us);
}

static void tell_due(struct hold *hold, struct condition *c, int64_t now_us)
{
	if (c->once)
		tell_once(hold, c, now_us);
	else if (change_due_us(c) <= now_us)
		tell_change(hold, c, now_us);
	else if (missed_due_us(hold, c) <= now_us)
		tell_digest(hold, c, now_us);
	else
		tell_reminder(hold, c, now_us);
}

/* The due one that has waited longest. */
static struct condition *first_due(struct hold *hold, int64_t now_us)
{
	struct condition *first = NULL;

	for (size_t i = 0; i < hold->n; i++) {
		struct condition *c = hold->list[i];

		if (due_us(hold, c) <= now_us && (!first || c->changed_us < first->changed_us))
			first = c;
	}
	return first;
}

void hold_run(struct hold *hold, int64_t now_us, int64_t wall_us)
{
	struct condition *c;

	(void)wall_us;
	while ((c = first_due(hold, now_us)))
		tell_due(hold, c, now_us);
}

/* What is held back about this UPS comes before what is told about it now; NULL: of all. */
static void flush(struct hold *hold, const char *ups, bool all, int64_t now_us)
{
	for (;;) {
		struct condition *first = NULL;

		for (size_t i = 0; i < hold->n; i++) {
			struct condition *c = hold->list[i];

			if (change_due_us(c) == INT64_MAX ||
			    (first && c->changed_us >= first->changed_us))
				continue;
			if (all || (same(c->ups, ups) && c->told < HOLD_FREE))
				first = c;
		}
		if (!first)
			return;
		tell_change(hold, first, now_us);
	}
}

void hold_flush(struct hold *hold, int64_t now_us, int64_t wall_us)
{
	(void)wall_us;
	flush(hold, NULL, true, now_us);
	for (size_t i = 0; i < hold->n; i++)
		if (missed_due_us(hold, hold->list[i]) != INT64_MAX)
			hold->list[i]->once ? tell_once(hold, hold->list[i], now_us)
					    : tell_digest(hold, hold->list[i], now_us);
}

/* --- what happens ---------------------------------------------------------------------------- */

static bool is_listed(const struct hold_policy *policy, const char *kind)
{
	for (size_t i = 0; i < policy->n_kinds; i++)
		if (strcmp(policy->kinds[i], kind) == 0)
			return true;
	return !policy->n_kinds;
}

static bool is_wanted(const struct hold *hold, const struct hold_event *event)
{
	return is_listed(&hold->policy, event->kind) &&
	       message_rank(event->severity) >= hold->policy.rank;
}

static void keep_words(struct message *words, const struct hold_event *event, int64_t wall_us)
{
	message_clear(words);
	words->kind = xstrdup(event->kind);
	words->severity = xstrdup(event->severity);
	words->ups = xstrdup(event->ups);
	words->text = xstrdup(event->text);
	words->facts = xstrdup(event->facts);
	words->values = xstrdup(event->values);
	words->wall_us = wall_us;
}

static void calm_down(const struct hold *hold, struct condition *c, int64_t now_us)
{
	if (now_us - c->changed_us < (int64_t)HOLD_CALM_S * SEC)
		return;
	c->told = 0;
	c->hold_us = hold->policy.hold_us;
	c->digest_us = (int64_t)HOLD_DIGEST_FIRST_S * SEC;
}

static void miss(struct condition *c, int64_t since_us)
{
	if (!c->missed++)
		c->missed_since_us = since_us;
}

static void happens(struct hold *hold, const struct hold_event *event, int64_t now_us,
		    int64_t wall_us)
{
	struct condition *c;

	if (!is_wanted(hold, event))
		return;
	c = get(hold, event->kind, event->ups, NULL);
	calm_down(hold, c, now_us);
	c->once = true;
	c->changed_us = now_us;
	keep_words(&c->began, event, wall_us);
	miss(c, now_us);
	if (c->missed > 1 || c->told >= HOLD_FREE_SINGLE)
		return; /* until the digest */
	flush(hold, event->ups, false, now_us);
	tell_once(hold, c, now_us);
}

static void begins(struct hold *hold, const struct kind *kind, const struct hold_event *event,
		   int64_t now_us, int64_t wall_us)
{
	struct condition *c = get(hold, kind->of, event->ups, kind->by_facts ? event->facts : NULL);

	if (c->restored) { /* as before the restart */
		c->restored = false;
		c->open = true;
		keep_words(&c->began, event, c->opened_wall_us);
		return;
	}
	if (c->open)
		return;
	calm_down(hold, c, now_us);
	c->open = true;
	c->changed_us = now_us;
	c->wanted = is_wanted(hold, event);
	if (c->told_open) { /* its end was not told yet */
		miss(c, now_us);
	} else {
		c->opened_us = now_us;
		c->opened_wall_us = wall_us;
	}
	keep_words(&c->began, event, wall_us);
	if (change_due_us(c) <= now_us)
		flush(hold, event->ups, false, now_us);
}

static void ends(struct hold *hold, const struct kind *kind, const struct hold_event *event,
		 int64_t now_us, int64_t wall_us)
{
	struct condition *c =
		find(hold, kind->of, event->ups, kind->by_facts ? event->facts : NULL);

	if (!c) { /* it began before we were there */
		happens(hold, event, now_us, wall_us);
		return;
	}
	if (!c->open && !c->restored)
		return;
	c->open = false;
	c->restored = false;
	c->changed_us = now_us;
	keep_words(&c->ended, event, wall_us);
	if (c->told_open) {
		/* the end of what was told is told whatever its severity, unless kinds are listed */
		c->wanted = is_listed(&hold->policy, event->kind);
		if (!c->wanted)
			c->told_open = false;
	} else if (c->wanted) {
		miss(c, c->opened_us);
	} else if (hold->policy.n_kinds && is_listed(&hold->policy, event->kind)) {
		happens(hold, event, now_us, wall_us); /* only ends are listed */
	}
	hold->version++;
}

void hold_event(struct hold *hold, const struct hold_event *event, int64_t now_us, int64_t wall_us)
{
	const struct kind *kind = kind_find(event->kind);

	hold_run(hold, now_us, wall_us);
	if (!kind || kind->role == KIND_ONCE)
		happens(hold, event, now_us, wall_us);
	else if (kind->role == KIND_OPENS)
		begins(hold, kind, event, now_us, wall_us);
	else
		ends(hold, kind, event, now_us, wall_us);
	hold_run(hold, now_us, wall_us);
}

void hold_forget(struct hold *hold, const char *ups)
{
	for (size_t i = hold->n; i > 0; i--)
		if (hold->list[i - 1]->ups && strcmp(hold->list[i - 1]->ups, ups) == 0)
			remove_at(hold, i - 1);
	hold->version++;
}

size_t hold_open(const struct hold *hold)
{
	size_t n = 0;

	for (size_t i = 0; i < hold->n; i++)
		n += hold->list[i]->told_open;
	return n;
}

/* --- over a restart -------------------------------------------------------------------------- */

uint64_t hold_version(const struct hold *hold)
{
	return hold->version;
}

static json_t *to_json(const struct condition *c)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "condition", c->name, "thread",
				   c->thread, "severity", c->began.severity, "text", c->began.text,
				   "start-us", (json_int_t)c->opened_wall_us, "ups", c->ups);

	if (object && c->facts)
		json_object_set_new(object, "facts", json_string(c->facts));
	return object;
}

char *hold_save(const struct hold *hold)
{
	json_t *array = json_array();
	char *text;

	for (size_t i = 0; i < hold->n; i++)
		if (hold->list[i]->told_open && hold->list[i]->ups && hold->list[i]->began.text)
			json_array_append_new(array, to_json(hold->list[i]));
	text = json_dumps(array, JSON_COMPACT);
	json_decref(array);
	return text;
}

static const char *text_of(json_t *object, const char *key, size_t max)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || strlen(text) > max)
		return NULL;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
	return text;
}

/* The row whose kind begins a condition of this name. */
static const struct kind *opening(const char *name)
{
	const struct kind *kind;

	for (size_t i = 0; (kind = kind_at(i)); i++)
		if (kind->role == KIND_OPENS && strcmp(kind->of, name) == 0)
			return kind;
	return NULL;
}

static bool is_good(json_t *object)
{
	const char *name = text_of(object, "condition", KEY_MAX);

	return name && opening(name) && text_of(object, "thread", MESSAGE_ID_SIZE - 1) &&
	       text_of(object, "severity", 15) && text_of(object, "text", MESSAGE_TEXT_MAX) &&
	       json_is_integer(json_object_get(object, "start-us")) &&
	       json_integer_value(json_object_get(object, "start-us")) >= 0 &&
	       text_of(object, "ups", 127) &&
	       (!json_object_get(object, "facts") || text_of(object, "facts", MESSAGE_TEXT_MAX));
}

static void restore_one(struct hold *hold, json_t *object, int64_t now_us, int64_t wall_us)
{
	const char *name = text_of(object, "condition", KEY_MAX);
	const struct kind *kind = opening(name);
	const char *ups = text_of(object, "ups", 127);
	const char *facts = text_of(object, "facts", MESSAGE_TEXT_MAX);
	struct condition *c = get(hold, name, ups, facts);
	int64_t start_us = (int64_t)json_integer_value(json_object_get(object, "start-us"));
	struct hold_event words = {
		.kind = kind ? kind->name : name,
		.severity = text_of(object, "severity", 15),
		.ups = ups,
		.text = text_of(object, "text", MESSAGE_TEXT_MAX),
		.facts = facts,
	};

	c->told_open = c->restored = c->wanted = true;
	c->changed_us = c->told_us = now_us;
	c->opened_us = now_us - (wall_us > start_us ? wall_us - start_us : 0);
	c->opened_wall_us = start_us;
	snprintf(c->thread, sizeof(c->thread), "%s",
		 text_of(object, "thread", MESSAGE_ID_SIZE - 1));
	keep_words(&c->began, &words, start_us);
}

bool hold_restore(struct hold *hold, const char *text, size_t len, int64_t now_us, int64_t wall_us)
{
	json_t *array = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	bool good = json_is_array(array) && json_array_size(array) <= HOLD_CONDITIONS_MAX;
	json_t *object;
	size_t i;

	for (i = 0; good && i < json_array_size(array); i++)
		good = is_good(json_array_get(array, i));
	if (good)
		json_array_foreach(array, i, object) restore_one(hold, object, now_us, wall_us);
	json_decref(array);
	return good;
}

void hold_was_over(struct hold *hold, const char *thread)
{
	for (size_t i = hold->n; i > 0; i--)
		if (hold->list[i - 1]->restored && strcmp(hold->list[i - 1]->thread, thread) == 0)
			remove_at(hold, i - 1);
	hold->version++;
}

void hold_settle(struct hold *hold, const char *ups, int64_t now_us, int64_t wall_us)
{
	for (size_t i = 0; i < hold->n; i++) {
		struct condition *c = hold->list[i];
		struct message words;

		if (!c->restored || !same(c->ups, ups))
			continue;
		c->restored = false;
		c->told_open = c->open = false;
		hold->version++;
		words = c->began;
		words.severity = (char[]){ "info" };
		words.wall_us = wall_us;
		for (size_t k = 0; kind_at(k); k++)
			if (kind_at(k)->role == KIND_CLOSES && strcmp(kind_at(k)->of, c->name) == 0)
				words.kind = (char *)(uintptr_t)kind_at(k)->name;
		if (!is_listed(&hold->policy, words.kind))
			continue;
		tell(hold, c, &words, MESSAGE_CLOSED, now_us,
		     "Over, as found after a restart of the daemon: %s", c->began.text);
	}
}
