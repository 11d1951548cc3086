#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The kinds of events and what they are to each other: some begin a condition, another ends it, the
 * rest just happen.
 */
enum kind_role { KIND_ONCE, KIND_OPENS, KIND_CLOSES };

struct kind {
	const char *name;
	enum kind_role role;
	const char *of;	 /* OPENS, CLOSES: the name of the condition; ONCE: NULL */
	bool by_facts;	 /* there can be several at once; the facts tell them apart */
	const char *nut; /* upsmon's notify type; NULL: "OTHER" */
};

/** NULL for a kind without a row: it just happens. */
const struct kind *kind_find(const char *name);
const struct kind *kind_at(size_t i); /* NULL behind the last */
const char *kind_nut(const char *name);
