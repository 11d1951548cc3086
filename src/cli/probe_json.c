#include "cli/probe.h"

#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"
#include "probe/oddities.h"
#include "probe/words.h"
#include "ups/alarms.h"
#include "ups/pieces.h"
#include "ups/regs.h"
#include "util/util.h"

static json_t *milliseconds(int64_t us)
{
	return json_real((double)((us + 5) / 10) / 100);
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

json_t *probe_identity_json(const struct u2k_identity *id)
{
	return json_pack("{so so so so so so so sI}", "model", text_or_null(id->model), "firmware",
			 text_or_null(id->firmware), "protocol", text_or_null(id->protocol),
			 "serial", text_or_null(id->esn), "device_id", text_or_null(id->device_id),
			 "group", text_or_null(id->group), "maker", text_or_null(id->maker),
			 "ups_count", (json_int_t)id->ups_count);
}

static json_t *status_json(int status)
{
	return json_pack("{ss so}", "status", words_status_word(status), "exception",
			 status > 0 ? json_integer(status) : json_null());
}

static json_t *way_json(const struct survey_identity *way)
{
	json_t *out;

	if (!way->asked)
		return json_null();
	out = status_json(way->status);
	if (way->status == 0)
		json_object_set_new(out, "identity", probe_identity_json(&way->identity));
	if (*way->text)
		json_object_set_new(out, "text", json_string(way->text));
	return out;
}

static json_t *register_json(const struct survey *s, unsigned slot)
{
	uint16_t base = area_base(slot), regs[2] = { s->value[slot], 0 };
	struct area_name name;
	char words[200];
	double value;
	json_t *out = json_pack("{sI sI sI}", "base", (json_int_t)base, "address",
				(json_int_t)piece_address(base, s->number), "raw",
				(json_int_t)s->value[slot]);

	area_name(base, &name);
	json_object_set_new(out, "name", name.name ? json_string(name.name) : json_null());
	if (name.write_only)
		json_object_set_new(out, "write_only", json_true());
	if (name.qty == U2K_QTY_COUNT || name.low_word)
		return out;
	if (slot + 1 < AREA_REGS)
		regs[1] = s->value[slot + 1];
	words_value(name.qty, regs, words, sizeof(words));
	json_object_set_new(out, "text", json_string(words));
	json_object_set_new(out, "unit", json_string(reg_desc(name.qty)->qty.unit));
	json_object_set_new(out, "value",
			    survey_value(s, name.qty, &value) ? json_real(value) : json_null());
	return out;
}

static json_t *registers_json(const struct survey *s)
{
	json_t *out = json_array();

	for (unsigned slot = 0; slot < AREA_REGS; slot++)
		if (s->known[slot])
			json_array_append_new(out, register_json(s, slot));
	return out;
}

static json_t *bits_json(const struct survey *s)
{
	const uint16_t *value = survey_register(s, 1043);
	json_t *out = json_array();

	for (unsigned bit = 0; value && bit < 16; bit++) {
		bool known, set = *value >> bit & 1;
		const char *words = words_status_bit(bit, &known);

		if (known || set)
			json_array_append_new(out, json_pack("{sI sb ss sb}", "bit",
							     (json_int_t)bit, "set", set, "meaning",
							     words, "documented", known));
	}
	return out;
}

static json_t *alarms_json(const struct survey *s)
{
	json_t *active = json_array(), *unknown = json_array();

	for (unsigned i = 0; s->alarms.at_us && i < U2K_ALARM_COUNT; i++) {
		const struct u2k_alarm_desc *desc = u2k_alarm_desc(i);

		if (s->alarms.active >> i & 1) {
			char *id = xasprintf("%u/%u", desc->id, desc->cause);

			json_array_append_new(active,
					      json_pack("{ss ss}", "id", id, "name", desc->name));
			free(id);
		}
	}
	for (unsigned i = 0; s->alarms.at_us && i < U2K_ALARM_REGS; i++)
		for (unsigned bit = 0; bit < 16; bit++)
			if (s->alarms.unknown[i] >> bit & 1)
				json_array_append_new(unknown,
						      json_pack("{sI sI}", "base",
								(json_int_t)(ALARMS_BASE + i),
								"bit", (json_int_t)bit));
	return json_pack("{sb so so}", "read", s->alarms.at_us != 0, "active", active, "unknown",
			 unknown);
}

static json_t *reads_json(const struct survey *s)
{
	json_t *out = json_array();

	for (size_t i = 0; i < s->n_reads; i++) {
		const struct survey_read *row = &s->reads[i];
		json_t *one = status_json(row->status);

		json_object_set_new(one, "base", json_integer(row->base));
		json_object_set_new(one, "address",
				    json_integer(piece_address(row->base, s->number)));
		json_object_set_new(one, "count", json_integer(row->n));
		json_object_set_new(one, "tries", json_integer(row->tries));
		json_object_set_new(one, "why", json_string(row->why));
		json_object_set_new(one, "ms",
				    row->took_us ? milliseconds(row->took_us) : json_null());
		json_array_append_new(out, one);
	}
	return out;
}

static json_t *gaps_json(const struct survey *s)
{
	json_t *out = json_array();

	for (size_t i = 0; i < s->n_gaps; i++)
		json_array_append_new(out, json_pack("{sI sI sI so so}", "gap_ms",
						     (json_int_t)s->gaps[i].gap_ms, "asked",
						     (json_int_t)s->gaps[i].asked, "answered",
						     (json_int_t)s->gaps[i].answered, "p50_ms",
						     milliseconds(s->gaps[i].p50_us), "max_ms",
						     milliseconds(s->gaps[i].max_us)));
	return out;
}

static json_t *spread_json(const int64_t *samples, size_t n)
{
	int64_t *rising = survey_sorted(samples, n);
	json_t *out = json_pack("{so so so so}", "min", milliseconds(survey_quantile(rising, n, 0)),
				"p50", milliseconds(survey_quantile(rising, n, 0.5)), "p95",
				milliseconds(survey_quantile(rising, n, 0.95)), "max",
				milliseconds(survey_quantile(rising, n, 1)));

	free(rising);
	return out;
}

static json_t *samples_json(const struct survey *s)
{
	json_t *out = json_array();

	for (size_t i = 0; i < s->n_samples; i++)
		json_array_append_new(out, milliseconds(s->think_us[i]));
	return out;
}

static json_t *timing_json(const struct survey *s)
{
	return json_pack("{sI sI so so so so}", "answers", (json_int_t)s->n_samples, "slow",
			 (json_int_t)s->slow, "answer_ms", spread_json(s->took_us, s->n_samples),
			 "turnaround_ms", spread_json(s->think_us, s->n_samples),
			 "turnaround_samples_ms", samples_json(s), "gaps", gaps_json(s));
}

static json_t *line_json(const struct survey *s)
{
	return json_pack("{sI sI sI sI sI sI sb}", "requests", (json_int_t)s->line.requests,
			 "answers", (json_int_t)s->line.answers, "unanswered",
			 (json_int_t)s->line.timeouts, "exceptions", (json_int_t)s->line.exceptions,
			 "bad_checksums", (json_int_t)s->line.bad_frames, "noise_bytes",
			 (json_int_t)s->line.noise_bytes, "echo", s->echoes > 0);
}

static json_t *oddities_json(const struct survey *s)
{
	struct oddity *list = xcalloc(ODDITIES_MAX, sizeof(*list));
	size_t n = oddities_find(s, list);
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			out,
			json_pack("{ss ss ss so}", "id", list[i].id, "severity",
				  list[i].severity == ODDITY_WARNING ? "warning" : "note", "text",
				  list[i].text, "remedy", text_or_null(list[i].remedy)));
	free(list);
	return out;
}

