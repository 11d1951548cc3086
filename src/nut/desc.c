#include "nut/store.h"

#include <stdlib.h>
#include <strings.h>

#include "util/util.h"

/* Texts for people. No quote, backslash or '#': stock puts descriptions on the wire unescaped. */
struct desc {
	const char *name, *text;
};

/* Sorted by name without case. */
static const struct desc vars[] = {
	{ "battery.capacity", "Capacity of the battery string (Ah)" },
	{ "battery.capacity.nominal", "Capacity of the battery string when new (Ah)" },
	{ "battery.charge", "How full the battery is (%)" },
	{ "battery.charge.low", "Charge at which the battery counts as low (%)" },
	{ "battery.charge.restart", "Charge needed before the UPS switches on again (%)" },
	{ "battery.charge.warning", "Charge at which a first warning is due (%)" },
	{ "battery.charger.status",
	  "State of the charger: charging, discharging, floating, resting" },
	{ "battery.charger.type", "Kind of charger" },
	{ "battery.current", "Current of the battery string (A)" },
	{ "battery.date", "Day the batteries were last replaced" },
	{ "battery.mfr.date", "Day the batteries were made" },
	{ "battery.packs", "Number of battery blocks in series" },
	{ "battery.packs.bad", "Number of battery blocks found bad" },
	{ "battery.packs.external", "Number of external battery packs" },
	{ "battery.runtime",
	  "Time the battery lasts at the present load, by the UPS's estimate (s)" },
	{ "battery.runtime.low", "Remaining time at which the battery counts as low (s)" },
	{ "battery.runtime.restart", "Runtime needed before the UPS switches on again (s)" },
	{ "battery.status", "Condition of the battery" },
	{ "battery.temperature", "Temperature of the battery (degrees C)" },
	{ "battery.type", "Chemistry of the battery" },
	{ "battery.voltage", "Voltage of the battery string (V)" },
	{ "battery.voltage.high", "Battery voltage that counts as full (V)" },
	{ "battery.voltage.low", "Battery voltage that counts as empty (V)" },
	{ "battery.voltage.nominal", "Rated voltage of the battery string (V)" },
	{ "device.contact", "Who looks after the device" },
	{ "device.description", "What the device is for" },
	{ "device.location", "Where the device stands" },
	{ "device.macaddr", "Network hardware address of the device" },
	{ "device.mfr", "Maker of the device" },
	{ "device.model", "Model of the device" },
	{ "device.part", "Part number of the device" },
	{ "device.serial", "Serial number of the device" },
	{ "device.type", "Kind of device" },
	{ "device.uptime", "Time since the device was switched on (s)" },
	{ "driver.debug", "Debug level of the program that reads the UPS" },
	{ "driver.flag.allow_killpower", "Whether the driver may cut the power on request" },
	{ "driver.flag.ignorelb", "Low battery is decided by thresholds, not by the UPS" },
	{ "driver.name", "Name of the program that reads the UPS" },
	{ "driver.parameter.pollinterval", "Time between two full readings (s)" },
	{ "driver.parameter.port", "Where the UPS is attached" },
	{ "driver.parameter.synchronous", "Whether the driver waits for a slow server" },
	{ "driver.state", "What the driver is doing" },
	{ "driver.version", "Version of the program that reads the UPS" },
	{ "driver.version.data", "Version of the table of device facts" },
	{ "driver.version.internal", "Internal version of the driver" },
	{ "experimental.ups.mode.buzzwords", "The maker's words for the mode of operation" },
	{ "input.bypass.current", "Current through the bypass (A)" },
	{ "input.bypass.frequency", "Frequency at the bypass input (Hz)" },
	{ "input.bypass.phases", "Number of phases of the bypass input" },
	{ "input.bypass.switch.off", "Leave bypass" },
	{ "input.bypass.switch.on", "Go to bypass" },
	{ "input.bypass.switchable", "Whether the load can be put on bypass by hand" },
	{ "input.bypass.voltage", "Voltage at the bypass input (V)" },
	{ "input.current", "Current drawn from the mains (A)" },
	{ "input.frequency", "Frequency of the mains (Hz)" },
	{ "input.frequency.nominal", "Rated frequency of the mains (Hz)" },
	{ "input.phases", "Number of phases of the mains input" },
	{ "input.quality", "Quality of the mains" },
	{ "input.sensitivity", "How easily the UPS leaves disturbed mains" },
	{ "input.transfer.high", "Mains voltage above which the UPS runs on battery (V)" },
	{ "input.transfer.low", "Mains voltage below which the UPS runs on battery (V)" },
	{ "input.transfer.reason", "Why the UPS last went on battery" },
	{ "input.voltage", "Voltage of the mains (V)" },
	{ "input.voltage.nominal", "Rated voltage of the mains (V)" },
	{ "output.current", "Current drawn by the load (A)" },
	{ "output.current.nominal", "Rated output current (A)" },
	{ "output.frequency", "Frequency at the output (Hz)" },
	{ "output.frequency.nominal", "Rated output frequency (Hz)" },
	{ "output.phases", "Number of phases of the output" },
	{ "output.power", "Apparent power drawn by the load (VA)" },
	{ "output.powerfactor", "Power factor of the load" },
	{ "output.realpower", "Real power drawn by the load (W)" },
	{ "output.voltage", "Voltage at the output (V)" },
	{ "output.voltage.nominal", "Rated output voltage (V)" },
	{ "server.info", "What this server is" },
	{ "server.version", "Version of this server" },
	{ "ups.alarm", "Alarms that are active now" },
	{ "ups.beeper.status", "Whether the UPS may beep: enabled, disabled or muted" },
	{ "ups.contacts", "State of the relay contacts" },
	{ "ups.date", "Date of the UPS's clock" },
	{ "ups.delay.reboot", "Time between off and on again in a reboot (s)" },
	{ "ups.delay.shutdown", "Time from a shutdown command until the output goes off (s)" },
	{ "ups.delay.start", "Time the output stays off before it comes back (s)" },
	{ "ups.efficiency", "Share of the input power that reaches the load (%)" },
	{ "ups.firmware", "Firmware version of the UPS" },
	{ "ups.firmware.aux", "Version of the UPS's communication interface" },
	{ "ups.id", "Name of this UPS, given by its owner" },
	{ "ups.load", "Load as a share of the rating (%)" },
	{ "ups.load.high", "Load at which an overload warning is due (%)" },
	{ "ups.mfr", "Maker of the UPS" },
	{ "ups.mode", "Mode of operation: online, line-interactive or bypass" },
	{ "ups.model", "Model of the UPS" },
	{ "ups.power", "Apparent power drawn by the load (VA)" },
	{ "ups.power.nominal", "Rated apparent power (VA)" },
	{ "ups.realpower", "Real power drawn by the load (W)" },
	{ "ups.realpower.nominal", "Rated real power (W)" },
	{ "ups.serial", "Serial number of the UPS" },
	{ "ups.shutdown", "Whether the UPS obeys shutdown commands" },
	{ "ups.start.auto", "Whether the output comes back by itself when mains return" },
	{ "ups.start.battery", "Whether the UPS can be started without mains" },
	{ "ups.start.reboot", "Whether a reboot works without a mains failure" },
	{ "ups.status", "State of the UPS in short words, such as OL, OB or LB" },
	{ "ups.temperature", "Temperature inside the UPS (degrees C)" },
	{ "ups.test.date", "Day of the last self-test" },
	{ "ups.test.interval", "Time between two automatic self-tests (s)" },
	{ "ups.test.result", "How the last self-test ended" },
	{ "ups.time", "Time of the UPS's clock" },
	{ "ups.timer.reboot", "Time until the reboot begins; -1 if none is due (s)" },
	{ "ups.timer.shutdown", "Time until the output goes off; -1 if it is not going to (s)" },
	{ "ups.timer.start", "Time until the output comes on; -1 if it is not going to (s)" },
	{ "ups.type", "How the UPS is built: online" },
	{ "ups.watchdog.status", "Whether the watchdog of the UPS is enabled" },
};

