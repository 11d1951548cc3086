#include "notify/notifier.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>
#include <jansson.h>

#include "daemon/hub.h"
#include "daemon/notices.h"
#include "notify/hold.h"
#include "notify/queue.h"
#include "notify/render.h"
#include "notify/runner.h"
#include "notify/show.h"
#include "notify/spool.h"
#include "notify/target.h"
#include "notify/teller.h"
#include "util/util.h"

#define LOG_PART "notify"
#include "util/log.h"

enum {
	SEC = 1000000,
	SETTLE_S = 30,	   /* a UPS seen so long has shown all its conditions again */
	LOOK_S = 5,	   /* how often that is looked at */
	FAILING_AFTER = 3, /* attempts, then it is an event */
	REWRITE_S = 30,	   /* after a write failed */
	GRACE_S = 900,	   /* for what is too old already at the start */
	STOP_MS = 2000,
};

static const char CONDITIONS[] = "conditions.json";

struct notifier {
	struct hub *hub;
	struct spool *spool;
	struct runner *runner;
	struct teller *tellers[TARGETS_MAX];
	size_t n;
	uint64_t seq; /* the last one given */
	struct event *pump, *settle;
	int64_t rewrite_us; /* INT64_MAX = not needed */
	bool unkept;	    /* the last write failed, and that was said */
	bool stopping;

	/* what was on disk at the start, until the targets are known */
	struct message *loaded[TARGETS_MAX * QUEUE_MAX];
	size_t n_loaded;
	json_t *conditions; /* by target; NULL once taken */
	uint64_t saved_version;
};

/* --- disk -------------------------------------------------------------------------------------- */

static void file_of(uint64_t seq, char out[32])
{
	snprintf(out, 32, "%020llu.json", (unsigned long long)seq);
}

static void keep(struct notifier *notifier, const struct message *message)
{
	char file[32];

	file_of(message->seq, file);
	spool_write(notifier->spool, file, message_write(message));
}

/* The message is done with. */
static void discard(struct notifier *notifier, struct message *message)
{
	char file[32];

	file_of(message->seq, file);
	spool_remove(notifier->spool, file);
	message_free(message);
}

static uint64_t conditions_version(const struct notifier *notifier)
{
	uint64_t version = 0;

	for (size_t i = 0; i < notifier->n; i++)
		version += hold_version(notifier->tellers[i]->hold);
	return version;
}

static void keep_conditions(struct notifier *notifier)
{
	uint64_t version = conditions_version(notifier);
	json_t *root, *targets;

	if (version == notifier->saved_version)
		return;
	notifier->saved_version = version;
	root = json_pack("{s:i}", "format", 1);
	targets = json_object();
	for (size_t i = 0; i < notifier->n; i++) {
		char *text = hold_save(notifier->tellers[i]->hold);

		json_object_set_new(targets, notifier->tellers[i]->target.name,
				    json_loads(text, 0, NULL));
		free(text);
	}
	json_object_set_new(root, "targets", targets);
	spool_write(notifier->spool, CONDITIONS, json_dumps(root, JSON_COMPACT));
	json_decref(root);
}

static void written(void *user, const char *file, int error)
{
	struct notifier *notifier = user;

	if (error) {
		notifier->rewrite_us = clock_us() + (int64_t)REWRITE_S * SEC;
		event_active(notifier->pump, EV_TIMEOUT, 0);
		if (!notifier->unkept)
			hub_event(
				notifier->hub, "notify-unkept", "warning", NULL, NULL,
				"What waits to be sent cannot be kept (%s: %s): it is sent all the "
				"same, but would be lost at a restart.",
				file, strerror(error));
		notifier->unkept = true;
	} else if (notifier->unkept && notifier->rewrite_us == INT64_MAX) {
		log_info("messages that wait can be kept again");
		notifier->unkept = false;
	}
}

/* A write failed some time ago: all that still waits once more. */
static void rewrite(struct notifier *notifier, int64_t now_us)
{
	if (now_us < notifier->rewrite_us)
		return;
	notifier->rewrite_us = INT64_MAX;
	for (size_t i = 0; i < notifier->n; i++)
		for (size_t k = 0; k < queue_count(notifier->tellers[i]->queue); k++)
			keep(notifier, queue_at(notifier->tellers[i]->queue, k));
	notifier->saved_version = UINT64_MAX;
}

