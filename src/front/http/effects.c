#include "front/http/effects.h"

#include <strings.h>
#include "util/util.h"

static const struct effect effects[] = {
	/* command                  ask    what it does */
	{ "load.off", true,
	  "switches the output off: the load loses its power at once "
	  "and stays off until someone switches it on" },
	{ "load.on", false, "switches the output on" },
	{ "shutdown.return", true,
	  "switches the output off after the delay, and on again when "
	  "the mains are there: the load loses its power" },
	{ "shutdown.stayoff", true,
	  "switches the output off after the delay: the load loses its "
	  "power and stays off until someone switches it on" },
	{ "shutdown.reboot", true,
	  "switches the output off within seconds, and on again after the "
	  "start delay: the load loses its power meanwhile" },
	{ "shutdown.reboot.graceful", true,
	  "switches the output off after the delay, and on again: the "
	  "load loses its power meanwhile" },
	{ "shutdown.default", true,
	  "switches the output off the way this UPS is set up for: the "
	  "load loses its power" },
	{ "shutdown.stop", false, "cancels a switch-off that has not happened yet" },
	{ "bypass.start", true,
	  "feeds the load straight from the mains: it is not protected "
	  "until bypass.stop" },
	{ "bypass.stop", false, "brings the load back from the bypass to the inverter" },
	{ "test.battery.start.deep", true,
	  "runs the load from the battery until it is nearly empty: "
	  "a mains failure soon after leaves little time" },
	{ "test.battery.start.quick", false, "runs the load from the battery for some seconds" },
};

const struct effect *effect_find(const char *command)
{
	for (size_t i = 0; i < ARRAY_SIZE(effects); i++)
		if (!strcasecmp(effects[i].command, command))
			return &effects[i];
	return NULL;
}
