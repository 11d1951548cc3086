#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Variables and commands of one UPS as NUT clients see them: what upsd keeps per UPS. Filled by
 * nut/vars.c from snapshots, served by the network server, pushed by the driver. Names compare
 * without case and are kept sorted that way. Pure.
 */
enum { NUT_NAME_MAX = 127, NUT_VALUE_MAX = 255, NUT_RANGES_MAX = 4 };

enum {
	NUT_RW = 1 << 0,
	NUT_STRING = 1 << 1,
	NUT_NUMBER = 1 << 2,
};

struct nut_range {
	long min, max;
};

struct nut_var {
	char *name;
	char *value;
	unsigned flags;
	unsigned aux; /* STRING:n */
	char **enums;
	size_t n_enums;
	struct nut_range ranges[NUT_RANGES_MAX];
	size_t n_ranges;
};

struct nut_store;

enum nut_change { NUT_CHANGE_SET, NUT_CHANGE_DEL, NUT_CHANGE_TYPE, NUT_CHANGE_CMDS };

/** Told after each change. var is NULL for NUT_CHANGE_CMDS; for DEL it is about to be freed. */
typedef void (*nut_store_cb)(enum nut_change change, const struct nut_var *var, void *user);

struct nut_store *nut_store_new(void);
void nut_store_free(struct nut_store *store);
void nut_store_watch(struct nut_store *store, nut_store_cb cb, void *user);

/** Create or change; value is copied, cut at NUT_VALUE_MAX. True if something changed. */
bool nut_store_set(struct nut_store *store, const char *name, const char *value);
bool nut_store_del(struct nut_store *store, const char *name);
/** The variable must exist (else false). */
bool nut_store_flags(struct nut_store *store, const char *name, unsigned flags, unsigned aux);
bool nut_store_add_enum(struct nut_store *store, const char *name, const char *value);
bool nut_store_add_range(struct nut_store *store, const char *name, long min, long max);
bool nut_store_clear_lists(struct nut_store *store, const char *name);

bool nut_store_add_cmd(struct nut_store *store, const char *name);
bool nut_store_del_cmd(struct nut_store *store, const char *name);

const struct nut_var *nut_store_find(const struct nut_store *store, const char *name);
const char *nut_store_get(const struct nut_store *store, const char *name); /* value or NULL */
size_t nut_store_count(const struct nut_store *store);
const struct nut_var *nut_store_at(const struct nut_store *store, size_t i); /* sorted */
size_t nut_store_cmd_count(const struct nut_store *store);
const char *nut_store_cmd_at(const struct nut_store *store, size_t i); /* sorted */
const char *nut_store_find_cmd(const struct nut_store *store, const char *name);

/** Rises with every change; for caches of rendered lists. */
uint64_t nut_store_version(const struct nut_store *store);

/** Descriptions for people (GET DESC, GET CMDDESC); NULL if the name is not known. */
const char *nut_var_desc(const char *name);
const char *nut_cmd_desc(const char *name);
