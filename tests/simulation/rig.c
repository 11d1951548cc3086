#include "rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/pdu.h"
#include "ups/engine_impl.h"

enum { START_US = 1000000000 };

/* Like assert(), in every build. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "rig:%d: %s\n", __LINE__, #condition);                     \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* --- frames for people ---------------------------------------------------------------------- */

static void put_hex(char *out, size_t size, const uint8_t *data, size_t len)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < len && at + 4 < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%02X ", data[i]);
}

static void put_meaning(char *out, size_t size, const struct rig *rig, const uint8_t *adu,
			size_t len)
{
	struct pdu_request req;
	int base;

	out[0] = '\0';
	if (len < 4 || pdu_get_request(adu + 1, len - 3, &req))
		return;
	base = sim_device_base(&rig->srv.dev, req.addr);
	if (req.fc == FC_ENCAPSULATED)
		snprintf(out, size, "identify, code %u", req.devid_code);
	else if (req.fc == FC_READ_HOLDING_REGISTERS)
		snprintf(out, size, "read %d x %u", base, req.n);
	else if (req.n == 2)
		snprintf(out, size, "WRITE %d := %u, %u", base, req.values[0], req.values[1]);
	else
		snprintf(out, size, "WRITE %d := %u", base, req.values[0]);
}

/* Bytes come in portions: one line for all until something else happens. */
static void flush_rx(struct rig *rig)
{
	char hex[3 * sizeof(rig->rx) + 1], text[sizeof(hex) + 80];
	const uint8_t *adu = rig->rx;

	if (!rig->n_rx)
		return;
	put_hex(hex, sizeof(hex), rig->rx, rig->n_rx);
	if (rig->n_rx == 5 && adu[1] & FC_EXCEPTION)
		snprintf(text, sizeof(text), "  <- %s exception %u", hex, adu[2]);
	else
		snprintf(text, sizeof(text), "  <- %s", hex);
	rig->n_rx = 0;
	rig->trace(rig, text, rig->user);
}

void rig_say(struct rig *rig, const char *format, ...)
{
	char text[1024];
	va_list args;

	if (!rig->trace)
		return;
	flush_rx(rig);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	rig->trace(rig, text, rig->user);
}

static void say_tx(struct rig *rig, const uint8_t *adu, size_t len)
{
	char hex[3 * RTU_ADU_MAX + 1], meaning[80];

	if (!rig->trace)
		return;
	put_hex(hex, sizeof(hex), adu, len);
	put_meaning(meaning, sizeof(meaning), rig, adu, len);
	rig_say(rig, "-> %s %s", hex, meaning);
}

static void say_rx(struct rig *rig, const uint8_t *data, size_t len)
{
	for (size_t i = 0; rig->trace && i < len; i++) {
		if (rig->n_rx == sizeof(rig->rx))
			flush_rx(rig);
		rig->rx[rig->n_rx++] = data[i];
	}
}

/* --- the session's surroundings --------------------------------------------------------------- */

static struct rig_order *find(struct rig *rig, uint64_t token)
{
	struct rig_order *order = &rig->orders[token % RIG_ORDERS_MAX];

	must(order->token == token);
	return order;
}

static void note_write(struct rig *rig, const struct pdu_request *req)
{
	const struct engine *engine = session_engine(rig->session);
	struct rig_write *write = &rig->writes[rig->n_writes++ % RIG_WRITES_MAX];

	*write = (struct rig_write){
		.at_us = rig->now_us,
		.token = engine->run.token,
		.base = (uint16_t)sim_device_base(&rig->srv.dev, req->addr),
		.values = { req->values[0], req->n > 1 ? req->values[1] : 0 },
		.n = req->n,
		.gate = session_snapshot(rig->session)->gate,
	};
	if (write->token)
		find(rig, write->token)->writes++;
	if (rig->wrote)
		rig->wrote(rig, write, rig->user);
}

static bool on_tx(void *user, const uint8_t *adu, size_t len)
{
	struct rig *rig = user;
	struct pdu_request req;

	if (!rig->up)
		return false;
	say_tx(rig, adu, len);
	if (!pdu_get_request(adu + 1, len - 3, &req) &&
	    (req.fc == FC_WRITE_SINGLE_REGISTER || req.fc == FC_WRITE_MULTIPLE_REGISTERS))
		note_write(rig, &req);
	sim_server_receive(&rig->srv, rig->now_us, adu, len);
	return true;
}

static void on_changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	struct rig *rig = user;

	if (rig->changed)
		rig->changed(rig, snap, mask, rig->user);
}

