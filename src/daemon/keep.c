#include "daemon/keep.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "util/files.h"
#include "util/util.h"

#define LOG_PART "keep"
#include "util/log.h"

enum { FILE_MAX = 16384, TEXT_MAX = 256 * 1024 };

struct job {
	STAILQ_ENTRY(job) queue;
	char *path, *text;
	keep_cb cb;
	void *user;
	bool ok;
	int error;
};

STAILQ_HEAD(jobs, job);

struct keep {
	char *dir;
	char boot_id[40];
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* todo, done, current, stop */
	pthread_cond_t more;
	struct jobs todo, done;
	struct job *current;
	bool stop;
	int done_fd;
	struct event *done_event;
	bool failing; /* the last write failed, and that was logged */
};

/* --- the file ------------------------------------------------------------------------------- */

static void put_delays(json_t *root, const char *key, const struct engine_delays *delays)
{
	json_object_set_new(root, key,
			    json_pack("{s:i, s:i, s:i}", "shutdown", (int)delays->shutdown_s,
				      "start", (int)delays->start_s, "reboot",
				      (int)delays->reboot_s));
}

static char *to_text(const struct keep *keep, const struct kept *kept)
{
	const struct engine_journal *j = &kept->journal;
	json_t *root = json_pack("{s:i, s:s, s:s, s:i}", "format", 1, "boot", keep->boot_id, "esn",
				 j->esn, "proven", (int)j->proven);
	char *text;

	if (j->owed_auto_start)
		json_object_set_new(root, "owed-1044", json_integer(j->auto_start));
	if (j->owed_bypass)
		json_object_set_new(root, "owed-1045", json_integer(j->bypass));
	if (j->pending)
		json_object_set_new(root, "pending",
				    json_pack("{s:i, s:i, s:I, s:I, s:I}", "kind",
					      (int)j->pending_kind, "stage", (int)j->pending_stage,
					      "due-us", (json_int_t)j->pending_due_us, "delay-s",
					      (json_int_t)j->pending_delay_s, "on-s",
					      (json_int_t)j->pending_on_s));
	put_delays(root, "delays-set", &kept->set);
	put_delays(root, "delays-configured", &kept->configured);
	text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
	json_decref(root);
	return text;
}

/* An integer of the object within limits; absent is fine (*out stays), wrong is not. */
static bool get_int(json_t *object, const char *key, json_int_t min, json_int_t max,
		    json_int_t *out, bool *there)
{
	json_t *value = json_object_get(object, key);

	if (there)
		*there = value != NULL;
	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < min ||
	    json_integer_value(value) > max)
		return false;
	*out = json_integer_value(value);
	return true;
}

static bool get_delays(json_t *root, const char *key, struct engine_delays *out)
{
	json_t *object = json_object_get(root, key);
	json_int_t shutdown = 0, start = 0, reboot = 0;

	if (!object)
		return true;
	if (!json_is_object(object) || !get_int(object, "shutdown", 0, 5940, &shutdown, NULL) ||
	    !get_int(object, "start", 0, 5940, &start, NULL) ||
	    !get_int(object, "reboot", 0, 5940, &reboot, NULL))
		return false;
	*out = (struct engine_delays){ (unsigned)shutdown, (unsigned)start, (unsigned)reboot };
	return true;
}

static bool get_pending(json_t *root, struct engine_journal *j)
{
	json_t *object = json_object_get(root, "pending");
	json_int_t kind = 0, stage = 0, due = 0, delay = 0, on = 0;

	if (!object)
		return true;
	if (!json_is_object(object) || !get_int(object, "kind", 0, 3, &kind, NULL) ||
	    !get_int(object, "stage", 0, STAGE_POWER_OFF, &stage, NULL) ||
	    !get_int(object, "due-us", 0, INT64_MAX, &due, NULL) ||
	    !get_int(object, "delay-s", 0, 990 * 6, &delay, NULL) ||
	    !get_int(object, "on-s", 0, 9999 * 60, &on, NULL))
		return false;
	j->pending = true;
	j->pending_kind = (uint8_t)kind;
	j->pending_stage = (uint8_t)stage;
	j->pending_due_us = due;
	j->pending_delay_s = (uint32_t)delay;
	j->pending_on_s = (uint32_t)on;
	return true;
}

