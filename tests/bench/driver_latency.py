#!/usr/bin/python3
"""
Measures ups2000-nut beside NUT's own huawei-ups2000 driver, each under an upsd of Debian on a
simulator of its own, both in the same run: how long after a mains failure a NUT client sees OB, and
how much memory the driver process takes. Prints a table and writes a JSON file.
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from nut_site import Site                            # noqa: E402
from sim import Sim, wait_until                      # noqa: E402

POLL = 0.005
TARGET_MEDIAN = 0.2       # s
TARGET_MEMORY = 1024      # kB above the stock driver's


def memory(pid):
    """RSS and PSS of a process in kB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    values = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return values["Rss:"], values["Pss:"]


def seen(site, flag, timeout=30):
    """Poll upsd on an open connection until ups.status has the flag; when."""
    with site.client() as nut:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if flag in nut.try_get("ups.status").split():
                return time.monotonic()
            time.sleep(POLL)
    raise SystemExit(f"{flag} was not seen in {timeout} s")


class Rig:
    def __init__(self, name, driver, drivers, seed):
        self.name, self.seed = name, seed
        self.sim = Sim("--seed", seed, "--rating", 3, "--load", 20)
        self.driver, self.drivers = driver, drivers
        self.delays = []

    def __enter__(self):
        self.sim.start()
        self.site = Site(f"[ups]\n\tdriver = {self.driver}\n\tport = {self.sim.port}\n",
                         driver=self.drivers)
        began = time.monotonic()
        self.site.start_driver()
        self.site.start_upsd()
        wait_until(lambda: self.site.get("ups.status").startswith("OL"), 60, self.name)
        self.started = time.monotonic() - began
        return self

    def __exit__(self, *exc):
        self.site.__exit__(*exc)
        self.sim.stop()

    def pid(self):
        return self.site.pid(f"{self.driver}-ups")

    def round(self, phase):
        """One failure and return of the mains, at a random phase of the driver's polling."""
        time.sleep(phase)
        began = time.monotonic()
        self.sim.cmd("mains off")
        self.delays.append(seen(self.site, "OB") - began)
        self.sim.cmd("mains on")
        seen(self.site, "OL")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="mains failures (default 20)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    phases = random.Random(options.seed)
    rows, result = [], {"seed": options.seed, "rounds": options.rounds}
    print(f"seed {options.seed}")

    with Rig("stock", "huawei-ups2000", "/lib/nut", options.seed) as stock, \
            Rig("ours", "ups2000", None, options.seed) as ours:
        for _ in range(options.rounds):
            phase = phases.uniform(0, 2)
            stock.round(phase)
            ours.round(phase)
        for rig in (stock, ours):
            rss, pss = memory(rig.pid())
            result[rig.name] = {"delays_s": rig.delays, "rss_kb": rss, "pss_kb": pss,
                                "start_s": rig.started}
            rows.append((rig.name, statistics.median(rig.delays), max(rig.delays), rig.started,
                         rss, pss))

    print(f"{'':8}{'median s':>10}{'max s':>10}{'start s':>10}{'RSS kB':>10}{'PSS kB':>10}")
    for name, median, most, start, rss, pss in rows:
        print(f"{name:8}{median:10.3f}{most:10.3f}{start:10.2f}{rss:10}{pss:10}")
    fast = rows[1][1] <= TARGET_MEDIAN
    small = rows[1][4] - rows[0][4] <= TARGET_MEMORY
    print(f"median <= {TARGET_MEDIAN} s: {'reached' if fast else 'MISSED'}; memory <= stock + "
          f"{TARGET_MEMORY} kB: {'reached' if small else 'MISSED'}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    return 0 if fast and small else 1


if __name__ == "__main__":
    sys.exit(main())
