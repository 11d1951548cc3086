// The page of one UPS: what is now on top, what was and what can be done below.

import { h } from "./dom.js";
import { now } from "./now.js";
import { history } from "./chart.js";
import { log, outages, tests } from "./records.js";
import { commands } from "./commands.js";
import { device, settings } from "./settings.js";

export function upsView(ups) {
	const chart = history(ups.name);
	const parts = [now(), chart, outages(ups.name, chart.look), tests(ups.name), commands(ups), settings(ups), log(ups.name), device()];
	const node = h("div", { class: "ups" }, parts.map((p) => p.node));
	return {
		node,
		update: (u) => parts.forEach((p) => p.update?.(u)),
		event: (e) => parts.forEach((p) => p.event?.(e)),
		again: () => parts.forEach((p) => p.again?.()),
		session: () => parts.forEach((p) => p.session?.()),
		close: () => parts.forEach((p) => p.close?.()),
	};
}
