#include "sim/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/player.h"
#include "util/util.h"

struct sim_capture {
	struct player *player;
};

struct sim_capture *sim_capture_open(const char *path, char *err, size_t err_size)
{
	struct sim_capture *c = xcalloc(1, sizeof(*c));
	struct capture capture;

	capture_init(&capture);
	if (!capture_load(&capture, path, err, err_size)) {
		capture_close(&capture);
		free(c);
		return NULL;
	}
	c->player = player_new(&capture);
	capture_close(&capture);
	if (!c->player) {
		snprintf(err, err_size, "%s: no request is in it", path);
		free(c);
		return NULL;
	}
	return c;
}

void sim_capture_close(struct sim_capture *capture)
{
	if (!capture)
		return;
	player_free(capture->player);
	free(capture);
}

uint8_t sim_capture_unit_id(const struct sim_capture *capture)
{
	return player_unit_id(capture->player);
}

size_t sim_capture_answer(void *user, const uint8_t *pdu, size_t len, uint8_t *reply,
			  int64_t *think_us)
{
	struct sim_capture *c = user;
	struct player_reply answer;

	player_answer(c->player, pdu, len, &answer);
	memcpy(reply, answer.pdu, answer.len);
	*think_us = answer.think_us;
	return answer.len;
}