static const struct desc cmds[] = {
	{ "beeper.disable", "Keep the beeper silent" },
	{ "beeper.enable", "Let the UPS beep" },
	{ "beeper.mute", "Silence the present beeping only" },
	{ "beeper.toggle", "Silence the beeper, or let it beep again" },
	{ "bypass.start", "Put the load on bypass" },
	{ "bypass.stop", "Take the load off bypass" },
	{ "calibrate.start", "Start measuring the battery runtime" },
	{ "calibrate.stop", "Stop measuring the battery runtime" },
	{ "driver.killpower", "Cut the power after this host has halted" },
	{ "driver.reload", "Read the driver's configuration again" },
	{ "driver.reload-or-error", "Read the driver's configuration again, or say why not" },
	{ "driver.reload-or-exit", "Read the driver's configuration again, or end the driver" },
	{ "load.off", "Switch the output off at once" },
	{ "load.off.delay", "Switch the output off after a time (s)" },
	{ "load.on", "Switch the output on at once" },
	{ "load.on.delay", "Switch the output on after a time (s)" },
	{ "reset.input.minmax", "Forget the lowest and highest mains voltage seen" },
	{ "reset.watchdog", "Restart the watchdog of the UPS" },
	{ "shutdown.default", "Shut down in the way configured for a power cut" },
	{ "shutdown.reboot", "Switch the output off for a while and on again" },
	{ "shutdown.reboot.graceful", "After a delay, switch the output off and on again" },
	{ "shutdown.return", "After a delay, switch the output off until mains are back" },
	{ "shutdown.stayoff", "After a delay, switch the output off for good" },
	{ "shutdown.stop", "Call off a shutdown that is under way" },
	{ "test.battery.start", "Start a battery test" },
	{ "test.battery.start.deep", "Start a deep battery test: runs the battery almost empty" },
	{ "test.battery.start.low", "Start a battery test that ends when the battery is low" },
	{ "test.battery.start.quick", "Start a battery test of a few seconds" },
	{ "test.battery.stop", "Stop the battery test" },
	{ "test.failure.start", "Start a simulated mains failure" },
	{ "test.failure.stop", "Stop the simulated mains failure" },
	{ "test.panel.start", "Start a test of the panel" },
	{ "test.panel.stop", "Stop the test of the panel" },
	{ "test.system.start", "Start a test of the whole UPS" },
};

static int by_name(const void *name, const void *row)
{
	return strcasecmp(name, ((const struct desc *)row)->name);
}

const char *nut_var_desc(const char *name)
{
	const struct desc *row = bsearch(name, vars, ARRAY_SIZE(vars), sizeof(*vars), by_name);

	return row ? row->text : NULL;
}

const char *nut_cmd_desc(const char *name)
{
	const struct desc *row = bsearch(name, cmds, ARRAY_SIZE(cmds), sizeof(*cmds), by_name);

	return row ? row->text : NULL;
}
