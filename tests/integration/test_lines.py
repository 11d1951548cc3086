"""Every way a UPS2000 can be wired: what docs/connecting.md says to write, and what goes wrong there."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest

from daemon import Daemon
from gateway import Gateway, adu
from nut import Nut
from sim import Sim, bin_dir, need_ipv6, wait_until

ESN = "21022900000000000001"


def port_of(sim, kind="tcp"):
    return int(re.search(rf", {re.escape(kind)} (\d+)", sim.first_line)[1])


def section(name, port, **keys):
    rows = "".join(f"\t{key.replace('_', '-')} = {value}\n" for key, value in keys.items())
    return f'ups "{name}" {{\n\tport = "{port}"\n{rows}}}\n'


def fresh(nut, ups="ups"):
    return nut.try_get("ups.status", ups).startswith("OL")


def wait_fresh(nut, ups="ups", timeout=20):
    wait_until(lambda: fresh(nut, ups), timeout, f"{ups} fresh: {nut.try_get('ups.status', ups)}")


def follows(sim, nut, ups="ups", timeout=10, unit=""):
    """What happens to the UPS is seen; returns after how long."""
    start = time.monotonic()
    sim.cmd(f"{unit}mains off")
    wait_until(lambda: nut.try_get("ups.status", ups).startswith("OB"), timeout, f"{ups} on battery")
    took = time.monotonic() - start
    sim.cmd(f"{unit}mains on")
    wait_until(lambda: fresh(nut, ups), timeout, f"{ups} on line")
    return took


# --- the simulator's TCP side, judged by programs that are not ours ------------------------------


def test_mbpoll_reads_over_modbus_tcp():
    with Sim("--tcp", 0, "--unit-id", "1,7") as sim:
        def poll(unit):
            return subprocess.run(
                ["mbpoll", "-m", "tcp", "-p", str(port_of(sim)), "-a", str(unit), "-0", "-r", "11024",
                 "-c", "5", "-1", "-o", "3", "127.0.0.1"], capture_output=True, text=True, timeout=30)
        for unit in (1, 7):
            assert re.search(r"\[11024\]:\s+2\n", poll(unit).stdout)
        nobody = poll(9)
        assert "Target device failed to respond" in nobody.stderr + nobody.stdout


def test_pymodbus_reads_over_modbus_tcp():
    client_module = pytest.importorskip("pymodbus.client")
    mei = pytest.importorskip("pymodbus.mei_message")
    with Sim("--tcp", 0, "--unit-id", "1,7") as sim:
        client = client_module.ModbusTcpClient("127.0.0.1", port=port_of(sim), timeout=5)
        assert client.connect()
        try:
            for unit in (1, 7):
                assert client.read_holding_registers(11024, 5, slave=unit).registers[0] == 2
            reply = client.execute(mei.ReadDeviceInformationRequest(read_code=1, unit=7))
            assert reply.information[0] == b"HUAWEI"
            assert client.read_holding_registers(11024, 1, slave=9).exception_code == 0x0B
            assert client.write_register(11046, 1, slave=1).value == 1
            assert sim.reg(1046) == 1
        finally:
            client.close()


@pytest.mark.parametrize("args, text", [
    (["--tcp", "65536"], '--tcp "65536": must be PORT or ADDRESS:PORT'),
    (["--tcp", "there:1"], "must be PORT or ADDRESS:PORT"),
    (["--rtu-tcp", ""], "must be PORT or ADDRESS:PORT"),
    (["--tcp", "65535", "--lines", "2"], "must be PORT or ADDRESS:PORT"),
    (["--unit-id", "1,1"], "--unit-id 1,1: must be unit ids"),
    (["--unit-id", "5-2"], "must be unit ids"),
    (["--unit-id", "1/5"], "must be unit ids"),
    (["--unit-id", "1,"], "must be unit ids"),
    (["--unit-id", "200", "--units", "49"], "unit ids end at 247"),
    (["--lines", "0"], "--lines 0: must be"),
])
def test_bad_command_lines(args, text):
    done = subprocess.run([bin_dir() / "ups2000-sim", *args], capture_output=True, text=True, timeout=10)
    assert done.returncode in (1, 2)
    assert text in done.stderr


def test_commands_for_one_unit():
    with Sim("--unit-id", "1,2") as sim:
        assert sim.ask("unit 3 get").startswith('error: "unit 3 get": must be unit N COMMAND')
        assert sim.ask("unit 1").startswith("error")
        assert sim.cmd("unit 2 reg 1046 1") is not None
        assert sim.cmd("unit 2 reg 1046").split()[0] == "1"
        assert sim.reg(1046) == 0


# --- "how is your UPS wired -> what to write" ----------------------------------------------------

CONNECTING = pathlib.Path(__file__).resolve().parents[2] / "docs" / "connecting.md"
WIRED = {}  # row of the table there, by its first column -> names of the tests


def wired(row):
    """This test stands behind a row of the table."""
    def remember(test):
        WIRED.setdefault(row, []).append(test.__name__)
        return test
    return remember


def test_each_row_of_the_table_has_a_test():
    text = CONNECTING.read_text().split("→ what to write\n\n")[1].split("\n\n")[0]
    rows = [line.split("|")[1].strip() for line in text.splitlines()[2:]]
    assert len(rows) >= 9
    assert sorted(rows) == sorted(WIRED)


class OnItsOwnDevices(Daemon):
    """ups2000d with a /dev and a /sys of its own, which plug() and unplug() fill and empty."""

    @property
    def dev(self):
        return self.directory / "dev"

    def plug(self, sim, name, links=(), usb=None, driver="serial8250"):
        """A node and its symlinks for the simulator's terminal; usb is (vendor, product) in hex."""
        rdev = os.stat(sim.port).st_rdev
        bus = self.directory / "sys/devices/pci0/usb1/1-2"
        interface = bus / "1-2:1.0"
        tty = interface / name / "tty" / name
        tty.mkdir(parents=True, exist_ok=True)
        for where, target in ((interface / "driver", f"/drivers/{driver}"),
                              (tty / "subsystem", "/class/tty"),
                              (self.directory / f"sys/dev/char/{os.major(rdev)}:{os.minor(rdev)}", tty)):
            where.parent.mkdir(parents=True, exist_ok=True)
            where.unlink(missing_ok=True)
            where.symlink_to(target if target == tty else ".." + target)
        for key, value in zip(("idVendor", "idProduct"), usb or ()):
            (bus / key).write_text(value + "\n")
        self.dev.mkdir(exist_ok=True)
        (self.dev / name).symlink_to(sim.port)
        for link in links:
            (self.dev / link).parent.mkdir(parents=True, exist_ok=True)
            (self.dev / link).symlink_to(f"../../{name}")

    def unplug(self, name, links=()):
        for link in (*links, name):
            (self.dev / link).unlink()

    def command(self):
        script = f"""
            cd {self.directory} && mkdir -p dev/pts && mount --rbind /dev/pts dev/pts &&
            for node in null urandom; do
                touch dev/$node && mount --bind /dev/$node dev/$node || exit 1
            done &&
            mount --rbind sys /sys && mount --rbind dev /dev && exec "$@" """
        return ["unshare", "--mount", "sh", "-c", script, "sh", *super().command()]


