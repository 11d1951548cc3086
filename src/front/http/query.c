#include "front/http/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "front/http/route.h"
#include "util/util.h"

static const int64_t DAY_US = 86400 * U2K_SEC;
static const int64_t TIME_MAX_US = INT64_C(253402300800) * 1000000; /* 10000-01-01 */

/* Exactly n digits within limits. */
static bool digits(const char **text, int n, int min, int max, int *out)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if ((*text)[i] < '0' || (*text)[i] > '9')
			return false;
		value = value * 10 + (*text)[i] - '0';
	}
	if (value < min || value > max)
		return false;
	*text += n;
	*out = value;
	return true;
}

static bool skip(const char **text, const char *any)
{
	if (!**text || !strchr(any, **text))
		return false;
	(*text)++;
	return true;
}

/* ".123": as microseconds; more digits than six are dropped. */
static int64_t fraction(const char **text)
{
	int64_t us = 0, unit = 100000;

	while (**text >= '0' && **text <= '9') {
		us += unit * (**text - '0');
		unit /= 10;
		(*text)++;
	}
	return us;
}

/* "Z", "+01:00", "-0530" or nothing. */
static bool offset(const char **text, int *seconds)
{
	int hours, minutes, sign;

	*seconds = 0;
	if (!**text || skip(text, "Zz"))
		return true;
	sign = **text == '-' ? -1 : 1;
	if (!skip(text, "+- ") || !digits(text, 2, 0, 14, &hours))
		return false;
	skip(text, ":");
	if (!digits(text, 2, 0, 59, &minutes))
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool parse_iso(const char *text, int64_t *wall_us)
{
	struct tm tm = { 0 };
	int64_t us = 0;
	int east = 0, month, leap;
	time_t seconds;

	if (!digits(&text, 4, 1970, 9999, &tm.tm_year) || !skip(&text, "-") ||
	    !digits(&text, 2, 1, 12, &tm.tm_mon) || !skip(&text, "-") ||
	    !digits(&text, 2, 1, 31, &tm.tm_mday))
		return false;
	if (*text) {
		if (!skip(&text, "Tt ") || !digits(&text, 2, 0, 23, &tm.tm_hour) ||
		    !skip(&text, ":") || !digits(&text, 2, 0, 59, &tm.tm_min))
			return false;
		if (skip(&text, ":") && !digits(&text, 2, 0, 60, &tm.tm_sec))
			return false;
		if (skip(&text, ".,"))
			us = fraction(&text);
		if (!offset(&text, &east) || *text)
			return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon--;
	month = tm.tm_mon;
	leap = tm.tm_sec == 60;
	tm.tm_sec -= leap;
	seconds = timegm(&tm) + leap;
	if (tm.tm_mon != month)
		return false; /* the 31st of a shorter month */
	*wall_us = (seconds - east) * U2K_SEC + us;
	return *wall_us >= 0;
}

bool query_parse_time(const char *text, int64_t *wall_us)
{
	const char *p = text;
	int64_t us = 0, seconds = 0;

	while (*p >= '0' && *p <= '9' && seconds <= TIME_MAX_US / U2K_SEC)
		seconds = seconds * 10 + (*p++ - '0');
	if (p == text)
		return false;
	if (*p == '.') {
		p++;
		us = fraction(&p);
	}
	if (*p)
		return parse_iso(text, wall_us);
	if (seconds >= TIME_MAX_US / U2K_SEC)
		return false;
	*wall_us = seconds * U2K_SEC + us;
	return true;
}

static bool fail(struct query_error *error, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(struct query_error *error, const char *field, const char *format, ...)
{
	va_list args;

	error->field = field;
	va_start(args, format);
	vsnprintf(error->detail, sizeof(error->detail), format, args);
	va_end(args);
	return false;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (!*text || strlen(text) > 19)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	if (value < 1 || value > max)
		return false;
	*out = value;
	return true;
}

static bool get_number(const struct route *route, const char *name, uint64_t max, uint64_t *out,
		       struct query_error *error)
{
	const char *text = route_param(route, name);

	if (!text || parse_number(text, max, out))
		return true;
	return fail(error, name, "must be 1 to %llu, not \"%.40s\"", (unsigned long long)max, text);
}

static bool get_time(const struct route *route, const char *name, int64_t *out,
		     struct query_error *error)
{
	const char *text = route_param(route, name);

	if (!text || query_parse_time(text, out))
		return true;
	return fail(error, name,
		    "must be a time, as seconds since 1970 or like 2026-01-31T12:00:00Z, not "
		    "\"%.40s\"",
		    text);
}

/* Which quantities are recorded is the record keeper's business; here it only has to be one. */
static bool get_quantity(const struct route *route, struct record_query *query,
			 struct query_error *error)
{
	const char *text = route_param(route, "quantity");

	if (!text)
		return fail(error, "quantity", "is missing: the name of a quantity, like ups.load");
	for (enum u2k_qty q = 0; q < U2K_QTY_COUNT; q++) {
		if (strcmp(u2k_qty_desc(q)->name, text) == 0) {
			query->qty = q;
			return true;
		}
	}
	return fail(error, "quantity", "there is no quantity \"%.60s\"", text);
}

/* What each kind of record may be asked by. */
enum {
	BY_QUANTITY = 1 << 0,
	BY_TIME = 1 << 1,
	BY_POINTS = 1 << 2,
	BY_ROWS = 1 << 3,
	BY_UPS = 1 << 4
};

static const unsigned kinds[] = {
	[RECORD_HISTORY] = BY_QUANTITY | BY_TIME | BY_POINTS,
	[RECORD_OUTAGES] = BY_TIME | BY_ROWS | BY_UPS,
	[RECORD_TESTS] = BY_TIME | BY_ROWS | BY_UPS,
	[RECORD_LOG] = BY_TIME | BY_ROWS | BY_UPS,
};

static const struct {
	const char *name;
	unsigned by;
} params[] = {
	{ "quantity", BY_QUANTITY }, { "from", BY_TIME },  { "to", BY_TIME },
	{ "points", BY_POINTS },     { "limit", BY_ROWS }, { "before", BY_ROWS },
	{ "ups", BY_UPS },
};

static bool known_params(const struct route *route, enum record_kind kind,
			 struct query_error *error)
{
	for (size_t i = 0; i < route->n_params; i++) {
		size_t p = 0;

		while (p < ARRAY_SIZE(params) && strcmp(params[p].name, route->params[i].name) != 0)
			p++;
		if (p < ARRAY_SIZE(params) && params[p].by & kinds[kind])
			continue;
		return fail(error, route->params[i].name, "no such parameter: \"%s\"",
			    route->params[i].name);
	}
	return true;
}

bool query_parse(const struct route *route, enum record_kind kind, int64_t now_us,
		 struct record_query *query, struct query_error *error)
{
	uint64_t points = RECORD_POINTS, limit = RECORD_ROWS, before = 0;
	int64_t from = -1, to = now_us;

	*query = (struct record_query){ .kind = kind, .now_us = now_us };
	if (!known_params(route, kind, error))
		return false;
	if (kind == RECORD_HISTORY && !get_quantity(route, query, error))
		return false;
	if (!get_number(route, "points", RECORD_POINTS_MAX, &points, error) ||
	    !get_number(route, "limit", RECORD_ROWS_MAX, &limit, error) ||
	    !get_number(route, "before", INT64_MAX, &before, error) ||
	    !get_time(route, "from", &from, error) || !get_time(route, "to", &to, error))
		return false;
	if (from < 0) /* a day of a quantity; of the rest, all there is */
		from = kind == RECORD_HISTORY && to > DAY_US ? to - DAY_US : 0;
	if (from >= to)
		return fail(error, "from", "must be before \"to\"%s",
			    route_param(route, "to") ? "" : ", which is now");
	query->from_us = from;
	query->to_us = to;
	query->points = (unsigned)points;
	query->limit = (unsigned)limit;
	query->before = before;
	return true;
}
