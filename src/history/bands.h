#pragma once

struct record_query;
struct sqlite3;

/**
 * RECORD_HISTORY: one quantity over time as the JSON of docs/api.md, from the tiers that have it.
 *
 * Returns SQLITE_DONE and text (malloc()ed), or an SQLite error code.
 */
int bands_answer(struct sqlite3 *db, const struct record_query *query, char **text);
