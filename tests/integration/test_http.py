"""HTTP on TCP: the page and the API, and those who mean no good."""

import gzip
import re

import pytest

from daemon import Daemon
from sim import Sim, wait_until
from web import Web


@pytest.fixture(scope="module")
def site():
    with Sim() as sim:
        with Daemon(port=sim.port, http=("127.0.0.1:0",)) as daemon:
            web = Web(daemon.http_ports()[0])
            wait_until(lambda: web.get("/api/v1/ups/ups").json()["availability"] == "fresh", 30)
            yield daemon, web


@pytest.fixture
def web(site):
    return site[1]


def test_the_page_and_its_files(web):
    page = web.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert web.get("/index.html").body == page.body
    assert web.get("/", If_None_Match=page.headers["etag"]).status == 304
    assert web.get("/", If_None_Match='"other"').status == 200

    packed = web.get("/", Accept_Encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == page.body

    files = re.findall(r'"(assets/[^"]+)"', page.body.decode())
    assert files
    for file in files:
        asset = web.get("/" + file)
        assert asset.status == 200
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert int(asset.headers["content-length"]) == len(asset.body)
        unhashed = re.sub(r"assets/\w+/", "assets/", file)
        assert web.get("/" + unhashed).status == 404
        assert web.get("/" + re.sub(r"assets/\w+/", "assets/000000000000/", file)).status == 404



@pytest.mark.parametrize("target", ["/", "/api/v1/health", "/nothing"])
def test_head_is_get_without_the_body(web, target):
    head, full = web.request("HEAD", target), web.get(target)
    assert head.body == b""
    assert head.status == full.status
    assert head.headers["content-length"] == str(len(full.body))


def test_every_answer_tells_browsers_to_be_careful(web):
    for target in ("/", "/api/v1/ups", "/nothing"):
        headers = web.get(target).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


def test_the_api_is_the_same_as_on_the_socket(web):
    answer = web.get("/api/v1/ups/UPS")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["status"]["nut"].startswith("OL")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:8493", "[fe80::1]", "LOCALHOST:1", "localhost."])
def test_hosts_that_are_ours(web, host):
    assert web.get("/api/v1/health", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "localhost:x", "a@localhost", "",
     "x" * 300, "127.0.0.1:80:80", "0x7f.1"],
)
def test_dns_rebinding_meets_a_closed_door(web, host):
    answer = web.get("/api/v1/ups", Host=host)
    assert answer.status == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert web.get("/", Host=host).status == 421


def test_host_must_be_there_once(web):
    assert web.get("/api/v1/health", Host=None).status == 400
    twice = web.raw(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert twice.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "target",
    ["/../etc/passwd", "/assets/../index.html", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/index.html%00.css",
     "/assets/", "/api/v1/ups/..%2f..%2fetc", "/api/v1/ups/%", "/a" * 200, "/assets/..%5c..%5c", "index.html"],
)
def test_path_tricks_lead_nowhere(web, target):
    assert web.get(target).status in (400, 404)


def test_address_in_use_costs_only_http():
    with Sim() as sim, Daemon(port=sim.port, http=("127.0.0.1:0",)) as first:
        port = first.http_ports()[0]
        with Daemon(port="/dev/null/none", http=(f"127.0.0.1:{port}",)) as second:
            assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in second.log()
            assert second.nut_ports()
            assert not second.http_ports()


def config(listen, more=""):
    return f'ups "rack" {{ port = "/dev/null/none" }}\nhttp {{ listen = {listen} {more} }}\n'


def test_addresses_follow_the_configuration():
    with Daemon(config=config("{}"), http=()) as daemon:
        assert not daemon.http_ports()
        daemon.reload(config('{"127.0.0.1:0"}', 'names = {"ups.example.org"}'))
        web = Web(daemon.http_ports()[0])
        assert web.get("/api/v1/ups").status == 200
        assert web.get("/api/v1/ups", Host="UPS.example.org:8493").status == 200
        with web.connect() as kept:
            kept.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            assert b"200 OK" in kept.recv(4096)
            daemon.reload(config("{}"))
            with pytest.raises(ConnectionRefusedError):
                web.get("/")
            daemon.reload(config("{}").replace("rack", "other"))
            seen = b""
            while b"event: removed" not in seen:
                seen += kept.recv(4096)


def test_without_a_word_loopback_is_served():
    daemon = Daemon(config='ups "rack" { port = "/dev/null/none" }\n', http=())
    with daemon:
        log = daemon.log()
        assert "the page and the API are at http://127.0.0.1:8493/" in log or "127.0.0.1:8493: Address already in use" in log
