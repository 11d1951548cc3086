#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <ups2000/error.h>

#include "core/rtu.h"
#include "vectors.h"

#define GOOD "01 03 02 00 1E 38 4C"  /* section 10.3, A: 19009 */
#define OTHER "01 03 02 00 0A 38 43" /* B: 19009 */
#define READ "01 03 2A F8 00 1C CD EA"
#define WRITE "01 06 2B 26 00 00 61 E5"
#define PAIR "01 10 2B 27 00 02 04 00 0A 00 01 BB 62"
#define IDENTIFY "01 2B 0E 03 87 31 75"

/*
 * What arrives and what comes out. in: bytes in chunks split by "|"; "~" is silence on the line.
 * out: the frames, split by "|", with silence in between as it happened.
 */
static const struct {
	const char *name;
	const char *echo; /* the request whose echo is expected, or NULL */
	const char *in, *out;
	unsigned noise, bad_crc, echoes;
	size_t pending;
} streams[] = {
	/* whole frames */
	{ "one", NULL, GOOD, GOOD, 0, 0, 0, 0 },
	{ "in two chunks", NULL, "01 03 02|00 1E 38 4C", GOOD, 0, 0, 0, 0 },
	{ "two in one chunk", NULL, GOOD OTHER, GOOD "|" OTHER, 0, 0, 0, 0 },
	{ "two across chunks", NULL,
	  GOOD "01|"
	       "03 02 00 0A 38 43",
	  GOOD "|" OTHER, 0, 0, 0, 0 },
	{ "the same twice", NULL, GOOD GOOD, GOOD "|" GOOD, 0, 0, 0, 0 },
	{ "a pause inside that nobody called silence", NULL, "01|03 02 00 1E 38 4C", GOOD, 0, 0, 0,
	  0 },
	{ "other unit id", NULL, "11 03 02 00 01 B8 47", "11 03 02 00 01 B8 47", 0, 0, 0, 0 },
	{ "write reply", NULL, WRITE, WRITE, 0, 0, 0, 0 },
	{ "pair reply", NULL, "01 10 2B 27 00 02 F8 27", "01 10 2B 27 00 02 F8 27", 0, 0, 0, 0 },
	{ "exception", NULL, "01 83 02 C0 F1", "01 83 02 C0 F1", 0, 0, 0, 0 },
	{ "gateway's exception", NULL, "01 83 0B 00 F7", "01 83 0B 00 F7", 0, 0, 0, 0 },
	{ "exception, then a frame", NULL, "01 AB 01 9E F0" GOOD, "01 AB 01 9E F0|" GOOD, 0, 0, 0,
	  0 },

	/* unfinished frames */
	{ "cut", NULL, "01 03 02 00 1E 38", "", 0, 0, 0, 6 },
	{ "cut, then silence", NULL, "01 03 02 00 1E 38 ~", "~", 6, 0, 0, 0 },
	{ "cut, silence, then a frame", NULL, "01 03 02 00 ~" GOOD, "~" GOOD, 4, 0, 0, 0 },
	{ "tail only", NULL, "00 1E 38 4C ~", "~", 4, 0, 0, 0 },
	{ "unit id only", NULL, "01", "", 0, 0, 0, 1 },
	{ "nothing, silence, nothing", NULL, "~", "~", 0, 0, 0, 0 },

	/* frames that cannot be */
	{ "wrong CRC", NULL, "01 03 02 00 1E 38 4D ~", "~", 7, 1, 0, 0 },
	{ "CRC swapped", NULL, "01 03 02 00 1E 4C 38 ~", "~", 7, 1, 0, 0 },
	{ "wrong CRC, then a frame", NULL, "01 03 02 00 1E 38 4D" GOOD, GOOD, 7, 1, 0, 0 },
	{ "function 04", NULL, "01 04 02 00 01 78 F0" GOOD, GOOD, 7, 0, 0, 0 },
	{ "no registers", NULL, "01 03 00 20 F0" GOOD, GOOD, 5, 0, 0, 0 },
	{ "odd byte count", NULL, "01 03 03 00 00 00 45 8E" GOOD, GOOD, 8, 0, 0, 0 },
	{ "byte count 252", NULL, "01 03 FC" GOOD, GOOD, 3, 0, 0, 0 },
	{ "exception code 0", NULL, "01 83 00 41 30" GOOD, GOOD, 5, 0, 0, 0 },
	{ "other MEI type", NULL, "01 2B 0D 00 00 00 27 60" GOOD, GOOD, 8, 0, 0, 0 },
	{ "object count beyond any PDU", NULL, "01 2B 0E 03 03 00 00 7C" GOOD, GOOD, 8, 0, 0, 0 },

	/* noise around frames */
	{ "noise before", NULL, "FF FF 00" GOOD, GOOD, 3, 0, 0, 0 },
	{ "unit id before", NULL, "01" GOOD, GOOD, 1, 0, 0, 0 },
	{ "noise between", NULL, GOOD "FF 55" OTHER, GOOD "|" OTHER, 2, 0, 0, 0 },
	{ "noise after", NULL, GOOD "FF 55 ~", GOOD "~", 2, 0, 0, 0 },
	{ "start of a long frame hides a good one", NULL, "01 03 FA" GOOD, "", 0, 0, 0, 10 },
	{ "until silence", NULL, "01 03 FA" GOOD "~", "~" GOOD, 3, 0, 0, 0 },
	{ "a long one in a long one", NULL, "01 03 FA 01 03 38" GOOD OTHER "~", "~" GOOD "|" OTHER,
	  6, 0, 0, 0 },
	{ "a cut one behind a good one", NULL, "01 03 FA" GOOD "01 03 02 ~", "~" GOOD, 6, 0, 0, 0 },
	{ "start of an identification", NULL, "01 2B 0E 03 03 00 00 02 87 44" GOOD "~", "~" GOOD,
	  10, 0, 0, 0 },
	{ "start of a write reply", NULL, "01 06" GOOD, GOOD, 2, 1, 0, 0 },
	{ "start of an exception", NULL, "01 83" GOOD, GOOD, 2, 1, 0, 0 },
	{ "our own read, not expected", NULL, READ GOOD "~", "~" GOOD, 8, 0, 0, 0 },
	{ "our own identification", NULL, IDENTIFY GOOD, GOOD, 7, 0, 0, 0 },

	/* echoes */
	{ "read", READ, READ GOOD, GOOD, 0, 0, 1, 0 },
	{ "read, cut echo", READ, "01 03 2A F8 00", "", 0, 0, 0, 5 },
	{ "read, echo in two chunks", READ, "01 03 2A F8|00 1C CD EA" GOOD, GOOD, 0, 0, 1, 0 },
	{ "read, no echo", READ, GOOD, GOOD, 0, 0, 0, 0 },
	{ "read, echo only", READ, READ, "", 0, 0, 1, 0 },
	{ "read, echo twice", READ, READ READ "~", "~", 8, 0, 1, 0 },
	{ "read, glitch before the echo", READ, "FF" READ GOOD, GOOD, 1, 0, 1, 0 },
	{ "read, exception", READ, READ "01 83 02 C0 F1", "01 83 02 C0 F1", 0, 0, 1, 0 },
	{ "read, late frame before the echo", READ, OTHER READ GOOD "~", OTHER "~" GOOD, 8, 0, 0,
	  0 },
	{ "identify", IDENTIFY, IDENTIFY GOOD, GOOD, 0, 0, 1, 0 },
	{ "write, echo and reply", WRITE, WRITE WRITE, WRITE, 0, 0, 1, 0 },
	{ "write, echo only", WRITE, WRITE, "", 0, 0, 1, 0 },
	{ "write, not expected", NULL, WRITE WRITE, WRITE "|" WRITE, 0, 0, 0, 0 },
	{ "write, other value echoed", WRITE, "01 06 2B 26 00 01 A0 25" WRITE,
	  "01 06 2B 26 00 01 A0 25|" WRITE, 0, 0, 0, 0 },
	{ "write, damaged echo, reply", WRITE, "01 06 2B 26 00 00 61 E4" WRITE, WRITE, 8, 1, 0, 0 },
	{ "write, exception", WRITE, WRITE "01 86 04 43 A3", "01 86 04 43 A3", 0, 0, 1, 0 },
	{ "pair", PAIR, PAIR "01 10 2B 27 00 02 F8 27", "01 10 2B 27 00 02 F8 27", 0, 0, 1, 0 },
	{ "pair, no echo", PAIR, "01 10 2B 27 00 02 F8 27", "01 10 2B 27 00 02 F8 27", 0, 0, 0, 0 },
};

