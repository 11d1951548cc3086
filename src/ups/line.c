#include "ups/line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <ups2000/error.h>

struct user {
	const struct line_user_ops *ops;
	void *user;
	uint64_t served;	    /* turn number of its last request */
	int64_t not_before_us;	    /* it passed its turn: do not ask again at once */
	int64_t rtt_us, rtt_var_us; /* how long its device takes to begin answering */
	unsigned timeouts;	    /* in a row */
	unsigned unheard; /* of these the last ones without a single byte: lost, or it is busy */
	int64_t turn_us;  /* what one of its turns takes of the line */
	unsigned late;	  /* late answers since the last prompt one */
	int64_t heard_us; /* when its device last answered, promptly or late */
	int64_t alive_us; /* when a question of its last brought anything else than late answers */
};

/* A request whose answer may still come, or come again. At most one for each question. */
struct ghost {
	struct line_shape shape;
	int what;
	void *user; /* gets it; NULL: nobody */
	uint16_t id;
	int64_t sent_us, until_us;
	int64_t repeat_until_us; /* an answer that came may come again until then */
	bool weak;		 /* forbids other questions of this shape, not the same one */
	bool answered;		 /* what comes is a repetition */
	bool exception;		 /* ... of an exception */
};

struct line {
	struct line_params params;
	bool (*tx)(void *user, const uint8_t *data, size_t len);
	void *tx_user;

	struct user users[LINE_USERS_MAX];
	size_t n_users;
	struct ghost ghosts[LINE_GHOSTS_MAX];
	size_t n_ghosts;

	bool up, busy;
	struct line_request request; /* the outstanding one, if busy; else the last one */
	struct user *owner;
	int64_t sent_us, timeout_us;

	struct framer rx;
	uint16_t id;	    /* of the outstanding request, or the last one; counts up */
	int64_t gateway_us; /* how long a gateway waits for a device before it says so; 0 = not known */
	int64_t late_us;	       /* the last late answer */
	int64_t last_rx_us, wanted_us; /* wanted: since when a due user waits for silence */
	int64_t gap_us;
	uint64_t turn;
	struct line_stats stats;
};

void line_params_default(struct line_params *params)
{
	*params = (struct line_params){
		.baud = 9600,
		.gap_us = 5000,
		.silence_us = 50000,
		.first_allowance_us = 400000,
		.min_allowance_us = 200000,
		.max_allowance_us = 1000000,
		.ghost_us = 2500000,
	};
}

enum {
	GAP_MAX_US = 50000,
	NOISE_PATIENCE_US = 500000, /* a line that is never quiet: ask all the same */
	PASSED_US = 5000,
	SLOW_MAX_US = 2400000, /* "up to 2 s", and a margin */
	SLOW_AFTER = 3,	       /* late answers in a row */
	BACKLOG_MIN = 2, /* awaited after a late answer: the device is behind, not the answer */
	GHOST_LIFE_MAX_US = 30000000, /* of one behind others in the device */
	JITTER_US = 60000,	      /* of this side: USB latency, a busy machine */
	REPEAT_US = 500000,	      /* an answer may come a second time this much later */
	/*
	 * Timeouts in a row: once may be a lost frame; more of them may be a device that is busy, and
	 * asking it on would only make its backlog longer.
	 */
	BACK_OFF_AFTER = 1,
	MUTE_AFTER = 8,	 /* timeouts in a row: no bad luck any more */
	MUTE_SHARE = 3,	 /* mute devices leave the others this many times their own time */
	GONE_AFTER = 60, /* timeouts in a row: it will hardly be back in a moment */
	GONE_PAUSE_US = 10000000,
	SLOW_TURN_US = 300000, /* who takes longer leaves the others as much afterwards */
	GATEWAY_MAX_US = 6000000,
};

struct line *line_new(const struct line_params *params,
		      bool (*tx)(void *user, const uint8_t *data, size_t len), void *user)
{
	struct line *line = calloc(1, sizeof(*line));

	if (!line)
		return NULL;
	line->params = *params;
	line->tx = tx;
	line->tx_user = user;
	line->gap_us = params->gap_us;
	framer_init(&line->rx, params->framing);
	return line;
}

