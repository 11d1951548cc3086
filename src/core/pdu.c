#include "core/pdu.h"

#include "core/bytes.h"
#include <ups2000/error.h>

static bool range_ok(uint16_t addr, size_t n, size_t max)
{
	return n >= 1 && n <= max && addr + n <= 0x10000;
}

size_t pdu_put_read(uint8_t *pdu, uint16_t addr, size_t n)
{
	if (!range_ok(addr, n, PDU_READ_REGS_MAX))
		return 0;

	uint8_t *p = wr_u8(pdu, FC_READ_HOLDING_REGISTERS);

	p = wr_u16(p, addr);
	p = wr_u16(p, (uint16_t)n);
	return (size_t)(p - pdu);
}

size_t pdu_put_write_single(uint8_t *pdu, uint16_t addr, uint16_t value)
{
	uint8_t *p = wr_u8(pdu, FC_WRITE_SINGLE_REGISTER);

	p = wr_u16(p, addr);
	p = wr_u16(p, value);
	return (size_t)(p - pdu);
}

size_t pdu_put_write_multiple(uint8_t *pdu, uint16_t addr, const uint16_t *values, size_t n)
{
	if (!range_ok(addr, n, PDU_WRITE_REGS_MAX))
		return 0;

	uint8_t *p = wr_u8(pdu, FC_WRITE_MULTIPLE_REGISTERS);

	p = wr_u16(p, addr);
	p = wr_u16(p, (uint16_t)n);
	p = wr_u8(p, (uint8_t)(2 * n));
	for (size_t i = 0; i < n; i++)
		p = wr_u16(p, values[i]);
	return (size_t)(p - pdu);
}

size_t pdu_put_read_devid(uint8_t *pdu, uint8_t code, uint8_t object)
{
	if (code < 1 || code > 4)
		return 0;

	uint8_t *p = wr_u8(pdu, FC_ENCAPSULATED);

	p = wr_u8(p, MEI_READ_DEVICE_ID);
	p = wr_u8(p, code);
	p = wr_u8(p, object);
	return (size_t)(p - pdu);
}

/* 0 if a reply to fc may follow, else the exception code or U2K_EPROTO. */
static int get_head(struct rd *r, uint8_t fc)
{
	uint8_t got = rd_u8(r);

	if (r->bad)
		return U2K_EPROTO;
	if (got == fc)
		return 0;
	if (got != (fc | FC_EXCEPTION) || rd_left(r) != 1)
		return U2K_EPROTO;

	uint8_t code = rd_u8(r);

	return code ? code : U2K_EPROTO;
}

int pdu_get_regs(const uint8_t *pdu, size_t len, size_t n, uint16_t *regs)
{
	struct rd r = rd_init(pdu, len);
	int err = get_head(&r, FC_READ_HOLDING_REGISTERS);

	if (err)
		return err;

	uint8_t bytes = rd_u8(&r);

	if (r.bad || n < 1 || n > PDU_READ_REGS_MAX || bytes != 2 * n || rd_left(&r) != bytes)
		return U2K_EPROTO;

	for (size_t i = 0; i < n; i++)
		regs[i] = rd_u16(&r);
	return 0;
}

/* Both write functions answer with two words. */
static int get_echo(const uint8_t *pdu, size_t len, uint8_t fc, uint16_t first, size_t second)
{
	struct rd r = rd_init(pdu, len);
	int err = get_head(&r, fc);

	if (err)
		return err;

	uint16_t got_first = rd_u16(&r);
	uint16_t got_second = rd_u16(&r);

	if (r.bad || rd_left(&r) || got_first != first || got_second != second)
		return U2K_EPROTO;
	return 0;
}

int pdu_get_write_single(const uint8_t *pdu, size_t len, uint16_t addr, uint16_t value)
{
	return get_echo(pdu, len, FC_WRITE_SINGLE_REGISTER, addr, value);
}

