/* Input: a reply PDU. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ups2000/error.h>

#include "core/devid.h"
#include "core/pdu.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct devid_reply reply;
	uint8_t again[PDU_MAX];
	int length = devid_length(data, size);
	int result = devid_parse(data, size, &reply);

	/* What a few bytes tell stays true when more come. */
	check(length == U2K_EPROTO || (length >= 0 && length <= PDU_MAX));
	for (size_t avail = 0; avail < size; avail++) {
		int early = devid_length(data, avail);

		check(early == 0 || early == length);
	}

	check(result == U2K_EPROTO || (result >= 0 && result <= 255));
	if (result != 0)
		return 0;

	check((size_t)length == size && reply.n >= 1 && reply.n <= DEVID_OBJECTS_MAX);
	for (size_t i = 0; i < reply.n; i++) {
		const struct devid_object *o = &reply.objects[i];

		check(o->data >= data && o->data + o->len <= data + size);
	}

	size_t len = devid_put(again, reply.code, reply.conformity, reply.objects, reply.n, 0);

	check(len == size);
	again[4] = reply.more;
	again[5] = reply.next;
	check(memcmp(again, data, size) == 0);
	return 0;
}
