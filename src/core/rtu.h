#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/pdu.h"

/*
 * Modbus RTU framing: ADU = unit id, PDU, CRC (low byte first). Pure: bytes go in, frames come out;
 * the caller knows the time and says when the line has been silent.
 *
 * Source: MODBUS over Serial Line V1.02, 2.5.1.
 */
enum { RTU_ADU_MAX = 256, RTU_ADU_MIN = 4, RTU_BUF = 1024 };

/**
 * Wrap a PDU of 1..PDU_MAX bytes. adu holds RTU_ADU_MAX bytes. Returns the ADU's length, 0 if the
 * PDU's length is out of range.
 */
size_t rtu_put(uint8_t *adu, uint8_t unit_id, const uint8_t *pdu, size_t len);

/* What a receiver found. */
struct rtu_frame {
	uint8_t unit_id;
	const uint8_t *pdu; /* borrowed from the receiver until its next call */
	size_t len;
};

/*
 * The client's receiver. It looks for replies: a frame whose length its function code implies
 * (3: byte count; 6, 16: fixed; 0x2B/0x0E: walk the objects; exceptions: fixed) and whose CRC is
 * right. Bytes that cannot start such a frame, and frames whose CRC is wrong, are skipped one byte
 * at a time and counted as noise, so a good frame behind garbage is found.
 */
struct rtu_rx {
	uint8_t buf[RTU_BUF];
	size_t len, start;
	uint8_t echo[RTU_ADU_MAX]; /* request whose echo is to be dropped */
	size_t echo_len, echo_noise;
	size_t quiet;	  /* bytes before this index were followed by silence */
	uint32_t noise;	  /* bytes skipped since rtu_rx_reset() */
	uint32_t bad_crc; /* whole candidates whose CRC was wrong */
	uint32_t echoes;  /* echoes dropped */
};

void rtu_rx_reset(struct rtu_rx *rx);

/**
 * Drop one copy of this request if it comes back (RS-485 adapters that hear themselves). The echo
 * must be the first thing that arrives, but for noise shorter than itself; any other frame, or as
 * much noise as the request is long (a damaged echo), ends the waiting for it. adu is copied.
 */
void rtu_rx_expect_echo(struct rtu_rx *rx, const uint8_t *adu, size_t len);

/**
 * Take bytes. Returns how many were taken: fewer than len means: take frames out first. While
 * rtu_rx_next() says false there is room for RTU_BUF - RTU_ADU_MAX bytes at least.
 */
size_t rtu_rx_feed(struct rtu_rx *rx, const uint8_t *data, size_t len);

/** True and the next whole frame, or false if more bytes are needed. */
bool rtu_rx_next(struct rtu_rx *rx, struct rtu_frame *frame);

/**
 * The line was silent: what has arrived is not going to be completed. Call rtu_rx_next() until it
 * says false: it gives the whole frames hidden behind what looked like the start of a longer one,
 * and drops the rest as noise.
 */
void rtu_rx_silence(struct rtu_rx *rx);

/** Bytes of an unfinished frame that wait in the buffer. */
size_t rtu_rx_pending(const struct rtu_rx *rx);

/**
 * The server's side (the simulator): length of the request ADU that starts at adu, by its function
 * code. Returns the length, 0 while more bytes are needed, U2K_EPROTO for a function code whose
 * length is not known (then only silence ends the frame).
 */
int rtu_request_length(const uint8_t *adu, size_t avail);
