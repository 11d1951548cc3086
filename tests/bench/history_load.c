/*
 * Fills a history database with the life of one UPS, faster than it passes, and asks it.
 *
 *   history_load DB fill DAYS STEP CHUNKS   readings every STEP s in virtual time; a transaction for
 *                                           each CHUNKS chunks
 *   history_load DB ask N                   N charts of a week from it, each on a fresh connection
 *
 * Prints a JSON object. Goes the way of the daemon's writer thread, but for the thread.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "history/ask.h"
#include "history/chunk.h"
#include "history/store.h"
#include "util/util.h"

static const int64_t BEGIN_S = INT64_C(1451606400); /* 2016-01-01 */

static uint64_t rng = 88172645463325252u;

static double noise(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (double)(rng >> 11) / 9007199254740992.0 * 2 - 1;
}

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "history_load: %s\n", what);
	exit(1);
}

static void set(struct u2k_snapshot *snap, enum u2k_qty qty, double value, double step,
		int64_t at_us)
{
	snap->qty[qty] = (struct u2k_value){ round(value / step) * step, at_us, U2K_VALID };
}

/* A server room: mains that wander over the day, a load that follows its users, steps as real. */
static void live(struct u2k_snapshot *snap, int64_t second, int64_t at_us)
{
	static double load = 30;
	double day = sin((double)(second % 86400) / 86400 * 6.283);

	load += noise() * 0.4 + (32 + 6 * day - load) * 0.01;
	snap->comm = U2K_COMM_OK;
	set(snap, U2K_QTY_INPUT_VOLTAGE, 230 + 4 * day + noise() * 0.8, 0.1, at_us);
	set(snap, U2K_QTY_INPUT_FREQUENCY, 50 + noise() * 0.06, 0.1, at_us);
	set(snap, U2K_QTY_BYPASS_VOLTAGE, 230 + 4 * day + noise() * 0.8, 0.1, at_us);
	set(snap, U2K_QTY_BYPASS_FREQUENCY, 50 + noise() * 0.06, 0.1, at_us);
	set(snap, U2K_QTY_OUTPUT_VOLTAGE, 220 + noise() * 0.3, 0.1, at_us);
	set(snap, U2K_QTY_OUTPUT_CURRENT, load * 0.11, 0.1, at_us);
	set(snap, U2K_QTY_OUTPUT_FREQUENCY, 50 + noise() * 0.06, 0.1, at_us);
	set(snap, U2K_QTY_OUTPUT_REALPOWER, load * 24, 100, at_us);
	set(snap, U2K_QTY_OUTPUT_POWER, load * 30, 100, at_us);
	set(snap, U2K_QTY_LOAD, load, 0.1, at_us);
	set(snap, U2K_QTY_TEMPERATURE, 26 + 3 * day + noise() * 0.1, 0.1, at_us);
	set(snap, U2K_QTY_BATTERY_VOLTAGE, 82 + noise() * 0.1, 0.1, at_us);
	set(snap, U2K_QTY_BATTERY_CHARGE, 100, 1, at_us);
	set(snap, U2K_QTY_BATTERY_RUNTIME, 3000 - load * 30 + noise() * 20, 1, at_us);
}

static void tidy(struct store *store, int64_t now_s)
{
	const struct store_limits limits = { 24, 90, 3653, 100000000 };
	bool more = true;

	need(store_begin(store) == STORE_OK, "begin");
	while (more)
		need(store_roll_up(store, now_s, &more) == STORE_OK, "roll up");
	need(store_prune(store, &limits, now_s, true) == STORE_OK, "prune");
	need(store_commit(store) == STORE_OK, "commit");
}

