"""A private installation of Debian's NUT: directories, ups.conf, upsd on a free port."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from nut import Nut, NutError
from sim import bin_dir, wait_until

STOCK_DRIVERS = pathlib.Path("/lib/nut")
UPSD = STOCK_DRIVERS / "upsd"
UPSDRVCTL = "/sbin/upsdrvctl"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Site:
    """Directories for one upsd and its drivers. `driver` is the path of the driver's program."""

    def __init__(self, section, driver=None, top=""):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="nut-site-"))
        self.directory.chmod(0o755)
        self.etc = self.directory / "etc"
        self.run = self.directory / "run"
        self.drivers = self.directory / "drivers"
        for d in (self.etc, self.run, self.drivers):
            d.mkdir()
        self.run.chmod(0o770)
        self.driver = self.drivers / "ups2000"
        shutil.copy(bin_dir() / "ups2000-nut", self.driver)
        self.driver_dir = driver or self.drivers
        self.port = free_port()
        self.top = top
        self.write(section)
        (self.etc / "upsd.conf").write_text(
            f"LISTEN 127.0.0.1 {self.port}\nSTATEPATH {self.run}\nMAXAGE 15\n"
        )
        (self.etc / "upsd.users").write_text(
            "[admin]\n\tpassword = secret\n\tactions = SET\n\tactions = FSD\n\tinstcmds = ALL\n"
            "[mon]\n\tpassword = secret\n\tupsmon primary\n"
        )
        self.env = {
            **os.environ,
            "NUT_CONFPATH": str(self.etc),
            "NUT_STATEPATH": str(self.run),
            "NUT_ALTPIDPATH": str(self.run),
            "NUT_PIDPATH": str(self.run),
        }
        self.upsd_process = None
        self.others = []

    def write(self, section, top=None):
        """ups.conf, with driverpath and what a test wants globally."""
        text = f"driverpath = {self.driver_dir}\nmaxretry = 1\n{top or self.top}\n{section}\n"
        (self.etc / "ups.conf").write_text(text)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for process in self.others:
            self.end(process)
        self.stop_upsd()
        for file in self.run.glob("*.pid"):
            pid = self.pid(file.stem)
            if pid and self.exe(pid).startswith((str(self.directory), "ups2000", "huawei")):
                self.kill(pid)
        shutil.rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def exe(pid):
        try:
            return os.readlink(f"/proc/{pid}/exe").replace("/usr/lib/nut/", "")
        except OSError:
            return ""

    def kill(self, pid, how=signal.SIGTERM):
        try:
            os.kill(pid, how)
            wait_until(lambda: not self.exe(pid), 15, "the driver's end")
        except ProcessLookupError:
            pass

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # --- programs ---

    def call(self, *command, timeout=120, env=None):
        return subprocess.run(
            [str(c) for c in command],
            env={**self.env, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            cwd="/",
        )

    def upsdrvctl(self, *args, **how):
        return self.call(UPSDRVCTL, "-u", "root", *args, **how)

    def start_driver(self):
        done = self.upsdrvctl("start")
        assert done.returncode == 0, done.stdout
        return done.stdout

    def run_driver(self, *args, **how):
        """The program itself, to its end."""
        return self.call(self.driver, "-u", "root", *args, **how)

    def spawn_driver(self, *args, env=None):
        """The program in the foreground."""
        process = subprocess.Popen(
            [str(self.driver), "-u", "root", *args],
            env={**self.env, **(env or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.others.append(process)
        return process

    def start_upsd(self):
        with open(self.directory / "upsd.log", "a") as log:
            self.upsd_process = subprocess.Popen(
                [str(UPSD), "-F", "-u", "root"], env=self.env, stdout=log, stderr=log
            )
        wait_until(self.listening, 20, "upsd")

    def listening(self):
        try:
            self.client().close()
            return True
        except OSError:
            return False

    def stop_upsd(self):
        if self.upsd_process:
            self.end(self.upsd_process)
            self.upsd_process = None

    def client(self):
        return Nut(self.port)

    def get(self, var, ups="ups"):
        """A variable by a fresh connection, or the error word."""
        try:
            with self.client() as nut:
                return nut.try_get(var, ups)
        except OSError as error:
            return str(error)

    def vars(self, ups="ups"):
        try:
            with self.client() as nut:
                return nut.vars(ups)
        except (OSError, AssertionError, NutError):
            return {}

    def address(self, ups="ups"):
        return f"{ups}@127.0.0.1:{self.port}"

    def upscmd(self, *args):
        return self.call("upscmd", "-w", "-u", "admin", "-p", "secret", self.address(), *args)

    def upsrw(self, assignment):
        return self.call(
            "upsrw", "-w", "-s", assignment, "-u", "admin", "-p", "secret", self.address()
        )

    # --- files ---

    def pid(self, name):
        try:
            return int((self.run / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return 0

    def socket_path(self, name="ups2000-ups"):
        return self.run / name

    def peer(self, name="ups2000-ups"):
        return Peer(self.run / name)

    def answers(self, name="ups2000-ups"):
        try:
            self.peer(name).close()
            return True
        except OSError:
            return False


class Peer:
    """A raw connection to a driver's socket, as upsd's."""

    def __init__(self, path, timeout=30.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.buffer = b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, text):
        self.socket.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def line(self):
        """The next line, None at the end."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode("latin-1")

    def until(self, last):
        """All lines up to the one that equals (or, for a callable, satisfies) last."""
        lines = []
        while True:
            line = self.line()
            assert line is not None, f"closed after {lines}"
            lines.append(line)
            if last(line) if callable(last) else line == last:
                return lines

    def ask(self, line):
        """One line whose answer is one line; pushes before it are skipped."""
        self.send(line + "\n")
        pushes = ("SETINFO", "DELINFO", "ADD", "DATA", "SETFLAGS", "SETAUX")
        return self.until(lambda got: not got.startswith(pushes))[-1]

    def dump(self):
        self.send("DUMPALL\n")
        return self.until("DUMPDONE")

    def tracked(self, line, tracking="0f0e-1"):
        """A command or setting; its code."""
        self.send(f"{line} TRACKING {tracking}\n")
        return int(self.until(lambda got: got.startswith(f"TRACKING {tracking} "))[-1].split()[2])
