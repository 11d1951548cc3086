// What the page knows: every UPS as the daemon last told, and whether it still tells.
// One EventSource carries all UPSes; it is closed while nobody looks.

import { address, ask, Problem } from "./api.js";

const SILENT_MS = 6000;		// ages come once a second; without them the line is dead
const RETRY_MS = [500, 1000, 2000, 3000];

export const state = {
	upses: new Map(),		// name → snapshot, plus heard: when (performance.now())
	link: "connecting",		// connecting, live, lost, login, hidden
	since: performance.now(),	// when link became what it is
};

const watchers = { ups: new Set(), link: new Set(), event: new Set(), list: new Set() };

// on("ups", f): f(ups) when one changed; "list": the set of UPSes; "event": f(event); "link": the link.
export function on(what, f) {
	watchers[what].add(f);
	return () => watchers[what].delete(f);
}

const tell = (what, argument) => { for (const f of [...watchers[what]]) f(argument); };

let source = null;
let cursor = null;
let retries = 0;
let timer = 0;
let heard = 0;
let attempt = 0;
let greeted = null;	// names of the snapshots since the stream opened

function setLink(link) {
	if (state.link === link)
		return;
	state.link = link;
	state.since = performance.now();
	tell("link", link);
}

function merge(target, news) {
	for (const [key, value] of Object.entries(news))
		if (value && typeof value === "object" && !Array.isArray(value) &&
			target[key] && typeof target[key] === "object" && !Array.isArray(target[key]))
			merge(target[key], value);
		else
			target[key] = value;
}

function hear(message) {
	heard = performance.now();
	retries = 0;
	setLink("live");
	return JSON.parse(message.data);
}

function snapshot(ups) {
	const known = state.upses.has(ups.name);
	ups.heard = ups.planHeard = heard;
	state.upses.set(ups.name, ups);
	greeted?.add(ups.name);
	if (!known)
		tell("list");
	tell("ups", ups);
}

function change(data) {
	const ups = state.upses.get(data.name);
	if (!ups)
		return;
	if (data.policy)
		ups.planHeard = heard;	// its seconds are those of now
	merge(ups, data);
	ups.heard = heard;
	tell("ups", ups);
	// The greeting is over: what was not in it is no longer configured.
	if (greeted) {
		for (const name of state.upses.keys())
			if (!greeted.has(name)) {
				state.upses.delete(name);
				tell("list");
			}
		greeted = null;
	}
}

function removed({ name }) {
	if (state.upses.delete(name))
		tell("list");
}

function close() {
	source?.close();
	source = null;
	clearTimeout(timer);
}

// EventSource tells neither why it failed nor tries again after every failure: we ask, then decide.
async function fail() {
	close();
	if (document.hidden) {
		setLink("hidden");
		return;
	}
	if (state.link !== "connecting" || retries > 0)
		setLink("lost");
	const mine = ++attempt;
	try {
		await ask("ups", { signal: AbortSignal.timeout(4000) });
	} catch (e) {
		if (e instanceof Problem && (e.status === 401 || e.status === 403)) {
			setLink("login");
			return;
		}
	}
	if (mine !== attempt || document.hidden)
		return;
	timer = setTimeout(open, RETRY_MS[Math.min(retries++, RETRY_MS.length - 1)]);
}

function watch() {
	clearTimeout(timer);
	timer = setTimeout(() => {
		if (state.upses.size && performance.now() - heard > SILENT_MS)
			fail();
		else
			watch();
	}, 1000);
}

export function open() {
	close();
	attempt++;
	const url = address("events");
	if (cursor)
		url.searchParams.set("after", cursor);
	greeted = new Set();
	heard = performance.now();
	source = new EventSource(url);
	source.addEventListener("open", () => { heard = performance.now(); setLink("live"); });
	source.addEventListener("snapshot", (m) => snapshot(hear(m)));
	source.addEventListener("change", (m) => change(hear(m)));
	source.addEventListener("removed", (m) => removed(hear(m)));
	source.addEventListener("event", (m) => {
		cursor = m.lastEventId;
		tell("event", hear(m));
	});
	source.addEventListener("error", fail);
	watch();
}

document.addEventListener("visibilitychange", () => {
	if (document.hidden) {
		close();
		if (state.link !== "login")
			setLink("hidden");
	} else if (!source && state.link !== "login") {
		setLink("connecting");
		open();
	}
});
addEventListener("pagehide", close);
addEventListener("pageshow", (e) => { if (e.persisted) open(); });

// Seconds since the status was asked for at the UPS, as of now.
export function age(ups) {
	const then = ups.status?.age_s;
	return then === null || then === undefined ? null : then + (performance.now() - ups.heard) / 1000;
}

export const STALE_S = 10;

// Is what we show of it the present? Not if the UPS is silent, nor if the daemon is.
export function fresh(ups) {
	const seconds = age(ups);
	return ups.availability === "fresh" && seconds !== null && seconds < STALE_S &&
		(state.link === "live" || seconds < 3);
}
