#include "ups/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/devid.h"
#include "wire_rig.h"

#define SEC U2K_SEC
#define MSEC U2K_MSEC

/* A device as docs/protocol.md describes it: registers by base, sparse. */
struct device {
	struct rig rig;
	struct session *session;
	uint16_t regs[65536]; /* by wire address */
	uint8_t defined[65536];
	const char *description;
	int64_t delay_us;
	bool mute, refuse_gaps, no_devid;
	bool mute_devid, split_devid; /* never answers 0x2B; answers one object at a time */
	uint8_t devid_exceptions;     /* so many, code 3, then as usual */
	uint16_t last_base;	      /* refuses reads beyond it, if set */
	unsigned lose_every, n_requests;
	uint8_t exception; /* for every read */
	char events[4096];
	uint64_t masks;
	unsigned changes;
};

static const char description_a[] =
	"1=UPS2000G;2=V2R1C1SPC50;3=P1.0-D1.0;4=21022900000000000001;5=1;6=1;";

static void poke(struct device *d, uint16_t base, uint16_t value)
{
	uint16_t addr = (uint16_t)(base >= 40155 ? base + 1024 : base + 10000);

	d->regs[addr] = value;
	d->defined[addr] = 1;
}

/* Sample A of the reference: 3 kVA on line. */
static void poke_sample_a(struct device *d)
{
	static const uint16_t rows[][2] = {
		{ 1000, 2161 }, { 1003, 500 },	 { 1004, 2161 }, { 1007, 500 }, { 1008, 2197 },
		{ 1011, 13 },	{ 1014, 500 },	 { 1015, 1 },	 { 1018, 3 },	{ 1021, 70 },
		{ 1024, 2 },	{ 1025, 0 },	 { 1026, 0 },	 { 1027, 253 }, { 1028, 3 },
		{ 1043, 8 },	{ 1044, 1 },	 { 1045, 0 },	 { 1046, 0 },	{ 1047, 0 },
		{ 1048, 0 },	{ 1049, 0 },	 { 2000, 820 },	 { 2002, 3 },	{ 2003, 100 },
		{ 2004, 0 },	{ 2005, 10080 }, { 2007, 6 },	 { 2033, 9 },	{ 9009, 30 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		poke(d, rows[i][0], rows[i][1]);
	for (uint16_t base = 40156; base <= 40182; base++)
		poke(d, base, 0);
}

static size_t answer_devid(struct device *d, const struct pdu_request *req, uint8_t *pdu)
{
	static const uint8_t one[4] = { 0, 0, 0, 1 };
	struct devid_object described[] = {
		{ 0x87, 4, one },
		{ 0x88, 0, NULL },
	};
	struct devid_object basic[] = {
		{ 0, 6, (const uint8_t *)"HUAWEI" },
		{ 1, 8, (const uint8_t *)"UPS2000A" },
		{ 2, 11, (const uint8_t *)"V2R1C1SPC50" },
	};

	if (d->no_devid)
		return pdu_put_exception(pdu, req->fc, EXC_ILLEGAL_FUNCTION);
	if (d->devid_exceptions) {
		d->devid_exceptions--;
		return pdu_put_exception(pdu, req->fc, EXC_ILLEGAL_VALUE);
	}
	if (req->devid_object >= 0x87 && d->description) {
		described[1].data = (const uint8_t *)d->description;
		described[1].len = (uint8_t)strlen(d->description);
		if (d->split_devid && req->devid_object == 0x87) {
			size_t len = devid_put(pdu, req->devid_code, 3, described, 1, 0);

			pdu[4] = 0xff;
			pdu[5] = 0x88;
			return len;
		}
		if (d->split_devid)
			return devid_put(pdu, req->devid_code, 3, described, 2, 1);
		return devid_put(pdu, req->devid_code, 3, described, 2, 0);
	}
	return devid_put(pdu, req->devid_code, 1, basic, 3, 0);
}

static void device_request(struct rig *rig, const uint8_t *adu, size_t len)
{
	struct device *d = (struct device *)rig;
	struct pdu_request req;
	uint8_t pdu[PDU_MAX];
	size_t n = 0;

	assert_int_equal(pdu_get_request(adu + 1, len - 3, &req), 0);
	if (d->mute || adu[0] != 1 || (d->lose_every && ++d->n_requests % d->lose_every == 0))
		return;
	if (req.fc == FC_ENCAPSULATED && d->mute_devid)
		return;
	if (req.fc == FC_ENCAPSULATED) {
		n = answer_devid(d, &req, pdu);
	} else {
		assert_int_equal(req.fc, FC_READ_HOLDING_REGISTERS); /* nothing is ever written */
		n = pdu_put_regs(pdu, &d->regs[req.addr], req.n);
		for (size_t i = 0; i < req.n; i++)
			if (d->refuse_gaps && !d->defined[req.addr + i])
				n = pdu_put_exception(pdu, req.fc, EXC_ILLEGAL_ADDRESS);
		if (d->last_base && req.addr < 12000 && req.addr + req.n > d->last_base + 10001)
			n = pdu_put_exception(pdu, req.fc, EXC_ILLEGAL_ADDRESS);
		if (d->exception)
			n = pdu_put_exception(pdu, req.fc, d->exception);
	}
	rig_reply(rig, d->delay_us, 1, pdu, n);
}

static void on_changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	struct device *d = user;

	(void)snap;
	d->masks |= mask;
	d->changes++;
}

static void on_event(void *user, const char *kind, const char *severity, const char *text)
{
	struct device *d = user;

	assert_true(text[0] && severity[0]);
	if (strlen(d->events) + strlen(kind) + 2 < sizeof(d->events)) {
		strcat(d->events, kind);
		strcat(d->events, " ");
	}
}

static const struct session_ops ops = { .changed = on_changed, .event = on_event };

static struct device *device_new(const char *serial)
{
	struct device *d = calloc(1, sizeof(*d));
	struct line_params params;
	struct session_config config = {
		.unit_id = 1,
		.number = 1,
		.serial = serial,
		.control = true,
		.status_interval_us = 150 * MSEC,
	};

	line_params_default(&params);
	d->rig.device = device_request;
	d->rig.line = line_new(&params, rig_tx, &d->rig);
	d->rig.now_us = 1000 * SEC;
	d->description = description_a;
	d->delay_us = 70 * MSEC;
	poke_sample_a(d);
	d->session = session_new(d->rig.line, &config, &ops, d);
	assert_non_null(d->session);
	return d;
}

static void device_free(struct device *d)
{
	session_free(d->session);
	line_free(d->rig.line);
	free(d);
}

static void link_set(struct device *d, bool up)
{
	line_link(d->rig.line, up, d->rig.now_us);
	session_link(d->session, up, d->rig.now_us);
}

static void pass(struct device *d, int64_t us)
{
	rig_run(&d->rig, d->rig.now_us + us);
}

static const struct u2k_snapshot *snap(const struct device *d)
{
	return session_snapshot(d->session);
}

static void assert_qty(const struct device *d, enum u2k_qty qty, double expected)
{
	const struct u2k_value *value = &snap(d)->qty[qty];

	if (value->validity != U2K_VALID || value->value < expected - 1e-6 ||
	    value->value > expected + 1e-6)
		fail_msg("%s is %f (validity %d), expected %f", u2k_qty_desc(qty)->name,
			 value->value, (int)value->validity, expected);
}

/* The values of sample A, as its owner's `upsc` showed them. */
static void test_reads_sample_a(void **state)
{
	static const struct {
		enum u2k_qty qty;
		double value;
	} rows[] = {
		{ U2K_QTY_INPUT_VOLTAGE, 216.1 },   { U2K_QTY_INPUT_FREQUENCY, 50.0 },
		{ U2K_QTY_BYPASS_VOLTAGE, 216.1 },  { U2K_QTY_BYPASS_FREQUENCY, 50.0 },
		{ U2K_QTY_OUTPUT_VOLTAGE, 219.7 },  { U2K_QTY_OUTPUT_CURRENT, 1.3 },
		{ U2K_QTY_OUTPUT_FREQUENCY, 50.0 }, { U2K_QTY_OUTPUT_REALPOWER, 100 },
		{ U2K_QTY_OUTPUT_POWER, 300 },	    { U2K_QTY_LOAD, 7.0 },
		{ U2K_QTY_TEMPERATURE, 25.3 },	    { U2K_QTY_BATTERY_VOLTAGE, 82.0 },
		{ U2K_QTY_BATTERY_CHARGE, 100 },    { U2K_QTY_BATTERY_RUNTIME, 10080 },
		{ U2K_QTY_BATTERY_BLOCKS, 6 },	    { U2K_QTY_BATTERY_CAPACITY, 9 },
		{ U2K_QTY_RATED_POWER, 3000 },	    { U2K_QTY_AUTO_START, 1 },
		{ U2K_QTY_BEEPER_MUTED, 0 },	    { U2K_QTY_OFF_TIMER, 0 },
		{ U2K_QTY_INPUT_PHASES, 1 },	    { U2K_QTY_STARTUP, U2K_STARTUP_RUNNING },
	};
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 150 * MSEC);
	assert_int_equal(snap(d)->flags, U2K_OL); /* the status first, within 0.15 s */
	pass(d, 3 * SEC);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_qty(d, rows[i].qty, rows[i].value);
	assert_int_equal(snap(d)->flags, U2K_OL | U2K_CHRG);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	assert_string_equal(snap(d)->identity.model, "UPS2000G");
	assert_string_equal(snap(d)->identity.firmware, "V2R1C1SPC50");
	assert_string_equal(snap(d)->identity.esn, "21022900000000000001");
	device_free(d);
}

