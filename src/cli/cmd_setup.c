#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/probe.h"
#include "cli/prompt.h"
#include "cli/scan_port.h"
#include "cli/setup.h"
#include "daemon/config_check.h"
#include "setup/draft.h"
#include "setup/password.h"
#include "ups/pieces.h"
#include "util/util.h"

enum { TEST_READS = 20 };

static const char head[] =
	"Configuration of ups2000d, made by `ups2000 setup`. Everything there is: ups2000.conf(5).\n"
	"`ups2000d --check-config` reads it and says what is wrong and where.";

/* What was chosen. */
struct choice {
	char *port;
	struct u2k_identity identity;
	char *name, *user;
	char *password; /* to be shown if it was made up */
	bool made_up;
	bool others;	       /* other hosts may watch */
	char *upsmon_password; /* theirs; NULL: none */
	bool shutdown;
};

static void choice_close(struct choice *c)
{
	char *secrets[] = { c->password, c->upsmon_password };

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		if (secrets[i])
			explicit_bzero(secrets[i], strlen(secrets[i]));
		free(secrets[i]);
	}
	free(c->port);
	free(c->name);
	free(c->user);
}

/* ---- the port and what is on it ---- */

/* Ask for the status again and again: does every question get its answer, and how fast? */
static void test_link(const struct cli *cli, struct wire *wire)
{
	uint16_t addr = piece_address(1024, cli->number ? cli->number : 1), regs[WIRE_READ_MAX];
	unsigned good = 0, n = 20;
	int64_t slowest_us = 0;
	struct wire_answer answer;

	if (wire_read(wire, addr, n, 0, regs, &answer) > 0)
		n = 1; /* refused: this firmware gives no registers across gaps */
	for (unsigned i = 0; i < TEST_READS && !wire_interrupted(wire); i++) {
		if (wire_read(wire, addr, n, 0, regs, &answer) == 0)
			good++;
		if (answer.took_us > slowest_us)
			slowest_us = answer.took_us;
	}
	printf("  link      %u of %d questions answered, the slowest in %.0f ms%s\n", good,
	       TEST_READS, (double)slowest_us / 1000.0,
	       good == TEST_READS ? "" : ": the cable or adapter loses data");
}

/* EXIT_OK: a UPS is there, identity filled in. */
static int look_at(struct cli *cli, const char *port, struct u2k_identity *identity)
{
	struct survey_config config = probe_config(cli);
	struct survey *s;
	int code = EXIT_OK;
	struct wire *wire = probe_open(cli, port, NULL, &code);

	if (!wire)
		return code;
	s = xcalloc(1, sizeof(*s));
	survey_identify(s, wire, &config);
	probe_progress_end();
	if (s->interrupted) {
		code = EXIT_INTERRUPTED;
	} else if (!s->identity.known) {
		printf("  UPS       none answers here\n");
		code = EXIT_TEMPORARY;
	} else {
		probe_tell_ups(s);
		*identity = s->identity;
		test_link(cli, wire);
	}
	fflush(stdout);
	wire_close(wire);
	free(s);
	return code;
}

static bool may_ask(const struct cli *cli, const struct scan_port *port)
{
	char question[PATH_MAX + 80];

	snprintf(question, sizeof(question), "Ask what is on %s (it only reads)?", port->device);
	return cli->yes ||
	       (prompt_possible(cli) && prompt_yes(cli, question, adapter_likely(&port->adapter)));
}

/* The first UPS that answers; more than one without a person to choose is an error. */
static int find_port(struct cli *cli, struct choice *c)
{
	struct scan_port *ports;
	int code = EXIT_OK;
	size_t n;

	if (!scan_list(probe_sysfs(), probe_dev(), &ports, &n) || !n) {
		complain("no serial port was found");
		advise("plug the cable in and switch the UPS on (it feeds its USB chip), or name the "
		       "port: --port");
		free(ports);
		return EXIT_UNREACHABLE;
	}
	for (size_t i = 0; i < n && code != EXIT_INTERRUPTED; i++) {
		struct u2k_identity identity;
		struct scan_state state;

		scan_look(&ports[i], &state);
		scan_describe(&ports[i], &state);
		fflush(stdout);
		if (!state.usable || !may_ask(cli, &ports[i]))
			continue;
		code = look_at(cli, scan_best_name(&ports[i]), &identity);
		if (code != EXIT_OK)
			continue;
		if (!c->port) {
			c->port = xstrdup(scan_best_name(&ports[i]));
			c->identity = identity;
			if (prompt_possible(cli))
				break;
			continue;
		}
		complain("there is a UPS at %s and one at %s", c->port, scan_best_name(&ports[i]));
		advise("choose with --port; the other gets a section of its own, see "
		       "ups2000.conf(5)");
		free(ports);
		return EXIT_USAGE;
	}
	free(ports);
	if (code == EXIT_INTERRUPTED || c->port)
		return c->port ? EXIT_OK : code;
	complain("no UPS was found");
	if (!prompt_possible(cli) && !cli->yes)
		advise("nothing was asked: agree with --yes, or name the port with --port");
	else
		advise("one that is off, or at a network gateway, can be named: --port");
	return EXIT_TEMPORARY;
}

