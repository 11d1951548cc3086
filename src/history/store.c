#include "history/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "history/schema.h"
#include "util/util.h"

enum {
	VERSION = ARRAY_SIZE(schema_steps),
	BUSY_MS = 5000,
	ROLL_UP_HOURS = 48, /* in one call */
	ROLL_UP_DAYS = 100,
	PRUNE_ROWS = 2000, /* in one call, of each kind */
	UNUSED_PAGES = 2048,
};

/* Every statement there is; prepared when first used. */
enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_UPS_FIND,
	SQL_UPS_ADD,
	SQL_TOTALS_PUT,
	SQL_TOTALS_GET,
	SQL_UPS_NAMES,
	SQL_OUTAGE_OPEN,
	SQL_OUTAGE_PUT,
	SQL_TEST_PUT,
	SQL_TESTS_END,
	SQL_EVENT_PUT,
	SQL_EVENT_LAST,
	SQL_EVENTS_RECENT,
	SQL_CHUNK_PUT,
	SQL_CHUNK_LATE,
	SQL_UPS_ROLL,
	SQL_CHUNK_FIRST,
	SQL_CHUNKS,
	SQL_BLOCK_GET,
	SQL_BLOCK_PUT,
	SQL_BLOCKS,
	SQL_ROLLED,
	SQL_CHUNKS_OLD,
	SQL_BLOCKS_OLD,
	SQL_UPSES,
	SQL_PAGES,
	SQL_BLOCKS_FIRST,
	SQL_EVENTS_OLD,
	SQL_COUNT,
};

static const char *const sql_text[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_UPS_FIND] = "SELECT id FROM ups WHERE name = ?1",
	[SQL_UPS_ADD] = "INSERT INTO ups (name) VALUES (?1)",
	[SQL_TOTALS_PUT] =
		"UPDATE ups SET since_us = ?2, output_mj = ?3, battery_mj = ?4, measured_ms = ?5,"
		" gap_ms = ?6, on_battery_ms = ?7, outages = ?8, last_outage_us = ?9,"
		" last_outage_end_us = ?10, saved_us = ?11 WHERE id = ?1",
	[SQL_TOTALS_GET] =
		"SELECT since_us, output_mj, battery_mj, measured_ms, gap_ms, on_battery_ms, outages,"
		" last_outage_us, last_outage_end_us, saved_us FROM ups"
		" WHERE name = ?1 AND since_us IS NOT NULL",
	[SQL_UPS_NAMES] = "SELECT name FROM ups WHERE since_us IS NOT NULL",
	[SQL_OUTAGE_OPEN] =
		"SELECT start_us, unseen_ms, start_charge, lowest_charge, lowest_voltage,"
		" lowest_runtime_s, low_battery, energy_mj FROM outage"
		" WHERE ups = (SELECT id FROM ups WHERE name = ?1) AND end_us IS NULL"
		" ORDER BY id DESC LIMIT 1",
	[SQL_OUTAGE_PUT] =
		"INSERT INTO outage (ups, start_us, end_us, unseen_ms, start_charge, lowest_charge,"
		" lowest_voltage, lowest_runtime_s, low_battery, energy_mj)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
		" ON CONFLICT (ups, start_us) DO UPDATE SET end_us = ?3, unseen_ms = ?4,"
		" start_charge = ?5, lowest_charge = ?6, lowest_voltage = ?7, lowest_runtime_s = ?8,"
		" low_battery = ?9, energy_mj = ?10",
	[SQL_TEST_PUT] =
		"INSERT INTO test (ups, start_us, end_us, result, reason, start_charge,"
		" lowest_charge, lowest_voltage, energy_mj, curve)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
		" ON CONFLICT (ups, start_us) DO UPDATE SET end_us = ?3, result = ?4, reason = ?5,"
		" start_charge = ?6, lowest_charge = ?7, lowest_voltage = ?8, energy_mj = ?9,"
		" curve = ?10",
	[SQL_TESTS_END] =
		"UPDATE test SET result = ?1, reason = 'the daemon ended before the test did',"
		" end_us = coalesce(end_us, (SELECT saved_us FROM ups WHERE id = test.ups), start_us)"
		" WHERE result = ?2",
	[SQL_EVENT_PUT] = "INSERT OR IGNORE INTO event (id, t_us, ups, kind, severity, text, facts)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_EVENT_LAST] = "SELECT max(id) FROM event",
	[SQL_EVENTS_RECENT] =
		"SELECT * FROM (SELECT id, t_us, ups, kind, severity, text, facts FROM event"
		" ORDER BY id DESC LIMIT ?1) ORDER BY id",
	[SQL_CHUNK_PUT] = "INSERT OR IGNORE INTO raw (ups, t_ms, data) VALUES (?1, ?2, ?3)",
	[SQL_CHUNK_LATE] =
		"UPDATE ups SET minute_until = ?2, quarter_until = min(quarter_until, ?3)"
		" WHERE id = ?1 AND minute_until > ?2",
	[SQL_UPS_ROLL] = "SELECT id, minute_until, quarter_until FROM ups",
	[SQL_CHUNK_FIRST] = "SELECT min(t_ms) FROM raw WHERE ups = ?1 AND t_ms >= ?2",
	[SQL_CHUNKS] = "SELECT t_ms, data FROM raw WHERE ups = ?1 AND t_ms >= ?2 AND t_ms < ?3"
		       " ORDER BY t_ms",
	[SQL_BLOCK_GET] = "SELECT data FROM block WHERE ups = ?1 AND tier = ?2 AND qty = ?3"
			  " AND t = ?4",
	[SQL_BLOCK_PUT] =
		"INSERT OR REPLACE INTO block (ups, tier, qty, t, data) VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_BLOCKS] = "SELECT t, data FROM block WHERE ups = ?1 AND tier = ?2 AND qty = ?3"
		       " AND t >= ?4 AND t < ?5 ORDER BY t",
	[SQL_ROLLED] = "UPDATE ups SET minute_until = ?2, quarter_until = ?3 WHERE id = ?1",
	[SQL_CHUNKS_OLD] = "DELETE FROM raw WHERE (ups, t_ms) IN (SELECT ups, t_ms FROM raw"
			   " WHERE ups = ?1 AND t_ms < ?2 ORDER BY t_ms LIMIT ?3)",
	[SQL_BLOCKS_OLD] =
		"DELETE FROM block WHERE (ups, tier, qty, t) IN (SELECT ups, tier, qty, t FROM block"
		" WHERE ups = ?1 AND tier = ?2 AND qty = ?3 AND t < ?4 ORDER BY t LIMIT ?5)",
	[SQL_UPSES] = "SELECT id, minute_until, quarter_until FROM ups",
	[SQL_PAGES] = "SELECT page_count - freelist_count, page_size FROM pragma_page_count,"
		      " pragma_freelist_count, pragma_page_size",
	[SQL_BLOCKS_FIRST] = "SELECT min(t) FROM block WHERE ups = ?1 AND tier = ?2 AND qty = ?3",
	[SQL_EVENTS_OLD] =
		"DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?1)",
};

