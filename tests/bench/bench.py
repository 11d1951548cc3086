#!/usr/bin/python3
"""
Measures ups2000d beside stock NUT on simulated UPSes at the pace of a 9600 baud line, each server
with a simulator of its own, both in the same run. Prints a table and writes a JSON file.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "integration")]

import measures                                      # noqa: E402
import servers                                       # noqa: E402
from sim import Sim                                  # noqa: E402

# Commands to the simulator's control socket.
FAULTS = {
    "lost": ["fault lose-reply 0.15"],
    "late": ["fault late 0.1 min=200 max=2000"],
    "overtaken": ["fault late 0.1 min=200 max=2000 mode=overtake"],
    "corrupted": ["fault corrupt 0.15"],
    "duplicated": ["fault duplicate 0.15"],
    "foreign": ["fault foreign 0.15"],
}


class Rig:
    """A simulator and a server on it."""

    def __init__(self, sim, server):
        self.sim, self.server, self.name = sim, server, server.name
        self.lock = threading.Lock()

    def cmd(self, line):
        """Command the simulator; when that was."""
        with self.lock:
            when = time.monotonic()
            self.sim.cmd(line)
        return when

    def until(self, condition):
        """Wait for a state of the simulator; when it was seen."""
        while True:
            with self.lock:
                state = self.sim.get()
            if condition(state):
                return time.monotonic()
            time.sleep(0.01)


class Bench:
    def __init__(self, options, kinds, directory):
        self.quick, self.seed = options.quick, options.seed
        self.kinds, self.directory = kinds, pathlib.Path(directory)
        self.faults, self.fault = FAULTS, []
        self.table = []
        self.count = 0
        self.docs = ROOT / "docs" if options.docs else None
        self.machine = machine()
        self.loadgen = self.compile("loadgen")

    def compile(self, name):
        """Path of a program made from NAME.c."""
        return servers.compile_program(name, self.directory)

    def say(self, text):
        print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def rigs(self, started=True):
        """Fresh simulators and servers, ready to be measured unless started is false."""
        with contextlib.ExitStack() as stack:
            rigs = []
            for kind in self.kinds:
                self.count += 1
                sim = stack.enter_context(Sim("--seed", self.seed, "--rating", 3,
                                               "--load", 20))
                rig = Rig(sim, kind(sim.port, self.directory / f"{self.count}-{kind.name}"))
                stack.callback(rig.server.stop)
                rigs.append(rig)
            if started:
                for rig in rigs:
                    measures.first_answer(rig)
            yield rigs

    def row(self, label, unit, values, target, more_is_better=False):
        """values: {"stock": number, "ours": number}; either may be missing, None or "never"."""
        stock, ours = values.get("stock"), values.get("ours")
        ratio = None
        if isinstance(stock, (int, float)) and isinstance(ours, (int, float)) and stock and ours:
            ratio = ours / stock
        good = None
        if target is not None and "ours" in values:
            good = isinstance(ours, (int, float)) and \
                (ours >= target if more_is_better else ours <= target)
        self.table.append({"what": label, "unit": unit, "stock": stock, "ours": ours,
                           "ratio": ratio, "target": target, "more_is_better": more_is_better,
                           "reached": good})


def number(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def print_table(rows):
    head = ("", "unit", "stock", "ours", "ours/stock", "target", "")
    lines = [head]
    for row in rows:
        target = row["target"]
        if target is not None:
            target = ("≥ " if row["more_is_better"] else "≤ ") + number(target)
        verdict = {None: "", True: "reached", False: "MISSED"}[row["reached"]]
        lines.append((row["what"], row["unit"], number(row["stock"]), number(row["ours"]),
                      number(row["ratio"]), target or "", verdict))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(line[2:6], widths[2:6])]
        print("  ".join(cells + [line[6]]).rstrip())


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "load_before": os.getloadavg()[0]}


def commit():
    out = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
                         capture_output=True, text=True)
    return out.stdout.strip() or None


def read_options():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: about 10 minutes instead of 40")
    parser.add_argument("--only", metavar="NAME", action="append", choices=measures.MEASURES,
                        help="only this (repeatable): " + ", ".join(measures.MEASURES))
    parser.add_argument("--fault", metavar="NAME", action="append", choices=FAULTS,
                        help="of the line faults only this (repeatable): " + ", ".join(FAULTS))
    parser.add_argument("--json", metavar="FILE", help="write the figures here "
                        "(default: bench-results/DATE.json)")
    parser.add_argument("--docs", action="store_true",
                        help="with scale: write its table and plot into docs/")
    parser.add_argument("--no-stock", action="store_true", help="leave stock NUT out")
    parser.add_argument("--no-ours", action="store_true", help="leave ups2000d out")
    parser.add_argument("--status-interval", type=int, metavar="MS",
                        help="of ups2000d; 0 = the status lane at full speed (default: its own)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31),
                        help="of the random phases and faults (default: a new one, printed)")
    return parser.parse_args()


def choose_servers(options):
    bin_dir = pathlib.Path(os.environ.get("UPS2000_BIN", ROOT / "build" / "bin"))
    servers.Ours.binary = str(bin_dir / "ups2000d")
    servers.Ours.status_interval = options.status_interval
    kinds = []
    if not options.no_stock:
        kinds.append(servers.Stock)
    if not options.no_ours:
        kinds.append(servers.Ours)
    for kind in kinds:
        missing = kind.missing()
        if missing:
            sys.exit(f"bench: {missing}; or leave it out with --no-{kind.name}")
    if not kinds:
        sys.exit("bench: --no-stock and --no-ours together leave nothing to measure")
    return kinds


def main():
    options = read_options()
    kinds = choose_servers(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.fault:
        for name in set(FAULTS) - set(options.fault):
            del FAULTS[name]

    result = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
              "commit": commit(), "quick": options.quick, "seed": options.seed,
              "status interval": options.status_interval,
              "machine": machine(), "versions": {k.name: k.version() for k in kinds},
              "figures": {}}
    print(f"seed {options.seed}; " + "; ".join(f"{k}: {v}" for k, v in result["versions"].items()))

    with tempfile.TemporaryDirectory(prefix="ups2000-bench-") as directory:
        os.chmod(directory, 0o755)
        bench = Bench(options, kinds, directory)
        for name in options.only or measures.MEASURES:
            bench.say(name)
            result["figures"][name] = measures.MEASURES[name](bench)
    result["table"] = bench.table
    print_table(bench.table)

    path = pathlib.Path(options.json) if options.json else \
        ROOT / "bench-results" / (result["date"].replace(":", "").partition("+")[0] + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"figures: {path}")


if __name__ == "__main__":
    try:
        main()
    except servers.BenchError as error:
        sys.exit(f"bench: {error}")