static void on_event(void *user, const char *kind, const char *severity, const char *text)
{
	rig_say(user, "   event %s (%s): %s", kind, severity, text);
}

static void on_progress(void *user, uint64_t token, const char *text)
{
	struct rig *rig = user;
	struct rig_order *order = find(rig, token);

	snprintf(order->progress, sizeof(order->progress), "%s", text);
	rig_say(rig, "   order %llu %s: %s", (unsigned long long)token, order->name, text);
}

static void on_done(void *user, uint64_t token, enum u2k_outcome outcome, int error,
		    const char *text)
{
	struct rig *rig = user;
	struct rig_order *order = find(rig, token);

	order->dones++;
	order->outcome = outcome;
	order->error = error;
	order->done_us = rig->now_us;
	snprintf(order->text, sizeof(order->text), "%s", text);
	rig_say(rig, "   order %llu %s: %s (%d): %s", (unsigned long long)token, order->name,
		u2k_outcome_text(outcome), error, text);
	if (rig->done)
		rig->done(rig, order, rig->user);
}

static void on_journal(void *user, const struct engine_journal *journal)
{
	struct rig *rig = user;

	rig->saving = *journal;
	rig->is_saving = true;
	rig->saving_until_us =
		rig->journal_mode == RIG_JOURNAL_SILENT ? INT64_MAX : rig->now_us + rig->journal_us;
}

static void on_delays(void *user, const struct engine_delays *delays)
{
	struct rig *rig = user;

	rig->delays = *delays;
	rig->n_delays++;
}

static const struct session_ops session_ops = {
	.changed = on_changed,
	.event = on_event,
	.progress = on_progress,
	.done = on_done,
	.journal = on_journal,
	.delays = on_delays,
};

static void journal_due(struct rig *rig)
{
	bool ok = rig->journal_mode == RIG_JOURNAL_KEPT;

	rig->is_saving = false;
	if (ok) {
		rig->saved = rig->saving;
		rig->has_saved = true;
	}
	session_journal_saved(rig->session, ok);
}

/* --- time -------------------------------------------------------------------------------------- */

static int64_t next_event(struct rig *rig)
{
	int64_t next = sim_server_next_us(&rig->srv), other;

	if (rig->session) {
		other = line_deadline(rig->line, rig->now_us);
		next = other < next ? other : next;
		if (rig->is_saving && rig->saving_until_us < next)
			next = rig->saving_until_us;
	}
	return next > rig->now_us ? next : rig->now_us;
}

static void work(struct rig *rig)
{
	uint8_t bytes[RTU_ADU_MAX];
	size_t n;

	while ((n = sim_server_send(&rig->srv, rig->now_us, bytes, sizeof(bytes)))) {
		say_rx(rig, bytes, n);
		if (rig->session && rig->up)
			line_rx(rig->line, bytes, n, rig->now_us);
	}
	if (!rig->session)
		return;
	if (rig->is_saving && rig->saving_until_us <= rig->now_us)
		journal_due(rig);
	line_run(rig->line, rig->now_us);
}

void rig_run_until(struct rig *rig, int64_t until_us)
{
	unsigned still = 0;

	while (!rig->stop) {
		int64_t next = next_event(rig);

		if (next > until_us)
			break;
		still = next > rig->now_us ? 0 : still + 1;
		if (still > 1000) {
			rig->stuck = true;
			rig->stop = true;
			return;
		}
		if (rig->before)
			rig->before(rig, next, rig->user);
		rig->now_us = next;
		work(rig);
		rig->steps++;
		if (rig->after)
			rig->after(rig, rig->user);
	}
	if (rig->stop)
		return;
	if (until_us > rig->now_us) {
		if (rig->before)
			rig->before(rig, until_us, rig->user);
		rig->now_us = until_us;
		work(rig);
	}
	if (rig->after)
		rig->after(rig, rig->user);
}

void rig_run(struct rig *rig, double seconds)
{
	rig_run_until(rig, rig->now_us + (int64_t)(seconds * 1e6));
}

bool rig_settle(struct rig *rig)
{
	for (int i = 0; i < 600 && rig_snap(rig)->gate != U2K_GATE_OPEN; i++)
		rig_run(rig, 0.1);
	return rig_snap(rig)->gate == U2K_GATE_OPEN;
}

/* --- the daemon --------------------------------------------------------------------------------- */

