"""HTTP for tests: requests as one writes them, answers taken apart, nothing hidden."""

import json
import socket
import ssl


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.raw = raw
        self.status = int(lines[0].split()[1]) if lines[0] else None
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        if self.headers.get("transfer-encoding") == "chunked":
            self.body = unchunk(self.body)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"


def unchunk(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size, 16)
        out += data[:n]
        data = data[n + 2:]
    return out


class Web:
    """Talks to one port of this host."""

    def __init__(self, port, address="127.0.0.1", tls=None):
        self.port = port
        self.address = address
        self.tls = tls

    def connect(self, timeout=30):
        sock = socket.create_connection((self.address, self.port), timeout)
        if not self.tls:
            return sock
        context = ssl.create_default_context(cafile=self.tls if isinstance(self.tls, str) else None)
        context.check_hostname = False
        if self.tls is True:
            context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(sock)

    def raw(self, data, timeout=30):
        """Send bytes, read until the other side closes."""
        with self.connect(timeout) as sock:
            try:
                sock.sendall(data)
            except OSError:
                pass  # told off while we spoke
            return read_all(sock)

    def request(self, method, target, headers=None, body=None):
        head = {"Host": f"localhost:{self.port}", "Connection": "close"}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            head["Content-Type"] = "application/json"
        if body is not None:
            head["Content-Length"] = str(len(body))
        for name, value in (headers or {}).items():
            if value is None:
                head.pop(name, None)
            else:
                head[name] = value
        text = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in head.items())
        return Answer(self.raw(text.encode("latin-1") + b"\r\n" + (body or b"")))

    def get(self, target, **headers):
        return self.request("GET", target, {k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, target, body, **headers):
        return self.request("POST", target, {k.replace("_", "-"): v for k, v in headers.items()}, body)


def read_all(sock):
    data = b""
    while True:
        try:
            more = sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            return data
        if not more:
            return data
        data += more
