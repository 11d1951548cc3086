/* ups.conf: any bytes give a configuration or one sentence about what is wrong. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nut/ups_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *file = size ? fmemopen((void *)(uintptr_t)data, size, "r") : fopen("/dev/null", "r");
	char error[512] = "";
	struct ups_conf *conf;

	need(file != NULL);
	conf = ups_conf_load_fp(file, "ups.conf", error, sizeof(error));
	fclose(file);
	if (!conf) {
		need(strlen(error) > 10);
		return 0;
	}
	need(conf->n_sections >= 1 && !conf->sections[0].name);
	for (size_t i = 1; i < conf->n_sections; i++) {
		const struct ups_conf_section *section = &conf->sections[i];

		need(ups_conf_find(conf, section->name) == section);
		for (size_t e = 0; e < section->n_entries; e++) {
			need(section->entries[e].key != NULL && section->entries[e].line > 0);
			(void)ups_conf_value(section, section->entries[e].key);
		}
	}
	ups_conf_free(conf);
	return 0;
}