void line_free(struct line *line)
{
	free(line);
}

bool line_add(struct line *line, const struct line_user_ops *ops, void *user)
{
	if (line->n_users == LINE_USERS_MAX)
		return false;
	line->users[line->n_users++] = (struct user){ .ops = ops, .user = user };
	return true;
}

static bool same_shape(const struct line_shape *a, const struct line_shape *b)
{
	return a->unit_id == b->unit_id && a->fc == b->fc && a->n == b->n;
}

static struct ghost *find_ghost(struct line *line, const struct line_shape *shape)
{
	for (size_t i = 0; i < line->n_ghosts; i++)
		if (same_shape(&line->ghosts[i].shape, shape) &&
		    line->ghosts[i].shape.addr == shape->addr)
			return &line->ghosts[i];
	return NULL;
}

/* Note the request that ends now; its answer may still come. */
static struct ghost *leave_ghost(struct line *line, bool weak)
{
	struct ghost *ghost = find_ghost(line, &line->request.shape);
	int64_t repeat_until_us = ghost ? ghost->repeat_until_us : 0;

	if (!ghost && line->n_ghosts < LINE_GHOSTS_MAX) {
		ghost = &line->ghosts[line->n_ghosts++];
	} else if (!ghost) { /* full: the one that goes first */
		ghost = &line->ghosts[0];
		for (size_t i = 1; i < line->n_ghosts; i++)
			if (line->ghosts[i].until_us < ghost->until_us)
				ghost = &line->ghosts[i];
	}
	*ghost = (struct ghost){
		.shape = line->request.shape,
		.what = line->request.what,
		.user = line->owner->user,
		.id = line->id,
		.sent_us = line->sent_us,
		/* what came late meanwhile held this one up */
		.until_us = (line->late_us > line->sent_us ? line->late_us : line->sent_us) +
			    line->params.ghost_us,
		.repeat_until_us = repeat_until_us,
		.weak = weak,
	};
	return ghost;
}

static void answered_ghost(struct ghost *ghost, bool exception, int64_t now_us)
{
	ghost->user = NULL;
	ghost->weak = true;
	ghost->answered = true;
	ghost->exception = exception;
	ghost->repeat_until_us = now_us + REPEAT_US;
	if (ghost->until_us < ghost->repeat_until_us)
		ghost->until_us = ghost->repeat_until_us;
}

void line_remove(struct line *line, void *user)
{
	size_t i = 0;

	while (i < line->n_users && line->users[i].user != user)
		i++;
	if (i == line->n_users)
		return;
	if (line->busy && line->owner->user == user) {
		leave_ghost(line, false);
		line->busy = false;
	} else if (line->busy && line->owner > &line->users[i]) {
		line->owner--;
	}
	memmove(&line->users[i], &line->users[i + 1],
		(line->n_users - i - 1) * sizeof(line->users[0]));
	line->n_users--;

	for (size_t g = 0; g < line->n_ghosts; g++)
		if (line->ghosts[g].user == user)
			line->ghosts[g].user = NULL;
}

static int64_t wire_us(const struct line *line, size_t bytes)
{
	return (int64_t)bytes * 10 * 1000000 / line->params.baud;
}

static size_t reply_bytes(const struct line_request *request)
{
	if (request->shape.fc == FC_READ_HOLDING_REGISTERS)
		return 5 + 2 * (size_t)request->shape.n;
	return request->shape.fc == FC_ENCAPSULATED ? 100 : 8;
}

static bool is_mute(const struct line *line, const struct user *user)
{
	return line->n_users > 1 && user->timeouts >= MUTE_AFTER;
}

/* How long the device may take before its answer begins. */
static int64_t allowance_us(const struct line *line, const struct user *user)
{
	const struct line_params *p = &line->params;
	int64_t base = p->first_allowance_us, backed_off;

	if (is_mute(line, user))
		return base;
	if (user->rtt_us)
		base = user->rtt_us + 4 * user->rtt_var_us + JITTER_US;
	if (base < p->min_allowance_us)
		base = p->min_allowance_us;
	if (base >= p->max_allowance_us) /* a device known to be slow */
		return base < SLOW_MAX_US ? base : SLOW_MAX_US;
	backed_off = base;
	for (unsigned i = BACK_OFF_AFTER;
	     line->n_users == 1 && i <= user->unheard && backed_off < p->max_allowance_us; i++)
		backed_off *= 2;
	return backed_off < p->max_allowance_us ? backed_off : p->max_allowance_us;
}