static void test_outage_is_seen_in_one_round(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 5 * SEC);
	for (int i = 0; i < 50; i++) {
		pass(d, 137 * MSEC * (i % 7) + 1000 * i);
		poke(d, 1024, 3);
		poke(d, 1043, 0x88);
		pass(d, 340 * MSEC); /* interval + one other exchange + the status exchange */
		assert_true(snap(d)->flags & U2K_OB);
		poke(d, 1024, 2);
		poke(d, 1043, 8);
		pass(d, 2 * SEC);
		assert_int_equal(snap(d)->flags, U2K_OL | U2K_CHRG);
	}
	device_free(d);
}

/* Register addresses, by their length on the wire: no other reads than these are ever sent. */
static void test_only_known_frames(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 20 * SEC);
	for (size_t i = 0; i < d->rig.n_sent; i++) {
		const uint8_t *adu = d->rig.sent[i].adu;

		assert_true(adu[1] == 0x03 || (adu[1] == 0x2b && adu[2] == 0x0e));
		if (i && adu[1] == 3 && d->rig.sent[i - 1].adu[1] == 3) /* lengths never repeat */
			assert_int_not_equal(adu[5], d->rig.sent[i - 1].adu[5]);
	}
	device_free(d);
}

static void test_invalid_battery_degrades_alone(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 3 * SEC);
	poke(d, 2000, 0x7fff);
	poke(d, 2002, 0xa000);
	pass(d, 3 * SEC); /* the last good values bridge a short defect */
	assert_qty(d, U2K_QTY_BATTERY_VOLTAGE, 82.0);
	assert_true(snap(d)->flags & U2K_CHRG);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->qty[U2K_QTY_BATTERY_VOLTAGE].validity, U2K_INVALID);
	assert_int_equal(snap(d)->qty[U2K_QTY_BATTERY_STATE].validity, U2K_INVALID);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	assert_int_equal(snap(d)->flags, U2K_OL);
	assert_qty(d, U2K_QTY_BATTERY_CHARGE, 100);
	poke(d, 2000, 821);
	poke(d, 2002, 3);
	pass(d, 3 * SEC);
	assert_qty(d, U2K_QTY_BATTERY_VOLTAGE, 82.1);
	assert_int_equal(snap(d)->flags, U2K_OL | U2K_CHRG);
	device_free(d);
}

