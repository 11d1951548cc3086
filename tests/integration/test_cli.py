"""The command line: against a hub filled by hand (http_fixture), and against the real daemon."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

import pytest

from sim import bin_dir, wait_until

CLI = str(bin_dir() / "ups2000")


class Fixture:
    """http_fixture behind a socket of its own."""

    def __init__(self, *names):
        self.directory = tempfile.TemporaryDirectory(prefix="ups2000-cli-")
        self.socket = self.directory.name + "/api.sock"
        self.names = names
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [str(bin_dir() / "http_fixture"), self.socket, *self.names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def one():
    fixture = Fixture("rack")
    yield fixture
    fixture.stop()


@pytest.fixture
def two():
    fixture = Fixture("rack", "lab")
    yield fixture
    fixture.stop()


ENV = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm"}


def cli(where, *args, stdin=subprocess.DEVNULL, env=None):
    return subprocess.run(
        [CLI, "--socket", getattr(where, "socket", where), *args],
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        env=env or ENV,
    )


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, where, *args, rows=24, columns=80, env=None):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execve(CLI, [CLI, "--socket", where.socket, *args], env or ENV)
        self.pid = pid
        self.text = ""
        self.size(rows, columns)

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.fd], [], [], 0.02)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode(errors="replace")
        return self.text

    def screen(self):
        """What was drawn last, without colours; None before the first drawing is complete."""
        frames = self.read().split("\033[H")
        for frame in reversed(frames):
            if "q quit" in frame:
                plain = re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", frame)
                return plain.replace("\r\r\n", "\r\n")
        return None

    def wait_for(self, text):
        return wait_until(lambda: text in (self.screen() or ""), 20, f"{text!r} on the screen")

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """The exit code; -N for a signal."""
        status = {}

        def wait():
            self.read()
            pid, status["raw"] = os.waitpid(self.pid, os.WNOHANG)
            return pid == self.pid

        wait_until(wait, 20, "the end of the program")
        self.read()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status["raw"])


# ---- how a UPS is ----


def test_status_for_people(one):
    result = cli(one, "status")
    assert result.returncode == 0
    assert result.stderr == ""
    for text in ("rack", "On mains", "OL CHRG", "30.4 %", "92 %", "1 h 12 min", "230.1 V",
                 "28.5 °C", "Alarms     none", "Commands   possible"):
        assert text in result.stdout
    assert "\033" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_status_without_utf8(one):
    result = cli(one, "status", env={**ENV, "LC_ALL": "C"})
    assert result.stdout.isascii()
    assert "28.5 C" in result.stdout


def test_status_names(two):
    assert cli(two, "status", "rack").stdout.startswith("rack")
    assert cli(two, "status", "FIRST").stdout.startswith("rack")
    both = cli(two, "status").stdout
    assert "rack · " in both and "lab · " in both
    unknown = cli(two, "status", "lob")
    assert unknown.returncode == 66
    assert 'did you mean "lab"?' in unknown.stderr
    assert unknown.stdout == ""


def test_status_on_battery(one):
    one.say("outage rack")
    text = cli(one, "status").stdout
    assert "On battery" in text and "battery 92 % ──▶ inverter" in text
    assert "left at this load" in text
    one.say("mains rack")
    assert "On mains" in cli(one, "status").stdout


def test_status_with_alarms(one):
    one.say("alarm rack")
    text = cli(one, "status").stdout
    assert "22/1 Battery disconnected" in text
    assert "→ Check the battery connector" in text
    assert "register 40160, bit 3" in text
    assert max(map(len, text.splitlines())) <= 80


def test_stale_data_says_so(one):
    one.say("stale rack")
    result = cli(one, "status")
    assert result.returncode == 75
    assert "STALE" in result.stdout and "No fresh data" in result.stdout
    assert "● On mains" not in result.stdout
    one.say("closed rack")
    assert "/dev/ttyUSB0 is not there" in cli(one, "status").stdout


def test_control_characters_of_a_device_do_not_reach_the_terminal(one):
    one.say("evil rack")
    result = cli(one, "status")
    assert "\033" not in result.stdout
    assert "?[2Jmodel?" in result.stdout


def test_status_json(two):
    named = json.loads(cli(two, "status", "rack", "--json").stdout)
    assert named["name"] == "rack"
    assert named["quantities"]["input.voltage"]["value"] == 230.1
    assert named["quantities"]["input.voltage"]["unit"] == "V"
    assert [u["name"] for u in json.loads(cli(two, "--json", "status").stdout)["ups"]] == [
        "rack",
        "lab",
    ]


def test_list(two):
    lines = cli(two, "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "rack", "lab"]
    assert len(json.loads(cli(two, "list", "--json").stdout)["ups"]) == 2


# ---- variables ----


@pytest.mark.parametrize(
    "args, code, out, err",
    [
        (("rack", "ups.status"), 0, "OL CHRG\n", ""),
        (("first", "ups.status"), 0, "OL CHRG\n", ""),
        (("rack", "battery.charge", "ups.status"), 0, "battery.charge: 92\nups.status: OL CHRG\n",
         ""),
        (("ups.status",), 64, "", "say which one"),
        ((), 64, "", "say which one"),
        (("rack", "ups.statsu"), 66, "", 'did you mean "ups.status"?'),
        (("lob", "ups.status"), 66, "", 'no UPS "lob"'),
    ],
)
def test_get(two, args, code, out, err):
    result = cli(two, "get", *args)
    assert (result.returncode, result.stdout) == (code, out)
    assert err in result.stderr


def test_get_with_one_ups(one):
    assert cli(one, "get", "ups.status").stdout == "OL CHRG\n"
    assert "battery.charge: 92\n" in cli(one, "get").stdout
    assert json.loads(cli(one, "get", "ups.status", "--json").stdout) == {"ups.status": "OL CHRG"}
    assert "neither a UPS nor a variable" in cli(one, "get", "rak").stderr


def test_get_of_stale_data(one):
    one.say("stale rack")
    result = cli(one, "get", "ups.status")
    assert result.returncode == 75
    assert "not fresh" in result.stderr


# ---- events ----


def test_events(two):
    two.say("event first of all")
    two.say("outage lab")
    text = cli(two, "events").stdout
    assert "daemon  first of all" in text
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  warning  lab  On battery", text, re.M)
    assert len(cli(two, "events", "-n", "1").stdout.splitlines()) == 1
    assert "first of all" not in cli(two, "events", "lab").stdout
    assert "first of all" in cli(two, "events", "--since", "1h").stdout
    assert cli(two, "events", "--since", "2100-01-01").stdout == ""
    assert cli(two, "events", "--since", "soon").returncode == 64
    lines = cli(two, "events", "--json").stdout.splitlines()
    assert json.loads(lines[0])["id"] == 1


class Follower:
    def __init__(self, where, *args):
        self.process = subprocess.Popen(
            [CLI, "--socket", where.socket, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=ENV,
        )
        self.out, self.err = [], []
        for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            threading.Thread(target=self._collect, args=(stream, lines), daemon=True).start()

    @staticmethod
    def _collect(stream, lines):
        for line in stream:
            lines.append(line)

    def wait_for(self, text):
        wait_until(lambda: any(text in line for line in self.out + self.err), 20, repr(text))

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.process.wait(20)


def test_events_follow_over_a_restart(one):
    one.say("event before")
    follower = Follower(one, "events", "--follow")
    follower.wait_for("before")
    one.say("event live")
    follower.wait_for("live")
    one.stop()
    follower.wait_for("waiting for it to come back")
    one.start()
    one.say("event after the restart")
    follower.wait_for("after the restart")
    follower.stop()


# ---- watch ----


def test_watch_on_a_terminal(one):
    terminal = Terminal(one, "watch")
    terminal.wait_for("On mains")
    assert "\033[?1049h" in terminal.text and "\033[?25l" in terminal.text
    lines = terminal.screen().split("\r\n")
    assert len(lines) == 24
    assert max(map(len, lines)) <= 80
    one.say("outage rack")
    terminal.wait_for("● On battery")
    terminal.wait_for("On battery: the mains failed")
    one.say("alarm rack")
    terminal.wait_for("22/1 Battery disconnected")
    terminal.wait_for("Commands")
    terminal.size(12, 50)
    wait_until(lambda: len(terminal.screen().split("\r\n")) == 12)
    assert max(map(len, terminal.screen().split("\r\n"))) <= 50
    terminal.type("q")
    assert terminal.end() == 0
    assert terminal.text.endswith("\033[?1049l")
    assert "\033[?25h" in terminal.text


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_watch_gives_the_terminal_back(one, how):
    terminal = Terminal(one, "watch")
    terminal.wait_for("On mains")
    os.kill(terminal.pid, how)
    assert terminal.end() == 0
    assert terminal.text.endswith("\033[?1049l")


def test_watch_over_a_restart_of_the_daemon(one):
    terminal = Terminal(one, "watch")
    terminal.wait_for("On mains")
    one.stop()
    terminal.wait_for("DAEMON LOST")
    terminal.wait_for("The daemon does not answer")
    one.start()
    terminal.wait_for("● On mains")
    terminal.type("q")
    assert terminal.end() == 0


def test_watch_of_several(two):
    terminal = Terminal(two, "watch")
    terminal.wait_for("NAME")
    two.say("outage lab")
    terminal.wait_for("On battery")
    terminal.type("\t")
    terminal.wait_for("rack · ")
    terminal.type("\t")
    terminal.wait_for("lab · ")
    two.say("remove lab")
    terminal.wait_for("rack · ")
    terminal.type("\x1b[Cq")
    assert terminal.end() == 0


def test_watch_without_colours(one):
    for args, env in (([], {**ENV, "NO_COLOR": "1"}), (["--no-color"], ENV)):
        terminal = Terminal(one, "watch", *args, env=env)
        terminal.wait_for("On mains")
        terminal.type("q")
        assert terminal.end() == 0
        assert "\033[32m" not in terminal.text and "\033[1m" not in terminal.text


def test_watch_on_a_dumb_terminal_prints_lines(one):
    terminal = Terminal(one, "watch", env={**ENV, "TERM": "dumb"})
    wait_until(lambda: "OL CHRG" in terminal.read())
    assert "\033" not in terminal.text
    os.kill(terminal.pid, signal.SIGINT)
    terminal.end()


def test_watch_into_a_pipe(one):
    follower = Follower(one, "watch")
    follower.wait_for("OL CHRG")
    one.say("outage rack")
    follower.wait_for("OB DISCHRG")
    follower.stop()
    assert "\033" not in "".join(follower.out)


def test_watch_json(one):
    follower = Follower(one, "watch", "--json")
    follower.wait_for('"snapshot"')
    one.say("outage rack")
    follower.wait_for('"OB DISCHRG"')
    follower.wait_for('"on-battery"')
    follower.stop()
    assert {json.loads(line)["type"] for line in follower.out} == {"snapshot", "change", "event"}


def test_watch_ends_with_its_reader(one):
    process = subprocess.Popen(
        [CLI, "--socket", one.socket, "watch"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=ENV,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) in (0, 1, -signal.SIGPIPE)


# ---- commands ----


@pytest.mark.parametrize(
    "args, code, out, err",
    [
        (("run", "beeper.toggle"), 0, "beeper.toggle: verified: seen in the device\n",
         "armed, due in 1 s"),
        (("run", "rack", "beeper.toggle"), 0, "verified", ""),
        (("run", "beeper.toggle", "fail"), 1, "", "failed: the device did not do it"),
        (("run", "beeper.toggle", "7"), 77, "", "refused: nearest are 6 and 12"),
        (("run", "beeper.toggel"), 66, "", 'did you mean "beeper.toggle"?'),
        (("run", "load.off"), 77, "", "nothing was sent"),
        (("run", "load.off", "--confirm"), 0, "verified", ""),
        (("run", "load.off", "--confirm=rack"), 0, "verified", ""),
        (("run", "load.off", "--confirm=lab"), 77, "", "nothing was sent"),
        (("run", "beeper.toggle", "--no-wait"), 3, "given, order", ""),
        (("run", "rack"), 64, "", "too few words"),
        (("run",), 64, "", "too few words"),
        (("run", "rack", "beeper.toggle", "1", "2"), 64, "", "too many words"),
        (("set", "ups.delay.shutdown", "12"), 0, "verified", ""),
        (("set", "rack", "ups.delay.shutdown", "7"), 77, "", "nearest are 6 and 12"),
        (("set", "ups.status", "OL"), 77, "", "cannot be set"),
        (("set", "ups.none", "1"), 66, "", 'no variable "ups.none"'),
        (("set", "rak", "ups.delay.shutdown", "7"), 66, "", 'no UPS "rak"'),
        (("set", "ups.delay.shutdown"), 64, "", "too few words"),
        (("set", "ups.delay.shutdown", "x" * 10000), 77, "", "255 characters"),
    ],
)
def test_orders(one, args, code, out, err):
    result = cli(one, *args)
    assert result.returncode == code, result.stderr
    assert out in result.stdout
    assert err in result.stderr


def test_run_json(one):
    order = json.loads(cli(one, "run", "beeper.toggle", "--json").stdout)
    assert order["outcome"] == "verified"
    failed = cli(one, "run", "beeper.toggle", "fail", "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["outcome"] == "failed"


def test_run_help_tells_the_effect(one):
    text = cli(one, "run", "help").stdout
    assert re.search(r"^load\.off +switches the output off.*\(asks first\)$", text, re.M)
    assert re.search(r"^beeper\.toggle", text, re.M)


def test_run_with_closed_gate_sends_nothing(one):
    one.say("gate rack")
    before = cli(one, "events").stdout
    result = cli(one, "run", "load.off", "--confirm")
    assert result.returncode == 77
    assert "0x87/0x88" in result.stderr and "nothing was sent" in result.stderr
    assert cli(one, "events").stdout == before


@pytest.mark.parametrize("answer, code", [("rack", 0), ("yes", 77), ("", 77)])
def test_run_asks_on_a_terminal(one, answer, code):
    terminal = Terminal(one, "run", "load.off")
    wait_until(lambda: "to go on:" in terminal.read())
    assert "800 W (30 %)" in terminal.text
    terminal.type(answer + "\n")
    assert terminal.end() == code
    assert ("verified" in terminal.text) == (code == 0)
    assert ("nothing was sent" in terminal.text) == (code != 0)


def test_run_does_not_ask_with_no_input(one):
    terminal = Terminal(one, "run", "load.off", "--no-input")
    assert terminal.end() == 77
    assert "--confirm=rack" in terminal.text


def test_interrupt_leaves_a_command_running(one):
    follower = Follower(one, "run", "beeper.toggle", "never")
    follower.wait_for("armed")
    assert follower.stop(signal.SIGINT) == 3
    follower.wait_for("goes on without us")


# ---- reaching the daemon ----


def test_no_socket(tmp_path):
    result = cli(str(tmp_path / "none"), "status")
    assert result.returncode == 69
    assert "is ups2000d running?" in result.stderr


def test_dead_socket(tmp_path):
    path = str(tmp_path / "dead")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    result = cli(path, "status")
    assert result.returncode == 69
    assert "nobody answers" in result.stderr


def test_bad_socket_paths(tmp_path):
    assert cli("x" * 200, "status").returncode == 64
    plain = tmp_path / "file"
    plain.write_text("")
    assert cli(str(plain), "status").returncode in (64, 69)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_no_permission(one):
    os.chmod(one.directory.name, 0o755)
    result = subprocess.run(
        [CLI, "--socket", one.socket, "status"],
        capture_output=True, text=True, timeout=30, user="nobody", group="nogroup",
        extra_groups=[], env=ENV,
    )
    assert result.returncode == 77
    assert "no permission" in result.stderr


def test_socket_from_the_environment(one):
    result = subprocess.run(
        [CLI, "list"], capture_output=True, text=True, timeout=30,
        env={**ENV, "UPS2000_SOCKET": one.socket},
    )
    assert result.returncode == 0 and "rack" in result.stdout


@pytest.mark.parametrize(
    "answer, code",
    [
        (b"", 69),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 70),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 70),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", 70),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}", 69),
        (b'HTTP/1.1 503 No\r\nContent-Length: 18\r\n\r\n{"detail":"later"}', 75),
        (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}", 70),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100000, 70),
    ],
)
def test_strange_servers(tmp_path, answer, code):
    path = str(tmp_path / "strange")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                try:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        result = cli(path, "status")
        thread.join(20)
    assert result.returncode == code, result.stderr
    assert result.stderr.startswith("ups2000: ")
    assert result.stdout == ""


# ---- the command line itself ----


@pytest.mark.parametrize(
    "args, code, text",
    [
        ((), 64, "Usage: ups2000 VERB"),
        (("statsu",), 64, 'did you mean "status"?'),
        (("frobnicate",), 64, 'no command "frobnicate"'),
        (("status", "--follow"), 64, "does not belong to"),
        (("status", "a", "b"), 64, "too many words"),
        (("list", "a"), 64, "too many words"),
        (("events", "-n", "0"), 64, "from 1 to 1000"),
        (("events", "-n", "x"), 64, "from 1 to 1000"),
        (("events", "--follow=1"), 64, "--follow takes no value"),
        (("--jsno", "status"), 64, "no option --jsno"),
        (("-x", "status"), 64, "no option -x"),
        (("status", "--socket"), 64, "needs a value"),
        (("help", "nothing"), 64, 'no command "nothing"'),
    ],
)
def test_usage_errors(args, code, text):
    result = subprocess.run([CLI, *args], capture_output=True, text=True, timeout=30, env=ENV)
    assert result.returncode == code
    assert text in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("args", [("help",), ("--help",), ("-h",), ("help", "run"),
                                  ("run", "--help"), ("events", "-h"), ("version",),
                                  ("--version",), ("-V",), ("version", "--json")])
def test_help_and_version(args):
    result = subprocess.run([CLI, *args], capture_output=True, text=True, timeout=30, env=ENV)
    assert result.returncode == 0
    assert result.stderr == ""
    assert result.stdout


def test_full_disk(one):
    with open("/dev/full", "w") as full:
        result = subprocess.run([CLI, "-s", one.socket, "status"], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=30, env=ENV)
    assert result.returncode == 1
    assert "cannot write" in result.stderr


# ---- the real daemon ----


def test_with_the_real_daemon(sim, daemon):
    wait_until(lambda: cli(daemon, "status").returncode == 0, 20)
    text = cli(daemon, "status").stdout
    assert "On mains" in text
    assert cli(daemon, "get", "ups.status").stdout.startswith("OL")
    follower = Follower(daemon, "events", "--follow")
    follower.wait_for("Identified")
    sim.cmd("mains off")
    follower.wait_for("On battery")
    wait_until(lambda: "● On battery" in cli(daemon, "status").stdout, 20)
    sim.cmd("mains on")
    follower.wait_for("On line")
    follower.stop()


def test_watch_with_the_real_daemon(sim, daemon):
    terminal = Terminal(daemon, "watch")
    terminal.wait_for("● On mains")
    sim.cmd("mains off")
    started = time.monotonic()
    terminal.wait_for("● On battery")
    assert time.monotonic() - started < 10
    sim.cmd("mains on")
    terminal.wait_for("● On mains")
    terminal.type("q")
    assert terminal.end() == 0


def test_unplugged_adapter_is_told(sim, daemon):
    wait_until(lambda: cli(daemon, "status").returncode == 0, 20)
    sim.cmd("unplug")
    wait_until(lambda: "Not connected" in cli(daemon, "status").stdout, 30)
    result = cli(daemon, "status")
    assert result.returncode == 75
    sim.cmd("replug")
    wait_until(lambda: cli(daemon, "status").returncode == 0, 20)
