#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ups2000/error.h>

#include "core/devid.h"
#include "core/pdu.h"
#include "vectors.h"

#define ONE_UPS "2B 0E 03 03 00 00 02 87 04 00 00 00 01 88 03 31 3D 55"

static const struct {
	const char *name, *pdu;
	int parsed; /* devid_parse() */
	int length; /* devid_length() */
	size_t n;
} replies[] = {
	{ "one UPS", ONE_UPS, 0, 18, 2 },
	{ "one object", "2B 0E 04 83 00 00 01 88 02 31 3D", 0, 11, 1 },
	{ "empty object", "2B 0E 03 03 00 00 01 88 00", 0, 9, 1 },
	{ "more to come", "2B 0E 03 03 FF 89 01 88 01 31", 0, 10, 1 },
	{ "basic",
	  "2B 0E 01 01 00 00 03 00 06 48 55 41 57 45 49 01 07 55 50 53 32 30 30 30 02 02 56 32", 0,
	  28, 3 },
	{ "unknown conformity", "2B 0E 03 00 00 00 01 88 00", 0, 9, 1 },

	{ "nothing", "", U2K_EPROTO, 0, 0 },
	{ "head only, cut", "2B 0E 03 03 00 00", U2K_EPROTO, 0, 0 },
	{ "no objects", "2B 0E 03 03 00 00 00", U2K_EPROTO, 7, 0 },
	{ "no objects, but more", "2B 0E 03 03 FF 88 00", U2K_EPROTO, 7, 0 },
	{ "object head missing", "2B 0E 03 03 00 00 01", U2K_EPROTO, 0, 0 },
	{ "object length missing", "2B 0E 03 03 00 00 01 88", U2K_EPROTO, 0, 0 },
	{ "object overruns", "2B 0E 03 03 00 00 01 88 03 31 3D", U2K_EPROTO, 12, 0 },
	{ "byte left over", ONE_UPS " 00", U2K_EPROTO, 18, 0 },
	{ "count too large", "2B 0E 03 03 00 00 03 87 04 00 00 00 01 88 01 31", U2K_EPROTO, 0, 0 },
	{ "count too small", "2B 0E 03 03 00 00 01 87 04 00 00 00 01 88 01 31", U2K_EPROTO, 13, 0 },
	{ "count beyond any PDU", "2B 0E 03 03 00 00 7C", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "objects beyond any PDU", "2B 0E 03 03 00 00 02 87 F3", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "other function", "03 02 00 01", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "other MEI type", "2B 0D 03 03 00 00 01 88 00", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "code 0", "2B 0E 00 03 00 00 01 88 00", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "code 5", "2B 0E 05 03 00 00 01 88 00", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "more neither 00 nor FF", "2B 0E 03 03 01 00 01 88 00", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "the request", "2B 0E 03 87", U2K_EPROTO, 0, 0 },

	{ "exception 1", "AB 01", 1, U2K_EPROTO, 0 },
	{ "exception 2", "AB 02", 2, U2K_EPROTO, 0 },
	{ "exception 0", "AB 00", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "exception, cut", "AB", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "exception, longer", "AB 01 00", U2K_EPROTO, U2K_EPROTO, 0 },
	{ "exception of a read", "83 01", U2K_EPROTO, U2K_EPROTO, 0 },
};

static void test_replies(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		struct devid_reply reply, before;
		uint8_t pdu[PDU_MAX];
		size_t len = hex_bytes(replies[i].pdu, pdu);

		memset(&reply, 0xee, sizeof(reply));
		before = reply;

		int parsed = devid_parse(pdu, len, &reply);
		int length = devid_length(pdu, len);

		if (parsed != replies[i].parsed || length != replies[i].length)
			fail_msg("%s: %d, length %d", replies[i].name, parsed, length);
		if (parsed == 0)
			assert_int_equal(reply.n, replies[i].n);
		else
			assert_memory_equal(&reply, &before, sizeof(reply));
	}
}

