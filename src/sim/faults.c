#include "sim/faults.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/rng.h"
#include "ups2000/error.h"
#include "util/util.h"

struct row {
	const char *name;
	const char *keys; /* besides fc= and base= */
	const char *help;
};

static const struct row rows[] = {
	[SIM_FAULT_LOSE_REQUEST] = { "lose-request", "", "the request never arrives" },
	[SIM_FAULT_LOSE_REPLY] = { "lose-reply", "", "it is done, the reply is lost" },
	[SIM_FAULT_CORRUPT] = { "corrupt", "", "one bit of the reply is wrong" },
	[SIM_FAULT_CORRUPT_REQUEST] = { "corrupt-request", "", "one bit of the request is wrong" },
	[SIM_FAULT_TRUNCATE] = { "truncate", "", "the reply ends early" },
	[SIM_FAULT_LATE] = { "late", "min max mode",
			     "the reply comes min=.. to max=.. ms late; mode=queue|overtake" },
	[SIM_FAULT_DUPLICATE] = { "duplicate", "", "the reply comes twice" },
	[SIM_FAULT_FOREIGN] = { "foreign", "unit mode",
				"the reply has unit id unit=..; mode=instead|before" },
	[SIM_FAULT_WRONG_ANSWER] = { "wrong-answer", "",
				     "a read gets other registers, as many of them" },
	[SIM_FAULT_NOISE] = { "noise", "rate", "random bytes without end, rate=.. per second" },
	[SIM_FAULT_MUTE] = { "mute", "", "no answers" },
	[SIM_FAULT_EXCEPTION] = { "exception", "code", "exception code=.., nothing is done" },
	[SIM_FAULT_INVALID] = { "invalid", "", "2000 = 0x7FFF, 2002 = 0xA000 or 0xFFFF" },
	[SIM_FAULT_ALL_7FFF] = { "all-7fff", "", "every register reads 0x7FFF" },
	[SIM_FAULT_ALL_FFFF] = { "all-ffff", "", "every register reads 0xFFFF" },
	[SIM_FAULT_SLOW] = { "slow", "min max", "min=.. to max=.. ms more for each answer" },
	[SIM_FAULT_ECHO] = { "echo", "", "requests come back before the reply (RS-485)" },
	[SIM_FAULT_LOCKUP] = { "lockup", "", "silent after a malformed request until restarted" },
};

static_assert(ARRAY_SIZE(rows) == SIM_FAULT_COUNT, "a fault has no row");

static struct sim_fault defaults(enum sim_fault_kind kind)
{
	return (struct sim_fault){
		.fc = -1,
		.base = -1,
		.code = 5,
		.unit = 2,
		.min_ms = kind == SIM_FAULT_SLOW ? 300 : 200,
		.max_ms = kind == SIM_FAULT_SLOW ? 300 : 2500,
		.bytes_per_s = 960,
	};
}

void sim_faults_init(struct sim_faults *faults, uint64_t seed)
{
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		faults->f[i] = defaults((enum sim_fault_kind)i);
	faults->rng = rng_mix(seed + 0x5eed);
}

static int find(const char *name)
{
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (int)i;
	return -1;
}

static bool to_int(const char *text, int min, int max, int *out)
{
	char *end;
	long n = strtol(text, &end, 0);

	if (end == text || *end || n < min || n > max)
		return false;
	*out = (int)n;
	return true;
}

static bool to_rate(const char *word, struct sim_fault *f)
{
	char *end;
	int n;

	f->left = 0;
	if (strcmp(word, "always") == 0) {
		f->rate = 1;
	} else if (strcmp(word, "once") == 0) {
		f->left = 1;
	} else if (*word == 'x' && to_int(word + 1, 1, 1000000, &n)) {
		f->left = (uint32_t)n;
	} else {
		f->rate = strtod(word, &end);
		return end != word && !*end && f->rate >= 0 && f->rate <= 1;
	}
	return true;
}

/* mode= of late, then of foreign. Returns what would be right, NULL if it is. */
static const char *set_mode(struct sim_fault *f, const struct row *row, const char *value)
{
	bool late = row == &rows[SIM_FAULT_LATE];
	bool second = strcmp(value, late ? "overtake" : "before") == 0;

	if (!second && strcmp(value, late ? "queue" : "instead") != 0)
		return late ? "queue or overtake" : "instead or before";
	f->overtake = late && second;
	f->before = !late && second;
	return NULL;
}

/* One KEY=VALUE. Returns what would be right, NULL if it is. */
static const char *set_key(struct sim_fault *f, const struct row *row, const char *key,
			   const char *value)
{
	if (strcmp(key, "fc") == 0)
		return to_int(value, 0, 127, &f->fc) ? NULL : "a function code from 0 to 127";
	if (strcmp(key, "base") == 0)
		return to_int(value, 0, 65535, &f->base) ? NULL : "a base register from 0 to 65535";
	if (strcmp(key, "code") == 0)
		return to_int(value, 1, 255, &f->code) ? NULL : "an exception code from 1 to 255";
	if (strcmp(key, "unit") == 0)
		return to_int(value, 0, 255, &f->unit) ? NULL : "a unit id from 0 to 255";
	if (strcmp(key, "min") == 0)
		return to_int(value, 0, 60000, &f->min_ms) ? NULL : "0 to 60000 ms";
	if (strcmp(key, "max") == 0)
		return to_int(value, 0, 60000, &f->max_ms) ? NULL : "0 to 60000 ms";
	if (strcmp(key, "rate") == 0)
		return to_int(value, 1, 100000, &f->bytes_per_s) ? NULL : "1 to 100000 bytes/s";
	return set_mode(f, row, value);
}

