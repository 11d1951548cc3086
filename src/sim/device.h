#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/dialect.h"

/*
 * One UPS2000 as a pure model: the time, requests and actions go in, replies come out. No clock, no
 * descriptor, no globals, no allocation; the same calls always give the same replies. Written from
 * docs/protocol.md alone, sharing nothing with src/ups, so that a mistake cannot hide in both.
 *
 * Every call that takes now_us first runs all that was due until then, each at its own instant.
 * Time is in microseconds from an origin >= 0 and never runs backwards: an earlier now_us is "now".
 */
#define SIM_NEVER INT64_MAX

enum sim_source { /* as in 1024 */
		  SIM_SOURCE_OFF = 0,
		  SIM_SOURCE_BYPASS = 1,
		  SIM_SOURCE_MAINS = 2,
		  SIM_SOURCE_BATTERY = 3,
		  SIM_SOURCE_ECO = 5,
};

enum sim_startup { /* as in 1028 */
		   SIM_STARTUP_READY = 0,
		   SIM_STARTUP_STARTING = 1,
		   SIM_STARTUP_FAILED = 2,
		   SIM_STARTUP_RUNNING = 3,
};

enum sim_board {
	SIM_BOARD_DEAD,	   /* no supply: no answers */
	SIM_BOARD_BOOTING, /* no answers yet */
	SIM_BOARD_ALIVE,
};

enum sim_test { SIM_TEST_NONE, SIM_TEST_QUICK, SIM_TEST_DEEP };

struct sim_options {
	char model[40];	     /* "UPS2000A" */
	char firmware[40];   /* "V2R1C1SPC50" */
	char interface[20];  /* "P1.0-D1.0" */
	char esn[44];	     /* "21022900000000000001" */
	int rating;	     /* kVA: 1, 2 or 3 */
	int number;	     /* N of 10000 x N: 1..4 */
	double load_percent; /* of the rating */
	double output_volts; /* of the inverter: 220 */
	int low_percent;     /* charge at which 1043 bit 6 sets */
	int start_ms;	     /* 1028 = 1 takes that long */
	int boot_ms;	     /* from supply to the first answer */
	int retransfer_ms;   /* mains good -> inverter on mains again */
	int standby_ms;	     /* off without mains: the board goes dead after it */
	int quick_test_ms;
	bool noise;    /* readings flicker in their last digit, once a second */
	uint64_t seed; /* of that noise */
	struct sim_dialect dialect;
};

enum sim_timer {
	SIM_TIMER_BOOT,
	SIM_TIMER_START,
	SIM_TIMER_RETRANSFER,
	SIM_TIMER_TEST,
	SIM_TIMER_OFF,	    /* 1049 */
	SIM_TIMER_PAIR_OFF, /* 1047 */
	SIM_TIMER_PAIR_ON,  /* 1048, runs once the output is off */
	SIM_TIMER_STANDBY,
	SIM_TIMER_OVERLOAD,
	SIM_TIMER_LEVEL, /* the charge crosses "low" */
	SIM_TIMER_END,	 /* the charge reaches 0 or 100 % */
	SIM_TIMERS,
};

enum { SIM_FORCED_MAX = 128, SIM_RECENT = 6 };

/* Fields are for the model's own files; others use the functions, or read only. */
struct sim_device {
	struct sim_options opt;
	struct sim_dialect dialect;
	int64_t now_us;
	int64_t due_us[SIM_TIMERS];

	/* the world around it */
	bool mains_on, bypass_bad, battery_plugged, battery_worn;
	double mains_volts, mains_hz, load_percent, temperature;

	/* settings that survive without supply */
	uint16_t autostart, bypass_option, muted; /* 1044, 1045, 1046 */
	bool eco;

