// Commands, each with an honest dialogue: what it does to the load, two steps, how it goes, what came
// of it.

import { announce, attr, h, rebuild, shape, show, text } from "./dom.js";
import { ask, Problem } from "./api.js";
import { number, value } from "./format.js";
import { on, state, fresh } from "./store.js";
import { logIn, mayCommand, mustLogIn, session } from "./session.js";
import { loadWords, title, verdict } from "./words.js";

const groups = [
	["Battery test", /^test\./],
	["Beeper", /^beeper\./],
	["Bypass", /^bypass\./],
	["Output", /^load\./],
	["Switch-off and restart", /^shutdown\./],
	["More", /./],
];

// What it means for what is plugged in, in watts of now. Null: nothing.
function meaning(ups, name) {
	const what = loadWords(ups), percent = value(ups, "ups.load");
	const size = value(ups, "output.realpower") === null ? "How much that is, is not known now."
		: `That is what it carries now${percent === null ? "" : `, ${number(percent)} % of its rating`}.`;
	if (/^load\.off$|^shutdown\.(?!stop)/.test(name))
		return { tone: "crit", words: `${what === "your load" ? "Your load loses its power" : `${what} lose their power`}.`, more: size, agree: `I know that ${what} will be without power.` };
	if (name === "bypass.start")
		return { tone: "warn", words: `${what === "your load" ? "Your load runs" : `${what} run`} without protection.`, more: "A mains failure switches them off at once.", agree: `I know that ${what} will not be protected.` };
	if (name === "test.battery.start.deep")
		return { tone: "warn", words: `${what === "your load" ? "Your load runs" : `${what} run`} from the battery until it is nearly empty.`, more: "An outage soon after leaves little time.", agree: "I know that the battery will be nearly empty." };
	return null;
}

const outcomes = {
	verified: ["good", "Verified", "It was seen in the UPS."],
	refused: ["warn", "Refused", "Nothing was written to the UPS."],
	failed: ["crit", "Failed", "It did not come about."],
};

const sentence = (words) => (words ? `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}` : "");

// Requested → sent → what came of it. set(order) as often as there is news.
export function progress() {
	const step = (label) => {
		const mark = h("span", { class: "mark" }), note = h("div", { class: "note" });
		return { node: h("li", { class: "stage" }, mark, h("div", {}, h("strong", {}, label), note)), mark, note, label: null };
	};
	const stages = [step("Requested"), step("Sent to the UPS"), step("Outcome")];
	const head = stages[2].node.querySelector("strong");
	const node = h("ol", { class: "progress" }, stages.map((p) => p.node));
	const mark = (i, how) => {
		attr(stages[i].node, "data-how", how);
		rebuild(stages[i].mark, how, () => (["good", "warn", "crit"].includes(how) ? shape(how) : h("span", { class: how === "busy" ? "spinner" : "empty" })));
	};

	return { node, set(order) {
		const steps = order.steps ?? [], ended = outcomes[order.outcome];
		mark(0, order.id || ended ? "good" : "busy");
		text(stages[0].note, order.user ? `by ${order.user}` : "");
		const sent = order.outcome === "verified" || steps.length > 0;
		mark(1, order.outcome === "refused" ? "empty" : sent ? (ended || steps.length > 1 ? "good" : "busy") : ended ? "empty" : "busy");
		rebuild(stages[1].note, steps.join("|") + order.outcome, () => (order.outcome === "refused" ? "nothing was written"
			: h("ul", {}, steps.map((t) => h("li", {}, t)))));
		mark(2, ended ? ended[0] : "busy");
		text(head, ended ? ended[1] : "Waiting for what the UPS does");
		text(stages[2].note, ended ? sentence(order.message) || ended[2] : order.message || "You may close this; it goes on, and the log tells how it ended.");
	} };
}

// Gives an order and follows it. told(order) at every news; resolves with its end, or throws.
export async function give(path, body, told) {
	let order = { outcome: "pending", steps: [] };
	let stop = false;
	const news = (next) => {
		if (stop)
			return;
		order = { ...order, ...next, steps: next.steps?.length >= order.steps.length ? next.steps : order.steps };
		told(order);
	};
	told(order);
	const early = [];	// events may come before the answer does
	let heard = (e) => early.push(e);
	const off = on("event", (e) => e.facts?.order && heard(e));

	try {
		try {
			news(await ask(path, { method: "POST", body }));
		} catch (e) {
			if (!(e instanceof Problem) || !e.order)
				throw e;
			const known = typeof e.order === "object" ? e.order : { id: e.order };
			news({ ...known, outcome: e.status === 502 ? "failed" : "refused", message: e.message });
			return order;
		}
		heard = (e) => {
			if (e.facts.order === order.id)
				news({ ...e.facts, id: order.id });
		};
		early.forEach(heard);
		for (let n = 1; order.outcome === "pending"; n++) {
			await new Promise((resolve) => setTimeout(resolve, 500));
			if (state.link === "live" && n % 4)
				continue;	// the events tell; asking is only for what they miss
			try {
				const now = await ask(`orders/${order.id}`);
				if (order.outcome === "pending")
					news(now);
			} catch (e) {
				if (e instanceof Problem && e.status === 404 && order.outcome === "pending") {
					news({ message: "The daemon no longer knows it: look into the log how it ended." });
					break;
				}
			}
		}
		return order;
	} finally {
		stop = true;
		off();
	}
}

const why = (e) => (e instanceof Problem ? sentence(e.message) : "The daemon does not answer; whether it heard the request is not known. Look at the log.");

