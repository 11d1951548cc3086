#include "daemon/shutdown_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/keep.h"
#include "hook/note.h"
#include "nut/store.h"
#include "util/util.h"
#include <ups2000/error.h>

#define LOG_PART "shutdown"
#include "util/log.h"

static const char RECORD[] = "shutdown.state";

static const struct policy_config *plan_of(const struct shutdown *s)
{
	return &s->config->shutdown.policy;
}

struct hub_ups *shutdown__ups(const struct shutdown *s, size_t i)
{
	return hub_find(s->hub, plan_of(s)->ups[i].name);
}

static int index_of(const struct shutdown *s, const struct hub_ups *ups)
{
	for (size_t i = 0; i < plan_of(s)->n_ups; i++)
		if (strcmp(plan_of(s)->ups[i].name, ups->name) == 0)
			return (int)i;
	return -1;
}

void shutdown__poke(struct shutdown *s)
{
	event_active(s->act, 0, 0);
}

/* --- telling the policy -------------------------------------------------------------------------- */

static void tell_fsd(struct shutdown *s, unsigned i, const struct hub_ups *ups)
{
	struct feed *feed = &s->feeds[i];
	struct policy_who who = { ups->fsd_user, ups->fsd_from, NULL };

	if (ups->fsd && !feed->fsd && !s->setting_fsd)
		policy_fsd(s->policy, i, &who, clock_us());
	feed->fsd = ups->fsd;
}

static void tell_ups(struct shutdown *s, unsigned i, const struct hub_ups *ups)
{
	bool fresh = hub_avail(ups) == HUB_OK && ups->snap.gate != U2K_GATE_ESN;
	int64_t now = clock_us();

	policy_ups(s->policy, i, &ups->snap, fresh, now);
	policy_logins(s->policy, i, ups->logins, ups->fsd_logins, now);
	tell_fsd(s, i, ups);
}

static void on_changed(void *front, struct hub_ups *ups, uint64_t mask)
{
	struct shutdown *s = front;
	int i = index_of(s, ups);

	if (i < 0 || mask == HUB_CHANGED_PLAN)
		return;
	tell_ups(s, (unsigned)i, ups);
	shutdown__poke(s);
}

static const struct hub_front front = { .name = "shutdown", .changed = on_changed };

/* --- ups.timer.shutdown: the countdown, as NUT clients may show it ------------------------------------ */

static bool counts_down(enum policy_state state)
{
	return state >= POLICY_WARNING && state <= POLICY_HOST;
}

static void show_timer(struct shutdown *s, unsigned i, const struct policy_view *view, int64_t now)
{
	struct hub_ups *ups = shutdown__ups(s, i);
	struct feed *feed = &s->feeds[i];
	struct policy_ups_view of;
	char text[24];

	if (!ups)
		return;
	policy_look_ups(s->policy, i, &of, now);
	if (!(of.doomed || (view->state == POLICY_WARNING && plan_of(s)->ups[i].supplies)) ||
	    !counts_down(view->state) || view->host_down_us == INT64_MAX) {
		if (feed->shows_timer)
			nut_store_set(ups->store, "ups.timer.shutdown", "-1");
		feed->shows_timer = false;
		return;
	}
	snprintf(text, sizeof(text), "%lld",
		 (long long)(view->host_down_us > now ? (view->host_down_us - now) / U2K_SEC : 0));
	nut_store_set(ups->store, "ups.timer.shutdown", text);
	feed->shows_timer = true;
}

/* What a countdown shows is the same as long as its end does not move. */
static bool moved(int64_t a_us, int64_t b_us)
{
	if (a_us == INT64_MAX || b_us == INT64_MAX)
		return a_us != b_us;
	return llabs(a_us - b_us) > U2K_SEC;
}

/* Those who show the plan are told when it changed; the countdown in seconds goes on by itself. */
static bool show(struct shutdown *s, int64_t now)
{
	struct policy_view view;
	bool changed, counted;

	policy_look(s->policy, &view, now);
	changed = view.state != s->told.state || moved(view.next_us, s->told.next_us) ||
		  moved(view.host_down_us, s->told.host_down_us);
	counted = counts_down(s->told.state) || counts_down(view.state);
	s->told.state = view.state;
	s->told.next_us = view.next_us;
	s->told.host_down_us = view.host_down_us;
	for (unsigned i = 0; i < plan_of(s)->n_ups && counted; i++)
		show_timer(s, i, &view, now);
	if (changed)
		hub_plan_changed(s->hub);
	return view.state > POLICY_ON_BATTERY;
}

