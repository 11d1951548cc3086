#include "core/rtu.h"

#include <string.h>

#include "core/bytes.h"
#include "core/crc16.h"
#include "core/devid.h"
#include <ups2000/error.h>

enum {
	OVERHEAD = 3, /* unit id and CRC */
	EXCEPTION_LEN = 5,
	WRITE_REPLY_LEN = 8,
};

size_t rtu_put(uint8_t *adu, uint8_t unit_id, const uint8_t *pdu, size_t len)
{
	if (len < 1 || len > PDU_MAX)
		return 0;

	adu[0] = unit_id;
	memmove(adu + 1, pdu, len);

	uint16_t crc = crc16(adu, len + 1);

	adu[len + 1] = (uint8_t)crc;
	adu[len + 2] = (uint8_t)(crc >> 8);
	return len + OVERHEAD;
}

static bool crc_ok(const uint8_t *adu, size_t len)
{
	return crc16(adu, len - 2) == (adu[len - 2] | adu[len - 1] << 8);
}

static int regs_length(const uint8_t *adu, size_t avail)
{
	if (avail < 3)
		return 0;

	uint8_t bytes = adu[2];

	if (bytes == 0 || bytes % 2 || bytes > 2 * PDU_READ_REGS_MAX)
		return U2K_EPROTO;
	return OVERHEAD + 2 + bytes;
}

static int exception_length(const uint8_t *adu, size_t avail)
{
	return avail >= 3 && adu[2] == 0 ? U2K_EPROTO : EXCEPTION_LEN;
}

/* Length of the reply that starts at adu, 0 while its bytes do not tell, U2K_EPROTO if none can. */
static int reply_length(const uint8_t *adu, size_t avail)
{
	if (avail < 2)
		return 0;

	switch (adu[1]) {
	case FC_READ_HOLDING_REGISTERS:
		return regs_length(adu, avail);
	case FC_WRITE_SINGLE_REGISTER:
	case FC_WRITE_MULTIPLE_REGISTERS:
		return WRITE_REPLY_LEN;
	case FC_ENCAPSULATED: {
		int len = devid_length(adu + 1, avail - 1);

		return len > 0 ? len + OVERHEAD : len;
	}
	case FC_READ_HOLDING_REGISTERS | FC_EXCEPTION:
	case FC_WRITE_SINGLE_REGISTER | FC_EXCEPTION:
	case FC_WRITE_MULTIPLE_REGISTERS | FC_EXCEPTION:
	case FC_ENCAPSULATED | FC_EXCEPTION:
		return exception_length(adu, avail);
	default:
		return U2K_EPROTO;
	}
}

void rtu_rx_reset(struct rtu_rx *rx)
{
	memset(rx, 0, sizeof(*rx));
}

void rtu_rx_expect_echo(struct rtu_rx *rx, const uint8_t *adu, size_t len)
{
	if (len > sizeof(rx->echo))
		len = 0;
	if (len)
		memcpy(rx->echo, adu, len);
	rx->echo_len = len;
	rx->echo_noise = 0;
}

size_t rtu_rx_feed(struct rtu_rx *rx, const uint8_t *data, size_t len)
{
	rx->len -= rx->start;
	rx->quiet -= rx->quiet < rx->start ? rx->quiet : rx->start;
	memmove(rx->buf, rx->buf + rx->start, rx->len);
	rx->start = 0;

	if (len > sizeof(rx->buf) - rx->len)
		len = sizeof(rx->buf) - rx->len;
	if (len)
		memcpy(rx->buf + rx->len, data, len);
	rx->len += len;
	return len;
}

enum verdict { FRAME, ECHO, UNFINISHED, NOISE };

/* What the bytes at adu are; *len is set for FRAME and ECHO. */
static enum verdict judge(struct rtu_rx *rx, const uint8_t *adu, size_t avail, size_t *len)
{
	size_t echo_there = avail < rx->echo_len ? avail : rx->echo_len;
	bool echo_possible = rx->echo_len && memcmp(adu, rx->echo, echo_there) == 0;

	if (echo_possible && echo_there == rx->echo_len) {
		*len = rx->echo_len;
		return ECHO;
	}

	int n = reply_length(adu, avail);

	if (n > 0 && (size_t)n <= avail) {
		if (crc_ok(adu, (size_t)n)) {
			*len = (size_t)n;
			return FRAME;
		}
		if (!echo_possible)
			rx->bad_crc++;
		n = U2K_EPROTO;
	}
	return n >= 0 || echo_possible ? UNFINISHED : NOISE;
}

static void skip_byte(struct rtu_rx *rx)
{
	rx->start++;
	rx->noise++;

	/* After as much noise as the echo is long, the noise was the echo. What looks like the
	 * request from here on is the reply (0x06 answers with the request's own bytes). */
	if (rx->echo_len && ++rx->echo_noise >= rx->echo_len)
		rx->echo_len = 0;
}

bool rtu_rx_next(struct rtu_rx *rx, struct rtu_frame *frame)
{
	while (rx->start < rx->len) {
		uint8_t *adu = rx->buf + rx->start;
		size_t len = 0;

		switch (judge(rx, adu, rx->len - rx->start, &len)) {
		case FRAME:
			rx->start += len;
			rx->echo_len = 0;
			*frame = (struct rtu_frame){ adu[0], adu + 1, len - OVERHEAD };
			return true;
		case ECHO:
			rx->start += len;
			rx->echo_len = 0;
			rx->echoes++;
			break;
		case UNFINISHED:
			if (rx->start >= rx->quiet)
				return false;
			skip_byte(rx);
			break;
		case NOISE:
			skip_byte(rx);
			break;
		}
	}
	return false;
}

void rtu_rx_silence(struct rtu_rx *rx)
{
	rx->quiet = rx->len;
}

size_t rtu_rx_pending(const struct rtu_rx *rx)
{
	return rx->len - rx->start;
}

int rtu_request_length(const uint8_t *adu, size_t avail)
{
	if (avail < 2)
		return 0;

	switch (adu[1]) {
	case FC_READ_HOLDING_REGISTERS:
	case FC_WRITE_SINGLE_REGISTER:
		return 8;
	case FC_WRITE_MULTIPLE_REGISTERS:
		if (avail < 7)
			return 0;
		return 9 + adu[6] <= RTU_ADU_MAX ? 9 + adu[6] : U2K_EPROTO;
	case FC_ENCAPSULATED:
		if (avail < 3)
			return 0;
		return adu[2] == MEI_READ_DEVICE_ID ? 7 : U2K_EPROTO;
	default:
		return U2K_EPROTO;
	}
}
