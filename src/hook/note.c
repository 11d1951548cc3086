#include "hook/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/util.h"

static const char FIRST_LINE[] = "ups2000 1";
static const char *const actions[] = { [NOTE_POWEROFF] = "poweroff", [NOTE_REBOOT] = "reboot" };
static const char *const returns[] = { "return", "stayoff" };

void note_boot_id(char out[40])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = '\0';
	if (!file)
		return;
	if (!fgets(out, 40, file))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(file);
}

bool note_add_ups(struct note *note, const char *name, bool stay_off)
{
	if (note->n_ups == NOTE_UPS_MAX || strlen(name) >= NOTE_NAME_MAX || !*name)
		return false;
	strcpy(note->ups[note->n_ups].name, name);
	note->ups[note->n_ups++].stay_off = stay_off;
	return true;
}

/* --- text -------------------------------------------------------------------------------------- */

struct text {
	char *out;
	size_t len, size;
	bool full;
};

static void line(struct text *text, const char *key, const char *value, const char *more)
{
	size_t room = text->size - text->len;
	int n = snprintf(text->out + text->len, room, "%s %s%s%s\n", key, value, *more ? " " : "",
			 more);

	if (n < 0 || (size_t)n >= room)
		text->full = true;
	else
		text->len += (size_t)n;
}

size_t note_print(const struct note *note, char *out, size_t size)
{
	struct text text = { .out = out, .size = size };
	char reason[NOTE_REASON_MAX + 1];

	snprintf(reason, sizeof(reason), "%s", note->reason);
	for (char *p = reason; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	line(&text, "ups2000", "1", "");
	line(&text, "boot", note->boot, "");
	line(&text, "action", actions[note->action], "");
	if (*note->sequence)
		line(&text, "sequence", note->sequence, "");
	line(&text, "reason", reason, "");
	for (size_t i = 0; i < note->n_ups; i++)
		line(&text, "ups", note->ups[i].name, returns[note->ups[i].stay_off]);
	return text.full ? 0 : text.len;
}

static bool one_of(const char *word, const char *const *words, size_t n, size_t *which)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		*which = i;
		return true;
	}
	return false;
}

static bool parse_ups(struct note *note, char *value)
{
	char *blank = strchr(value, ' ');
	size_t which;

	if (!blank)
		return false;
	*blank = '\0';
	return one_of(blank + 1, returns, ARRAY_SIZE(returns), &which) &&
	       note_add_ups(note, value, which == 1);
}

static bool parse_line(struct note *note, char *key, bool *has_action)
{
	char *value = strchr(key, ' ');
	size_t which;

	if (!value)
		return false;
	*value++ = '\0';
	if (strcmp(key, "ups") == 0)
		return parse_ups(note, value);
	if (strcmp(key, "boot") == 0 && !*note->boot && strlen(value) < sizeof(note->boot)) {
		strcpy(note->boot, value);
		return true;
	}
	if (strcmp(key, "sequence") == 0 && strlen(value) < sizeof(note->sequence)) {
		strcpy(note->sequence, value);
		return true;
	}
	if (strcmp(key, "reason") == 0 && strlen(value) < sizeof(note->reason)) {
		strcpy(note->reason, value);
		return true;
	}
	if (strcmp(key, "action") == 0 && !*has_action &&
	    one_of(value, actions, ARRAY_SIZE(actions), &which)) {
		note->action = (enum note_action)which;
		*has_action = true;
		return true;
	}
	return false;
}

bool note_parse(const char *input, size_t len, struct note *out, char *why, size_t why_size)
{
	char text[NOTE_TEXT_MAX + 1], *rest = text, *one;
	struct note note = { 0 };
	bool has_action = false;
	unsigned number = 0;

	if (len > NOTE_TEXT_MAX || memchr(input, '\0', len)) {
		snprintf(why, why_size, "it is not text of at most %d bytes", NOTE_TEXT_MAX);
		return false;
	}
	memcpy(text, input, len);
	text[len] = '\0';
	if (!len || text[len - 1] != '\n') {
		snprintf(why, why_size, "it is not complete");
		return false;
	}
	while (*rest && (one = strsep(&rest, "\n"))) {
		number++;
		if (number == 1 ? strcmp(one, FIRST_LINE) == 0
				: parse_line(&note, one, &has_action))
			continue;
		snprintf(why, why_size, "line %u makes no sense", number);
		return false;
	}
	if (!*note.boot || !has_action) {
		snprintf(why, why_size, "boot or action is missing");
		return false;
	}
	*out = note;
	return true;
}

/* --- files --------------------------------------------------------------------------------------- */

static int write_whole(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int error = 0;

	if (fd < 0)
		return -errno;
	errno = 0;
	if (write(fd, text, len) != (ssize_t)len)
		error = errno ? errno : ENOSPC;
	if (close(fd) < 0 && !error)
		error = errno;
	return -error;
}

int note_write_text(const char *dir, const char *name, const char *text, size_t len)
{
	char *path = xasprintf("%s/%s", dir, name), *fresh = xasprintf("%s.new", path);
	int rc = write_whole(fresh, text, len);

	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(fresh);
	free(fresh);
	free(path);
	return rc;
}

int note_write(const char *dir, const char *name, const struct note *note)
{
	char text[NOTE_TEXT_MAX];
	size_t len = note_print(note, text, sizeof(text));

	return len ? note_write_text(dir, name, text, len) : -E2BIG;
}

/* The text of a plain file by somebody we may trust; its length, or -1. */
static ssize_t read_plain(const char *path, uid_t owner, char *text, char *why, size_t why_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t len = -1;

	*why = '\0';
	if (fd < 0) {
		if (errno != ENOENT)
			snprintf(why, why_size, "%s", strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		snprintf(why, why_size, "it is not a plain file");
	else if (st.st_uid != 0 && owner != (uid_t)-1 && st.st_uid != owner)
		snprintf(why, why_size, "it belongs to user %u", (unsigned)st.st_uid);
	else if (st.st_mode & 022)
		snprintf(why, why_size, "others may write it");
	else if ((len = read(fd, text, NOTE_TEXT_MAX + 1)) < 0)
		snprintf(why, why_size, "%s", strerror(errno));
	close(fd);
	return len;
}

bool note_read(const char *dir, const char *name, uid_t owner, struct note *note, char *why,
	       size_t why_size)
{
	char *path = xasprintf("%s/%s", dir, name), boot[40];
	char text[NOTE_TEXT_MAX + 1];
	ssize_t len = read_plain(path, owner, text, why, why_size);
	struct note got;

	free(path);
	if (len < 0 || !note_parse(text, (size_t)len, &got, why, why_size))
		return false;
	note_boot_id(boot);
	if (!*boot || strcmp(boot, got.boot) != 0) {
		snprintf(why, why_size, "it was written before this boot");
		return false;
	}
	*note = got;
	return true;
}
