/*
 * Captured traffic in, expected snapshot out: a line and a session, as in the daemon, talk to a
 * capture in virtual time. usage: replay CAPTURE EXPECTED. Each line of EXPECTED is "name value" as
 * print_snapshot() gives them; names it does not list are not compared, so a list may be short, but
 * for each quantity that must be absent it says "-".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mbap.h"
#include "core/rtu.h"
#include "probe/capture.h"
#include "probe/player.h"
#include "ups/session.h"

enum { RUN_S = 20 };

struct replay {
	struct line *line;
	struct player *player;
	uint8_t adu[RTU_ADU_MAX];
	size_t len;
	int64_t now_us, at_us; /* at_us: when the answer is there */
};

static bool transmit(void *user, const uint8_t *adu, size_t len)
{
	struct replay *r = user;
	struct player_reply reply;
	int64_t byte_us = 10 * 1000000 / 9600;

	player_answer(r->player, adu + 1, len - 3, &reply);
	r->len = reply.len ? rtu_put(r->adu, adu[0], reply.pdu, reply.len) : 0;
	r->at_us = r->now_us + (int64_t)(len + r->len) * byte_us +
		   (reply.think_us < 0 ? 15000 : reply.think_us);
	return true;
}

static void changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	(void)user, (void)snap, (void)mask;
}

static void event(void *user, const char *kind, const char *severity, const char *text)
{
	(void)user, (void)kind, (void)severity, (void)text;
}

static void journal(void *user, const struct engine_journal *journal)
{
	(void)user, (void)journal;
}

static void delays(void *user, const struct engine_delays *delays)
{
	(void)user, (void)delays;
}

static void run(struct replay *r)
{
	int64_t end_us = r->now_us + RUN_S * U2K_SEC;

	while (r->now_us < end_us) {
		int64_t next_us = line_deadline(r->line, r->now_us);

		if (r->len && r->at_us <= next_us) {
			size_t len = r->len;

			r->now_us = r->at_us;
			r->len = 0;
			line_rx(r->line, r->adu, len, r->now_us);
		} else {
			r->now_us = next_us > r->now_us ? next_us : r->now_us + 1;
		}
		line_run(r->line, r->now_us);
	}
}

static void print_flags(FILE *out, unsigned flags)
{
	static const char *const names[] = { "OL",    "OB",   "LB",	 "BYPASS", "OFF",
					     "ECO",   "CHRG", "DISCHRG", "RB",	   "OVER",
					     "ALARM", "TEST", "FAULT" };

	fputs("flags", out);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags >> i & 1)
			fprintf(out, " %s", names[i]);
	fputc('\n', out);
}

static void print_snapshot(FILE *out, const struct u2k_snapshot *snap)
{
	fprintf(out, "model %s\nfirmware %s\nprotocol %s\nserial %s\n", snap->identity.model,
		snap->identity.firmware, snap->identity.protocol, snap->identity.esn);
	fprintf(out, "comm %s\ngate %s\n", u2k_comm_text(snap->comm),
		snap->gate == U2K_GATE_OPEN ? "open" : u2k_gate_text(snap->gate));
	print_flags(out, snap->flags);
	fputs("alarms", out);
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++)
		if (snap->alarms.active >> i & 1)
			fprintf(out, " %u/%u", u2k_alarm_desc(i)->id, u2k_alarm_desc(i)->cause);
	fputc('\n', out);
	for (enum u2k_qty q = 0; q < U2K_QTY_COUNT; q++) {
		const struct u2k_qty_desc *desc = u2k_qty_desc(q);

		if (snap->qty[q].validity == U2K_VALID)
			fprintf(out, "%s %.*f\n", desc->name, desc->decimals, snap->qty[q].value);
		else
			fprintf(out, "%s -\n", desc->name);
	}
}

/* Whether text has this line. */
static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return true;
	return false;
}

static int compare(const char *path, const char *text)
{
	char line[256];
	int wrong = 0, lines = 0;
	FILE *f = fopen(path, "r");

	if (!f) {
		perror(path);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		lines++;
		if (!has_line(text, line)) {
			fprintf(stderr, "%s: expected \"%s\"\n", path, line);
			wrong++;
		}
	}
	fclose(f);
	if (wrong || !lines)
		fprintf(stderr, "%s: %d of %d lines differ; the snapshot was:\n%s", path, wrong,
			lines, text);
	return wrong || !lines;
}

/* Captures are evidence: each must tell where it is from. */
static bool has_header(const struct capture *c, const char *path)
{
	if (*c->model && *c->firmware && *c->date && *c->note)
		return true;
	fprintf(stderr, "%s: the header must tell model, firmware, date and note\n", path);
	return false;
}

int main(int argc, char **argv)
{
	static const struct session_ops ops = {
		.changed = changed, .event = event, .journal = journal, .delays = delays
	};
	struct replay r = { .now_us = 1000000 };
	struct line_params params;
	struct capture capture;
	char error[512], *text;
	size_t size;

	if (argc != 3) {
		fprintf(stderr, "usage: %s CAPTURE EXPECTED\n", argv[0]);
		return 2;
	}
	capture_init(&capture);
	if (!capture_load(&capture, argv[1], error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	if (!has_header(&capture, argv[1]))
		return 1;
	r.player = player_new(&capture);
	if (!r.player)
		return 1;
	line_params_default(&params);
	r.line = line_new(&params, transmit, &r);
	struct session_config config = { .unit_id = player_unit_id(r.player),
					 .number = 1,
					 .control = true,
					 .status_interval_us = 150000 };
	struct session *session = session_new(r.line, &config, &ops, NULL);

	line_link(r.line, true, r.now_us);
	session_link(session, true, r.now_us);
	run(&r);

	FILE *out = open_memstream(&text, &size);

	print_snapshot(out, session_snapshot(session));
	fclose(out);
	int result = compare(argv[2], text);

	free(text);
	session_free(session);
	line_free(r.line);
	player_free(r.player);
	capture_close(&capture);
	return result;
}
