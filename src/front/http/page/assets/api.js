// Requests to the daemon. The page may stand behind a proxy's path, so all addresses are relative.

const BASE = new URL("api/v1/", document.baseURI);

export class Problem extends Error {
	constructor(status, body) {
		super(body.detail || body.title || `The daemon answered ${status}.`);
		this.status = status;
		this.field = body.field;
		this.order = body.order;
	}
}

let csrf = null;

export const setCsrf = (token) => { csrf = token; };
export const address = (path) => new URL(path, BASE);

// JSON in, JSON out. Throws a Problem for what the daemon refused, TypeError if it is not there.
export async function ask(path, { method = "GET", body, signal } = {}) {
	const headers = { Accept: "application/json" };
	if (body !== undefined)
		headers["Content-Type"] = "application/json";
	if (csrf && method !== "GET")
		headers["X-CSRF-Token"] = csrf;
	const answer = await fetch(address(path), { method, headers, signal, cache: "no-store",
		credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body) });
	const json = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
	if (!answer.ok)
		throw new Problem(answer.status, json);
	return json;
}

// The same, but null where this daemon has no such resource, or does not keep it.
export async function askIfThere(path, options) {
	try {
		return await ask(path, options);
	} catch (e) {
		if (e instanceof Problem && [404, 405, 501, 503].includes(e.status))
			return null;
		throw e;
	}
}