static bool from_json(json_t *root, const char *boot_id, struct kept *kept)
{
	struct engine_journal *j = &kept->journal;
	const char *boot = json_string_value(json_object_get(root, "boot"));
	const char *esn = json_string_value(json_object_get(root, "esn"));
	json_int_t format = 0, proven = 0, auto_start = 0, bypass = 0;

	if (!boot || !esn || strlen(esn) >= sizeof(j->esn) ||
	    !get_int(root, "format", 1, 1, &format, NULL) || format != 1 ||
	    !get_int(root, "proven", 0, STAGE_POWER_OFF, &proven, NULL) ||
	    !get_int(root, "owed-1044", 0, 1, &auto_start, &j->owed_auto_start) ||
	    !get_int(root, "owed-1045", 0, 1, &bypass, &j->owed_bypass) || !get_pending(root, j) ||
	    !get_delays(root, "delays-set", &kept->set) ||
	    !get_delays(root, "delays-configured", &kept->configured))
		return false;
	memcpy(j->esn, esn, strlen(esn) + 1);
	j->proven = (enum engine_stage)proven;
	j->auto_start = (uint8_t)auto_start;
	j->bypass = (uint8_t)bypass;
	kept->same_boot = boot_id[0] && strcmp(boot, boot_id) == 0;
	return true;
}

static void read_boot_id(char *out, size_t size)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = '\0';
	if (!file)
		return;
	if (!fgets(out, (int)size, file))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(file);
}

static bool parse(const char *text, size_t len, const char *boot_id, struct kept *kept)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	bool ok;

	*kept = (struct kept){ 0 };
	if (!root)
		return false;
	ok = json_is_object(root) && from_json(root, boot_id, kept);
	if (!ok)
		*kept = (struct kept){ 0 };
	json_decref(root);
	return ok;
}

bool keep_parse(const char *text, size_t len, struct kept *kept)
{
	char boot_id[40];

	read_boot_id(boot_id, sizeof(boot_id));
	return parse(text, len, boot_id, kept);
}

static char *path_of(const struct keep *keep, const char *ups)
{
	return xasprintf("%s/%s.json", keep->dir, ups);
}

bool keep_load(const struct keep *keep, const char *ups, struct kept *kept)
{
	char *path = path_of(keep, ups), *aside;
	char text[FILE_MAX];
	size_t len;
	FILE *file = fopen(path, "re");
	bool ok = false;

	*kept = (struct kept){ 0 };
	if (!file)
		goto out;
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	ok = parse(text, len, keep->boot_id, kept);
	if (!ok) {
		aside = xasprintf("%s.damaged", path);
		log_error(
			"%s cannot be understood and is set aside as %s: borrowed settings and "
			"delays of before are forgotten; check 1044 and 1045 with \"ups2000 status\"",
			path, aside);
		if (rename(path, aside) < 0)
			log_warning("%s: %s", aside, strerror(errno));
		free(aside);
	}
out:
	free(path);
	return ok;
}

/* --- the thread -------------------------------------------------------------------------------- */

