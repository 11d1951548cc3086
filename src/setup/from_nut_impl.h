#pragma once

#include "setup/draft.h"
#include "setup/from_nut.h"

/* Shared by from_nut_ups.c (ups.conf) and from_nut.c (the other files). */
struct take {
	const struct from_nut *job;
	struct draft *draft;
	struct from_nut_found *found;
	char *path; /* of the file being read */
	char *error;
	size_t error_size;
	char **others; /* names of sections of other drivers */
	size_t n_others;
};

/** Tell what became of a setting of the file being read. */
void from_nut__say(const struct take *t, int line, const char *setting, enum from_nut_fate fate,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));
/** Write the error; returns false. line 0: of the file as a whole. */
bool from_nut__fail(struct take *t, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Everything of ups.conf; t->path is it. */
bool from_nut__ups_conf(struct take *t);
