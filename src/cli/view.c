#include "cli/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "cli/page.h"
#include "cli/when.h"
#include "util/util.h"

enum { LABEL = 11, BAR = 30 };

/* A reading this old is shown as old: the slowest of those on the page comes every few seconds. */
static const double OLD_S = 20;

/* The daemon tells ages every second: without word of a UPS for this long nothing is fresh. */
static const double SILENT_S = 10;

static void label(struct page *page, const char *text)
{
	page_add(page, "  %-*s", LABEL, text);
}

/* ---- reading a snapshot ---- */

struct ups {
	const json_t *json, *quantities;
	double since_s;
	bool fresh;
};

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A number, or NAN. */
static double number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const json_t *quantity(const struct ups *ups, const char *name)
{
	return json_object_get(ups->quantities, name);
}

static double value_of(const struct ups *ups, const char *name)
{
	return number_of(quantity(ups, name), "value");
}

static double age_of(const struct ups *ups, const char *name)
{
	return number_of(quantity(ups, name), "age_s") + ups->since_s;
}

static bool is_old(const struct ups *ups, const char *name)
{
	double age = age_of(ups, name);

	return !ups->fresh || isnan(age) || age > OLD_S;
}

static const char *unit_of(const struct page *page, const json_t *q)
{
	const char *unit = string_of(q, "unit");

	if (unit && !strcmp(unit, "C"))
		return page_glyph(page, "°C", "C");
	return unit ? unit : "";
}

/* "230.1 V", dim if old, a dash if there is none. */
static void put_value(struct page *page, const struct ups *ups, const char *name, int decimals)
{
	const json_t *q = quantity(ups, name);
	double value = value_of(ups, name);

	if (isnan(value)) {
		page_tone(page, TONE_DIM, "%s", page_glyph(page, "–", "-"));
		return;
	}
	page_tone(page, is_old(ups, name) ? TONE_DIM : TONE_PLAIN, "%.*f %s", decimals, value,
		  unit_of(page, q));
}

static bool has_flag(const struct ups *ups, const char *flag)
{
	const json_t *value;
	size_t i;

	json_array_foreach(
		json_object_get(json_object_get(ups->json, "status"), "flags"), i,
		value) if (!strcmp(json_string_value(value) ? json_string_value(value) : "",
				   flag)) return true;
	return false;
}

static enum tone state_tone(const struct ups *ups)
{
	static const struct {
		const char *state;
		enum tone tone;
	} tones[] = {
		{ "mains", TONE_GOOD },	  { "eco", TONE_GOOD },	   { "test", TONE_WARN },
		{ "battery", TONE_WARN }, { "bypass", TONE_WARN }, { "off", TONE_BAD },
	};
	const char *state = string_of(json_object_get(ups->json, "power"), "state");

	if (has_flag(ups, "low-battery") || has_flag(ups, "overload") || has_flag(ups, "fault"))
		return TONE_BAD;
	for (size_t i = 0; state && i < ARRAY_SIZE(tones); i++)
		if (!strcmp(tones[i].state, state))
			return tones[i].tone;
	return TONE_DIM;
}

static const char *availability_text(const struct ups *ups)
{
	static const struct {
		const char *word, *text;
	} texts[] = {
		{ "waiting", "Waiting for the first data" },
		{ "stale", "No fresh data" },
		{ "not-connected", "Not connected" },
	};
	const char *word = string_of(ups->json, "availability");

	for (size_t i = 0; word && i < ARRAY_SIZE(texts); i++)
		if (!strcmp(texts[i].word, word))
			return texts[i].text;
	return "No fresh data";
}

/* ---- parts ---- */

static void put_title(struct page *page, const struct ups *ups, bool lost)
{
	const char *name = string_of(ups->json, "name");
	const char *model = string_of(json_object_get(ups->json, "identity"), "model");
	const char *description = string_of(ups->json, "description");
	const char *dot = page_glyph(page, " · ", " - ");
	double age = number_of(json_object_get(ups->json, "status"), "age_s") + ups->since_s;
	char duration[32], text[64];

	page_tone(page, TONE_BOLD, "%s", name ? name : "?");
	if (model)
		page_tone(page, TONE_DIM, "%s%s", dot, model);
	if (description)
		page_tone(page, TONE_DIM, "%s%.40s", dot, description);
	if (isnan(age)) {
		page_right(page, TONE_DIM, "no data yet");
		return;
	}
	when_duration(duration, sizeof(duration), age);
	if (ups->fresh)
		snprintf(text, sizeof(text), "%.1f s old", age);
	else
		snprintf(text, sizeof(text), "%s, %s old", lost ? "DAEMON LOST" : "STALE",
			 duration);
	page_right(page, ups->fresh ? TONE_DIM : TONE_BAD, text);
}

