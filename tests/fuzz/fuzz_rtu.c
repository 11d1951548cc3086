/*
 * Input: chunk size (0: all at once), silence after each so many chunks (0: at the end only), length
 * of the echo, the echo, and what arrives on the line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/rtu.h"

struct run {
	struct rtu_rx rx;
	const uint8_t *line;
	size_t at; /* bytes of the line that frames, echoes and noise account for */
	uint32_t noise, echoes;
	size_t frames;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void account(struct run *run, size_t echo_len)
{
	run->at += run->rx.noise - run->noise + (run->rx.echoes - run->echoes) * echo_len;
	run->noise = run->rx.noise;
	run->echoes = run->rx.echoes;
}

/* A frame is what stands on the line there, with a right CRC; nothing gets lost. */
static void drain(struct run *run, size_t echo_len, size_t fed)
{
	struct rtu_frame frame;
	uint8_t adu[RTU_ADU_MAX];

	while (rtu_rx_next(&run->rx, &frame)) {
		account(run, echo_len);

		size_t len = rtu_put(adu, frame.unit_id, frame.pdu, frame.len);

		check(len >= RTU_ADU_MIN && run->at + len <= fed);
		check(memcmp(run->line + run->at, adu, len) == 0);
		run->at += len;
		run->frames++;
	}
	account(run, echo_len);
	check(run->at + rtu_rx_pending(&run->rx) == fed);
	check(rtu_rx_pending(&run->rx) <= RTU_ADU_MAX);
	check(run->rx.echoes <= 1);
}

static void run_line(struct run *run, const uint8_t *echo, size_t echo_len, const uint8_t *line,
		     size_t len, size_t chunk, size_t quiet_every)
{
	size_t fed = 0;

	*run = (struct run){ .line = line };
	rtu_rx_reset(&run->rx);
	rtu_rx_expect_echo(&run->rx, echo, echo_len);

	for (size_t n = 1; fed < len; n++) {
		size_t want = chunk && chunk < len - fed ? chunk : len - fed;
		size_t took = rtu_rx_feed(&run->rx, line + fed, want);

		check(took == want || took >= RTU_BUF - RTU_ADU_MAX);
		fed += took;
		drain(run, echo_len, fed);
		if (quiet_every && n % quiet_every == 0) {
			rtu_rx_silence(&run->rx);
			drain(run, echo_len, fed);
			check(rtu_rx_pending(&run->rx) == 0);
		}
	}
	rtu_rx_silence(&run->rx);
	drain(run, echo_len, fed);
	check(rtu_rx_pending(&run->rx) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	size_t chunk = rd_u8(&r);
	size_t quiet_every = rd_u8(&r);
	size_t echo_len = rd_u8(&r);
	const uint8_t *echo = rd_skip(&r, echo_len);
	struct run run, again;

	if (r.bad)
		return 0;
	run_line(&run, echo, echo_len, r.p, rd_left(&r), chunk, quiet_every);

	/* Without silence in between the chunks make no difference. */
	run_line(&run, NULL, 0, r.p, rd_left(&r), 0, 0);
	run_line(&again, NULL, 0, r.p, rd_left(&r), chunk ? chunk : 1, 0);
	check(run.frames == again.frames && run.rx.noise == again.rx.noise &&
	      run.rx.bad_crc == again.rx.bad_crc);

	for (size_t avail = 0; avail <= size && avail <= RTU_ADU_MAX; avail++)
		check(rtu_request_length(data, avail) <= RTU_ADU_MAX);
	return 0;
}
