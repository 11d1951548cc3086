"""Every command in README.md and docs/*.md: run as it stands, or here is why it cannot be.

A command is a line of a code block that begins with a program (below). The places it names (ports,
sockets, hosts) are replaced by a simulated UPS's and a daemon's of our own; nothing else is changed.
"""

import os
import pathlib
import re
import signal
import subprocess
import tempfile

import pytest

from daemon import Daemon
from machine import Machine
from sim import Sim, bin_dir, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = re.compile(
    r"(?:\$ )?(?:sudo )?((?:build/bin/)?(?:ups2000(?:d|-sim|-nut|-late|-host)?)|\./dev|upsc|upscmd|upsrw|upsmon|curl|"
    r"systemctl|journalctl|apt|apt-get|dpkg|ls|lsusb|mkpasswd|cmake|socat|mbpoll|modprobe|usermod|"
    r"adduser|export|git|echo|kill|promtool|sendmail|openssl|udevadm|PATH=\S+|install|cp)(?= |$)")

# Why a command of the docs is not run here. Each row must be needed by some page.
NOT_RUN = [
    (r"git clone ", "this very repository"),
    (r"\./dev ", "this test is part of it"),
    (r"systemctl |journalctl ", "needs a systemd that runs the machine"),
    (r"(apt|apt-get|dpkg|cmake|usermod|modprobe) ", "changes the machine; tests/package installs in a root of its own"),
    (r"echo 1-2:1.0 ", "needs that adapter"),
    (r"ls ", "shows what this machine has"),
    (r"kill %", "job control"),
]

# Commands that go on until they are stopped.
ENDLESS = re.compile(r"(\$ |sudo )*(build/bin/)?(ups2000 (watch|events .*(-f\b|--follow)|probe .*--diff)|"
                     r"ups2000d (?!--check-config|--help)|ups2000-sim |socat TCP-LISTEN|curl .*/events)")

# Exit codes besides 0 that are right where they stand.
EXPECTED = [
    (r"ups2000 set ups.delay.shutdown 5$", {77}),  # refused, as the tutorial says
    (r"ups2000 probe (tcp|rtu\+tcp)", {69}),  # a host that is not there
    (r"ups2000 policy$", {0, 1}),            # 1: a forced shutdown is under way: another command began it
    (r"ups2000 fsd clear", {77}),            # none is announced
]


def places(site, text):
    """What a page's words stand for: (words in a command, what is put there)."""
    yield r"/dev/serial/by-path/…|/dev/ttyUSB\d|\bPORT\b", site.spare.port
    yield r"/tmp/sim\.sock", site.sim.control
    yield r"\b(ups|rack)@localhost\b", rf"\1@127.0.0.1:{site.nut_port}"
    yield r"^(upsc) (rack)$", rf"\1 \2@127.0.0.1:{site.nut_port}"
    yield r"/run/ups2000/ups2000\.sock|/tmp/ups2000/ups2000\.sock|/tmp/ups/ups2000\.sock", site.daemon.socket
    yield r"--config FILE", f"--config {site.config}"
    yield r"https?://[^/ ]*:849[34]", f"http://127.0.0.1:{site.http_port}"
    if text.startswith("curl"):
        yield r"-u (admin|prometheus)\b", r"-u \1:word"
    if text.startswith("upscmd") or text.startswith("upsrw"):
        yield r"-u admin", "-u admin -p word"
    if text.startswith("ups2000 setup"):
        yield r"$", f" --output {site.path}/made.conf --force --yes"
        yield r"--from-nut(?!=)", f"--from-nut={site.nut}"
        yield r"^(ups2000 setup)(?!.*--from-nut)", rf"\1 --port {site.spare.port}"
    if text.startswith("ups2000 prove"):
        yield r"$", " --confirm=ups"
    if re.match(r"ups2000 shutdown$", text):
        yield r"$", " --confirm"
    if re.match(r"ups2000d --check-config|ups2000 policy simulate", text) and "--config" not in text:
        yield r"$", f" --config {site.config}"


