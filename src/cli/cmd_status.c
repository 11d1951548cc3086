#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/term.h"
#include "cli/view.h"

static int freshness(const json_t *ups)
{
	const char *availability = json_string_value(json_object_get(ups, "availability"));

	return availability && !strcmp(availability, "fresh") ? EXIT_OK : EXIT_TEMPORARY;
}

static void print_ups(const struct cli *cli, const json_t *ups)
{
	unsigned columns, rows;
	struct page page;

	term_size(&columns, &rows);
	page_init(&page, cli->color, cli->utf8, columns > 100 ? 100 : columns);
	view_ups(&page, ups, 0, false, false);
	fputs(page.text, stdout);
	page_close(&page);
}

/* One UPS into *ups. */
static int fetch(struct cli *cli, const char *name, json_t **ups)
{
	char *escaped = ask_escape(name);
	int code = askf(cli, ups, "/api/v1/ups/%s", escaped);

	free(escaped);
	return code;
}

static int show_one(struct cli *cli)
{
	json_t *ups;
	char *name;
	int code = ask_ups(cli, 0, &name);

	if (code)
		return code;
	code = fetch(cli, name, &ups);
	free(name);
	if (code)
		return code;
	if (cli->json)
		ask_print(cli, ups);
	else
		print_ups(cli, ups);
	code = freshness(ups);
	json_decref(ups);
	return code;
}

/* All of them: with --json always a list, however many there are. */
static int show_all(struct cli *cli)
{
	json_t *answer, *summary, *all = json_array();
	size_t i;
	int code = ask(cli, "/api/v1/ups", &answer);

	if (code) {
		json_decref(all);
		return code;
	}
	json_array_foreach(json_object_get(answer, "ups"), i, summary)
	{
		const char *name = json_string_value(json_object_get(summary, "name"));
		json_t *ups;
		int failed = fetch(cli, name ? name : "", &ups);

		if (failed) {
			code = failed;
			break;
		}
		if (freshness(ups) != EXIT_OK)
			code = EXIT_TEMPORARY;
		if (!cli->json && i > 0)
			putchar('\n');
		if (!cli->json)
			print_ups(cli, ups);
		json_array_append_new(all, ups);
	}
	if (cli->json) {
		json_t *object = json_pack("{s:O}", "ups", all);

		ask_print(cli, object);
		json_decref(object);
	} else if (json_array_size(all) == 0 && code == EXIT_OK) {
		complain("the daemon has no UPS configured");
		advise("add an ups section to its configuration; see ups2000.conf(5)");
		code = EXIT_UNKNOWN;
	}
	json_decref(all);
	json_decref(answer);
	return code;
}

int cmd_status(struct cli *cli)
{
	return cli->n_args > 0 ? show_one(cli) : show_all(cli);
}
