#include "history/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sqlite3.h>

#include "history/bands.h"
#include "history/pack.h"
#include "history/store.h"
#include "history/when.h"
#include "util/util.h"

struct ask {
	sqlite3 *db;
	const struct record_query *query;
	json_t *rows; /* what comes of it, but for RECORD_HISTORY */
};

/* NULL on failure. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;

	return sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK ? s : NULL;
}

/* ---- values as JSON ---- */

static json_t *column_json(sqlite3_stmt *s, int at)
{
	json_t *text;

	switch (sqlite3_column_type(s, at)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(s, at));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(s, at));
	case SQLITE_TEXT:
		text = json_string((const char *)sqlite3_column_text(s, at));
		return text ? text : json_string("?"); /* a damaged text is not UTF-8 */
	default:
		return json_null();
	}
}

static json_t *time_json(sqlite3_stmt *s, int at)
{
	char text[WHEN_MAX];

	if (sqlite3_column_type(s, at) == SQLITE_NULL)
		return json_null();
	when_iso(text, sqlite3_column_int64(s, at));
	return json_string(text);
}

static json_t *thousandths(sqlite3_stmt *s, int at)
{
	return json_real((double)sqlite3_column_int64(s, at) / 1000);
}

/* From one column (wall us) to another; NULL there means until now. */
static json_t *duration(const struct ask *ask, sqlite3_stmt *s, int from, int to)
{
	int64_t end = sqlite3_column_type(s, to) == SQLITE_NULL ? ask->query->now_us
								: sqlite3_column_int64(s, to);
	int64_t us = end - sqlite3_column_int64(s, from);

	return json_real(us > 0 ? (double)us / 1e6 : 0);
}

static json_t *event_json(sqlite3_stmt *s)
{
	const char *facts = (const char *)sqlite3_column_text(s, 6);
	json_t *object = facts ? json_loads(facts, 0, NULL) : NULL;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", column_json(s, 0), "time",
			 time_json(s, 1), "ups", column_json(s, 2), "kind", column_json(s, 3),
			 "severity", column_json(s, 4), "text", column_json(s, 5), "facts",
			 object ? object : json_null());
}

/* ---- rows ---- */

/* ?1 UPS or '', ?2 before, ?3 from, ?4 to, ?5 limit: the same for all kinds of rows. */
static sqlite3_stmt *prepare_rows(const struct ask *ask, const char *sql)
{
	const struct record_query *query = ask->query;
	sqlite3_stmt *s = prepare(ask->db, sql);

	if (!s)
		return NULL;
	sqlite3_bind_text(s, 1, query->ups, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, query->before ? (int64_t)query->before : INT64_MAX);
	sqlite3_bind_int64(s, 3, query->from_us);
	sqlite3_bind_int64(s, 4, query->to_us);
	sqlite3_bind_int64(s, 5, query->limit);
	return s;
}

#define EVENT_COLUMNS "id, t_us, ups, kind, severity, text, facts"

static int ask_log(struct ask *ask)
{
	sqlite3_stmt *s = prepare_rows(
		ask, "SELECT " EVENT_COLUMNS " FROM event WHERE id < ?2 AND t_us >= ?3"
		     " AND t_us <= ?4 AND (?1 = '' OR ups = ?1) ORDER BY id DESC LIMIT ?5");
	int rc = s ? SQLITE_ROW : SQLITE_ERROR;

	while (s && (rc = sqlite3_step(s)) == SQLITE_ROW)
		json_array_append_new(ask->rows, event_json(s));
	sqlite3_finalize(s);
	return rc;
}

/* What somebody or something did between two times, to this UPS or the daemon as a whole. */
static int actions(const struct ask *ask, const char *ups, int64_t from_us, int64_t to_us,
		   json_t *list)
{
	sqlite3_stmt *s = prepare(
		ask->db,
		"SELECT " EVENT_COLUMNS " FROM event WHERE t_us >= ?2 AND t_us <= ?3"
		" AND (ups = ?1 OR ups IS NULL) AND (kind IN ('command', 'setting', 'drill')"
		" OR kind LIKE 'fsd%' OR kind LIKE 'shutdown%' OR kind LIKE 'policy%'"
		" OR kind LIKE 'host%' OR kind LIKE 'wake%') ORDER BY id LIMIT 50");
	int rc = s ? SQLITE_ROW : SQLITE_ERROR;

	if (s) {
		sqlite3_bind_text(s, 1, ups, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 2, from_us);
		sqlite3_bind_int64(s, 3, to_us);
	}
	while (s && (rc = sqlite3_step(s)) == SQLITE_ROW)
		json_array_append_new(list, event_json(s));
	sqlite3_finalize(s);
	return rc;
}

static json_t *depth(sqlite3_stmt *s, int start, int lowest)
{
	double took = sqlite3_column_double(s, start) - sqlite3_column_double(s, lowest);

	if (sqlite3_column_type(s, start) == SQLITE_NULL ||
	    sqlite3_column_type(s, lowest) == SQLITE_NULL)
		return json_null();
	return json_real(took > 0 ? took : 0);
}