static void test_everything_invalid_is_no_status(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	for (uint16_t base = 1000; base <= 1050; base++)
		poke(d, base, 0x7fff);
	link_set(d, true);
	pass(d, 30 * SEC);
	assert_int_not_equal(snap(d)->comm, U2K_COMM_OK);
	assert_int_equal(snap(d)->status_at_us, 0);
	assert_int_equal(snap(d)->flags & (U2K_OL | U2K_OB | U2K_OFF), 0);
	device_free(d);
}

static void test_exceptions_are_no_status(void **state)
{
	(void)state;
	for (uint8_t code = 1; code <= 6; code++) {
		struct device *d = device_new(NULL);

		d->exception = code;
		d->no_devid = true;
		link_set(d, true);
		pass(d, 30 * SEC);
		assert_int_not_equal(snap(d)->comm, U2K_COMM_OK);
		assert_int_equal(snap(d)->gate, U2K_GATE_NOT_IDENTIFIED);
		assert_in_range(d->rig.n_sent, 20, 1000); /* asked on, but not hammered */
		d->exception = 0;
		d->no_devid = false;
		pass(d, 65 * SEC);
		assert_int_equal(snap(d)->comm, U2K_COMM_OK);
		assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
		device_free(d);
	}
}

static void test_gaps_refused(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	d->refuse_gaps = true;
	link_set(d, true);
	pass(d, 10 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	assert_int_equal(snap(d)->flags, U2K_OL | U2K_CHRG);
	assert_qty(d, U2K_QTY_OUTPUT_VOLTAGE, 219.7);
	assert_qty(d, U2K_QTY_OUTPUT_POWER, 300);
	assert_qty(d, U2K_QTY_BATTERY_RUNTIME, 10080);
	assert_qty(d, U2K_QTY_BATTERY_CAPACITY, 9);
	assert_qty(d, U2K_QTY_AUTO_START, 1);
	poke(d, 1024, 3);
	poke(d, 1043, 0xc8);
	pass(d, 800 * MSEC);
	assert_true((snap(d)->flags & (U2K_OB | U2K_LB)) == (U2K_OB | U2K_LB));
	device_free(d);
}

static void test_silence_and_return(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 5 * SEC);
	d->mute = true;
	pass(d, 9 * SEC); /* bridged with the last good data */
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	pass(d, 2 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_SILENT);
	assert_int_equal(snap(d)->gate, U2K_GATE_STALE);
	assert_non_null(strstr(d->events, "comm-lost"));
	d->mute = false;
	pass(d, 2 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	device_free(d);
}

static void test_replug(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 5 * SEC);
	link_set(d, false);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	pass(d, 6 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_CLOSED);
	link_set(d, true);
	pass(d, 400 * MSEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	device_free(d);
}

static void test_other_serial_is_shown_not_commanded(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	link_set(d, false);
	d->description = "1=UPS2000A;2=V2R1C1SPC50;3=P1.0-D1.0;4=21022900000000000002;5=1;6=1";
	pass(d, SEC);
	link_set(d, true);
	assert_int_not_equal(snap(d)->gate, U2K_GATE_OPEN);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_ESN);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	assert_string_equal(snap(d)->identity.esn, "21022900000000000002");
	assert_non_null(strstr(d->events, "wrong-serial"));
	link_set(d, false);
	d->description = description_a;
	link_set(d, true);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	device_free(d);
}

