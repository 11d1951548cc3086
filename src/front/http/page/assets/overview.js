// Several UPSes side by side: each as much as one wants to see from across the room.

import { attr, h, rebuild, shape, text } from "./dom.js";
import { ago, number, runtime, value } from "./format.js";
import { age, fresh, state } from "./store.js";
import { title, verdict } from "./words.js";

function card(ups) {
	const icon = h("span", { class: "state-shape" }), headline = h("p", { class: "card-head" }), sub = h("p", { class: "sentence" });
	const time = h("dd", {}), charge = h("dd", {}), load = h("dd", {}), foot = h("p", { class: "when" });
	const bar = h("span", { class: "bar" });
	const name = h("a", { href: `#/${encodeURIComponent(ups.name)}` }, title(ups));
	const node = h("article", { class: "card" },
		h("h2", {}, name), h("div", { class: "answer" }, icon, h("div", {}, headline, sub)),
		h("dl", { class: "trio" }, h("div", {}, h("dt", {}, "Would last"), time), h("div", {}, h("dt", {}, "Battery"), charge), h("div", {}, h("dt", {}, "Load"), load)),
		h("span", { class: "gauge", "aria-hidden": "true" }, bar), foot);

	function figure(dd, big, unit) {
		rebuild(dd, `${big}|${unit}`, () => [h("span", { class: "big" }, big), h("span", { class: "unit" }, unit)]);
	}
	return { node, update(u) {
		const v = verdict(u), t = runtime(value(u, "battery.runtime")), percent = value(u, "battery.charge");

		attr(node, "data-tone", v.tone);
		attr(node, "data-stale", !fresh(u));
		rebuild(icon, v.tone, () => shape(v.tone));
		text(headline, v.headline);
		text(sub, v.tone === "good" ? "Nothing needs you." : v.sentence);
		figure(time, t.figure, t.unit);
		figure(charge, number(percent), "%");
		figure(load, number(value(u, "output.realpower")), "W");
		bar.style.width = `${percent ?? 0}%`;
		attr(bar, "data-tone", percent !== null && percent <= 20 ? "crit" : u.power?.state === "battery" ? "warn" : "good");
		text(foot, `${u.name} · ${u.identity?.model ?? "UPS"} · seen ${ago(age(u))}`);
	} };
}

export function overview() {
	const headline = h("h1", {}), grid = h("div", { class: "grid" }), worst = h("ul", { class: "worst" });
	const node = h("div", { class: "overview" }, headline, worst, grid);
	const cards = new Map();

	let due = 0;

	// What counts them all, at most five times a second.
	function count() {
		due = 0;
		const unwell = [...state.upses.values()].map((u) => [u.name, title(u), verdict(u)]).filter(([, , v]) => v.tone !== "good");
		const bad = unwell.length, n = state.upses.size;

		// Among many, what is wrong stands first.
		rebuild(worst, n > 4 ? JSON.stringify(unwell.map(([name, words, v]) => [name, words, v.short])) : "", () => (n > 4 ? unwell : []).map(([name, words, v]) =>
			h("li", {}, shape(v.tone), h("a", { href: `#/${encodeURIComponent(name)}` }, words), ` ${v.short}`)));
		text(headline, bad === 0 ? `All ${n} are well` : bad === 1 ? `One of ${n} is not as it should be` : `${bad} of ${n} are not as they should be`);
	}

	function sync() {
		for (const [name, u] of state.upses)
			if (!cards.has(name)) {
				const c = card(u);
				cards.set(name, c);
				grid.append(c.node);
			}
		for (const [name, c] of cards)
			if (!state.upses.has(name)) {
				c.node.remove();
				cards.delete(name);
			}
	}

	// Of one, or of all that there are now.
	function update(ups) {
		if (ups)
			cards.get(ups.name)?.update(ups);
		else {
			sync();
			for (const [name, c] of cards)
				c.update(state.upses.get(name));
		}
		if (cards.size <= 50)
			count();
		else
			due ||= setTimeout(count, 200);
	}
	return { node, update, close: () => clearTimeout(due) };
}