static int ask_outages(struct ask *ask)
{
	sqlite3_stmt *s = prepare_rows(
		ask, "SELECT outage.id, name, start_us, end_us, unseen_ms, start_charge,"
		     " lowest_charge, lowest_voltage, lowest_runtime_s, low_battery, energy_mj"
		     " FROM outage JOIN ups ON ups.id = outage.ups WHERE outage.id < ?2"
		     " AND coalesce(end_us, start_us) >= ?3 AND start_us <= ?4"
		     " AND (?1 = '' OR name = ?1) ORDER BY outage.id DESC LIMIT ?5");
	int rc = s ? SQLITE_ROW : SQLITE_ERROR;

	while (s && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(s, 1);
		int64_t end = sqlite3_column_type(s, 3) == SQLITE_NULL
				      ? INT64_MAX
				      : sqlite3_column_int64(s, 3) + 5 * U2K_SEC;
		json_t *row = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id", column_json(s, 0),
					"ups", column_json(s, 1), "start", time_json(s, 2), "end",
					time_json(s, 3), "duration_s", duration(ask, s, 2, 3),
					"unseen_s", thousandths(s, 4));
		json_t *list = json_array();

		json_object_set_new(row, "start_charge_percent", column_json(s, 5));
		json_object_set_new(row, "lowest_charge_percent", column_json(s, 6));
		json_object_set_new(row, "depth_percent", depth(s, 5, 6));
		json_object_set_new(row, "lowest_voltage", column_json(s, 7));
		json_object_set_new(row, "lowest_runtime_s", column_json(s, 8));
		json_object_set_new(row, "low_battery", json_boolean(sqlite3_column_int(s, 9)));
		json_object_set_new(row, "energy_j", thousandths(s, 10));
		json_object_set_new(row, "actions", list);
		json_array_append_new(ask->rows, row);
		rc = actions(ask, name ? name : "", sqlite3_column_int64(s, 2), end, list);
		if (rc != SQLITE_ROW && rc != SQLITE_DONE)
			break;
	}
	sqlite3_finalize(s);
	return rc;
}

static json_t *curve_json(sqlite3_stmt *s, int at)
{
	struct curve_point points[PACK_CURVE_POINTS];
	size_t n = unpack_curve(sqlite3_column_blob(s, at), (size_t)sqlite3_column_bytes(s, at),
				points);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct curve_point *p = &points[i];
		json_t *charge = p->charge < 0 ? json_null() : json_integer(p->charge);
		json_t *watts = p->watts < 0 ? json_null() : json_integer(p->watts);

		json_array_append_new(list, json_pack("[i, f, o, o]", (int)p->second,
						      p->decivolts / 10.0, charge, watts));
	}
	return list;
}

static int ask_tests(struct ask *ask)
{
	static const char *const results[] = {
		[TEST_RUNS] = NULL,
		[TEST_PASSED] = "passed",
		[TEST_FAILED] = "failed",
		[TEST_INTERRUPTED] = "interrupted",
	};
	sqlite3_stmt *s = prepare_rows(
		ask, "SELECT test.id, name, start_us, end_us, result, reason, start_charge,"
		     " lowest_charge, lowest_voltage, energy_mj, curve"
		     " FROM test JOIN ups ON ups.id = test.ups WHERE test.id < ?2"
		     " AND coalesce(end_us, start_us) >= ?3 AND start_us <= ?4"
		     " AND (?1 = '' OR name = ?1) ORDER BY test.id DESC LIMIT ?5");
	int rc = s ? SQLITE_ROW : SQLITE_ERROR;

	while (s && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		unsigned result = (unsigned)sqlite3_column_int(s, 4);
		const char *word = result < ARRAY_SIZE(results) ? results[result] : NULL;
		json_t *row =
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:s?, s:o}", "id", column_json(s, 0),
				  "ups", column_json(s, 1), "start", time_json(s, 2), "end",
				  time_json(s, 3), "duration_s", duration(ask, s, 2, 3), "result",
				  word, "reason", column_json(s, 5));

		json_object_set_new(row, "start_charge_percent", column_json(s, 6));
		json_object_set_new(row, "lowest_charge_percent", column_json(s, 7));
		json_object_set_new(row, "lowest_voltage", column_json(s, 8));
		json_object_set_new(row, "energy_j", thousandths(s, 9));
		json_object_set_new(row, "curve", curve_json(s, 10));
		json_array_append_new(ask->rows, row);
	}
	sqlite3_finalize(s);
	return rc;
}

static const struct {
	const char *member;
	int (*run)(struct ask *ask);
} rows[] = {
	[RECORD_HISTORY] = { NULL, NULL }, /* bands.c */
	[RECORD_OUTAGES] = { "outages", ask_outages },
	[RECORD_TESTS] = { "tests", ask_tests },
	[RECORD_LOG] = { "events", ask_log },
};

static int failed(sqlite3 *db, int rc, char **text)
{
	if (rc == SQLITE_INTERRUPT)
		*text = xstrdup("reading the history takes too long; ask for less");
	else
		*text = xasprintf("the history cannot be read: %s", sqlite3_errmsg(db));
	return 503;
}

int ask_run(sqlite3 *db, const struct record_query *query, char **text)
{
	struct ask ask = { .db = db, .query = query };
	json_t *answer;
	int rc;

	if (query->kind == RECORD_HISTORY) {
		if (pack_find(query->qty) < 0) {
			*text = xasprintf("%s is not recorded", u2k_qty_desc(query->qty)->name);
			return 400;
		}
		rc = bands_answer(db, query, text);
		return rc == SQLITE_DONE ? 200 : failed(db, rc, text);
	}
	ask.rows = json_array();
	rc = rows[query->kind].run(&ask);
	if (rc != SQLITE_DONE) {
		json_decref(ask.rows);
		return failed(db, rc == SQLITE_ERROR ? sqlite3_errcode(db) : rc, text);
	}
	answer = json_pack("{s:o}", rows[query->kind].member, ask.rows);
	*text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(10));
	json_decref(answer);
	return 200;
}
