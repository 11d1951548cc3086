#include "probe/oddities.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probe/words.h"
#include "ups/alarms.h"
#include "ups/regs.h"
#include "util/util.h"
#include <ups2000/error.h>

struct list {
	const struct survey *s;
	struct oddity *out;
	size_t n;
};

static __attribute__((format(printf, 5, 6))) void add(struct list *l, const char *id,
						      enum oddity_severity severity,
						      const char *remedy, const char *format, ...)
{
	struct oddity *o = &l->out[l->n];
	va_list args;

	if (l->n == ODDITIES_MAX)
		return;
	l->n++;
	o->id = id;
	o->severity = severity;
	va_start(args, format);
	vsnprintf(o->text, sizeof(o->text), format, args);
	va_end(args);
	snprintf(o->remedy, sizeof(o->remedy), "%s", remedy);
}

static unsigned raw(const struct survey *s, uint16_t base)
{
	const uint16_t *value = survey_register(s, base);

	return value ? *value : 0x10000;
}

/* ---- the line ---- */

static void look_at_silence(struct list *l)
{
	const struct survey *s = l->s;

	if (*s->lost) {
		add(l, "lost", ODDITY_WARNING, "Mend that and probe again.",
		    "The port went away while it was looked at: %s", s->lost);
		return;
	}
	if (s->answered || s->interrupted)
		return;
	if (s->gateway)
		add(l, "gateway", ODDITY_WARNING,
		    "Check the cable behind the gateway, its serial settings (9600 8N1) and the unit "
		    "id.",
		    "The gateway answers, but the UPS behind it does not: exception %02X.",
		    (unsigned)s->gateway);
	else if (s->echoes)
		add(l, "only-echo", ODDITY_WARNING,
		    "Check the wires (A and B swapped?), the unit id and that the UPS is on.",
		    "Our own requests come back but no answer does: the line hears itself, so the "
		    "adapter works and the UPS does not hear it, or has another unit id.");
	else if (s->line.noise_bytes || s->line.bad_frames)
		add(l, "only-noise", ODDITY_WARNING,
		    "The UPS talks 9600 baud, 8N1; a UPS2000-H talks 115200 (--baud 115200). Is it a "
		    "UPS2000 at all?",
		    "Bytes come in, but no answer is among them: another speed, another protocol, or "
		    "a disturbed line.");
	else
		add(l, "silent", ODDITY_WARNING,
		    "One cable only (RS-232 or USB, no card in the slot); after a change of port "
		    "switch the UPS off fully: output off, pull its mains plug, wait for a dark "
		    "display, start it. Or try another --unit-id.",
		    "Not a single byte came back. Another device may be on this port, the UPS may be "
		    "off, or it has gone mute, which only a full power cycle ends.");
}

static void look_at_line(struct list *l)
{
	const struct survey *s = l->s;

	if (s->answered && s->echoes)
		add(l, "echo", ODDITY_NOTE, "",
		    "The line hears itself (%u requests came back before their answers), as two-wire "
		    "RS-485 adapters do. This is filtered out.",
		    s->echoes);
	if (s->slow)
		add(l, "late", ODDITY_NOTE,
		    "If it is the rule, look for another program on the line, or a slow network.",
		    "%u answer%s took longer than a second. UPS2000s do this now and then; programs "
		    "that do not wait take such an answer for the next one's.",
		    s->slow, s->slow == 1 ? "" : "s");
	if (s->answered && s->line.timeouts)
		add(l, "unanswered",
		    s->line.timeouts * 20 > s->line.requests ? ODDITY_WARNING : ODDITY_NOTE,
		    "Check the cable; keep it away from the mains cables.",
		    "%llu of %llu requests got no usable answer within 2.4 s.",
		    (unsigned long long)s->line.timeouts, (unsigned long long)s->line.requests);
	if (s->answered && (s->line.bad_frames || s->line.noise_bytes))
		add(l, "noise", ODDITY_WARNING,
		    "Check cable and adapter, and that no other program reads from the port.",
		    "%llu bytes were no part of an answer and %llu answers had a wrong checksum.",
		    (unsigned long long)s->line.noise_bytes,
		    (unsigned long long)s->line.bad_frames);
}