static void test_gates(void **state)
{
	static const struct {
		const char *what, *description;
		bool no_devid;
		uint16_t rating;
		enum u2k_gate gate;
	} rows[] = {
		{ "a UPS2000A", "1=UPS2000A;2=x;3=P1.0-D1.0;4=1;5=1;6=1", false, 10,
		  U2K_GATE_OPEN },
		{ "another UPS", "1=UPS5000;2=x;3=P1.0-D1.0;4=1", false, 10, U2K_GATE_MODEL },
		{ "an inverter", "1=SUN2000;2=x;3=P1.0-D1.0;4=1", false, 10, U2K_GATE_MODEL },
		{ "unknown", "1=UPS2000H;2=x;3=P1.0-D1.0;4=1", false, 10, U2K_GATE_MODEL },
		{ "other interface", "1=UPS2000A;2=x;3=P2.0-D1.0;4=1", false, 10,
		  U2K_GATE_PROTOCOL },
		{ "no interface", "1=UPS2000A;4=1", false, 10, U2K_GATE_PROTOCOL },
		{ "6 kVA", "1=UPS2000;2=x;3=P1.0-D1.0;4=1", false, 60, U2K_GATE_RATING },
		{ "basic only", NULL, false, 10, U2K_GATE_NO_DESCRIPTION },
		{ "no answer", NULL, true, 10, U2K_GATE_NOT_IDENTIFIED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct device *d = device_new(NULL);

		d->description = rows[i].description;
		d->no_devid = rows[i].no_devid;
		poke(d, 9009, rows[i].rating);
		link_set(d, true);
		pass(d, 8 * SEC);
		if (snap(d)->gate != rows[i].gate)
			fail_msg("%s: gate %d, expected %d", rows[i].what, (int)snap(d)->gate,
				 (int)rows[i].gate);
		assert_int_equal(snap(d)->comm, U2K_COMM_OK); /* always monitored */
		device_free(d);
	}
}

static void test_lossy_line_shows_every_outage(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 5 * SEC);
	d->lose_every = 5;
	for (int i = 0; i < 40; i++) {
		poke(d, 1024, 3);
		poke(d, 1043, 0x88);
		pass(d, 1500 * MSEC);
		assert_true(snap(d)->flags & U2K_OB);
		poke(d, 1024, 2);
		poke(d, 1043, 8);
		pass(d, 1500 * MSEC);
		assert_true(snap(d)->flags & U2K_OL);
	}
	device_free(d);
}

