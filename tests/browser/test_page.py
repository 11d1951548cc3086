"""The page as somebody sees and uses it, against the real daemon and simulated UPSes."""

import json
import signal

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from browser import Page
from conftest import NAMES, Site
from sim import wait_until

GOOD = "Power is good"


def run(name):
    return f'[data-command="{name}"]'


def writes(sim):
    return json.loads(sim.cmd("get"))["writes"]


def test_shows_what_the_daemon_knows(page, site):
    page.open("#/rack").shows("h1", GOOD)
    ups = site.ups("rack")
    hero = page.text(".hero")
    assert "Nothing needs you" in hero and "UPS2000A" in hero
    assert str(round(ups["quantities"]["output.realpower"]["value"])) in hero
    assert page.js("return document.querySelector('.flow').dataset.power") == "mains"
    assert page.js("return document.querySelectorAll('.flow.wide .line.on').length") >= 6
    assert "Mains" in page.js("return document.querySelector('.flow.wide title').textContent")


def test_outage_appears_without_reload(page, site):
    page.open("#/rack").shows("h1", GOOD)
    page.js("window.untouched = true")
    site.sims["rack"].cmd("mains off")
    page.shows("h1", "Running on battery")
    page.shows("#alert", "Running on battery")  # said to screen readers, at once
    assert page.js("return document.querySelector('.flow').dataset.power") == "battery"
    page.wait(lambda: "On battery" in page.driver.title, "the tab tells it")
    page.shows(".log", "On battery: the mains failed")
    site.sims["rack"].cmd("mains on")
    page.shows("h1", GOOD)
    assert page.js("return window.untouched") is True


def test_alarm_tells_what_to_do(page, site):
    page.open("#/lab").shows("h1", GOOD)
    assert not page.visible(".need-panel")
    site.sims["lab"].cmd("temperature 55")
    page.shows(".need-panel", "Over-temperature")
    page.shows(".need-panel", "What to do: Cool the room")
    page.shows("h1", "Over-temperature")
    site.sims["lab"].cmd("temperature 25")
    page.shows("h1", GOOD)
    page.wait(lambda: not page.visible(".need-panel"), "the alarm goes")


def test_unplugged_ups_looks_stale_and_comes_back(page, site):
    page.open("#/office").shows("h1", GOOD)
    site.sims["office"].cmd("unplug")
    page.shows("h1", "No contact with the UPS")
    assert page.js("return document.querySelector('.now').hasAttribute('data-stale')")
    assert page.js("return document.querySelectorAll('.line.on').length") == 0
    assert page.js("return document.querySelector('#commands .groups').inert")
    site.sims["office"].cmd("replug")
    page.shows("h1", GOOD)
    assert not page.js("return document.querySelector('.now').hasAttribute('data-stale')")


def test_several_side_by_side(page, site):
    page.open("").shows("h1", "All 3 are well")
    assert [e.text for e in page.all(".card h2")] == [f"The {name}" for name in NAMES]
    site.sims["office"].cmd("mains off")
    page.wait(lambda: "Running on battery" in page.all(".card")[1].text, "the card tells it")
    page.shows("h1", "One of 3")
    assert GOOD in page.all(".card")[0].text
    page.click(".card:nth-child(2) h2 a")
    page.shows("h1", "Running on battery")
    assert page.js("return location.hash") == "#/office"
    page.driver.back()
    page.shows("h1", "One of 3")


def test_deep_link_and_unknown_name(page, site):
    page.open("#/LAB").shows(".hero", "The lab")
    page.open("#/nobody").shows("h1", "There is no UPS")
    page.click("main a")
    page.shows("h1", "All 3 are well")


