/* Capture files: what is read, what is refused and how, and what a capture answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rtu.h"
#include "probe/capture.h"
#include "probe/player.h"
#include "util/util.h"

#define HEAD "# ups2000 capture 1\n"

static const struct {
	const char *what, *text;
	const char *error; /* NULL: it is good */
	size_t frames;
} files[] = {
	{ "nothing but the head", HEAD, NULL, 0 },
	{ "a request and its answer", HEAD "0.000 > 01032B1000018C2B\n28.5 < 01030200023985\n",
	  NULL, 2 },
	{ "blanks, CR, no newline at the end", HEAD "\r\n  1 <  01 03 02 00 02 39 85 \r\n\t2 > ab",
	  NULL, 2 },
	{ "comments anywhere", HEAD "# model: X\n1 > 01\n# a word: more\n#\n2 < 02\n", NULL, 2 },
	{ "the same time twice", HEAD "5 > 01\n5 < 02\n", NULL, 2 },
	{ "framing of Modbus TCP", HEAD "# line: mbap\n", NULL, 0 },
	{ "empty file", "", "line 1: must be \"# ups2000 capture 1\"", 0 },
	{ "another file", "hello\n", "line 1: must be", 0 },
	{ "another version", "# ups2000 capture 12\n", "another version's capture?", 0 },
	{ "no head", "0 > 01\n", "line 1: must be", 0 },
	{ "no time", HEAD "> 01\n", "line 2: must begin with a time", 0 },
	{ "negative time", HEAD "-1 > 01\n", "line 2: must begin with a time", 0 },
	{ "no number", HEAD "1e3 > 01\n", "the time must be a number", 0 },
	{ "too fine a time", HEAD "1.2345 > 01\n", "the time must be a number", 0 },
	{ "absurd time", HEAD "99999999999999999999999 > 01\n", "more than a year", 0 },
	{ "time going backwards", HEAD "5 > 01\n4.999 < 02\n",
	  "line 3: the time goes backwards: 4.999 ms after 5.000 ms", 1 },
	{ "no direction", HEAD "1 01\n", "followed by > (to the UPS)", 0 },
	{ "nothing behind the time", HEAD "1 \n", "followed by > (to the UPS)", 0 },
	{ "no bytes", HEAD "1 >\n", "there must be bytes", 0 },
	{ "half a byte", HEAD "1 > 012\n", "pairs of hexadecimal digits", 0 },
	{ "a pair with a blank in it", HEAD "1 > 0 1\n", "pairs of hexadecimal digits", 0 },
	{ "bad hex", HEAD "1 > 01\n2 < 0G\n", "line 3: the bytes must be pairs", 1 },
	{ "unknown framing", HEAD "# line: ascii\n", "must be \"rtu BAUD\" or \"mbap\"", 0 },
	{ "no speed", HEAD "# line: rtu\n", "must be \"rtu BAUD\"", 0 },
	{ "speed with a unit", HEAD "# line: rtu 9600bps\n", "must be a number from 300", 0 },
	{ "speed of nothing", HEAD "# line: rtu 1\n", "must be a number from 300", 0 },
};

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct capture c;
		char error[256] = "";

		capture_init(&c);
		bool ok = capture_parse(&c, files[i].text, strlen(files[i].text), error,
					sizeof(error));

		if (ok != !files[i].error || c.n != files[i].frames ||
		    (files[i].error && !strstr(error, files[i].error)))
			fail_msg("%s: %s, %zu frames, \"%s\"", files[i].what,
				 ok ? "taken" : "refused", c.n, error);
		capture_close(&c);
	}
}

