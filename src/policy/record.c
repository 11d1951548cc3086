#include "policy/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

enum { FORMAT = 1, LINE_MAX_LEN = 1024, WORDS_MAX = 12 };

/* FNV-1a, 32 bits: against a disk that was full and hands that slipped, not against enemies. */
static uint32_t check_sum(const char *text, size_t len)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)text[i]) * 16777619u;
	return sum;
}

static const char *const starts[] = { "none", "wanted", "done", "failed" };
static const char *const offs[] = { "none", "wanted", "ordered", "verified", "failed" };
static const char *const hosts[] = { "none", "asked", "accepted", "failed" };

/* --- writing ------------------------------------------------------------------------------------------- */

struct out {
	char *at;
	size_t left;
	bool full;
};

static void put(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *out, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out->at, out->left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= out->left) {
		out->full = true;
		return;
	}
	out->at += n;
	out->left -= (size_t)n;
}

/* People's words may hold anything; a line is a line. */
static void put_text(struct out *out, const char *key, const char *text)
{
	put(out, "%s ", key);
	for (; *text; text++)
		put(out, "%c", (unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
	put(out, "\n");
}

static void put_ups(struct out *out, const char *name, const struct saved_ups *ups)
{
	put(out, "ups %s %" PRId64 " %" PRId64 " %s %s %" PRId64 " %u %s%s%s%s%s%s%s\n", name,
	    ups->outage_us, ups->fsd_us, starts[ups->start], offs[ups->off], ups->off_us,
	    ups->spent, ups->outage ? "b" : "-", ups->doomed ? "d" : "-", ups->ended ? "e" : "-",
	    ups->fsd ? "f" : "-", ups->fsd_runs ? "r" : "-", ups->seen_off ? "o" : "-",
	    ups->mains ? "m" : "-");
}

size_t record_print(const struct record *record, char *out, size_t size)
{
	struct out o = { out, size, false };

	put(&o, "ups2000-policy %d\n", FORMAT);
	put(&o, "boot %s\n", record->boot);
	put(&o, "serial %" PRIu64 "\n", record->serial);
	put(&o, "state %s %" PRId64 " %" PRId64 "\n", policy_state_name(record->state),
	    record->since_us, record->announced_us);
	if (*record->sequence)
		put(&o, "sequence %s\n", record->sequence);
	if (*record->cause)
		put_text(&o, "cause", record->cause);
	if (record->operator_asked) {
		put(&o, "operator %" PRId64 "\n", record->operator_us);
		put_text(&o, "operator-text", record->operator_text);
	}
	if (*record->stage)
		put(&o, "stage %s\n", record->stage);
	for (size_t i = 0; i < record->n_commands; i++)
		put(&o, "command %s %s %" PRId64 "\n", record->commands[i].name,
		    record->commands[i].ended ? "ended" : "begun", record->commands[i].until_us);
	put(&o, "host %s %u %" PRId64 "\n", hosts[record->host], record->host_tries,
	    record->host_us);
	for (size_t i = 0; i < record->n_ups; i++)
		put_ups(&o, record->ups[i].name, &record->ups[i].ups);
	for (size_t i = 0; i < record->n_wake; i++)
		put(&o, "wake %s %u %" PRId64 "\n", record->wake[i].name,
		    record->wake[i].wake.tries, record->wake[i].wake.next_us);
	put(&o, "end %08" PRIx32 "\n", check_sum(out, (size_t)(o.at - out)));
	return o.full ? 0 : (size_t)(o.at - out);
}

/* --- reading ------------------------------------------------------------------------------------------- */

struct line {
	char text[LINE_MAX_LEN], cut[LINE_MAX_LEN];
	char *words[WORDS_MAX]; /* in cut */
	size_t n_words;
	const char *rest; /* behind the first word, blanks and all */
};

static bool get_number(const char *word, uint64_t most, uint64_t *out)
{
	uint64_t value = 0;

	if (!*word)
		return false;
	for (; *word; word++) {
		unsigned digit = (unsigned)(*word - '0');

		if (digit > 9 || value > (most - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

static bool get_time(const char *word, int64_t *out)
{
	uint64_t value;

	if (!get_number(word, INT64_MAX / 4, &value))
		return false;
	*out = (int64_t)value;
	return true;
}

static bool get_unsigned(const char *word, unsigned most, unsigned *out)
{
	uint64_t value;

	if (!get_number(word, most, &value))
		return false;
	*out = (unsigned)value;
	return true;
}

static bool get_word(const char *word, const char *const *list, size_t n, unsigned *out)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(list[i], word)) {
			*out = i;
			return true;
		}
	return false;
}

static bool get_text(const char *from, char *to, size_t size)
{
	size_t len = strlen(from);

	if (len >= size)
		return false;
	memcpy(to, from, len + 1);
	return true;
}

static bool read_boot(struct line *l, struct record *r)
{
	return l->n_words == 2 && get_text(l->words[1], r->boot, sizeof(r->boot));
}

static bool read_serial(struct line *l, struct record *r)
{
	return l->n_words == 2 && get_number(l->words[1], UINT64_MAX / 2, &r->serial);
}

static bool read_state(struct line *l, struct record *r)
{
	if (l->n_words != 4)
		return false;
	for (int i = 0; i < POLICY_STATES; i++)
		if (!strcmp(policy_state_name((enum policy_state)i), l->words[1])) {
			r->state = (enum policy_state)i;
			return get_time(l->words[2], &r->since_us) &&
			       get_time(l->words[3], &r->announced_us);
		}
	return false;
}

static bool read_sequence(struct line *l, struct record *r)
{
	return l->n_words == 2 && get_text(l->words[1], r->sequence, sizeof(r->sequence));
}

static bool read_cause(struct line *l, struct record *r)
{
	return get_text(l->rest, r->cause, sizeof(r->cause));
}

static bool read_operator(struct line *l, struct record *r)
{
	r->operator_asked = true;
	return l->n_words == 2 && get_time(l->words[1], &r->operator_us);
}

static bool read_operator_text(struct line *l, struct record *r)
{
	return get_text(l->rest, r->operator_text, sizeof(r->operator_text));
}

static bool read_stage(struct line *l, struct record *r)
{
	return l->n_words == 2 && get_text(l->words[1], r->stage, sizeof(r->stage));
}

static bool read_command(struct line *l, struct record *r)
{
	static const char *const words[] = { "begun", "ended" };
	size_t i = r->n_commands;
	unsigned ended;

	if (l->n_words != 4 || i == POLICY_COMMANDS_MAX ||
	    !get_text(l->words[1], r->commands[i].name, RECORD_NAME_MAX) ||
	    !get_word(l->words[2], words, ARRAY_SIZE(words), &ended) ||
	    !get_time(l->words[3], &r->commands[i].until_us))
		return false;
	r->commands[i].ended = ended;
	r->n_commands++;
	return true;
}

static bool read_host(struct line *l, struct record *r)
{
	unsigned host;

	if (l->n_words != 4 || !get_word(l->words[1], hosts, ARRAY_SIZE(hosts), &host))
		return false;
	r->host = (enum saved_host)host;
	return get_unsigned(l->words[2], 1000, &r->host_tries) &&
	       get_time(l->words[3], &r->host_us);
}

static bool read_flags(const char *word, struct saved_ups *ups)
{
	static const char letters[] = "bdefrom";
	bool *const flags[] = { &ups->outage,	&ups->doomed,	&ups->ended, &ups->fsd,
				&ups->fsd_runs, &ups->seen_off, &ups->mains };

	if (strlen(word) != ARRAY_SIZE(flags))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (word[i] != letters[i] && word[i] != '-')
			return false;
		*flags[i] = word[i] == letters[i];
	}
	return true;
}

static bool read_ups(struct line *l, struct record *r)
{
	struct saved_ups *ups = &r->ups[r->n_ups].ups;
	unsigned start, off;

	if (l->n_words != 9 || r->n_ups == POLICY_UPS_MAX ||
	    !get_text(l->words[1], r->ups[r->n_ups].name, RECORD_NAME_MAX) ||
	    !get_time(l->words[2], &ups->outage_us) || !get_time(l->words[3], &ups->fsd_us) ||
	    !get_word(l->words[4], starts, ARRAY_SIZE(starts), &start) ||
	    !get_word(l->words[5], offs, ARRAY_SIZE(offs), &off) ||
	    !get_time(l->words[6], &ups->off_us) ||
	    !get_unsigned(l->words[7], (1u << POLICY_CONDITIONS) - 1, &ups->spent) ||
	    !read_flags(l->words[8], ups))
		return false;
	ups->start = (enum saved_start)start;
	ups->off = (enum saved_off)off;
	r->n_ups++;
	return true;
}

static bool read_wake(struct line *l, struct record *r)
{
	struct saved_wake *wake = &r->wake[r->n_wake].wake;

	if (l->n_words != 4 || r->n_wake == POLICY_WAKE_MAX ||
	    !get_text(l->words[1], r->wake[r->n_wake].name, RECORD_NAME_MAX) ||
	    !get_unsigned(l->words[2], 1000, &wake->tries) ||
	    !get_time(l->words[3], &wake->next_us))
		return false;
	wake->pending = true;
	r->n_wake++;
	return true;
}

static const struct {
	const char *key;
	bool (*read)(struct line *line, struct record *record);
	bool once, needed;
} keys[] = {
	/*                                   once   needed */
	{ "boot", read_boot, true, true },
	{ "serial", read_serial, true, true },
	{ "state", read_state, true, true },
	{ "sequence", read_sequence, true, false },
	{ "cause", read_cause, true, false },
	{ "operator", read_operator, true, false },
	{ "operator-text", read_operator_text, true, false },
	{ "stage", read_stage, true, false },
	{ "command", read_command, false, false },
	{ "host", read_host, true, true },
	{ "ups", read_ups, false, false },
	{ "wake", read_wake, false, false },
};

static void split(struct line *line)
{
	const char *blank = strchr(line->text, ' ');
	char *save = NULL;

	line->rest = blank ? blank + 1 : "";
	memcpy(line->cut, line->text, sizeof(line->cut));
	line->n_words = 0;
	for (char *word = strtok_r(line->cut, " ", &save); word && line->n_words < WORDS_MAX;
	     word = strtok_r(NULL, " ", &save))
		line->words[line->n_words++] = word;
}

/* One line without its end; false if there is none. Nothing binary, nothing too long. */
static bool next_line(const char **at, const char *end, struct line *line)
{
	const char *nl = memchr(*at, '\n', (size_t)(end - *at));
	size_t len;

	if (!nl)
		return false;
	len = (size_t)(nl - *at);
	if (len >= sizeof(line->text) || memchr(*at, '\0', len))
		return false;
	memcpy(line->text, *at, len);
	line->text[len] = '\0';
	*at = nl + 1;
	split(line);
	return line->n_words > 0;
}

static bool read_line(struct line *line, struct record *record, unsigned *seen)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].key, line->words[0]) != 0)
			continue;
		if (keys[i].once && *seen & 1u << i)
			return false;
		*seen |= 1u << i;
		return keys[i].read(line, record);
	}
	return false;
}

static bool read_end(const struct line *line, const char *text, const char *end_line,
		     const char *at, const char *end)
{
	char sum[9];

	snprintf(sum, sizeof(sum), "%08" PRIx32, check_sum(text, (size_t)(end_line - text)));
	return line->n_words == 2 && !strcmp(line->words[1], sum) && at == end;
}

/* What no policy writes, and what would confuse one. */
static bool makes_sense(const struct record *r, unsigned seen)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].needed && !(seen & 1u << i))
			return false;
	return !policy_state_forced(r->state) || *r->sequence;
}

bool record_parse(const char *text, size_t len, struct record *record)
{
	const char *at = text, *end = text + len, *begin;
	struct line line;
	unsigned seen = 0;

	memset(record, 0, sizeof(*record));
	if (!next_line(&at, end, &line) || line.n_words != 2 ||
	    strcmp(line.words[0], "ups2000-policy") != 0 || strcmp(line.words[1], "1") != 0)
		return false;
	for (begin = at; next_line(&at, end, &line); begin = at) {
		if (!strcmp(line.words[0], "end"))
			return read_end(&line, text, begin, at, end) && makes_sense(record, seen);
		if (!read_line(&line, record, &seen))
			return false;
	}
	return false;
}