static int64_t patience_us(const struct line *line, const struct user *user)
{
	int64_t device = allowance_us(line, user), gateway = line->gateway_us * 5 / 4;

	return device > gateway ? device : gateway;
}

/* The usual time: a single slow answer counts as a somewhat slow one. */
static void learn_rtt(struct user *user, int64_t rtt)
{
	int64_t bound = user->rtt_us + 4 * user->rtt_var_us + JITTER_US, error;

	if (rtt < 1)
		rtt = 1;
	if (user->rtt_us && rtt > bound)
		rtt = bound;
	if (!user->rtt_us) {
		user->rtt_us = rtt;
		user->rtt_var_us = rtt / 2;
		return;
	}
	error = rtt - user->rtt_us;
	user->rtt_us += error / (error < 0 ? 4 : 8);
	user->rtt_var_us += ((error < 0 ? -error : error) - user->rtt_var_us) / 4;
	if (user->rtt_us < 1)
		user->rtt_us = 1;
}

static bool answers(const struct line_shape *shape, const struct frame *frame)
{
	if (frame->unit_id != shape->unit_id || frame->len < 2 || frame->pdu[0] != shape->fc)
		return false;
	switch (shape->fc) {
	case FC_READ_HOLDING_REGISTERS:
		return frame->pdu[1] == 2 * shape->n;
	case FC_ENCAPSULATED:
		return frame->len > 2 && frame->pdu[2] == shape->n;
	default:
		return frame->len > 2 && (frame->pdu[1] << 8 | frame->pdu[2]) == shape->n;
	}
}

static bool is_exception(const struct line_shape *shape, const struct frame *frame)
{
	return frame->unit_id == shape->unit_id && frame->len == 2 &&
	       frame->pdu[0] == (shape->fc | FC_EXCEPTION);
}

/* Whether the frame answers this request as far as ids tell. */
static bool has_id(const struct line *line, const struct frame *frame, uint16_t id)
{
	return !line->rx.has_ids || frame->id == id;
}

static void drop_old_ghosts(struct line *line, int64_t now_us)
{
	for (size_t i = 0; i < line->n_ghosts;) {
		if (now_us > line->ghosts[i].until_us)
			line->ghosts[i] = line->ghosts[--line->n_ghosts];
		else
			i++;
	}
}

/* An exception tells neither registers nor address: it may be a late one, or a repeated one. */
static bool is_doubtful(const struct line *line, const struct frame *frame)
{
	for (size_t i = 0; i < line->n_ghosts; i++) {
		const struct ghost *ghost = &line->ghosts[i];

		if ((!ghost->answered || ghost->exception) && is_exception(&ghost->shape, frame))
			return true;
	}
	return false;
}

/* End the outstanding request. The owner may add requests, users or remove itself. */
static void finish(struct line *line, enum line_result result, const struct frame *frame,
		   int64_t now_us)
{
	struct line_request request = line->request;
	struct line_answer answer = {
		.result = result,
		.request = &request,
		.pdu = frame ? frame->pdu : NULL,
		.len = frame ? frame->len : 0,
		.sent_us = line->sent_us,
	};
	struct user *owner = line->owner;

	line->busy = false;
	owner->ops->answer(owner->user, &answer, now_us);
}

static void note_answer(struct line *line, bool exception, bool doubtful, int64_t now_us)
{
	const struct ghost *earlier = find_ghost(line, &line->request.shape);
	int64_t until_us = earlier ? earlier->until_us : 0;
	bool repeated = earlier && earlier->repeat_until_us >= line->sent_us;
	struct ghost *ghost = leave_ghost(line, true);

	if (doubtful) { /* the answer proper may still come */
		ghost->exception = true;
		ghost->repeat_until_us = now_us + REPEAT_US;
		return;
	}
	if (!repeated) /* else this may be the earlier answer once more, and its own still to come */
		ghost->until_us = until_us;
	answered_ghost(ghost, exception, now_us);
}