static void append(char *text, const char *more)
{
	assert_true(strlen(text) + strlen(more) < 4096);
	strcat(text, more);
}

/* A frame as the text it had on the wire. */
static void append_frame(char *text, const struct rtu_frame *frame)
{
	uint8_t adu[RTU_ADU_MAX];
	char hex[4];

	assert_true(frame->len >= 1 && frame->len <= PDU_MAX);
	adu[0] = frame->unit_id;
	if (*text && text[strlen(text) - 1] != '~')
		append(text, "|");

	size_t n = rtu_put(adu, frame->unit_id, frame->pdu, frame->len);

	for (size_t i = 0; i < n; i++) {
		snprintf(hex, sizeof(hex), "%s%02X", i ? " " : "", (unsigned)adu[i]);
		append(text, hex);
	}
}

static void drain(struct rtu_rx *rx, char *out)
{
	struct rtu_frame frame;

	while (rtu_rx_next(rx, &frame))
		append_frame(out, &frame);
	assert_true(rtu_rx_pending(rx) <= RTU_ADU_MAX);
}

static void run_stream(size_t i, bool one_by_one)
{
	struct rtu_rx rx;
	uint8_t bytes[RTU_BUF];
	char out[4096] = "", chunk[4096];
	size_t len;

	rtu_rx_reset(&rx);
	if (streams[i].echo) {
		len = hex_bytes(streams[i].echo, bytes);
		rtu_rx_expect_echo(&rx, bytes, len);
	}

	for (const char *p = streams[i].in; *p; p++) {
		size_t n = strcspn(p, "|~");

		memcpy(chunk, p, n);
		chunk[n] = '\0';
		p += n;
		len = hex_bytes(chunk, bytes);
		for (size_t at = 0; at < len; at += one_by_one ? 1 : len) {
			size_t take = one_by_one ? 1 : len;

			assert_int_equal(rtu_rx_feed(&rx, bytes + at, take), take);
			drain(&rx, out);
		}
		if (*p == '~') {
			append(out, "~");
			rtu_rx_silence(&rx);
			drain(&rx, out);
			assert_int_equal(rtu_rx_pending(&rx), 0);
		}
		if (!*p)
			break;
	}

	if (strcmp(out, streams[i].out) != 0 || rx.noise != streams[i].noise ||
	    rx.bad_crc != streams[i].bad_crc || rx.echoes != streams[i].echoes ||
	    rtu_rx_pending(&rx) != streams[i].pending)
		fail_msg("%s%s: \"%s\", noise %u, bad_crc %u, echoes %u, pending %zu",
			 streams[i].name, one_by_one ? " (byte by byte)" : "", out, rx.noise,
			 rx.bad_crc, rx.echoes, rtu_rx_pending(&rx));
}

