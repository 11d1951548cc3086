"""Clients of the web port that mean no good, or do not know better. The owner must not notice."""

import os
import shutil
import socket
import subprocess
import sys

import pytest

from daemon import Daemon
from sim import Sim, wait_until
from web import Answer, Web, read_all

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="module")
def site():
    with Sim() as sim:
        config = (f'ups "rack" {{ port = "{sim.port}" }}\n'
                  'http { listen = {"127.0.0.1:0", "https://127.0.0.1:0"} max-connections = 60 }\n')
        with Daemon(config=config, http=()) as daemon:
            web = Web(daemon.http_ports()[0])
            wait_until(lambda: web.get("/readyz").status == 200, 30)
            yield daemon, web


@pytest.fixture
def web(site):
    """The port; and afterwards the daemon is as well as before, and no larger."""
    daemon, web = site
    before = resident(daemon)
    yield web
    assert daemon.process.poll() is None
    assert web.get("/readyz").status == 200
    with daemon.nut() as nut:
        assert nut.cmd("GET VAR rack ups.status").startswith("VAR rack ups.status")
    if "asan" not in os.environ.get("UPS2000_BIN", "") and "sanitized" not in os.environ.get("UPS2000_BIN", ""):
        assert resident(daemon) < before + 4 * 1024 * 1024


def resident(daemon):
    with open(f"/proc/{daemon.process.pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def status(raw):
    return int(raw.split()[1]) if raw.startswith(b"HTTP/1.1 ") else None


HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"
TARGET = b"POST /api/v1/session HTTP/1.1\r\n" + HEAD


def test_a_body_of_a_gigabyte_is_not_even_begun(web):
    assert status(web.raw(TARGET + b"Content-Length: 1000000000\r\n\r\n" + b"x" * 100000)) == 413


def test_a_body_without_end_is_cut_off(site, web):
    with web.connect() as sock:
        sock.sendall(TARGET + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 1 << 30:
                sock.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
                sent += 0x8000
        except OSError:
            pass
        # what the sockets' buffers hold, and little more
        assert sent < 64 << 20
    assert resident(site[0]) < 64 << 20


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: -1\r\n", b"Content-Length: 1e3\r\n", b"Content-Length: 99999999999999999999999\r\n",
     b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"],
)
def test_lengths_that_are_none(web, head):
    answer = web.raw(TARGET + head + b"Connection: close\r\n\r\n0\r\n\r\n{}{}{}")
    assert status(answer) is None or 400 <= status(answer) < 500, answer


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 30000, b'{"user":', b"\xff\xfe{}", b'{"user":"a","user":"b"}', b"null",
                                  b'{"user":"\\u0000","password":"x"}', b'{"user":"\\ud800","password":"x"}', b"1e999999",
                                  b'"' + b"a" * 60000 + b'"'])
def test_bad_json_is_explained(web, body):
    answer = web.request("POST", "/api/v1/session", {"Content-Type": "application/json"}, body)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_header_bombs(web):
    # one header without end, and headers without end
    for piece in (b"x" * 4096, b"X-A: b\r\n" * 512):
        with web.connect() as sock:
            sent = 0
            try:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
                while sent < 1 << 28:
                    sock.sendall(piece)
                    sent += len(piece)
            except OSError:
                pass
            assert sent < 64 << 20
    assert status(web.raw(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")) in (400, 413, 414, None)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_wrong_methods(web, method):
    for target in ("/", "/metrics", "/api/v1/ups", "/api/v1/ups/rack/commands"):
        answer = web.request(method, target)
        assert answer.status in (401, 405), answer
        assert b"Cookie" not in answer.body
    with web.connect() as sock:
        sock.sendall(b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status(sock.recv(4096)) == 501
    assert status(web.raw(b"BREW / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")) != 200


@pytest.mark.parametrize("garbage", [b"\0" * 5000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"A" * 500,
                                     b"GET / HTTP/9.9\r\n\r\n", b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                     b"GET / HTTP/1.1\nHost: localhost\n\n", b"\r\n\r\n\r\n", b"LIST UPS\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_what_is_not_http(web, garbage):
    with web.connect() as sock:
        sock.sendall(garbage)
        sock.shutdown(socket.SHUT_WR)
        assert status(read_all(sock)) in (None, 200, 400, 405, 501)


def test_headers_cannot_be_smuggled_into_answers(web):
    answer = web.get("/api/v1/ups/%0d%0aSet-Cookie:%20a=b")
    assert answer.status == 400 and "set-cookie" not in answer.headers
    answer = web.get("/api/v1/events?x%0d%0aX:y=1")
    assert answer.status == 400 and "x" not in answer.headers


def test_half_requests_do_not_keep_others_out(site, web):
    """
    Slowloris: sixty connections are possible, and as many never finish a request. (That each is cut off
    after its time is seen in test_http_server.c, where the time is short.)
    """
    daemon, _ = site
    held = []
    for n in range(70):
        sock = web.connect()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: local")
        held.append(sock)
    assert web.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 503")
    # the command line, NUT clients and the UPS have places of their own
    out = subprocess.run(["curl", "-sS", "--unix-socket", daemon.socket, "http://localhost/api/v1/health"],
                         capture_output=True, text=True)
    assert '"status":"ok"' in out.stdout
    for sock in held:
        sock.close()


def test_streams_without_readers_are_bounded(site, web):
    daemon, _ = site
    socks = []
    for _ in range(30):
        sock = web.connect()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.sendall(b"GET /api/v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        socks.append(sock)
    assert web.get("/healthz").status == 200
    for sock in socks:
        sock.close()


def test_handshakes_that_never_end(site, web):
    daemon, _ = site
    port = daemon.http_ports()[1]
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for sock in held:
        sock.sendall(b"\x16\x03\x01")
    wait_until(lambda: tls_answers(port), 30)
    for sock in held:
        sock.close()


def tls_answers(port):
    try:
        return Web(port, tls=True).get("/").status == 200
    except OSError:
        return False


@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare")
@pytest.mark.parametrize("what", ["reading", "connect", "users", "per_address", "https"])
def test_from_other_hosts(what):
    """In a network namespace, whose other addresses are not loopback."""
    done = subprocess.run(["unshare", "-rn", sys.executable, os.path.join(HERE, "strangers_web.py"), what],
                          capture_output=True, text=True, timeout=120)
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
