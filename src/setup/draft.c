#include "setup/draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

void draft_init(struct draft *draft)
{
	*draft = (struct draft){ 0 };
}

static void key_close(struct draft_key *key)
{
	for (size_t i = 0; i < key->n; i++) {
		explicit_bzero(key->values[i], strlen(key->values[i])); /* may be a secret */
		free(key->values[i]);
	}
	free(key->values);
	free(key->key);
	free(key->comment);
}

void draft_close(struct draft *draft)
{
	for (size_t i = 0; i < draft->n_sections; i++) {
		struct draft_section *section = draft->sections[i];

		for (size_t k = 0; k < section->n_keys; k++)
			key_close(&section->keys[k]);
		free(section->keys);
		free(section->kind);
		free(section->title);
		free(section->comment);
		free(section);
	}
	free(draft->sections);
	draft_init(draft);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

struct draft_section *draft_find(const struct draft *draft, const char *kind, const char *title)
{
	for (size_t i = 0; i < draft->n_sections; i++)
		if (same(draft->sections[i]->kind, kind) && same(draft->sections[i]->title, title))
			return draft->sections[i];
	return NULL;
}

struct draft_section *draft_section(struct draft *draft, const char *kind, const char *title)
{
	struct draft_section *section = draft_find(draft, kind, title);

	if (section)
		return section;
	section = xcalloc(1, sizeof(*section));
	section->kind = xstrdup(kind);
	section->title = xstrdup(title);
	draft->sections =
		xrealloc(draft->sections, (draft->n_sections + 1) * sizeof(*draft->sections));
	return draft->sections[draft->n_sections++] = section;
}

size_t draft_count(const struct draft *draft, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < draft->n_sections; i++)
		n += same(draft->sections[i]->kind, kind);
	return n;
}

static struct draft_key *find_key(const struct draft_section *section, const char *key)
{
	for (size_t i = 0; i < section->n_keys; i++)
		if (same(section->keys[i].key, key))
			return &section->keys[i];
	return NULL;
}

static struct draft_key *the_key(struct draft_section *section, const char *name)
{
	struct draft_key *key = find_key(section, name);

	if (key)
		return key;
	section->keys = xrealloc(section->keys, (section->n_keys + 1) * sizeof(*section->keys));
	key = &section->keys[section->n_keys++];
	*key = (struct draft_key){ .key = xstrdup(name) };
	return key;
}

static void append(struct draft_key *key, const char *value)
{
	key->values = xrealloc(key->values, (key->n + 1) * sizeof(*key->values));
	key->values[key->n++] = xstrdup(value);
}

void draft_set(struct draft_section *section, const char *name, const char *value)
{
	struct draft_key *key = the_key(section, name);
	char *copy = xstrdup(value); /* value may be the old one */

	if (key->n) {
		free(key->values[0]);
		key->values[0] = copy;
		return;
	}
	append(key, copy);
	free(copy);
}

void draft_add(struct draft_section *section, const char *name, const char *value)
{
	struct draft_key *key = the_key(section, name);

	key->list = true;
	for (size_t i = 0; i < key->n; i++)
		if (same(key->values[i], value))
			return;
	append(key, value);
}

const char *draft_get(const struct draft_section *section, const char *name)
{
	const struct draft_key *key = find_key(section, name);

	return key && key->n ? key->values[0] : NULL;
}

void draft_comment(struct draft_section *section, const char *name, const char *comment)
{
	struct draft_key *key = find_key(section, name);

	if (!key)
		return;
	free(key->comment);
	key->comment = xstrdup(comment);
}

void draft_note(struct draft_section *section, const char *comment)
{
	free(section->comment);
	section->comment = xstrdup(comment);
}

/* ---- as text ---- */

/* In double quotes, where \ escapes and ${NAME} would be replaced by the environment. */
static void put_quoted(struct textbuf *out, const char *value)
{
	text_put(out, "\"");
	for (const char *p = value; *p; p++)
		text_put(out, "%s%c",
			 *p == '"' || *p == '\\' || (*p == '$' && p[1] == '{') ? "\\" : "", *p);
	text_put(out, "\"");
}

/* Numbers and words like yes need no quotes; a serial number looks better with them. */
static void put_value(struct textbuf *out, const char *value)
{
	size_t len = strlen(value);

	if (len && (strspn(value, "abcdefghijklmnopqrstuvwxyz-") == len ||
		    (len <= 7 && strspn(value, "0123456789") == len)))
		text_put(out, "%s", value);
	else
		put_quoted(out, value);
}

static void put_comment(struct textbuf *out, const char *indent, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		text_put(out, "%s#%s%.*s\n", indent, len ? " " : "", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void put_key(struct textbuf *out, const char *indent, const struct draft_key *key)
{
	text_put(out, "%s%s = ", indent, key->key);
	if (!key->list) {
		put_value(out, key->values[0]);
	} else {
		text_put(out, "{");
		for (size_t i = 0; i < key->n; i++) {
			text_put(out, "%s", i ? ", " : "");
			put_quoted(out, key->values[i]);
		}
		text_put(out, "}");
	}
	if (key->comment)
		text_put(out, "\t# %s", key->comment);
	text_put(out, "\n");
}

static void put_section(struct textbuf *out, const struct draft_section *section)
{
	text_put(out, "\n");
	if (section->comment)
		put_comment(out, "", section->comment);
	text_put(out, "%s ", section->kind);
	if (section->title) {
		put_quoted(out, section->title);
		text_put(out, " ");
	}
	text_put(out, "{\n");
	for (size_t i = 0; i < section->n_keys; i++)
		put_key(out, "\t", &section->keys[i]);
	text_put(out, "}\n");
}

char *draft_print(const struct draft *draft, const char *head)
{
	struct textbuf out = { NULL, 0 };

	text_put(&out, "%s", "");
	put_comment(&out, "", head);
	for (size_t i = 0; i < draft->n_sections; i++)
		put_section(&out, draft->sections[i]);
	return out.at;
}
