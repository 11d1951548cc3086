#include "cli/setup.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/probe.h"
#include "cli/scan_port.h"
#include "setup/draft.h"
#include "setup/from_nut.h"
#include "util/util.h"

static const char head[] =
	"Configuration of ups2000d, taken over from NUT by `ups2000 setup --from-nut`.\n"
	"Everything there is: ups2000.conf(5). `ups2000d --check-config` reads it and says what is\n"
	"wrong and where.";

/* The report goes to standard error when the configuration itself goes to standard output. */
struct report {
	const struct cli *cli;
	FILE *out;
	char *path;   /* of the last line */
	json_t *list; /* instead of text */
	size_t left;  /* settings left out */
	struct scan_port *ports;
	size_t n_ports;
};

/* It must not reach a terminal as it is: a file may hold anything. */
static void put_clean(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static void say_text(struct report *r, const struct from_nut_line *line)
{
	if (!r->path || strcmp(r->path, line->path) != 0) {
		free(r->path);
		r->path = xstrdup(line->path);
		fprintf(r->out, "%s\n", line->path);
	}
	fprintf(r->out, "%5d  ", line->line);
	put_clean(r->out, line->setting);
	fprintf(r->out, "\n       %s: ", from_nut_fate_text(line->fate));
	put_clean(r->out, line->what);
	fputc('\n', r->out);
}

static void say(void *user, const struct from_nut_line *line)
{
	struct report *r = user;

	r->left += line->fate == FROM_NUT_LEFT;
	if (!r->list) {
		say_text(r, line);
		return;
	}
	json_t *row = json_pack("{ss si ss* ss ss*}", "file", line->path, "line", line->line,
				"setting", line->setting, "fate", from_nut_fate_text(line->fate),
				"what", line->what);

	json_array_append_new(r->list, row);
}

static char *better_port(void *user, const char *port)
{
	struct report *r = user;

	for (size_t i = 0; i < r->n_ports; i++)
		if (!strcmp(r->ports[i].device, port))
			return xstrdup(scan_best_name(&r->ports[i]));
	return NULL;
}

static void tell_rest(const struct report *r, const struct from_nut_found *found)
{
	if (r->left)
		advise("%zu setting%s left out above: look whether you need %s", r->left,
		       r->left == 1 ? " was" : "s were", r->left == 1 ? "it" : "them");
	if (found->other_upses)
		advise("upsd has to go on for the UPSes left out, and both want port 3493: give one "
		       "of them another (LISTEN, nut { listen }), or keep upsd for all and use its "
		       "driver = ups2000 (docs/nut-driver.md)");
	if (found->upsmon_primary)
		advise("upsmon goes on shutting this host down; a section shutdown would do it "
		       "without upsmon (docs/shutdown.md). Have one of the two, not both");
	if (!found->other_upses)
		advise("NUT's server and driver must not run beside it: systemctl disable --now "
		       "nut-server nut-driver.target");
}

static int finish(const struct cli *cli, struct report *r, struct draft *draft,
		  const struct from_nut_found *found)
{
	char *text = draft_print(draft, head);
	bool shown = cli->dry_run || !strcmp(setup_output(cli), "-");
	int code = EXIT_OK;

	if (!r->list)
		fprintf(r->out, "\n");
	if (!r->list || !shown)
		code = setup_write(cli, text);
	if (code == EXIT_OK && r->list) {
		json_t *json =
			json_pack("{sO ss so}", "settings", r->list, "configuration", text,
				  "written", shown ? json_null() : json_string(setup_output(cli)));

		ask_print(cli, json);
		json_decref(json);
	} else if (code == EXIT_OK) {
		if (!shown)
			printf("Written: %s\n", setup_output(cli));
		fflush(stdout);
		tell_rest(r, found);
		if (!shown)
			setup_advise_start(cli);
	}
	free(text);
	return code;
}

int setup_from_nut(struct cli *cli)
{
	bool shown = cli->dry_run || !strcmp(setup_output(cli), "-");
	struct report r = { .cli = cli, .out = shown ? stderr : stdout };
	struct from_nut job = { .dir = cli->from_nut, .port = better_port, .say = say, .user = &r };
	struct from_nut_found found;
	struct draft draft;
	char error[512];
	int code;

	r.list = cli->json ? json_array() : NULL;
	scan_list(probe_sysfs(), probe_dev(), &r.ports, &r.n_ports);
	draft_init(&draft);
	if (from_nut(&job, &draft, &found, error, sizeof(error))) {
		code = finish(cli, &r, &draft, &found);
	} else {
		fflush(r.out);
		complain("%s", error);
		advise("nothing was written");
		code = EXIT_FAILED;
	}
	draft_close(&draft);
	json_decref(r.list);
	free(r.ports);
	free(r.path);
	return code;
}