/* One minute of one quantity, while an hour is rolled up. */
struct sum {
	int64_t total; /* value x ticks */
	uint32_t ticks;
	int32_t min, max;
};

struct store {
	sqlite3 *db;
	char *path;
	dev_t dev;
	ino_t ino;
	sqlite3_stmt *stmts[SQL_COUNT];
	uint32_t log_id;
	bool cut_off;
	char error[256];
	struct {
		char *name;
		int64_t id;
	} * upses; /* what store_ups() was asked for */
	size_t n_upses;
	struct sum sums[PACK_QTYS][MINUTE_SLOTS];
};

static enum store_result result_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return STORE_OK;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_SCHEMA:
	case SQLITE_ERROR: /* our SQL is tested: tables are not what they should be */
		return STORE_DAMAGED;
	default:
		return STORE_TROUBLE;
	}
}

static enum store_result fail(struct store *store, int rc)
{
	snprintf(store->error, sizeof(store->error), "%s",
		 rc == SQLITE_OK ? "unknown" : sqlite3_errmsg(store->db));
	return result_of(rc);
}

const char *store_error(const struct store *store)
{
	return store->error;
}

/* ---- statements ---- */

/* Ready to be bound. NULL on failure; then store->error says why. */
static sqlite3_stmt *stmt(struct store *store, enum sql sql)
{
	sqlite3_stmt **s = &store->stmts[sql];

	if (*s) {
		sqlite3_reset(*s);
		sqlite3_clear_bindings(*s);
		return *s;
	}
	if (sqlite3_prepare_v3(store->db, sql_text[sql], -1, SQLITE_PREPARE_PERSISTENT, s, NULL) !=
	    SQLITE_OK)
		*s = NULL;
	return *s;
}

/* Run a statement that gives no rows. s NULL: the preparation failed. */
static enum store_result run(struct store *store, sqlite3_stmt *s)
{
	int rc = s ? sqlite3_step(s) : sqlite3_extended_errcode(store->db);
	enum store_result result = rc == SQLITE_DONE ? STORE_OK : fail(store, rc);

	if (s)
		sqlite3_reset(s);
	return result;
}

/* The next row: 1; the end: 0; a failure: -1. The statement is reset unless there is a row. */
static int next_row(struct store *store, sqlite3_stmt *s)
{
	int rc = s ? sqlite3_step(s) : sqlite3_extended_errcode(store->db);

	if (rc == SQLITE_ROW)
		return 1;
	if (s)
		sqlite3_reset(s);
	if (rc == SQLITE_DONE)
		return 0;
	fail(store, rc);
	return -1;
}

static enum store_result last_failure(const struct store *store)
{
	enum store_result result = result_of(sqlite3_errcode(store->db));

	return result == STORE_OK ? STORE_TROUBLE : result;
}

static void bind_known(sqlite3_stmt *s, int at, double value)
{
	if (value >= 0)
		sqlite3_bind_double(s, at, value);
	else
		sqlite3_bind_null(s, at);
}

