#pragma once

/*
 * Every command on every way a unit may behave: what became of the order, what the device did, and
 * whether that agrees.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rig.h"

struct matrix_case {
	const char *command;
	const char *dialect;	 /* words of docs/simulator.md, separated by blanks */
	bool mains;		 /* present when the command is given */
	bool auto_start, option; /* 1044 and 1045 before */
};

struct matrix_result {
	enum u2k_outcome outcome;
	char text[ENGINE_TEXT_MAX];
	bool could; /* the device could do it by a way that is allowed */
	bool done;  /* the device did it */
	double took_s;
	char wrong[400]; /* what is untrue, undone or unsafe about it; "" if nothing is */
};

size_t matrix_command_count(void);
const char *matrix_command(size_t i);
size_t matrix_dialect_count(void);
const char *matrix_dialect(size_t i);

/** Whether the case makes sense: a bypass or a battery test without mains does not. */
bool matrix_applies(const struct matrix_case *which);

void matrix_run(const struct matrix_case *which, struct matrix_result *out,
		void (*trace)(struct rig *rig, const char *text, void *user));

/** The whole table as Markdown on standard output. Returns the number of wrong cases. */
unsigned matrix_print(void);
