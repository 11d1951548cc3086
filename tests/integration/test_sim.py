"""ups2000-sim as programs see it that are not ours: mbpoll, NUT's own driver, plain termios."""

import os
import pathlib
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import termios
import time
import tty

import pytest

from sim import Sim, bin_dir, wait_until

READ_1024 = bytes.fromhex("01032B1000018C2B")
MAINS = bytes.fromhex("0103020002 3985".replace(" ", ""))

needs_mbpoll = pytest.mark.skipif(not shutil.which("mbpoll"), reason="mbpoll is not installed")
NUT_DRIVER = "/lib/nut/huawei-ups2000"
needs_nut = pytest.mark.skipif(not os.path.exists(NUT_DRIVER), reason="nut-modbus is not installed")


def open_port(path):
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    return fd


def read_for(fd, seconds, at_least=1 << 20):
    """What arrives within seconds, at_least bytes being enough."""
    data, deadline = b"", time.monotonic() + seconds
    while len(data) < at_least:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            break
        data += os.read(fd, 4096)
    return data


def ask(fd, request=READ_1024, length=7):
    os.write(fd, request)
    return read_for(fd, 3, length)


def mbpoll(sim, *args):
    return subprocess.run(
        ["mbpoll", "-m", "rtu", "-b", "9600", "-P", "none", "-0", "-1", "-q", *args[:-1], sim.port]
        + ([args[-1]] if args[-1] else []),
        capture_output=True, text=True, timeout=30,
    )


def values(result):
    return {int(a): int(v) for a, v in re.findall(r"\[(\d+)\]:\s+(\d+)", result.stdout)}


@needs_mbpoll
def test_mbpoll_reads(sim):
    read = values(mbpoll(sim, "-a", "1", "-r", "11000", "-c", "28", ""))
    assert len(read) == 28
    assert read[11024] == 2 and read[11021] == 300 and read[11001] == 0
    assert 2190 <= read[11000] <= 2210
    battery = values(mbpoll(sim, "-a", "1", "-r", "12000", "-c", "34", ""))
    assert battery[12002] == 3 and battery[12003] == 100 and battery[12007] == 2
    assert set(values(mbpoll(sim, "-a", "1", "-r", "41180", "-c", "27", "")).values()) == {0}


@needs_mbpoll
def test_mbpoll_writes(sim):
    assert mbpoll(sim, "-a", "1", "-r", "11046", "1").returncode == 0
    assert sim.get()["muted"] == 1
    assert values(mbpoll(sim, "-a", "1", "-r", "11046", "-c", "1", "")) == {11046: 1}
    refused = mbpoll(sim, "-a", "1", "-r", "11046", "2")
    assert "Illegal data value" in refused.stdout + refused.stderr
    assert sim.get()["muted"] == 1


@needs_mbpoll
def test_mbpoll_is_told_what_is_wrong(sim):
    alone = mbpoll(sim, "-a", "1", "-r", "11999", "-c", "1", "")
    assert "Illegal data address" in alone.stdout + alone.stderr
    other = mbpoll(sim, "-a", "2", "-r", "11024", "-c", "1", "")
    assert "timed out" in other.stdout + other.stderr


class StockNut:
    """NUT's huawei-ups2000 and upsd on a simulator."""

    def __init__(self, sim, directory):
        self.directory = directory
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.tcp_port = s.getsockname()[1]
        files = {
            "ups.conf": f"pollinterval = 1\n[u]\n\tdriver = huawei-ups2000\n\tport = {sim.port}\n",
            "nut.conf": "MODE=netserver\n",
            "upsd.conf": f"LISTEN 127.0.0.1 {self.tcp_port}\n",
            "upsd.users": "[admin]\n\tpassword = pw\n\tactions = SET\n\tinstcmds = ALL\n",
        }
        for name, text in files.items():
            path = directory / name
            path.write_text(text)
            path.chmod(0o600)
        self.env = dict(os.environ, NUT_CONFPATH=str(directory), NUT_STATEPATH=str(directory),
                        NUT_ALTPIDPATH=str(directory), NUT_PIDPATH=str(directory))
        self.processes = []

    def spawn(self, *args):
        log = open(self.directory / (pathlib.Path(args[0]).name + ".log"), "w")
        self.processes.append(subprocess.Popen(args, env=self.env, stdout=log, stderr=log))

    def __enter__(self):
        self.spawn(NUT_DRIVER, "-a", "u", "-D", "-u", "root")
        wait_until(lambda: (self.directory / "huawei-ups2000-u").exists(), 20, "the driver")
        self.spawn("/lib/nut/upsd" if os.path.exists("/lib/nut/upsd") else "upsd",
                   "-D", "-u", "root")
        wait_until(lambda: self.get("ups.status") not in (None, "WAIT"), 20, "upsd")
        return self

    def __exit__(self, *exc):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(10)

    def flags(self):
        return set((self.get("ups.status") or "").split())

    def get(self, name):
        r = subprocess.run(["upsc", f"u@127.0.0.1:{self.tcp_port}", name], env=self.env,
                           capture_output=True, text=True, timeout=10)
        return r.stdout.strip() if r.returncode == 0 else None

    def run(self, command):
        return subprocess.run(["upscmd", "-u", "admin", "-p", "pw",
                               f"u@127.0.0.1:{self.tcp_port}", command],
                              env=self.env, capture_output=True, text=True, timeout=30)