static void test_streams(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		run_stream(i, false);
		run_stream(i, true);
	}
}

static void test_put(void **state)
{
	(void)state;
	uint8_t adu[RTU_ADU_MAX], want[RTU_ADU_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		size_t len = hex_bytes(vectors[i].hex, want);

		assert_int_equal(rtu_put(adu, want[0], want + 1, len - 3), len);
		assert_memory_equal(adu, want, len);
	}
	memset(want, 0, sizeof(want));
	assert_int_equal(rtu_put(adu, 1, want, PDU_MAX), RTU_ADU_MAX);
	assert_int_equal(rtu_put(adu, 1, want, PDU_MAX + 1), 0);
	assert_int_equal(rtu_put(adu, 1, want, 0), 0);
}

static bool is_reply(size_t i)
{
	return vectors[i].kind == REPLY || vectors[i].kind == BOTH;
}

/* Frames found in these bytes; each must be the one expected. */
static size_t find(const uint8_t *bytes, size_t n, const uint8_t *adu, size_t len)
{
	struct rtu_rx rx;
	struct rtu_frame frame;
	size_t found = 0;

	rtu_rx_reset(&rx);
	assert_int_equal(rtu_rx_feed(&rx, bytes, n), n);
	for (int pass = 0; pass < 2; pass++, rtu_rx_silence(&rx))
		while (rtu_rx_next(&rx, &frame)) {
			assert_int_equal(frame.unit_id, adu[0]);
			assert_int_equal(frame.len, len - 3);
			assert_memory_equal(frame.pdu, adu + 1, len - 3);
			found++;
		}
	return found;
}

