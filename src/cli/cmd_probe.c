#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cli/ask.h"
#include "cli/probe.h"
#include "util/util.h"
#include <ups2000/error.h>

static void now_text(char *out, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Opened before anything is asked: a file that cannot be written is no news to get at the end. */
static FILE *open_record(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		complain("--record %s: %s", path, strerror(errno));
	return out;
}

/* The file is closed in any case. */
static bool write_record(const struct cli *cli, FILE *out, struct capture *capture,
			 const struct u2k_identity *identity)
{
	if (cli->hide_serial)
		capture_hide(capture, identity->esn);
	snprintf(capture->model, sizeof(capture->model), "%s",
		 *identity->model ? identity->model : "unknown");
	snprintf(capture->firmware, sizeof(capture->firmware), "%s",
		 *identity->firmware ? identity->firmware : "unknown");
	bool ok = capture_write(capture, out);
	int err = errno;

	if (fclose(out) != 0 && ok) {
		ok = false;
		err = errno;
	}
	if (!ok)
		complain("--record %s: %s", cli->record, strerror(err));
	return ok;
}

static int verdict(const struct survey *s)
{
	if (s->interrupted)
		return EXIT_INTERRUPTED;
	if (*s->lost)
		return EXIT_UNREACHABLE;
	return s->answered ? EXIT_OK : EXIT_TEMPORARY;
}

static int survey_all(struct cli *cli, const char *port, struct wire *wire,
		      const struct survey_config *config, struct u2k_identity *identity)
{
	struct survey *s = xcalloc(1, sizeof(*s));
	int code;

	survey_run(s, wire, config);
	probe_progress_end();
	*identity = s->identity;
	if (cli->json) {
		json_t *json = probe_json(port, s);

		ask_print(cli, json);
		json_decref(json);
	} else {
		probe_text(cli, port, s);
	}
	code = verdict(s);
	if (code == EXIT_TEMPORARY)
		complain("%s: the UPS does not answer", port);
	else if (code == EXIT_UNREACHABLE)
		complain("%s: the port went away", port);
	else if (code == EXIT_INTERRUPTED)
		complain("interrupted; what was found until then is shown");
	free(s);
	return code;
}

static int diff(struct cli *cli, const char *port, struct wire *wire,
		const struct survey_config *config, struct u2k_identity *identity)
{
	struct survey *s = xcalloc(1, sizeof(*s));
	int code;

	survey_identify(s, wire, config);
	probe_progress_end();
	*identity = s->identity;
	code = verdict(s);
	if (code == EXIT_OK)
		code = probe_diff(cli, port, wire, config);
	else
		complain("%s: the UPS does not answer; \"ups2000 probe %s\" tells more", port,
			 port);
	free(s);
	return code;
}

static int check_options(const struct cli *cli)
{
	const char *wrong = NULL;

	if (cli->wait_s && !cli->diff)
		wrong = "--wait belongs to --diff";
	else if (cli->hide_serial && !cli->record)
		wrong = "--hide-serial belongs to --record";
	else if (cli->diff && cli->no_input && !cli->wait_s)
		wrong = "--diff with --no-input needs --wait SECONDS";
	if (!wrong)
		return EXIT_OK;
	complain("%s", wrong);
	advise("\"ups2000 help probe\" tells more");
	return EXIT_USAGE;
}

int cmd_probe(struct cli *cli)
{
	const char *port = cli->args[0];
	struct survey_config config = probe_config(cli);
	struct u2k_identity identity = { 0 };
	struct capture capture;
	struct wire *wire;
	FILE *record = NULL;
	int code = check_options(cli);

	if (code)
		return code;
	capture_init(&capture);
	now_text(capture.date, sizeof(capture.date));
	snprintf(capture.tool, sizeof(capture.tool), "ups2000 %s", U2K_VERSION);
	wire = probe_open(cli, port, cli->record ? &capture : NULL, &code);
	if (!wire)
		return code;
	if (cli->record) {
		record = open_record(cli->record);
		if (!record) {
			wire_close(wire);
			return EXIT_FAILED;
		}
	}
	code = cli->diff ? diff(cli, port, wire, &config, &identity)
			 : survey_all(cli, port, wire, &config, &identity);
	wire_close(wire);
	if (record && !write_record(cli, record, &capture, &identity) && code == EXIT_OK)
		code = EXIT_FAILED;
	capture_close(&capture);
	return code;
}
