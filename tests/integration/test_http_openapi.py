"""The OpenAPI document: a good one, and what the daemon answers is what it says."""

import copy
import json
import subprocess

import jsonschema
import pytest

from daemon import Daemon
from sim import Sim, wait_until
from web import Web

USER = 'user "admin" { password = "pass word" actions = {"SET"} instcmds = {"ALL"} }\n'


@pytest.fixture(scope="module")
def site():
    with Sim() as sim:
        config = (f'ups "rack" {{ port = "{sim.port}" desc = "Server room" alias = {{"r"}} }}\n'
                  f'ups "gone" {{ port = "/dev/null/none" }}\nhttp {{ listen = {{"127.0.0.1:0"}} }}\n{USER}'
                  f'notify "it" {{ command = {{"/bin/false"}} severity = info hold-off = 0 }}\n')
        with Daemon(config=config, http=()) as daemon:
            web = Web(daemon.http_ports()[0])
            wait_until(lambda: web.get("/api/v1/ups/rack/commands").json()["open"], 30)
            sim.cmd("alarm 66/2 on")
            wait_until(lambda: web.get("/api/v1/ups/rack").json()["alarms"]["active"], 30)
            sim.cmd("mains off")
            wait_until(lambda: web.get("/api/v1/outages").json().get("outages"), 60)
            sim.cmd("mains on")
            wait_until(lambda: web.get("/api/v1/outages").json()["outages"][0]["end"], 60)
            yield web


@pytest.fixture(scope="module")
def document(site):
    answer = site.get("/api/v1/openapi.json")
    assert answer.status == 200
    return answer.json()


def strict(node):
    """Objects may gain members within v1; this very version must not answer with undescribed ones."""
    if isinstance(node, dict):
        node = {key: strict(value) for key, value in node.items()}
        if "properties" in node and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        return node
    return [strict(value) for value in node] if isinstance(node, list) else node


def schema_of(document, path, method, status, kind):
    responses = document["paths"][path][method]["responses"]
    response = responses.get(str(status)) or responses["default"]
    schema = strict(copy.deepcopy(response["content"][kind]["schema"]))
    schema["components"] = strict(copy.deepcopy(document["components"]))
    return schema


def check(document, path, answer, method="get"):
    kind = answer.headers["content-type"].split(";")[0]
    schema = schema_of(document, path, method, answer.status, kind)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(answer.json())


