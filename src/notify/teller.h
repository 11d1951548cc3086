#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/target.h"

/* One target at work. Shared by notifier.c and show.c. */
enum teller_test { TEST_NONE, TEST_WANTED, TEST_RUNS, TEST_DELIVERED, TEST_FAILED };

struct teller {
	struct notifier *notifier;
	struct notify_target target;
	struct hold *hold;
	struct queue *queue;
	struct run *run; /* a message or a test is on its way */

	bool failing; /* said */
	bool last_ok;
	int64_t last_us; /* wall clock; 0: nothing was tried yet */
	char last_text[256];

	enum teller_test test;
	char test_text[256];

	uint64_t delivered, dropped; /* since the start */
	unsigned dropped_untold;
	int64_t say_dropped_us;
	char dropped_why[256];
};
