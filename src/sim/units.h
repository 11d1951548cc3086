#pragma once

#include <stddef.h>
#include <stdint.h>

struct sim_options;
struct sim_server_options;

/* The UPSes of a line: their unit ids, and UPS numbers where several are behind one. */
enum { UNITS_MAX = 247, UNITS_TEXT = 64 };

struct unit {
	uint8_t unit_id, number; /* number 0: as --number says */
};

struct units {
	struct unit list[UNITS_MAX];
	size_t n;
};

/** Read "1,2,5-8,9/2". Returns 0, or U2K_EINVAL and err says what is wrong. */
int units_parse(struct units *units, const char *text, char *err, size_t err_size);

/** The same in words; a long list by its first and last. out comes back. */
const char *units_text(const struct units *units, char *out, size_t size);

/** Options of the k-th UPS of a line, the n-th of all: unit id, number, an ESN of its own. */
void units_apply(const struct units *units, size_t k, size_t n, struct sim_server_options *line,
		 struct sim_options *device);
