#include "sim/server.h"

#include <string.h>

#include "core/bytes.h"
#include "core/crc16.h"
#include "sim/rng.h"
#include "ups2000/error.h"
#include "util/util.h"

enum { BITS_PER_BYTE = 10, BURST_US = 4000, NOT_ANSWERED = 255 };

void sim_server_options_default(struct sim_server_options *opt)
{
	*opt = (struct sim_server_options){
		.unit_id = 1,
		.pace = true,
		.baud = 9600,
		.turnaround_us = 12000,
		.jitter_us = 4000,
		.silence_us = 10000,
		.seed = 1,
	};
}

void sim_server_init(struct sim_server *srv, int64_t now_us, const struct sim_server_options *opt,
		     const struct sim_options *device)
{
	memset(srv, 0, sizeof(*srv));
	srv->opt = *opt;
	sim_device_init(&srv->dev, device);
	sim_faults_init(&srv->faults, opt->seed);
	srv->rng = rng_mix(opt->seed);
	srv->now_us = now_us;
	srv->speed = 1;
	srv->line0_us = now_us;
	srv->rx_free_us = now_us;
	srv->busy_until_us = now_us;
	srv->wire_free_us = now_us;
}

int64_t sim_server_device_us(const struct sim_server *srv, int64_t line_us)
{
	int64_t passed = line_us - srv->line0_us;

	if (srv->speed != 1)
		passed = (int64_t)((double)passed * srv->speed);
	return srv->dev0_us + passed;
}

void sim_server_speed(struct sim_server *srv, int64_t now_us, double speed)
{
	sim_server_advance(srv, now_us);
	srv->dev0_us = sim_server_device_us(srv, now_us);
	srv->line0_us = now_us;
	srv->speed = speed;
}

static int64_t bytes_us(const struct sim_server *srv, size_t n)
{
	if (!srv->opt.pace)
		return 0;
	return (int64_t)n * BITS_PER_BYTE * 1000000 / (int64_t)srv->opt.baud;
}

/* Sending */

static void queue_tx(struct sim_server *srv, int64_t ready_us, const uint8_t *bytes, size_t len)
{
	struct sim_tx *tx;

	if (srv->n_tx == SIM_TX_MAX) {
		srv->count.bytes_dropped += len;
		return;
	}
	tx = &srv->tx[srv->n_tx++];
	*tx = (struct sim_tx){ .ready_us = ready_us, .start_us = SIM_NEVER, .len = (uint16_t)len };
	memcpy(tx->bytes, bytes, len);
}

/* The one that has the line or will have it next; the earlier made of two equals. */
static struct sim_tx *next_tx(struct sim_server *srv)
{
	struct sim_tx *next = NULL;

	for (size_t i = 0; i < srv->n_tx; i++) {
		if (srv->tx[i].start_us != SIM_NEVER)
			return &srv->tx[i];
		if (!next || srv->tx[i].ready_us < next->ready_us)
			next = &srv->tx[i];
	}
	return next;
}

static int64_t tx_start_us(const struct sim_server *srv, const struct sim_tx *tx)
{
	if (tx->start_us != SIM_NEVER)
		return tx->start_us;
	return tx->ready_us > srv->wire_free_us ? tx->ready_us : srv->wire_free_us;
}

static void drop_tx(struct sim_server *srv, const struct sim_tx *tx)
{
	size_t i = (size_t)(tx - srv->tx);

	memmove(&srv->tx[i], &srv->tx[i + 1], (srv->n_tx - i - 1) * sizeof(*tx));
	srv->n_tx--;
}

static size_t put_bytes(struct sim_server *srv, int64_t now_us, uint8_t *out, size_t max)
{
	size_t n = 0;

	while (n < max) {
		struct sim_tx *tx = next_tx(srv);
		int64_t start;

		if (!tx)
			break;
		start = tx_start_us(srv, tx);
		if (start > now_us)
			break;
		tx->start_us = start;
		srv->wire_free_us = start + bytes_us(srv, tx->len);
		while (n < max && tx->sent < tx->len &&
		       start + bytes_us(srv, tx->sent + 1u) <= now_us)
			out[n++] = tx->bytes[tx->sent++];
		if (tx->sent < tx->len)
			break;
		drop_tx(srv, tx);
	}
	srv->count.bytes_out += n;
	return n;
}

