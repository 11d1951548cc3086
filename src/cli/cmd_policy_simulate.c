#include "cli/cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/policy_simulate.h"
#include "cli/term.h"
#include "cli/when.h"
#include "daemon/config.h"
#include "policy/play.h"
#include "util/util.h"

/*
 * "ups2000 policy simulate": an outage against the configuration, on a virtual clock. Needs no daemon
 * and touches nothing.
 */

static const char default_path[] = "/etc/ups2000/ups2000.conf";

/* --- options -------------------------------------------------------------------------------------- */

/* "90", "90s", "10m", "2h", "forever": seconds. */
static bool get_duration(const char *text, double *seconds)
{
	static const struct {
		const char *suffix;
		double seconds;
	} units[] = { { "", 1 },   { "s", 1 },	  { "min", 60 },
		      { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	char *end;
	double number;

	if (!strcmp(text, "forever")) {
		*seconds = (double)INFINITY;
		return true;
	}
	if (*text < '0' || *text > '9')
		return false;
	number = strtod(text, &end);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(end, units[i].suffix)) {
			*seconds = number * units[i].seconds;
			return isfinite(*seconds);
		}
	return false;
}

static bool get_number(const char *text, double *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*number = strtod(text, &end);
	return (!*end || !strcmp(end, "%")) && isfinite(*number);
}

struct option_row {
	const char *name, *want;
	bool (*get)(const char *text, double *out);
	double least, most;
	size_t at; /* of a double in struct play_options */
};

#define AT(member) offsetof(struct play_options, member)

static const struct option_row rows[SIMULATE_OPTIONS] = {
	[SIMULATE_OUTAGE] = { "--outage", "a duration like 90s, 10m, 2h or forever", get_duration,
			      0, (double)INFINITY, AT(outage_s) },
	[SIMULATE_CHARGE] = { "--charge", "a charge from 1 to 100 percent", get_number, 1, 100,
			      AT(charge_percent) },
	[SIMULATE_RUNTIME] = { "--runtime", "a duration from 1s to 24h", get_duration, 1, 86400,
			       AT(runtime_s) },
	[SIMULATE_LOAD] = { "--load", "a load from 1 to 1000 percent of the present one",
			    get_number, 1, 1000, AT(load_percent) },
	[SIMULATE_LOW] = { "--low", "a charge from 0 to 100 percent", get_number, 0, 100,
			   AT(low_percent) },
	[SIMULATE_LEAVE] = { "--leave", "a duration like 10s, or forever", get_duration, 0,
			     (double)INFINITY, AT(leave_s) },
};

static bool take_row(const struct cli *cli, size_t i, struct play_options *options)
{
	const struct option_row *row = &rows[i];
	const char *text = cli->simulate[i];
	double value;

	if (!text || !row->get)
		return true;
	if (!row->get(text, &value) || value < row->least || value > row->most) {
		complain("%s needs %s, not \"%s\"", row->name, row->want, text);
		return false;
	}
	memcpy((char *)options + row->at, &value, sizeof(value));
	return true;
}

static bool take_secondaries(const struct cli *cli, struct play_options *options)
{
	const char *text = cli->simulate[SIMULATE_SECONDARIES];
	double value;

	if (!text)
		return true;
	if (!get_number(text, &value) || value != floor(value) || value > 10000) {
		complain("--secondaries needs a number from 0 to 10000, not \"%s\"", text);
		return false;
	}
	options->secondaries = (unsigned)value;
	return true;
}

static bool take_ups(const struct cli *cli, const struct policy_config *config,
		     struct play_options *options)
{
	const char *name = cli->simulate[SIMULATE_UPS];

	if (!name)
		return true;
	for (size_t i = 0; i < config->n_ups; i++)
		if (!strcasecmp(config->ups[i].name, name)) {
			options->ups = (int)i;
			return true;
		}
	complain("there is no ups \"%s\" in the configuration", name);
	return false;
}

static bool take_options(const struct cli *cli, const struct policy_config *config,
			 struct play_options *options)
{
	play_options_default(options);
	for (size_t i = 0; i < SIMULATE_OPTIONS; i++)
		if (!take_row(cli, i, options))
			return false;
	return take_secondaries(cli, options) && take_ups(cli, config, options);
}

/* --- for programs ----------------------------------------------------------------------------------- */

static json_t *number_or_null(double value)
{
	return isfinite(value) ? json_real(round(value * 10) / 10) : json_null();
}

struct telling {
	const struct policy_config *config;
	json_t *lines; /* NULL: text */
	struct page *page;
};

static void tell_json(struct telling *telling, const struct play_line *line)
{
	json_array_append_new(telling->lines,
			      json_pack("{s:o, s:s, s:s, s:s?, s:s}", "at_s",
					number_or_null(line->at_s), "event", line->event,
					"severity", line->severity, "ups",
					line->ups < 0 ? NULL : telling->config->ups[line->ups].name,
					"text", line->text));
}

static const char *const end_words[] = {
	[PLAY_NOTHING] = "nothing",
	[PLAY_CALLED_OFF] = "called-off",
	[PLAY_DOWN] = "down",
	[PLAY_CUT] = "cut",
};

static json_t *assumed_json(const struct play_options *o)
{
	return json_pack("{s:o, s:f, s:f, s:f, s:f, s:i, s:o}", "outage_s",
			 number_or_null(o->outage_s), "charge_percent", o->charge_percent,
			 "runtime_s", o->runtime_s, "load_percent", o->load_percent, "low_percent",
			 o->low_percent, "secondaries", (int)o->secondaries, "leave_s",
			 number_or_null(o->leave_s));
}

static json_t *result_json(const struct play_result *r)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "end", end_words[r->end],
			 "fsd_s", number_or_null(r->fsd_s), "host_asked_s",
			 number_or_null(r->host_s), "host_halted_s", number_or_null(r->halted_s),
			 "output_off_s", number_or_null(r->off_s), "output_on_s",
			 number_or_null(r->on_s), "host_back_s", number_or_null(r->back_s),
			 "charge_left_percent", number_or_null(r->left_percent));
}

