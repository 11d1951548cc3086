"""A small NUT client, and a watcher that polls variables on an open connection."""

import re
import socket
import threading
import time

LINE = re.compile(r'VAR \S+ (\S+) "((?:[^"\\]|\\.)*)"')


def parse_var(line):
    """(name, value) of a VAR line, else (None, the line): an error is a value too."""
    found = LINE.match(line)
    if not found:
        return None, line
    return found.group(1), re.sub(r"\\(.)", r"\1", found.group(2))


class Client:
    def __init__(self, port, timeout=5):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.sock.makefile("rb")

    def close(self):
        self.lines.close()
        self.sock.close()

    def read(self):
        line = self.lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server closed the connection")
        return line[:-1].decode("latin-1")

    def ask(self, *requests):
        """One line of answer for each request; all are sent in one write."""
        self.sock.sendall("".join(r + "\n" for r in requests).encode())
        return [self.read() for _ in requests]

    def get(self, name):
        return parse_var(self.ask(f"GET VAR ups {name}")[0])[1]

    def list_vars(self):
        """All variables, or {} if there are none at present."""
        first = self.ask("LIST VAR ups")[0]
        values = {}
        while not first.startswith("ERR "):
            line = self.read()
            if line.startswith("END LIST"):
                break
            name, value = parse_var(line)
            values[name] = value
        return values


class Watcher(threading.Thread):
    """
    Asks for some variables every few milliseconds. seen(time, values) is called for each answer,
    in this thread; changes[name] holds (time, value) for each change. Errors ("ERR ...") and
    lost connections ("(no connection)") are values too.
    """

    def __init__(self, port, names, period=0.005, seen=None):
        super().__init__(daemon=True)
        self.port, self.names, self.period, self.seen = port, names, period, seen
        self.changes = {name: [] for name in names}
        self.ending = False
        self.news = threading.Condition()
        self.start()

    def stop(self):
        self.ending = True
        self.join()

    def note(self, when, values):
        with self.news:
            for name, value in zip(self.names, values):
                log = self.changes[name]
                if not log or log[-1][1] != value:
                    log.append((when, value))
                    self.news.notify_all()
        if self.seen:
            self.seen(when, dict(zip(self.names, values)))

    def run(self):
        requests = [f"GET VAR ups {name}" for name in self.names]
        client = None
        while not self.ending:
            begin = time.monotonic()
            try:
                client = client or Client(self.port)
                values = [parse_var(line)[1] for line in client.ask(*requests)]
            except OSError:
                if client:
                    client.close()
                client = None
                values = ["(no connection)"] * len(self.names)
            self.note(time.monotonic(), values)
            time.sleep(max(0, begin + self.period - time.monotonic()))
        if client:
            client.close()

    def last(self, name):
        with self.news:
            return self.changes[name][-1][1] if self.changes[name] else None

    def wait(self, name, accept, since, timeout):
        """When, after since, a value that accept() likes was first seen; None after timeout."""
        end = time.monotonic() + timeout
        with self.news:
            while True:
                log = self.changes[name]
                for i, (when, value) in enumerate(log):
                    until = log[i + 1][0] if i + 1 < len(log) else float("inf")
                    if until > since and accept(value):
                        return max(when, since)
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self.news.wait(left)
