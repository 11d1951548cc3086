#include "probe/wire.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/url.h"
#include "util/util.h"
#include <ups2000/error.h>

static const int64_t PATIENCE_US = 2400000; /* "up to 2 s", and a margin (docs/protocol.md) */
static const int64_t OPEN_US = 8000000;	    /* to connect over a network */
static const int64_t HOUR_US = 3600000000;
static const int64_t NETWORK_SILENCE_US = 200000; /* portions are further apart there */
static const int64_t STUCK_US = 15000000;	  /* a line that is never quiet enough to ask */
static const int64_t JOIN_US = 30000;		  /* bytes this close are one frame in a record */

enum { FILLER_REGS = 3 };

struct wire {
	struct event_base *base;
	struct event *timer, *wake, *signals[3];
	struct link *link;
	struct line *line;
	enum link_state state;
	char reason[512], adapter[160], lost[512];
	bool up_once, interrupted, told;

	/* the question */
	bool wanted, done;
	struct line_request request;
	int64_t not_before_us, finished_us;
	uint8_t unit_id;
	uint16_t filler_addr;
	size_t last_read; /* registers of the last request; 0 = it was no read */
	bool serial;
	unsigned baud;
	struct wire_answer *answer;

	/* what came since the last request */
	struct capture *record;
	int64_t start_us, rx_us;
	uint8_t tx[RTU_ADU_MAX], rx[CAPTURE_FRAME_MAX];
	size_t tx_len, rx_len, heard; /* heard: of the last request's echo */
	unsigned echoes, late;
};

/* ---- the record ---- */

static void record(struct wire *w, int64_t at_us, bool sent, const uint8_t *data, size_t len)
{
	if (!w->record)
		return;
	if (!w->start_us)
		w->start_us = at_us;
	capture_add(w->record, at_us - w->start_us, sent, data, len);
}

static void record_rx(struct wire *w)
{
	if (w->rx_len)
		record(w, w->rx_us, false, w->rx, w->rx_len);
	w->rx_len = 0;
}

static void keep_rx(struct wire *w, const uint8_t *data, size_t len, int64_t now_us)
{
	if (w->rx_len && now_us - w->rx_us > JOIN_US)
		record_rx(w);
	for (size_t i = 0; i < len; i++) {
		if (w->rx_len == sizeof(w->rx))
			record_rx(w);
		w->rx[w->rx_len++] = data[i];
		w->rx_us = now_us;
	}
}

static void listen_for_echo(struct wire *w, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len && w->heard < w->tx_len; i++) {
		if (data[i] != w->tx[w->heard]) {
			w->tx_len = 0;
			return;
		}
		if (++w->heard == w->tx_len)
			w->echoes++;
	}
}

/* ---- between link and line ---- */

