#include <ups2000/ups.h>

#include <stddef.h>

static const char *const gate_texts[U2K_GATE_COUNT] = {
	[U2K_GATE_OPEN] = "commands are open",
	[U2K_GATE_NOT_IDENTIFIED] = "the device has not been identified yet",
	[U2K_GATE_NO_DESCRIPTION] =
		"the device does not give its full description (objects 0x87/0x88); it is only monitored",
	[U2K_GATE_MODEL] =
		"the device is not a UPS2000, UPS2000A or UPS2000G; it is only monitored",
	[U2K_GATE_PROTOCOL] = "the device's interface is not P1.0-D1.0; it is only monitored",
	[U2K_GATE_RATING] = "the device's rated power is not 1, 2 or 3 kVA; it is only monitored",
	[U2K_GATE_NUMBER] = "UPS numbers other than 1 are only monitored",
	[U2K_GATE_ESN] = "the device has another serial number than expected",
	[U2K_GATE_STALE] = "the device's status is not fresh",
	[U2K_GATE_CONFIG] = "the configuration says that this UPS is only monitored",
};

static const char *const comm_texts[] = {
	[U2K_COMM_CLOSED] = "port not open",
	[U2K_COMM_SILENT] = "no answer from the device",
	[U2K_COMM_IDENTIFYING] = "being identified",
	[U2K_COMM_OK] = "ok",
	[U2K_COMM_STALE] = "status is stale",
};

static const char *const outcome_texts[] = {
	[U2K_PENDING] = "pending",
	[U2K_VERIFIED] = "verified",
	[U2K_REFUSED] = "refused",
	[U2K_FAILED] = "failed",
};

const char *u2k_gate_text(enum u2k_gate gate)
{
	return (unsigned)gate < U2K_GATE_COUNT ? gate_texts[gate] : "";
}

const char *u2k_comm_text(enum u2k_comm comm)
{
	return (unsigned)comm < sizeof(comm_texts) / sizeof(comm_texts[0]) ? comm_texts[comm] : "";
}

const char *u2k_outcome_text(enum u2k_outcome outcome)
{
	return (unsigned)outcome < sizeof(outcome_texts) / sizeof(outcome_texts[0])
		       ? outcome_texts[outcome]
		       : "";
}
