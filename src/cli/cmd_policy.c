#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "cli/ask.h"
#include "cli/page.h"
#include "cli/policy_simulate.h"
#include "cli/term.h"
#include "cli/when.h"
#include "util/util.h"

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static double number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* Names of conditions as people say them. */
static const char *words_of(const char *name)
{
	static const struct {
		const char *name, *words;
	} rows[] = {
		{ "on-battery", "on battery" },	  { "charge", "charge" },
		{ "runtime", "runtime left" },	  { "low-battery", "battery low" },
		{ "temperature", "temperature" }, { "alarm", "alarm" },
		{ "lost", "not heard of" },	  { "fsd", "FSD by a client" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			return rows[i].words;
	return name;
}

static void value(char *out, size_t size, double number, const char *unit)
{
	if (!strcmp(unit, "s"))
		when_duration(out, size, number);
	else
		snprintf(out, size, "%.0f%s%s", number, *unit ? " " : "", unit);
}

static void put_condition(struct page *page, const json_t *condition)
{
	const char *name = string_of(condition, "name"), *unit = string_of(condition, "unit");
	double now = number_of(condition, "now"), limit = number_of(condition, "limit");
	double due = number_of(condition, "due_in_s");
	bool holds = is_true(condition, "holds");
	char text[40];

	if (!name || !unit)
		return;
	page_add(page, "  %-20s", words_of(name));
	text[0] = '\0';
	if (!isnan(now) && *unit)
		value(text, sizeof(text), now, unit);
	else if (!holds)
		snprintf(text, sizeof(text), "no");
	page_add(page, "%10s", text);
	text[0] = '\0';
	if (!isnan(limit) && *unit)
		value(text, sizeof(text), limit, unit);
	page_tone(page, TONE_DIM, "  %s%10s", *text ? "limit" : "     ", text);
	if (holds)
		page_tone(page, TONE_BAD, "   holds");
	else if (!isnan(due)) {
		when_duration(text, sizeof(text), due);
		page_tone(page, TONE_WARN, "   in %s", text);
	}
	page_add(page, "\n");
}

static void put_ups(struct page *page, const json_t *ups)
{
	const json_t *condition;
	const char *off = string_of(ups, "ups_off");
	long long supplies = json_integer_value(json_object_get(ups, "supplies"));
	long long logins = json_integer_value(json_object_get(ups, "logins"));
	size_t i;

	page_tone(page, TONE_BOLD, "\n%s", string_of(ups, "name"));
	if (supplies)
		page_add(page, ": feeds %lld of this host's supplies", supplies);
	else
		page_add(page, ": only watched");
	if (supplies && off)
		page_add(page, ", %s",
			 !strcmp(off, "return")	   ? "goes off and comes back with the mains"
			 : !strcmp(off, "stayoff") ? "goes off and stays off"
						   : "is not switched off");
	page_add(page, "\n");
	if (!is_true(ups, "known"))
		page_tone(page, TONE_WARN, "  no fresh data\n");
	if (is_true(ups, "fsd"))
		page_tone(page, TONE_BAD, "  forced shutdown (FSD) is announced\n");
	if (logins)
		page_add(page, "  %lld NUT client%s logged in\n", logins, logins == 1 ? "" : "s");
	json_array_foreach(json_object_get(ups, "conditions"), i, condition)
		put_condition(page, condition);
}

static void put_tasks(struct page *page, const json_t *stages)
{
	const json_t *stage, *task;
	size_t i, n;

	json_array_foreach(stages, i, stage)
	{
		page_add(page, "%s", i ? "              then " : "\nBefore it     ");
		json_array_foreach(json_object_get(stage, "tasks"), n, task) page_add(
			page, "%s%s (at most %lld s)", n ? ", " : "", string_of(task, "name"),
			(long long)json_integer_value(json_object_get(task, "timeout_s")));
		page_add(page, "\n");
	}
}

static void put_next(struct page *page, const json_t *policy)
{
	const json_t *next = json_object_get(policy, "next");
	const char *text = string_of(next, "text");
	double in_s = number_of(next, "in_s"), down_s = number_of(policy, "host_down_in_s");
	char when[32];

	if (text) {
		page_add(page, "Next          %s", text);
		if (!isnan(in_s)) {
			when_duration(when, sizeof(when), in_s);
			page_tone(page, TONE_BOLD, ", in %s", when);
		}
		page_add(page, "\n");
	}
	if (!isnan(down_s)) {
		when_duration(when, sizeof(when), down_s);
		page_add(page, "This host     goes down in ");
		page_tone(page, TONE_BOLD, "%s", when);
		page_add(page, " at the latest\n");
	}
}

static void put_policy(struct page *page, const json_t *policy)
{
	const char *state = string_of(policy, "state"), *cause = string_of(policy, "cause");
	const json_t *supplies = json_object_get(policy, "supplies"), *ups;
	bool calm = state && !strcmp(state, "normal");
	size_t i;

	page_add(page, "State         ");
	page_tone(page, calm ? TONE_GOOD : TONE_BAD, "%s", string_of(policy, "text"));
	page_add(page, "%s%s%s\n", cause ? " (" : "", cause ? cause : "", cause ? ")" : "");
	if (!is_true(policy, "enabled")) {
		page_add(
			page,
			"              There is no section \"shutdown\": no host is shut down, and "
			"no UPS switched off.\n");
		return;
	}
	put_next(page, policy);
	page_add(page, "Supplies      %lld of %lld work, this host needs %lld\n",
		 (long long)json_integer_value(json_object_get(supplies, "left")),
		 (long long)json_integer_value(json_object_get(supplies, "all")),
		 (long long)json_integer_value(json_object_get(supplies, "minimum")));
	if (!is_true(policy, "this_host"))
		page_add(page, "This host     is not shut down\n");
	if (is_true(policy, "unsaved"))
		page_tone(page, TONE_WARN,
			  "              the state could not be kept: a restart of the "
			  "daemon would forget it\n");
	put_tasks(page, json_object_get(policy, "stages"));
	json_array_foreach(json_object_get(policy, "ups"), i, ups) put_ups(page, ups);
}

/* From FSD's announcement on until the output was seen off. */
static bool is_forced(const json_t *policy)
{
	static const char *const calm[] = { "normal", "on-battery", "warning", "coming-back" };
	const char *state = string_of(policy, "state");

	for (size_t i = 0; state && i < ARRAY_SIZE(calm); i++)
		if (!strcmp(state, calm[i]))
			return false;
	return state;
}

static bool simulates(const struct cli *cli)
{
	for (size_t i = 0; i < SIMULATE_OPTIONS; i++)
		if (cli->simulate[i])
			return true;
	return false;
}

static int show(struct cli *cli)
{
	unsigned columns, rows;
	struct page page;
	json_t *policy;
	int code = ask(cli, "/api/v1/policy", &policy);

	if (code)
		return code;
	if (cli->json) {
		ask_print(cli, policy);
	} else {
		term_size(&columns, &rows);
		page_init(&page, cli->color, cli->utf8, columns);
		put_policy(&page, policy);
		fputs(page.text, stdout);
		page_close(&page);
	}
	code = is_forced(policy) ? EXIT_FAILED : EXIT_OK;
	json_decref(policy);
	return code;
}

int cmd_policy(struct cli *cli)
{
	if (cli->n_args && !strcmp(cli->args[0], "simulate"))
		return policy_simulate(cli);
	if (cli->n_args) {
		complain("\"policy %s\" is not known; \"policy simulate\" is", cli->args[0]);
		return EXIT_USAGE;
	}
	if (simulates(cli)) {
		complain("these options belong to \"policy simulate\"");
		return EXIT_USAGE;
	}
	return show(cli);
}
