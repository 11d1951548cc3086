#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Read Device Identification (0x2B/0x0E).
 *
 * Reply PDU: 2B 0E code conformity more next count { object len bytes... } x count. It carries no
 * total length: a receiver must walk the objects to find its end.
 *
 * Source: MODBUS Application Protocol V1.1b3, 6.21; docs/protocol.md.
 */
enum {
	DEVID_BASIC = 1,
	DEVID_REGULAR = 2,
	DEVID_EXTENDED = 3,
	DEVID_ONE = 4,
	DEVID_OBJ_MAKER = 0x00,
	DEVID_OBJ_PRODUCT = 0x01,
	DEVID_OBJ_SOFTWARE = 0x02,
	DEVID_OBJ_UPS_COUNT = 0x87, /* 4 bytes, big-endian: number of UPSes */
	DEVID_OBJ_UPS_FIRST = 0x88, /* description string of the first UPS */
	DEVID_OBJECTS_MAX = 124,
};

struct devid_object {
	uint8_t id;
	uint8_t len;
	const uint8_t *data; /* borrowed from the PDU */
};

struct devid_reply {
	uint8_t code, conformity;
	uint8_t more; /* 0x00, or 0xff: ask again from next */
	uint8_t next;
	size_t n;
	struct devid_object objects[DEVID_OBJECTS_MAX];
};

/**
 * Parse a whole reply PDU.
 *
 * Returns 0, an exception code (1..255) or U2K_EPROTO (wrong head, no object, an object that
 * overruns, bytes left over, more than PDU_MAX). out borrows from pdu; written only on 0.
 */
int devid_parse(const uint8_t *pdu, size_t len, struct devid_reply *out);

/**
 * Length of the reply PDU that starts at pdu, as far as its bytes tell.
 *
 * Returns the length (> 0) once all object headers are there (the length may exceed avail by the
 * tail of the last object), 0 while more bytes are needed to tell, U2K_EPROTO if these bytes cannot
 * start such a reply. Does not look at exceptions.
 */
int devid_length(const uint8_t *pdu, size_t avail);

/**
 * Build a reply PDU from objects (for the simulator).
 *
 * Puts as many whole objects as fit PDU_MAX, starting with index first; sets more/next if some are
 * left. An object of more than 244 bytes cannot be sent whole and is left out. Returns the length.
 */
size_t devid_put(uint8_t *pdu, uint8_t code, uint8_t conformity, const struct devid_object *objects,
		 size_t n, size_t first);
