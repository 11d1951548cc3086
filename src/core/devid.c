#include "core/devid.h"

#include <stdbool.h>
#include <string.h>

#include "core/bytes.h"
#include "core/pdu.h"
#include <ups2000/error.h>

enum { HEAD_LEN = 7, OBJECT_HEAD_LEN = 2 };

/* Whether the head's bytes that are there (fewer than HEAD_LEN leave the rest open) can be right. */
static bool head_possible(const uint8_t *pdu, size_t avail)
{
	return (avail < 1 || pdu[0] == FC_ENCAPSULATED) &&
	       (avail < 2 || pdu[1] == MEI_READ_DEVICE_ID) &&
	       (avail < 3 || (pdu[2] >= DEVID_BASIC && pdu[2] <= DEVID_ONE)) &&
	       (avail < 5 || pdu[4] == 0x00 || pdu[4] == 0xff);
}

int devid_length(const uint8_t *pdu, size_t avail)
{
	if (!head_possible(pdu, avail))
		return U2K_EPROTO;
	if (avail < HEAD_LEN)
		return 0;

	size_t left = pdu[6];
	size_t len = HEAD_LEN;

	while (len + left * OBJECT_HEAD_LEN <= PDU_MAX) {
		if (!left)
			return (int)len;
		if (len + OBJECT_HEAD_LEN > avail)
			return 0;
		len += (size_t)OBJECT_HEAD_LEN + pdu[len + 1];
		left--;
	}
	return U2K_EPROTO;
}

int devid_parse(const uint8_t *pdu, size_t len, struct devid_reply *out)
{
	if (len == 2 && pdu[0] == (FC_ENCAPSULATED | FC_EXCEPTION) && pdu[1])
		return pdu[1];

	int whole = devid_length(pdu, len);

	/* No objects at all identify nothing, and with "more" would be asked for without end. */
	if (whole <= HEAD_LEN || (size_t)whole != len)
		return U2K_EPROTO;

	struct rd r = rd_init(pdu + HEAD_LEN, len - HEAD_LEN);

	*out = (struct devid_reply){
		.code = pdu[2],
		.conformity = pdu[3],
		.more = pdu[4],
		.next = pdu[5],
		.n = pdu[6],
	};
	for (size_t i = 0; i < out->n; i++) {
		struct devid_object *object = &out->objects[i];

		object->id = rd_u8(&r);
		object->len = rd_u8(&r);
		object->data = rd_skip(&r, object->len);
	}
	return 0;
}

size_t devid_put(uint8_t *pdu, uint8_t code, uint8_t conformity, const struct devid_object *objects,
		 size_t n, size_t first)
{
	uint8_t *p = pdu + HEAD_LEN;
	uint8_t *end = pdu + PDU_MAX;
	uint8_t count = 0;
	const struct devid_object *next = NULL;

	for (size_t i = first; i < n && !next; i++) {
		const struct devid_object *o = &objects[i];
		size_t size = (size_t)OBJECT_HEAD_LEN + o->len;

		if (size > PDU_MAX - HEAD_LEN)
			continue;
		if (size > (size_t)(end - p)) {
			next = o;
			continue;
		}
		p = wr_u8(p, o->id);
		p = wr_u8(p, o->len);
		memcpy(p, o->data, o->len);
		p += o->len;
		count++;
	}

	const uint8_t head[HEAD_LEN] = {
		FC_ENCAPSULATED, MEI_READ_DEVICE_ID,  code,  conformity,
		next ? 0xff : 0, next ? next->id : 0, count,
	};

	memcpy(pdu, head, HEAD_LEN);
	return (size_t)(p - pdu);
}
