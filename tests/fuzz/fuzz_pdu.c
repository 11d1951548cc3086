/* Input: how many registers were asked for, and a PDU, read as a request and as each reply. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ups2000/error.h>

#include "core/pdu.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* A request that was understood is the one the client would write. */
static void check_request(const uint8_t *pdu, size_t len)
{
	struct pdu_request req;
	uint8_t again[PDU_MAX];
	size_t n = 0;
	int result = pdu_get_request(pdu, len, &req);

	check(result >= 0 && result <= EXC_ILLEGAL_VALUE);
	check(req.fc == (len ? pdu[0] : 0));
	if (result != 0)
		return;

	switch (req.fc) {
	case FC_READ_HOLDING_REGISTERS:
		n = pdu_put_read(again, req.addr, req.n);
		break;
	case FC_WRITE_SINGLE_REGISTER:
		n = pdu_put_write_single(again, req.addr, req.values[0]);
		break;
	case FC_WRITE_MULTIPLE_REGISTERS:
		n = pdu_put_write_multiple(again, req.addr, req.values, req.n);
		break;
	case FC_ENCAPSULATED:
		n = pdu_put_read_devid(again, req.devid_code, req.devid_object);
		break;
	default:
		abort();
	}
	check(n == len && memcmp(again, pdu, len) == 0);
}

static void check_regs(const uint8_t *pdu, size_t len, size_t n)
{
	uint16_t regs[PDU_READ_REGS_MAX];
	uint8_t again[PDU_MAX];
	int result = pdu_get_regs(pdu, len, n, regs);

	check(result == U2K_EPROTO || (result >= 0 && result <= 255));
	if (result == 0)
		check(pdu_put_regs(again, regs, n) == len && memcmp(again, pdu, len) == 0);
}

/* Write replies: right only if they are, byte by byte, what was expected. */
static void check_write_replies(const uint8_t *pdu, size_t len)
{
	uint8_t want[PDU_MAX];
	size_t n = pdu_put_write_single(want, 11046, 1);

	if (pdu_get_write_single(pdu, len, 11046, 1) == 0)
		check(len == n && memcmp(want, pdu, n) == 0);

	n = pdu_put_write_multiple_reply(want, 11047, 2);
	if (pdu_get_write_multiple(pdu, len, 11047, 2) == 0)
		check(len == n && memcmp(want, pdu, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;

	check_request(data + 1, size - 1);
	check_regs(data + 1, size - 1, data[0]);
	check_write_replies(data + 1, size - 1);
	return 0;
}