/* Split anywhere (an adapter gives 61 bytes as 32 + 29) a reply is one frame. */
static void test_vectors_split(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		uint8_t adu[RTU_ADU_MAX];
		size_t len = hex_bytes(vectors[i].hex, adu);

		if (!is_reply(i)) {
			assert_int_equal(find(adu, len, adu, len), 0);
			continue;
		}
		for (size_t cut = 0; cut <= len; cut++) {
			struct rtu_rx rx;
			struct rtu_frame frame;

			rtu_rx_reset(&rx);
			rtu_rx_feed(&rx, adu, cut);
			assert_int_equal(rtu_rx_next(&rx, &frame), cut == len);
			assert_int_equal(rtu_rx_pending(&rx), cut == len ? 0 : cut);
			rtu_rx_feed(&rx, adu + cut, len - cut);
			if (cut < len)
				assert_true(rtu_rx_next(&rx, &frame));
			assert_int_equal(frame.len, len - 3);
			assert_memory_equal(frame.pdu, adu + 1, len - 3);
			assert_false(rtu_rx_next(&rx, &frame));
			assert_int_equal(rx.noise, 0);
		}
	}
}

/* Cut or with one bit wrong it is never taken for anything. */
static void test_vectors_damaged(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		uint8_t adu[RTU_ADU_MAX], bad[RTU_ADU_MAX];
		size_t len = hex_bytes(vectors[i].hex, adu);

		for (size_t cut = 0; cut < len; cut++) {
			assert_int_equal(find(adu, cut, adu, len), 0);
			assert_int_equal(find(adu + cut, len - cut, adu, len), is_reply(i) && !cut);
		}
		for (size_t bit = 0; bit < 8 * len; bit++) {
			memcpy(bad, adu, len);
			bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(find(bad, len, adu, len), 0);
		}
	}
}

/* Behind any other vector (cut, damaged or whole) a good frame is still found. */
static void test_vectors_behind_garbage(void **state)
{
	(void)state;
	uint8_t good[RTU_ADU_MAX];
	size_t good_len = hex_bytes(GOOD, good);

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		uint8_t bytes[2 * RTU_ADU_MAX];
		size_t len = hex_bytes(vectors[i].hex, bytes);

		for (size_t cut = 0; cut < len; cut++) {
			/* Unless the good one's own start completes the cut one. */
			if (memcmp(bytes + cut, good,
				   len - cut < good_len ? len - cut : good_len) == 0)
				continue;
			memcpy(bytes + cut, good, good_len);
			assert_int_equal(find(bytes, cut + good_len, good, good_len), 1);
			hex_bytes(vectors[i].hex, bytes);
		}
	}
}

/* Noise without end neither fills the buffer nor hides what comes in it for long. */
static void test_endless_noise(void **state)
{
	(void)state;
	struct rtu_rx rx;
	struct rtu_frame frame;
	uint8_t good[RTU_ADU_MAX], bytes[64];
	size_t len = hex_bytes(GOOD, good);
	uint32_t seed = 1;

	print_message("seed %u\n", seed);
	rtu_rx_reset(&rx);
	for (int round = 0; round < 2000; round++) {
		size_t found = 0;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(seed >> 24);
		}
		bytes[0] = 1; /* half a frame: as bad as noise gets */
		bytes[1] = 3;
		assert_int_equal(rtu_rx_feed(&rx, bytes, sizeof(bytes)), sizeof(bytes));
		assert_int_equal(rtu_rx_feed(&rx, good, len), len);
		while (rtu_rx_next(&rx, &frame))
			;
		assert_true(rtu_rx_pending(&rx) <= RTU_ADU_MAX);

		rtu_rx_feed(&rx, good, len);
		rtu_rx_silence(&rx);
		while (rtu_rx_next(&rx, &frame))
			found += frame.len == len - 3 && !memcmp(frame.pdu, good + 1, len - 3);
		assert_true(found >= 1);
		assert_int_equal(rtu_rx_pending(&rx), 0);
	}
}

