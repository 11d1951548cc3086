#include "sim/dialect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ups2000/error.h"
#include "util/util.h"

struct row {
	const char *name;
	size_t at;
	int value;    /* what the bare name sets */
	int min, max; /* of NAME=NUMBER; both 0: takes no number */
	const char *help;
};

#define AT(field) offsetof(struct sim_dialect, field)

static const struct row rows[] = {
	/* name, field, value, min, max, help */
	{ "fc10-silent", AT(fc10), SIM_FC10_SILENT, 0, 0, "0x10 is not answered and not done" },
	{ "fc10-refused", AT(fc10), SIM_FC10_REFUSED, 0, 0, "0x10 is answered with exception 1" },
	{ "pair-only", AT(arm), SIM_ARM_PAIR, 0, 0, "1047/1048 arm only in one 0x10 frame" },
	{ "pair-order", AT(arm), SIM_ARM_ORDER, 0, 0, "0x06 to 1047, then 1048 arms" },
	{ "arm-1047", AT(arm), SIM_ARM_1047, 0, 0, "writing 1047 alone arms" },
	{ "arm-1048", AT(arm), SIM_ARM_1048, 0, 0, "writing 1048 alone arms, 1047 does not" },
	{ "pair-refused", AT(pair_exception), 2, 1, 6, "exception NUMBER for 1047/1048" },
	{ "ack-only", AT(ack_only), 1, 0, 0, "writes are acknowledged and not done" },
	{ "no-cancel", AT(cancel), SIM_CANCEL_NONE, 0, 0, "1050 is acknowledged and ignored" },
	{ "cancel-not-pair", AT(cancel), SIM_CANCEL_NOT_PAIR, 0, 0, "1050 cancels 1049 only" },
	{ "start-fails", AT(start_fails), 1, 0, 0, "starting ends with 1028 = 2" },
	{ "busy", AT(busy), 1, 1, 1000, "a write is answered 05 NUMBER times first" },
	{ "busy-ms", AT(busy_ms), 1000, 1, 60000, "05 to everything for NUMBER ms after a write" },
	{ "old-value-ms", AT(old_value_ms), 3000, 1, 60000,
	  "what was written reads as before for NUMBER ms" },
	{ "off-ignored", AT(off_ignored), 1, 0, 0, "1030 does nothing while the mains are good" },
	{ "restart-1049", AT(restart_1049), 1, 0, 0,
	  "off by 1049 with mains present and 1044 = 1: on again" },
	{ "count-down", AT(count_down), 1, 0, 0, "1047 and 1049 read as the time left" },
	{ "timer-keeps", AT(timer_keeps), 1, 0, 0, "a running timer is not restarted by a write" },
	{ "zero-cancels", AT(zero_cancels), 1, 0, 0, "0 written to 1047 to 1049 cancels" },
	{ "gaps-refused", AT(gaps_refused), 1, 0, 0, "exception 2 for reads over gaps" },
	{ "bare-addresses", AT(bare), 1, 0, 0, "register addresses without 10000 x N work too" },
	{ "max-read", AT(max_read), 43, 1, 125, "reads over NUMBER registers: exception 2" },
	{ "test-shows-mains", AT(test_shows_mains), 1, 0, 0, "1024 stays 2 in a battery test" },
	{ "test-stays", AT(test_stays), 1, 0, 0, "the self-test bit outlasts a mains failure" },
	{ "eco-battery-6", AT(eco_battery), 1, 0, 0, "1024 is 6 on battery in ECO" },
	{ "overload-40173", AT(overload_40173), 1, 0, 0, "66/2 is 40173 bit 3, not 40174 bit 3" },
	{ "unplugged-invalid", AT(unplugged_invalid), 1, 0, 0,
	  "without battery 2000 = 0x7FFF and 2002 = 0xFFFF" },
	{ "crc-exception", AT(crc_exception), 1, 0, 0, "a bad CRC is answered with exception 3" },
	{ "id-basic", AT(identity), SIM_ID_BASIC, 0, 0, "only basic identification" },
	{ "id-none", AT(identity), SIM_ID_NONE, 0, 0, "0x2B is answered with exception 1" },
	{ "id-several", AT(id_count), 2, 2, 4, "NUMBER UPSes are listed" },
	{ "id-split", AT(id_split), 1, 0, 0, "identification comes one object at a time" },
	{ "id-open", AT(id_open), 1, 0, 0, "the description has no ';' at its end" },
	{ "h-family", AT(h_family), 1, 0, 0, "a UPS2000-H: 9009 = 60, 1047/1048 read-only" },
};

static int *field(struct sim_dialect *d, const struct row *r)
{
	return (int *)(void *)((char *)d + r->at);
}

static const struct row *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

int sim_dialect_set(struct sim_dialect *d, const char *word, int on, char *err, size_t err_size)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct row *r = find(word, len);
	int value;

	if (!r) {
		snprintf(err, err_size, "unknown dialect \"%.*s\"; \"help dialect\" lists them",
			 (int)(len < 64 ? len : 64), word);
		return U2K_EINVAL;
	}
	value = r->value;
	if (eq) {
		char *end;
		long n = strtol(eq + 1, &end, 10);

		if (!eq[1] || *end || n < r->min || n > r->max || !r->max) {
			if (r->max)
				snprintf(err, err_size, "dialect %s takes a number from %d to %d",
					 r->name, r->min, r->max);
			else
				snprintf(err, err_size, "dialect %s takes no number", r->name);
			return U2K_EINVAL;
		}
		value = (int)n;
	}
	if (on)
		*field(d, r) = value;
	else if (r->max || *field(d, r) == r->value)
		*field(d, r) = 0;
	return 0;
}

size_t sim_dialect_count(void)
{
	return ARRAY_SIZE(rows);
}

const char *sim_dialect_name(size_t i)
{
	return rows[i].name;
}

const char *sim_dialect_help(size_t i)
{
	return rows[i].help;
}

int sim_dialect_get(const struct sim_dialect *d, size_t i)
{
	int value = *(const int *)(const void *)((const char *)d + rows[i].at);

	if (rows[i].max ? value != 0 : value == rows[i].value)
		return value;
	return -1;
}