static double column_known(sqlite3_stmt *s, int at)
{
	return sqlite3_column_type(s, at) == SQLITE_NULL ? -1 : sqlite3_column_double(s, at);
}

static const char *column_text(sqlite3_stmt *s, int at)
{
	return (const char *)sqlite3_column_text(s, at);
}

static uint64_t column_count(sqlite3_stmt *s, int at)
{
	int64_t value = sqlite3_column_int64(s, at);

	return value > 0 ? (uint64_t)value : 0;
}

/* ---- opening ---- */

static int pragma_int(sqlite3 *db, const char *pragma, int64_t *value)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, pragma, -1, &s, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW) {
			*value = sqlite3_column_int64(s, 0);
			rc = SQLITE_OK;
		}
	}
	sqlite3_finalize(s);
	return rc;
}

static int migrate(sqlite3 *db, int64_t from)
{
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	char text[160];

	for (int64_t v = from; rc == SQLITE_OK && v < VERSION; v++)
		rc = sqlite3_exec(db, schema_steps[v], NULL, NULL, NULL);
	if (rc == SQLITE_OK && from == 0) {
		uint32_t log_id = 0;

		while (log_id == 0)
			random_bytes(&log_id, sizeof(log_id));
		snprintf(text, sizeof(text),
			 "PRAGMA application_id = %d;"
			 "INSERT INTO meta VALUES ('log-id', %u), ('clean', 1)",
			 SCHEMA_APPLICATION_ID, (unsigned)log_id);
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	}
	snprintf(text, sizeof(text), "PRAGMA user_version = %d", (int)VERSION);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	return rc;
}

static enum store_result prepare(struct store *store)
{
	static const char settings[] =
		"PRAGMA auto_vacuum = INCREMENTAL;" /* before the first table, or never */
		"PRAGMA journal_mode = WAL;"
		"PRAGMA synchronous = NORMAL;"
		"PRAGMA cache_size = -384;"
		"PRAGMA wal_autocheckpoint = 256;"
		"PRAGMA journal_size_limit = 2097152;"
		"PRAGMA temp_store = MEMORY;"
		"PRAGMA trusted_schema = OFF";
	int64_t version = 0, application = 0, tables = 0, value = 0;
	sqlite3 *db = store->db;
	int rc;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS);
	rc = pragma_int(db, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK)
		rc = pragma_int(db, "PRAGMA application_id", &application);
	if (rc == SQLITE_OK)
		rc = pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (rc != SQLITE_OK)
		return fail(store, rc);
	if (application == SCHEMA_APPLICATION_ID && version > VERSION) {
		snprintf(store->error, sizeof(store->error),
			 "it was written by a later version of ups2000d (its schema is %lld, this "
			 "version knows %d)",
			 (long long)version, (int)VERSION);
		return STORE_REFUSED;
	}
	/* without any table: ours, from before it was begun */
	if (tables > 0 && application != SCHEMA_APPLICATION_ID) {
		snprintf(store->error, sizeof(store->error),
			 "it is the database of another program");
		return STORE_REFUSED;
	}
	rc = sqlite3_exec(db, settings, NULL, NULL, NULL);
	if (rc == SQLITE_OK && version < VERSION)
		rc = migrate(db, version);
	if (rc == SQLITE_OK)
		rc = pragma_int(db, "SELECT value FROM meta WHERE key = 'log-id'", &value);
	store->log_id = (uint32_t)value;
	value = 0;
	if (rc == SQLITE_OK)
		rc = pragma_int(db, "SELECT value FROM meta WHERE key = 'clean'", &value);
	store->cut_off = value != 1;
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "UPDATE meta SET value = 0 WHERE key = 'clean'", NULL, NULL,
				  NULL);
	return rc == SQLITE_OK ? STORE_OK : fail(store, rc);
}

struct store *store_open(const char *path, enum store_result *result, char *error,
			 size_t error_size)
{
	struct store *store = xcalloc(1, sizeof(*store));
	struct stat st = { 0 };
	int rc = sqlite3_open_v2(path, &store->db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
					 SQLITE_OPEN_NOFOLLOW,
				 NULL);

	store->path = xstrdup(path);
	*result = rc == SQLITE_OK ? prepare(store) : fail(store, rc);
	if (*result != STORE_OK) {
		snprintf(error, error_size, "%s", store->error);
		store_close(store, false);
		return NULL;
	}
	if (stat(path, &st) == 0) {
		store->dev = st.st_dev;
		store->ino = st.st_ino;
	}
	return store;
}

void store_close(struct store *store, bool clean)
{
	if (!store)
		return;
	if (clean)
		sqlite3_exec(store->db, "UPDATE meta SET value = 1 WHERE key = 'clean'", NULL, NULL,
			     NULL);
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(store->stmts[i]);
	sqlite3_close(store->db);
	for (size_t i = 0; i < store->n_upses; i++)
		free(store->upses[i].name);
	free(store->upses);
	free(store->path);
	free(store);
}

bool store_is_there(const struct store *store)
{
	struct stat st;

	return stat(store->path, &st) == 0 && st.st_dev == store->dev && st.st_ino == store->ino;
}

