"""A small raw client of the NUT network protocol."""

import contextlib
import os
import shlex
import socket
import ssl


class NutError(Exception):
    """The server answered ERR; str() is the word behind it."""


class Nut:
    def __init__(self, port, host="127.0.0.1", timeout=10.0, source=None):
        """source: the address of this host to come from."""
        source = (source, 0) if source else None
        self.socket = socket.create_connection((host, port), timeout, source)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def line(self):
        """The next line; None when the server has closed the connection."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def cmd(self, line):
        """One request with a one-line answer; raises NutError for ERR."""
        self.send(line)
        reply = self.line()
        if reply is not None and reply.startswith("ERR "):
            raise NutError(reply[4:])
        return reply

    def starttls(self, ca, name="localhost", version=None):
        """Go on in TLS, trusting the certificate in the file ca; returns the connection's ssl side."""
        assert self.cmd("STARTTLS") == "OK STARTTLS"
        assert self.buffer == b""
        context = ssl.create_default_context(cafile=str(ca))
        if version:
            context.minimum_version = context.maximum_version = version
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        return self.socket

    def get(self, var, ups="ups"):
        """The value of a variable; raises NutError."""
        return shlex.split(self.cmd(f"GET VAR {ups} {var}"))[3]

    def try_get(self, var, ups="ups"):
        """The value, or the error word."""
        try:
            return self.get(var, ups)
        except NutError as error:
            return str(error)

    def list(self, what):
        """LIST what: the lines as lists of words, without BEGIN and END."""
        first = self.cmd(f"LIST {what}")
        assert first.startswith("BEGIN LIST"), first
        rows = []
        while True:
            line = self.line()
            if line.startswith("END LIST"):
                return rows
            rows.append(shlex.split(line))

    def vars(self, ups="ups"):
        return {row[2]: row[3] for row in self.list(f"VAR {ups}")}

    def login(self, user, password, ups="ups"):
        self.cmd(f"USERNAME {user}")
        self.cmd(f"PASSWORD {password}")
        return self.cmd(f"LOGIN {ups}")


UPSMON_PID = "/run/nut/upsmon.pid"


def upsmon_runs():
    """Is there an upsmon, which would keep another from starting? A dead one's file is removed:
    where nobody reaps its process, upsmon takes it for alive."""
    try:
        with open(UPSMON_PID) as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/stat") as file:
            if file.read().rsplit(")", 1)[1].split()[0] != "Z":
                return True
    except (OSError, ValueError):
        pass
    with contextlib.suppress(OSError):
        os.unlink(UPSMON_PID)
    return False
