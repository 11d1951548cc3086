#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The note by which the daemon, which has given up root, has this host shut down: a small text file
 * in its runtime directory.
 *
 *	host-shutdown		written by the daemon: a request to whoever has root (host.h)
 *	host-shutdown.taken	the same file, renamed by that one: the host goes down because of it,
 *				and the late hook may act on it (late.h)
 *
 * It holds for the boot it names only. Lines are KEY VALUE; the first is "ups2000 1".
 */
enum { NOTE_TEXT_MAX = 8192, NOTE_REASON_MAX = 240, NOTE_UPS_MAX = 64, NOTE_NAME_MAX = 65 };

#define NOTE_REQUEST "host-shutdown"
#define NOTE_TAKEN "host-shutdown.taken"
/* In the same form: FSD is announced for these UPSes. Kept by the daemon for as long as it holds. */
#define NOTE_FSD "fsd"

enum note_action { NOTE_POWEROFF, NOTE_REBOOT };

struct note {
	char boot[40];	   /* boot id */
	char sequence[48]; /* which shutdown it is part of; may be "" */
	enum note_action action;
	char reason[NOTE_REASON_MAX + 1]; /* one sentence, printable */
	struct {
		char name[NOTE_NAME_MAX];
		bool stay_off; /* does not come back with the mains */
	} ups[NOTE_UPS_MAX];   /* to be switched off late */
	size_t n_ups;
};

/** Add a UPS; false if there is no room or the name is too long. */
bool note_add_ups(struct note *note, const char *name, bool stay_off);

/** As text, with its final newline and NUL; the length, or 0 if it does not fit. */
size_t note_print(const struct note *note, char *out, size_t size);

/** From a file's text. False, with a reason in why, if it is not such a file. */
bool note_parse(const char *text, size_t len, struct note *note, char *why, size_t why_size);

/** Replace DIR/NAME by a text as a whole. As note_write(). */
int note_write_text(const char *dir, const char *name, const char *text, size_t len);
/** Replace DIR/NAME as a whole. Returns 0 or -errno. For directories in memory (/run). */
int note_write(const char *dir, const char *name, const struct note *note);

/**
 * Read DIR/NAME.
 *
 * @owner  who may have written it besides root, or (uid_t)-1: anybody
 *
 * Returns true if it is a good note of this boot; else false with a reason in why, "" if there is no
 * such file.
 */
bool note_read(const char *dir, const char *name, uid_t owner, struct note *note, char *why,
	       size_t why_size);

/** The id of this boot, "" if the system tells none. */
void note_boot_id(char out[40]);