static void put_headline(struct page *page, const struct ups *ups, bool lost)
{
	const char *text = string_of(json_object_get(ups->json, "power"), "text");
	const json_t *comm = json_object_get(ups->json, "comm");
	const char *reason = string_of(comm, "reason");
	const char *nut = string_of(json_object_get(ups->json, "status"), "nut");
	enum tone tone = ups->fresh ? state_tone(ups) : TONE_BAD;

	page_add(page, "  ");
	page_tone(page, tone, "%s ", page_glyph(page, "●", "*"));
	if (ups->fresh) {
		page_tone(page, tone == TONE_BAD ? TONE_BAD : TONE_BOLD, "%s", text ? text : "?");
		if (has_flag(ups, "low-battery"))
			page_tone(page, TONE_BAD, ", battery low");
		if (has_flag(ups, "overload"))
			page_tone(page, TONE_BAD, ", overloaded");
		if (has_flag(ups, "fault"))
			page_tone(page, TONE_BAD, ", fault");
		page_right(page, TONE_DIM, nut ? nut : "");
		return;
	}
	page_tone(page, TONE_BAD, "%s",
		  lost ? "The daemon does not answer" : availability_text(ups));
	if (text && strcmp(text, "Not known") != 0)
		page_tone(page, TONE_DIM, "; last seen: %s", text);
	page_add(page, "\n");
	if (!lost && !reason)
		reason = string_of(comm, "text");
	if (!lost && reason)
		page_add(page, "    %s\n", reason);
}

/* What a station of the power path is at: "mains 230.1 V". */
static void put_station(struct page *page, const struct ups *ups, const char *station)
{
	static const struct {
		const char *station, *quantity;
		int decimals;
	} values[] = {
		{ "mains", "input.voltage", 0 },
		{ "battery", "battery.charge", 0 },
		{ "load", "ups.load", 0 },
	};

	page_tone(page, TONE_BOLD, "%s", station);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (strcmp(values[i].station, station) != 0 ||
		    isnan(value_of(ups, values[i].quantity)))
			continue;
		page_add(page, " ");
		put_value(page, ups, values[i].quantity, values[i].decimals);
	}
}

static void put_path(struct page *page, const struct ups *ups)
{
	const json_t *path = json_object_get(json_object_get(ups->json, "power"), "path");
	enum tone tone = ups->fresh ? state_tone(ups) : TONE_DIM;
	const json_t *station;
	size_t i;

	if (json_array_size(path) == 0)
		return;
	page_add(page, "    ");
	json_array_foreach(path, i, station)
	{
		if (i > 0)
			page_tone(page, tone, "%s", page_glyph(page, " ──▶ ", " --> "));
		put_station(page, ups,
			    json_string_value(station) ? json_string_value(station) : "?");
	}
	page_add(page, "\n");
}

static void put_load(struct page *page, const struct ups *ups)
{
	double load = value_of(ups, "ups.load");
	double rating = value_of(ups, "ups.power.nominal");
	enum tone tone = load >= 100 ? TONE_BAD : load >= 80 ? TONE_WARN : TONE_GOOD;

	label(page, "Load");
	page_bar(page, isnan(load) ? 0 : load / 100, BAR,
		 is_old(ups, "ups.load") ? TONE_DIM : tone);
	page_add(page, "  ");
	put_value(page, ups, "ups.load", 1);
	page_pad_to(page, 2 + LABEL + BAR + 11);
	put_value(page, ups, "output.realpower", 0);
	page_add(page, "  ");
	put_value(page, ups, "output.power", 0);
	if (!isnan(rating))
		page_tone(page, TONE_DIM, " of %.0f VA", rating);
	page_add(page, "\n");
}

static void put_battery(struct page *page, const struct ups *ups)
{
	double charge = value_of(ups, "battery.charge");
	const char *state = string_of(quantity(ups, "battery.state"), "text");
	enum tone tone = charge < 20 ? TONE_BAD : charge < 50 ? TONE_WARN : TONE_GOOD;

	label(page, "Battery");
	page_bar(page, isnan(charge) ? 0 : charge / 100, BAR,
		 is_old(ups, "battery.charge") ? TONE_DIM : tone);
	page_add(page, "  ");
	put_value(page, ups, "battery.charge", 0);
	page_pad_to(page, 2 + LABEL + BAR + 11);
	put_value(page, ups, "battery.voltage", 1);
	if (state)
		page_add(page, "  %s", state);
	page_add(page, "\n");
}