/* What a turn of this user takes of the line. */
static void learn_turn(const struct line *line, struct user *owner, int64_t now_us)
{
	int64_t took = now_us - line->sent_us + line->gap_us;

	owner->turn_us += (took - owner->turn_us) / (owner->turn_us ? 8 : 1);
}

static void finish_answered(struct line *line, const struct frame *frame, int64_t now_us)
{
	int64_t rtt = now_us - line->sent_us - wire_us(line, line->request.len + 3) -
		      wire_us(line, frame->len + 3);
	bool exception = is_exception(&line->request.shape, frame);

	note_answer(line, exception, exception && is_doubtful(line, frame), now_us);
	line->stats.answers++;
	if (exception)
		line->stats.exceptions++;
	learn_rtt(line->owner, rtt);
	line->owner->timeouts = 0;
	line->owner->unheard = 0;
	line->owner->late = 0;
	line->owner->heard_us = now_us;
	line->owner->alive_us = now_us;
	line->owner->not_before_us = 0; /* it has caught up */
	line->stats.rtt_us = (uint32_t)line->owner->rtt_us;
	if (line->gap_us > line->params.gap_us)
		line->gap_us -= (line->gap_us - line->params.gap_us + 7) / 8;
	if (line->rx.echoes)
		line->stats.echo = true;
	learn_turn(line, line->owner, now_us);
	if (line->n_users > 1 && now_us - line->sent_us > SLOW_TURN_US)
		line->owner->not_before_us = now_us + (now_us - line->sent_us);
	finish(line, LINE_ANSWER, frame, now_us);
}

static bool awaits_late(const struct line *line)
{
	for (size_t i = 0; i < line->n_ghosts; i++)
		if (!line->ghosts[i].answered)
			return true;
	return false;
}

static int64_t mute_pause_us(const struct line *line, const struct user *user, int64_t took_us)
{
	int64_t mute = 0, pause;

	for (size_t i = 0; i < line->n_users; i++)
		mute += line->users[i].timeouts >= MUTE_AFTER;
	pause = MUTE_SHARE * mute * took_us;
	return user->timeouts > GONE_AFTER && pause < GONE_PAUSE_US ? GONE_PAUSE_US : pause;
}

static void finish_unanswered(struct line *line, int64_t now_us)
{
	struct user *owner = line->owner;

	/* what came mutilated was most likely this answer, unless others may be on their way */
	leave_ghost(line, !awaits_late(line) && line->rx.noise >= reply_bytes(&line->request) / 2);
	line->stats.timeouts++;
	owner->timeouts++;
	owner->unheard = line->last_rx_us > line->sent_us ? 0 : owner->unheard + 1;
	if (!owner->unheard && owner->heard_us <= line->sent_us)
		owner->alive_us = now_us;
	if (owner->timeouts <= MUTE_AFTER)
		line->gap_us = line->gap_us * 2 < GAP_MAX_US ? line->gap_us * 2 : GAP_MAX_US;
	learn_turn(line, owner, now_us);
	if (is_mute(line, owner))
		owner->not_before_us = now_us + mute_pause_us(line, owner, now_us - line->sent_us);
	finish(line, LINE_TIMEOUT, NULL, now_us);
}

static struct user *find_user(struct line *line, const void *user)
{
	for (size_t i = 0; i < line->n_users; i++)
		if (line->users[i].user == user)
			return &line->users[i];
	return NULL;
}

/* The gateway gave up on a device: an answer about the target, not from it. */
static bool is_gateways(const struct line *line, const struct line_shape *shape,
			const struct frame *frame)
{
	return line->rx.has_ids && is_exception(shape, frame) &&
	       (frame->pdu[1] == EXC_GATEWAY_PATH || frame->pdu[1] == EXC_GATEWAY_TARGET);
}

/* While a gateway waits for one device it asks no other: give it that long. */
static void learn_gateway(struct line *line, int64_t took_us)
{
	if (took_us > GATEWAY_MAX_US)
		took_us = GATEWAY_MAX_US;
	line->gateway_us =
		took_us > line->gateway_us ? took_us : (line->gateway_us * 7 + took_us) / 8;
}

