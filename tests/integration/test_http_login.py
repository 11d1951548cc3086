"""Logging in over HTTP, and those who have no business to."""

import base64
import re
import subprocess
import time

import pytest

from daemon import Daemon
from sim import Sim, wait_until
from web import Web

# Hashes of "right": cheap ones, so that the tests do not wait, and one that takes a while.
SECRET = "$5$rounds=1000$liNRcsoPQpotQJZE$AGEdJugevEM.Aa4zUNHh7IVZBI3/JffYXAsDD1Xtg.4"
SECRET_ANEW = "$5$rounds=1001$oOraC4esGaqqJhhp$XkiFV0Y7T29Nwie9UEHt8TyT1cbGia3xD4zmoLQCrgD"
SECRET_SLOW = "$6$rounds=300000$FOtfxMxtXqi2dPvj$cQBmI3SKyH5ZITjO6GQeMcqOVUa2uvfnFIWKogcSIAKraAEHtgA0ZAbMhd.h376IlO.1iK8tNiKJPIqAfXreZ0"

USERS = f"""
user "admin" {{ password = "{SECRET}" actions = {{"SET"}} instcmds = {{"ALL"}} }}
user "guest" {{ password = "{SECRET}" instcmds = {{"beeper.toggle"}} }}
user "elsewhere" {{ password = "{SECRET}" actions = {{"SET"}} networks = {{"192.0.2.0/24"}} }}
user "nobody" {{ }}
"""


def config(port, http="", more=""):
    return f'ups "ups" {{ port = "{port}" }}\nhttp {{ listen = {{"127.0.0.1:0"}} {http} }}\n{USERS}{more}'


@pytest.fixture(scope="module")
def site():
    with Sim() as sim, Daemon(config=config(sim.port, "failed-logins = 0"), http=()) as daemon:
        web = Web(daemon.http_ports()[0])
        wait_until(lambda: web.get("/api/v1/ups/ups").json()["availability"] == "fresh", 30)
        wait_until(lambda: web.get("/api/v1/ups/ups/commands").json()["open"], 30)
        yield daemon, web, sim


@pytest.fixture
def web(site):
    return site[1]


class Session:
    def __init__(self, web, user="admin", password="right"):
        self.web = web
        answer = web.post("/api/v1/session", {"user": user, "password": password})
        assert answer.status == 200, answer
        self.answer = answer
        self.cookie = answer.headers["set-cookie"].split(";")[0]
        self.csrf = answer.json()["csrf"]

    def headers(self, **more):
        return {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, **more}

    def request(self, method, target, body=None, **more):
        return self.web.request(method, target, self.headers(**more), body)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


MUTE = {"command": "beeper.toggle"}


def test_a_session_from_login_to_logout(site):
    daemon, web, _ = site
    before = web.get("/api/v1/session").json()
    assert before["user"] is None and before["may_read"] and before["csrf"] is None

    session = Session(web)
    assert re.fullmatch(r"ups2000=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict", session.answer.headers["set-cookie"])
    assert session.answer.headers["cache-control"] == "no-store"
    now = web.get("/api/v1/session", Cookie=session.cookie).json()
    assert now["user"] == "admin" and now["csrf"] == session.csrf
    assert now["rights"] == {"set": True, "fsd": False, "commands": ["ALL"]}

    order = session.request("POST", "/api/v1/ups/ups/commands", MUTE)
    assert order.status in (200, 202)
    assert order.json()["user"] == "admin" and order.json()["from"] == "127.0.0.1"
    where = order.headers["location"]
    wait_until(lambda: web.get(where).json()["outcome"] == "verified", 30)

    assert session.request("DELETE", "/api/v1/session").status == 200
    assert session.request("POST", "/api/v1/ups/ups/commands", MUTE).status == 401
    assert web.get("/api/v1/session", Cookie=session.cookie).json()["user"] is None
    assert "right" not in daemon.log() and session.cookie not in daemon.log()