/* --- the loop -------------------------------------------------------------------------------------- */

static void set_timer(struct shutdown *s, int64_t now)
{
	int64_t deadline = policy_deadline(s->policy), in_us = deadline - now;
	struct timeval tv;

	if (deadline == INT64_MAX) {
		event_del(s->timer);
		return;
	}
	if (in_us < 1000)
		in_us = 1000;
	tv.tv_sec = (time_t)(in_us / U2K_SEC);
	tv.tv_usec = (suseconds_t)(in_us % U2K_SEC);
	evtimer_add(s->timer, &tv);
}

static void set_tick(struct shutdown *s, bool on)
{
	static const struct timeval often = { 0, SHUTDOWN_TICK_MS * 1000 };

	if (on && !s->ticking)
		event_add(s->tick, &often);
	else if (!on && s->ticking)
		event_del(s->tick);
	s->ticking = on;
}

static void save(struct shutdown *s)
{
	size_t len = policy_record(s->policy, s->record, sizeof(s->record));
	int rc;

	if (!len)
		return;
	/* memory first: a full or dead disk must not hold up anything */
	rc = note_write_text(s->runtime_dir, RECORD, s->record, len);
	keep_save_text(s->keep, RECORD, s->record, NULL, NULL);
	if (rc < 0)
		log_warning("%s/%s: %s", s->runtime_dir, RECORD, strerror(-rc));
	policy_saved(s->policy, rc == 0, clock_us());
}

static void act(struct shutdown *s)
{
	struct policy_action action;
	int64_t now;
	bool busy;

	while (policy_next(s->policy, &action)) {
		if (action.what == POLICY_SAVE)
			save(s);
		else
			shutdown__do(s, &action);
	}
	now = clock_us();
	busy = show(s, now);
	set_timer(s, now);
	set_tick(s, shutdown__look(s) || busy);
}

static void on_act(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	act(user);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	struct shutdown *s = user;

	(void)fd;
	(void)what;
	policy_run(s->policy, clock_us());
	act(s);
}

static void on_tick(evutil_socket_t fd, short what, void *user)
{
	struct shutdown *s = user;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < plan_of(s)->n_ups; i++) {
		const struct hub_ups *ups = shutdown__ups(s, i);

		if (ups)
			policy_logins(s->policy, i, ups->logins, ups->fsd_logins, clock_us());
	}
	policy_run(s->policy, clock_us());
	act(s);
}

/* --- life ------------------------------------------------------------------------------------------- */

static char *read_runtime(const struct shutdown *s)
{
	char *path = xasprintf("%s/%s", s->runtime_dir, RECORD);
	char *text = xmalloc(POLICY_RECORD_MAX + 1);
	FILE *file = fopen(path, "re");
	size_t len = 0;

	free(path);
	if (file) {
		len = fread(text, 1, POLICY_RECORD_MAX, file);
		fclose(file);
	}
	text[len] = '\0';
	if (len)
		return text;
	free(text);
	return NULL;
}

static void make_policy(struct shutdown *s, const struct policy_start *start)
{
	int64_t now = clock_us();

	s->policy = policy_new(plan_of(s), start, now);
	if (!s->policy)
		abort(); /* out of memory: as xmalloc() */
	for (unsigned i = 0; i < plan_of(s)->n_ups; i++) {
		const struct hub_ups *ups = shutdown__ups(s, i);

		if (!ups)
			continue;
		if (ups->fsd && !s->feeds[i].fsd)
			policy_fsd_found(s->policy, i, now);
		s->feeds[i].fsd = ups->fsd;
		tell_ups(s, i, ups);
	}
}

static bool is_forced(const struct shutdown *s)
{
	struct policy_view view;

	policy_look(s->policy, &view, clock_us());
	return policy_state_forced(view.state);
}

struct shutdown *shutdown_new(struct hub *hub, struct keep *keep, const char *runtime_dir,
			      struct helper *helper, const struct config *config)
{
	struct shutdown *s = xcalloc(1, sizeof(*s));
	char *kept = keep_load_text(keep, RECORD), *recent;
	struct policy_start start = { .boot = keep_boot_id(keep) };

