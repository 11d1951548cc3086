#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/server.h"

/*
 * The simulator must survive whatever a client sends it, as it is what clients are tested with.
 * First byte: what follows is 0 a command line, else bytes on the line; 0xff ends such a piece.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void piece(struct sim_server *srv, int64_t now_us, const uint8_t *data, size_t len)
{
	struct sim_world world = { .srv = srv };
	char line[600], *reply = NULL;
	size_t size;
	FILE *out;

	if (data[0] != 0 || len >= sizeof(line)) {
		sim_server_receive(srv, now_us, data, len);
		return;
	}
	memcpy(line, data + 1, len - 1);
	line[len - 1] = '\0';
	line[strcspn(line, "\n")] = '\0';
	out = open_memstream(&reply, &size);
	sim_command(&world, now_us, line, out);
	fclose(out);
	if (size == 0 || memchr(reply, '\n', size) != reply + size - 1)
		abort();
	free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_server srv;
	struct sim_server_options line;
	struct sim_options device;
	uint8_t out[512];
	int64_t now_us = 0;

	sim_options_default(&device);
	sim_server_options_default(&line);
	sim_server_init(&srv, 0, &line, &device);
	while (size) {
		const uint8_t *end = memchr(data, 0xff, size);
		size_t len = end ? (size_t)(end - data) : size;

		if (len)
			piece(&srv, now_us, data, len);
		data += len + (end != NULL);
		size -= len + (end != NULL);
		now_us += 700000;
		while (sim_server_send(&srv, now_us, out, sizeof(out)) == sizeof(out))
			;
	}
	return 0;
}