def test_command_in_two_steps(page, site):
    page.open("#/lab").shows("h1", GOOD)
    page.login()
    before = writes(site.sims["lab"])
    watts = round(site.ups("lab")["quantities"]["output.realpower"]["value"])

    page.click(run("load.off"))
    page.shows("dialog", "stays off until someone switches it on")
    page.shows("dialog", f"{watts} W lose their power")
    page.click(".dialog-buttons button:last-child")
    page.shows("dialog", "are you sure?")
    assert not page.one(".danger").is_enabled()
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog"), "the dialogue closes")
    assert writes(site.sims["lab"]) == before  # looked at, not done

    page.click(run("load.off"))
    page.click(".dialog-buttons button:last-child")
    page.click("#agreed")
    page.click(".danger")
    page.shows(".progress", "Requested")
    page.shows(".progress", "by admin")
    page.shows(".progress", "Verified")
    page.shows(".progress", "The output is off")
    page.wait(lambda: page.js("return document.querySelectorAll('.stage[data-how=good]').length") == 3, "three stages done")
    page.click(".dialog-buttons button")
    page.shows("h1", "The output is off")
    assert writes(site.sims["lab"]) > before

    page.click(run("load.on"))
    page.click(".dialog-buttons .primary")
    page.shows(".progress", "Verified")
    page.click(".dialog-buttons button")
    page.shows("h1", GOOD)


def test_armed_switch_off_is_shown_and_called_off(page, site):
    page.open("#/rack").shows("h1", GOOD)
    assert not page.visible(".soon")
    page.login()
    page.click(run("shutdown.return"))
    page.click(".dialog-buttons button:last-child")
    page.click("#agreed")
    page.click(".danger")
    page.shows(".progress", "Waiting for what the UPS does")
    page.press(Keys.ESCAPE)
    page.shows(".soon", "A switch-off is armed")
    page.click(".soon button")
    page.shows("dialog", "cancels a switch-off")
    page.click(".dialog-buttons .primary")
    page.shows(".progress", "Verified")
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.visible(".soon"), "the warning goes")
    assert site.ups("rack")["power"]["state"] == "mains"


def test_refused_command(page, site):
    page.open("#/rack").shows("h1", GOOD)
    page.login()
    site.sims["rack"].cmd("mains off")
    page.shows("h1", "Running on battery")
    before = writes(site.sims["rack"])
    page.click(run("bypass.start"))
    page.click(".dialog-buttons button:last-child")
    page.click("#agreed")
    page.click(".danger")
    page.shows(".progress", "Refused")
    page.shows(".progress", "nothing was written")
    assert "Verified" not in page.text(".progress")
    assert writes(site.sims["rack"]) == before


def test_failed_command(page, site):
    site.sims["rack"].cmd("dialect ack-only on")
    try:
        page.open("#/rack").shows("h1", GOOD)
        page.login()
        page.click(run("beeper.disable"))
        page.click(".dialog-buttons .primary")
        page.shows(".progress", "Failed")
        assert "Verified" not in page.text(".progress")
    finally:
        site.sims["rack"].cmd("dialect ack-only off")


def test_setting(page, site):
    def delay():
        settings = site.web.get("/api/v1/ups/rack/settings").json()["settings"]
        return next(s["value"] for s in settings if s["name"] == "ups.delay.start")

    page.open("#/rack").shows("h1", GOOD)
    page.login()
    field = page.one('[name="ups.delay.start"]')
    page.js("arguments[0].scrollIntoView({block: 'center'})", field)
    field.clear()
    field.send_keys("3", Keys.ENTER)  # below what the UPS takes
    page.wait(lambda: any("60" in e.text for e in page.all(".result")), "what is wrong is said")
    assert delay() == "60"
    field.clear()
    field.send_keys("120", Keys.ENTER)
    page.wait(lambda: any("Verified" in e.text for e in page.all(".result")), "the setting is verified")
    assert delay() == "120"
    field.clear()
    field.send_keys("60", Keys.ENTER)
    page.wait(lambda: delay() == "60", "as before")


def test_login_when_a_command_needs_it(page, site):
    page.open("#/rack").shows("h1", GOOD)
    page.click(run("beeper.toggle"))
    page.click(".dialog-buttons .primary")
    page.one("#login-user").send_keys("admin")
    page.one("#login-password").send_keys("wrong", Keys.ENTER)
    page.shows(".wrong", "User or password is wrong")
    assert page.text("#who") == "Log in"
    page.one("#login-password").send_keys("right", Keys.ENTER)
    page.shows(".progress", "Verified")
    page.click(".dialog-buttons button")
    page.shows("#who", "admin")
    page.click(run("beeper.toggle"))  # and back
    page.click(".dialog-buttons .primary")
    page.shows(".progress", "Verified")
    page.click(".dialog-buttons button")
    page.click("#who button")
    page.shows("#who", "Log in")


