"""One ups2000d and many UPSes: 1 to 1000 over TCP, and 64 unit ids on one line."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import time

import charts
from servers import BenchError, Ours, free_port

COUNTS = (1, 3, 10, 30, 100, 300, 1000)
UNITS = 64
CLOCK_TICK = os.sysconf("SC_CLK_TCK")


def usage(pid):
    """CPU seconds used, and resident MB."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/status") as f:
        rss = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICK, rss


def free_row(n):
    """The first of n TCP ports in a row, below those the kernel hands out."""
    for base in range(20000, 32768 - n, n):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(base, base + n):
                s = stack.enter_context(socket.socket())
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
            return base
    raise BenchError(f"no {n} free TCP ports in a row")


class Many(Ours):
    """ups2000d with a configuration of many UPSes."""

    def start(self, sections):
        self.dir.chmod(0o755)
        config = self.dir / "ups2000.conf"
        config.write_text(sections + f'nut {{\n\tlisten = {{"127.0.0.1:{self.port}"}}\n}}\n')
        self.socket = str(self.dir / "socket")
        self.spawn(self.binary, "--config", str(config), "--state-dir", str(self.dir / "state"),
                   "--runtime-dir", str(self.dir / "run"), "--socket", self.socket, "--http", "none")
        self.wait_for("its local socket", lambda: pathlib.Path(self.socket).exists())

    def get(self, path):
        connection = http.client.HTTPConnection("local")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(self.socket)
        try:
            connection.request("GET", "/api/v1" + path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def ages(self):
        return [ups["status"]["age_s"] for ups in self.get("/ups")["ups"]
                if ups["availability"] == "fresh" and ups["status"]["age_s"] is not None]

    def rounds(self, names):
        """Mean of measured and predicted round of the status, in ms."""
        lines = [self.get(f"/ups/{name}")["line"] for name in names]
        return [sum(line[key] for line in lines) / len(lines)
                for key in ("status_round_ms", "status_round_predicted_ms")]


@contextlib.contextmanager
def simulator(lines, units, *options):
    base = free_row(lines)
    binary = pathlib.Path(Ours.binary).with_name("ups2000-sim")
    process = subprocess.Popen([str(binary), "--tcp", str(base), "--lines", str(lines),
                                "--units", str(units), *options], stdout=subprocess.PIPE, text=True)
    try:
        if not process.stdout.readline():
            raise BenchError("ups2000-sim ended at once")
        yield base, process.pid
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def section(name, port, unit_id=1):
    return f'ups "{name}" {{\n\tport = "tcp://127.0.0.1:{port}"\n\tunit-id = {unit_id}\n}}\n'


def measure(bench, lines, units, settle_s, seconds):
    """Figures of one daemon while all its UPSes are read."""
    with simulator(lines, units) as (base, sim_pid):
        names = [f"u{i}-{k}" for i in range(lines) for k in range(1, units + 1)]
        daemon = Many("", pathlib.Path(bench.directory) / f"scale-{lines}-{units}")
        try:
            daemon.start("".join(section(f"u{i}-{k}", base + i, k)
                                 for i in range(lines) for k in range(1, units + 1)))
            daemon.wait_for(f"{len(names)} fresh values", lambda: len(daemon.ages()) == len(names), 120)
            time.sleep(settle_s)
            pid = daemon.processes[0].pid
            cpu, _ = usage(pid)
            sim_cpu, _ = usage(sim_pid)
            start, ages = time.monotonic(), []
            while time.monotonic() - start < seconds:
                time.sleep(seconds / 4)
            took = time.monotonic() - start
            cpu_end, rss = usage(pid)
            sim_cpu_end, _ = usage(sim_pid)
            ages = daemon.ages()
            measured, predicted = daemon.rounds(names[::max(1, len(names) // 20)])
            return {"ups": len(names), "cpu percent": 100 * (cpu_end - cpu) / took, "rss MB": rss,
                    "sim cpu percent": 100 * (sim_cpu_end - sim_cpu) / took,
                    "fresh": len(ages), "worst age s": max(ages),
                    "status round ms": measured, "predicted round ms": predicted}
        finally:
            daemon.stop()


def scale(bench):
    rows = []
    for n in COUNTS[::2] if bench.quick else COUNTS:
        bench.say(f"scale: {n} over TCP")
        rows.append(measure(bench, n, 1, 3, 4 if bench.quick else 10))
        row = rows[-1]
        bench.row(f"{n} UPSes over TCP: CPU", "% of a core", {"ours": row["cpu percent"]},
                  100 if n == 1000 else None)
        bench.row(f"{n} UPSes over TCP: memory", "MB", {"ours": row["rss MB"]},
                  100 if n == 1000 else None)
        bench.row(f"{n} UPSes over TCP: oldest status", "s", {"ours": row["worst age s"]},
                  1 if n == 1000 else None)
    if bench.docs:
        charts.write(bench.docs, rows, bench.machine)
    bench.say(f"scale: {UNITS} unit ids on one line")
    row = measure(bench, 1, UNITS, 30, 20)
    rows.append(row)
    bench.row(f"{UNITS} unit ids on a line: status round", "ms", {"ours": row["status round ms"]}, None)
    bench.row(f"{UNITS} unit ids on a line: measured/predicted", "",
              {"ours": row["status round ms"] / row["predicted round ms"]}, 1.2)
    bench.row(f"{UNITS} unit ids on a line: oldest status", "s", {"ours": row["worst age s"]}, 10)
    return rows