def test_nothing_is_written_without_a_login(web):
    for target, body in (("commands", MUTE), ("settings", {"name": "ups.delay.shutdown", "value": "60"})):
        answer = web.post(f"/api/v1/ups/ups/{target}", body)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_browser_is_never_asked_for_basic(web):
    answer = web.post("/api/v1/ups/ups/commands", MUTE, Sec_Fetch_Mode="cors", Sec_Fetch_Site="same-origin")
    assert answer.status == 401
    assert not answer.headers["www-authenticate"].lower().startswith("basic")


def test_basic_is_for_scripts(web):
    answer = web.post("/api/v1/ups/ups/commands", MUTE, Authorization=basic("admin", "right"))
    assert answer.status in (200, 202)
    assert web.get("/api/v1/ups", Authorization=basic("admin", "right")).status == 200
    for wrong in (basic("admin", "wrong"), "Basic", "Basic %%%", "Bearer x", basic("admin", "right")[:-1], "Basic " + "A" * 4000):
        assert web.get("/api/v1/ups", Authorization=wrong).status == 401, wrong


def test_rights_are_those_of_nut(web):
    guest = Session(web, "guest")
    assert guest.answer.json()["rights"]["commands"] == ["beeper.toggle"]
    assert guest.request("POST", "/api/v1/ups/ups/commands", MUTE).status in (200, 202)
    refused = guest.request("POST", "/api/v1/ups/ups/commands", {"command": "load.off"})
    assert refused.status == 403 and "order" not in refused.json()
    assert guest.request("POST", "/api/v1/ups/ups/settings", {"name": "ups.delay.shutdown", "value": "60"}).status == 403


@pytest.mark.parametrize("user", ["admin", "nobody", "elsewhere", "stranger", ""])
def test_all_wrong_logins_get_the_same_answer(web, user):
    password = "right" if user == "elsewhere" else "wrong"
    answer = web.post("/api/v1/session", {"user": user, "password": password})
    expected = web.post("/api/v1/session", {"user": "admin", "password": "no"})
    assert answer.status == 401
    assert answer.body == expected.body
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "body, status",
    [
        ({"user": "admin"}, 400), ({"password": "right"}, 400), ({"user": 1, "password": "right"}, 400),
        ({"user": "admin", "password": "right", "more": "x"}, 400), (b"{", 415), ([], 400), ({}, 400),
    ],
)
def test_bad_logins_are_explained(web, body, status):
    answer = web.request("POST", "/api/v1/session", {}, body)
    assert answer.status == status
    assert answer.json()["detail"]


def test_a_login_must_be_json(web):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = web.request("POST", "/api/v1/session", {"Content-Type": kind}, b'{"user":"admin","password":"right"}')
        assert answer.status == 415


def test_cookies_cannot_be_forged(web):
    session = Session(web)
    token = session.cookie.split("=")[1]
    other = ("0" if token[0] != "0" else "1") + token[1:]
    for cookie in (f"ups2000={other}", "ups2000=", f"ups2000={token}0", f"ups2000={token[:-1]}", f"xups2000={token}",
                   f"__Host-ups2000={token}", "ups2000=" + "0" * 64, f"ups2000={token.upper()}x", f"ups2000=\"{token}\""):
        answer = web.post("/api/v1/ups/ups/commands", MUTE, Cookie=cookie, X_CSRF_Token=session.csrf)
        assert answer.status == 401, cookie
    assert web.post("/api/v1/ups/ups/commands", MUTE, Cookie=f"a=b; ups2000={token}; c", X_CSRF_Token=session.csrf).status < 300


def test_csrf_is_refused(web):
    session, other = Session(web), Session(web)
    target = "/api/v1/ups/ups/commands"
    own = f"http://localhost:{web.port}"
    assert web.post(target, MUTE, Cookie=session.cookie).status == 403
    assert web.post(target, MUTE, Cookie=session.cookie, X_CSRF_Token="x").status == 403
    assert web.post(target, MUTE, Cookie=session.cookie, X_CSRF_Token=other.csrf).status == 403
    for origin in ("http://evil.example", "null", f"http://localhost:{web.port + 1}", own + ".evil.example", "http://127.0.0.1", ""):
        assert session.request("POST", target, MUTE, Origin=origin).status == 403, origin
    for site in ("cross-site", "same-site", "strange"):
        assert session.request("POST", target, MUTE, **{"Sec-Fetch-Site": site}).status == 403
    assert web.post("/api/v1/session", {"user": "admin", "password": "right"}, Origin="http://evil.example").status == 403
    assert session.request("POST", target, MUTE, Origin=own, **{"Sec-Fetch-Site": "same-origin"}).status < 300
    assert session.request("POST", target, MUTE, Origin=own.upper().replace("HTTP", "https")).status < 300


