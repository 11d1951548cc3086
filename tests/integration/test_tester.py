"""ups2000 scan and probe: straight to a port, without a daemon, only reading."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess

import pytest

from daemon import Daemon
from machine import Machine
from sim import Sim, bin_dir, need_ipv6, wait_until

CLI = str(bin_dir() / "ups2000")
ENV = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "dumb"}
REPLAY = pathlib.Path(__file__).resolve().parents[1] / "replay"


def run(*args, env=None, stdin=subprocess.DEVNULL, timeout=180, **kwargs):
    return subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          stdin=stdin, env={**ENV, **(env or {})}, **kwargs)


def probe(port, *args, code=0):
    done = run("probe", port, "--json", *args)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def value(report, name):
    (row,) = [r for r in report["registers"] if r["name"] == name and "value" in r]
    return row["value"]


def raw(report, base):
    rows = [r for r in report["registers"] if r["base"] == base]
    return rows[0]["raw"] if rows else None


def oddities(report):
    return {o["id"] for o in report["oddities"]}


def harmless(sim):
    """Nothing but reads and identification reached the UPS, and no read was longer than 43."""
    state = sim.get()
    assert sim.writes() == []
    assert state["others"] == 0 and state["bad_crc"] == 0 and state["malformed"] == 0
    for entry in sim.log():
        request = bytes.fromhex(entry["request"])
        assert request[1] in (0x03, 0x2B)
        if request[1] == 0x03:
            assert 1 <= request[4] << 8 | request[5] <= 43


def test_plain(sim):
    report = probe(sim.port)
    harmless(sim)
    assert report["answered"] and report["complete"]
    assert report["identity"] == {
        "model": "UPS2000A", "firmware": "V2R1C1SPC50", "protocol": "P1.0-D1.0",
        "serial": "21022900000000000001", "device_id": "1", "group": "1", "maker": "HUAWEI",
        "ups_count": 1}
    assert report["description"]["status"] == report["basic"]["status"] == "ok"
    assert report["description"]["text"].startswith("1=UPS2000A;2=V2R1C1SPC50;")
    assert report["commands"] == {"possible": True, "reason": None}
    assert report["oddities"] == []
    # every register that means something, as the simulator has it
    for base in [1024, 1028, 1043, 1044, 1045, 1046, 1049, 2002, 2007, 2033, 9009]:
        assert raw(report, base) == sim.reg(base), base
    assert value(report, "output.source") == 2
    assert value(report, "ups.power.nominal") == 1000
    assert {b["bit"] for b in report["status_bits"] if b["set"]} == {3}
    assert report["alarms"] == {"read": True, "active": [], "unknown": []}
    by_range = {(r["base"], r["count"]): r for r in report["reads"]}
    assert by_range[1000, 43]["status"] == "ok"
    assert by_range[1001, 1] == {**by_range[1001, 1], "status": "refused", "exception": 2}
    gaps = report["timing"]["gaps"]
    assert [g["gap_ms"] for g in gaps] == [50, 30, 20, 15, 10, 7, 5]
    assert all(g["asked"] == g["answered"] == 12 for g in gaps)
    assert 5 < report["timing"]["turnaround_ms"]["p50"] < 100
    assert report["configuration"] == (
        f'ups "ups" {{ port = "{sim.port}" serial = "21022900000000000001" }}')


def test_text_for_people(sim):
    sim.cmd("alarm 29/1 on")
    done = run("probe", sim.port)
    assert done.returncode == 0 and done.stderr == ""
    for text in ["UPS2000A at ", "Registers", "11024  output.source", "mains, through the inverter",
                 "29/1 Battery needs maintenance", "gap of  5 ms: 12 of 12", "For ups2000.conf"]:
        assert text in done.stdout, text
    assert "\033" not in done.stdout
    harmless(sim)


def test_configuration_line_is_accepted(sim, tmp_path):
    line = probe(sim.port)["configuration"]
    config = tmp_path / "ups2000.conf"
    config.write_text(line + "\n")
    done = subprocess.run([bin_dir() / "ups2000d", "--check-config", "--config", config],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dialect, odd, possible, known", [
    ("gaps-refused", {"refused-reads"}, True, True),
    ("h-family", {"gate", "rating"}, False, True),
    ("id-basic", {"gate", "no-description"}, False, True),
    ("id-none", {"gate", "no-description"}, False, False),
    ("id-split", set(), True, True),
    ("id-several=3", {"several"}, True, True),
    ("unplugged-invalid", set(), True, True),
])
def test_dialects(dialect, odd, possible, known):
    with Sim("--dialect", dialect, "--pace", "off") as sim:
        report = probe(sim.port)
        harmless(sim)
        assert oddities(report) == odd
        assert report["commands"]["possible"] is possible
        assert (report["identity"] is not None) is known
        # whatever the unit refuses, nothing that has a meaning is missing
        assert raw(report, 1024) == 2 and raw(report, 1043) == 8 and raw(report, 2033) == 9
        assert raw(report, 9009) == (60 if dialect == "h-family" else 10)


@pytest.mark.parametrize("fault, odd", [
    ("slow min=1500 max=1500 fc=43", {"late"}),
    ("late once min=2000 max=2000", {"late"}),
    ("corrupt 0.1", {"unanswered", "noise"}),
    ("echo", {"echo"}),
    ("invalid", {"battery-invalid"}),
    ("lose-reply once", {"unanswered"}),
    ("duplicate 0.1", set()),
])
def test_faults(fault, odd):
    with Sim("--fault", fault, "--seed", "3") as sim:
        report = probe(sim.port)
        assert odd <= oddities(report)
        assert raw(report, 1024) == 2 and raw(report, 9009) == 10
        assert value(report, "output.source") == 2
        if fault == "invalid":
            assert value(report, "battery.voltage") is None
            assert value(report, "battery.state") is None
        if fault == "echo":
            assert report["line"]["echo"] is True


def test_noise():
    with Sim("--fault", "noise rate=200") as sim:
        report = probe(sim.port)
        assert "noise" in oddities(report)
        assert raw(report, 1024) in (2, None)  # right or not at all


def test_mute():
    with Sim("--fault", "mute") as sim:
        done = run("probe", sim.port, "--json")
        assert done.returncode == 75
        assert "the UPS does not answer" in done.stderr
        report = json.loads(done.stdout)
        assert report["answered"] is False and report["identity"] is None
        assert oddities(report) == {"silent"}
        assert report["registers"] == []
        harmless(sim)


def test_only_echo():
    with Sim("--fault", "mute", "--fault", "echo") as sim:
        assert oddities(probe(sim.port, code=75)) == {"only-echo"}


def test_odd_values(sim):
    sim.cmd("reg 1024 4")
    sim.cmd("reg 1043 42")
    sim.cmd("reg 40157 1")
    sim.cmd("reg 40173 8")
    report = probe(sim.port)
    assert {"source", "status-bits", "unknown-alarm", "overload-place"} <= oddities(report)
    assert report["alarms"]["unknown"] == [{"base": 40157, "bit": 0}]
    assert [a["id"] for a in report["alarms"]["active"]] == ["66/2"]
    assert {b["bit"] for b in report["status_bits"] if b["set"] and not b["documented"]} == {1, 5}


def test_unit_id_number_and_baud():
    with Sim("--unit-id", "17", "--number", "2", "--pace", "off") as sim:
        report = probe(sim.port, "--unit-id", "17", "--number", "2", "--baud", "19200")
        assert report["unit_id"] == 17 and report["number"] == 2 and report["baud"] == 19200
        (row,) = [r for r in report["registers"] if r["base"] == 1024]
        assert row["address"] == 21024 and row["raw"] == 2
        assert report["commands"]["possible"] is False  # only number 1 is ever commanded
        assert "unit-id = 17 number = 2" in report["configuration"]
        assert probe(sim.port, code=75)["answered"] is False  # nobody is at unit id 1


@pytest.mark.parametrize("option, host", [("tcp", "127.0.0.1"), ("rtu-tcp", "127.0.0.1"),
                                          ("rtu-tcp", "[::1]")])
def test_over_the_network(option, host):
    scheme = option.replace("rtu-", "rtu+")
    if host == "[::1]":
        need_ipv6()
    with Sim(f"--{option}", f"{host}:0", "--unit-id", "1,5", "--pace", "off") as sim:
        found = re.search(rf"\b{re.escape(scheme)} (\d+)", sim.first_line)
        url = f"{scheme}://{host}:{found.group(1)}"
        report = probe(url)
        assert report["commands"]["possible"] and raw(report, 1024) == 2
        assert f'port = "{url}"' in report["configuration"]
        other = probe(url, "--unit-id", "5")
        assert "unit-id = 5" in other["configuration"]
        assert (report["identity"]["serial"][-1], other["identity"]["serial"][-1]) == ("1", "2")
        assert sim.get()["requests"] > 0
        harmless(sim)


# ---- recording and playing ----


def differences(a, b):
    """What two reports say differently about the UPS (times and ports aside)."""
    skip = {"port", "adapter", "timing", "configuration"}
    parts = {k: (a[k], b[k]) for k in a if k not in skip and k != "reads" and a[k] != b[k]}
    strip = [[{k: v for k, v in r.items() if k != "ms"} for r in x["reads"]] for x in (a, b)]
    if strip[0] != strip[1]:
        parts["reads"] = strip
    return parts


@pytest.mark.parametrize("args", [[], ["--dialect", "gaps-refused"], ["--dialect", "h-family"],
                                  ["--unit-id", "9"]])
def test_record_play_probe_gives_the_same(args, tmp_path):
    capture = tmp_path / "capture"
    unit = ["--unit-id", "9"] if "--unit-id" in args else []
    with Sim(*args, "--load", "57", "--pace", "off") as sim:
        first = probe(sim.port, "--record", capture, *unit)
    with Sim("--play", capture, "--pace", "off") as sim:
        second = probe(sim.port, *unit)
        assert differences(first, second) == {}
        assert differences(first, probe(sim.port, *unit)) == {}  # and once more
    head = capture.read_text().splitlines()[:6]
    assert head[0] == "# ups2000 capture 1"
    assert head[1:3] == ["# model: UPS2000A", "# firmware: V2R1C1SPC50"]
    assert re.fullmatch(r"# date: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", head[3])
    assert re.fullmatch(r"# tool: ups2000 \d+\.\d+\.\d+", head[4])


def test_the_daemon_reads_a_played_capture():
    with Sim("--play", REPLAY / "published-3krts.capture") as sim:
        with Daemon(port=sim.port) as daemon, daemon.nut() as nut:
            wait_until(lambda: nut.try_get("ups.status") == "OL CHRG", 20)
            assert nut.get("device.model") == "UPS2000G"
            wait_until(lambda: nut.try_get("input.voltage") == "216.1", 20)


@pytest.mark.parametrize("text, error", [
    ("", "line 1: must be"),
    ("# ups2000 capture 1\n1 > 0\n", "line 2: the bytes must be pairs"),
    ("# ups2000 capture 1\n", "no request is in it"),
])
def test_a_bad_capture_is_not_played(tmp_path, text, error):
    capture = tmp_path / "capture"
    capture.write_text(text)
    done = subprocess.run([bin_dir() / "ups2000-sim", "--play", capture], capture_output=True,
                          text=True, timeout=10)
    assert done.returncode == 2 and error in done.stderr and str(capture) in done.stderr


def test_hidden_serial(tmp_path):
    capture = tmp_path / "capture"
    with Sim("--pace", "off") as sim:
        run("probe", sim.port, "--record", capture, "--hide-serial")
    assert b"21022900000000000001".hex().upper() not in capture.read_text()
    with Sim("--play", capture, "--pace", "off") as sim:
        report = probe(sim.port)
        assert report["identity"]["serial"] == "0" * 20
        assert report["line"]["bad_checksums"] == 0


def test_record_that_cannot_be_written(sim):
    done = run("probe", sim.port, "--record", "/nonexistent/file")
    assert done.returncode == 1 and "/nonexistent/file: No such file" in done.stderr
    assert sim.get()["requests"] == 0  # said before anything was asked
    done = run("probe", sim.port, "--record", "/dev/full")
    assert done.returncode == 1 and "/dev/full: No space left" in done.stderr


# ---- before and after ----


def test_diff_while_eco_is_switched_on(sim):
    process = subprocess.Popen([CLI, "probe", sim.port, "--diff", "--json"], env=ENV, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    said = ""
    while "press Enter" not in said:
        assert select.select([process.stderr], [], [], 60)[0], said
        said += os.read(process.stderr.fileno(), 4096).decode()
    sim.cmd("panel eco on")
    sim.wait(lambda s: s["source"] == 5)
    out, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    report = json.loads(out)
    (source,) = [c for c in report["changes"] if c["base"] == 1024]
    assert source == {"base": 1024, "name": "output.source", "before": 2, "after": 5,
                      "before_text": "mains, through the inverter", "after_text": "mains, ECO",
                      "restless": False}
    harmless(sim)


def test_diff_waits_by_itself(sim):
    """The alarm is named in words."""
    process = subprocess.Popen([CLI, "probe", sim.port, "--diff", "--wait", "2"], env=ENV,
                               text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert select.select([process.stderr], [], [], 60)[0]
    assert "within the next 2 s" in process.stderr.readline()
    sim.cmd("alarm 29/1 on")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.search(r"40164 +alarms +0x0000 -> 0x0002 .*29/1 Battery needs maintenance", out)
    assert "10 of 123 registers cannot be read" in out
    harmless(sim)


def test_diff_with_nobody_there(sim):
    done = run("probe", sim.port, "--diff")
    assert done.returncode == 64 and "--wait SECONDS" in done.stderr
    done = run("probe", sim.port, "--diff", "--no-input")
    assert done.returncode == 64 and "needs --wait SECONDS" in done.stderr


# ---- what keeps us from the port ----


def test_a_daemon_has_the_port(sim):
    with Daemon(port=sim.port) as daemon:
        sim.wait(lambda s: s["requests"] > 5)
        done = run("probe", sim.port)
        assert done.returncode == 77
        assert f"ups2000d (pid {daemon.process.pid})" in done.stderr
        assert "systemctl stop" in done.stderr and f"kill {daemon.process.pid}" in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize("port, code, text", [
    ("/nonexistent/tty", 69, "does not exist"),
    ("/dev/null", 77, "not a serial port"),
    ("/etc/passwd", 77, "is a regular file"),
    ("tcp://127.0.0.1:1", 69, "127.0.0.1"),
    ("tcp://", 64, "tcp://"),
    ("udp://x", 64, "udp://x"),
])
def test_ports_that_are_none(port, code, text):
    done = run("probe", port)
    assert done.returncode == code and text in done.stderr and done.stdout == ""


@pytest.mark.parametrize("args, text", [
    (["probe"], "too few words"),
    (["probe", "a", "b"], "too many words"),
    (["probe", "a", "--unit-id", "0"], "--unit-id needs a number from 1 to 247"),
    (["probe", "a", "--number", "5"], "--number needs a number from 1 to 4"),
    (["probe", "a", "--baud", "9k6"], "--baud needs a number"),
    (["probe", "a", "--wait", "5"], "--wait belongs to --diff"),
    (["probe", "a", "--hide-serial"], "--hide-serial belongs to --record"),
    (["probe", "a", "--yes"], '--yes does not belong to "probe"'),
    (["scan", "--diff"], '--diff does not belong to "scan"'),
    (["scan", "/dev/ttyS0"], "too many words"),
])
def test_bad_command_lines(args, text):
    done = run(*args)
    assert done.returncode == 64 and text in done.stderr and done.stdout == ""


def test_odd_speed(sim):
    done = run("probe", sim.port, "--baud", "9601")
    assert done.returncode == 64 and "9601 baud is no speed" in done.stderr


def test_interrupted(sim, tmp_path):
    capture = tmp_path / "capture"
    process = subprocess.Popen([CLI, "probe", sim.port, "--json", "--record", capture], env=ENV,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    sim.wait(lambda s: s["requests"] > 8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130 and "interrupted" in err
    assert json.loads(out)["complete"] is False
    assert capture.read_text().count(">") > 8  # what was heard until then is kept
    assert probe(sim.port)["complete"]  # and the port is free again


def test_unplugged_meanwhile(sim):
    process = subprocess.Popen([CLI, "probe", sim.port, "--json"], env=ENV, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    sim.wait(lambda s: s["requests"] > 8)
    sim.cmd("unplug")
    out, err = process.communicate(timeout=10)
    assert process.returncode == 69 and "the port went away" in err
    assert "lost" in oddities(json.loads(out))


# ---- scan ----


def test_scan(sim, tmp_path):
    machine = Machine(tmp_path)
    machine.add("ttyUSB0", "1a86:5523", "ch341", node=sim.port)
    machine.add("ttyUSB1", "1a86:5523", "ch341", node="/dev/null")
    machine.add("ttyACM0", "04e2:1410", "cdc_acm", node="/dev/null")
    by_path = f"{machine.dev}/serial/by-path/pci-ttyUSB0"

    # without a yes nothing is sent
    done = run("scan", env=machine.env)
    assert done.returncode == 0
    assert "CH341 (1a86:5523), driver ch341; UPS2000s have this chip" in done.stdout
    assert f"by path   {by_path}" in done.stdout
    assert "modprobe xr_serial" in done.stdout
    assert "scan --yes" in done.stderr and "UPS2000A" not in done.stdout
    assert sim.get()["requests"] == 0

    done = run("scan", "--json", "--yes", env=machine.env)
    assert done.returncode == 0
    ports = {p["device"].rsplit("/", 1)[1]: p for p in json.loads(done.stdout)["ports"]}
    assert ports["ttyACM0"]["usable"] is False and ports["ttyACM0"]["wrong_driver"] is True
    assert ports["ttyUSB0"]["usb"] == "1a86:5523" and ports["ttyUSB0"]["usable"] is True
    ups = ports["ttyUSB0"]["ups"]
    assert ups["model"] == "UPS2000A" and ups["serial"] == "21022900000000000001"
    assert ups["rated_va"] == 1000 and ups["commands"] is True
    assert ups["configuration"] == (
        f'ups "ups" {{ port = "{by_path}" serial = "21022900000000000001" }}')
    assert ports["ttyUSB1"]["ups"] is None
    harmless(sim)
    assert sim.get()["requests"] == 3

    done = run("scan", "--yes", env=machine.env)
    assert re.search(r"UPS +UPS2000A, firmware V2R1C1SPC50, serial 21022900000000000001, 1.0 kVA",
                     done.stdout)


def test_scan_names_who_holds_a_port(sim, tmp_path):
    machine = Machine(tmp_path)
    machine.add("ttyUSB0", "1a86:5523", "ch341", node=sim.port)
    with Daemon(port=sim.port) as daemon:
        sim.wait(lambda s: s["requests"] > 5)
        done = run("scan", "--yes", env=machine.env)
        assert done.returncode == 0
        assert f"held by another program: ups2000d (pid {daemon.process.pid})" in done.stdout


@pytest.mark.parametrize("answer, asked", [("y", True), ("n", False), ("", False)])
def test_scan_asks_first(sim, tmp_path, answer, asked):
    machine = Machine(tmp_path)
    machine.add("ttyUSB0", "1a86:5523", "ch341", node=sim.port)
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(CLI, [CLI, "scan"], {**ENV, **machine.env})
    text = ""

    def read():
        nonlocal text
        while select.select([fd], [], [], 0.02)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                return True
            if not data:
                return True
            text += data.decode(errors="replace")
        return False

    wait_until(lambda: read() or "[y/N]" in text, 20)
    assert sim.get()["requests"] == 0
    os.write(fd, answer.encode() + b"\n")
    wait_until(read, 30)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(fd)
    assert ("firmware V2R1C1SPC50" in text) is asked
    assert (sim.get()["requests"] > 0) is asked


def test_scan_of_a_machine_without_ports(tmp_path):
    machine = Machine(tmp_path)
    done = run("scan", env=machine.env)
    assert done.returncode == 0 and "There are no serial ports." in done.stdout
    done = run("scan", "--json", env=machine.env)
    assert json.loads(done.stdout) == {"ports": []}
    done = run("scan", env={"UPS2000_SYSFS": "/nonexistent"})
    assert done.returncode == 69 and "sysfs cannot be read" in done.stderr