static void put_runtime(struct page *page, const struct ups *ups)
{
	double runtime = value_of(ups, "battery.runtime");
	enum tone tone = TONE_BOLD;
	char text[32];

	label(page, "Runtime");
	if (isnan(runtime)) {
		page_tone(page, TONE_DIM, "%s\n", page_glyph(page, "–", "-"));
		return;
	}
	if (has_flag(ups, "on-battery"))
		tone = runtime < 300 ? TONE_BAD : TONE_WARN;
	when_duration(text, sizeof(text), runtime);
	page_tone(page, is_old(ups, "battery.runtime") ? TONE_DIM : tone, "%s", text);
	page_tone(page, TONE_DIM,
		  has_flag(ups, "on-battery") ? " left at this load\n"
					      : " on battery at this load\n");
}

static void put_table(struct page *page, const struct ups *ups)
{
	static const struct {
		const char *label, *cells[5];
	} rows[] = {
		{ "Voltage",
		  { "input.voltage", "bypass.voltage", "output.voltage", "battery.voltage",
		    "ups.temperature" } },
		{ "Frequency", { "input.frequency", "bypass.frequency", "output.frequency" } },
		{ "Current", { NULL, NULL, "output.current" } },
	};

	label(page, "");
	page_tone(page, TONE_DIM, "%-12s%-12s%-12s%-12s%s\n", "Mains", "Bypass", "Output",
		  "Battery", "Temperature");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		label(page, rows[i].label);
		for (unsigned j = 0; j < ARRAY_SIZE(rows[i].cells); j++) {
			if (!rows[i].cells[j])
				continue;
			if (j > 0)
				page_pad_to(page, 2 + LABEL + 12 * j);
			put_value(page, ups, rows[i].cells[j], 1);
		}
		page_add(page, "\n");
	}
}

static void put_alarm(struct page *page, const json_t *alarm, bool brief)
{
	const char *severity = string_of(alarm, "severity");
	const char *name = string_of(alarm, "name");
	const char *meaning = string_of(alarm, "meaning");
	const char *remedy = string_of(alarm, "remedy");
	bool alert = severity && !strcmp(severity, "alert");
	unsigned indent = 2 + LABEL;

	page_tone(page, alert ? TONE_BAD : TONE_WARN, "%s %d/%d %s", page_glyph(page, "▲", "!"),
		  (int)json_integer_value(json_object_get(alarm, "id")),
		  (int)json_integer_value(json_object_get(alarm, "cause")), name ? name : "?");
	if (brief) {
		page_add(page, ": %s\n", remedy ? remedy : "");
		return;
	}
	page_add(page, "\n%*s", (int)indent, "");
	page_wrapped(page, TONE_PLAIN, indent, meaning ? meaning : "");
	page_add(page, "%*s", (int)indent, "");
	page_tone(page, TONE_DIM, "%s", page_glyph(page, "→", "->"));
	page_wrapped(page, TONE_PLAIN, indent, remedy ? remedy : "");
}

static void put_alarms(struct page *page, const struct ups *ups, bool brief)
{
	const json_t *alarms = json_object_get(ups->json, "alarms");
	const json_t *active = json_object_get(alarms, "active");
	const json_t *bits = json_object_get(alarms, "unknown_bits");
	const json_t *item;
	bool any = false;
	size_t i;

	json_array_foreach(active, i, item)
	{
		label(page, any ? "" : "Alarms");
		put_alarm(page, item, brief);
		any = true;
	}
	json_array_foreach(bits, i, item)
	{
		label(page, any ? "" : "Alarms");
		page_tone(page, TONE_WARN,
			  "%s a bit without a known meaning: register %d, bit %d\n",
			  page_glyph(page, "▲", "!"),
			  (int)json_integer_value(json_object_get(item, "register")),
			  (int)json_integer_value(json_object_get(item, "bit")));
		any = true;
	}
	if (any)
		return;
	label(page, "Alarms");
	if (isnan(number_of(alarms, "age_s")))
		page_tone(page, TONE_DIM, "not read yet\n");
	else
		page_add(page, "none\n");
}