bool store_has_head(struct store *store)
{
	static const char magic[16] = "SQLite format 3";
	sqlite3_file *file = NULL;
	char head[sizeof(magic)];

	/* through SQLite's own descriptor: to close another one would drop its locks */
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
		    SQLITE_OK ||
	    !file->pMethods || file->pMethods->xRead(file, head, sizeof(head), 0) != SQLITE_OK)
		return false;
	return memcmp(head, magic, sizeof(magic)) == 0;
}

bool store_was_cut_off(const struct store *store)
{
	return store->cut_off;
}

enum store_result store_check(struct store *store)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &s, NULL);
	enum store_result result = STORE_OK;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc != SQLITE_ROW) {
		result = fail(store, rc);
	} else if (strcmp(column_text(s, 0), "ok") != 0) {
		snprintf(store->error, sizeof(store->error), "%s", column_text(s, 0));
		result = STORE_DAMAGED;
	}
	sqlite3_finalize(s);
	return result;
}

uint32_t store_log_id(const struct store *store)
{
	return store->log_id;
}

struct sqlite3 *store_handle(struct store *store)
{
	return store->db;
}

/* ---- writing ---- */

enum store_result store_begin(struct store *store)
{
	return run(store, stmt(store, SQL_BEGIN));
}

enum store_result store_commit(struct store *store)
{
	return run(store, stmt(store, SQL_COMMIT));
}

void store_rollback(struct store *store)
{
	char why[sizeof(store->error)];

	memcpy(why, store->error, sizeof(why));
	for (size_t i = 0; i < SQL_COUNT; i++)
		if (store->stmts[i])
			sqlite3_reset(store->stmts[i]);
	if (!sqlite3_get_autocommit(store->db))
		run(store, stmt(store, SQL_ROLLBACK));
	memcpy(store->error, why, sizeof(why));
	/* numbers given out meanwhile are void */
	for (size_t i = 0; i < store->n_upses; i++)
		free(store->upses[i].name);
	store->n_upses = 0;
}

int64_t store_ups(struct store *store, const char *name)
{
	int64_t id = 0;
	sqlite3_stmt *s;

	for (size_t i = 0; i < store->n_upses; i++)
		if (strcmp(store->upses[i].name, name) == 0)
			return store->upses[i].id;
	s = stmt(store, SQL_UPS_FIND);
	if (s)
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	if (next_row(store, s) == 1) {
		id = sqlite3_column_int64(s, 0);
		sqlite3_reset(s);
	} else {
		s = stmt(store, SQL_UPS_ADD);
		if (s)
			sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
		if (run(store, s) != STORE_OK)
			return 0;
		id = sqlite3_last_insert_rowid(store->db);
	}
	store->upses = xrealloc(store->upses, (store->n_upses + 1) * sizeof(*store->upses));
	store->upses[store->n_upses].name = xstrdup(name);
	store->upses[store->n_upses++].id = id;
	return id;
}

enum store_result store_put_totals(struct store *store, int64_t ups, const struct history_totals *t,
				   int64_t wall_us)
{
	sqlite3_stmt *s = stmt(store, SQL_TOTALS_PUT);
	const int64_t values[] = { ups,
				   t->since_us,
				   (int64_t)t->output_mj,
				   (int64_t)t->battery_mj,
				   (int64_t)t->measured_ms,
				   (int64_t)t->gap_ms,
				   (int64_t)t->on_battery_ms,
				   (int64_t)t->outages,
				   t->last_outage_us,
				   t->last_outage_end_us,
				   wall_us };

	for (size_t i = 0; s && i < ARRAY_SIZE(values); i++)
		sqlite3_bind_int64(s, (int)i + 1, values[i]);
	return run(store, s);
}

bool store_get_totals(struct store *store, const char *name, struct history_totals *totals,
		      int64_t *saved_us)
{
	sqlite3_stmt *s = stmt(store, SQL_TOTALS_GET);

	if (s)
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	if (next_row(store, s) != 1)
		return false;
	*totals = (struct history_totals){
		.since_us = sqlite3_column_int64(s, 0),
		.output_mj = column_count(s, 1),
		.battery_mj = column_count(s, 2),
		.measured_ms = column_count(s, 3),
		.gap_ms = column_count(s, 4),
		.on_battery_ms = column_count(s, 5),
		.outages = column_count(s, 6),
		.last_outage_us = sqlite3_column_int64(s, 7),
		.last_outage_end_us = sqlite3_column_int64(s, 8),
	};
	*saved_us = sqlite3_column_int64(s, 9);
	sqlite3_reset(s);
	return true;
}

enum store_result store_each_ups(struct store *store, void (*cb)(void *user, const char *name),
				 void *user)
{
	sqlite3_stmt *s = stmt(store, SQL_UPS_NAMES);
	int row;

	while ((row = next_row(store, s)) == 1)
		if (column_text(s, 0))
			cb(user, column_text(s, 0));
	return row < 0 ? last_failure(store) : STORE_OK;
}

