#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <ups2000/error.h>

#include "core/pdu.h"
#include "vectors.h"

/* The PDU of the vector with this name: without unit id and CRC. */
static size_t vector_pdu(const char *name, uint8_t *pdu)
{
	uint8_t adu[256];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		if (strcmp(vectors[i].name, name) != 0)
			continue;

		size_t n = hex_bytes(vectors[i].hex, adu) - 3;

		memcpy(pdu, adu + 1, n);
		return n;
	}
	fail_msg("no vector \"%s\"", name);
	return 0;
}

static const struct {
	const char *name; /* the vector it must give; NULL: out of range */
	uint8_t fc;
	uint16_t addr;
	size_t n; /* 0x06: the value; 0x2B: code */
	uint16_t values[2];
} requests[] = {
	{ "0x11: read 11000", 0x03, 11000, 1, { 0 } },
	{ "read 11000 x 28", 0x03, 11000, 28, { 0 } },
	{ "read 11000 x 43", 0x03, 11000, 43, { 0 } },
	{ "read 11024", 0x03, 11024, 1, { 0 } },
	{ "read 11028", 0x03, 11028, 1, { 0 } },
	{ "read 11043", 0x03, 11043, 1, { 0 } },
	{ "read 11044 x 7", 0x03, 11044, 7, { 0 } },
	{ "read 12000 x 34", 0x03, 12000, 34, { 0 } },
	{ "read 12002", 0x03, 12002, 1, { 0 } },
	{ "read 19009", 0x03, 19009, 1, { 0 } },
	{ "read 41180 x 27", 0x03, 41180, 27, { 0 } },
	{ "read 41179 x 28", 0x03, 41179, 28, { 0 } },
	{ "read 1000 (N = 0)", 0x03, 1000, 1, { 0 } },
	{ NULL, 0x03, 11000, 0, { 0 } },
	{ NULL, 0x03, 11000, 126, { 0 } },
	{ NULL, 0x03, 65535, 2, { 0 } },
	{ NULL, 0x03, 0, SIZE_MAX, { 0 } },

	{ "0x11: 11029 := 1", 0x06, 11029, 1, { 0 } },
	{ "power on, 11029 := 1", 0x06, 11029, 1, { 0 } },
	{ "power off, 11030 := 1", 0x06, 11030, 1, { 0 } },
	{ "auto start off, 11044 := 0", 0x06, 11044, 0, { 0 } },
	{ "auto start on, 11044 := 1", 0x06, 11044, 1, { 0 } },
	{ "bypass option off, 11045 := 0", 0x06, 11045, 0, { 0 } },
	{ "bypass option on, 11045 := 1", 0x06, 11045, 1, { 0 } },
	{ "buzzer on, 11046 := 0", 0x06, 11046, 0, { 0 } },
	{ "buzzer muted, 11046 := 1", 0x06, 11046, 1, { 0 } },
	{ "off in 6 s, 11049 := 1", 0x06, 11049, 1, { 0 } },
	{ "off in 30 s, 11049 := 5", 0x06, 11049, 5, { 0 } },
	{ "off in 60 s, 11049 := 10", 0x06, 11049, 10, { 0 } },
	{ "cancel, 11050 := 1", 0x06, 11050, 1, { 0 } },
	{ "11047 := 10", 0x06, 11047, 10, { 0 } },
	{ "11048 := 1", 0x06, 11048, 1, { 0 } },
	{ "deep test", 0x06, 12021, 1, { 0 } },
	{ "stop test", 0x06, 12023, 1, { 0 } },
	{ "quick test", 0x06, 12028, 1, { 0 } },

	{ "11047, 11048 := 10, 1", 0x10, 11047, 2, { 10, 1 } },
	{ "11046 := 1 by 0x10", 0x10, 11046, 1, { 1 } },
	{ NULL, 0x10, 11047, 0, { 0 } },
	{ NULL, 0x10, 11047, 124, { 0 } },
	{ NULL, 0x10, 65535, 2, { 0 } },

	{ "identify, device list", 0x2b, 0x87, 3, { 0 } },
	{ "identify, basic", 0x2b, 0x00, 1, { 0 } },
	{ NULL, 0x2b, 0x00, 0, { 0 } },
	{ NULL, 0x2b, 0x00, 5, { 0 } },
};

static size_t put_request(size_t i, uint8_t *pdu)
{
	uint16_t addr = requests[i].addr;
	size_t n = requests[i].n;

	switch (requests[i].fc) {
	case 0x03:
		return pdu_put_read(pdu, addr, n);
	case 0x06:
		return pdu_put_write_single(pdu, addr, (uint16_t)n);
	case 0x10:
		return pdu_put_write_multiple(pdu, addr, requests[i].values, n);
	default:
		return pdu_put_read_devid(pdu, (uint8_t)n, (uint8_t)addr);
	}
}