def commands():
    """(page, line number, text without the explanation behind it) of each command."""
    for page in PAGES:
        fenced = False
        for number, line in enumerate(page.read_text().splitlines(), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
                continue
            if not fenced and not line.startswith("    "):
                continue
            text = re.split(r"\s{2,}#|\s+# |\s{3,}|(?<=\S)\s{2,}(?=\S)", line.strip())[0]
            if PROGRAM.match(text) and not re.match(r"\S+\s*=\s", line.strip()):
                yield page.name, number, text


def reason_not_to_run(text):
    for pattern, reason in NOT_RUN:
        if re.match(r"(?:\$ )?(?:sudo )?" + pattern, text):
            return reason
    return None


class Site:
    """A UPS called ups and rack, a daemon with users, a second UPS nobody reads, NUT's files."""

    def __init__(self, path):
        self.path = path
        self.sim = Sim("--speed", "20").start()
        self.spare = Sim("--esn", "21022900000000000009").start()
        machine = Machine(path)
        machine.add("ttyUSB0", "1a86:5523", "ch341", node=self.spare.port)
        self.daemon = Daemon(http=("127.0.0.1:0",), config=(
            f'ups "ups" {{ port = "{self.sim.port}" alias = {{"rack", "office"}} }}\n'
            'user "admin" { password = "word" actions = {"SET", "FSD"} instcmds = {"ALL"} }\n'
            'user "prometheus" { password = "word" }\n'
            'notify "phone" { command = {"/bin/true"} }\n'
            'shutdown { ups-off = no this-host = no }\ntask "guests" { run = {"/bin/true"} }\n')).start()
        self.nut_port = self.daemon.nut_ports()[0]
        self.http_port = self.daemon.http_ports()[0]
        with self.daemon.nut() as nut:
            wait_until(lambda: {"input.voltage", "battery.charge", "ups.firmware"} <= nut.vars().keys(), 30)
        self.config = path / "sample.conf"
        self.config.write_text((ROOT / "docs" / "ups2000.conf").read_text() + f'ups "u" {{ port = "{self.spare.port}" }}\nshutdown {{ }}\n')
        self.config.chmod(0o640)
        self.nut = path / "nut"
        self.nut.mkdir()
        (self.nut / "ups.conf").write_text(f"[ups]\ndriver = huawei-ups2000\nport = {self.spare.port}\n")
        self.env = {**os.environ, **machine.env, "LC_ALL": "C.UTF-8", "TERM": "dumb",
                    "UPS2000_SOCKET": str(self.daemon.socket),
                    "PATH": f"{bin_dir()}:{os.environ['PATH']}"}

    def stop(self):
        self.daemon.stop()
        self.spare.stop()
        self.sim.stop()

    def translate(self, text):
        text = re.sub(r"^\$ |^sudo ", "", text)
        text = re.sub(r"^sudo ", "", text).replace("build/bin/", "").rstrip("& ").removesuffix(" …")
        fresh = tempfile.mkdtemp(dir=self.path)
        if text.startswith("ups2000-sim"):
            text = text.replace("/tmp/ups", f"{fresh}/ups").replace("/tmp/sim.sock", f"{fresh}/sock")
        elif text.startswith("ups2000d"):
            text = re.sub(r"--port \S+", f"--port {self.spare.port} --listen 127.0.0.1:0 --http none", text)
            text = re.sub(r"dir /tmp/[\w/]+", lambda m: f"dir {fresh}/{m.group().rpartition('/')[2]}", text)
            if "--" in text and "--runtime-dir" not in text and "--check-config" not in text:
                text += f" --port {self.spare.port} --listen 127.0.0.1:0 --http none --runtime-dir {fresh}/run"
            if "--state-dir" not in text and "--check-config" not in text:
                text += f" --state-dir {fresh}/state"
        elif "socat TCP-LISTEN" not in text:
            text = re.sub(r"(?<=\s)/tmp/ups$", self.spare.port, text)
        for pattern, instead in places(self, text):
            text = re.sub(pattern, str(instead), text)
        return text

    def run(self, text):
        """Exit code (None: it went on and was ended) and output."""
        process = subprocess.Popen(["bash", "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, env=self.env, cwd=self.path,
                                   start_new_session=True)
        try:
            output = process.communicate(timeout=3 if ENDLESS.match(text) else 120)[0]
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            return (None if ENDLESS.match(text) else "too long"), process.communicate(timeout=30)[0]
        finally:
            process.wait(30)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("docs"))
    yield made
    made.stop()


ALL = list(commands())
RUN = [c for c in ALL if not reason_not_to_run(c[2])]


@pytest.mark.parametrize("page, line, text", RUN, ids=[f"{p}:{n}" for p, n, _ in RUN])
def test_command(site, page, line, text):
    code, output = site.run(site.translate(text))
    rights = {0, None} if ENDLESS.match(text) else {0}
    for pattern, codes in EXPECTED:
        if re.search(pattern, text):
            rights = codes | ({None} if ENDLESS.match(text) else set())
    assert code in rights, f"{page}:{line}: {text}\n{site.translate(text)}\n{output}"


def test_every_reason_is_needed():
    for pattern, reason in NOT_RUN:
        assert any(re.match(r"(?:\$ )?(?:sudo )?" + pattern, text) for _, _, text in ALL), (pattern, reason)
