// What is going to happen by itself: hosts that are about to go down, a switch-off that is armed.

import { announce, attr, h, rebuild, shape, show, text } from "./dom.js";
import { ask } from "./api.js";
import { duration, value } from "./format.js";
import { fresh } from "./store.js";
import { logIn, mustLogIn } from "./session.js";
import { has } from "./words.js";

const sentence = (words) => (words ? `${words.replace(/[.]$/, "")}. ` : "");

// What the plan for hosts says of this UPS. Its seconds count from when it was told.
function plan(ups) {
	const p = ups.policy;
	if (!p || p.state === "normal")
		return null;
	const due = p.host_down_in_s ?? p.next?.in_s ?? null;
	const left = due === null ? null : Math.max(0, due - (performance.now() - (ups.planHeard ?? ups.heard)) / 1000);
	const cause = sentence(p.cause), next = p.next?.text ? `Next: ${sentence(p.next.text)}` : "";
	switch (p.state) {
	case "on-battery":
		return left === null ? null : { tone: "warn", title: "Shutdown if the mains stay out, in", left, words: `${cause}${next}` };
	case "coming-back":
		return { tone: "info", title: sentence(p.text).trim(), left: null, words: cause + next };
	case "off":
	case "switching-off":
	case "host":
		return { tone: "crit", title: p.text, left: null, words: cause + next };
	default:
		return { tone: "crit", title: left === null ? p.text : "Shutdown in", left, words: `${sentence(p.text)}${cause}${next}`,
			cancel: !has(ups, "on-battery") };	// somebody asked for it; the mains' failing nobody can call off
	}
}

// Timers in the UPS itself, that a command armed. They read as they were set, not what is left.
function armed(ups) {
	for (const name of ["timer.off", "timer.restart-off"]) {
		const t = value(ups, name);
		if (t > 0)
			return { tone: "warn", title: "A switch-off is armed in the UPS", left: null, stop: true,
				words: `It goes off ${duration(t)} after the command was given.` };
	}
	return null;
}

export function soon() {
	const icon = h("span", { class: "state-shape" }), title = h("h2", {}), clock = h("span", { class: "countdown" }), words = h("p", {});
	const result = h("p", { class: "result", role: "status" });
	const off = h("button", { type: "button" }, "Call it off");
	const node = h("section", { class: "panel soon", "aria-label": "What happens next" }, icon,
		h("div", { class: "soon-words" }, h("div", { class: "soon-head" }, title, clock), words, result), off);
	let what = null, said = "";

	off.addEventListener("click", async () => {
		if (what?.stop) {
			document.querySelector('[data-command="shutdown.stop"]')?.click();
			return;
		}
		if (mustLogIn() && !await logIn("Log in to call the shutdown off."))
			return;
		off.disabled = true;
		try {
			await ask("shutdown", { method: "POST", body: { action: "cancel", reason: "called off on the page" } });
			text(result, "Called off.");
		} catch (e) {
			text(result, `It could not be called off: ${e.message}`);
		}
		off.disabled = false;
	});

	return { node, update(ups) {
		what = fresh(ups) ? plan(ups) ?? armed(ups) : null;
		show(node, !!what);
		if (!what) {
			said = "";
			text(result, "");
			return;
		}
		attr(node, "data-tone", what.tone);
		rebuild(icon, what.tone, () => shape(what.tone));
		text(title, what.title);
		text(clock, what.left === null ? "" : duration(what.left));
		text(words, what.words);
		show(off, !!(what.cancel || what.stop));
		if (said !== what.title) {
			said = what.title;
			announce(what.tone === "info" ? "polite" : "alert", `${what.title} ${what.left === null ? "" : duration(what.left)}. ${what.words}`);
		}
	} };
}