static void test_put_requests(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		uint8_t pdu[PDU_MAX], want[PDU_MAX], before[PDU_MAX];

		memset(pdu, 0xee, sizeof(pdu));
		memset(before, 0xee, sizeof(before));

		size_t n = put_request(i, pdu);

		if (!requests[i].name) {
			assert_int_equal(n, 0);
			assert_memory_equal(pdu, before, sizeof(pdu));
			continue;
		}
		assert_int_equal(n, vector_pdu(requests[i].name, want));
		assert_memory_equal(pdu, want, n);
	}
}

static void test_put_largest(void **state)
{
	(void)state;
	uint16_t values[PDU_READ_REGS_MAX] = { 0 };
	uint8_t pdu[PDU_MAX];

	assert_int_equal(pdu_put_read(pdu, 65411, 125), 5);
	assert_int_equal(pdu_put_write_multiple(pdu, 0, values, 123), 6 + 246);
	assert_int_equal(pdu_put_regs(pdu, values, 125), 2 + 250);
	assert_int_equal(pdu_put_regs(pdu, values, 126), 0);
	assert_int_equal(pdu_put_regs(pdu, values, 0), 0);
}

/* What the server understands of each of the client's requests. */
static void test_get_requests(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct pdu_request req;
		uint8_t pdu[PDU_MAX];

		if (!requests[i].name)
			continue;

		size_t len = vector_pdu(requests[i].name, pdu);

		assert_int_equal(pdu_get_request(pdu, len, &req), 0);
		assert_int_equal(req.fc, requests[i].fc);
		if (req.fc == 0x2b) {
			assert_int_equal(req.devid_code, requests[i].n);
			assert_int_equal(req.devid_object, requests[i].addr);
			continue;
		}
		assert_int_equal(req.addr, requests[i].addr);
		assert_int_equal(req.n, req.fc == 0x06 ? 1 : requests[i].n);
		if (req.fc == 0x06)
			assert_int_equal(req.values[0], requests[i].n);
		for (size_t v = 0; req.fc == 0x10 && v < req.n; v++)
			assert_int_equal(req.values[v], requests[i].values[v]);

		/* Cut anywhere or one byte longer it is refused. */
		for (size_t cut = 1; cut < len; cut++)
			assert_int_equal(pdu_get_request(pdu, cut, &req), EXC_ILLEGAL_VALUE);
		pdu[len] = 0;
		assert_int_equal(pdu_get_request(pdu, len + 1, &req), EXC_ILLEGAL_VALUE);
	}
}

static const struct {
	const char *name, *pdu;
	int result;
} bad_requests[] = {
	{ "nothing", "", EXC_ILLEGAL_FUNCTION },
	{ "read input registers", "04 2A F8 00 01", EXC_ILLEGAL_FUNCTION },
	{ "an exception", "83 02", EXC_ILLEGAL_FUNCTION },
	{ "other MEI type", "2B 0D 01 00", EXC_ILLEGAL_FUNCTION },
	{ "devid code 0", "2B 0E 00 00", EXC_ILLEGAL_VALUE },
	{ "devid code 5", "2B 0E 05 00", EXC_ILLEGAL_VALUE },
	{ "read 0", "03 2A F8 00 00", EXC_ILLEGAL_VALUE },
	{ "read 126", "03 2A F8 00 7E", EXC_ILLEGAL_VALUE },
	{ "read 125 at the end", "03 FF 83 00 7D", 0 },
	{ "read 125 past the end", "03 FF 84 00 7D", EXC_ILLEGAL_ADDRESS },
	{ "read 126 past the end", "03 FF FF 00 7E", EXC_ILLEGAL_VALUE },
	{ "write 0", "10 2B 27 00 00 00", EXC_ILLEGAL_VALUE },
	{ "write 2 past the end", "10 FF FF 00 02 04 00 00 00 00", EXC_ILLEGAL_ADDRESS },
	{ "byte count too small", "10 2B 27 00 02 02 00 0A 00 01", EXC_ILLEGAL_VALUE },
	{ "byte count too large", "10 2B 27 00 02 06 00 0A 00 01", EXC_ILLEGAL_VALUE },
	/* section 3.4: what a real device got */
	{ "11046 := 1, short", "10 2B 26 01 00 01", EXC_ILLEGAL_VALUE },
	{ "pair, short", "10 2B 27 02 00 00 00 00", EXC_ILLEGAL_VALUE },
	{ "11046 := 0, short", "10 2B 26 01 00 00", EXC_ILLEGAL_VALUE },
};

