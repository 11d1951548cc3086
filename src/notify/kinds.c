#include "notify/kinds.h"

#include <string.h>

#include "util/util.h"

static const struct kind kinds[] = {
	/* name             role         condition             by_facts nut */
	{ "on-battery", KIND_OPENS, "on-battery", false, "ONBATT" },
	{ "on-line", KIND_CLOSES, "on-battery", false, "ONLINE" },
	{ "low-battery", KIND_OPENS, "low-battery", false, "LOWBATT" },
	{ "low-battery-gone", KIND_CLOSES, "low-battery", false, NULL },
	{ "on-bypass", KIND_OPENS, "on-bypass", false, "BYPASS" },
	{ "bypass-ended", KIND_CLOSES, "on-bypass", false, "NOTBYPASS" },
	{ "output-off", KIND_OPENS, "output-off", false, "OFF" },
	{ "output-on", KIND_CLOSES, "output-off", false, "NOTOFF" },
	{ "eco", KIND_OPENS, "eco", false, "ECO" },
	{ "eco-ended", KIND_CLOSES, "eco", false, "NOTECO" },
	{ "overload", KIND_OPENS, "overload", false, "OVER" },
	{ "overload-gone", KIND_CLOSES, "overload", false, "NOTOVER" },
	{ "replace-battery", KIND_OPENS, "replace-battery", false, "REPLBATT" },
	{ "replace-battery-gone", KIND_CLOSES, "replace-battery", false, NULL },
	{ "fault", KIND_OPENS, "fault", false, NULL },
	{ "fault-gone", KIND_CLOSES, "fault", false, NULL },
	{ "test-started", KIND_OPENS, "test", false, NULL },
	{ "test-ended", KIND_CLOSES, "test", false, NULL },
	{ "alarm-raised", KIND_OPENS, "alarm", true, "ALARM" },
	{ "alarm-cleared", KIND_CLOSES, "alarm", true, "NOTALARM" },
	{ "alarm-unknown", KIND_OPENS, "alarm-unknown", true, NULL },
	{ "alarm-unknown-cleared", KIND_CLOSES, "alarm-unknown", true, NULL },
	{ "communication-lost", KIND_OPENS, "communication", false, "COMMBAD" },
	{ "communication-back", KIND_CLOSES, "communication", false, "COMMOK" },
	{ "commands-refused", KIND_OPENS, "commands", false, NULL },
	{ "commands-open", KIND_CLOSES, "commands", false, NULL },
	{ "fsd", KIND_OPENS, "fsd", false, "FSD" },
	{ "fsd-restored", KIND_OPENS, "fsd", false, "FSD" },
	{ "fsd-cleared", KIND_CLOSES, "fsd", false, NULL },
	{ "link-down", KIND_OPENS, "link", false, NULL },
	{ "link-up", KIND_CLOSES, "link", false, NULL },
	{ "wrong-serial", KIND_OPENS, "wrong-serial", false, NULL },
	{ "right-serial", KIND_CLOSES, "wrong-serial", false, NULL },
	{ "notify-failed", KIND_OPENS, "notify-failed", true, NULL },
	{ "notify-works", KIND_CLOSES, "notify-failed", true, NULL },
	{ "history-fails", KIND_OPENS, "history", false, NULL },
	{ "history-works", KIND_CLOSES, "history", false, NULL },
	{ "shutdown-unsaved", KIND_OPENS, "shutdown-unsaved", false, NULL },
	{ "shutdown-saved", KIND_CLOSES, "shutdown-unsaved", false, NULL },
	{ "shutdown-warning", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-announced", KIND_ONCE, NULL, false, "SHUTDOWN" },
	{ "shutdown-step", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-secondaries", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-command", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-cancelled", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-over", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-failed", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-no-start", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-kept-on", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-relapse", KIND_ONCE, NULL, false, NULL },
	{ "shutdown-found", KIND_ONCE, NULL, false, NULL },
	{ "drill", KIND_ONCE, NULL, false, NULL },
	{ "wake", KIND_ONCE, NULL, false, NULL },
	{ "wake-failed", KIND_ONCE, NULL, false, NULL },
	{ "test-result", KIND_ONCE, NULL, false, NULL },
	{ "history-refused", KIND_ONCE, NULL, false, NULL },
	{ "history-damaged", KIND_ONCE, NULL, false, NULL },
	{ "notify-dropped", KIND_ONCE, NULL, false, NULL },
	{ "notify-unkept", KIND_ONCE, NULL, false, NULL },
	{ "not-modbus", KIND_ONCE, NULL, false, NULL },
	{ "identified", KIND_ONCE, NULL, false, NULL },
	{ "command", KIND_ONCE, NULL, false, NULL },
	{ "setting", KIND_ONCE, NULL, false, NULL },
	{ "port-unusable", KIND_ONCE, NULL, false, "NOCOMM" },
	{ "moved", KIND_ONCE, NULL, false, NULL },
	{ "removed", KIND_ONCE, NULL, false, NULL },
};

const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

const struct kind *kind_at(size_t i)
{
	return i < ARRAY_SIZE(kinds) ? &kinds[i] : NULL;
}

const char *kind_nut(const char *name)
{
	const struct kind *kind = kind_find(name);

	return kind && kind->nut ? kind->nut : "OTHER";
}