@needs_nut
def test_stock_driver_is_content(tmp_path):
    with Sim("--rating", "3", "--load", "40") as sim, StockNut(sim, tmp_path) as nut:
        assert nut.flags() == {"OL", "CHRG"}
        assert nut.get("device.serial") == "21022900000000000001"
        assert nut.get("ups.power.nominal") == "3000"
        assert nut.get("battery.packs") == "6"
        assert nut.get("ups.load") == "40.0"
        assert nut.get("ups.alarm") is None

        sim.cmd("mains off")
        wait_until(lambda: nut.flags() == {"ALARM", "OB", "DISCHRG"}, 15, "OB")
        assert nut.get("input.voltage") == "0.0"
        assert "(ID 10/01)" in nut.get("ups.alarm")
        sim.cmd("battery 15%")
        wait_until(lambda: nut.flags() == {"ALARM", "OB", "LB", "DISCHRG"}, 15, "LB")
        sim.cmd("mains on")
        sim.cmd("battery 90%")
        wait_until(lambda: nut.flags() == {"OL", "CHRG"}, 15, "OL")

        assert nut.run("test.battery.start.quick").returncode == 0
        wait_until(lambda: "CAL" in nut.flags(), 15, "CAL")
        assert nut.run("beeper.disable").returncode == 0
        wait_until(lambda: sim.get()["muted"] == 1, 15, "the beeper")
        wait_until(lambda: nut.flags() == {"OL", "CHRG"}, 20, "the end of the test")
        assert nut.run("load.off").returncode == 0
        wait_until(lambda: nut.flags() == {"OFF", "CHRG"}, 15, "OFF")
        state = sim.get()
        assert state["bad_crc"] == 0 and state["malformed"] == 0 and state["exceptions"] == 0


def test_line_pace(sim):
    fd = open_port(sim.port)
    times = []
    for _ in range(5):
        start = time.monotonic()
        assert ask(fd) == MAINS
        times.append(time.monotonic() - start)
    os.close(fd)
    # 15 bytes at 9600 baud and 12 to 16 ms of thinking
    assert 0.0275 < min(times) < 0.060


def test_pace_off():
    with Sim("--pace", "off") as sim:
        fd = open_port(sim.port)
        start = time.monotonic()
        for _ in range(100):
            assert ask(fd) == MAINS
        os.close(fd)
        assert time.monotonic() - start < 1.5


def test_survives_clients(sim):
    for _ in range(30):
        fd = open_port(sim.port)
        assert ask(fd) == MAINS
        os.close(fd)
    fd = open_port(sim.port)  # leaves in the middle of an answer
    os.write(fd, READ_1024)
    os.close(fd)
    wait_until(lambda: sim.get()["requests"] == 31)
    wait_until(lambda: sim.get()["bytes_out"] == 31 * 7)
    fd = open_port(sim.port)  # and the next one does not get it
    assert read_for(fd, 0.1) == b""
    assert ask(fd) == MAINS
    os.close(fd)


def test_answers_nobody_reads():
    with Sim("--pace", "off") as sim:
        sim.cmd("fault noise rate=100000")
        fd = open_port(sim.port)
        sim.wait(lambda s: s["bytes_out"] > 50000, 60)
        sim.cmd("fault off")
        sim.wait(lambda s: s["sending"] == 0)
        os.close(fd)
        sim.get()
        sim.get()  # it has seen the port close
        fd = open_port(sim.port)
        assert ask(fd) == MAINS
        os.close(fd)


def test_unplug_and_replug(sim):
    fd = open_port(sim.port)
    before = os.readlink(sim.port)
    sim.cmd("unplug")
    assert not os.path.lexists(sim.port)
    assert sim.get()["port"] is None
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    assert poll.poll(2000)[0][1] & select.POLLHUP
    os.close(fd)
    assert sim.ask("unplug").startswith("error: ")
    after = sim.cmd("replug")
    assert after != before and os.readlink(sim.port) == after
    fd = open_port(sim.port)
    assert ask(fd) == MAINS
    os.close(fd)


