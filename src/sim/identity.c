#include "sim/model.h"

#include <stdio.h>
#include <string.h>

#include "core/devid.h"
#include "core/pdu.h"

enum { UPSES_MAX = 4, OBJECTS_MAX = 4 + UPSES_MAX, TEXT_MAX = 200 };

struct texts {
	uint8_t count[4];
	char described[UPSES_MAX][TEXT_MAX];
	struct devid_object objects[OBJECTS_MAX];
	size_t n;
};

static void add(struct texts *t, uint8_t id, const void *data, size_t len)
{
	t->objects[t->n++] = (struct devid_object){ id, (uint8_t)len, data };
}

/* The second UPS of several has an ESN that ends differently. */
static void describe(const struct sim_device *dev, unsigned i, char *out)
{
	char esn[sizeof(dev->opt.esn)];
	size_t len;

	memcpy(esn, dev->opt.esn, sizeof(esn));
	len = strlen(esn);
	if (len)
		esn[len - 1] = (char)(esn[len - 1] + (int)i);
	snprintf(out, TEXT_MAX, "1=%s;2=%s;3=%s;4=%s;5=%u;6=%u%s", dev->opt.model,
		 dev->opt.firmware, dev->opt.interface, esn, i + 1, i + 1,
		 dev->dialect.id_open ? "" : ";");
}

static void add_basic(const struct sim_device *dev, struct texts *t)
{
	add(t, DEVID_OBJ_MAKER, "HUAWEI", 6);
	add(t, DEVID_OBJ_PRODUCT, dev->opt.model, strlen(dev->opt.model));
	add(t, DEVID_OBJ_SOFTWARE, dev->opt.firmware, strlen(dev->opt.firmware));
}

static void add_described(const struct sim_device *dev, struct texts *t)
{
	unsigned count = dev->dialect.id_count ? (unsigned)dev->dialect.id_count : 1;

	t->count[3] = (uint8_t)count;
	add(t, DEVID_OBJ_UPS_COUNT, t->count, 4);
	for (unsigned i = 0; i < count; i++) {
		describe(dev, i, t->described[i]);
		add(t, (uint8_t)(DEVID_OBJ_UPS_FIRST + i), t->described[i],
		    strlen(t->described[i]));
	}
}

static size_t index_of(const struct texts *t, uint8_t object)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->objects[i].id == object)
			return i;
	return t->n;
}

static size_t put(const struct sim_device *dev, const struct texts *t, uint8_t code, size_t first,
		  uint8_t *reply)
{
	uint8_t conformity = code == DEVID_EXTENDED ? 3 : code == DEVID_REGULAR ? 2 : 1;
	size_t len;

	if (dev->dialect.identity == SIM_ID_BASIC)
		conformity = 1;
	if (code == DEVID_ONE)
		return devid_put(reply, code, 0x83, &t->objects[first], 1, 0);
	if (!dev->dialect.id_split || first + 1 == t->n)
		return devid_put(reply, code, conformity, t->objects, t->n, first);
	len = devid_put(reply, code, conformity, &t->objects[first], 1, 0);
	reply[4] = 0xff; /* more */
	reply[5] = t->objects[first + 1].id;
	return len;
}

size_t identity_reply(const struct sim_device *dev, uint8_t code, uint8_t object, uint8_t *reply)
{
	struct texts t = { .n = 0 };
	size_t first;

	if (dev->dialect.identity == SIM_ID_NONE)
		return pdu_put_exception(reply, FC_ENCAPSULATED, EXC_ILLEGAL_FUNCTION);
	if (code < DEVID_BASIC || code > DEVID_ONE)
		return pdu_put_exception(reply, FC_ENCAPSULATED, EXC_ILLEGAL_VALUE);
	add_basic(dev, &t);
	if (code >= DEVID_EXTENDED && dev->dialect.identity == SIM_ID_DESCRIBED)
		add_described(dev, &t);
	first = index_of(&t, object);
	if (first == t.n) {
		if (code == DEVID_ONE)
			return pdu_put_exception(reply, FC_ENCAPSULATED, EXC_ILLEGAL_ADDRESS);
		first = 0; /* a stream restarts at the first object */
	}
	return put(dev, &t, code, first, reply);
}
