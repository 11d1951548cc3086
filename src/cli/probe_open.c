#include "cli/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/cli.h"
#include "link/url.h"
#include "ups/pieces.h"
#include "util/util.h"

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

const char *probe_sysfs(void)
{
	return from_environment("UPS2000_SYSFS");
}

const char *probe_dev(void)
{
	return from_environment("UPS2000_DEV");
}

/* Who holds the port decides what to do about it. */
static void advise_holder(const char *reason)
{
	const char *daemon = strstr(reason, ": ups2000d (pid ");

	if (!daemon)
		return;
	advise("\"ups2000 status\" shows what that daemon reads. To probe, stop it (systemctl stop");
	advise("ups2000d, or kill %d), and start it again afterwards",
	       atoi(daemon + strlen(": ups2000d (pid ")));
}

struct wire *probe_open(const struct cli *cli, const char *port, struct capture *record, int *code)
{
	struct wire_config config = {
		.port = port,
		.baud = cli->baud ? cli->baud : 9600,
		.unit_id = cli->unit_id ? cli->unit_id : 1,
		.filler_addr = piece_address(1024, cli->number ? cli->number : 1),
		.sysfs = probe_sysfs(),
		.record = record,
	};
	enum link_state state = LINK_REFUSED;
	char reason[512] = "";
	struct link_url url;
	struct wire *wire;

	*code = EXIT_USAGE;
	if (!link_url_parse(port, &url, reason, sizeof(reason))) {
		complain("%s", reason);
		return NULL;
	}
	if (!link_baud_ok(config.baud)) {
		complain("%u baud is no speed a serial port can be asked for; UPS2000s talk 9600",
			 config.baud);
		return NULL;
	}
	wire = wire_open(&config, &state, reason, sizeof(reason));
	if (wire) {
		*code = EXIT_OK;
		return wire;
	}
	if (!strcmp(reason, "interrupted")) {
		*code = EXIT_INTERRUPTED;
		return NULL;
	}
	complain("%s", reason);
	advise_holder(reason);
	*code = state == LINK_REFUSED && url.kind == LINK_SERIAL ? EXIT_REFUSED : EXIT_UNREACHABLE;
	return NULL;
}

static bool shown;

static void show_progress(void *user, const char *text)
{
	(void)user;
	fprintf(stderr, "\r\033[K%s …", text);
	fflush(stderr);
	shown = true;
}

void probe_progress_end(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}

struct survey_config probe_config(const struct cli *cli)
{
	const char *term = getenv("TERM");
	bool tty = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;

	return (struct survey_config){
		.unit_id = cli->unit_id ? cli->unit_id : 1,
		.number = cli->number ? cli->number : 1,
		.baud = cli->baud ? cli->baud : 9600,
		.timing = true,
		.progress = tty ? show_progress : NULL,
	};
}

char *probe_conf(const char *port, const struct survey *survey)
{
	char *unit =
		survey->unit_id != 1 ? xasprintf(" unit-id = %u", survey->unit_id) : xstrdup("");
	char *number =
		survey->number != 1 ? xasprintf(" number = %u", survey->number) : xstrdup("");
	char *serial = *survey->identity.esn && !strpbrk(survey->identity.esn, "\"\\$")
			       ? xasprintf(" serial = \"%s\"", survey->identity.esn)
			       : xstrdup("");
	char *conf = xasprintf("ups \"ups\" { port = \"%s\"%s%s%s }", port, unit, number, serial);

	free(unit);
	free(number);
	free(serial);
	return conf;
}

void probe_tell_ups(const struct survey *s)
{
	const uint16_t *rating = survey_register(s, 9009);

	printf("  UPS       %s, firmware %s, serial %s", s->identity.model,
	       *s->identity.firmware ? s->identity.firmware : "?",
	       *s->identity.esn ? s->identity.esn : "?");
	if (rating)
		printf(", %.1f kVA", *rating / 10.0);
	printf("\n  commands  %s\n",
	       s->gate == U2K_GATE_OPEN ? "possible" : u2k_gate_text(s->gate));
}