	s->hub = hub;
	s->keep = keep;
	s->runtime_dir = xstrdup(runtime_dir);
	s->helper = helper;
	s->config = config;
	s->act = event_new(hub_base(hub), -1, 0, on_act, s);
	s->timer = evtimer_new(hub_base(hub), on_timer, s);
	s->tick = event_new(hub_base(hub), -1, EV_PERSIST, on_tick, s);
	recent = read_runtime(s);
	start.records[0] = recent;
	start.records[1] = kept;
	random_bytes(&start.random, sizeof(start.random));
	shutdown__make_tasks(s);
	s->wakes = shutdown__wakes_new(s);
	make_policy(s, &start);
	free(recent);
	free(kept);
	if (!is_forced(s))
		shutdown__host_release(
			s); /* what an earlier run left may not switch anything off */
	hub_attach(hub, &front, s);
	hub_set_shutdown(hub, s);
	shutdown__poke(s);
	return s;
}

/* What is known of a UPS goes with its name. */
static void move_feeds(struct shutdown *s, const struct config *old)
{
	const struct policy_config *before = &old->shutdown.policy;
	struct feed feeds[POLICY_UPS_MAX] = { 0 };

	for (size_t i = 0; i < plan_of(s)->n_ups; i++)
		for (size_t j = 0; j < before->n_ups; j++)
			if (strcmp(plan_of(s)->ups[i].name, before->ups[j].name) == 0)
				feeds[i] = s->feeds[j];
	memcpy(s->feeds, feeds, sizeof(feeds));
}

void shutdown_apply(struct shutdown *s, const struct config *config)
{
	const struct config *old = s->config;
	struct task *tasks = s->tasks;
	size_t n_tasks = s->n_tasks;
	struct policy_start start = { .boot = keep_boot_id(s->keep), .reload = true };
	size_t len = policy_record(s->policy, s->record, sizeof(s->record));

	start.records[0] = len ? s->record : NULL;
	random_bytes(&start.random, sizeof(start.random));
	shutdown__wakes_free(s->wakes);
	policy_free(s->policy);
	s->config = config;
	move_feeds(s, old);
	shutdown__make_tasks(s);
	shutdown__move_tasks(s, old, tasks, n_tasks);
	s->wakes = shutdown__wakes_new(s);
	make_policy(s, &start);
	shutdown__poke(s);
}

void shutdown_free(struct shutdown *s)
{
	if (!s)
		return;
	hub_set_shutdown(s->hub, NULL);
	hub_detach(s->hub, s);
	shutdown__drop_trial(s);
	shutdown__free_tasks(s->tasks, s->n_tasks);
	shutdown__wakes_free(s->wakes);
	policy_free(s->policy);
	event_free(s->act);
	event_free(s->timer);
	event_free(s->tick);
	free(s->runtime_dir);
	free(s);
}

/* --- front ends -------------------------------------------------------------------------------------- */

const struct policy *shutdown_policy(const struct shutdown *s)
{
	return s->policy;
}

const struct policy_config *shutdown_config(const struct shutdown *s)
{
	return plan_of(s);
}

int shutdown_begin(struct shutdown *s, const struct policy_who *who, char *text)
{
	int rc = policy_operator(s->policy, who, clock_us(), text);

	shutdown__poke(s);
	return rc;
}

int shutdown_cancel(struct shutdown *s, const struct policy_who *who, char *text)
{
	int rc = policy_operator_cancel(s->policy, who, clock_us(), text);

	shutdown__poke(s);
	return rc;
}

int shutdown_fsd_clear(struct shutdown *s, const char *name, const struct policy_who *who,
		       char *text)
{
	unsigned cleared = 0;
	int rc = 0;

	for (unsigned i = 0; i < plan_of(s)->n_ups && rc == 0; i++) {
		const struct hub_ups *ups = shutdown__ups(s, i);

		if (!ups || !ups->fsd || (name && strcmp(ups->name, name) != 0))
			continue;
		rc = policy_fsd_clear(s->policy, i, who, clock_us(), text);
		cleared++;
	}
	shutdown__poke(s);
	if (rc == 0 && !cleared) {
		snprintf(text, POLICY_TEXT_MAX, "No forced shutdown (FSD) is announced.");
		return U2K_EINVAL;
	}
	return rc;
}
