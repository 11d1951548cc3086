#include "sim/report.h"

#include <inttypes.h>

#include "sim/server.h"
#include "util/util.h"

static const char *const boards[] = {
	[SIM_BOARD_DEAD] = "dead",
	[SIM_BOARD_BOOTING] = "booting",
	[SIM_BOARD_ALIVE] = "alive",
};

static const char *const tests[] = {
	[SIM_TEST_NONE] = "none",
	[SIM_TEST_QUICK] = "quick",
	[SIM_TEST_DEEP] = "deep",
};

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static void put_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			fprintf(out, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}

static void put_hex(FILE *out, const uint8_t *bytes, size_t len)
{
	fputc('"', out);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%s%02X", i ? " " : "", bytes[i]);
	fputc('"', out);
}

static void put_timer(const struct sim_device *dev, enum sim_timer timer, const char *name,
		      FILE *out)
{
	if (dev->due_us[timer] == SIM_NEVER)
		fprintf(out, "\"%s\":null", name);
	else
		fprintf(out, "\"%s\":%.3f", name, (double)(dev->due_us[timer] - dev->now_us) / 1e6);
}

static unsigned peek(const struct sim_device *dev, uint16_t base)
{
	uint16_t value;

	sim_device_peek(dev, base, &value);
	return value;
}

static void put_identity(const struct sim_server *srv, const char *port, FILE *out)
{
	const struct sim_options *opt = &srv->dev.opt;

	fprintf(out, "\"port\":");
	if (port)
		put_string(out, port);
	else
		fprintf(out, "null");
	fprintf(out, ",\"model\":");
	put_string(out, opt->model);
	fprintf(out, ",\"firmware\":");
	put_string(out, opt->firmware);
	fprintf(out, ",\"esn\":");
	put_string(out, opt->esn);
	fprintf(out, ",\"rating_kva\":%d,\"unit_id\":%u,\"number\":%d", opt->rating,
		srv->opt.unit_id, opt->number);
}

static void put_power(const struct sim_device *dev, FILE *out)
{
	fprintf(out, ",\"mains\":%s,\"mains_volts\":%.1f,\"mains_hz\":%.1f,\"mains_good\":%s",
		truth(dev->mains_on), dev->mains_volts, dev->mains_hz,
		truth(sim_device_mains_good(dev)));
	fprintf(out, ",\"output\":%s,\"source\":%u,\"startup\":%u,\"bits\":%u",
		truth(dev->source != SIM_SOURCE_OFF), peek(dev, 1024), peek(dev, 1028),
		peek(dev, 1043));
	fprintf(out, ",\"board\":\"%s\",\"test\":\"%s\",\"load\":%.1f,\"temperature\":%.1f",
		boards[dev->board], tests[dev->test], dev->load_percent, dev->temperature);
	fprintf(out, ",\"autostart\":%u,\"bypass_option\":%u,\"muted\":%u,\"eco\":%s",
		dev->autostart, dev->bypass_option, dev->muted, truth(dev->eco));
	fprintf(out, ",\"bypass\":%s,\"output_offs\":%" PRIu32 ",\"output_ons\":%" PRIu32,
		dev->bypass_bad ? "\"bad\"" : "\"ok\"", dev->output_offs, dev->output_ons);
}

static void put_battery(const struct sim_device *dev, FILE *out)
{
	fprintf(out, ",\"battery\":%s,\"charge\":%.3f,\"runtime\":%" PRId64 ",\"runtime_shown\":%u",
		dev->battery_plugged ? "\"plugged\"" : "\"unplugged\"", sim_device_charge(dev),
		sim_device_runtime_s(dev), peek(dev, 2004) << 16 | peek(dev, 2005));
	fprintf(out, ",\"battery_state\":%u", peek(dev, 2002));
	fprintf(out, ",\"worn\":%s", truth(dev->battery_worn));
}

static void put_timers(const struct sim_device *dev, FILE *out)
{
	fprintf(out, ",\"timers\":{");
	put_timer(dev, SIM_TIMER_OFF, "off", out);
	fputc(',', out);
	put_timer(dev, SIM_TIMER_PAIR_OFF, "pair_off", out);
	fputc(',', out);
	put_timer(dev, SIM_TIMER_PAIR_ON, "pair_on", out);
	fputc(',', out);
	put_timer(dev, SIM_TIMER_START, "start", out);
	fprintf(out, "},\"registers\":{\"1047\":%u,\"1048\":%u,\"1049\":%u}", peek(dev, 1047),
		peek(dev, 1048), peek(dev, 1049));
}

