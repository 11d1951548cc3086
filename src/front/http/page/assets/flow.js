// The way of the power through the UPS, as a picture: what is there, what is on its way, with figures.

import { attr, s, text } from "./dom.js";
import { number, value } from "./format.js";
import { fresh } from "./store.js";
import { has } from "./words.js";

// Two drawings of the same: wide for screens, tall for phones. [x, y] is the middle of a station.
const drawings = {
	wide: {
		box: [960, 330], w: 150, h: 84,
		at: { mains: [87, 165], rectifier: [325, 165], inverter: [635, 165], load: [873, 165],
			bypass: [480, 50], battery: [480, 280] },
		lines: {
			feed: "M162 165H206",
			rectify: "M206 165H250",
			bus: "M400 165H480",
			invert: "M480 165H560",
			out: "M710 165H754",
			deliver: "M754 165H798",
			aside: "M206 165V64Q206 50 220 50H405",
			around: "M555 50H740Q754 50 754 64V165",
			battery: "M480 238V165",
		},
		joints: [[206, 165], [480, 165], [754, 165]],
	},
	tall: {
		box: [360, 580], w: 152, h: 82,
		at: { mains: [180, 45], rectifier: [84, 180], inverter: [84, 400], load: [180, 535],
			bypass: [256, 180], battery: [256, 290] },
		lines: {
			feed: "M180 86V112",
			rectify: "M180 112H98Q84 112 84 126V139",
			bus: "M84 221V290",
			invert: "M84 290V359",
			out: "M84 441V454Q84 468 98 468H180",
			deliver: "M180 468V494",
			aside: "M180 112H242Q256 112 256 126V139",
			around: "M332 180H334Q348 180 348 194V454Q348 468 334 468H180",
			battery: "M180 290H84",
		},
		joints: [[180, 112], [84, 290], [180, 468]],
	},
};

const icons = {
	mains: "M-9 -10v7M-3 -10v7M-13 -3h14v5a7 7 0 0 1-14 0ZM-6 9v3h18v-10",
	rectifier: "M-12 -4q3 -6 6 0t6 0M2 -8h10M2 -3h10M-12 10l24 -20",
	inverter: "M-12 -8h10M-12 -3h10M0 6q3 -6 6 0t6 0M-12 10l24 -20",
	bypass: "M-13 6h5q4 0 4 -6t4 -6 4 6 4 6h5",
	battery: "M-12 -7h21v14h-21ZM9 -3h3.500v6H9",
	load: "M-11 -10h22v8h-22ZM-11 2h22v8h-22ZM-6 -6h.2M-6 6h.2M4 -6h4M4 6h4",
};
icons.battery = icons.battery.replace("3.500", "3.5");

const names = { mains: "Mains", rectifier: "Rectifier", inverter: "Inverter", load: "Load", bypass: "Bypass", battery: "Battery" };

// Lines that carry power, by where it comes from. "-" before a name: against the drawing's direction.
const ways = {
	mains: ["feed", "rectify", "bus", "invert", "out", "deliver"],
	battery: ["battery", "invert", "out", "deliver"],
	bypass: ["feed", "aside", "around", "deliver"],
};
ways.test = ways.battery;
ways.eco = ways.bypass;
const charging = ["feed", "rectify", "bus", "-battery"];

const volts = (ups, what) => {
	const v = value(ups, `${what}.voltage`), f = value(ups, `${what}.frequency`);
	return v === null ? "–" : `${number(v)} V${f ? ` · ${number(f, 1)} Hz` : ""}`;
};

// For each station: figures (two lines) and how it is: "on", "ready", "bad", "off".
function stations(ups) {
	const power = ups.power?.state;
	const mainsVolts = value(ups, "input.voltage");
	const mainsGone = power === "battery" || (mainsVolts !== null && mainsVolts < 80);
	const bypassBad = (ups.alarms?.active ?? []).some((a) => a.id === 10);
	const onBypass = power === "bypass" || power === "eco";
	const onInverter = ["mains", "battery", "test"].includes(power);
	const w = value(ups, "output.realpower"), load = value(ups, "ups.load");
	const charge = value(ups, "battery.charge"), bv = value(ups, "battery.voltage");
	const battery = power === "battery" || power === "test" ? "feeds the load"
		: has(ups, "charging") ? (charge !== null && charge >= 100 ? "full" : "charging")
			: value(ups, "battery.state") === 0 ? "not there" : "ready";
	return {
		mains: [mainsGone ? "bad" : "on", mainsGone ? "gone" : volts(ups, "input"), mainsGone ? volts(ups, "input") : "there"],
		rectifier: [power === "mains" ? "on" : mainsGone ? "off" : "ready", power === "mains" ? "working" : mainsGone ? "no mains" : "ready", ""],
		bypass: onBypass ? ["on", volts(ups, "bypass"), "feeds the load"] : mainsGone ? ["off", "no mains", ""]
			: bypassBad ? ["bad", "not usable", volts(ups, "bypass")] : ["ready", volts(ups, "bypass"), "stands by"],
		inverter: [onInverter ? "on" : power === "off" ? "off" : "ready",
			onInverter ? volts(ups, "output") : power === "off" ? "off" : "ready", onInverter ? "feeds the load" : ""],
		battery: [battery === "not there" ? "bad" : power === "battery" || power === "test" ? "on" : "ready",
			charge === null ? "–" : `${number(charge)} %${bv === null ? "" : ` · ${number(bv, 1)} V`}`, battery],
		load: [power === "off" ? "bad" : "on", power === "off" ? "no power" : w === null ? "–" : `${number(w)} W`,
			load === null || power === "off" ? "" : `${number(load)} % of the UPS`],
	};
}

