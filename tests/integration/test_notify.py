"""Notifications: real programs, real curl, real outages; what happens to them when all goes wrong."""

import email
import hashlib
import hmac
import http.server
import json
import pathlib
import re
import signal
import socket
import socketserver
import subprocess
import threading

import pytest

from daemon import Daemon
from sim import Sim, bin_dir, wait_until

WAIT = 30


class Site:
    """A directory with programs to notify, and what they were told."""

    def __init__(self, path):
        self.path = path
        self.told_path = path / "told"
        path.chmod(0o755)

    def program(self, name, body):
        """A script; $SITE is the directory. Returns its path."""
        path = self.path / name
        path.write_text(f"#!/bin/sh\nSITE={self.path}\n{body}\n")
        path.chmod(0o755)
        return str(path)

    def teller(self, name="tell", before=""):
        """One that writes down what it is told, a line each."""
        line = '"$UPS2000_TARGET|$NOTIFYTYPE|$UPSNAME|$UPS2000_STATE|$UPS2000_COUNT|$UPS2000_ID|$UPS2000_TEXT"'
        return self.program(name, f'{before}\nprintf "%s\\n" {line} >> $SITE/told')

    def told(self, target=None):
        if not self.told_path.exists():
            return []
        rows = [line.split("|") for line in self.told_path.read_text().splitlines()]
        return [row for row in rows if not target or row[0] == target]

    def types(self, target=None):
        return [row[1] for row in self.told(target)]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def config(sim, *targets):
    return f'ups "rack" {{ port = "{sim.port}" }}\n' + "".join(t + "\n" for t in targets)