static void fill(struct store *store, double days, int step, int per_commit)
{
	struct history_totals totals = { .since_us = BEGIN_S * U2K_SEC };
	struct u2k_snapshot snap = { 0 };
	struct chunk chunk;
	uint8_t data[PACK_CHUNK_MAX];
	int64_t ups, start_ms, end_s = BEGIN_S + (int64_t)(days * 86400), raw = 0, chunks = 0,
			       tidied = 0;
	double began = cpu_s();
	uint64_t largest = 0, bytes;

	need(store_begin(store) == STORE_OK, "begin");
	ups = store_ups(store, "bench");
	need(ups > 0 && store_commit(store) == STORE_OK, "UPS");
	chunk_init(&chunk);
	for (int64_t s = BEGIN_S, n = 0; s < end_s; s += step) {
		/* chunks of 4 s as in life; with a larger step, a chunk for each reading */
		live(&snap, s, s * U2K_SEC);
		chunk_look(&chunk, &snap, s * U2K_SEC, s * U2K_SEC);
		if (step < 4 && s % 4 != 3)
			continue;
		if (n == 0)
			need(store_begin(store) == STORE_OK, "begin");
		size_t len = chunk_close(&chunk, &snap, (s + 1) * U2K_SEC, (s + 1) * U2K_SEC,
					 &start_ms, data);

		raw += (int64_t)len;
		chunks++;
		need(store_put_chunk(store, ups, start_ms, data, len) == STORE_OK, "chunk");
		totals.output_mj += 4000;
		if (++n == per_commit) {
			n = 0;
			need(store_put_totals(store, ups, &totals, s * U2K_SEC) == STORE_OK,
			     "totals");
			need(store_commit(store) == STORE_OK, "commit");
			if (s - tidied >= 3600) {
				tidy(store, s);
				tidied = s;
			}
		}
		if (chunks % 100000 == 0 && (bytes = store_bytes(store)) > largest)
			largest = bytes;
	}
	if (!sqlite3_get_autocommit(store_handle(store)))
		need(store_commit(store) == STORE_OK, "commit");
	tidy(store, end_s + 3700);
	bytes = store_bytes(store);
	printf("{\"days\":%.9g,\"step_s\":%d,\"chunks\":%lld,\"raw_bytes\":%lld,\"bytes\":%llu,"
	       "\"largest_bytes\":%llu,\"cpu_s\":%.3f}\n",
	       days, step, (long long)chunks, (long long)raw, (unsigned long long)bytes,
	       (unsigned long long)(largest > bytes ? largest : bytes), cpu_s() - began);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int64_t last_second(const char *path)
{
	sqlite3_stmt *s = NULL;
	sqlite3 *db;
	int64_t last;

	need(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, "open");
	need(sqlite3_prepare_v2(db, "SELECT minute_until FROM ups", -1, &s, NULL) == SQLITE_OK &&
		     sqlite3_step(s) == SQLITE_ROW,
	     "no UPS in it");
	last = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return last;
}

static void ask(const char *path, int n)
{
	static const enum u2k_qty kinds[] = { U2K_QTY_LOAD, U2K_QTY_INPUT_VOLTAGE,
					      U2K_QTY_BATTERY_VOLTAGE };
	static const unsigned points[] = { 500, 2000 };
	double *ms = xcalloc((size_t)n, sizeof(*ms));
	int64_t week = 7 * 86400, last = last_second(path);

	printf("{");
	for (size_t p = 0; p < ARRAY_SIZE(points); p++) {
		for (int i = 0; i < n; i++) {
			/* half of them the last week, half any other */
			int64_t to = last - (i % 2 ? (int64_t)((noise() + 1) / 2 *
							       (double)(last - BEGIN_S - week))
						   : 0);
			struct record_query query = { .kind = RECORD_HISTORY,
						      .ups = "bench",
						      .qty = kinds[i % 3],
						      .from_us = (to - week) * U2K_SEC,
						      .to_us = to * U2K_SEC,
						      .points = points[p] };
			int64_t began = clock_us();
			char *text = NULL;
			sqlite3 *db;

			need(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK,
			     "open");
			sqlite3_exec(db, "PRAGMA cache_size = -256", NULL, NULL, NULL);
			need(ask_run(db, &query, &text) == 200, text ? text : "no answer");
			sqlite3_close(db);
			ms[i] = (double)(clock_us() - began) / 1000;
			free(text);
		}
		qsort(ms, (size_t)n, sizeof(*ms), by_size);
		printf("%s\"points_%u\":{\"median_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}",
		       p ? "," : "", points[p], ms[n / 2], ms[(n - 1) * 99 / 100], ms[n - 1]);
	}
	printf("}\n");
	free(ms);
}

int main(int argc, char **argv)
{
	enum store_result result;
	struct store *store;
	char error[256];

	need(argc >= 4, "usage: DB fill DAYS STEP CHUNKS | DB ask N");
	if (!strcmp(argv[2], "ask")) {
		ask(argv[1], atoi(argv[3]) > 0 ? atoi(argv[3]) : 1);
		return 0;
	}
	need(argc == 6 && !strcmp(argv[2], "fill"), "fill DAYS STEP CHUNKS");
	store = store_open(argv[1], &result, error, sizeof(error));
	need(store, error);
	fill(store, atof(argv[3]), atoi(argv[4]), atoi(argv[5]));
	store_close(store, true);
	return 0;
}