// The dialogue of one command.
export function dialogue(ups, command) {
	const effect = meaning(ups, command.name);
	const body = h("div", { class: "dialog-body" }), buttons = h("div", { class: "dialog-buttons" });
	const close = h("button", { type: "button", class: "quiet close", "aria-label": "Close", onclick: () => dialog.close() }, "✕");
	const dialog = h("dialog", { class: "dialog", "aria-labelledby": "command-title" },
		h("div", { class: "dialog-head" }, h("h2", { id: "command-title" }, command.description), close), body, buttons);
	const cancel = (label = "Cancel") => h("button", { type: "button", onclick: () => dialog.close() }, label);

	function warning() {
		return effect ? h("div", { class: `need ${effect.tone}` }, shape(effect.tone), h("div", {}, h("strong", {}, effect.words), h("p", {}, effect.more))) : null;
	}

	function put(content, actions, focus) {
		body.replaceChildren(...content.filter(Boolean));
		buttons.replaceChildren(...actions.filter(Boolean));
		focus?.focus();
	}

	function first() {
		const back = cancel();
		const go = command.confirm ? h("button", { type: "button", onclick: second }, "Continue…")
			: h("button", { type: "button", class: "primary", onclick: run }, "Do it now");
		const v = verdict(ups);
		put([h("p", { class: "sub" }, `${title(ups)} · `, h("code", {}, command.name)),
			command.effect ? h("p", {}, sentence(`it ${command.effect}`)) : null,
			warning(),
			h("p", { class: "sub" }, `Now: ${v.headline.toLowerCase()}. ${v.sentence}`),
			command.steps?.length ? h("details", {}, h("summary", {}, "What will be done, step by step"), h("ol", { class: "steps" }, command.steps.map((t) => h("li", {}, t)))) : null],
		[back, go], command.confirm ? back : go);
	}

	function second() {
		const agreed = h("input", { type: "checkbox", id: "agreed" });
		const go = h("button", { type: "button", class: "danger", disabled: true, onclick: run }, command.description);
		agreed.addEventListener("change", () => { go.disabled = !agreed.checked; });
		put([h("p", {}, h("strong", {}, `${title(ups)}: are you sure?`)), warning(),
			h("label", { class: "check big-check", for: "agreed" }, agreed, effect?.agree ?? "I know what this does.")],
		[h("button", { type: "button", onclick: first }, "Back"), go], agreed);
	}

	async function run() {
		if (mustLogIn() && !await logIn())
			return;
		const steps = progress(), done = cancel("Close");
		put([h("p", { class: "sub" }, `${title(ups)} · `, h("code", {}, command.name)), steps.node], [done], done);
		attr(dialog, "data-busy", true);
		try {
			const order = await give(`ups/${encodeURIComponent(ups.name)}/commands`, { command: command.name }, steps.set);
			if (outcomes[order.outcome])
				announce("polite", `${command.description}: ${outcomes[order.outcome][1]}. ${order.message ?? ""}`);
		} catch (e) {
			if (e instanceof Problem && e.status === 401 && dialog.open && await logIn()) {
				run();
				return;
			}
			put([h("div", { class: "need crit" }, shape("crit"), h("div", {}, h("strong", {}, e instanceof Problem ? "Refused" : "No answer"), h("p", {}, why(e))))],
				[cancel("Close")], null);
			announce("alert", why(e));
		}
		attr(dialog, "data-busy", null);
	}

	dialog.addEventListener("close", () => dialog.remove());
	document.body.append(dialog);
	first();
	dialog.showModal();
	(command.confirm ? buttons.firstChild : buttons.lastChild).focus();
	return dialog;
}

export function commands(ups) {
	const path = `ups/${encodeURIComponent(ups.name)}/commands`;
	const list = h("div", { class: "groups" }), closed = h("p", { class: "closed", hidden: true });
	const node = h("section", { class: "panel", id: "commands", "aria-labelledby": "commands-title" }, h("h2", { id: "commands-title" }, "Commands"), closed, list);
	let known = null, current = ups;

	// In place: who opened a dialogue from a button gets the focus back there.
	function rights() {
		for (const button of list.querySelectorAll("[data-command]")) {
			const may = mayCommand(button.dataset.command);
			button.disabled = !may;
			attr(button, "title", may ? null : `${session.user} may not do this`);
		}
	}

	function row(command) {
		return h("li", { class: "command" }, h("div", {}, h("strong", {}, command.description), command.effect ? h("p", {}, sentence(command.effect)) : null),
			h("button", { type: "button", "data-command": command.name,
				onclick: () => dialogue(current, command) }, "Run…", h("span", { class: "sr" }, ` ${command.description}`)));
	}

	function render() {
		if (!known)
			return;
		const left = [...known];
		list.replaceChildren(...groups.map(([name, pattern]) => {
			const mine = left.filter((c) => pattern.test(c.name));
			mine.forEach((c) => left.splice(left.indexOf(c), 1));
			return mine.length ? h("div", { class: "group" }, h("h3", {}, name), h("ul", {}, mine.map(row))) : null;
		}).filter(Boolean));
		rights();
	}

	async function load() {
		try {
			const answer = await ask(path);
			known = answer.commands;
			render();
		} catch {
			known = null;
		}
		show(node, !!known?.length || !current.commands?.open);
	}
	load();
	return {
		node,
		update(u) {
			const opened = !current.commands?.open && u.commands?.open;
			current = u;
			const isFresh = fresh(u), open = u.commands?.open && isFresh;
			show(closed, !open);
			text(closed, open ? "" : !isFresh ? "Not possible now: there is no contact." : `Not possible: ${u.commands?.reason ?? "the UPS is not identified yet"}`);
			attr(list, "inert", !open);
			attr(list, "data-closed", !open);
			if (opened)
				load();
		},
		again: () => known?.length || load(),
		session: rights,
	};
}