static void test_bad_requests(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(bad_requests); i++) {
		struct pdu_request req;
		uint8_t pdu[PDU_MAX] = { 0 };
		size_t len = hex_bytes(bad_requests[i].pdu, pdu);
		int result = pdu_get_request(pdu, len, &req);

		if (result != bad_requests[i].result)
			fail_msg("%s: %d", bad_requests[i].name, result);
		assert_int_equal(req.fc, pdu[0]);
	}
}

/* Registers of the captured values: section 10.1. */
static const struct {
	const char *name;
	size_t n, at;
	uint16_t value;
} registers[] = {
	{ "0x11: value 1", 1, 0, 1 },
	{ "A: 11000 x 28", 28, 0, 2161 },
	{ "A: 11000 x 28", 28, 3, 500 },
	{ "A: 11000 x 28", 28, 8, 2197 },
	{ "A: 11000 x 28", 28, 11, 13 },
	{ "A: 11000 x 28", 28, 21, 70 },
	{ "A: 11000 x 28", 28, 24, 2 },
	{ "A: 11000 x 28", 28, 27, 253 },
	{ "A: 12000 x 34", 34, 0, 820 },
	{ "A: 12000 x 34", 34, 3, 100 },
	{ "A: 12000 x 34", 34, 5, 0x2760 },
	{ "A: 12000 x 34", 34, 7, 6 },
	{ "A: 12000 x 34", 34, 33, 9 },
	{ "B: 11000 x 28", 28, 0, 2371 },
	{ "B: 11000 x 28", 28, 24, 5 },
	{ "B: 11000 x 28", 28, 27, 272 },
	{ "B: 12000 x 34", 34, 0, 273 },
	{ "B: 12000 x 34", 34, 5, 0x6978 },
	{ "A: 19009", 1, 0, 30 },
	{ "B: 19009", 1, 0, 10 },
	{ "alarms: none", 27, 14, 0 },
	{ "alarms: battery disconnected", 27, 14, 0x0010 },
	{ "alarms: bypass voltage abnormal", 27, 5, 0x0002 },
	{ "value 0", 1, 0, 0 },
	{ "value 2", 1, 0, 2 },
	{ "value 3", 1, 0, 3 },
	{ "value 0x0008", 1, 0, 0x0008 },
	{ "value 0x00c8", 1, 0, 0x00c8 },
	{ "value 0xa000", 1, 0, 0xa000 },
};

static void expect_no_regs(const uint8_t *pdu, size_t len, size_t n)
{
	uint16_t regs[PDU_READ_REGS_MAX];

	memset(regs, 0xee, sizeof(regs));
	assert_int_equal(pdu_get_regs(pdu, len, n, regs), U2K_EPROTO);
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		assert_int_equal(regs[i], 0xeeee);
}

static void test_get_regs(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		uint16_t regs[PDU_READ_REGS_MAX];
		uint8_t pdu[PDU_MAX], again[PDU_MAX];
		size_t n = registers[i].n;
		size_t len = vector_pdu(registers[i].name, pdu);

		assert_int_equal(pdu_get_regs(pdu, len, n, regs), 0);
		assert_int_equal(regs[registers[i].at], registers[i].value);
		assert_int_equal(pdu_put_regs(again, regs, n), len);
		assert_memory_equal(again, pdu, len);

		for (size_t cut = 0; cut < len; cut++)
			expect_no_regs(pdu, cut, n);
		expect_no_regs(pdu, len + 1, n);
		expect_no_regs(pdu, len, n + 1);
		expect_no_regs(pdu, len, n - 1);
		pdu[1]++;
		expect_no_regs(pdu, len, n);
	}
}

enum reader { REGS, SINGLE, MULTIPLE };

