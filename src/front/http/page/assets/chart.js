// History as a curve: zoom by dragging, buttons or keys, read values under the pointer or by arrow
// keys, or look at it as a table. The curve is drawn by uPlot if this build has it.

import { attr, h, show, text } from "./dom.js";
import { askIfThere } from "./api.js";
import { exactly, number, when, withUnit } from "./format.js";
import { state } from "./store.js";

const quantities = [
	// name               label               decimals  fixed range
	["output.realpower", "Load in watts", 0, [0, null]],
	["ups.load", "Load in percent", 0, [0, null]],
	["input.voltage", "Mains voltage", 1, null],
	["input.frequency", "Mains frequency", 2, null],
	["output.voltage", "Output voltage", 1, null],
	["battery.charge", "Battery charge", 0, [0, 100]],
	["battery.runtime", "Runtime", 0, [0, null]],
	["battery.voltage", "Battery voltage", 1, null],
	["ups.temperature", "Temperature", 1, null],
];
const ranges = [["1 hour", 3600], ["1 day", 86400], ["1 week", 604800], ["30 days", 2592000], ["1 year", 31536000]];
const SHORTEST_S = 60;

let library = null;	// a promise of uPlot, or of null where this build has none

function load() {
	library ??= new Promise((resolve) => {
		const at = (name) => new URL(name, import.meta.url).href;
		document.head.append(h("link", { rel: "stylesheet", href: at("uPlot.min.css") }),
			h("script", { src: at("uPlot.iife.min.js"), onload: () => resolve(window.uPlot ?? null), onerror: () => resolve(null) }));
	});
	return library;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const month = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });

// Marks of the time axis, as the reader's country writes them; a new day says which.
function timeMarks(u, marks, axis, space, step) {
	let before = null;
	return marks.map((t) => {
		const date = new Date(t * 1000), today = day.format(date), first = today !== before;
		before = today;
		if (step >= 28 * 86400)
			return month.format(date);
		if (step >= 86400)
			return today;
		return `${(step < 60 ? exact : clock).format(date)}${first ? `\n${today}` : ""}`;
	});
}

// One row of the answer: [time, min, mean, max], the last three null where nothing was recorded.
function columns(points) {
	return [0, 1, 2, 3].map((i) => points.map((p) => p[i]));
}