json_t *probe_json(const char *port, const struct survey *s)
{
	char *conf = probe_conf(port, s);
	json_t *out = json_pack(
		"{ss ss so sI sI sI sb sb so so so}", "tool", "ups2000 " U2K_VERSION, "port", port,
		"adapter", text_or_null(s->adapter), "unit_id", (json_int_t)s->unit_id, "number",
		(json_int_t)s->number, "baud", (json_int_t)s->baud, "answered", s->answered,
		"complete", !s->interrupted && !*s->lost, "identity",
		s->identity.known ? probe_identity_json(&s->identity) : json_null(), "description",
		way_json(&s->described), "basic", way_json(&s->basic));

	json_object_set_new(out, "commands",
			    json_pack("{sb so}", "possible", s->gate == U2K_GATE_OPEN, "reason",
				      s->gate == U2K_GATE_OPEN
					      ? json_null()
					      : json_string(u2k_gate_text(s->gate))));
	json_object_set_new(out, "registers", registers_json(s));
	json_object_set_new(out, "status_bits", bits_json(s));
	json_object_set_new(out, "alarms", alarms_json(s));
	json_object_set_new(out, "reads", reads_json(s));
	json_object_set_new(out, "timing", timing_json(s));
	json_object_set_new(out, "line", line_json(s));
	json_object_set_new(out, "oddities", oddities_json(s));
	json_object_set_new(out, "configuration",
			    s->identity.known ? json_string(conf) : json_null());
	free(conf);
	return out;
}