static void test_identification(void **state)
{
	(void)state;
	static const char text[] =
		"1=UPS2000G;2=V2R1C1SPC50;3=P1.0-D1.0;4=21022900000000000001;5=1;6=1;";
	struct devid_reply reply;
	uint8_t adu[256];
	size_t len = hex_bytes(vectors[ARRAY_SIZE(vectors) - 1].hex, adu) - 3;

	assert_int_equal(len + 3, 86);
	assert_int_equal(devid_parse(adu + 1, len, &reply), 0);
	assert_int_equal(reply.code, DEVID_EXTENDED);
	assert_int_equal(reply.conformity, 3);
	assert_int_equal(reply.more, 0);
	assert_int_equal(reply.next, 0);
	assert_int_equal(reply.n, 2);
	assert_int_equal(reply.objects[0].id, DEVID_OBJ_UPS_COUNT);
	assert_int_equal(reply.objects[0].len, 4);
	assert_memory_equal(reply.objects[0].data, "\0\0\0\1", 4);
	assert_int_equal(reply.objects[1].id, DEVID_OBJ_UPS_FIRST);
	assert_int_equal(reply.objects[1].len, 68);
	assert_memory_equal(reply.objects[1].data, text, 68);

	/* Every shorter piece says "more" or the right length, and does not parse. */
	for (size_t cut = 0; cut < len; cut++) {
		int length = devid_length(adu + 1, cut);

		assert_true(length == 0 || (size_t)length == len);
		assert_int_equal(devid_parse(adu + 1, cut, &reply), U2K_EPROTO);
	}
}

static void test_put_one(void **state)
{
	(void)state;
	static const uint8_t one[] = { 0, 0, 0, 1 };
	static const uint8_t text[] = { '1', '=', 'U' };
	const struct devid_object objects[] = { { 0x87, 4, one }, { 0x88, 3, text } };
	uint8_t pdu[PDU_MAX], want[PDU_MAX];
	size_t len = hex_bytes(ONE_UPS, want);

	assert_int_equal(devid_put(pdu, 3, 3, objects, 2, 0), len);
	assert_memory_equal(pdu, want, len);
	assert_int_equal(devid_put(pdu, 3, 3, objects, 2, 2), 7); /* past the end: no objects */
	assert_int_equal(pdu[6], 0);
	assert_int_equal(pdu[4], 0);
}

/* Ten UPSes of 68 bytes do not fit one reply: ask until there is no more. */
static void test_put_more(void **state)
{
	(void)state;
	uint8_t data[255];
	struct devid_object objects[10];
	size_t first = 0, rounds = 0;

	memset(data, 'x', sizeof(data));
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = (struct devid_object){ (uint8_t)(0x88 + i), 68, data };
	objects[5].len = 255; /* cannot be sent */

	for (bool more = true; more; rounds++) {
		struct devid_reply reply;
		uint8_t pdu[PDU_MAX];
		size_t len = devid_put(pdu, 3, 3, objects, ARRAY_SIZE(objects), first);

		assert_true(len <= PDU_MAX);
		assert_int_equal(devid_length(pdu, len), len);
		assert_int_equal(devid_parse(pdu, len, &reply), 0);
		for (size_t i = 0; i < reply.n; i++, first++) {
			if (first == 5)
				first++;
			assert_int_equal(reply.objects[i].id, 0x88 + first);
			assert_int_equal(reply.objects[i].len, 68);
			assert_memory_equal(reply.objects[i].data, data, 68);
		}
		more = reply.more == 0xff;
		assert_int_equal(reply.next, more ? 0x88 + first : 0);
	}
	assert_int_equal(first, 10);
	assert_int_equal(rounds, 3);
}

static void test_put_largest(void **state)
{
	(void)state;
	uint8_t data[255] = { 0 }, pdu[PDU_MAX];
	struct devid_object object = { 0x88, 244, data };

	assert_int_equal(devid_put(pdu, 4, 0x83, &object, 1, 0), PDU_MAX);
	assert_int_equal(devid_length(pdu, PDU_MAX), PDU_MAX);
	object.len = 245;
	assert_int_equal(devid_put(pdu, 4, 0x83, &object, 1, 0), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),	    cmocka_unit_test(test_identification),
		cmocka_unit_test(test_put_one),	    cmocka_unit_test(test_put_more),
		cmocka_unit_test(test_put_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