export function history(name) {
	let chosen = quantities[0], from = 0, to = 0, following = true, span = 86400;
	let chosenSpan = false;	// nobody chose one yet: then it fits what there is
	let data = null, plot = null, index = null, wanted = 0, timer = 0, gone = false, loading = null;

	const select = h("select", { id: "quantity" }, quantities.map(([q, label]) => h("option", { value: q }, label)));
	const rangeButtons = ranges.map(([label, seconds]) => h("button", { type: "button", class: "chip", "aria-pressed": "false",
		onclick: () => follow(seconds) }, label));
	const tool = (label, sign, act) => h("button", { type: "button", class: "chip", "aria-label": label, title: label, onclick: act }, sign);
	const tools = h("div", { class: "chips", role: "group", "aria-label": "Move and zoom" },
		tool("Earlier", "←", () => move(-0.5)), tool("Later", "→", () => move(0.5)),
		tool("Zoom in", "+", () => zoom(0.5)), tool("Zoom out", "−", () => zoom(2)));
	const place = h("div", { class: "plot", tabindex: "0", role: "slider", "aria-label": "Time in the chart", "aria-valuemin": "0",
		"aria-valuemax": "0", "aria-valuenow": "0", "aria-valuetext": "nothing chosen" });
	const readout = h("p", { class: "readout" }), note = h("p", { class: "hint" });
	const body = h("tbody", {}), unitHead = h("span", {});
	const table = h("details", { class: "as-table" }, h("summary", {}, "The same as a table"),
		h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values of the chart" }, h("table", {},
			h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "From"), h("th", { scope: "col" }, "Lowest"), h("th", { scope: "col" }, "Mean", unitHead), h("th", { scope: "col" }, "Highest"))), body)));
	const node = h("section", { class: "panel history", id: "history", "aria-labelledby": "history-title", hidden: true },
		h("div", { class: "panel-head" }, h("h2", { id: "history-title" }, "History"),
			h("div", { class: "chips" }, h("label", { class: "sr", for: "quantity" }, "What to show"), select)),
		h("div", { class: "panel-head" }, h("div", { class: "chips", role: "group", "aria-label": "How far back" }, rangeButtons), tools),
		readout, place, note, table);

	const show1 = (v) => withUnit(v, data.unit, chosen[2]);

	function say(i) {
		if (!data || i === null || i === undefined || !data.points[i]) {
			text(readout, data ? `${chosen[1]}, ${when(new Date(from * 1000))} to ${when(new Date(to * 1000))}. Point at the curve to read it; drag to zoom in.` : "");
			return;
		}
		const [t, low, mean, high] = data.points[i];
		const words = mean === null ? "nothing recorded" : low === high ? show1(mean) : `${show1(mean)} on average, ${show1(low)} to ${show1(high)}`;
		text(readout, `${exactly(new Date(t * 1000))}: ${words}`);
		attr(place, "aria-valuenow", i);
		attr(place, "aria-valuetext", readout.textContent);
	}

	function fillTable() {
		if (!table.open || !data)
			return;
		const step = Math.max(1, Math.ceil(data.points.length / 200));
		text(unitHead, data.unit && data.unit !== "s" ? ` (${data.unit})` : "");
		body.replaceChildren(...data.points.filter((_, i) => i % step === 0).map(([t, low, mean, high]) => h("tr", {},
			h("td", {}, h("time", { datetime: new Date(t * 1000).toISOString() }, exactly(new Date(t * 1000)))),
			...[low, mean, high].map((v) => h("td", {}, v === null ? "–" : data.unit === "s" ? show1(v) : number(v, chosen[2]))))));
	}

	function options(width, height) {
		const ink = css("--soft"), line = css("--line"), curve = css("--accent");
		const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: `13px ${css("--font") || "system-ui, sans-serif"}` };
		const fixed = chosen[3];
		return {
			width, height, legend: { show: false }, padding: [12, 30, 0, 0],
			cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 9, fill: curve }, y: false },
			scales: { x: { time: true, range: () => [from, to] }, y: { range: (u, low, high) => {
				if (low === null)
					return [0, 1];
				const pad = Math.max((high - low) * 0.1, Math.abs(high) * 0.002, 0.1);
				return [fixed ? fixed[0] : Math.max(low >= 0 ? 0 : -Infinity, low - pad), fixed && fixed[1] !== null ? fixed[1] : high + Math.max(pad, fixed ? high * 0.08 : 0)];
			} } },
			axes: [{ ...axis, values: timeMarks }, { ...axis, size: 62, values: (u, ticks) => ticks.map((v) => withUnit(v, data.unit, v % 1 ? Math.max(1, chosen[2]) : 0)) }],
			series: [{}, { stroke: "transparent", points: { show: false } }, { stroke: curve, width: 2, points: { show: data.points.length < 40 } },
				{ stroke: "transparent", points: { show: false } }],
			bands: [{ series: [3, 1], fill: `${curve}33` }],
			hooks: {
				setCursor: [(u) => { index = u.cursor.idx ?? null; say(index); }],
				setSelect: [(u) => {
					if (u.select.width > 4)
						look(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
					u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
				}],
			},
		};
	}

	function draw(uPlot) {
		plot?.destroy();
		plot = null;
		if (!uPlot || !data || !place.clientWidth)
			return;
		plot = new uPlot(options(place.clientWidth, place.clientHeight), columns(data.points), place);
	}

	async function fetchIt() {
		const mine = ++wanted;
		clearTimeout(timer);
		if (following) {
			to = Math.floor(Date.now() / 1000);
			from = to - span;
		}
		rangeButtons.forEach((b, i) => attr(b, "aria-pressed", following && ranges[i][1] === span ? "true" : "false"));
		const query = new URLSearchParams({ quantity: chosen[0], from: Math.floor(from), to: Math.ceil(to),
			points: Math.min(800, Math.max(60, Math.round((place.clientWidth || 600) / 2))) });
		loading?.abort();
		loading = new AbortController();
		let answer;
		try {
			answer = await askIfThere(`ups/${encodeURIComponent(name)}/history?${query}`, { signal: loading.signal });
		} catch (e) {
			if (e.name !== "AbortError" && mine === wanted && !gone) {
				text(note, `The history could not be read: ${e.message}`);
				timer = setTimeout(fetchIt, 10000);
			}
			return;
		}
		if (gone || mine !== wanted)
			return;
		show(node, !!answer);
		if (!answer) {
			timer = setTimeout(refetch, 60000);
			return;
		}
		const first = answer.points.find((p) => p[2] !== null)?.[0];
		if (!chosenSpan && following && span > 3600 && first !== undefined && first > to - 3600) {
			span = 3600;	// recorded only just: a day would look empty
			fetchIt();
			return;
		}
		data = answer;
		attr(place, "aria-valuemax", Math.max(0, data.points.length - 1));
		const uPlot = await load();
		if (gone || mine !== wanted)
			return;
		const empty = !data.points.some((p) => p[2] !== null);
		show(place, !!uPlot && !empty);
		text(note, empty ? "Nothing was recorded in this time yet." : uPlot ? "The line is the mean, the band reaches from the lowest to the highest value."
			: "This build of ups2000 has no charts; the values are in the table.");
		if (!uPlot)
			table.open = true;
		const before = index;
		draw(empty ? null : uPlot);
		if (before !== null && plot && document.activeElement === place)
			point(Math.min(before, data.points.length - 1));
		else
			say(null);
		fillTable();
		if (following)
			timer = setTimeout(refetch, span <= 86400 ? 20000 : 300000);
	}

	function refetch() {
		if (document.hidden || state.link !== "live")
			timer = setTimeout(refetch, 5000);
		else
			fetchIt();
	}

	function follow(seconds) {
		chosenSpan = true;
		following = true;
		span = seconds;
		fetchIt();
	}

	function look(a, b) {
		const middle = (a + b) / 2, half = Math.max(SHORTEST_S, b - a) / 2;
		following = false;
		chosenSpan = true;
		to = Math.min(middle + half, Date.now() / 1000);
		from = Math.min(middle - half, to - SHORTEST_S);
		fetchIt();
	}

	const move = (by) => look(from + (to - from) * by, to + (to - from) * by);

	function zoom(by) {
		const at = index !== null && data?.points[index] ? data.points[index][0] : (from + to) / 2;
		look(at - (at - from) * by, at + (to - at) * by);
	}

	function point(i) {
		index = i;
		if (plot)
			plot.setCursor({ left: plot.valToPos(data.points[i][0], "x"), top: 10 }, false);
		say(i);
	}

	place.addEventListener("keydown", (e) => {
		const last = (data?.points.length ?? 0) - 1;
		const to1 = { ArrowLeft: Math.max(0, (index ?? last + 1) - 1), ArrowRight: Math.min(last, (index ?? -1) + 1), Home: 0, End: last,
			PageUp: Math.max(0, (index ?? last) - 20), PageDown: Math.min(last, (index ?? 0) + 20) }[e.key];
		if (last < 0)
			return;
		if (to1 !== undefined)
			point(to1);
		else if (e.key === "+" || e.key === "=")
			zoom(0.5);
		else if (e.key === "-")
			zoom(2);
		else
			return;
		e.preventDefault();
	});
	place.addEventListener("dblclick", () => follow(span));
	select.addEventListener("change", () => {
		chosen = quantities.find(([q]) => q === select.value);
		fetchIt();
	});
	table.addEventListener("toggle", fillTable);
	const recolour = () => load().then(draw);
	addEventListener("themechange", recolour);
	const sizes = new ResizeObserver(() => {
		if (plot && (plot.width !== place.clientWidth || plot.height !== place.clientHeight) && place.clientWidth)
			plot.setSize({ width: place.clientWidth, height: place.clientHeight });
	});
	sizes.observe(place);
	fetchIt();

	return {
		node,
		again: fetchIt,
		look(a, b, quantity) {
			chosen = quantities.find(([q]) => q === quantity) ?? chosen;
			select.value = chosen[0];
			look(a, b);
			node.scrollIntoView({ block: "nearest" });
		},
		close() {
			gone = true;
			clearTimeout(timer);
			sizes.disconnect();
			removeEventListener("themechange", recolour);
			plot?.destroy();
		},
	};
}
