#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crc16.h"
#include "sim/server.h"
#include "util/util.h"

enum { OUT_MAX = 2048 };

static struct sim_server srv;

static void bench(bool pace)
{
	struct sim_options device;
	struct sim_server_options line;

	sim_options_default(&device);
	device.noise = false;
	snprintf(device.model, sizeof(device.model), "UPS2000G");
	sim_server_options_default(&line);
	line.pace = pace;
	sim_server_init(&srv, 0, &line, &device);
}

static void fault(const char *text)
{
	char err[200];

	if (sim_faults_set(&srv.faults, text, err, sizeof(err)))
		fail_msg("%s: %s", text, err);
}

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (const char *p = hex; *p; p += *p == ' ')
		out[n++] = (uint8_t)strtoul(p, (char **)(uintptr_t)&p, 16);
	return n;
}

static void give(int64_t at_us, const char *hex)
{
	uint8_t bytes[OUT_MAX];
	size_t len = from_hex(hex, bytes);

	sim_server_receive(&srv, at_us, bytes, len);
}

/* All that comes until end_us, following sim_server_next_us() as the program does. */
static uint8_t out[OUT_MAX];
static size_t out_len;
static int64_t first_us, last_us; /* when bytes came */

static void collect(int64_t end_us)
{
	out_len = 0;
	first_us = last_us = -1;
	for (int64_t next; (next = sim_server_next_us(&srv)) <= end_us;) {
		size_t n = sim_server_send(&srv, next, out + out_len, sizeof(out) - out_len);

		if (n && first_us < 0)
			first_us = srv.now_us;
		if (n)
			last_us = srv.now_us;
		out_len += n;
	}
	sim_server_advance(&srv, end_us);
}

static void expect(const char *name, const char *hex)
{
	uint8_t want[OUT_MAX];
	size_t len = from_hex(hex, want);

	if (out_len == len && memcmp(out, want, len) == 0)
		return;
	fprintf(stderr, "%s: got %zu bytes:", name, out_len);
	for (size_t i = 0; i < out_len; i++)
		fprintf(stderr, " %02X", out[i]);
	fail_msg("\n%s: not the %zu bytes %s", name, len, hex);
}

/* The constructed replies of docs/protocol.md (its reference, 10.2 and 10.3). */

struct poke {
	uint16_t base, value;
};

static const struct poke sample_a[] = {
	{ 1000, 2161 }, { 1003, 500 },	  { 1004, 2161 }, { 1007, 500 }, { 1008, 2197 },
	{ 1011, 13 },	{ 1014, 500 },	  { 1015, 1 },	  { 1018, 3 },	 { 1021, 70 },
	{ 1024, 2 },	{ 1027, 253 },	  { 2000, 820 },  { 2002, 3 },	 { 2003, 100 },
	{ 2004, 0 },	{ 2005, 0x2760 }, { 2007, 6 },	  { 2033, 9 },	 { 9009, 30 },
};

static const struct poke sample_b[] = {
	{ 1000, 2371 }, { 1003, 500 },	  { 1004, 2371 }, { 1007, 500 }, { 1008, 2371 },
	{ 1011, 0 },	{ 1014, 500 },	  { 1015, 0 },	  { 1018, 1 },	 { 1021, 170 },
	{ 1024, 5 },	{ 1027, 272 },	  { 2000, 273 },  { 2002, 3 },	 { 2003, 100 },
	{ 2004, 0 },	{ 2005, 0x6978 }, { 2007, 2 },	  { 2033, 9 },	 { 9009, 10 },
};