static int choose_port(struct cli *cli, struct choice *c)
{
	char why[512];
	int code;

	if (!cli->port)
		return find_port(cli, c);
	if (!check_port(cli->port, why, sizeof(why))) {
		complain("--port: %s", why);
		return EXIT_USAGE;
	}
	printf("%s\n", cli->port);
	code = look_at(cli, cli->port, &c->identity);
	if (code == EXIT_TEMPORARY) {
		/* It may just be off. A person decides; a script gets the error. */
		if (!prompt_yes(cli, "Write it down all the same (the daemon waits for it)?",
				false)) {
			complain("no UPS answers at %s", cli->port);
			advise("is it on, is the cable in, does another program have the port?");
			return code;
		}
		code = EXIT_OK;
	}
	if (code == EXIT_OK)
		c->port = xstrdup(cli->port);
	return code;
}

/* ---- the questions ---- */

static int choose_name(struct cli *cli, struct choice *c)
{
	char why[512];

	for (;;) {
		c->name = cli->name ? xstrdup(cli->name)
				    : prompt_text(cli, "Name of the UPS for NUT clients", "ups");
		if (!c->name)
			return EXIT_INTERRUPTED;
		if (check_ups_name(c->name, why, sizeof(why)))
			return EXIT_OK;
		complain("%s", why);
		free(c->name);
		c->name = NULL;
		if (cli->name || !prompt_possible(cli))
			return EXIT_USAGE;
	}
}

static int read_password_file(const struct cli *cli, char **password)
{
	char line[300] = "";
	FILE *file = fopen(cli->password_file, "re");

	if (!file) {
		complain("%s cannot be read: %s", cli->password_file, strerror(errno));
		return EXIT_USAGE;
	}
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\r\n")] = '\0';
	fclose(file);
	*password = xstrdup(line);
	explicit_bzero(line, sizeof(line));
	return EXIT_OK;
}

static bool password_good(const char *password, char *why, size_t size)
{
	/* what is told of hashes does not hold: this one is going to be hashed */
	return *password == '$' || check_password(password, why, size);
}

/* A password typed twice, from a file, or made up. */
static int choose_password(struct cli *cli, struct choice *c)
{
	char why[512];

	if (cli->password_file) {
		int code = read_password_file(cli, &c->password);

		if (code != EXIT_OK)
			return code;
		if (password_good(c->password, why, sizeof(why)))
			return EXIT_OK;
		complain("%s: %s", cli->password_file, why);
		return EXIT_USAGE;
	}
	while (prompt_possible(cli)) {
		char *again;
		bool same;

		c->password = prompt_secret(cli, "Password (empty: one is made up and shown)");
		if (!c->password)
			return EXIT_INTERRUPTED;
		if (!*c->password) {
			free(c->password);
			c->password = NULL;
			break;
		}
		again = prompt_secret(cli, "The same again");
		same = again && !strcmp(again, c->password);
		free(again);
		if (same && password_good(c->password, why, sizeof(why)))
			return EXIT_OK;
		complain("%s", same ? why : "the two differ; try again");
		free(c->password);
		c->password = NULL;
	}
	c->password = xmalloc(PASSWORD_MADE_MAX);
	password_make(c->password);
	c->made_up = true;
	return EXIT_OK;
}

static int ask_rest(struct cli *cli, struct choice *c)
{
	char why[512];
	int code = choose_name(cli, c);

	if (code != EXIT_OK)
		return code;
	c->user = prompt_text(cli, "Name of the user who may command it", "admin");
	if (!c->user)
		return EXIT_INTERRUPTED;
	if (!check_user_name(c->user, why, sizeof(why))) {
		complain("%s", why);
		return EXIT_USAGE;
	}
	code = choose_password(cli, c);
	if (code != EXIT_OK)
		return code;
	c->others =
		cli->serve ||
		prompt_yes(cli, "Let other hosts watch it (NUT on port 3493 of this host)?", false);
	if (c->others) {
		c->upsmon_password = xmalloc(PASSWORD_MADE_MAX);
		password_make(c->upsmon_password);
	}
	c->shutdown =
		cli->shut_down ||
		prompt_yes(
			cli,
			"Shut this host down before the battery is empty, then switch the UPS off "
			"so that it comes back with the mains?",
			false);
	return EXIT_OK;
}