	/* state */
	enum sim_board board;
	enum sim_startup startup;
	enum sim_source source;
	enum sim_test test;
	bool rectifier;	     /* feeds the inverter */
	bool forced_bypass;  /* an overload drove it there */
	bool bypass_blocked; /* an overload drove it from there, too */
	bool pair_waiting;   /* off, until 1048 is over */
	bool start_on_boot;
	uint16_t pair_off, pair_on, off_delay; /* 1047, 1048, 1049 as they read */
	int overload;			       /* 0 none, 1 > 105 %, 2 > 110 %, 3 > 130 % */

	/* battery: charge = charge0 + rate x (now - charge0_us) */
	double charge0, rate_per_us;
	int64_t charge0_us;
	bool low, equalising;

	uint32_t alarms_latched, alarms_on, alarms_off; /* bits by row of the alarm table */

	/* dialects' memory */
	int busy_count;
	int64_t busy_until_us;
	struct {
		uint16_t base, old;
		int64_t until_us;
	} recent[SIM_RECENT];

	struct {
		uint16_t base, value;
	} forced[SIM_FORCED_MAX];
	size_t n_forced;

	uint32_t output_offs, output_ons; /* times the output went off and on */
	uint32_t deaths;		  /* times the board lost its supply */
};

/** The default device: UPS2000A, 1 kVA, 30 % load, full battery, on mains, running. */
void sim_options_default(struct sim_options *opt);

/** Time starts at 0. opt is copied. */
void sim_device_init(struct sim_device *dev, const struct sim_options *opt);

/** Run everything that is due until now_us. */
void sim_device_advance(struct sim_device *dev, int64_t now_us);

/** When something will next happen by itself; SIM_NEVER if nothing is under way. */
int64_t sim_device_next_us(const struct sim_device *dev);

/**
 * Answer a request PDU of 1..PDU_MAX bytes.
 *
 * @reply      PDU_MAX bytes
 * @reply_len  0: the device stays silent (no supply, or a dialect)
 */
void sim_device_request(struct sim_device *dev, int64_t now_us, const uint8_t *pdu, size_t len,
			uint8_t *reply, size_t *reply_len);

/** What register base (without 10000 x N) reads now. False: undefined, and *value is 0. */
bool sim_device_peek(const struct sim_device *dev, uint16_t base, uint16_t *value);

/** Force a register, or give it back to the model. False: SIM_FORCED_MAX are forced already. */
bool sim_device_force(struct sim_device *dev, uint16_t base, uint16_t value);
void sim_device_unforce(struct sim_device *dev, uint16_t base);

/* Base register that a wire address means for this UPS; -1 if it is another's or nothing. */
int sim_device_base(const struct sim_device *dev, uint16_t addr);

/* Actions. They happen at dev->now_us: call sim_device_advance() first. */
void sim_device_mains(struct sim_device *dev, bool on, double volts, double hz);
void sim_device_load(struct sim_device *dev, double percent);
void sim_device_temperature(struct sim_device *dev, double celsius);
void sim_device_bypass(struct sim_device *dev, bool bad);
void sim_device_battery_plug(struct sim_device *dev, bool plugged);
void sim_device_battery_charge(struct sim_device *dev, double percent);
void sim_device_battery_worn(struct sim_device *dev, bool worn);
void sim_device_panel_on(struct sim_device *dev);
void sim_device_panel_off(struct sim_device *dev);
void sim_device_panel_mute(struct sim_device *dev);
void sim_device_panel_clear(struct sim_device *dev); /* latched alarms */
void sim_device_panel_eco(struct sim_device *dev, bool on);
/* "ID/CAUSE"; on 1, off 0, as the model has it -1. Returns 0, or U2K_EINVAL: no such alarm. */
int sim_device_alarm(struct sim_device *dev, const char *name, int on);

/* What it is like now, for reports and tests. */
double sim_device_charge(const struct sim_device *dev);	    /* 0..100 */
int64_t sim_device_runtime_s(const struct sim_device *dev); /* true, not the estimate of 2004 */
bool sim_device_mains_good(const struct sim_device *dev);
uint32_t sim_device_alarms(const struct sim_device *dev); /* by row */
size_t sim_alarm_count(void);
const char *sim_alarm_name(size_t row); /* "22/1" */
