#pragma once

#include <stdbool.h>

struct evbuffer;
struct nut_store;
struct nut_var;

/*
 * Lines from a driver to upsd (docs/nut-driver.md). Values are always escaped, also in what is
 * pushed later: upsd drops the rest of its buffer at a bare '#'.
 */

/** A variable as a whole: its value, then what describes it. */
void lines_var(struct evbuffer *out, const struct nut_var *var);

/**
 * What makes a peer that knows old know var.
 *
 * @old  NULL: the peer does not have the variable
 *
 * upsd compares values without case, so a change of case only is sent as a new variable.
 */
void lines_change(struct evbuffer *out, const struct nut_var *old, const struct nut_var *var);

/** Everything, in the order of the store, with DATASTALE first or DATAOK last, and DUMPDONE. */
void lines_dump(struct evbuffer *out, const struct nut_store *store, bool data_ok);
/** The same for one variable; only its ends if var is NULL. */
void lines_dump_one(struct evbuffer *out, const struct nut_var *var, bool data_ok);
