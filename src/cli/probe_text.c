#include "cli/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include "cli/cli.h"
#include "cli/page.h"
#include "cli/term.h"
#include "probe/oddities.h"
#include "probe/words.h"
#include "ups/alarms.h"
#include "ups/pieces.h"
#include "util/util.h"

static void heading(struct page *p, const char *text)
{
	page_add(p, "\n");
	page_tone(p, TONE_BOLD, "%s", text);
	page_add(p, "\n");
}

static void field(struct page *p, const char *name, const char *value)
{
	if (*value)
		page_add(p, "  %-14s %s\n", name, value);
}

static void way(struct page *p, const char *name, const struct survey_identity *id)
{
	char status[120];

	if (!id->asked)
		return;
	words_status(id->status, status, sizeof(status));
	if (id->status)
		page_add(p, "  %-14s %s\n", name, status);
	else if (*id->text)
		page_add(p, "  %-14s %s\n", name, id->text);
	else
		page_add(p, "  %-14s %s%s%s%s%s\n", name, id->identity.maker,
			 *id->identity.maker ? ", " : "", id->identity.model,
			 *id->identity.firmware ? ", " : "", id->identity.firmware);
}

static void identity(struct page *p, const char *port, const struct survey *s)
{
	page_tone(p, TONE_BOLD, "%s", s->identity.known ? s->identity.model : "Unknown unit");
	page_add(p, " at %s%s%s%s, unit id %u, number %u\n", port, *s->adapter ? " (" : "",
		 s->adapter, *s->adapter ? ")" : "", s->unit_id, s->number);
	field(p, "firmware", s->identity.firmware);
	field(p, "interface", s->identity.protocol);
	field(p, "serial", s->identity.esn);
	way(p, "description", &s->described);
	way(p, "basic", &s->basic);
	if (s->answered)
		page_add(p, "  %-14s %s\n", "commands",
			 s->gate == U2K_GATE_OPEN ? "ups2000d would give them"
						  : u2k_gate_text(s->gate));
}

static void one_register(struct page *p, const struct survey *s, unsigned slot)
{
	uint16_t base = area_base(slot), regs[2] = { s->value[slot], 0 };
	struct area_name name;
	char words[200] = "";

	area_name(base, &name);
	if (slot + 1 < AREA_REGS)
		regs[1] = s->value[slot + 1];
	if (name.qty < U2K_QTY_COUNT && !name.low_word)
		words_value(name.qty, regs, words, sizeof(words));
	else if (name.low_word)
		snprintf(words, sizeof(words), "(its second half)");
	else if (name.write_only)
		snprintf(words, sizeof(words), "(is only written)");
	page_add(p, "  %5u %5u  %-24s %6u  0x%04X  %s\n", base, piece_address(base, s->number),
		 name.name ? name.name : "(no known meaning)", s->value[slot], s->value[slot],
		 words);
}

static void registers(struct page *p, const struct survey *s)
{
	struct area_name name;
	unsigned zeros = 0, unread = 0;

	heading(p, "Registers");
	page_tone(p, TONE_DIM, "   base  wire  %-24s %6s  %6s\n", "name", "raw", "hex");
	for (unsigned slot = 0; slot < AREA_REGS; slot++) {
		area_name(area_base(slot), &name);
		if (!s->known[slot])
			unread += name.name && !name.write_only;
		else if (!s->value[slot] &&
			 (!name.name || name.write_only || area_base(slot) >= ALARMS_BASE))
			zeros++;
		else
			one_register(p, s, slot);
	}
	page_add(p, "  %u more without a meaning, only written, or of alarms, read 0.\n", zeros);
	if (unread)
		page_add(p, "  %u registers of the map could not be read.\n", unread);
}

static void status_bits(struct page *p, const struct survey *s)
{
	const uint16_t *value = survey_register(s, 1043);

	if (!value)
		return;
	heading(p, "Status bits (1043)");
	for (int bit = 15; bit >= 0; bit--) {
		bool known, set = *value >> bit & 1;
		const char *words = words_status_bit((unsigned)bit, &known);

		if (known || set)
			page_add(p, "  bit %-2d %s  %s\n", bit, set ? "set  " : "clear", words);
	}
}

static void alarms(struct page *p, const struct survey *s)
{
	bool any = false;

	heading(p, "Alarms");
	for (unsigned i = 0; s->alarms.at_us && i < U2K_ALARM_COUNT; i++) {
		const struct u2k_alarm_desc *desc = u2k_alarm_desc(i);

		if (!(s->alarms.active >> i & 1))
			continue;
		any = true;
		page_add(p, "  %u/%u %s. %s\n", desc->id, desc->cause, desc->name, desc->meaning);
	}
	for (unsigned i = 0; s->alarms.at_us && i < U2K_ALARM_REGS; i++) {
		if (!s->alarms.unknown[i])
			continue;
		any = true;
		page_add(p, "  unknown: register %u, bits 0x%04X\n", ALARMS_BASE + i,
			 s->alarms.unknown[i]);
	}
	if (!any)
		page_add(p, "  %s\n", s->alarms.at_us ? "none" : "could not be read");
}

