// What the numbers mean to somebody in a hurry: is power good, how long would it last, does
// anything need me.

import { age, fresh, state } from "./store.js";
import { duration, number, value } from "./format.js";

export const watts = (ups) => value(ups, "output.realpower");

export const loadWords = (ups) => {
	const w = watts(ups);
	return w === null ? "your load" : `${number(w)} W`;
};

export const has = (ups, flag) => ups.status?.flags?.includes(flag) ?? false;

const lasting = (ups) => {
	const t = value(ups, "battery.runtime");
	return t === null ? "" : duration(t);
};

function gone(ups) {
	const seconds = age(ups);
	const last = seconds === null ? "" : ` The figures are those of ${duration(seconds)} ago.`;
	if (state.link !== "live")
		return { tone: "gone", short: "Not known", headline: "No contact with the daemon",
			sentence: `What the UPS does now is not known.${last}` };
	if (ups.availability === "waiting")
		return { tone: "gone", short: "Waiting", headline: "Waiting for the first data",
			sentence: ups.comm?.reason || "The UPS has not answered yet." };
	const why = ups.comm?.reason || (ups.comm?.state === "closed" ? "The port is not open." : "It does not answer.");
	return { tone: "gone", short: "No contact", headline: "No contact with the UPS", sentence: `${why}${last}` };
}

// Power: what feeds the load now.
function supply(ups) {
	const t = lasting(ups);
	const mains = value(ups, "input.voltage");
	switch (ups.power?.state) {
	case "battery":
		if (has(ups, "low-battery"))
			return { tone: "crit", short: "Battery low", headline: "The battery is nearly empty",
				sentence: `The mains are gone. ${t ? `About ${t} are left` : "Little time is left"}: save your work and shut down.` };
		return { tone: "warn", short: "On battery", headline: "Running on battery",
			sentence: `The mains are gone. ${t ? `The battery lasts for about ${t}.` : "How long it lasts is not known."}` };
	case "test":
		return { tone: "info", short: "Battery test", headline: "Battery test",
			sentence: "The load runs from the battery for a test; the mains are there." };
	case "bypass":
		return { tone: "warn", short: "On bypass", headline: "On bypass, not protected",
			sentence: "The load is fed straight from the mains. A mains failure would switch it off." };
	case "off":
		return { tone: "crit", short: "Output off", headline: ups.power.text === "Starting" ? "Starting" : "The output is off",
			sentence: ups.power.text === "Output off, the start failed" ? "The last start failed. The load has no power."
				: "The load has no power." };
	case "eco":
		return { tone: "good", short: "Power is good", headline: "Power is good",
			sentence: `On mains in ECO mode${t ? `; on battery it would last for about ${t}` : ""}.` };
	case "mains":
		return { tone: "good", short: "Power is good", headline: "Power is good",
			sentence: mains !== null ? `The mains are there with ${number(mains)} V.` : "The mains are there." };
	default:
		return { tone: "gone", short: "Not known", headline: "The state is not known", sentence: "The UPS tells a state this page does not know." };
	}
}

// What needs a person: alarms that count, worst first, and what flags tell beside them.
export function needs(ups) {
	const list = (ups.alarms?.active ?? []).filter((a) => a.counts)
		.map((a) => ({ tone: a.severity === "alert" ? "crit" : "warn", name: a.name, meaning: a.meaning,
			remedy: a.remedy, code: `${a.id}/${a.cause}` }));
	for (const bit of ups.alarms?.unknown_bits ?? [])
		list.push({ tone: "info", name: "An alarm nobody has described", code: `register ${bit.register}, bit ${bit.bit}`,
			meaning: "The UPS sets a bit that no known alarm explains.", remedy: "Look at its display; the manual of your model may know more." });
	if (has(ups, "replace-battery") && !list.some((a) => /batter/i.test(a.name)))
		list.push({ tone: "warn", name: "Replace the battery", code: "", meaning: "The UPS finds its battery worn out.",
			remedy: "Replace the batteries, then run a battery test." });
	if (ups.status?.fsd)
		list.push({ tone: "crit", name: "Forced shutdown", code: "FSD", meaning: "The hosts behind this UPS were told to shut down.",
			remedy: "Nothing, if it was meant. It is cleared when the output was off and on again." });
	const armed = value(ups, "timer.off") > 0 || value(ups, "timer.restart-off") > 0;	// it borrows this setting
	if (value(ups, "setting.auto-start") === 0 && !armed)
		list.push({ tone: "info", name: "It would stay off after an outage", code: "", meaning:
			"Automatic start is off: after a full discharge the output does not come back with the mains.",
			remedy: "Set ups.start.auto to “yes” under Settings, unless you want this." });
	const rank = { crit: 0, warn: 1, info: 2 };
	return list.sort((a, b) => rank[a.tone] - rank[b.tone]);
}

// Bad news that is expected now and therefore only mentioned.
export const expected = (ups) => (ups.alarms?.active ?? []).filter((a) => !a.counts);

export function verdict(ups) {
	if (!fresh(ups))
		return gone(ups);
	const v = supply(ups);
	const worst = needs(ups)[0];
	if (!worst || worst.tone === "info")
		return v;
	// The power is good and something else is not: that is the news.
	if (v.tone === "good")
		return { tone: worst.tone, short: worst.name, headline: worst.name, sentence: `The load has power. ${worst.meaning}` };
	if (worst.tone === "crit")
		v.tone = "crit";
	return v;
}

export function needWords(ups) {
	switch (supply(ups).short) {
	case "Battery low":
		return "Act now";
	case "On battery":
		return "Watch the battery";
	case "On bypass":
		return "End the bypass soon";
	case "Output off":
		return "The load has no power";
	}
	const n = needs(ups).filter((a) => a.tone !== "info").length;
	return n === 0 ? "Nothing needs you" : n === 1 ? "One thing needs you" : `${n} things need you`;
}

export const title = (ups) => ups.description || ups.name;
