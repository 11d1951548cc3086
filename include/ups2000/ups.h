#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is known of a UPS at one moment. A snapshot is plain data: copy it, keep it, compare it.
 * Times are microseconds of the clock the caller gave the session (any monotonic clock); 0 means
 * "never".
 */

#ifdef __cplusplus
extern "C" {
#endif

#define U2K_SEC ((int64_t)1000000)
#define U2K_MSEC ((int64_t)1000)

/* Quantities of the register map (docs/protocol.md). Values are in the unit of their row. */
enum u2k_qty {
	U2K_QTY_INPUT_VOLTAGE,	  /* V */
	U2K_QTY_INPUT_FREQUENCY,  /* Hz */
	U2K_QTY_BYPASS_VOLTAGE,	  /* V */
	U2K_QTY_BYPASS_FREQUENCY, /* Hz */
	U2K_QTY_OUTPUT_VOLTAGE,	  /* V */
	U2K_QTY_OUTPUT_CURRENT,	  /* A */
	U2K_QTY_OUTPUT_FREQUENCY, /* Hz */
	U2K_QTY_OUTPUT_REALPOWER, /* W, steps of 100 */
	U2K_QTY_OUTPUT_POWER,	  /* VA, steps of 100 */
	U2K_QTY_LOAD,		  /* percent of the rating */
	U2K_QTY_OUTPUT_SOURCE,	  /* enum u2k_source */
	U2K_QTY_INPUT_PHASES,	  /* 1 or 3 */
	U2K_QTY_OUTPUT_PHASES,	  /* 1 or 3 */
	U2K_QTY_TEMPERATURE,	  /* degrees Celsius, signed */
	U2K_QTY_STARTUP,	  /* enum u2k_startup */
	U2K_QTY_STATUS_BITS,	  /* register 1043, U2K_BIT_* */
	U2K_QTY_BATTERY_VOLTAGE,  /* V, the whole string */
	U2K_QTY_BATTERY_STATE,	  /* enum u2k_battery */
	U2K_QTY_BATTERY_CHARGE,	  /* percent */
	U2K_QTY_BATTERY_RUNTIME,  /* s, the UPS's estimate at the present load */
	U2K_QTY_BATTERY_BLOCKS,	  /* 12 V blocks in series */
	U2K_QTY_BATTERY_CAPACITY, /* Ah */
	U2K_QTY_RATED_POWER,	  /* VA */
	U2K_QTY_AUTO_START,	  /* 1044: 1 = starts by itself when mains return */
	U2K_QTY_BYPASS_WHEN_OFF,  /* 1045: 1 = "off" means bypass */
	U2K_QTY_BEEPER_MUTED,	  /* 1046: 1 = muted */
	U2K_QTY_RESTART_OFF,	  /* 1047, s: off-then-on function, time until off; 0 = idle */
	U2K_QTY_RESTART_ON,	  /* 1048, s: off-then-on function, time off before on; 0 = idle */
	U2K_QTY_OFF_TIMER,	  /* 1049, s: time until off without a timed return; 0 = idle */
	U2K_QTY_COUNT
};

/* Register 1024. Values 4, 6 and 7 are not in Huawei's 1-3 kVA list. */
enum u2k_source {
	U2K_SOURCE_NONE = 0,
	U2K_SOURCE_BYPASS = 1,
	U2K_SOURCE_MAINS = 2,
	U2K_SOURCE_BATTERY = 3,
	U2K_SOURCE_ECO = 5,
	U2K_SOURCE_BATTERY_ECO = 6,
	U2K_SOURCE_COMBINED = 7,
};

/* Register 1028. */
enum u2k_startup {
	U2K_STARTUP_OFF = 0,	  /* off, can start */
	U2K_STARTUP_STARTING = 1, /* panel locked, no actions */
	U2K_STARTUP_FAILED = 2,	  /* start failed, can start again */
	U2K_STARTUP_RUNNING = 3,
};

/* Register 1043. */
enum {
	U2K_BIT_MAINS_ABNORMAL = 1 << 7,
	U2K_BIT_BATTERY_LOW = 1 << 6,
	U2K_BIT_FAULT = 1 << 4,
	U2K_BIT_ONLINE_TYPE = 1 << 3,
	U2K_BIT_SELF_TEST = 1 << 2,
};

/* Register 2002. */
enum u2k_battery {
	U2K_BATTERY_NONE = 0,
	U2K_BATTERY_IDLE = 1,
	U2K_BATTERY_RESTING = 2,
	U2K_BATTERY_FLOAT = 3,
	U2K_BATTERY_EQUALISING = 4,
	U2K_BATTERY_DISCHARGING = 5,
};

enum u2k_validity {
	U2K_UNKNOWN, /* not read yet, or this unit refuses the register */
	U2K_VALID,
	U2K_INVALID, /* the device marked it invalid (or sent nonsense) for longer than it is held */
};

struct u2k_value {
	double value;  /* only if validity is U2K_VALID */
	int64_t at_us; /* when the request that read this value was sent */
	enum u2k_validity validity;
};

/* One row of the quantity table: what a number means and how it is printed. */
struct u2k_qty_desc {
	const char *name; /* stable, dotted, for JSON: "input.voltage" */
	const char *unit; /* "V", "Hz", "W", "VA", "%", "s", "Ah", "C", "A"; "" for enums */
	uint16_t base;	  /* register without the 10000*N offset */
	uint8_t decimals; /* digits behind the point when printed */
};

const struct u2k_qty_desc *u2k_qty_desc(enum u2k_qty qty);

/* The 22 alarms of the 1-3 kVA family. */
enum u2k_severity { U2K_WARNING, U2K_ALERT };

struct u2k_alarm_desc {
	uint16_t id; /* alarm id and cause, as in Huawei's manual: 66/2 */
	uint8_t cause;
	enum u2k_severity severity;
	const char *name;    /* "Bypass voltage abnormal" */
	const char *meaning; /* what happened, one sentence */
	const char *remedy;  /* what a person can do, one sentence */
};

enum { U2K_ALARM_COUNT = 22, U2K_ALARM_REGS = 27 };

const struct u2k_alarm_desc *u2k_alarm_desc(unsigned alarm);

struct u2k_alarms {
	uint32_t active;		  /* bit i = row i of the alarm table */
	uint16_t unknown[U2K_ALARM_REGS]; /* bits of register 40156 + i that no row explains */
	int64_t at_us;			  /* 0 = never read */
};

struct u2k_identity {
	char model[32];	    /* key 1, or the product code of the basic identification */
	char firmware[32];  /* key 2 */
	char protocol[24];  /* key 3, "P1.0-D1.0" */
	char esn[40];	    /* key 4 */
	char device_id[16]; /* key 5 */
	char group[16];	    /* key 6 */
	char maker[32];	    /* from the basic identification, else "" */
	unsigned ups_count; /* object 0x87, 0 = not told */
	bool described;	    /* the 0x87/0x88 description was parsed (control.md 1) */
	bool known;	    /* something was identified */
};

/* Status as NUT users know it, derived from one snapshot (state.c). */
enum {
	U2K_OL = 1 << 0,
	U2K_OB = 1 << 1,
	U2K_LB = 1 << 2,
	U2K_BYPASS = 1 << 3,
	U2K_OFF = 1 << 4,
	U2K_ECO = 1 << 5,
	U2K_CHRG = 1 << 6,
	U2K_DISCHRG = 1 << 7,
	U2K_RB = 1 << 8,
	U2K_OVER = 1 << 9,
	U2K_ALARM = 1 << 10,
	U2K_TEST = 1 << 11,  /* self-test running; NUT's CAL only where configured */
	U2K_FAULT = 1 << 12, /* 1043 bit 4 */
};

enum u2k_comm {
	U2K_COMM_CLOSED,      /* no port, or the port is not open */
	U2K_COMM_SILENT,      /* port open, the device does not answer */
	U2K_COMM_IDENTIFYING, /* port open, no valid status yet */
	U2K_COMM_OK,	      /* answers, status fresh */
	U2K_COMM_STALE,	      /* status older than 10 s */
};

/* Why commands are refused, or U2K_GATE_OPEN (control.md 1). */
enum u2k_gate {
	U2K_GATE_OPEN,
	U2K_GATE_NOT_IDENTIFIED, /* not identified yet */
	U2K_GATE_NO_DESCRIPTION, /* only the basic identification answered */
	U2K_GATE_MODEL,		 /* not a UPS2000, UPS2000A or UPS2000G */
	U2K_GATE_PROTOCOL,	 /* interface is not P1.0-D1.0 */
	U2K_GATE_RATING,	 /* 9009 is not 1, 2 or 3 kVA */
	U2K_GATE_NUMBER,	 /* UPS number is not 1 */
	U2K_GATE_ESN,		 /* another serial number than the one expected */
	U2K_GATE_STALE,		 /* status not fresh */
	U2K_GATE_CONFIG,	 /* this configuration only monitors */
	U2K_GATE_COUNT
};

/** One sentence for people, without a full stop. */
const char *u2k_gate_text(enum u2k_gate gate);

struct u2k_snapshot {
	struct u2k_value qty[U2K_QTY_COUNT];
	struct u2k_alarms alarms;
	struct u2k_identity identity;
	int64_t identity_at_us; /* when the request was sent that last confirmed it; 0 = not since
				 * the link came up or the device fell silent */
	enum u2k_comm comm;
	enum u2k_gate gate;
	unsigned flags;	       /* U2K_OL ... */
	uint32_t alarms_shown; /* alarms that count as ups.alarm: bypass input is left out while on
				 * battery (control.md 6) */
	int64_t status_at_us;  /* last valid status read; 0 = never */
	int64_t first_status_us; /* 0 until the first one */
	struct {
		uint64_t requests, answers, timeouts, bad_frames, exceptions, stragglers,
			noise_bytes;
		uint32_t rtt_us;	     /* smoothed, request sent to answer complete */
		uint32_t status_round_us;    /* smoothed interval between good status reads */
		uint32_t predicted_round_us; /* ... as the number of UPSes on the line, their answer
					      * times and its speed let expect it */
	} line;
};

/* What changed between two snapshots: bit U2K_QTY_* and these. */
#define U2K_CHANGED_QTY(q) ((uint64_t)1 << (q))
#define U2K_CHANGED_ALARMS ((uint64_t)1 << 48)
#define U2K_CHANGED_IDENTITY ((uint64_t)1 << 49)
#define U2K_CHANGED_COMM ((uint64_t)1 << 50)
#define U2K_CHANGED_FLAGS ((uint64_t)1 << 51)
#define U2K_CHANGED_GATE ((uint64_t)1 << 52)
/* New status was read (also if it is the same as before): ages moved. */
#define U2K_CHANGED_STATUS_READ ((uint64_t)1 << 53)

/* A command or setting ends in exactly one of these (control.md 2). */
enum u2k_outcome { U2K_PENDING, U2K_VERIFIED, U2K_REFUSED, U2K_FAILED };

const char *u2k_outcome_text(enum u2k_outcome outcome);
const char *u2k_comm_text(enum u2k_comm comm);

#ifdef __cplusplus
}
#endif