static bool load(void *user, const char *file, const char *text, size_t len)
{
	struct notifier *notifier = user;
	struct message *message;
	char name[32];

	if (strcmp(file, CONDITIONS) == 0) {
		notifier->conditions = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
		return json_is_object(notifier->conditions);
	}
	message = xcalloc(1, sizeof(*message));
	if (!message_read(text, len, message) ||
	    (file_of(message->seq, name), strcmp(name, file) != 0)) {
		message_free(message);
		return false;
	}
	if (message->seq > notifier->seq)
		notifier->seq = message->seq;
	if (notifier->n_loaded < ARRAY_SIZE(notifier->loaded))
		notifier->loaded[notifier->n_loaded++] = message;
	else
		discard(notifier, message);
	return true;
}

/* --- what became of it --------------------------------------------------------------------------- */

static void say_failing(struct notifier *notifier, struct teller *teller)
{
	char facts[160];

	snprintf(facts, sizeof(facts), "{\"target\":\"%.100s\"}", teller->target.name);
	if (!teller->failing && queue_failures(teller->queue) >= FAILING_AFTER) {
		teller->failing = true;
		hub_event(notifier->hub, "notify-failed", "warning", NULL, facts,
			  "Notifications to \"%s\" do not get through (%s); they are tried again "
			  "until they are %u h old.",
			  teller->target.name, teller->last_text, teller->target.expire_s / 3600);
	} else if (teller->failing && queue_failures(teller->queue) == 0) {
		teller->failing = false;
		hub_event(notifier->hub, "notify-works", "info", NULL, facts,
			  "Notifications to \"%s\" get through again.", teller->target.name);
	}
}

static void say_dropped(struct notifier *notifier, struct teller *teller, int64_t now_us)
{
	char facts[160];

	if (!teller->dropped_untold || now_us < teller->say_dropped_us)
		return;
	snprintf(facts, sizeof(facts), "{\"target\":\"%.100s\"}", teller->target.name);
	hub_event(notifier->hub, "notify-dropped", "warning", NULL, facts,
		  "%u message%s to \"%s\" %s given up: %s.", teller->dropped_untold,
		  teller->dropped_untold == 1 ? "" : "s", teller->target.name,
		  teller->dropped_untold == 1 ? "was" : "were", teller->dropped_why);
	teller->dropped_untold = 0;
	teller->say_dropped_us = now_us + (int64_t)60 * SEC;
}

static void drop(struct notifier *notifier, struct teller *teller, struct message *message,
		 const char *why)
{
	log_warning("given up for \"%s\": %s (%s)", teller->target.name, message->text, why);
	teller->dropped++;
	teller->dropped_untold++;
	snprintf(teller->dropped_why, sizeof(teller->dropped_why), "%s", why);
	discard(notifier, message);
}

static void remember(struct teller *teller, bool ok, const char *why)
{
	teller->last_ok = ok;
	teller->last_us = wall_us();
	snprintf(teller->last_text, sizeof(teller->last_text), "%s", why);
}

static void sent(void *user, const struct run_end *end)
{
	struct teller *teller = user;
	struct notifier *notifier = teller->notifier;
	int64_t now_us = clock_us();
	enum queue_result result;
	struct message *message;
	uint32_t chance;
	char why[256];

	teller->run = NULL;
	result = render_judge(&teller->target, end, why, sizeof(why));
	random_bytes(&chance, sizeof(chance));
	message = queue_done(teller->queue, result, now_us, chance);
	remember(teller, result == QUEUE_DELIVERED, why);
	if (message && result == QUEUE_DELIVERED) {
		log_debug("\"%s\" was told: %s", teller->target.name, message->text);
		teller->delivered++;
		discard(notifier, message);
	} else if (message) {
		drop(notifier, teller, message, why);
	} else if (queue_failures(teller->queue) == 1) {
		log_info("\"%s\" could not be told: %s; it will be tried again",
			 teller->target.name, why);
	}
	event_active(notifier->pump, EV_TIMEOUT, 0);
}

