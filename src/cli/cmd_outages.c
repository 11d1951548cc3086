#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/term.h"
#include "cli/when.h"
#include "util/util.h"

enum { DEFAULT_ROWS = 20 };

/* A number for a table, or a dash. */
static void put_number(struct page *page, const json_t *row, const char *key, int width,
		       int decimals, double divisor, const char *unit)
{
	const json_t *value = json_object_get(row, key);

	if (json_is_number(value))
		page_add(page, " %*.*f%s", width - (int)strlen(unit), decimals,
			 json_number_value(value) / divisor, unit);
	else
		page_add(page, " %*s", width, "-");
}

static void put_start(struct page *page, const json_t *row)
{
	const char *start = json_string_value(json_object_get(row, "start"));
	const char *ups = json_string_value(json_object_get(row, "ups"));
	char when[32] = "?", length[32];
	int64_t wall;

	if (start && when_parse_utc(start, &wall))
		when_local(when, sizeof(when), wall, true);
	when_duration(length, sizeof(length),
		      json_number_value(json_object_get(row, "duration_s")));
	page_tone(page, TONE_BOLD, "%-14s", ups ? ups : "?");
	page_add(page, "  %-19s %-10s", when, length);
}

/* ---- outages ---- */

static void put_outage(struct page *page, const json_t *row)
{
	double unseen = json_number_value(json_object_get(row, "unseen_s"));
	const json_t *actions = json_object_get(row, "actions"), *action;
	char length[32];
	size_t i;

	put_start(page, row);
	put_number(page, row, "depth_percent", 7, 0, 1, " %");
	put_number(page, row, "lowest_charge_percent", 7, 0, 1, " %");
	put_number(page, row, "lowest_voltage", 9, 1, 1, " V");
	put_number(page, row, "energy_j", 10, 1, 3600, " Wh");
	if (json_is_null(json_object_get(row, "end")))
		page_tone(page, TONE_BAD, "  still on battery");
	if (json_is_true(json_object_get(row, "low_battery")))
		page_tone(page, TONE_WARN, "  low battery");
	if (unseen >= 1) {
		when_duration(length, sizeof(length), unseen);
		page_tone(page, TONE_DIM, "  %s unseen", length);
	}
	page_add(page, "\n");
	json_array_foreach(actions, i, action)
	{
		const char *text = json_string_value(json_object_get(action, "text"));

		page_tone(page, TONE_DIM, "    %s\n", text ? text : "?");
	}
}

static void put_outages(struct page *page, const json_t *list)
{
	const json_t *row;
	size_t i;

	page_tone(page, TONE_DIM, "%-14s  %-19s %-10s %7s %7s %9s %10s\n", "UPS", "BEGAN", "LENGTH",
		  "USED", "LOWEST", "VOLTAGE", "ENERGY");
	json_array_foreach(list, i, row) put_outage(page, row);
}

/* ---- tests ---- */

static void put_test(struct page *page, const json_t *row)
{
	const char *result = json_string_value(json_object_get(row, "result"));
	const char *reason = json_string_value(json_object_get(row, "reason"));
	enum tone tone = TONE_PLAIN;

	if (result && !strcmp(result, "failed"))
		tone = TONE_BAD;
	else if (result && !strcmp(result, "passed"))
		tone = TONE_GOOD;
	put_start(page, row);
	put_number(page, row, "lowest_charge_percent", 7, 0, 1, " %");
	put_number(page, row, "lowest_voltage", 9, 1, 1, " V");
	put_number(page, row, "energy_j", 10, 1, 3600, " Wh");
	page_tone(page, tone, "  %s", result ? result : "runs");
	if (reason)
		page_tone(page, TONE_DIM, ": %s", reason);
	page_add(page, "\n");
}

static void put_tests(struct page *page, const json_t *list)
{
	const json_t *row;
	size_t i;

	page_tone(page, TONE_DIM, "%-14s  %-19s %-10s %7s %9s %10s  %s\n", "UPS", "BEGAN", "LENGTH",
		  "LOWEST", "VOLTAGE", "ENERGY", "RESULT");
	json_array_foreach(list, i, row) put_test(page, row);
}

/* ---- both ---- */

static int show(struct cli *cli, const char *what, void (*put)(struct page *, const json_t *))
{
	unsigned limit = cli->lines ? cli->lines : DEFAULT_ROWS;
	int64_t since_us = 0;
	char *name = NULL, *of = NULL;
	unsigned columns, rows;
	struct page page;
	json_t *answer, *list;
	int code;

	if (cli->since && !when_parse_since(cli->since, wall_us(), &since_us)) {
		complain("--from cannot be \"%s\"", cli->since);
		advise("give how long ago (30s, 10m, 2h, 7d) or a time (2026-01-31 12:00)");
		return EXIT_USAGE;
	}
	if (cli->n_args > 0) {
		code = ask_ups(cli, 0, &name);
		if (code)
			return code;
		of = ask_escape(name);
	}
	code = askf(cli, &answer, "/api/v1/%s%s%s%s?limit=%u&from=%lld", of ? "ups/" : "",
		    of ? of : "", of ? "/" : "", what, limit > 1000 ? 1000 : limit,
		    since_us > 0 ? (long long)(since_us / 1000000) : 0);
	free(of);
	free(name);
	if (code)
		return code;
	list = json_object_get(answer, what);
	if (cli->json) {
		ask_print(cli, answer);
	} else if (json_array_size(list) == 0) {
		printf("no %s recorded\n", what);
	} else {
		term_size(&columns, &rows);
		page_init(&page, cli->color, cli->utf8, columns);
		put(&page, list);
		fputs(page.text, stdout);
		page_close(&page);
	}
	json_decref(answer);
	return EXIT_OK;
}

int cmd_outages(struct cli *cli)
{
	return show(cli, "outages", put_outages);
}

int cmd_tests(struct cli *cli)
{
	return show(cli, "tests", put_tests);
}
