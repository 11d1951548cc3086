/* Input: chunk size (0: all at once), and what arrives on the connection. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mbap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* A frame is what stands in the stream there; nothing gets lost before the stream breaks. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mbap_rx rx;
	struct mbap_frame frame;
	uint8_t adu[MBAP_ADU_MAX];
	size_t chunk, fed = 0, at = 0;

	if (size < 1)
		return 0;
	chunk = data[0] ? data[0] : size;
	data++;
	size--;
	mbap_rx_reset(&rx);
	while (fed < size) {
		size_t n = size - fed < chunk ? size - fed : chunk;
		size_t taken = mbap_rx_feed(&rx, data + fed, n);

		check(taken > 0 && taken <= n);
		fed += taken;
		while (mbap_rx_next(&rx, &frame)) {
			size_t len = mbap_put(adu, frame.id, frame.unit_id, frame.pdu, frame.len);

			check(len >= MBAP_ADU_MIN && at + len <= fed);
			check(memcmp(data + at, adu, len) == 0);
			at += len;
		}
		if (rx.broken)
			check(at + rx.dropped == fed);
		else
			check(at + mbap_rx_pending(&rx) == fed &&
			      mbap_rx_pending(&rx) < MBAP_ADU_MAX);
	}
	return 0;
}
