"""A week of reading, faster than it passes: does the memory grow?"""

import signal
import socket
import time

import nut
from scale import Many, section, simulator, usage
from servers import BenchError

LINES = 200
# what one UPS and its clients cause in a week
WEEK = {
    "exchanges": 7 * 86400 * 10,    # a second's worth with the default intervals, at 9600 baud
    "clients": 7 * 86400 // 60,             # that come, ask and go: one a minute
    "replugs": 50,
    "reloads": 20,
}


def exchanges(daemon, names):
    return sum(daemon.get(f"/ups/{name}")["line"]["requests"] for name in names)


def visit(port):
    client = nut.Client(port, 30)
    try:
        client.ask("LIST UPS")
        while not client.read().startswith("END"):
            pass
    finally:
        client.close()


class Load:
    """What has happened so far, and what is to happen so that all kinds keep step."""

    def __init__(self, daemon, sim_control, names):
        self.daemon, self.control, self.names = daemon, sim_control, names
        self.done = dict.fromkeys(WEEK, 0)
        self.before = 0         # exchanges that are not counted

    def command(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.control)
            s.sendall(line.encode() + b"\n")
            s.recv(4096)

    def replug(self):
        self.command("unplug")
        time.sleep(0.05)
        self.command("replug")

    def reload(self):
        self.daemon.processes[0].send_signal(signal.SIGHUP)
        time.sleep(1)           # both configurations are there meanwhile: no sample of that

    def fill(self):
        """What has a bound is filled before the first sample: it is no growth of a week.

        The ring of the last events, by unplugging until it forgets the first; the gaps that the old
        configuration leaves in the heap and the next one takes, and OpenSSL, by reloads.
        """
        for _ in range(50):
            if self.daemon.get("/events?after=0&limit=1")["events"][0]["id"] > 1:
                break
            self.replug()
            time.sleep(0.5)
        else:
            raise BenchError("week: unplugging does not fill the ring of events")
        for _ in range(5):
            self.reload()
        time.sleep(60)          # the page cache of the history, by the time that passes: 42 s
        self.before = exchanges(self.daemon, self.names)

    def keep_step(self):
        """Do the rarer things until they are as far as the exchanges; returns the weeks passed."""
        self.done["exchanges"] = exchanges(self.daemon, self.names) - self.before
        weeks = self.done["exchanges"] / WEEK["exchanges"]
        for kind, do in (("clients", lambda: visit(self.daemon.port)), ("replugs", self.replug),
                         ("reloads", self.reload)):
            while self.done[kind] < weeks * WEEK[kind]:
                do()
                self.done[kind] += 1
        return weeks


def week(bench):
    """Until so many exchanges were made as one UPS takes in a week (quick: in half a day)."""
    until = 1 / 14 if bench.quick else 1.0
    samples = []
    directory = bench.directory / "week"
    control = str(bench.directory / "week-sim.sock")
    with simulator(LINES, 1, "--pace", "off", "--control", control) as (base, _):
        names = [f"u{i}" for i in range(LINES)]
        daemon = Many("", directory)
        try:
            daemon.start("".join(section(name, base + i).replace("}", "\tstatus-interval = 0\n}")
                                 for i, name in enumerate(names)))
            daemon.wait_for("fresh values", lambda: len(daemon.ages()) == LINES, 60)
            load = Load(daemon, control, names)
            load.fill()
            start, weeks, told = time.monotonic(), 0.0, 0
            while weeks < until:
                weeks = load.keep_step()
                if daemon.processes[0].poll() is not None:
                    raise BenchError(f"week: ups2000d ended. Its log ends:\n{daemon.log_tail()}")
                samples.append((weeks, usage(daemon.processes[0].pid)[1]))
                if weeks / until * 10 > told:
                    told = int(weeks / until * 10) + 1
                    bench.say(f"week: {100 * weeks / until:.0f} %, {samples[-1][1]:.2f} MB")
                time.sleep(0.5)
            took = time.monotonic() - start
            daemon.wait_for("fresh values", lambda: len(daemon.ages()) == LINES, 60)
        finally:
            daemon.stop()
    # the first fifth is getting into stride: the allocator finds its sizes
    rest = [(at, mb) for at, mb in samples if at >= until / 5]
    growth = (rest[-1][1] - rest[0][1]) * 1024
    bench.row(f"a week's load in {took:.0f} s: exchanges" if until == 1 else
              f"{until * 7:.1f} days' load in {took:.0f} s: exchanges", "",
              {"ours": load.done["exchanges"]}, None)
    bench.row("memory after it", "MB", {"ours": rest[-1][1]}, None)
    bench.row("memory: growth after the first fifth", "kB", {"ours": growth}, 128)
    return {"weeks": weeks, "took s": took, "done": load.done, "samples": samples,
            "growth kB": growth}
