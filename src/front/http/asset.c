#include "front/http/asset.h"

#include <string.h>

const struct asset *asset_find(const char *target)
{
	size_t len = strcspn(target, "?#");

	if (len == 1 && target[0] == '/') {
		target = "/index.html";
		len = strlen(target);
	}
	for (size_t i = 0; i < n_assets; i++)
		if (strlen(assets[i].path) == len && memcmp(assets[i].path, target, len) == 0)
			return &assets[i];
	return NULL;
}
