#include "front/http/model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "daemon/hub.h"
#include "front/http/effects.h"
#include "front/http/plan.h"
#include "history/totals.h"
#include "nut/store.h"
#include "ups/engine.h"
#include "util/util.h"

/* Strings of a device or a configuration may be anything; JSON takes only UTF-8. */
static json_t *text(const char *s)
{
	json_t *value;
	char *clean;

	if (!s)
		return json_null();
	value = json_string(s);
	if (value)
		return value;
	clean = xstrdup(s);
	for (char *p = clean; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	value = json_string(clean);
	free(clean);
	return value;
}

static json_t *text_or_null(const char *s)
{
	return s && *s ? text(s) : json_null();
}

/* Rounded so that 0.1 steps do not print as 0.30000000000000004. */
static json_t *number(double value, unsigned decimals)
{
	double scale = pow(10, decimals);

	if (!isfinite(value))
		return json_null();
	if (decimals == 0)
		return json_integer((json_int_t)llround(value));
	return json_real(round(value * scale) / scale);
}

static json_t *age(int64_t at_us, int64_t now_us)
{
	if (at_us == 0)
		return json_null();
	return number((double)(now_us > at_us ? now_us - at_us : 0) / 1e6, 3);
}

void model_time(char out[32], int64_t wall)
{
	time_t seconds = (time_t)(wall / 1000000);
	struct tm tm;
	char day[24];

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, 32, "%s.%03dZ", day, (int)(wall / 1000 % 1000));
}

/* ---- words ---- */

static const char *avail_word(const struct hub_ups *ups)
{
	switch (hub_avail(ups)) {
	case HUB_WAIT:
		return "waiting";
	case HUB_OK:
		return "fresh";
	case HUB_STALE:
		return "stale";
	case HUB_NOT_CONNECTED:
		return "not-connected";
	}
	return "stale";
}

static const char *const comm_words[] = {
	[U2K_COMM_CLOSED] = "closed",
	[U2K_COMM_SILENT] = "silent",
	[U2K_COMM_IDENTIFYING] = "identifying",
	[U2K_COMM_OK] = "ok",
	[U2K_COMM_STALE] = "stale",
};

static const char *const gate_words[U2K_GATE_COUNT] = {
	[U2K_GATE_OPEN] = "open",
	[U2K_GATE_NOT_IDENTIFIED] = "not-identified",
	[U2K_GATE_NO_DESCRIPTION] = "no-description",
	[U2K_GATE_MODEL] = "model",
	[U2K_GATE_PROTOCOL] = "protocol",
	[U2K_GATE_RATING] = "rating",
	[U2K_GATE_NUMBER] = "number",
	[U2K_GATE_ESN] = "serial",
	[U2K_GATE_STALE] = "stale",
	[U2K_GATE_CONFIG] = "configuration",
};

static const char *const outcome_words[] = {
	[U2K_PENDING] = "pending",
	[U2K_VERIFIED] = "verified",
	[U2K_REFUSED] = "refused",
	[U2K_FAILED] = "failed",
};

static const char *const source_words[] = {
	[U2K_SOURCE_NONE] = "none",
	[U2K_SOURCE_BYPASS] = "bypass",
	[U2K_SOURCE_MAINS] = "mains",
	[U2K_SOURCE_BATTERY] = "battery",
	[U2K_SOURCE_ECO] = "eco",
	[U2K_SOURCE_BATTERY_ECO] = "battery (eco)",
	[U2K_SOURCE_COMBINED] = "mains and battery",
};
static const char *const startup_words[] = { "off", "starting", "start failed", "running" };
static const char *const battery_words[] = { "none",  "idle",	    "resting",
					     "float", "equalising", "discharging" };
static const char *const no_yes_words[] = { "no", "yes" };

