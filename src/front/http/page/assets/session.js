// Who is logged in, and what they may.

import { announce, h, show, text } from "./dom.js";
import { ask, askIfThere, Problem, setCsrf } from "./api.js";

// known: the daemon has logins; without them, who can read can do what the daemon allows.
export const session = { known: false, user: null, mayRead: true, local: false, secure: true, rights: null };

const watchers = new Set();
export const onSession = (f) => { watchers.add(f); return () => watchers.delete(f); };

function take(json) {
	session.known = json !== null;
	session.user = json?.user ?? null;
	session.mayRead = json?.may_read ?? true;
	session.local = json?.local ?? false;
	session.secure = json?.secure ?? true;
	session.rights = json?.rights ?? null;
	setCsrf(json?.csrf ?? null);
	for (const f of [...watchers])
		f();
}

export async function refresh() {
	take(await askIfThere("session"));
}

export async function logOut() {
	take(await ask("session", { method: "DELETE" }));
}

// Somebody must log in before this can be tried.
export const mustLogIn = () => session.known && !session.local && !session.user;

export function mayCommand(name) {
	if (!session.known || !session.rights || mustLogIn())
		return true;
	return session.rights.commands.some((c) => c.toUpperCase() === "ALL" || c.toLowerCase() === name.toLowerCase());
}

export const maySet = () => !session.known || !session.rights || mustLogIn() || session.rights.set;

// The form; done() after a login that worked.
export function loginForm(why, done) {
	const user = h("input", { name: "user", autocomplete: "username", required: true, autocapitalize: "none", spellcheck: "false", id: "login-user" });
	const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true, id: "login-password" });
	const button = h("button", { type: "submit", class: "primary" }, "Log in");
	const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
	const form = h("form", { class: "login" },
		h("p", { class: "why" }, why),
		h("label", { for: "login-user" }, "User"), user,
		h("label", { for: "login-password" }, "Password"), password,
		wrong,
		session.secure || location.protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) ? null
			: h("p", { class: "hint" }, "This connection is not encrypted: others on the network can read the password."),
		button,
		h("p", { class: "hint" }, "The users are those of the daemon's configuration, the same as for NUT clients."));

	form.addEventListener("submit", async (e) => {
		e.preventDefault();
		button.disabled = true;
		show(wrong, false);
		try {
			take(await ask("session", { method: "POST", body: { user: user.value, password: password.value } }));
			password.value = "";
			announce("polite", `Logged in as ${session.user}.`);
			done();
		} catch (problem) {
			show(wrong, true);
			text(wrong, problem instanceof Problem ? problem.status === 401 ? "User or password is wrong." : problem.message
				: "The daemon does not answer.");
			password.select();
		}
		button.disabled = false;
	});
	return form;
}

// A dialogue around it. Resolves to whether somebody is logged in now.
export function logIn(why = "Log in to give commands and change settings.") {
	return new Promise((resolve) => {
		const dialog = h("dialog", { class: "dialog small", "aria-labelledby": "login-title" },
			h("div", { class: "dialog-head" }, h("h2", { id: "login-title" }, "Log in"),
				h("button", { type: "button", class: "quiet close", "aria-label": "Close", onclick: () => dialog.close() }, "✕")),
			loginForm(why, () => dialog.close()));
		dialog.addEventListener("close", () => {
			dialog.remove();
			resolve(!!session.user);
		});
		document.body.append(dialog);
		dialog.showModal();
		dialog.querySelector("input").focus();
	});
}