static void *writer(void *user)
{
	struct keep *keep = user;
	uint64_t one = 1;

	pthread_mutex_lock(&keep->lock);
	for (;;) {
		struct job *job = STAILQ_FIRST(&keep->todo);

		if (!job) {
			if (keep->stop)
				break;
			pthread_cond_wait(&keep->more, &keep->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&keep->todo, queue);
		keep->current = job;
		pthread_mutex_unlock(&keep->lock);
		errno = 0;
		job->ok = file_replace(job->path, job->text);
		job->error = errno;
		pthread_mutex_lock(&keep->lock);
		keep->current = NULL;
		STAILQ_INSERT_TAIL(&keep->done, job, queue);
		if (write(keep->done_fd, &one, sizeof(one)) < 0) {
			/* the counter is full: the loop is told already */
		}
	}
	pthread_mutex_unlock(&keep->lock);
	return NULL;
}

static void free_job(struct job *job)
{
	free(job->path);
	free(job->text);
	free(job);
}

static void say_result(struct keep *keep, const struct job *job)
{
	if (!job->ok && !keep->failing)
		log_error("%s cannot be written: %s; what must survive a restart is not kept",
			  job->path, strerror(job->error));
	else if (job->ok && keep->failing)
		log_info("%s can be written again", job->path);
	keep->failing = !job->ok;
}

static void on_done(evutil_socket_t fd, short what, void *user)
{
	struct keep *keep = user;
	uint64_t count;
	struct job *job;

	(void)what;
	if (read((int)fd, &count, sizeof(count)) < 0)
		return;
	for (;;) {
		pthread_mutex_lock(&keep->lock);
		job = STAILQ_FIRST(&keep->done);
		if (job)
			STAILQ_REMOVE_HEAD(&keep->done, queue);
		pthread_mutex_unlock(&keep->lock);
		if (!job)
			return;
		say_result(keep, job);
		if (job->cb)
			job->cb(job->user, job->ok);
		free_job(job);
	}
}

struct keep *keep_new(struct event_base *base, const char *state_dir)
{
	struct keep *keep = xcalloc(1, sizeof(*keep));

	keep->dir = xstrdup(state_dir);
	read_boot_id(keep->boot_id, sizeof(keep->boot_id));
	pthread_mutex_init(&keep->lock, NULL);
	pthread_cond_init(&keep->more, NULL);
	STAILQ_INIT(&keep->todo);
	STAILQ_INIT(&keep->done);
	keep->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (keep->done_fd >= 0) {
		keep->done_event =
			event_new(base, keep->done_fd, EV_READ | EV_PERSIST, on_done, keep);
		event_add(keep->done_event, NULL);
		keep->running = thread_start(&keep->thread, writer, keep);
	}
	if (!keep->running)
		log_error("no thread for the state directory: nothing is kept over a restart");
	return keep;
}

void keep_free(struct keep *keep)
{
	struct job *job;

	if (!keep)
		return;
	if (keep->running) {
		pthread_mutex_lock(&keep->lock);
		keep->stop = true;
		pthread_cond_signal(&keep->more);
		pthread_mutex_unlock(&keep->lock);
		pthread_join(keep->thread, NULL);
	}
	while ((job = STAILQ_FIRST(&keep->done))) {
		STAILQ_REMOVE_HEAD(&keep->done, queue);
		free_job(job);
	}
	if (keep->done_event)
		event_free(keep->done_event);
	if (keep->done_fd >= 0)
		close(keep->done_fd);
	pthread_cond_destroy(&keep->more);
	pthread_mutex_destroy(&keep->lock);
	free(keep->dir);
	free(keep);
}

/* Takes path and text. */
static void save(struct keep *keep, char *path, char *text, keep_cb cb, void *user)
{
	struct job *job = xcalloc(1, sizeof(*job)), *waiting;

	job->path = path;
	job->text = text;
	job->cb = cb;
	job->user = user;
	pthread_mutex_lock(&keep->lock);
	STAILQ_FOREACH(waiting, &keep->todo, queue)
	{
		if (strcmp(waiting->path, job->path) != 0)
			continue;
		/* not begun yet: the newer text takes its place, so the queue stays one per UPS */
		char *older = waiting->text;

		waiting->text = job->text;
		job->text = older;
		waiting->cb = cb;
		waiting->user = user;
		pthread_mutex_unlock(&keep->lock);
		free_job(job);
		return;
	}
	STAILQ_INSERT_TAIL(&keep->todo, job, queue);
	pthread_cond_signal(&keep->more);
	pthread_mutex_unlock(&keep->lock);
}

void keep_save(struct keep *keep, const char *ups, const struct kept *kept, keep_cb cb, void *user)
{
	if (keep->running)
		save(keep, path_of(keep, ups), to_text(keep, kept), cb, user);
	else if (cb)
		cb(user, false);
}

void keep_save_text(struct keep *keep, const char *file, const char *text, keep_cb cb, void *user)
{
	if (keep->running)
		save(keep, xasprintf("%s/%s", keep->dir, file), xstrdup(text), cb, user);
	else if (cb)
		cb(user, false);
}

char *keep_load_text(const struct keep *keep, const char *file)
{
	char *path = xasprintf("%s/%s", keep->dir, file);
	char *text = xmalloc(TEXT_MAX);
	FILE *stream = fopen(path, "re");
	size_t len = 0;

	if (stream) {
		len = fread(text, 1, TEXT_MAX - 1, stream);
		fclose(stream);
	}
	free(path);
	text[len] = '\0';
	if (len)
		return text;
	free(text);
	return NULL;
}

const char *keep_boot_id(const struct keep *keep)
{
	return keep->boot_id;
}

static void forget_in(struct jobs *jobs, const void *user)
{
	struct job *job;

	STAILQ_FOREACH(job, jobs, queue)
	if (job->user == user)
		job->cb = NULL;
}

void keep_forget(struct keep *keep, void *user)
{
	pthread_mutex_lock(&keep->lock);
	forget_in(&keep->todo, user);
	forget_in(&keep->done, user);
	if (keep->current && keep->current->user == user)
		keep->current->cb = NULL;
	pthread_mutex_unlock(&keep->lock);
}
