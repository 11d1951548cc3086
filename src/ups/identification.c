/* Who is there: the identification of a session, piece by piece, and whether it is the expected UPS. */
#include <stdio.h>
#include <string.h>

#include "core/devid.h"
#include "ups/identity.h"
#include "ups/session_impl.h"

enum {
	IDENTIFY_RETRY_US = 1000000,
	IDENTIFY_SLOW_US = 30000000,
	IDENTIFY_AGAIN_US = 300000000,
	IDENTIFY_TRIES = 3,  /* without an answer before the basic identification is asked */
	IDENTIFY_ROUNDS = 3, /* without any result before it is asked for more rarely */
};

void identify_start(struct session *s, int64_t now_us)
{
	s->id.found = (struct u2k_identity){ 0 };
	s->id.code = DEVID_EXTENDED;
	s->id.object = DEVID_OBJ_UPS_COUNT;
	s->id.tries = 0;
	s->id.rounds = 0;
	s->id.collecting = true;
	s->id.due_us = now_us;
	s->id.began_us = now_us;
}

static void judge_serial(struct session *s)
{
	const struct u2k_identity *found = &s->id.found;
	char text[200];
	bool wrong;

	if (!found->described || (!found->esn[0] && !s->serial[0]))
		return;
	if (!s->serial[0])
		snprintf(s->serial, sizeof(s->serial), "%s", found->esn);
	wrong = strcmp(s->serial, found->esn) != 0;
	if (wrong && !s->wrong_serial) {
		snprintf(
			text, sizeof(text),
			"Another UPS is connected: serial number %s instead of %s. It is shown, but not "
			"commanded.",
			found->esn[0] ? found->esn : "unknown", s->serial);
		session_say(s, "wrong-serial", "alert", text);
	} else if (!wrong && s->wrong_serial) {
		session_say(s, "right-serial", "info", "The expected UPS is connected again.");
	}
	s->wrong_serial = wrong;
}

/* Another unit: what was read from the one before it is not true of it. */
static uint64_t forget_values(struct session *s)
{
	uint64_t mask = 0;

	for (unsigned q = 0; q < U2K_QTY_COUNT; q++) {
		struct u2k_value *value = &s->snap.qty[q];

		if (value->validity != U2K_UNKNOWN && value->at_us < s->contact_us) {
			*value = (struct u2k_value){ .validity = U2K_UNKNOWN };
			mask |= U2K_CHANGED_QTY(q);
		}
	}
	if (s->snap.alarms.at_us && s->snap.alarms.at_us < s->contact_us) {
		memset(&s->snap.alarms, 0, sizeof(s->snap.alarms));
		mask |= U2K_CHANGED_ALARMS;
	}
	return mask;
}

static void identify_done(struct session *s, int64_t now_us)
{
	const struct u2k_identity *found = &s->id.found;
	bool changed = memcmp(found, &s->snap.identity, sizeof(*found)) != 0;
	uint64_t mask = U2K_CHANGED_IDENTITY;
	char text[200];

	s->id.collecting = false;
	if (!found->known) {
		s->id.due_us = now_us + (++s->id.failures < IDENTIFY_ROUNDS ? IDENTIFY_RETRY_US
									    : IDENTIFY_SLOW_US);
		return;
	}
	s->id.failures = 0;
	/* a fuller identity from before is kept: this answer merely lost its description */
	if (!found->described && s->snap.identity.described && s->id.confirmed) {
		s->id.due_us = now_us + IDENTIFY_SLOW_US;
		return;
	}
	s->id.due_us = now_us + (found->described ? IDENTIFY_AGAIN_US : IDENTIFY_SLOW_US);
	judge_serial(s);
	s->id.confirmed = true;
	if (found->described)
		s->snap.identity_at_us = s->id.began_us;
	if (changed) {
		if (s->snap.identity.known && strcmp(found->esn, s->snap.identity.esn) != 0)
			mask |= forget_values(s);
		s->snap.identity = *found;
		snprintf(text, sizeof(text), "Identified: %s%s%s, firmware %s, serial number %s.",
			 found->maker, found->maker[0] ? " " : "", found->model,
			 found->firmware[0] ? found->firmware : "unknown",
			 found->esn[0] ? found->esn : "unknown");
		session_say(s, "identified", "info", text);
		if (identity_gate(found) != U2K_GATE_OPEN) {
			snprintf(text, sizeof(text), "Commands are closed: %s.",
				 u2k_gate_text(identity_gate(found)));
			session_say(s, "monitored-only", "warning", text);
		}
	}
	session_publish(s, mask, now_us);
}

/* The description did not come: what the basic identification tells is better than nothing. */
static void identify_basic(struct session *s, int64_t now_us)
{
	if (s->id.code == DEVID_BASIC) {
		identify_done(s, now_us);
		return;
	}
	s->id.code = DEVID_BASIC;
	s->id.object = DEVID_OBJ_MAKER;
	s->id.tries = 0;
	s->id.rounds = 0;
	s->id.due_us = now_us;
}

void identify_answer(struct session *s, const struct line_answer *answer, int64_t now_us)
{
	struct devid_reply reply;
	int status = devid_parse(answer->pdu, answer->len, &reply);

	if (!s->id.collecting || (status == 0 && reply.code != s->id.code))
		return;
	if (status == EXC_BUSY || status == EXC_BUSY_HUAWEI) {
		s->id.due_us = now_us + SESSION_BUSY_US;
		return;
	}
	if (status > EXC_ILLEGAL_ADDRESS && ++s->id.tries < IDENTIFY_TRIES) {
		s->id.due_us = now_us + SESSION_BUSY_US; /* 03 may be noise, 04 may pass */
		return;
	}
	if (status != 0) {
		identify_basic(s, now_us);
		return;
	}
	identity_take(&s->id.found, &reply, s->number);
	if (reply.more && reply.next > s->id.object && ++s->id.rounds < 16) {
		s->id.object = reply.next;
		s->id.tries = 0;
		s->id.due_us = now_us;
	} else if (s->id.code == DEVID_EXTENDED && !s->id.found.described) {
		identify_basic(s, now_us);
	} else {
		identify_done(s, now_us);
	}
}

void identify_unanswered(struct session *s, int64_t now_us)
{
	if (!s->id.collecting)
		return;
	s->id.due_us = now_us + (s->id.tries ? IDENTIFY_RETRY_US : 0);
	if (++s->id.tries >= IDENTIFY_TRIES && s->answered)
		identify_basic(s, now_us);
}

/* After a reconnect the identity comes first where one is expected, else the status. */
bool identify_first(const struct session *s)
{
	return s->id.collecting && !s->id.confirmed && s->serial[0] && s->id.tries < 2 &&
	       s->answered;
}

bool identify_put(struct session *s, int64_t now_us, struct line_request *req)
{
	struct line_shape shape = { .unit_id = (uint8_t)s->unit_id, .fc = FC_ENCAPSULATED };

	if (s->id.due_us > now_us)
		return false;
	if (!s->id.collecting)
		identify_start(s, now_us);
	shape.n = s->id.code;
	shape.addr = s->id.object;
	if (line_blocked(s->line, &shape, now_us))
		return false;
	req->shape = shape;
	req->what = PIECE_IDENTIFY;
	req->len = pdu_put_read_devid(req->pdu, s->id.code, s->id.object);
	return true;
}
