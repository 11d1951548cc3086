// Numbers, durations and times as people read them.

const DASH = "–";

// A quantity of a snapshot: its number if it is known and valid, else null.
export const value = (ups, name) => {
	const q = ups.quantities?.[name];
	return q && q.validity === "valid" && q.value !== null ? q.value : null;
};

export function number(x, decimals = 0) {
	if (x === null || x === undefined || !Number.isFinite(x))
		return DASH;
	return x.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals,
		useGrouping: Math.abs(x) >= 10000 }).replace("-", "−").replace(",", " ");
}

// "22 min": one or two parts, rounded down, since what it promises must be there.
export function duration(seconds) {
	if (seconds === null || seconds === undefined || !Number.isFinite(seconds))
		return DASH;
	const t = Math.max(0, Math.floor(seconds));
	if (t < 60)
		return `${t} s`;
	if (t < 600)
		return t % 60 ? `${Math.floor(t / 60)} min ${t % 60} s` : `${t / 60} min`;
	if (t < 7200)
		return `${Math.floor(t / 60)} min`;
	if (t < 172800) {
		const minutes = Math.floor(t % 3600 / 60);
		return minutes ? `${Math.floor(t / 3600)} h ${minutes} min` : `${Math.floor(t / 3600)} h`;
	}
	return `${Math.floor(t / 86400)} days`;
}

// The runtime in its large form: {figure, unit}.
export function runtime(seconds) {
	if (seconds === null)
		return { figure: DASH, unit: "" };
	if (seconds < 60)
		return { figure: String(Math.floor(seconds)), unit: "s" };
	if (seconds < 300)
		return { figure: `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`, unit: "min" };
	if (seconds < 7200)
		return { figure: String(Math.floor(seconds / 60)), unit: "min" };
	return { figure: number(Math.floor(seconds / 360) / 10, 1), unit: "h" };
}

export function ago(seconds) {
	if (seconds === null || seconds === undefined)
		return "never";
	if (seconds < 2)
		return "just now";
	return `${duration(seconds)} ago`;
}

// In the reader's own zone and order; ISO beside it in <time datetime>.
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function when(date) {
	const days = (Date.now() - date) / 86400e3;
	if (days < 1 && date.getDate() === new Date().getDate())
		return clock.format(date);
	return days < 300 ? short.format(date) : full.format(date);
}

export const exactly = (date) => full.format(date);

export function energy(joules) {
	if (joules === null || joules === undefined)
		return DASH;
	const wh = joules / 3600;
	return wh < 1000 ? `${number(wh, wh < 10 ? 1 : 0)} Wh` : `${number(wh / 1000, wh < 10000 ? 2 : 0)} kWh`;
}

const units = { C: "°C" };

export const withUnit = (x, unit, decimals = 0) =>
	x === null || x === undefined ? DASH : unit === "s" ? duration(x) : `${number(x, decimals)} ${units[unit] ?? unit}`.trim();
