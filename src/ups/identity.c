#include "ups/identity.h"

#include <stdbool.h>
#include <string.h>

static void copy_text(char *out, size_t size, const uint8_t *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++)
		if (text[i] >= 0x20 && text[i] < 0x7f)
			out[n++] = (char)text[i];
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

static void take_item(struct u2k_identity *id, bool seen[8], const uint8_t *item, size_t len)
{
	static const size_t offsets[] = { 0,
					  offsetof(struct u2k_identity, model),
					  offsetof(struct u2k_identity, firmware),
					  offsetof(struct u2k_identity, protocol),
					  offsetof(struct u2k_identity, esn),
					  offsetof(struct u2k_identity, device_id),
					  offsetof(struct u2k_identity, group) };
	static const size_t sizes[] = { 0,
					sizeof(id->model),
					sizeof(id->firmware),
					sizeof(id->protocol),
					sizeof(id->esn),
					sizeof(id->device_id),
					sizeof(id->group) };
	const uint8_t *equals = memchr(item, '=', len);
	unsigned key;

	if (!equals || equals - item != 1 || item[0] < '1' || item[0] > '6')
		return;
	key = (unsigned)(item[0] - '0');
	if (seen[key])
		return;
	seen[key] = true;
	copy_text((char *)id + offsets[key], sizes[key], equals + 1,
		  len - (size_t)(equals + 1 - item));
}

void identity_describe(struct u2k_identity *identity, const uint8_t *text, size_t len)
{
	bool seen[8] = { false };
	size_t start = 0;

	if (identity->described)
		return;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != ';')
			continue;
		take_item(identity, seen, text + start, i - start);
		start = i + 1;
	}
	if (seen[1] && identity->model[0]) {
		identity->described = true;
		identity->known = true;
	}
}

static unsigned count_of(const struct devid_object *object)
{
	unsigned count = 0;

	if (object->len != 4)
		return 0;
	for (size_t i = 0; i < 4; i++)
		count = count << 8 | object->data[i];
	return count;
}

void identity_take(struct u2k_identity *id, const struct devid_reply *reply, unsigned number)
{
	for (size_t i = 0; i < reply->n; i++) {
		const struct devid_object *object = &reply->objects[i];

		if (object->id == DEVID_OBJ_MAKER) {
			copy_text(id->maker, sizeof(id->maker), object->data, object->len);
		} else if (object->id == DEVID_OBJ_PRODUCT && !id->described) {
			copy_text(id->model, sizeof(id->model), object->data, object->len);
			id->known = id->known || id->model[0];
		} else if (object->id == DEVID_OBJ_SOFTWARE && !id->described) {
			copy_text(id->firmware, sizeof(id->firmware), object->data, object->len);
		} else if (object->id == DEVID_OBJ_UPS_COUNT) {
			id->ups_count = count_of(object);
		} else if (object->id == DEVID_OBJ_UPS_COUNT + number) {
			identity_describe(id, object->data, object->len);
		}
	}
}

enum u2k_gate identity_gate(const struct u2k_identity *id)
{
	static const char *const models[] = { "UPS2000", "UPS2000A", "UPS2000G" };

	if (!id->known)
		return U2K_GATE_NOT_IDENTIFIED;
	if (!id->described)
		return U2K_GATE_NO_DESCRIPTION;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (strcmp(id->model, models[i]) == 0)
			return strcmp(id->protocol, "P1.0-D1.0") ? U2K_GATE_PROTOCOL
								 : U2K_GATE_OPEN;
	return U2K_GATE_MODEL;
}
