#include "core/mbap.h"

#include <string.h>

#include "core/bytes.h"

enum { LENGTH_MIN = 2, LENGTH_MAX = 1 + PDU_MAX, BEFORE_LENGTH_ENDS = 6 };

size_t mbap_put(uint8_t *adu, uint16_t id, uint8_t unit_id, const uint8_t *pdu, size_t len)
{
	if (len < 1 || len > PDU_MAX)
		return 0;

	memmove(adu + MBAP_HEADER, pdu, len);
	adu = wr_u16(adu, id);
	adu = wr_u16(adu, 0);
	adu = wr_u16(adu, (uint16_t)(1 + len));
	wr_u8(adu, unit_id);
	return MBAP_HEADER + len;
}

void mbap_rx_reset(struct mbap_rx *rx)
{
	memset(rx, 0, sizeof(*rx));
}

static void break_off(struct mbap_rx *rx)
{
	rx->broken = true;
	rx->dropped += (uint32_t)mbap_rx_pending(rx);
	rx->len = rx->start = 0;
}

size_t mbap_rx_feed(struct mbap_rx *rx, const uint8_t *data, size_t len)
{
	if (rx->broken) {
		rx->dropped += (uint32_t)len;
		return len;
	}
	rx->len -= rx->start;
	memmove(rx->buf, rx->buf + rx->start, rx->len);
	rx->start = 0;

	if (len > sizeof(rx->buf) - rx->len)
		len = sizeof(rx->buf) - rx->len;
	if (len)
		memcpy(rx->buf + rx->len, data, len);
	rx->len += len;
	return len;
}

bool mbap_rx_next(struct mbap_rx *rx, struct mbap_frame *frame)
{
	struct rd r = rd_init(rx->buf + rx->start, rx->len - rx->start);
	uint16_t id = rd_u16(&r), protocol = rd_u16(&r), length = rd_u16(&r);

	/* judge as early as the bytes allow: a peer that speaks something else may send no more */
	if (mbap_rx_pending(rx) >= 4 && protocol != 0) {
		break_off(rx);
		return false;
	}
	if (mbap_rx_pending(rx) < BEFORE_LENGTH_ENDS)
		return false;
	if (length < LENGTH_MIN || length > LENGTH_MAX) {
		break_off(rx);
		return false;
	}
	if (rd_left(&r) < length)
		return false;

	frame->id = id;
	frame->unit_id = rd_u8(&r);
	frame->len = length - 1u;
	frame->pdu = rd_skip(&r, frame->len);
	rx->start += BEFORE_LENGTH_ENDS + length;
	return true;
}

size_t mbap_rx_pending(const struct mbap_rx *rx)
{
	return rx->len - rx->start;
}