/* A switch-off that is armed in the device. */
/* What is about to become of the hosts: only when there is something to say. */
static void put_plan(struct page *page, const struct ups *ups)
{
	const json_t *plan = json_object_get(ups->json, "policy");
	const json_t *next = json_object_get(plan, "next");
	const char *state = string_of(plan, "state"), *words = string_of(plan, "text");
	const char *cause = string_of(plan, "cause"), *what = string_of(next, "text");
	double in_s = number_of(next, "in_s"), down_s = number_of(plan, "host_down_in_s");
	bool serious = state && strcmp(state, "on-battery") != 0;
	char text[32];

	if (!state || !words || !strcmp(state, "normal"))
		return;
	label(page, "Hosts");
	page_tone(page, serious ? TONE_BAD : TONE_WARN, "%s%s%s%s\n", words, cause ? " (" : "",
		  cause ? cause : "", cause ? ")" : "");
	if (what) {
		label(page, "");
		page_add(page, "then: %s", what);
		if (!isnan(in_s)) {
			when_duration(text, sizeof(text), in_s - ups->since_s);
			page_tone(page, TONE_BOLD, ", in %s", text);
		}
		page_add(page, "\n");
	}
	if (!isnan(down_s)) {
		when_duration(text, sizeof(text), down_s - ups->since_s);
		label(page, "");
		page_add(page, "this host goes down in ");
		page_tone(page, TONE_BOLD, "%s", text);
		page_add(page, " at the latest\n");
	}
}

static void put_timers(struct page *page, const struct ups *ups)
{
	double off = value_of(ups, "timer.off"), restart = value_of(ups, "timer.restart-off");
	char text[32];

	if (json_is_true(json_object_get(json_object_get(ups->json, "status"), "fsd"))) {
		label(page, "Shutdown");
		page_tone(page, TONE_BAD, "forced shutdown (FSD) is announced to all hosts\n");
	}
	if (!(off > 0) && !(restart > 0))
		return;
	when_duration(text, sizeof(text), off > 0 ? off : restart);
	label(page, "Switch-off");
	page_tone(page, TONE_BAD, "the output goes off within %s%s\n", text,
		  restart > 0 ? ", and on again later" : "");
}

static void put_gate(struct page *page, const struct ups *ups)
{
	const json_t *commands = json_object_get(ups->json, "commands");
	const char *reason = string_of(commands, "reason");

	label(page, "Commands");
	if (json_is_true(json_object_get(commands, "open"))) {
		page_add(page, "possible\n");
		return;
	}
	page_tone(page, TONE_DIM, "closed:");
	page_wrapped(page, TONE_DIM, 2 + LABEL, reason ? reason : "not known why");
}

static void put_settings(struct page *page, const struct ups *ups)
{
	static const struct {
		const char *quantity, *no, *yes;
	} rows[] = {
		{ "setting.auto-start", "stays off when mains return", "starts when mains return" },
		{ "setting.beeper-muted", "beeper on", "beeper muted" },
		{ "setting.bypass-when-off", NULL, "off means bypass" },
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		double value = value_of(ups, rows[i].quantity);
		const char *text = value > 0 ? rows[i].yes : rows[i].no;

		if (isnan(value) || !text)
			continue;
		if (!any)
			label(page, "Settings");
		page_tone(page, TONE_DIM, "%s%s", any ? ", " : "", text);
		any = true;
	}
	if (any)
		page_add(page, "\n");
}

void view_energy(struct page *page, const json_t *energy)
{
	double kwh = number_of(energy, "output_j") / 3.6e6;
	double known = number_of(energy, "measured_s"), gap = number_of(energy, "gap_s");
	double outages = number_of(energy, "outages");
	int64_t since = 0, last = 0;
	char when[32] = "?", length[32];

	if (isnan(kwh))
		return;
	if (string_of(energy, "since") && when_parse_utc(string_of(energy, "since"), &since))
		when_local(when, sizeof(when), since, true);
	when[10] = '\0'; /* the day */
	label(page, "Energy");
	page_tone(page, TONE_BOLD, "%.*f kWh", kwh < 100 ? 3 : 0, kwh);
	page_tone(page, TONE_DIM, " since %s", when);
	if (known + gap > 0 && gap > 1)
		page_tone(page, TONE_DIM, ", %.1f %% of the time measured",
			  100 * known / (known + gap));
	page_add(page, "\n");
	label(page, "Outages");
	if (!(outages > 0)) {
		page_add(page, "none\n");
		return;
	}
	when_duration(length, sizeof(length), number_of(energy, "on_battery_s"));
	page_add(page, "%.0f, %s on battery", outages, length);
	if (string_of(energy, "last_outage") &&
	    when_parse_utc(string_of(energy, "last_outage"), &last)) {
		when_local(when, sizeof(when), last, true);
		page_tone(page, TONE_DIM, ", the last on %s", when);
	}
	page_add(page, "\n");
}