/* Quantities whose number is a choice, and its words. */
static const struct choice {
	enum u2k_qty qty;
	const char *const *words;
	size_t n;
} choices[] = {
	{ U2K_QTY_OUTPUT_SOURCE, source_words, ARRAY_SIZE(source_words) },
	{ U2K_QTY_STARTUP, startup_words, ARRAY_SIZE(startup_words) },
	{ U2K_QTY_BATTERY_STATE, battery_words, ARRAY_SIZE(battery_words) },
	{ U2K_QTY_AUTO_START, no_yes_words, ARRAY_SIZE(no_yes_words) },
	{ U2K_QTY_BYPASS_WHEN_OFF, no_yes_words, ARRAY_SIZE(no_yes_words) },
	{ U2K_QTY_BEEPER_MUTED, no_yes_words, ARRAY_SIZE(no_yes_words) },
};

static const struct {
	unsigned flag;
	const char *word;
} flag_words[] = {
	{ U2K_OL, "online" },
	{ U2K_OB, "on-battery" },
	{ U2K_LB, "low-battery" },
	{ U2K_BYPASS, "bypass" },
	{ U2K_OFF, "off" },
	{ U2K_ECO, "eco" },
	{ U2K_CHRG, "charging" },
	{ U2K_DISCHRG, "discharging" },
	{ U2K_RB, "replace-battery" },
	{ U2K_OVER, "overload" },
	{ U2K_ALARM, "alarm" },
	{ U2K_TEST, "self-test" },
	{ U2K_FAULT, "fault" },
};

/*
 * Where the load's power comes from; the first row whose flag is set counts. An outage during a
 * test is an outage.
 */
static const struct path {
	unsigned flag;
	const char *state, *text;
	const char *stations[5];
} paths[] = {
	{ U2K_OFF, "off", "Output off", { NULL } },
	{ U2K_OB, "battery", "On battery", { "battery", "inverter", "load", NULL } },
	{ U2K_TEST, "test", "Battery test", { "battery", "inverter", "load", NULL } },
	{ U2K_BYPASS, "bypass", "On bypass, not protected", { "mains", "bypass", "load", NULL } },
	{ U2K_ECO, "eco", "On mains, ECO", { "mains", "bypass", "load", NULL } },
	{ U2K_OL, "mains", "On mains", { "mains", "rectifier", "inverter", "load", NULL } },
};

static const struct path *path_find(const struct hub_ups *ups)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (ups->snap.status_at_us != 0 && ups->snap.flags & paths[i].flag)
			return &paths[i];
	return NULL;
}

/* ---- parts of a snapshot ---- */

static json_t *power(const struct hub_ups *ups)
{
	const struct path *path = path_find(ups);
	const struct u2k_value *startup = &ups->snap.qty[U2K_QTY_STARTUP];
	json_t *stations = json_array();
	const char *words = path ? path->text : "Not known";

	for (size_t i = 0; path && path->stations[i]; i++)
		json_array_append_new(stations, json_string(path->stations[i]));
	if (path && path->flag == U2K_OFF && startup->validity == U2K_VALID) {
		if (startup->value == U2K_STARTUP_STARTING)
			words = "Starting";
		else if (startup->value == U2K_STARTUP_FAILED)
			words = "Output off, the start failed";
	}
	return json_pack("{s:s, s:s, s:o}", "state", path ? path->state : "unknown", "text", words,
			 "path", stations);
}

static json_t *status(const struct hub_ups *ups, int64_t now_us)
{
	const char *nut = nut_store_get(ups->store, "ups.status");
	json_t *flags = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
		if (ups->snap.status_at_us != 0 && ups->snap.flags & flag_words[i].flag)
			json_array_append_new(flags, json_string(flag_words[i].word));
	return json_pack("{s:o, s:o, s:b, s:o}", "nut", text(nut), "flags", flags, "fsd", ups->fsd,
			 "age_s", age(ups->snap.status_at_us, now_us));
}

static json_t *choice_text(enum u2k_qty qty, double value)
{
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const struct choice *choice = &choices[i];

		if (choice->qty != qty)
			continue;
		if (value >= 0 && value < (double)choice->n && choice->words[(size_t)value])
			return json_string(choice->words[(size_t)value]);
		return json_sprintf("unknown (%g)", value);
	}
	return NULL;
}

