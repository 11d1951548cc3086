#include "daemon/hub.h"

#include <stdio.h>
#include <string.h>

#include "daemon/hub_private.h"
#include "util/util.h"

/* What a status flag means to people when it comes and when it goes. */
static const struct {
	unsigned flag;
	unsigned gone_needs; /* the end is only told while one of these holds */
	const char *on_kind, *on_severity, *on_text;
	const char *off_kind, *off_text;
} flag_events[] = {
	{ U2K_OB, U2K_OL, "on-battery", "warning", "On battery: the mains failed", "on-line",
	  "On line: the mains are back" },
	{ U2K_LB, 0, "low-battery", "alert", "The battery is low", "low-battery-gone",
	  "The battery is no longer low" },
	{ U2K_BYPASS, 0, "on-bypass", "warning", "On bypass: the load is not protected",
	  "bypass-ended", "No longer on bypass" },
	{ U2K_OFF, 0, "output-off", "alert", "The output is off", "output-on", "The output is on" },
	{ U2K_ECO, 0, "eco", "info", "In ECO mode", "eco-ended", "No longer in ECO mode" },
	{ U2K_OVER, 0, "overload", "alert", "Overloaded", "overload-gone", "No longer overloaded" },
	{ U2K_RB, 0, "replace-battery", "warning", "The battery needs service",
	  "replace-battery-gone", "The battery no longer asks for service" },
	{ U2K_FAULT, 0, "fault", "alert", "The UPS reports a fault", "fault-gone",
	  "The UPS no longer reports a fault" },
	{ U2K_TEST, 0, "test-started", "info", "A battery self-test runs", "test-ended",
	  "The battery self-test ended" },
};

/* " (87 % charged, 12 min left at this load)", as far as it is known. */
static void battery_words(const struct u2k_snapshot *snap, char *out, size_t size)
{
	const struct u2k_value *charge = &snap->qty[U2K_QTY_BATTERY_CHARGE];
	const struct u2k_value *runtime = &snap->qty[U2K_QTY_BATTERY_RUNTIME];
	char charged[32] = "", left[48] = "";

	if (charge->validity == U2K_VALID)
		snprintf(charged, sizeof(charged), "%.0f %% charged", charge->value);
	if (runtime->validity == U2K_VALID)
		snprintf(left, sizeof(left), "%.0f min left at this load", runtime->value / 60);
	out[0] = '\0';
	if (*charged || *left)
		snprintf(out, size, " (%s%s%s)", charged, *charged && *left ? ", " : "", left);
}

static void watch_flags(struct ups *ups, unsigned old, const struct u2k_snapshot *now)
{
	char battery[96];

	for (size_t i = 0; i < ARRAY_SIZE(flag_events); i++) {
		unsigned flag = flag_events[i].flag;
		unsigned needs = flag_events[i].gone_needs;

		if (!((old ^ now->flags) & flag))
			continue;
		if (now->flags & flag) {
			battery[0] = '\0';
			if (flag & (U2K_OB | U2K_LB))
				battery_words(now, battery, sizeof(battery));
			hub_event(ups->pub.hub, flag_events[i].on_kind, flag_events[i].on_severity,
				  ups->pub.name, NULL, "%s%s.", flag_events[i].on_text, battery);
		} else if (!needs || (now->flags & needs)) {
			hub_event(ups->pub.hub, flag_events[i].off_kind, "info", ups->pub.name,
				  NULL, "%s.", flag_events[i].off_text);
		}
	}
}

static void watch_known_alarms(struct ups *ups, uint32_t old, uint32_t now)
{
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++) {
		const struct u2k_alarm_desc *desc = u2k_alarm_desc(i);
		bool raised = now & (UINT32_C(1) << i);
		char facts[64];

		if (!((old ^ now) & (UINT32_C(1) << i)) || !desc)
			continue;
		snprintf(facts, sizeof(facts), "{\"id\":%u,\"cause\":%u}", desc->id, desc->cause);
		hub_event(ups->pub.hub, raised ? "alarm-raised" : "alarm-cleared",
			  !raised			? "info"
			  : desc->severity == U2K_ALERT ? "alert"
							: "warning",
			  ups->pub.name, facts, "Alarm %u/%u %s: %s.", desc->id, desc->cause,
			  raised ? "raised" : "cleared", desc->name);
	}
}