bool store_get_open_outage(struct store *store, const char *name, struct outage *o)
{
	sqlite3_stmt *s = stmt(store, SQL_OUTAGE_OPEN);

	if (s)
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	if (next_row(store, s) != 1)
		return false;
	*o = (struct outage){
		.start_us = sqlite3_column_int64(s, 0),
		.unseen_ms = column_count(s, 1),
		.start_charge = column_known(s, 2),
		.lowest_charge = column_known(s, 3),
		.lowest_voltage = column_known(s, 4),
		.lowest_runtime_s = column_known(s, 5),
		.low_battery = sqlite3_column_int(s, 6),
		.energy_mj = column_count(s, 7),
	};
	sqlite3_reset(s);
	return true;
}

enum store_result store_put_outage(struct store *store, int64_t ups, const struct outage *o)
{
	sqlite3_stmt *s = stmt(store, SQL_OUTAGE_PUT);

	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int64(s, 2, o->start_us);
		if (o->end_us)
			sqlite3_bind_int64(s, 3, o->end_us);
		sqlite3_bind_int64(s, 4, (int64_t)o->unseen_ms);
		bind_known(s, 5, o->start_charge);
		bind_known(s, 6, o->lowest_charge);
		bind_known(s, 7, o->lowest_voltage);
		bind_known(s, 8, o->lowest_runtime_s);
		sqlite3_bind_int(s, 9, o->low_battery);
		sqlite3_bind_int64(s, 10, (int64_t)o->energy_mj);
	}
	return run(store, s);
}

enum store_result store_put_test(struct store *store, int64_t ups, const struct test *test)
{
	sqlite3_stmt *s = stmt(store, SQL_TEST_PUT);
	uint8_t curve[PACK_CURVE_MAX];

	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int64(s, 2, test->start_us);
		if (test->end_us)
			sqlite3_bind_int64(s, 3, test->end_us);
		sqlite3_bind_int(s, 4, (int)test->result);
		sqlite3_bind_text(s, 5, test->reason, -1, SQLITE_STATIC);
		bind_known(s, 6, test->start_charge);
		bind_known(s, 7, test->lowest_charge);
		bind_known(s, 8, test->lowest_voltage);
		sqlite3_bind_int64(s, 9, (int64_t)test->energy_mj);
		sqlite3_bind_blob(s, 10, curve, (int)pack_curve(test->curve, test->n_curve, curve),
				  SQLITE_STATIC);
	}
	return run(store, s);
}

enum store_result store_end_tests(struct store *store)
{
	sqlite3_stmt *s = stmt(store, SQL_TESTS_END);

	if (s) {
		sqlite3_bind_int(s, 1, TEST_INTERRUPTED);
		sqlite3_bind_int(s, 2, TEST_RUNS);
	}
	return run(store, s);
}

enum store_result store_put_event(struct store *store, const struct store_event *event)
{
	sqlite3_stmt *s = stmt(store, SQL_EVENT_PUT);

	if (s) {
		sqlite3_bind_int64(s, 1, (int64_t)event->id);
		sqlite3_bind_int64(s, 2, event->wall_us);
		sqlite3_bind_text(s, 3, event->ups, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 4, event->kind, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 5, event->severity, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 6, event->text, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 7, event->facts, -1, SQLITE_STATIC);
	}
	return run(store, s);
}

uint64_t store_last_event(struct store *store)
{
	sqlite3_stmt *s = stmt(store, SQL_EVENT_LAST);
	uint64_t last = 0;

	if (next_row(store, s) == 1) {
		last = column_count(s, 0);
		sqlite3_reset(s);
	}
	return last;
}

enum store_result store_recent_events(struct store *store, unsigned n, store_event_cb cb,
				      void *user)
{
	sqlite3_stmt *s = stmt(store, SQL_EVENTS_RECENT);
	int row;

	if (s)
		sqlite3_bind_int64(s, 1, n);
	while ((row = next_row(store, s)) == 1) {
		struct store_event event = {
			.id = column_count(s, 0),
			.wall_us = sqlite3_column_int64(s, 1),
			.ups = column_text(s, 2),
			.kind = column_text(s, 3),
			.severity = column_text(s, 4),
			.text = column_text(s, 5),
			.facts = column_text(s, 6),
		};

		if (event.id && event.kind && event.severity && event.text)
			cb(user, &event);
	}
	return row < 0 ? last_failure(store) : STORE_OK;
}

enum store_result store_put_chunk(struct store *store, int64_t ups, int64_t start_ms,
				  const uint8_t *data, size_t len)
{
	int64_t second = start_ms / 1000;
	enum store_result result = STORE_OK;
	sqlite3_stmt *s;

	/* where the clock was set back, a chunk may stand there already: the next free place */
	for (int i = 0; i < 1000 && result == STORE_OK; i++) {
		s = stmt(store, SQL_CHUNK_PUT);
		if (s) {
			sqlite3_bind_int64(s, 1, ups);
			sqlite3_bind_int64(s, 2, start_ms + i);
			sqlite3_bind_blob(s, 3, data, (int)len, SQLITE_STATIC);
		}
		result = run(store, s);
		if (result == STORE_OK && sqlite3_changes(store->db) > 0)
			break;
	}
	if (result != STORE_OK)
		return result;
	s = stmt(store, SQL_CHUNK_LATE);
	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int64(s, 2, second - second % HOUR_S);
		sqlite3_bind_int64(s, 3, second - second % DAY_S);
	}
	return run(store, s);
}

