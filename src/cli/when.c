#include "cli/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void when_duration(char *out, size_t size, double seconds)
{
	long long s = seconds > 0 && seconds < 1e12 ? (long long)(seconds + 0.5) : 0;

	if (s < 120)
		snprintf(out, size, "%lld s", s);
	else if (s < 3600)
		snprintf(out, size, "%lld min", s / 60);
	else if (s < 86400)
		snprintf(out, size, "%lld h %lld min", s / 3600, s / 60 % 60);
	else
		snprintf(out, size, "%lld d %lld h", s / 86400, s / 3600 % 24);
}

/* Date, and perhaps a time behind it; *rest is what follows. */
static bool parse_date(const char *text, struct tm *tm, const char **rest)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					       "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		memset(tm, 0, sizeof(*tm));
		tm->tm_isdst = -1;
		*rest = strptime(text, formats[i], tm);
		if (*rest && (**rest == '\0' || **rest == '.' || **rest == 'Z'))
			return true;
	}
	return false;
}

/* ".123" as microseconds; moves on. */
static int64_t parse_fraction(const char **text)
{
	int64_t us = 0, unit = 100000;

	if (**text != '.')
		return 0;
	for ((*text)++; **text >= '0' && **text <= '9'; (*text)++) {
		us += (**text - '0') * unit;
		unit /= 10;
	}
	return us;
}

bool when_parse_utc(const char *text, int64_t *wall_us)
{
	struct tm tm;
	const char *rest;
	int64_t fraction;

	if (!parse_date(text, &tm, &rest))
		return false;
	fraction = parse_fraction(&rest);
	if (strcmp(rest, "Z") != 0)
		return false;
	*wall_us = (int64_t)timegm(&tm) * 1000000 + fraction;
	return true;
}

static bool parse_ago(const char *text, int64_t now_us, int64_t *wall_us)
{
	static const struct {
		char letter;
		int seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9')
		return false;
	n = strtoul(text, &end, 10);
	if (!*end || end[1] || n > 1000000)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].letter != *end)
			continue;
		*wall_us = now_us - (int64_t)n * units[i].seconds * 1000000;
		return true;
	}
	return false;
}

bool when_parse_since(const char *text, int64_t now_us, int64_t *wall_us)
{
	struct tm tm;
	const char *rest;

	if (parse_ago(text, now_us, wall_us) || when_parse_utc(text, wall_us))
		return true;
	if (!parse_date(text, &tm, &rest) || *rest)
		return false;
	*wall_us = (int64_t)mktime(&tm) * 1000000;
	return true;
}

void when_local(char *out, size_t size, int64_t wall_us, bool date)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(out, size, date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &tm);
}
