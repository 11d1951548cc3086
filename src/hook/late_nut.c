#include "hook/late_nut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "nut/lexer.h"
#include "util/util.h"

/* upsmon writes this into the flag, and "upsmon -K" looks for it. */
static const char MAGIC[] = "upsmon-shutdown-file";

/* Of the host part of UPS@HOST[:PORT]. */
static bool is_local(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	if (strcmp(host, "::1") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(host, names[i], len) == 0 && (!host[len] || host[len] == ':'))
			return true;
	}
	return false;
}

static bool flag_is_set(const char *path)
{
	FILE *file = fopen(path, "re");
	char text[256] = "";

	if (!file)
		return false;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return strstr(text, MAGIC) != NULL;
}

/* MONITOR ups@host powervalue user password primary|master */
static void take_monitor(struct late_nut *nut, const struct nut_line *line)
{
	char name[NOTE_NAME_MAX];
	const char *at;

	if (line->n < 6 || (strcasecmp(line->words[5], "primary") != 0 &&
			    strcasecmp(line->words[5], "master") != 0))
		return;
	at = strchr(line->words[1], '@');
	if (at && !is_local(at + 1))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(line->words[1], "@"), line->words[1]);
	note_add_ups(&nut->primary, name, false);
}

static void take_upsmon(struct late_nut *nut, const struct nut_line *line)
{
	if (line->n > 1 && strcmp(line->words[0], "POWERDOWNFLAG") == 0)
		nut->flag = flag_is_set(line->words[1]);
	else if (line->n > 1 && strcmp(line->words[0], "MONITOR") == 0)
		take_monitor(nut, line);
}

static void take_ups_conf(struct late_nut *nut, const struct nut_line *line)
{
	static const char *const ours[] = { "ups2000", "ups2000-nut", "huawei-ups2000" };

	if (line->n < 3 || strcasecmp(line->words[0], "driver") != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		nut->drives = nut->drives || strcmp(line->words[2], ours[i]) == 0;
}

static void read_file(struct late_nut *nut, const char *dir, const char *name,
		      void (*take)(struct late_nut *nut, const struct nut_line *line))
{
	char *path = xasprintf("%s/%s", dir, name), text[1024];
	FILE *file = fopen(path, "re");
	struct nut_lexer lexer;
	size_t used;

	free(path);
	if (!file)
		return;
	nut_lexer_init(&lexer);
	while (fgets(text, sizeof(text), file)) {
		size_t len = strlen(text);

		for (size_t off = 0; off < len; off += used)
			if (nut_lexer_feed(&lexer, text + off, len - off, &used))
				take(nut, &lexer.line);
	}
	if (nut_lexer_feed(&lexer, "\n", 1, &used)) /* the last line may lack its own */
		take(nut, &lexer.line);
	fclose(file);
}

void late_nut_look(struct late_nut *nut, const char *conf_dir, const char *hook)
{
	*nut = (struct late_nut){ 0 };
	read_file(nut, conf_dir, "upsmon.conf", take_upsmon);
	if (nut->flag && access(hook, X_OK) == 0)
		read_file(nut, conf_dir, "ups.conf", take_ups_conf);
}
