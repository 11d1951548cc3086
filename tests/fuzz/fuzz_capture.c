/* Input: the text of a capture. What is taken must read back the same once written, and play. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/capture.h"
#include "probe/player.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void write_and_read(const struct capture *c)
{
	struct capture back;
	char *text = NULL, error[256];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	check(out && capture_write(c, out));
	fclose(out);
	capture_init(&back);
	check(capture_parse(&back, text, size, error, sizeof(error)));
	check(back.n == c->n && back.framing == c->framing);
	for (size_t i = 0; i < c->n; i++) {
		check(back.frames[i].at_us == c->frames[i].at_us);
		check(back.frames[i].sent == c->frames[i].sent);
		check(back.frames[i].len == c->frames[i].len);
		check(!memcmp(back.frames[i].bytes, c->frames[i].bytes, c->frames[i].len));
	}
	capture_close(&back);
	free(text);
}

/* Each request of it is asked again. */
static void play(const struct capture *c)
{
	struct player *p = player_new(c);
	struct player_reply reply;
	size_t head = c->framing == CAPTURE_RTU ? 1 : 7, tail = c->framing == CAPTURE_RTU ? 2 : 0;

	for (size_t i = 0; p && i < c->n && i < 64; i++) {
		const struct capture_frame *f = &c->frames[i];

		if (!f->sent || f->len <= head + tail || f->len - head - tail > PDU_MAX)
			continue;
		player_answer(p, f->bytes + head, f->len - head - tail, &reply);
		check(reply.len <= PDU_MAX);
	}
	player_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture c;
	char error[256] = "";

	capture_init(&c);
	if (capture_parse(&c, (const char *)data, size, error, sizeof(error))) {
		write_and_read(&c);
		play(&c);
		capture_hide(&c, "UPS2000");
	} else {
		check(!strncmp(error, "line ", 5));
	}
	capture_close(&c);
	return 0;
}
