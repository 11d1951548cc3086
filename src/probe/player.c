#include "probe/player.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/mbap.h"
#include "core/rtu.h"
#include "util/util.h"

struct exchange {
	uint8_t request[PDU_MAX], reply[PDU_MAX];
	size_t request_len, reply_len;
	int64_t think_us;
	bool last; /* the one that was played last of those with this request */
};

struct player {
	struct exchange *exchanges;
	size_t n;
	uint8_t unit_id;
	uint16_t registers[65536]; /* as read last */
	bool known[65536];
};

static void take_pdu(struct exchange *x, const uint8_t *pdu, size_t len)
{
	if (x->reply_len || len > PDU_MAX || (pdu[0] & ~FC_EXCEPTION) != x->request[0])
		return;
	memcpy(x->reply, pdu, len);
	x->reply_len = len;
}

/* Answers of RTU: good frames between noise, echo and what belongs to others. */
static void take_rtu(struct rtu_rx *rx, uint8_t unit_id, struct exchange *x)
{
	struct rtu_frame frame;

	while (rtu_rx_next(rx, &frame))
		if (frame.unit_id == unit_id)
			take_pdu(x, frame.pdu, frame.len);
}

static int64_t wire_us(const struct capture *c, size_t bytes)
{
	return c->framing == CAPTURE_RTU ? (int64_t)bytes * 10 * 1000000 / c->baud : 0;
}

/* Join the frames that followed request i until the next one. */
static void find_reply(const struct capture *c, size_t i, uint8_t unit_id, struct exchange *x)
{
	const struct capture_frame *request = &c->frames[i];
	struct rtu_rx rtu;
	struct mbap_rx mbap;
	struct mbap_frame frame;

	rtu_rx_reset(&rtu);
	mbap_rx_reset(&mbap);
	if (c->framing == CAPTURE_RTU && request->len <= RTU_ADU_MAX)
		rtu_rx_expect_echo(&rtu, request->bytes, request->len);
	for (i++; i < c->n && !c->frames[i].sent && !x->reply_len; i++) {
		const struct capture_frame *f = &c->frames[i];

		if (c->framing == CAPTURE_RTU) {
			rtu_rx_feed(&rtu, f->bytes, f->len);
			take_rtu(&rtu, unit_id, x);
		} else {
			mbap_rx_feed(&mbap, f->bytes, f->len);
			while (mbap_rx_next(&mbap, &frame))
				if (frame.unit_id == unit_id)
					take_pdu(x, frame.pdu, frame.len);
		}
		if (x->reply_len)
			x->think_us = f->at_us - request->at_us -
				      wire_us(c, request->len + x->reply_len + 3);
	}
	if (!x->reply_len && c->framing == CAPTURE_RTU) {
		rtu_rx_silence(&rtu);
		take_rtu(&rtu, unit_id, x);
	}
	if (x->think_us < 0)
		x->think_us = 0;
}

static bool request_of(const struct capture *c, const struct capture_frame *f, uint8_t *unit_id,
		       const uint8_t **pdu, size_t *len)
{
	size_t head = c->framing == CAPTURE_RTU ? 1 : MBAP_HEADER;
	size_t tail = c->framing == CAPTURE_RTU ? 2 : 0;

	if (!f->sent || f->len <= head + tail || f->len - head - tail > PDU_MAX)
		return false;
	*unit_id = f->bytes[head - 1];
	*pdu = f->bytes + head;
	*len = f->len - head - tail;
	return true;
}

static void learn_registers(struct player *p, const struct exchange *x)
{
	struct pdu_request request;
	uint16_t regs[PDU_READ_REGS_MAX];

	if (pdu_get_request(x->request, x->request_len, &request) ||
	    request.fc != FC_READ_HOLDING_REGISTERS ||
	    pdu_get_regs(x->reply, x->reply_len, request.n, regs))
		return;
	for (size_t i = 0; i < request.n; i++) {
		p->registers[request.addr + i] = regs[i];
		p->known[request.addr + i] = true;
	}
}

struct player *player_new(const struct capture *capture)
{
	struct player *p = xcalloc(1, sizeof(*p));

	p->exchanges = xcalloc(capture->n ? capture->n : 1, sizeof(*p->exchanges));
	for (size_t i = 0; i < capture->n; i++) {
		struct exchange *x = &p->exchanges[p->n];
		const uint8_t *pdu;
		uint8_t unit_id;
		size_t len;

		if (!request_of(capture, &capture->frames[i], &unit_id, &pdu, &len))
			continue;
		if (!p->n)
			p->unit_id = unit_id;
		if (unit_id != p->unit_id)
			continue;
		memcpy(x->request, pdu, len);
		x->request_len = len;
		find_reply(capture, i, unit_id, x);
		learn_registers(p, x);
		p->n++;
	}
	if (!p->n) {
		player_free(p);
		return NULL;
	}
	return p;
}

void player_free(struct player *player)
{
	if (!player)
		return;
	free(player->exchanges);
	free(player);
}

uint8_t player_unit_id(const struct player *player)
{
	return player->unit_id;
}

/* The next exchange with this request, after the one played last; NULL if there is none. */
static struct exchange *next_exchange(struct player *p, const uint8_t *pdu, size_t len)
{
	struct exchange *first = NULL, *last = NULL;

	for (size_t i = 0; i < p->n; i++) {
		struct exchange *x = &p->exchanges[i];

		if (x->request_len != len || memcmp(x->request, pdu, len) != 0)
			continue;
		if (last) {
			last->last = false;
			x->last = true;
			return x;
		}
		if (!first)
			first = x;
		if (x->last)
			last = x;
	}
	if (last)
		last->last = false;
	if (first)
		first->last = true;
	return first;
}

static bool answer_registers(const struct player *p, const struct pdu_request *request,
			     struct player_reply *reply)
{
	for (size_t i = 0; i < request->n; i++)
		if (!p->known[request->addr + i])
			return false;
	reply->len = pdu_put_regs(reply->pdu, p->registers + request->addr, request->n);
	return true;
}

void player_answer(struct player *player, const uint8_t *pdu, size_t len,
		   struct player_reply *reply)
{
	const struct exchange *x = next_exchange(player, pdu, len);
	struct pdu_request request;

	if (x) {
		memcpy(reply->pdu, x->reply, x->reply_len);
		reply->len = x->reply_len;
		reply->think_us = x->think_us;
		return;
	}
	reply->think_us = -1;
	int refusal = pdu_get_request(pdu, len, &request);

	if (!refusal && request.fc == FC_READ_HOLDING_REGISTERS) {
		if (answer_registers(player, &request, reply))
			return;
		refusal = EXC_ILLEGAL_ADDRESS;
	} else if (!refusal) {
		refusal = EXC_ILLEGAL_FUNCTION;
	}
	reply->len = pdu_put_exception(reply->pdu, pdu[0] & ~FC_EXCEPTION & 0xff, (uint8_t)refusal);
}
