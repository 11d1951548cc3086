#include "cli/cli.h"

#include <stdio.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/term.h"
#include "cli/view.h"

int cmd_list(struct cli *cli)
{
	unsigned columns, rows;
	struct page page;
	json_t *answer, *ups;
	size_t i;
	int code = ask(cli, "/api/v1/ups", &answer);

	if (code)
		return code;
	if (cli->json) {
		ask_print(cli, answer);
		json_decref(answer);
		return EXIT_OK;
	}
	term_size(&columns, &rows);
	page_init(&page, cli->color, cli->utf8, columns);
	view_list_head(&page);
	json_array_foreach(json_object_get(answer, "ups"), i, ups) view_list_line(&page, ups, 0);
	fputs(page.text, stdout);
	page_close(&page);
	json_decref(answer);
	return EXIT_OK;
}