static const struct {
	const char *name, *pdu;
	enum reader reader;
	uint16_t addr, arg; /* arg: registers, or the value of SINGLE */
	int result;
} replies[] = {
	{ "one register", "03 02 09 2E", REGS, 0, 1, 0 },
	{ "nothing asked", "03 00", REGS, 0, 0, U2K_EPROTO },
	{ "more than asked", "03 04 09 2E 00 00", REGS, 0, 1, U2K_EPROTO },
	{ "byte count too large", "03 04 09 2E", REGS, 0, 1, U2K_EPROTO },
	{ "odd byte count", "03 03 09 2E 00", REGS, 0, 1, U2K_EPROTO },
	{ "other function", "04 02 09 2E", REGS, 0, 1, U2K_EPROTO },
	{ "exception 1", "83 01", REGS, 0, 1, 1 },
	{ "exception 2", "83 02", REGS, 0, 1, 2 },
	{ "exception 3", "83 03", REGS, 0, 1, 3 },
	{ "exception 4", "83 04", REGS, 0, 1, 4 },
	{ "exception 5", "83 05", REGS, 0, 1, 5 },
	{ "exception 6", "83 06", REGS, 0, 1, 6 },
	{ "exception 255", "83 FF", REGS, 0, 1, 255 },
	{ "exception 0", "83 00", REGS, 0, 1, U2K_EPROTO },
	{ "exception, cut", "83", REGS, 0, 1, U2K_EPROTO },
	{ "exception, longer", "83 02 00", REGS, 0, 1, U2K_EPROTO },
	{ "exception of another function", "86 02", REGS, 0, 1, U2K_EPROTO },

	{ "11029 := 1", "06 2B 15 00 01", SINGLE, 11029, 1, 0 },
	{ "other address", "06 2B 16 00 01", SINGLE, 11029, 1, U2K_EPROTO },
	{ "other value", "06 2B 15 00 00", SINGLE, 11029, 1, U2K_EPROTO },
	{ "cut", "06 2B 15 00", SINGLE, 11029, 1, U2K_EPROTO },
	{ "longer", "06 2B 15 00 01 00", SINGLE, 11029, 1, U2K_EPROTO },
	{ "nothing", "", SINGLE, 11029, 1, U2K_EPROTO },
	{ "reply to a read", "03 02 00 01", SINGLE, 11029, 1, U2K_EPROTO },
	{ "exception 1", "86 01", SINGLE, 11029, 1, 1 },
	{ "exception 4", "86 04", SINGLE, 11029, 1, 4 },
	{ "exception 5", "86 05", SINGLE, 11029, 1, 5 },
	{ "exception of a read", "83 01", SINGLE, 11029, 1, U2K_EPROTO },

	{ "pair", "10 2B 27 00 02", MULTIPLE, 11047, 2, 0 },
	{ "other quantity", "10 2B 27 00 01", MULTIPLE, 11047, 2, U2K_EPROTO },
	{ "other address", "10 2B 26 00 02", MULTIPLE, 11047, 2, U2K_EPROTO },
	{ "the request itself", "10 2B 27 00 02 04 00 0A 00 01", MULTIPLE, 11047, 2, U2K_EPROTO },
	{ "cut", "10 2B 27 00", MULTIPLE, 11047, 2, U2K_EPROTO },
	{ "exception 1", "90 01", MULTIPLE, 11047, 2, 1 },
	{ "exception 0", "90 00", MULTIPLE, 11047, 2, U2K_EPROTO },
};

static void test_get_replies(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		uint8_t pdu[PDU_MAX];
		uint16_t regs[PDU_READ_REGS_MAX];
		uint16_t addr = replies[i].addr, arg = replies[i].arg;
		size_t len = hex_bytes(replies[i].pdu, pdu);
		int result = 0;

		switch (replies[i].reader) {
		case REGS:
			result = pdu_get_regs(pdu, len, arg, regs);
			break;
		case SINGLE:
			result = pdu_get_write_single(pdu, len, addr, arg);
			break;
		case MULTIPLE:
			result = pdu_get_write_multiple(pdu, len, addr, arg);
			break;
		}
		if (result != replies[i].result)
			fail_msg("%s (%s): %d", replies[i].name, replies[i].pdu, result);
	}
}

static void test_put_replies(void **state)
{
	(void)state;
	uint8_t pdu[PDU_MAX], want[PDU_MAX];
	size_t n = vector_pdu("11047, 11048: reply", want);

	assert_int_equal(pdu_put_write_multiple_reply(pdu, 11047, 2), n);
	assert_memory_equal(pdu, want, n);
	assert_int_equal(pdu_get_write_multiple(pdu, n, 11047, 2), 0);

	for (uint8_t code = 1; code <= 5; code++) {
		char name[64];

		snprintf(name, sizeof(name), "exception %02u to 0x03", code);
		n = vector_pdu(name, want);
		assert_int_equal(pdu_put_exception(pdu, 0x03, code), n);
		assert_memory_equal(pdu, want, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_requests), cmocka_unit_test(test_put_largest),
		cmocka_unit_test(test_get_requests), cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_get_regs),     cmocka_unit_test(test_get_replies),
		cmocka_unit_test(test_put_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
