/* Orders by name: what they mean, what is wrong with them, and their queue. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ups/engine_impl.h"
#include <ups2000/error.h>

static void refuse(struct engine *e, uint64_t token, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void refuse(struct engine *e, uint64_t token, int error, const char *format, ...)
{
	char text[ENGINE_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	e->ops->done(e->user, token, U2K_REFUSED, error, text);
}

static bool parse_number(const char *text, unsigned long *out)
{
	char *end;

	if (!text || !*text || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
		return false;
	*out = strtoul(text, &end, 10);
	return true;
}

/* Delays the device can keep: 6 s steps up to 990 of them, or whole minutes. */
static bool delay_ok(struct engine *e, uint64_t token, const char *what, const char *value,
		     unsigned step, unsigned *out)
{
	unsigned long n;

	if (!parse_number(value, &n)) {
		refuse(e, token, U2K_EINVAL, "%s needs a whole number of seconds, %u to 5940", what,
		       step);
		return false;
	}
	if (n < step || n > 5940) {
		refuse(e, token, U2K_EINVAL, "%s: %lu s is out of range, %u to 5940", what, n,
		       step);
		return false;
	}
	if (n % step) {
		refuse(e, token, U2K_EINVAL,
		       "%s: the UPS counts in steps of %u s; the nearest are %lu and %lu", what,
		       step, n / step * step, (n / step + 1) * step);
		return false;
	}
	*out = (unsigned)n;
	return true;
}

static void set_delay(struct engine *e, uint64_t token, const char *name, const char *value,
		      unsigned step, unsigned *delay)
{
	if (!delay_ok(e, token, name, value, step, delay))
		return;
	e->ops->delays(e->user, &e->delays);
	e->ops->done(e->user, token, U2K_VERIFIED, 0, "the delay was changed");
}

static void enqueue(struct engine *e, const struct queued *order, const struct u2k_snapshot *snap,
		    int64_t now_us)
{
	bool stop;

	if (snap->gate != U2K_GATE_OPEN && snap->gate != U2K_GATE_NOT_IDENTIFIED) {
		refuse(e, order->token, U2K_EREFUSED, "%s", u2k_gate_text(snap->gate));
		return;
	}
	stop = order->row && strcmp(order->row->name, "shutdown.stop") == 0;
	if (switchoff_pending(e) &&
	    !(order->row ? order->row->while_pending
			 : order->steps == steps_beeper_on || order->steps == steps_beeper_off)) {
		refuse(e, order->token, U2K_EREFUSED,
		       "a switch-off is pending (%s); shutdown.stop cancels it", e->pending.name);
		return;
	}
	if (e->n_queued >= ENGINE_QUEUE_MAX + (unsigned)stop) {
		refuse(e, order->token, U2K_EREFUSED, "too many commands are waiting");
		return;
	}
	/* shutdown.stop does not wait behind others */
	if (stop) {
		memmove(&e->queue[1], &e->queue[0], e->n_queued++ * sizeof(*order));
		e->queue[0] = *order;
		e->queue[0].made_us = now_us;
		switchoff_yield(e, now_us);
	} else {
		e->queue[e->n_queued] = *order;
		e->queue[e->n_queued++].made_us = now_us;
	}
	e->due_us = 0;
}

static void order_setting(struct engine *e, uint64_t token, const char *name, const char *value,
			  const struct u2k_snapshot *snap, int64_t now_us)
{
	static const struct {
		const char *name, *value;
		const struct step *steps;
	} rows[] = {
		{ "ups.beeper.status", "enabled", steps_beeper_on },
		{ "ups.beeper.status", "disabled", steps_beeper_off },
		{ "ups.start.auto", "yes", steps_auto_start_on },
		{ "ups.start.auto", "no", steps_auto_start_off },
	};
	bool known = false;

	if (!value)
		value = "";
	if (strcasecmp(name, "ups.delay.shutdown") == 0) {
		set_delay(e, token, "ups.delay.shutdown", value, 6, &e->delays.shutdown_s);
		return;
	}
	if (strcasecmp(name, "ups.delay.reboot") == 0) {
		set_delay(e, token, "ups.delay.reboot", value, 6, &e->delays.reboot_s);
		return;
	}
	if (strcasecmp(name, "ups.delay.start") == 0) {
		set_delay(e, token, "ups.delay.start", value, 60, &e->delays.start_s);
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct queued order = { .token = token,
					.steps = rows[i].steps,
					.name = rows[i].name };

		if (strcasecmp(name, rows[i].name) != 0)
			continue;
		known = true;
		if (strcasecmp(value, rows[i].value) == 0) {
			enqueue(e, &order, snap, now_us);
			return;
		}
	}
	if (known)
		refuse(e, token, U2K_EINVAL, "%s takes %s", name,
		       strcasecmp(name, "ups.start.auto") == 0 ? "yes or no"
							       : "enabled or disabled");
	else
		refuse(e, token, U2K_ENOTSUP, "%s cannot be set on this UPS", name);
}

void engine_order(struct engine *e, uint64_t token, bool setting, const char *name,
		  const char *value, const struct u2k_snapshot *snap, int64_t now_us)
{
	if (setting) {
		order_setting(e, token, name, value, snap, now_us);
		engine_run(e, snap, now_us);
		return;
	}
	for (size_t i = 0; i < command_rows_count; i++) {
		const struct command_row *row = &command_rows[i];
		struct queued order = {
			.token = token, .row = row, .steps = row->steps, .name = row->name
		};

		if (strcasecmp(name, row->name) != 0)
			continue;
		if (value && !row->takes_delay) {
			refuse(e, token, U2K_EINVAL, "%s takes no parameter", row->name);
			return;
		}
		if (value && !delay_ok(e, token, row->name, value, 6, &order.delay_s))
			return;
		enqueue(e, &order, snap, now_us);
		engine_run(e, snap, now_us);
		return;
	}
	if (strncasecmp(name, "eco.", 4) == 0 || strcasestr(name, "ecomode"))
		refuse(e, token, U2K_ENOTSUP,
		       "ECO can be seen but not set: its register is not known. The panel can switch it");
	else
		refuse(e, token, U2K_ENOTSUP, "%s is not a command of this UPS", name);
}

const char *engine_command_name(size_t i)
{
	return i < command_rows_count ? command_rows[i].name : NULL;
}

bool engine_command_drops_load(const char *name)
{
	for (size_t i = 0; i < command_rows_count; i++)
		if (strcasecmp(name, command_rows[i].name) == 0)
			return command_rows[i].drops_load;
	return false;
}