def api(daemon, path, method="GET"):
    """The status and the JSON of a request to the local API."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(WAIT)
        sock.connect(str(daemon.socket))
        sock.sendall(f"{method} /api/v1/{path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def target(daemon, name):
    return api(daemon, f"notify/{name}")[1]


def waiting(daemon, name):
    return [m["kind"] for m in target(daemon, name)["messages"]]


def ready(daemon):
    with daemon.nut() as nut:
        wait_until(lambda: nut.try_get("ups.status", "rack").startswith("OL"), WAIT)


def outage(sim, daemon):
    """The mains fail and return; both were seen."""
    for command, words in (("mains off", "On battery"), ("mains on", "On line")):
        before = daemon.log().count(words)
        sim.cmd(command)
        wait_until(lambda: daemon.log().count(words) > before, WAIT)


MINE = 'events = {"on-battery", "on-line"} hold-off = 0'


# --- what is told ------------------------------------------------------------------------------


def test_an_outage_is_told(sim, site):
    tell = site.teller()
    log = 'notify "all" { command = {"%s"} hold-off = 0 }' % tell
    with Daemon(config=config(sim, log)) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: site.types()[:2].count("ONBATT") and "ONLINE" in site.types(), WAIT)
    rows = {row[1]: row for row in site.told()}
    assert rows["ONBATT"][2] == "rack"
    assert rows["ONBATT"][3] == "open"
    assert rows["ONBATT"][6].startswith("On battery: the mains failed")
    assert rows["ONLINE"][3] == "closed"
    assert site.types().index("ONBATT") < site.types().index("ONLINE")


def test_the_child_sees_only_what_is_meant_for_it(sim, site):
    """Standard input has the text, there are no other descriptors, no secrets, its own group."""
    look = site.program(
        "look",
        'cat > $SITE/input\nls -l /proc/self/fd > $SITE/fds\nenv > $SITE/env\n'
        'cut -d" " -f1,5,6 /proc/$$/stat > $SITE/ids\nid -u > $SITE/uid\nexec true',
    )
    with Daemon(
        config=config(sim, 'notify "look" { command = {"%s", "{text}"} %s }' % (look, MINE)),
        env={"NOTIFY_SOCKET": "/nonexistent", "SECRET": "x"},
    ) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: (site.path / "uid").exists() and (site.path / "uid").read_text(), WAIT)
    assert (site.path / "input").read_text().startswith("On ")
    fds = [line.split()[8] for line in (site.path / "fds").read_text().splitlines()[1:]]
    assert set(fds) <= {"0", "1", "2", "3"}  # 3 is the directory ls reads
    environment = (site.path / "env").read_text()
    assert "SECRET" not in environment and "NOTIFY_SOCKET" not in environment
    assert "UPS2000_UPS_STATUS=" in environment
    pid, group, _ = (site.path / "ids").read_text().split()
    assert pid == group


def test_a_blip_is_one_message(sim, site):
    tell = site.teller()
    with Daemon(
        config=config(
            sim,
            'notify "once" { command = {"%s"} events = {"on-battery", "on-line"} hold-off = 4 }' % tell,
            'notify "never" { command = {"%s"} events = {"on-battery", "on-line"} hold-off = 4 blips = no }'
            % tell,
        )
    ) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: site.told("once"), WAIT)
        assert [row[3] for row in site.told("once")] == ["blip"]
        assert "Over after" in site.told("once")[0][6]
        assert site.told("never") == []


def test_a_flickering_mains_does_not_flood(sim, site):
    tell = site.teller()
    with Daemon(
        config=config(sim, 'notify "it" { command = {"%s"} %s }' % (tell, MINE))
    ) as daemon:
        ready(daemon)
        for _ in range(7):
            outage(sim, daemon)
        sim.cmd("mains off")
        wait_until(lambda: site.told() and site.told()[-1][3] == "open", WAIT)
        # the first are told one by one, then they are gathered; the end is the truth
        assert 4 <= len(site.told()) <= 8
        assert any(int(row[4]) > 1 for row in site.told())


def test_filters(sim, site):
    tell = site.teller()
    with Sim() as other, Daemon(
        config=config(
            sim,
            'ups "other" { port = "%s" }' % other.port,
            'notify "rack" { command = {"%s"} ups = {"rack"} %s }' % (tell, MINE),
            'notify "alert" { command = {"%s"} severity = alert }' % tell,
        )
    ) as daemon:
        ready(daemon)
        with daemon.nut() as nut:
            wait_until(lambda: nut.try_get("ups.status", "other").startswith("OL"), WAIT)
        outage(other, daemon)
        outage(sim, daemon)
        wait_until(lambda: "ONLINE" in site.types("rack"), WAIT)
        assert {row[2] for row in site.told("rack")} == {"rack"}
        assert site.types("alert") == []


# --- what goes wrong -----------------------------------------------------------------------------


def test_fails_and_works_again_in_order(sim, site):
    """The head is tried again, nothing overtakes it, and the other target does not wait for it."""
    bad = site.teller("bad", 'echo "no way" >&2; test -e $SITE/open || exit 1')
    good = site.teller("good")
    with Daemon(
        config=config(
            sim,
            'notify "bad" { command = {"%s"} %s }' % (bad, MINE),
            'notify "good" { command = {"%s"} %s }' % (good, MINE),
        )
    ) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: site.types("good") == ["ONBATT", "ONLINE"], WAIT)
        assert site.types("bad") == []
        wait_until(lambda: target(daemon, "bad")["failures"] >= 1, WAIT)
        shown = target(daemon, "bad")
        assert shown["waiting"] == 2
        assert "no way" in shown["last"]["text"] and shown["last"]["ok"] is False
        assert shown["next_attempt_s"] is None or shown["next_attempt_s"] <= 7
        (site.path / "open").touch()
        wait_until(lambda: site.types("bad") == ["ONBATT", "ONLINE"], WAIT)
        wait_until(lambda: target(daemon, "bad")["waiting"] == 0, WAIT)
        wait_until(lambda: not list((daemon.directory / "state" / "notify").glob("0*.json")), WAIT)


def test_a_hanging_command_is_ended(sim, site):
    """With all it started; what comes behind it is sent."""
    hang = site.teller(
        "hang",
        'if [ ! -e $SITE/hung ]; then touch $SITE/hung; trap "" TERM; sleep 1000 & echo $! > $SITE/sleeper; wait; wait; fi',
    )
    with Daemon(
        config=config(sim, 'notify "it" { command = {"%s"} timeout = 1 %s }' % (hang, MINE))
    ) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: (site.path / "sleeper").exists(), WAIT)
        wait_until(lambda: site.types() == ["ONBATT", "ONLINE"], WAIT)
        sleeper = int((site.path / "sleeper").read_text())
        wait_until(lambda: not alive(sleeper), WAIT)
        assert "not done within 1 s" in daemon.log()


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_killed_and_started_again(sim, site):
    """Nothing is lost by kill -9; what was on its way may come twice, with the same id."""
    tell = site.teller(before="test -e $SITE/open || exit 1")
    with Daemon(
        config=config(sim, 'notify "it" { command = {"%s"} %s }' % (tell, MINE))
    ) as daemon:
        ready(daemon)
        outage(sim, daemon)
        spool = daemon.directory / "state" / "notify"
        wait_until(lambda: len(list(spool.glob("0*.json"))) == 2, WAIT)
        assert waiting(daemon, "it") == ["on-battery", "on-line"]
        daemon.stop(signal.SIGKILL)
        (spool / "00000000000000000099.json").write_text("{ not a record")
        (spool / "00000000000000000001.json.new").write_text("half")
        (site.path / "open").touch()
        daemon.start()
        wait_until(lambda: len(site.told()) >= 2, WAIT)
        assert site.types() == ["ONBATT", "ONLINE"]
        wait_until(lambda: not list(spool.glob("0*.json")), WAIT)
        assert (spool / "00000000000000000099.json.damaged").exists()
        # and the next ones come behind them
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: len(site.told()) == 4, WAIT)
        assert len({row[5] for row in site.told()}) == 4


def test_an_outage_over_a_restart_is_told_once(sim, site):
    tell = site.teller()
    with Daemon(
        config=config(sim, 'notify "it" { command = {"%s"} %s }' % (tell, MINE))
    ) as daemon:
        ready(daemon)
        sim.cmd("mains off")
        wait_until(lambda: site.types() == ["ONBATT"], WAIT)
        wait_until(lambda: target(daemon, "it")["waiting"] == 0, WAIT)
        wait_until(lambda: "on-battery" in kept_conditions(daemon), WAIT)
        daemon.stop(signal.SIGKILL)
        daemon.start()
        wait_until(lambda: "On battery" in daemon.log(), WAIT)
        sim.cmd("mains on")
        wait_until(lambda: len(site.told()) >= 2, WAIT)
        assert site.types() == ["ONBATT", "ONLINE"]


def kept_conditions(daemon):
    path = daemon.directory / "state" / "notify" / "conditions.json"
    return path.read_text() if path.exists() else ""


def test_a_full_disk_costs_nothing_but_the_disk(sim, site):
    tell = site.teller(before="test -e $SITE/open || exit 1")
    daemon = Daemon(config=config(sim, 'notify "it" { command = {"%s"} %s }' % (tell, MINE)))
    state = daemon.directory / "state"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", str(state)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no right to mount a small disk")
    try:
        with daemon:
            ready(daemon)
            filler = open(state / "filler", "wb", buffering=0)
            with pytest.raises(OSError):
                while True:
                    filler.write(b"x" * 4096)
            outage(sim, daemon)
            wait_until(lambda: "cannot be kept" in daemon.log(), WAIT)
            (site.path / "open").touch()
            wait_until(lambda: site.types() == ["ONBATT", "ONLINE"], WAIT)
            filler.close()
    finally:
        subprocess.run(["umount", str(state)], check=True)


def test_a_reload_keeps_what_waits(sim, site):
    tell = site.teller(before="test -e $SITE/open || exit 1")
    it = 'notify "it" { command = {"%s"} %s }' % (tell, MINE)
    gone = 'notify "gone" { command = {"%s"} %s }' % (tell, MINE)
    with Daemon(config=config(sim, it, gone)) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: target(daemon, "gone")["waiting"] == 2, WAIT)
        (site.path / "open").touch()
        daemon.reload(config(sim, it.replace("hold-off = 0", "hold-off = 1")))
        assert api(daemon, "notify/gone")[0] == 404
        wait_until(lambda: len(site.told("it")) == 2, WAIT)
        assert site.told("gone") == []
        wait_until(
            lambda: not list((daemon.directory / "state" / "notify").glob("0*.json")), WAIT
        )


# --- mail and the web ------------------------------------------------------------------------------


def test_mail(sim, site):
    """A program shaped like sendmail gets a message that Python's parser understands."""
    sendmail = site.program("sendmail", 'printf "%s\\n" "$@" > $SITE/args; cat > $SITE/mail.$$')
    with Daemon(
        config=config(
            sim,
            'notify "tom" { type = mail to = {"tom@example.org", "Ann <ann@example.org>"} '
            'command = {"%s", "-t", "-i"} %s }' % (sendmail, MINE),
        )
    ) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: target(daemon, "tom")["delivered"] == 2, WAIT)
    assert (site.path / "args").read_text().split() == ["-t", "-i"]
    mails = [email.message_from_bytes(p.read_bytes()) for p in site.path.glob("mail.*")]
    mails.sort(key=lambda m: "In-Reply-To" in m)
    begin, end = mails
    for mail in mails:
        assert not mail.defects
        assert mail["To"].replace("\n", "") == "tom@example.org, Ann <ann@example.org>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert email.utils.parsedate_to_datetime(mail["Date"]).tzinfo
        assert mail["Message-ID"].startswith("<") and mail["Message-ID"].endswith(">")
    assert "On battery" in begin["Subject"] and "rack" in begin["Subject"]
    assert "ups.status" in begin.get_payload()
    assert end["In-Reply-To"] == begin["Message-ID"]