int pdu_get_write_multiple(const uint8_t *pdu, size_t len, uint16_t addr, size_t n)
{
	return get_echo(pdu, len, FC_WRITE_MULTIPLE_REGISTERS, addr, n);
}

static int get_read(struct rd *r, struct pdu_request *req)
{
	uint16_t addr = rd_u16(r);
	uint16_t n = rd_u16(r);

	if (r->bad || rd_left(r) || n < 1 || n > PDU_READ_REGS_MAX)
		return EXC_ILLEGAL_VALUE;
	if (addr + n > 0x10000)
		return EXC_ILLEGAL_ADDRESS;

	req->addr = addr;
	req->n = n;
	return 0;
}

static int get_write_single(struct rd *r, struct pdu_request *req)
{
	uint16_t addr = rd_u16(r);
	uint16_t value = rd_u16(r);

	if (r->bad || rd_left(r))
		return EXC_ILLEGAL_VALUE;

	req->addr = addr;
	req->n = 1;
	req->values[0] = value;
	return 0;
}

static int get_write_multiple(struct rd *r, struct pdu_request *req)
{
	uint16_t addr = rd_u16(r);
	uint16_t n = rd_u16(r);
	uint8_t bytes = rd_u8(r);

	if (r->bad || n < 1 || n > PDU_WRITE_REGS_MAX || bytes != 2 * n || rd_left(r) != bytes)
		return EXC_ILLEGAL_VALUE;
	if (addr + n > 0x10000)
		return EXC_ILLEGAL_ADDRESS;

	req->addr = addr;
	req->n = n;
	for (size_t i = 0; i < n; i++)
		req->values[i] = rd_u16(r);
	return 0;
}

static int get_read_devid(struct rd *r, struct pdu_request *req)
{
	uint8_t mei = rd_u8(r);

	if (r->bad)
		return EXC_ILLEGAL_VALUE;
	if (mei != MEI_READ_DEVICE_ID)
		return EXC_ILLEGAL_FUNCTION;

	uint8_t code = rd_u8(r);
	uint8_t object = rd_u8(r);

	if (r->bad || rd_left(r) || code < 1 || code > 4)
		return EXC_ILLEGAL_VALUE;

	req->devid_code = code;
	req->devid_object = object;
	return 0;
}

int pdu_get_request(const uint8_t *pdu, size_t len, struct pdu_request *req)
{
	struct rd r = rd_init(pdu, len);

	req->fc = rd_u8(&r);
	switch (req->fc) {
	case FC_READ_HOLDING_REGISTERS:
		return get_read(&r, req);
	case FC_WRITE_SINGLE_REGISTER:
		return get_write_single(&r, req);
	case FC_WRITE_MULTIPLE_REGISTERS:
		return get_write_multiple(&r, req);
	case FC_ENCAPSULATED:
		return get_read_devid(&r, req);
	default:
		return EXC_ILLEGAL_FUNCTION;
	}
}

size_t pdu_put_regs(uint8_t *pdu, const uint16_t *regs, size_t n)
{
	if (n < 1 || n > PDU_READ_REGS_MAX)
		return 0;

	uint8_t *p = wr_u8(pdu, FC_READ_HOLDING_REGISTERS);

	p = wr_u8(p, (uint8_t)(2 * n));
	for (size_t i = 0; i < n; i++)
		p = wr_u16(p, regs[i]);
	return (size_t)(p - pdu);
}

size_t pdu_put_write_multiple_reply(uint8_t *pdu, uint16_t addr, size_t n)
{
	uint8_t *p = wr_u8(pdu, FC_WRITE_MULTIPLE_REGISTERS);

	p = wr_u16(p, addr);
	p = wr_u16(p, (uint16_t)n);
	return (size_t)(p - pdu);
}

size_t pdu_put_exception(uint8_t *pdu, uint8_t fc, uint8_t code)
{
	uint8_t *p = wr_u8(pdu, fc | FC_EXCEPTION);

	p = wr_u8(p, code);
	return (size_t)(p - pdu);
}
