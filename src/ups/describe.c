/* The steps of a command in words, for those who want to know before (--dry-run). */
#include <stdio.h>
#include <strings.h>

#include "ups/engine_impl.h"

static void describe_fresh(unsigned needs, char *out, size_t size)
{
	static const struct {
		unsigned need;
		const char *what;
	} rows[] = {
		{ NEED_STATUS, "status" },   { NEED_SETTINGS, "settings and timers" },
		{ NEED_ALARMS, "alarms" },   { NEED_TELEMETRY, "bypass input" },
		{ NEED_BATTERY, "battery" }, { NEED_IDENTITY, "identity" },
	};
	size_t len = (size_t)snprintf(out, size, "read anew: ");
	const char *comma = "";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && len < size; i++) {
		if (!(needs & rows[i].need))
			continue;
		len += (size_t)snprintf(out + len, size - len, "%s%s", comma, rows[i].what);
		comma = ", ";
	}
}

static void describe_set(const struct step *step, char *out, size_t size)
{
	const char *back = step->borrow ? "; the old value is given back later" : "";

	if (step->value == VALUE_TOGGLE)
		snprintf(out, size, "change register %u over and read it back%s", step->base, back);
	else
		snprintf(out, size, "set register %u to %u and read it back%s", step->base,
			 step->value, back);
}

static void describe_step(const struct step *step, char *out, size_t size)
{
	switch (step->kind) {
	case STEP_END:
		snprintf(out, size, "verified: %s", step->text);
		return;
	case STEP_FRESH:
		describe_fresh(step->needs, out, size);
		return;
	case STEP_REQUIRE:
		snprintf(out, size, "stop, if %s", step->text);
		return;
	case STEP_DONE_IF:
		snprintf(out, size, "done already, if %s", step->text);
		return;
	case STEP_JOURNAL:
		snprintf(out, size, "note in the state directory what is going to be changed");
		return;
	case STEP_SET:
		describe_set(step, out, size);
		return;
	case STEP_FIRE:
		snprintf(out, size, "write 1 to register %u", step->base);
		return;
	case STEP_SEE:
		snprintf(out, size, "watch for up to %u s; failed, if %s", step->timeout_s,
			 step->text);
		return;
	case STEP_ARM:
		snprintf(
			out, size,
			"start the timer of the switch-off and read it back; then wait until the output "
			"is seen off");
		return;
	case STEP_CANCEL:
		snprintf(out, size,
			 "wait until the timers read 0, or until the output is still on 12 s "
			 "after it was due to go off");
		return;
	case STEP_DISARM:
		snprintf(out, size, "cancel a switch-off that is pending, if there is one");
		return;
	}
}

bool engine_command_step(const char *name, size_t i, char *out, size_t size)
{
	for (size_t row = 0; row < command_rows_count; row++) {
		const struct step *step = command_rows[row].steps;

		if (strcasecmp(name, command_rows[row].name) != 0)
			continue;
		/* the last step ends the order, or waits for what ends it */
		for (; i; i--, step++)
			if (step->kind == STEP_END || step->kind == STEP_ARM ||
			    step->kind == STEP_CANCEL)
				return false;
		describe_step(step, out, size);
		return true;
	}
	return false;
}
