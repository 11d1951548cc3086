#pragma once

#include <stdbool.h>

#include "ups/engine.h"
#include <ups2000/client.h>

/*
 * An engine's journal as the line of text that owners of the library keep:
 *
 *	ups2000 1 STAGE OWED-1044 OWED-1045 KIND PENDING-STAGE DUE-US DELAY-S ON-S ESN
 *
 * OWED is the value to give back or -1, KIND -1 if no switch-off is armed; ESN may be empty.
 */
void journal_print(const struct engine_journal *journal, char text[U2K_JOURNAL_MAX]);

/** False, with journal untouched, if text is not such a line. One newline at its end is allowed. */
bool journal_parse(const char *text, struct engine_journal *journal);
