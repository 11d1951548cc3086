"""A real Chromium, driven by Debian's chromedriver, and what the tests ask of a page in it."""

import os
import pathlib
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

TIMEOUT = 40
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --lang=en-GB --force-color-profile=srgb"""


def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tempfile.mkdtemp(prefix='ups2000-chromium-')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Chromium keeps settings and crash reports below the home folder unless told otherwise.
    environment = {**os.environ, "XDG_CONFIG_HOME": tempfile.mkdtemp(prefix="ups2000-chromium-")}
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver", env=environment), options=options)


class Page:
    """The page of one daemon in a browser window."""

    def __init__(self, driver, port):
        self.driver = driver
        self.base = f"http://127.0.0.1:{port}/"
        self.logged = []

    def open(self, route="", width=1280, height=900, scheme="light", motion=True):
        self.size(width, height)
        self.media(scheme, motion)
        self.driver.get("about:blank")
        self.driver.get(self.base + route)
        return self

    def size(self, width, height=900):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def media(self, scheme, motion=True):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "no-preference" if motion else "reduce"}]})

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition, what, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout} s: {what}\nheadline: {self.text('h1')!r}\n{self.errors()}")
            time.sleep(0.03)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        """The first visible element, waited for."""
        return self.wait(lambda: next((e for e in self.all(css) if e.is_displayed()), None), f"something visible at {css}")

    def text(self, css):
        """Text of the first match as it is shown, "" if there is none."""
        return self.js("const e = document.querySelector(arguments[0]); return e ? e.innerText.trim() : ''", css)

    def shows(self, css, words, timeout=TIMEOUT):
        self.wait(lambda: words in self.text(css), f"{words!r} in {css} (is {self.text(css)!r})", timeout)

    def visible(self, css):
        return self.js("const e = document.querySelector(arguments[0]); return !!e && !!e.getClientRects().length", css)

    def click(self, css):
        self.js("arguments[0].scrollIntoView({block: 'center'})", self.one(css))
        self.one(css).click()

    def press(self, *keys):
        chain = ActionChains(self.driver)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def focused(self):
        return self.driver.switch_to.active_element

    def tab_to(self, css, limit=80):
        """Only the Tab key, until the focus is there."""
        for _ in range(limit):
            if self.js("return document.activeElement.matches(arguments[0])", css):
                return self.focused()
            self.press(Keys.TAB)
        raise AssertionError(f"Tab never came to {css}")

    def errors(self):
        """Lines of the console since the page was first opened, but for what the network says."""
        self.logged += self.driver.get_log("browser")
        return [entry["message"] for entry in self.logged if entry["level"] == "SEVERE" and entry["source"] != "network"]

    def login(self, user="admin", password="right"):
        self.click("#who button")
        self.one("#login-user").send_keys(user)
        self.one("#login-password").send_keys(password, Keys.ENTER)
        self.shows("#who", user)

    def axe(self, what):
        """The rules of WCAG 2.2 AA and good practice that axe-core knows; fails with what breaks them."""
        if not self.js("return !!window.axe"):
            # Not as a script element: the page's policy forbids those, as it should.
            self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe_source()})
        result = self.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            axe.run(document, {resultTypes: ["violations"]}).then(done, (e) => done({violations: [{id: String(e), nodes: []}]}));""")
        found = [f"{v['id']}: {n['html'][:160]} {n.get('failureSummary', '')}" for v in result["violations"] for n in v["nodes"] or [{"html": ""}]]
        assert not result["violations"], f"{what}:\n" + "\n".join(found)
        assert len(result["passes"]) > 10, "axe looked at nothing"


def axe_source():
    path = os.environ.get("AXE_CORE")
    assert path, "AXE_CORE must name axe.min.js (tools/check.sh fetches it)"
    return pathlib.Path(path).read_text()
