#pragma once

#include "daemon/records.h"

struct sqlite3;

/*
 * Answers from the database (docs/api.md, "Records"), through a connection of its own that only
 * reads. Called from the reader's thread, or a test.
 */

/**
 * Carry out a query. *text is malloc()ed: for 200 JSON, else a sentence.
 *
 * Returns 200; 400 if the quantity is not recorded; 503 if the database cannot be read, or it was
 * interrupted because it took too long.
 */
int ask_run(struct sqlite3 *db, const struct record_query *query, char **text);