static const struct {
	const char *name;
	const struct poke *pokes;
	size_t n;
	const char *request, *reply;
} vectors[] = {
	{ "A, 11000 x 28", sample_a, ARRAY_SIZE(sample_a), "01 03 2A F8 00 1C CD EA",
	  "01 03 38 08 71 00 00 00 00 01 F4 08 71 00 00 00 00 01 F4 08 95 00 00 00 00 00 0D 00 00 "
	  "00 00 01 F4 00 01 00 00 00 00 00 03 00 00 00 00 00 46 00 00 00 00 00 02 00 00 00 00 00 "
	  "FD ED 1D" },
	{ "A, 12000 x 34", sample_a, ARRAY_SIZE(sample_a), "01 03 2E E0 00 22 CD 0D",
	  "01 03 44 03 34 00 00 00 03 00 64 00 00 27 60 00 00 00 06 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 09 11 6E" },
	{ "A, 19009", sample_a, ARRAY_SIZE(sample_a), "01 03 4A 41 00 01 C2 06",
	  "01 03 02 00 1E 38 4C" },
	{ "B, 19009", sample_b, ARRAY_SIZE(sample_b), "01 03 4A 41 00 01 C2 06",
	  "01 03 02 00 0A 38 43" },
	{ "B, 11000 x 28", sample_b, ARRAY_SIZE(sample_b), "01 03 2A F8 00 1C CD EA",
	  "01 03 38 09 43 00 00 00 00 01 F4 09 43 00 00 00 00 01 F4 09 43 00 00 00 00 00 00 00 00 "
	  "00 00 01 F4 00 00 00 00 00 00 00 01 00 00 00 00 00 AA 00 00 00 00 00 05 00 00 00 00 01 "
	  "10 B7 3F" },
	{ "B, 12000 x 34", sample_b, ARRAY_SIZE(sample_b), "01 03 2E E0 00 22 CD 0D",
	  "01 03 44 01 11 00 00 00 03 00 64 00 00 69 78 00 00 00 02 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 09 1D E2" },
	{ "no alarms", NULL, 0, "01 03 A0 DC 00 1B E6 3B",
	  "01 03 36 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 BF "
	  "82" },
	{ "power off acknowledged", NULL, 0, "01 06 2B 16 00 01 A0 2A", "01 06 2B 16 00 01 A0 2A" },
	{ "1044 := 0", NULL, 0, "01 06 2B 24 00 00 C0 25", "01 06 2B 24 00 00 C0 25" },
	{ "the pair by 0x10", NULL, 0, "01 10 2B 27 00 02 04 00 0A 00 01 BB 62",
	  "01 10 2B 27 00 02 F8 27" },
	{ "1024 on mains", NULL, 0, "01 03 2B 10 00 01 8C 2B", "01 03 02 00 02 39 85" },
	{ "1028 running", NULL, 0, "01 03 2B 14 00 01 CD EA", "01 03 02 00 03 F8 45" },
	{ "1043 at rest", NULL, 0, "01 03 2B 23 00 01 7C 24", "01 03 02 00 08 B9 82" },
	{ "N = 0 is refused", NULL, 0, "01 03 03 E8 00 01 04 7A", "01 83 02 C0 F1" },
	{ "identification", NULL, 0, "01 2B 0E 03 87 31 75",
	  "01 2B 0E 03 03 00 00 02 87 04 00 00 00 01 88 44 31 3D 55 50 53 32 30 30 30 47 3B 32 3D "
	  "56 32 52 31 43 31 53 50 43 35 30 3B 33 3D 50 31 2E 30 2D 44 31 2E 30 3B 34 3D 32 31 30 "
	  "32 32 39 30 30 30 30 30 30 30 30 30 30 30 30 30 31 3B 35 3D 31 3B 36 3D 31 3B C2 F7" },
	{ "function code 4", NULL, 0, "01 04 2B 10 00 01 39 EB", "01 84 01 82 C0" },
	{ "no registers", NULL, 0, "01 03 2B 10 00 00 4D EB", "01 83 03 01 31" },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		bench(false);
		for (size_t k = 0; k < vectors[i].n; k++)
			sim_device_force(&srv.dev, vectors[i].pokes[k].base,
					 vectors[i].pokes[k].value);
		give(1000, vectors[i].request);
		collect(1000000);
		expect(vectors[i].name, vectors[i].reply);
	}
}

