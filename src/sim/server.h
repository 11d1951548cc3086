#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rtu.h"
#include "sim/device.h"
#include "sim/faults.h"

/*
 * The device's serial port: bytes go in with the time they were handed over, bytes come out at the
 * time they leave. Pure, as the device is; embeds the device and the faults.
 *
 * Two clocks: the line's (the caller's now_us) and the device's, which can run faster (speed), so
 * that a battery empties in seconds while bytes still take their time.
 */
enum {
	SIM_RX_MAX = 1024,
	SIM_TX_MAX = 16,
	SIM_LOG_MAX = 100,
	SIM_WRITES_MAX = 1024,
	SIM_NOISE_CHUNK = 16,
};

struct sim_tx {
	int64_t ready_us; /* not before */
	int64_t start_us; /* of the first bit, once the line is its own */
	uint16_t len, sent;
	uint8_t bytes[RTU_ADU_MAX];
};

struct sim_log_entry {
	int64_t line_us, device_us;
	const char *note; /* what was done with it: static text, or NULL */
	uint16_t rx_len, tx_len;
	uint8_t rx[RTU_ADU_MAX], tx[RTU_ADU_MAX];
};

struct sim_write {
	int64_t line_us, device_us;
	uint8_t fc, status; /* 0 done, else the exception; 255 not answered */
	uint16_t addr, value;
};

struct sim_counters {
	uint64_t bytes_in, bytes_out, bytes_dropped;
	uint32_t requests, reads, writes_single, writes_multiple, identifications, others;
	uint32_t exceptions, bad_crc, malformed, foreign;
};

struct sim_server_options {
	uint8_t unit_id;
	uint8_t others; /* UPS numbers behind the same unit id: bit N; they answer for themselves */
	bool second;	/* one of those: the first answers for all what is nobody's in particular */
	bool pace;	/* false: no line time, no turn-around */
	bool whole;	/* whole frames will do for whoever listens: fewer calls */
	unsigned baud;
	int turnaround_us, jitter_us; /* jitter: 0..jitter_us on top */
	int silence_us;		      /* ends a frame of unknown length */
	uint64_t seed;
	/* who answers in place of the device: the reply's length, 0 = silence; NULL = the device.
	 * think_us: what the answer takes to begin; -1 = as usual */
	size_t (*answer)(void *user, const uint8_t *pdu, size_t len, uint8_t *reply,
			 int64_t *think_us);
	void *answer_user;
};

struct sim_server {
	struct sim_device dev;
	struct sim_faults faults;
	struct sim_server_options opt;
	struct sim_counters count;
	uint64_t rng;
	int64_t now_us;

	/* device time = dev0 + (line time - line0) x speed */
	double speed;
	int64_t line0_us, dev0_us;

	/* bytes under way to the device, and the frame they make */
	struct {
		int64_t at_us;
		uint8_t byte;
	} rx[SIM_RX_MAX];
	size_t rx_head, rx_len;
	int64_t rx_free_us; /* the client's last byte is through then */
	uint8_t acc[RTU_ADU_MAX];
	size_t acc_len;
	int64_t acc_us; /* arrival of its last byte */
	int64_t busy_until_us;
	bool locked; /* SIM_FAULT_LOCKUP struck, until the board dies once more */
	uint32_t locked_deaths;

	struct sim_tx tx[SIM_TX_MAX]; /* in the order they were made */
	size_t n_tx;
	int64_t wire_free_us;
	int64_t noise_us;			   /* next chunk of noise */
	uint16_t last_read[PDU_READ_REGS_MAX + 1]; /* address asked for, by number of registers */

	struct sim_log_entry log[SIM_LOG_MAX];
	uint64_t n_log;
	struct sim_write writes[SIM_WRITES_MAX];
	uint64_t n_writes;
};

/** Unit id 1, 9600 baud, paced, 12 ms turn-around and up to 4 ms jitter. */
void sim_server_options_default(struct sim_server_options *opt);

/** Line and device start at now_us; options are copied. */
void sim_server_init(struct sim_server *srv, int64_t now_us, const struct sim_server_options *opt,
		     const struct sim_options *device);

/** The client has handed over bytes. What does not fit is dropped and counted. */
void sim_server_receive(struct sim_server *srv, int64_t now_us, const uint8_t *data, size_t len);

/** Let line and device run until now_us. Returns how many bytes were put in out. */
size_t sim_server_send(struct sim_server *srv, int64_t now_us, uint8_t *out, size_t max);

/** When sim_server_send() should next be called; SIM_NEVER if nothing is under way. */
int64_t sim_server_next_us(const struct sim_server *srv);

/** Let everything run until now_us without taking bytes. Call before any action on srv->dev. */
void sim_server_advance(struct sim_server *srv, int64_t now_us);

/** How fast the device's time runs beside the line's, from now on; 0.001 to 100000. */
void sim_server_speed(struct sim_server *srv, int64_t now_us, double speed);

/** The device's time at a line time. */
int64_t sim_server_device_us(const struct sim_server *srv, int64_t line_us);

/** Forget what is under way on the line: the cable was pulled. */
void sim_server_cut(struct sim_server *srv);

/** Entry i of the log, 0 the oldest kept; NULL past the end. Likewise the writes. */
const struct sim_log_entry *sim_server_log(const struct sim_server *srv, size_t i);
const struct sim_write *sim_server_write(const struct sim_server *srv, size_t i);
