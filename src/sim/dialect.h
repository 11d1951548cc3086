#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Where the reference leaves open what a UPS2000 does, or knows of units that do it differently,
 * the simulated one can be told. All zero is the likely device; each dialect is one number.
 *
 * Source: docs/protocol.md, open questions Q1 to Q18; docs/simulator.md lists the dialects.
 */
enum sim_fc10 { SIM_FC10_TAKEN, SIM_FC10_SILENT, SIM_FC10_REFUSED };
enum sim_cancel { SIM_CANCEL_ALL, SIM_CANCEL_NOT_PAIR, SIM_CANCEL_NONE };
enum sim_identity { SIM_ID_DESCRIBED, SIM_ID_BASIC, SIM_ID_NONE };

/* Which write of 1047/1048 starts the countdown, besides one 0x10 frame with both. */
enum sim_arm {
	SIM_ARM_BOTH,  /* any write that leaves both non-zero */
	SIM_ARM_PAIR,  /* none: only the pair in one frame */
	SIM_ARM_ORDER, /* 1048, if 1047 was written before it */
	SIM_ARM_1047,  /* 1047, whatever 1048 holds */
	SIM_ARM_1048,  /* 1048, whatever 1047 holds: 0 switches off at once */
};

struct sim_dialect {
	int fc10;	       /* enum sim_fc10 */
	int arm;	       /* enum sim_arm */
	int cancel;	       /* enum sim_cancel */
	int identity;	       /* enum sim_identity */
	int pair_exception;    /* exception code for writes of 1047/1048; 0: taken */
	int ack_only;	       /* writes are acknowledged and not done */
	int start_fails;       /* 1028 goes 1 -> 2 */
	int busy;	       /* times a write is answered 05 before it is taken */
	int busy_ms;	       /* after a write, everything is answered 05 that long */
	int old_value_ms;      /* a read-back shows the old value that long */
	int off_ignored;       /* 1030 does nothing while the mains are good */
	int restart_1049;      /* 1049 with 1044 = 1 and mains present: comes back */
	int count_down;	       /* timers read as the time left */
	int timer_keeps;       /* writing a running timer does not restart it */
	int zero_cancels;      /* 0 in 1047..1049 cancels; else exception 3 */
	int gaps_refused;      /* a read that spans an undefined register: exception 2 */
	int bare;	       /* addresses without 10000 x N are taken too */
	int max_read;	       /* longest read in registers; 0: Modbus's 125 */
	int test_shows_mains;  /* 1024 stays 2 in a battery test */
	int test_stays;	       /* a test is not ended by a mains failure */
	int eco_battery;       /* on battery in ECO 1024 is 6 */
	int overload_40173;    /* 66/2 is 40173 bit 3; else 40174 bit 3 */
	int unplugged_invalid; /* without battery 2000 = 0x7FFF, 2002 = 0xFFFF */
	int crc_exception;     /* a bad CRC is answered with exception 3 */
	int id_count;	       /* UPSes listed; 0 is 1 */
	int id_split;	       /* one object per reply, more = FF */
	int id_open;	       /* no ';' at the end of the description */
	int h_family;	       /* a UPS2000-H: 9009 = 60; 1047/1048 read-only */
};

/**
 * Set a dialect: "NAME" (on), "NAME=NUMBER".
 *
 * @on   false sets the dialect's number back to the likely device's
 * @err  gets what is wrong and what would be right
 *
 * Returns 0 or U2K_EINVAL.
 */
int sim_dialect_set(struct sim_dialect *d, const char *word, int on, char *err, size_t err_size);

/** Number of dialects, and the name and help of each; index < sim_dialect_count(). */
size_t sim_dialect_count(void);
const char *sim_dialect_name(size_t i);
const char *sim_dialect_help(size_t i);
/** The dialect's number if it is on, else -1. */
int sim_dialect_get(const struct sim_dialect *d, size_t i);
