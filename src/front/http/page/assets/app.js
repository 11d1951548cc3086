// Puts the page together: which view is shown, the head, the banner, what is announced.

import { announce, attr, favicon, h, rebuild, shape, show, text } from "./dom.js";
import { askIfThere } from "./api.js";
import { on, open, state } from "./store.js";
import { loginForm, logIn, logOut, onSession, refresh, session } from "./session.js";
import { title, verdict } from "./words.js";
import { overview } from "./overview.js";
import { upsView } from "./ups.js";

const $ = (id) => document.getElementById(id);
const main = $("main");

let view = null;	// { name, node, update(ups), event(event), close() }

// "#/rack/log" → ["rack", "log"]
const route = () => location.hash.replace(/^#\/?/, "").split("/").map((part) => {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;	// a lone %: nobody's name, but no reason to stop
	}
});

function put(next, name, focus) {
	view?.close?.();
	view = next;
	view.name = name;
	main.replaceChildren(next.node);
	if (focus) {
		scrollTo(0, 0);
		main.focus({ preventScroll: true });
	}
}

function login() {
	if (view?.name !== "!login")
		put({ node: h("section", { class: "gate panel", "aria-labelledby": "gate-title" }, h("h1", { id: "gate-title" }, "Log in"),
			loginForm("The daemon shows its UPSes only to its users.", () => {
				put({ node: h("p", { class: "opening" }, "Asking the daemon…"), update() {} }, "!wait");
				open();
			})), update() {} }, "!login", true);
	document.title = "Log in – ups2000";
}

function choose(focus = false) {
	const [wanted, section] = route();
	const names = [...state.upses.keys()];

	if (state.link === "login" || (session.known && !session.mayRead))
		return login();
	if (!names.length) {
		if (state.link === "live" && view?.name !== "!none" && performance.now() - state.since > 2000)
			put({ node: h("section", { class: "panel" }, h("h1", {}, "There is no UPS yet"),
				h("p", {}, "The daemon runs, and no UPS is in its configuration.")), update() {} }, "!none");
		return undefined;
	}
	const name = names.find((n) => n.toLowerCase() === wanted.toLowerCase()) ?? (names.length === 1 ? names[0] : null);
	if (wanted && !name)
		put({ node: h("section", { class: "panel" }, h("h1", {}, `There is no UPS “${wanted}”`),
			h("p", {}, h("a", { href: "#/" }, "Show those there are"))), update() {} }, "!missing", focus);
	else if (name && view?.name !== name)
		put(upsView(state.upses.get(name)), name, focus);
	else if (!name && view?.name !== "!all")
		put(overview(), "!all", focus);
	if (section && focus)
		document.getElementById(section)?.scrollIntoView();
	update();
	return undefined;
}

// ---- head ----

const MANY = 24;	// beyond, the overview is the only list

function nav() {
	show($("nav"), state.upses.size > 1);
	const names = [...state.upses.values()].filter((u) => state.upses.size <= MANY || u.name === view?.name)
		.map((u) => [u.name, title(u), verdict(u).tone, verdict(u).short]);
	const focused = $("nav").contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
	rebuild($("nav"), JSON.stringify([names, view?.name]), () => [
		h("a", { href: "#/", "aria-current": view?.name === "!all" ? "page" : null }, "All"),
		...names.map(([name, words, tone, short]) => h("a", { href: `#/${encodeURIComponent(name)}`, title: short,
			"aria-current": view?.name === name ? "page" : null }, shape(tone), words, h("span", { class: "sr" }, `: ${short}`)))]);
	if (focused !== null && !$("nav").contains(document.activeElement))
		[...$("nav").children].find((a) => a.getAttribute("href") === focused)?.focus();
}

function tab() {
	const shown = state.upses.get(view?.name);
	const all = shown ? [shown] : [...state.upses.values()];
	if (!all.length)
		return;
	const rank = ["crit", "gone", "warn", "info", "good"];
	const worst = all.map((u) => [verdict(u), u]).sort((a, b) => rank.indexOf(a[0].tone) - rank.indexOf(b[0].tone))[0];
	const words = all.length > 1 && worst[0].tone === "good" ? `All ${all.length} are well – ups2000`
		: `${worst[0].short} – ${title(worst[1])}`;
	favicon(worst[0].tone);
	if (document.title !== words)
		document.title = words;
}