/* --- for people ----------------------------------------------------------------------------------------- */

static void put_clock(char *out, size_t size, double at_s)
{
	long long s = llround(fabs(at_s));

	snprintf(out, size, "%s%lld:%02lld:%02lld", at_s < -0.5 ? "-" : "", s / 3600, s / 60 % 60,
		 s % 60);
}

static enum tone tone_of(const char *severity)
{
	if (!strcmp(severity, "alert"))
		return TONE_BAD;
	return !strcmp(severity, "warning") ? TONE_WARN : TONE_PLAIN;
}

static void tell_text(struct telling *telling, const struct play_line *line)
{
	char clock[32];

	put_clock(clock, sizeof(clock), line->at_s);
	page_tone(telling->page, TONE_DIM, "%9s  ", clock);
	page_wrapped(telling->page, tone_of(line->severity), 11, line->text);
}

static void tell(void *user, const struct play_line *line)
{
	struct telling *telling = user;

	if (telling->lines)
		tell_json(telling, line);
	else
		tell_text(telling, line);
}

static void put_assumed(struct page *page, const struct policy_config *config,
			const struct play_options *o)
{
	char outage[32], runtime[32], leave[32], halt[32];

	when_duration(outage, sizeof(outage), o->outage_s);
	when_duration(runtime, sizeof(runtime), o->runtime_s);
	when_duration(leave, sizeof(leave), o->leave_s);
	when_duration(halt, sizeof(halt), config->host_shutdown_time_s);
	page_tone(page, TONE_BOLD, "Assumed\n");
	page_add(page, "  the mains fail%s%s %s%s\n", o->ups < 0 ? "" : " at UPS ",
		 o->ups < 0 ? "" : config->ups[o->ups].name,
		 isfinite(o->outage_s) ? "for " : "and stay away",
		 isfinite(o->outage_s) ? outage : "");
	page_add(page, "  battery at %.0f %%, which lasts %s%s; \"battery low\" from %.0f %%\n",
		 o->charge_percent, runtime,
		 o->load_percent > 100.5 || o->load_percent < 99.5 ? " at the present load" : "",
		 o->low_percent);
	if (o->load_percent > 100.5 || o->load_percent < 99.5)
		page_add(page, "  %.0f %% of that load\n", o->load_percent);
	if (!o->secondaries)
		page_add(page, "  no NUT secondaries\n");
	else if (isfinite(o->leave_s))
		page_add(page, "  %u NUT secondaries, which log out %s after FSD\n", o->secondaries,
			 leave);
	else
		page_add(page, "  %u NUT secondaries, which never leave\n", o->secondaries);
	page_add(page, "  tasks and this host (%s) take as long as they may\n\n", halt);
}