static void reads(struct page *p, const struct survey *s)
{
	char status[120], took[32];

	heading(p, "Reads tried");
	for (size_t i = 0; i < s->n_reads; i++) {
		const struct survey_read *row = &s->reads[i];

		words_status(row->status, status, sizeof(status));
		snprintf(took, sizeof(took), "%.1f ms", (double)row->took_us / 1000);
		page_add(p, "  %5u x %-2u %-36s %s  (%s)\n", row->base, row->n, status,
			 row->took_us ? took : "", row->why);
	}
}

/* How long until the answer began: a bar per step. */
static void histogram(struct page *p, const struct survey *s)
{
	static const int64_t steps_us[] = { 5000,   10000,  15000,  20000,   30000,   50000,
					    100000, 200000, 500000, 1000000, 2000000, INT64_MAX };
	size_t counts[ARRAY_SIZE(steps_us)] = { 0 }, most = 1;

	for (size_t i = 0; i < s->n_samples; i++) {
		size_t step = 0;

		while (s->think_us[i] >= steps_us[step])
			step++;
		if (++counts[step] > most)
			most = counts[step];
	}
	for (size_t i = 0; i < ARRAY_SIZE(steps_us); i++) {
		if (!counts[i])
			continue;
		if (steps_us[i] == INT64_MAX)
			page_add(p, "    2 s and more ");
		else
			page_add(p, "  under %4d ms  ", (int)(steps_us[i] / 1000));
		page_bar(p, (double)counts[i] / (double)most, 30, TONE_PLAIN);
		page_add(p, " %zu\n", counts[i]);
	}
}

static void spread(struct page *p, const char *name, const int64_t *samples, size_t n)
{
	int64_t *rising = survey_sorted(samples, n);

	page_add(p, "  %s: p50 %.1f, p95 %.1f, max %.1f ms\n", name,
		 (double)survey_quantile(rising, n, 0.5) / 1000,
		 (double)survey_quantile(rising, n, 0.95) / 1000,
		 (double)survey_quantile(rising, n, 1) / 1000);
	free(rising);
}

static void timing(struct page *p, const struct survey *s)
{
	heading(p, "Timing");
	page_add(p, "  %zu answers\n", s->n_samples);
	spread(p, "whole answer in", s->took_us, s->n_samples);
	spread(p, "answer begun (less the time of the bytes)", s->think_us, s->n_samples);
	histogram(p, s);
	for (size_t i = 0; i < s->n_gaps; i++)
		page_add(p, "  gap of %2u ms: %u of %u answered, p50 %.1f, max %.1f ms\n",
			 s->gaps[i].gap_ms, s->gaps[i].answered, s->gaps[i].asked,
			 (double)s->gaps[i].p50_us / 1000, (double)s->gaps[i].max_us / 1000);
}

static void oddities(struct page *p, const struct survey *s)
{
	struct oddity *list = xcalloc(ODDITIES_MAX, sizeof(*list));
	size_t n = oddities_find(s, list);

	heading(p, "Oddities");
	if (!n)
		page_add(p, "  none\n");
	for (size_t i = 0; i < n; i++) {
		page_tone(p, list[i].severity == ODDITY_WARNING ? TONE_WARN : TONE_PLAIN,
			  "  %s:", list[i].id);
		page_wrapped(p, TONE_PLAIN, 4, list[i].text);
		if (*list[i].remedy) {
			page_add(p, "    -> ");
			page_wrapped(p, TONE_PLAIN, 7, list[i].remedy);
		}
	}
	free(list);
}

void probe_text(const struct cli *cli, const char *port, const struct survey *s)
{
	unsigned columns, rows;
	struct page page;

	term_size(&columns, &rows);
	page_init(&page, cli->color, cli->utf8, columns);
	identity(&page, port, s);
	if (s->answered) {
		registers(&page, s);
		status_bits(&page, s);
		alarms(&page, s);
		reads(&page, s);
		timing(&page, s);
	}
	oddities(&page, s);
	if (s->identity.known) {
		char *conf = probe_conf(port, s);

		heading(&page, "For ups2000.conf");
		page_add(&page, "  %s\n", conf);
		free(conf);
	}
	fputs(page.text, stdout);
	page_close(&page);
}
