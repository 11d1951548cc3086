// The little that is needed to build and update elements.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes || {})) {
		if (value === null || value === undefined || value === false)
			continue;
		if (name.startsWith("on"))
			node.addEventListener(name.slice(2), value);
		else
			node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
	return node;
}

// An element: h("p", {class: "note", onclick: f}, "text", child).
export const h = (tag, attributes, ...children) =>
	fill(document.createElement(tag), attributes, children);

// The same in SVG.
export const s = (tag, attributes, ...children) =>
	fill(document.createElementNS(SVG, tag), attributes, children);

// Touches the page only if something changes: screen readers and layout stay quiet.
export function text(node, value) {
	const now = value ?? "";
	if (node.textContent !== now)
		node.textContent = now;
}

export function attr(node, name, value) {
	if (value === null || value === undefined || value === false) {
		if (node.hasAttribute(name))
			node.removeAttribute(name);
	} else if (node.getAttribute(name) !== String(value)) {
		node.setAttribute(name, value);
	}
}

export function show(node, visible) {
	if (node.hidden === visible)
		node.hidden = !visible;
}

// Replaces the children only if what they are made from (key) changed.
export function rebuild(node, key, make) {
	if (node.madeFrom === key)
		return;
	node.madeFrom = key;
	node.replaceChildren(...[make()].flat());
}

// Shapes of the states: they differ by form, so that colour is never needed to tell them apart.
const shapes = {
	good: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z", "m7.5 12.4 3 3 6-6.4"],
	warn: ["M12 2.8 22.4 21H1.6Z", "M12 9v5.4M12 17.4v.2"],
	crit: ["M8 2h8l6 6v8l-6 6H8l-6-6V8Z", "M12 6.8v6.4M12 16.8v.2"],
	info: ["M5 2.5h14A2.5 2.5 0 0 1 21.5 5v14a2.5 2.5 0 0 1-2.5 2.5H5A2.5 2.5 0 0 1 2.5 19V5A2.5 2.5 0 0 1 5 2.5Z",
		"M12 11v6M12 7.2v.2"],
	gone: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z", "m8 8 8 8M16 8l-8 8"],
};

export const shape = (tone) =>
	s("svg", { class: `shape ${tone}`, viewBox: "0 0 24 24", "aria-hidden": "true" },
		s("path", { class: "body", d: shapes[tone][0] }), s("path", { class: "sign", d: shapes[tone][1] }));

const colours = { good: "#1c8f6c", warn: "#d98a1f", crit: "#d23b30", info: "#3d78ad", gone: "#7c8784" };

// The tab shows the state, too.
export function favicon(tone) {
	const link = document.getElementById("favicon");
	const svg = `<svg xmlns="${SVG}" viewBox="0 0 24 24"><path fill="${colours[tone]}" d="${shapes[tone][0]}"/>` +
		`<path fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" d="${shapes[tone][1]}"/></svg>`;
	attr(link, "href", `data:image/svg+xml,${encodeURIComponent(svg)}`);
}

// Said to screen readers; "alert" interrupts, "polite" waits.
export function announce(how, words) {
	const node = document.getElementById(how);
	node.textContent = "";
	requestAnimationFrame(() => { node.textContent = words; });
}