static void look_at_gaps(struct list *l)
{
	for (size_t i = 0; i < l->s->n_gaps; i++) {
		const struct survey_gap *gap = &l->s->gaps[i];

		if (gap->asked == gap->answered || !i ||
		    l->s->gaps[i - 1].asked != l->s->gaps[i - 1].answered)
			continue;
		add(l, "gap", ODDITY_NOTE,
		    "The daemon finds the right gap by itself; please tell us.",
		    "With %u ms between answer and next request %u of %u went unanswered; with %u ms "
		    "none did.",
		    gap->gap_ms, gap->asked - gap->answered, gap->asked, l->s->gaps[i - 1].gap_ms);
	}
}

/* ---- who it is ---- */

static void look_at_identity(struct list *l)
{
	const struct survey *s = l->s;
	char why[120];

	if (!s->answered || s->interrupted || *s->lost)
		return;
	if (s->described.status || !s->described.identity.described) {
		words_status(s->described.status, why, sizeof(why));
		add(l, "no-description", ODDITY_NOTE, "",
		    "The list of UPSes (0x2B/0x0E, object 0x87) is not there: %s. %s",
		    s->described.status ? why : "it holds no description of this number",
		    s->basic.status ? "Nor is the basic identification."
				    : "The basic identification is.");
	}
	if (s->identity.ups_count > 1)
		add(l, "several", ODDITY_NOTE, "--number 2 and so on look at the others.",
		    "%u UPSes are behind this unit id.", s->identity.ups_count);
	if (s->gate != U2K_GATE_OPEN)
		add(l, "gate", ODDITY_NOTE,
		    s->gate == U2K_GATE_RATING || s->gate == U2K_GATE_MODEL
			    ? "If this is a UPS2000 of 1 to 3 kVA, please send us a capture (--record)."
			    : "",
		    "ups2000d would show this UPS but never command it: %s.",
		    u2k_gate_text(s->gate));
	if (s->gate == U2K_GATE_RATING && raw(s, 9009) < 0x10000)
		add(l, "rating", ODDITY_WARNING, "Do not let any program command it as a UPS2000.",
		    "Register 9009 says %.1f kVA; this register map belongs to 1, 2 and 3 kVA. Larger "
		    "relatives (UPS2000-H) use the same addresses for other things.",
		    raw(s, 9009) / 10.0);
}

static void look_at_rating(struct list *l)
{
	const struct survey *s = l->s;
	double blocks, rating;

	if (s->gate != U2K_GATE_OPEN || !survey_value(s, U2K_QTY_BATTERY_BLOCKS, &blocks) ||
	    !survey_value(s, U2K_QTY_RATED_POWER, &rating))
		return;
	if (blocks != rating / 500)
		add(l, "blocks", ODDITY_NOTE,
		    "Check it against the type plate and the battery pack.",
		    "Register 2007 says %.0f battery blocks; a unit of %.0f kVA is known with %.0f.",
		    blocks, rating / 1000, rating / 500);
}

/* ---- what it says ---- */

static void look_at_state(struct list *l)
{
	const struct survey *s = l->s;
	unsigned source = raw(s, 1024), bits = raw(s, 1043), state = raw(s, 2002);

	if (source < 0x10000 && (source == 4 || source > 5))
		add(l, "source", ODDITY_WARNING,
		    "Please send us a capture, and what the panel shows.",
		    "Register 1024 (output source) is %u; only 0, 1, 2, 3 and 5 are documented.",
		    source);
	if (bits < 0x10000 && bits != 0x7fff && bits != 0xffff && bits & 0xff23)
		add(l, "status-bits", ODDITY_NOTE, "Please tell us what the panel showed.",
		    "Register 1043 is 0x%04X: bits 0x%04X of it are undocumented.", bits,
		    bits & 0xff23);
	if (bits < 0x10000 && !(bits & U2K_BIT_ONLINE_TYPE))
		add(l, "not-online", ODDITY_NOTE, "",
		    "Bit 3 of register 1043 is 0: this unit does not call itself an on-line type.");
	if (bits < 0x10000 && source < 8 &&
	    !!(bits & U2K_BIT_MAINS_ABNORMAL) != (source == 3 || source == 6))
		add(l, "two-views", ODDITY_NOTE, "",
		    "Registers 1024 (%u) and 1043 (bit 7 %s) differ on whether the mains are there. On "
		    "bypass, off, or in a test this is to be expected.",
		    source, bits & U2K_BIT_MAINS_ABNORMAL ? "set" : "clear");
	if (s->invalid)
		add(l, "battery-invalid", ODDITY_NOTE,
		    "Nothing, if it passes. If it stays, check the battery's connection.",
		    "%u read%s of the battery held values that cannot be (2000 = 0x%04X, 2002 = 0x%04X "
		    "at last). Known of these units; the next read is usually right.",
		    s->invalid, s->invalid == 1 ? "" : "s", raw(s, 2000) & 0xffff, state & 0xffff);
	if (raw(s, 1025) == 1 || raw(s, 1026) == 1)
		add(l, "three-phases", ODDITY_WARNING, "",
		    "Registers 1025/1026 say three phases; the units this map is for have one.");
}

