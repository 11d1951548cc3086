#include "ups/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/pdu.h"
#include "vectors.h"

#define ESN "21022900000000000001"

/* Description strings; the fields in the order of their keys. */
static const struct {
	const char *name, *text;
	const char *model, *firmware, *protocol, *esn, *device_id, *group;
	bool described;
	enum u2k_gate gate;
} rows[] = {
	{ "as seen, with the trailing ;", "1=UPS2000G;2=V2R1C1SPC50;3=P1.0-D1.0;4=" ESN ";5=1;6=1;",
	  "UPS2000G", "V2R1C1SPC50", "P1.0-D1.0", ESN, "1", "1", true, U2K_GATE_OPEN },
	{ "two characters at the end", "1=UPS2000A;2=V2R1C1SPC40;3=P1.0-D1.0;4=" ESN ";5=1;6=12",
	  "UPS2000A", "V2R1C1SPC40", "P1.0-D1.0", ESN, "1", "12", true, U2K_GATE_OPEN },
	{ "plain UPS2000", "1=UPS2000;2=V100R001C01SPC120;3=P1.0-D1.0;4=" ESN, "UPS2000",
	  "V100R001C01SPC120", "P1.0-D1.0", ESN, "", "", true, U2K_GATE_OPEN },
	{ "an empty value keeps its key", "1=UPS2000A;2=;3=P1.0-D1.0;4=;5=1", "UPS2000A", "",
	  "P1.0-D1.0", "", "1", "", true, U2K_GATE_OPEN },
	{ "unknown keys", "7=x;1=UPS2000A;99=y;3=P1.0-D1.0;abc=z;=q", "UPS2000A", "", "P1.0-D1.0",
	  "", "", "", true, U2K_GATE_OPEN },
	{ "any order", "4=" ESN ";3=P1.0-D1.0;1=UPS2000G", "UPS2000G", "", "P1.0-D1.0", ESN, "", "",
	  true, U2K_GATE_OPEN },
	{ "an = in the value", "1=UPS2000A;2=a=b;3=P1.0-D1.0", "UPS2000A", "a=b", "P1.0-D1.0", "",
	  "", "", true, U2K_GATE_OPEN },
	{ "a repeated key", "1=UPS2000A;1=SUN2000;3=P1.0-D1.0", "UPS2000A", "", "P1.0-D1.0", "", "",
	  "", true, U2K_GATE_OPEN },
	{ "spaces and control characters", "1=UPS2000A \r\n;3=P1.0\x01-D1.0 ", "UPS2000A", "",
	  "P1.0-D1.0", "", "", "", true, U2K_GATE_OPEN },

	{ "other UPS", "1=UPS5000;3=P1.0-D1.0;4=" ESN, "UPS5000", "", "P1.0-D1.0", ESN, "", "",
	  true, U2K_GATE_MODEL },
	{ "an inverter", "1=SUN2000;3=P1.0-D1.0", "SUN2000", "", "P1.0-D1.0", "", "", "", true,
	  U2K_GATE_MODEL },
	{ "almost", "1=UPS2000AB;3=P1.0-D1.0", "UPS2000AB", "", "P1.0-D1.0", "", "", "", true,
	  U2K_GATE_MODEL },
	{ "lower case", "1=ups2000a;3=P1.0-D1.0", "ups2000a", "", "P1.0-D1.0", "", "", "", true,
	  U2K_GATE_MODEL },
	{ "other interface", "1=UPS2000A;3=P1.0-D2.0", "UPS2000A", "", "P1.0-D2.0", "", "", "",
	  true, U2K_GATE_PROTOCOL },
	{ "no interface", "1=UPS2000A", "UPS2000A", "", "", "", "", "", true, U2K_GATE_PROTOCOL },
	{ "no model", "3=P1.0-D1.0;4=" ESN, "", "", "P1.0-D1.0", ESN, "", "", false,
	  U2K_GATE_NOT_IDENTIFIED },
	{ "an empty model", "1=;3=P1.0-D1.0", "", "", "P1.0-D1.0", "", "", "", false,
	  U2K_GATE_NOT_IDENTIFIED },
	{ "no text at all", "", "", "", "", "", "", "", false, U2K_GATE_NOT_IDENTIFIED },
	{ "only separators", ";;;", "", "", "", "", "", "", false, U2K_GATE_NOT_IDENTIFIED },
	{ "no separators", "UPS2000G V2R1C1SPC50", "", "", "", "", "", "", false,
	  U2K_GATE_NOT_IDENTIFIED },
	{ "the length byte taken for text", "D1=UPS2000G;3=P1.0-D1.0", "", "", "P1.0-D1.0", "", "",
	  "", false, U2K_GATE_NOT_IDENTIFIED },
	{ "too long", "1=UPS2000A;4=0123456789012345678901234567890123456789012345678901234567890",
	  "UPS2000A", "", "", "012345678901234567890123456789012345678", "", "", true,
	  U2K_GATE_PROTOCOL },
};