/* A device that takes 1.8 s for each answer is slow, not absent. */
static void test_slow_device(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	d->delay_us = 1800 * MSEC;
	link_set(d, true);
	pass(d, 60 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	poke(d, 1024, 3);
	poke(d, 1043, 0x88);
	pass(d, 8 * SEC);
	assert_true(snap(d)->flags & U2K_OB);
	device_free(d);
}

static void test_undefined_source_is_not_believed_at_once(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 3 * SEC);
	poke(d, 1024, 10);
	pass(d, 200 * MSEC);
	assert_true(snap(d)->flags & U2K_OL);
	poke(d, 1024, 4); /* for good: the status bits decide */
	pass(d, 9 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	assert_true(snap(d)->flags & U2K_OL);
	poke(d, 1043, 0x88);
	pass(d, SEC);
	assert_true(snap(d)->flags & U2K_OB);
	device_free(d);
}

/* --- who is it? ----------------------------------------------------------------------------- */

static void test_split_identification(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	d->split_devid = true;
	link_set(d, true);
	pass(d, 3 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	assert_int_equal(snap(d)->identity.ups_count, 1);
	assert_string_equal(snap(d)->identity.esn, "21022900000000000001");
	device_free(d);
}

/* An exception 03 is line noise, perhaps: it does not make the unit one without a description. */
static void test_noisy_identification(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	d->devid_exceptions = 2;
	link_set(d, true);
	pass(d, 3 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	device_free(d);
}

/* A unit that never answers 0x2B is asked more and more rarely, and its status stays fresh. */
static void test_mute_identification(void **state)
{
	struct device *d = device_new(NULL);
	unsigned asked = 0;

	(void)state;
	d->mute_devid = true;
	link_set(d, true);
	pass(d, 30 * SEC);
	d->rig.n_sent = 0;
	for (int i = 0; i < 600; i++) {
		pass(d, 100 * MSEC);
		assert_true(d->rig.now_us - snap(d)->status_at_us < 1200 * MSEC);
	}
	for (size_t i = 0; i < d->rig.n_sent; i++)
		asked += d->rig.sent[i].adu[1] == FC_ENCAPSULATED;
	assert_in_range(asked, 1, 30);
	assert_int_equal(snap(d)->gate, U2K_GATE_NOT_IDENTIFIED);
	d->mute_devid = false;
	pass(d, 35 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	device_free(d);
}

static void test_no_serial_number(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	d->description = "1=UPS2000A;2=V2R1C1SPC50;3=P1.0-D1.0;4=;5=1;6=1";
	link_set(d, true);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_ESN);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	device_free(d);
	d = device_new("21022900000000000001");
	d->description = "1=UPS2000A;2=V2R1C1SPC50;3=P1.0-D1.0;5=1;6=1";
	link_set(d, true);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_ESN);
	assert_non_null(strstr(d->events, "wrong-serial"));
	device_free(d);
}

/* Another unit on the same RS-232 cable: no link goes down, there is only some silence. */
static void test_exchanged_behind_the_port(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	d->mute = true;
	pass(d, 5 * SEC);
	assert_int_not_equal(snap(d)->gate, U2K_GATE_OPEN); /* who comes back is not known */
	d->mute = false;
	d->description = "1=UPS2000A;2=V2R1C1SPC50;3=P1.0-D1.0;4=21022900000000000002;5=1;6=1";
	memset(&d->regs[12000], 0xff, 100 * sizeof(d->regs[0])); /* this one has no battery data */
	poke(d, 9009, 10);
	for (int i = 0; i < 500; i++) {
		pass(d, 10 * MSEC);
		assert_int_not_equal(snap(d)->gate, U2K_GATE_OPEN);
	}
	assert_int_equal(snap(d)->gate, U2K_GATE_ESN);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	assert_int_not_equal(snap(d)->qty[U2K_QTY_BATTERY_CAPACITY].validity, U2K_VALID);
	assert_int_not_equal(snap(d)->qty[U2K_QTY_BATTERY_BLOCKS].validity, U2K_VALID);
	assert_qty(d, U2K_QTY_RATED_POWER, 1000);
	d->mute = true; /* and the first one again */
	pass(d, 5 * SEC);
	d->mute = false;
	d->description = description_a;
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	device_free(d);
}

static void test_rating_comes_later(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	poke(d, 9009, 0x7fff);
	link_set(d, true);
	pass(d, 5 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_NOT_IDENTIFIED);
	poke(d, 9009, 30);
	pass(d, 12 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	poke(d, 9009, 0xffff); /* one bad reading does not close it */
	pass(d, 12 * SEC);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	device_free(d);
}

/* --- what it gives and what not --------------------------------------------------------------- */

/* The last register of 1000... it lets us read: the rest is asked apart, without endless refusals. */
static void test_short_status(void **state)
{
	static const uint16_t lasts[] = { 1043, 1044, 1046, 1048 };

	(void)state;
	for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
		struct device *d = device_new(NULL);
		uint64_t exceptions;

		d->last_base = lasts[i];
		link_set(d, true);
		pass(d, 30 * SEC);
		exceptions = snap(d)->line.exceptions;
		pass(d, 20 * SEC);
		assert_in_range(snap(d)->line.exceptions - exceptions, 0, 3);
		assert_int_equal(snap(d)->flags, U2K_OL | U2K_CHRG);
		poke(d, 1024, 3);
		poke(d, 1043, 0x88);
		pass(d, 600 * MSEC);
		assert_true(snap(d)->flags & U2K_OB);
		device_free(d);
	}
}

/* Refusals end: what was refused on a bad day is read whole again later. */
static void test_refusals_are_forgiven(void **state)
{
	struct device *d = device_new(NULL);
	bool whole = false;

	(void)state;
	d->refuse_gaps = true;
	link_set(d, true);
	pass(d, 10 * SEC);
	d->refuse_gaps = false;
	pass(d, 1800 * SEC);
	d->rig.n_sent = 0;
	pass(d, 5 * SEC);
	for (size_t i = 0; i < d->rig.n_sent; i++)
		whole = whole || d->rig.sent[i].adu[5] == 24;
	assert_true(whole);
	assert_int_equal(snap(d)->flags, U2K_OL | U2K_CHRG);
	device_free(d);
}

/* No valid status, asked at full speed: the rest is read all the same. */
static void test_invalid_status_starves_nobody(void **state)
{
	struct session_config config = { .unit_id = 1, .number = 1, .control = true };
	struct device *d = device_new(NULL);

	(void)state;
	session_free(d->session);
	d->session = session_new(d->rig.line, &config, &ops, d);
	poke(d, 1024, 0xffff);
	poke(d, 1043, 0xffff);
	link_set(d, true);
	pass(d, 5 * SEC);
	assert_int_not_equal(snap(d)->comm, U2K_COMM_OK);
	assert_qty(d, U2K_QTY_OUTPUT_VOLTAGE, 219.7);
	assert_qty(d, U2K_QTY_BATTERY_RUNTIME, 10080);
	assert_string_equal(snap(d)->identity.model, "UPS2000G");
	assert_int_equal(snap(d)->gate, U2K_GATE_STALE);
	device_free(d);
}

/* A source that no list knows, from the moment the mains fail: seen by the bits. */
static void test_outage_with_an_undefined_source(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 3 * SEC);
	poke(d, 1024, 4);
	poke(d, 1043, 0x88);
	pass(d, 3 * SEC);
	assert_true(snap(d)->flags & U2K_OB);
	assert_false(snap(d)->flags & U2K_OL);
	device_free(d);
}

/* --- contact ------------------------------------------------------------------------------- */

static void test_mute_for_minutes(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 5 * SEC);
	assert_null(strstr(d->events, "comm-silent"));
	d->mute = true;
	d->rig.n_sent = 0;
	pass(d, 300 * SEC);
	assert_in_range(d->rig.n_sent, 100, 800); /* looked for, not hammered */
	assert_int_equal(snap(d)->comm, U2K_COMM_SILENT);
	d->mute = false;
	poke(d, 1000, 2222);
	poke(d, 1024, 3);
	poke(d, 1043, 0x88);
	pass(d, 1600 * MSEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	assert_true(snap(d)->flags & U2K_OB);
	for (unsigned q = 0; q < U2K_QTY_COUNT; q++) /* nothing of minutes ago shows as true */
		if (snap(d)->qty[q].validity == U2K_VALID && q != U2K_QTY_RATED_POWER &&
		    q != U2K_QTY_BATTERY_CAPACITY && q != U2K_QTY_BATTERY_BLOCKS)
			assert_true(d->rig.now_us - snap(d)->qty[q].at_us < 60 * SEC);
	pass(d, 2 * SEC);
	assert_qty(d, U2K_QTY_INPUT_VOLTAGE, 222.2);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	device_free(d);
}

static void test_nothing_ever_answers(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	d->mute = true;
	link_set(d, true);
	pass(d, 2 * SEC);
	assert_null(strstr(d->events, "comm-silent")); /* too early to say */
	pass(d, 20 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_SILENT);
	assert_non_null(strstr(d->events, "comm-silent"));
	assert_int_equal(snap(d)->flags, 0);
	device_free(d);
}

static void test_flapping_link(void **state)
{
	struct device *d = device_new(NULL);

	(void)state;
	link_set(d, true);
	pass(d, 5 * SEC);
	for (int i = 0; i < 100; i++) {
		link_set(d, false);
		pass(d, 13 * MSEC * (i % 9));
		link_set(d, true);
		link_set(d, true); /* told twice */
		assert_int_not_equal(snap(d)->gate, U2K_GATE_OPEN);
		pass(d, 29 * MSEC * (i % 11));
	}
	pass(d, 3 * SEC);
	assert_int_equal(snap(d)->comm, U2K_COMM_OK);
	assert_int_equal(snap(d)->gate, U2K_GATE_OPEN);
	device_free(d);
}

static void test_bad_configuration(void **state)
{
	static const struct session_config rows[] = {
		{ .unit_id = 0, .number = 1 },
		{ .unit_id = 248, .number = 1 },
		{ .unit_id = 1, .number = 0 },
		{ .unit_id = 1, .number = 5 },
	};
	struct device *d = device_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_null(session_new(d->rig.line, &rows[i], &ops, d));
	session_free(NULL);
	device_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_sample_a),
		cmocka_unit_test(test_outage_is_seen_in_one_round),
		cmocka_unit_test(test_only_known_frames),
		cmocka_unit_test(test_invalid_battery_degrades_alone),
		cmocka_unit_test(test_everything_invalid_is_no_status),
		cmocka_unit_test(test_exceptions_are_no_status),
		cmocka_unit_test(test_gaps_refused),
		cmocka_unit_test(test_silence_and_return),
		cmocka_unit_test(test_replug),
		cmocka_unit_test(test_other_serial_is_shown_not_commanded),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_lossy_line_shows_every_outage),
		cmocka_unit_test(test_slow_device),
		cmocka_unit_test(test_undefined_source_is_not_believed_at_once),
		cmocka_unit_test(test_split_identification),
		cmocka_unit_test(test_noisy_identification),
		cmocka_unit_test(test_mute_identification),
		cmocka_unit_test(test_no_serial_number),
		cmocka_unit_test(test_exchanged_behind_the_port),
		cmocka_unit_test(test_rating_comes_later),
		cmocka_unit_test(test_short_status),
		cmocka_unit_test(test_refusals_are_forgiven),
		cmocka_unit_test(test_invalid_status_starves_nobody),
		cmocka_unit_test(test_outage_with_an_undefined_source),
		cmocka_unit_test(test_mute_for_minutes),
		cmocka_unit_test(test_nothing_ever_answers),
		cmocka_unit_test(test_flapping_link),
		cmocka_unit_test(test_bad_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
