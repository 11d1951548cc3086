#pragma once

#include <stddef.h>
#include <stdint.h>

/* A captured UPS in place of the simulated one: it answers what its capture holds (--play). */
struct sim_capture;

/** NULL, and err says what is wrong, if the file is no capture or holds no request. */
struct sim_capture *sim_capture_open(const char *path, char *err, size_t err_size);
void sim_capture_close(struct sim_capture *capture);

/** The unit id that was asked in it. */
uint8_t sim_capture_unit_id(const struct sim_capture *capture);

/** The answer member of struct sim_server_options; user is the capture. */
size_t sim_capture_answer(void *user, const uint8_t *pdu, size_t len, uint8_t *reply,
			  int64_t *think_us);