void rig_init_device(struct rig *rig, uint64_t seed, const struct sim_options *device)
{
	struct sim_server_options server;

	memset(rig, 0, sizeof(*rig));
	rig->now_us = START_US;
	sim_server_options_default(&server);
	server.seed = seed;
	sim_server_init(&rig->srv, rig->now_us, &server, device);
	rig->journal_us = 5000;
	rig->delays = (struct engine_delays){ 60, 60, 60 };
	rig->config = (struct session_config){
		.unit_id = 1,
		.number = 1,
		.control = true,
		.status_interval_us = 150000,
	};
	line_params_default(&rig->params);
}

void rig_init(struct rig *rig, uint64_t seed)
{
	struct sim_options device;

	sim_options_default(&device);
	rig_init_device(rig, seed, &device);
	rig_start(rig, true);
}

void rig_start(struct rig *rig, bool same_boot)
{
	must(!rig->session);
	rig->config.delays = rig->delays;
	rig->line = line_new(&rig->params, on_tx, rig);
	rig->session = session_new(rig->line, &rig->config, &session_ops, rig);
	must(rig->line && rig->session);
	if (rig->has_saved)
		session_restore(rig->session, &rig->saved, same_boot, rig->now_us);
	rig_say(rig, "## the daemon starts%s", same_boot ? "" : " after a boot");
	rig->up = false;
	rig_link(rig, true);
}

void rig_kill(struct rig *rig)
{
	uint64_t first = rig->n_orders > RIG_ORDERS_MAX ? rig->n_orders - RIG_ORDERS_MAX : 0;

	if (!rig->session)
		return;
	rig_say(rig, "## the daemon is killed");
	for (uint64_t i = first + 1; i <= rig->n_orders; i++) {
		struct rig_order *order = &rig->orders[i % RIG_ORDERS_MAX];

		if (order->outcome == U2K_PENDING)
			order->abandoned = true;
	}
	session_free(rig->session);
	line_free(rig->line);
	rig->session = NULL;
	rig->line = NULL;
	rig->is_saving = false;
}

void rig_close(struct rig *rig)
{
	rig->trace = NULL;
	rig->done = NULL;
	rig_kill(rig);
}

void rig_link(struct rig *rig, bool up)
{
	if (rig->up == up || !rig->session)
		return;
	rig_say(rig, "## the link is %s", up ? "up" : "down");
	rig->up = up;
	sim_server_cut(&rig->srv);
	line_link(rig->line, up, rig->now_us);
	session_link(rig->session, up, rig->now_us);
	line_run(rig->line, rig->now_us);
}

struct rig_order *rig_order(struct rig *rig, bool setting, const char *name, const char *value)
{
	struct rig_order *order = &rig->orders[++rig->n_orders % RIG_ORDERS_MAX];

	must(!order->token || order->outcome != U2K_PENDING || order->abandoned);
	*order = (struct rig_order){
		.token = rig->n_orders,
		.setting = setting,
		.given_us = rig->now_us,
		.outcome = U2K_PENDING,
	};
	snprintf(order->name, sizeof(order->name), "%s", name);
	snprintf(order->value, sizeof(order->value), "%s", value ? value : "");
	rig_say(rig, "## order %llu: %s %s", (unsigned long long)order->token, name, order->value);
	session_order(rig->session, order->token, setting, name, value, rig->now_us);
	line_run(rig->line, rig->now_us);
	return order;
}

bool rig_run_order(struct rig *rig, struct rig_order *order, double max_s)
{
	int64_t until = rig->now_us + (int64_t)(max_s * 1e6);

	while (order->outcome == U2K_PENDING && rig->now_us < until)
		rig_run(rig, 0.1);
	return order->outcome != U2K_PENDING;
}

struct rig_order *rig_command(struct rig *rig, const char *name, const char *value, double max_s)
{
	struct rig_order *order = rig_order(rig, false, name, value);

	rig_run_order(rig, order, max_s);
	return order;
}

struct rig_order *rig_set(struct rig *rig, const char *name, const char *value)
{
	struct rig_order *order = rig_order(rig, true, name, value);

	rig_run_order(rig, order, 60);
	return order;
}

unsigned rig_peek(const struct rig *rig, uint16_t base)
{
	uint16_t value;

	sim_device_peek(&rig->srv.dev, base, &value);
	return value;
}

const struct rig_write *rig_write_at(const struct rig *rig, uint64_t i)
{
	if (i >= rig->n_writes || i + RIG_WRITES_MAX < rig->n_writes)
		return NULL;
	return &rig->writes[i % RIG_WRITES_MAX];
}

const struct u2k_snapshot *rig_snap(const struct rig *rig)
{
	return session_snapshot(rig->session);
}
