#include "nut/store.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/util.h"

/* A variable with the room its value has: a changed value rarely needs an allocation. */
struct entry {
	struct nut_var var;
	size_t value_size;
};

struct nut_store {
	struct entry **vars; /* sorted without case */
	size_t n_vars, vars_size;
	char **cmds; /* sorted without case */
	size_t n_cmds, cmds_size;
	uint64_t version;
	nut_store_cb cb;
	void *user;
};

struct nut_store *nut_store_new(void)
{
	return xcalloc(1, sizeof(struct nut_store));
}

static void free_lists(struct nut_var *var)
{
	for (size_t i = 0; i < var->n_enums; i++)
		free(var->enums[i]);
	free(var->enums);
	var->enums = NULL;
	var->n_enums = 0;
	var->n_ranges = 0;
}

static void free_entry(struct entry *e)
{
	free_lists(&e->var);
	free(e->var.name);
	free(e->var.value);
	free(e);
}

void nut_store_free(struct nut_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->n_vars; i++)
		free_entry(store->vars[i]);
	for (size_t i = 0; i < store->n_cmds; i++)
		free(store->cmds[i]);
	free(store->vars);
	free(store->cmds);
	free(store);
}

void nut_store_watch(struct nut_store *store, nut_store_cb cb, void *user)
{
	store->cb = cb;
	store->user = user;
}

static void changed(struct nut_store *store, enum nut_change change, const struct nut_var *var)
{
	store->version++;
	if (store->cb)
		store->cb(change, var, store->user);
}

