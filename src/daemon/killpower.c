#include "daemon/killpower.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "daemon/hub.h"
#include "nut/store.h"
#include "util/util.h"
#include <ups2000/ups.h>

#define LOG_PART "killpower"
#include "util/log.h"

enum {
	TICK_MS = 100,
	SETTLE_S = 5, /* after a verified command the output is seen off, or another is tried */
	NEAR_S = 45,  /* a switch-off somebody armed and that is due so soon is waited for */
	OVERDUE_S = 15,
	SILENT_S = 30,	/* no status in this time: the UPS is not there */
	REFUSED_S = 10, /* so long the device may be a stranger before it is one */
};

enum state {
	KILL_WAIT_READY, /* no fresh status yet, or commands are not possible yet */
	KILL_WAIT_ARMED, /* somebody armed a switch-off before: it is about to happen */
	KILL_CANCEL,	 /* shutdown.stop for one that is due too late */
	KILL_COMMAND,	 /* one of the commands runs */
	KILL_SETTLE,	 /* it says it did; see the output off */
	KILL_ENDED,
};

struct killpower {
	struct hub_ups *ups;
	struct killpower_config config;
	killpower_cb cb;
	void *user;
	struct event *tick;
	enum state state;
	size_t next; /* command to try */
	char order[37];
	int64_t give_up_us, until_us;
	int64_t began_us;
	int64_t ready_us; /* since when there is a fresh status; 0 = not yet */
};

static bool is_off(const struct killpower *k)
{
	return hub_avail(k->ups) == HUB_OK && k->ups->snap.flags & U2K_OFF;
}

/* Seconds until a switch-off that is armed in the device, or -1. */
static long armed_in(const struct killpower *k)
{
	const char *text = nut_store_get(k->ups->store, "ups.timer.shutdown");
	long shutdown = text ? atol(text) : -1;

	return shutdown > 0 ? shutdown : -1;
}

static void order(struct killpower *k, const char *name, const char *value)
{
	const struct hub_order *made;

	log_info("%s%s%s", name, value ? " " : "", value ? value : "");
	made = hub_order(k->ups, HUB_ORDER_COMMAND, name, value, "killpower", k->config.from);
	memcpy(k->order, made->id, sizeof(k->order));
}

/* Six seconds, unless the user wants another delay: file systems are gone by then. */
static const char *delay_of(const struct killpower *k)
{
	const char *now = nut_store_get(k->ups->store, "ups.delay.shutdown");

	if (k->config.delay_given || (now && strcmp(now, "60") != 0))
		return NULL;
	return "6";
}

static size_t commands_count(const struct killpower *k)
{
	return k->config.n_commands ? k->config.n_commands : 1;
}

static void end(struct killpower *k, bool off)
{
	k->state = KILL_ENDED;
	event_del(k->tick);
	if (off)
		log_info("the output is off");
	else
		log_error("the output was not seen off");
	k->cb(k->user, off);
}

static void next_command(struct killpower *k)
{
	if (k->next == commands_count(k)) {
		end(k, false);
		return;
	}
	k->state = KILL_COMMAND;
	if (k->config.n_commands)
		order(k, k->config.commands[k->next], NULL);
	else
		order(k, k->config.stay_off ? "shutdown.stayoff" : "shutdown.default", delay_of(k));
	k->next++;
}

static void begin(struct killpower *k, int64_t now)
{
	long in = armed_in(k);

	if (in < 0) {
		next_command(k);
	} else if (in <= NEAR_S && now + (in + OVERDUE_S) * U2K_SEC < k->give_up_us) {
		log_info("a switch-off is armed already and due in %ld s: waiting for it", in);
		k->state = KILL_WAIT_ARMED;
		k->until_us = now + (in + OVERDUE_S) * U2K_SEC;
	} else {
		log_info("a switch-off is armed already but due in %ld s only: making it anew", in);
		k->state = KILL_CANCEL;
		order(k, "shutdown.stop", NULL);
	}
}

static const struct hub_order *ended_order(const struct killpower *k)
{
	const struct hub_order *made = hub_order_find(k->ups->hub, k->order);

	return made && made->outcome == U2K_PENDING ? NULL : made;
}

static void wait_ready(struct killpower *k, int64_t now)
{
	enum u2k_gate gate = k->ups->snap.gate;

	if (hub_avail(k->ups) != HUB_OK) {
		if (now - k->began_us > SILENT_S * U2K_SEC) {
			log_error("no status was read from the UPS in %d s", SILENT_S);
			end(k, false);
		}
		return;
	}
	if (!k->ready_us)
		k->ready_us = now;
	if (gate == U2K_GATE_OPEN) {
		begin(k, now);
	} else if (now - k->ready_us > REFUSED_S * U2K_SEC) {
		log_error("the UPS cannot be commanded: %s", u2k_gate_text(gate));
		end(k, false);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *user)
{
	struct killpower *k = user;
	const struct hub_order *made;
	int64_t now = clock_us();

	(void)fd;
	(void)what;
	if (k->state == KILL_ENDED)
		return;
	if (is_off(k)) {
		end(k, true);
		return;
	}
	if (now >= k->give_up_us) {
		log_error("out of time");
		end(k, false);
		return;
	}
	switch (k->state) {
	case KILL_WAIT_READY:
		wait_ready(k, now);
		break;
	case KILL_WAIT_ARMED:
		if (now >= k->until_us)
			next_command(k);
		break;
	case KILL_CANCEL:
		if (ended_order(k))
			next_command(k);
		break;
	case KILL_COMMAND:
		made = ended_order(k);
		if (made && made->outcome == U2K_VERIFIED) {
			k->state = KILL_SETTLE;
			k->until_us = now + SETTLE_S * U2K_SEC;
		} else if (made) {
			next_command(k);
		}
		break;
	case KILL_SETTLE:
		if (now >= k->until_us)
			next_command(k);
		break;
	case KILL_ENDED:
		break;
	}
}

struct killpower *killpower_new(struct hub_ups *ups, const struct killpower_config *config,
				unsigned seconds, killpower_cb cb, void *user)
{
	struct timeval tick = { 0, TICK_MS * 1000 };
	struct killpower *k = xcalloc(1, sizeof(*k));

	k->ups = ups;
	k->config = *config;
	k->cb = cb;
	k->user = user;
	k->began_us = clock_us();
	k->give_up_us = k->began_us + seconds * U2K_SEC;
	k->tick = event_new(hub_base(ups->hub), -1, EV_PERSIST, on_tick, k);
	event_add(k->tick, &tick);
	return k;
}

void killpower_free(struct killpower *k)
{
	if (!k)
		return;
	event_free(k->tick);
	free(k);
}
