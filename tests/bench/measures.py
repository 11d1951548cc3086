"""What is measured. Each function takes a bench (bench.py) and returns rows of figures."""

import bisect
import json
import os
import random
import subprocess
import threading
import time

import nut
from history import history
from pages import pages
from crowd import crowd
from paint import paint
from scale import scale
from servers import BenchError
from week import week

SOURCE_BATTERY = 3      # register 1024
CLOCK_TICK = os.sysconf("SC_CLK_TCK")


def percentile(values, share):
    """The smallest value that at least this share of the values does not exceed."""
    values = sorted(values)
    return values[max(0, -(-len(values) * share // 100) - 1)] if values else None


def words(status):
    return set() if status is None or status.startswith(("ERR", "(")) else set(status.split())


def on_battery(status):
    return "OB" in words(status)


def on_line(status):
    return "OL" in words(status)


def in_threads(function, items):
    """function(item) for all items at once; results in their order, the first error is raised."""
    results, errors = {}, []

    def run(i, item):
        try:
            results[i] = function(item)
        except Exception as error:  # handed to the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(items)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[i] for i in range(len(items))]


# ---- mains failure ----

def latencies(rig, watcher, rounds, seed, hold=30.0, switched=lambda when, on: None):
    """
    Seconds from the mains failure to OB on an open connection, one for each outage; None where
    OB was not seen within hold seconds. The mains fail at random phases of the server's polling.
    switched() is told when the device went to battery and back. Ends early after three outages
    in a row that were not seen: the server has given up.
    """
    rng = random.Random(seed)
    found = []
    while len(found) < rounds and found[-3:] != [None] * 3:
        time.sleep(rng.uniform(1.0, 4.0))
        begin = rig.cmd("mains off")
        switched(begin, False)
        seen = watcher.wait("ups.status", on_battery, begin, hold)
        found.append(None if seen is None else seen - begin)
        rig.cmd("mains on")
        begin = rig.until(lambda state: state["source"] != SOURCE_BATTERY)
        switched(begin, True)
        watcher.wait("ups.status", on_line, begin, hold)
    return found


def latency_figures(found):
    seen = [x for x in found if x is not None]
    return {"rounds": len(found), "missed": len(found) - len(seen),
            "median": percentile(seen, 50), "p95": percentile(seen, 95),
            "max": max(seen, default=None), "all": found}


def outage(bench):
    rounds = 6 if bench.quick else 30

    def run(rig):
        watcher = nut.Watcher(rig.server.port, ["ups.status"])
        watcher.wait("ups.status", on_line, 0, 30)
        found = latencies(rig, watcher, rounds, bench.seed)
        watcher.stop()
        return latency_figures(found)

    with bench.rigs() as rigs:
        results = dict(zip([r.name for r in rigs], in_threads(run, rigs)))
    for figure, target in (("median", 0.15), ("p95", None), ("max", 0.40), ("missed", 0)):
        bench.row(f"mains failure to OB, {figure}", "" if figure == "missed" else "s",
                  {k: v[figure] for k, v in results.items()}, target)
    return results


# ---- line faults ----

class Truth:
    """
    What the simulator had when: the temperature goes round in known steps, the mains are
    switched by latencies(). Judges what a server shows.
    """

    STEP = 0.25
    TEMPERATURES = [15 + 0.4 * i for i in range(75)]
    FLICKER = 0.15                            # the last digit of a reading is not steady
    STATUS_WORDS = {"OL", "OB", "CHRG", "DISCHRG", "ALARM"}

    def __init__(self, rig):
        self.rig = rig
        self.starts, self.values = [], []     # temperatures and when they began
        self.switches = [(0.0, True)]         # mains
        self.ages = {"ups.status": [], "ups.temperature": []}
        self.false_values = []
        self.samples = self.absent = 0
        self.last_false = None
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.step(0)                          # before the faults: shown when this returns
        watcher = nut.Watcher(rig.server.port, ["ups.temperature"])
        watcher.wait("ups.temperature", lambda v: self.is_step(v, self.values[0]), 0, 30)
        watcher.stop()

    def start(self):
        self.thread = threading.Thread(target=self.walk, daemon=True)
        self.thread.start()

    @classmethod
    def is_step(cls, shown, value):
        try:
            return abs(float(shown) - value) < cls.FLICKER
        except ValueError:
            return False

    def step(self, i):
        value = self.TEMPERATURES[i % len(self.TEMPERATURES)]
        with self.lock:
            self.starts.append(self.rig.cmd(f"temperature {value:.1f}"))
            self.values.append(value)

    def walk(self):
        i = 0
        while not self.ending.wait(self.STEP):
            i += 1
            self.step(i)

    def stop(self):
        self.ending.set()
        self.thread.join()

    def switched(self, when, on):
        with self.lock:
            self.switches.append((when, on))

    def wrong(self, name, value):
        if (name, value) != self.last_false:
            self.false_values.append((name, value))
        self.last_false = (name, value)

    def judge_temperature(self, when, value):
        with self.lock:
            i = bisect.bisect_right(self.starts, when) - 1
            while i >= 0 and not self.is_step(value, self.values[i]):
                i -= 1
            if i < 0:
                self.wrong("ups.temperature", value)
                return
            end = self.starts[i + 1] if i + 1 < len(self.starts) else when
        self.ages["ups.temperature"].append(max(0.0, when - end))

    def judge_status(self, when, value):
        shown = words(value)
        if shown - self.STATUS_WORDS or len(shown & {"OL", "OB"}) != 1:
            self.wrong("ups.status", value)
            return
        with self.lock:
            i = len(self.switches) - 1
            while i > 0 and self.switches[i][0] > when:
                i -= 1
            changed, mains = self.switches[i]
        same = ("OL" in shown) == mains
        self.ages["ups.status"].append(0.0 if same else when - changed)

    def seen(self, when, values):
        for name, value in values.items():
            self.samples += 1
            if value.startswith(("ERR", "(")):
                self.absent += 1
            elif name == "ups.temperature":
                self.judge_temperature(when, value)
            else:
                self.judge_status(when, value)


# Whatever the outage does to these, they stay within.
ENVELOPE = {
    "input.voltage": (0, 260), "input.frequency": (0, 51), "input.bypass.voltage": (0, 260),
    "input.bypass.frequency": (0, 51), "output.voltage": (190, 260),
    "output.frequency": (49, 51), "output.current": (0, 10), "ups.load": (0, 60),
    "battery.charge": (30, 100), "battery.voltage": (50, 95),
}
CONSTANT = ["battery.packs", "battery.capacity", "ups.power.nominal", "ups.firmware",
            "ups.firmware.aux", "device.model", "device.serial", "ups.beeper.status",
            "device.mfr", "battery.voltage.nominal", "ups.start.auto"]


class Auditor(threading.Thread):
    """Reads all variables again and again; counts values the device cannot have had."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.false_values = []
        self.ending = threading.Event()
        self.reference = self.read()
        self.start()

    def read(self):
        try:
            client = nut.Client(self.port)
            values = client.list_vars()
            client.close()
            return values
        except OSError:
            return {}

    def run(self):
        last = {}
        while not self.ending.wait(0.1):
            for name, value in self.read().items():
                if value != last.get(name) and not self.possible(name, value):
                    self.false_values.append((name, value))
                last[name] = value

    def possible(self, name, value):
        if name in CONSTANT:
            return name not in self.reference or value == self.reference[name]
        low, high = ENVELOPE.get(name, (None, None))
        return low is None or low <= float(value) <= high

    def stop(self):
        self.ending.set()
        self.join()


def faults(bench):
    rounds = 3 if bench.quick else 10
    every = {}

    def run(rig):
        auditor = Auditor(rig.server.port)
        truth = Truth(rig)
        for line in bench.fault:
            rig.cmd(line)
        truth.start()
        watcher = nut.Watcher(rig.server.port, ["ups.status", "ups.temperature"], seen=truth.seen)
        found = latencies(rig, watcher, rounds, bench.seed, 12.0, truth.switched)
        watcher.stop()
        truth.stop()
        auditor.stop()
        figures = latency_figures(found)
        for name, ages in truth.ages.items():
            figures[f"age p95 {name}"] = percentile(ages, 95)
            figures[f"age max {name}"] = max(ages, default=None)
        figures["no data, percent"] = 100 * truth.absent / max(1, truth.samples)
        false = truth.false_values + auditor.false_values
        figures["false values"] = len(false)
        figures["false examples"] = false[:20]
        return figures

    for name, lines in bench.faults.items():
        bench.say(f"fault {name}")
        bench.fault = lines
        with bench.rigs() as rigs:
            every[name] = dict(zip([r.name for r in rigs], in_threads(run, rigs)))
        results = every[name]
        for figure, unit, target in (
                ("max", "s", 3.0), ("missed", "", 0), ("age p95 ups.status", "s", 1.5),
                ("age p95 ups.temperature", "s", 1.5), ("no data, percent", "%", None),
                ("false values", "", 0)):
            label = "mains failure to OB, max" if figure == "max" else figure
            bench.row(f"{name}: {label}", unit, {k: v[figure] for k, v in results.items()},
                      target)
    return every


# ---- an adapter is pulled ----

def replug(bench):
    rounds = 1 if bench.quick else 4
    patience = 20.0

    def run(rig):
        found = []
        watcher = nut.Watcher(rig.server.port, ["ups.temperature"])
        watcher.wait("ups.temperature", lambda v: v[0].isdigit(), 0, 30)
        for i in range(rounds):
            rig.cmd("unplug")
            time.sleep(5)
            fresh = 31.5 + i
            rig.cmd(f"temperature {fresh}")
            begin = rig.cmd("replug")
            seen = watcher.wait("ups.temperature", lambda v: Truth.is_step(v, fresh), begin, patience)
            found.append(None if seen is None else seen - begin)
            if seen is None:
                break       # it will not come back by itself
            time.sleep(1)
        watcher.stop()
        return latency_figures(found)

    with bench.rigs() as rigs:
        results = dict(zip([r.name for r in rigs], in_threads(run, rigs)))
    bench.row("adapter back to fresh data, median", "s",
              {k: v["median"] for k, v in results.items()}, None)
    bench.row("adapter back to fresh data, max", "s",
              {k: "never" if v["missed"] else v["max"] for k, v in results.items()}, 2.0)
    return results


# ---- start ----

def first_answer(rig):
    begin = time.monotonic()
    rig.server.start()

    def served():
        try:
            client = nut.Client(rig.server.port, 2)
        except OSError:
            return False
        try:
            # a client that came too early may be held, so each try has a connection of its own
            return bool(words(client.get("ups.status")) - {"WAIT"})
        except OSError:
            return False
        finally:
            client.close()

    rig.server.wait_for("ups.status served", served)
    return time.monotonic() - begin


def start(bench):
    rounds = 2 if bench.quick else 5
    results = {}
    with bench.rigs(started=False) as rigs:
        for rig in rigs:
            found = []
            for _ in range(rounds):
                found.append(first_answer(rig))
                rig.server.stop()
                time.sleep(1)
            results[rig.name] = latency_figures(found)
    for figure, target in (("median", None), ("max", 0.5)):
        bench.row(f"start to ups.status served, {figure}", "s",
                  {k: v[figure] for k, v in results.items()}, target)
    return results


# ---- requests per second ----

def load(bench, port, connections, depth, end, request):
    seconds = 1 if bench.quick else 3
    out = subprocess.run([bench.loadgen, str(port), str(connections), str(depth), str(seconds),
                          end, request], check=True, capture_output=True, text=True)
    found = json.loads(out.stdout)
    if found["errors"]:
        raise BenchError(f"{request}: {found['errors']} answers were errors")
    return found["per_second"], found["busy"]


def throughput(bench):
    """
    GET one by one, and pipelined at several depths, of which the best counts for each server: stock
    sends each answer by itself, waits for delayed ACKs and needs thousands of requests in flight to
    show what it can. Servers take turns, so that both meet the same machine. "busy" is the share
    of a core that the load generator used: near 1 it was the bottleneck.
    """
    turns = 1 if bench.quick else 3
    get, lists, busy = {}, {}, {}
    with bench.rigs() as rigs:
        for _ in range(turns):
            for rig in rigs:
                port = rig.server.port
                for depth in (1, 64, 1000, 8000):
                    rate, used = load(bench, port, 10, depth, "VAR ",
                                      "GET VAR ups battery.charge")
                    busy[rig.name] = max(used, busy.get(rig.name, 0))
                    get.setdefault(rig.name, {}).setdefault(depth, []).append(rate)
                rate, _ = load(bench, port, 1, 1, "END LIST ", "LIST VAR ups")
                lists.setdefault(rig.name, []).append(rate)
    get = {name: {depth: percentile(rates, 50) for depth, rates in depths.items()}
           for name, depths in get.items()}
    best = {name: max(depths.values()) for name, depths in get.items()}
    stock = best.get("stock")
    bench.row("GET VAR, 10 connections, one by one", "/s", {k: v[1] for k, v in get.items()},
              None)
    bench.row("GET VAR, 10 connections, pipelined, best", "/s", best, stock, more_is_better=True)
    bench.row("LIST VAR, 1 connection, one by one", "/s",
              {k: percentile(v, 50) for k, v in lists.items()}, 5000, more_is_better=True)
    return {"get": get, "list": lists, "generator busy": busy}


# ---- memory and CPU ----

def memory(pid):
    """(Rss, Pss) in bytes."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            key, _, rest = line.partition(":")
            if key in ("Rss", "Pss"):
                found[key] = int(rest.split()[0]) * 1024
    return found["Rss"], found["Pss"]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICK


def resources(bench):
    seconds = 5 if bench.quick else 20

    def run(rig):
        pids = [p.pid for p in rig.server.processes]
        watcher = nut.Watcher(rig.server.port, ["ups.status"], period=1.0)
        watcher.wait("ups.status", on_line, 0, 30)
        time.sleep(3)
        before = sum(map(cpu_seconds, pids))
        time.sleep(seconds)
        used = sum(map(cpu_seconds, pids)) - before
        watcher.stop()
        rss, pss = (sum(part) for part in zip(*map(memory, pids)))
        return {"rss": rss, "pss": pss, "cpu": 100 * used / seconds}

    with bench.rigs() as rigs:
        results = dict(zip([r.name for r in rigs], in_threads(run, rigs)))
    for key, label, factor, unit, target in (
            ("rss", "resident memory (Rss)", 1e6, "MB", 8.0),
            ("pss", "its own share (Pss)", 1e6, "MB", None),
            ("cpu", "CPU, one UPS, one client", 1, "% of a core", 1.0)):
        bench.row(label, unit, {k: v[key] / factor for k, v in results.items()}, target)
    return results


MEASURES = {
    "outage": outage,
    "faults": faults,
    "replug": replug,
    "start": start,
    "throughput": throughput,
    "resources": resources,
    "scale": scale,
    "crowd": crowd,
    "week": week,
    "pages": pages,
    "paint": paint,
    "history": history,
}
