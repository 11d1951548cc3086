#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mbap.h"
#include "core/rtu.h"

/*
 * How PDUs are wrapped on a line: RTU (serial ports, and raw through a device server) or MBAP
 * (Modbus TCP). The line knows neither; it has a framer.
 */
enum framing {
	FRAMING_RTU,
	FRAMING_MBAP,
};

enum { FRAMING_ADU_MAX = MBAP_ADU_MAX };

struct frame {
	uint8_t unit_id;
	const uint8_t *pdu; /* borrowed from the framer until its next call */
	size_t len;
	uint16_t id; /* of the request it answers; 0 where frames carry none */
};

struct framer_ops;

struct framer {
	const struct framer_ops *ops;
	bool has_ids;			 /* answers tell which request they belong to */
	bool broken;			 /* the stream cannot be read any further: connect anew */
	uint32_t noise, bad_crc, echoes; /* since framer_restart() */
	union {
		struct rtu_rx rtu;
		struct mbap_rx mbap;
	} rx;
};

void framer_init(struct framer *framer, enum framing framing);
/** Forget everything: the link is another one. */
void framer_reset(struct framer *framer);
/** Before a request: the counters start anew; what is a stream's unfinished frame stays. */
void framer_restart(struct framer *framer);

/** Wrap a PDU of 1..PDU_MAX bytes; adu holds FRAMING_ADU_MAX. Returns the length, 0 = out of range. */
size_t framer_put(const struct framer *framer, uint8_t *adu, uint16_t id, uint8_t unit_id,
		  const uint8_t *pdu, size_t len);
/** Drop one copy of this request if it comes back; only where a wire can hear itself. */
void framer_expect_echo(struct framer *framer, const uint8_t *adu, size_t len);

/** As rtu_rx_feed(), rtu_rx_next() and rtu_rx_silence(). */
size_t framer_feed(struct framer *framer, const uint8_t *data, size_t len);
bool framer_next(struct framer *framer, struct frame *frame);
void framer_silence(struct framer *framer);
/** Bytes of an unfinished frame that silence would end; 0 where silence means nothing. */
size_t framer_pending(const struct framer *framer);
