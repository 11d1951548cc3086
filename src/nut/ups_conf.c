#include "nut/ups_conf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "nut/conf_file.h"
#include "util/util.h"

struct reader {
	struct ups_conf *conf;
	size_t section; /* index of the one being filled */
	const char *path;
	int line; /* the first one of the line being read */
	char *error;
	size_t error_size;
};

static struct ups_conf_section *add_section(struct ups_conf *conf, const char *name)
{
	struct ups_conf_section *section;

	conf->sections = xrealloc(conf->sections, (conf->n_sections + 1) * sizeof(*conf->sections));
	section = &conf->sections[conf->n_sections++];
	*section = (struct ups_conf_section){ .name = xstrdup(name) };
	return section;
}

static void add_entry(struct ups_conf_section *section, const char *key, const char *value,
		      int line)
{
	struct ups_conf_entry *entry;

	section->entries =
		xrealloc(section->entries, (section->n_entries + 1) * sizeof(*section->entries));
	entry = &section->entries[section->n_entries++];
	*entry = (struct ups_conf_entry){ xstrdup(key), xstrdup(value), line };
}

static bool open_section(struct reader *r, const char *word)
{
	struct ups_conf *conf = r->conf;
	size_t len = strlen(word);
	char *name;

	if (word[len - 1] != ']' || len < 3) {
		snprintf(r->error, r->error_size, "%s:%d: \"%.64s\" opens no section. Write [name]",
			 r->path, r->line, word);
		return false;
	}
	name = xasprintf("%.*s", (int)len - 2, word + 1);
	for (r->section = 1; r->section < conf->n_sections; r->section++)
		if (strcmp(conf->sections[r->section].name, name) == 0)
			break;
	if (r->section == conf->n_sections)
		add_section(conf, name);
	free(name);
	return true;
}

/* One line of words. */
static bool take_line(void *user, int number, const struct nut_line *line)
{
	struct ups_conf_section *section;
	struct reader *r = user;

	r->line = number;
	if (line->words[0][0] == '[' && !line->quoted[0])
		return open_section(r, line->words[0]);

	section = &r->conf->sections[r->section];
	if (line->n == 1) {
		add_entry(section, line->words[0], NULL, r->line);
		return true;
	}
	if (strcmp(line->words[1], "=") != 0 || line->quoted[1]) {
		/* not ours to judge elsewhere: LISTEN-like words of other programs */
		if (!section->name)
			return true;
		snprintf(
			r->error, r->error_size,
			"%s:%d: \"%.64s %.64s\" is neither a flag nor an assignment. Write %.64s = "
			"value",
			r->path, r->line, line->words[0], line->words[1], line->words[0]);
		return false;
	}
	if (line->n == 2) {
		snprintf(r->error, r->error_size,
			 "%s:%d: %.64s has no value. Write %.64s = value, or take the line away",
			 r->path, r->line, line->words[0], line->words[0]);
		return false;
	}
	if (line->n > 3 || line->extra) {
		snprintf(r->error, r->error_size,
			 "%s:%d: %.64s has more than one value. Put it in quotes: %.64s = \"...\"",
			 r->path, r->line, line->words[0], line->words[0]);
		return false;
	}
	add_entry(section, line->words[0], line->words[2], r->line);
	return true;
}

struct ups_conf *ups_conf_load_fp(FILE *file, const char *path, char *error, size_t error_size)
{
	struct reader r = { .path = path, .error = error, .error_size = error_size };

	r.conf = xcalloc(1, sizeof(*r.conf));
	r.conf->path = xstrdup(path);
	add_section(r.conf, NULL);
	if (nut_conf_read(file, path, take_line, &r, error, error_size))
		return r.conf;
	ups_conf_free(r.conf);
	return NULL;
}

struct ups_conf *ups_conf_load(const char *path, char *error, size_t error_size)
{
	FILE *file = fopen(path, "re");
	struct ups_conf *conf;

	if (!file) {
		snprintf(
			error, error_size,
			"%s cannot be opened: %s. Name its directory in NUT_CONFPATH, or let the user "
			"this runs as read it",
			path, strerror(errno));
		return NULL;
	}
	conf = ups_conf_load_fp(file, path, error, error_size);
	fclose(file);
	return conf;
}

void ups_conf_free(struct ups_conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->n_sections; i++) {
		struct ups_conf_section *section = &conf->sections[i];

		for (size_t e = 0; e < section->n_entries; e++) {
			free(section->entries[e].key);
			free(section->entries[e].value);
		}
		free(section->entries);
		free(section->name);
	}
	free(conf->sections);
	free(conf->path);
	free(conf);
}

const struct ups_conf_section *ups_conf_find(const struct ups_conf *conf, const char *name)
{
	for (size_t i = 1; i < conf->n_sections; i++)
		if (strcmp(conf->sections[i].name, name) == 0)
			return &conf->sections[i];
	return NULL;
}

const char *ups_conf_value(const struct ups_conf_section *section, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < section->n_entries; i++)
		if (strcasecmp(section->entries[i].key, key) == 0)
			value = section->entries[i].value;
	return value;
}
