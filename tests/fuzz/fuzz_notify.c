#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "notify/hold.h"
#include "notify/message.h"

/* What the notifier finds on disk: a message's record, or the conditions that were told. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(void *user, const struct message *message)
{
	(void)user;
	if (!message->kind || !message->text)
		abort();
}

static void make_id(char out[MESSAGE_ID_SIZE])
{
	strcpy(out, "00000000-0000-4000-8000-000000000000");
}

/* What was read is written and read again: the same. */
static void check_record(const char *text, size_t len)
{
	struct message message, again;
	char *written;

	if (!message_read(text, len, &message))
		return;
	written = message_write(&message);
	if (!message_read(written, strlen(written), &again) || again.seq != message.seq ||
	    strcmp(again.text, message.text) != 0 || strcmp(again.id, message.id) != 0)
		abort();
	message_clear(&again);
	message_clear(&message);
	free(written);
}

static void check_conditions(const char *text, size_t len)
{
	static const struct hold_policy policy = { .hold_us = 1, .blips = true };
	static const struct hold_ops ops = { tell, make_id };
	struct hold *hold = hold_new(&policy, &ops, NULL);

	if (hold_restore(hold, text, len, 1000, 1000000)) {
		char *saved = hold_save(hold);

		if (!hold_restore(hold, saved, strlen(saved), 1000, 1000000))
			abort();
		free(saved);
		hold_settle(hold, "rack", 2000, 1001000);
		hold_flush(hold, 3000, 1002000);
	}
	hold_free(hold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_record((const char *)data, size);
	check_conditions((const char *)data, size);
	return 0;
}