/* ---- rolling up ---- */

static void add_span(struct store *store, int row, int64_t from, int64_t to, int32_t value)
{
	/* ticks since the start of the hour; a value that was there counts, however short */
	if (from < 0 && to <= 0)
		return;
	if (from < 0)
		from = 0;
	for (int64_t t = from; t < to || t == from;) {
		int64_t slot = t / 600, end = (slot + 1) * 600;
		struct sum *sum;

		if (slot >= MINUTE_SLOTS)
			return;
		if (end > to)
			end = to > t ? to : t + 1;
		sum = &store->sums[row][slot];
		if (!sum->ticks || value < sum->min)
			sum->min = value;
		if (!sum->ticks || value > sum->max)
			sum->max = value;
		sum->total += (int64_t)value * (end - t);
		sum->ticks += (uint32_t)(end - t);
		t = end;
	}
}

static void add_chunk(struct store *store, int64_t offset_ms, const struct pack_chunk *chunk)
{
	int64_t offset = offset_ms / 100;

	for (int row = 0; row < PACK_QTYS; row++) {
		const struct pack_series *s = &chunk->series[row];

		for (unsigned i = 0; i < s->n; i++)
			add_span(store, row, offset + s->readings[i].tick,
				 offset + (i + 1 < s->n ? s->readings[i + 1].tick : s->until),
				 s->readings[i].value);
	}
}

/* Divide, rounding to the nearest. */
static int32_t mean_of(int64_t total, int64_t n)
{
	return (int32_t)((total >= 0 ? total + n / 2 : total - n / 2) / n);
}

/* Merge bands into the block that may be there: what is new wins, what is not stays. */
static enum store_result put_block(struct store *store, int64_t ups, int tier, int row, int64_t t,
				   struct band *bands, size_t n)
{
	struct band old[PACK_SLOTS] = { 0 };
	uint8_t data[PACK_BLOCK_MAX];
	sqlite3_stmt *s = stmt(store, SQL_BLOCK_GET);
	size_t len;
	int found;

	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int(s, 2, tier);
		sqlite3_bind_int(s, 3, row);
		sqlite3_bind_int64(s, 4, t);
	}
	found = next_row(store, s);
	if (found < 0)
		return last_failure(store);
	if (found) {
		unpack_block(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), n, old);
		sqlite3_reset(s);
	}
	for (size_t i = 0; i < n; i++)
		if (!bands[i].known)
			bands[i] = old[i];
	len = pack_block(bands, n, data);
	if (!len)
		return STORE_OK;
	s = stmt(store, SQL_BLOCK_PUT);
	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int(s, 2, tier);
		sqlite3_bind_int(s, 3, row);
		sqlite3_bind_int64(s, 4, t);
		sqlite3_bind_blob(s, 5, data, (int)len, SQLITE_STATIC);
	}
	return run(store, s);
}

static enum store_result roll_hour(struct store *store, int64_t ups, int64_t hour)
{
	enum store_result result = STORE_OK;
	sqlite3_stmt *s = stmt(store, SQL_CHUNKS);
	struct pack_chunk chunk;
	int row;

	memset(store->sums, 0, sizeof(store->sums));
	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int64(s, 2, hour * 1000 - PACK_CHUNK_TICKS * 100);
		sqlite3_bind_int64(s, 3, (hour + HOUR_S) * 1000);
	}
	while ((row = next_row(store, s)) == 1) {
		unpack_chunk(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1), &chunk);
		add_chunk(store, sqlite3_column_int64(s, 0) - hour * 1000, &chunk);
	}
	if (row < 0)
		return last_failure(store);
	for (int q = 0; q < PACK_QTYS && result == STORE_OK; q++) {
		struct band bands[MINUTE_SLOTS] = { 0 };

		for (size_t i = 0; i < MINUTE_SLOTS; i++) {
			const struct sum *sum = &store->sums[q][i];

			if (sum->ticks)
				bands[i] =
					(struct band){ true, sum->min,
						       mean_of(sum->total, sum->ticks), sum->max };
		}
		result = put_block(store, ups, TIER_MINUTE, q, hour, bands, MINUTE_SLOTS);
	}
	return result;
}

/* A minute into its quarter; what the quarter counts stands in counts. */
static void add_minute(struct band *quarter, int64_t *total, int *count, const struct band *minute)
{
	if (!minute->known)
		return;
	if (!quarter->known)
		*quarter = *minute;
	if (minute->min < quarter->min)
		quarter->min = minute->min;
	if (minute->max > quarter->max)
		quarter->max = minute->max;
	*total += minute->mean;
	quarter->mean = mean_of(*total, ++*count);
}

static enum store_result roll_day(struct store *store, int64_t ups, int64_t day)
{
	enum store_result result = STORE_OK;