static void look_at_alarms(struct list *l)
{
	const struct survey *s = l->s;

	for (unsigned i = 0; s->alarms.at_us && i < U2K_ALARM_REGS; i++)
		for (unsigned bit = 0; bit < 16; bit++)
			if (s->alarms.unknown[i] >> bit & 1)
				add(l, "unknown-alarm", ODDITY_WARNING,
				    "Please tell us what the panel shows now.",
				    "Alarm register %u bit %u is set, which no table explains.",
				    ALARMS_BASE + i, bit);
	if (!s->alarms.at_us)
		return;
	bool nut = raw(s, 40173) >> 3 & 1, lessica = raw(s, 40174) >> 3 & 1;

	if (nut || lessica)
		add(l, "overload-place", ODDITY_NOTE,
		    "Please tell us: this settles an open question.",
		    "Alarm 66/2 (overload 110-130 %%) shows in register %s bit 3. Two sources place it "
		    "differently (40173 or 40174).",
		    nut && lessica ? "40173 and 40174"
		    : nut	   ? "40173"
				   : "40174");
}

/* Reads that are there to find out how a unit refuses. */
static bool is_question(const struct survey_read *row)
{
	return row->base == 1001 || row->base == 1051 || (row->base == 1044 && row->n == 7);
}

static void look_at_reads(struct list *l)
{
	char which[160] = "", why[120];
	size_t n = 0;

	for (size_t i = 0; i < l->s->n_reads; i++) {
		const struct survey_read *row = &l->s->reads[i];

		if (row->status <= 0 || row->fallback)
			continue;
		words_status(row->status, why, sizeof(why));
		if (!is_question(row) && n < sizeof(which)) {
			int more = snprintf(which + n, sizeof(which) - n, "%s%u from %u",
					    n ? ", " : "", row->n, row->base);

			n += more > 0 ? (size_t)more : 0;
		} else if (row->status != EXC_ILLEGAL_ADDRESS) {
			add(l, "exception-code", ODDITY_NOTE, "Please tell us.",
			    "A read of %u registers from %u is %s; for a register that is not there "
			    "02 was expected.",
			    row->n, row->base, why);
		}
	}
	if (*which)
		add(l, "refused-reads", ODDITY_NOTE,
		    "ups2000d then asks for the parts that matter. Please tell us the model.",
		    "Reads that other units allow are refused: %s registers.", which);
}

static void look_at_undefined(struct list *l)
{
	for (unsigned slot = 0; slot < AREA_REGS; slot++) {
		struct area_name name;

		area_name(area_base(slot), &name);
		if (name.name || !l->s->known[slot] || !l->s->value[slot])
			continue;
		add(l, "undefined-register", ODDITY_NOTE,
		    "\"ups2000 probe --diff\" may tell what it follows.",
		    "Register %u has no known meaning and reads %u (0x%04X).", area_base(slot),
		    l->s->value[slot], l->s->value[slot]);
	}
}

size_t oddities_find(const struct survey *survey, struct oddity out[ODDITIES_MAX])
{
	struct list l = { .s = survey, .out = out };

	look_at_silence(&l);
	look_at_line(&l);
	look_at_identity(&l);
	look_at_rating(&l);
	look_at_state(&l);
	look_at_alarms(&l);
	look_at_reads(&l);
	look_at_gaps(&l);
	look_at_undefined(&l);
	return l.n;
}
