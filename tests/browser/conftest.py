"""One browser, one daemon with three simulated UPSes for all tests of a run."""

import pathlib
import socket
import sys

import pytest

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "integration")]

from browser import Page, chromium  # noqa: E402
from daemon import Daemon  # noqa: E402
from sim import Sim, wait_until  # noqa: E402
from web import Web  # noqa: E402

# A cheap hash of "right".
SECRET = "$5$rounds=1000$liNRcsoPQpotQJZE$AGEdJugevEM.Aa4zUNHh7IVZBI3/JffYXAsDD1Xtg.4"
NAMES = ["rack", "office", "lab"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def config(ports, http_port, http="", more=""):
    upses = "".join(f'ups "{name}" {{ port = "{port}" desc = "The {name}" }}\n' for name, port in ports.items())
    return f"""{upses}
http {{ listen = {{"127.0.0.1:{http_port}"}} {http} }}
user "admin" {{ password = "{SECRET}" actions = {{"SET", "FSD"}} instcmds = {{"ALL"}} }}
user "guest" {{ password = "{SECRET}" instcmds = {{"beeper.toggle"}} }}
{more}
"""


class Site:
    def __init__(self, names, http="", more=""):
        self.sims = {name: Sim("--esn", f"2102290000000000010{i}", "--rating", i % 3 + 1) for i, name in enumerate(names)}
        self.port = free_port()
        self.http, self.more = http, more
        self.daemon = None

    def __enter__(self):
        for sim in self.sims.values():
            sim.start()
        self.daemon = Daemon(config=config({n: s.port for n, s in self.sims.items()}, self.port, self.http, self.more), http=())
        self.daemon.start()
        self.web = Web(self.port)
        return self

    def __exit__(self, *exc):
        self.daemon.__exit__(*exc)
        for sim in self.sims.values():
            sim.stop()

    def ups(self, name):
        return self.web.get(f"/api/v1/ups/{name}").json()

    def settle(self):
        """Every UPS on mains, fed by it, commands open."""
        for name, sim in self.sims.items():
            sim.cmd("fault off")
            sim.cmd("mains on")
            if sim.ask("get").find('"port":null') >= 0 or sim.ask("get").find('"port": null') >= 0:
                sim.cmd("replug")
            wait_until(lambda: self.ups(name)["power"]["state"] == "mains" and self.ups(name)["commands"]["open"], 40, f"{name} on mains")


@pytest.fixture(scope="session")
def driver():
    chrome = chromium()
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def site():
    with Site(NAMES) as running:
        running.settle()
        yield running


@pytest.fixture
def page(driver, site):
    """A page nobody is logged in to, of a site where all is well; it must not complain in the console."""
    driver.delete_all_cookies()
    driver.get_log("browser")
    shown = Page(driver, site.port)
    yield shown
    driver.delete_all_cookies()
    site.settle()
    assert not shown.errors()
