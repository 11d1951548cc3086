#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim_bench.h"
#include "util/util.h"

enum { NEVER = -1 };

static bool output(const struct sim_device *dev)
{
	return dev->source != SIM_SOURCE_OFF;
}

static void mains(struct sim_device *dev, bool on)
{
	sim_device_mains(dev, on, 220, 50);
}

static void dialect(struct sim_device *dev, const char *word)
{
	char err[200];

	assert_int_equal(sim_dialect_set(&dev->dialect, word, 1, err, sizeof(err)), 0);
}

/* Registers of a device at rest. Normal 1043 is 0x0008: docs/protocol.md, status bits. */
static void test_at_rest(void **state)
{
	static const struct {
		uint16_t base;
		int value;
	} rows[] = {
		{ 1000, 2200 },
		{ 1003, 500 },
		{ 1004, 2200 },
		{ 1007, 500 },
		{ 1008, 2200 },
		{ 1011, 14 },
		{ 1014, 500 },
		{ 1015, 2 },
		{ 1018, 3 },
		{ 1021, 300 },
		{ 1024, 2 },
		{ 1025, 0 },
		{ 1026, 0 },
		{ 1027, 253 },
		{ 1028, 3 },
		{ 1043, 8 },
		{ 1044, 1 },
		{ 1045, 0 },
		{ 1046, 0 },
		{ 1047, 0 },
		{ 1048, 0 },
		{ 1049, 0 },
		{ 2000, 273 },
		{ 2002, 3 },
		{ 2003, 100 },
		{ 2007, 2 },
		{ 2033, 9 },
		{ 9009, 10 },
		/* write only */
		{ 1029, 0 },
		{ 1030, 0 },
		{ 1050, 0 },
		{ 2021, 0 },
		{ 2023, 0 },
		{ 2028, 0 },
		/* undefined alone */
		{ 999, -3 },
		{ 1001, -3 },
		{ 1031, -3 },
		{ 1051, -3 },
		{ 1999, -3 },
		{ 2001, -3 },
		{ 2034, -3 },
		{ 9008, -3 },
		{ 9010, -3 },
	};
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (bench_read(&dev, rows[i].base) != rows[i].value)
			fail_msg("register %u reads %d, not %d", rows[i].base,
				 bench_read(&dev, rows[i].base), rows[i].value);
}

/* What can be written: docs/protocol.md, configuration and control. */
static void test_write_values(void **state)
{
	static const struct {
		uint16_t base, value;
		int result;
	} rows[] = {
		{ 1044, 0, 0 },
		{ 1044, 1, 0 },
		{ 1044, 2, 3 },
		{ 1045, 1, 0 },
		{ 1045, 2, 3 },
		{ 1046, 1, 0 },
		{ 1046, 0xffff, 3 },
		{ 1047, 0, 3 },
		{ 1047, 990, 0 },
		{ 1047, 991, 3 },
		{ 1048, 0, 3 },
		{ 1048, 9999, 0 },
		{ 1048, 10000, 3 },
		{ 1049, 0, 3 },
		{ 1049, 1, 0 },
		{ 1049, 990, 0 },
		{ 1049, 991, 3 },
		{ 1050, 0, 3 },
		{ 1050, 1, 0 },
		{ 1029, 0, 3 },
		{ 1029, 1, 0 },
		{ 1029, 2, 3 },
		{ 1030, 0, 3 },
		{ 1030, 2, 3 },
		{ 2021, 0, 3 },
		{ 2023, 1, 0 },
		{ 2028, 2, 3 },
		/* read only, undefined */
		{ 1024, 1, 2 },
		{ 1043, 1, 2 },
		{ 2003, 1, 2 },
		{ 9009, 10, 2 },
		{ 1031, 1, 2 },
		{ 2020, 1, 2 },
		{ 1062, 1, 2 },
	};
	struct sim_device dev;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int result;

		bench_init(&dev);
		result = bench_write(&dev, rows[i].base, rows[i].value);
		if (result != rows[i].result)
			fail_msg("%u := %u gives %d, not %d", rows[i].base, rows[i].value, result,
				 rows[i].result);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		const char *dialect;
		uint16_t addr, n;
		int exception; /* 0: registers */
	} rows[] = {
		{ NULL, 11000, 28, 0 },
		{ NULL, 11000, 43, 0 },
		{ NULL, 11000, 51, 0 },
		{ NULL, 11000, 52, 2 },
		{ NULL, 12000, 34, 0 },
		{ NULL, 41180, 27, 0 },
		{ NULL, 41179, 28, 0 },
		{ NULL, 41179, 29, 2 },
		{ NULL, 11024, 20, 0 },
		{ NULL, 11031, 12, 2 }, /* nothing but gaps */
		{ NULL, 1000, 1, 2 },
		{ "bare-addresses", 1000, 28, 0 },
		{ "bare-addresses", 40156, 27, 0 },
		{ NULL, 21000, 28, 2 }, /* UPS number 2 */
		{ "id-several", 21000, 28, 0 },
		{ "id-several", 31000, 28, 2 },
		{ NULL, 65535, 1, 2 },
		{ "gaps-refused", 11024, 20, 2 },
		{ "gaps-refused", 11024, 5, 0 },
		{ "gaps-refused", 41180, 27, 0 },
		{ "max-read=34", 12000, 34, 0 },
		{ "max-read=33", 12000, 34, 2 },
	};
	uint8_t pdu[PDU_MAX], reply[PDU_MAX];
	struct sim_device dev;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = pdu_put_read(pdu, rows[i].addr, rows[i].n);
		int exception;

		bench_init(&dev);
		if (rows[i].dialect)
			dialect(&dev, rows[i].dialect);
		len = bench_ask(&dev, pdu, len, reply);
		exception = reply[0] & 0x80 ? reply[1] : 0;
		if (exception != rows[i].exception || (!exception && len != 2 + 2u * rows[i].n))
			fail_msg("%u x %u (%s): exception %d, %zu bytes", rows[i].addr, rows[i].n,
				 rows[i].dialect ? rows[i].dialect : "-", exception, len);
	}
}

