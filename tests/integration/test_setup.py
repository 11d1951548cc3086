"""ups2000 setup: from nothing, or from NUT's files, to a configuration that works."""

import json
import os
import pathlib
import pty
import select
import subprocess

import pytest

from daemon import Daemon
from machine import Machine
from nut import NutError
from sim import Sim, bin_dir, wait_until

CLI = str(bin_dir() / "ups2000")
ENV = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "dumb"}
ESN = "21022900000000000001"


def run_setup(*args, env=None, code=0):
    done = subprocess.run([CLI, "setup", *map(str, args)], capture_output=True, text=True,
                          timeout=180, stdin=subprocess.DEVNULL, env={**ENV, **(env or {})})
    assert done.returncode == code, done.stdout + done.stderr
    return done


class Person:
    """Somebody at a terminal: waits for a question, answers it."""

    def __init__(self, *args, env=None):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([CLI, "setup", *map(str, args)], stdin=slave, stdout=slave,
                                        stderr=slave, env={**ENV, **(env or {})})
        os.close(slave)
        self.seen = ""
        self.at = 0

    def read(self):
        if not select.select([self.master], [], [], 0.1)[0]:
            return
        try:
            self.seen += os.read(self.master, 4096).decode(errors="replace").replace("\r\n", "\n")
        except OSError:
            pass

    def answer(self, question, text):
        def asked():
            self.read()
            return self.seen.find(question, self.at) >= 0
        wait_until(asked, 60, f"{question!r} in {self.seen!r}")
        self.at = self.seen.find(question, self.at) + len(question)
        os.write(self.master, (text + "\n").encode())

    def end(self):
        def ended():
            self.read()
            return self.process.poll() is not None
        wait_until(ended, 60, f"the end of {self.seen!r}")
        self.read()
        os.close(self.master)
        return self.process.returncode


def may_command(daemon, user, password):
    with daemon.nut() as nut:
        nut.cmd(f"USERNAME {user}")
        nut.cmd(f"PASSWORD {password}")
        try:
            return nut.cmd("INSTCMD ups beeper.enable").startswith("OK")
        except NutError as error:
            assert str(error) == "ACCESS-DENIED"
            return False


def test_without_asking(sim, tmp_path):
    """All that is needed for a script; the daemon takes it, the password is right."""
    machine = Machine(tmp_path)
    machine.add("ttyUSB0", "1a86:5523", "ch341", node=sim.port)
    machine.add("ttyUSB1", "04e2:1410", "cdc_acm", node="/dev/null")
    secret = tmp_path / "secret"
    secret.write_text("long secret word\n")
    out = tmp_path / "etc" / "ups2000.conf"
    done = run_setup("--yes", "--password-file", secret, "--output", out, env=machine.env)
    assert "UPS2000A" in done.stdout and ESN in done.stdout
    assert "20 of 20 questions answered" in done.stdout
    assert "xr_serial" in done.stdout  # why the other port is of no use
    assert f"Written: {out}" in done.stdout and "ups2000d --config" in done.stderr
    assert oct(out.stat().st_mode & 0o777) == "0o640"
    text = out.read_text()
    assert f'serial = "{ESN}"' in text and "by-path/pci-ttyUSB0" in text
    assert "long secret word" not in text and "shutdown" not in text and "listen" not in text
    assert sim.writes() == []
    with Daemon(config=text) as daemon:
        with daemon.nut() as nut:
            wait_until(lambda: nut.try_get("ups.status") == "OL", 30)
        assert may_command(daemon, "admin", '"long secret word"')
        assert not may_command(daemon, "admin", "other")


def test_nothing_is_asked_without_consent(sim, tmp_path):
    machine = Machine(tmp_path)
    machine.add("ttyUSB0", "1a86:5523", "ch341", node=sim.port)
    out = tmp_path / "ups2000.conf"
    done = run_setup("--output", out, env=machine.env, code=75)
    assert "nothing was asked" in done.stderr and not out.exists()
    assert sim.log() == []


