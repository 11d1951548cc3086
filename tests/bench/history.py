"""The history: how far its database grows, what writing costs, how fast it answers."""

import json
import os
import pathlib
import subprocess

from servers import BenchError

TEN_YEARS = 3653
BIN = pathlib.Path(os.environ.get("UPS2000_BIN", "build/bin"))


def load(*args):
    program = BIN / "history_load"
    if not program.exists():
        raise BenchError(f"there is no {program}; \"ninja -C build history_load\" makes it")
    out = subprocess.run([program, *(str(a) for a in args)], capture_output=True, text=True)
    if out.returncode:
        raise BenchError(f"history: {out.stderr.strip()}")
    return json.loads(out.stdout)


def history(bench):
    db = bench.directory / "ten-years.db"
    days = 60 if bench.quick else 365
    # a reading each second and a transaction every 4 s, as the daemon's writer does
    found = {"day": load(bench.directory / "day.db", "fill", 1, 1, 1)}
    # the same for a year, with fewer transactions; then ten years with a reading a minute, which
    # make the same minutes and quarters, but for the newest day of readings
    found["year"] = load(bench.directory / "year.db", "fill", days, 1, 150)
    found["ten years"] = load(db, "fill", TEN_YEARS, 60, 100)
    found["asked"] = load(db, "ask", 60 if bench.quick else 400)
    row = bench.row
    row(f"history of {days} days, one UPS", "MB", {"ours": found["year"]["largest_bytes"] / 1e6}, 100.0)
    row("history of ten years, one UPS", "MB",
        {"ours": (found["ten years"]["largest_bytes"] + found["day"]["bytes"]) / 1e6}, 100.0)
    row("writing a day of history", "s of CPU", {"ours": found["day"]["cpu_s"]}, None)
    for points in (500, 2000):
        times = found["asked"][f"points_{points}"]
        row(f"a week's chart of ten years, {points} points, median", "ms", {"ours": times["median_ms"]}, 10.0)
        row(f"a week's chart of ten years, {points} points, 99 %", "ms", {"ours": times["p99_ms"]}, 10.0)
    return found