def test_other_sites_cannot_read(web):
    assert web.get("/api/v1/ups", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    assert web.get("/api/v1/ups", Origin="http://evil.example").status == 403
    assert web.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200


def test_a_proxy_reads_for_others(web):
    assert web.get("/api/v1/ups", X_Forwarded_For="192.0.2.1").status == 401
    assert web.get("/api/v1/ups", Forwarded="for=192.0.2.1").status == 401


def test_with_no_one_reading_openly_everything_needs_a_login():
    with Daemon(config=config("/dev/null/none", "read-without-login = {}"), http=()) as daemon:
        web = Web(daemon.http_ports()[0])
        for target in ("/api/v1/ups", "/api/v1/ups/ups", "/api/v1/events", "/api/v1/health"):
            assert web.get(target).status == 401
        assert web.get("/api/v1/events", Accept="text/event-stream").status == 401
        assert web.get("/").status == 200  # the page asks for the password
        state = web.get("/api/v1/session").json()
        assert state["user"] is None and not state["may_read"]
        session = Session(web, "guest")
        assert session.request("GET", "/api/v1/ups").status == 200
        assert web.get("/api/v1/ups", Authorization=basic("guest", "right")).status == 200


def stream(web, **headers):
    sock = web.connect()
    lines = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
    sock.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{lines}\r\n".encode())
    assert b"200 OK" in sock.recv(16)
    return sock


def ended(sock):
    """True when the server has closed; what comes before is thrown away."""
    sock.settimeout(30)
    while True:
        try:
            if not sock.recv(65536):
                return True
        except ConnectionResetError:
            return True


def test_streams_end_with_their_right():
    text = config("/dev/null/none", "read-without-login = {}")
    with Daemon(config=text, http=()) as daemon:
        web = Web(daemon.http_ports()[0])
        session, kept = Session(web), Session(web, "guest")
        streams = [stream(web, Cookie=session.cookie), stream(web, Authorization=basic("admin", "right"))]
        still = stream(web, Cookie=kept.cookie)
        session.request("DELETE", "/api/v1/session")
        assert ended(streams[0])
        daemon.reload(text)
        assert ended(streams[1])
        # the user is gone: so are its sessions and streams
        assert kept.request("GET", "/api/v1/ups").status == 200
        daemon.reload(text.replace('user "guest"', 'user "other"'))
        assert ended(still)
        assert kept.request("GET", "/api/v1/ups").status == 401


def test_another_password_ends_the_sessions():
    text = config("/dev/null/none")
    with Daemon(config=text, http=()) as daemon:
        web = Web(daemon.http_ports()[0])
        session = Session(web)
        daemon.reload(text + "\n")
        assert web.get("/api/v1/session", Cookie=session.cookie).json()["user"] == "admin"
        daemon.reload(text.replace(SECRET, SECRET_ANEW))
        assert web.get("/api/v1/session", Cookie=session.cookie).json()["user"] is None


def test_guessing_is_stopped():
    with Daemon(config=config("/dev/null/none", "failed-logins = 2"), http=()) as daemon:
        web = Web(daemon.http_ports()[0])
        session = Session(web)
        # this host may fail ten times as often, and one is forgiven each second
        deadline = time.monotonic() + 60
        status = None
        for n in range(10000):
            status = web.post("/api/v1/session", {"user": "admin", "password": f"guess{n}"}).status
            if status != 401:
                break
            assert time.monotonic() < deadline
        assert status == 429
        answer = web.post("/api/v1/session", {"user": "admin", "password": "right"})
        if answer.status != 200:  # it may have been forgiven just now
            assert answer.status == 429 and int(answer.headers["retry-after"]) > 0
        assert "too many failed logins from 127.0.0.1" in daemon.log()
        assert session.request("GET", "/api/v1/ups").status == 200  # who is in stays in
        kinds = [e["kind"] for e in web.get("/api/v1/events").json()["events"]]
        assert "login-blocked" in kinds


def test_clients_may_leave_while_their_password_is_checked():
    with Daemon(config=config("/dev/null/none", "failed-logins = 0").replace(SECRET, SECRET_SLOW), http=()) as daemon:
        web = Web(daemon.http_ports()[0])
        for n in range(8):
            body = f'{{"user":"admin","password":"w{n}"}}'
            with web.connect() as sock:
                sock.sendall(f"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        # the loop does not wait for hashes
        assert web.get("/api/v1/ups").status == 200
        assert Session(web).answer.status == 200
        assert daemon.process.poll() is None


def certificate(directory, name):
    """A self-signed certificate and its key in one file."""
    path = directory / "pair.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1",
         "-keyout", directory / "key.pem", "-out", directory / "cert.pem"],
        check=True, capture_output=True)
    path.write_text((directory / "key.pem").read_text() + (directory / "cert.pem").read_text())
    path.chmod(0o600)
    return path


