#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/pdu.h"
#include "link/link.h"
#include "probe/capture.h"
#include "ups/line.h"

/*
 * One question at a time to the unit behind a port, waiting for what comes of it: a link, a line and
 * an event loop of its own. The line's rules hold here as well (gaps, late answers, only frames of
 * our encoder). Reads and identification are all it can ask.
 */
struct wire;

struct wire_config {
	const char *port; /* path, or URL; borrowed for the wire's life */
	unsigned baud, unit_id;
	uint16_t
		filler_addr; /* five registers from here are asked for when something harmless is needed */
	const char *sysfs;	/* NULL: /sys */
	struct capture *record; /* gets what went over the line; may be NULL; borrowed */
};

/* What became of a question. */
struct wire_answer {
	int status; /* 0; exception code; U2K_ETIMEOUT, U2K_EPROTO, U2K_ECLOSED */
	uint8_t pdu[PDU_MAX];
	size_t len;
	int64_t took_us;  /* from sending until the answer was complete; 0 without an answer */
	int64_t think_us; /* the same less what the bytes take on a serial line */
};

/**
 * Open the port and wait until it is up.
 *
 * @state, reason  if NULL comes back: why; reason has at least 512 bytes
 *
 * Returns NULL if it cannot be opened now, or at all.
 */
struct wire *wire_open(const struct wire_config *config, enum link_state *state, char *reason,
		       size_t reason_size);
/** NULL is fine. */
void wire_close(struct wire *wire);

/**
 * Ask for registers, 1..43 from a wire address, at least gap_us after what went before.
 *
 * @regs  written if 0 comes back
 *
 * Returns answer->status; U2K_EINVAL for more than 43 registers.
 */
int wire_read(struct wire *wire, uint16_t addr, size_t n, int64_t gap_us, uint16_t *regs,
	      struct wire_answer *answer);
/** Ask for identification objects; code and object as in core/devid.h. */
int wire_identify(struct wire *wire, uint8_t code, uint8_t object, struct wire_answer *answer);
enum { WIRE_READ_MAX = 43 };

/** Wait, reading what comes in, until then or until the user interrupts. False if interrupted. */
bool wire_wait(struct wire *wire, int64_t us);
/** The same, but until descriptor fd is readable. */
bool wire_wait_fd(struct wire *wire, int fd);

/** SIGINT, SIGTERM or SIGHUP came: every question ends with U2K_ECLOSED. */
bool wire_interrupted(const struct wire *wire);
/** The link went away since it was opened: why, else "". */
const char *wire_lost(const struct wire *wire);
/** One line about the adapter; "" if there is none. */
const char *wire_adapter(const struct wire *wire);
void wire_stats(const struct wire *wire, struct line_stats *stats);
/** Requests that came back as their own echo (RS-485), and answers that came after their time. */
unsigned wire_echoes(const struct wire *wire);
unsigned wire_late(const struct wire *wire);