static void put_alarms(const struct sim_device *dev, FILE *out)
{
	uint32_t set = sim_device_alarms(dev);
	const char *comma = "";

	fprintf(out, ",\"alarms\":[");
	for (size_t i = 0; i < sim_alarm_count(); i++) {
		if (!(set & UINT32_C(1) << i))
			continue;
		fprintf(out, "%s\"%s\"", comma, sim_alarm_name(i));
		comma = ",";
	}
	fputc(']', out);
}

static void put_switches(const struct sim_server *srv, FILE *out)
{
	const char *comma = "";

	fprintf(out, ",\"dialects\":{");
	for (size_t i = 0; i < sim_dialect_count(); i++) {
		int value = sim_dialect_get(&srv->dev.dialect, i);

		if (value < 0)
			continue;
		fprintf(out, "%s\"%s\":%d", comma, sim_dialect_name(i), value);
		comma = ",";
	}
	fprintf(out, "},\"faults\":{");
	comma = "";
	for (int i = 0; i < SIM_FAULT_COUNT; i++) {
		enum sim_fault_kind kind = (enum sim_fault_kind)i;
		const struct sim_fault *f = &srv->faults.f[i];

		if (!f->struck && !sim_fault_on(&srv->faults, kind))
			continue;
		fprintf(out, "%s\"%s\":{\"on\":%s,\"struck\":%" PRIu32 "}", comma,
			sim_fault_name(kind), truth(sim_fault_on(&srv->faults, kind)), f->struck);
		comma = ",";
	}
	fputc('}', out);
}

static void put_counters(const struct sim_server *srv, FILE *out)
{
	const struct sim_counters *c = &srv->count;

	fprintf(out, ",\"requests\":%" PRIu32 ",\"reads\":%" PRIu32 ",\"writes_single\":%" PRIu32,
		c->requests, c->reads, c->writes_single);
	fprintf(out, ",\"writes_multiple\":%" PRIu32 ",\"identifications\":%" PRIu32,
		c->writes_multiple, c->identifications);
	fprintf(out, ",\"others\":%" PRIu32 ",\"exceptions\":%" PRIu32 ",\"bad_crc\":%" PRIu32,
		c->others, c->exceptions, c->bad_crc);
	fprintf(out, ",\"malformed\":%" PRIu32 ",\"foreign\":%" PRIu32, c->malformed, c->foreign);
	fprintf(out, ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64, c->bytes_in, c->bytes_out);
	fprintf(out, ",\"bytes_dropped\":%" PRIu64, c->bytes_dropped);
	fprintf(out, ",\"sending\":%zu,\"writes\":%" PRIu64, srv->n_tx, srv->n_writes);
}

void report_state(const struct sim_server *srv, const char *port, FILE *out)
{
	fputc('{', out);
	put_identity(srv, port, out);
	fprintf(out, ",\"time\":%.6f,\"speed\":%g", (double)srv->dev.now_us / 1e6, srv->speed);
	put_power(&srv->dev, out);
	put_battery(&srv->dev, out);
	put_timers(&srv->dev, out);
	put_alarms(&srv->dev, out);
	put_switches(srv, out);
	put_counters(srv, out);
	fputc('}', out);
}

void report_log(const struct sim_server *srv, FILE *out)
{
	const struct sim_log_entry *e;

	fputc('[', out);
	for (size_t i = 0; (e = sim_server_log(srv, i)); i++) {
		fprintf(out, "%s{\"line_time\":%.6f,\"time\":%.6f,\"request\":", i ? "," : "",
			(double)e->line_us / 1e6, (double)e->device_us / 1e6);
		put_hex(out, e->rx, e->rx_len);
		fprintf(out, ",\"reply\":");
		put_hex(out, e->tx, e->tx_len);
		if (e->note)
			fprintf(out, ",\"note\":\"%s\"", e->note);
		fputc('}', out);
	}
	fputc(']', out);
}

void report_writes(const struct sim_server *srv, FILE *out)
{
	const struct sim_write *w;

	fputc('[', out);
	for (size_t i = 0; (w = sim_server_write(srv, i)); i++) {
		int base = sim_device_base(&srv->dev, w->addr);

		fprintf(out, "%s{\"line_time\":%.6f,\"time\":%.6f,\"fc\":%u", i ? "," : "",
			(double)w->line_us / 1e6, (double)w->device_us / 1e6, w->fc);
		fprintf(out, ",\"address\":%u,\"base\":%d,\"value\":%u,\"status\":%u}", w->addr,
			base, w->value, w->status);
	}
	fputc(']', out);
}