/* ---- the file ---- */

static bool add_user(struct draft *draft, const char *name, const char *password)
{
	char *hash = password_hash(password);

	if (!hash) {
		complain("the password cannot be hashed: this system's crypt(3) has no yescrypt");
		return false;
	}
	draft_set(draft_section(draft, "user", name), "password", hash);
	free(hash);
	return true;
}

static void add_number(struct draft_section *section, const char *key, unsigned n)
{
	char text[16];

	if (!n)
		return;
	snprintf(text, sizeof(text), "%u", n);
	draft_set(section, key, text);
}

static void add_ups(const struct cli *cli, struct draft *draft, const struct choice *c)
{
	struct draft_section *ups = draft_section(draft, "ups", c->name);
	char why[512];

	draft_set(ups, "port", c->port);
	add_number(ups, "unit-id", cli->unit_id == 1 ? 0 : cli->unit_id);
	add_number(ups, "number", cli->number == 1 ? 0 : cli->number);
	add_number(ups, "baud", cli->baud == 9600 ? 0 : cli->baud);
	if (check_serial(c->identity.esn, why, sizeof(why))) {
		draft_set(ups, "serial", c->identity.esn);
		draft_comment(ups, "serial",
			      "another UPS at this port is shown, but not commanded");
	}
}

static bool make_draft(const struct cli *cli, struct draft *draft, const struct choice *c)
{
	struct draft_section *section;

	add_ups(cli, draft, c);
	if (c->others) {
		section = draft_section(draft, "nut", NULL);
		draft_add(section, "listen", "*:3493");
		draft_note(section,
			   "Everybody who can connect can read; docs/security.md tells how to "
			   "narrow that.");
	}
	if (!add_user(draft, c->user, c->password))
		return false;
	section = draft_section(draft, "user", c->user);
	draft_add(section, "actions", "SET");
	draft_add(section, "actions", "FSD");
	draft_add(section, "instcmds", "ALL");
	if (c->others) {
		if (!add_user(draft, "upsmon", c->upsmon_password))
			return false;
		section = draft_section(draft, "user", "upsmon");
		draft_set(section, "upsmon", "secondary");
		draft_note(section, "For the upsmon of other hosts.");
	}
	if (c->shutdown)
		draft_note(draft_section(draft, "shutdown", NULL),
			   "This host goes down before the battery is empty. What happens when: "
			   "docs/shutdown.md.");
	return true;
}

static void tell_secrets(const struct choice *c)
{
	char host[256] = "THIS-HOST";

	if (c->made_up)
		printf("Password of \"%s\", shown only now: %s\n", c->user, c->password);
	if (!c->others)
		return;
	gethostname(host, sizeof(host) - 1);
	printf("For the upsmon.conf of other hosts, shown only now:\n"
	       "  MONITOR %s@%s 1 upsmon %s secondary\n",
	       c->name, host, c->upsmon_password);
}

static int check_options(const struct cli *cli)
{
	const char *wrong = NULL;

	if (cli->from_nut &&
	    (cli->port || cli->name || cli->password_file || cli->serve || cli->shut_down))
		wrong = "--from-nut takes everything from NUT's files: only --output, --force and "
			"--dry-run go with it";
	else if (cli->json && !cli->from_nut)
		wrong = "--json goes with --from-nut only; \"ups2000 scan --json\" lists ports";
	if (!wrong)
		return EXIT_OK;
	complain("%s", wrong);
	return EXIT_USAGE;
}

int cmd_setup(struct cli *cli)
{
	struct choice c = { 0 };
	struct draft draft;
	char *text = NULL;
	int code = check_options(cli);

	if (code == EXIT_OK)
		code = setup_may_write(cli);
	if (code == EXIT_OK && cli->from_nut)
		return setup_from_nut(cli);
	draft_init(&draft);
	if (code == EXIT_OK)
		code = choose_port(cli, &c);
	if (code == EXIT_OK)
		code = ask_rest(cli, &c);
	if (code == EXIT_OK && !make_draft(cli, &draft, &c))
		code = EXIT_FAILED;
	if (code == EXIT_OK) {
		text = draft_print(&draft, head);
		code = setup_write(cli, text);
	}
	if (code == EXIT_OK && !cli->dry_run && strcmp(setup_output(cli), "-") != 0) {
		printf("Written: %s\n", setup_output(cli));
		tell_secrets(&c);
		fflush(stdout);
		setup_advise_start(cli);
	} else if (code == EXIT_INTERRUPTED) {
		complain("interrupted; nothing was written");
	}
	free(text);
	draft_close(&draft);
	choice_close(&c);
	return code;
}
