#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say(void *user, bool fatal, const char *text)
{
	unsigned *fatals = user;

	/* Every message is one line that names the file. */
	if (strncmp(text, "fuzz.conf:", 10) != 0)
		abort();
	*fatals += fatal;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned fatals = 0;
	struct config *config;
	uint8_t *copy;
	FILE *file;

	if (size == 0)
		return 0;
	copy = malloc(size);
	memcpy(copy, data, size);
	file = fmemopen(copy, size, "r");
	config = config_load_fp(file, "fuzz.conf", say, &fatals);
	if (!config != (fatals > 0))
		abort();
	config_free(config);
	fclose(file);
	free(copy);
	return 0;
}