def test_made_up_passwords_are_shown_once(sim, tmp_path):
    out = tmp_path / "ups2000.conf"
    done = run_setup("--yes", "--port", sim.port, "--serve", "--shut-down", "--name", "rack",
                 "--output", out)
    password = done.stdout.split('Password of "admin", shown only now: ')[1].split()[0]
    monitor = [w for w in done.stdout.splitlines() if "MONITOR" in w][0].split()
    assert monitor[0] == "MONITOR" and monitor[1].startswith("rack@") and monitor[3] == "upsmon"
    text = out.read_text()
    assert password not in text and monitor[4] not in text
    assert 'listen = {"*:3493"}' in text and "shutdown {" in text and "upsmon = secondary" in text


def test_what_is_there_is_kept(sim, tmp_path):
    out = tmp_path / "ups2000.conf"
    out.write_text('ups "mine" { port = /dev/null }\n')
    done = run_setup("--yes", "--port", sim.port, "--output", out, code=77)
    assert "holds a configuration already" in done.stderr
    assert "mine" in out.read_text() and sim.log() == []
    shown = run_setup("--yes", "--port", sim.port, "--output", out, "--dry-run")
    assert 'ups "ups"' in shown.stdout and "mine" in out.read_text()
    run_setup("--yes", "--port", sim.port, "--output", out, "--force")
    assert 'ups "ups"' in out.read_text()
    assert "mine" in (tmp_path / "ups2000.conf.old").read_text()


def test_a_file_of_comments_is_no_configuration(sim, tmp_path):
    out = tmp_path / "ups2000.conf"
    out.write_text("# ups { }\n/* nothing */\n\n")
    run_setup("--yes", "--port", sim.port, "--output", out)
    assert 'ups "ups"' in out.read_text()


@pytest.mark.parametrize("args, code, words", [
    (["--port", "ttyUSB0"], 64, "is not a full path"),
    (["--port", "/dev/null"], 77, "/dev/null"),
    (["--port", "/proc/none"], 69, "/proc/none"),
    (["--port", "SIM", "--name", "a b"], 64, "cannot be the name"),
    (["--port", "SIM", "--password-file", "/proc/none"], 64, "/proc/none"),
    (["--port", "SIM", "--password-file", "/dev/null"], 64, "the password is empty"),
    (["--port", "SIM", "--output", "/proc/none/b"], 1, "cannot be written"),
    (["--from-nut", "--port", "/dev/x"], 64, "--from-nut takes everything"),
    (["--from-nut=/proc/none"], 1, "/proc/none/ups.conf"),
    (["--json"], 64, "--json goes with"),
    (["word"], 64, "too many words"),
])
def test_bad_input(sim, tmp_path, args, code, words):
    args = [sim.port if a == "SIM" else a for a in args]
    if "--output" not in args:
        args += ["--output", tmp_path / "out"]
    done = run_setup("--yes", *args, code=code)
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_silent_port(tmp_path):
    with Sim() as sim:
        sim.cmd("mute")
        out = tmp_path / "out"
        done = run_setup("--yes", "--port", sim.port, "--output", out, code=75)
        assert "no UPS answers" in done.stderr and not out.exists()


def test_a_person(sim, tmp_path):
    machine = Machine(tmp_path)
    machine.add("ttyUSB0", "1a86:5523", "ch341", node=sim.port)
    out = tmp_path / "ups2000.conf"
    person = Person("--output", out, env=machine.env)
    person.answer("(it only reads)? [Y/n]", "")
    person.answer("Name of the UPS for NUT clients [ups]:", "a b")
    person.answer("Name of the UPS for NUT clients [ups]:", "office")
    person.answer("who may command it [admin]:", "root")
    person.answer("one is made up and shown):", "typed once")
    person.answer("The same again:", "typed otherwise")
    person.answer("one is made up and shown):", "typed twice")
    person.answer("The same again:", "typed twice")
    person.answer("Let other hosts watch it", "n")
    person.answer("Shut this host down", "y")
    assert person.end() == 0, person.seen
    assert "typed twice" not in person.seen  # not even an echo
    text = out.read_text()
    assert 'ups "office"' in text and 'user "root"' in text and "shutdown {" in text