static void test_alarm_vectors(void **state)
{
	(void)state;
	bench(false);
	sim_device_battery_plug(&srv.dev, false);
	give(1000, "01 03 A0 DC 00 1B E6 3B");
	collect(1000000);
	expect("battery disconnected",
	       "01 03 36 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	       "00 00 00 00 00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	       "00 00 00 EB 17");
	bench(false);
	sim_device_bypass(&srv.dev, true);
	give(1000, "01 03 A0 DC 00 1B E6 3B");
	collect(1000000);
	expect("bypass voltage abnormal",
	       "01 03 36 00 00 00 00 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 00 "
	       "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
	       "00 00 00 3B 01");
}

/* 9600 baud, 10 bits a byte: 8 bytes in, 12 to 16 ms, 7 bytes out. */
static void test_pace(void **state)
{
	(void)state;
	bench(true);
	give(1000000, "01 03 2B 10 00 01 8C 2B");
	collect(2000000);
	expect("paced", "01 03 02 00 02 39 85");
	assert_in_range(last_us, 1000000 + 8333 + 12000 + 7291, 1000000 + 8334 + 16000 + 7292);

	give(3000000, "01 03 2B 10 00"); /* in two pieces, as an adapter hands it over */
	collect(3004000);
	give(3004000, "01 8C 2B");
	collect(4000000);
	expect("in pieces", "01 03 02 00 02 39 85");

	bench(true); /* the second waits until the first is answered */
	give(0, "01 03 2B 10 00 01 8C 2B 01 03 2B 14 00 01 CD EA");
	collect(1000000);
	expect("two at once", "01 03 02 00 02 39 85 01 03 02 00 03 F8 45");
	assert_true(last_us >= 8333 + 2 * (12000 + 7291));

	bench(false);
	give(5, "01 03 2B 10 00 01 8C 2B");
	collect(5);
	expect("at once", "01 03 02 00 02 39 85");
}