static void test_full_buffer(void **state)
{
	(void)state;
	static const uint8_t noise[2 * RTU_BUF] = { 0 };
	struct rtu_rx rx;
	struct rtu_frame frame;

	rtu_rx_reset(&rx);
	assert_int_equal(rtu_rx_feed(&rx, noise, sizeof(noise)), RTU_BUF);
	assert_int_equal(rtu_rx_feed(&rx, noise, 1), 0);
	assert_false(rtu_rx_next(&rx, &frame));
	assert_true(rtu_rx_feed(&rx, noise, sizeof(noise)) >= RTU_BUF - RTU_ADU_MAX);
}

/* Silence concerns what came before it, even if the caller takes frames out later. */
static void test_silence_then_more(void **state)
{
	(void)state;
	struct rtu_rx rx;
	struct rtu_frame frame;
	uint8_t start[] = { 0x01, 0x03, 0xfa }, good[RTU_ADU_MAX];
	size_t len = hex_bytes(GOOD, good);

	rtu_rx_reset(&rx);
	rtu_rx_feed(&rx, start, sizeof(start));
	rtu_rx_silence(&rx);
	rtu_rx_feed(&rx, good, len - 1);
	assert_false(rtu_rx_next(&rx, &frame));
	assert_int_equal(rx.noise, sizeof(start));
	assert_int_equal(rtu_rx_pending(&rx), len - 1);
	rtu_rx_feed(&rx, good + len - 1, 1);
	assert_true(rtu_rx_next(&rx, &frame));
	assert_memory_equal(frame.pdu, good + 1, len - 3);
}

static const struct {
	const char *name, *adu;
	int length;
} requests[] = {
	{ "unknown function", "01 04 2A F8 00 01", U2K_EPROTO },
	{ "an exception", "01 83 02 C0 F1", U2K_EPROTO },
	{ "other MEI type", "01 2B 0D", U2K_EPROTO },
	{ "0x10 beyond any ADU", "01 10 2B 27 00 7C F8", U2K_EPROTO },
	{ "0x10, largest", "01 10 2B 27 00 7B F6", 255 },
	{ "0x10 up to the byte count", "01 10 2B 27 00 02", 0 },
	{ "0x2B without MEI type", "01 2B", 0 },
	{ "unit id", "01", 0 },
	{ "nothing", "", 0 },
	/* section 3.4: the lengths a device waits for */
	{ "11046 := 1, short", "01 10 2B 26 01 00 01 B6 1E", 10 },
	{ "pair, short", "01 10 2B 27 02 00 00 00 00 E2 79", 9 },
	{ "11046 := 0, short", "01 10 2B 26 01 00 00 77 DE", 9 },
};

static void test_request_length(void **state)
{
	(void)state;
	uint8_t adu[RTU_ADU_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		size_t len = hex_bytes(requests[i].adu, adu);

		if (rtu_request_length(adu, len) != requests[i].length)
			fail_msg("%s: %d", requests[i].name, rtu_request_length(adu, len));
	}
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		size_t len = hex_bytes(vectors[i].hex, adu);

		if (vectors[i].kind != REQUEST && vectors[i].kind != BOTH)
			continue;
		for (size_t avail = 0; avail <= len; avail++) {
			int length = rtu_request_length(adu, avail);

			assert_true((size_t)length == len || (length == 0 && avail < 7));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_vectors_split),
		cmocka_unit_test(test_vectors_damaged),
		cmocka_unit_test(test_vectors_behind_garbage),
		cmocka_unit_test(test_endless_noise),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_silence_then_more),
		cmocka_unit_test(test_request_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