function live() {
	const words = { connecting: "Connecting", live: "Live", lost: "No connection", login: "", hidden: "Paused" }[state.link];
	rebuild($("live"), state.link, () => (words ? [h("span", { class: "dot", "aria-hidden": "true" }), words] : []));
	attr($("live"), "data-link", state.link);
}

function banner() {
	const lost = state.link === "lost";
	show($("lost"), lost);
	if (lost)
		rebuild($("lost"), "lost", () => [shape("gone"), h("span", {}, h("strong", {}, "Connection to the daemon lost. "),
			"What is shown is old. Trying again by itself."), h("button", { type: "button", onclick: open }, "Try now")]);
	else
		rebuild($("lost"), "", () => []);
}

function who() {
	rebuild($("who"), JSON.stringify([session.known, session.user, session.local]), () => {
		if (!session.known || session.local)
			return [];
		if (!session.user)
			return [h("button", { type: "button", class: "quiet", onclick: () => logIn() }, "Log in")];
		return [h("span", { class: "user" }, session.user),
			h("button", { type: "button", class: "quiet", onclick: async () => {
				try {
					await logOut();
				} finally {
					if (!session.mayRead) {
						location.reload();
					}
				}
			} }, "Log out")];
	});
}

const themes = ["auto", "light", "dark"];

function theme() {
	const button = $("theme");
	let choice = document.documentElement.dataset.theme ?? "auto";
	const label = () => {
		const [sign, word] = { auto: ["◐", "Auto"], light: ["☀", "Light"], dark: ["☾", "Dark"] }[choice];
		button.replaceChildren(sign, h("span", { class: "roomy" }, ` ${word}`));
		attr(button, "aria-label", `Colours: ${choice}. Change`);
	};
	button.addEventListener("click", () => {
		choice = themes[(themes.indexOf(choice) + 1) % themes.length];
		if (choice === "auto")
			delete document.documentElement.dataset.theme;
		else
			document.documentElement.dataset.theme = choice;
		try {
			localStorage.setItem("theme", choice);
		} catch { /* then it lasts as long as the page */ }
		label();
		dispatchEvent(new Event("themechange"));
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("themechange")));
	label();
}

// ---- what is said aloud: states, never numbers ----

const said = new Map();

function say(ups) {
	const v = verdict(ups);
	const before = said.get(ups.name);
	said.set(ups.name, v.headline);
	if (before === undefined || before === v.headline || state.link !== "live")
		return;
	announce(v.tone === "crit" || v.tone === "warn" ? "alert" : "polite", `${title(ups)}: ${v.headline}. ${v.sentence}`);
}

// Everything that is shown, from what is known now.
function update() {
	view?.update(state.upses.get(view.name));
	nav();
	tab();
}

// Changes are shown once a frame, however many come: a thousand UPSes are one redraw, too.
const changed = new Set();
let listed = false, due = false;

function flush() {
	due = false;
	for (const name of changed)
		if (state.upses.has(name))
			say(state.upses.get(name));
	if (listed)
		choose();
	else {
		const shown = state.upses.get(view?.name);
		if (!shown)
			for (const name of changed)
				view?.update(state.upses.get(name));
		else if (changed.has(shown.name))
			view.update(shown);
		nav();
		tab();
	}
	listed = false;
	changed.clear();
}

function later() {
	if (!due)
		requestAnimationFrame(flush);
	due = true;
}

on("list", () => {
	listed = true;
	later();
});
on("ups", (ups) => {
	changed.add(ups.name);
	later();
});
on("event", (event) => view?.event?.(event));
let missed = false;	// something may have failed while the daemon was away

on("link", (link) => {
	live();
	banner();
	choose();
	if (link === "lost")
		missed = true;
	if (link === "live" && missed) {
		missed = false;
		view?.again?.();
	}
});
onSession(() => {
	who();
	view?.session?.();
});
addEventListener("hashchange", () => choose(true));
document.querySelector(".skip").addEventListener("click", (e) => {
	e.preventDefault();	// the address names a UPS, not a place on the page
	main.focus();
});

// Ages grow while nothing comes.
setInterval(() => {
	if (!document.hidden && state.link !== "live" && state.upses.size)
		update();
	if (state.link === "live" && !state.upses.size)
		choose();
}, 1000);

theme();
live();
askIfThere("health").then((health) => health?.version && text($("version"), `ups2000 ${health.version}`)).catch(() => {});
refresh().catch(() => {}).finally(() => {
	if (session.known && !session.mayRead)
		login();
	else
		open();
});
