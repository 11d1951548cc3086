#include "history/bands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "daemon/records.h"
#include "history/pack.h"
#include "history/store.h"
#include "history/when.h"
#include "util/util.h"

/* One point of the answer while it is gathered. */
struct bucket {
	double total, weight; /* seconds */
	int32_t min, max;
};

struct chart {
	sqlite3 *db;
	int64_t ups;
	int row;			     /* of the quantity */
	int64_t start, end;		     /* unix s; whole steps */
	int64_t step;			     /* s */
	int64_t resolution;		     /* the coarsest tier that was used, s */
	int64_t minute_until, quarter_until; /* how far was rolled up, unix s */
	struct bucket *buckets;
	size_t n;
};

/* A value that held from one time to another (unix s). */
static void add_span(struct chart *chart, double from, double to, const struct band *band)
{
	double start = (double)chart->start, step = (double)chart->step;
	double at = from;

	if (to <= start || from >= (double)chart->end)
		return;
	if (at < start)
		at = start;
	do {
		size_t i = (size_t)((at - start) / step);
		double end = start + step * (double)(i + 1), part;
		struct bucket *bucket;

		if (i >= chart->n)
			return;
		if (end > to)
			end = to;
		part = end - at > 1e-3 ? end - at : 1e-3; /* however short, it was there */
		bucket = &chart->buckets[i];
		if (bucket->weight == 0 || band->min < bucket->min)
			bucket->min = band->min;
		if (bucket->weight == 0 || band->max > bucket->max)
			bucket->max = band->max;
		bucket->total += band->mean * part;
		bucket->weight += part;
		at = start + step * (double)(i + 1);
	} while (at < to);
}

static void coarser(struct chart *chart, int64_t resolution)
{
	if (resolution > chart->resolution)
		chart->resolution = resolution;
}

static int fill_from_chunks(struct chart *chart, int64_t from, int64_t to)
{
	sqlite3_stmt *s = NULL;
	struct pack_chunk chunk;
	int rc;

	if (from >= to)
		return SQLITE_DONE;
	rc = sqlite3_prepare_v2(chart->db,
				"SELECT t_ms, data FROM raw WHERE ups = ?1 AND t_ms >= ?2"
				" AND t_ms < ?3 ORDER BY t_ms",
				-1, &s, NULL);
	if (rc != SQLITE_OK)
		return rc;
	coarser(chart, 1);
	sqlite3_bind_int64(s, 1, chart->ups);
	sqlite3_bind_int64(s, 2, from * 1000 - PACK_CHUNK_TICKS * 100);
	sqlite3_bind_int64(s, 3, to * 1000);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const struct pack_series *series = &chunk.series[chart->row];
		double start = (double)sqlite3_column_int64(s, 0) / 1000;

		unpack_chunk(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1), &chunk);
		for (unsigned i = 0; i < series->n; i++) {
			const struct pack_reading *r = &series->readings[i];
			unsigned until = i + 1 < series->n ? r[1].tick : series->until;
			struct band band = { true, r->value, r->value, r->value };
			double begin = start + r->tick / 10.0, end = start + until / 10.0;

			/* what another tier has told already is not told again */
			if (begin < (double)from)
				begin = (double)from;
			if (end > (double)to)
				end = (double)to;
			if (end >= begin)
				add_span(chart, begin, end > begin ? end : begin + 1e-3, &band);
		}
	}
	sqlite3_finalize(s);
	return rc;
}

static int fill_from_blocks(struct chart *chart, int tier, int64_t from, int64_t to)
{
	int64_t length = tier == TIER_MINUTE ? HOUR_S : DAY_S;
	size_t slots = tier == TIER_MINUTE ? (size_t)MINUTE_SLOTS : (size_t)QUARTER_SLOTS;
	int64_t slot_s = length / (int64_t)slots;
	struct band bands[PACK_SLOTS];
	sqlite3_stmt *s = NULL;
	int rc;

	if (from >= to)
		return SQLITE_DONE;
	rc = sqlite3_prepare_v2(chart->db,
				"SELECT t, data FROM block WHERE ups = ?1 AND tier = ?2"
				" AND qty = ?3 AND t > ?4 AND t < ?5 ORDER BY t",
				-1, &s, NULL);
	if (rc != SQLITE_OK)
		return rc;
	coarser(chart, slot_s);
	sqlite3_bind_int64(s, 1, chart->ups);
	sqlite3_bind_int(s, 2, tier);
	sqlite3_bind_int(s, 3, chart->row);
	sqlite3_bind_int64(s, 4, from - length);
	sqlite3_bind_int64(s, 5, to);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		int64_t t = sqlite3_column_int64(s, 0);

		unpack_block(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1), slots,
			     bands);
		for (size_t i = 0; i < slots; i++, t += slot_s)
			if (bands[i].known && t + slot_s > from && t < to)
				add_span(chart, (double)t, (double)(t + slot_s), &bands[i]);
	}
	sqlite3_finalize(s);
	return rc;
}