static void note_late_gateway(struct line *line, const struct frame *frame, int64_t now_us)
{
	for (size_t i = 0; i < line->n_ghosts; i++)
		if (has_id(line, frame, line->ghosts[i].id) &&
		    is_gateways(line, &line->ghosts[i].shape, frame))
			learn_gateway(line, now_us - line->ghosts[i].sent_us);
}

/*
 * A device that works off one request after the other was late with this one: the answers to what was
 * asked after it come after it, later still. Their ghosts live on. Returns how many there are.
 */
static unsigned keep_backlog(struct line *line, const struct ghost *late, int64_t now_us)
{
	int64_t until_us = now_us + line->params.ghost_us;
	unsigned behind = line->busy && line->request.shape.unit_id == late->shape.unit_id;

	line->late_us = now_us;
	for (size_t i = 0; i < line->n_ghosts; i++) {
		struct ghost *ghost = &line->ghosts[i];

		if (ghost->answered || ghost->sent_us <= late->sent_us)
			continue;
		if (ghost->until_us < until_us && until_us < ghost->sent_us + GHOST_LIFE_MAX_US)
			ghost->until_us = until_us;
		behind += !ghost->weak && ghost->shape.unit_id == late->shape.unit_id;
	}
	return behind;
}

/* What a late answer tells of its device, of which so many more are awaited. */
static void learn_late(const struct line *line, struct user *user, int64_t sent_us, unsigned behind,
		       int64_t now_us)
{
	/* it began with this one when it was done with the one before */
	int64_t took_us = now_us - (user->heard_us > sent_us ? user->heard_us : sent_us);
	int64_t wait_us = took_us * 5 / 4 + JITTER_US;

	/* it works them off in order: ask nothing more until it is through, or the next one is lost */
	user->not_before_us = 0;
	if (behind >= (user->late ? 1 : BACKLOG_MIN) && user->alive_us < sent_us)
		user->not_before_us = now_us + (wait_us < SLOW_MAX_US ? wait_us : SLOW_MAX_US);

	/* not some late answers but a slow device; what was merely held up by them does not count */
	if (took_us >= line->params.min_allowance_us && ++user->late >= SLOW_AFTER) {
		user->rtt_us = now_us - sent_us;
		user->rtt_var_us = user->rtt_us / 16;
	}
	user->heard_us = now_us;
	user->timeouts = 0;
	user->unheard = 0;
}

/* An exception tells too little to be given to anyone, but it may be the first of a backlog. */
static void note_late_exception(struct line *line, const struct frame *frame, int64_t now_us)
{
	const struct ghost *first = NULL;

	for (size_t i = 0; i < line->n_ghosts; i++) {
		const struct ghost *ghost = &line->ghosts[i];

		if (!has_id(line, frame, ghost->id) || !is_exception(&ghost->shape, frame))
			continue;
		if (ghost->answered && ghost->exception)
			return; /* that one once more */
		if (!ghost->answered && (!first || ghost->sent_us < first->sent_us))
			first = ghost;
	}
	if (first)
		keep_backlog(line, first, now_us);
}

static void deliver_late(struct line *line, const struct frame *frame, int64_t now_us)
{
	struct ghost *ghost = line->ghosts, *end = ghost + line->n_ghosts;

	while (ghost < end && !(!ghost->answered && has_id(line, frame, ghost->id) &&
				answers(&ghost->shape, frame)))
		ghost++;
	if (ghost == end) {
		note_late_gateway(line, frame, now_us);
		note_late_exception(line, frame, now_us);
		return;
	}

	struct line_request request = { .shape = ghost->shape, .what = ghost->what };
	struct line_answer answer = {
		.result = LINE_LATE,
		.request = &request,
		.pdu = frame->pdu,
		.len = frame->len,
		.sent_us = ghost->sent_us,
	};
	struct user *user = find_user(line, ghost->user);
	unsigned behind = keep_backlog(line, ghost, now_us);

	answered_ghost(ghost, false, now_us);
	if (!user)
		return;
	learn_late(line, user, answer.sent_us, behind, now_us);
	user->ops->answer(user->user, &answer, now_us);
}

