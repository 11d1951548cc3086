#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/pdu.h"

/*
 * Modbus TCP framing: ADU = MBAP header (transaction id, protocol id 0, length, unit id) and PDU. No
 * CRC, TCP sees to that. Pure: bytes go in, frames come out.
 *
 * Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3.
 */
enum { MBAP_HEADER = 7, MBAP_ADU_MAX = MBAP_HEADER + PDU_MAX, MBAP_ADU_MIN = MBAP_HEADER + 1 };

/**
 * Wrap a PDU of 1..PDU_MAX bytes. adu holds MBAP_ADU_MAX bytes. Returns the ADU's length, 0 if the
 * PDU's length is out of range.
 */
size_t mbap_put(uint8_t *adu, uint16_t id, uint8_t unit_id, const uint8_t *pdu, size_t len);

struct mbap_frame {
	uint16_t id; /* transaction id */
	uint8_t unit_id;
	const uint8_t *pdu; /* borrowed from the receiver until its next call */
	size_t len;
};

/*
 * The receiver of either side. A header with another protocol id or an impossible length means that
 * the stream is not, or no longer, Modbus: there is nothing to find the next frame by, so the
 * receiver is broken from then on and the connection must be made anew.
 */
struct mbap_rx {
	uint8_t buf[4 * MBAP_ADU_MAX];
	size_t len, start;
	uint32_t dropped; /* bytes thrown away since it broke */
	bool broken;
};

void mbap_rx_reset(struct mbap_rx *rx);

/**
 * Take bytes. Returns how many were taken: fewer than len means: take frames out first. While
 * mbap_rx_next() says false there is room for 3 * MBAP_ADU_MAX bytes at least. A broken receiver
 * takes everything and keeps nothing.
 */
size_t mbap_rx_feed(struct mbap_rx *rx, const uint8_t *data, size_t len);

/** True and the next whole frame, or false if more bytes are needed or the receiver is broken. */
bool mbap_rx_next(struct mbap_rx *rx, struct mbap_frame *frame);

/** Bytes of an unfinished frame that wait in the buffer. */
size_t mbap_rx_pending(const struct mbap_rx *rx);
