#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/survey.h"

/** "230.0 V", "mains, through the inverter", "invalid (marker 0x7FFF)". regs: one or two registers. */
void words_value(enum u2k_qty qty, const uint16_t *regs, char *out, size_t size);

/** A bit of 1043: what it means; *known tells whether the tables have it. Static. */
const char *words_status_bit(unsigned bit, bool *known);

/** What became of a read: "ok", "refused (02: invalid parameter)", "no answer", ... */
void words_status(int status, char *out, size_t size);
/** The same as one stable word: "ok", "refused", "busy", "silent", "malformed", "lost". */
const char *words_status_word(int status);

/** The alarm that owns this bit, or NULL. Both places of 66/2 are its. */
const struct u2k_alarm_desc *words_alarm(uint16_t base, unsigned bit);