static void test_values(void **state)
{
	static const char text[] = HEAD "# model: UPS2000G\n#firmware:V2R1C1SPC50 \n# date: then\n"
					"# tool: t\n# note: n\x07!\n# model: second\n"
					"# line: rtu 19200\n12.05 < aBcD\n";
	struct capture c;
	char error[256];

	(void)state;
	capture_init(&c);
	assert_true(capture_parse(&c, text, sizeof(text) - 1, error, sizeof(error)));
	assert_string_equal(c.model, "UPS2000G");
	assert_string_equal(c.firmware, "V2R1C1SPC50");
	assert_string_equal(c.date, "then");
	assert_string_equal(c.tool, "t");
	assert_string_equal(c.note, "n?!");
	assert_int_equal(c.framing, CAPTURE_RTU);
	assert_int_equal(c.baud, 19200);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.frames[0].at_us, 12050);
	assert_false(c.frames[0].sent);
	assert_int_equal(c.frames[0].len, 2);
	assert_memory_equal(c.frames[0].bytes, "\xab\xcd", 2);
	capture_close(&c);
}

/* A line of ten megabytes, with digits and without; and a NUL in the middle. */
static void test_monsters(void **state)
{
	const size_t size = 10 << 20;
	char *text = malloc(size), error[256];
	struct capture c;

	(void)state;
	assert_non_null(text);
	memset(text, '0', size);
	capture_init(&c);
	assert_false(capture_parse(&c, text, size, error, sizeof(error)));
	assert_string_equal(error, "line 1: longer than 2048 characters; this is no capture");
	memcpy(text, HEAD, sizeof(HEAD) - 1);
	assert_false(capture_parse(&c, text, size, error, sizeof(error)));
	assert_string_equal(error, "line 2: longer than 2048 characters; this is no capture");
	free(text);

	static const char nul[] = HEAD "1 > 01\n2 \0 01\n";

	assert_false(capture_parse(&c, nul, sizeof(nul) - 1, error, sizeof(error)));
	assert_non_null(strstr(error, "line 3: "));
	capture_close(&c);
}

static void test_longest_frame(void **state)
{
	char text[64 + 2 * CAPTURE_FRAME_MAX + 8], error[256];
	struct capture c;
	int n = snprintf(text, sizeof(text), HEAD "0 > ");

	(void)state;
	memset(text + n, 'f', 2 * CAPTURE_FRAME_MAX + 2);
	capture_init(&c);
	assert_true(
		capture_parse(&c, text, (size_t)n + 2 * CAPTURE_FRAME_MAX, error, sizeof(error)));
	assert_int_equal(c.frames[0].len, CAPTURE_FRAME_MAX);
	assert_false(capture_parse(&c, text, (size_t)n + 2 * CAPTURE_FRAME_MAX + 2, error,
				   sizeof(error)));
	assert_non_null(strstr(error, "more than 512 bytes"));
	capture_close(&c);
}

static void test_load(void **state)
{
	struct capture c;
	char error[256];

	(void)state;
	capture_init(&c);
	assert_false(capture_load(&c, "/proc/none", error, sizeof(error)));
	assert_string_equal(error, "/proc/none: No such file or directory");
	assert_false(capture_load(&c, "/", error, sizeof(error)));
	assert_string_equal(error, "/ is a directory; name a capture file");
	capture_close(&c);
}

/* What is written reads back the same. */
static void test_write(void **state)
{
	struct capture c, back;
	uint8_t big[CAPTURE_FRAME_MAX + 1] = { 7 };
	char *text, error[256];
	size_t size;

	(void)state;
	capture_init(&c);
	snprintf(c.model, sizeof(c.model), "M");
	assert_true(capture_add(&c, 0, true, (const uint8_t *)"\x01\xff", 2));
	assert_true(capture_add(&c, 1234567, false, big, sizeof(big)));
	assert_false(capture_add(&c, 1234566, false, big, 1));
	assert_int_equal(c.n, 3);

	FILE *out = open_memstream(&text, &size);

	assert_true(capture_write(&c, out));
	fclose(out);
	assert_non_null(strstr(text, "# model: M\n# line: rtu 9600\n0.000 > 01FF\n1234.567 < 07"));
	capture_init(&back);
	assert_true(capture_parse(&back, text, size, error, sizeof(error)));
	assert_int_equal(back.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(back.frames[i].at_us, c.frames[i].at_us);
		assert_int_equal(back.frames[i].len, c.frames[i].len);
		assert_memory_equal(back.frames[i].bytes, c.frames[i].bytes, c.frames[i].len);
	}
	free(text);
	capture_close(&c);
	capture_close(&back);
}