static void tested(void *user, const struct run_end *end)
{
	struct teller *teller = user;
	char why[256];
	enum queue_result result = render_judge(&teller->target, end, why, sizeof(why));

	teller->run = NULL;
	teller->test = result == QUEUE_DELIVERED ? TEST_DELIVERED : TEST_FAILED;
	snprintf(teller->test_text, sizeof(teller->test_text), "%s", why);
	remember(teller, result == QUEUE_DELIVERED, why);
	if (result == QUEUE_DELIVERED)
		queue_hurry(teller->queue);
	event_active(teller->notifier->pump, EV_TIMEOUT, 0);
}

/* --- sending ------------------------------------------------------------------------------------- */

static void start_run(struct teller *teller, const struct message *message, unsigned attempt,
		      int64_t late_s, run_cb cb)
{
	struct job job;

	render(&job, &teller->target, message, attempt, late_s);
	teller->run =
		runner_start(teller->notifier->runner, &job, teller->target.timeout_s, cb, teller);
	job_clear(&job);
}

static void start_test(struct teller *teller)
{
	struct message message = {
		.state = MESSAGE_TEST,
		.count = 1,
		.wall_us = wall_us(),
		.kind = xstrdup("test"),
		.severity = xstrdup("info"),
		.text = xasprintf("This is a test of the notifications to \"%s\".",
				  teller->target.name),
	};

	message.start_us = message.wall_us;
	uuid_make(message.id);
	teller->test = TEST_RUNS;
	start_run(teller, &message, 1, 0, tested);
	message_clear(&message);
}

static void send_next(struct teller *teller, int64_t now_us)
{
	const struct message *message;

	if (teller->run)
		return;
	if (teller->test == TEST_WANTED) {
		start_test(teller);
		return;
	}
	message = queue_send(teller->queue, now_us);
	if (message)
		start_run(teller, message, queue_failures(teller->queue) + 1,
			  (now_us - message->made_us) / SEC, sent);
}

static void pump_one(struct notifier *notifier, struct teller *teller, int64_t now_us)
{
	struct message *message;

	hold_run(teller->hold, now_us, wall_us());
	while ((message = queue_expired(teller->queue, now_us)))
		drop(notifier, teller, message, "too old");
	send_next(teller, now_us);
	say_failing(notifier, teller);
	say_dropped(notifier, teller, now_us);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void set_timer(struct notifier *notifier, int64_t now_us)
{
	int64_t due_us = notifier->rewrite_us;
	struct timeval tv;

	for (size_t i = 0; i < notifier->n; i++) {
		struct teller *teller = notifier->tellers[i];

		due_us = least(due_us, hold_due_us(teller->hold));
		if (!teller->run)
			due_us = least(due_us, queue_due_us(teller->queue));
		if (teller->dropped_untold)
			due_us = least(due_us, teller->say_dropped_us);
	}
	if (due_us == INT64_MAX) {
		evtimer_del(notifier->pump);
		return;
	}
	due_us = due_us > now_us ? due_us - now_us + 1000 : 1000;
	tv.tv_sec = (time_t)(due_us / SEC);
	tv.tv_usec = (suseconds_t)(due_us % SEC);
	evtimer_add(notifier->pump, &tv);
}

static void pump_all(struct notifier *notifier)
{
	int64_t now_us = clock_us();

	for (size_t i = 0; i < notifier->n; i++)
		pump_one(notifier, notifier->tellers[i], now_us);
	rewrite(notifier, now_us);
	keep_conditions(notifier);
	if (!notifier->stopping)
		set_timer(notifier, now_us);
}

static void on_pump(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	pump_all(user);
}

/* --- what happens -------------------------------------------------------------------------------- */

/* hold tells: from now on it is in the queue and on disk. */
static void tell(void *user, const struct message *words)
{
	struct teller *teller = user;
	struct notifier *notifier = teller->notifier;
	struct message *message = message_copy(words), *victim;

	message->target = xstrdup(teller->target.name);
	message->seq = ++notifier->seq;
	message->made_us = clock_us();
	victim = queue_add(teller->queue, message);
	if (victim != message)
		keep(notifier, message);
	if (victim)
		drop(notifier, teller, victim, "too many wait");
}

/* Without voltages: they are read after the status that made the event, so they would be of before. */
static const char *const value_names[] = { "ups.status", "battery.charge", "battery.runtime",
					   "ups.load", "ups.temperature" };

/* What the UPS showed at that moment; NULL if nothing. */
static char *values_of(const struct hub *hub, const char *name)
{
	const struct hub_ups *ups = name ? hub_find(hub, name) : NULL;
	json_t *values;
	char *text;

	if (!ups || hub_avail(ups) != HUB_OK)
		return NULL;
	values = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(value_names); i++) {
		const char *value = nut_store_get(ups->store, value_names[i]);

		if (value)
			json_object_set_new(values, value_names[i], json_string(value));
	}
	text = json_object_size(values) ? json_dumps(values, JSON_COMPACT) : NULL;
	json_decref(values);
	return text;
}