static void take_frames(struct line *line, int64_t now_us)
{
	struct frame frame;

	while (framer_next(&line->rx, &frame)) {
		bool ours = line->busy && has_id(line, &frame, line->id);

		if (ours && is_gateways(line, &line->request.shape, &frame)) {
			line->stats.exceptions++;
			learn_gateway(line, now_us - line->sent_us);
			finish_unanswered(line, now_us);
		} else if (ours && (answers(&line->request.shape, &frame) ||
				    is_exception(&line->request.shape, &frame))) {
			finish_answered(line, &frame, now_us);
		} else {
			line->stats.stragglers++;
			deliver_late(line, &frame, now_us);
		}
	}
}

/* The receiver starts afresh; what it skipped is kept in the statistics. */
static void count_garbage(struct line *line)
{
	line->stats.noise_bytes += line->rx.noise;
	line->stats.bad_frames += line->rx.bad_crc;
	framer_restart(&line->rx);
}

void line_rx(struct line *line, const uint8_t *data, size_t len, int64_t now_us)
{
	if (!line->up)
		return;
	line->last_rx_us = now_us;
	while (len) {
		size_t taken = framer_feed(&line->rx, data, len);

		data += taken;
		len -= taken;
		take_frames(line, now_us);
		if (!taken && len) { /* cannot be: next() makes room; never spin on it */
			framer_silence(&line->rx);
			take_frames(line, now_us);
			break;
		}
	}
}

void line_link(struct line *line, bool up, int64_t now_us)
{
	if (line->up == up)
		return;
	line->up = up;
	if (line->busy)
		leave_ghost(line, false);
	for (size_t i = 0; i < line->n_ghosts; i++)
		line->ghosts[i].user = NULL; /* what comes after a reconnect is not asked for */
	line->gap_us = line->params.gap_us;
	line->stats.echo = false;
	line->last_rx_us = now_us - line->params.silence_us;
	count_garbage(line);
	framer_reset(&line->rx);
	line->gateway_us = 0;
	line->request.shape = (struct line_shape){ 0 };
	for (size_t i = 0; i < line->n_users; i++) {
		line->users[i].timeouts = 0;
		line->users[i].unheard = 0;
		line->users[i].rtt_us = 0;
		line->users[i].not_before_us = 0;
	}
	if (line->busy)
		finish(line, LINE_DOWN, NULL, now_us);
}

bool line_is_up(const struct line *line)
{
	return line->up;
}

bool line_blocked(const struct line *line, const struct line_shape *shape, int64_t now_us)
{
	/* not twice in a row, but not for ever either: it may be all a unit is asked for */
	if (shape->fc == FC_READ_HOLDING_REGISTERS && same_shape(shape, &line->request.shape) &&
	    now_us - line->sent_us <= line->params.ghost_us)
		return true;
	for (size_t i = 0; i < line->n_ghosts; i++) {
		const struct ghost *ghost = &line->ghosts[i];

		if (now_us <= ghost->until_us && same_shape(shape, &ghost->shape) &&
		    (!ghost->weak || shape->addr != ghost->shape.addr))
			return true;
	}
	return false;
}

static void transmit(struct line *line, struct user *user, int64_t now_us)
{
	uint8_t adu[FRAMING_ADU_MAX];
	size_t len = framer_put(&line->rx, adu, ++line->id, line->request.shape.unit_id,
				line->request.pdu, line->request.len);
	int64_t allowance = patience_us(line, user);

	assert(len);
	count_garbage(line);
	/* the echo of a write is its own reply's twin: expect one only where reads showed echoes */
	if (line->request.shape.fc == FC_READ_HOLDING_REGISTERS ||
	    line->request.shape.fc == FC_ENCAPSULATED || line->stats.echo)
		framer_expect_echo(&line->rx, adu, len);

	line->owner = user;
	line->busy = true;
	line->sent_us = now_us;
	line->wanted_us = 0;
	line->timeout_us = now_us + wire_us(line, len) + allowance +
			   wire_us(line, reply_bytes(&line->request));
	line->stats.requests++;
	line->stats.allowance_us = (uint32_t)allowance;
	line->stats.gap_us = (uint32_t)line->gap_us;
	/* what the link cannot take ends by its timeout too: a broken link is not hammered */
	line->tx(line->tx_user, adu, len);
}