static void test_write_full_disk(void **state)
{
	struct capture c;
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	capture_init(&c);
	assert_non_null(out);
	assert_false(capture_write(&c, out));
	fclose(out);
	capture_close(&c);
}

/* The identification of the reference (its ESN is made up) with the number taken out. */
static void test_hide(void **state)
{
	static const uint8_t head[] = { 0x01, 0x2b, 0x0e, 0x03, 0x03, 0x00, 0x00, 0x02,
					0x87, 0x04, 0x00, 0x00, 0x00, 0x01, 0x88, 0x44 };
	static const char esn[] = "21022900000000000001";
	uint8_t adu[86];
	struct capture c;
	struct rtu_rx rx;
	struct rtu_frame frame;

	(void)state;
	memcpy(adu, head, sizeof(head));
	memcpy(adu + sizeof(head),
	       "1=UPS2000G;2=V2R1C1SPC50;3=P1.0-D1.0;4=21022900000000000001;5=1;6=1;", 68);
	memcpy(adu + 84, "\xc2\xf7", 2);
	capture_init(&c);
	capture_add(&c, 0, true, (const uint8_t *)esn, 20);
	capture_add(&c, 1, false, adu, sizeof(adu));
	capture_add(&c, 2, false, adu, 80); /* cut: there is no checksum to mend */
	capture_hide(&c, "");
	assert_memory_equal(c.frames[1].bytes, adu, sizeof(adu));
	capture_hide(&c, esn);
	assert_memory_equal(c.frames[0].bytes, esn, 20); /* our own bytes stay */
	assert_null(memmem(c.frames[1].bytes, 86, esn, 20));
	assert_non_null(memmem(c.frames[1].bytes, 86, "4=00000000000000000000;", 23));
	assert_null(memmem(c.frames[2].bytes, 80, esn, 20));
	rtu_rx_reset(&rx);
	rtu_rx_feed(&rx, c.frames[1].bytes, 86);
	assert_true(rtu_rx_next(&rx, &frame));
	capture_hide(&c, "0000"); /* nothing left to hide; must end */
	capture_close(&c);
}

/* ---- what a capture answers; frames and values from docs/protocol.md ---- */

#define READ_1024 "01032B1000018C2B"
#define SAYS_2 "01030200023985"
#define SAYS_3 "0103020003F845"
#define REFUSED_02 "018302C0F1"
/* 11000 x 2, 11003 x 1 read as two captured answers */
static const char story[] = HEAD
	"0 > " READ_1024 "\n30 < " SAYS_2 "\n"
	"100 > " READ_1024 "\n"						   /* not answered */
	"3000 > " READ_1024 "\n3010 < FFFF\n3030 < " READ_1024 SAYS_3 "\n" /* noise, echo, answer */
	"4000 > 01032B2300017C24\n4030 < 01030200\n4040 < 08B982\n"	   /* 1043, in two pieces */
	"5000 > 01032B2400074DE7\n5030 < " REFUSED_02 "\n"
	"6000 > 012B0E01007077\n6030 < 01AB019EF0\n"
	"7000 > 02032B1000018C18\n7030 < 02030200077D86\n"; /* another unit id */

static const uint8_t read_1024[] = { 0x03, 0x2b, 0x10, 0x00, 0x01 };

static const struct {
	const char *what;
	uint8_t pdu[12];
	size_t len;
	uint8_t reply[12];
	size_t reply_len;
} plays[] = {
	{ "the first", { 3, 0x2b, 0x10, 0, 1 }, 5, { 3, 2, 0, 2 }, 4 },
	{ "silence", { 3, 0x2b, 0x10, 0, 1 }, 5, { 0 }, 0 },
	{ "behind noise and echo", { 3, 0x2b, 0x10, 0, 1 }, 5, { 3, 2, 0, 3 }, 4 },
	{ "from the start again", { 3, 0x2b, 0x10, 0, 1 }, 5, { 3, 2, 0, 2 }, 4 },
	{ "in two pieces", { 3, 0x2b, 0x23, 0, 1 }, 5, { 3, 2, 0, 8 }, 4 },
	{ "refused then", { 3, 0x2b, 0x24, 0, 7 }, 5, { 0x83, 2 }, 2 },
	{ "identification", { 0x2b, 0x0e, 1, 0 }, 4, { 0xab, 1 }, 2 },
	{ "not captured", { 3, 0x2b, 0x10, 0, 2 }, 5, { 0x83, 2 }, 2 },
	{ "a write", { 6, 0x2b, 0x16, 0, 1 }, 5, { 0x86, 1 }, 2 },
	{ "another identification", { 0x2b, 0x0e, 3, 0x87 }, 4, { 0xab, 1 }, 2 },
	{ "an unknown function", { 0x11 }, 1, { 0x91, 1 }, 2 },
};

