#include "driver/lines.h"

#include <string.h>
#include <strings.h>

#include <event2/buffer.h>

#include "nut/lexer.h"
#include "nut/store.h"

static void put_value(struct evbuffer *out, const char *keyword, const char *name,
		      const char *value)
{
	char escaped[2 * NUT_VALUE_MAX + 1];

	nut_escape(escaped, sizeof(escaped), value);
	evbuffer_add_printf(out, "%s %s \"%s\"\n", keyword, name, escaped);
}

static void put_flags(struct evbuffer *out, const struct nut_var *var)
{
	evbuffer_add_printf(out, "SETFLAGS %s%s%s%s\n", var->name, var->flags & NUT_RW ? " RW" : "",
			    var->flags & NUT_STRING ? " STRING" : "",
			    var->flags & NUT_NUMBER ? " NUMBER" : "");
}

static bool has_enum(const struct nut_var *var, const char *value)
{
	for (size_t i = 0; i < var->n_enums; i++)
		if (strcmp(var->enums[i], value) == 0)
			return true;
	return false;
}

static bool has_range(const struct nut_var *var, const struct nut_range *range)
{
	for (size_t i = 0; i < var->n_ranges; i++)
		if (var->ranges[i].min == range->min && var->ranges[i].max == range->max)
			return true;
	return false;
}

/* Deleting an entry is not exact in upsd (without case), so a list that lost one begins anew. */
static bool lost_entries(const struct nut_var *old, const struct nut_var *var)
{
	for (size_t i = 0; i < old->n_enums; i++)
		if (!has_enum(var, old->enums[i]))
			return true;
	for (size_t i = 0; i < old->n_ranges; i++)
		if (!has_range(var, &old->ranges[i]))
			return true;
	return false;
}

static bool only_case_differs(const char *a, const char *b)
{
	return strcmp(a, b) != 0 && strcasecmp(a, b) == 0;
}

void lines_change(struct evbuffer *out, const struct nut_var *old, const struct nut_var *var)
{
	static const struct nut_var nothing = { 0 };

	if (old && (only_case_differs(old->value, var->value) || lost_entries(old, var))) {
		evbuffer_add_printf(out, "DELINFO %s\n", old->name);
		old = NULL;
	}
	if (!old || strcmp(old->value, var->value) != 0)
		put_value(out, "SETINFO", var->name, var->value);
	if (!old)
		old = &nothing;
	for (size_t i = 0; i < var->n_enums; i++)
		if (!has_enum(old, var->enums[i]))
			put_value(out, "ADDENUM", var->name, var->enums[i]);
	for (size_t i = 0; i < var->n_ranges; i++)
		if (!has_range(old, &var->ranges[i]))
			evbuffer_add_printf(out, "ADDRANGE %s %ld %ld\n", var->name,
					    var->ranges[i].min, var->ranges[i].max);
	if (var->aux != old->aux)
		evbuffer_add_printf(out, "SETAUX %s %u\n", var->name, var->aux);
	if (var->flags != old->flags)
		put_flags(out, var);
}

void lines_var(struct evbuffer *out, const struct nut_var *var)
{
	lines_change(out, NULL, var);
}

void lines_dump(struct evbuffer *out, const struct nut_store *store, bool data_ok)
{
	if (!data_ok)
		evbuffer_add_printf(out, "DATASTALE\n");
	for (size_t i = 0; i < nut_store_count(store); i++)
		lines_var(out, nut_store_at(store, i));
	for (size_t i = 0; i < nut_store_cmd_count(store); i++)
		evbuffer_add_printf(out, "ADDCMD %s\n", nut_store_cmd_at(store, i));
	if (data_ok)
		evbuffer_add_printf(out, "DATAOK\n");
	evbuffer_add_printf(out, "DUMPDONE\n");
}

void lines_dump_one(struct evbuffer *out, const struct nut_var *var, bool data_ok)
{
	if (!data_ok)
		evbuffer_add_printf(out, "DATASTALE\n");
	if (var)
		lines_var(out, var);
	if (data_ok)
		evbuffer_add_printf(out, "DATAOK\n");
	evbuffer_add_printf(out, "DUMPDONE\n");
}
