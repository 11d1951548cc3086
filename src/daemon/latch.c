#include "daemon/latch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <jansson.h>

#include "daemon/hub.h"
#include "daemon/keep.h"
#include "hook/note.h"
#include "util/util.h"

#define LOG_PART "fsd"
#include "util/log.h"

static const char FILE_NAME[] = "fsd.state";

struct latch {
	struct hub *hub;
	struct keep *keep;
	char *runtime_dir;
	char *kept; /* text of the file, as it is or is going to be */
};

static char *to_text(const struct latch *latch)
{
	json_t *names = json_array(), *root;
	char *text;

	for (size_t i = 0; i < hub_ups_count(latch->hub); i++) {
		const struct hub_ups *ups = hub_ups_at(latch->hub, i);

		if (ups->fsd)
			json_array_append_new(names, json_string(ups->name));
	}
	root = json_pack("{s:i, s:s, s:o}", "format", 1, "boot", keep_boot_id(latch->keep), "fsd",
			 names);
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}

/* The late hook trusts upsmon's flag only if FSD was announced in this boot. */
static void show(const struct latch *latch)
{
	struct note note = { .action = NOTE_POWEROFF, .reason = "FSD is announced" };
	char *path;
	int rc;

	snprintf(note.boot, sizeof(note.boot), "%s", keep_boot_id(latch->keep));
	for (size_t i = 0; i < hub_ups_count(latch->hub); i++) {
		const struct hub_ups *ups = hub_ups_at(latch->hub, i);

		if (ups->fsd && !note_add_ups(&note, ups->name, false))
			log_warning("%s: no room in %s for it: the late hook will not know of its "
				    "FSD",
				    ups->name, NOTE_FSD);
	}
	if (note.n_ups) {
		rc = note_write(latch->runtime_dir, NOTE_FSD, &note);
		if (rc < 0)
			log_warning("%s/%s: %s", latch->runtime_dir, NOTE_FSD, strerror(-rc));
		return;
	}
	path = xasprintf("%s/%s", latch->runtime_dir, NOTE_FSD);
	unlink(path);
	free(path);
}

static void save(struct latch *latch)
{
	char *text = to_text(latch);

	if (strcmp(text, latch->kept) != 0) {
		keep_save_text(latch->keep, FILE_NAME, text, NULL, NULL);
		show(latch);
	}
	free(latch->kept);
	latch->kept = text;
}

static void on_changed(void *front, struct hub_ups *ups, uint64_t mask)
{
	(void)ups;
	if (mask & U2K_CHANGED_FLAGS)
		save(front);
}

static const struct hub_front front = { .name = "latch", .changed = on_changed };

struct latch *latch_new(struct hub *hub, struct keep *keep, const char *runtime_dir)
{
	struct latch *latch = xcalloc(1, sizeof(*latch));

	latch->hub = hub;
	latch->keep = keep;
	latch->runtime_dir = xstrdup(runtime_dir);
	latch->kept = to_text(latch);
	return latch;
}

/* The names that stood in the file, if this boot wrote it; else NULL. */
static json_t *names_of(json_t *root, const char *boot)
{
	const char *written = json_string_value(json_object_get(root, "boot"));
	json_t *names = json_object_get(root, "fsd");

	if (!written || !*boot || strcmp(written, boot) != 0 || !json_is_array(names))
		return NULL;
	return names;
}

void latch_restore(struct latch *latch)
{
	char *text = keep_load_text(latch->keep, FILE_NAME);
	json_t *root = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	json_t *names = names_of(root, keep_boot_id(latch->keep)), *name;
	size_t i;

	if (text && !json_is_object(root))
		log_error("%s in the state directory cannot be understood: whether a forced "
			  "shutdown (FSD) was announced before is not known",
			  FILE_NAME);
	json_array_foreach(names, i, name)
	{
		const char *word = json_string_value(name);
		struct hub_ups *ups = word ? hub_find(latch->hub, word) : NULL;

		if (!ups || ups->fsd)
			continue;
		hub_fsd_restore(ups);
		hub_event(latch->hub, "fsd-restored", "alert", ups->name, NULL,
			  "Forced shutdown (FSD) was announced before this start and still holds.");
	}
	json_decref(root);
	free(text);
	hub_attach(latch->hub, &front, latch);
	save(latch);
	show(latch);
}

void latch_free(struct latch *latch)
{
	if (!latch)
		return;
	hub_detach(latch->hub, latch);
	free(latch->runtime_dir);
	free(latch->kept);
	free(latch);
}