static json_t *quantity(const struct hub_ups *ups, enum u2k_qty qty, int64_t now_us)
{
	static const char *const validity[] = { "unknown", "valid", "invalid" };
	const struct u2k_qty_desc *desc = u2k_qty_desc(qty);
	const struct u2k_value *v = &ups->snap.qty[qty];
	bool valid = v->validity == U2K_VALID;
	json_t *object = json_pack("{s:o, s:s, s:s, s:o}", "value",
				   valid ? number(v->value, desc->decimals) : json_null(), "unit",
				   desc->unit, "validity", validity[v->validity], "age_s",
				   age(v->at_us, now_us));
	json_t *words = valid ? choice_text(qty, v->value) : NULL;

	if (words)
		json_object_set_new(object, "text", words);
	return object;
}

static json_t *quantities(const struct hub_ups *ups, uint64_t mask, int64_t now_us)
{
	json_t *object = json_object();

	for (int q = 0; q < U2K_QTY_COUNT; q++)
		if (mask & U2K_CHANGED_QTY(q))
			json_object_set_new(object, u2k_qty_desc((enum u2k_qty)q)->name,
					    quantity(ups, (enum u2k_qty)q, now_us));
	return object;
}

static json_t *alarm_list(const struct hub_ups *ups)
{
	static const char *const severity[] = { "warning", "alert" };
	json_t *list = json_array();

	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++) {
		const struct u2k_alarm_desc *desc = u2k_alarm_desc(i);

		if (!(ups->snap.alarms.active & UINT32_C(1) << i))
			continue;
		json_array_append_new(
			list,
			json_pack("{s:i, s:i, s:s, s:s, s:s, s:s, s:b}", "id", desc->id, "cause",
				  desc->cause, "severity", severity[desc->severity], "name",
				  desc->name, "meaning", desc->meaning, "remedy", desc->remedy,
				  "counts", !!(ups->snap.alarms_shown & UINT32_C(1) << i)));
	}
	return list;
}

static json_t *unknown_bits(const struct hub_ups *ups)
{
	json_t *list = json_array();

	for (int i = 0; i < U2K_ALARM_REGS; i++)
		for (int bit = 0; bit < 16; bit++)
			if (ups->snap.alarms.unknown[i] & 1 << bit)
				json_array_append_new(list, json_pack("{s:i, s:i}", "register",
								      40156 + i, "bit", bit));
	return list;
}

static json_t *alarms(const struct hub_ups *ups, int64_t now_us)
{
	return json_pack("{s:o, s:o, s:o}", "active", alarm_list(ups), "unknown_bits",
			 unknown_bits(ups), "age_s", age(ups->snap.alarms.at_us, now_us));
}

static json_t *identity(const struct hub_ups *ups)
{
	const struct u2k_identity *id = &ups->snap.identity;

	return json_pack("{s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "known", id->known,
			 "described", id->described, "manufacturer", text_or_null(id->maker),
			 "model", text_or_null(id->model), "firmware", text_or_null(id->firmware),
			 "protocol", text_or_null(id->protocol), "serial", text_or_null(id->esn),
			 "device_id", text_or_null(id->device_id), "group", text_or_null(id->group),
			 "ups_count", (int)id->ups_count);
}

/* The newest word about the port, while it is not open: "/dev/ttyUSB0 is not there". */
static const char *link_reason(const struct hub_ups *ups)
{
	const struct hub_event *event = NULL;
	const char *reason = NULL;

	while ((event = hub_event_after(ups->hub, event ? event->id : 0))) {
		if (!event->ups || strcmp(event->ups, ups->name) != 0)
			continue;
		if (!strcmp(event->kind, "link-down"))
			reason = event->text;
		else if (!strcmp(event->kind, "link-up"))
			reason = NULL;
	}
	return reason;
}