static bool takes_key(const struct row *row, const char *key)
{
	const char *p = row->keys;
	size_t len = strlen(key);

	if (strcmp(key, "fc") == 0 || strcmp(key, "base") == 0)
		return true;
	while (len && (p = strstr(p, key))) {
		if ((p == row->keys || p[-1] == ' ') && (!p[len] || p[len] == ' '))
			return true;
		p += len;
	}
	return false;
}

static int set_option(struct sim_fault *f, const struct row *row, char *word, char *err,
		      size_t err_size)
{
	char *eq = strchr(word, '=');
	const char *right;

	if (!eq) {
		snprintf(err, err_size,
			 "\"%s\" after fault %s: not always, once, xCOUNT, 0..1, off or KEY=VALUE",
			 word, row->name);
		return U2K_EINVAL;
	}
	*eq = '\0';
	if (!takes_key(row, word)) {
		snprintf(err, err_size, "fault %s has no \"%s\"; it takes fc base %s", row->name,
			 word, row->keys);
		return U2K_EINVAL;
	}
	right = set_key(f, row, word, eq + 1);
	if (right) {
		snprintf(err, err_size, "%s=%s of fault %s: must be %s", word, eq + 1, row->name,
			 right);
		return U2K_EINVAL;
	}
	return 0;
}

static int all_off(struct sim_faults *faults)
{
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++) {
		uint32_t struck = faults->f[i].struck;

		faults->f[i] = defaults((enum sim_fault_kind)i);
		faults->f[i].struck = struck;
	}
	return 0;
}

int sim_faults_set(struct sim_faults *faults, const char *text, char *err, size_t err_size)
{
	char line[256], *save = NULL, *word;
	struct sim_fault f;
	int kind;

	if ((size_t)snprintf(line, sizeof(line), "%s", text) >= sizeof(line)) {
		snprintf(err, err_size, "a fault has at most %zu bytes", sizeof(line) - 1);
		return U2K_EINVAL;
	}
	word = strtok_r(line, " \t", &save);
	if (word && strcmp(word, "off") == 0 && !strtok_r(NULL, " \t", &save))
		return all_off(faults);
	kind = word ? find(word) : -1;
	if (kind < 0) {
		snprintf(err, err_size, "unknown fault \"%s\"; \"help fault\" lists them",
			 word ? word : "");
		return U2K_EINVAL;
	}

	f = defaults((enum sim_fault_kind)kind);
	f.struck = faults->f[kind].struck;
	f.rate = 1;
	word = strtok_r(NULL, " \t", &save);
	if (word && strcmp(word, "off") == 0) {
		f.rate = 0;
		word = strtok_r(NULL, " \t", &save);
	} else if (word && !strchr(word, '=')) {
		if (!to_rate(word, &f))
			return set_option(&f, &rows[kind], word, err, err_size);
		word = strtok_r(NULL, " \t", &save);
	}
	if (f.left)
		f.rate = 0;
	for (; word; word = strtok_r(NULL, " \t", &save))
		if (set_option(&f, &rows[kind], word, err, err_size))
			return U2K_EINVAL;
	if (f.max_ms < f.min_ms)
		f.max_ms = f.min_ms;
	faults->f[kind] = f;
	return 0;
}

bool sim_fault_on(const struct sim_faults *faults, enum sim_fault_kind kind)
{
	return faults->f[kind].left || faults->f[kind].rate > 0;
}

bool sim_fault_strikes(struct sim_faults *faults, enum sim_fault_kind kind, int fc, int base)
{
	struct sim_fault *f = &faults->f[kind];

	if (!sim_fault_on(faults, kind))
		return false;
	if ((f->fc >= 0 && f->fc != fc) || (f->base >= 0 && f->base != base))
		return false;
	if (f->left)
		f->left--;
	else if (f->rate < 1 && rng_unit(&faults->rng) >= f->rate)
		return false;
	f->struck++;
	return true;
}

int64_t sim_fault_delay_us(struct sim_faults *faults, enum sim_fault_kind kind)
{
	const struct sim_fault *f = &faults->f[kind];
	uint32_t span = (uint32_t)(f->max_ms - f->min_ms) + 1;

	return ((int64_t)f->min_ms + rng_below(&faults->rng, span)) * 1000;
}

const char *sim_fault_name(enum sim_fault_kind kind)
{
	return rows[kind].name;
}

const char *sim_fault_help(enum sim_fault_kind kind)
{
	return rows[kind].help;
}