@wired("RS-232, at a serial port of the computer")
def test_serial_port_of_the_computer(sim):
    need_own_mounts()
    daemon = OnItsOwnDevices(config=section("ups", "/dev/ttyS0"))
    daemon.plug(sim, "ttyS0")
    with daemon, daemon.nut() as nut:
        wait_fresh(nut)
        follows(sim, nut)
        assert nut.get("ups.serial") == ESN


USB = "pci-0000:00:14.0-usb-0:2:1.0-port0"


@wired("RS-232 with a USB adapter, or its own USB socket")
@pytest.mark.parametrize("chip, usb, driver, path", [
    ("CH341 (1a86:5523)", ("1a86", "5523"), "ch341", f"serial/by-path/{USB}"),
    ("XR21V1410 (04e2:1410)", ("04e2", "1410"), "xr_serial", f"serial/by-path/{USB}"),
    ("USB adapter (0403:6001)", ("0403", "6001"), "ftdi_sio", "serial/by-id/usb-FTDI_A10-port0"),
])
def test_usb_port_that_comes_back_under_another_number(sim, chip, usb, driver, path):
    need_own_mounts()
    daemon = OnItsOwnDevices(config=section("ups", f"/dev/{path}"))
    daemon.plug(sim, "ttyUSB0", [path], usb, driver)
    with daemon, daemon.nut() as nut:
        wait_fresh(nut)
        assert f"{chip}, driver {driver}" in daemon.log()
        follows(sim, nut)
        sim.cmd("unplug")
        daemon.unplug("ttyUSB0", [path])
        wait_until(lambda: "is gone" in daemon.log(), 20)
        sim.cmd("mains off")
        sim.cmd("replug")
        wait_until(lambda: os.path.exists(sim.port), 10)
        daemon.plug(sim, "ttyUSB1", [path], usb, driver)
        wait_until(lambda: nut.try_get("ups.status").startswith("OB"), 10)


