#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hook/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is understood prints as something that means the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct note note, back;
	char why[128], text[NOTE_TEXT_MAX];
	size_t len;

	if (!note_parse((const char *)data, size, &note, why, sizeof(why)))
		return 0;
	len = note_print(&note, text, sizeof(text));
	if (len && (!note_parse(text, len, &back, why, sizeof(why)) || back.n_ups != note.n_ups ||
		    back.action != note.action || strcmp(back.boot, note.boot) != 0))
		abort();
	return 0;
}
