#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Modbus PDUs (function code + data) of the four functions this device is known to take:
 * 0x03, 0x06, 0x2B/0x0E (documented) and 0x10 (undocumented; only for the pair 1047/1048).
 * Both sides are here: the client's requests and the server's replies (for the simulator).
 *
 * Source: MODBUS Application Protocol V1.1b3, chapter 6; docs/protocol.md.
 */
enum {
	PDU_MAX = 253,
	PDU_READ_REGS_MAX = 125,
	PDU_WRITE_REGS_MAX = 123,
	FC_READ_HOLDING_REGISTERS = 0x03,
	FC_WRITE_SINGLE_REGISTER = 0x06,
	FC_WRITE_MULTIPLE_REGISTERS = 0x10,
	FC_ENCAPSULATED = 0x2b,
	FC_EXCEPTION = 0x80,
	MEI_READ_DEVICE_ID = 0x0e,
};

enum pdu_exception {
	EXC_ILLEGAL_FUNCTION = 1,
	EXC_ILLEGAL_ADDRESS = 2, /* Huawei: invalid parameter */
	EXC_ILLEGAL_VALUE = 3,	 /* Huawei: invalid data, CRC error given as the example */
	EXC_DEVICE_FAILURE = 4,
	EXC_BUSY_HUAWEI = 5, /* standard: acknowledge */
	EXC_BUSY = 6,
	EXC_GATEWAY_PATH = 0x0a,
	EXC_GATEWAY_TARGET = 0x0b,
};

/*
 * Requests. Each writes into a caller's buffer of at least PDU_MAX bytes and returns the length,
 * or 0 if an argument is out of range (then nothing was written).
 */
size_t pdu_put_read(uint8_t *pdu, uint16_t addr, size_t n);
size_t pdu_put_write_single(uint8_t *pdu, uint16_t addr, uint16_t value);
size_t pdu_put_write_multiple(uint8_t *pdu, uint16_t addr, const uint16_t *values, size_t n);
size_t pdu_put_read_devid(uint8_t *pdu, uint8_t code, uint8_t object);

/*
 * Replies as the client reads them. Each returns 0, U2K_EPROTO, or the exception code (1..255);
 * outputs are written only on 0.
 */

/** Reply to pdu_put_read(n): n registers in host byte order. */
int pdu_get_regs(const uint8_t *pdu, size_t len, size_t n, uint16_t *regs);
/** Reply to pdu_put_write_single(): must be the request's own bytes. */
int pdu_get_write_single(const uint8_t *pdu, size_t len, uint16_t addr, uint16_t value);
/** Reply to pdu_put_write_multiple(): must repeat address and quantity. */
int pdu_get_write_multiple(const uint8_t *pdu, size_t len, uint16_t addr, size_t n);

/* A request as the server (the simulator) reads it. */
struct pdu_request {
	uint8_t fc;
	uint16_t addr;			     /* 0x03, 0x06, 0x10 */
	uint16_t n;			     /* registers; 1 for 0x06 */
	uint16_t values[PDU_WRITE_REGS_MAX]; /* 0x06, 0x10 */
	uint8_t devid_code, devid_object;    /* 0x2B/0x0E */
};

/**
 * Parse a request PDU.
 *
 * Returns 0 and fills req; or the exception code a server must answer:
 * EXC_ILLEGAL_FUNCTION (unknown function code or MEI type), EXC_ILLEGAL_VALUE (bad length,
 * quantity or byte count), EXC_ILLEGAL_ADDRESS (addr + n > 65536). req->fc is always set.
 */
int pdu_get_request(const uint8_t *pdu, size_t len, struct pdu_request *req);

/* The server's replies; buffers of at least PDU_MAX bytes; the length comes back. */
size_t pdu_put_regs(uint8_t *pdu, const uint16_t *regs, size_t n);
size_t pdu_put_write_multiple_reply(uint8_t *pdu, uint16_t addr, size_t n);
size_t pdu_put_exception(uint8_t *pdu, uint8_t fc, uint8_t code);