static void test_bad_frames(void **state)
{
	static const struct {
		const char *name, *bytes, *reply;
	} rows[] = {
		{ "bad CRC", "01 03 2B 10 00 01 8C 2C", "" },
		{ "another unit id", "02 03 2B 10 00 01 8C 18", "" },
		{ "broadcast", "00 03 2B 10 00 01 8D FA", "" },
		{ "half a request", "01 03 2B 10", "" },
		{ "one byte", "01", "" },
		{ "zeros", "00 00 00 00 00 00 00 00 00 00", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bench(true);
		give(0, rows[i].bytes);
		collect(1000000);
		expect(rows[i].name, rows[i].reply);
		give(2000000, "01 03 2B 10 00 01 8C 2B"); /* and it still answers */
		collect(3000000);
		expect(rows[i].name, "01 03 02 00 02 39 85");
	}
	bench(true);
	srv.dev.dialect.crc_exception = 1;
	give(0, "01 03 2B 10 00 01 8C 2C");
	collect(1000000);
	expect("bad CRC answered", "01 83 03 01 31");
	for (int i = 0; i < 200; i++) /* more than fits: dropped, counted, survived */
		give(1000000, "01 03 2B 10 00 01 8C 2B");
	assert_true(srv.count.bytes_dropped > 0);
	collect(60000000);
	give(70000000, "01 03 2B 10 00 01 8C 2B");
	collect(71000000);
	expect("afterwards", "01 03 02 00 02 39 85");
}

static const char ask_1024[] = "01 03 2B 10 00 01 8C 2B";
static const char said_1024[] = "01 03 02 00 02 39 85";

/* Each fault strikes once; the next request is answered as ever. */
static void test_faults(void **state)
{
	static const struct {
		const char *fault, *request, *reply;
	} rows[] = {
		{ "lose-request once", ask_1024, "" },
		{ "lose-reply once", ask_1024, "" },
		{ "mute once", ask_1024, "" },
		{ "corrupt-request once", ask_1024, "" },
		{ "duplicate once", ask_1024, "01 03 02 00 02 39 85 01 03 02 00 02 39 85" },
		{ "exception once", ask_1024, "01 83 05 81 33" },
		{ "exception once code=4", ask_1024, "01 83 04 40 F3" },
		{ "exception once code=5 fc=6", "01 06 2B 26 00 01 A0 25", "01 86 05 82 63" },
		{ "exception x1 base=1024", ask_1024, "01 83 05 81 33" },
		{ "wrong-answer once", ask_1024, "01 03 02 00 08 B9 82" },
		{ "all-7fff once", ask_1024, "01 03 02 7F FF D8 34" },
		{ "all-ffff once", ask_1024, "01 03 02 FF FF B9 F4" },
		{ "foreign once unit=2", ask_1024, "02 03 02 00 02 7D 85" },
		{ "foreign once unit=2 mode=before", ask_1024,
		  "02 03 02 00 02 7D 85 01 03 02 00 02 39 85" },
		{ "late once min=100 max=2000", ask_1024, said_1024 },
		{ "slow once min=100 max=100", ask_1024, said_1024 },
		/* not this one */
		{ "mute once fc=6", ask_1024, said_1024 },
		{ "mute once base=1043", ask_1024, said_1024 },
		{ "mute 0", ask_1024, said_1024 },
		{ "mute off", ask_1024, said_1024 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bench(true);
		fault(rows[i].fault);
		give(0, rows[i].request);
		collect(3000000);
		expect(rows[i].fault, rows[i].reply);
		give(4000000, ask_1024);
		collect(5000000);
		expect(rows[i].fault, said_1024);
	}
}

static void test_lost_writes(void **state)
{
	(void)state;
	bench(true);
	fault("lose-reply once");
	give(0, "01 06 2B 26 00 01 A0 25");
	collect(1000000);
	expect("lost reply", "");
	assert_int_equal(srv.dev.muted, 1); /* done */

	bench(true);
	fault("lose-request once");
	give(0, "01 06 2B 26 00 01 A0 25");
	collect(1000000);
	assert_int_equal(srv.dev.muted, 0); /* not done */
}

static void test_spoilt_bytes(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 50; seed++) {
		unsigned bits = 0;
		uint8_t want[16];

		bench(true);
		srv.faults.rng = seed;
		fault("corrupt");
		give(0, ask_1024);
		collect(1000000);
		assert_int_equal(out_len, from_hex(said_1024, want));
		for (size_t i = 0; i < out_len; i++)
			bits += (unsigned)__builtin_popcount(out[i] ^ want[i]);
		assert_int_equal(bits, 1);

		bench(true);
		srv.faults.rng = seed;
		fault("truncate");
		give(0, ask_1024);
		collect(1000000);
		assert_in_range(out_len, 1, 6);
		assert_memory_equal(out, want, out_len);
	}
}

static void test_invalid_battery(void **state)
{
	(void)state;
	bench(true);
	fault("invalid");
	give(0, "01 03 2E E0 00 22 CD 0D");
	collect(1000000);
	assert_int_equal(out_len, 73);
	assert_int_equal(out[3] << 8 | out[4], 0x7fff);
	assert_true(((out[7] << 8 | out[8]) == 0xa000) || ((out[7] << 8 | out[8]) == 0xffff));
	assert_int_equal(out[10], 100); /* the charge stays good */
}

static void test_late(void **state)
{
	(void)state;
	bench(true); /* later ones wait */
	fault("late once min=1000 max=1000");
	give(0, ask_1024);
	give(100000, "01 03 2B 14 00 01 CD EA");
	collect(900000);
	expect("nothing yet", "");
	collect(2000000);
	expect("in order", "01 03 02 00 02 39 85 01 03 02 00 03 F8 45");

	bench(true); /* later ones overtake */
	fault("late once min=1000 max=1000 mode=overtake");
	give(0, ask_1024);
	give(100000, "01 03 2B 14 00 01 CD EA");
	collect(900000);
	expect("the second", "01 03 02 00 03 F8 45");
	collect(2000000);
	expect("the first", said_1024);
}

static void test_wrong_answer(void **state)
{
	(void)state;
	bench(true); /* what was asked before with the same length */
	give(0, "01 03 4A 41 00 01 C2 06");
	collect(1000000);
	fault("wrong-answer");
	give(1000000, ask_1024);
	collect(2000000);
	expect("9009 instead of 1024", "01 03 02 00 0A 38 43");
}

static void test_noise_and_echo(void **state)
{
	(void)state;
	bench(true);
	fault("noise rate=960");
	collect(1000000);
	assert_in_range(out_len, 900, 1000);
	fault("noise off");
	collect(1100000);
	give(1100000, ask_1024);
	collect(2000000);
	expect("after noise", said_1024);

	fault("echo");
	give(3000000, ask_1024);
	collect(4000000);
	expect("echo", "01 03 2B 10 00 01 8C 2B 01 03 02 00 02 39 85");
	assert_true(first_us < 3000000 + 12000 + 8333);
}

static void test_lockup(void **state)
{
	(void)state;
	bench(true);
	fault("lockup always");
	give(0, ask_1024); /* well-formed frames do no harm */
	collect(1000000);
	expect("before", said_1024);
	give(1000000, "01 03 2B 10 00 01 8C 2C");
	collect(2000000);
	give(2000000, ask_1024);
	collect(3000000);
	expect("locked", "");
	sim_device_battery_plug(&srv.dev, false); /* fully off, and on again */
	sim_device_mains(&srv.dev, false, 220, 50);
	sim_device_mains(&srv.dev, true, 220, 50);
	collect(20000000);
	give(20000000, ask_1024);
	collect(21000000);
	expect("after a power cycle", said_1024);
}

static void test_fault_words(void **state)
{
	static const char *const bad[] = {
		"",
		"nonsense",
		"mute twice",
		"mute 1.5",
		"mute -1",
		"mute x0",
		"mute xx",
		"mute code=4",
		"late min=-1",
		"late min=",
		"late mode=sideways",
		"late mode=before",
		"foreign mode=queue",
		"exception code=0",
		"exception code=256",
		"noise rate=0",
		"mute 0.5 always",
		"off mute",
	};
	static const char *const good[] = {
		"mute",
		"mute always",
		"mute once",
		"mute x3",
		"mute 0.25",
		"mute fc=3",
		"mute off",
		"off",
		"late 0.1 min=10 max=20 mode=overtake",
		"exception 1 code=0x04 base=1044",
		"  mute  ",
	};
	struct sim_faults before;
	char err[200];

	(void)state;
	bench(true);
	before = srv.faults;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err[0] = '\0';
		if (sim_faults_set(&srv.faults, bad[i], err, sizeof(err)) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(err[0]);
		assert_memory_equal(&srv.faults, &before, sizeof(before));
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		fault(good[i]);
}

static void test_speed(void **state)
{
	(void)state;
	bench(true);
	sim_server_speed(&srv, 0, 60);
	sim_device_mains(&srv.dev, false, 220, 50);
	give(0, "01 06 2B 29 00 0A D1 E1"); /* off in 60 s, that is 1 s of the line */
	collect(990000);
	assert_int_equal(srv.dev.source, SIM_SOURCE_BATTERY);
	collect(1020000);
	assert_int_equal(srv.dev.source, SIM_SOURCE_OFF);
}

static void test_logs(void **state)
{
	(void)state;
	bench(false);
	for (int i = 0; i < 150; i++)
		give(1000 * i, ask_1024);
	give(1000000, "01 10 2B 27 00 02 04 00 0A 00 01 BB 62");
	assert_non_null(sim_server_log(&srv, SIM_LOG_MAX - 1));
	assert_null(sim_server_log(&srv, SIM_LOG_MAX));
	assert_int_equal(sim_server_log(&srv, SIM_LOG_MAX - 1)->rx_len, 13);
	assert_int_equal(sim_server_log(&srv, SIM_LOG_MAX - 1)->tx_len, 8);
	assert_int_equal(sim_server_write(&srv, 0)->addr, 11047);
	assert_int_equal(sim_server_write(&srv, 0)->value, 10);
	assert_int_equal(sim_server_write(&srv, 1)->addr, 11048);
	assert_int_equal(sim_server_write(&srv, 1)->fc, 16);
	assert_null(sim_server_write(&srv, 2));
}

static void ask_id(uint8_t code, uint8_t object)
{
	uint8_t frame[7] = { 1, 0x2b, 0x0e, code, object };
	uint16_t crc = crc16(frame, 5);

	frame[5] = (uint8_t)crc;
	frame[6] = (uint8_t)(crc >> 8);
	sim_server_receive(&srv, srv.now_us + 1000, frame, sizeof(frame));
	collect(srv.now_us + 1000000);
}

static void test_identifications(void **state)
{
	static const struct {
		const char *dialect;
		uint8_t code, object;
		uint8_t more, next, count, first; /* count 0: exception "first" */
		size_t len;
	} rows[] = {
		{ NULL, 3, 0x87, 0x00, 0x00, 2, 0x87, 86 },
		{ NULL, 1, 0x00, 0x00, 0x00, 3, 0x00, 8 + 8 + 10 + 13 + 2 },
		{ NULL, 3, 0x55, 0x00, 0x00, 5, 0x00, 8 + 8 + 10 + 13 + 6 + 70 + 2 },
		{ NULL, 4, 0x01, 0x00, 0x00, 1, 0x01, 8 + 10 + 2 },
		{ NULL, 4, 0x55, 0x00, 0x00, 0, 2, 5 },
		{ NULL, 5, 0x00, 0x00, 0x00, 0, 3, 5 },
		{ "id-open", 3, 0x87, 0x00, 0x00, 2, 0x87, 85 },
		{ "id-several=2", 3, 0x87, 0x00, 0x00, 3, 0x87, 86 + 70 },
		{ "id-several=4", 3, 0x87, 0xff, 0x8b, 4, 0x87, 86 + 2 * 70 },
		{ "id-several=4", 3, 0x8b, 0x00, 0x00, 1, 0x8b, 8 + 70 + 2 },
		{ "id-split", 3, 0x87, 0xff, 0x88, 1, 0x87, 8 + 6 + 2 },
		{ "id-split", 3, 0x88, 0x00, 0x00, 1, 0x88, 8 + 70 + 2 },
		{ "id-basic", 3, 0x87, 0x00, 0x00, 3, 0x00, 8 + 8 + 10 + 13 + 2 },
		{ "id-none", 3, 0x87, 0x00, 0x00, 0, 1, 5 },
		{ "id-none", 1, 0x00, 0x00, 0x00, 0, 1, 5 },
	};
	char err[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bench(false);
		if (rows[i].dialect)
			sim_dialect_set(&srv.dev.dialect, rows[i].dialect, 1, err, sizeof(err));
		ask_id(rows[i].code, rows[i].object);
		if (out_len != rows[i].len)
			fail_msg("row %zu: %zu bytes, not %zu", i, out_len, rows[i].len);
		if (rows[i].count == 0) {
			assert_int_equal(out[1], 0xab);
			assert_int_equal(out[2], rows[i].first);
			continue;
		}
		assert_int_equal(out[5], rows[i].more);
		assert_int_equal(out[6], rows[i].next);
		assert_int_equal(out[7], rows[i].count);
		assert_int_equal(out[8], rows[i].first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	       cmocka_unit_test(test_alarm_vectors),
		cmocka_unit_test(test_pace),	       cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_faults),	       cmocka_unit_test(test_lost_writes),
		cmocka_unit_test(test_spoilt_bytes),   cmocka_unit_test(test_invalid_battery),
		cmocka_unit_test(test_late),	       cmocka_unit_test(test_wrong_answer),
		cmocka_unit_test(test_noise_and_echo), cmocka_unit_test(test_lockup),
		cmocka_unit_test(test_fault_words),    cmocka_unit_test(test_speed),
		cmocka_unit_test(test_logs),	       cmocka_unit_test(test_identifications),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
