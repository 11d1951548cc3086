"""Run by test_strangers.py inside a network namespace: addresses that are not loopback.

The server (nut_fixture) listens on all of this namespace's addresses; a client chooses which of
them it comes from.
"""

import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from nut import Nut, NutError  # noqa: E402

LAN, OTHER, LAN6, OTHER6 = "192.0.2.7", "198.51.100.7", "2001:db8:1::7", "2001:db8:2::7"
SAME64 = "2001:db8:1::8"


class Fixture:
    def __init__(self, *args):
        self.ca = tempfile.mkdtemp()
        self.process = subprocess.Popen(
            [os.environ["NUT_FIXTURE"], "--listen", "0.0.0.0:3493", "--listen", "[::]:3493",
             "--tls", self.ca, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline().startswith("PORT ")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        self.process.stdout.close()
        for name in os.listdir(self.ca):
            os.unlink(os.path.join(self.ca, name))
        os.rmdir(self.ca)

    def nut(self, source):
        return Nut(3493, host=source, source=source)


def answer(nut, request):
    try:
        return nut.cmd(request)
    except NutError as error:
        return str(error)


def as_user(nut, user, password):
    assert answer(nut, f"USERNAME {user}") == "OK"
    assert answer(nut, f"PASSWORD {password}") == "OK"


def confined(option, user, password, request, good):
    """One request, confined to LAN and LAN6's network: who may, and that reading stays free."""
    for network, may, not_ in (("192.0.2.0/24", LAN, OTHER), ("2001:db8:1::/48", LAN6, OTHER6),
                               ("192.0.2.7", LAN, LAN6)):
        with Fixture(option, network) as server:
            for source, expected in ((may, good), ("127.0.0.1", good), ("::1", good),
                                     (not_, "ACCESS-DENIED")):
                with server.nut(source) as nut:
                    assert answer(nut, "GET VAR dummy ups.status").startswith("VAR")
                    as_user(nut, user, password)
                    assert answer(nut, request) == expected, (network, source)


def connect():
    with Fixture("--connect", "192.0.2.0/24", "--connect", "2001:db8:1::/64") as server:
        for source in (LAN, LAN6, "127.0.0.1", "::1"):
            with server.nut(source) as nut:
                assert answer(nut, "NETVER") == "1.3", source
        for source in (OTHER, OTHER6):
            with server.nut(source) as nut:
                assert answer(nut, "NETVER") == "ACCESS-DENIED"
                assert nut.line() is None


def login():
    confined("--login", "mon", "monpass", "LOGIN dummy", "OK")
    with Fixture("--login", "192.0.2.0/24") as server, server.nut(OTHER) as nut:
        as_user(nut, "mon", "monpass")
        assert answer(nut, "PRIMARY dummy") == "ACCESS-DENIED"
        assert answer(nut, "GET NUMLOGINS dummy") == "NUMLOGINS dummy 0"


def set_():
    confined("--set", "admin", "secret", 'SET VAR dummy ups.id "x"', "OK")


def instcmd():
    confined("--instcmd", "admin", "secret", "INSTCMD dummy load.off", "OK")


def fsd():
    confined("--fsd", "admin", "secret", "FSD dummy", "OK FSD-SET")


def require_tls():
    with Fixture("--require-tls", "remote") as server:
        ca = os.path.join(server.ca, "tls-cert.pem")
        for source in (LAN, OTHER6):
            with server.nut(source) as nut:
                assert answer(nut, "GET VAR dummy ups.status") == "TLS-NOT-ENABLED"
                assert answer(nut, "USERNAME mon") == "TLS-NOT-ENABLED"
                nut.starttls(ca)
                assert answer(nut, "GET VAR dummy ups.status").startswith("VAR")
        for source in ("127.0.0.1", "::1"):
            with server.nut(source) as nut:
                assert answer(nut, "GET VAR dummy ups.status").startswith("VAR")


def per_address():
    with Fixture("--per-address", "3") as server:
        for source, more in ((LAN, OTHER), (LAN6, OTHER6)):
            clients = [server.nut(source) for _ in range(3)]
            assert [answer(c, "NETVER") for c in clients] == ["1.3"] * 3
            with server.nut(source) as nut:
                assert answer(nut, "NETVER") == "ACCESS-DENIED"
            with server.nut(more) as nut:
                assert answer(nut, "NETVER") == "1.3"
            if source == LAN6:  # one host has a whole /64 to choose from
                with server.nut(SAME64) as nut:
                    assert answer(nut, "NETVER") == "ACCESS-DENIED"
            clients.pop().close()
            deadline = time.monotonic() + 10
            while True:
                with server.nut(source) as nut:
                    if answer(nut, "NETVER") == "1.3":
                        break
                assert time.monotonic() < deadline
            for c in clients:
                c.close()
        clients = [server.nut("127.0.0.1") for _ in range(50)]
        assert all(answer(c, "NETVER") == "1.3" for c in clients)
        for c in clients:
            c.close()


def failed_logins():
    def attempt(server, source, user, password):
        with server.nut(source) as nut:
            as_user(nut, user, password)
            return answer(nut, "LOGIN dummy")

    with Fixture("--failed-logins", "4") as server:
        # right ones do not count, plain or hashed, however many
        for _ in range(10):
            assert attempt(server, LAN, "mon", "monpass") == "OK"
            assert attempt(server, LAN, "hashed", "hushed") == "OK"
        # guesses: wrong password, no such user, a user of another network, and hashes
        for user, password in (("mon", "x"), ("nobody", "x"), ("far", "farpass"), ("hashed", "x")):
            assert attempt(server, OTHER, user, password) == "ACCESS-DENIED"
        assert attempt(server, OTHER, "mon", "monpass") == "ACCESS-DENIED"
        assert attempt(server, OTHER, "hashed", "hushed") == "ACCESS-DENIED"
        assert attempt(server, LAN, "mon", "monpass") == "OK"  # others are not concerned
        assert attempt(server, LAN, "far", "farpass") == "OK"

        # many at once with the same right password, not yet remembered: one guess, not many
        nuts = [server.nut(LAN6) for _ in range(20)]
        for nut in nuts:
            as_user(nut, "hashed", "hushed")
            nut.send("LOGIN dummy")
        assert [nut.line() for nut in nuts] == ["OK"] * 20
        for nut in nuts:
            nut.close()

        # many different guesses at once: not more than four are computed
        nuts = [server.nut(OTHER6) for _ in range(20)]
        for i, nut in enumerate(nuts):
            as_user(nut, "hashed", f"guess{i}")
        for nut in nuts:
            nut.send("LOGIN dummy")
        assert [nut.line() for nut in nuts] == ["ERR ACCESS-DENIED"] * 20
        for nut in nuts:
            nut.close()
        assert attempt(server, OTHER6, "mon", "monpass") == "ACCESS-DENIED"


def ip(*args):
    subprocess.run(["ip", *args], check=True)


ip("link", "set", "lo", "up")
for address in (LAN, OTHER):
    ip("addr", "add", f"{address}/32", "dev", "lo")
for address in (LAN6, OTHER6, SAME64):
    ip("-6", "addr", "add", f"{address}/128", "dev", "lo", "nodad")
{"connect": connect, "login": login, "set": set_, "instcmd": instcmd, "fsd": fsd,
 "require_tls": require_tls, "per_address": per_address, "failed_logins": failed_logins}[sys.argv[1]]()
