"""The two servers under measurement: stock upsd with its driver, and ups2000d."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

STOCK_UPSD = "/lib/nut/upsd"
STOCK_DRIVER = "/lib/nut/huawei-ups2000"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class BenchError(Exception):
    """Nothing can be measured; the text says why."""


class Server:
    """Programs that serve one UPS named ups on a loopback port."""

    def __init__(self, tty, directory):
        self.tty = tty
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        self.port = free_port()
        self.processes = []

    def spawn(self, *command, **environment):
        log = open(self.dir / "log", "ab")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env={**os.environ, **environment})
        self.processes.append(process)
        return process

    def wait_for(self, what, condition, timeout=30):
        end = time.monotonic() + timeout
        while not condition():
            dead = [p.args[0] for p in self.processes if p.poll() is not None]
            if dead or time.monotonic() > end:
                why = f"{dead[0]} ended" if dead else f"not within {timeout} s"
                raise BenchError(f"{self.name}: {what}: {why}. Its log ends:\n{self.log_tail()}")
            time.sleep(0.002)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def log_tail(self):
        return "\n".join((self.dir / "log").read_text(errors="replace").splitlines()[-15:])


class Stock(Server):
    name = "stock"

    @staticmethod
    def missing():
        for path in (STOCK_UPSD, STOCK_DRIVER):
            if not os.access(path, os.X_OK):
                return f"{path} is not installed (Debian: nut-server, nut-modbus)"
        return None

    @staticmethod
    def version():
        out = subprocess.run([STOCK_UPSD, "-V"], capture_output=True, text=True)
        return (out.stdout + out.stderr).strip().splitlines()[0]

    def start(self):
        self.dir.chmod(0o755)
        (self.dir / "ups.conf").write_text(
            f'[ups]\n\tdriver = huawei-ups2000\n\tport = "{self.tty}"\n')
        (self.dir / "upsd.conf").write_text(f"LISTEN 127.0.0.1 {self.port}\n")
        (self.dir / "upsd.users").write_text("")
        where = {key: str(self.dir) for key in
                 ("NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH")}
        self.spawn(STOCK_DRIVER, "-a", "ups", "-F", "-u", "root", **where)
        sock = self.dir / "huawei-ups2000-ups"
        # as upsdrvctl does: upsd is started when the driver has its socket
        self.wait_for("the driver's socket", sock.exists)
        self.spawn(STOCK_UPSD, "-F", "-u", "root", **where)


class Ours(Server):
    name = "ours"
    binary = None
    status_interval = None      # ms

    @classmethod
    def missing(cls):
        if not os.access(cls.binary, os.X_OK):
            return f"{cls.binary} is not built (./dev build)"
        return None

    @classmethod
    def version(cls):
        out = subprocess.run([cls.binary, "--version"], capture_output=True, text=True)
        return (out.stdout + out.stderr).strip().splitlines()[0]

    def start(self):
        self.dir.chmod(0o755)
        config = self.dir / "ups2000.conf"
        extra = "" if self.status_interval is None else \
            f"\tstatus-interval = {self.status_interval}\n"
        config.write_text(f'ups "ups" {{\n\tport = "{self.tty}"\n{extra}}}\n'
                          f'nut {{\n\tlisten = {{"127.0.0.1:{self.port}"}}\n}}\n')
        for name in ("state", "run"):
            (self.dir / name).mkdir(exist_ok=True)
        self.spawn(self.binary, "--config", str(config), "--state-dir", str(self.dir / "state"),
                   "--runtime-dir", str(self.dir / "run"), "--socket",
                   str(self.dir / "run" / "socket"), "--user", "root")


def compile_program(name, directory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise BenchError("a C compiler is needed for the load generators (Debian: gcc)")
    out = pathlib.Path(directory) / name
    source = pathlib.Path(__file__).with_name(f"{name}.c")
    subprocess.run([compiler, "-O2", "-std=c11", "-D_GNU_SOURCE", str(source), "-o", str(out)],
                   check=True)
    return str(out)
