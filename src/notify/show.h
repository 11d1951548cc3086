#pragma once

#include <stddef.h>

struct teller;

/* Targets as JSON text (docs/api.md); free() it. */
char *show_teller(const struct teller *teller); /* with what waits */
char *show_tellers(struct teller *const *tellers, size_t n);
