// Settings that the UPS keeps, and what it says of itself.

import { announce, attr, h, rebuild, shape, show, text } from "./dom.js";
import { ask, Problem } from "./api.js";
import { fresh } from "./store.js";
import { number } from "./format.js";
import { give } from "./commands.js";
import { logIn, maySet, mustLogIn } from "./session.js";

function field(setting, id) {
	const common = { id, name: setting.name };
	if (setting.type === "choice")
		return h("select", common, setting.choices.map((c) => h("option", { value: c, selected: c === setting.value }, c)));
	if (setting.type === "range" || setting.type === "number") {
		const low = setting.ranges.length ? Math.min(...setting.ranges.map((r) => r.min)) : null;
		const high = setting.ranges.length ? Math.max(...setting.ranges.map((r) => r.max)) : null;
		return h("input", { ...common, type: "number", inputmode: "numeric", min: low, max: high, value: setting.value, required: true });
	}
	return h("input", { ...common, type: "text", maxlength: setting.max_length, value: setting.value });
}

export function settings(ups) {
	const path = `ups/${encodeURIComponent(ups.name)}/settings`;
	const list = h("div", { class: "settings" }), closed = h("p", { class: "closed", hidden: true });
	const node = h("section", { class: "panel", id: "settings", "aria-labelledby": "settings-title", hidden: true }, h("h2", { id: "settings-title" }, "Settings"), closed, list);

	function row(setting, i) {
		const id = `setting-${i}`;
		const input = field(setting, id), save = h("button", { type: "submit", disabled: true }, "Save");
		const result = h("p", { class: "result", role: "status" });
		const ranges = setting.ranges.map((r) => `${r.min} to ${r.max}`).join(", ");
		const form = h("form", { class: "setting", novalidate: true }, h("label", { for: id }, setting.description, h("code", {}, setting.name)),
			h("div", { class: "edit" }, input, save), ranges ? h("p", { class: "hint" }, ranges) : null, result);
		const say = (tone, words) => rebuild(result, `${tone} ${words}`, () => [tone ? shape(tone) : null, h("span", {}, words)].filter(Boolean));

		input.addEventListener("input", () => {
			save.disabled = input.value === setting.value;
			say("", "");
		});
		form.addEventListener("submit", async (e) => {
			e.preventDefault();
			if (!input.checkValidity()) {
				say("warn", input.validationMessage);
				return;
			}
			if (mustLogIn() && !await logIn())
				return;
			save.disabled = true;
			const wanted = input.value;
			say("", "Sent to the UPS…");
			try {
				const order = await give(path, { name: setting.name, value: wanted }, () => {});
				if (order.outcome === "verified")
					setting.value = wanted;
				say({ verified: "good", refused: "warn", failed: "crit" }[order.outcome] ?? "info",
					order.outcome === "verified" ? "Verified: the UPS has it." : `${order.outcome}: ${order.message ?? ""}`);
				announce("polite", result.textContent);
			} catch (problem) {
				say("crit", problem instanceof Problem ? problem.message : "The daemon does not answer.");
			}
			save.disabled = input.value === setting.value;
		});
		return form;
	}

	async function load() {
		try {
			const answer = await ask(path);
			show(node, answer.settings.length > 0);
			list.replaceChildren(...answer.settings.map(row));
		} catch { /* without them the section stays hidden */ }
	}
	load();
	let wasOpen = ups.commands?.open;
	return {
		node,
		update(u) {
			const open = u.commands?.open && fresh(u), may = maySet();
			show(closed, !open || !may);
			text(closed, !may ? "You are logged in, but may not change settings." : open ? "" : "Not possible now.");
			attr(list, "inert", !open || !may);
			attr(list, "data-closed", !open || !may);
			if (u.commands?.open && !wasOpen)
				load();
			wasOpen = u.commands?.open;
		},
		again: () => list.children.length || load(),
		event(e) {
			// Somebody else changed one: show what is so now, unless one is being edited.
			if (e.ups === ups.name && e.kind === "setting" && e.facts?.outcome === "verified" && !node.contains(document.activeElement))
				load();
		},
	};
}

export function device() {
	const list = h("dl", { class: "facts wide" });
	const node = h("section", { class: "panel", id: "device", "aria-labelledby": "device-title" }, h("h2", { id: "device-title" }, "The device"), list);
	return {
		node,
		update(u) {
			const i = u.identity ?? {}, line = u.line ?? {};
			const rows = [["Name", u.name + (u.aliases?.length ? ` (also ${u.aliases.join(", ")})` : "")], ["Model", [i.manufacturer, i.model].filter(Boolean).join(" ")], ["Serial number", i.serial], ["Firmware", i.firmware],
				["Protocol", i.protocol], ["Rating", u.quantities?.["ups.power.nominal"]?.value ? `${number(u.quantities["ups.power.nominal"].value)} VA` : null],
				["Battery", u.quantities?.["battery.capacity"]?.value ? `${number(u.quantities["battery.blocks"]?.value ?? 0)} × 12 V, ${number(u.quantities["battery.capacity"].value)} Ah` : null],
				["Contact", u.comm?.text], ["An answer takes", line.round_trip_ms ? `${number(line.round_trip_ms, 1)} ms` : null],
				["Status is read every", line.status_round_ms ? `${number(line.status_round_ms)} ms` : null]].filter(([, what]) => what);
			rebuild(list, JSON.stringify(rows), () => rows.map(([name, what]) => h("div", {}, h("dt", {}, name), h("dd", {}, what))));
		},
	};
}