class MailHandler(socketserver.StreamRequestHandler):
    """As much of SMTP as it takes to receive a mail."""

    def handle(self):
        lines, mail = [], b""
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            lines.append(line.decode().strip())
            word = line.split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while (line := self.rfile.readline()) != b".\r\n":
                    assert line.endswith(b"\r\n")
                    mail += line
                self.server.mails.append((lines, mail))
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


def test_mail_by_smtp(sim):
    """Real curl to a mail server: envelope and message."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailHandler) as server:
        server.mails = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        smtp = "smtp://127.0.0.1:%d" % server.server_address[1]
        with Daemon(
            config=config(
                sim,
                'notify "tom" { type = mail to = {"Ann <ann@example.org>", "tom@example.org"} '
                'from = "The UPS <ups@example.org>" smtp = "%s" %s }' % (smtp, MINE),
                # no password goes over an open line: this server offers no TLS
                'notify "secret" { type = mail to = {"tom@example.org"} from = "ups@example.org" '
                'smtp = "%s" user = "u" password = "p" }' % smtp,
            )
        ) as daemon:
            ready(daemon)
            outage(sim, daemon)
            wait_until(lambda: target(daemon, "tom")["delivered"] == 2, WAIT)
            api(daemon, "notify/secret/test", "POST")
            wait_until(lambda: target(daemon, "secret")["test"]["state"] == "failed", WAIT)
        server.shutdown()
    lines, mail = server.mails[0]
    assert len(server.mails) == 2
    assert [line for line in lines if line.startswith(("MAIL", "RCPT"))] == [
        "MAIL FROM:<ups@example.org>",
        "RCPT TO:<ann@example.org>",
        "RCPT TO:<tom@example.org>",
    ]
    message = email.message_from_bytes(mail)
    assert not message.defects and message["From"] == "The UPS <ups@example.org>"
    assert message.get_payload().startswith("On battery: the mains failed")


class Receiver:
    """A web server that keeps what it is sent and answers as told."""

    def __init__(self, codes=()):
        receiver = self
        self.requests = []
        self.codes = list(codes)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                self.send_response(receiver.codes.pop(0) if receiver.codes else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


def test_webhook(sim):
    """Real curl: signed JSON; an error is tried again with the same id, 410 is not."""
    with Receiver(codes=[500, 204, 410]) as web, Daemon(
        config=config(
            sim,
            'notify "hook" { type = webhook url = "%s/in?a=b" secret = "s3cret" '
            'header = {"X-Mine: \\"quoted\\""} %s }' % (web.url, MINE),
        )
    ) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: target(daemon, "hook")["dropped"] == 1, WAIT)
        assert len(web.requests) == 3
        assert "gone" in daemon.log()
    bodies = [json.loads(body) for _, _, body in web.requests]
    assert [b["kind"] for b in bodies] == ["on-battery", "on-battery", "on-line"]
    assert bodies[0]["id"] == bodies[1]["id"] != bodies[2]["id"]
    assert bodies[2]["thread"] == bodies[0]["id"]
    assert bodies[1]["attempt"] == 2
    assert bodies[0]["values"]["ups.status"].startswith("OB")
    for path, headers, body in web.requests:
        assert path == "/in?a=b"
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Mine"] == '"quoted"'
        assert headers["Idempotency-Key"] == json.loads(body)["id"]
        want = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert headers["X-UPS2000-Signature"] == f"sha256={want}"


def test_ntfy_and_gotify(sim):
    with Receiver() as web, Daemon(
        config=config(
            sim,
            'notify "n" { type = ntfy url = "%s/topic" token = "tk_1" %s }' % (web.url, MINE),
            'notify "g" { type = gotify url = "%s" token = "A.2" %s }' % (web.url, MINE),
        )
    ) as daemon:
        ready(daemon)
        outage(sim, daemon)
        wait_until(lambda: len(web.requests) == 4, WAIT)
    ntfy = [r for r in web.requests if r[0] == "/topic"]
    assert ntfy[0][1]["Authorization"] == "Bearer tk_1"
    assert ntfy[0][1]["Title"].startswith("rack: On battery")
    assert ntfy[0][1]["Priority"] == "4" and ntfy[1][1]["Priority"] == "3"
    assert ntfy[0][2].decode().startswith("On battery: the mains failed")
    gotify = [r for r in web.requests if r[0] == "/message"]
    assert gotify[0][1]["X-Gotify-Key"] == "A.2"
    assert json.loads(gotify[0][2])["title"].startswith("rack: On battery")


def test_secrets_are_in_no_process_list(sim, site):
    """While curl waits for an answer, its command line and environment are looked at."""
    with socket.create_server(("127.0.0.1", 0)) as server, Daemon(
        config=config(
            sim,
            'notify "n" { type = ntfy url = "http://127.0.0.1:%d/hidden" token = "tk_hidden" '
            "timeout = 30 %s }" % (server.getsockname()[1], MINE),
        )
    ) as daemon:
        ready(daemon)
        sim.cmd("mains off")
        server.settimeout(WAIT)
        connection, _ = server.accept()
        children = wait_until(lambda: curls_of(daemon.process.pid), WAIT)
        for pid in children:
            for name in ("cmdline", "environ"):
                assert b"hidden" not in pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
        connection.close()


def curls_of(parent):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) == parent and b"curl" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


# --- asked -----------------------------------------------------------------------------------------


def test_api(sim, site):
    tell = site.teller()
    bad = site.program("bad", "printf '\\377 broken\\n'; exit 3")
    with Daemon(
        config=config(
            sim,
            'notify "good" { command = {"%s"} }' % tell,
            'notify "bad" { command = {"%s"} }' % bad,
            'notify "none" { command = {"/nonexistent"} }',
        )
    ) as daemon:
        status, answer = api(daemon, "notify")
        assert status == 200
        assert [t["name"] for t in answer["targets"]] == ["good", "bad", "none"]
        assert api(daemon, "notify/nonesuch")[0] == 404
        assert api(daemon, "notify/nonesuch/test", "POST")[0] == 404
        for name, state, words in (
            ("good", "delivered", "done"),
            ("bad", "failed", "exit code 3: ? broken"),
            ("none", "failed", "No such file"),
        ):
            assert api(daemon, f"notify/{name}/test", "POST")[0] == 202
            wait_until(lambda: target(daemon, name)["test"]["state"] != "running", WAIT)
            assert target(daemon, name)["test"]["state"] == state
            assert words in target(daemon, name)["test"]["text"]
        assert site.told("good")[0][3] == "test"
        # a test that failed is not tried again
        assert target(daemon, "bad")["waiting"] == 0


def cli(daemon, *words):
    return subprocess.run(
        [bin_dir() / "ups2000", "--socket", daemon.socket, *words], capture_output=True, text=True, timeout=60
    )


def test_command_line(sim, site):
    with Daemon(
        config=config(
            sim,
            'notify "good" { command = {"%s"} }' % site.teller(),
            'notify "bad" { command = {"%s"} }' % site.program("bad", "echo broken; exit 3"),
        )
    ) as daemon:
        assert "nothing was sent yet" in cli(daemon, "notify").stdout
        done = cli(daemon, "notify", "test", "good")
        assert (done.returncode, done.stdout) == (0, "good: delivered (done)\n")
        done = cli(daemon, "notify", "test", "bad")
        assert done.returncode == 1 and "exit code 3: broken" in done.stderr
        done = cli(daemon, "notify", "test")
        assert done.returncode == 1 and "good: delivered" in done.stdout
        done = cli(daemon, "notify", "test", "nonesuch")
        assert done.returncode == 66 and 'no notify "nonesuch"' in done.stderr
        assert cli(daemon, "notify", "tset").returncode == 64
        listed = cli(daemon, "notify", "list").stdout
        assert "exit code 3: broken" in listed and "ok" in listed
        done = cli(daemon, "notify", "list", "--json")
        assert len(json.loads(done.stdout)["targets"]) == 2
        assert cli(daemon, "_complete", "--", "notify", "test", "").stdout.split() == ["good", "bad"]


ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_every_kind_of_event_is_known_and_described():
    """What the daemon tells of itself, found in its sources: a kind next to its severity."""
    said_by_the_hub = {"comm-ok", "comm-lost", "comm-silent", "monitored-only"}  # under other names
    kinds = set()
    for part in ("daemon", "history", "notify", "policy", "port", "ups"):
        for path in (ROOT / "src" / part).glob("*.c"):
            if path.name == "play.c" or path.name.startswith("config"):
                continue  # a timeline that is printed, and words of the configuration
            text = path.read_text()
            kinds |= set(re.findall(r'"([a-z][a-z-]+)",\s*"(?:info|warning|alert)"', text))
            kinds |= set(re.findall(r'hub_event\(\s*[\w>.-]+,\s*"([a-z-]+)"', text))
    assert {"on-battery", "fsd", "shutdown-announced", "notify-failed"} <= kinds
    table = (ROOT / "src/notify/kinds.c").read_text()
    page = (ROOT / "docs/notifications.md").read_text()
    for kind in kinds - said_by_the_hub:
        assert f'{{ "{kind}", KIND_' in table, kind
        assert f"`{kind}`" in page, kind


def test_no_targets(sim):
    with Daemon(port=sim.port) as daemon:
        assert api(daemon, "notify") == (200, {"targets": []})
        assert "no section notify" in cli(daemon, "notify").stdout
        assert cli(daemon, "notify", "test").returncode == 66
        assert not (daemon.directory / "state" / "notify").exists()