static void test_description(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct u2k_identity id = { 0 };

		identity_describe(&id, (const uint8_t *)rows[i].text, strlen(rows[i].text));
		if (strcmp(id.model, rows[i].model) != 0 ||
		    strcmp(id.firmware, rows[i].firmware) != 0 ||
		    strcmp(id.protocol, rows[i].protocol) != 0 ||
		    strcmp(id.esn, rows[i].esn) != 0 ||
		    strcmp(id.device_id, rows[i].device_id) != 0 ||
		    strcmp(id.group, rows[i].group) != 0 || id.described != rows[i].described ||
		    id.known != rows[i].described || identity_gate(&id) != rows[i].gate)
			fail_msg("%s: 1=%s 2=%s 3=%s 4=%s 5=%s 6=%s, described %d, gate %d",
				 rows[i].name, id.model, id.firmware, id.protocol, id.esn,
				 id.device_id, id.group, id.described, (int)identity_gate(&id));
	}
}

static void test_vector(void **state)
{
	uint8_t adu[256];
	size_t len = hex_bytes(vectors[sizeof(vectors) / sizeof(vectors[0]) - 1].hex, adu);
	struct u2k_identity id = { 0 };
	struct devid_reply reply;

	(void)state;
	assert_int_equal(len, 86);
	assert_int_equal(devid_parse(adu + 1, len - 3, &reply), 0);
	identity_take(&id, &reply, 1);
	assert_string_equal(id.model, "UPS2000G");
	assert_string_equal(id.firmware, "V2R1C1SPC50");
	assert_string_equal(id.protocol, "P1.0-D1.0");
	assert_string_equal(id.esn, ESN);
	assert_string_equal(id.device_id, "1");
	assert_string_equal(id.group, "1");
	assert_int_equal(id.ups_count, 1);
	assert_int_equal(identity_gate(&id), U2K_GATE_OPEN);
}

static void take(struct u2k_identity *id, unsigned number, uint8_t object, const char *data,
		 uint8_t len)
{
	struct devid_reply reply = {
		.code = DEVID_EXTENDED,
		.n = 1,
		.objects = { { object, len, (const uint8_t *)data } },
	};

	identity_take(id, &reply, number);
}

static void test_objects(void **state)
{
	struct u2k_identity id = { 0 };

	(void)state;
	take(&id, 1, DEVID_OBJ_UPS_COUNT, "\0\0\0\2", 4);
	assert_int_equal(id.ups_count, 2);
	take(&id, 1, DEVID_OBJ_UPS_COUNT, "\0\0\1", 3); /* not four bytes: not told */
	assert_int_equal(id.ups_count, 0);
	take(&id, 1, 0x89, "1=UPS5000;3=P1.0-D1.0", 21); /* the second UPS is not this one */
	assert_false(id.known);
	take(&id, 2, 0x89, "1=UPS2000A;3=P1.0-D1.0", 22);
	assert_true(id.described);
	assert_string_equal(id.model, "UPS2000A");
}

static void test_basic_identification(void **state)
{
	struct u2k_identity id = { 0 };

	(void)state;
	take(&id, 1, DEVID_OBJ_MAKER, "HUAWEI", 6);
	assert_false(id.known);
	assert_int_equal(identity_gate(&id), U2K_GATE_NOT_IDENTIFIED);
	take(&id, 1, DEVID_OBJ_PRODUCT, "UPS2000A", 8);
	take(&id, 1, DEVID_OBJ_SOFTWARE, "V2R1C1SPC50", 11);
	assert_true(id.known);
	assert_false(id.described);
	assert_string_equal(id.maker, "HUAWEI");
	assert_string_equal(id.model, "UPS2000A");
	assert_string_equal(id.firmware, "V2R1C1SPC50");
	assert_int_equal(identity_gate(&id), U2K_GATE_NO_DESCRIPTION);

	/* a description overrides it, and not the other way round */
	take(&id, 1, DEVID_OBJ_UPS_FIRST, "1=UPS2000G;2=V1;3=P1.0-D1.0", 27);
	take(&id, 1, DEVID_OBJ_PRODUCT, "UPS5000", 7);
	take(&id, 1, DEVID_OBJ_SOFTWARE, "V9", 2);
	take(&id, 1, DEVID_OBJ_UPS_FIRST, "1=;2=V2", 7); /* once more, and not as good */
	assert_string_equal(id.model, "UPS2000G");
	assert_string_equal(id.firmware, "V1");
	assert_int_equal(identity_gate(&id), U2K_GATE_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_description),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_basic_identification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