static void put_sentence(struct page *page, enum tone tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void put_sentence(struct page *page, enum tone tone, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	page_wrapped(page, tone, 0, text);
}

static void put_down(struct page *page, const struct policy_config *config,
		     const struct play_result *r)
{
	char asked[32], halted[32];

	when_duration(asked, sizeof(asked), r->host_s);
	when_duration(halted, sizeof(halted), r->halted_s);
	if (config->host == POLICY_HOST_NONE)
		put_sentence(page, TONE_GOOD, "Hosts go down in order; this one stays.");
	else if (isfinite(r->halted_s))
		put_sentence(page, TONE_GOOD,
			     "This host goes down in order: asked after %s, halted after %s at the "
			     "latest, with %.0f %% left in the battery.",
			     asked, halted, r->left_percent);
	if (!isfinite(r->off_s))
		put_sentence(page, TONE_WARN,
			     "The output does not go off: what has halted stays down until it is "
			     "woken.");
}

static void put_result(struct page *page, const struct policy_config *config,
		       const struct play_result *r)
{
	page_add(page, "\n");
	switch (r->end) {
	case PLAY_NOTHING:
		put_sentence(page, TONE_GOOD, "The outage passes; no host is shut down.");
		break;
	case PLAY_CALLED_OFF:
		put_sentence(
			page, TONE_GOOD,
			"The mains are back before the point of no return; no host is shut down.");
		break;
	case PLAY_DOWN:
		put_down(page, config, r);
		break;
	case PLAY_CUT:
		put_sentence(
			page, TONE_BAD,
			"Too late: the battery is empty before this host has halted. Begin earlier "
			"(charge-below, runtime-below, on-battery), or wait less "
			"(secondaries-wait, task timeout).");
		break;
	}
}

/* --- the whole --------------------------------------------------------------------------------------------- */

static void say_mistake(void *user, bool fatal, const char *text)
{
	(void)user;
	if (fatal)
		complain("%s", text);
}

static int play(struct cli *cli, const struct policy_config *config,
		const struct play_options *options)
{
	struct play_result result;
	struct page page;
	struct telling telling = { config, cli->json ? json_array() : NULL, &page };
	unsigned columns, lines;
	json_t *whole;
	int error;

	term_size(&columns, &lines);
	page_init(&page, cli->color, cli->utf8, columns);
	put_assumed(&page, config, options);
	error = policy_play(config, options, tell, &telling, &result);
	if (!error)
		put_result(&page, config, &result);
	if (!error && cli->json) {
		whole = json_pack("{s:o, s:o, s:o}", "assumed", assumed_json(options), "timeline",
				  json_incref(telling.lines), "result", result_json(&result));
		ask_print(cli, whole);
		json_decref(whole);
	} else if (!error) {
		fputs(page.text, stdout);
	}
	json_decref(telling.lines);
	page_close(&page);
	if (error) {
		complain("this outage cannot be played");
		return EXIT_SOFTWARE;
	}
	return result.end == PLAY_CUT ? EXIT_FAILED : EXIT_OK;
}

int policy_simulate(struct cli *cli)
{
	const char *path = cli->simulate[SIMULATE_CONFIG];
	struct config *config;
	struct play_options options;
	int code = EXIT_USAGE;

	path = path ? path : default_path;
	config = config_load(path, say_mistake, NULL);
	if (!config)
		return EXIT_UNKNOWN;
	if (!config->shutdown.policy.enabled) {
		complain("%s has no section \"shutdown\": no host would be shut down", path);
		advise("add a line: shutdown { }");
		code = EXIT_UNKNOWN;
	} else if (take_options(cli, &config->shutdown.policy, &options)) {
		code = play(cli, &config->shutdown.policy, &options);
	}
	config_free(config);
	return code;
}