def test_user_without_the_right(page, site):
    page.open("#/rack").shows("h1", GOOD)
    page.login("guest")
    assert page.one(run("beeper.toggle")).is_enabled()
    assert not page.one(run("load.off")).is_enabled()
    page.shows("#settings", "may not change settings")


def test_site_that_asks_for_a_login_first(driver):
    with Site(["ups"], "read-without-login = {}") as site:
        page = Page(driver, site.port)
        page.open().shows("h1", "Log in")
        assert "%" not in page.text("main")
        page.one("#login-user").send_keys("guest")
        page.one("#login-password").send_keys("right", Keys.ENTER)
        page.shows("h1", GOOD)
        page.click("#who button")
        page.shows("h1", "Log in")
        driver.delete_all_cookies()


# Warns at once and then waits for five minutes; even then only a file would be written.
PLAN = "shutdown { on-battery = 300 warning = 299 mains-stable = 1 method = request }"


def test_hosts_about_to_go_down(driver):
    with Site(["ups"], more=PLAN) as site:
        site.settle()
        page = Page(driver, site.port)
        page.open().shows("h1", GOOD)
        assert not page.visible(".soon")
        site.sims["ups"].cmd("mains off")
        page.shows(".soon", "Shutdown in")
        page.shows("#alert", "Shutdown in")
        page.shows(".soon", "min")
        assert not page.visible(".soon button")  # the mains decide
        before = page.text(".countdown")
        page.wait(lambda: page.text(".countdown") != before, "it counts down")
        site.sims["ups"].cmd("mains on")
        page.shows("h1", GOOD)
        page.wait(lambda: not page.visible(".soon"), "the warning goes")

        page.login()
        site.daemon.api("shutdown", {"action": "begin", "reason": "test"})
        page.shows(".soon", "Shutdown in")
        page.click(".soon button")
        page.wait(lambda: not page.visible(".soon"), "called off")
        assert site.daemon.api("policy")["state"] == "normal"
        driver.delete_all_cookies()
        assert not page.errors()


def test_daemon_ends_and_comes_back(page, site):
    page.open("#/rack").shows("h1", GOOD)
    page.js("window.untouched = true")
    assert not page.visible("#lost")
    site.daemon.stop()
    page.shows("#lost", "Connection to the daemon lost")
    page.shows("h1", "No contact with the daemon")
    assert page.js("return document.querySelector('.now').hasAttribute('data-stale')")
    site.daemon.start()
    page.shows("h1", GOOD)
    page.wait(lambda: not page.visible("#lost"), "the banner goes")
    assert page.js("return window.untouched") is True


def test_daemon_that_hangs(page, site):
    page.open("#/rack").shows("h1", GOOD)
    site.daemon.process.send_signal(signal.SIGSTOP)
    try:
        page.shows("#lost", "Connection to the daemon lost")
    finally:
        site.daemon.process.send_signal(signal.SIGCONT)
    page.shows("h1", GOOD)
    page.wait(lambda: not page.visible("#lost"), "the banner goes")


def test_hidden_tab_listens_to_nothing(page, site):
    hide = """Object.defineProperty(document, 'hidden', {get: () => arguments[0], configurable: true});
        const hidden = arguments[0]; Object.defineProperty(document, 'hidden', {get: () => hidden, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'))"""
    page.open("#/rack").shows("h1", GOOD)
    page.js(hide, True)
    page.shows("#live", "Paused")
    site.sims["rack"].cmd("mains off")
    wait_until(lambda: site.ups("rack")["power"]["state"] == "battery", 30)
    assert page.text("h1") != "Running on battery"
    page.js(hide, False)
    page.shows("h1", "Running on battery")