/* Where name stands, or where it would have to be inserted. */
static size_t var_index(const struct nut_store *store, const char *name, bool *found)
{
	size_t low = 0, high = store->n_vars;

	*found = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcasecmp(name, store->vars[mid]->var.name);

		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static size_t cmd_index(const struct nut_store *store, const char *name, bool *found)
{
	size_t low = 0, high = store->n_cmds;

	*found = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcasecmp(name, store->cmds[mid]);

		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NUT_NAME_MAX;
}

/* Make room for one more pointer. */
static void *grow(void *array, size_t n, size_t *size)
{
	if (n < *size)
		return array;
	*size = *size ? *size * 2 : 32;
	return xrealloc(array, *size * sizeof(void *));
}

static struct nut_var *find(const struct nut_store *store, const char *name)
{
	bool found;
	size_t i = var_index(store, name, &found);

	return found ? &store->vars[i]->var : NULL;
}

static void set_value(struct entry *e, const char *value, size_t len)
{
	if (len + 1 > e->value_size) {
		e->value_size = len < 16 ? 16 : len + 1;
		e->var.value = xrealloc(e->var.value, e->value_size);
	}
	memcpy(e->var.value, value, len);
	e->var.value[len] = '\0';
}

bool nut_store_set(struct nut_store *store, const char *name, const char *value)
{
	bool found;
	size_t i = var_index(store, name, &found);
	size_t len = strnlen(value, NUT_VALUE_MAX);
	struct entry *e;

	if (found) {
		e = store->vars[i];
		if (strlen(e->var.value) == len && memcmp(e->var.value, value, len) == 0)
			return false;
	} else {
		if (!name_ok(name))
			return false;
		e = xcalloc(1, sizeof(*e));
		e->var.name = xstrdup(name);
		store->vars = grow(store->vars, store->n_vars, &store->vars_size);
		memmove(store->vars + i + 1, store->vars + i,
			(store->n_vars - i) * sizeof(*store->vars));
		store->vars[i] = e;
		store->n_vars++;
	}
	set_value(e, value, len);
	changed(store, NUT_CHANGE_SET, &e->var);
	return true;
}

bool nut_store_del(struct nut_store *store, const char *name)
{
	bool found;
	size_t i = var_index(store, name, &found);

	if (!found)
		return false;
	struct entry *e = store->vars[i];

	store->n_vars--;
	memmove(store->vars + i, store->vars + i + 1, (store->n_vars - i) * sizeof(*store->vars));
	changed(store, NUT_CHANGE_DEL, &e->var);
	free_entry(e);
	return true;
}

bool nut_store_flags(struct nut_store *store, const char *name, unsigned flags, unsigned aux)
{
	struct nut_var *var = find(store, name);

	if (!var)
		return false;
	if (var->flags == flags && var->aux == aux)
		return true;
	var->flags = flags;
	var->aux = aux;
	changed(store, NUT_CHANGE_TYPE, var);
	return true;
}

bool nut_store_add_enum(struct nut_store *store, const char *name, const char *value)
{
	struct nut_var *var = find(store, name);

	if (!var)
		return false;
	for (size_t i = 0; i < var->n_enums; i++)
		if (strcmp(var->enums[i], value) == 0)
			return true;
	var->enums = xrealloc(var->enums, (var->n_enums + 1) * sizeof(*var->enums));
	var->enums[var->n_enums++] = xstrdup(value);
	changed(store, NUT_CHANGE_TYPE, var);
	return true;
}

bool nut_store_add_range(struct nut_store *store, const char *name, long min, long max)
{
	struct nut_var *var = find(store, name);

	if (!var || min > max)
		return false;
	for (size_t i = 0; i < var->n_ranges; i++)
		if (var->ranges[i].min == min && var->ranges[i].max == max)
			return true;
	if (var->n_ranges == NUT_RANGES_MAX)
		return false;
	var->ranges[var->n_ranges++] = (struct nut_range){ min, max };
	changed(store, NUT_CHANGE_TYPE, var);
	return true;
}

bool nut_store_clear_lists(struct nut_store *store, const char *name)
{
	struct nut_var *var = find(store, name);

	if (!var)
		return false;
	if (!var->n_enums && !var->n_ranges)
		return true;
	free_lists(var);
	changed(store, NUT_CHANGE_TYPE, var);
	return true;
}

bool nut_store_add_cmd(struct nut_store *store, const char *name)
{
	bool found;
	size_t i = cmd_index(store, name, &found);

	if (found || !name_ok(name))
		return false;
	store->cmds = grow(store->cmds, store->n_cmds, &store->cmds_size);
	memmove(store->cmds + i + 1, store->cmds + i, (store->n_cmds - i) * sizeof(*store->cmds));
	store->cmds[i] = xstrdup(name);
	store->n_cmds++;
	changed(store, NUT_CHANGE_CMDS, NULL);
	return true;
}

bool nut_store_del_cmd(struct nut_store *store, const char *name)
{
	bool found;
	size_t i = cmd_index(store, name, &found);

	if (!found)
		return false;
	free(store->cmds[i]);
	store->n_cmds--;
	memmove(store->cmds + i, store->cmds + i + 1, (store->n_cmds - i) * sizeof(*store->cmds));
	changed(store, NUT_CHANGE_CMDS, NULL);
	return true;
}

const struct nut_var *nut_store_find(const struct nut_store *store, const char *name)
{
	return find(store, name);
}

const char *nut_store_get(const struct nut_store *store, const char *name)
{
	const struct nut_var *var = find(store, name);

	return var ? var->value : NULL;
}

size_t nut_store_count(const struct nut_store *store)
{
	return store->n_vars;
}

const struct nut_var *nut_store_at(const struct nut_store *store, size_t i)
{
	return &store->vars[i]->var;
}

size_t nut_store_cmd_count(const struct nut_store *store)
{
	return store->n_cmds;
}

const char *nut_store_cmd_at(const struct nut_store *store, size_t i)
{
	return store->cmds[i];
}

const char *nut_store_find_cmd(const struct nut_store *store, const char *name)
{
	bool found;
	size_t i = cmd_index(store, name, &found);

	return found ? store->cmds[i] : NULL;
}

uint64_t nut_store_version(const struct nut_store *store)
{
	return store->version;
}