const words = { on: "in use", ready: "ready", bad: "not good", off: "off" };

// The picture in one sentence, for those who do not see it.
function describe(ups, parts) {
	return `${ups.power?.text ?? "Not known"}. ` + Object.entries(parts)
		.map(([name, [how, first, second]]) => `${names[name]}: ${[first, second].filter(Boolean).join(", ") || words[how]}`).join("; ") + ".";
}

function draw(kind) {
	const d = drawings[kind];
	const svg = s("svg", { class: `flow ${kind}`, viewBox: `0 0 ${d.box[0]} ${d.box[1]}`, role: "img" });
	const label = s("title", {});
	const lines = {}, parts = {};
	svg.append(label);
	for (const [name, path] of Object.entries(d.lines)) {
		const group = s("g", { class: "line" }, s("path", { class: "wire", d: path }), s("path", { class: "pulse", d: path }));
		lines[name] = group;
		svg.append(group);
	}
	for (const [x, y] of d.joints)
		svg.append(s("circle", { class: "joint", cx: x, cy: y, r: 4 }));
	for (const [name, [x, y]] of Object.entries(d.at)) {
		const left = x - d.w / 2, top = y - d.h / 2;
		const first = s("text", { class: "figure", x: left + 14, y: top + 50 });
		const second = s("text", { class: "word", x: left + 14, y: top + 69 });
		const level = name === "battery" ? s("rect", { class: "level", x: left + 1.5, y: top + d.h - 5.5, height: 4, rx: 2, width: 0 }) : null;
		const cross = s("path", { class: "cross", d: `M${left + d.w - 24} ${top + 14}l12 12m0 -12l-12 12` });
		const group = s("g", { class: "station" },
			s("rect", { class: "body", x: left, y: top, width: d.w, height: d.h, rx: 12 }), level,
			s("text", { class: "name", x: left + 14, y: top + 26 }, names[name]),
			s("path", { class: "icon", d: icons[name], transform: `translate(${left + d.w - 24} ${top + 21}) scale(.8)` }),
			cross, first, second);
		parts[name] = { group, first, second, level, full: d.w - 3 };
		svg.append(group);
	}
	return { svg, label, lines, parts };
}

function update(drawn, ups) {
	const now = fresh(ups);
	const parts = stations(ups);
	const power = ups.power?.state;
	const active = new Set(now ? ways[power] ?? [] : []);
	const charge = value(ups, "battery.charge");

	if (now && (power === "mains" || power === "eco" || power === "bypass") && has(ups, "charging") && charge !== null && charge < 100)
		for (const line of charging)
			active.add(line);
	// The fuller the load, the quicker; in steps, so that the animation is not begun anew all the time.
	const load = value(ups, "ups.load") ?? 0;
	attr(drawn.svg, "data-pace", load > 66 ? "3" : load > 33 ? "2" : "1");
	attr(drawn.svg, "data-power", power ?? "unknown");
	attr(drawn.svg, "data-stale", !now);
	for (const [name, group] of Object.entries(drawn.lines)) {
		const forward = active.has(name), back = active.has(`-${name}`);
		attr(group, "class", `line${forward || back ? " on" : ""}${back ? " back" : ""}`);
	}
	for (const [name, part] of Object.entries(drawn.parts)) {
		const [how, first, second] = parts[name];
		attr(part.group, "class", `station ${how} ${name}`);
		text(part.first, first);
		text(part.second, second);
		if (part.level)
			attr(part.level, "width", charge === null ? 0 : Math.max(4, part.full * Math.min(100, charge) / 100));
	}
	text(drawn.label, describe(ups, parts));
}

// {node, update(ups)}; the style sheet shows the drawing that fits.
export function flow() {
	const node = document.createElement("div");
	const both = [draw("wide"), draw("tall")];
	node.className = "flows";
	node.append(...both.map((d) => d.svg));
	return { node, update: (ups) => both.forEach((d) => update(d, ups)) };
}
