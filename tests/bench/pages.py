"""HTTP: scrapes per second, and what a thousand open pages cost. Only ours: stock has nothing alike."""

import calendar
import json
import os
import pathlib
import resource
import select
import socket
import subprocess
import threading
import time

from servers import BenchError, Ours, free_port
from sim import Sim

CLOCK_TICK = os.sysconf("SC_CLK_TCK")
REQUEST = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r"


class Site(Ours):
    """ups2000d that serves HTTP too, on three units of one simulated line."""

    def start(self):
        self.http = free_port()
        self.dir.chmod(0o755)
        config = self.dir / "ups2000.conf"
        config.write_text(f'ups "ups" {{ port = "{self.tty}" unit-id = 1 }}\n'
                          f'ups "two" {{ port = "{self.tty}" unit-id = 2 }}\n'
                          f'ups "three" {{ port = "{self.tty}" unit-id = 3 }}\n'
                          f'nut {{ listen = {{"127.0.0.1:{self.port}"}} }}\n'
                          f'http {{ listen = {{"127.0.0.1:{self.http}"}} }}\n')
        for name in ("state", "run"):
            (self.dir / name).mkdir(exist_ok=True)
        self.spawn(self.binary, "--config", str(config), "--state-dir", str(self.dir / "state"),
                   "--runtime-dir", str(self.dir / "run"), "--user", "root")
        self.wait_for("fresh data", lambda: b" 200 " in self.ask("/readyz"))

    def ask(self, path):
        try:
            with socket.create_connection(("127.0.0.1", self.http), 5) as sock:
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                return sock.recv(65536)
        except OSError:
            return b""

    def pid(self):
        return self.processes[0].pid

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.pid()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICK

    def rss(self):
        for line in pathlib.Path(f"/proc/{self.pid()}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise BenchError("no Rss")


class Pages(threading.Thread):
    """Many clients of the live stream. Counts messages; notes when the outage came to each."""

    def __init__(self, port, n, of=""):
        super().__init__(daemon=True)
        self.poll = select.epoll()
        self.socks = {}
        for _ in range(n):
            sock = socket.create_connection(("127.0.0.1", port), 30)
            sock.sendall(f"GET /api/v1/events{of} HTTP/1.1\r\nHost: localhost\r\n"
                         "Accept: text/event-stream\r\n\r\n".encode())
            self.socks[sock.fileno()] = sock
            self.poll.register(sock.fileno(), select.EPOLLIN)
        self.messages = self.lost = 0
        self.outages = []                 # seconds from the event's time to its arrival
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            for fd, _ in self.poll.poll(0.2):
                data = self.socks[fd].recv(262144)
                now = time.time()
                if not data:
                    self.lost += 1
                    self.poll.unregister(fd)
                self.messages += data.count(b"\ndata: ")
                if b'"kind":"on-battery"' in data:
                    self.outages.append(now - when(data))

    def stop(self):
        self.ending.set()
        self.join()
        for sock in self.socks.values():
            sock.close()


def when(data):
    """The time of the on-battery event among the messages, Unix seconds."""
    line = next(part for part in data.split(b"\n") if b'"kind":"on-battery"' in part)
    text = json.loads(line[len(b"data: "):])["time"]
    day, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(day, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def percentile(values, share):
    values = sorted(values)
    return values[max(0, -(-len(values) * share // 100) - 1)] if values else None


def scrapes(bench, site):
    seconds = 1 if bench.quick else 5
    out = subprocess.run([bench.loadgen, str(site.http), "8", "1", str(seconds), "HTTP/1.1 200", REQUEST],
                         check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def outage_latency(site, sim, clients, rounds):
    """From the event's time to each of so many clients."""
    pages = Pages(site.http, clients, "?ups=ups")
    pages.start()
    time.sleep(2)
    for n in range(rounds):
        sim.cmd("mains off")
        end = time.monotonic() + 30
        while len(pages.outages) < clients * (n + 1) and time.monotonic() < end:
            time.sleep(0.05)
        sim.cmd("mains on")
        time.sleep(3)
    pages.stop()
    return pages.outages


def pages(bench):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 8192), limit[1]))
    seconds = 5 if bench.quick else 20
    with Sim("--seed", bench.seed, "--rating", 3, "--load", 20, "--units", 3, "--pace", "off") as sim:
        site = Site(sim.port, bench.directory / "pages")
        try:
            site.start()
            time.sleep(3)
            found = {"rss": site.rss()}
            found["scrapes"] = scrapes(bench, site)
            found["rss after scrapes"] = site.rss()
            found["outage, one client"] = outage_latency(site, sim, 1, 3 if bench.quick else 10)
            crowd = Pages(site.http, 1000)
            crowd.start()
            time.sleep(3)
            cpu, messages = site.cpu(), crowd.messages
            time.sleep(seconds)
            cpu, messages = site.cpu() - cpu, crowd.messages - messages
            found |= {"clients' rss": site.rss(), "cpu": cpu / seconds, "lost": crowd.lost,
                      "messages": messages / seconds / 1000}
            crowd.stop()
            found["outage, 1000 clients"] = outage_latency(site, sim, 1000, 1 if bench.quick else 3)
        finally:
            site.stop()
    if found["lost"] or found["scrapes"]["errors"]:
        raise BenchError(f"pages: {found}")
    row = bench.row
    row("daemon with HTTP, three UPSes (Rss)", "MB", {"ours": found["rss"] / 1e6}, 12.0)
    row("/metrics, 8 connections", "/s", {"ours": found["scrapes"]["per_second"]}, 5000, more_is_better=True)
    row("/metrics, 99 % within", "ms", {"ours": found["scrapes"]["p99_ms"]}, 5.0)
    row("outage known to a page told, median", "ms",
        {"ours": 1e3 * percentile(found["outage, one client"], 50)}, 20.0)
    row("outage known to a page told, max", "ms", {"ours": 1e3 * max(found["outage, one client"])}, 20.0)
    row("1000 pages: messages to each", "/s", {"ours": found["messages"]}, 5.0, more_is_better=True)
    row("1000 pages: CPU", "of a core", {"ours": found["cpu"]}, 0.5)
    row("1000 pages: memory (Rss)", "MB", {"ours": found["clients' rss"] / 1e6}, 40.0)
    row("1000 pages: outage known to all told, max", "ms", {"ours": 1e3 * max(found["outage, 1000 clients"])}, None)
    return found
