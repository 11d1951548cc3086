#include "sim/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/server.h"
#include "ups2000/error.h"

static bool has(const struct units *units, struct unit unit)
{
	for (size_t i = 0; i < units->n; i++)
		if (units->list[i].unit_id == unit.unit_id && units->list[i].number == unit.number)
			return true;
	return false;
}

/* "7", "5-8" or "3/2" */
static bool take(struct units *units, const char **text)
{
	unsigned first, last, number = 0;
	int used = 0;

	if (sscanf(*text, "%3u%n", &first, &used) != 1)
		return false;
	*text += used;
	last = first;
	if (**text == '-' || **text == '/') {
		bool range = **text == '-';

		if (sscanf(*text + 1, "%3u%n", range ? &last : &number, &used) != 1)
			return false;
		if (!range && (number < 1 || number > 4))
			return false;
		*text += 1 + used;
	}
	if (first < 1 || last < first || last > 247)
		return false;
	for (; first <= last; first++) {
		struct unit unit = { (uint8_t)first, (uint8_t)number };

		if (units->n == UNITS_MAX || has(units, unit))
			return false;
		units->list[units->n++] = unit;
	}
	return true;
}

int units_parse(struct units *units, const char *text, char *err, size_t err_size)
{
	struct units found = { .n = 0 };
	const char *p = text;

	while (take(&found, &p)) {
		if (!*p) {
			*units = found;
			return 0;
		}
		if (*p++ != ',')
			break;
	}
	snprintf(
		err, err_size,
		"%.40s: must be unit ids from 1 to 247, each once: \"1\", \"1,2,5-8\", or \"3,3/2\" "
		"for UPS number 2 behind unit id 3",
		text);
	return U2K_EINVAL;
}

const char *units_text(const struct units *units, char *out, size_t size)
{
	size_t used = 0;

	if (units->n > 8) {
		snprintf(out, size, "%d to %d", units->list[0].unit_id,
			 units->list[units->n - 1].unit_id);
		return out;
	}
	out[0] = '\0';
	for (size_t i = 0; i < units->n && used < size; i++)
		used += (size_t)snprintf(out + used, size - used,
					 units->list[i].number ? "%s%d/%d" : "%s%d", i ? "," : "",
					 units->list[i].unit_id, units->list[i].number);
	return out;
}

/* "...0001" becomes "...0003" by 2; what has no digits at its end gets some. */
static void count_up(char *esn, size_t size, size_t by)
{
	size_t len = strlen(esn), at = len;

	if (!by)
		return;
	for (; at && esn[at - 1] >= '0' && esn[at - 1] <= '9' && by; at--) {
		by += (size_t)(esn[at - 1] - '0');
		esn[at - 1] = (char)('0' + by % 10);
		by /= 10;
	}
	if (by && at == len)
		snprintf(esn + len, size - len, "%zu", by);
}

void units_apply(const struct units *units, size_t k, size_t n, struct sim_server_options *line,
		 struct sim_options *device)
{
	const struct unit *unit = &units->list[k];
	unsigned ours = unit->number ? unit->number : (unsigned)device->number;
	int behind = 1;

	line->unit_id = unit->unit_id;
	line->seed += n;
	device->seed += n;
	device->number = (int)ours;
	count_up(device->esn, sizeof(device->esn), n);
	for (size_t i = 0; i < units->n; i++) {
		if (i == k || units->list[i].unit_id != unit->unit_id)
			continue;
		line->others |=
			(uint8_t)(1u << (units->list[i].number ? units->list[i].number : 1));
		line->second = line->second || i < k;
		behind++;
	}
	if (behind > 1 && !line->second)
		device->dialect.id_count = behind;
}