def reads(config, sim, ups="ups", unit=""):
    with Daemon(config=config) as daemon, daemon.nut() as nut:
        wait_fresh(nut, ups)
        follows(sim, nut, ups, unit=unit)
        wait_until(lambda: nut.try_get("ups.serial", ups).startswith("2102"), 10)
        return nut.get("ups.serial", ups)


@wired("a gateway that speaks Modbus TCP")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_modbus_tcp_gateway(host):
    with Sim("--tcp", 0) as sim:
        assert reads(section("ups", f"tcp://{host}:{port_of(sim)}"), sim) == ESN


@wired("either, with an IPv6 address")
def test_over_ipv6():
    need_ipv6()
    with Sim("--tcp", "[::1]:0") as sim:
        assert reads(section("ups", f"tcp://[::1]:{port_of(sim)}"), sim) == ESN
    with Sim("--rtu-tcp", "[::1]:0") as sim:
        assert reads(section("ups", f"rtu+tcp://[::1]:{port_of(sim, 'rtu+tcp')}"), sim) == ESN


@wired("a gateway that speaks Modbus TCP")
def test_modbus_tcp_on_its_usual_port():
    try:
        socket.create_server(("127.0.0.61", 502)).close()
    except OSError as error:
        pytest.skip(f"port 502 cannot be had here: {error}")
    with Sim("--tcp", "127.0.0.61:502") as sim:
        assert reads(section("ups", "tcp://127.0.0.61"), sim) == ESN


@wired("a serial device server, `ser2net` or `socat`: bytes passed on as they are")
def test_serial_device_server():
    with Sim("--rtu-tcp", 0) as sim:
        assert reads(section("ups", f"rtu+tcp://127.0.0.1:{port_of(sim, 'rtu+tcp')}"), sim) == ESN