static void run(struct wire *w)
{
	int64_t now_us = clock_us(), wait_us;
	struct timeval tv;

	line_run(w->line, now_us);
	wait_us = line_deadline(w->line, clock_us());
	if (wait_us == INT64_MAX) {
		event_del(w->timer);
		return;
	}
	wait_us -= clock_us();
	if (wait_us < 0)
		wait_us = 0;
	tv.tv_sec = (time_t)(wait_us / 1000000);
	tv.tv_usec = (suseconds_t)(wait_us % 1000000);
	event_add(w->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	(void)fd, (void)what;
	run(user);
}

/* Only ends a turn of the loop. */
static void on_wake(evutil_socket_t fd, short what, void *user)
{
	(void)fd, (void)what, (void)user;
}

static void on_signal(evutil_socket_t fd, short what, void *user)
{
	struct wire *w = user;

	(void)fd, (void)what;
	w->interrupted = true;
	event_base_loopbreak(w->base);
}

static void on_state(void *user, enum link_state state, const char *reason)
{
	struct wire *w = user;

	w->state = state;
	w->told = true;
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
	if (state == LINK_UP) {
		w->up_once = true;
		snprintf(w->adapter, sizeof(w->adapter), "%s", link_adapter(w->link));
	} else if (w->up_once && !*w->lost) {
		snprintf(w->lost, sizeof(w->lost), "%s", reason);
	}
	line_link(w->line, state == LINK_UP, clock_us());
	run(w);
}

static void on_rx(void *user, const uint8_t *data, size_t len)
{
	struct wire *w = user;
	int64_t now_us = clock_us();

	listen_for_echo(w, data, len);
	keep_rx(w, data, len, now_us);
	line_rx(w->line, data, len, now_us);
	if (line_is_broken(w->line) && !*w->lost) {
		snprintf(
			w->lost, sizeof(w->lost),
			"What comes back is not Modbus TCP. If this is a serial device server, its "
			"name begins with rtu+tcp://.");
		link_reopen(w->link);
	}
	run(w);
}

static bool send_frame(void *user, const uint8_t *data, size_t len)
{
	struct wire *w = user;

	record_rx(w);
	record(w, clock_us(), true, data, len);
	w->tx_len = len <= sizeof(w->tx) ? len : 0;
	memcpy(w->tx, data, w->tx_len);
	w->heard = 0;
	return link_write(w->link, data, len) == 0;
}

static int64_t due(void *user, int64_t now_us)
{
	const struct wire *w = user;

	(void)now_us;
	return w->wanted ? w->not_before_us : INT64_MAX;
}

static bool take(void *user, int64_t now_us, struct line_request *request)
{
	struct wire *w = user;

	if (!line_is_up(w->line)) { /* lost meanwhile; the status says so from the start */
		w->wanted = false;
		w->done = true;
		return false;
	}
	if (line_blocked(w->line, &w->request.shape, now_us))
		return false;
	*request = w->request;
	w->wanted = false;
	return true;
}

/* How the answer reads to the one who asked. */
static int status_of(const struct wire *w, const struct line_answer *answer)
{
	uint16_t regs[PDU_READ_REGS_MAX];

	switch (answer->result) {
	case LINE_ANSWER:
		break;
	case LINE_DOWN:
		return U2K_ECLOSED;
	case LINE_TIMEOUT:
	case LINE_LATE:
		return U2K_ETIMEOUT;
	}
	if (answer->len == 2 && answer->pdu[0] & FC_EXCEPTION)
		return answer->pdu[1] ? answer->pdu[1] : U2K_EPROTO;
	if (w->request.shape.fc == FC_READ_HOLDING_REGISTERS)
		return pdu_get_regs(answer->pdu, answer->len, w->request.shape.n, regs);
	return 0;
}

static int64_t wire_us(const struct wire *w, size_t bytes)
{
	return w->serial ? (int64_t)bytes * 10 * 1000000 / w->baud : 0;
}

static void on_answer(void *user, const struct line_answer *answer, int64_t now_us)
{
	struct wire *w = user;

	if (answer->result == LINE_LATE) {
		w->late++;
		return;
	}
	w->done = true;
	w->finished_us = now_us;
	if (!w->answer)
		return;
	w->answer->status = status_of(w, answer);
	if (answer->result != LINE_ANSWER)
		return;
	w->answer->len = answer->len;
	memcpy(w->answer->pdu, answer->pdu, answer->len);
	w->answer->took_us = now_us - answer->sent_us;
	w->answer->think_us = w->answer->took_us - wire_us(w, w->request.len + 3 + answer->len + 3);
	if (w->answer->think_us < 0)
		w->answer->think_us = 0;
}

/* ---- opening ---- */

static const struct line_user_ops line_ops = { .due = due, .take = take, .answer = on_answer };
static const struct link_ops link_ops = { .state = on_state, .rx = on_rx };

/* NULL and a reason if the name cannot be a port. */
static struct link *make_link(struct wire *w, const struct wire_config *config,
			      const struct link_url *url, char *reason, size_t size)
{
	struct link_serial_config serial = { .path = config->port,
					     .baud = config->baud,
					     .sysfs = config->sysfs };
	struct link_tcp_config tcp = { .host = url->host, .port = url->port };
	struct link *link = url->kind == LINK_SERIAL
				    ? link_serial_new(w->base, &serial, &link_ops, w)
				    : link_tcp_new(w->base, &tcp, &link_ops, w);

	if (!link && !link_baud_ok(config->baud))
		snprintf(reason, size, "%u baud is no speed a serial port can be asked for",
			 config->baud);
	else if (!link)
		snprintf(reason, size, "\"%s\" is not usable as the name of a port", config->port);
	return link;
}

static void make_line(struct wire *w, const struct wire_config *config, const struct link_url *url)
{
	struct line_params params;

	line_params_default(&params);
	params.baud = config->baud;
	if (url->kind == LINK_TCP)
		params.framing = FRAMING_MBAP;
	/* never ask again before a slow answer can have come */
	params.first_allowance_us = PATIENCE_US;
	params.min_allowance_us = PATIENCE_US;
	params.max_allowance_us = PATIENCE_US;
	if (url->kind == LINK_RTU_TCP)
		params.silence_us = NETWORK_SILENCE_US;
	w->line = line_new(&params, send_frame, w);
	line_add(w->line, &line_ops, w);
}

static void make_loop(struct wire *w)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct event_config *config = event_config_new();

	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	w->base = event_base_new_with_config(config);
	event_config_free(config);
	w->timer = event_new(w->base, -1, 0, on_timer, w);
	w->wake = event_new(w->base, -1, 0, on_wake, w);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		w->signals[i] = evsignal_new(w->base, signals[i], on_signal, w);
		event_add(w->signals[i], NULL);
	}
}