def test_a_person_leaves(sim, tmp_path):
    out = tmp_path / "ups2000.conf"
    person = Person("--port", sim.port, "--output", out)
    person.answer("Name of the UPS for NUT clients [ups]:", "\x04")
    assert person.end() == 130
    assert not out.exists() and "nothing was written" in person.seen


NUT_FILES = {
    "ups.conf": "[rack]\n\tdriver = huawei-ups2000\n\tport = {port}\n\tdesc = \"A rack\"\n",
    "upsd.conf": "LISTEN 127.0.0.1 {listen}\nMAXAGE 15\n",
    "upsd.users": "[admin]\n  password = word\n  actions = SET\n  instcmds = ALL\n"
                  "[mon]\n  password = monword\n  upsmon master\n",
    "upsmon.conf": "MONITOR rack@localhost 1 mon monword master\nSHUTDOWNCMD /bin/true\n",
}


def nut_directory(path, port, listen=3493):
    path.mkdir()
    for name, text in NUT_FILES.items():
        (path / name).write_text(text.format(port=port, listen=listen))
    return path


def test_from_nut(sim, tmp_path):
    """The same clients, users and passwords as before find everything."""
    directory = nut_directory(tmp_path / "nut", sim.port)
    out = tmp_path / "ups2000.conf"
    before = {f.name: f.read_bytes() for f in directory.iterdir()}
    done = run_setup(f"--from-nut={directory}", "--output", out)
    assert f"{directory}/ups.conf" in done.stdout and "taken: desc" in done.stdout
    assert "monword" not in done.stdout + done.stderr
    assert "systemctl disable --now nut-server" in done.stderr
    assert before == {f.name: f.read_bytes() for f in directory.iterdir()}
    assert sim.log() == []
    with Daemon(config=out.read_text()) as daemon:
        with daemon.nut() as nut:
            wait_until(lambda: nut.try_get("ups.status", "rack") == "OL", 30)
            nut.login("mon", "monword", "rack")
            assert nut.cmd("PRIMARY rack").startswith("OK")
        with daemon.nut() as nut:
            nut.cmd("USERNAME admin")
            nut.cmd("PASSWORD word")
            assert nut.cmd("SET VAR rack ups.delay.shutdown 120").startswith("OK")


def test_from_nut_as_json(tmp_path):
    directory = nut_directory(tmp_path / "nut", "/dev/x")
    done = run_setup(f"--from-nut={directory}", "--dry-run", "--json")
    report = json.loads(done.stdout)
    assert report["written"] is None and 'ups "rack"' in report["configuration"]
    fates = {(pathlib.Path(s["file"]).name, s["line"]): s["fate"] for s in report["settings"]}
    assert fates["ups.conf", 2] == "not needed" and fates["ups.conf", 3] == "taken"
    assert fates["upsd.users", 2] == "changed"


@pytest.mark.parametrize("name, text, words", [
    ("ups.conf", "[rack]\ndriver = huawei-ups2000\nport = \"/dev/x\n", "ups.conf:3: a quote"),
    ("ups.conf", "[rack\n", "ups.conf:1"),
    ("ups.conf", "\0", "NUL byte"),
    ("upsd.users", "[a]\npassword = \"x\n", "upsd.users:2: a quote"),
    ("upsmon.conf", "MONITOR \"x\n", "upsmon.conf:1: a quote"),
])
def test_broken_nut_files(tmp_path, name, text, words):
    directory = nut_directory(tmp_path / "nut", "/dev/x")
    (directory / name).write_text(text)
    out = tmp_path / "out"
    done = run_setup(f"--from-nut={directory}", "--output", out, code=1)
    assert words in done.stderr and "nothing was written" in done.stderr
    assert not out.exists()