def test_history(page, site):
    """An outage is seen in the chart, zoomed into and read, by mouse and by keys, and as a table."""
    sim = site.sims["lab"]
    page.open("#/lab", 420).shows("h1", GOOD)  # narrow: fewer points to walk over
    sim.cmd("mains off")
    page.shows("h1", "Running on battery")
    page.wait(lambda: site.ups("lab")["quantities"]["input.voltage"]["value"] == 0, "0 V read")
    sim.cmd("mains on")
    page.shows("h1", GOOD)
    page.shows("#outages tbody", "Wh")
    page.wait(lambda: "goes on" not in page.text("#outages"), "its end is recorded")

    page.click("#outages tbody button")
    page.js("const s = document.querySelector('#quantity'); s.value = 'input.voltage'; s.dispatchEvent(new Event('change'))")
    page.shows("#history .readout", "Mains voltage")
    page.one("#history canvas")
    assert page.js("return document.querySelector('.chip[aria-pressed=true]')") is None
    shown = lambda: page.js("return document.querySelector('#history .readout').textContent")

    # Arrow keys from the right end: the mains are there, then they were not, then they were.
    plot = page.one("#history .plot")
    page.js("arguments[0].focus()", plot)
    page.press(Keys.END)
    volts = []
    for _ in range(int(plot.get_attribute("aria-valuemax"))):
        volts.append(plot.get_attribute("aria-valuetext"))
        page.press(Keys.ARROW_LEFT)
    assert any("0 V" in v and "220" not in v or "0.0 V" in v for v in volts), volts
    assert any("V on average, 2" in v or v.rstrip().endswith(("219.9 V", "220.0 V", "220.1 V")) for v in volts), volts

    # By mouse: reading, then dragging over the middle third zooms into it.
    before = shown()
    page.js("arguments[0].scrollIntoView({block: 'center'})", plot)
    width = plot.rect["width"]
    ActionChains(page.driver).move_to_element_with_offset(plot, int(width / 5), 0).perform()
    page.wait(lambda: shown() != before, "the value under the pointer is read")
    steps = lambda: page.js("return performance.getEntriesByType('resource').filter((e) => e.name.includes('/history?')).length")
    asked = steps()
    ActionChains(page.driver).move_to_element_with_offset(plot, int(-width / 6), 0).click_and_hold() \
        .move_to_element_with_offset(plot, int(width / 6), 0).release().perform()
    page.wait(lambda: steps() > asked, "the part is asked for more finely")
    last = page.js("return performance.getEntriesByType('resource').filter((e) => e.name.includes('/history?')).map((e) => e.name)")
    span = [float(url.split("to=")[1].split("&")[0]) - float(url.split("from=")[1].split("&")[0]) for url in last]
    assert span[-1] < span[-2], span

    page.click("#history summary")
    page.wait(lambda: len(page.all("#history tbody tr")) > 10, "a table")
    page.click("#history .chip")  # an hour: back to now
    page.wait(lambda: page.js("return document.querySelector('.chip[aria-pressed=true]')?.textContent") == "1 hour", "following again")


def test_log_keeps_what_was_before(page, site):
    page.open("#/office").shows("h1", GOOD)
    page.shows(".log", "Identified")
    page.click("#log-only")
    assert not any("Identified" in e.text for e in page.all(".log li"))


def test_strange_addresses(page, site):
    for route in ("#/%", "#/%E0%A4%A", "#/<b>x</b>", "#//", "#/rack/nowhere"):
        page.open(route)
        page.wait(lambda: page.text("h1") in (GOOD, "All 3 are well") or "There is no UPS" in page.text("h1"), route)
        assert not page.all("main b")