/* Noise fills the line whenever nothing else does. */
static void make_noise(struct sim_server *srv, int64_t now_us)
{
	uint8_t chunk[SIM_NOISE_CHUNK];

	if (!sim_fault_on(&srv->faults, SIM_FAULT_NOISE)) {
		srv->noise_us = 0;
		return;
	}
	if (now_us < srv->noise_us || srv->n_tx > SIM_TX_MAX / 2)
		return;
	for (size_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = (uint8_t)rng_next(&srv->faults.rng);
	queue_tx(srv, now_us, chunk, sizeof(chunk));
	srv->faults.f[SIM_FAULT_NOISE].struck++;
	srv->noise_us = now_us + SIM_NOISE_CHUNK * INT64_C(1000000) /
					 srv->faults.f[SIM_FAULT_NOISE].bytes_per_s;
}

/* A request and its reply */

struct exchange {
	int64_t at_us;
	int fc, base;
	struct pdu_request req;
	int parsed; /* pdu_get_request() */
	uint8_t pdu[PDU_MAX];
	size_t len;
	int64_t late_us;
	int64_t think_us; /* -1: as the options say */
	bool overtake;
	const char *note;
};

static bool strikes(struct sim_server *srv, const struct exchange *x, enum sim_fault_kind kind)
{
	return sim_fault_strikes(&srv->faults, kind, x->fc, x->base);
}

static struct sim_log_entry *log_request(struct sim_server *srv, int64_t at_us, const uint8_t *adu,
					 size_t len)
{
	struct sim_log_entry *e = &srv->log[srv->n_log++ % SIM_LOG_MAX];

	e->line_us = at_us;
	e->device_us = sim_server_device_us(srv, at_us);
	e->note = NULL;
	e->rx_len = (uint16_t)len;
	e->tx_len = 0;
	memcpy(e->rx, adu, len);
	return e;
}

static void log_writes(struct sim_server *srv, const struct exchange *x)
{
	uint8_t status = x->len == 0 ? NOT_ANSWERED : x->pdu[0] & FC_EXCEPTION ? x->pdu[1] : 0;

	if (x->fc != FC_WRITE_SINGLE_REGISTER && x->fc != FC_WRITE_MULTIPLE_REGISTERS)
		return;
	for (unsigned i = 0; !x->parsed && i < x->req.n; i++) {
		srv->writes[srv->n_writes++ % SIM_WRITES_MAX] = (struct sim_write){
			.line_us = x->at_us,
			.device_us = srv->dev.now_us,
			.fc = (uint8_t)x->fc,
			.status = status,
			.addr = (uint16_t)(x->req.addr + i),
			.value = x->req.values[i],
		};
	}
}

static void count_request(struct sim_server *srv, int fc)
{
	srv->count.requests++;
	switch (fc) {
	case FC_READ_HOLDING_REGISTERS:
		srv->count.reads++;
		break;
	case FC_WRITE_SINGLE_REGISTER:
		srv->count.writes_single++;
		break;
	case FC_WRITE_MULTIPLE_REGISTERS:
		srv->count.writes_multiple++;
		break;
	case FC_ENCAPSULATED:
		srv->count.identifications++;
		break;
	default:
		srv->count.others++;
	}
}

/* Another read of the same length: one that was asked before, else one that clients ask. */
static uint16_t other_address(struct sim_server *srv, const struct pdu_request *req)
{
	static const uint16_t bases[] = { 1043, 1024, 9009, 1046, 2002, 1000, 2000 };
	uint16_t last = srv->last_read[req->n], offset = (uint16_t)(10000 * srv->dev.opt.number);

	if (last && last != req->addr)
		return last;
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		if (offset + bases[i] != req->addr && (req->n == 1 || bases[i] % 1000 == 0))
			return (uint16_t)(offset + bases[i]);
	return req->addr;
}

static void spoil_registers(struct sim_server *srv, struct exchange *x)
{
	bool all_7fff = strikes(srv, x, SIM_FAULT_ALL_7FFF);
	bool all_ffff = strikes(srv, x, SIM_FAULT_ALL_FFFF);
	bool invalid = strikes(srv, x, SIM_FAULT_INVALID);

	for (int i = 0; i < x->req.n; i++) {
		uint8_t *at = x->pdu + 2 + 2 * i;

		if (all_7fff)
			wr_u16(at, 0x7fff);
		else if (all_ffff)
			wr_u16(at, 0xffff);
		else if (invalid && x->base + i == 2000)
			wr_u16(at, 0x7fff);
		else if (invalid && x->base + i == 2002)
			wr_u16(at, rng_below(&srv->faults.rng, 2) ? 0xa000 : 0xffff);
	}
}

static void ask_device(struct sim_server *srv, struct exchange *x, const uint8_t *pdu, size_t len)
{
	uint8_t other[PDU_MAX];
	bool is_read = x->fc == FC_READ_HOLDING_REGISTERS && !x->parsed;

	if (is_read && strikes(srv, x, SIM_FAULT_WRONG_ANSWER)) {
		len = pdu_put_read(other, other_address(srv, &x->req), x->req.n);
		pdu = other;
		x->note = "wrong-answer";
	} else if (is_read) {
		srv->last_read[x->req.n] = x->req.addr;
	}
	if (srv->opt.answer)
		x->len = srv->opt.answer(srv->opt.answer_user, pdu, len, x->pdu, &x->think_us);
	else
		sim_device_request(&srv->dev, sim_server_device_us(srv, x->at_us), pdu, len, x->pdu,
				   &x->len);
	if (is_read && x->len && !(x->pdu[0] & FC_EXCEPTION))
		spoil_registers(srv, x);
}

static int64_t think_us(struct sim_server *srv, struct exchange *x)
{
	int64_t us = 0;

	if (srv->opt.pace && x->think_us >= 0) {
		us = x->think_us;
	} else if (srv->opt.pace) {
		us = srv->opt.turnaround_us;
		if (srv->opt.jitter_us > 0)
			us += rng_below(&srv->rng, (uint32_t)srv->opt.jitter_us + 1);
	}
	if (strikes(srv, x, SIM_FAULT_SLOW))
		us += sim_fault_delay_us(&srv->faults, SIM_FAULT_SLOW);
	if (strikes(srv, x, SIM_FAULT_LATE)) {
		us += sim_fault_delay_us(&srv->faults, SIM_FAULT_LATE);
		x->overtake = srv->faults.f[SIM_FAULT_LATE].overtake;
		x->note = "late";
	}
	return us;
}

static void send_reply(struct sim_server *srv, struct exchange *x, struct sim_log_entry *log)
{
	uint8_t adu[RTU_ADU_MAX], foreign[RTU_ADU_MAX];
	int64_t ready = x->at_us + think_us(srv, x);
	size_t len = rtu_put(adu, srv->opt.unit_id, x->pdu, x->len);

	if (strikes(srv, x, SIM_FAULT_FOREIGN)) {
		uint8_t unit = (uint8_t)srv->faults.f[SIM_FAULT_FOREIGN].unit;

		rtu_put(foreign, unit, x->pdu, x->len);
		x->note = "foreign";
		if (srv->faults.f[SIM_FAULT_FOREIGN].before)
			queue_tx(srv, ready, foreign, len);
		else
			memcpy(adu, foreign, len);
	}
	if (strikes(srv, x, SIM_FAULT_CORRUPT)) {
		adu[rng_below(&srv->faults.rng, (uint32_t)len)] ^=
			(uint8_t)(1u << rng_below(&srv->faults.rng, 8));
		x->note = "corrupt";
	}
	if (strikes(srv, x, SIM_FAULT_TRUNCATE)) {
		len = 1 + rng_below(&srv->faults.rng, (uint32_t)len - 1);
		x->note = "truncate";
	}
	queue_tx(srv, ready, adu, len);
	if (strikes(srv, x, SIM_FAULT_DUPLICATE)) {
		queue_tx(srv, ready, adu, len);
		x->note = "duplicate";
	}
	memcpy(log->tx, adu, len);
	log->tx_len = (uint16_t)len;
	if (!x->overtake)
		srv->busy_until_us = ready + bytes_us(srv, len);
}

static void answer(struct sim_server *srv, struct exchange *x, const uint8_t *pdu, size_t len,
		   struct sim_log_entry *log)
{
	if (srv->locked || strikes(srv, x, SIM_FAULT_MUTE)) {
		log->note = "mute";
		return;
	}
	if (strikes(srv, x, SIM_FAULT_LOSE_REQUEST)) {
		log->note = "lose-request";
		return;
	}
	if (strikes(srv, x, SIM_FAULT_EXCEPTION)) {
		int code = srv->faults.f[SIM_FAULT_EXCEPTION].code;

		x->len = pdu_put_exception(x->pdu, (uint8_t)x->fc, (uint8_t)code);
		x->note = "exception";
	} else {
		ask_device(srv, x, pdu, len);
	}
	log_writes(srv, x);
	if (x->len && (x->pdu[0] & FC_EXCEPTION))
		srv->count.exceptions++;
	if (x->len && strikes(srv, x, SIM_FAULT_LOSE_REPLY))
		x->note = "lose-reply";
	else if (x->len)
		send_reply(srv, x, log);
	else
		x->note = "not answered";
	log->note = x->note;
}

static void malformed(struct sim_server *srv, struct exchange *x, struct sim_log_entry *log)
{
	log->note = "malformed";
	if (srv->locked || sim_fault_strikes(&srv->faults, SIM_FAULT_LOCKUP, -1, -1)) {
		srv->locked = true;
		srv->locked_deaths = srv->dev.deaths;
		log->note = "lockup";
	} else if (srv->dev.dialect.crc_exception && srv->dev.board == SIM_BOARD_ALIVE) {
		x->len = pdu_put_exception(x->pdu, (uint8_t)(x->fc & 0x7f), EXC_ILLEGAL_VALUE);
		send_reply(srv, x, log);
	}
}

/* Several UPSes behind one unit id: registers are of the one whose number they carry. */
static bool is_anothers(const struct sim_server *srv, const struct exchange *x)
{
	unsigned addr = x->req.addr;

	if (srv->opt.second)
		return x->base < 0;
	if (!srv->opt.others || x->fc == FC_ENCAPSULATED || x->parsed)
		return false;
	for (unsigned n = 1; n <= 4; n++)
		if ((srv->opt.others >> n & 1) &&
		    (addr / 10000 == n || (addr >= 40000 + 1024 * n && addr < 41024 + 1024 * n)))
			return true;
	return false;
}

/* A whole frame, or what silence left of one. */
static void handle_frame(struct sim_server *srv, int64_t at_us)
{
	struct exchange x = { .at_us = at_us, .fc = -1, .base = -1, .think_us = -1 };
	size_t len = srv->acc_len;
	uint8_t *adu = srv->acc;
	struct sim_log_entry *log = log_request(srv, at_us, adu, len);

	srv->acc_len = 0;
	if (srv->dev.deaths != srv->locked_deaths)
		srv->locked = false;
	if (len >= RTU_ADU_MIN) {
		x.fc = adu[1];
		x.parsed = pdu_get_request(adu + 1, len - 3, &x.req);
		if (!x.parsed && x.fc != FC_ENCAPSULATED)
			x.base = sim_device_base(&srv->dev, x.req.addr);
		if (strikes(srv, &x, SIM_FAULT_CORRUPT_REQUEST))
			adu[rng_below(&srv->faults.rng, (uint32_t)len)] ^= 0x10;
	}
	if (len < RTU_ADU_MIN ||
	    crc16(adu, len - 2) != (uint16_t)(adu[len - 2] | adu[len - 1] << 8)) {
		srv->count.malformed += len < RTU_ADU_MIN;
		srv->count.bad_crc += len >= RTU_ADU_MIN;
		malformed(srv, &x, log);
		return;
	}
	if (adu[0] != srv->opt.unit_id) {
		srv->count.foreign++;
		log->note = "foreign unit id";
		return;
	}
	if (is_anothers(srv, &x)) {
		log->note = "another UPS number";
		return;
	}
	count_request(srv, x.fc);
	answer(srv, &x, adu + 1, len - 3, log);
}

/* Receiving */

static int64_t rx_next_us(const struct sim_server *srv)
{
	int64_t at;

	if (srv->rx_len) {
		at = srv->rx[srv->rx_head].at_us;
		return at > srv->busy_until_us ? at : srv->busy_until_us;
	}
	return srv->acc_len ? srv->acc_us + srv->opt.silence_us : SIM_NEVER;
}

static void take_byte(struct sim_server *srv)
{
	int64_t at = srv->rx[srv->rx_head].at_us;
	int64_t now = rx_next_us(srv);
	int length;

	if (srv->acc_len && at - srv->acc_us >= srv->opt.silence_us) {
		handle_frame(srv, now);
		return; /* the byte waits if that made the device busy */
	}
	srv->acc[srv->acc_len++] = srv->rx[srv->rx_head].byte;
	srv->acc_us = at;
	srv->rx_head = (srv->rx_head + 1) % SIM_RX_MAX;
	srv->rx_len--;
	length = rtu_request_length(srv->acc, srv->acc_len);
	if ((length > 0 && srv->acc_len >= (size_t)length) || srv->acc_len == sizeof(srv->acc))
		handle_frame(srv, now);
}

void sim_server_receive(struct sim_server *srv, int64_t now_us, const uint8_t *data, size_t len)
{
	sim_server_advance(srv, now_us);
	if (srv->rx_free_us < now_us)
		srv->rx_free_us = now_us;
	srv->count.bytes_in += len;
	if (sim_fault_on(&srv->faults, SIM_FAULT_ECHO)) {
		for (size_t i = 0; i < len; i += RTU_ADU_MAX)
			queue_tx(srv, srv->rx_free_us, data + i,
				 len - i < RTU_ADU_MAX ? len - i : RTU_ADU_MAX);
		srv->faults.f[SIM_FAULT_ECHO].struck++;
	}
	for (size_t i = 0; i < len; i++) {
		size_t slot = (srv->rx_head + srv->rx_len) % SIM_RX_MAX;

		if (srv->rx_len == SIM_RX_MAX) {
			srv->count.bytes_dropped += len - i;
			break;
		}
		srv->rx_free_us += bytes_us(srv, 1);
		srv->rx[slot].at_us = srv->rx_free_us;
		srv->rx[slot].byte = data[i];
		srv->rx_len++;
	}
	sim_server_advance(srv, now_us);
}

void sim_server_advance(struct sim_server *srv, int64_t now_us)
{
	int64_t next;

	if (now_us < srv->now_us)
		now_us = srv->now_us;
	while ((next = rx_next_us(srv)) <= now_us) {
		srv->now_us = next > srv->now_us ? next : srv->now_us;
		if (srv->rx_len)
			take_byte(srv);
		else
			handle_frame(srv, srv->now_us);
	}
	srv->now_us = now_us;
	sim_device_advance(&srv->dev, sim_server_device_us(srv, now_us));
	make_noise(srv, now_us);
}

size_t sim_server_send(struct sim_server *srv, int64_t now_us, uint8_t *out, size_t max)
{
	sim_server_advance(srv, now_us);
	return put_bytes(srv, srv->now_us, out, max);
}

/* Whole frames if short, else bursts: as a USB adapter hands them on. */
static int64_t tx_next_us(const struct sim_server *srv)
{
	int64_t next = SIM_NEVER;

	for (size_t i = 0; i < srv->n_tx; i++) {
		const struct sim_tx *tx = &srv->tx[i];
		int64_t start = tx_start_us(srv, tx);
		int64_t first = start + bytes_us(srv, tx->sent + 1u) + BURST_US;
		int64_t end = start + bytes_us(srv, tx->len);
		int64_t at = first < end && !srv->opt.whole ? first : end;

		next = at < next ? at : next;
	}
	return next;
}

static int64_t device_next_us(const struct sim_server *srv)
{
	int64_t next = sim_device_next_us(&srv->dev);
	double passed;

	if (next == SIM_NEVER)
		return SIM_NEVER;
	passed = (double)(next - srv->dev0_us) / srv->speed;
	if (passed > 1e17)
		return SIM_NEVER;
	return srv->line0_us + (int64_t)passed + (srv->speed != 1);
}

int64_t sim_server_next_us(const struct sim_server *srv)
{
	int64_t next = rx_next_us(srv), other = tx_next_us(srv);

	if (srv->opt.whole && srv->rx_len && srv->rx_free_us > next)
		next = srv->rx_free_us;

	next = other < next ? other : next;
	other = device_next_us(srv);
	next = other < next ? other : next;
	if (sim_fault_on(&srv->faults, SIM_FAULT_NOISE) && srv->n_tx <= SIM_TX_MAX / 2 &&
	    srv->noise_us < next)
		next = srv->noise_us;
	return next;
}

void sim_server_cut(struct sim_server *srv)
{
	srv->rx_len = 0;
	srv->acc_len = 0;
	srv->n_tx = 0;
	srv->rx_free_us = srv->now_us;
	srv->busy_until_us = srv->now_us;
	srv->wire_free_us = srv->now_us;
}

const struct sim_log_entry *sim_server_log(const struct sim_server *srv, size_t i)
{
	uint64_t first = srv->n_log > SIM_LOG_MAX ? srv->n_log - SIM_LOG_MAX : 0;

	return first + i < srv->n_log ? &srv->log[(first + i) % SIM_LOG_MAX] : NULL;
}

const struct sim_write *sim_server_write(const struct sim_server *srv, size_t i)
{
	uint64_t first = srv->n_writes > SIM_WRITES_MAX ? srv->n_writes - SIM_WRITES_MAX : 0;

	return first + i < srv->n_writes ? &srv->writes[(first + i) % SIM_WRITES_MAX] : NULL;
}