def test_the_document_is_openapi(document):
    assert document["openapi"].startswith("3.1.")
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for path, item in document["paths"].items():
        named = {p["name"] for p in item.get("parameters", []) if p["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for method in set(item) - {"parameters"}:
            assert item[method]["summary"] and item[method]["responses"]


READ = [
    ("/api/v1/health", ["/api/v1/health"]),
    ("/api/v1/ups", ["/api/v1/ups"]),
    ("/api/v1/ups/{name}", ["/api/v1/ups/rack", "/api/v1/ups/gone", "/api/v1/ups/none"]),
    ("/api/v1/ups/{name}/variables", ["/api/v1/ups/r/variables", "/api/v1/ups/gone/variables"]),
    ("/api/v1/ups/{name}/commands", ["/api/v1/ups/rack/commands", "/api/v1/ups/gone/commands"]),
    ("/api/v1/ups/{name}/settings", ["/api/v1/ups/rack/settings", "/api/v1/ups/gone/settings"]),
    ("/api/v1/ups/{name}/history", ["/api/v1/ups/rack/history?quantity=ups.load", "/api/v1/ups/rack/history"]),
    ("/api/v1/ups/{name}/outages", ["/api/v1/ups/rack/outages"]),
    ("/api/v1/ups/{name}/tests", ["/api/v1/ups/rack/tests"]),
    ("/api/v1/outages", ["/api/v1/outages", "/api/v1/outages?limit=0"]),
    ("/api/v1/tests", ["/api/v1/tests"]),
    ("/api/v1/log", ["/api/v1/log", "/api/v1/log?ups=rack&limit=3"]),
    ("/api/v1/devices/{name}", ["/api/v1/devices/rack", "/api/v1/devices/gone"]),
    ("/api/v1/events", ["/api/v1/events", "/api/v1/events?limit=x"]),
    ("/api/v1/notify", ["/api/v1/notify"]),
    ("/api/v1/notify/{id}", ["/api/v1/notify/it", "/api/v1/notify/none"]),
    ("/api/v1/notify/{id}/test", ["/api/v1/notify/it/test"]),
    ("/api/v1/orders/{id}", ["/api/v1/orders/00000000-0000-4000-8000-000000000000"]),
    ("/api/v1/session", ["/api/v1/session"]),
    ("/ups_metrics", ["/ups_metrics"]),
]


@pytest.mark.parametrize("path, targets", READ, ids=[path for path, _ in READ])
def test_answers_are_as_described(site, document, path, targets):
    for target in targets:
        check(document, path, site.get(target))


def test_what_writes_is_as_described(site, document):
    import base64
    auth = {"Authorization": "Basic " + base64.b64encode(b"admin:pass word").decode()}
    rows = [
        ("commands", {"command": "beeper.toggle"}), ("commands", {"command": "nonsense"}), ("commands", {}),
        ("settings", {"name": "ups.delay.shutdown", "value": "60"}),
        ("settings", {"name": "ups.delay.shutdown", "value": "much"}), ("settings", {"name": "ups.load", "value": "1"}),
    ]
    seen = set()
    for what, body in rows:
        for headers in (auth, {}):
            answer = site.request("POST", f"/api/v1/ups/rack/{what}", headers, body)
            seen.add(answer.status)
            check(document, f"/api/v1/ups/{{name}}/{what}", answer, "post")
    assert {401, 400, 404} < seen and seen & {200, 202}
    gone = site.request("POST", "/api/v1/ups/gone/commands", auth, {"command": "load.off"})
    check(document, "/api/v1/ups/{name}/commands", gone, "post")
    order = site.request("POST", "/api/v1/ups/rack/commands", auth, {"command": "beeper.toggle"})
    check(document, "/api/v1/orders/{id}", site.get(order.headers["location"]))


def test_the_session_is_as_described(site, document):
    answer = site.post("/api/v1/session", {"user": "admin", "password": "pass word"})
    check(document, "/api/v1/session", answer, "post")
    cookie = answer.headers["set-cookie"].split(";")[0]
    check(document, "/api/v1/session", site.get("/api/v1/session", Cookie=cookie))
    check(document, "/api/v1/session", site.post("/api/v1/session", {"user": "admin", "password": "x"}), "post")
    ended = site.request("DELETE", "/api/v1/session", {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf"]})
    check(document, "/api/v1/session", ended, "delete")


def test_the_stream_tells_what_is_described(site, document):
    with site.connect() as sock:
        sock.sendall(b"GET /api/v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        seen, text = {}, b""
        while not {"event", "snapshot"} <= set(seen):
            text += sock.recv(65536)
            for block in text.replace(b"\r\n", b"\n").split(b"\n\n"):
                lines = [line for line in block.split(b"\n") if line.startswith((b"event: ", b"data: "))]
                if len(lines) == 2 and lines[1].endswith(b"}"):
                    seen[lines[0][7:].decode()] = json.loads(lines[1][6:])
    for kind, name in (("event", "Event"), ("snapshot", "Ups")):
        schema = {"$ref": f"#/components/schemas/{name}", "components": strict(copy.deepcopy(document["components"]))}
        jsonschema.Draft202012Validator(schema).validate(seen[kind])


def test_the_local_socket_has_it_too():
    with Daemon(port="/dev/null/none") as daemon:
        out = subprocess.run(["curl", "-sS", "--unix-socket", daemon.socket, "http://localhost/api/v1/openapi.json"],
                             capture_output=True)
        assert json.loads(out.stdout)["openapi"]