void view_ups(struct page *page, const json_t *snapshot, double since_s, bool lost, bool brief)
{
	const char *availability = string_of(snapshot, "availability");
	struct ups ups = {
		.json = snapshot,
		.quantities = json_object_get(snapshot, "quantities"),
		.since_s = since_s,
		.fresh = !lost && since_s < SILENT_S && availability &&
			 !strcmp(availability, "fresh"),
	};

	put_title(page, &ups, lost);
	page_add(page, "\n");
	put_headline(page, &ups, lost);
	put_path(page, &ups);
	page_add(page, "\n");
	put_load(page, &ups);
	put_battery(page, &ups);
	put_runtime(page, &ups);
	page_add(page, "\n");
	put_table(page, &ups);
	page_add(page, "\n");
	put_plan(page, &ups);
	put_timers(page, &ups);
	put_alarms(page, &ups, brief);
	put_gate(page, &ups);
	if (brief)
		return;
	put_settings(page, &ups);
	view_energy(page, json_object_get(snapshot, "energy"));
}

/* ---- many UPSes ---- */

void view_list_head(struct page *page)
{
	page_tone(page, TONE_DIM, "%-14s %-26s %6s %7s %9s  %s\n", "NAME", "POWER", "LOAD",
		  "CHARGE", "RUNTIME", "ALARMS");
}

/* A number of a summary, or the value of a snapshot's quantity. */
static double either(const json_t *ups, const char *key, const char *name)
{
	const json_t *quantities = json_object_get(ups, "quantities");

	return quantities ? number_of(json_object_get(quantities, name), "value")
			  : number_of(ups, key);
}

static void put_percent(struct page *page, double value, int width)
{
	if (isnan(value))
		page_add(page, " %*s", width, "-");
	else
		page_add(page, " %*.0f %%", width - 2, value);
}

void view_list_line(struct page *page, const json_t *ups, double since_s)
{
	const struct ups view = { .json = ups, .since_s = since_s, .fresh = true };
	const char *availability = string_of(ups, "availability");
	const char *name = string_of(ups, "name");
	const char *text = string_of(json_object_get(ups, "power"), "text");
	bool fresh = availability && !strcmp(availability, "fresh") && since_s < SILENT_S;
	const json_t *alarms = json_object_get(ups, "alarms");
	double runtime = either(ups, "battery_runtime_s", "battery.runtime");
	size_t n = json_is_integer(alarms) ? (size_t)json_integer_value(alarms)
					   : json_array_size(json_object_get(alarms, "active"));
	char duration[32];

	page_tone(page, TONE_BOLD, "%-14s ", name ? name : "?");
	page_tone(page, fresh ? state_tone(&view) : TONE_BAD, "%-26.26s",
		  fresh ? (text ? text : "?") : availability_text(&view));
	put_percent(page, either(ups, "load_percent", "ups.load"), 6);
	put_percent(page, either(ups, "battery_charge_percent", "battery.charge"), 7);
	when_duration(duration, sizeof(duration), runtime);
	page_add(page, " %9s  ", isnan(runtime) ? "-" : duration);
	page_tone(page, n ? TONE_WARN : TONE_PLAIN, "%zu\n", n);
}

void view_event(struct page *page, const json_t *event, bool date, bool name)
{
	const char *severity = string_of(event, "severity");
	const char *text = string_of(event, "text");
	const char *ups = string_of(event, "ups");
	enum tone tone = TONE_PLAIN;
	int64_t wall = 0;
	char when[32] = "?";

	if (string_of(event, "time") && when_parse_utc(string_of(event, "time"), &wall))
		when_local(when, sizeof(when), wall, date);
	if (severity && !strcmp(severity, "warning"))
		tone = TONE_WARN;
	else if (severity && !strcmp(severity, "alert"))
		tone = TONE_BAD;
	page_tone(page, TONE_DIM, "%s", when);
	page_tone(page, tone, "  %-7s  ", severity ? severity : "");
	if (name)
		page_tone(page, TONE_BOLD, "%s  ", ups ? ups : "daemon");
	page_add(page, "%s\n", text ? text : "");
}
