#pragma once

#include <stdint.h>

#include <ups2000/ups.h>

enum { ALARMS_BASE = 40156 };

/* Rows that other code has to know by name. */
enum { ALARM_BYPASS_VOLTAGE = 1, ALARM_BYPASS_FREQUENCY = 2, ALARM_REPLACE_BATTERY = 4 };

/**
 * Alarms from the 27 registers 40156...40182 (host byte order): fills active and unknown.
 * Alarm 66/2 stands at 40173 bit 3 in one source and at 40174 bit 3 in the other: either counts.
 */
void alarms_decode(const uint16_t regs[U2K_ALARM_REGS], struct u2k_alarms *out);

/** Bits (of u2k_alarms.active) that mean overload (66/1 ... 66/4). */
uint32_t alarms_overload(void);
/** Bits 10/1 and 10/2: expected while the mains are out. */
uint32_t alarms_bypass_input(void);
/** Bits that forbid a deep battery test: 22/1 and every 42/x. */
uint32_t alarms_no_deep_test(void);
