#pragma once

/* A simulated device on the bench, asked by its base registers. */
#include <stdint.h>

#include "core/pdu.h"
#include "sim/device.h"

#define S(seconds) ((int64_t)((seconds)*1000000.0))

static inline void bench_init(struct sim_device *dev)
{
	struct sim_options opt;

	sim_options_default(&opt);
	opt.noise = false;
	sim_device_init(dev, &opt);
}

/* Length of the reply in reply, 0 if there is none. */
static inline size_t bench_ask(struct sim_device *dev, const uint8_t *pdu, size_t len,
			       uint8_t *reply)
{
	size_t reply_len = 99;

	sim_device_request(dev, dev->now_us, pdu, len, reply, &reply_len);
	return reply_len;
}

/* The register, or -1 - exception code, or -1000 for silence. */
static inline int bench_read(struct sim_device *dev, uint16_t base)
{
	uint8_t pdu[PDU_MAX], reply[PDU_MAX];
	size_t len = bench_ask(dev, pdu, pdu_put_read(pdu, (uint16_t)(10000 + base), 1), reply);

	if (len == 0)
		return -1000;
	return reply[0] & 0x80 ? -1 - reply[1] : reply[2] << 8 | reply[3];
}

/* 0, the exception code, or -1000 for silence. */
static inline int bench_write(struct sim_device *dev, uint16_t base, uint16_t value)
{
	uint8_t pdu[PDU_MAX], reply[PDU_MAX];
	size_t len = pdu_put_write_single(pdu, (uint16_t)(10000 + base), value);

	len = bench_ask(dev, pdu, len, reply);
	if (len == 0)
		return -1000;
	return reply[0] & 0x80 ? reply[1] : 0;
}

static inline int bench_write_two(struct sim_device *dev, uint16_t base, uint16_t a, uint16_t b)
{
	uint8_t pdu[PDU_MAX], reply[PDU_MAX];
	const uint16_t values[2] = { a, b };
	size_t len = pdu_put_write_multiple(pdu, (uint16_t)(10000 + base), values, 2);

	len = bench_ask(dev, pdu, len, reply);
	if (len == 0)
		return -1000;
	return reply[0] & 0x80 ? reply[1] : 0;
}
