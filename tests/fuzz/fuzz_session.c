/*
 * Sessions behind a line whose bytes are the input. First byte: how many units and what they are.
 * Then chunks, each behind a byte: three bits say what happens first, five are the chunk's length.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/rtu.h"
#include "ups/line.h"
#include "ups/session.h"

enum what {
	NOW,
	AFTER_1MS,
	AFTER_20MS,
	AFTER_100MS,
	AFTER_1S,
	AFTER_5S,
	ANSWER, /* the chunk is the contents of a right answer to what was asked last */
	FLAP,
};

struct wire {
	struct line *line;
	struct session *sessions[3];
	size_t n;
	int64_t now_us;
	uint8_t asked[RTU_ADU_MAX];
	size_t asked_len;
	bool broken;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool on_tx(void *user, const uint8_t *adu, size_t len)
{
	struct wire *w = user;
	struct pdu_request req;

	check(len >= RTU_ADU_MIN && len <= sizeof(w->asked));
	check(pdu_get_request(adu + 1, len - 3, &req) == 0);
	check(req.fc == FC_READ_HOLDING_REGISTERS || req.fc == FC_ENCAPSULATED);
	memcpy(w->asked, adu, len);
	w->asked_len = len;
	return !w->broken;
}

static void on_changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	const struct wire *w = user;

	check(mask != 0);
	for (unsigned q = 0; q < U2K_QTY_COUNT; q++)
		check(snap->qty[q].at_us <= w->now_us);
	check(snap->status_at_us <= w->now_us && snap->alarms.at_us <= w->now_us);
	check((snap->flags & (U2K_OL | U2K_OB)) != (U2K_OL | U2K_OB));
	check(snap->gate != U2K_GATE_OPEN || (snap->identity.described && snap->identity.esn[0]));
}

static void on_event(void *user, const char *kind, const char *severity, const char *text)
{
	(void)user;
	check(kind[0] && severity[0] && strlen(text) < 400);
}

static const struct session_ops ops = { .changed = on_changed, .event = on_event };

/* Every step is at a later deadline, or does something; so many a second are more than enough. */
static void pass(struct wire *w, int64_t us)
{
	int64_t until_us = w->now_us + us;
	unsigned steps = 0, most = 100 + (unsigned)(us / 500);

	line_run(w->line, w->now_us);
	for (;;) {
		int64_t due_us = line_deadline(w->line, w->now_us);

		if (due_us > until_us)
			break;
		check(++steps < most);
		if (due_us > w->now_us)
			w->now_us = due_us;
		line_run(w->line, w->now_us);
	}
	w->now_us = until_us;
}

static void link_set(struct wire *w, bool up)
{
	line_link(w->line, up, w->now_us);
	for (size_t i = 0; i < w->n; i++)
		session_link(w->sessions[i], up, w->now_us);
}

static void answer(struct wire *w, const uint8_t *data, size_t len)
{
	struct pdu_request req;
	uint8_t pdu[PDU_MAX] = { 0 }, adu[RTU_ADU_MAX];
	size_t n;

	if (!w->asked_len || pdu_get_request(w->asked + 1, w->asked_len - 3, &req) != 0)
		return;
	if (req.fc == FC_READ_HOLDING_REGISTERS) {
		pdu[0] = req.fc;
		pdu[1] = (uint8_t)(2 * req.n);
		n = 2 + 2 * (size_t)req.n;
		for (size_t i = 2; len && i < n; i++)
			pdu[i] = data[(i - 2) % len];
	} else {
		const uint8_t head[] = { 0x2b,
					 0x0e,
					 req.devid_code,
					 3,
					 len && data[0] & 0x80 ? 0xff : 0,
					 (uint8_t)(req.devid_object + 1),
					 1,
					 0x88,
					 (uint8_t)len };

		memcpy(pdu, head, sizeof(head));
		memcpy(pdu + sizeof(head), data, len);
		n = sizeof(head) + len;
	}
	n = rtu_put(adu, w->asked[0], pdu, n);
	line_rx(w->line, adu, n, w->now_us);
}

static void happen(struct wire *w, enum what what, const uint8_t *data, size_t len)
{
	static const int64_t steps_us[] = { 0, 1000, 20000, 100000, 1000000, 5000000 };

	switch (what) {
	case NOW:
	case AFTER_1MS:
	case AFTER_20MS:
	case AFTER_100MS:
	case AFTER_1S:
	case AFTER_5S:
		pass(w, steps_us[what]);
		line_rx(w->line, data, len, w->now_us);
		break;
	case ANSWER:
		pass(w, 60000);
		answer(w, data, len);
		break;
	case FLAP:
		link_set(w, !line_is_up(w->line));
		w->broken = len & 1;
		break;
	}
	pass(w, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire w = { .now_us = 1000000000 };
	struct line_params params;
	uint8_t kind = size ? data[0] : 0;

	line_params_default(&params);
	w.line = line_new(&params, on_tx, &w);
	for (w.n = 0; w.n < 1u + kind % 3; w.n++) {
		struct session_config config = {
			.unit_id = w.n == 2 ? 2 : 1,
			.number = w.n == 1 ? 2 : 1,
			.serial = kind & 0x40 ? "21022900000000000001" : NULL,
			.control = true,
			.status_interval_us = kind & 0x80 ? 0 : 150000,
		};

		w.sessions[w.n] = session_new(w.line, &config, &ops, &w);
		check(w.sessions[w.n] != NULL);
	}
	link_set(&w, true);
	for (size_t i = 1; i < size && i < 4096;) {
		size_t len = data[i] & 31u;

		if (len > size - i - 1)
			len = size - i - 1;
		happen(&w, (enum what)(data[i] >> 5), data + i + 1, len);
		i += 1 + len;
	}
	pass(&w, 3000000);
	for (size_t i = 0; i < w.n; i++)
		session_free(w.sessions[i]);
	line_free(w.line);
	return 0;
}
