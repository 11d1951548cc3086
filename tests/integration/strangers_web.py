"""Run by test_http_abuse.py inside a network namespace: addresses that are not loopback."""

import base64
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from daemon import Daemon  # noqa: E402
from sim import wait_until  # noqa: E402
from web import Web, read_all  # noqa: E402

HOST, LAN, OTHER, LAN6 = "192.0.2.1", "192.0.2.7", "198.51.100.7", "2001:db8:1::7"
UPS = 'ups "rack" { port = "/dev/null/none" }\n'
USERS = ('user "admin" { password = "openitup" actions = {"SET"} instcmds = {"ALL"} }\n'
         'user "lan" { password = "lanlan" instcmds = {"ALL"} networks = {"192.0.2.0/24"} }\n')


class From(Web):
    """Comes from a chosen address of this host."""

    def __init__(self, port, source, to=HOST, tls=None):
        super().__init__(port, to, tls)
        self.source = source

    def connect(self, timeout=30):
        if self.tls:
            return super().connect(timeout)
        return socket.create_connection((self.address, self.port), timeout, (self.source, 0))


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def daemon(http, more="", listen='{"0.0.0.0:8493", "[::]:8493"}'):
    return Daemon(config=f"{UPS}{USERS}http {{ listen = {listen} {http} }}\n{more}", http=(),
                  args=("--user", "root"))


COMMAND = {"command": "load.off"}
ADMIN = basic("admin", "openitup")


def reading():
    with daemon(""):
        for source in (LAN, OTHER):
            web = From(8493, source)
            assert web.get("/").status == 200
            for target in ("/api/v1/ups", "/metrics", "/readyz", "/api/v1/events"):
                assert web.get(target, Host=HOST).status == 401, target
                assert web.get(target, Host=HOST, Authorization=ADMIN).status in (200, 503)
        assert From(8493, LAN6, LAN6).get("/api/v1/ups").status == 401
        assert From(8493, "127.0.0.1", "127.0.0.1").get("/api/v1/ups").status == 200
        assert From(8493, "::1", "::1").get("/api/v1/ups").status == 200
    with daemon('read-without-login = {"192.0.2.0/24"}'):
        assert From(8493, LAN).get("/api/v1/ups").status == 200
        assert From(8493, OTHER).get("/api/v1/ups").status == 401
        assert From(8493, "127.0.0.1", "127.0.0.1").get("/api/v1/ups").status == 401
        assert From(8493, LAN).post("/api/v1/ups/rack/commands", COMMAND).status == 401


def connect():
    with daemon("", 'access { connect = {"192.0.2.0/24"} }\n') as d:
        assert From(8493, LAN).get("/").status == 200
        assert From(8493, "127.0.0.1", "127.0.0.1").get("/").status == 200
        assert From(8493, OTHER).get("/").status == 403
        with From(8493, LAN).connect() as kept:  # open already when a reload forbids it
            kept.sendall(b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in kept.recv(4096)
            d.reload(d.config.replace("192.0.2.0/24", "198.51.100.0/24"))
            kept.sendall(b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b" 403 " in read_all(kept)


def users():
    confined = 'access { instcmd = {"192.0.2.0/24"} login = {"192.0.2.0/24", "198.51.100.0/24"} }\n'
    with daemon("failed-logins = 0", confined):
        lan, other = From(8493, LAN), From(8493, OTHER)
        assert lan.get("/api/v1/ups", Authorization=basic("lan", "lanlan")).status == 200
        assert other.get("/api/v1/ups", Authorization=basic("lan", "lanlan")).status == 401
        assert lan.post("/api/v1/ups/rack/commands", COMMAND, Authorization=ADMIN).status != 403
        assert other.post("/api/v1/ups/rack/commands", COMMAND, Authorization=ADMIN).status == 403
        # a session does not travel
        answer = lan.post("/api/v1/session", {"user": "lan", "password": "lanlan"})
        cookie = answer.headers["set-cookie"].split(";")[0]
        assert lan.get("/api/v1/ups", Cookie=cookie).status == 200
        assert other.get("/api/v1/ups", Cookie=cookie).status == 401


def per_address():
    with daemon("connections-per-address = 3 failed-logins = 4"):
        held = [From(8493, LAN).connect() for _ in range(3)]
        for sock in held:
            sock.sendall(b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in sock.recv(4096)
        assert From(8493, LAN).get("/").status == 429
        assert From(8493, OTHER).get("/").status == 200
        many = [From(8493, "127.0.0.1", "127.0.0.1").connect() for _ in range(20)]
        assert From(8493, "127.0.0.1", "127.0.0.1").get("/").status == 200
        for sock in held + many:
            sock.close()
        wait_until(lambda: From(8493, LAN).get("/").status == 200, 30)
        # guesses: four, then none is looked at, while others may
        wrong = [From(8493, OTHER).get("/api/v1/ups", Authorization=basic("admin", f"x{n}")).status for n in range(8)]
        assert wrong[:4] == [401] * 4 and 429 in wrong
        assert From(8493, OTHER).get("/api/v1/ups", Authorization=ADMIN).status == 429
        assert From(8493, LAN).get("/api/v1/ups", Authorization=ADMIN).status == 200


def https():
    with daemon('names = {"ups.example.org"}', listen='{"https://*:8493"}') as d:
        wait_until(lambda: b"HTTP" in tls_hello(), 30)
        web = From(8493, LAN, tls=str(d.directory / "state" / "tls-cert.pem"))
        assert web.get("/api/v1/ups").status == 401
        assert web.get("/api/v1/ups", Authorization=ADMIN).status == 200
        assert web.get("/api/v1/ups", Host="ups.example.org:8493", Authorization=ADMIN).status == 200
        assert web.get("/api/v1/ups", Host="evil.example", Authorization=ADMIN).status == 421
        assert "in clear" not in d.log()


def tls_hello():
    try:
        return Web(8493, HOST, tls=True).raw(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
    except OSError:
        return b""


def ip(*args):
    subprocess.run(["ip", *args], check=True)


ip("link", "set", "lo", "up")
for address in (HOST, LAN, OTHER):
    ip("addr", "add", f"{address}/32", "dev", "lo")
ip("-6", "addr", "add", f"{LAN6}/128", "dev", "lo", "nodad")
{"reading": reading, "connect": connect, "users": users, "per_address": per_address, "https": https}[sys.argv[1]]()
