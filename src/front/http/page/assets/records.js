// What happened: outages, and everything else.

import { h, shape, show } from "./dom.js";
import { ask, askIfThere } from "./api.js";
import { duration, energy, exactly, number, when } from "./format.js";

const stamp = (iso) => {
	const date = new Date(typeof iso === "number" ? iso * 1000 : iso);
	return h("time", { datetime: date.toISOString(), title: exactly(date) }, when(date));
};

const cell = (label, ...content) => h("td", { "data-label": label }, ...content);
const percent = (x) => (x === null || x === undefined ? "–" : `${number(x)} %`);

export function outages(name, look) {
	const body = h("tbody", {}), none = h("p", { class: "hint" }, "No mains failure is on record.");
	const table = h("table", { class: "stack" }, h("thead", {}, h("tr", {}, ["Began", "Lasted", "Lowest charge", "Depth", "Energy", "What was done", ""]
		.map((t) => h("th", { scope: "col" }, t || h("span", { class: "sr" }, "Chart"))))), body);
	const node = h("section", { class: "panel", id: "outages", "aria-labelledby": "outages-title", hidden: true },
		h("h2", { id: "outages-title" }, "Outages"), none, table);
	let timer = 0;

	const action = (a) => (typeof a === "string" ? a : a.text ?? a.name ?? "");
	const seconds = (t) => (typeof t === "number" ? t : Date.parse(t) / 1000);

	function row(o) {
		const start = seconds(o.start), end = o.end === null || o.end === undefined ? null : seconds(o.end);
		const now = end ?? Date.now() / 1000, margin = Math.max(300, (now - start) * 0.3);
		return h("tr", {}, cell("Began", stamp(o.start)), cell("Lasted", end === null ? h("strong", {}, "goes on") : duration(o.duration_s)),
			cell("Lowest charge", percent(o.lowest_charge_percent)), cell("Depth", percent(o.depth_percent)), cell("Energy", energy(o.energy_j)),
			cell("What was done", (o.actions ?? []).map(action).filter(Boolean).join("; ") || "–"),
			h("td", {}, h("button", { type: "button", class: "chip", "aria-label": `Show the outage of ${exactly(new Date(start * 1000))} in the chart`,
				onclick: () => look(start - margin, now + margin, "battery.charge") }, "Chart")));
	}

	async function load() {
		const answer = await askIfThere(`ups/${encodeURIComponent(name)}/outages`).catch(() => undefined);
		if (answer === undefined)
			return;
		show(node, !!answer);
		if (!answer)
			return;
		show(none, !answer.outages.length);
		show(table, answer.outages.length > 0);
		body.replaceChildren(...answer.outages.slice(0, 50).map(row));
	}
	load();
	return {
		node,
		event(e) {
			if (e.ups !== name || !["on-battery", "on-line", "outage"].includes(e.kind))
				return;
			clearTimeout(timer);
			timer = setTimeout(load, 3000);	// the record is written a moment later
		},
		again: load,
		close: () => clearTimeout(timer),
	};
}

// Battery tests. Shown once there was one.
export function tests(name) {
	const body = h("tbody", {});
	const node = h("section", { class: "panel", id: "tests", "aria-labelledby": "tests-title", hidden: true }, h("h2", { id: "tests-title" }, "Battery tests"),
		h("table", { class: "stack" }, h("thead", {}, h("tr", {}, ["Began", "Lasted", "Result", "Lowest charge", "Lowest voltage"].map((t) => h("th", { scope: "col" }, t)))), body));
	const results = { passed: "good", failed: "crit", interrupted: "warn" };
	let timer = 0;

	const row = (t) => h("tr", {}, cell("Began", stamp(t.start)), cell("Lasted", t.end === null ? h("strong", {}, "runs") : duration(t.duration_s)),
		cell("Result", h("span", { class: "verdict" }, t.result ? shape(results[t.result] ?? "info") : null, [t.result ?? "–", t.reason].filter(Boolean).join(": "))),
		cell("Lowest charge", percent(t.lowest_charge_percent)), cell("Lowest voltage", t.lowest_voltage === null ? "–" : `${number(t.lowest_voltage, 1)} V`));

	async function load() {
		const answer = await askIfThere(`ups/${encodeURIComponent(name)}/tests?limit=20`).catch(() => undefined);
		if (answer === undefined)
			return;
		show(node, !!answer?.tests?.length);
		body.replaceChildren(...(answer?.tests ?? []).map(row));
	}
	load();
	return {
		node,
		event(e) {
			if (e.ups !== name || !e.kind.startsWith("test-"))
				return;
			clearTimeout(timer);
			timer = setTimeout(load, 3000);
		},
		again: load,
		close: () => clearTimeout(timer),
	};
}

const tones = { info: "info", warning: "warn", alert: "crit" };
const PAGE = 40;

export function log(name) {
	const list = h("ol", { class: "log", "aria-label": "Events, newest first" });
	const more = h("button", { type: "button", hidden: true, onclick: () => older() }, "Show older ones");
	const only = h("input", { type: "checkbox", id: "log-only", class: "plain" });
	const none = h("p", { class: "hint", hidden: true }, "Nothing has happened yet.");
	const node = h("section", { class: "panel", id: "log", "aria-labelledby": "log-title" },
		h("div", { class: "panel-head" }, h("h2", { id: "log-title" }, "Log"), h("label", { class: "check", for: "log-only" }, only, "Only warnings and alerts")),
		none, list, more);
	const seen = new Set();
	let last = null, kept = true;	// kept: the daemon has a log on disk

	function item(e) {
		const tone = tones[e.severity] ?? "info";
		return h("li", { class: tone }, shape(tone), stamp(e.time), h("span", {}, tone === "info" ? null : h("span", { class: "sr" }, `${e.severity}: `), e.text));
	}

	// The same event may come from the log and from the stream.
	const fresh = (e) => {
		const key = `${e.time} ${e.text}`;
		return !seen.has(key) && seen.add(key);
	};

	async function older() {
		const query = new URLSearchParams({ ups: name, limit: PAGE });
		if (last !== null)
			query.set("before", last);
		let answer = null;
		try {
			answer = kept ? await askIfThere(`log?${query}`) : null;
			if (!answer) {
				kept = false;
				answer = { events: (await ask(`events?${new URLSearchParams({ ups: name, limit: 1000 })}`)).events.reverse().slice(0, 200) };
			}
		} catch {
			return;
		}
		last = answer.events.at(-1)?.id ?? last;
		show(more, kept && answer.events.length >= PAGE);
		list.append(...answer.events.filter(fresh).map(item));
		show(none, !list.children.length);
	}

	const again = () => list.children.length || older();

	only.addEventListener("change", () => list.classList.toggle("only", only.checked));
	older();
	return {
		node,
		again,
		event(e) {
			if (e.ups !== name && e.ups !== null)
				return;
			if (!fresh(e))
				return;
			list.prepend(item(e));
			show(none, false);
			while (list.children.length > 500)
				list.lastChild.remove();
		},
	};
}