/* A target is not told about itself: it would not get through. */
static bool is_about(const struct hub_event *event, const struct notify_target *target)
{
	char facts[160];

	snprintf(facts, sizeof(facts), "{\"target\":\"%.100s\"}", target->name);
	return strncmp(event->kind, "notify-", 7) == 0 && event->facts &&
	       strcmp(event->facts, facts) == 0;
}

/* What is about no UPS in particular, such as the shutdown of this host, is for everybody. */
static bool is_for(const struct hub_event *event, const struct notify_target *target)
{
	for (size_t i = 0; i < target->n_ups; i++)
		if (event->ups && strcasecmp(target->ups[i], event->ups) == 0)
			return true;
	return !target->n_ups || !event->ups;
}

static void on_event(void *user, const struct hub_event *event)
{
	struct notifier *notifier = user;
	char *values = notifier->n ? values_of(notifier->hub, event->ups) : NULL;
	struct hold_event told = {
		.kind = event->kind,
		.severity = event->severity,
		.ups = event->ups,
		.text = event->text,
		.facts = event->facts,
		.values = values,
	};
	int64_t now_us = clock_us();

	for (size_t i = 0; i < notifier->n; i++) {
		struct teller *teller = notifier->tellers[i];

		if (!is_about(event, &teller->target) && is_for(event, &teller->target))
			hold_event(teller->hold, &told, now_us, event->wall_us);
	}
	free(values);
	event_active(notifier->pump, EV_TIMEOUT, 0);
}

static void on_removed(void *user, struct hub_ups *ups)
{
	struct notifier *notifier = user;

	for (size_t i = 0; i < notifier->n; i++)
		hold_forget(notifier->tellers[i]->hold, ups->name);
}

static const struct hub_front front = {
	.name = "notify",
	.event = on_event,
	.ups_removed = on_removed,
};

/* --- after the start: which conditions of before are over? ---------------------------------------- */

static void settle(struct notifier *notifier, const char *ups)
{
	for (size_t i = 0; i < notifier->n; i++)
		hold_settle(notifier->tellers[i]->hold, ups, clock_us(), wall_us());
	event_active(notifier->pump, EV_TIMEOUT, 0);
}

static void on_settle(evutil_socket_t fd, short what, void *user)
{
	struct notifier *notifier = user;
	int64_t now_us = clock_us();
	struct timeval tv = { LOOK_S, 0 };
	bool waits = false;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < hub_ups_count(notifier->hub); i++) {
		const struct hub_ups *ups = hub_ups_at(notifier->hub, i);
		int64_t first_us = ups->snap.first_status_us;

		if (first_us && hub_avail(ups) == HUB_OK &&
		    now_us - first_us >= (int64_t)SETTLE_S * SEC)
			settle(notifier, ups->name);
		else
			waits = true;
	}
	if (waits)
		evtimer_add(notifier->settle, &tv);
}

/* --- targets ------------------------------------------------------------------------------------- */

static void make_id(char out[MESSAGE_ID_SIZE])
{
	uuid_make(out);
}

