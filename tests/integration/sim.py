"""Starts ups2000-sim for tests and talks to its control socket."""

import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def bin_dir():
    """Where the programs are: $UPS2000_BIN, else build/bin of this tree."""
    default = pathlib.Path(__file__).resolve().parents[2] / "build" / "bin"
    return pathlib.Path(os.environ.get("UPS2000_BIN", default))


def wait_until(condition, timeout=10.0, what="the condition"):
    """Wait for condition() to be true and return its value; fail after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(0.01)


def need_ipv6():
    """Skip the test on a machine without ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        import pytest   # the bench uses this file without it

        pytest.skip(f"no IPv6 loopback here: {error}")


class Sim:
    """One simulated UPS2000.

    Sim("--rating", "3", "--dialect", "pair-only") as a context manager. `port` is the link to its
    pseudo-terminal (it stays the same over unplug and replug), cmd() gives a command to it.
    """

    prefix = ()  # of the command line

    def __init__(self, *args, directory=None):
        self._own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="ups2000-sim-"))
        self.port = str(self.directory / "ups")
        self.control = str(self.directory / "sim.sock")
        self.args = [str(a) for a in args]
        self.process = None
        self._socket = None
        self._buffer = b""

    def start(self):
        self.process = subprocess.Popen(
            [*self.prefix, str(bin_dir() / "ups2000-sim"), "--link", self.port, "--control", self.control]
            + self.args,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if not select.select([self.process.stdout], [], [], 20)[0]:
            self.stop()
            raise RuntimeError("ups2000-sim did not say that it is ready")
        self.first_line = self.process.stdout.readline()
        if not self.first_line:
            _, err = self.process.communicate()
            raise RuntimeError(f"ups2000-sim ended at once: {err.strip()}")
        return self

    def stop(self):
        """End it, by its process id. Returns its exit status."""
        if self._socket:
            self._socket.close()
            self._socket = None
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.process.stdout.close()
            self.process.stderr.close()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def connect(self):
        """A new connection to the control socket."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(10)
        s.connect(self.control)
        return s

    def ask(self, line):
        """One command, the whole reply line ("ok ..." or "error: ...")."""
        if not self._socket:
            self._socket = self.connect()
            self._buffer = b""
        self._socket.sendall(line.encode() + b"\n")
        while b"\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                raise RuntimeError(f"ups2000-sim closed the control socket after {line!r}")
            self._buffer += data
        reply, self._buffer = self._buffer.split(b"\n", 1)
        return reply.decode()

    def cmd(self, line):
        """One command that must succeed; what it says after "ok"."""
        reply = self.ask(line)
        if reply != "ok" and not reply.startswith("ok "):
            raise RuntimeError(f"{line!r}: {reply}")
        return reply[3:]

    def get(self):
        """The state, as a dict."""
        return json.loads(self.cmd("get"))

    def log(self):
        """The last 100 requests, oldest first, as dicts."""
        return json.loads(self.cmd("log"))

    def writes(self):
        """The register writes seen, oldest first, as dicts."""
        return json.loads(self.cmd("writes"))

    def reg(self, base, value=None):
        """What a register reads (int), or force it."""
        if value is None:
            return int(self.cmd(f"reg {base}").split()[0])
        return self.cmd(f"reg {base} {value}")

    def wait(self, condition, timeout=10.0):
        """Wait until condition(get()) holds; returns that state."""

        def check():
            state = self.get()
            return state if condition(state) else None

        return wait_until(check, timeout, "the simulator's state")
