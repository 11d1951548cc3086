#pragma once

/*
 * The schema, one step per version (PRAGMA user_version). A step that was released is never changed;
 * a change is another step at the end.
 */
enum { SCHEMA_APPLICATION_ID = 0x55324b48 }; /* "U2KH" */

static const char *const schema_steps[] = {
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE ups ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" since_us INTEGER, output_mj INTEGER, battery_mj INTEGER, measured_ms INTEGER,"
	" gap_ms INTEGER, on_battery_ms INTEGER, outages INTEGER, last_outage_us INTEGER,"
	" last_outage_end_us INTEGER, saved_us INTEGER,"
	" minute_until INTEGER NOT NULL DEFAULT 0," /* rolled up before that, unix s */
	" quarter_until INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE raw (ups INTEGER, t_ms INTEGER, data BLOB NOT NULL,"
	" PRIMARY KEY (ups, t_ms)) WITHOUT ROWID;"
	"CREATE TABLE block (ups INTEGER, tier INTEGER, qty INTEGER, t INTEGER, data BLOB NOT NULL,"
	" PRIMARY KEY (ups, tier, qty, t)) WITHOUT ROWID;"
	"CREATE TABLE event (id INTEGER PRIMARY KEY, t_us INTEGER NOT NULL, ups TEXT,"
	" kind TEXT NOT NULL, severity TEXT NOT NULL, text TEXT NOT NULL, facts TEXT);"
	"CREATE INDEX event_time ON event (t_us);"
	"CREATE TABLE outage (id INTEGER PRIMARY KEY, ups INTEGER NOT NULL,"
	" start_us INTEGER NOT NULL, end_us INTEGER, unseen_ms INTEGER NOT NULL,"
	" start_charge REAL, lowest_charge REAL, lowest_voltage REAL, lowest_runtime_s REAL,"
	" low_battery INTEGER NOT NULL, energy_mj INTEGER NOT NULL, UNIQUE (ups, start_us));"
	"CREATE TABLE test (id INTEGER PRIMARY KEY, ups INTEGER NOT NULL,"
	" start_us INTEGER NOT NULL, end_us INTEGER, result INTEGER NOT NULL, reason TEXT,"
	" start_charge REAL, lowest_charge REAL, lowest_voltage REAL,"
	" energy_mj INTEGER NOT NULL, curve BLOB, UNIQUE (ups, start_us));",
};