static json_t *comm(const struct hub_ups *ups)
{
	enum u2k_comm state = ups->snap.comm;
	const char *why = state == U2K_COMM_CLOSED ? link_reason(ups) : NULL;

	return json_pack("{s:s, s:s, s:o}", "state", comm_words[state], "text",
			 u2k_comm_text(state), "reason", text(why));
}

static json_t *gate(const struct hub_ups *ups)
{
	enum u2k_gate why = ups->snap.gate;

	return json_pack("{s:b, s:s, s:o}", "open", why == U2K_GATE_OPEN, "gate", gate_words[why],
			 "reason", why == U2K_GATE_OPEN ? json_null() : text(u2k_gate_text(why)));
}

static json_t *line(const struct hub_ups *ups)
{
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "requests",
		(json_int_t)ups->snap.line.requests, "answers", (json_int_t)ups->snap.line.answers,
		"timeouts", (json_int_t)ups->snap.line.timeouts, "bad_frames",
		(json_int_t)ups->snap.line.bad_frames, "exceptions",
		(json_int_t)ups->snap.line.exceptions, "stragglers",
		(json_int_t)ups->snap.line.stragglers, "noise_bytes",
		(json_int_t)ups->snap.line.noise_bytes, "round_trip_ms",
		number(ups->snap.line.rtt_us / 1e3, 1), "status_round_ms",
		number(ups->snap.line.status_round_us / 1e3, 1), "status_round_predicted_ms",
		number(ups->snap.line.predicted_round_us / 1e3, 1));
}

static json_t *aliases(const struct hub_ups *ups)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ups->n_aliases; i++)
		json_array_append_new(list, text(ups->aliases[i]));
	return list;
}

/* ---- whole answers ---- */

/* What was counted, over restarts; null if nothing is recorded. */
static json_t *energy(const struct hub_ups *ups)
{
	const struct history_totals *t = history_totals(ups);
	char since[32], last[32] = "";

	if (!t)
		return json_null();
	model_time(since, t->since_us);
	if (t->last_outage_us)
		model_time(last, t->last_outage_us);
	return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:I, s:o}", "since", since, "output_j",
			 (double)t->output_mj / 1000, "battery_j", (double)t->battery_mj / 1000,
			 "measured_s", (double)t->measured_ms / 1000, "gap_s",
			 (double)t->gap_ms / 1000, "on_battery_s", (double)t->on_battery_ms / 1000,
			 "outages", (json_int_t)t->outages, "last_outage",
			 text(*last ? last : NULL));
}

json_t *model_snapshot(const struct hub_ups *ups, uint64_t mask, int64_t now_us)
{
	json_t *object =
		json_pack("{s:o, s:s}", "name", text(ups->name), "availability", avail_word(ups));
	uint64_t all_qty = U2K_CHANGED_QTY(U2K_QTY_COUNT) - 1;

	if (mask == UINT64_MAX) {
		json_object_set_new(object, "description", text(ups->desc));
		json_object_set_new(object, "aliases", aliases(ups));
		json_object_set_new(object, "logins", json_integer(ups->logins));
	}
	json_object_set_new(object, "power", power(ups));
	json_object_set_new(object, "status", status(ups, now_us));
	if (mask & all_qty)
		json_object_set_new(object, "quantities", quantities(ups, mask, now_us));
	if (mask & (U2K_CHANGED_ALARMS | U2K_CHANGED_FLAGS))
		json_object_set_new(object, "alarms", alarms(ups, now_us));
	if (mask & U2K_CHANGED_IDENTITY)
		json_object_set_new(object, "identity", identity(ups));
	if (mask & U2K_CHANGED_GATE)
		json_object_set_new(object, "commands", gate(ups));
	if (mask & U2K_CHANGED_COMM)
		json_object_set_new(object, "comm", comm(ups));
	if (mask & (HUB_CHANGED_PLAN | U2K_CHANGED_FLAGS))
		json_object_set_new(object, "policy", plan_ups_json(ups, now_us));
	if (mask == UINT64_MAX) {
		json_object_set_new(object, "line", line(ups));
		json_object_set_new(object, "energy", energy(ups));
	}
	return object;
}