	for (int q = 0; q < PACK_QTYS && result == STORE_OK; q++) {
		struct band quarters[QUARTER_SLOTS] = { 0 }, minutes[MINUTE_SLOTS];
		int64_t totals[QUARTER_SLOTS] = { 0 };
		int counts[QUARTER_SLOTS] = { 0 };
		sqlite3_stmt *s = stmt(store, SQL_BLOCKS);
		int row;

		if (s) {
			sqlite3_bind_int64(s, 1, ups);
			sqlite3_bind_int(s, 2, TIER_MINUTE);
			sqlite3_bind_int(s, 3, q);
			sqlite3_bind_int64(s, 4, day);
			sqlite3_bind_int64(s, 5, day + DAY_S);
		}
		while ((row = next_row(store, s)) == 1) {
			size_t first = (size_t)((sqlite3_column_int64(s, 0) - day) / 900);

			unpack_block(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1),
				     MINUTE_SLOTS, minutes);
			for (size_t i = 0; i < MINUTE_SLOTS && first + i / 15 < QUARTER_SLOTS; i++)
				add_minute(&quarters[first + i / 15], &totals[first + i / 15],
					   &counts[first + i / 15], &minutes[i]);
		}
		if (row < 0)
			return last_failure(store);
		result = put_block(store, ups, TIER_QUARTER, q, day, quarters, QUARTER_SLOTS);
	}
	return result;
}

/* The hour of the first chunk at or after hour; INT64_MAX if there is none. */
static enum store_result next_hour(struct store *store, int64_t ups, int64_t *hour)
{
	sqlite3_stmt *s = stmt(store, SQL_CHUNK_FIRST);
	int64_t t_s;
	int row;

	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int64(s, 2, *hour * 1000);
	}
	row = next_row(store, s);
	if (row < 0)
		return last_failure(store);
	if (!row || sqlite3_column_type(s, 0) == SQLITE_NULL) {
		*hour = INT64_MAX;
	} else {
		t_s = sqlite3_column_int64(s, 0) / 1000;
		*hour = t_s - t_s % HOUR_S;
	}
	sqlite3_reset(s);
	return STORE_OK;
}

static enum store_result roll_ups(struct store *store, int64_t ups, int64_t minute_until,
				  int64_t quarter_until, int64_t now_s, int *hours)
{
	int64_t complete = now_s - 30; /* the last chunks of an hour come a moment after it */
	int64_t hour = minute_until, day;
	enum store_result result;
	sqlite3_stmt *s;
	int days = 0;

	complete -= complete % HOUR_S;
	while (*hours < ROLL_UP_HOURS) {
		result = next_hour(store, ups, &hour);
		if (result != STORE_OK)
			return result;
		if (hour > complete - HOUR_S)
			break;
		result = roll_hour(store, ups, hour);
		if (result != STORE_OK)
			return result;
		if (!quarter_until)
			quarter_until = hour - hour % DAY_S;
		hour += HOUR_S;
		minute_until = hour;
		++*hours;
	}
	if (*hours < ROLL_UP_HOURS && minute_until && complete > minute_until)
		minute_until = complete;
	for (day = quarter_until; day && day + DAY_S <= minute_until; day += DAY_S) {
		if (++days > ROLL_UP_DAYS) { /* years without a daemon: go on next time */
			*hours = ROLL_UP_HOURS;
			break;
		}
		result = roll_day(store, ups, day);
		if (result != STORE_OK)
			return result;
		quarter_until = day + DAY_S;
	}
	s = stmt(store, SQL_ROLLED);
	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int64(s, 2, minute_until);
		sqlite3_bind_int64(s, 3, quarter_until);
	}
	return run(store, s);
}

/* A UPS as the statement UPSES lists them. */
struct rolled {
	int64_t id, minute_until, quarter_until;
};

enum { UPSES_MAX = 256 };

static int list_upses(struct store *store, struct rolled list[UPSES_MAX])
{
	sqlite3_stmt *s = stmt(store, SQL_UPSES);
	int n = 0, row;

	while ((row = next_row(store, s)) == 1) {
		if (n == UPSES_MAX)
			continue;
		list[n++] = (struct rolled){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
					     sqlite3_column_int64(s, 2) };
	}
	return row < 0 ? -1 : n;
}

enum store_result store_roll_up(struct store *store, int64_t now_s, bool *more)
{
	struct rolled list[UPSES_MAX];
	int n = list_upses(store, list), hours = 0;

	*more = false;
	if (n < 0)
		return last_failure(store);
	for (int i = 0; i < n && hours < ROLL_UP_HOURS; i++) {
		enum store_result result = roll_ups(store, list[i].id, list[i].minute_until,
						    list[i].quarter_until, now_s, &hours);

		if (result != STORE_OK)
			return result;
	}
	*more = hours >= ROLL_UP_HOURS;
	return STORE_OK;
}

/* ---- pruning ---- */

uint64_t store_bytes(struct store *store)
{
	sqlite3_stmt *s = stmt(store, SQL_PAGES);
	uint64_t bytes = 0;

	if (next_row(store, s) == 1) {
		bytes = column_count(s, 0) * column_count(s, 1);
		sqlite3_reset(s);
	}
	return bytes;
}

