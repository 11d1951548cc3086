#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

/*
 * The ADUs of the protocol reference, in hexadecimal. Their CRCs come from Huawei's and NUT's
 * documents or were computed there by other programs, so they judge ours. Source: docs/protocol.md.
 */
enum vector_kind {
	REQUEST,
	REPLY,
	BOTH,	   /* 0x06: the reply repeats the request */
	MALFORMED, /* right CRC, wrong inside; sent to a real device once */
};

static const struct vector {
	enum vector_kind kind;
	const char *name;
	const char *hex;
} vectors[] = {
	/* clang-format off */
	/* section 3.1 */
	{ REQUEST, "0x11: read 11000", "11 03 2A F8 00 01 0F 73" },
	{ REPLY, "0x11: value 1", "11 03 02 00 01 B8 47" },

	/* section 3.2: request and reply are the same bytes */
	{ BOTH, "0x11: 11029 := 1", "11 06 2B 15 00 01 52 BA" },

	/* section 3.4: well-formed ADUs by their CRC, malformed inside */
	{ MALFORMED, "11046 := 1, short", "01 10 2B 26 01 00 01 B6 1E" },
	{ MALFORMED, "11044 := 1, short", "01 10 2B 24 01 00 01 B7 A6" },
	{ MALFORMED, "pair, short", "01 10 2B 27 02 00 00 00 00 E2 79" },
	{ MALFORMED, "11046 := 0, short", "01 10 2B 26 01 00 00 77 DE" },

	/* section 3.5 */
	{ REQUEST, "identify, device list", "01 2B 0E 03 87 31 75" },
	{ REQUEST, "identify, basic", "01 2B 0E 01 00 70 77" },

	/* section 3.6 */
	{ REPLY, "exception 01 to 0x03", "01 83 01 80 F0" },
	{ REPLY, "exception 01 to 0x06", "01 86 01 83 A0" },
	{ REPLY, "exception 02 to 0x03", "01 83 02 C0 F1" },
	{ REPLY, "exception 02 to 0x06", "01 86 02 C3 A1" },
	{ REPLY, "exception 03 to 0x03", "01 83 03 01 31" },
	{ REPLY, "exception 03 to 0x06", "01 86 03 02 61" },
	{ REPLY, "exception 04 to 0x03", "01 83 04 40 F3" },
	{ REPLY, "exception 04 to 0x06", "01 86 04 43 A3" },
	{ REPLY, "exception 05 to 0x03", "01 83 05 81 33" },
	{ REPLY, "exception 05 to 0x06", "01 86 05 82 63" },
	{ REPLY, "exception 01 to 0x10", "01 90 01 8D C0" },
	{ REPLY, "exception 01 to 0x2B", "01 AB 01 9E F0" },

	/* section 10.2 */
	{ REQUEST, "read 11000 x 28", "01 03 2A F8 00 1C CD EA" },
	{ REQUEST, "read 11000 x 43", "01 03 2A F8 00 2B 8C 3C" },
	{ REQUEST, "read 11024", "01 03 2B 10 00 01 8C 2B" },
	{ REQUEST, "read 11028", "01 03 2B 14 00 01 CD EA" },
	{ REQUEST, "read 11043", "01 03 2B 23 00 01 7C 24" },
	{ REQUEST, "read 11044 x 7", "01 03 2B 24 00 07 4D E7" },
	{ REQUEST, "read 12000 x 34", "01 03 2E E0 00 22 CD 0D" },
	{ REQUEST, "read 12002", "01 03 2E E2 00 01 2D 14" },
	{ REQUEST, "read 19009", "01 03 4A 41 00 01 C2 06" },
	{ REQUEST, "read 41180 x 27", "01 03 A0 DC 00 1B E6 3B" },
	{ REQUEST, "read 41179 x 28", "01 03 A0 DB 00 1C 16 38" },
	{ REQUEST, "read 1000 (N = 0)", "01 03 03 E8 00 01 04 7A" },
	{ BOTH, "power on, 11029 := 1", "01 06 2B 15 00 01 50 2A" },
	{ BOTH, "power off, 11030 := 1", "01 06 2B 16 00 01 A0 2A" },
	{ BOTH, "auto start off, 11044 := 0", "01 06 2B 24 00 00 C0 25" },
	{ BOTH, "auto start on, 11044 := 1", "01 06 2B 24 00 01 01 E5" },
	{ BOTH, "bypass option off, 11045 := 0", "01 06 2B 25 00 00 91 E5" },
	{ BOTH, "bypass option on, 11045 := 1", "01 06 2B 25 00 01 50 25" },
	{ BOTH, "buzzer on, 11046 := 0", "01 06 2B 26 00 00 61 E5" },
	{ BOTH, "buzzer muted, 11046 := 1", "01 06 2B 26 00 01 A0 25" },
	{ BOTH, "off in 6 s, 11049 := 1", "01 06 2B 29 00 01 90 26" },
	{ BOTH, "off in 30 s, 11049 := 5", "01 06 2B 29 00 05 91 E5" },
	{ BOTH, "off in 60 s, 11049 := 10", "01 06 2B 29 00 0A D1 E1" },
	{ BOTH, "cancel, 11050 := 1", "01 06 2B 2A 00 01 60 26" },
	{ BOTH, "11047 := 10", "01 06 2B 27 00 0A B0 22" },
	{ BOTH, "11048 := 1", "01 06 2B 28 00 01 C1 E6" },
	{ REQUEST, "11047, 11048 := 10, 1", "01 10 2B 27 00 02 04 00 0A 00 01 BB 62" },
	{ REPLY, "11047, 11048: reply", "01 10 2B 27 00 02 F8 27" },
	{ REQUEST, "11046 := 1 by 0x10", "01 10 2B 26 00 01 02 00 01 FB 94" },
	{ BOTH, "deep test", "01 06 2E F5 00 01 51 10" },
	{ BOTH, "stop test", "01 06 2E F7 00 01 F0 D0" },
	{ BOTH, "quick test", "01 06 2E FC 00 01 81 12" },

	/* section 10.3 */
	{ REPLY, "A: 11000 x 28",
	  "01 03 38 08 71 00 00 00 00 01 F4 08 71 00 00 00 00 01 F4 08 95 00 00 00 "
	  "00 00 0D 00 00 00 00 01 F4 00 01 00 00 00 00 00 03 00 00 00 00 00 46 00 "
	  "00 00 00 00 02 00 00 00 00 00 FD ED 1D" },
	{ REPLY, "A: 12000 x 34",
	  "01 03 44 03 34 00 00 00 03 00 64 00 00 27 60 00 00 00 06 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 09 11 "
	  "6E" },
	{ REPLY, "B: 11000 x 28",
	  "01 03 38 09 43 00 00 00 00 01 F4 09 43 00 00 00 00 01 F4 09 43 00 00 00 "
	  "00 00 00 00 00 00 00 01 F4 00 00 00 00 00 00 00 01 00 00 00 00 00 AA 00 "
	  "00 00 00 00 05 00 00 00 00 01 10 B7 3F" },
	{ REPLY, "B: 12000 x 34",
	  "01 03 44 01 11 00 00 00 03 00 64 00 00 69 78 00 00 00 02 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 09 1D "
	  "E2" },
	{ REPLY, "A: 19009", "01 03 02 00 1E 38 4C" },
	{ REPLY, "B: 19009", "01 03 02 00 0A 38 43" },
	{ REPLY, "alarms: none",
	  "01 03 36 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 BF 82" },
	{ REPLY, "alarms: battery disconnected",
	  "01 03 36 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 EB 17" },
	{ REPLY, "alarms: bypass voltage abnormal",
	  "01 03 36 00 00 00 00 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 3B 01" },
	{ REPLY, "value 0", "01 03 02 00 00 B8 44" },
	{ REPLY, "value 2", "01 03 02 00 02 39 85" },
	{ REPLY, "value 3", "01 03 02 00 03 F8 45" },
	{ REPLY, "value 0x0008", "01 03 02 00 08 B9 82" },
	{ REPLY, "value 0x00c8", "01 03 02 00 C8 B9 D2" },
	{ REPLY, "value 0xa000", "01 03 02 A0 00 C0 44" },
	{ REPLY, "identification, one UPS",
	  "01 2B 0E 03 03 00 00 02 87 04 00 00 00 01 88 44 31 3D 55 50 53 32 30 30 "
	  "30 47 3B 32 3D 56 32 52 31 43 31 53 50 43 35 30 3B 33 3D 50 31 2E 30 2D "
	  "44 31 2E 30 3B 34 3D 32 31 30 32 32 39 30 30 30 30 30 30 30 30 30 30 30 "
	  "30 30 31 3B 35 3D 31 3B 36 3D 31 3B C2 F7" },
	/* clang-format on */
};

static inline unsigned hex_digit(char c)
{
	const char *digits = "0123456789ABCDEF";
	const char *at = strchr(digits, c);

	if (!c || !at)
		abort();
	return (unsigned)(at - digits);
}

/* Bytes of a text like "01 83 02"; returns how many. out must be large enough. */
static inline size_t hex_bytes(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		out[n++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
		hex++;
	}
	return n;
}