/* The due user that has waited longest for a turn. */
static struct user *next_user(struct line *line, int64_t now_us)
{
	struct user *next = NULL;

	for (size_t i = 0; i < line->n_users; i++) {
		struct user *user = &line->users[i];

		if (user->not_before_us > now_us || user->ops->due(user->user, now_us) > now_us)
			continue;
		if (!next || user->served < next->served)
			next = user;
	}
	return next;
}

static int64_t quiet_at(const struct line *line)
{
	int64_t quiet = framer_pending(&line->rx) ? line->params.silence_us : line->gap_us;

	return line->last_rx_us + quiet;
}

static void give_turn(struct line *line, int64_t now_us)
{
	struct user *user = next_user(line, now_us);

	if (!user)
		return;
	if (now_us >= quiet_at(line) || !line->up) {
		line->wanted_us = 0;
	} else {
		if (!line->wanted_us)
			line->wanted_us = now_us;
		if (now_us - line->wanted_us < NOISE_PATIENCE_US)
			return;
	}
	if (framer_pending(&line->rx)) {
		framer_silence(&line->rx);
		take_frames(line, now_us);
		user = next_user(line, now_us); /* a late answer may have changed the order */
		if (!user)
			return;
	}

	struct line_shape last = line->request.shape;
	void *who = user->user;
	bool taken = user->ops->take(who, now_us, &line->request) && line->up;

	user = find_user(line, who); /* users may have come and gone in the call */
	if (!user || !taken)
		line->request.shape = last;
	if (!user)
		return;
	if (!taken) {
		user->not_before_us = now_us + PASSED_US;
		return;
	}
	user->served = ++line->turn;
	transmit(line, user, now_us);
}

void line_run(struct line *line, int64_t now_us)
{
	drop_old_ghosts(line, now_us);

	if (line->busy && now_us >= line->last_rx_us + line->params.silence_us &&
	    line->last_rx_us > line->sent_us) {
		if (framer_pending(&line->rx)) {
			framer_silence(&line->rx);
			take_frames(line, now_us);
		}
		/* something came, it was not an answer, and nothing follows: do not wait longer */
		if (line->busy && line->rx.noise)
			finish_unanswered(line, now_us);
	}
	if (line->busy && now_us >= line->timeout_us)
		finish_unanswered(line, now_us);
	if (!line->busy)
		give_turn(line, now_us);
}

int64_t line_deadline(struct line *line, int64_t now_us)
{
	int64_t first = INT64_MAX;

	if (line->busy) {
		int64_t silence = line->last_rx_us + line->params.silence_us;

		if (line->last_rx_us > line->sent_us &&
		    (framer_pending(&line->rx) || line->rx.noise) && silence < line->timeout_us)
			return silence;
		return line->timeout_us;
	}

	for (size_t i = 0; i < line->n_users; i++) {
		struct user *user = &line->users[i];
		int64_t due = user->ops->due(user->user, now_us);

		if (due < user->not_before_us)
			due = user->not_before_us;
		if (due < first)
			first = due;
	}
	if (first == INT64_MAX || !line->up)
		return first;
	if (first < quiet_at(line)) {
		int64_t patience = line->wanted_us + NOISE_PATIENCE_US, due = first;

		first = quiet_at(line);
		if (line->wanted_us && patience < first) /* who passed is not asked earlier */
			first = patience > due ? patience : due;
	}
	return first;
}

/* Every device that answers has one turn, and the mute ones have their share. */
static uint32_t round_us(const struct line *line)
{
	int64_t sum = 0;
	bool mute = false;

	for (size_t i = 0; i < line->n_users; i++) {
		if (is_mute(line, &line->users[i]))
			mute = true;
		else
			sum += line->users[i].turn_us;
	}
	if (mute)
		sum += sum / MUTE_SHARE;
	return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

bool line_is_broken(const struct line *line)
{
	return line->rx.broken;
}

void line_stats(const struct line *line, struct line_stats *out)
{
	*out = line->stats;
	out->noise_bytes += line->rx.noise;
	out->bad_frames += line->rx.bad_crc;
	out->round_us = round_us(line);
}
