#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/plot.h"
#include "cli/term.h"
#include "cli/view.h"
#include "cli/when.h"
#include "util/util.h"

enum { CHART_ROWS = 12, SPARK = 32, POINTS_MAX = 5001 };

/* What "ups2000 history" without a quantity shows. */
static const char *const overview[] = {
	"input.voltage",   "input.frequency", "output.voltage",	 "output.realpower", "ups.load",
	"battery.voltage", "battery.charge",  "battery.runtime", "ups.temperature",
};

static const char *const quantities[] = {
	"input.voltage",  "input.frequency", "bypass.voltage",	 "bypass.frequency",
	"output.voltage", "output.current",  "output.frequency", "output.realpower",
	"output.power",	  "ups.load",	     "ups.temperature",	 "battery.voltage",
	"battery.charge", "battery.runtime",
};

struct history {
	struct cli *cli;
	char *name; /* of the UPS, escaped */
	int64_t from_us, to_us;
	unsigned points;
	struct plot_point *got;
	size_t n_got;
};

static bool is_quantity(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(quantities); i++)
		if (!strcmp(quantities[i], word))
			return true;
	return false;
}

static int unknown_quantity(const char *word)
{
	complain("\"%s\" is not recorded", word);
	advise("recorded are voltage and frequency of input, bypass and output, output.current,");
	advise("output.realpower, output.power, ups.load, ups.temperature, battery.voltage,");
	advise("battery.charge and battery.runtime");
	return EXIT_UNKNOWN;
}

static double number_at(const json_t *point, size_t i)
{
	const json_t *value = json_array_get(point, i);

	return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* The points of an answer; what is not of this form is left out. */
static void take_points(struct history *h, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "points"), *point;
	size_t i;

	h->n_got = 0;
	json_array_foreach(list, i, point)
	{
		struct plot_point *p = &h->got[h->n_got];

		if (h->n_got == POINTS_MAX || !json_is_integer(json_array_get(point, 0)))
			break;
		*p = (struct plot_point){ json_integer_value(json_array_get(point, 0)),
					  number_at(point, 1), number_at(point, 2),
					  number_at(point, 3) };
		if (isnan(p->min) || isnan(p->max))
			p->mean = (double)NAN;
		h->n_got++;
	}
}

static int fetch(struct history *h, const char *quantity, unsigned points, json_t **answer)
{
	int code = askf(h->cli, answer,
			"/api/v1/ups/%s/history?quantity=%s&from=%lld&to=%lld&points=%u", h->name,
			quantity, (long long)(h->from_us / 1000000),
			(long long)(h->to_us / 1000000), points);

	if (!code)
		take_points(h, *answer);
	return code;
}

/* ---- one quantity ---- */

static void print_csv(const struct history *h, const char *quantity)
{
	printf("time,%s min,%s mean,%s max\n", quantity, quantity, quantity);
	for (size_t i = 0; i < h->n_got; i++) {
		const struct plot_point *p = &h->got[i];

		if (isnan(p->mean))
			printf("%lld,,,\n", (long long)p->second);
		else
			printf("%lld,%.7g,%.7g,%.7g\n", (long long)p->second, p->min, p->mean,
			       p->max);
	}
}

static void print_table(const struct history *h, const char *unit)
{
	char when[32];

	printf("%-19s %12s %12s %12s  %s\n", "TIME", "LEAST", "MEAN", "GREATEST", unit);
	for (size_t i = 0; i < h->n_got; i++) {
		const struct plot_point *p = &h->got[i];

		when_local(when, sizeof(when), p->second * 1000000, true);
		if (isnan(p->mean))
			printf("%-19s %12s %12s %12s\n", when, "-", "-", "-");
		else
			printf("%-19s %12.1f %12.1f %12.1f\n", when, p->min, p->mean, p->max);
	}
}

static void print_chart(const struct history *h, const char *quantity, const char *unit,
			double resolution_s)
{
	struct plot_point total = plot_total(h->got, h->n_got);
	unsigned columns, rows;
	char grain[32];
	struct page page;

	term_size(&columns, &rows);
	page_init(&page, h->cli->color, h->cli->utf8, columns > 160 ? 160 : columns);
	page_tone(&page, TONE_BOLD, "%s", quantity);
	if (!isnan(total.mean)) {
		when_duration(grain, sizeof(grain), resolution_s);
		page_add(&page, "  %.1f to %.1f %s, on average %.1f %s", total.min, total.max, unit,
			 total.mean, unit);
		page_tone(&page, TONE_DIM, "  (kept each %s)", grain);
	}
	page_add(&page, "\n");
	plot_chart(&page, h->got, h->n_got, CHART_ROWS, unit);
	fputs(page.text, stdout);
	page_close(&page);
}

