#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A configuration of ups2000d being put together, to be written as a file for people: sections in
 * order, keys in order, a comment where one helps. All strings are copied.
 */
struct draft_key {
	char *key;
	char **values;
	size_t n;
	bool list;
	char *comment; /* behind the line, or NULL */
};

struct draft_section {
	char *kind, *title; /* title NULL: a section without a name */
	struct draft_key *keys;
	size_t n_keys;
	char *comment; /* lines above it, or NULL */
};

struct draft {
	struct draft_section **sections;
	size_t n_sections;
};

void draft_init(struct draft *draft);
void draft_close(struct draft *draft);

/** The section of this kind and title (NULL: without), NULL if there is none. */
struct draft_section *draft_find(const struct draft *draft, const char *kind, const char *title);
/** The same, made if it is missing. Stays valid until draft_close(). */
struct draft_section *draft_section(struct draft *draft, const char *kind, const char *title);
/** How many of a kind there are. */
size_t draft_count(const struct draft *draft, const char *kind);

/** key = value, in place of an earlier value. */
void draft_set(struct draft_section *section, const char *key, const char *value);
/** One more value of a list. One that is there already is not added. */
void draft_add(struct draft_section *section, const char *key, const char *value);
/** The only value, or a list's first; NULL if the key is not there. */
const char *draft_get(const struct draft_section *section, const char *key);
/** A word behind a key that is there. */
void draft_comment(struct draft_section *section, const char *key, const char *comment);
/** Lines above a section, without "# ". */
void draft_note(struct draft_section *section, const char *comment);

/**
 * The file's text; to free.
 *
 * @head  comment lines at its top, without "# "
 */
char *draft_print(const struct draft *draft, const char *head);
