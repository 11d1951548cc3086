#include "cli/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/page.h"
#include "cli/term.h"
#include "probe/words.h"
#include "ups/alarms.h"
#include "ups/pieces.h"
#include "util/util.h"
#include <ups2000/error.h>

/*
 * Measurements move by themselves. So each state is read several times, and a register counts as
 * moving by itself if it differed among the reads before.
 */
enum { READS_BEFORE = 3 };

struct diff {
	struct survey_plan plan;
	struct survey_image before[READS_BEFORE], after;
};

static bool restless(const struct diff *d, unsigned slot)
{
	for (size_t i = 1; i < READS_BEFORE; i++)
		if (d->before[i].value[slot] != d->before[0].value[slot])
			return true;
	return false;
}

static bool is_known(const struct diff *d, unsigned slot)
{
	for (size_t i = 0; i < READS_BEFORE; i++)
		if (!d->before[i].known[slot])
			return false;
	return d->after.known[slot];
}

static bool has_changed(const struct diff *d, unsigned slot)
{
	return is_known(d, slot) && d->after.value[slot] != d->before[READS_BEFORE - 1].value[slot];
}

static void describe(const struct diff *d, const struct survey_image *image, unsigned slot,
		     char *out, size_t size)
{
	uint16_t regs[2] = { image->value[slot], 0 }, base = area_base(slot);
	uint16_t other = d->before[READS_BEFORE - 1].value[slot] ^ d->after.value[slot];
	struct area_name name;
	size_t n = 0;

	*out = '\0';
	area_name(base, &name);
	if (slot + 1 < AREA_REGS)
		regs[1] = image->value[slot + 1];
	if (name.qty < U2K_QTY_COUNT && !name.low_word)
		words_value(name.qty, regs, out, size);
	for (unsigned bit = 0; base >= ALARMS_BASE && bit < 16 && n < size; bit++) {
		const struct u2k_alarm_desc *alarm = words_alarm(base, bit);
		int more;

		if (!(other >> bit & 1) || !(image->value[slot] >> bit & 1))
			continue;
		if (alarm)
			more = snprintf(out + n, size - n, "%s%u/%u %s", n ? ", " : "", alarm->id,
					alarm->cause, alarm->name);
		else
			more = snprintf(out + n, size - n, "%sunknown bit %u", n ? ", " : "", bit);
		n += more > 0 ? (size_t)more : 0;
	}
}

static void print_text(const struct cli *cli, const struct diff *d)
{
	char was[200], is[200];
	struct area_name name;
	unsigned columns, rows, changed = 0, moving = 0, unread = 0;
	struct page page;

	term_size(&columns, &rows);
	page_init(&page, cli->color, cli->utf8, columns);
	for (unsigned slot = 0; slot < AREA_REGS; slot++) {
		area_name(area_base(slot), &name);
		unread += !is_known(d, slot);
		if (!has_changed(d, slot))
			continue;
		if (restless(d, slot)) {
			moving++;
			continue;
		}
		changed++;
		describe(d, &d->before[READS_BEFORE - 1], slot, was, sizeof(was));
		describe(d, &d->after, slot, is, sizeof(is));
		page_add(&page, "%5u  %-24s 0x%04X -> 0x%04X  %s -> %s\n", area_base(slot),
			 name.name ? name.name : "(no known meaning)",
			 d->before[READS_BEFORE - 1].value[slot], d->after.value[slot],
			 *was ? was : "-", *is ? is : "-");
	}
	if (!changed)
		page_add(&page, "No register changed.\n");
	if (moving)
		page_add(&page, "%u more changed, but moved before as well.\n", moving);
	if (unread)
		page_add(&page, "%u of %d registers cannot be read on this unit.\n", unread,
			 AREA_REGS);
	fputs(page.text, stdout);
	page_close(&page);
}

static void print_json(const struct cli *cli, const char *port, const struct diff *d)
{
	json_t *changes = json_array(), *unread = json_array(), *out;
	char was[200], is[200];
	struct area_name name;

	for (unsigned slot = 0; slot < AREA_REGS; slot++) {
		uint16_t base = area_base(slot);

		area_name(base, &name);
		if (!is_known(d, slot))
			json_array_append_new(unread, json_integer(base));
		if (!has_changed(d, slot))
			continue;
		describe(d, &d->before[READS_BEFORE - 1], slot, was, sizeof(was));
		describe(d, &d->after, slot, is, sizeof(is));
		json_array_append_new(
			changes,
			json_pack("{sI so sI sI ss ss sb}", "base", (json_int_t)base, "name",
				  name.name ? json_string(name.name) : json_null(), "before",
				  (json_int_t)d->before[READS_BEFORE - 1].value[slot], "after",
				  (json_int_t)d->after.value[slot], "before_text", was,
				  "after_text", is, "restless", restless(d, slot)));
	}
	out = json_pack("{ss so so}", "port", port, "changes", changes, "unread", unread);
	ask_print(cli, out);
	json_decref(out);
}

static bool wait_for_user(const struct cli *cli, struct wire *wire)
{
	char line[256];
	bool come;

	if (cli->wait_s) {
		fprintf(stderr, "Do it within the next %u s.\n", cli->wait_s);
		return wire_wait(wire, (int64_t)cli->wait_s * 1000000);
	}
	fputs("Now do what you want to find out about (at the panel, for example switch ECO on), wait\n"
	      "until the UPS has done it, then press Enter: ",
	      stderr);
	fflush(stderr);
	come = wire_wait_fd(wire, STDIN_FILENO);
	if (come && read(STDIN_FILENO, line, sizeof(line)) <= 0) {
		complain("nobody answers; in scripts use --wait SECONDS");
		return false;
	}
	return come;
}

static int ended(const struct wire *wire)
{
	if (wire_interrupted(wire))
		return EXIT_INTERRUPTED;
	if (*wire_lost(wire)) {
		complain("%s", wire_lost(wire));
		return EXIT_UNREACHABLE;
	}
	return EXIT_TEMPORARY;
}

int probe_diff(struct cli *cli, const char *port, struct wire *wire,
	       const struct survey_config *config)
{
	struct diff *d = xcalloc(1, sizeof(*d));
	int code = EXIT_OK;

	for (size_t i = 0; i < READS_BEFORE && code == EXIT_OK; i++)
		if (survey_image(&d->before[i], &d->plan, wire, config) ||
		    (i + 1 < READS_BEFORE && !wire_wait(wire, 1000000)))
			code = ended(wire);
	probe_progress_end();
	if (code == EXIT_OK && !wait_for_user(cli, wire))
		code = wire_interrupted(wire) ? EXIT_INTERRUPTED : EXIT_USAGE;
	if (code == EXIT_OK && survey_image(&d->after, &d->plan, wire, config))
		code = ended(wire);
	probe_progress_end();
	if (code == EXIT_TEMPORARY)
		complain("%s: the UPS stopped answering", port);
	if (code == EXIT_OK && cli->json)
		print_json(cli, port, d);
	else if (code == EXIT_OK)
		print_text(cli, d);
	free(d);
	return code;
}
