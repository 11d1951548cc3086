/* Input: PDUs of identification answers, each behind its length. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/devid.h"
#include "ups/identity.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	check(len < size);
	for (size_t i = 0; i < len; i++)
		check(text[i] >= 0x20 && text[i] < 0x7f);
}

static void check_identity(const struct u2k_identity *id)
{
	check_text(id->model, sizeof(id->model));
	check_text(id->firmware, sizeof(id->firmware));
	check_text(id->protocol, sizeof(id->protocol));
	check_text(id->esn, sizeof(id->esn));
	check_text(id->device_id, sizeof(id->device_id));
	check_text(id->group, sizeof(id->group));
	check_text(id->maker, sizeof(id->maker));
	check(!id->described || id->model[0]);
	check(!id->described || id->known);
	check((identity_gate(id) == U2K_GATE_OPEN) <= id->described);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct u2k_identity first = { 0 }, second = { 0 }, plain = { 0 };

	identity_describe(&plain, data, size);
	check_identity(&plain);
	while (size > 1) {
		size_t len = data[0] < size - 1 ? data[0] : size - 1;
		struct devid_reply reply;

		if (devid_parse(data + 1, len, &reply) == 0) {
			identity_take(&first, &reply, 1);
			identity_take(&second, &reply, 2);
			check_identity(&first);
			check_identity(&second);
		}
		data += 1 + len;
		size -= 1 + len;
	}
	return 0;
}
