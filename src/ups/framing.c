#include "ups/framing.h"

#include <string.h>

struct framer_ops {
	bool has_ids;
	void (*reset)(struct framer *framer);
	void (*restart)(struct framer *framer);
	size_t (*put)(uint8_t *adu, uint16_t id, uint8_t unit_id, const uint8_t *pdu, size_t len);
	void (*expect_echo)(struct framer *framer, const uint8_t *adu, size_t len);
	size_t (*feed)(struct framer *framer, const uint8_t *data, size_t len);
	bool (*next)(struct framer *framer, struct frame *frame);
	void (*silence)(struct framer *framer);
	size_t (*pending)(const struct framer *framer);
};

/* --- RTU ------------------------------------------------------------------------------------- */

static void rtu_count(struct framer *framer)
{
	framer->noise = framer->rx.rtu.noise;
	framer->bad_crc = framer->rx.rtu.bad_crc;
	framer->echoes = framer->rx.rtu.echoes;
}

static void rtu_reset(struct framer *framer)
{
	rtu_rx_reset(&framer->rx.rtu);
	rtu_count(framer);
}

static size_t rtu_wrap(uint8_t *adu, uint16_t id, uint8_t unit_id, const uint8_t *pdu, size_t len)
{
	(void)id;
	return rtu_put(adu, unit_id, pdu, len);
}

static void rtu_expect_echo(struct framer *framer, const uint8_t *adu, size_t len)
{
	rtu_rx_expect_echo(&framer->rx.rtu, adu, len);
}

static size_t rtu_feed(struct framer *framer, const uint8_t *data, size_t len)
{
	return rtu_rx_feed(&framer->rx.rtu, data, len);
}

static bool rtu_next(struct framer *framer, struct frame *frame)
{
	struct rtu_frame found;
	bool any = rtu_rx_next(&framer->rx.rtu, &found);

	rtu_count(framer);
	if (any)
		*frame = (struct frame){ found.unit_id, found.pdu, found.len, 0 };
	return any;
}

static void rtu_silence(struct framer *framer)
{
	rtu_rx_silence(&framer->rx.rtu);
}

static size_t rtu_pending(const struct framer *framer)
{
	return rtu_rx_pending(&framer->rx.rtu);
}

static const struct framer_ops rtu_ops = {
	.reset = rtu_reset,
	.restart = rtu_reset,
	.put = rtu_wrap,
	.expect_echo = rtu_expect_echo,
	.feed = rtu_feed,
	.next = rtu_next,
	.silence = rtu_silence,
	.pending = rtu_pending,
};

/* --- MBAP ------------------------------------------------------------------------------------ */

static void mbap_reset(struct framer *framer)
{
	mbap_rx_reset(&framer->rx.mbap);
	framer->broken = false;
	framer->noise = 0;
}

static void mbap_restart(struct framer *framer)
{
	framer->rx.mbap.dropped = 0;
	framer->noise = 0;
}

static void mbap_expect_echo(struct framer *framer, const uint8_t *adu, size_t len)
{
	(void)framer;
	(void)adu;
	(void)len;
}

static size_t mbap_feed(struct framer *framer, const uint8_t *data, size_t len)
{
	size_t taken = mbap_rx_feed(&framer->rx.mbap, data, len);

	framer->noise = framer->rx.mbap.dropped;
	return taken;
}

static bool mbap_next(struct framer *framer, struct frame *frame)
{
	struct mbap_frame found;
	bool any = mbap_rx_next(&framer->rx.mbap, &found);

	framer->broken = framer->rx.mbap.broken;
	framer->noise = framer->rx.mbap.dropped;
	if (any)
		*frame = (struct frame){ found.unit_id, found.pdu, found.len, found.id };
	return any;
}

static void mbap_silence(struct framer *framer)
{
	(void)framer;
}

static size_t mbap_pending(const struct framer *framer)
{
	(void)framer;
	return 0; /* TCP brings the rest, however late */
}

static const struct framer_ops mbap_ops = {
	.has_ids = true,
	.reset = mbap_reset,
	.restart = mbap_restart,
	.put = mbap_put,
	.expect_echo = mbap_expect_echo,
	.feed = mbap_feed,
	.next = mbap_next,
	.silence = mbap_silence,
	.pending = mbap_pending,
};

/* --- either ---------------------------------------------------------------------------------- */

void framer_init(struct framer *framer, enum framing framing)
{
	memset(framer, 0, sizeof(*framer));
	framer->ops = framing == FRAMING_MBAP ? &mbap_ops : &rtu_ops;
	framer->has_ids = framer->ops->has_ids;
	framer_reset(framer);
}

void framer_reset(struct framer *framer)
{
	framer->ops->reset(framer);
}

void framer_restart(struct framer *framer)
{
	framer->ops->restart(framer);
}

size_t framer_put(const struct framer *framer, uint8_t *adu, uint16_t id, uint8_t unit_id,
		  const uint8_t *pdu, size_t len)
{
	return framer->ops->put(adu, id, unit_id, pdu, len);
}

void framer_expect_echo(struct framer *framer, const uint8_t *adu, size_t len)
{
	framer->ops->expect_echo(framer, adu, len);
}

size_t framer_feed(struct framer *framer, const uint8_t *data, size_t len)
{
	return framer->ops->feed(framer, data, len);
}

bool framer_next(struct framer *framer, struct frame *frame)
{
	return framer->ops->next(framer, frame);
}

void framer_silence(struct framer *framer)
{
	framer->ops->silence(framer);
}

size_t framer_pending(const struct framer *framer)
{
	return framer->ops->pending(framer);
}
