"""The page in Chromium: what it weighs over the wire and when it first shows something."""

import pathlib
import sys

from pages import Site
from servers import BenchError
from sim import Sim

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "browser"))

ROUNDS, QUICK_ROUNDS = 10, 3
MEASURE = """
const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
const paint = performance.getEntriesByName('first-contentful-paint')[0];
const live = /^(Power is good|All \\d+ are well)$/.test(document.querySelector('h1')?.textContent ?? '');
return live && paint ? {paint: paint.startTime / 1000, bytes: entries.reduce((n, e) => n + e.transferSize, 0),
    requests: entries.length} : null;
"""


def load(page):
    """One load with nothing kept from before."""
    page.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    page.open("#/ups")
    page.wait(lambda: page.js("return !!document.querySelector('[data-command]')"), "the whole page")
    return page.wait(lambda: page.js(MEASURE), "a page that shows the UPS")


def paint(bench):
    try:
        from browser import Page, chromium
        driver = chromium()
    except Exception as error:  # no Chromium: a figure less, not a failed run
        bench.say(f"the page is not measured: {error}")
        return None
    with Sim("--seed", bench.seed, "--rating", 3, "--load", 20, "--units", 3, "--pace", "off") as sim:
        site = Site(sim.port, bench.directory / "paint")
        try:
            site.start()
            page = Page(driver, site.http)
            driver.execute_cdp_cmd("Network.enable", {})
            found = [load(page) for _ in range(QUICK_ROUNDS if bench.quick else ROUNDS)]
        except AssertionError as error:
            raise BenchError(f"paint: {error}") from error
        finally:
            driver.quit()
            site.stop()
    paints = sorted(one["paint"] for one in found)
    bench.row("page over the wire, charts included", "kB", {"ours": max(one["bytes"] for one in found) / 1e3}, 150.0)
    bench.row("page: first contentful paint, median", "s", {"ours": paints[len(paints) // 2]}, 0.5)
    bench.row("page: first contentful paint, max", "s", {"ours": paints[-1]}, 0.5)
    return found