static void test_plays(void **state)
{
	struct player_reply reply;
	struct capture c;
	char error[256];

	(void)state;
	capture_init(&c);
	assert_true(capture_parse(&c, story, sizeof(story) - 1, error, sizeof(error)));
	struct player *p = player_new(&c);

	capture_close(&c);
	assert_non_null(p);
	assert_int_equal(player_unit_id(p), 1);
	for (size_t i = 0; i < ARRAY_SIZE(plays); i++) {
		player_answer(p, plays[i].pdu, plays[i].len, &reply);
		if (reply.len != plays[i].reply_len ||
		    memcmp(reply.pdu, plays[i].reply, reply.len) != 0)
			fail_msg("%s: %zu bytes, %02x %02x", plays[i].what, reply.len, reply.pdu[0],
				 reply.pdu[1]);
	}
	player_free(p);
}

/* 30 ms from the first byte sent to the last one received, less 8 + 7 bytes at 9600 baud. */
static void test_think_time(void **state)
{
	struct player_reply reply;
	struct capture c;
	char error[256];

	(void)state;
	capture_init(&c);
	assert_true(capture_parse(&c, story, sizeof(story) - 1, error, sizeof(error)));
	struct player *p = player_new(&c);

	player_answer(p, read_1024, sizeof(read_1024), &reply);
	assert_in_range(reply.think_us, 14300, 14400);
	player_free(p);
	capture_close(&c);
}

/* Registers read in other pieces than they were captured in. */
static void test_registers(void **state)
{
	static const char text[] =
		HEAD "# line: mbap\n"
		     "0 > 000100000006 01 03 2AF8 0002\n1 < 000100000007 01 03 04 0871 0000\n"
		     "2 > 000200000006 01 03 2AFA 0001\n3 < 000200000005 01 03 02 0102\n";
	static const uint8_t all[] = { 3, 0x2a, 0xf8, 0, 3 }, more[] = { 3, 0x2a, 0xf8, 0, 4 };
	static const uint8_t says[] = { 3, 6, 0x08, 0x71, 0, 0, 1, 2 };
	struct player_reply reply;
	struct capture c;
	char error[256];

	(void)state;
	capture_init(&c);
	assert_true(capture_parse(&c, text, sizeof(text) - 1, error, sizeof(error)));
	struct player *p = player_new(&c);

	assert_non_null(p);
	player_answer(p, all, sizeof(all), &reply);
	assert_int_equal(reply.len, sizeof(says));
	assert_memory_equal(reply.pdu, says, sizeof(says));
	assert_int_equal(reply.think_us, -1);
	player_answer(p, more, sizeof(more), &reply);
	assert_int_equal(reply.len, 2);
	assert_memory_equal(reply.pdu, "\x83\x02", 2);
	player_free(p);
	capture_close(&c);
}

static void test_nothing_to_play(void **state)
{
	static const char text[] = HEAD "0 < 0102\n1 > 01\n";
	struct capture c;
	char error[256];

	(void)state;
	capture_init(&c);
	assert_null(player_new(&c));
	assert_true(capture_parse(&c, text, sizeof(text) - 1, error, sizeof(error)));
	assert_null(player_new(&c));
	capture_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_monsters),
		cmocka_unit_test(test_longest_frame),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_full_disk),
		cmocka_unit_test(test_hide),
		cmocka_unit_test(test_plays),
		cmocka_unit_test(test_think_time),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_nothing_to_play),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