json_t *model_ages(const struct hub_ups *ups, int64_t now_us)
{
	json_t *ages = json_object();

	for (int q = 0; q < U2K_QTY_COUNT; q++) {
		const struct u2k_value *v = &ups->snap.qty[q];

		if (v->at_us != 0)
			json_object_set_new(ages, u2k_qty_desc((enum u2k_qty)q)->name,
					    json_pack("{s:o}", "age_s", age(v->at_us, now_us)));
	}
	return json_pack("{s:o, s:s, s:{s:o}, s:{s:o}, s:o, s:o}", "name", text(ups->name),
			 "availability", avail_word(ups), "status", "age_s",
			 age(ups->snap.status_at_us, now_us), "alarms", "age_s",
			 age(ups->snap.alarms.at_us, now_us), "quantities", ages, "energy",
			 energy(ups));
}

json_t *model_summary(const struct hub_ups *ups, int64_t now_us)
{
	static const struct {
		const char *key;
		enum u2k_qty qty;
	} few[] = {
		{ "load_percent", U2K_QTY_LOAD },
		{ "battery_charge_percent", U2K_QTY_BATTERY_CHARGE },
		{ "battery_runtime_s", U2K_QTY_BATTERY_RUNTIME },
	};
	unsigned n_alarms = 0;
	json_t *object;

	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++)
		n_alarms += ups->snap.alarms.active >> i & 1;
	object = json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:i}", "name", text(ups->name),
			   "description", text(ups->desc), "aliases", aliases(ups), "model",
			   text_or_null(ups->snap.identity.model), "availability", avail_word(ups),
			   "power", power(ups), "status", status(ups, now_us), "alarms",
			   (int)n_alarms);
	for (size_t i = 0; i < ARRAY_SIZE(few); i++) {
		const struct u2k_value *v = &ups->snap.qty[few[i].qty];

		json_object_set_new(object, few[i].key,
				    v->validity == U2K_VALID
					    ? number(v->value, u2k_qty_desc(few[i].qty)->decimals)
					    : json_null());
	}
	return object;
}

json_t *model_variables(const struct hub_ups *ups)
{
	json_t *variables = json_object();

	for (size_t i = 0; i < nut_store_count(ups->store); i++) {
		const struct nut_var *var = nut_store_at(ups->store, i);

		json_object_set_new(variables, var->name, text(var->value));
	}
	return json_pack("{s:o, s:s, s:o}", "name", text(ups->name), "availability",
			 avail_word(ups), "variables", variables);
}

static json_t *number_or_text(const char *value)
{
	char *end;
	double number;

	if (strspn(value, "-.0123456789") != strlen(value) || !*value ||
	    (*value == '0' && value[1] && value[1] != '.'))
		return text(value);
	number = strtod(value, &end);
	if (*end || strlen(value) > 15)
		return text(value);
	return strchr(value, '.') ? json_real(number) : json_integer((json_int_t)number);
}

json_t *model_device(const struct hub_ups *ups)
{
	json_t *object = json_object();

	for (size_t i = 0; i < nut_store_count(ups->store); i++) {
		const struct nut_var *var = nut_store_at(ups->store, i);

		json_object_set_new(object, var->name, number_or_text(var->value));
	}
	return object;
}

json_t *model_commands(const struct hub_ups *ups)
{
	json_t *answer = gate(ups);
	json_t *commands = json_array();

	for (size_t i = 0; i < nut_store_cmd_count(ups->store); i++) {
		const char *name = nut_store_cmd_at(ups->store, i);
		const struct effect *effect = effect_find(name);
		json_t *steps = json_array();
		char step[256];

		for (size_t j = 0; engine_command_step(name, j, step, sizeof(step)); j++)
			json_array_append_new(steps, json_string(step));
		json_array_append_new(commands,
				      json_pack("{s:o, s:o, s:o, s:o, s:b}", "steps", steps, "name",
						text(name), "description", text(nut_cmd_desc(name)),
						"effect", text(effect ? effect->effect : NULL),
						"confirm", effect && effect->confirm));
	}
	json_object_set_new(answer, "name", text(ups->name));
	json_object_set_new(answer, "commands", commands);
	return answer;
}