static enum store_result drop_chunks(struct store *store, int64_t ups, int64_t before_s)
{
	sqlite3_stmt *s = stmt(store, SQL_CHUNKS_OLD);

	if (s) {
		sqlite3_bind_int64(s, 1, ups);
		sqlite3_bind_int64(s, 2, before_s * 1000);
		sqlite3_bind_int(s, 3, PRUNE_ROWS);
	}
	return run(store, s);
}

static enum store_result drop_blocks(struct store *store, int64_t ups, int tier, int64_t before_s)
{
	enum store_result result = STORE_OK;

	for (int q = 0; q < PACK_QTYS && result == STORE_OK; q++) {
		sqlite3_stmt *s = stmt(store, SQL_BLOCKS_OLD);

		if (s) {
			sqlite3_bind_int64(s, 1, ups);
			sqlite3_bind_int(s, 2, tier);
			sqlite3_bind_int(s, 3, q);
			sqlite3_bind_int64(s, 4, before_s);
			sqlite3_bind_int(s, 5, PRUNE_ROWS);
		}
		result = run(store, s);
	}
	return result;
}

static int64_t lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static enum store_result prune_by_age(struct store *store, const struct rolled *ups,
				      const struct store_limits *limits, int64_t now_s)
{
	enum store_result result;

	/* nothing goes before it was rolled up */
	result =
		drop_chunks(store, ups->id,
			    lesser(now_s - (int64_t)limits->raw_hours * HOUR_S, ups->minute_until));
	if (result == STORE_OK)
		result = drop_blocks(
			store, ups->id, TIER_MINUTE,
			lesser(now_s - (int64_t)limits->minute_days * DAY_S, ups->quarter_until));
	if (result == STORE_OK)
		result = drop_blocks(store, ups->id, TIER_QUARTER,
				     now_s - (int64_t)limits->quarter_days * DAY_S);
	return result;
}

/* The start of the oldest block of a tier, or INT64_MAX. */
static enum store_result oldest_block(struct store *store, int64_t ups, int tier, int64_t *oldest)
{
	*oldest = INT64_MAX;
	for (int q = 0; q < PACK_QTYS; q++) {
		sqlite3_stmt *s = stmt(store, SQL_BLOCKS_FIRST);
		int row;

		if (s) {
			sqlite3_bind_int64(s, 1, ups);
			sqlite3_bind_int(s, 2, tier);
			sqlite3_bind_int(s, 3, q);
		}
		row = next_row(store, s);
		if (row < 0)
			return last_failure(store);
		if (row && sqlite3_column_type(s, 0) != SQLITE_NULL)
			*oldest = lesser(*oldest, sqlite3_column_int64(s, 0));
		sqlite3_reset(s);
	}
	return STORE_OK;
}

/* The oldest days of a tier go. more is set if there were any. */
static enum store_result drop_oldest(struct store *store, int64_t ups, int tier, int64_t days,
				     bool *more)
{
	int64_t oldest;
	enum store_result result = oldest_block(store, ups, tier, &oldest);

	if (result != STORE_OK || oldest == INT64_MAX)
		return result;
	*more = true;
	return drop_blocks(store, ups, tier, oldest + days * DAY_S);
}

/* Too large: first the minutes go, then the log's and the quarters' oldest. */
static enum store_result prune_by_size(struct store *store, const struct rolled *list, int n)
{
	enum store_result result = STORE_OK;
	bool more = false;
	sqlite3_stmt *s;

	for (int i = 0; i < n && result == STORE_OK; i++)
		result = drop_oldest(store, list[i].id, TIER_MINUTE, 3, &more);
	if (more || result != STORE_OK)
		return result;
	for (int i = 0; i < n && result == STORE_OK; i++)
		result = drop_oldest(store, list[i].id, TIER_QUARTER, 60, &more);
	if (result != STORE_OK)
		return result;
	s = stmt(store, SQL_EVENTS_OLD);
	if (s)
		sqlite3_bind_int(s, 1, 500);
	return run(store, s);
}

enum store_result store_prune(struct store *store, const struct store_limits *limits, int64_t now_s,
			      bool steady)
{
	struct rolled list[UPSES_MAX];
	int n = list_upses(store, list);
	enum store_result result = STORE_OK;
	int64_t unused = 0;

	if (n < 0)
		return last_failure(store);
	for (int i = 0; i < n && steady && result == STORE_OK; i++)
		result = prune_by_age(store, &list[i], limits, now_s);
	if (result == STORE_OK && store_bytes(store) > limits->max_bytes)
		result = prune_by_size(store, list, n);
	/* what was freed is used again; a lot of it goes back to the file system */
	if (result == STORE_OK &&
	    pragma_int(store->db, "PRAGMA freelist_count", &unused) == SQLITE_OK &&
	    unused > UNUSED_PAGES)
		sqlite3_exec(store->db, "PRAGMA incremental_vacuum(512)", NULL, NULL, NULL);
	return result;
}