@pytest.mark.parametrize("width", [320, 360])
def test_phone_has_nothing_to_scroll_sideways(page, site, width):
    def fits(what):
        over = page.js("return document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, f"{what} is {over} px wider than {width}"

    page.open("", width, 740).shows("h1", "All 3 are well")
    fits("the overview")
    page.open("#/rack", width, 740).shows("h1", GOOD)
    page.one(run("load.off"))
    fits("a UPS")
    assert page.visible(".flow.tall") and not page.visible(".flow.wide")
    site.sims["rack"].cmd("mains off")
    page.shows("h1", "Running on battery")
    fits("a UPS on battery")
    page.click(run("load.off"))
    box = page.one("dialog").rect
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    page.click(".dialog-buttons button:last-child")
    page.one("#agreed")
    fits("a dialogue")


def test_keyboard_only(page, site):
    page.open("#/rack").shows("h1", GOOD)
    page.one(run("beeper.toggle"))
    page.press(Keys.TAB)
    assert "skip" in page.focused().get_attribute("class")
    page.press(Keys.ENTER)
    page.tab_to(run("beeper.toggle"))
    assert page.js("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press(Keys.ENTER)
    page.one("dialog")
    page.press(Keys.ENTER)  # it stands on the button that does it, since nothing can happen to the load
    page.one("#login-user")
    page.press("admin", Keys.TAB, "right", Keys.ENTER)
    page.shows(".progress", "Verified")
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog"), "the dialogue closes")
    assert page.js("return document.activeElement.matches(arguments[0])", run("beeper.toggle"))
    page.press(Keys.ENTER)
    page.press(Keys.ENTER)
    page.shows(".progress", "Verified")
    page.press(Keys.ESCAPE)

    page.tab_to(run("load.off"))
    page.press(Keys.ENTER)
    page.one("dialog")
    assert page.focused().text == "Cancel"  # dangerous: Enter alone does nothing
    page.press(Keys.ENTER)
    page.wait(lambda: not page.all("dialog"), "the dialogue closes")
    assert site.ups("rack")["power"]["state"] == "mains"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(page, site, scheme):
    page.open("", scheme=scheme, motion=False).shows("h1", "All 3 are well")
    page.axe("overview")
    page.open("#/rack", scheme=scheme, motion=False).shows("h1", GOOD)
    page.one(run("load.off"))
    page.one(".setting")
    page.axe("a UPS")
    site.sims["rack"].cmd("temperature 55")
    page.shows(".need-panel", "Over-temperature")
    site.sims["rack"].cmd("mains off")
    page.shows("h1", "Running on battery")
    page.axe("a UPS on battery, with an alarm")
    page.click(run("load.off"))
    page.axe("a command's first step")
    page.click(".dialog-buttons button:last-child")
    page.one("#agreed")
    page.axe("a command's second step")
    page.press(Keys.ESCAPE)
    page.click("#who button")
    page.one("#login-user")
    page.axe("login")
    page.press(Keys.ESCAPE)
    site.sims["rack"].cmd("temperature 25")
    site.daemon.stop()
    page.shows("#lost", "Connection to the daemon lost")
    page.axe("without the daemon")
    site.daemon.start()
    page.wait(lambda: not page.visible("#lost"), "the banner goes")


def test_colours_can_be_chosen(page, site):
    ground = "return getComputedStyle(document.body).backgroundColor"
    page.open("#/rack").shows("h1", GOOD)
    light = page.js(ground)
    page.click("#theme")
    page.click("#theme")
    assert page.one("#theme").get_attribute("aria-label") == "Colours: dark. Change"
    dark = page.js(ground)
    assert dark != light
    page.open("#/rack").shows("h1", GOOD)
    assert page.js(ground) == dark  # remembered
    page.click("#theme")
    assert page.js(ground) == light


def test_stands_still_for_who_wants_that(page, site):
    moving = "return getComputedStyle(document.querySelector('.line.on .pulse')).animationName"
    page.open("#/rack").shows("h1", GOOD)
    assert page.js(moving) == "run"
    page.open("#/rack", motion=False).shows("h1", GOOD)
    assert page.js(moving) == "none"


def test_weight(page, site):
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    page.open("#/rack").shows("h1", GOOD)
    page.one(run("load.off"))
    page.one("#history canvas")
    sizes = page.js("""return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .map((e) => [e.name, e.transferSize])""")
    assert any("uPlot" in name for name, _ in sizes), "charts count, too"
    total = sum(size for _, size in sizes)
    assert any("app.js" in name for name, _ in sizes)
    assert 20_000 < total <= 150_000, sizes
    assert all(name.startswith(page.base) for name, _ in sizes), "something foreign"


def test_without_javascript(page, site):
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.open()
        assert any("needs JavaScript" in e.text for e in page.all("noscript, .banner"))
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
