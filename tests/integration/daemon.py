"""Starts ups2000d for tests."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from nut import Nut
from sim import bin_dir, wait_until


class Daemon:
    """One ups2000d with its own directories, NUT on a free port of loopback, HTTP where http says.

    Give a port (`--port`) or the text of a configuration file. As a context manager it is ended by
    its process id.
    """

    def __init__(self, port=None, config=None, args=(), env=None, listen=("127.0.0.1:0",),
                 http=("none",)):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ups2000d-"))
        self.directory.chmod(0o755)
        self.config_path = self.directory / "ups2000.conf"
        self.runtime_dir = self.directory / "run"
        self.socket = self.runtime_dir / "ups2000.sock"
        self.log_path = self.directory / "log"
        self.config = config
        self.port = port
        self.args = [str(a) for a in args]
        self.listen = listen
        self.http = http
        self.env = {**os.environ, **(env or {})}
        self.process = None

    def command(self):
        source = ["--port", self.port] if self.port else ["--config", str(self.config_path)]
        listen = [word for where in self.listen for word in ("--listen", where)]
        return [
            str(bin_dir() / "ups2000d"),
            *source,
            *listen,
            *(word for where in self.http for word in ("--http", where)),
            "--runtime-dir",
            str(self.runtime_dir),
            "--state-dir",
            str(self.directory / "state"),
            "--log-target",
            "stderr",
            *self.args,
        ]

    def write_config(self, text, mode=0o600):
        self.config_path.write_text(text)
        self.config_path.chmod(mode)

    def launch(self):
        """Start the process without waiting for anything."""
        if self.config is not None:
            self.write_config(self.config)
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(self.command(), stderr=log, env=self.env)
        return self

    def start(self):
        self.launch()
        wait_until(lambda: " is ready" in self.log() or self.process.poll() is not None, 20)
        assert self.process.poll() is None, self.log()
        return self

    def log(self):
        return self.log_path.read_text(errors="replace")

    def nut_ports(self):
        return [int(n) for n in re.findall(r"NUT clients are served on \S+:(\d+)", self.log())]

    def http_ports(self):
        return [int(n) for n in re.findall(r"the page and the API are at https?://\S+:(\d+)/", self.log())]

    def nut(self):
        return Nut(self.nut_ports()[0])

    def api(self, path, body=None):
        """A request to the local API; the answer's JSON. body: a dict to POST."""
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.socket))
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(
            "GET" if body is None else "POST", f"/api/v1/{path}",
            None if body is None else json.dumps(body), headers,
        )  # fmt: skip
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def reload(self, text=None):
        """SIGHUP, with another configuration if given; waits until it was read."""
        done = r"configuration (read again|is not good)|the configuration is not good"
        before = len(re.findall(done, self.log()))
        if text is not None:
            self.write_config(text)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(re.findall(done, self.log())) > before, 20, "the reload")

    def stop(self, how=signal.SIGTERM):
        """End it by its id; returns the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