/* Switching off by the clock */

struct race {
	const char *name;
	const char *dialect;
	uint16_t off, on; /* 1047, 1048; on == 0: off is 1049 */
	uint16_t autostart;
	double mains_off, mains_on; /* seconds; NEVER */
	double off_at, on_at;	    /* output */
};

/*
 * Armed at 0 s with 30 s; the pair stays off 60 s. Starting takes 6 s, booting before that 4 s.
 * Source: docs/protocol.md, the power race table, and Q5 for 1049.
 */
static const struct race races[] = {
	{ "pair, mains never lost", NULL, 5, 1, 1, NEVER, NEVER, 30, 96 },
	{ "pair, mains back before off", NULL, 5, 1, 1, 0, 20, 30, 96 },
	{ "pair, mains back while off", NULL, 5, 1, 1, 0, 60, 30, 96 },
	{ "pair, mains lost while off", NULL, 5, 1, 1, 40, 200, 30, 210 },
	{ "pair, mains back after the end", NULL, 5, 1, 1, 0, 120, 30, 130 },
	{ "pair, mains do not come back", NULL, 5, 1, 1, 0, NEVER, 30, NEVER },
	{ "pair, 1044 = 0, mains never lost", NULL, 5, 1, 0, NEVER, NEVER, 30, NEVER },
	{ "pair, 1044 = 0, mains back", NULL, 5, 1, 0, 0, 120, 30, NEVER },
	{ "1049 on battery, 1044 = 0", NULL, 5, 0, 0, 0, 120, 30, NEVER },
	{ "1049 on battery, 1044 = 1, board still alive", NULL, 5, 0, 1, 0, 60, 30, 66 },
	{ "1049 on battery, 1044 = 1, board dead", NULL, 5, 0, 1, 0, 120, 30, 130 },
	{ "1049, mains never lost", NULL, 5, 0, 1, NEVER, NEVER, 30, NEVER },
	{ "1049, mains back before off", NULL, 5, 0, 1, 0, 20, 30, NEVER },
	{ "1049, mains never lost", "restart-1049", 5, 0, 1, NEVER, NEVER, 30, 36 },
	{ "1049, mains never lost, 1044 = 0", "restart-1049", 5, 0, 0, NEVER, NEVER, 30, NEVER },
};

static void run_race(const struct race *r)
{
	double off_at = NEVER, on_at = NEVER;
	struct sim_device dev;

	bench_init(&dev);
	if (r->dialect)
		dialect(&dev, r->dialect);
	assert_int_equal(bench_write(&dev, 1044, r->autostart), 0);
	if (r->on)
		assert_int_equal(bench_write_two(&dev, 1047, r->off, r->on), 0);
	else
		assert_int_equal(bench_write(&dev, 1049, r->off), 0);
	for (int ds = 0; ds <= 4000; ds++) { /* tenths of a second */
		sim_device_advance(&dev, S(ds / 10.0));
		if (ds == (int)(r->mains_off * 10))
			mains(&dev, false);
		if (ds == (int)(r->mains_on * 10))
			mains(&dev, true);
		if (off_at < 0 && !output(&dev))
			off_at = ds / 10.0;
		if (off_at >= 0 && on_at < 0 && output(&dev))
			on_at = ds / 10.0;
	}
	if (off_at != r->off_at || on_at != r->on_at)
		fail_msg("%s: off at %.1f s, on at %.1f s; not %.1f and %.1f", r->name, off_at,
			 on_at, r->off_at, r->on_at);
	assert_int_equal(dev.pair_off, 0);
	assert_int_equal(dev.off_delay, 0);
}