def test_is_raw_from_the_start(sim):
    fd = os.open(sim.port, os.O_RDWR | os.O_NOCTTY)  # a client that sets nothing
    attributes = termios.tcgetattr(fd)
    assert not attributes[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
    assert attributes[4] == attributes[5] == termios.B9600
    assert ask(fd) == MAINS
    os.close(fd)


def test_control_takes_many_clients_and_any_bytes(sim):
    clients = [sim.connect() for _ in range(50)]
    for i, client in enumerate(clients):
        client.sendall(b"reg 9009\n" * (i + 1))
    for i, client in enumerate(clients):
        want, got = b"ok 10\n" * (i + 1), b""
        while len(got) < len(want):
            got += client.recv(65536)
        assert got == want
    clients[0].sendall(b"\x00\xff\xfe\x01 binary\r\n")
    assert clients[0].recv(4096).startswith(b"error: ")
    clients[1].sendall(b"m" * 100000)  # no newline: cut off
    with pytest.raises((ConnectionError, AssertionError)):
        assert clients[1].recv(10)
    clients[2].sendall(b"mains o")  # half a line and away
    for client in clients:
        client.close()
    assert sim.get()["mains"] is True
    assert sim.ask("load 50%").startswith("error: load")


def test_scenario(tmp_path):
    scenario = tmp_path / "outage"
    scenario.write_text("# an outage\n+0 load 60\n+30 mains off\n+60 mains on\n")
    with Sim("--scenario", scenario, "--speed", "100") as sim:
        assert sim.get()["load"] == 60
        sim.wait(lambda s: s["source"] == 3)
        state = sim.wait(lambda s: s["mains"] and s["source"] == 2)
        assert state["charge"] < 100 and state["time"] >= 90


@pytest.mark.parametrize("args, text", [
    (["--rating", "4"], "--rating 4: must be a number from 1 to 3"),
    (["--rating", "1.5"], "--rating 1.5: must be a whole number"),
    (["--unit-id", "0"], "--unit-id 0: must be"),
    (["--unit-id", "one"], "--unit-id one: must be"),
    (["--number", "5"], "--number 5: must be a number from 1 to 4"),
    (["--load", "-1"], "--load -1: must be"),
    (["--speed", "0"], "--speed 0: must be"),
    (["--pace", "maybe"], "--pace maybe: must be on or off"),
    (["--dialect", "pair-only,nonsense"], 'unknown dialect "nonsense"'),
    (["--fault", "late mode=x"], "mode=x of fault late: must be queue or overtake"),
    (["--esn", "1;2"], "--esn: must be plain ASCII without ';'"),
    (["--model", "x" * 40], "longer than 39 characters"),
    (["--nonsense"], "--help"),
    (["extra"], 'unexpected "extra"'),
    (["--link"], "--help"),
    (["--scenario", "/nonexistent"], "/nonexistent: No such file"),
    (["--link", "/nonexistent/x"], "--link /nonexistent/x: No such file"),
    (["--control", "/nonexistent/x"], "--control /nonexistent/x: No such file"),
    (["--control", "/tmp/" + "x" * 120], "longer than the 107 bytes"),
])
def test_bad_command_lines(args, text):
    r = subprocess.run([bin_dir() / "ups2000-sim", *args], capture_output=True, text=True, timeout=10)
    assert r.returncode in (1, 2)
    assert text in r.stderr
    assert r.stdout == ""


def test_bad_scenario_names_the_line(tmp_path):
    scenario = tmp_path / "s"
    scenario.write_text("+1 mains off\n+1 mians on\n")
    r = subprocess.run([bin_dir() / "ups2000-sim", "--scenario", scenario], capture_output=True,
                       text=True, timeout=10)
    assert r.returncode == 2
    assert f'{scenario}:2: error: unknown command "mians"' in r.stderr


def test_link_and_socket_of_others(sim, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("data")
    program = bin_dir() / "ups2000-sim"
    r = subprocess.run([program, "--link", precious], capture_output=True, text=True, timeout=10)
    assert r.returncode == 1 and "is not a symbolic link" in r.stderr
    assert precious.read_text() == "data"
    r = subprocess.run([program, "--control", sim.control], capture_output=True, text=True, timeout=10)
    assert r.returncode == 1 and "in use" in r.stderr
    assert sim.get()["mains"] is True


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "quit"])
def test_leaves_nothing_behind(tmp_path, how):
    with Sim(directory=tmp_path) as sim:
        assert stat.S_ISSOCK(os.stat(sim.control).st_mode)
        if how == "quit":
            assert sim.ask("quit") == "ok"
        else:
            sim.process.send_signal(getattr(signal, how))
        assert sim.process.wait(10) == 0
    assert list(tmp_path.iterdir()) == []


def test_comes_back_after_it_was_killed(tmp_path):
    with Sim(directory=tmp_path) as sim:
        sim.process.kill()
        sim.process.wait()
    with Sim(directory=tmp_path) as sim:  # link and socket were left
        fd = open_port(sim.port)
        assert ask(fd) == MAINS
        os.close(fd)


def test_help_and_version():
    program = bin_dir() / "ups2000-sim"
    out = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=10)
    assert out.returncode == 0 and "--control" in out.stdout
    out = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10)
    assert out.returncode == 0 and re.fullmatch(r"ups2000-sim \d+\.\d+\.\d+\n", out.stdout)