def subject(port):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True).stdout


def over_tls(where="{\"https://127.0.0.1:0\"}", more=""):
    return config("/dev/null/none").replace('{"127.0.0.1:0"}', where) + more


def reachable(port):
    """The certificate is read in a thread: until then such connections are closed at once."""
    wait_until(lambda: "BEGIN CERTIFICATE" in subject(port), 30, "the certificate")


def test_https_with_our_own_certificate():
    with Daemon(config=over_tls(), http=()) as daemon:
        port = daemon.http_ports()[0]
        assert f"at https://127.0.0.1:{port}/" in daemon.log()
        reachable(port)
        own = daemon.directory / "state" / "tls-cert.pem"
        answer = subprocess.run(["curl", "-sS", "--cacert", own, "-i", f"https://localhost:{port}/api/v1/ups"],
                                capture_output=True, text=True)
        assert answer.stdout.startswith("HTTP/1.1 200"), answer
        web = Web(port, tls=str(own))
        session = Session(web)
        assert re.fullmatch(r"__Host-ups2000=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Secure",
                            session.answer.headers["set-cookie"])
        assert session.request("GET", "/api/v1/session").json()["user"] == "admin"
        # the cookie of the unencrypted port is not taken here
        plain = session.cookie.replace("__Host-", "")
        assert web.get("/api/v1/session", Cookie=plain).json()["user"] is None
        with stream(web, Cookie=session.cookie) as sock:
            assert b"event: snapshot" in sock.recv(65536) + sock.recv(65536)
        old = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1"],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert "BEGIN CERTIFICATE" not in old.stdout


def test_garbage_on_the_https_port_harms_nobody():
    with Daemon(config=over_tls(), http=()) as daemon:
        port = daemon.http_ports()[0]
        reachable(port)
        plain, web = Web(port), Web(port, tls=True)
        assert b"200 OK" not in plain.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        plain.raw(b"\x16\x03\x01\xff\xff" + b"\0" * 70000)
        plain.raw(bytes(range(256)) * 300)
        assert web.get("/").status == 200


def test_the_users_certificate_is_read_again_on_sighup(tmp_path):
    pair = certificate(tmp_path, "first.example")
    text = over_tls(more=f'tls {{ certificate = "{pair}" }}\n')
    with Daemon(config=text, http=()) as daemon:
        port = daemon.http_ports()[0]
        reachable(port)
        assert "first.example" in subject(port)
        with stream(Web(port, tls=True)) as kept:
            certificate(tmp_path, "second.example")
            daemon.reload()
            wait_until(lambda: "second.example" in subject(port), 30)
            pair.write_text("nothing")
            daemon.reload()
            wait_until(lambda: "The certificate in use, if any, stays" in daemon.log(), 30)
            assert "second.example" in subject(port)
            assert b"event: snapshot" in kept.recv(65536) + kept.recv(65536)


def test_plain_http_to_other_hosts_is_warned_about():
    with Daemon(config=over_tls('{"0.0.0.0:0"}'), http=()) as daemon:
        assert 'speaks to other hosts in clear, passwords included. Write "https://0.0.0.0:0"' in daemon.log()
