#include "policy/policy.h"

#include "util/util.h"

static const struct {
	const char *name, *text;
} states[POLICY_STATES] = {
	[POLICY_NORMAL] = { "normal", "Nothing to do" },
	[POLICY_ON_BATTERY] = { "on-battery", "A UPS is on battery" },
	[POLICY_WARNING] = { "warning", "This host is about to be shut down" },
	[POLICY_ANNOUNCED] = { "announced", "Forced shutdown is announced, secondaries leave" },
	[POLICY_STAGES] = { "stages", "Commands run before this host goes down" },
	[POLICY_FINAL_DELAY] = { "final-delay", "The last seconds before this host goes down" },
	[POLICY_HOST] = { "host", "This host was asked to shut down" },
	[POLICY_SWITCHING_OFF] = { "switching-off", "The UPS is being switched off" },
	[POLICY_OFF] = { "off", "The UPS is off" },
	[POLICY_COMING_BACK] = { "coming-back", "The sequence is over, hosts come back" },
};

static const struct {
	const char *name, *unit;
} conditions[POLICY_CONDITIONS] = {
	[POLICY_COND_ON_BATTERY] = { "on-battery", "s" },
	[POLICY_COND_CHARGE] = { "charge", "%" },
	[POLICY_COND_RUNTIME] = { "runtime", "s" },
	[POLICY_COND_LOW_BATTERY] = { "low-battery", "" },
	[POLICY_COND_TEMPERATURE] = { "temperature", "C" },
	[POLICY_COND_ALARM] = { "alarm", "" },
	[POLICY_COND_LOST] = { "lost", "s" },
	[POLICY_COND_FSD] = { "fsd", "" },
};

const char *policy_state_name(enum policy_state state)
{
	return states[state].name;
}

const char *policy_state_text(enum policy_state state)
{
	return states[state].text;
}

bool policy_state_forced(enum policy_state state)
{
	return state >= POLICY_ANNOUNCED && state < POLICY_OFF;
}

const char *policy_condition_name(enum policy_condition condition)
{
	return conditions[condition].name;
}

const char *policy_condition_unit(enum policy_condition condition)
{
	return conditions[condition].unit;
}