/* Bits that no row of the alarm table explains: told by register, so that they can be reported. */
static void watch_unknown_alarms(struct ups *ups, const uint16_t *old, const uint16_t *now)
{
	for (unsigned i = 0; i < U2K_ALARM_REGS; i++) {
		for (unsigned bit = 0; bit < 16; bit++) {
			bool raised = now[i] & (1u << bit);
			char facts[64];

			if (!((old[i] ^ now[i]) & (1u << bit)))
				continue;
			snprintf(facts, sizeof(facts), "{\"register\":%u,\"bit\":%u}", 40156 + i,
				 bit);
			hub_event(
				ups->pub.hub, raised ? "alarm-unknown" : "alarm-unknown-cleared",
				raised ? "warning" : "info", ups->pub.name, facts,
				"Alarm bit %u of register %u, which no known alarm explains, is %s.",
				bit, 40156 + i, raised ? "set" : "cleared");
		}
	}
}

static void watch_identity(struct ups *ups, const struct u2k_identity *old,
			   const struct u2k_identity *now)
{
	if (!now->known)
		return;
	if (old->known && old->described == now->described && !strcmp(old->model, now->model) &&
	    !strcmp(old->esn, now->esn) && !strcmp(old->firmware, now->firmware))
		return;
	hub_event(ups->pub.hub, "identified", "info", ups->pub.name, NULL,
		  "Identified: %s, firmware %s, serial number %s.",
		  *now->model ? now->model : "model unknown",
		  *now->firmware ? now->firmware : "unknown", *now->esn ? now->esn : "unknown");
}

/* Why commands are refused, once the device is there. Passing reasons are told by other events. */
static void watch_gate(struct ups *ups, const struct u2k_snapshot *now)
{
	enum u2k_gate gate = now->gate;

	if (!now->first_status_us || gate == U2K_GATE_NOT_IDENTIFIED || gate == U2K_GATE_STALE)
		return;
	if ((int)gate == ups->reported_gate)
		return;
	if (gate != U2K_GATE_OPEN)
		hub_event(ups->pub.hub, "commands-refused",
			  gate == U2K_GATE_CONFIG || gate == U2K_GATE_NUMBER ? "info" : "warning",
			  ups->pub.name, NULL, "Monitored only: %s.", u2k_gate_text(gate));
	else if (ups->reported_gate != -1)
		hub_event(ups->pub.hub, "commands-open", "info", ups->pub.name, NULL,
			  "Commands are possible.");
	ups->reported_gate = (int)gate;
}

void hub__watch(struct ups *ups, const struct u2k_snapshot *old, const struct u2k_snapshot *now)
{
	watch_identity(ups, &old->identity, &now->identity);
	watch_gate(ups, now);
	if (now->first_status_us && old->flags != now->flags)
		watch_flags(ups, old->first_status_us ? old->flags : 0, now);
	if (now->alarms.at_us && now->alarms.at_us != old->alarms.at_us) {
		watch_known_alarms(ups, old->alarms.active, now->alarms.active);
		watch_unknown_alarms(ups, old->alarms.unknown, now->alarms.unknown);
	}
}

/* What is wrong and, where a person can help, how. */
static const char *comm_words(enum u2k_comm comm)
{
	if (comm == U2K_COMM_SILENT)
		return "the port is open but nothing answers; check cable, unit-id and whether another "
		       "port of the UPS is in use; some faults need the UPS switched off and unplugged";
	return u2k_comm_text(comm);
}

void hub__watch_comm(struct ups *ups)
{
	enum hub_avail avail = hub_avail(&ups->pub);
	const struct u2k_snapshot *snap = &ups->pub.snap;

	/* From the start on a UPS has 10 s to show up before its absence is news. */
	if (!snap->first_status_us && clock_us() - ups->added_us < 10 * U2K_SEC)
		return;
	if ((avail == HUB_OK) != ups->lost)
		return;
	ups->lost = avail != HUB_OK;
	if (!ups->lost)
		hub_event(ups->pub.hub, "communication-back", "info", ups->pub.name, NULL,
			  "The UPS answers again.");
	else
		hub_event(ups->pub.hub, "communication-lost", "alert", ups->pub.name, NULL,
			  "%s: %s.",
			  snap->first_status_us ? "Communication lost"
						: "No data from the UPS since the start",
			  comm_words(snap->comm));
}
