#include "probe/words.h"

#include <stdio.h>
#include <string.h>

#include "core/pdu.h"
#include "ups/alarms.h"
#include "ups/regs.h"
#include "util/util.h"
#include <ups2000/error.h>

static const struct {
	enum u2k_qty qty;
	uint16_t value;
	const char *words;
} meanings[] = {
	{ U2K_QTY_OUTPUT_SOURCE, U2K_SOURCE_NONE, "no output" },
	{ U2K_QTY_OUTPUT_SOURCE, U2K_SOURCE_BYPASS, "bypass" },
	{ U2K_QTY_OUTPUT_SOURCE, U2K_SOURCE_MAINS, "mains, through the inverter" },
	{ U2K_QTY_OUTPUT_SOURCE, U2K_SOURCE_BATTERY, "battery" },
	{ U2K_QTY_OUTPUT_SOURCE, 4, "defined nowhere" },
	{ U2K_QTY_OUTPUT_SOURCE, U2K_SOURCE_ECO, "mains, ECO" },
	{ U2K_QTY_OUTPUT_SOURCE, U2K_SOURCE_BATTERY_ECO,
	  "battery in ECO (known from another family)" },
	{ U2K_QTY_OUTPUT_SOURCE, U2K_SOURCE_COMBINED, "combined (known from another family)" },
	{ U2K_QTY_STARTUP, U2K_STARTUP_OFF, "off, can start" },
	{ U2K_QTY_STARTUP, U2K_STARTUP_STARTING, "starting" },
	{ U2K_QTY_STARTUP, U2K_STARTUP_FAILED, "start failed, can start" },
	{ U2K_QTY_STARTUP, U2K_STARTUP_RUNNING, "running" },
	{ U2K_QTY_BATTERY_STATE, U2K_BATTERY_NONE, "not connected (known from another family)" },
	{ U2K_QTY_BATTERY_STATE, U2K_BATTERY_IDLE, "idle (known from another family)" },
	{ U2K_QTY_BATTERY_STATE, U2K_BATTERY_RESTING, "resting" },
	{ U2K_QTY_BATTERY_STATE, U2K_BATTERY_FLOAT, "float charging" },
	{ U2K_QTY_BATTERY_STATE, U2K_BATTERY_EQUALISING, "equalising" },
	{ U2K_QTY_BATTERY_STATE, U2K_BATTERY_DISCHARGING, "discharging" },
	{ U2K_QTY_AUTO_START, 0, "stays off when the mains return" },
	{ U2K_QTY_AUTO_START, 1, "starts when the mains return" },
	{ U2K_QTY_BYPASS_WHEN_OFF, 0, "\"off\" means no output" },
	{ U2K_QTY_BYPASS_WHEN_OFF, 1, "\"off\" means bypass" },
	{ U2K_QTY_BEEPER_MUTED, 0, "beeper on" },
	{ U2K_QTY_BEEPER_MUTED, 1, "beeper muted" },
	{ U2K_QTY_INPUT_PHASES, 0, "single phase" },
	{ U2K_QTY_INPUT_PHASES, 1, "three phases" },
	{ U2K_QTY_OUTPUT_PHASES, 0, "single phase" },
	{ U2K_QTY_OUTPUT_PHASES, 1, "three phases" },
	{ U2K_QTY_RESTART_OFF, 0, "not running" },
	{ U2K_QTY_RESTART_ON, 0, "not running" },
	{ U2K_QTY_OFF_TIMER, 0, "not running" },
};

/* Bits of 1043 (docs/protocol.md); those of the Megatec byte are a guess nothing is decided upon. */
static const struct {
	const char *words;
	bool known;
} status_bits[16] = {
	[0] = { "undocumented; beeper, if this is the Megatec status byte", false },
	[1] = { "undocumented; shutdown pending, if this is the Megatec status byte", false },
	[2] = { "battery test running", true },
	[3] = { "on-line type", true },
	[4] = { "internal fault", true },
	[5] = { "undocumented; bypass, if this is the Megatec status byte", false },
	[6] = { "battery low", true },
	[7] = { "mains abnormal", true },
};

static const char *meaning(enum u2k_qty qty, uint16_t raw)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].qty == qty && meanings[i].value == raw)
			return meanings[i].words;
	return NULL;
}

static void bits_words(uint16_t raw, char *out, size_t size)
{
	size_t n = 0;

	snprintf(out, size, "none set");
	for (int bit = 15; bit >= 0 && n < size; bit--) {
		bool known;

		if (!(raw >> bit & 1))
			continue;
		const char *words = words_status_bit((unsigned)bit, &known);
		int more = snprintf(out + n, size - n, "%s%d %s", n ? ", " : "", bit,
				    known ? words : "undocumented");

		n += more > 0 ? (size_t)more : 0;
	}
}

void words_value(enum u2k_qty qty, const uint16_t *regs, char *out, size_t size)
{
	const struct reg_desc *row = reg_desc(qty);
	const char *words = meaning(qty, regs[0]);
	bool marker = regs[0] == 0x7fff || regs[0] == 0xffff;
	double value;

	if (words)
		snprintf(out, size, "%s", words);
	else if (!reg_decode(row, regs, &value))
		snprintf(out, size, "invalid%s", marker ? " (the UPS marks it so)" : "");
	else if (row->type == REG_BITS)
		bits_words(regs[0], out, size);
	else
		snprintf(out, size, "%.*f%s%s", row->qty.decimals, value, *row->qty.unit ? " " : "",
			 !strcmp(row->qty.unit, "C") ? "°C" : row->qty.unit);
}

const char *words_status_bit(unsigned bit, bool *known)
{
	*known = bit < ARRAY_SIZE(status_bits) && status_bits[bit].known;
	return bit < ARRAY_SIZE(status_bits) && status_bits[bit].words ? status_bits[bit].words
								       : "undocumented";
}

const char *words_status_word(int status)
{
	switch (status) {
	case 0:
		return "ok";
	case U2K_ETIMEOUT:
		return "silent";
	case U2K_ECLOSED:
		return "lost";
	case EXC_BUSY_HUAWEI:
	case EXC_BUSY:
		return "busy";
	default:
		return status > 0 ? "refused" : "malformed";
	}
}

void words_status(int status, char *out, size_t size)
{
	if (status > 0)
		snprintf(out, size, "refused (%s)", u2k_strerror(status));
	else
		snprintf(out, size, "%s", status ? u2k_strerror(status) : "ok");
}

const struct u2k_alarm_desc *words_alarm(uint16_t base, unsigned bit)
{
	uint16_t regs[U2K_ALARM_REGS] = { 0 };
	struct u2k_alarms alarms;

	if (base < ALARMS_BASE || base >= ALARMS_BASE + U2K_ALARM_REGS)
		return NULL;
	regs[base - ALARMS_BASE] = (uint16_t)(1u << bit);
	alarms_decode(regs, &alarms);
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++)
		if (alarms.active >> i & 1)
			return u2k_alarm_desc(i);
	return NULL;
}
