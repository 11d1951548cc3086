#pragma once

#include <stddef.h>
#include <stdio.h>

/*
 * NUT's ups.conf: what stands in it, without judging the keys. The grammar is NUT's (nut/lexer.h):
 * [section], key = value, flags alone on a line, quotes, backslashes, comments.
 */
struct ups_conf_entry {
	char *key;
	char *value; /* NULL: a flag */
	int line;
};

struct ups_conf_section {
	char *name; /* NULL: what stands before the first section */
	struct ups_conf_entry *entries;
	size_t n_entries;
};

struct ups_conf {
	char *path;
	struct ups_conf_section *sections; /* the first is the global one */
	size_t n_sections;
};

/**
 * Read a file.
 *
 * Returns NULL and a sentence with file, line, what is wrong and what would be right in error (512
 * bytes are enough) if it cannot be opened, is no text or breaks the grammar.
 */
struct ups_conf *ups_conf_load(const char *path, char *error, size_t error_size);
/** The same for an open file; path is what messages call it. */
struct ups_conf *ups_conf_load_fp(FILE *file, const char *path, char *error, size_t error_size);
void ups_conf_free(struct ups_conf *conf);

/** A section by its name, with case as NUT does; a name that stands twice is one section. */
const struct ups_conf_section *ups_conf_find(const struct ups_conf *conf, const char *name);
/** The last value of a key in a section, without case; NULL if it is not there or a flag. */
const char *ups_conf_value(const struct ups_conf_section *section, const char *key);
