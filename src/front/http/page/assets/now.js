// The top of a UPS's page: the three answers, the picture, what needs somebody.

import { attr, h, rebuild, shape, show, text } from "./dom.js";
import { ago, energy, number, runtime, value, withUnit } from "./format.js";
import { age, fresh } from "./store.js";
import { expected, has, needs, needWords, title, verdict } from "./words.js";
import { flow } from "./flow.js";
import { soon } from "./soon.js";

function figure(label) {
	const big = h("span", { class: "big" }), unit = h("span", { class: "unit" }), note = h("span", { class: "note" });
	const node = h("div", { class: "figure" }, h("dt", {}, label), h("dd", {}, h("span", { class: "pair" }, big, unit), note));
	return { node, set: (f, u, n) => { text(big, f); text(unit, u); text(note, n); } };
}

function gauge() {
	const bar = h("span", { class: "bar" });
	const node = h("span", { class: "gauge", "aria-hidden": "true" }, bar);
	return { node, set: (percent, tone) => {
		const width = percent === null ? "0" : `${Math.min(100, Math.max(0, percent)).toFixed(0)}%`;
		if (bar.style.width !== width)
			bar.style.width = width;
		attr(bar, "data-tone", tone);
	} };
}

function needCard(need) {
	return h("li", { class: `need ${need.tone}` }, shape(need.tone),
		h("div", {}, h("h3", {}, need.name, need.code ? h("span", { class: "code" }, need.code) : null),
			h("p", {}, need.meaning), h("p", { class: "remedy" }, h("strong", {}, "What to do: "), need.remedy)));
}

export function now() {
	const icon = h("span", { class: "state-shape" });
	const headline = h("h1", {}), sentence = h("p", { class: "sentence" }), when = h("p", { class: "when" });
	const time = figure("Would last"), charge = figure("Battery"), load = figure("Load"), need = figure("Attention");
	const chargeGauge = gauge(), loadGauge = gauge();
	const needList = h("ul", { class: "needs" });
	const needTitle = h("h2", { id: "needs-title" });
	const needSection = h("section", { class: "panel need-panel", "aria-labelledby": "needs-title" }, needTitle, needList);
	const next = soon();
	const also = h("p", { class: "also" });
	const picture = flow();
	const facts = h("dl", { class: "facts" });
	const hero = h("section", { class: "hero", "aria-label": "State" },
		h("div", { class: "answer" }, icon, h("div", {}, headline, sentence, when)),
		h("dl", { class: "figures" }, time.node, charge.node, load.node, need.node));

	charge.node.append(chargeGauge.node);
	load.node.append(loadGauge.node);

	const node = h("div", { class: "now" }, hero, next.node, needSection,
		h("section", { class: "panel picture", "aria-labelledby": "flow-title" }, h("h2", { id: "flow-title" }, "Where the power flows"), picture.node, also, facts));

	function update(ups) {
		const v = verdict(ups), isFresh = fresh(ups), seconds = age(ups);
		const left = value(ups, "battery.runtime"), percent = value(ups, "battery.charge");
		const w = value(ups, "output.realpower"), l = value(ups, "ups.load"), va = value(ups, "output.power");
		const onBattery = ups.power?.state === "battery";
		const t = runtime(left);
		const list = needs(ups);

		attr(hero, "data-tone", v.tone);
		attr(node, "data-stale", !isFresh);
		rebuild(icon, v.tone, () => shape(v.tone));
		text(headline, v.headline);
		text(sentence, v.sentence);
		text(when, `${title(ups)}${ups.identity?.model ? ` · ${ups.identity.model}` : ""} · seen ${ago(seconds)}`);
		text(time.node.querySelector("dt"), onBattery ? "Lasts" : "Would last");
		time.set(t.figure, t.unit, left === null ? "not known" : "at this load");
		charge.set(number(percent), "%", percent === null ? "not known" : onBattery ? "discharging"
			: has(ups, "charging") && percent < 100 ? "charging" : percent >= 100 ? "full" : "");
		chargeGauge.set(percent, percent !== null && percent <= 20 ? "crit" : onBattery ? "warn" : "good");
		load.set(number(w), "W", l === null ? "" : `${number(l)} % of its rating${va === null ? "" : ` · ${number(va)} VA`}`);
		loadGauge.set(l, l > 100 ? "crit" : l > 80 ? "warn" : "good");
		const urgent = list.filter((a) => a.tone !== "info").length;
		const without = isFresh && urgent === 0 && ["warn", "crit"].includes(v.tone);	// no alarm, and yet
		need.set(!isFresh ? "–" : without ? "!" : String(urgent), without ? "" : urgent === 1 ? "alarm" : "alarms", isFresh ? needWords(ups) : "not known");
		attr(need.node, "data-tone", !isFresh ? "gone" : without ? v.tone : list[0]?.tone ?? "good");

		next.update(ups);
		show(needSection, isFresh && list.length > 0);
		text(needTitle, urgent ? "What needs you" : "Worth knowing");
		rebuild(needList, JSON.stringify(list), () => list.map(needCard));
		const mention = expected(ups);
		show(also, mention.length > 0 && isFresh);
		text(also, mention.length ? `Expected while the mains are out: ${mention.map((a) => a.name.toLowerCase()).join(", ")}.` : "");
		picture.update(ups);
		rebuild(facts, [value(ups, "ups.temperature"), value(ups, "output.current"), value(ups, "battery.state"), ups.energy?.output_j].join(), () => [
			["Temperature", withUnit(value(ups, "ups.temperature"), "C", 1)],
			["Output current", withUnit(value(ups, "output.current"), "A", 1)],
			["Battery", ups.quantities?.["battery.state"]?.text ?? "–"],
			...(ups.energy?.output_j ? [["Energy delivered", energy(ups.energy.output_j)]] : []),
		].map(([name, what]) => h("div", {}, h("dt", {}, name), h("dd", {}, what))));
	}
	return { node, update };
}