static int show_quantity(struct history *h, const char *quantity)
{
	unsigned points = h->points ? h->points : h->cli->csv || h->cli->table ? 96 : 500;
	json_t *answer;
	const char *unit;
	int code = fetch(h, quantity, points, &answer);

	if (code)
		return code;
	unit = json_string_value(json_object_get(answer, "unit"));
	if (!unit)
		unit = "";
	if (h->cli->json)
		ask_print(h->cli, answer);
	else if (h->cli->csv)
		print_csv(h, quantity);
	else if (h->cli->table || !h->cli->tty || h->n_got == 0)
		print_table(h, unit);
	else
		print_chart(h, quantity, unit,
			    json_number_value(json_object_get(answer, "resolution_s")));
	json_decref(answer);
	return EXIT_OK;
}

/* ---- all of a UPS ---- */

static void put_row(struct page *page, const struct history *h, const char *quantity,
		    const char *unit)
{
	struct plot_point total = plot_total(h->got, h->n_got);

	page_add(page, "%-18s", quantity);
	if (isnan(total.mean)) {
		page_tone(page, TONE_DIM, "%9s %9s %9s\n", "-", "-", "-");
		return;
	}
	page_add(page, "%9.1f %9.1f %9.1f %-4s ", total.min, total.mean, total.max, unit);
	plot_spark(page, h->got, h->n_got, SPARK);
	page_add(page, "\n");
}

static int put_overview(struct history *h, struct page *page, json_t *all)
{
	page_tone(page, TONE_DIM, "%-18s%9s %9s %9s\n", "QUANTITY", "LEAST", "MEAN", "GREATEST");
	for (size_t i = 0; i < ARRAY_SIZE(overview); i++) {
		const char *unit;
		json_t *answer;
		int code = fetch(h, overview[i], h->points ? h->points : SPARK * 4, &answer);

		if (code)
			return code;
		unit = json_string_value(json_object_get(answer, "unit"));
		put_row(page, h, overview[i], unit ? unit : "");
		json_array_append_new(all, answer);
	}
	return EXIT_OK;
}

static int show_all(struct history *h)
{
	json_t *all = json_array(), *ups = NULL, *object;
	unsigned columns, rows;
	struct page page;
	int code;

	term_size(&columns, &rows);
	page_init(&page, h->cli->color, h->cli->utf8, columns);
	code = askf(h->cli, &ups, "/api/v1/ups/%s", h->name);
	if (!code)
		code = put_overview(h, &page, all);
	if (!code && h->cli->json) {
		object = json_pack("{s:O, s:O}", "history", all, "energy",
				   json_object_get(ups, "energy"));
		ask_print(h->cli, object);
		json_decref(object);
	} else if (!code) {
		page_add(&page, "\n");
		view_energy(&page, json_object_get(ups, "energy"));
		fputs(page.text, stdout);
	}
	page_close(&page);
	json_decref(ups);
	json_decref(all);
	return code;
}

static bool get_time(const char *option, const char *text, int64_t now_us, int64_t *wall_us)
{
	if (!text || when_parse_since(text, now_us, wall_us))
		return true;
	complain("%s cannot be \"%s\"", option, text);
	advise("give how long ago (30s, 10m, 2h, 7d) or a time (2026-01-31 12:00)");
	return false;
}

int cmd_history(struct cli *cli)
{
	struct history h = { .cli = cli, .points = cli->points };
	const char *quantity = NULL;
	char *name = NULL;
	int code;

	h.to_us = wall_us();
	if (!get_time("--to", cli->to, h.to_us, &h.to_us))
		return EXIT_USAGE;
	h.from_us = h.to_us - INT64_C(86400) * 1000000;
	if (!get_time("--from", cli->since, wall_us(), &h.from_us))
		return EXIT_USAGE;
	if (h.from_us / 1000000 >= h.to_us / 1000000) {
		complain("--from must be before --to");
		return EXIT_USAGE;
	}
	/* a quantity is told from a UPS by its name */
	if (cli->n_args > 0 && is_quantity(cli->args[cli->n_args - 1]))
		quantity = cli->args[--cli->n_args];
	else if (cli->n_args == 2)
		return unknown_quantity(cli->args[1]);
	else if (cli->n_args == 1 && strchr(cli->args[0], '.'))
		return unknown_quantity(cli->args[0]);
	if (cli->csv && !quantity) {
		complain("--csv needs a quantity");
		advise("ups2000 history [UPS] ups.load --csv");
		return EXIT_USAGE;
	}
	code = ask_ups(cli, 0, &name);
	if (code)
		return code;
	if (cli->n_args > 0) { /* with one UPS, ask_ups() passes over what is no name */
		complain("there is no UPS \"%s\"", cli->args[0]);
		advise("\"ups2000 list\" shows what there is");
		free(name);
		return EXIT_UNKNOWN;
	}
	h.name = ask_escape(name);
	h.got = xcalloc(POINTS_MAX, sizeof(*h.got));
	code = quantity ? show_quantity(&h, quantity) : show_all(&h);
	free(h.got);
	free(h.name);
	free(name);
	return code;
}