static json_t *setting(const struct nut_var *var)
{
	json_t *enums = json_array(), *ranges = json_array();
	const char *type = "number";

	for (size_t i = 0; i < var->n_enums; i++)
		json_array_append_new(enums, text(var->enums[i]));
	for (size_t i = 0; i < var->n_ranges; i++)
		json_array_append_new(ranges,
				      json_pack("{s:i, s:i}", "min", (int)var->ranges[i].min, "max",
						(int)var->ranges[i].max));
	if (var->n_enums > 0)
		type = "choice";
	else if (var->n_ranges > 0)
		type = "range";
	else if (var->flags & NUT_STRING)
		type = "text";
	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "name", text(var->name), "value",
			 text(var->value), "description", text(nut_var_desc(var->name)), "type",
			 type, "max_length",
			 var->flags & NUT_STRING ? json_integer(var->aux) : json_null(), "choices",
			 enums, "ranges", ranges);
}

json_t *model_settings(const struct hub_ups *ups)
{
	json_t *answer = gate(ups);
	json_t *settings = json_array();

	for (size_t i = 0; i < nut_store_count(ups->store); i++) {
		const struct nut_var *var = nut_store_at(ups->store, i);

		if (var->flags & NUT_RW)
			json_array_append_new(settings, setting(var));
	}
	json_object_set_new(answer, "name", text(ups->name));
	json_object_set_new(answer, "settings", settings);
	return answer;
}

json_t *model_event(const struct hub_event *event)
{
	json_t *facts =
		event->facts ? json_loads(event->facts, JSON_REJECT_DUPLICATES, NULL) : NULL;
	char when[32];

	model_time(when, event->wall_us);
	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)event->id, "time",
			 when, "kind", text(event->kind), "severity", text(event->severity), "ups",
			 text(event->ups), "text", text(event->text), "facts",
			 facts ? facts : json_null());
}

json_t *model_order(const struct hub_order *order, int64_t now_us)
{
	bool ended = order->outcome != U2K_PENDING;
	int64_t until = ended && order->ended_us ? order->ended_us : now_us;
	json_t *steps = json_array();

	for (size_t i = 0; i < order->n_steps; i++)
		json_array_append_new(steps, text(order->steps[i]));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "id", order->id,
			 "kind", order->kind == HUB_ORDER_COMMAND ? "command" : "setting", "name",
			 text(order->name), "value", text(order->value), "user", text(order->user),
			 "from", text(order->from), "outcome", outcome_words[order->outcome],
			 "message", text_or_null(order->message), "took_s",
			 number((double)(until - order->made_us) / 1e6, 3), "steps", steps);
}

uint64_t model_newest_event(const struct hub *hub)
{
	const struct hub_event *event = NULL, *newest = NULL;

	while ((event = hub_event_after(hub, newest ? newest->id : 0)))
		newest = event;
	return newest ? newest->id : 0;
}

void model_cursor(char out[MODEL_CURSOR_MAX], uint64_t id)
{
	snprintf(out, MODEL_CURSOR_MAX, "%08x-%llu", (unsigned)hub_run(), (unsigned long long)id);
}

bool model_cursor_parse(const char *text, uint64_t *id)
{
	unsigned long long value, run = hub_run();
	const char *dash = strchr(text, '-');
	char *end;

	errno = 0;
	if (dash) {
		if (dash != text + 8 || strspn(text, "0123456789abcdef") != 8)
			return false;
		run = strtoull(text, NULL, 16);
		text = dash + 1;
	}
	if (*text < '0' || *text > '9')
		return false;
	value = strtoull(text, &end, 10);
	if (errno || *end)
		return false;
	*id = run == hub_run() ? value : 0;
	return true;
}