/* Let the loop run until the condition or the time. */
static void run_until(struct wire *w, const bool *done, int64_t until_us)
{
	while (!*done && !w->interrupted) {
		int64_t left_us = until_us - clock_us();
		struct timeval tv = { 0, 0 };

		if (left_us <= 0)
			return;
		if (left_us > HOUR_US)
			left_us = HOUR_US;
		tv.tv_sec = (time_t)(left_us / 1000000);
		tv.tv_usec = (suseconds_t)(left_us % 1000000);
		evtimer_add(w->wake, &tv);
		event_base_loop(w->base, EVLOOP_ONCE);
	}
}

/* Up, or known not to be. A network takes its time. */
static void await_link(struct wire *w)
{
	int64_t until_us = clock_us() + OPEN_US;

	while (!w->interrupted && clock_us() < until_us && (!w->told || w->state == LINK_OPENING)) {
		w->told = false;
		run_until(w, &w->told, until_us);
	}
}

struct wire *wire_open(const struct wire_config *config, enum link_state *state, char *reason,
		       size_t reason_size)
{
	struct link_url url;
	struct wire *w;

	*state = LINK_REFUSED;
	if (!link_url_parse(config->port, &url, reason, reason_size))
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->state = LINK_OPENING;
	w->serial = url.kind != LINK_TCP;
	w->record = config->record;
	w->baud = config->baud;
	w->unit_id = (uint8_t)config->unit_id;
	w->filler_addr = config->filler_addr;
	make_loop(w);
	make_line(w, config, &url);
	if (w->record) {
		w->record->framing = w->serial ? CAPTURE_RTU : CAPTURE_MBAP;
		w->record->baud = config->baud;
	}
	w->link = make_link(w, config, &url, reason, reason_size);
	if (!w->link) {
		wire_close(w);
		return NULL;
	}
	await_link(w);
	if (w->state == LINK_UP)
		return w;
	*state = w->state;
	snprintf(reason, reason_size, "%s",
		 w->interrupted ? "interrupted"
		 : *w->reason	? w->reason
				: link_reason(w->link));
	wire_close(w);
	return NULL;
}