static void test_races(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(races); i++)
		run_race(&races[i]);
}

/* Which writes arm the pair, by dialect. A write is base and value; base 0 is the 0x10 frame. */
static void test_arming(void **state)
{
	static const struct {
		const char *dialect;
		struct {
			uint16_t base, value;
		} writes[2];
		int status; /* of the last */
		bool armed;
	} rows[] = {
		{ NULL, { { 0, 0 } }, 0, true },
		{ NULL, { { 1047, 5 } }, 0, false },
		{ NULL, { { 1048, 1 } }, 0, false },
		{ NULL, { { 1047, 5 }, { 1048, 1 } }, 0, true },
		{ NULL, { { 1048, 1 }, { 1047, 5 } }, 0, true },
		{ "pair-only", { { 0, 0 } }, 0, true },
		{ "pair-only", { { 1047, 5 }, { 1048, 1 } }, 0, false },
		{ "pair-order", { { 1047, 5 }, { 1048, 1 } }, 0, true },
		{ "pair-order", { { 1048, 1 }, { 1047, 5 } }, 0, false },
		{ "arm-1047", { { 1047, 5 } }, 0, true },
		{ "arm-1047", { { 1048, 5 } }, 0, false },
		{ "arm-1048", { { 1048, 1 } }, 0, true },
		{ "arm-1048", { { 1047, 5 } }, 0, false },
		{ "arm-1048", { { 0, 0 } }, 0, true },
		{ "pair-refused", { { 0, 0 } }, 2, false },
		{ "pair-refused", { { 1047, 5 } }, 2, false },
		{ "pair-refused=4", { { 1048, 1 } }, 4, false },
		{ "fc10-silent", { { 0, 0 } }, -1000, false },
		{ "fc10-silent", { { 1047, 5 }, { 1048, 1 } }, 0, true },
		{ "fc10-refused", { { 0, 0 } }, 1, false },
		{ "fc10-refused", { { 1047, 5 }, { 1048, 1 } }, 0, true },
		{ "ack-only", { { 0, 0 } }, 0, false },
		{ "ack-only", { { 1047, 5 }, { 1048, 1 } }, 0, false },
		{ "h-family", { { 0, 0 } }, 2, false },
		{ "h-family", { { 1047, 5 } }, 2, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim_device dev;
		int status = 0;

		bench_init(&dev);
		if (rows[i].dialect)
			dialect(&dev, rows[i].dialect);
		if (rows[i].writes[0].base == 0)
			status = bench_write_two(&dev, 1047, 5, 1);
		for (size_t k = 0; k < 2 && rows[i].writes[k].base; k++)
			status = bench_write(&dev, rows[i].writes[k].base, rows[i].writes[k].value);
		sim_device_advance(&dev, S(30));
		if (status != rows[i].status || output(&dev) == rows[i].armed)
			fail_msg("row %zu (%s): status %d, output %d", i,
				 rows[i].dialect ? rows[i].dialect : "-", status, output(&dev));
	}
}

static void test_cancel(void **state)
{
	static const struct {
		const char *dialect;
		bool pair;
		bool cancelled;
	} rows[] = {
		{ NULL, false, true },
		{ NULL, true, true },
		{ "cancel-not-pair", false, true },
		{ "cancel-not-pair", true, false },
		{ "no-cancel", false, false },
		{ "no-cancel", true, false },
		{ "ack-only", false, true }, /* nothing was armed */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim_device dev;

		bench_init(&dev);
		if (rows[i].dialect)
			dialect(&dev, rows[i].dialect);
		if (rows[i].pair)
			bench_write_two(&dev, 1047, 5, 1);
		else
			bench_write(&dev, 1049, 5);
		sim_device_advance(&dev, S(29));
		assert_int_equal(bench_write(&dev, 1050, 1), 0);
		assert_int_equal(bench_read(&dev, rows[i].pair ? 1047 : 1049),
				 rows[i].cancelled ? 0 : 5);
		sim_device_advance(&dev, S(31));
		if (output(&dev) != rows[i].cancelled)
			fail_msg("row %zu: output %d", i, output(&dev));
	}
}

static void test_timer_reads(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	bench_write(&dev, 1049, 10);
	sim_device_advance(&dev, S(31));
	assert_int_equal(bench_read(&dev, 1049), 10);
	dialect(&dev, "count-down");
	assert_int_equal(bench_read(&dev, 1049), 5); /* 29 s left */
	bench_write(&dev, 1049, 10);		     /* restarts */
	sim_device_advance(&dev, S(90.9));
	assert_true(output(&dev));
	sim_device_advance(&dev, S(91));
	assert_false(output(&dev));

	bench_init(&dev);
	dialect(&dev, "timer-keeps");
	bench_write(&dev, 1049, 10);
	sim_device_advance(&dev, S(31));
	bench_write(&dev, 1049, 10);
	sim_device_advance(&dev, S(60));
	assert_false(output(&dev));

	bench_init(&dev);
	dialect(&dev, "zero-cancels");
	bench_write(&dev, 1049, 10);
	assert_int_equal(bench_write(&dev, 1049, 0), 0);
	sim_device_advance(&dev, S(61));
	assert_true(output(&dev));
}

/* On, off, bypass */

static void test_off_and_on(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	assert_int_equal(bench_write(&dev, 1030, 1), 0);
	assert_int_equal(bench_read(&dev, 1024), 0);
	assert_int_equal(bench_read(&dev, 1028), 0);
	assert_int_equal(bench_read(&dev, 1008), 0);
	assert_int_equal(bench_read(&dev, 1011), 0);
	assert_int_equal(bench_read(&dev, 1000), 2200);
	assert_int_equal(bench_write(&dev, 1029, 1), 0);
	assert_int_equal(bench_read(&dev, 1028), 1);
	assert_int_equal(bench_write(&dev, 1030, 1), 4); /* no actions while it starts */
	sim_device_advance(&dev, S(5.9));
	assert_int_equal(bench_read(&dev, 1028), 1);
	sim_device_advance(&dev, S(6));
	assert_int_equal(bench_read(&dev, 1028), 3);
	assert_int_equal(bench_read(&dev, 1024), 2);
}

static void test_start_fails(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	dialect(&dev, "start-fails");
	bench_write(&dev, 1030, 1);
	bench_write(&dev, 1029, 1);
	sim_device_advance(&dev, S(6));
	assert_int_equal(bench_read(&dev, 1028), 2);
	assert_int_equal(bench_read(&dev, 1024), 0);
	dev.dialect.start_fails = 0;
	bench_write(&dev, 1029, 1); /* 2: failed, can start */
	sim_device_advance(&dev, S(12));
	assert_int_equal(bench_read(&dev, 1028), 3);

	bench_init(&dev); /* 30/1 refuses a start */
	bench_write(&dev, 1030, 1);
	sim_device_temperature(&dev, 51);
	bench_write(&dev, 1029, 1);
	sim_device_advance(&dev, S(6));
	assert_int_equal(bench_read(&dev, 1028), 2);
}

static void test_bypass(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	sim_device_mains(&dev, true, 231, 50);
	bench_write(&dev, 1045, 1);
	bench_write(&dev, 1030, 1); /* "off" means bypass */
	assert_int_equal(bench_read(&dev, 1024), 1);
	assert_int_equal(bench_read(&dev, 1008), 2310);
	assert_int_equal(dev.output_offs, 0);
	bench_write(&dev, 1029, 1);
	sim_device_advance(&dev, S(3));
	assert_int_equal(bench_read(&dev, 1024), 1); /* until the inverter runs */
	sim_device_advance(&dev, S(6));
	assert_int_equal(bench_read(&dev, 1024), 2);
	assert_int_equal(dev.output_offs, 0);

	bench_write(&dev, 1030, 1);
	sim_device_bypass(&dev, true); /* out of range: the load is dropped */
	assert_int_equal(bench_read(&dev, 1024), 0);
	assert_int_equal(bench_read(&dev, 1004), 0);
	sim_device_bypass(&dev, false);
	assert_int_equal(bench_read(&dev, 1024), 1);
	bench_write(&dev, 1045, 0); /* and so does this */
	assert_int_equal(bench_read(&dev, 1024), 0);

	bench_init(&dev); /* no bypass without mains */
	mains(&dev, false);
	bench_write(&dev, 1045, 1);
	bench_write(&dev, 1030, 1);
	assert_int_equal(bench_read(&dev, 1024), 0);

	bench_init(&dev);
	dialect(&dev, "off-ignored");
	bench_write(&dev, 1030, 1);
	assert_int_equal(bench_read(&dev, 1024), 2);
	mains(&dev, false);
	bench_write(&dev, 1030, 1);
	assert_int_equal(bench_read(&dev, 1024), 0);
}

/* Mains and battery */

static void test_outage(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	mains(&dev, false);
	assert_int_equal(bench_read(&dev, 1024), 3);
	assert_int_equal(bench_read(&dev, 1000), 0);
	assert_int_equal(bench_read(&dev, 1003), 0);
	assert_int_equal(bench_read(&dev, 1004), 0);
	assert_int_equal(bench_read(&dev, 1008), 2200);
	assert_int_equal(bench_read(&dev, 1043), 0x88);
	assert_int_equal(bench_read(&dev, 2002), 5);
	sim_device_battery_charge(&dev, 20);
	assert_int_equal(bench_read(&dev, 1043), 0xc8);
	mains(&dev, true);
	assert_int_equal(bench_read(&dev, 1024), 3);
	assert_int_equal(bench_read(&dev, 1043) & 0x80, 0);
	sim_device_advance(&dev, S(1)); /* retransfer */
	assert_int_equal(bench_read(&dev, 1024), 2);
	assert_int_equal(bench_read(&dev, 2002), 4);
	sim_device_mains(&dev, true, 120, 50); /* too low is lost too */
	assert_int_equal(bench_read(&dev, 1024), 3);
	assert_int_equal(bench_read(&dev, 1000), 1200);
}

static void test_empty_battery(void **state)
{
	struct sim_device dev;
	int64_t empty, low;
	int charge = 101;

	(void)state;
	bench_init(&dev);
	empty = S(sim_device_runtime_s(&dev));
	mains(&dev, false);
	for (low = 0; !(bench_read(&dev, 1043) & 0x40); low += S(1)) {
		assert_true(bench_read(&dev, 2003) <= charge);
		charge = bench_read(&dev, 2003);
		sim_device_advance(&dev, low);
	}
	assert_in_range(bench_read(&dev, 2003), 19, 20);
	sim_device_advance(&dev, empty - S(1));
	assert_true(output(&dev));
	assert_int_equal(bench_read(&dev, 2003), 0);
	sim_device_advance(&dev, empty + S(2));
	assert_int_equal(bench_read(&dev, 1024), 0);
	assert_int_equal(bench_read(&dev, 1028), 0);
	sim_device_advance(&dev, empty + S(70));
	assert_int_equal(bench_read(&dev, 1024), -1000); /* the board went off, too */
	sim_device_advance(&dev, empty + S(100));
	mains(&dev, true);
	sim_device_advance(&dev, empty + S(103));
	assert_int_equal(bench_read(&dev, 1024), -1000);
	sim_device_advance(&dev, empty + S(110));
	assert_int_equal(bench_read(&dev, 1024), 2); /* 1044 = 1 */
	assert_int_equal(bench_read(&dev, 1043), 0x48);
	sim_device_advance(&dev, empty + S(6 * 3600));
	assert_int_equal(bench_read(&dev, 2003), 100);
	assert_int_equal(bench_read(&dev, 2002), 3);
	assert_int_equal(bench_read(&dev, 1043), 0x08);
}

/* However often one looks, it is the same. */
static void test_steps_do_not_matter(void **state)
{
	struct sim_device once, often;

	(void)state;
	bench_init(&often);
	memcpy(&once, &often, sizeof(once)); /* padding, too */
	mains(&once, false);
	mains(&often, false);
	for (int i = 1; i <= 100000; i++)
		sim_device_advance(&often, i * INT64_C(7001));
	sim_device_advance(&once, 100000 * INT64_C(7001));
	assert_memory_equal(&once, &often, sizeof(once));
}

static void test_battery_unplugged(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	sim_device_battery_plug(&dev, false);
	assert_int_equal(bench_read(&dev, 1024), 2);
	assert_int_equal(bench_read(&dev, 2002), 0);
	assert_int_equal(bench_read(&dev, 2003), 0);
	dialect(&dev, "unplugged-invalid");
	assert_int_equal(bench_read(&dev, 2000), 0x7fff);
	assert_int_equal(bench_read(&dev, 2002), 0xffff);
	mains(&dev, false);
	assert_int_equal(bench_read(&dev, 1024), -1000);
	assert_false(output(&dev));
	sim_device_battery_plug(&dev, true);
	mains(&dev, true);
	sim_device_advance(&dev, S(10));
	assert_int_equal(bench_read(&dev, 1024), 2);
}

static void test_battery_volts(void **state)
{
	static const struct {
		int rating, blocks, float_raw;
	} rows[] = { { 1, 2, 273 }, { 2, 4, 546 }, { 3, 6, 819 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim_options opt;
		struct sim_device dev;

		sim_options_default(&opt);
		opt.rating = rows[i].rating;
		sim_device_init(&dev, &opt);
		assert_int_equal(bench_read(&dev, 2007), rows[i].blocks);
		assert_int_equal(bench_read(&dev, 2000), rows[i].float_raw);
		assert_int_equal(bench_read(&dev, 9009), rows[i].rating * 10);
	}
}

static void test_selftests(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	assert_int_equal(bench_write(&dev, 2028, 1), 0);
	assert_int_equal(bench_read(&dev, 1043), 0x0c);
	assert_int_equal(bench_read(&dev, 2002), 5);
	assert_int_equal(bench_read(&dev, 1024), 3);
	assert_int_equal(bench_write(&dev, 2021, 1), 4); /* one at a time */
	dialect(&dev, "test-shows-mains");
	assert_int_equal(bench_read(&dev, 1024), 2);
	sim_device_advance(&dev, S(10));
	assert_int_equal(bench_read(&dev, 1043), 0x08);
	assert_int_equal(bench_read(&dev, 1024), 2);

	assert_int_equal(bench_write(&dev, 2021, 1), 0); /* deep: until the battery is low */
	sim_device_advance(&dev, S(500));
	assert_int_equal(bench_read(&dev, 1043), 0x0c);
	sim_device_advance(&dev, S(3600));
	assert_int_equal(bench_read(&dev, 1043) & 0x04, 0);
	assert_int_equal(dev.output_offs, 0);

	bench_init(&dev);
	bench_write(&dev, 2021, 1);
	assert_int_equal(bench_write(&dev, 2023, 1), 0);
	assert_int_equal(bench_read(&dev, 1043), 0x08);

	bench_init(&dev); /* a mains failure ends it */
	bench_write(&dev, 2028, 1);
	mains(&dev, false);
	assert_int_equal(bench_read(&dev, 1043), 0x88);
	assert_int_equal(bench_write(&dev, 2028, 1), 4);

	bench_init(&dev);
	dialect(&dev, "test-stays");
	bench_write(&dev, 2028, 1);
	mains(&dev, false);
	assert_int_equal(bench_read(&dev, 1043), 0x8c);

	bench_init(&dev); /* 29/1 is the result of a test */
	sim_device_battery_worn(&dev, true);
	bench_write(&dev, 2028, 1);
	assert_int_equal(bench_read(&dev, 2028), 0);
	sim_device_advance(&dev, S(10));
	assert_int_equal(sim_device_alarms(&dev), 1u << 4);
}

static void test_eco(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	sim_device_mains(&dev, true, 231, 50);
	sim_device_panel_eco(&dev, true);
	assert_int_equal(bench_read(&dev, 1024), 5);
	assert_int_equal(bench_read(&dev, 1008), 2310);
	mains(&dev, false);
	assert_int_equal(bench_read(&dev, 1024), 3);
	dialect(&dev, "eco-battery-6");
	assert_int_equal(bench_read(&dev, 1024), 6);
	mains(&dev, true);
	sim_device_advance(&dev, S(1));
	assert_int_equal(bench_read(&dev, 1024), 5);
	sim_device_mains(&dev, true, 250, 50); /* too far off for ECO */
	assert_int_equal(bench_read(&dev, 1024), 2);
	assert_int_equal(bench_read(&dev, 1008), 2200);
}

/* Wire address of an alarm register is 1024 x N + base. */
static int alarm_register(struct sim_device *dev, uint16_t base)
{
	return bench_read(dev, (uint16_t)(1024 + base - 10000));
}

static void test_overload(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	sim_device_load(&dev, 105);
	assert_int_equal(sim_device_alarms(&dev), 0);
	sim_device_load(&dev, 108);
	sim_device_advance(&dev, S(299));
	assert_int_equal(bench_read(&dev, 1024), 2);
	sim_device_advance(&dev, S(300));
	assert_int_equal(bench_read(&dev, 1024), 1);
	sim_device_load(&dev, 80); /* back, but 66/3 stays until cleared by hand */
	sim_device_advance(&dev, S(302));
	assert_int_equal(bench_read(&dev, 1024), 2);
	assert_int_equal(sim_device_alarms(&dev), 1u << 20);
	sim_device_panel_clear(&dev);
	assert_int_equal(sim_device_alarms(&dev), 0);

	bench_init(&dev); /* on battery there is no bypass to go to */
	mains(&dev, false);
	sim_device_load(&dev, 120);
	sim_device_advance(&dev, S(30));
	assert_false(output(&dev));

	bench_init(&dev); /* C3 */
	sim_device_load(&dev, 120);
	assert_int_equal(alarm_register(&dev, 40174), 0x08);
	assert_int_equal(alarm_register(&dev, 40173), 0);
	dialect(&dev, "overload-40173");
	assert_int_equal(alarm_register(&dev, 40174), 0);
	assert_int_equal(alarm_register(&dev, 40173), 0x08);
}

/* All 22 of docs/protocol.md, alarms. */
static void test_alarms(void **state)
{
	static const struct {
		const char *name;
		uint16_t base, value;
	} rows[] = {
		{ "30/1", 40156, 1 << 3 },   { "10/1", 40161, 1 << 1 },
		{ "10/2", 40161, 1 << 2 },   { "25/1", 40163, 1 << 3 },
		{ "29/1", 40164, 1 << 1 },   { "26/1", 40164, 1 << 3 },
		{ "22/1", 40170, 1 << 4 },   { "66/1", 40173, 1 << 5 },
		{ "66/2", 40174, 1 << 3 },   { "14/1", 40174, 1 << 0 },
		{ "42/15", 40179, 1 << 14 }, { "42/17", 40179, 1 << 15 },
		{ "42/18", 40180, 1 << 1 },  { "42/24", 40180, 1 << 5 },
		{ "42/27", 40180, 1 << 6 },  { "42/28", 40180, 1 << 7 },
		{ "42/31", 40180, 1 << 10 }, { "42/32", 40180, 1 << 11 },
		{ "42/36", 40180, 1 << 13 }, { "42/42", 40182, 1 << 4 },
		{ "66/3", 40182, 1 << 13 },  { "66/4", 40182, 1 << 14 },
	};
	struct sim_device dev;

	(void)state;
	assert_int_equal(sim_alarm_count(), ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_init(&dev);
		assert_int_equal(sim_device_alarm(&dev, rows[i].name, 1), 0);
		for (uint16_t base = 40155; base <= 40182; base++) {
			int want = base == rows[i].base ? rows[i].value : 0;

			if (alarm_register(&dev, base) != want)
				fail_msg("%s: %u is %d", rows[i].name, base,
					 alarm_register(&dev, base));
		}
		assert_int_equal(bench_read(&dev, 1043),
				 strncmp(rows[i].name, "42/", 3) == 0 ? 0x18 : 0x08);
		assert_int_equal(sim_device_alarm(&dev, rows[i].name, 0), 0);
		assert_int_equal(sim_device_alarms(&dev), 0);
	}
	assert_int_not_equal(sim_device_alarm(&dev, "22/2", 1), 0);
	assert_int_not_equal(sim_device_alarm(&dev, "", 1), 0);

	bench_init(&dev); /* by themselves */
	mains(&dev, false);
	assert_int_equal(alarm_register(&dev, 40161), 2);
	assert_int_equal(sim_device_alarm(&dev, "10/1", 0), 0); /* held off */
	assert_int_equal(alarm_register(&dev, 40161), 0);
	assert_int_equal(sim_device_alarm(&dev, "10/1", -1), 0);
	assert_int_equal(alarm_register(&dev, 40161), 2);
	sim_device_mains(&dev, true, 220, 42);
	assert_int_equal(alarm_register(&dev, 40161), 4);
	sim_device_battery_plug(&dev, false);
	assert_int_equal(alarm_register(&dev, 40170), 16);
}

static void test_busy_and_old_values(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	dialect(&dev, "busy=2");
	assert_int_equal(bench_write(&dev, 1046, 1), 5);
	assert_int_equal(bench_read(&dev, 1046), 0);
	assert_int_equal(bench_write(&dev, 1046, 1), 5);
	assert_int_equal(bench_write(&dev, 1046, 1), 0);
	assert_int_equal(bench_read(&dev, 1046), 1);

	bench_init(&dev);
	dialect(&dev, "busy-ms=500");
	assert_int_equal(bench_write(&dev, 1046, 1), 0);
	assert_int_equal(bench_read(&dev, 1046), -6);
	sim_device_advance(&dev, S(0.5));
	assert_int_equal(bench_read(&dev, 1046), 1);

	bench_init(&dev);
	dialect(&dev, "old-value-ms=3000");
	bench_write(&dev, 1044, 0);
	bench_write_two(&dev, 1047, 5, 1);
	sim_device_advance(&dev, S(2.9));
	assert_int_equal(bench_read(&dev, 1044), 1);
	assert_int_equal(bench_read(&dev, 1048), 0);
	sim_device_advance(&dev, S(3));
	assert_int_equal(bench_read(&dev, 1044), 0);
	assert_int_equal(bench_read(&dev, 1047), 5);
	assert_int_equal(bench_read(&dev, 1048), 1);

	bench_init(&dev);
	dialect(&dev, "ack-only");
	assert_int_equal(bench_write(&dev, 1044, 0), 0);
	assert_int_equal(bench_read(&dev, 1044), 1);
	assert_int_equal(bench_write(&dev, 1030, 1), 0);
	assert_int_equal(bench_read(&dev, 1024), 2);
}

static void test_settings_survive(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	bench_write(&dev, 1044, 0);
	bench_write(&dev, 1046, 1);
	bench_write(&dev, 1049, 990);
	sim_device_battery_plug(&dev, false);
	mains(&dev, false);
	assert_int_equal(dev.board, SIM_BOARD_DEAD);
	mains(&dev, true);
	sim_device_advance(&dev, S(20));
	assert_int_equal(bench_read(&dev, 1024), 0); /* 1044 = 0 */
	assert_int_equal(bench_read(&dev, 1044), 0);
	assert_int_equal(bench_read(&dev, 1046), 1);
	assert_int_equal(bench_read(&dev, 1049), 0);
	sim_device_panel_on(&dev);
	sim_device_advance(&dev, S(26));
	assert_int_equal(bench_read(&dev, 1024), 2);
}

static void test_forced_registers(void **state)
{
	struct sim_device dev;

	(void)state;
	bench_init(&dev);
	assert_true(sim_device_force(&dev, 1027, (uint16_t)-55));
	assert_int_equal(bench_read(&dev, 1027), 0xffc9);
	sim_device_temperature(&dev, -5.5); /* signed */
	sim_device_unforce(&dev, 1027);
	assert_int_equal(bench_read(&dev, 1027), 0xffc9);
	for (uint16_t i = 0; i < SIM_FORCED_MAX; i++)
		assert_true(sim_device_force(&dev, i, i));
	assert_false(sim_device_force(&dev, 5000, 1));
	assert_true(sim_device_force(&dev, 5, 1));
}

static void test_dialect_words(void **state)
{
	static const struct {
		const char *word;
		int ok;
	} rows[] = {
		{ "pair-only", 1 },    { "pair-only=1", 0 },
		{ "max-read=43", 1 },  { "max-read=0", 0 },
		{ "max-read=126", 0 }, { "max-read=", 0 },
		{ "max-read=4x", 0 },  { "max-read", 1 },
		{ "nonsense", 0 },     { "", 0 },
		{ "=3", 0 },	       { "pair", 0 },
	};
	struct sim_dialect d, none;
	char err[200];

	(void)state;
	memset(&none, 0, sizeof(none));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&d, 0, sizeof(d));
		err[0] = '\0';
		if ((sim_dialect_set(&d, rows[i].word, 1, err, sizeof(err)) == 0) != rows[i].ok)
			fail_msg("\"%s\"", rows[i].word);
		assert_int_equal(err[0] == '\0', rows[i].ok);
	}
	memset(&d, 0, sizeof(d)); /* each on, then off: nothing is left */
	for (size_t i = 0; i < sim_dialect_count(); i++) {
		const char *name = sim_dialect_name(i);

		assert_int_equal(sim_dialect_get(&d, i), -1);
		assert_int_equal(sim_dialect_set(&d, name, 1, err, sizeof(err)), 0);
		assert_true(sim_dialect_get(&d, i) > 0);
		assert_int_equal(sim_dialect_set(&d, name, 0, err, sizeof(err)), 0);
		assert_memory_equal(&d, &none, sizeof(d));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_rest),
		cmocka_unit_test(test_write_values),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_races),
		cmocka_unit_test(test_arming),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_timer_reads),
		cmocka_unit_test(test_off_and_on),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_bypass),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_empty_battery),
		cmocka_unit_test(test_steps_do_not_matter),
		cmocka_unit_test(test_battery_unplugged),
		cmocka_unit_test(test_battery_volts),
		cmocka_unit_test(test_selftests),
		cmocka_unit_test(test_eco),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_alarms),
		cmocka_unit_test(test_busy_and_old_values),
		cmocka_unit_test(test_settings_survive),
		cmocka_unit_test(test_forced_registers),
		cmocka_unit_test(test_dialect_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