static struct hold_policy policy_of(const struct notify_target *target)
{
	return (struct hold_policy){
		.hold_us = (int64_t)target->hold_off_s * SEC,
		.blips = target->blips,
		.remind_us = (int64_t)target->remind_s * SEC,
		.rank = target->rank,
		.kinds = target->events,
		.n_kinds = target->n_events,
	};
}

static struct teller *teller_new(struct notifier *notifier, const struct notify_target *target)
{
	static const struct hold_ops ops = { tell, make_id };
	struct teller *teller = xcalloc(1, sizeof(*teller));
	struct hold_policy policy;

	teller->notifier = notifier;
	target_copy(&teller->target, target);
	policy = policy_of(&teller->target);
	teller->hold = hold_new(&policy, &ops, teller);
	teller->queue = queue_new((int64_t)target->expire_s * SEC);
	return teller;
}

static void teller_change(struct teller *teller, const struct notify_target *target)
{
	struct notify_target old = teller->target;
	struct hold_policy policy;

	target_copy(&teller->target, target);
	policy = policy_of(&teller->target);
	hold_configure(teller->hold, &policy);
	queue_set_expire(teller->queue, (int64_t)target->expire_s * SEC);
	target_close(&old);
}

static void teller_free(struct teller *teller)
{
	if (teller->run)
		runner_drop(teller->run);
	hold_free(teller->hold);
	queue_free(teller->queue);
	target_close(&teller->target);
	free(teller);
}

static const struct notify_target *find_target(const struct notify_target *targets, size_t n,
					       const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(targets[i].name, name) == 0)
			return &targets[i];
	return NULL;
}

static struct teller *find_teller(const struct notifier *notifier, const char *name)
{
	for (size_t i = 0; i < notifier->n; i++)
		if (strcmp(notifier->tellers[i]->target.name, name) == 0)
			return notifier->tellers[i];
	return NULL;
}

static void remove_gone(struct notifier *notifier, const struct notify_target *targets, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < notifier->n; i++) {
		struct teller *teller = notifier->tellers[i];
		const struct notify_target *target = find_target(targets, n, teller->target.name);

		if (target) {
			teller_change(teller, target);
			notifier->tellers[kept++] = teller;
			continue;
		}
		if (queue_count(teller->queue))
			log_warning("\"%s\" is no longer configured: %zu messages are dropped",
				    teller->target.name, queue_count(teller->queue));
		for (size_t k = 0; k < queue_count(teller->queue); k++) {
			char file[32];

			file_of(queue_at(teller->queue, k)->seq, file);
			spool_remove(notifier->spool, file);
		}
		teller_free(teller);
	}
	notifier->n = kept;
}

/* The message about an end was written, the list of conditions was not: we were killed in between. */
static void forget_ended(struct teller *teller)
{
	for (size_t i = 0; i < queue_count(teller->queue); i++) {
		const struct message *message = queue_at(teller->queue, i);

		if (message->state == MESSAGE_CLOSED && *message->thread)
			hold_was_over(teller->hold, message->thread);
	}
}

/* What was on disk at the start goes to whom it is for. */
static void take_loaded(struct notifier *notifier)
{
	int64_t now_us = clock_us(), now_wall_us = wall_us();
	json_t *all = json_object_get(notifier->conditions, "targets");

	for (size_t i = 0; i < notifier->n_loaded; i++) {
		struct message *message = notifier->loaded[i], *victim;
		struct teller *teller = find_teller(notifier, message->target);
		int64_t age_us = now_wall_us - message->wall_us;

		message->made_us = now_us - (age_us > 0 ? age_us : 0);
		/* the host was off for long, or its clock is wrong: it gets its chance */
		message->until_us = now_us + (int64_t)GRACE_S * SEC;
		if (!teller) {
			log_warning("\"%s\" is no longer configured, dropped: %s", message->target,
				    message->text);
			discard(notifier, message);
			continue;
		}
		victim = queue_add(teller->queue, message);
		if (victim)
			drop(notifier, teller, victim, "too many wait");
	}
	notifier->n_loaded = 0;
	for (size_t i = 0; i < notifier->n; i++) {
		struct teller *teller = notifier->tellers[i];
		json_t *array = json_object_get(all, teller->target.name);
		char *text = array ? json_dumps(array, JSON_COMPACT) : NULL;

		if (text && !hold_restore(teller->hold, text, strlen(text), now_us, now_wall_us))
			log_warning("what \"%s\" was told of before cannot be understood",
				    teller->target.name);
		free(text);
		forget_ended(teller);
	}
	json_decref(notifier->conditions);
	notifier->conditions = NULL;
}