void wire_close(struct wire *wire)
{
	if (!wire)
		return;
	record_rx(wire);
	link_free(wire->link);
	line_free(wire->line);
	for (size_t i = 0; i < ARRAY_SIZE(wire->signals); i++)
		event_free(wire->signals[i]);
	event_free(wire->timer);
	event_free(wire->wake);
	event_base_free(wire->base);
	free(wire);
}

/* ---- asking ---- */

static int ask(struct wire *w, int64_t gap_us, struct wire_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->status = U2K_ECLOSED;
	if (w->interrupted || w->state != LINK_UP)
		return answer->status;
	w->answer = answer;
	w->done = false;
	w->wanted = true;
	w->not_before_us = w->finished_us + gap_us;
	run(w);
	run_until(w, &w->done, clock_us() + STUCK_US);
	if (!w->done)
		answer->status = w->interrupted ? U2K_ECLOSED : U2K_ETIMEOUT;
	w->wanted = false;
	w->answer = NULL;
	return answer->status;
}

/* The line never asks twice running what has the same shape of answer: put something in between. */
static void ask_filler(struct wire *w, uint16_t addr, size_t n)
{
	struct line_request wanted = w->request;
	struct wire_answer ignored;
	size_t filler = n == FILLER_REGS ? FILLER_REGS + 2 : FILLER_REGS;

	w->request.len = pdu_put_read(w->request.pdu, addr, filler);
	w->request.shape.n = (uint16_t)filler;
	w->request.shape.addr = addr;
	ask(w, 0, &ignored);
	w->request = wanted;
}

int wire_read(struct wire *w, uint16_t addr, size_t n, int64_t gap_us, uint16_t *regs,
	      struct wire_answer *answer)
{
	if (n < 1 || n > WIRE_READ_MAX)
		return U2K_EINVAL;
	w->request.len = pdu_put_read(w->request.pdu, addr, n);
	w->request.shape = (struct line_shape){ .unit_id = w->unit_id,
						.fc = FC_READ_HOLDING_REGISTERS,
						.n = (uint16_t)n,
						.addr = addr };
	if (!w->request.len)
		return U2K_EINVAL;
	if (w->last_read == n)
		ask_filler(w, w->filler_addr, n);
	w->last_read = n;
	if (ask(w, gap_us, answer) == 0)
		answer->status = pdu_get_regs(answer->pdu, answer->len, n, regs);
	return answer->status;
}

int wire_identify(struct wire *w, uint8_t code, uint8_t object, struct wire_answer *answer)
{
	w->request.len = pdu_put_read_devid(w->request.pdu, code, object);
	w->last_read = 0;
	w->request.shape = (struct line_shape){
		.unit_id = w->unit_id, .fc = FC_ENCAPSULATED, .n = code, .addr = object
	};
	return ask(w, 0, answer);
}

bool wire_wait(struct wire *wire, int64_t us)
{
	bool never = false;

	run_until(wire, &never, clock_us() + us);
	return !wire->interrupted;
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	(void)fd, (void)what;
	*(bool *)user = true;
}

bool wire_wait_fd(struct wire *wire, int fd)
{
	bool ready = false;
	struct event *event = event_new(wire->base, fd, EV_READ, on_readable, &ready);

	if (!event || event_add(event, NULL)) /* a plain file is always readable */
		ready = true;
	run_until(wire, &ready, INT64_MAX);
	if (event)
		event_free(event);
	return ready && !wire->interrupted;
}

bool wire_interrupted(const struct wire *wire)
{
	return wire->interrupted;
}

const char *wire_lost(const struct wire *wire)
{
	return wire->lost;
}

const char *wire_adapter(const struct wire *wire)
{
	return wire->adapter;
}

void wire_stats(const struct wire *wire, struct line_stats *stats)
{
	line_stats(wire->line, stats);
}

unsigned wire_echoes(const struct wire *wire)
{
	return wire->echoes;
}

unsigned wire_late(const struct wire *wire)
{
	return wire->late;
}
