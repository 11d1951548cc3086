#include "daemon/shutdown_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/helper.h"
#include "daemon/keep.h"
#include "hook/note.h"
#include "util/util.h"

#define LOG_PART "shutdown"
#include "util/log.h"

/*
 * This host: a request in the runtime directory, for somebody who has root (hook/host.h). That one
 * renames it, which is its acceptance, and the late hook follows what was renamed.
 */

static void remove_note(const struct shutdown *s, const char *name)
{
	char *path = xasprintf("%s/%s", s->runtime_dir, name);

	unlink(path);
	free(path);
}

static void fill(const struct shutdown *s, const struct policy_action *action, struct note *note)
{
	const struct policy_config *plan = &s->config->shutdown.policy;

	*note = (struct note){ .action = NOTE_POWEROFF };
	snprintf(note->boot, sizeof(note->boot), "%s", keep_boot_id(s->keep));
	snprintf(note->sequence, sizeof(note->sequence), "%s", action->sequence);
	snprintf(note->reason, sizeof(note->reason), "%s", action->text);
	for (unsigned i = 0; i < plan->n_ups; i++) {
		enum policy_end end = policy_hook_end(s->policy, i);

		if (end != POLICY_END_NOTHING)
			note_add_ups(note, plan->ups[i].name, end == POLICY_END_STAYOFF);
	}
}

static bool was_taken(const struct shutdown *s, const char *sequence)
{
	struct note note;
	char why[256];

	return note_read(s->runtime_dir, NOTE_TAKEN, (uid_t)-1, &note, why, sizeof(why)) &&
	       strcmp(note.sequence, sequence) == 0;
}

static void answer(struct shutdown *s, bool accepted, const char *text)
{
	s->host.waits = false;
	policy_host_done(s->policy, accepted, text, clock_us());
	shutdown__poke(s);
}

void shutdown__host_down(struct shutdown *s, const struct policy_action *action)
{
	struct note note;
	char text[256];
	int rc;

	snprintf(s->host.sequence, sizeof(s->host.sequence), "%s", action->sequence);
	if (was_taken(s, action->sequence)) {
		answer(s, true, NULL);
		return;
	}
	fill(s, action, &note);
	rc = note_write(s->runtime_dir, NOTE_REQUEST, &note);
	if (rc < 0) {
		snprintf(text, sizeof(text), "%.180s/%s: %s", s->runtime_dir, NOTE_REQUEST,
			 strerror(-rc));
		answer(s, false, text);
		return;
	}
	if (s->helper && !helper_ask(s->helper))
		log_error("the helper that keeps root is gone");
	s->host.waits = true;
	s->host.until_us = clock_us() + SHUTDOWN_HOST_S * U2K_SEC;
}

bool shutdown__host_look(struct shutdown *s)
{
	if (!s->host.waits)
		return false;
	if (was_taken(s, s->host.sequence)) {
		answer(s, true, NULL);
		return false;
	}
	if (clock_us() < s->host.until_us)
		return true;
	remove_note(s, NOTE_REQUEST);
	answer(s, false,
	       s->helper ? "the helper process does not take the request"
			 : "nobody takes the request; is ups2000-host.path enabled?");
	return false;
}

void shutdown__host_release(struct shutdown *s)
{
	s->host.waits = false;
	remove_note(s, NOTE_REQUEST);
	remove_note(s, NOTE_TAKEN);
}
