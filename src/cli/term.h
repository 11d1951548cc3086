#pragma once

#include <stdbool.h>
#include <stddef.h>

struct cli;

/** What standard output can do: terminal, colours, UTF-8. Sets the locale. */
void term_look(struct cli *cli);

/** Size of the terminal; 80 x 24 if it does not tell. */
void term_size(unsigned *columns, unsigned *rows);

/** Columns that a line of text takes; escape sequences take none. */
unsigned term_width(const char *text, size_t len);

/** Bytes of the longest start of a line that takes at most so many columns. */
size_t term_cut(const char *text, size_t len, unsigned columns);

/* The whole screen for ourselves, keys one by one and unseen. Leaving twice is harmless. */
bool term_enter(void);
void term_leave(void);