void notifier_apply(struct notifier *notifier, const struct notify_target *targets, size_t n)
{
	remove_gone(notifier, targets, n);
	for (size_t i = 0; i < n && notifier->n < TARGETS_MAX; i++)
		if (!find_teller(notifier, targets[i].name))
			notifier->tellers[notifier->n++] = teller_new(notifier, &targets[i]);
	take_loaded(notifier);
	notifier->saved_version = UINT64_MAX;
	event_active(notifier->pump, EV_TIMEOUT, 0);
}

/* --- asked ------------------------------------------------------------------------------------- */

static char *show(void *user, const char *name)
{
	const struct notifier *notifier = user;
	const struct teller *teller = name ? find_teller(notifier, name) : NULL;

	if (name)
		return teller ? show_teller(teller) : NULL;
	return show_tellers(notifier->tellers, notifier->n);
}

static bool test(void *user, const char *name)
{
	struct notifier *notifier = user;
	struct teller *teller = find_teller(notifier, name);

	if (!teller)
		return false;
	if (teller->test != TEST_RUNS)
		teller->test = TEST_WANTED;
	teller->test_text[0] = '\0';
	event_active(notifier->pump, EV_TIMEOUT, 0);
	return true;
}

static const struct hub_notices notices = { show, test };

/* --- start and stop ------------------------------------------------------------------------------ */

struct notifier *notifier_new(struct hub *hub, const char *state_dir)
{
	static const struct spool_ops ops = { written };
	struct notifier *notifier = xcalloc(1, sizeof(*notifier));
	char *dir = xasprintf("%s/notify", state_dir);
	struct timeval tv = { LOOK_S, 0 };

	notifier->hub = hub;
	notifier->rewrite_us = INT64_MAX;
	notifier->pump = evtimer_new(hub_base(hub), on_pump, notifier);
	notifier->settle = evtimer_new(hub_base(hub), on_settle, notifier);
	evtimer_add(notifier->settle, &tv);
	notifier->runner = runner_new(hub_base(hub));
	notifier->spool = spool_new(hub_base(hub), dir, &ops, notifier);
	spool_load(notifier->spool, load, notifier);
	hub_attach(hub, &front, notifier);
	hub_set_notices(hub, &notices, notifier);
	free(dir);
	return notifier;
}

/* As much as goes out in a moment; the loop does not turn any more. */
static void send_last(struct notifier *notifier)
{
	int64_t until_us = clock_us() + (int64_t)STOP_MS * 1000;
	bool busy = true;

	while (busy && clock_us() < until_us) {
		runner_look(notifier->runner);
		busy = false;
		for (size_t i = 0; i < notifier->n; i++) {
			send_next(notifier->tellers[i], clock_us());
			busy = busy || notifier->tellers[i]->run;
		}
		if (busy)
			poll(NULL, 0, 10);
	}
}

void notifier_free(struct notifier *notifier)
{
	int64_t now_us = clock_us();

	if (!notifier)
		return;
	hub_set_notices(notifier->hub, NULL, NULL);
	hub_detach(notifier->hub, notifier);
	notifier->stopping = true;
	for (size_t i = 0; i < notifier->n; i++)
		hold_flush(notifier->tellers[i]->hold, now_us, wall_us());
	pump_all(notifier);
	send_last(notifier);
	keep_conditions(notifier);
	spool_free(notifier->spool, STOP_MS);
	for (size_t i = 0; i < notifier->n; i++)
		teller_free(notifier->tellers[i]);
	runner_free(notifier->runner);
	for (size_t i = 0; i < notifier->n_loaded; i++)
		message_free(notifier->loaded[i]);
	json_decref(notifier->conditions);
	event_free(notifier->settle);
	event_free(notifier->pump);
	free(notifier);
}