@contextlib.contextmanager
def socat(*addresses):
    process = subprocess.Popen(["socat", *addresses], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


@wired("a serial device server, `ser2net` or `socat`: bytes passed on as they are")
def test_socat_as_serial_device_server(sim):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    with socat(f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"{sim.port},raw,echo=0"):
        assert reads(section("ups", f"rtu+tcp://127.0.0.1:{port}"), sim) == ESN


def test_socat_makes_a_serial_port_of_a_device_server(tmp_path):
    link = tmp_path / "tty"
    with Sim("--rtu-tcp", 0) as sim, \
            socat(f"PTY,link={link},raw,echo=0", f"TCP:127.0.0.1:{port_of(sim, 'rtu+tcp')}"):
        wait_until(link.exists)
        assert reads(section("ups", link), sim) == ESN


@wired("an RS-485 card, several on one adapter")
def test_rs485_that_hears_itself_with_several_units():
    with Sim("--unit-id", "1,2,9", "--fault", "echo") as sim:
        config = "".join(section(f"u{i}", sim.port, unit_id=i) for i in (1, 2, 9))
        with Daemon(config=config) as daemon, daemon.nut() as nut:
            for n, i in enumerate((1, 2, 9)):
                wait_fresh(nut, f"u{i}")
                follows(sim, nut, f"u{i}", unit=f"unit {n + 1} ")
            assert [nut.get("ups.serial", f"u{i}")[-1] for i in (1, 2, 9)] == ["1", "2", "3"]


@wired("such a gateway with several UPSes behind it")
@pytest.mark.parametrize("option", ["tcp", "rtu-tcp"])
def test_gateway_with_several_units(option):
    scheme = option.replace("rtu-", "rtu+")
    with Sim(f"--{option}", 0, "--unit-id", "1,2,247") as sim:
        port = f"{scheme}://127.0.0.1:{port_of(sim, scheme)}"
        config = "".join(section(f"u{i}", port, unit_id=i) for i in (1, 2, 247))
        with Daemon(config=config) as daemon, daemon.nut() as nut:
            for n, i in enumerate((1, 2, 247)):
                wait_fresh(nut, f"u{i}")
                follows(sim, nut, f"u{i}", unit=f"unit {n + 1} ")
            wait_until(lambda: all(nut.try_get("ups.serial", f"u{i}").startswith("2102")
                                   for i in (1, 2, 247)), 20)
            assert [nut.get("ups.serial", f"u{i}")[-1] for i in (1, 2, 247)] == ["1", "2", "3"]


@wired("several behind one identification (UPS number N)")
def test_several_ups_behind_one_identification_and_the_others_are_read_only():
    with Sim("--tcp", 0, "--unit-id", "3,3/2") as sim:
        port = f"tcp://127.0.0.1:{port_of(sim)}"
        config = section("one", port, unit_id=3) + section("two", port, unit_id=3, number=2)
        config += 'user "admin" { password = "x" actions = {"SET"} instcmds = {"ALL"} }\n'
        with Daemon(config=config) as daemon, daemon.nut() as nut:
            for name, unit in (("one", "unit 1 "), ("two", "unit 2 ")):
                wait_fresh(nut, name)
                follows(sim, nut, name, unit=unit)
            wait_until(lambda: nut.list("CMD one"), 10)
            assert nut.get("ups.serial", "one") == ESN
            assert nut.get("ups.serial", "two") == ESN[:-1] + "2"
            wait_until(lambda: "two: Monitored only: UPS numbers other than 1" in daemon.log(), 10)
            nut.cmd("USERNAME admin")
            nut.cmd("PASSWORD x")
            nut.send("INSTCMD two beeper.disable")
            assert nut.line().startswith("ERR ")
            assert sim.writes() == []


# --- fairness ------------------------------------------------------------------------------------


def test_a_dead_and_a_slow_unit_leave_the_line_to_the_others():
    with Sim("--unit-id", "1,2,3") as sim:
        config = "".join(section(f"u{i}", sim.port, unit_id=i) for i in (1, 2, 3))
        with Daemon(config=config) as daemon, daemon.nut() as nut:
            for i in (1, 2, 3):
                wait_fresh(nut, f"u{i}")
            sim.cmd("unit 2 fault mute")
            sim.cmd("unit 3 fault slow min=1200 max=1200")
            wait_until(lambda: nut.try_get("ups.status", "u2") == "DATA-STALE", 30)
            for _ in range(3):
                assert follows(sim, nut, "u1", unit="unit 1 ") < 4
            sim.cmd("unit 2 fault off")
            wait_fresh(nut, "u2", 15)


def test_a_dead_unit_behind_a_gateway_is_no_refusal():
    with Sim("--tcp", 0, "--unit-id", "1,2") as sim:
        port = f"tcp://127.0.0.1:{port_of(sim)}"
        with Daemon(config=section("u1", port) + section("u2", port, unit_id=2)) as daemon, \
                daemon.nut() as nut:
            wait_fresh(nut, "u1")
            wait_fresh(nut, "u2")
            sim.cmd("unit 2 fault mute")
            wait_until(lambda: nut.try_get("ups.status", "u2") == "DATA-STALE", 30)
            assert follows(sim, nut, "u1", unit="unit 1 ") < 5
            sim.cmd("unit 2 fault off")
            wait_fresh(nut, "u2", 20)
            follows(sim, nut, "u2", unit="unit 2 ")


# --- gateways that come and go -------------------------------------------------------------------


@pytest.mark.parametrize("option", ["tcp", "rtu-tcp"])
def test_gateway_restarted(option):
    scheme = option.replace("rtu-", "rtu+")
    with Sim(f"--{option}", 0) as sim:
        with Daemon(config=section("ups", f"{scheme}://127.0.0.1:{port_of(sim, scheme)}")) as daemon, \
                daemon.nut() as nut:
            wait_fresh(nut)
            sim.cmd("unplug")
            sim.cmd("mains off")
            wait_until(lambda: "refuses connections" in daemon.log(), 10)
            start = time.monotonic()
            sim.cmd("replug")
            wait_until(lambda: nut.try_get("ups.status").startswith("OB"), 10)
            assert time.monotonic() - start < 2


def test_half_dead_gateway_is_connected_anew():
    """It takes everything and says nothing until a second connection is made."""
    with Sim("--tcp", 0) as sim, Gateway(port_of(sim)) as gateway:
        gateway.spoil = lambda tid, unit, pdu: \
            adu(tid, unit, pdu) if gateway.connections > 1 else None
        with Daemon(config=section("ups", f"tcp://127.0.0.1:{gateway.port}")) as daemon, \
                daemon.nut() as nut:
            wait_fresh(nut, timeout=30)
            assert gateway.connections == 2
            assert daemon.log().count("ups: The connection is open") == 1  # no news for people


def test_gateway_that_serves_another_client_only():
    """It closes each connection at once: no storm, and a reason people understand."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        with Daemon(config=section("ups", f"tcp://127.0.0.1:{listener.getsockname()[1]}")) as daemon:
            end, taken = time.monotonic() + 5, 0
            while time.monotonic() < end:
                with contextlib.suppress(TimeoutError):
                    listener.accept()[0].close()
                    taken += 1
            assert 2 <= taken <= 8
            assert "it serves another client" in daemon.log()


# --- what comes from the network -----------------------------------------------------------------

SPOILS = {
    "wrong length": lambda tid, unit, pdu: adu(tid, unit, pdu, length=1),
    "oversized": lambda tid, unit, pdu: adu(tid, unit, pdu, length=5000) + bytes(5000),
    "wrong protocol id": lambda tid, unit, pdu: adu(tid, unit, pdu, protocol=0x0100),
    "foreign transaction": lambda tid, unit, pdu: adu(tid ^ 0x5555, unit, pdu),
    "other unit id": lambda tid, unit, pdu: adu(tid, unit + 1, pdu),
    "cut, as if shorter": lambda tid, unit, pdu: adu(tid, unit, pdu[:-2]),
    "no Modbus at all": lambda tid, unit, pdu: b"HTTP/1.0 400 Bad Request\r\n\r\n",
    "empty PDU": lambda tid, unit, pdu: adu(tid, unit, b""),
    "gateway path exception": lambda tid, unit, pdu: adu(tid, unit, bytes([pdu[0] | 0x80, 0x0A])),
}


@pytest.mark.parametrize("how", SPOILS)
def test_bad_answers_are_never_taken(how):
    """Nothing of it is shown, the other UPS notices nothing, and honest answers are taken again."""
    with Sim("--tcp", 0) as sim, Sim() as near, Gateway(port_of(sim), SPOILS[how]) as gateway:
        config = section("far", f"tcp://127.0.0.1:{gateway.port}") + section("near", near.port)
        with Daemon(config=config) as daemon, daemon.nut() as nut:
            wait_fresh(nut, "near")
            wait_until(lambda: gateway.requests > 4, 20)
            assert nut.try_get("ups.status", "far") in ("DATA-STALE", "DRIVER-NOT-CONNECTED")
            assert nut.try_get("input.voltage", "far") in ("DATA-STALE", "DRIVER-NOT-CONNECTED")
            assert follows(near, nut, "near") < 2
            gateway.spoil = None
            wait_fresh(nut, "far")


def test_wrong_scheme_is_explained():
    """Modbus TCP to a device server that passes RTU bytes on: said once, with the remedy."""
    with Sim("--tcp", 0) as sim:
        def rtu(tid, unit, pdu):
            return bytes([unit]) + pdu + b"\x12\x34"
        with Gateway(port_of(sim), rtu) as gateway, \
                Daemon(config=section("ups", f"tcp://127.0.0.1:{gateway.port}")) as daemon:
            wait_until(lambda: "write rtu+tcp:// instead" in daemon.log(), 10)
            wait_until(lambda: gateway.connections >= 3, 10)
            assert daemon.log().count("write rtu+tcp:// instead") == 1


def test_late_and_repeated_answers_are_told_by_their_id():
    """Each answer comes twice, and once more behind the next one: values stay true."""
    last = []

    def repeat(tid, unit, pdu):
        old = last[-1:]
        last.append(adu(tid, unit, pdu))
        return b"".join(old) + last[-1] + last[-1]

    with Sim("--tcp", 0) as sim, Gateway(port_of(sim), repeat) as gateway:
        with Daemon(config=section("ups", f"tcp://127.0.0.1:{gateway.port}")) as daemon, \
                daemon.nut() as nut:
            wait_fresh(nut)
            for _ in range(3):
                assert follows(sim, nut) < 2


def test_trickled_bytes():
    """Each answer in single bytes."""
    with Sim("--tcp", 0) as sim:
        def trickle(tid, unit, pdu):
            return [bytes([byte]) for byte in adu(tid, unit, pdu)]
        with Gateway(port_of(sim), trickle) as gateway, \
                Daemon(config=section("ups", f"tcp://127.0.0.1:{gateway.port}")) as daemon, \
                daemon.nut() as nut:
            wait_fresh(nut)
            follows(sim, nut)


# --- names ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def dumb_name_server():
    """Takes every query on port 53 of a loopback address and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.bind(("127.0.0.53", 53))
        except OSError as error:
            pytest.skip(f"port 53 cannot be had here: {error}")
        s.settimeout(20)
        yield s


class InItsOwnMounts(Daemon):
    """ups2000d with a resolv.conf and hosts of its own."""

    def command(self):
        resolv, hosts = self.directory / "resolv.conf", self.directory / "hosts"
        resolv.write_text("nameserver 127.0.0.53\n")
        hosts.write_text("127.0.0.1 localhost gateway.in-hosts\n")
        script = (f"mount --bind {resolv} /etc/resolv.conf && mount --bind {hosts} /etc/hosts && "
                  'exec "$@"')
        return ["unshare", "--mount", "sh", "-c", script, "sh", *super().command()]


def need_own_mounts():
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")


def test_name_server_that_never_answers_holds_nothing():
    need_own_mounts()
    with dumb_name_server() as dns, Sim("--tcp", 0) as sim, Sim() as near:
        config = (section("lost", "tcp://gateway.example:502") + section("near", near.port) +
                  section("hosts", f"tcp://gateway.in-hosts:{port_of(sim)}"))
        with InItsOwnMounts(config=config) as daemon, daemon.nut() as nut:
            wait_fresh(nut, "near", 5)
            wait_fresh(nut, "hosts", 5)
            assert dns.recv(512)
            assert follows(near, nut, "near") < 2
            wait_until(lambda: "no name server has answered yet" in daemon.log(), 20)
            start = time.monotonic()
            daemon.stop()
            assert time.monotonic() - start < 2


def test_names_to_listen_on_hold_nothing():
    """One whose server never answers, one in /etc/hosts, at the start and at a reload."""
    need_own_mounts()
    with dumb_name_server(), Sim() as sim:
        def config(*where):
            return (section("ups", sim.port) + "nut {\n\tlisten = {" +
                    ", ".join(f'"{w}"' for w in where) + "}\n}\nhttp {\n\tlisten = {"
                    '"lost.example:0", "gateway.in-hosts:0"}\n}\n')
        daemon = InItsOwnMounts(config=config("127.0.0.1:0", "lost.example:0", "gateway.in-hosts:0"),
                                listen=(), http=())
        with daemon, daemon.nut() as nut:
            wait_fresh(nut, timeout=10)
            wait_until(lambda: "served on gateway.in-hosts:0 too, port" in daemon.log(), 20)
            wait_until(lambda: "the page and the API are at http://gateway.in-hosts:" in daemon.log(), 20)
            port = int(re.search(r"in-hosts:0 too, port (\d+)", daemon.log())[1])
            with Nut(port) as named:
                assert fresh(named)
            wait_until(lambda: "cannot listen on lost.example:0" in daemon.log(), 30)
            daemon.reload(config("127.0.0.1:0", "gateway.in-hosts:0", "also-lost.example:0"))
            assert follows(sim, nut) < 2
            with Nut(port) as named:
                assert fresh(named)
            start = time.monotonic()
            daemon.stop()
            assert time.monotonic() - start < 2


def test_unknown_name_is_explained():
    need_own_mounts()
    with Daemon(config=section("ups", "tcp://no-such-name.invalid:502")) as daemon:
        wait_until(lambda: re.search(r'"no-such-name.invalid" (leads to no address|is being looked up)',
                                     daemon.log()), 60)


# --- a cut cable ---------------------------------------------------------------------------------


class InNetns(Sim):
    """The simulator behind a virtual cable."""

    def __init__(self, name, *args):
        super().__init__(*args)
        self.prefix = ("ip", "netns", "exec", name)


@contextlib.contextmanager
def cable():
    """A network namespace and a cable to it; yields its name and cut(bool)."""
    name, ours, theirs = f"u2k{os.getpid()}", "u2ka", "u2kb"

    def ip(*args, check=True):
        return subprocess.run(["ip", *args], check=check, capture_output=True, text=True)

    if not shutil.which("ip"):
        pytest.skip("the command ip (Debian: iproute2) is not installed")
    made = ip("netns", "add", name, check=False)
    if made.returncode:
        pytest.skip(f"no network namespace here: {made.stderr.strip()}")
    try:
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        ip("addr", "add", "10.213.7.1/30", "dev", ours)
        ip("link", "set", ours, "up")
        ip("-n", name, "addr", "add", "10.213.7.2/30", "dev", theirs)
        ip("-n", name, "link", "set", theirs, "up")
        ip("-n", name, "link", "set", "lo", "up")

        def cut(on):
            """Nothing comes back, nothing is refused: as a pulled cable behind a switch."""
            ip("-n", name, "route", "replace" if on else "del", "blackhole", "10.213.7.1/32",
               check=on)

        yield name, cut
    finally:
        ip("link", "del", ours, check=False)
        ip("netns", "del", name, check=False)


def test_cut_cable_is_noticed_and_comes_back():
    with cable() as (name, cut), InNetns(name, "--tcp", "10.213.7.2:502") as sim, Sim() as near:
        config = section("far", "tcp://10.213.7.2") + section("near", near.port)
        with Daemon(config=config) as daemon, daemon.nut() as nut:
            wait_fresh(nut, "far")
            cut(True)
            assert follows(near, nut, "near") < 2
            wait_until(lambda: "far: The connection to 10.213.7.2, TCP port 502, is lost" in daemon.log() or
                       "far: 10.213.7.2 does not answer" in daemon.log(), 8)
            wait_until(lambda: nut.try_get("ups.status", "far") != "OL CHRG", 15)
            sim.cmd("mains off")
            start = time.monotonic()
            cut(False)
            wait_until(lambda: nut.try_get("ups.status", "far").startswith("OB"), 10)
            assert time.monotonic() - start < 2.5


# --- each name keeps its UPS ---------------------------------------------------------------------


def swap_links(a, b):
    os.rename(a, a + ".x")
    os.rename(b, a)
    os.rename(a + ".x", b)


@wired("two of the same kind, and you want each name to keep its UPS")
@pytest.mark.parametrize("when", ["before the start", "while running"])
def test_two_adapters_that_changed_places(tmp_path, when):
    with Sim("--esn", "AAA1") as one, Sim("--esn", "BBB2") as two:
        config = section("a", one.port, serial="AAA1") + section("b", two.port, serial="BBB2")
        if when == "before the start":
            swap_links(one.port, two.port)
        with Daemon(config=config) as daemon, daemon.nut() as nut:
            if when == "while running":
                wait_until(lambda: nut.try_get("ups.serial", "a") == "AAA1", 10)
                swap_links(one.port, two.port)
            wait_until(lambda: "changed places" in daemon.log(), 20)
            for sim, name, esn in ((one, "a", "AAA1"), (two, "b", "BBB2")):
                wait_until(lambda: nut.try_get("ups.serial", name) == esn, 10)
                follows(sim, nut, name)
            assert daemon.log().count("changed places") == 1
            daemon.reload(config.replace("AAA1", "AAA1\n\tdesc = x"))
            for name, esn in (("a", "AAA1"), ("b", "BBB2")):
                wait_until(lambda: nut.try_get("ups.serial", name) == esn, 10)


def test_a_strange_ups_is_said_and_shown_but_not_commanded(sim):
    config = section("ups", sim.port, serial="SOMEONE-ELSE")
    config += 'user "admin" { password = "x" actions = {"SET"} instcmds = {"ALL"} }\n'
    with Daemon(config=config) as daemon, daemon.nut() as nut:
        wait_fresh(nut)
        wait_until(lambda: f"serial number {ESN} instead of SOMEONE-ELSE" in daemon.log(), 10)
        nut.cmd("USERNAME admin")
        nut.cmd("PASSWORD x")
        nut.send("INSTCMD ups beeper.disable")
        nut.line()
        wait_until(lambda: nut.try_get("ups.serial") == ESN, 10)
        assert sim.writes() == []