/* One number, or otherwise if there is none. */
static int get_number(struct chart *chart, const char *sql, int64_t otherwise, int64_t *value)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(chart->db, sql, -1, &s, NULL);

	*value = otherwise;
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s, 1, chart->ups);
	if (sqlite3_bind_parameter_count(s) > 1)
		sqlite3_bind_int(s, 2, chart->row);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
		*value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/*
 * Which tier tells which part: the coarsest whose slots are not longer than a step, where it has
 * data; what is older comes from coarser tiers, what is not rolled up yet from finer ones.
 */
static int fill(struct chart *chart)
{
	int64_t a = chart->start, b = chart->end, minutes_from, chunks_from;
	int64_t quarters_to, minutes_to;
	int rc = get_number(chart,
			    "SELECT min(t) FROM block WHERE ups = ?1 AND tier = 1 AND qty = ?2",
			    INT64_MAX, &minutes_from);

	if (rc == SQLITE_DONE)
		rc = get_number(chart, "SELECT min(t_ms) / 1000 FROM raw WHERE ups = ?1", INT64_MAX,
				&chunks_from);
	if (rc != SQLITE_DONE)
		return rc;
	if (chart->step >= 900) {
		quarters_to = chart->quarter_until;
		minutes_to = chart->minute_until;
	} else if (chart->step >= 60) {
		quarters_to =
			minutes_from < chart->quarter_until ? minutes_from : chart->quarter_until;
		minutes_to = chart->minute_until;
	} else {
		minutes_to = chunks_from < chart->minute_until ? chunks_from : chart->minute_until;
		quarters_to =
			minutes_from < chart->quarter_until ? minutes_from : chart->quarter_until;
	}
	quarters_to = clamp(quarters_to, a, b);
	minutes_to = clamp(minutes_to, quarters_to, b);
	rc = fill_from_blocks(chart, TIER_QUARTER, a, quarters_to);
	if (rc == SQLITE_DONE)
		rc = fill_from_blocks(chart, TIER_MINUTE, quarters_to, minutes_to);
	if (rc == SQLITE_DONE)
		rc = fill_from_chunks(chart, minutes_to, b);
	return rc;
}

static int find_ups(struct chart *chart, const char *name)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(
		chart->db, "SELECT id, minute_until, quarter_until FROM ups WHERE name = ?1", -1,
		&s, NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		chart->ups = sqlite3_column_int64(s, 0);
		chart->minute_until = sqlite3_column_int64(s, 1);
		chart->quarter_until = sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static char *print(const struct chart *chart, const struct record_query *query)
{
	const struct u2k_qty_desc *desc = u2k_qty_desc(query->qty);
	char from[WHEN_MAX], to[WHEN_MAX];
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort(); /* out of memory: as xmalloc() */
	when_iso(from, query->from_us);
	when_iso(to, query->to_us);
	fprintf(out,
		"{\"ups\":\"%s\",\"quantity\":\"%s\",\"unit\":\"%s\",\"from\":\"%s\",\"to\":\"%s\","
		"\"step_s\":%lld,\"resolution_s\":%lld,\"points\":[",
		query->ups, desc->name, desc->unit, from, to, (long long)chart->step,
		(long long)chart->resolution);
	for (size_t i = 0; i < chart->n; i++) {
		const struct bucket *b = &chart->buckets[i];

		fprintf(out, "%s[%lld,", i ? "," : "",
			(long long)(chart->start + (int64_t)i * chart->step));
		if (b->weight == 0)
			fputs("null,null,null]", out);
		else
			fprintf(out, "%.7g,%.7g,%.7g]", pack_value(chart->row, b->min),
				pack_value(chart->row, b->total / b->weight),
				pack_value(chart->row, b->max));
	}
	fputs("]}", out);
	if (fclose(out) != 0)
		abort();
	return text;
}

int bands_answer(sqlite3 *db, const struct record_query *query, char **text)
{
	int64_t from = query->from_us / U2K_SEC, to = (query->to_us + U2K_SEC - 1) / U2K_SEC;
	struct chart chart = { .db = db, .row = pack_find(query->qty) };
	int rc;

	chart.step = (to - from + query->points - 1) / query->points;
	chart.start = from - from % chart.step;
	chart.n = (size_t)((to - chart.start + chart.step - 1) / chart.step);
	chart.end = chart.start + (int64_t)chart.n * chart.step;
	chart.buckets = xcalloc(chart.n, sizeof(*chart.buckets));
	rc = find_ups(&chart, query->ups);
	if (rc == SQLITE_DONE && chart.ups)
		rc = fill(&chart);
	if (rc == SQLITE_DONE)
		*text = print(&chart, query);
	free(chart.buckets);
	return rc;
}
