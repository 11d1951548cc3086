// Runs before anything is painted: a dark page must not flash white first.
"use strict";
(() => {
	let choice = "auto";
	try {
		choice = localStorage.getItem("theme") || "auto";
	} catch { /* storage may be forbidden; then the system decides */ }
	if (choice === "light" || choice === "dark")
		document.documentElement.dataset.theme = choice;
})();
