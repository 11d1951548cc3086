#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What goes wrong on the line and in the device's head. Each fault strikes always, with a
 * probability, or a counted number of times, and can be limited to a function code or a register.
 * They can be set and unset while the simulator runs. docs/simulator.md lists them.
 */
enum sim_fault_kind {
	SIM_FAULT_LOSE_REQUEST,	   /* never seen by the device: a write has no effect */
	SIM_FAULT_LOSE_REPLY,	   /* done, but the reply is lost */
	SIM_FAULT_CORRUPT,	   /* one bit of the reply is wrong */
	SIM_FAULT_CORRUPT_REQUEST, /* one bit of the request is wrong */
	SIM_FAULT_TRUNCATE,	   /* the reply ends early */
	SIM_FAULT_LATE,		   /* the reply comes min..max ms late */
	SIM_FAULT_DUPLICATE,	   /* the reply comes twice */
	SIM_FAULT_FOREIGN,	   /* the reply carries another unit id */
	SIM_FAULT_WRONG_ANSWER,	   /* a read is answered with other registers of the same number */
	SIM_FAULT_NOISE,	   /* random bytes without end */
	SIM_FAULT_MUTE,		   /* no answers */
	SIM_FAULT_EXCEPTION,	   /* answered with an exception, not done */
	SIM_FAULT_INVALID,	   /* 2000 = 0x7FFF, 2002 = 0xA000 or 0xFFFF */
	SIM_FAULT_ALL_7FFF,	   /* all registers read 0x7FFF */
	SIM_FAULT_ALL_FFFF,
	SIM_FAULT_SLOW,	  /* min..max ms more turn-around, in order */
	SIM_FAULT_ECHO,	  /* the request comes back first, as on RS-485 */
	SIM_FAULT_LOCKUP, /* a malformed request silences the port until the board restarts */
	SIM_FAULT_COUNT,
};

struct sim_fault {
	double rate;	    /* 0..1; used while left is 0 */
	uint32_t left;	    /* times still to strike */
	int fc, base;	    /* only these; -1: any */
	int code;	    /* EXCEPTION */
	int unit;	    /* FOREIGN */
	int min_ms, max_ms; /* LATE, SLOW */
	bool overtake;	    /* LATE: later requests are answered first */
	bool before;	    /* FOREIGN: a foreign reply before the right one */
	int bytes_per_s;    /* NOISE */
	uint32_t struck;
};

struct sim_faults {
	struct sim_fault f[SIM_FAULT_COUNT];
	uint64_t rng;
};

void sim_faults_init(struct sim_faults *faults, uint64_t seed);

/**
 * Set a fault from text: "NAME [always|once|xCOUNT|PROBABILITY|off] [KEY=VALUE]...", or "off" for
 * none at all.
 *
 * Returns 0, or U2K_EINVAL; then err says what is wrong and what would be right, and nothing has
 * changed.
 */
int sim_faults_set(struct sim_faults *faults, const char *text, char *err, size_t err_size);

/** Does it strike this request (fc, base; -1: it has none)? Counts. */
bool sim_fault_strikes(struct sim_faults *faults, enum sim_fault_kind kind, int fc, int base);

/** Is it switched on at all? */
bool sim_fault_on(const struct sim_faults *faults, enum sim_fault_kind kind);

/** A delay of LATE or SLOW. */
int64_t sim_fault_delay_us(struct sim_faults *faults, enum sim_fault_kind kind);

const char *sim_fault_name(enum sim_fault_kind kind);
const char *sim_fault_help(enum sim_fault_kind kind);
